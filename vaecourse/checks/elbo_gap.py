"""Self-check of chapter 07: how far the ELBO of a Gaussian q lies below the evidence.

It takes the reader's function, tries it on seeded numbers, and compares a wrong answer with what
the well-known mistakes give, so that the message can name the one that was made.
"""

import math

import torch

from vaecourse.checks.answers import as_tensor, check_function, close, name_mistake, seeded
from vaecourse.checks.mistakes import Mistake

_LOG_2PI = math.log(2 * math.pi)


def gap(fn):
    """Check `fn(loc, scale, weight, noise, x)`: log p(x) − ELBO in the line model, in nats.

    The model is z ~ N(0, 1), x|z ~ N(weight·z, noise²), and q = N(loc, scale²); all five arguments
    are scalars. Returns a sentence beginning "Right:"; raises `Mistake` with one that names the
    mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    settings = _settings()
    answers = torch.stack([_scalar(fn(*(value.clone() for value in row))) for row in settings])
    again = torch.stack([_scalar(fn(*(value.clone() for value in row))) for row in settings])
    if not torch.allclose(answers, again, equal_nan=True):
        raise Mistake("Two calls gave two answers; the gap has a closed form and needs no draw.")
    right = _gap(*settings.T)
    if not close(answers, right):
        name_mistake(answers, right, _wrong_gaps(*settings.T))
    at_posterior = torch.stack([*_posterior(*settings[0, 2:]), *settings[0, 2:]])
    nothing = _scalar(fn(*at_posterior))
    if not close(nothing, torch.zeros_like(nothing)):
        raise Mistake(f"With the posterior for q the gap is {nothing.item():.4f}; it must be 0.")
    return "Right: KL(q ‖ p(z|x)), zero at the posterior and nowhere else."


def _settings():
    """Five rows of loc, scale, weight, noise and x, [5, 5]."""
    uniform = torch.rand(5, 5, generator=seeded(0), dtype=torch.float64)
    low = torch.tensor([-1.0, 0.3, 0.5, 0.4, 0.5], dtype=torch.float64)
    high = torch.tensor([1.5, 1.4, 2.0, 1.3, 3.0], dtype=torch.float64)
    return low + (high - low) * uniform


def _scalar(value):
    answer = as_tensor(value)
    if answer.numel() != 1:
        raise Mistake(f"The answer has shape {list(answer.shape)}; the gap is one number.")
    return answer.reshape(())


def _posterior(weight, noise, x):
    """Mean and deviation of p(z|x)."""
    variance = 1 / (1 + weight**2 / noise**2)
    return variance * weight * x / noise**2, variance.sqrt()


def _kl(loc, scale, other_loc, other_scale):
    ratio = (scale / other_scale).square()
    return 0.5 * (ratio - 1 - ratio.log() + ((loc - other_loc) / other_scale).square())


def _gap(loc, scale, weight, noise, x):
    return _kl(loc, scale, *_posterior(weight, noise, x))


def _wrong_gaps(loc, scale, weight, noise, x):
    """(what a mistake gives [5], the sentence that names it), …"""
    right = _gap(loc, scale, weight, noise, x)
    mean, deviation = _posterior(weight, noise, x)
    evidence = -0.5 * (x**2 / (weight**2 + noise**2) + _LOG_2PI + (weight**2 + noise**2).log())
    at_mean = -0.5 * (((x - weight * loc) / noise).square() + _LOG_2PI + noise.square().log())
    to_prior = _kl(loc, scale, torch.zeros(()), torch.ones(()))
    spread = 0.5 * (weight * scale / noise).square()
    elbo = at_mean - spread - to_prior
    ratio, shift = (scale / deviation).square(), ((loc - mean) / deviation).square()
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
        (right - to_prior, "The KL to the prior is missing from the ELBO."),
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
