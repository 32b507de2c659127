"""Self-checks of chapters 01 and 03: what is estimated from draws, and with which error.

Each takes the reader's function, tries it on seeded numbers, and compares a wrong answer with what
the well-known mistakes give, so that the message can name the one that was made.
"""

import math

import torch

from vaecourse.checks.answers import as_tensor, check_function, close, name_mistake, seeded
from vaecourse.checks.mistakes import Mistake


def monte_carlo(fn):
    """Check `fn(values)`: the mean of independent draws, values [S], and its standard error.

    A pair of numbers; the variance may be divided by S or by S − 1. Returns a sentence beginning
    "Right:"; raises `Mistake` with one that names the mistake, TypeError when fn is no function.
    """
    check_function(fn)
    values = 3 + 2 * torch.randn(12, generator=seeded(0), dtype=torch.float64)
    answer, again = _pair(fn(values.clone())), _pair(fn(values.clone()))
    if not torch.equal(answer, again):
        raise Mistake("Two calls gave two answers; the draws are given, no others are needed.")
    mean = values.mean()
    errors = [values.std(correction=c) / math.sqrt(len(values)) for c in (1, 0)]
    if close(answer.flip(0), torch.stack([mean, errors[0]])):
        raise Mistake("The two are swapped; the estimate comes first.")
    if not close(answer[0], mean):
        name_mistake(answer[0], mean, _wrong_means(values))
    if not any(close(answer[1], error) for error in errors):
        name_mistake(answer[1], errors[0], _wrong_errors(values))
    return "Right: the mean, and the deviation of one draw over √S."


def kl_estimate(fn):
    """Check `fn(log_q, log_p)`: an estimate of KL(q ‖ p) in nats, from S draws of q.

    log_q and log_p [S] are the log-densities of both at the same draws. The mean of log_q − log_p
    is right, and so is that with p/q − 1 added as a control variate. Returns a sentence beginning
    "Right:"; raises `Mistake` with one that names the mistake, TypeError when fn is no function.
    """
    check_function(fn)
    log_q, log_p = _log_densities()
    answer, again = (_number(fn(log_q.clone(), log_p.clone()), "the KL") for _ in range(2))
    if not close(answer, again):
        raise Mistake("Two calls gave two answers; the draws are given, no others are needed.")
    ratio = log_q - log_p
    if close(answer, ratio.mean()):
        return "Right: the mean of log q − log p, unbiased."
    if close(answer, (torch.expm1(-ratio) + ratio).mean()):
        return (
            "Right: log q − log p with p/q − 1 as a control variate, unbiased and never negative."
        )
    name_mistake(answer, ratio.mean(), _wrong_divergences(log_q, log_p))


def log_evidence(fn):
    """Check `fn(log_likelihood)`: log of the mean over draws of the prior, [S, B] to [B], nats.

    Returns a sentence beginning "Right:"; raises `Mistake` with one that names the mistake,
    TypeError when fn is not a function.
    """
    check_function(fn)
    moderate = -3 * torch.rand(6, 4, generator=seeded(0), dtype=torch.float64) - 1
    right = _log_mean(moderate)
    answer = as_tensor(fn(moderate.clone()))
    if answer.shape == (6,):
        raise Mistake("The mean runs over the data; it must run over the draws, dimension 0.")
    if answer.shape != (4,):
        raise Mistake(f"The answer has shape {list(answer.shape)}; it must be [4], one for each x.")
    if not close(answer, right):
        name_mistake(answer, right, _wrong_evidences(moderate))
    deep = as_tensor(fn(moderate - 10_000))
    if not deep.isfinite().all():
        raise Mistake(
            "Values of −10,000 give no finite number: their exponentials are all zero. "
            "Stay in logarithms, with logsumexp."
        )
    if not close(deep, right - 10_000):
        name_mistake(deep, right - 10_000, [])
    return "Right: the logarithm of the mean, also where every single likelihood underflows."


def _pair(value):
    if not isinstance(value, torch.Tensor):
        try:
            value = torch.stack([as_tensor(part).reshape(()) for part in value])
        except (TypeError, RuntimeError):
            value = as_tensor(value)
    value = as_tensor(value)
    if value.shape != (2,):
        raise Mistake(
            f"The answer has shape {list(value.shape)}; "
            "it must be two numbers, the estimate and its standard error."
        )
    return value


