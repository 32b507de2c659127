"""The convolutional VAE: a VAE in every respect but its networks."""

import math

import pytest
import torch

import vaecourse as vc
from vaecourse.models import ConvVAE
from vaecourse.objectives import elbo_terms


def pixels(n, dim, seed=0):
    """Rows of 8-bit pixels."""
    return (255 * torch.rand(n, dim, generator=torch.Generator().manual_seed(seed))).round() / 255


@pytest.fixture
def model():
    return ConvVAE((3, 8, 8), 4, (5, 6))


def test_locations_and_scales_are_planes_of_the_decoder(model):
    z = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))
    planes = model.decoder(z).view(2, 2, 3, 8, 8)
    p = model.decode(z)
    assert torch.equal(p.loc.view(2, 3, 8, 8), planes[:, 0] + 0.5)
    assert torch.equal(p.log_scale.view(2, 3, 8, 8), planes[:, 1] + math.log(1 / 8))


def test_the_bound_is_that_of_its_terms_with_any_number_of_samples(model):
    x = pixels(6, 192)
    found = model.elbo(x, 3, torch.Generator().manual_seed(2))
    q = model.encode(x)
    z = q.rsample((3,), torch.Generator().manual_seed(2))
    one_by_one = torch.stack([model.decode(each).log_prob(x) for each in z]).mean(0)
    kl = 0.5 * (q.loc.square() + q.log_var.exp() - 1 - q.log_var).sum(1)
    assert (found - (one_by_one - kl)).abs().max() < 2e-3  # of about −1,000, in float32
    bits = vc.evaluation.bits_per_dimension(found, 192)
    assert bits.min() > 7 and bits.max() < 9


def test_it_learns_and_is_judged_like_any_vae():
    # Flat images of one random grey each: 64 dimensions with one number in them.
    x = pixels(512, 1).expand(-1, 64).contiguous()
    model = ConvVAE((1, 8, 8), 2, (4, 8))
    before = model.elbo(x, 1, torch.Generator().manual_seed(0)).mean()
    # By thirty epochs four seeds and two instruction sets end between -218 and -195; twelve are too
    # few: there one rounding stands at -272 and another at -339.
    vc.training.fit(model, x, epochs=30, batch_size=32, learning_rate=3e-3, progress=False)
    after = model.elbo(x, 1, torch.Generator().manual_seed(0)).mean()
    assert before < -350 and after > -260  # 64 pixels of 256 levels are 355 nats
    terms = elbo_terms(model, x, 1, torch.Generator().manual_seed(0))
    metrics = vc.evaluation.evaluate(model, x, importance_samples=20, importance_rows=50)
    assert abs(metrics["elbo"] - terms.elbo.mean().item()) < 1
    assert metrics["log_likelihood"] > metrics["elbo"] - 3
    reconstruction = model.reconstruct(x)
    assert (reconstruction - x).abs().mean() < 0.1


def test_samples_are_grey_levels_that_it_takes_back(model):
    x = model.sample(5, torch.Generator().manual_seed(0))
    assert x.shape == (5, 192)
    model.check(x)


def test_it_is_built_and_loaded_again_from_its_parameters(model, tmp_path):
    vc.checkpoint.save(tmp_path / "model", model, {})
    again, _ = vc.checkpoint.load(tmp_path / "model")
    x = pixels(2, 192)
    assert again.params == model.params
    assert torch.equal(again.encode(x).loc, model.encode(x).loc)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"likelihood": "gaussian"}, "likelihood is 'gaussian'; images here are discrete"),
        ({"likelihood": "cauchy"}, "likelihood is 'cauchy'; it must be one of 'bernoulli'"),
        (
            {"likelihood": "poisson"},
            "likelihood is 'poisson'; it must be one of 'bernoulli', 'disc",
        ),
        ({"posterior": "gamma"}, "posterior is 'gamma'; it must be one of 'diagonal', 'full'"),
        ({"image_shape": (3, 8, 9)}, "it must be .C, H, W. with H and W multiples of 4"),
        ({"latent_dim": 0}, "latent_dim is 0; it must be an integer of at least 1"),
        ({"importance_samples": 0}, "importance_samples is 0; it must be an integer of at least 1"),
    ],
)
def test_bad_parameters_are_refused(change, sentence):
    arguments = {"image_shape": (3, 8, 8), "latent_dim": 4, "channels": (5, 6), **change}
    with pytest.raises(ValueError, match=sentence):
        ConvVAE(**arguments)


def test_pixels_that_are_no_grey_levels_are_refused(model):
    with pytest.raises(ValueError, match="grey levels from the nearest"):
        model.elbo(torch.full((2, 192), 0.3))
    with pytest.raises(ValueError, match=r"x has shape \[2, 100\]; it must be \[N, 192\]"):
        model.elbo(pixels(2, 100))
