"""What every model answers: those of the course, and one that somebody derives from them."""

import pytest
import torch

import vaecourse as vc
from vaecourse.models import KINDS, VAE

SMALL = {
    "vae": {"data_dim": 4, "latent_dim": 2, "hidden": [3]},
    "conv_vae": {
        "image_shape": [1, 2, 2],
        "latent_dim": 2,
        "channels": [2],
        "likelihood": "bernoulli",
    },
    "autoencoder": {"data_dim": 4, "latent_dim": 2, "hidden": [3]},
    "classifier": {"image_shape": [1, 2, 2], "channels": [2], "num_classes": 2},
    "factor_analysis": {"data_dim": 4, "latent_dim": 2},
    "gmvae": {"data_dim": 4, "latent_dim": 2, "num_components": 2, "hidden": [3]},
    "m2": {"data_dim": 4, "latent_dim": 2, "hidden": [3], "num_classes": 2},
    "vrnn": {"data_dim": 2, "latent_dim": 1, "state_dim": 2, "hidden": [3]},
    "hierarchical": {"data_dim": 4, "latent_dim": 2, "upper_dim": 1, "hidden": [3]},
    "diffusion": {"data_dim": 4, "levels": 8, "hidden": [3]},
    "vqvae": {"data_dim": 4, "latent_dim": 2, "num_words": 3, "hidden": [3]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_answers_what_experiments_ask(kind):
    model = vc.models.build({"kind": kind, **SMALL[kind]})
    assert {"kind": kind, **SMALL[kind], "seed": 0}.items() <= model.params.items()
    rows = torch.eye(4).repeat(3, 1)
    model.check_width(4)
    with pytest.raises(ValueError, match="data have 5 columns"):
        model.check_width(5)
    if model.needs_labels:
        rows = vc.models.labelled(rows, torch.arange(12) % 2)
    x = model.check(model.arrange(rows))
    with torch.no_grad():
        assert model.loss(x, torch.Generator().manual_seed(0)).isfinite()
    metrics = vc.evaluation.evaluate(model, x, 3, 5)
    assert metrics and all(isinstance(value, float) for value in metrics.values())
    assert model.loss_unit.endswith("per data point)") or kind == "autoencoder"
    if "latent" in model.shows:
        assert model.codes(x).shape == (12, 2)
    if "reconstructions" in model.shows:
        assert model.reconstruct(x).shape == (12, 4)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if hasattr(KINDS[kind], "elbo")])
def test_the_log_weights_are_the_bound_on_average(kind):
    model = vc.models.build({"kind": kind, **SMALL[kind]}).double().requires_grad_(False)
    x = model.check(model.arrange(torch.eye(4)))
    elbo = model.elbo(x, 4_000, torch.Generator().manual_seed(1))
    log_w = model.log_weights(x, 4_000, torch.Generator().manual_seed(2))
    assert torch.equal(
        model.elbo_terms(x, 5, torch.Generator().manual_seed(3)).elbo,
        model.elbo(x, 5, torch.Generator().manual_seed(3)),
    )
    # Five errors of the mean of the draws; the bound, by its closed KL, has less noise.
    error = 5 * 2**0.5 * log_w.std(0) / 4_000**0.5 + 1e-9  # where nothing is drawn
    assert (log_w.mean(0) - elbo > -error).all()
    if kind != "gmvae":  # its weights sum y out of q(y, z|x) first, which gives a tighter bound
        assert (log_w.mean(0) - elbo < error).all()


def test_a_model_that_is_derived_keeps_the_parameters_of_its_kind():
    class Named(VAE):
        def __init__(self, name):
            self_made = 2
            super().__init__(4, self_made, (3,))

    model = Named("mine")
    assert vc.models.build(model.params).params == VAE(4, 2, (3,)).params == model.params
