"""Self-checks for likelihoods and priors, taught in chapter 10.

Each takes the reader's function and tries it on seeded numbers. A wrong answer is compared with
what the well-known mistakes give, so that the message can name the one that was made.
"""

import math

import torch
from torch.nn.functional import softplus

from vaecourse.checks.answers import (
    as_tensor,
    check_function,
    check_gradients_reach,
    close,
    name_mistake,
    per_row,
    seeded,
)
from vaecourse.checks.mistakes import Mistake

LOG_2PI = math.log(2 * math.pi)


def gaussian_log_likelihood(fn):
    """Check `fn(x, loc, log_var) -> [B]`: log N(x; loc, diag σ²) in nats, constants kept.

    All three are [B, D]. Returns a sentence beginning "Right:"; raises `Mistake` with one that
    names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    x, loc = (torch.randn(5, 3, generator=seeded(seed), dtype=torch.float64) for seed in (0, 1))
    log_var = _positive(5, 3)  # positive, so that every mistaken reading of it stays a number
    answer = per_row(fn(x.clone(), loc.clone(), log_var.clone()), x, "dimensions")
    right = _gaussian(x, loc, log_var)
    if not close(answer, right):
        name_mistake(answer, right, _wrong_gaussian(x, loc, log_var))
    again = as_tensor(fn(x.clone(), loc.clone(), -log_var))
    if not close(again, _gaussian(x, loc, -log_var)):
        raise Mistake("The value is right where log_var is positive, but not where it is negative.")
    check_gradients_reach(lambda tensors: fn(x, *tensors), {"loc": loc, "log_var": log_var})
    return "Right: −½ (log 2π + log σ² + (x − μ)² / σ²), summed over dimensions, one a row."


def poisson_log_likelihood(fn):
    """Check `fn(x, log_rate) -> [B]`: the log probability of counts x in nats, constants kept.

    Both are [B, D]. Returns a sentence beginning "Right:"; raises `Mistake` with one that names
    the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    log_rate = _positive(5, 3)
    x = torch.tensor([[0, 3, 1], [2, 5, 0], [4, 2, 7], [0, 6, 2], [3, 3, 9]], dtype=torch.float64)
    answer = per_row(fn(x.clone(), log_rate.clone()), x, "dimensions")
    if not answer.isfinite().all():
        raise Mistake("A count of zero gives no finite value; log x! is lgamma(x + 1).")
    right = _poisson(x, log_rate)
    if not close(answer, right):
        name_mistake(answer, right, _wrong_poisson(x, log_rate))
    check_gradients_reach(lambda tensors: fn(x, *tensors), {"log_rate": log_rate})
    rare = torch.full_like(x, -800.0)
    surprised = as_tensor(fn(x.clone(), rare.clone()))
    if not close(surprised, _poisson(x, rare)):
        raise Mistake(
            "At a log rate of −800 the result breaks, because exp(log_rate) has become 0; "
            "use log_rate itself where its logarithm is needed."
        )
    return "Right: Σ x log rate − rate − log x!, one value a row, also for rates near zero."


def exponential_kl(fn):
    """Check `fn(log_rate) -> [B]`: KL(Exponential(rate) ‖ Exponential(1)) in nats, closed form.

    `log_rate` is [B, J]. Returns a sentence beginning "Right:"; raises `Mistake` with one that
    names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    log_rate = _positive(5, 3)
    answer = per_row(fn(log_rate.clone()), log_rate, "latents")
    if not close(answer, as_tensor(fn(log_rate.clone()))):
        raise Mistake("Two calls gave two answers; the closed form needs no random draw.")
    right = _exponential_kl(log_rate)
    if not close(answer, right):
        name_mistake(answer, right, _wrong_exponential_kl(log_rate))
    if not close(as_tensor(fn(-log_rate)), _exponential_kl(-log_rate)):
        raise Mistake("The KL is right where log_rate is positive, but not where it is negative.")
    check_gradients_reach(lambda tensors: fn(*tensors), {"log_rate": log_rate})
    return "Right: log rate + 1 / rate − 1, summed over latents, zero only where the rate is 1."


# --- what is right ---------------------------------------------------------------------------


def _positive(rows, columns):
    return 0.2 + 1.2 * torch.rand(rows, columns, generator=seeded(2), dtype=torch.float64)


def _gaussian(x, loc, log_var):
    return -0.5 * (LOG_2PI + log_var + (x - loc).square() / log_var.exp()).sum(-1)


def _poisson(x, log_rate):
    return (x * log_rate - log_rate.exp() - torch.lgamma(x + 1)).sum(-1)


def _exponential_kl(log_rate):
    return (log_rate + (-log_rate).exp() - 1).sum(-1)


# --- what the well-known mistakes give -------------------------------------------------------


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
        (-square.sum(-1), "This is a squared error, not a log density."),
    ]


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
        (-(x - rate).square().sum(-1), "This is a squared error, not a log probability."),
    ]


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
