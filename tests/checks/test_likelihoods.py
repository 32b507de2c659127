"""The checks of chapter 10: right answers pass in any style, and each wrong one is named."""

import math

import pytest
import torch
from torch.distributions import Exponential, Independent, Normal, Poisson, kl_divergence

import vaecourse as vc
from vaecourse.checks.answers import Mistake
from vaecourse.positive_latents import ExponentialLatents

LOG_2PI = math.log(2 * math.pi)


def gaussian(x, m, v):
    return -0.5 * (LOG_2PI + v + (x - m) ** 2 / v.exp()).sum(-1)


def gaussian_of_torch(x, loc, log_var):
    return Independent(Normal(loc, (log_var / 2).exp()), 1).log_prob(x)


def gaussian_of_the_package(x, loc, log_var):
    return vc.distributions.DiagonalGaussian(loc, log_var).log_prob(x)


def gaussian_row_by_row(x, loc, log_var):
    rows = []
    for values, means, logs in zip(x, loc, log_var, strict=True):
        scale = (logs / 2).exp()
        density = torch.exp(-(((values - means) / scale) ** 2) / 2) / (scale * (2 * math.pi) ** 0.5)
        rows.append(density.log().sum())
    return torch.stack(rows)


@pytest.mark.parametrize(
    "fn", [gaussian, gaussian_of_torch, gaussian_of_the_package, gaussian_row_by_row]
)
def test_a_right_gaussian_passes_in_any_style(fn):
    assert vc.checks.gaussian_log_likelihood(fn).startswith("Right:")


def half(terms):
    return -0.5 * terms.sum(-1)


