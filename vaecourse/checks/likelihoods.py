"""Self-checks for likelihoods and priors, taught in chapter 10."""

import math

import torch
from torch.nn.functional import softplus

from vaecourse.checks.answers import Trial, check, normal, seeded, uniform

LOG_2PI = math.log(2 * math.pi)
_EPS = math.log(1e-6)


# --- Gaussian --------------------------------------------------------------------------------


def _gaussians():
    yield normal(5, 3), normal(5, 3, seed=1), uniform(5, 3, seed=2, low=0.2, high=1.4)
    yield normal(2, 6, seed=3), normal(2, 6, seed=4), uniform(2, 6, seed=5, low=0.2, high=1.4)
    yield Trial(
        (normal(5, 3), normal(5, 3, seed=1), -uniform(5, 3, seed=2)), "With negative log_var"
    )
    square = normal(3, 4, 4, seed=6)
    yield Trial((*square[:2], square[2].abs()), "With as many rows as dimensions")
    column = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    point = torch.zeros_like(column)
    yield Trial((point, 1e-3 + point, column), "For one dimension, with log_var from −20 to 20")
    far = torch.linspace(-40, 40, 41, dtype=torch.float64)[:, None]
    point = torch.zeros_like(far)
    where, along = "For one dimension, with x − loc from −40 to 40", ("x − loc", far)
    yield Trial((far, point, 1 + point), where, along=along)
    apart = torch.tensor([0.0, 1e4, -1e4], dtype=torch.float64)
    yield Trial(
        (apart + normal(5, 3), apart + normal(5, 3, seed=1), normal(5, 3, seed=2)),
        "With columns 10,000 apart",
    )
    wide = normal(2, 784), normal(2, 784, seed=1), uniform(2, 784, seed=2, low=-4)
    yield Trial(
        wide, "For 784 dimensions", "Stay in logarithms: a product of 784 densities is lost."
    )


def _gaussian_terms(x, loc, log_var):
    """The terms of the log density, [B, D], not yet summed."""
    return -0.5 * (LOG_2PI + log_var + (x - loc).square() / log_var.exp())


def _wrong_gaussian(x, loc, log_var):
    """(what a mistake gives [B], the sentence that names it), …"""
    right, d = _gaussian(x, loc, log_var), x.shape[-1]
    square, var, logs = (x - loc).square(), log_var.exp(), log_var.sum(-1)

    def minus_half(terms):
        return -0.5 * terms.sum(-1)

    return [
        (
            right + 0.5 * d * LOG_2PI,
            "The constant −½ log 2π of each dimension is missing; without it the value compares "
            "with no other likelihood.",
        ),
        (
            right + 0.5 * (d - 1) * LOG_2PI,
            "The constant −½ log 2π was added once a row; it belongs to every dimension.",
        ),
        (
            right - 0.5 * d * LOG_2PI,
            "log 2π is there without its ½: a density has 1 / √(2πσ²).",
        ),
        (
            right + 0.5 * logs,
            "The term −½ log σ² is missing, so a wide Gaussian costs nothing.",
        ),
        (
            minus_half(square / var),
            "Both −½ log 2π and −½ log σ² are missing: this is a weighted squared error.",
        ),
        (right - 0.5 * logs, "log σ² is there without its ½: a density has 1 / √(2πσ²)."),
        (right + logs, "The term −½ log σ² has the wrong sign, so a wide Gaussian pays."),
        (-right, "The sign is wrong: this is the loss; the log-likelihood is minus that."),
        (right / d, "The terms are averaged over dimensions; log p(x|z) is their sum."),
        (
            minus_half(LOG_2PI + 2 * log_var + square / var.square()),
            "You read log_var as log σ: it is log σ², so exp(log_var) already is the variance.",
        ),
        (
            minus_half(LOG_2PI + log_var + square / var.sqrt()),
            "The square is divided by σ; it must be by σ², which is exp(log_var).",
        ),
        (
            minus_half(LOG_2PI + log_var + square * var),
            "The square is multiplied by σ²; it must be divided by it.",
        ),
        (
            minus_half(LOG_2PI + log_var + square),
            "The square is not divided by σ².",
        ),
        (
            minus_half(LOG_2PI + log_var + square / log_var),
            "The square is divided by log_var; it must be by σ², which is exp(log_var).",
        ),
        (
            minus_half(LOG_2PI + log_var + 2 * square / var),
            "The square is there without its ½.",
        ),
        (
            minus_half(LOG_2PI + log_var + square.sqrt() / var),
            "The difference enters as |x − μ|; it must be squared.",
        ),
        (
            minus_half(LOG_2PI + log_var.log() + square / log_var),
            "You used log_var as the variance itself; it is log σ², so σ² is exp(log_var).",
        ),
        (
            minus_half(LOG_2PI + 2 * log_var.log() + square / log_var.square()),
            "You used log_var as the deviation itself; σ is exp(½ log_var).",
        ),
        (-square.sum(-1), "This is a squared error, not a log density."),
        (right.exp(), "This is the density itself; take its logarithm."),
        (right + 0.5 * d * (LOG_2PI - 2 * math.pi), "2π stands where log 2π belongs."),
        (right + 0.5 * d * math.log(2), "The constant has log π; it is log 2π."),
        (
            _gaussian_terms(x, loc, log_var)[:, 1:].sum(-1),
            "The first dimension is left out; sum over all.",
        ),
        (
            minus_half(LOG_2PI + log_var.clamp(min=_EPS) + square / var.clamp(min=1e-6)),
            "Variances are cut off below 10⁻⁶, which gaussian_nll_loss does unless its eps is "
            "smaller.",
        ),
        (
            -(log_var + square / var).sum(-1),
            "The ½ before both terms is missing, and the constant −½ log 2π.",
        ),
    ]


