"""Self-check for one sweep of mean field over a mean and a precision, taught in chapter 06.

The reader's function is tried on a few numbers. A wrong answer is compared with what the well-known
mistakes give, so that the message can name the one that was made.
"""

import torch

from vaecourse.checks.answers import as_tensor, check_function, close
from vaecourse.checks.mistakes import Mistake

_X = (0.9, 2.2, -0.4, 1.7)
_MU0, _LAMBDA0, _A0, _B0, _TAU = 0.3, 1.5, 2.2, 0.7, 1.6


def normal_gamma_sweep(fn):
    """Check `fn(x, mu0, lambda0, a0, b0, expected_tau) -> (mu, lambda_, a, b)`, one sweep.

    The model is x_i ~ N(μ, 1/τ), μ|τ ~ N(mu0, 1/(lambda0 τ)), τ ~ Gamma(a0, rate b0); first
    q(μ) = N(mu, 1/lambda_) given E[τ] = `expected_tau`, then q(τ) = Gamma(a, rate b) given q(μ).
    Returns a sentence beginning "Right:"; raises `Mistake` with one that names the mistake,
    TypeError when fn is not a function. Chapter 06.
    """
    check_function(fn)
    answer = _answer(fn)
    mu = (_LAMBDA0 * _MU0 + sum(_X)) / (_LAMBDA0 + len(_X))
    lambda_ = (_LAMBDA0 + len(_X)) * _TAU
    a = _A0 + (len(_X) + 1) / 2
    b = _B0 + 0.5 * (_squares(mu) + (_LAMBDA0 + len(_X)) / lambda_)
    right = torch.tensor([mu, lambda_, a, b], dtype=torch.float64)
    _check_order(answer, right)
    # One parameter after the other, in the order in which the sweep computes them.
    _check_mean(answer[0], right[0])
    _check_precision(answer[1], right[1])
    _check_shape_of_tau(answer[2], right[2])
    _check_rate(answer[3], right[3], mu, lambda_)
    return "Right: q(μ) from E[τ], then q(τ) with the spread of q(μ) counted at every square."


def _answer(fn):
    """The reader's four numbers, [4]."""
    x = torch.tensor(_X, dtype=torch.float64)
    value = fn(x, _MU0, _LAMBDA0, _A0, _B0, _TAU)
    if not torch.equal(x, torch.tensor(_X, dtype=torch.float64)):
        raise Mistake("You change x in place; the caller still needs it.")
    if value is None:
        raise Mistake("Your function returns nothing; is the return statement missing?")
    try:
        parts = [as_tensor(part) for part in value]
    except TypeError:
        raise Mistake("Return four numbers: mu, lambda_, a and b.") from None
    if len(parts) != 4:
        raise Mistake(f"Your function returns {len(parts)} values; return mu, lambda_, a and b.")
    for name, part in zip(("mu", "lambda_", "a", "b"), parts):
        if part.numel() != 1:
            raise Mistake(f"{name} has shape {list(part.shape)}; it is one number for all of x.")
    return torch.stack([part.reshape(()) for part in parts])


def _squares(mu):
    """Σ (x_i − μ)² + lambda0 (μ − mu0)², at one place μ."""
    return sum((value - mu) ** 2 for value in _X) + _LAMBDA0 * (mu - _MU0) ** 2


def _check_order(answer, right):
    if not close(answer, right) and close(answer.sort().values, right.sort().values):
        raise Mistake("The numbers are right and their order is not: return mu, lambda_, a, b.")


def _check_mean(given, right):
    n, total = len(_X), sum(_X)
    _name_one(
        "mu",
        given,
        right,
        [
            (total / n, "mu is the mean of x; the prior counts as lambda0 more observations."),
            (
                (_LAMBDA0 * _MU0 + total / n) / (_LAMBDA0 + n),
                "mu weighs the mean of x as one observation; it stands for N of them.",
            ),
            (
                (_LAMBDA0 * _MU0 + _TAU * total) / (_LAMBDA0 + _TAU * n),
                "The prior of μ has precision lambda0 τ, so E[τ] multiplies it as well, and "
                "cancels in mu.",
            ),
            (
                _LAMBDA0 * _MU0 + total,
                "mu is not divided by the number of observations, lambda0 + N.",
            ),
            ((_LAMBDA0 * _MU0 + total) / n, "mu must be divided by lambda0 + N, not by N."),
            (total / (_LAMBDA0 + n), "mu0 is missing in mu."),
            ((_MU0 + total) / (1 + n), "The prior counts as lambda0 observations, not as one."),
            (
                (_LAMBDA0 * _MU0 + total) * _TAU / (_LAMBDA0 + n),
                "E[τ] multiplies mu: it belongs to both sides of the fraction and cancels.",
            ),
        ],
    )


