"""Answers to `vc.checks.gap`, written before the check was read."""

import functools
import math

import numpy as np
import torch
from scipy import integrate, stats
from torch.distributions import Normal, kl_divergence


def posterior(weight, noise, x):
    variance = 1 / (1 + weight**2 / noise**2)
    return variance * weight * x / noise**2, variance


def kl(a, s, m, u):
    """N(a, s²) from N(m, u), all numbers."""
    return 0.5 * (s**2 / u + (a - m) ** 2 / u - 1 - math.log(s**2 / u))


def gap(loc, scale, weight, noise, x):
    return kl(loc, scale, *posterior(weight, noise, x))


def elbo(loc, scale, weight, noise, x):
    fit = -0.5 * (
        math.log(2 * math.pi * noise**2)
        + ((x - weight * loc) ** 2 + weight**2 * scale**2) / noise**2
    )
    return fit - kl(loc, scale, 0.0, 1.0)


def evidence(weight, noise, x):
    v = weight**2 + noise**2
    return -0.5 * (math.log(2 * math.pi * v) + x**2 / v)


def other_way(loc, scale, weight, noise, x):
    m, u = posterior(weight, noise, x)
    return kl(m, u**0.5, loc, scale**2)


def noise_is_a_variance(loc, scale, weight, noise, x):
    return gap(loc, scale, weight, noise**0.5, x)


def scale_is_a_variance(loc, scale, weight, noise, x):
    return gap(loc, scale**0.5, weight, noise, x)


def without_prior(loc, scale, weight, noise, x):
    return kl(loc, scale, x / weight, (noise / weight) ** 2)


def mean_forgets_the_noise(loc, scale, weight, noise, x):
    _, u = posterior(weight, noise, x)
    return kl(loc, scale, u * weight * x, u)


def difference_not_squared(loc, scale, weight, noise, x):
    m, u = posterior(weight, noise, x)
    return 0.5 * (scale**2 / u + (loc - m) / u - 1 - math.log(scale**2 / u))


def from_draws(loc, scale, weight, noise, x):
    m, u = posterior(weight, noise, x)
    z = loc + scale * torch.randn(10000)
    return (Normal(loc, scale).log_prob(z) - Normal(m, u**0.5).log_prob(z)).mean()


def with_torch(loc, scale, weight, noise, x):
    m, u = posterior(weight, noise, x)
    q, p = (
        Normal(*(torch.as_tensor(v, dtype=torch.float64) for v in pair))
        for pair in ((loc, scale), (m, u**0.5))
    )
    return kl_divergence(q, p)


def by_quadrature(loc, scale, weight, noise, x):
    m, u = posterior(weight, noise, x)
    q, p = stats.norm(float(loc), float(scale)), stats.norm(float(m), float(u) ** 0.5)
    value, _ = integrate.quad(
        lambda t: stats.norm.pdf(t) * (q.logpdf(loc + scale * t) - p.logpdf(loc + scale * t)),
        -12,
        12,
    )
    return value


class Gap:
    def __init__(self, one=1.0):
        self.one = one

    def __call__(self, loc, scale, weight, noise, x):
        precision = self.one + (weight / noise) ** 2
        t = np.square(scale) * precision
        return np.array(
            [
                0.5
                * (t - 1 - np.log(t) + precision * (loc - weight * x / (weight**2 + noise**2)) ** 2)
            ]
        )


def evidence_minus_elbo(loc, scale, weight, noise, x):
    total = weight**2 + noise**2
    evidence = -0.5 * (x**2 / total + math.log(2 * math.pi) + total.log())
    likelihood = -0.5 * (
        ((x - weight * loc) ** 2 + weight**2 * scale**2) / noise**2
        + math.log(2 * math.pi)
        + 2 * noise.log()
    )
    return evidence - likelihood + 0.5 * (scale**2 + loc**2 - 1 - 2 * scale.log())


def of(change):
    return lambda *a: change(evidence_minus_elbo(*a), *a)


def squared_distance(m, s, w, n, x):
    precision = 1 + (w / n) ** 2
    return 0.5 * precision * (m - w * x / n**2 / precision) ** 2


def at_the_mean(loc, weight, noise, x):
    return Normal(weight * loc, noise).log_prob(x)


def fixed_ratio(loc, scale, weight, noise, x):
    mean, variance = posterior(weight, noise, x)
    return scale**2 / variance, (loc - mean) ** 2 / variance


def from_parts(formula):
    return lambda *setting: formula(*fixed_ratio(*setting))


