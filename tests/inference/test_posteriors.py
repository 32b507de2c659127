"""Posteriors: the exact ones against dense algebra and a grid, the others against both."""

import math

import pytest
import torch
from sentences import refused
from torch.distributions import MultivariateNormal, kl_divergence

from vaecourse.inference.posteriors import (
    GaussianPosterior,
    chain_marginals,
    effective_sample_size,
    enumerate_chain,
    gauss_hermite,
    gaussian_log_joint,
    gibbs_gaussian,
    grid_posterior,
    identity_posterior,
    kl_to_grid,
    laplace,
    linear_posterior,
    logistic_log_joint,
    posterior_error,
    random_walk_metropolis,
    sample_moments,
    variational_gaussian,
)

ALPHA, BETA = 0.7, 3.0
WEIGHT = torch.tensor([[1.0, 0.5], [-0.3, 2.0], [0.8, -1.1]], dtype=torch.float64)
X = torch.tensor([0.4, -1.2, 0.9], dtype=torch.float64)
NO_EVIDENCE = torch.tensor(math.nan)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def close(found, expected, tolerance):
    """The largest difference between the two, as a bool against the tolerance."""
    return float((torch.as_tensor(found) - torch.as_tensor(expected)).abs().max()) < tolerance


def line(z):
    return z @ WEIGHT.T


@pytest.fixture(scope="module")
def logistic():
    """A log joint of an intercept and a slope for nine labelled times, and its grid posterior."""
    times = torch.arange(-2, 2.5, 0.5, dtype=torch.float64)
    features = torch.stack([torch.ones_like(times), times], dim=1)
    log_joint = logistic_log_joint(features, [0, 0, 0, 1, 0, 1, 1, 1, 1], alpha=0.25)
    return log_joint, grid_posterior(log_joint, [-9, -5], [9, 17], num_points=401)


# Exact posteriors


def test_identity_posterior_is_the_printed_formula_and_the_line_with_w_equal_to_one():
    found = identity_posterior(X, ALPHA, BETA)
    assert close(found.mean, BETA / (ALPHA + BETA) * X, 1e-15)
    assert close(found.covariance, torch.eye(3).double() / (ALPHA + BETA), 1e-15)
    general = linear_posterior(X, torch.eye(3), ALPHA, BETA)
    for ours, theirs in zip(found, general):
        assert close(ours, theirs, 1e-14)


def test_linear_posterior_agrees_with_dense_conditioning():
    x = torch.stack([X, -2 * X, X + 1])
    found = linear_posterior(x, WEIGHT, ALPHA, BETA)
    prior = torch.eye(2, dtype=torch.float64) / ALPHA
    covariance_of_x = WEIGHT @ prior @ WEIGHT.T + torch.eye(3, dtype=torch.float64) / BETA
    gain = prior @ WEIGHT.T @ torch.linalg.inv(covariance_of_x)
    assert close(found.mean, x @ gain.T, 1e-13)
    assert close(found.covariance, prior - gain @ WEIGHT @ prior, 1e-13)
    evidence = MultivariateNormal(torch.zeros(3).double(), covariance_of_x)
    assert close(found.log_evidence, evidence.log_prob(x), 1e-12)


def test_evidence_of_the_three_step_chain():
    # z_t = z_{t-1} + noise and x_t = z_t + noise, all of unit variance: z = A·noise.
    steps = torch.ones(3, 3, dtype=torch.float64).tril()
    found = linear_posterior([0.5, -1.0, 2.0], steps, 1.0, 1.0)
    assert abs(float(found.log_evidence) + 5.616213355) < 1e-9


def test_grid_finds_the_linear_posterior():
    truth = linear_posterior(X, WEIGHT, ALPHA, BETA)
    log_joint = gaussian_log_joint(X, line, ALPHA, BETA)
    found = grid_posterior(log_joint, [-4.0, -4.0], [4.0, 4.0], num_points=201)
    assert close(found.mean, truth.mean, 1e-12)
    assert close(found.covariance, truth.covariance, 1e-12)
    assert close(found.log_evidence, truth.log_evidence, 1e-12)
    assert close(found.log_density.exp().sum() * found.cell, 1.0, 1e-12)


