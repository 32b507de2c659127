"""The noised mixture against autograd, sums over draws, and integrals on a grid."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

import vaecourse as vc
from vaecourse.inference.noised_mixture import NoisedMixture

MIXTURE = NoisedMixture.of("gaussian_mixture", 4.0)
LEVELS = (-6.0, -1.0, 0.0, 2.0, 8.0)


def points(n=50, seed=0):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_without_noise_it_is_the_data_set():
    x = vc.data.synthetic("gaussian_mixture", 200, seed=1).x
    ours = MIXTURE.log_density(x / 4) - 2 * math.log(4)
    # x is float32, and divided by a power of two
    assert (ours - vc.data.log_density("gaussian_mixture", x)).abs().max() < 1e-9
    assert MIXTURE.mean_log_density(per_axis=60) == pytest.approx(-1.163882, abs=2e-6)


@pytest.mark.parametrize("log_snr", LEVELS)
def test_the_score_is_the_gradient_of_the_log_density(log_snr):
    y = points().requires_grad_()
    (slope,) = torch.autograd.grad(MIXTURE.log_density(y, log_snr).sum(), y)
    assert (MIXTURE.score(y, log_snr) - slope).abs().max() < 1e-9 * (1 + slope.abs().max())


@pytest.mark.parametrize("log_snr", LEVELS)
def test_the_denoised_point_is_the_mean_of_the_posterior(log_snr):
    y = points()
    mean = MIXTURE.moments(y, log_snr).mean
    assert (MIXTURE.denoise(y, log_snr) - mean).abs().max() < 1e-9 * (1 + mean.abs().max())


def test_the_moments_of_the_posterior_are_those_on_a_grid():
    log_snr, y_t = 1.0, torch.tensor([0.3, -0.2], dtype=torch.float64)
    axis = torch.linspace(-4, 4, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    keep, add = torch.sigmoid(torch.tensor([1.0, -1.0], dtype=torch.float64))
    noise = MultivariateNormal(keep.sqrt() * grid, add * torch.eye(2, dtype=torch.float64))
    weight = (MIXTURE.log_density(grid) + noise.log_prob(y_t)).softmax(0)
    mean = weight @ grid
    covariance = (grid - mean).T @ (weight[:, None] * (grid - mean))
    found = MIXTURE.moments(y_t, log_snr)
    assert (found.mean - mean).abs().max() < 1e-6
    assert (found.covariance - covariance).abs().max() < 1e-6


def test_the_error_falls_by_the_squared_covariance():
    """−d error / d SNR = E tr Cov², by a central difference in λ."""
    for log_snr in (-2.0, 0.0, 3.0):
        step = 1e-3
        fall = MIXTURE.error(log_snr - step, 60) - MIXTURE.error(log_snr + step, 60)
        slope = fall / (2 * step) / math.exp(log_snr)
        assert slope == pytest.approx(MIXTURE.squared_covariance(log_snr, 60), rel=3e-3)


def test_the_errors_add_up_to_the_entropy():
    """E log p(y) = (D/2)(log SNR/2π) − ½ SNR error − ½ ∫ error dSNR + …, for λ from −10 to 14."""
    levels = torch.linspace(-10, 14, 241, dtype=torch.float64)
    snr = levels.exp()
    errors = torch.tensor([MIXTURE.error(level, 24) for level in levels.tolist()])
    area = 0.5 * torch.trapezoid(snr * errors, levels)
    ceiling = 0.5 * 2 * (levels[-1] - math.log(2 * math.pi)) - 0.5 * snr[-1] * errors[-1]
    assert (ceiling - area).item() == pytest.approx(MIXTURE.mean_log_density(per_axis=60), abs=2e-3)


def test_one_gaussian_is_known_by_hand():
    one = NoisedMixture([1.0], [[0.0]], [[[2.0]]])
    for log_snr in LEVELS:
        # the posterior variance of N(0, 2) seen at that SNR
        variance = 1 / (0.5 + math.exp(log_snr))
        assert one.error(log_snr) == pytest.approx(variance, rel=1e-12)
        assert one.squared_covariance(log_snr) == pytest.approx(variance**2, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ([1.0], [[0.0, 0.0]], [[[1.0]]]),
            r"for means \[1, 2\] they must be \[1\] and \[1, 2, 2\]",
        ),
        (([0.5, 0.5], [[0.0]], [[[1.0]]]), r"weights has shape \[2\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        NoisedMixture(*arguments)


def test_points_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"y has shape \[3, 1\]; it must be \[N, 2\]"):
        MIXTURE.score(torch.zeros(3, 1), 0.0)
    with pytest.raises(ValueError, match="name is 'three_blobs'"):
        NoisedMixture.of("three_blobs")
