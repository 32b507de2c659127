"""Gradient estimators: their means and variances against closed forms, hand against autograd."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import gamma, kstest
from sentences import refused
from torch.distributions import MultivariateNormal

from vaecourse.distributions import FullGaussian
from vaecourse.inference.gradients import (
    BASELINES,
    fit_sigmoid_linear,
    full_gaussian_sample,
    gamma_rsample,
    gamma_rsample_by_sums,
    implicit_gamma_gradient,
    score_function_gradients,
    sigmoid_linear_bound,
    sigmoid_linear_gradients,
    square_gradient_variances,
)
from vaecourse.inference.posteriors import gauss_hermite, gaussian_log_joint, grid_posterior

SAMPLES = 200_000
LOC, LOG_VAR = [1.5], [0.0]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def square(z):
    return z[:, 0].square()


def mean_is(samples, expected, errors=4):
    """Whether the mean of the samples is within so many standard errors of the expected value."""
    error = samples.std(0) / math.sqrt(len(samples))
    return bool(((samples.mean(0) - expected).abs() < errors * error).all())


def variance_is(samples, expected, errors=5):
    """The same for their variance, whose standard error comes from the fourth moment."""
    squares = (samples - samples.mean(0)).square()
    return mean_is(squares, expected, errors)


# Score function against pathwise


def test_exact_variances_for_the_square():
    found = square_gradient_variances(1.5, 1.0)
    assert found == {"none": 51.5625, "mean": 28.0, "optimal": 24.0, "pathwise": 4.0}


@pytest.mark.parametrize("loc, scale", [(1.5, 1.0), (-0.4, 0.3), (2.0, 1.7)])
def test_exact_variances_agree_with_quadrature(loc, scale):
    eps, weights = gauss_hermite(12, 1)
    eps = eps[:, 0]
    values, score = (loc + scale * eps).square(), eps / scale
    baselines = {
        "none": 0.0,
        "mean": weights @ values,
        "optimal": (weights @ (values * score.square())) / (weights @ score.square()),
    }
    expected = {
        name: float(weights @ ((values - b) * score).square()) - 4 * loc**2
        for name, b in baselines.items()
    }
    expected["pathwise"] = float(weights @ (2 * (loc + scale * eps)).square()) - 4 * loc**2
    found = square_gradient_variances(loc, scale)
    for name, value in expected.items():
        assert abs(found[name] - value) < 1e-11 * max(1, value)


@pytest.mark.parametrize("baseline", BASELINES)
def test_score_function_has_the_right_mean_and_the_exact_variance(baseline):
    found = score_function_gradients(square, LOC, LOG_VAR, SAMPLES, generator(), baseline)
    assert mean_is(found.loc, 3.0)  # d/dμ (μ² + σ²) = 2μ
    assert mean_is(found.log_var, 1.0)  # d/d log σ² (μ² + σ²) = σ²
    expected = square_gradient_variances(1.5, 1.0)
    assert variance_is(found.loc, expected.get(baseline, expected["mean"]))


def test_leave_one_out_pays_for_a_baseline_of_few_samples():
    # Over the mean baseline it adds Var[f] E[s²] / (S − 1), here (2 + 4·1.5²) / 3.
    draws = generator()
    found = torch.cat(
        [
            score_function_gradients(square, LOC, LOG_VAR, 4, draws, "leave_one_out").loc
            for _ in range(5_000)
        ]
    )
    # The four of one draw share a baseline: count the draws, not the samples, as independent.
    assert mean_is(found.reshape(-1, 4).mean(1), 3.0)
    squares = (found - 3.0).square().reshape(-1, 4).mean(1)
    assert mean_is(squares, 28.0 + 11.0 / 3, errors=5)


def test_the_score_function_is_right_in_two_dimensions():
    def f(z):
        return torch.sin(z[:, 0]) * z[:, 1] + z[:, 1].square()

    loc, log_var = [0.3, -0.5], [-0.4, 0.2]
    by_score = score_function_gradients(f, loc, log_var, SAMPLES, generator(1), "optimal")
    # E[sin z₁] = e^{−v/2} sin m, so the exact slopes are at hand.
    v1, v2 = math.exp(-0.4), math.exp(0.2)
    damped = math.exp(-v1 / 2)
    exact_loc = torch.tensor([damped * math.cos(0.3) * -0.5, damped * math.sin(0.3) - 1.0])
    exact_log_var = torch.tensor([-0.5 * v1 * damped * math.sin(0.3) * -0.5, v2])
    assert mean_is(by_score.loc, exact_loc) and mean_is(by_score.log_var, exact_log_var)


def test_optimal_baseline_beats_its_neighbours():
    best = square_gradient_variances(1.5, 1.0)["optimal"]
    draws = score_function_gradients(square, LOC, LOG_VAR, SAMPLES, generator(), "none").loc[:, 0]
    score = score_function_gradients(
        lambda z: torch.ones(len(z)), LOC, LOG_VAR, SAMPLES, generator(), "none"
    ).loc[:, 0]
    # Same seed, same samples: subtracting b·score moves the baseline and nothing else.
    spread = {b: float((draws - b * score).var()) for b in (4.25, 5.25, 6.25)}
    assert spread[5.25] < spread[4.25] and spread[5.25] < spread[6.25]
    assert abs(spread[5.25] / best - 1) < 0.05


# Full covariance


def test_full_gaussian_sample_is_the_change_of_variables():
    loc = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    scale_tril = torch.tensor([[1.2, 0, 0], [-0.7, 0.4, 0], [0.3, 0.9, 2.0]], dtype=torch.float64)
    eps = torch.randn(7, 3, generator=generator(5), dtype=torch.float64)
    z, log_q = full_gaussian_sample(loc, scale_tril, eps)
    reference = MultivariateNormal(loc, scale_tril=scale_tril)
    assert float((log_q - reference.log_prob(z)).abs().max()) < 1e-12
    same = FullGaussian(loc, scale_tril)
    assert torch.equal(z, same.rsample((7,), generator(5)))
    # The diagonal of L is no standard deviation: that is the norm of a row.
    deviations = reference.stddev
    assert torch.allclose(deviations, scale_tril.norm(dim=1), atol=1e-14)
    assert float((deviations - scale_tril.diagonal())[1]) > 0.4


def test_full_gaussian_sample_has_covariance_l_l_transposed():
    scale_tril = torch.tensor([[1.0, 0.0], [0.8, 0.6]], dtype=torch.float64)
    eps = torch.randn(SAMPLES, 2, generator=generator(), dtype=torch.float64)
    z, _ = full_gaussian_sample(torch.zeros(2), scale_tril, eps)
    assert float((torch.cov(z.T) - scale_tril @ scale_tril.T).abs().max()) < 0.02


def test_pathwise_gradient_of_a_quadratic_by_its_cholesky_factor():
    # E[zᵀAz] = μᵀAμ + tr(A L Lᵀ), so its slope by L is 2AL below and on the diagonal.
    matrix = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    loc = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    scale_tril = torch.tensor([[1.0, 0.0], [0.8, 0.6]], dtype=torch.float64)
    factor = scale_tril.clone().requires_grad_()
    eps = torch.randn(SAMPLES, 2, generator=generator(), dtype=torch.float64)
    z, _ = full_gaussian_sample(loc, factor, eps)
    ((z @ matrix) * z).sum(1).mean().backward()
    assert float((loc.grad - 2 * matrix @ loc.detach()).abs().max()) < 0.02
    assert float((factor.grad - 2 * matrix @ scale_tril).tril().abs().max()) < 0.03


# Exponential and gamma


@pytest.mark.parametrize("shape, scale", [(1, 0.5), (3, 2.0)])
def test_sums_of_exponentials_follow_the_gamma_law(shape, scale):
    z = gamma_rsample_by_sums(shape, torch.tensor(scale), (50_000,), generator(shape))
    assert kstest(z.numpy(), gamma(shape, scale=scale).cdf).pvalue > 0.01
    assert mean_is(z, shape * scale)


def test_sums_of_exponentials_carry_a_gradient_by_the_scale_only():
    # E[z²] = r(r + 1)θ², so d/dθ = 2r(r + 1)θ.
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    z = gamma_rsample_by_sums(3, scale, (SAMPLES,), generator())
    z.square().mean().backward()
    assert abs(float(scale.grad) - 2 * 3 * 4 * 0.7) < 0.25
    with pytest.raises(ValueError, match=r"shape is 0.5; it must be an integer of at least 1\."):
        gamma_rsample_by_sums(0.5, scale, (1,), generator())


@pytest.mark.parametrize("concentration, rate", [(0.3, 1.0), (0.8, 2.0), (2.5, 1.0), (20.0, 4.0)])
def test_gamma_follows_its_law_for_any_shape(concentration, rate):
    z = gamma_rsample(torch.tensor(concentration), torch.tensor(rate), (50_000,), generator(1))
    assert kstest(z.numpy(), gamma(concentration, scale=1 / rate).cdf).pvalue > 0.01


@pytest.mark.parametrize("concentration", [0.3, 0.8, 2.5])
def test_gamma_gradient_by_the_shape(concentration):
    # E[z²] = α(α + 1), so d/dα = 2α + 1: 6 at α = 2.5.
    alpha = torch.full((SAMPLES,), concentration, dtype=torch.float64, requires_grad=True)
    z = gamma_rsample(alpha, torch.ones(SAMPLES), (), generator(2))
    z.square().sum().backward()
    assert mean_is(alpha.grad, 2 * concentration + 1)


@pytest.mark.parametrize("concentration", [0.3, 0.9, 2.5, 40.0])
def test_gamma_gradient_is_the_implicit_one(concentration):
    alpha = torch.full((200,), concentration, dtype=torch.float64, requires_grad=True)
    z = gamma_rsample(alpha, torch.ones(200), (), generator(3))
    z.sum().backward()
    by_definition = implicit_gamma_gradient(z.detach().numpy(), concentration)
    assert np.abs(alpha.grad.numpy() / by_definition - 1).max() < 1e-3


def test_implicit_gradient_of_a_sum_of_one_is_the_exponential_one():
    # By the scale, instead of the shape: z = θ·e gives dz/dθ = z/θ; the gamma sampler agrees.
    rate = torch.full((100,), 2.0, dtype=torch.float64, requires_grad=True)
    z = gamma_rsample(torch.ones(100), rate, (), generator())
    z.sum().backward()
    assert torch.allclose(rate.grad, -z.detach() / 2.0, rtol=1e-12)


# The sigmoid-linear model


def random_state(seed, samples=3, rows=4, data_dim=5, latent_dim=2):
    noise = generator(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=noise, dtype=torch.float64)

    return {
        "x": torch.sigmoid(normal(rows, data_dim)),
        "weight": normal(data_dim, latent_dim),
        "bias": normal(data_dim),
        "loc": normal(rows, latent_dim),
        "var": normal(rows, latent_dim).exp(),
        "eps": normal(samples, rows, latent_dim),
        "alpha": 0.6,
        "beta": 7.0,
    }


@pytest.mark.parametrize("seed", range(3))
def test_hand_derived_gradients_agree_with_autograd(seed):
    state = random_state(seed)
    by_hand = sigmoid_linear_gradients(**state)
    names = ("weight", "bias", "loc", "var")
    for name in names:
        state[name] = state[name].clone().requires_grad_()
    bound = sigmoid_linear_bound(**state).sum()
    by_autograd = torch.autograd.grad(bound, [state[name] for name in names])
    for name, expected in zip(names, by_autograd):
        assert float((getattr(by_hand, name) - expected).abs().max()) < 1e-12


def test_bound_keeps_all_constants():
    # With W = 0 the latents do not matter: the best q is the prior and the bound is log p(x).
    state = random_state(0)
    state["weight"] = torch.zeros_like(state["weight"])
    state["loc"] = torch.zeros_like(state["loc"])
    state["var"] = torch.full_like(state["var"], 1 / state["alpha"])
    mean = torch.sigmoid(state["bias"])
    exact = torch.distributions.Normal(mean, state["beta"] ** -0.5).log_prob(state["x"]).sum(1)
    assert float((sigmoid_linear_bound(**state) - exact).abs().max()) < 1e-13


def test_trained_bound_lies_just_below_the_exact_evidence():
    noise = generator(1)
    z = torch.randn(20, 1, generator=noise, dtype=torch.float64)
    slope = torch.tensor([[2.0, -1.5, 1.0, 3.0]], dtype=torch.float64)
    x = torch.sigmoid(z @ slope)
    x = x + 0.1 * torch.randn(20, 4, generator=noise, dtype=torch.float64)
    alpha, beta = 1.0, 100.0
    fit = fit_sigmoid_linear(x, 1, alpha, beta, generator(2), num_steps=2000, learning_rate=0.005)
    eps, weights = gauss_hermite(40, 1)
    var = fit.log_var.exp()
    by_node = [
        sigmoid_linear_bound(x, fit.weight, fit.bias, fit.loc, var, e.expand(1, 20, 1), alpha, beta)
        for e in eps
    ]
    bound = weights @ torch.stack(by_node)
    evidence = torch.stack(
        [
            grid_posterior(
                gaussian_log_joint(
                    row, lambda z: torch.sigmoid(z @ fit.weight.T + fit.bias), alpha, beta
                ),
                [-9],
                [9],
                4001,
            ).log_evidence
            for row in x
        ]
    )
    gap = evidence - bound
    assert float(gap.min()) > 0
    assert float(gap.mean()) < 0.1
    assert float(fit.bound_trace[-200:].mean()) > float(fit.bound_trace[:20].mean()) + 100


# Bad input

STATE = random_state(0)
BAD = {
    "baseline is 'median' (did you mean 'mean'?); it must be one of 'none', 'mean', "
    "'optimal', 'leave_one_out'.": lambda: score_function_gradients(
        square, LOC, LOG_VAR, 5, generator(), "median"
    ),
    "num_samples is 1; it must be an integer of at least 2.": lambda: score_function_gradients(
        square, LOC, LOG_VAR, 1, generator(), "leave_one_out"
    ),
    "log_var has shape [2]; it must be [1].": lambda: score_function_gradients(
        square, LOC, [0.0, 0.0], 5, generator()
    ),
    "f(z) has shape [5, 1]; it must be [5].": lambda: score_function_gradients(
        lambda z: z, LOC, LOG_VAR, 5, generator()
    ),
    "scale is 0; it must be finite and greater than 0.": lambda: square_gradient_variances(1.0, 0),
    "scale_tril has shape [3, 3]; it must be [2, 2].": lambda: full_gaussian_sample(
        torch.zeros(2), torch.eye(3), torch.zeros(2)
    ),
    "the diagonal of scale_tril has an entry of -1; "
    "it must be finite and greater than 0.": lambda: full_gaussian_sample(
        torch.zeros(2), torch.tensor([[1.0, 0], [0, -1]]), torch.zeros(2)
    ),
    "scale_tril has entries above the diagonal; it must be lower triangular.": lambda: (
        full_gaussian_sample(torch.zeros(2), torch.ones(2, 2), torch.zeros(2))
    ),
    "scale is -2; it must be finite and greater than 0.": lambda: gamma_rsample_by_sums(
        2, torch.tensor(-2.0), (3,), generator()
    ),
    "concentration has an entry of 0; it must be finite and greater than 0.": lambda: gamma_rsample(
        torch.tensor([1.0, 0.0]), torch.ones(2), (3,), generator()
    ),
    "rate has shape [3]; it must be [2].": lambda: gamma_rsample(
        torch.ones(2), torch.ones(3), (3,), generator()
    ),
    "weight has shape [4, 2]; it must be [5, any].": lambda: sigmoid_linear_bound(
        **{**STATE, "weight": torch.ones(4, 2)}
    ),
    "var has an entry of -1; it must be finite and greater than 0.": lambda: (
        sigmoid_linear_gradients(**{**STATE, "var": -torch.ones(4, 2)})
    ),
    "alpha is 0; it must be finite and greater than 0.": lambda: fit_sigmoid_linear(
        STATE["x"], 1, 0, 1, generator()
    ),
    "x has shape [4]; it must be [any, any].": lambda: fit_sigmoid_linear(
        torch.ones(4), 1, 1, 1, generator()
    ),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_input_is_refused_in_one_sentence(sentence):
    assert refused(BAD[sentence]) == sentence
