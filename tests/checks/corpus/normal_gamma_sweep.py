"""Answers to `vc.checks.normal_gamma_sweep`, written before the check was read."""

import math

import numpy as np
import torch


def sweep(x, mu0, lambda0, a0, b0, tau, *, half=0.5, spread=True, prior=True, n_a=1, var=None):
    n = len(x)
    mu = (lambda0 * mu0 + x.sum()) / (lambda0 + n)
    lam = (lambda0 + n) * tau
    squares = ((x - mu) ** 2).sum()
    if prior:
        squares = squares + lambda0 * (mu - mu0) ** 2
    if spread:
        squares = squares + ((n + lambda0) / lam if var is None else var(n, lambda0, lam))
    return mu, lam, a0 + (n + n_a) / 2, b0 + half * squares


def changed(place, how):
    def fn(x, mu0, lambda0, a0, b0, tau):
        out = list(sweep(x, mu0, lambda0, a0, b0, tau))
        out[place] = how(out[place], x, mu0, lambda0, a0, b0, tau)
        return out

    return fn


def b_around_the_mean_of_x(x, mu0, lambda0, a0, b0, tau):
    mu, lam, a, _ = sweep(x, mu0, lambda0, a0, b0, tau)
    return (
        mu,
        lam,
        a,
        b0
        + 0.5
        * (((x - x.mean()) ** 2).sum() + lambda0 * (mu - mu0) ** 2 + (len(x) + lambda0) / lam),
    )


def in_place(x, *rest):
    out = sweep(x.clone(), *rest)
    x.sub_(x.mean())
    return out


def by_hand(x, mu0, lambda0, a0, b0, expected_tau):
    values = [float(value) for value in x]
    n = len(values)
    mu = (lambda0 * mu0 + math.fsum(values)) / (lambda0 + n)
    lam = (lambda0 + n) * expected_tau
    second = 1 / lam
    b = b0 + lambda0 / 2 * ((mu - mu0) ** 2 + second)
    for value in values:
        b += ((value - mu) ** 2 + second) / 2
    return mu, lam, a0 + 0.5 + n / 2, b


def expanded(x, mu0, lambda0, a0, b0, expected_tau):
    x = x.numpy()
    mu = (lambda0 * mu0 + x.sum()) / (lambda0 + x.size)
    lam = (lambda0 + x.size) * expected_tau
    second = mu**2 + 1 / lam
    inner = (x**2).sum() - 2 * mu * x.sum() + x.size * second
    inner = inner + lambda0 * (second - 2 * mu * mu0 + mu0**2)
    return np.array([mu, lam, a0 + (x.size + 1) / 2, b0 + inner / 2])


def around_the_mean(x, mu0, lambda0, a0, b0, expected_tau):
    n, mean = len(x), x.mean()
    mu, lam = (lambda0 * mu0 + n * mean) / (lambda0 + n), (lambda0 + n) * expected_tau
    pull = lambda0 * n / (lambda0 + n) * (mean - mu0) ** 2
    return (
        mu,
        lam,
        a0 + (n + 1) / 2,
        b0 + 0.5 * ((n - 1) * x.var() if n > 1 else 0) + 0.5 * (pull + 1 / expected_tau),
    )


def plain_sweep(x, mu0, l0, a0, b0, tau):
    n = len(x)
    mu, lam = (l0 * mu0 + x.sum()) / (l0 + n), (l0 + n) * tau
    squares = ((x - mu) ** 2).sum() + n / lam + l0 * ((mu - mu0) ** 2 + 1 / lam)
    return mu, lam, a0 + 0.5 * (n + 1), b0 + 0.5 * squares


def sweep_with(place, change):
    def fn(*given):
        answer = list(plain_sweep(*given))
        answer[place] = change(answer[place], *given)
        return answer

    return fn


def mean_of(x, mu0, l0):
    return (l0 * mu0 + x.sum()) / (l0 + len(x))


def scatter(x, mu0, l0):
    return ((x - mean_of(x, mu0, l0)) ** 2).sum()


def with_entries(**entries):
    """The right sweep with some entries replaced by functions of its arguments and answer."""

    def fn(*arguments):
        answer = dict(zip(("mu", "lam", "a", "b"), plain_sweep(*arguments), strict=True))
        answer.update({name: entry(*arguments, **answer) for name, entry in entries.items()})
        return tuple(answer.values())

    return fn


def squares(x, m0, l0, mu):
    return ((x - mu) ** 2).sum() + l0 * (mu - m0) ** 2


