"""The latent grid: evidence, posterior and missing pixels against enumeration and closed forms."""

import itertools
import math

import pytest
import torch

import vaecourse as vc
from vaecourse.evaluation import LatentGrid


@pytest.fixture(scope="module")
def vae():
    model = vc.models.VAE(4, 2, (6,), activation="tanh", seed=1).requires_grad_(False)
    for weight in model.decoder.parameters():
        weight.mul_(3)  # pixels that depend on z
    return model


@pytest.fixture(scope="module")
def grid(vae):
    return LatentGrid(vae, 161, reach=6.0)


IMAGES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))


def test_the_evidence_of_all_images_sums_to_one(grid):
    assert grid.log_evidence(IMAGES).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_the_evidence_is_that_of_importance_weights(vae, grid):
    estimate = vc.evaluation.importance_estimate(
        vae, IMAGES[:5], 20_000, torch.Generator().manual_seed(0), progress=False
    )
    off = estimate.log_likelihood - grid.log_evidence(IMAGES[:5])
    assert (off.abs() < 4.5 * estimate.standard_error).all()


def test_missing_pixels_are_those_of_the_sum_over_images(grid):
    """p(x_d = 1 | seen) by the grid, and by adding up the evidence of all sixteen images."""
    seen = torch.tensor([True, False, True, False])
    x = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    p = grid.log_evidence(IMAGES).exp()
    fits = (IMAGES[:, seen] == x[0, seen]).all(1)
    expected = (p[fits] @ IMAGES[fits]) / p[fits].sum()
    assert grid.pixels(x, seen)[0].tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert grid.log_evidence(x, seen).exp().item() == pytest.approx(p[fits].sum().item(), abs=1e-5)
    # What is written where nothing is seen does not matter.
    other = torch.tensor([[1.0, 7.0, 0.0, math.nan]])
    assert torch.allclose(grid.log_joint(x, seen), grid.log_joint(other, seen), atol=1e-6)


def test_nothing_seen_leaves_the_prior_and_everything_seen_the_posterior(grid):
    nothing = grid.posterior(IMAGES[:1], torch.zeros(4, dtype=torch.bool))
    assert torch.allclose(nothing[0], (grid.log_prior + grid.log_cell).exp(), atol=1e-6)
    whole = torch.ones(16, 4, dtype=torch.bool)
    assert torch.allclose(grid.posterior(IMAGES), grid.posterior(IMAGES, whole), atol=1e-7)


def test_the_table_is_the_log_joint_between_the_points_too(vae, grid):
    z = torch.randn(50, 3, 2, generator=torch.Generator().manual_seed(0))
    x = IMAGES[[3, 7, 12]]
    exact = vae.prior.log_prob(z) + vae.decode(z).log_prob(x)
    found = grid.table(x)(z)
    assert found.shape == (50, 3)
    assert (found - exact).abs().max() < 0.01
    # Outside, at the same likelihood, the prior alone falls.
    out, edge = (grid.table(x)(torch.tensor([[[far, 0.0]] * 3])) for far in (8.0, 6.0))
    assert torch.allclose(out, edge - 14, atol=1e-4)


def test_a_model_with_three_latents_is_refused():
    with pytest.raises(ValueError, match="the grid takes two latents"):
        LatentGrid(vc.models.VAE(4, 3, (6,)))
    with pytest.raises(ValueError, match="points is 1"):
        LatentGrid(vc.models.VAE(4, 2, (6,)), 1)