@check(
    _gaussians,
    "−½ (log 2π + log σ² + (x − μ)² / σ²), summed over dimensions, one a row.",
    _wrong_gaussian,
    gradients=("loc", "log_var"),
    parts=lambda x, loc, log_var: {
        "The term −½ (x − μ)² / σ²": -0.5 * ((x - loc).square() / log_var.exp()).sum(-1),
        "The term −½ log σ²": -0.5 * log_var.sum(-1),
        "The constant −½ log 2π": torch.full((len(x),), -0.5 * LOG_2PI * x.shape[1]).double(),
    },
)
def gaussian_log_likelihood(x, loc, log_var):
    """Check `fn(x, loc, log_var) -> [B]`: log N(x; loc, diag σ²) in nats, constants kept.

    All three are [B, D].
    """
    return _gaussian_terms(x, loc, log_var).sum(-1)


_gaussian = gaussian_log_likelihood.right


# --- Poisson ---------------------------------------------------------------------------------


def _counts():
    log_rate = uniform(5, 3, seed=2, low=0.2, high=1.4)
    x = torch.tensor([[1, 3, 1], [2, 5, 2], [4, 2, 7], [1, 6, 2], [3, 3, 9]], dtype=torch.float64)
    yield x, log_rate
    yield x[:2].repeat(1, 2), uniform(2, 6, seed=3, low=0.2, high=1.4)
    none = torch.tensor(
        [[0, 3, 1], [2, 0, 0], [0, 0, 0], [0, 6, 2], [1, 3, 0]], dtype=torch.float64
    )
    yield Trial((none, log_rate), "With counts of zero", "log x! is lgamma(x + 1).")
    yield Trial((x, -log_rate), "With log rates below zero")
    advice = "exp(log_rate) has become 0: use log_rate itself where its logarithm is needed."
    yield Trial((x, torch.full_like(x, -800.0)), "At a log rate of −800", advice)
    yield Trial((none[:3], normal(3, 3, seed=4)), "With as many rows as dimensions")
    column = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    yield Trial((0 * column + 2, column), "For one dimension, with log rates from −20 to 20")
    many = torch.tensor([1, 4, 10, 50, 100, 169, 175, 300, 600, 1000], dtype=torch.float64)[:, None]
    advice = "x! leaves the range of floating-point numbers; take lgamma(x + 1)."
    yield Trial((many, (many + 3).log()), "For one dimension, with counts up to 1,000", advice)
    wide = torch.poisson(torch.full((1, 784), 3.0, dtype=torch.float64), generator=seeded(5))
    yield Trial((wide, normal(1, 784)), "For 784 dimensions")


def _wrong_poisson(x, log_rate):
    """(what a mistake gives [B], the sentence that names it), …"""
    right, d = _poisson(x, log_rate), x.shape[-1]
    factorial, rate = torch.lgamma(x + 1), log_rate.exp()
    return [
        (
            right + factorial.sum(-1),
            "The constant −log x! is missing; without it the value is no log probability.",
        ),
        (right + 2 * factorial.sum(-1), "log x! is added; it must be subtracted."),
        (right + rate.sum(-1), "The rate is missing, so a large one costs nothing."),
        (right + 2 * rate.sum(-1), "The rate is added; it must be subtracted."),
        (-right, "The sign is wrong: this is the loss; the log-likelihood is minus that."),
        (right / d, "The terms are averaged over dimensions; log p(x|z) is their sum."),
        (
            (x * log_rate.log() - log_rate - factorial).sum(-1),
            "You used log_rate as the rate itself; the rate is exp(log_rate).",
        ),
        (
            (x * rate - rate - factorial).sum(-1),
            "The counts multiply the rate; they must multiply its logarithm.",
        ),
        (
            (x * log_rate - log_rate - factorial).sum(-1),
            "The logarithm of the rate is subtracted; it must be the rate, exp(log_rate).",
        ),
        (
            (x * log_rate - softplus(log_rate)).sum(-1),
            "This is the log-likelihood of a Bernoulli with these logits, not of a Poisson.",
        ),
        (
            (x * log_rate - rate - x * x.clamp(min=1).log()).sum(-1),
            "x log x stands where log x! belongs; take lgamma(x + 1).",
        ),
        (
            right + factorial.sum(-1) - _stirling(x).sum(-1),
            "Stirling's approximation stands where log x! belongs, as in "
            "poisson_nll_loss(full=True); take lgamma(x + 1).",
        ),
        (
            right + factorial.sum(-1) - torch.lgamma(x).sum(-1),
            "lgamma(x) is log (x − 1)!; take lgamma(x + 1).",
        ),
        (
            (x * log_rate - x.exp() - torch.lgamma(log_rate + 1)).sum(-1),
            "x and log_rate are swapped.",
        ),
        (-(x - rate).square().sum(-1), "This is a squared error, not a log probability."),
    ]


