"""Self-checks of chapters 01 and 03: what is estimated from draws, and with which error."""

import math

import torch

from vaecourse.checks.answers import Trial, check, close, normal, uniform

# --- a mean and its error --------------------------------------------------------------------


def _samples():
    yield (3 + 2 * normal(12),)
    yield (-1 + 0.5 * normal(7, seed=1),)
    yield Trial((normal(1000, seed=2),), "With 1,000 draws")
    yield Trial((1e4 + normal(20, seed=3),), "With draws near 10,000", atol=1e-4)
    yield Trial((1e-3 * normal(20, seed=4),), "With draws near 0.001", atol=1e-8)
    yield Trial((3 + normal(2, seed=5),), "With two draws")
    yield Trial((1e4 * normal(20, seed=6),), "With draws from −10,000 to 10,000")
    equal = torch.full((5,), -2.5, dtype=torch.float64)
    yield Trial((equal,), "With draws that are all equal")
    yield Trial(
        (torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0], dtype=torch.float64),), "With draws of 0 and 1"
    )


def _divided_by_s(answers, trials):
    """Whether all variances are divided by S, where the reference has S − 1."""
    return all(
        close(mean, values.mean(), trial.rtol, trial.atol)
        and close(error, values.std(correction=0) / math.sqrt(len(values)), trial.rtol, trial.atol)
        for (mean, error), trial in zip(answers, trials)
        for (values,) in [trial.arguments]
    )