def rate(extra):
    """b from the squares around mu and what `extra` adds, a function of (n, l0, lam)."""
    return with_entries(
        b=lambda x, m0, l0, a0, b0, tau, mu, lam, a, b: (
            b0 + 0.5 * (squares(x, m0, l0, mu) + extra(len(x), l0, lam))
        )
    )


WRONG = [
    (lambda *a: sweep(*a, n_a=0), r"a lacks a half: p\(μ\|τ\) holds a √τ too"),
    (lambda *a: sweep(*a, n_a=2), "In a: The answer is"),
    (lambda *a: sweep(*a, spread=False), r"b treats mu as if it were known: E\[\(x"),
    (lambda *a: sweep(*a, prior=False), r"In b: The prior's square lambda0 \(μ −"),
    (lambda *a: sweep(*a, half=1.0), "The ½ before the squares is missing in"),
    (
        lambda *a: sweep(*a, var=lambda n, l0, lam: 1 / lam),
        "The variance 1/lambda_ is counted once",
    ),
    (
        lambda *a: sweep(*a, var=lambda n, l0, lam: n / lam),
        r"E\[\(μ − mu0\)²\] in b also holds the",
    ),
    (
        lambda *a: sweep(*a, var=lambda n, l0, lam: (n + l0) * lam),
        "b adds lambda_ where its inverse",
    ),
    (b_around_the_mean_of_x, "our answer is"),
    (
        changed(1, lambda v, x, m, l0, a, b, t: l0 + len(x)),
        r"E\[τ\] is missing in lambda_: that is",
    ),
    (
        changed(1, lambda v, x, m, l0, a, b, t: l0 + len(x) * t),
        "The prior of μ has precision lambda0",
    ),
    (changed(1, lambda v, x, m, l0, a, b, t: 1 / v), "lambda_ is a precision; you return the"),
    (changed(1, lambda v, x, m, l0, a, b, t: v**-0.5), "lambda_ is a precision; you return a"),
    (changed(0, lambda v, x, m, l0, a, b, t: x.mean()), "mu is the mean of x; the prior counts"),
    (
        changed(0, lambda v, x, m, l0, a, b, t: (m + x.sum()) / (1 + len(x))),
        "The prior counts as lambda0",
    ),
    (changed(0, lambda v, x, m, l0, a, b, t: (l0 * m + x.mean()) / (l0 + 1)), "our answer is"),
    (
        changed(2, lambda v, x, m, l0, a, b, t: a + len(x) + 1),
        r"Each of the N \+ 1 factors adds a half",
    ),
    (changed(2, lambda v, x, m, l0, a, b, t: (len(x) + 1) / 2), "The prior's a0 is missing in a"),
    (changed(3, lambda v, x, m, l0, a, b, t: 1 / v), "b is a rate; you return the scale, its"),
    (changed(3, lambda v, x, m, l0, a, b, t: v - b), "The prior's b0 is missing in b"),
    (changed(3, lambda v, x, m, l0, a, b, t: v / len(x)), "In b: The answer is divided by the"),
    (
        lambda *a: (sweep(*a)[1], sweep(*a)[0], *sweep(*a)[2:]),
        "The numbers are right and their order",
    ),
    (lambda *a: sweep(*a)[:2], "a tuple of 2; return 4 things"),
    (in_place, "in place"),
    (sweep_with(0, lambda mu, x, *_: x.mean()), "mu is the mean of x"),
    (sweep_with(1, lambda lam, x, m, l0, *_: l0 + len(x)), "E.τ. is missing in lambda_"),
    (sweep_with(1, lambda lam, *_: 1 / lam), "you return the variance"),
    (sweep_with(2, lambda a, x, m, l0, a0, b0, t: a0 + len(x) / 2), "a lacks a half"),
    (sweep_with(3, lambda b, *_: 1 / b), "scale, its inverse"),
    (sweep_with(3, lambda b, x, m, l0, a0, b0, t: b - b0), "b0 is missing"),
    (sweep_with(3, lambda b, *_: b.sqrt()), "the root of what is right"),
    (
        sweep_with(3, lambda b, x, m, l0, *_: b - 0.5 * l0 * (mean_of(x, m, l0) - m) ** 2),
        "prior's square .* is missing",
    ),
    (
        sweep_with(3, lambda b, x, m, l0, *_: b - 0.5 * (1 - 1 / len(x)) * scatter(x, m, l0)),
        "around mu is divided by the number of rows",
    ),
    (lambda *given: plain_sweep(*given)[::-1], "order is not"),
    (lambda *given: plain_sweep(*given)[:2], "return 4 things"),
    (lambda *given: dict(zip("mlab", plain_sweep(*given))), "returns a dict"),
    (lambda x, *given: plain_sweep(x.sub_(1), *given), "change x in place"),
    (lambda x, m, l0, a0, b0, t: plain_sweep(x, m, l0, a0, b0, a0 / b0), "a0/b0"),
    (lambda x, m, l0, a0, b0, t: plain_sweep(x, 0, l0, a0, b0, t), "mu0 is missing"),
    (lambda x, m, l0, a0, b0, t: plain_sweep(x[:-1], m, l0, a0, b0, t), "n mu, your answer"),
    (
        with_entries(mu=lambda x, m, k, *_, **__: (k * m + x.mean()) / (k + len(x))),
        "as one observation",
    ),
    (
        with_entries(mu=lambda x, m, k, a0, b0, t, **_: (k * m + t * x.sum()) / (k + t * len(x))),
        "cancels in mu",
    ),
    (with_entries(mu=lambda x, m, k, *_, **__: k * m + x.sum()), "not divided"),
    (with_entries(mu=lambda x, m, k, *_, **__: (k * m + x.sum()) / len(x)), "not by N"),
    (with_entries(mu=lambda x, m, k, a0, b0, t, mu, **_: t * mu), "both sides of the fraction"),
    (with_entries(mu=lambda *_, mu, **__: mu + 1), "In mu: The answer is 1 too large"),
    (with_entries(lam=lambda *_, lam, **__: lam**0.5), "return its square root"),
    (
        with_entries(lam=lambda x, m, k, a0, b0, t, **_: len(x) * t),
        "lambda0 is missing in lambda_",
    ),
    (with_entries(lam=lambda x, m, k, a0, b0, t, **_: (k + len(x)) / t), "divided by"),
    (with_entries(lam=lambda *_, lam, **__: lam + 1), "In lambda_: The answer is 1 too large"),
    (with_entries(a=lambda x, m, k, a0, *_, **__: a0 + len(x)), "you added one"),
    (with_entries(a=lambda x, *_, **__: len(x) / 2), "a0 is missing in a, and"),
    (with_entries(a=lambda *_, a, **__: a - 1), "one too small"),
    (with_entries(a=lambda *_, a, **__: 2 * a), "In a: The answer is 2 times"),
    (rate(lambda n, l0, lam: (n + 1) / lam), "lambda0 times in b, not once"),
    (rate(lambda n, l0, lam: (n + l0) * lam**-0.5), "adds the deviation"),
    (
        with_entries(
            b=lambda x, m, k, a0, b0, t, mu, lam, **_: (
                b0 + 0.5 * (((x - mu) ** 2).sum() + len(x) / lam)
            )
        ),
        "prior's square",
    ),
    (
        with_entries(b=lambda x, m, k, a0, b0, t, mu, **_: b0 + 0.5 * ((x - mu) ** 2).sum()),
        "and the variance of μ everywhere",
    ),
    (
        with_entries(b=lambda x, m, k, a0, b0, t, **_: b0 + 0.5 * ((x - x.mean()) ** 2).sum()),
        "around the mean of x",
    ),
    (with_entries(b=lambda x, m, k, a0, b0, t, b, **_: b0 + t * (b - b0)), "it is not averaged"),
    (with_entries(b=lambda *_, b, **__: b + 1), "In b: The answer is 1 too large"),
    (lambda *a: (lambda mu, lam, shape, b: (mu, lam, b, shape))(*plain_sweep(*a)), "order is not"),
    (lambda *a: plain_sweep(*a)[0], "return 4 things"),
    (with_entries(b=lambda x, m, k, a0, b0, t, mu, **_: (x - mu) ** 2), "b has shape .4."),
]
RIGHT = [
    by_hand,
    expanded,
    around_the_mean,
    lambda *a: list(sweep(*a)),
    lambda *a: torch.stack([torch.as_tensor(v, dtype=torch.float64) for v in sweep(*a)]),
    lambda x, mu0, lambda0, a0, b0, expected_tau, rounds=1: sweep(
        x, mu0, lambda0, a0, b0, expected_tau
    ),
    lambda x, *rest: [torch.as_tensor(v).reshape(1) for v in sweep(x, *rest)],
    plain_sweep,
    lambda *given: [float(value) for value in plain_sweep(*given)],
    lambda *given: np.array([float(value) for value in plain_sweep(*given)]),
    lambda x, *given: plain_sweep(torch.tensor(x.tolist(), dtype=torch.float64), *given),
]
