"""What every model answers: those of the course, and one that somebody derives from them."""

import pytest
import torch
from sentences import refused

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


def built(kind):
    return vc.models.build({"kind": kind, **SMALL[kind]})


CALLED = {
    "vae": "VAE is not called itself; it has elbo, encode, decode, reconstruct, sample, loss.",
    "m2": "M2 is not called itself; it has encode, decode, classify, loss.",
    "diffusion": "Diffusion is not called itself; it has elbo, sample, loss.",
}


@pytest.mark.parametrize("kind", CALLED)
def test_a_model_that_is_called_says_what_it_has(kind):
    with pytest.raises(NotImplementedError) as caught:
        built(kind)(torch.zeros(2, 4))
    assert str(caught.value) == CALLED[kind]


ONE_LATENT = [kind for kind in KINDS if hasattr(KINDS[kind], "decode") and kind not in ("m2",)]


@pytest.mark.parametrize("kind", ONE_LATENT)
def test_what_is_to_be_coded_or_decoded_has_the_width_of_the_model(kind):
    model = built(kind)
    more = [torch.zeros(1, 2)] if kind == "vrnn" else []  # a state
    width, latents = model.data_dim, model.latent_dim
    words = refused(model.encode, torch.zeros(1, width + 1), *more)
    assert words == f"x has shape [1, {width + 1}]; it must be [..., {width}]."
    words = refused(model.decode, torch.zeros(1, latents + 1), *more)
    assert words == f"z has shape [1, {latents + 1}]; it must be [..., {latents}]."
    assert refused(model.decode, torch.tensor(0.0), *more) == (
        f"z has shape []; it must be [..., {latents}]."
    )


def test_images_are_not_rows_and_the_line_that_makes_rows_of_them_is_told():
    model = vc.models.ConvVAE([3, 4, 4], 2, [4])
    assert refused(model.encode, torch.rand(2, 3, 4, 4)) == (
        "x has shape [2, 3, 4, 4]; it must be [..., 48]: x.reshape(len(x), -1) makes an array so."
    )
    assert model.encode(torch.rand(2, 3, 48)).mean.shape == (2, 3, 2)


def test_other_parts_of_models_say_the_width_too():
    layered, mixture, chain = (built(kind) for kind in ("hierarchical", "gmvae", "diffusion"))
    wrong = torch.zeros(1, 7)
    assert refused(layered.lower_prior, wrong) == "u has shape [1, 7]; it must be [..., 1]."
    assert refused(layered.encode_upper, wrong) == "z has shape [1, 7]; it must be [..., 2]."
    assert refused(mixture.latent_at, wrong, torch.eye(2)) == (
        "x has shape [1, 7]; it must be [..., 4]."
    )
    assert refused(chain.denoise, wrong, 1.0) == "y has shape [1, 7]; it must be [..., 4]."
    assert refused(built("vrnn").filter, wrong) == "x has shape [1, 7]; it must be [..., 2]."