def test_grid_of_a_sigmoid_does_not_change_when_refined():
    # Nonlinear, hence no formula: the grid vouches for itself by agreeing with a finer one.
    log_joint = gaussian_log_joint(X, lambda z: torch.sigmoid(3 * line(z)), ALPHA, BETA)
    coarse = grid_posterior(log_joint, [-9, -9], [9, 9], num_points=301)
    fine = grid_posterior(log_joint, [-11, -11], [11, 11], num_points=601)
    assert close(coarse.log_evidence, fine.log_evidence, 1e-9)
    assert close(coarse.mean, fine.mean, 1e-9)


# Approximations against the grid


def test_laplace_is_exact_on_a_gaussian():
    truth = linear_posterior(X, WEIGHT, ALPHA, BETA)
    found = laplace(gaussian_log_joint(X, line, ALPHA, BETA), [3.0, -3.0])
    for ours, theirs in zip(found, truth):
        assert close(ours, theirs, 1e-12)


def test_variational_gaussian_is_exact_on_a_gaussian():
    truth = linear_posterior(X, WEIGHT, ALPHA, BETA)
    start = GaussianPosterior(torch.ones(2).double(), torch.eye(2).double(), NO_EVIDENCE)
    found = variational_gaussian(gaussian_log_joint(X, line, ALPHA, BETA), start)
    for ours, theirs in zip(found, truth):
        assert close(ours, theirs, 1e-7)


def test_laplace_sits_at_the_mode_of_the_logistic_posterior(logistic):
    log_joint, truth = logistic
    found = laplace(log_joint, torch.zeros(2))
    slope = torch.autograd.functional.jacobian(log_joint, found.mean)
    assert close(slope, 0.0, 1e-9)
    highest = truth.z.reshape(-1, 2)[truth.log_density.argmax()]
    assert close(found.mean, highest, 0.055)  # a cell measures .045 by .055
    assert float(log_joint(found.mean) - truth.log_evidence) >= float(truth.log_density.max())


def test_variational_gaussian_leaves_exactly_its_divergence(logistic):
    log_joint, truth = logistic
    found = variational_gaussian(log_joint, laplace(log_joint, torch.zeros(2)))
    gap = truth.log_evidence - found.log_evidence
    assert close(gap, kl_to_grid(found, truth), 1e-9)
    assert 0.05 < float(gap) < 0.053


def test_variational_gaussian_is_the_closest_gaussian(logistic):
    log_joint, truth = logistic
    start = laplace(log_joint, torch.zeros(2))
    best = variational_gaussian(log_joint, start)
    smallest = float(kl_to_grid(best, truth))
    assert smallest < float(kl_to_grid(start, truth))
    for direction in torch.eye(2, dtype=torch.float64):
        for sign in (-1, 1):
            moved = best._replace(mean=best.mean + 0.05 * sign * direction)
            assert float(kl_to_grid(moved, truth)) > smallest
    for factor in (0.9, 1.1):
        scaled = best._replace(covariance=best.covariance * factor)
        assert float(kl_to_grid(scaled, truth)) > smallest


def test_every_approximation_of_the_logistic_posterior_errs_as_the_chapter_says(logistic):
    log_joint, truth = logistic
    at_mode = laplace(log_joint, torch.zeros(2))
    best = variational_gaussian(log_joint, at_mode)
    step = torch.linalg.cholesky(at_mode.covariance) * 2.38 / math.sqrt(2)
    chains, accepted = random_walk_metropolis(
        log_joint, at_mode.mean.expand(16, 2), 2500, step, generator()
    )
    sampled = posterior_error(sample_moments(chains[500:]), truth)
    errors = posterior_error(at_mode, truth), posterior_error(best, truth)
    # The mode of a skewed posterior is not its mean; the variational mean nearly is.
    assert abs(errors[0].mean - 0.489) < 0.001
    assert errors[1].mean < 0.01
    # Both Gaussians come out too narrow; chains do not, once they are long enough.
    assert torch.linalg.det(at_mode.covariance) < torch.linalg.det(truth.covariance)
    assert torch.linalg.det(best.covariance) < torch.linalg.det(truth.covariance)
    size = float(effective_sample_size(chains[500:]).min())
    assert 3000 < size < 5000 and 0.3 < accepted < 0.45
    # Four standard errors: the mean's is √(J / size) in posterior deviations.
    assert sampled.mean < 4 * math.sqrt(2 / size)
    assert sampled.covariance < 0.1
    assert math.isnan(sampled.log_evidence)


