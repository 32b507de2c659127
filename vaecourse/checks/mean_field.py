"""Self-check for one sweep of mean field over a mean and a precision, taught in chapter 06."""

import torch

from vaecourse.checks.answers import Trial, check


def _sweeps():
    for x, *settings in (
        ([0.9, 2.2, -0.4, 1.7], 0.3, 1.5, 2.2, 0.7, 1.6),
        ([-1.9, -3.2, -0.4, -1.1, -2.5, -0.3, -4.0], -0.8, 0.6, 0.9, 2.5, 0.35),
        ([4.1, 6.0], 2.0, 2.5, 3.0, 1.2, 5.0),
    ):
        yield torch.tensor(x, dtype=torch.float64), *settings
    one = torch.tensor([1.3], dtype=torch.float64)
    yield Trial((one, 0.0, 1.0, 1.0, 1.0, 1.0), "With one observation, and ones")
    equal = torch.tensor([0.0, 0.0, -1.2345678, 2.3456789], dtype=torch.float64)
    settings = -0.7654321, 1e-3, 0.1234567, 0.0123456, 456.789
    yield Trial((equal, *settings), "With equal observations and many decimals")
    sure = torch.tensor([0.5, 1.5, 2.5], dtype=torch.float64)
    yield Trial((sure, 3.0, 5e3, 40.0, 250.0, 0.16), "With a prior of 5,000 observations")
    many = torch.linspace(9_999, 10_003, 1000, dtype=torch.float64)
    yield Trial((many, 9_998.0, 3.0, 0.5, 4.0, 0.02), "With 1,000 observations near 10,000")


def _parameters(x, mu0, lambda0, a0, b0, tau):
    n, total = len(x), x.sum().item()
    mu, lambda_ = (lambda0 * mu0 + total) / (lambda0 + n), (lambda0 + n) * tau
    b = b0 + 0.5 * (_squares(x, mu, mu0, lambda0) + (lambda0 + n) / lambda_)
    return n, total, mu, lambda_, a0 + (n + 1) / 2, b


def _squares(x, mu, mu0, lambda0):
    """Σ (x_i − μ)² + lambda0 (μ − mu0)², at one place μ."""
    return (x - mu).square().sum().item() + lambda0 * (mu - mu0) ** 2


def _parts(x, mu0, lambda0, a0, b0, tau):
    """The terms of b after b0, by name."""
    n, _, mu, lambda_, _, _ = _parameters(x, mu0, lambda0, a0, b0, tau)
    terms = {
        "The sum of the squares around mu": (x - mu).square().sum(),
        "The prior's square lambda0 (μ − mu0)²": torch.tensor(lambda0 * (mu - mu0) ** 2),
        "The variance of μ": torch.tensor((n + lambda0) / lambda_),
    }
    return {name: 0.5 * value.double() for name, value in terms.items()}


def _wrong_mu(x, mu0, lambda0, a0, b0, tau):
    n, total, _, lambda_, a, b = _parameters(x, mu0, lambda0, a0, b0, tau)
    order = "The numbers are right and their order is not: return mu, lambda_, a, b."
    return [
        *((value, order) for value in (lambda_, a, b)),
        (total / n, "mu is the mean of x; the prior counts as lambda0 more observations."),
        (
            (lambda0 * mu0 + total / n) / (lambda0 + n),
            "mu weighs the mean of x as one observation; it stands for N of them.",
        ),
        (
            (lambda0 * mu0 + tau * total) / (lambda0 + tau * n),
            "The prior of μ has precision lambda0 τ, so E[τ] multiplies it as well, and "
            "cancels in mu.",
        ),
        (
            lambda0 * mu0 + total,
            "mu is not divided by the number of observations, lambda0 + N.",
        ),
        ((lambda0 * mu0 + total) / n, "mu must be divided by lambda0 + N, not by N."),
        (total / (lambda0 + n), "mu0 is missing in mu."),
        ((mu0 + total) / (1 + n), "The prior counts as lambda0 observations, not as one."),
        (
            (lambda0 * mu0 + total) * tau / (lambda0 + n),
            "E[τ] multiplies mu: it belongs to both sides of the fraction and cancels.",
        ),
    ]