def _check_precision(given, right):
    n = len(_X)
    _name_one(
        "lambda_",
        given,
        right,
        [
            (_LAMBDA0 + n, "E[τ] is missing in lambda_: that is the precision given τ = 1."),
            (1 / right.item(), "lambda_ is a precision; you return the variance of μ."),
            (right.item() ** 0.5, "lambda_ is a precision; you return its square root."),
            (right.item() ** -0.5, "lambda_ is a precision; you return a deviation."),
            (
                _LAMBDA0 + n * _TAU,
                "The prior of μ has precision lambda0 τ, so E[τ] multiplies lambda0 as well.",
            ),
            (n * _TAU, "The prior's lambda0 is missing in lambda_."),
            (
                (_LAMBDA0 + n) / _TAU,
                "lambda_ is divided by E[τ]; a precision grows with τ, so multiply.",
            ),
            (
                (_LAMBDA0 + n) * _A0 / _B0,
                "lambda_ uses the prior's a0/b0; use the E[τ] that is handed in.",
            ),
        ],
    )


def _check_shape_of_tau(given, right):
    n = len(_X)
    _name_one(
        "a",
        given,
        right,
        [
            (
                _A0 + n / 2,
                "a lacks a half: p(μ|τ) holds a √τ too, so N + 1 factors count, not N.",
            ),
            (_A0 + n, "Each observation adds a half to a, from √τ; you added one."),
            (_A0 + n + 1, "Each of the N + 1 factors adds a half to a, from √τ; you added one."),
            ((n + 1) / 2, "The prior's a0 is missing in a."),
            (n / 2, "The prior's a0 is missing in a, and the half that p(μ|τ) adds."),
            (
                _A0 + (n - 1) / 2,
                "a is one too small: a gamma density has τ to the power a − 1, so the exponent "
                "a0 − 1 + (N + 1)/2 is a − 1.",
            ),
        ],
    )


def _check_rate(given, right, mu, lambda_):
    n = len(_X)
    squares, spread = _squares(mu), 1 / lambda_
    data_only = sum((value - mu) ** 2 for value in _X)
    around_average = sum((value - sum(_X) / n) ** 2 for value in _X)

    def rate(total):
        return _B0 + 0.5 * total

    _name_one(
        "b",
        given,
        right,
        [
            (
                rate(squares),
                "b treats mu as if it were known: E[(x − μ)²] is (x − mu)² + 1/lambda_.",
            ),
            (
                rate(squares + n * spread),
                "E[(μ − mu0)²] in b also holds the variance 1/lambda_.",
            ),
            (
                rate(squares + spread),
                "The variance 1/lambda_ is counted once in b; every square "
                "has it: N + lambda0 times.",
            ),
            (
                rate(squares + (n + 1) * spread),
                "The variance of the prior's square counts lambda0 times in b, not once.",
            ),
            (
                rate(data_only + n * spread),
                "The prior's square lambda0 (μ − mu0)² is missing in b.",
            ),
            (
                rate(data_only),
                "b lacks the prior's square lambda0 (μ − mu0)², and the variance of μ everywhere.",
            ),
            (rate(around_average), "b has the squares around the mean of x; take them around μ."),
            (
                rate(squares + (n + _LAMBDA0) * lambda_),
                "b adds lambda_ where its inverse belongs: the variance of μ is 1/lambda_.",
            ),
            (
                rate(squares + (n + _LAMBDA0) * spread**0.5),
                "b adds the deviation of μ; it is the variance 1/lambda_ that belongs there.",
            ),
            (
                _B0 + squares + (n + _LAMBDA0) * spread,
                "The ½ before the squares is missing in b.",
            ),
            (right.item() - _B0, "The prior's b0 is missing in b."),
            (1 / right.item(), "b is a rate; you return the scale, its inverse."),
            (
                rate(_TAU * (squares + (n + _LAMBDA0) * spread)),
                "E[τ] multiplies the squares in b: τ is what q(τ) is about, so it is not averaged.",
            ),
        ],
    )


def _name_one(parameter, given, right, wrong):
    """Raise the Mistake for one parameter unless it is right; by name where it is known."""
    if torch.isclose(given, right, rtol=1e-5):
        return
    for value, sentence in wrong:
        if torch.isclose(given, torch.as_tensor(value, dtype=given.dtype), rtol=1e-5):
            raise Mistake(sentence)
    raise Mistake(f"{parameter} is {given.item():.4f} where {right.item():.4f} is right.")