def test_gauss_hermite_integrates_polynomials_exactly():
    nodes, weights = gauss_hermite(5, 2)
    assert close(weights.sum(), 1.0, 1e-14)
    assert close(weights @ nodes[:, 0] ** 8, 105.0, 1e-10)
    assert close(weights @ (nodes[:, 0] ** 4 * nodes[:, 1] ** 2), 3.0, 1e-12)


def test_kl_to_grid_agrees_with_the_closed_form():
    truth = linear_posterior(X, WEIGHT, ALPHA, BETA)
    grid = grid_posterior(gaussian_log_joint(X, line, ALPHA, BETA), [-6, -6], [6, 6])
    q = GaussianPosterior(torch.tensor([0.3, 0.1]).double(), 0.4 * torch.eye(2).double(), None)
    exact = kl_divergence(MultivariateNormal(*q[:2]), MultivariateNormal(*truth[:2]))
    assert close(kl_to_grid(q, grid), exact, 1e-10)


# Monte Carlo


def test_metropolis_reaches_the_linear_posterior():
    truth = linear_posterior(X, WEIGHT, ALPHA, BETA)
    step = torch.linalg.cholesky(truth.covariance) * 1.7
    chains, _ = random_walk_metropolis(
        gaussian_log_joint(X, line, ALPHA, BETA), torch.zeros(32, 2), 2000, step, generator(1)
    )
    error = posterior_error(sample_moments(chains[200:]), truth)
    size = float(effective_sample_size(chains[200:]).min())
    assert error.mean < 4 * math.sqrt(2 / size)
    assert error.covariance < 6 / math.sqrt(size)


def test_metropolis_counts_what_it_accepts_and_repeats_itself_by_seed():
    log_joint = gaussian_log_joint(X, line, ALPHA, BETA)
    chains, accepted = random_walk_metropolis(
        log_joint, torch.zeros(3, 2), 200, 0.5 * torch.eye(2), generator(4)
    )
    again, _ = random_walk_metropolis(
        log_joint, torch.zeros(3, 2), 200, 0.5 * torch.eye(2), generator(4)
    )
    assert torch.equal(chains, again)
    path = torch.cat([torch.zeros(1, 3, 2), chains])
    assert accepted == float((path.diff(dim=0).abs().sum(-1) > 0).double().mean())


def test_gibbs_autocorrelation_is_the_square_of_the_correlation():
    # Two coordinates of correlation ρ: from sweep to sweep each is an AR(1) of coefficient ρ².
    rho = 0.8
    covariance = [[1, rho], [rho, 1]]
    chains = gibbs_gaussian([1.0, -2.0], covariance, torch.zeros(50, 2), 4000, generator())
    kept = chains[100:]
    moments = sample_moments(kept)
    size = effective_sample_size(kept)
    expected_size = kept[..., 0].numel() * (1 - rho**2) / (1 + rho**2)
    assert close(size / expected_size, 1.0, 0.1)
    assert close(moments.mean, [1.0, -2.0], 4 / math.sqrt(expected_size))
    assert close(moments.covariance, covariance, 6 / math.sqrt(expected_size))
    centred = kept - moments.mean
    lag_one = (centred[1:] * centred[:-1]).mean((0, 1)) / centred.square().mean((0, 1))
    assert close(lag_one, rho**2, 0.01)


def test_effective_sample_size_of_independent_draws_is_their_number():
    draws = torch.randn(5000, 8, 2, generator=generator(), dtype=torch.float64)
    assert close(effective_sample_size(draws) / 40_000, 1.0, 0.05)


# Message passing


def random_chain(length, states, seed):
    scores = generator(seed)
    unary = torch.randn(length, states, generator=scores, dtype=torch.float64)
    pairwise = torch.randn(length - 1, states, states, generator=scores, dtype=torch.float64)
    return unary, pairwise