def _wrong_means(values):
    """(what a mistake gives, the sentence that names it), …"""
    s = math.sqrt(len(values))
    return [
        (values.std(correction=0) / s, "The two are swapped; the estimate comes first."),
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
        (deviation / max(s - 1, 1) ** 0.5, "S − 1 is counted twice: the deviation is over √S."),
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


@check(
    _samples,
    "the mean, and the deviation of one draw over √S.",
    (_wrong_means, _wrong_errors),
    outputs=("the mean", "the standard error"),
    accepts=_divided_by_s,
)
def monte_carlo(values):
    """Check `fn(values)`: the mean of independent draws, values [S], and its standard error.

    A pair of numbers; the variance may be divided by S or by S − 1.
    """
    return values.mean(), values.std() / math.sqrt(len(values))


# --- a divergence ----------------------------------------------------------------------------


def _log_densities():
    """log q and log p at draws of q = N(0, 1), for p = N(0.7, 0.8²) or one that is far away."""
    for size, loc, scale, seed in ((12, 0.7, 0.8, 1), (5, -0.4, 1.3, 2), (30, 1.5, 1.0, 3)):
        yield _two_densities(normal(size, seed=seed), loc, scale)
    z = normal(8, seed=4).abs()
    yield Trial(_two_densities(z, 0.7, 0.8), "With an estimate below zero")
    yield Trial(_two_densities(-z, -1.0, 1.0), "With an estimate below zero")
    log_q, log_p = _two_densities(normal(2000, seed=5), 0.2, 1.1)
    yield Trial((log_q, log_p), "With 2,000 draws")
    yield Trial((log_q[:9] - 5000, log_p[:9] - 5000), "With log-densities near −5,000")
    log_q = torch.tensor([3.0, 1.5, -1.0, -2.0, 0.5], dtype=torch.float64)
    log_p = torch.tensor([1.0, 4.5, -80.0, -300.0, -2.0], dtype=torch.float64)
    yield Trial((log_q, log_p), "With log ratios from −3 to 298")
    log_p = torch.tensor([4.5, 2.0, 69.0, -1.0, 8.0], dtype=torch.float64)
    yield Trial((log_q, log_p), "With log ratios from −70 to 0")
    yield Trial((log_q[:1], log_p[:1]), "With one draw")


def _two_densities(z, loc, scale):
    constant = 0.5 * math.log(2 * math.pi)
    log_p = -0.5 * ((z - loc) / scale).square() - math.log(scale) - constant
    return -0.5 * z.square() - constant, log_p


def _any_control(answers, trials):
    """Whether c (p/q − 1) is added to log q − log p with one c: unbiased whatever c is."""
    factors = []
    for (answer,), trial in zip(answers, trials):
        ratio = trial.arguments[0] - trial.arguments[1]
        control = torch.expm1(-ratio).mean()
        if answer.shape != () or not answer.isfinite():
            return False
        factors.append((answer - ratio.mean()) / control)
        spread = trial.atol + trial.rtol * answer.abs()
        if abs(factors[-1] - factors[0]) > 4 * spread / control.abs():
            return False
    return abs(factors[0]) < 1000


def _wrong_divergences(log_q, log_p):
    """(what a mistake gives, the sentence that names it), …"""
    ratio = log_q - log_p
    q, p = log_q.exp(), log_p.exp()
    half, control = len(ratio) // 2, torch.expm1(-ratio)
    centred = control - control.mean()
    fits = [-(ratio * centred).sum() / centred.square().sum()]
    # the two sums over S and S − 1, in either order; and by the mean that is known
    fits += [fits[0] * (1 - 1 / len(ratio)), fits[0] / (1 - 1 / len(ratio) or math.nan)]
    fits.append(-(ratio * control).sum() / control.square().sum())
    return [
        (-ratio.mean(), "The sign is wrong: log q − log p, averaged over draws of q."),
        (
            ratio.mean().clamp(min=0),
            "The estimate is cut off at zero, which makes it too large on average; a single one "
            "may be negative.",
        ),
        (
            ratio.mean().abs(),
            "The estimate may be negative; its absolute value is too large on average.",
        ),
        (ratio.median(), "This is the median; an expectation is estimated by the mean."),
        (ratio, "The log ratios are not averaged yet."),
        (ratio.sum() / (len(ratio) - 1), "The mean is a sum over S, not over S − 1."),
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
            "This is k2, half the mean square; it is biased, little where q and p are close.",
        ),
        *(
            (
                ratio.mean() + c * control.mean(),
                "Your c is fitted to the draws, which biases the estimate; "
                "choose one number before you see them.",
            )
            for c in fits
        ),
        (
            -(control.mean() + 1).log(),
            "The mean of p/q estimates 1, and its logarithm 0; KL is the mean of a logarithm.",
        ),
        (
            log_q.logsumexp(0) - log_p.logsumexp(0),
            "The densities are averaged before the logarithm; KL is the mean of log q − log p.",
        ),
        *(
            (part.mean(), "Only half of the draws count; average over all of them.")
            for part in (ratio[:half], ratio[half:], ratio[: len(ratio) - half])
        ),
        *(
            (ratio.sum() / n, f"The sum is divided by {n:,}, however many draws there are.")
            for n in (10, 100, 1000, 10_000)
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
        *(
            (
                (ratio + sign * torch.expm1(ratio)).mean(),
                "The control variate is p/q − 1; with q/p the mean is not zero under q.",
            )
            for sign in (1, -1)
        ),
        (
            (log_q.softmax(0) * ratio).sum(),
            "The draws are weighted by q again; they come from q, so each counts alike.",
        ),
        ((q - p).mean(), "The densities are subtracted; subtract their logarithms."),
        ((log_q / log_p).mean(), "The logarithms are divided; log (q/p) is log q − log p."),
        ((log_q / log_p).log().mean(), "The logarithms are divided; log (q/p) is log q − log p."),
        (
            ((ratio - ratio.mean()).square().sum() / (len(ratio) - 1 or math.nan)).sqrt(),
            "This is the deviation of the log ratios; take their mean.",
        ),
    ]


@check(
    _log_densities,
    "an average of log q − log p, unbiased.",
    _wrong_divergences,
    accepts=_any_control,
)
def kl_estimate(log_q, log_p):
    """Check `fn(log_q, log_p)`: an estimate of KL(q ‖ p) in nats, from S draws of q.

    log_q and log_p [S] are the log-densities of both at the same draws. The mean of log_q − log_p
    over all draws is right, and so is that with c (p/q − 1) added as a control variate, for one c
    that is chosen beforehand, whatever the draws and their number are.
    """
    return (log_q - log_p).mean()


# --- the evidence ----------------------------------------------------------------------------


def _likelihoods():
    yield (-3 * uniform(6, 4) - 1,)
    yield (2 * normal(3, 5, seed=1),)
    moderate, advice = -3 * uniform(6, 4) - 1, "Stay in logarithms, with logsumexp."
    where = "With values near −10,000"
    yield Trial((moderate - 10_000,), where, "Their exponentials are all zero. " + advice)
    yield Trial((moderate + 1_000,), "With values near 1,000", advice)
    apart = torch.tensor([0.0, -1e4, -100.0, 500.0], dtype=torch.float64)
    yield Trial((moderate + apart,), "With columns 10,000 apart", advice)
    far = moderate + 1000 * normal(6, 1).roll(2, 0)  # the largest is neither first nor last
    yield Trial((far,), "With rows far apart", advice)
    turns = torch.tensor([[-9000, -100, -5000], [-100, -9000, -5001], [-105, -8000, -4000]])
    where = "With another draw the best in every column"
    yield Trial((turns.double(),), where, advice)
    yield Trial((moderate[:2],), "With two draws")
    yield Trial((moderate[:1],), "With one draw")
    yield Trial((normal(500, 3, seed=2),), "With 500 draws")
    small = torch.cat([torch.zeros(1, 1), torch.full((2000, 1), -8.0)]).double()
    yield Trial((small,), "With one image, and many small terms that are alike")


def _log_mean(values):
    return values.logsumexp(0) - math.log(len(values))


def _wrong_evidences(values):
    """(what a mistake gives [B], the sentence that names it), …"""
    return [
        (
            values.mean(0),
            "This is the mean of the logarithms, far too low; take the logarithm of the mean.",
        ),
        (
            _log_mean(values.T),
            "The mean runs over the data; it must run over the draws, dimension 0.",
        ),
        (
            values.logsumexp(0) - math.log(values.shape[1]),
            "log B is subtracted, the number of data; it must be log S, that of draws.",
        ),
        (
            values.logsumexp(0) - math.log(len(values) - 1 or math.nan),
            "log (S − 1) is subtracted; a mean divides by S.",
        ),
        (
            values.logsumexp(0) - math.log10(len(values)),
            "log S is to base 10; take the natural one.",
        ),
        (values.logsumexp(0) - math.log2(len(values)), "log S is to base 2; take the natural one."),
        (values.logsumexp(0) - len(values), "You subtracted S; it is log S."),
        (_log_mean(values) / math.log(2), "This is in bits; the unit is the nat."),
        (values.logsumexp(0), "The sum is not divided by S; subtract log S."),
        (values.logsumexp(0) + math.log(len(values)), "log S is added; it must be subtracted."),
        (values.exp().mean(0), "This is p(x) itself; its logarithm was asked for."),
        (
            values.logsumexp(0) - math.log(values.numel()),
            "All S · B values are counted; the mean is over the S draws.",
        ),
        (
            _log_mean(values) - values.max(0).values,
            "The largest value is subtracted and not added back.",
        ),
        (values.max(0).values, "Only the largest term is kept; the others count too."),
        (values.sum(0), "This is a sum of logarithms, as for independent data."),
        (-_log_mean(values), "The sign is wrong: log p(x), not minus it."),
    ]


@check(
    _likelihoods,
    "the logarithm of the mean, also where every single likelihood underflows.",
    _wrong_evidences,
    parts=lambda values: {"log S": torch.full_like(values[0], -math.log(len(values)))},
)
def log_evidence(log_likelihood):
    """Check `fn(log_likelihood)`: log of the mean over draws of the prior, [S, B] to [B], nats."""
    return _log_mean(log_likelihood)
