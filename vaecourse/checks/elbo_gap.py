"""Self-check of chapter 07: how far the ELBO of a Gaussian q lies below the evidence."""

import math

import torch

from vaecourse.checks.answers import Trial, check, uniform

_LOG_2PI = math.log(2 * math.pi)


def _lines():
    """loc, scale, weight, noise and x: ordinary ones, both signs of weight and x, the extremes."""
    low = torch.tensor([-1.0, 0.3, 0.5, 0.4, 0.5], dtype=torch.float64)
    high = torch.tensor([1.5, 1.4, 2.0, 1.3, 3.0], dtype=torch.float64)
    for row in low + (high - low) * uniform(5, 5):
        yield tuple(row)
    signs = torch.tensor([1.0, 1.0, -1.0, 1.0, 1.0], dtype=torch.float64)
    for row in signs * (low + (high - low) * uniform(2, 5, seed=1)):
        yield Trial(tuple(row), "With a negative weight")
    loc, scale, weight, noise, _ = row.abs()
    yield Trial((loc, scale, weight, noise, -scale), "With a negative x")
    mean, deviation = _posterior(weight, noise, loc)
    yield Trial((mean, deviation, weight, noise, loc), "With the posterior for q")
    for noise, scale, where in (
        (0.01, 0.5, "With noise 0.01"),
        (30.0, 0.02, "With noise 30"),
        (1.0, 1e-3, "With scale 0.001"),
        (1.0, 40.0, "With scale 40"),
    ):
        values = torch.tensor([0.3, scale, 1.2, noise, 0.7], dtype=torch.float64)
        yield Trial(tuple(values), where)
    for values, where in (
        ([-500.25, 0.8, 1.7, 2.3, 812.5], "With loc −500 and x 812"),
        ([500.25, 0.8, -150.0, 2.3, -812.5], "With loc 500, weight −150 and x −812"),
        ([0.0, 1.0, 1.2, 0.9, 0.0], "With the prior for q, and x = 0"),
        ([1.5, 0.7, 200.0, 1.1, 0.3], "With weight 200"),
        ([1.5, 0.7, 1e-3, 1.1, 0.3], "With weight 0.001"),
    ):
        yield Trial(tuple(torch.tensor(values, dtype=torch.float64)), where)
    nothing = torch.tensor([0.3, 0.8, 0.0, 0.9, 0.7], dtype=torch.float64)
    yield Trial(tuple(nothing), "With weight 0, where the posterior is the prior")


def _posterior(weight, noise, x):
    """Mean and deviation of p(z|x)."""
    variance = 1 / (1 + weight**2 / noise**2)
    return variance * weight * x / noise**2, variance.sqrt()


def _kl(loc, scale, other_loc, other_scale):
    ratio = (scale / other_scale).square()
    return 0.5 * (ratio - 1 - ratio.log() + ((loc - other_loc) / other_scale).square())


def _parts(loc, scale, weight, noise, x):
    """The terms of log p(x) − ELBO, and one of the divergence that this is, by name."""
    mean, deviation = _posterior(weight, noise, x)
    variance = weight**2 + noise**2
    misfit = ((x - weight * loc) / noise).square() + (weight * scale / noise).square()
    return {
        "log p(x)": -0.5 * (x**2 / variance + _LOG_2PI + variance.log()),
        "The average of log p(x|z)": 0.5 * (misfit + _LOG_2PI + noise.square().log()),
        "The KL to the prior": _kl(loc, scale, torch.zeros(()), torch.ones(())),
        "The squared distance of the means": 0.5 * ((loc - mean) / deviation).square(),
    }


def _wrong_gaps(loc, scale, weight, noise, x):
    """(what a mistake gives [5], the sentence that names it), …"""
    right = _gap(loc, scale, weight, noise, x)
    mean, deviation = _posterior(weight, noise, x)
    evidence, _, to_prior, half_shift = _parts(loc, scale, weight, noise, x).values()
    spread, elbo = 0.5 * (weight * scale / noise).square(), evidence - right
    ratio, shift = (scale / deviation).square(), 2 * half_shift
    flat = 1 / (weight / noise).square()  # the variance of the likelihood, seen as one of z
    return [
        (-right, "The sign is wrong: the gap is never negative."),
        (2 * right, "The factor ½ is missing."),
        (elbo, "This is the ELBO; the gap is what is missing from it to log p(x)."),
        (-elbo, "This is minus the ELBO; the gap is log p(x) minus the ELBO."),
        (evidence, "This is log p(x) itself; subtract the ELBO."),
        (to_prior, "This is the KL to the prior; the gap is the KL to the posterior p(z|x)."),
        (
            _kl(mean, deviation, loc, scale),
            "This is KL(p(z|x) ‖ q), the wrong direction; the gap averages over q.",
        ),
        (
            right - spread,
            "The likelihood is taken at the mean of q; its average over q is lower by "
            "weight² scale² / (2 noise²).",
        ),
        (
            right - 2 * to_prior,
            "In the ELBO the KL to the prior is added; it must be subtracted.",
        ),
        (
            0.5 * (ratio.sqrt() - 1 - ratio.sqrt().log() + shift),
            "You used deviations where the ratio of the variances belongs.",
        ),
        (
            0.5 * (ratio - 1 - ratio.log()),
            "The term of the means is missing: a q in the wrong place costs nothing.",
        ),
        (0.5 * shift, "Only the means count; a q of the wrong width costs nothing."),
        (0.5 * (ratio - ratio.log() + shift), "The −1 is missing: at the posterior the gap is 0."),
        (
            0.5 * (ratio - 1 + ratio.log() + shift),
            "The logarithm has the wrong sign: ½ (r − 1 − log r) with r the ratio of variances.",
        ),
        (
            _kl(loc, scale, x / weight, flat.sqrt()),
            "The posterior leaves out the prior: its precision is 1 + weight² / noise².",
        ),
        (
            _kl(loc, scale, *_posterior(weight, noise.sqrt(), x)),
            "You used noise as a variance; it is a deviation.",
        ),
        (
            _kl(loc, scale.sqrt(), mean, deviation),
            "You used scale as a variance; it is a deviation.",
        ),
    ]


@check(
    _lines,
    "KL(q ‖ p(z|x)), zero at the posterior and nowhere else.",
    _wrong_gaps,
    parts=_parts,
)
def gap(loc, scale, weight, noise, x):
    """Check `fn(loc, scale, weight, noise, x)`: log p(x) − ELBO in the line model, in nats.

    The model is z ~ N(0, 1), x|z ~ N(weight·z, noise²), and q = N(loc, scale²); all five arguments
    are scalars.
    """
    return _kl(loc, scale, *_posterior(weight, noise, x))


_gap = gap.right
