"""Simple density estimates against normalization, scikit-learn, dense algebra and quadrature."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import welch
from sklearn.neighbors import KernelDensity
from torch.distributions import MultivariateNormal, Normal

import vaecourse as vc
from vaecourse.evaluation.density import (
    Histogram,
    kernel_log_density,
    leave_one_out_score,
    log_samples_needed,
    naive_log_evidence,
    silverman_bandwidth,
    whittle_log_likelihood,
)

F64 = torch.float64


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


# Histogram


def test_histogram_counts_points():
    x = torch.tensor([[0.1], [0.2], [0.6], [1.0]], dtype=F64)
    histogram = Histogram(4, 0, 1).fit(x)
    at = torch.tensor([[0.0], [0.3], [0.74], [0.75], [1.0], [1.1]], dtype=F64)
    expected = [math.log(2), -math.inf, 0.0, 0.0, 0.0, -math.inf]
    assert histogram.score_samples(at).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("pseudo_count", [0.0, 0.3])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_histogram_has_total_mass_one(dim, pseudo_count):
    histogram = Histogram(5, -4, 4, pseudo_count).fit(randn(300, dim).clamp(-4, 4))
    centre = torch.linspace(-4, 4, 11, dtype=F64)[1::2]
    grid = torch.cartesian_prod(*[centre] * dim).reshape(-1, dim)
    mass = histogram.score_samples(grid).exp().sum().item() * (8 / 5) ** dim
    assert abs(mass - 1) < 1e-12


def test_in_784_dimensions_the_pseudo_counts_are_all_that_is_left():
    x = torch.rand(50, 784, generator=torch.Generator().manual_seed(0))
    histogram = Histogram(2, 0, 1, pseudo_count=1e-3).fit(x[:25])
    assert abs(histogram.score(x[25:])) < 1e-9  # the uniform density on the unit cube
    # A training point sits in its own cell: (1 + a) / (a 2⁷⁸⁴) over a volume of 2⁻⁷⁸⁴.
    assert abs(histogram.score(x[:25]) - math.log(1.001 / 0.001)) < 1e-9


def test_histogram_refuses_what_it_cannot_count():
    with pytest.raises(ValueError, match=r"x has points outside the box \[0, 1\]\^D."):
        Histogram(3, 0, 1).fit(torch.tensor([[1.5]]))
    with pytest.raises(ValueError, match="bins is 0"):
        Histogram(0, 0, 1)
    with pytest.raises(ValueError, match="low is 1 and high is 1"):
        Histogram(3, 1, 1)
    with pytest.raises(ValueError, match="pseudo_count is -1"):
        Histogram(3, 0, 1, -1)
    with pytest.raises(ValueError, match=r"x has shape \[2, 2\]; it must be \[N, 1\]."):
        Histogram(3, 0, 1).fit(torch.rand(4, 1, generator=torch.Generator())).score(
            torch.zeros(2, 2)
        )


# Kernels


@pytest.mark.parametrize("dim", [1, 2, 50])
def test_kernel_density_is_the_mean_of_the_kernels(dim):
    points, x = 5 + randn(200, dim), 5 + randn(77, dim, seed=1)
    kernels = Normal(points, 0.4).log_prob(x[:, None]).sum(2)
    direct = torch.logsumexp(kernels, 1) - math.log(200)
    assert (kernel_log_density(x, points, 0.4, chunk=10) - direct).abs().max() < 1e-9


@pytest.mark.parametrize("dim", [1, 2])
def test_kernel_density_is_that_of_scikit_learn_where_that_is_accurate(dim):
    # In fifty dimensions scikit-learn's trees return −38 where the density is e⁻²⁴⁴.
    points, x = 5 + randn(200, dim), 5 + randn(77, dim, seed=1)
    reference = KernelDensity(bandwidth=0.4).fit(points.numpy()).score_samples(x.numpy())
    ours = kernel_log_density(x, points, 0.4, chunk=10)
    assert (ours - torch.as_tensor(reference)).abs().max() < 1e-9


def test_leaving_one_out_is_leaving_one_out():
    points = randn(40, 3)
    one_by_one = [
        kernel_log_density(points[i : i + 1], torch.cat([points[:i], points[i + 1 :]]), 0.5).item()
        for i in range(40)
    ]
    assert abs(leave_one_out_score(points, 0.5) - sum(one_by_one) / 40) < 1e-10


def test_bandwidth_by_held_out_likelihood_and_by_rule_agree_on_a_gaussian():
    points = randn(1_000, 2)
    rule = silverman_bandwidth(points)
    assert abs(rule / (points.var(0).mean().sqrt().item() * 1000 ** (-1 / 6)) - 1) < 1e-12
    widths = torch.linspace(0.05, 1, 96).tolist()
    best = max(widths, key=lambda width: leave_one_out_score(points, width))
    assert 0.7 < best / rule < 1.4


def test_kernels_find_the_entropy_of_a_gaussian_in_the_plane_and_lose_it_in_twenty_dimensions():
    gaps = []
    for dim in (2, 20):
        x = randn(3_000, dim)
        width = silverman_bandwidth(x[:2_000])
        held_out = kernel_log_density(x[2_000:], x[:2_000], width).mean().item()
        truth = Normal(0.0, 1.0).log_prob(x[2_000:]).sum(1).mean().item()
        gaps.append(truth - held_out)
    assert 0 < gaps[0] < 0.06
    assert gaps[1] > 2


def test_kernels_refuse_bad_arguments():
    points = randn(5, 2)
    with pytest.raises(ValueError, match=r"bandwidth is 0; it must be finite and greater than 0."):
        kernel_log_density(points, points, 0)
    with pytest.raises(ValueError, match=r"x has shape \[5, 1\]; it must be \[N, 2\]."):
        kernel_log_density(points[:, :1], points, 1.0)
    with pytest.raises(ValueError, match=r"points has 1 row; leaving one out needs at least 2."):
        leave_one_out_score(points[:1], 1.0)
    with pytest.raises(ValueError, match=r"points has NaN or infinite values in 5 of 5 rows."):
        silverman_bandwidth(points / 0)


# Spectrum


def autoregressive(n, rho=0.9, seed=0):
    noise = randn(n, seed=seed)
    x = [noise[0].item() / math.sqrt(1 - rho**2)]
    for e in noise[1:].tolist():
        x.append(rho * x[-1] + e)
    return torch.tensor(x, dtype=F64)


def spectrum(n, rho=0.9):
    f = torch.fft.fftfreq(n, dtype=F64)
    return 1 / (1 - 2 * rho * torch.cos(2 * math.pi * f) + rho**2)


def test_whittle_is_the_exact_density_on_a_circle():
    s = spectrum(16)
    covariance = torch.fft.ifft(s).real  # of points 0, 1, 2, … apart
    index = (torch.arange(16)[:, None] - torch.arange(16)) % 16
    exact = MultivariateNormal(torch.zeros(16, dtype=F64), covariance[index])
    x = randn(16)
    assert abs(whittle_log_likelihood(x, s) - exact.log_prob(x).item()) < 1e-10


@pytest.mark.parametrize("n", [5, 100, 10_000])
def test_whittle_for_an_autoregression_lets_the_first_value_follow_the_last(n):
    # On a circle every value follows its neighbour, and the determinant is 1 − ρⁿ. The exact
    # density of the open series differs in the first factor alone: O(1/n) a point.
    x = autoregressive(n)
    steps = Normal(0.0, 1.0).log_prob(x - 0.9 * x.roll(1)).sum()
    closed = steps.item() + math.log(1 - 0.9**n)
    assert abs(whittle_log_likelihood(x, spectrum(n)) - closed) < 1e-8


def test_the_true_spectrum_scores_best_and_welch_beats_the_periodogram():
    train, test = autoregressive(4_096), autoregressive(4_096, seed=1)
    truth = whittle_log_likelihood(test, spectrum(4_096)) / 4_096
    scores = {}
    for length in (128, 4_096):
        f, s = welch(train.numpy(), nperseg=length, return_onesided=False, detrend=False)
        grid = torch.fft.fftfreq(4_096, dtype=F64).numpy()
        order = f.argsort()
        s = torch.as_tensor(np.interp(grid, f[order], s[order], period=1))
        scores[length] = whittle_log_likelihood(test, s) / 4_096
    assert truth - 0.05 < scores[128] < truth
    assert scores[4_096] < truth - 1


def test_whittle_refuses_other_lengths_and_signs():
    with pytest.raises(ValueError, match=r"spectral_density has shape \[3\] and series \[4\]"):
        whittle_log_likelihood(randn(4), torch.ones(3))
    with pytest.raises(ValueError, match="spectral_density has values that are not positive"):
        whittle_log_likelihood(randn(4), torch.zeros(4))


# Naive Monte Carlo


def linear_gaussian(dim=3, latent=2, variance=0.5):
    weight, bias = randn(dim, latent, seed=5), randn(dim, seed=6)
    covariance = weight @ weight.T + variance * torch.eye(dim, dtype=F64)
    return weight, bias, variance, MultivariateNormal(bias, covariance)


def log_likelihood(x, z, weight, bias, variance):
    """log p(x | z) for x [B, D] and z [S, J]: [S, B]."""
    mean = (z @ weight.T + bias)[:, None]
    return Normal(mean, math.sqrt(variance)).log_prob(x).sum(-1)


def test_naive_estimate_finds_the_evidence_within_its_error():
    weight, bias, variance, evidence = linear_gaussian()
    x = bias + randn(200, 2, seed=7) @ weight.T + math.sqrt(variance) * randn(200, 3, seed=8)
    terms = log_likelihood(x, randn(20_000, 2, seed=9), weight, bias, variance)
    estimate = naive_log_evidence(terms)
    z_score = (estimate.value - evidence.log_prob(x)) / estimate.standard_error
    # One set of draws serves all x, so the scores are correlated: only their size is tested.
    assert z_score.abs().max() < 5
    assert estimate.standard_error.median() < 0.02


def test_error_bars_of_the_naive_estimate_cover():
    weight, bias, variance, evidence = linear_gaussian()
    x = bias[None]
    terms = log_likelihood(x, randn(2_000 * 500, 2), weight, bias, variance).reshape(2_000, 500)
    estimate = naive_log_evidence(terms)
    inside = (estimate.value - evidence.log_prob(x)).abs() < 1.96 * estimate.standard_error
    assert abs(inside.double().mean().item() - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 500)


def test_samples_needed_follow_the_variance_by_quadrature():
    weight = torch.tensor([[1.5], [-0.7]], dtype=F64)
    bias, variance = torch.zeros(2, dtype=F64), 0.3
    x = torch.tensor([[0.5, -1.0], [3.0, 0.2]], dtype=F64)
    z = torch.linspace(-12, 12, 20_001, dtype=F64)
    terms = log_likelihood(x, z[:, None], weight, bias, variance)
    prior = Normal(0.0, 1.0).log_prob(z).exp()[:, None]
    first = torch.trapezoid(prior * terms.exp(), z, dim=0)
    second = torch.trapezoid(prior * (2 * terms).exp(), z, dim=0)
    expected = (second / first**2 - 1).log() - 2 * math.log(0.1)
    assert (log_samples_needed(x, weight, bias, variance) - expected).abs().max() < 1e-10


def test_samples_needed_are_enough_and_no_more():
    weight, bias, variance, evidence = linear_gaussian()
    x = bias[None]
    needed = round(log_samples_needed(x, weight, bias, variance, 0.1).exp().item())
    terms = log_likelihood(x, randn(needed * 2_000, 2), weight, bias, variance)
    estimates = terms.exp().reshape(needed, 2_000).mean(0) / evidence.log_prob(x).exp()
    assert abs(estimates.mean().item() - 1) < 4 * 0.1 / 2_000**0.5
    assert abs(estimates.std().item() - 0.1) < 4 * 0.1 * 0.02


def test_samples_needed_for_a_digit_exceed_any_float():
    images = vc.data.mnist("train").x[:2_000].double()
    bias = images.mean(0)
    variances, directions = torch.linalg.eigh(torch.cov(images.T, correction=0))
    noise = variances[:-50].mean().item()
    weight = directions[:, -50:] * (variances[-50:] - noise).sqrt()
    needed = log_samples_needed(images[:100], weight, bias, noise)
    assert needed.median() / math.log(10) > 20


def test_naive_estimates_refuse_bad_arguments():
    with pytest.raises(ValueError, match="log_likelihood has 1 draws"):
        naive_log_evidence(randn(1, 4))
    with pytest.raises(ValueError, match=r"variance is 0 and relative_error 0.1; both must be"):
        log_samples_needed(randn(1, 2), randn(2, 1), randn(2), 0)