@pytest.mark.parametrize("length, states", [(1, 4), (2, 3), (6, 3), (10, 2)])
def test_sum_product_agrees_with_enumeration(length, states):
    chain = random_chain(length, states, seed=length)
    marginals, log_normalizer = chain_marginals(*chain)
    expected, expected_normalizer = enumerate_chain(*chain)
    assert close(marginals, expected, 1e-13)
    assert close(log_normalizer, expected_normalizer, 1e-12)
    assert close(marginals.sum(1), 1.0, 1e-13)


def test_sum_product_handles_forbidden_transitions():
    unary, pairwise = random_chain(5, 3, seed=2)
    pairwise[:, 0, 1] = -math.inf
    assert close(chain_marginals(unary, pairwise)[0], enumerate_chain(unary, pairwise)[0], 1e-13)


def test_sum_product_takes_a_chain_too_long_to_enumerate():
    # 1,000 variables of 10 states: 10^1000 joint states.
    chain = random_chain(1000, 10, seed=3)
    marginals, log_normalizer = chain_marginals(*chain)
    assert close(marginals.sum(1), 1.0, 1e-9) and log_normalizer.isfinite()
    with pytest.raises(ValueError, match=r"log_unary describes 10\*\*1000 joint states; at most"):
        enumerate_chain(*chain)


# Bad input


def flat(z):
    return 0 * z.sum(-1)


def saddle(z):
    return z[..., 0].square() - z[..., 1].square()


BAD = {
    "alpha is 0; it must be finite and greater than 0.": lambda: identity_posterior(X, 0, BETA),
    "beta is -1; it must be finite and greater than 0.": lambda: linear_posterior(
        X, WEIGHT, ALPHA, -1
    ),
    "x has shape [2]; it must be [3].": lambda: linear_posterior(X[:2], WEIGHT, ALPHA, BETA),
    "weight has shape [3]; it must be [any, any].": lambda: linear_posterior(X, X, ALPHA, BETA),
    "x holds a NaN or an infinity; it must hold finite numbers.": lambda: identity_posterior(
        [math.nan], ALPHA, BETA
    ),
    "labels hold [0.0, 2.0]; each must be 0 or 1.": lambda: logistic_log_joint(
        torch.eye(2), [0, 2], 1.0
    ),
    "labels has shape [3]; it must be [2].": lambda: logistic_log_joint(
        torch.eye(2), [0, 1, 1], 1.0
    ),
    "upper has shape [1]; it must be [2].": lambda: grid_posterior(flat, [-1, -1], [1]),
    "upper - lower has an entry of -2; it must be finite and greater than 0.": lambda: (
        grid_posterior(flat, [-1, 1], [1, -1])
    ),
    "num_points is 2; it must be an integer of at least 3.": lambda: grid_posterior(
        flat, [-1], [1], 2
    ),
    "lower and upper leave a density of 1.0e+00 of its peak at the edge of the grid; "
    "they must be wide enough for less than 1e-8.": lambda: grid_posterior(flat, [-1], [1]),
    "start is [0.0, 1.0]; Newton's method must reach a maximum from it, and did not.": lambda: (
        laplace(saddle, [0.0, 1.0])
    ),
    "scale_tril has shape [1, 1]; it must be [2, 2].": lambda: random_walk_metropolis(
        flat, torch.zeros(1, 2), 5, torch.eye(1), generator()
    ),
    "covariance has an eigenvalue of -1; it must be positive definite.": lambda: gibbs_gaussian(
        [0.0, 0.0], [[1, 2], [2, 1]], torch.zeros(1, 2), 5, generator()
    ),
    "covariance has shape [2, 2]; it must be [3, 3].": lambda: gibbs_gaussian(
        [0.0, 0.0, 0.0], torch.eye(2), torch.zeros(1, 3), 5, generator()
    ),
    "covariance is not equal to its transpose; it must be symmetric.": lambda: gibbs_gaussian(
        [0.0, 0.0], [[1, 0.5], [0, 1]], torch.zeros(1, 2), 5, generator()
    ),
    "log_pairwise has shape [3, 2, 2]; it must be [2, 2, 2].": lambda: chain_marginals(
        torch.zeros(3, 2), torch.zeros(3, 2, 2)
    ),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_input_is_refused_in_one_sentence(sentence):
    assert refused(BAD[sentence]) == sentence