WRONG_GAUSSIANS = [
    (lambda x, m, v: half(v + (x - m) ** 2 / v.exp()), "−½ log 2π of each dimension is missing"),
    (lambda x, m, v: half(v + (x - m) ** 2 / v.exp()) - LOG_2PI / 2, "added once a row"),
    (
        lambda x, m, v: half(2 * LOG_2PI + v + (x - m) ** 2 / v.exp()),
        "log 2π is there without",
    ),
    (lambda x, m, v: half(LOG_2PI + (x - m) ** 2 / v.exp()), "−½ log σ² is missing"),
    (lambda x, m, v: half((x - m) ** 2 / v.exp()), "a weighted squared error"),
    (lambda x, m, v: half(LOG_2PI + 2 * v + (x - m) ** 2 / v.exp()), "log σ² is there without"),
    (lambda x, m, v: half(LOG_2PI - v + (x - m) ** 2 / v.exp()), "σ² has the wrong sign"),
    (lambda x, m, v: -gaussian(x, m, v), "this is the loss"),
    (lambda x, m, v: gaussian(x, m, v) / x.shape[1], "averaged over dimensions"),
    (lambda x, m, v: gaussian(x, m, 2 * v), "read log_var as log σ"),
    (lambda x, m, v: half(LOG_2PI + v + (x - m) ** 2 / (v / 2).exp()), "divided by σ;"),
    (lambda x, m, v: half(LOG_2PI + v + (x - m) ** 2 * v.exp()), "multiplied by σ²"),
    (lambda x, m, v: half(LOG_2PI + v + (x - m) ** 2), "not divided by σ²"),
    (lambda x, m, v: half(LOG_2PI + v + 2 * (x - m) ** 2 / v.exp()), "square is there without"),
    (lambda x, m, v: half(LOG_2PI + v + (x - m).abs() / v.exp()), "must be squared"),
    (lambda x, m, v: half(LOG_2PI + v.log() + (x - m) ** 2 / v), "log_var as the variance itself"),
    (lambda x, m, v: -((x - m) ** 2).sum(-1), "a squared error, not"),
    (lambda x, m, v: gaussian(x, m, v.abs()), "the absolute value of log_var"),
    (lambda x, m, v: gaussian(x, m, v).mean(), "reduced over the batch"),
    (lambda x, m, v: gaussian(x, m, v.detach()), "No gradient reaches log_var"),
    (lambda x, m, v: gaussian(x, m, v) + 0.1, "too large, everywhere"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_GAUSSIANS)
def test_a_wrong_gaussian_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.gaussian_log_likelihood(fn)


def poisson(x, a):
    return (x * a - a.exp() - torch.lgamma(x + 1)).sum(-1)


def poisson_of_the_package(x, log_rate):
    return vc.distributions.PoissonCounts(log_rate).log_prob(x)


def poisson_by_a_loss(x, log_rate):
    loss = torch.nn.functional.poisson_nll_loss(log_rate, x, log_input=True, reduction="none")
    return -(loss + (x + 1).lgamma()).sum(1)


@pytest.mark.parametrize("fn", [poisson, poisson_of_the_package, poisson_by_a_loss])
def test_a_right_poisson_passes_in_any_style(fn):
    assert vc.checks.poisson_log_likelihood(fn).startswith("Right:")


def factorial(x):
    return torch.lgamma(x + 1)


WRONG_POISSONS = [
    (lambda x, a: (x * a - a.exp()).sum(-1), "−log x! is missing"),
    (lambda x, a: (x * a - a.exp() + factorial(x)).sum(-1), "log x! is added"),
    (lambda x, a: (x * a - factorial(x)).sum(-1), "The rate is missing"),
    (lambda x, a: (x * a + a.exp() - factorial(x)).sum(-1), "The rate is added"),
    (lambda x, a: -poisson(x, a), "this is the loss"),
    (lambda x, a: poisson(x, a) / x.shape[1], "averaged over dimensions"),
    (lambda x, a: (x * a.log() - a - factorial(x)).sum(-1), "log_rate as the rate itself"),
    (lambda x, a: (x * a.exp() - a.exp() - factorial(x)).sum(-1), "counts multiply the rate"),
    (lambda x, a: (x * a - a - factorial(x)).sum(-1), "logarithm of the rate is subtracted"),
    (lambda x, a: (x * a - torch.log1p(a.exp())).sum(-1), "Bernoulli with these logits"),
    (lambda x, a: (x * a - a.exp() - torch.xlogy(x, x)).sum(-1), "x log x stands where"),
    (lambda x, a: -((x - a.exp()) ** 2).sum(-1), "a squared error, not"),
    (lambda x, a: (x * a - a.exp() - torch.lgamma(x)).sum(-1), "take lgamma"),
    (lambda x, a: Independent(Poisson(a.exp()), 1).log_prob(x), "log rate of −800"),
    (lambda x, a: poisson(x, a).sum(), "reduced over the batch"),
    (lambda x, a: poisson(x, a).detach(), "detached"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_POISSONS)
def test_a_wrong_poisson_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.poisson_log_likelihood(fn)


def kl(a):
    return (a + 1 / a.exp() - 1).sum(-1)


def kl_of_torch(log_rate):
    rate = log_rate.exp()
    return kl_divergence(Exponential(rate), Exponential(torch.ones_like(rate))).sum(-1)


def kl_of_the_package(log_rate):
    prior = ExponentialLatents(torch.zeros_like(log_rate))
    return kl_divergence(ExponentialLatents(log_rate), prior)


@pytest.mark.parametrize("fn", [kl, kl_of_torch, kl_of_the_package])
def test_a_right_exponential_kl_passes_in_any_style(fn):
    assert vc.checks.exponential_kl(fn).startswith("Right:")


WRONG_KL = [
    (lambda a: (a.exp() - a - 1).sum(-1), "wrong direction"),
    (lambda a: -kl(a), "The sign is wrong"),
    (lambda a: (a + 1 / a.exp()).sum(-1), "−1 is missing"),
    (lambda a: (a + 1 / a.exp()).sum(-1) - 1, "belongs to every latent"),
    (lambda a: (a + 1 / a.exp() + 1).sum(-1), "−1 has the wrong sign"),
    (lambda a: kl(a) / a.shape[1], "averaged over the latents"),
    (lambda a: kl(a) / 2, "½ too many"),
    (lambda a: (a + a.exp() - 1).sum(-1), "rate stands where the mean"),
    (lambda a: (a.log() + 1 / a - 1).sum(-1), "log_rate as the rate itself"),
    (lambda a: (a - 1).sum(-1), "minus the entropy of q"),
    (lambda a: (-a).exp().sum(-1), r"−E_q\[log p\(z\)\] alone"),
    (lambda a: ((-a).exp() - 1).sum(-1), "log rate is missing"),
    (lambda a: kl(a) + torch.rand(()), "no random draw"),
    (lambda a: kl(a.abs()), "the absolute value of log_rate"),
    (lambda a: kl(a).detach(), "detached"),
    (lambda a: None, "returns nothing"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_KL)
def test_a_wrong_exponential_kl_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.exponential_kl(fn)


NAMES = ["gaussian_log_likelihood", "poisson_log_likelihood", "exponential_kl"]


def test_the_checks_leave_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.gaussian_log_likelihood(gaussian)
    vc.checks.poisson_log_likelihood(poisson)
    vc.checks.exponential_kl(kl)
    assert torch.equal(before, torch.get_rng_state())
