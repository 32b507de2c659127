"""Mean field: bounds with all constants, monotone at each coordinate, under an exact evidence."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import gamma, norm
from sentences import refused

from vaecourse.inference.mean_field import (
    GaussianMeanField,
    GaussianMixtureMeanField,
    NormalGammaMeanField,
    grid_mean_field,
    shortest_path,
)
from vaecourse.inference.posteriors import gaussian_log_joint, grid_posterior, linear_posterior

FIVE = [1.2, 0.7, 2.3, 1.9, 0.1]


def smallest_gain(trace):
    return np.diff(trace).min()


# The shortest line


def test_shortest_path_is_the_straight_line():
    path = shortest_path((0, 1), (4, 3), num_points=21, seed=0)
    assert np.abs(path.y - (1 + path.x / 2)).max() < 1e-7
    assert abs(path.length - math.hypot(4, 2)) < 1e-12
    # Euler–Lagrange: y'/√(1+y'²) is the same on every piece, here ½/√(1+¼).
    assert np.abs(path.momentum - 0.5 / math.sqrt(1.25)).max() < 1e-7


def test_shortest_path_does_not_depend_on_where_it_begins_nor_on_the_scale():
    first, second = (shortest_path((0, 0), (1, -2), seed=seed) for seed in (1, 2))
    assert np.abs(first.y - second.y).max() < 1e-7
    large = shortest_path((0, 0), (1e6, -2e6), seed=1)
    assert np.abs(large.y / 1e6 - first.y).max() < 1e-7


# A Gaussian


def test_mean_field_of_a_correlated_gaussian_is_too_narrow():
    fitted = GaussianMeanField([0, 0], [[1, 0.8], [0.8, 1]]).fit(start=[1.0, -1.0])
    assert np.abs(fitted.variances_ - 0.36).max() < 1e-14
    assert np.abs(fitted.means_).max() < 1e-8
    assert abs(fitted.kl() - 0.5108256) < 5e-8
    assert abs(fitted.kl() + 0.5 * math.log(1 - 0.8**2)) < 1e-12
    assert smallest_gain(fitted.elbo_trace_) > -1e-14


def test_mean_field_of_any_gaussian_has_the_inverse_diagonal_of_the_precision():
    root = np.random.default_rng(0).normal(size=(4, 4))
    covariance, mean = root @ root.T + np.eye(4), np.arange(4.0)
    fitted = GaussianMeanField(mean, covariance).fit(num_sweeps=300)
    assert np.allclose(fitted.variances_, 1 / np.diag(np.linalg.inv(covariance)), rtol=1e-12)
    assert np.abs(fitted.means_ - mean).max() < 1e-8
    assert (fitted.variances_ < np.diag(covariance)).all()
    assert len(fitted.elbo_trace_) == 1 + 4 * 300
    assert smallest_gain(fitted.elbo_trace_) > -1e-13


def test_mean_field_slows_down_as_the_correlation_grows():
    # Each sweep shrinks the error of the mean by ρ².
    for rho in (0.5, 0.9):
        model = GaussianMeanField([0, 0], [[1, rho], [rho, 1]])
        after = [model.fit(start=[1.0, 1.0], num_sweeps=n).means_[1] for n in (3, 4)]
        assert abs(after[1] / after[0] - rho**2) < 1e-10


# A mean and a precision


def test_normal_gamma_reaches_the_known_values():
    model = NormalGammaMeanField(mu0=0, lambda0=1, a0=2, b0=2).fit(FIVE)
    assert abs(model.log_evidence(FIVE) + 8.126243638) < 5e-10
    assert abs(model.elbo_trace_[-1] + 8.180767655) < 5e-10
    assert smallest_gain(model.elbo_trace_) > -1e-13
    # The expected precision is exact although the family is wrong.
    exact = model.exact_posterior(FIVE)
    assert abs(model.a_ / model.b_ - exact.a / exact.b) < 1e-7
    assert abs(model.mu_ - exact.mu) < 1e-14


def test_normal_gamma_evidence_and_posterior_by_quadrature():
    model, x = NormalGammaMeanField(0.3, 0.5, 1.5, 0.8), FIVE[:2]

    def log_joint(mu, tau):
        likelihood = sum(norm.logpdf(value, mu, tau**-0.5) for value in x)
        prior = norm.logpdf(mu, 0.3, (0.5 * tau) ** -0.5) + gamma.logpdf(tau, 1.5, scale=1 / 0.8)
        return likelihood + prior

    # Over log τ, and over μ in units of 1/√τ, the integrand dies out smoothly on all sides.
    t, u = np.meshgrid(np.linspace(-16, 6, 801), np.linspace(-20, 20, 801), indexing="ij")
    tau = np.exp(t)
    mu = model.exact_posterior(x).mu + u / np.sqrt(tau)
    cell = (22 / 800) * (40 / 800)
    evidence = (np.exp(log_joint(mu, tau)) * np.sqrt(tau)).sum() * cell
    assert abs(math.log(evidence) - model.log_evidence(x)) < 1e-10
    exact = model.exact_posterior(x)
    for mu, tau in ((0.2, 1.0), (1.1, 0.4)):
        density = norm.logpdf(mu, exact.mu, (exact.lambda_ * tau) ** -0.5)
        density += gamma.logpdf(tau, exact.a, scale=1 / exact.b)
        assert abs(log_joint(mu, tau) - model.log_evidence(x) - density) < 1e-12


def test_normal_gamma_bound_is_the_average_of_log_joint_minus_log_q():
    model = NormalGammaMeanField(0, 1, 2, 2).fit(FIVE)
    rng = np.random.default_rng(0)
    mu = rng.normal(model.mu_, model.lambda_**-0.5, size=200_000)
    tau = rng.gamma(model.a_, 1 / model.b_, size=200_000)
    log_joint = norm.logpdf(np.array(FIVE)[:, None], mu, tau**-0.5).sum(0)
    log_joint += norm.logpdf(mu, 0, tau**-0.5) + gamma.logpdf(tau, 2, scale=0.5)
    log_q = norm.logpdf(mu, model.mu_, model.lambda_**-0.5)
    log_q += gamma.logpdf(tau, model.a_, scale=1 / model.b_)
    samples = log_joint - log_q
    error = samples.std() / math.sqrt(len(samples))
    assert abs(samples.mean() - model.elbo(FIVE)) < 4 * error


@pytest.mark.parametrize("seed", range(5))
def test_normal_gamma_bound_stays_below_the_evidence_and_never_falls(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.normal(), rng.gamma(2.0), size=rng.integers(1, 30))
    model = NormalGammaMeanField(rng.normal(), *rng.gamma(2.0, size=3)).fit(x)
    assert smallest_gain(model.elbo_trace_) > -1e-11
    assert model.elbo_trace_[-1] < model.log_evidence(x)


# A mixture


def two_groups(n, separation, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1)) + separation * np.repeat([[-0.5], [0.5]], n // 2, axis=0)


def test_mixture_of_one_component_is_exact():
    x = two_groups(8, 1.0)
    model = GaussianMixtureMeanField(1, prior_variance=4.0).fit(x)
    assert abs(model.elbo_trace_[-1] - model.log_evidence(x)) < 1e-12


def test_mixture_evidence_agrees_with_quadrature():
    x = np.array([[-1.2], [0.4], [2.0]])
    model = GaussianMixtureMeanField(2, prior_variance=3.0)

    axis = np.linspace(-18, 18, 721)
    component = norm.pdf(x[:, 0][:, None], axis)  # [3, 721]
    likelihood = (0.5 * (component[:, :, None] + component[:, None, :])).prod(0)
    prior = norm.pdf(axis, 0, 3**0.5)
    evidence = (likelihood * np.outer(prior, prior)).sum() * (36 / 720) ** 2
    assert abs(math.log(evidence) - model.log_evidence(x)) < 1e-12


def test_mixture_bound_loses_log_two_by_choosing_one_labelling():
    # Two groups far apart: the posterior has two equal modes, q can hold one of them.
    x = two_groups(12, separation=12.0)
    model = GaussianMixtureMeanField(2, prior_variance=50.0).fit(x, start=[[-1.0], [1.0]])
    gap = model.log_evidence(x) - model.elbo_trace_[-1]
    assert abs(gap - math.log(2)) < 1e-3
    swapped = GaussianMixtureMeanField(2, prior_variance=50.0).fit(x, start=[[1.0], [-1.0]])
    assert abs(swapped.elbo_trace_[-1] - model.elbo_trace_[-1]) < 1e-9
    assert np.allclose(swapped.means_, model.means_[::-1], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_mixture_bound_never_falls_and_stays_below_the_evidence(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=2.0, size=(9, 2))
    model = GaussianMixtureMeanField(3, prior_variance=5.0).fit(x, seed=seed)
    assert smallest_gain(model.elbo_trace_) > -1e-11
    assert model.elbo_trace_[-1] < model.log_evidence(x)
    assert np.allclose(model.responsibilities_.sum(1), 1)


def test_mixture_gets_stuck_in_a_local_optimum():
    # Three groups at −20, 0 and 20; two of the three means begin in the same group.
    groups = np.repeat([[-20.0], [0.0], [20.0]], 20, axis=0)
    x = groups + np.random.default_rng(1).normal(size=(60, 1))
    model = GaussianMixtureMeanField(3, prior_variance=400.0)
    good = model.fit(x, start=[[-20.0], [0.0], [20.0]]).elbo_trace_[-1]
    bad = model.fit(x, start=[[-20.5], [-19.5], [10.0]]).elbo_trace_[-1]
    assert smallest_gain(model.elbo_trace_) > -1e-9
    assert good - bad > 1000


# Any two numbers


def test_grid_mean_field_agrees_with_the_closed_form_of_a_gaussian():
    weight = torch.tensor([[1.0, 0.6], [0.2, 1.0]], dtype=torch.float64)
    exact = linear_posterior([0.5, -0.2], weight, 1.0, 4.0)
    log_joint = gaussian_log_joint([0.5, -0.2], lambda z: z @ weight.T, 1.0, 4.0)
    grid = grid_posterior(log_joint, [-5, -5], [5, 5], num_points=301)
    values = (grid.log_density + grid.log_evidence).numpy()
    found = grid_mean_field(values, [grid.cell**0.5] * 2)
    closed = GaussianMeanField(exact.mean, exact.covariance).fit(num_sweeps=100)
    axis = grid.z[0, :, 1].numpy()
    step = axis[1] - axis[0]
    for j, density in enumerate((found.q1, found.q2)):
        mean = (density * axis).sum() * step
        assert abs(mean - closed.means_[j]) < 1e-9
        assert abs((density * (axis - mean) ** 2).sum() * step - closed.variances_[j]) < 1e-9
    assert abs(found.elbo_trace[-1] - (exact.log_evidence.item() - closed.kl())) < 1e-9
    assert smallest_gain(found.elbo_trace) > -1e-13


def test_grid_mean_field_where_there_is_no_closed_form():
    # x|z ~ N(σ(Wz + b), I/β): E[σᵀσ] has no formula, a sum over the grid has no need of one.
    weight = torch.tensor([[3.0, 2.0], [-1.0, 2.5]], dtype=torch.float64)
    log_joint = gaussian_log_joint(
        [0.8, 0.3], lambda z: torch.sigmoid(z @ weight.T - 0.5), alpha=1.0, beta=25.0
    )
    grid = grid_posterior(log_joint, [-7, -7], [7, 7], num_points=301)
    values = (grid.log_density + grid.log_evidence).numpy()
    found = grid_mean_field(values, [grid.cell**0.5] * 2)
    assert smallest_gain(found.elbo_trace) > -1e-13
    step = grid.cell**0.5
    q = np.outer(found.q1, found.q2)
    divergence = np.sum(q * (np.log(np.maximum(q, 1e-300)) - grid.log_density.numpy())) * step**2
    gap = grid.log_evidence.item() - found.elbo_trace[-1]
    assert abs(gap - divergence) < 1e-9
    assert gap > 0.01


def test_grid_mean_field_of_two_modes_keeps_the_one_it_began_in():
    axis = np.linspace(-8, 8, 201)
    step = axis[1] - axis[0]
    first, second = np.meshgrid(axis, axis, indexing="ij")
    modes = [norm.logpdf(first, m) + norm.logpdf(second, m) for m in (-3, 3)]
    log_joint = np.logaddexp(*modes) - math.log(2)
    means = []
    for start in (-3, 3):
        found = grid_mean_field(log_joint, [step, step], start=norm.pdf(axis, start))
        means.append((found.q1 * axis).sum() * step)
        assert abs(found.elbo_trace[-1] + math.log(2)) < 1e-3
    assert abs(means[0] + 3) < 0.01 and abs(means[1] - 3) < 0.01


# Bad input

BAD = {
    "lambda0 is 0; it must be finite and greater than 0.": lambda: NormalGammaMeanField(0, 0, 1, 1),
    "a0 is -2; it must be finite and greater than 0.": lambda: NormalGammaMeanField(0, 1, -2, 1),
    "b0 is inf; it must be finite and greater than 0.": lambda: NormalGammaMeanField(
        0, 1, 1, math.inf
    ),
    "x is empty; it must hold finite numbers.": lambda: NormalGammaMeanField(0, 1, 1, 1).fit([]),
    "x has shape [1, 2]; it must be [any].": lambda: NormalGammaMeanField(0, 1, 1, 1).fit(
        [[1.0, 2.0]]
    ),
    "covariance has an eigenvalue of -0.5; it must be positive definite.": lambda: (
        GaussianMeanField([0, 0], [[1, 1.5], [1.5, 1]])
    ),
    "covariance has shape [2, 2]; it must be [3, 3].": lambda: GaussianMeanField(
        [0, 0, 0], np.eye(2)
    ),
    "start has shape [3]; it must be [2].": lambda: GaussianMeanField([0, 0], np.eye(2)).fit(
        [1, 2, 3]
    ),
    "n_components is 0; it must be an integer of at least 1.": lambda: GaussianMixtureMeanField(
        0, 1.0
    ),
    "prior_variance is -1; it must be finite and greater than 0.": lambda: GaussianMixtureMeanField(
        2, -1
    ),
    "x has 2 rows; it must have at least n_components = 3.": lambda: GaussianMixtureMeanField(
        3, 1.0
    ).fit([[1.0], [2.0]]),
    "start has shape [1, 1]; it must be [2, 1].": lambda: GaussianMixtureMeanField(2, 1.0).fit(
        [[1.0], [2.0]], start=[[0.0]]
    ),
    "x allows 2**40 assignments; at most 100,000 can be enumerated.": lambda: (
        GaussianMixtureMeanField(2, 1.0).log_evidence(np.zeros((40, 1)))
    ),
    "end[0] - start[0] is -1; it must be finite and greater than 0.": lambda: shortest_path(
        (1, 0), (0, 0)
    ),
    "start has shape [1]; it must be [2].": lambda: grid_mean_field(np.zeros((2, 2)), [1, 1], [1]),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_input_is_refused_in_one_sentence(sentence):
    assert refused(BAD[sentence]) == sentence