WRONG = [
    (elbo, "This is the ELBO"),
    (lambda a, s, w, n, x: -elbo(a, s, w, n, x), "minus the ELBO"),
    (lambda a, s, w, n, x: evidence(w, n, x), r"This is log p\(x\) itself; subtract the"),
    (lambda a, s, w, n, x: -gap(a, s, w, n, x), "The sign is wrong"),
    (lambda a, s, w, n, x: 2 * gap(a, s, w, n, x), "The factor ½ is missing"),
    (lambda a, s, w, n, x: gap(a, s, w, n, x) / math.log(2), "bits"),
    (lambda a, s, w, n, x: gap(a, s, w, n, x) / math.log(10), "times"),
    (lambda a, s, w, n, x: evidence(w, n, x) + elbo(a, s, w, n, x), "our answer is"),
    (other_way, r"This is KL\(p\(z\|x\) ‖ q\), the wrong"),
    (noise_is_a_variance, "noise as a variance"),
    (scale_is_a_variance, "scale"),
    (without_prior, "leaves out the prior"),
    (mean_forgets_the_noise, r"Right but for one step: noise \^ 2 left out of a quotient\."),
    (difference_not_squared, "our answer is"),
    (from_draws, "no random draw"),
    (lambda a, s, w, n, x: kl(a, s, 0.0, 1.0), "KL to the prior; the gap is the KL to the post"),
    (
        lambda a, s, w, n, x: gap(a, s, w, 1.0, x),
        r"This is right for noise = 1, not for noise itself\.",
    ),
    (
        lambda a, s, w, n, x: gap(a, s, abs(w), n, x),
        "This is right for the absolute value of weight, not for weight",
    ),
    (lambda a, s, w, n, x: round(gap(a, s, w, n, x), 2), "rounded"),
    (lambda a, s, w, n, x: (a - posterior(w, n, x)[0]) ** 2, "our answer is"),
    (lambda a, s, w, n, x: min(gap(a, s, w, n, x), 5.0), "cut off"),
    (of(lambda g, m, s, w, n, x: g.abs() + 0 * m if w > 0 else -g), "sign is wrong"),
    (
        lambda m, s, w, n, x: evidence_minus_elbo(m, s, w.abs(), n, x),
        "This is right for the absolute value of weight, not for weight",
    ),
    (of(lambda g, *_: g / math.log(2)), "bits, not nats"),
    (of(lambda g, *_: 2 * g), "½ is missing"),
    (of(lambda g, *_: -g), "sign is wrong"),
    (
        of(lambda g, m, s, *_: g + 0.5 * (s**2 + m**2 - 1 - 2 * s.log())),
        "KL to the prior counts 2 times",
    ),
    (of(lambda g, *a: g + squared_distance(*a)), "distance of the means counts 2 times"),
    (
        of(lambda g, m, s, *_: g - 0.5 * (s**2 + m**2 - 1 - 2 * s.log())),
        "KL to the prior is missing",
    ),
    (lambda m, s, w, n, x: evidence_minus_elbo(m, s.sqrt(), w, n, x), "scale as a variance"),
    (
        lambda m, s, w, n, x: evidence_minus_elbo(m, s, w, n.sqrt(), x),
        "our answer|noise as a var",
    ),
    (of(lambda g, *_: g.round(decimals=3)), "rounded to 3 decimals"),
    (of(lambda g, *_: torch.stack([g, g])), "has shape .2."),
    (of(lambda g, *_: g.clamp(max=30)), "cut off at 30"),
    (
        lambda m, s, *a: evidence(*a) - at_the_mean(m, *a) + kl(m, s, 0.0, 1.0),
        "taken at the mean of q",
    ),
    (
        lambda m, s, *a: evidence(*a) - elbo(m, s, *a) - 2 * kl(m, s, 0.0, 1.0),
        "must be subtracted",
    ),
    (
        from_parts(lambda r, d: 0.5 * (r**0.5 - 1 - (r**0.5).log() + d)),
        "deviations where the ratio of the variances",
    ),
    (from_parts(lambda r, d: 0.5 * (r - 1 - r.log())), "term of the means is missing"),
    (from_parts(lambda r, d: 0.5 * d), "Only the means count"),
    (from_parts(lambda r, d: 0.5 * (r - r.log() + d)), "−1 is missing"),
    (from_parts(lambda r, d: 0.5 * (r - 1 + r.log() + d)), "logarithm has the wrong sign"),
]
RIGHT = [
    with_torch,
    by_quadrature,
    Gap(),
    functools.partial(gap),
    lambda a, s, w, n, x: evidence(w, n, x) - elbo(a, s, w, n, x),
    lambda loc, scale, weight, noise, x, base=math.e: (
        gap(loc, scale, weight, noise, x) / math.log(base)
    ),
    lambda a, s, w, n, x: torch.tensor([gap(a, s, w, n, x)], dtype=torch.float64),
    evidence_minus_elbo,
    lambda *a: evidence_minus_elbo(*a).item(),
    lambda *a: np.float64(evidence_minus_elbo(*a)),
    lambda *a: evidence_minus_elbo(*a)[None],
]