def _stirling(x):
    terms = x * x.log() - x + 0.5 * (2 * math.pi * x).log()
    return torch.where(x > 1, terms, torch.zeros_like(x))


@check(
    _counts,
    "Σ x log rate − rate − log x!, one value a row, also for rates near zero.",
    _wrong_poisson,
    gradients=("log_rate",),
    parts=lambda x, log_rate: {
        "The term x log rate": (x * log_rate).sum(-1),
        "The term −rate": -log_rate.exp().sum(-1),
        "The term −log x!": -torch.lgamma(x + 1).sum(-1),
    },
)
def poisson_log_likelihood(x, log_rate):
    """Check `fn(x, log_rate) -> [B]`: the log probability of counts x in nats, constants kept.

    Both are [B, D].
    """
    return (x * log_rate - log_rate.exp() - torch.lgamma(x + 1)).sum(-1)


_poisson = poisson_log_likelihood.right


# --- exponential -----------------------------------------------------------------------------


def _rates():
    yield (uniform(5, 3, seed=2, low=0.2, high=1.4),)
    yield (uniform(2, 6, seed=3, low=0.2, high=1.4),)
    yield Trial((-uniform(5, 3, seed=2, low=0.2, high=1.4),), "With negative log_rate")
    yield Trial((normal(4, 4, seed=4),), "With as many rows as latents")
    column = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    yield Trial((column,), "For one latent, with log_rate from −20 to 20")
    yield Trial((normal(1, 784),), "For 784 latents")


def _wrong_exponential_kl(log_rate):
    """(what a mistake gives [B], the sentence that names it), …"""
    right, j = _exponential_kl(log_rate), log_rate.shape[-1]
    rate = log_rate.exp()
    return [
        (
            (rate - log_rate - 1).sum(-1),
            "This is KL(p ‖ q), the wrong direction; reading log_rate as the logarithm of the "
            "mean gives the same.",
        ),
        (-right, "The sign is wrong: a KL is never negative, and yours is."),
        (right + j, "The −1 is missing: where q is the prior the KL must be zero."),
        (right + j - 1, "The −1 was subtracted once a row; it belongs to every latent."),
        (right + 2 * j, "The −1 has the wrong sign: where q is the prior the KL must be zero."),
        (right / j, "The KL is averaged over the latents; sum over them, average only over data."),
        (right / 2, "There is a ½ too many; that belongs to the Gaussian's KL."),
        (
            (log_rate + rate - 1).sum(-1),
            "The rate stands where the mean belongs: E_q[z] is 1 / rate.",
        ),
        (
            (log_rate.log() + 1 / log_rate - 1).sum(-1),
            "You used log_rate as the rate itself; the rate is exp(log_rate).",
        ),
        (
            (log_rate - 1).sum(-1),
            "This is minus the entropy of q; −E_q[log p(z)], which is 1 / rate, is missing.",
        ),
        (
            (1 / rate).sum(-1),
            "This is −E_q[log p(z)] alone; minus the entropy of q, log rate − 1, is missing.",
        ),
        ((1 / rate - 1).sum(-1), "The term log rate is missing, so a narrow q costs nothing."),
    ]


@check(
    _rates,
    "log rate + 1 / rate − 1, summed over latents, zero only where the rate is 1.",
    _wrong_exponential_kl,
    gradients=("log_rate",),
    parts=lambda log_rate: {
        "The term log rate": log_rate.sum(-1),
        "The term 1 / rate": (-log_rate).exp().sum(-1),
    },
)
def exponential_kl(log_rate):
    """Check `fn(log_rate) -> [B]`: KL(Exponential(rate) ‖ Exponential(1)) in nats, closed form.

    `log_rate` is [B, J].
    """
    return (log_rate + (-log_rate).exp() - 1).sum(-1)


_exponential_kl = exponential_kl.right