def _number(value, name):
    answer = as_tensor(value)
    if answer.numel() != 1:
        raise Mistake(f"The answer has shape {list(answer.shape)}; {name} is one number, a mean.")
    return answer.reshape(())


def _wrong_means(values):
    """(what a mistake gives, the sentence that names it), …"""
    return [
        (values.sum(), "The sum is not divided by S."),
        (values.sum() / (len(values) - 1), "The mean is a sum over S, not over S − 1."),
        (values.median(), "This is the median; an expectation is estimated by the mean."),
    ]


def _wrong_errors(values):
    """(what a mistake gives, the sentence that names it), …"""
    s, deviation = len(values), values.std()
    error = deviation / math.sqrt(s)
    return [
        (
            deviation,
            "This is the deviation of one draw; the mean of S draws varies less, by √S.",
        ),
        (values.std(correction=0), "This is the deviation of one draw; divide it by √S."),
        (deviation / s, "The deviation is divided by S; it must be √S, for variances add."),
        (deviation**2, "This is the variance of one draw."),
        (deviation**2 / s, "This is the variance of the mean; take its root."),
        (1.96 * error, "This is half a 95 % interval; the standard error has no factor 1.96."),
        (2 * error, "The standard error has no factor 2; that belongs to an interval."),
        (error / values.mean(), "This is the relative error; do not divide by the mean."),
        (
            values.square().mean().sqrt() / math.sqrt(s),
            "The mean must be subtracted before squaring.",
        ),
    ]


def _log_densities():
    """log q and log p at 12 draws of q = N(0, 1), for p = N(0.7, 0.8²)."""
    z = torch.randn(12, generator=seeded(1), dtype=torch.float64)
    constant = 0.5 * math.log(2 * math.pi)
    log_p = -0.5 * ((z - 0.7) / 0.8).square() - math.log(0.8) - constant
    return -0.5 * z.square() - constant, log_p


def _wrong_divergences(log_q, log_p):
    """(what a mistake gives, the sentence that names it), …"""
    ratio = log_q - log_p
    q, p = log_q.exp(), log_p.exp()
    return [
        (-ratio.mean(), "The sign is wrong: log q − log p, averaged over draws of q."),
        (ratio.sum(), "This is a sum over the draws; take the mean."),
        (
            (q * ratio).mean(),
            "You weighted by q again; the draws come from q and are its weight already.",
        ),
        ((q * ratio).sum(), "You weighted by q; draws of q need no further weight."),
        (
            (p * -ratio).mean(),
            "This weights by p, for the other direction, and the draws come from q.",
        ),
        (
            ((p / q) * -ratio).mean(),
            "This is an estimate of KL(p ‖ q), by importance weights; the other one was asked for.",
        ),
        (ratio.mean() / math.log(2), "This is in bits; the unit is the nat."),
        (
            (0.5 * ratio.square()).mean(),
            "This is k2, half the mean square; it is biased unless q and p are close.",
        ),
        (ratio.abs().mean(), "A single log ratio may be negative; do not take absolute values."),
        (
            (torch.expm1(ratio) - ratio).mean(),
            "The control variate is p/q − 1; with q/p the mean is not zero under q.",
        ),
        (
            (torch.expm1(-ratio)).mean(),
            "p/q − 1 has mean zero whatever p is; log q − log p is lost.",
        ),
        ((q / p).mean().log(), "This is the logarithm of a mean; KL is the mean of a logarithm."),
        (log_q.mean(), "Only log q is averaged; that is minus the entropy of q."),
        (-log_p.mean(), "Only log p is averaged; that is the cross entropy."),
    ]


def _log_mean(values):
    return values.logsumexp(0) - math.log(len(values))


def _wrong_evidences(values):
    """(what a mistake gives [B], the sentence that names it), …"""
    return [
        (
            values.mean(0),
            "This is the mean of the logarithms, far too low; take the logarithm of the mean.",
        ),
        (values.logsumexp(0), "The sum is not divided by S; subtract log S."),
        (values.logsumexp(0) + math.log(len(values)), "log S is added; it must be subtracted."),
        (values.exp().mean(0), "This is p(x) itself; its logarithm was asked for."),
        (values.max(0).values, "Only the largest term is kept; the others count too."),
        (values.sum(0), "This is a sum of logarithms, as for independent data."),
        (-_log_mean(values), "The sign is wrong: log p(x), not minus it."),
    ]
