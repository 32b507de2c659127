"""The check of chapter 06: right answers pass in any style, and each wrong one is named."""

import numpy as np
import pytest

import vaecourse as vc
from vaecourse.checks.answers import Mistake
from vaecourse.inference.mean_field import NormalGammaMeanField


def sweep(x, m0, l0, a0, b0, tau):
    n = len(x)
    mu = (l0 * m0 + x.sum()) / (l0 + n)
    lam = (l0 + n) * tau
    squares = ((x - mu) ** 2).sum() + l0 * (mu - m0) ** 2
    return mu, lam, a0 + (n + 1) / 2, b0 + 0.5 * (squares + (n + l0) / lam)


def sweep_in_a_loop(x, m0, l0, a0, b0, tau):
    weight, total = l0, l0 * m0
    for value in x.tolist():
        weight, total = weight + 1, total + value
    mu, variance, a, b = total / weight, 1 / (weight * tau), a0 + 0.5, b0
    b += l0 * ((mu - m0) ** 2 + variance) / 2
    for value in x.tolist():
        a, b = a + 0.5, b + ((value - mu) ** 2 + variance) / 2
    return [mu, 1 / variance, a, b]


def sweep_by_moments(x, m0, l0, a0, b0, tau):
    """E[μ] and E[μ²] in place of squares around the mean, as an array."""
    x = x.numpy()
    mu = (l0 * m0 + x.sum()) / (l0 + len(x))
    second = mu**2 + 1 / ((l0 + len(x)) * tau)
    b = b0 + 0.5 * (x @ x - 2 * mu * x.sum() + len(x) * second)
    b += 0.5 * l0 * (second - 2 * m0 * mu + m0**2)
    return np.array([mu, (l0 + len(x)) * tau, a0 + 0.5 * len(x) + 0.5, b])


def sweep_with_the_package(x, m0, l0, a0, b0, tau):
    model = NormalGammaMeanField(m0, l0, a0, b0)
    model.a_, model.b_ = tau, 1.0
    model._update_mu(x.numpy())
    model._update_tau(x.numpy())
    return model.mu_, model.lambda_, model.a_, model.b_


@pytest.mark.parametrize("fn", [sweep, sweep_in_a_loop, sweep_by_moments, sweep_with_the_package])
def test_a_right_sweep_passes_in_any_style(fn):
    assert vc.checks.normal_gamma_sweep(fn).startswith("Right:")


def changed(**entries):
    """The right sweep with some entries replaced by functions of its arguments and its answer."""

    def fn(*arguments):
        answer = dict(zip(("mu", "lam", "a", "b"), sweep(*arguments), strict=True))
        answer.update({name: entry(*arguments, **answer) for name, entry in entries.items()})
        return tuple(answer.values())

    return fn


def squares(x, m0, l0, mu):
    return ((x - mu) ** 2).sum() + l0 * (mu - m0) ** 2


def rate(extra):
    """b from the squares around mu and what `extra` adds, a function of (n, l0, lam)."""
    return changed(
        b=lambda x, m0, l0, a0, b0, tau, mu, lam, a, b: (
            b0 + 0.5 * (squares(x, m0, l0, mu) + extra(len(x), l0, lam))
        )
    )