def _wrong_lambda(x, mu0, lambda0, a0, b0, tau):
    n, _, _, lambda_, a, b = _parameters(x, mu0, lambda0, a0, b0, tau)
    order = "The numbers are right and their order is not: return mu, lambda_, a, b."
    return [
        *((value, order) for value in (a, b)),
        (lambda0 + n, "E[τ] is missing in lambda_: that is the precision given τ = 1."),
        (1 / lambda_, "lambda_ is a precision; you return the variance of μ."),
        (lambda_**0.5, "lambda_ is a precision; you return its square root."),
        (lambda_**-0.5, "lambda_ is a precision; you return a deviation."),
        (
            lambda0 + n * tau,
            "The prior of μ has precision lambda0 τ, so E[τ] multiplies lambda0 as well.",
        ),
        (n * tau, "The prior's lambda0 is missing in lambda_."),
        (
            (lambda0 + n) / tau,
            "lambda_ is divided by E[τ]; a precision grows with τ, so multiply.",
        ),
        (
            (lambda0 + n) * a0 / b0,
            "lambda_ uses the prior's a0/b0; use the E[τ] that is handed in.",
        ),
    ]


def _wrong_a(x, mu0, lambda0, a0, b0, tau):
    n, _, _, _, _, b = _parameters(x, mu0, lambda0, a0, b0, tau)
    return [
        (b, "The numbers are right and their order is not: return mu, lambda_, a, b."),
        (
            a0 + n / 2,
            "a lacks a half: p(μ|τ) holds a √τ too, so N + 1 factors count, not N.",
        ),
        (a0 + n, "Each observation adds a half to a, from √τ; you added one."),
        (a0 + n + 1, "Each of the N + 1 factors adds a half to a, from √τ; you added one."),
        ((n + 1) / 2, "The prior's a0 is missing in a."),
        (n / 2, "The prior's a0 is missing in a, and the half that p(μ|τ) adds."),
        (
            a0 + (n - 1) / 2,
            "a is one too small: a gamma density has τ to the power a − 1, so the exponent "
            "a0 − 1 + (N + 1)/2 is a − 1.",
        ),
    ]


def _wrong_b(x, mu0, lambda0, a0, b0, tau):
    n, total, mu, lambda_, _, b = _parameters(x, mu0, lambda0, a0, b0, tau)
    squares, spread = _squares(x, mu, mu0, lambda0), 1 / lambda_
    data_only = (x - mu).square().sum().item()
    around_average = (x - total / n).square().sum().item()

    def rate(total):
        return b0 + 0.5 * total

    return [
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
            "The variance 1/lambda_ is counted once in b; every square has it: N + lambda0 times.",
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
            rate(squares + (n + lambda0) * lambda_),
            "b adds lambda_ where its inverse belongs: the variance of μ is 1/lambda_.",
        ),
        (
            rate(squares + (n + lambda0) * spread**0.5),
            "b adds the deviation of μ; it is the variance 1/lambda_ that belongs there.",
        ),
        (
            b0 + squares + (n + lambda0) * spread,
            "The ½ before the squares is missing in b.",
        ),
        (b - b0, "The prior's b0 is missing in b."),
        (1 / b, "b is a rate; you return the scale, its inverse."),
        (
            rate(tau * (squares + (n + lambda0) * spread)),
            "E[τ] multiplies the squares in b: τ is what q(τ) is about, so it is not averaged.",
        ),
    ]


@check(
    _sweeps,
    "q(μ) from E[τ], then q(τ) with the spread of q(μ) counted at every square.",
    (_wrong_mu, _wrong_lambda, _wrong_a, _wrong_b),
    outputs=("mu", "lambda_", "a", "b"),
    parts=_parts,
)
def normal_gamma_sweep(x, mu0, lambda0, a0, b0, expected_tau):
    """Check `fn(x, mu0, lambda0, a0, b0, expected_tau) -> (mu, lambda_, a, b)`, one sweep.

    The model is x_i ~ N(μ, 1/τ), μ|τ ~ N(mu0, 1/(lambda0 τ)), τ ~ Gamma(a0, rate b0); first
    q(μ) = N(mu, 1/lambda_) given E[τ] = `expected_tau`, then q(τ) = Gamma(a, rate b) given q(μ).
    Chapter 06.
    """
    parameters = _parameters(x, mu0, lambda0, a0, b0, expected_tau)[2:]
    return tuple(torch.tensor(value, dtype=torch.float64) for value in parameters)
