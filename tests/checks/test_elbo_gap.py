"""The self-check of chapter 07: it passes what is right, however written, and names mistakes."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

import vaecourse as vc
from vaecourse.checks import Mistake
from vaecourse.inference.elbo_identities import Gaussian, LinearGaussianModel


def posterior(weight, noise, x):
    variance = 1 / (1 + weight**2 / noise**2)
    return Normal(variance * weight * x / noise**2, variance**0.5)


def by_the_divergence(loc, scale, weight, noise, x):
    return kl_divergence(Normal(loc, scale), posterior(weight, noise, x))


def log_evidence(weight, noise, x):
    return Normal(0.0, (weight**2 + noise**2) ** 0.5).log_prob(x)


def at_the_mean(loc, weight, noise, x):
    return Normal(weight * loc, noise).log_prob(x)


def to_the_prior(loc, scale):
    return 0.5 * (loc**2 + scale**2 - 1 - 2 * math.log(scale))


def bound(loc, scale, weight, noise, x):
    fit = at_the_mean(loc, weight, noise, x) - (weight * scale / noise) ** 2 / 2
    return fit - to_the_prior(loc, scale)


def by_the_evidence(loc, scale, weight, noise, x):
    return log_evidence(weight, noise, x) - bound(loc, scale, weight, noise, x)


def in_plain_python(loc, scale, weight, noise, x):
    loc, scale, weight, noise, x = map(float, (loc, scale, weight, noise, x))
    variance = noise**2 / (noise**2 + weight**2)
    ratio = scale**2 / variance
    distance = loc - variance * weight * x / noise**2
    return (ratio - 1 - math.log(ratio) + distance**2 / variance) / 2


def in_numpy(loc, scale, weight, noise, x):
    return np.array([in_plain_python(loc, scale, weight, noise, x)])


def with_the_package(loc, scale, weight, noise, x):
    model = LinearGaussianModel(x[None], weight[None, None], 1.0, float(noise) ** -2)
    return model.kl_to_posterior(Gaussian(loc[None], scale[None, None] ** 2))


@pytest.mark.parametrize(
    "fn", [by_the_divergence, by_the_evidence, in_plain_python, in_numpy, with_the_package]
)
def test_a_right_gap_passes_in_any_style(fn):
    assert vc.checks.gap(fn).startswith("Right:")


def fixed_ratio(loc, scale, weight, noise, x):
    p = posterior(weight, noise, x)
    return (scale / p.scale) ** 2, ((loc - p.loc) / p.scale) ** 2


def from_parts(formula):
    return lambda *setting: formula(*fixed_ratio(*setting))


WRONG = [
    (lambda *a: -by_the_divergence(*a), "The sign is wrong"),
    (lambda *a: 2 * by_the_divergence(*a), "½ is missing"),
    (bound, "This is the ELBO"),
    (lambda *a: -bound(*a), "minus the ELBO"),
    (lambda m, s, w, n, x: log_evidence(w, n, x), r"log p\(x\) itself"),
    (lambda m, s, w, n, x: to_the_prior(m, s), "KL to the prior; the gap is the KL to the post"),
    (lambda m, s, *a: kl_divergence(posterior(*a), Normal(m, s)), "wrong direction"),
    (
        lambda m, s, *a: log_evidence(*a) - at_the_mean(m, *a) + to_the_prior(m, s),
        "taken at the mean of q",
    ),
    (
        lambda m, s, *a: log_evidence(*a) - bound(m, s, *a) - 2 * to_the_prior(m, s),
        "must be subtracted",
    ),
    (
        lambda m, s, *a: log_evidence(*a) - bound(m, s, *a) - to_the_prior(m, s),
        "KL to the prior is missing",
    ),
    (
        from_parts(lambda r, d: 0.5 * (r**0.5 - 1 - (r**0.5).log() + d)),
        "deviations where the ratio of the variances",
    ),
    (from_parts(lambda r, d: 0.5 * (r - 1 - r.log())), "term of the means is missing"),
    (from_parts(lambda r, d: 0.5 * d), "Only the means count"),
    (from_parts(lambda r, d: 0.5 * (r - r.log() + d)), "−1 is missing"),
    (from_parts(lambda r, d: 0.5 * (r - 1 + r.log() + d)), "logarithm has the wrong sign"),
    (
        lambda m, s, w, n, x: kl_divergence(Normal(m, s), Normal(x / w, n / w)),
        "leaves out the prior",
    ),
    (
        lambda m, s, w, n, x: by_the_divergence(m, s, w, n.sqrt(), x),
        "noise as a variance",
    ),
    (lambda m, s, *a: by_the_divergence(m, s.sqrt(), *a), "scale as a variance"),
    (lambda *a: by_the_divergence(*a) + torch.rand(()), "no random draw"),
    (lambda *a: by_the_divergence(*a).expand(2), "has shape .2."),
    (lambda *a: None, "returns nothing"),
    (lambda *a: by_the_divergence(*a) + 0.1, "too large, everywhere"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG)
def test_a_wrong_gap_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.gap(fn)


def test_the_check_leaves_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.gap(by_the_divergence)
    assert torch.equal(before, torch.get_rng_state())
