"""What the latents carry, on encoders whose answer is known."""

import math

import pytest
import torch

import vaecourse as vc


def constant_encoder(loc, log_var, posterior="diagonal"):
    """A VAE whose encoder gives these numbers whatever x is."""
    vae = vc.models.VAE(3, len(loc), hidden=(), posterior=posterior)
    with torch.no_grad():
        vae.encoder[0].weight.zero_()
        vae.encoder[0].bias[: 2 * len(loc)] = torch.tensor([*loc, *log_var])
    return vae


X = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))


def test_kl_of_each_latent_is_its_closed_form():
    vae = constant_encoder([0.0, 2.0], [0.0, math.log(0.25)])
    expected = torch.tensor([0.0, 0.5 * (0.25 + 4 - 1 - math.log(0.25))])
    assert (vc.evaluation.kl_per_dimension(vae, X) - expected).abs().max() < 1e-6


def test_an_encoder_that_ignores_x_has_no_active_units_and_no_rate():
    vae = constant_encoder([0.0, 0.0], [0.0, 0.0])
    assert vc.evaluation.active_units(vae, X).sum() == 0
    assert vc.evaluation.kl_per_dimension(vae, X).sum() == 0


def test_a_unit_that_follows_x_is_active():
    vae = constant_encoder([0.0, 0.0], [0.0, 0.0])
    with torch.no_grad():
        vae.encoder[0].weight[1, 0] = 1.0  # the mean of z_2 is x_1, uniform: variance 1/12
    assert vc.evaluation.active_units(vae, X).tolist() == [False, True]
    assert vc.evaluation.active_units(vae, X, threshold=0.2).sum() == 0


def test_a_full_covariance_does_not_split():
    with pytest.raises(ValueError, match="not diagonal; its KL does not split"):
        vc.evaluation.kl_per_dimension(constant_encoder([0.0], [0.0], "full"), X)
