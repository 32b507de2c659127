"""Rate and distortion: against formulas, against an optimizer, and against the bound itself."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

import vaecourse as vc
from vaecourse.evaluation import LatentGrid
from vaecourse.evaluation.rate_distortion import (
    best_encoder,
    encoder_terms,
    gaussian_rate,
    reverse_water_filling,
)

VARIANCES = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.25, 0.1], dtype=torch.float64)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_direction_has_the_formula_of_shannon():
    # R(D) = ½ log σ²/D [CT06, theorem 10.3.2]
    for distortion in (0.01, 0.5, 2.9):
        assert gaussian_rate([3.0], distortion) == pytest.approx(
            0.5 * math.log(3 / distortion), abs=1e-12
        )
    assert gaussian_rate([3.0], 3.0) == gaussian_rate([3.0], 7.0) == 0


@pytest.mark.parametrize("level", [0.05, 0.1, 0.3, 1.0, 3.9, 5.0])
def test_the_level_and_the_curve_agree(level):
    filled = reverse_water_filling(VARIANCES, level)
    rate = gaussian_rate(VARIANCES.flip(0), filled.distortion.sum().item())
    assert rate == pytest.approx(filled.rate.sum().item(), abs=1e-12)


def test_the_slope_of_the_curve_is_minus_one_over_twice_the_level():
    for level in (0.2, 0.7, 3.0):
        distortion = reverse_water_filling(VARIANCES, level).distortion.sum().item()
        step = 1e-5
        ends = [gaussian_rate(VARIANCES, distortion + s) for s in (step, -step)]
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(-1 / (2 * level), rel=1e-6)


def objective(covariance, decoder, encoder, log_var):
    """Squared error and KL of a linear VAE, averaged over z and data; nothing is drawn."""
    codes = encoder @ covariance @ encoder.T
    error = covariance.trace() - 2 * (decoder @ encoder @ covariance).trace()
    error = error + (decoder @ codes @ decoder.T).trace()
    error = error + (decoder.square() @ log_var.exp()).sum()
    return error, 0.5 * (log_var.exp() + codes.diagonal() - 1 - log_var).sum()


@pytest.mark.parametrize("beta", [0.7, 3.0, 10.0])
def test_the_best_weighted_linear_vae_lies_on_the_curve(beta):
    turn = torch.linalg.qr(normal(6, 6, seed=1)).Q
    covariance = turn * VARIANCES @ turn.T
    leaves = [(normal(*s, seed=2) / 2).requires_grad_() for s in ((6, 6), (6, 6), (6,))]
    settings = {"max_iter": 2_000, "max_eval": 20_000, "history_size": 50}
    settings |= {"tolerance_grad": 1e-11, "tolerance_change": 1e-15}
    bfgs = torch.optim.LBFGS(leaves, line_search_fn="strong_wolfe", **settings)

    def closure():
        bfgs.zero_grad()
        error, kl = objective(covariance, *leaves)
        (error + beta * kl).backward()
        return (error + beta * kl).detach()

    bfgs.step(closure)
    error, kl = objective(covariance, *leaves)
    filled = reverse_water_filling(VARIANCES, beta / 2)
    assert abs(kl - filled.rate.sum()) < 1e-6
    assert abs(error - filled.distortion.sum()) < 1e-6
    assert abs(gaussian_rate(VARIANCES, error.item()) - kl) < 1e-6


def test_no_linear_vae_lies_below_the_curve():
    covariance = VARIANCES.diag()
    for seed in range(200):
        scale = 0.1 * (1 + seed % 20)
        parts = [scale * normal(*s, seed=seed + k) for k, s in enumerate(((6, 6), (6, 6), (6,)))]
        error, kl = objective(covariance, *parts)
        assert kl > gaussian_rate(VARIANCES, error.item()) - 1e-9


def test_the_best_encoder_of_weight_one_is_the_posterior():
    log_prior = torch.log_softmax(normal(50), 0)
    log_likelihood = 4 * normal(7, 50, seed=1)
    found = best_encoder(log_likelihood, log_prior)
    evidence = (log_likelihood + log_prior).logsumexp(1)
    assert torch.allclose(-found.rate - found.distortion, evidence, rtol=0, atol=1e-12)


@pytest.mark.parametrize("beta", [0.25, 1.0, 6.0])
def test_what_another_encoder_lacks_is_beta_times_a_divergence(beta):
    log_prior = torch.log_softmax(normal(50), 0)
    log_likelihood = 4 * normal(7, 50, seed=1)
    best = best_encoder(log_likelihood, log_prior, beta)
    least = best.distortion + beta * best.rate
    sum_ = -beta * (log_likelihood / beta + log_prior).logsumexp(1)
    assert torch.allclose(least, sum_, rtol=0, atol=1e-11)
    log_q = torch.log_softmax(normal(7, 50, seed=2), 1)
    log_best = (log_likelihood / beta + log_prior).log_softmax(1)
    rate = (log_q.exp() * (log_q - log_prior)).sum(1)
    distortion = -(log_q.exp() * log_likelihood).sum(1)
    divergence = (log_q.exp() * (log_q - log_best)).sum(1)
    lacking = distortion + beta * rate - least
    assert torch.allclose(lacking, beta * divergence, rtol=0, atol=1e-11)


def test_the_cells_integrate_a_known_posterior():
    # x = z1 + noise: rate ½(s² + m² − 1 − log s²) with s² = 1/3, m = 2x/3 for noise variance ½
    grid = LatentGrid(vc.models.VAE(1, 2, (1,)), 241, reach=6)
    x = torch.tensor([[0.3], [-1.2]])
    log_likelihood = Normal(grid.z[:, 0], 0.5**0.5).log_prob(x)
    found = best_encoder(log_likelihood, grid.log_mass)
    exact = kl_divergence(Normal(2 * x[:, 0] / 3, 3**-0.5), Normal(0.0, 1.0))
    assert torch.allclose(found.rate, exact, atol=1e-4)
    evidence = MultivariateNormal(torch.zeros(1), torch.tensor([[1.5]])).log_prob(x)
    assert torch.allclose(-found.rate - found.distortion, evidence, atol=1e-4)


@pytest.fixture(scope="module")
def model():
    return vc.models.VAE(9, 2, (5,), seed=3).requires_grad_(False)


def test_the_terms_of_an_encoder_are_those_of_many_draws(model):
    x = torch.bernoulli(torch.full((4, 9), 0.5), generator=torch.Generator().manual_seed(0))
    found = encoder_terms(model, x)
    q = model.encode(x)
    z = q.rsample((40_000,), torch.Generator().manual_seed(1))
    values = -model.decode(z).log_prob(x)
    assert ((values.mean(0) - found.distortion).abs() < 5 * values.std(0) / 200).all()
    assert torch.allclose(found.rate, kl_divergence(q, model.prior))


def test_the_bound_is_below_the_evidence_of_the_cells(model):
    x = torch.bernoulli(torch.full((4, 9), 0.5), generator=torch.Generator().manual_seed(0))
    grid = LatentGrid(model, 121, reach=6)
    log_likelihood = grid.log_likelihood(x)
    assert torch.allclose(
        log_likelihood, model.decode(grid.z).log_prob(x[:, None]), rtol=1e-5, atol=1e-5
    )
    evidence = (log_likelihood + grid.log_mass).logsumexp(1)
    assert torch.allclose(evidence, grid.log_evidence(x), atol=1e-5)
    own = encoder_terms(model, x)
    assert (-own.rate - own.distortion < evidence).all()


def test_p_of_x_does_not_know_a_rotation_of_the_linear_decoder():
    x, weight = normal(20, 5), normal(5, 3, seed=1)
    for seed in range(5):
        turn = torch.linalg.qr(normal(3, 3, seed=seed + 2)).Q
        one, two = (
            MultivariateNormal(torch.zeros(5).double(), w @ w.T + 0.3 * torch.eye(5).double())
            for w in (weight, weight @ turn)
        )
        assert (one.log_prob(x) - two.log_prob(x)).abs().max() < 1e-10


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reverse_water_filling([1.0, 0.0], 0.1), "variances must be"),
        (lambda: reverse_water_filling([1.0], 0), "level"),
        (lambda: gaussian_rate([1.0], -1.0), "distortion"),
        (lambda: best_encoder(torch.zeros(2, 3), torch.zeros(2)), r"must be \[B, G\] and \[G\]"),
        (lambda: best_encoder(torch.zeros(2, 3), torch.zeros(3)), "a mass of 3"),
        (lambda: best_encoder(torch.zeros(2, 1), torch.zeros(1), -1), "beta"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