WRONG = [
    (changed(mu=lambda x, *_, **__: x.mean()), "mu is the mean of x"),
    (changed(mu=lambda x, m, k, *_, **__: (k * m + x.mean()) / (k + len(x))), "as one observation"),
    (
        changed(mu=lambda x, m, k, a0, b0, t, **_: (k * m + t * x.sum()) / (k + t * len(x))),
        "cancels in mu",
    ),
    (changed(mu=lambda x, m, k, *_, **__: k * m + x.sum()), "not divided"),
    (changed(mu=lambda x, m, k, *_, **__: (k * m + x.sum()) / len(x)), "not by N"),
    (changed(mu=lambda x, m, k, *_, **__: x.sum() / (k + len(x))), "mu0 is missing"),
    (changed(mu=lambda x, m, k, *_, **__: (m + x.sum()) / (1 + len(x))), "not as one"),
    (changed(mu=lambda x, m, k, a0, b0, t, mu, **_: t * mu), "both sides of the fraction"),
    (changed(mu=lambda *_, mu, **__: mu + 1), "In mu: The answer is 1 too large"),
    (changed(lam=lambda x, m, k, *_, **__: k + len(x)), r"E\[τ\] is missing in lambda_"),
    (changed(lam=lambda *_, lam, **__: 1 / lam), "you return the variance"),
    (changed(lam=lambda *_, lam, **__: lam**0.5), "return its square root"),
    (changed(lam=lambda *_, lam, **__: lam**-0.5), "return a deviation"),
    (changed(lam=lambda x, m, k, a0, b0, t, **_: k + len(x) * t), "multiplies lambda0 as well"),
    (changed(lam=lambda x, m, k, a0, b0, t, **_: len(x) * t), "lambda0 is missing in lambda_"),
    (changed(lam=lambda x, m, k, a0, b0, t, **_: (k + len(x)) / t), "divided by"),
    (changed(lam=lambda x, m, k, a0, b0, t, **_: (k + len(x)) * a0 / b0), "a0/b0"),
    (changed(lam=lambda *_, lam, **__: lam + 1), "In lambda_: The answer is 1 too large"),
    (changed(a=lambda x, m, k, a0, *_, **__: a0 + len(x) / 2), "a lacks a half"),
    (changed(a=lambda x, m, k, a0, *_, **__: a0 + len(x)), "you added one"),
    (changed(a=lambda x, m, k, a0, *_, **__: a0 + len(x) + 1), "N \\+ 1 factors adds a half"),
    (changed(a=lambda x, *_, **__: (len(x) + 1) / 2), "a0 is missing in a\\."),
    (changed(a=lambda x, *_, **__: len(x) / 2), "a0 is missing in a, and"),
    (changed(a=lambda *_, a, **__: a - 1), "one too small"),
    (changed(a=lambda *_, a, **__: 2 * a), "In a: The answer is 2 times"),
    (rate(lambda n, l0, lam: 0.0), "as if it were known"),
    (rate(lambda n, l0, lam: n / lam), r"E\[\(μ − mu0\)²\] in b also"),
    (rate(lambda n, l0, lam: 1 / lam), "counted once in b"),
    (rate(lambda n, l0, lam: (n + 1) / lam), "lambda0 times in b, not once"),
    (rate(lambda n, l0, lam: (n + l0) * lam), "adds lambda_ where its inverse"),
    (rate(lambda n, l0, lam: (n + l0) * lam**-0.5), "adds the deviation"),
    (
        changed(
            b=lambda x, m, k, a0, b0, t, mu, lam, **_: (
                b0 + 0.5 * (((x - mu) ** 2).sum() + len(x) / lam)
            )
        ),
        "prior's square",
    ),
    (
        changed(b=lambda x, m, k, a0, b0, t, mu, **_: b0 + 0.5 * ((x - mu) ** 2).sum()),
        "and the variance of μ everywhere",
    ),
    (
        changed(b=lambda x, m, k, a0, b0, t, **_: b0 + 0.5 * ((x - x.mean()) ** 2).sum()),
        "around the mean of x",
    ),
    (changed(b=lambda x, m, k, a0, b0, t, b, **_: b0 + 2 * (b - b0)), "½ before the squares"),
    (changed(b=lambda x, m, k, a0, b0, t, b, **_: b - b0), "b0 is missing"),
    (changed(b=lambda *_, b, **__: 1 / b), "return the scale"),
    (
        changed(b=lambda x, m, k, a0, b0, t, b, **_: b0 + t * (b - b0)),
        "it is not averaged",
    ),
    (changed(b=lambda *_, b, **__: b + 1), "In b: The answer is 1 too large"),
    (lambda *a: (lambda mu, lam, shape, b: (mu, lam, b, shape))(*sweep(*a)), "order is not"),
    (lambda *a: sweep(*a)[:3], "a tuple of 3; return 4 things"),
    (lambda *a: sweep(*a)[0], "return 4 things"),
    (lambda *a: None, "returns nothing"),
    (changed(b=lambda x, m, k, a0, b0, t, mu, **_: (x - mu) ** 2), "b has shape .4."),
    (lambda x, *a: sweep(x.mul_(2), *a), "change x in place"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG)
def test_a_wrong_sweep_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.normal_gamma_sweep(fn)
