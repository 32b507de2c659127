"""Answers to `vc.checks.poisson_log_likelihood`, written before the check was read."""

import math

import numpy as np
import torch
from scipy import special
from scipy.special import gammaln
from torch.distributions import Independent, Poisson
from torch.nn import functional


def exact(x, f):
    return (x * f - f.exp() - torch.lgamma(x + 1)).sum(1)


def in_place(x, f):
    return (x * f - f.exp_() - torch.lgamma(x + 1)).sum(1)


def by_products(x, log_rate):
    factorial = torch.tensor([[float(math.prod(range(1, int(n) + 1))) for n in row] for row in x])
    return (x * log_rate - log_rate.exp() - factorial.log()).sum(1)


def log_factorials(x):
    table = torch.cat([torch.zeros(1), torch.arange(1, int(x.max()) + 1).double().log().cumsum(0)])
    return table[x.long()]


def by_table(x, log_rate):
    return (x * log_rate - log_rate.exp() - log_factorials(x)).sum(-1)


def by_loops(x, log_rate):
    rows = []
    for counts, logs in zip(x, log_rate):
        rows.append(
            sum(n * f - torch.exp(f) - math.lgamma(float(n) + 1) for n, f in zip(counts, logs))
        )
    return torch.stack(rows)


def library(x, log_rate):
    fit = -functional.poisson_nll_loss(log_rate, x, log_input=True, full=False, reduction="none")
    return (fit - torch.special.gammaln(x + 1)).sum(1)


def poisson(x, a):
    return (x * a - a.exp() - torch.lgamma(x + 1)).sum(-1)


def by_product(x, a):
    factorial = torch.tensor(
        [
            [float(math.prod(range(1, int(c) + 1))) if c < 170 else math.inf for c in row]
            for row in x
        ],
        dtype=torch.float64,
    )
    return (x * a - a.exp() - factorial.log()).sum(1)


def factorial(x):
    return torch.lgamma(x + 1)


WRONG = [
    (lambda x, f: (x * f - f.exp()).sum(1), "−log x! is missing"),
    (
        lambda x, f: (x * f - f.exp() - torch.lgamma(x)).sum(1),
        r"lgamma\(x\) is log \(x − 1\)!; take",
    ),
    (lambda x, f: (x * f - f.exp() + torch.lgamma(x + 1)).sum(1), "log x! is added; it must be"),
    (lambda x, f: (x * f - f - torch.lgamma(x + 1)).sum(1), "logarithm of the rate is subtracted"),
    (lambda x, f: (x * f + f.exp() - torch.lgamma(x + 1)).sum(1), "The rate is added; it must be"),
    (
        lambda x, f: (f - f.exp() - torch.lgamma(x + 1)).sum(1),
        r"Right but for one step: x left out of x · log_rate\.",
    ),
    (
        lambda x, f: (x * f.exp() - f.exp() - torch.lgamma(x + 1)).sum(1),
        "The counts multiply the rate; they",
    ),
    (lambda x, f: (x * f.exp().log() - f.exp() - torch.lgamma(x + 1)).sum(1), "At a log rate of"),
    (
        lambda x, f: (x * (f.exp() + 1e-8).log() - f.exp() - torch.lgamma(x + 1)).sum(1),
        r"This is right for the logarithm of exp\(log_rate\) \+ 10⁻⁸, not for",
    ),
    (
        lambda x, f: (torch.xlogy(x, f) - f - torch.lgamma(x + 1)).sum(1),
        "You used log_rate as the rate itself",
    ),
    (lambda x, f: -exact(x, f), "this is the loss"),
    (lambda x, f: exact(x, f).mean(), "batch"),
    (lambda x, f: exact(x, f) / x.shape[1], "The terms are averaged over"),
    (
        lambda x, f: x * f - f.exp() - torch.lgamma(x + 1),
        r"The answer has shape \[5, 3\]; reduce it",
    ),
    (lambda x, f: (x * f - f.exp() - torch.lgamma(x + 1)).sum(0), "one for each column"),
    (lambda x, f: exact(x, f).exp(), "The answer is the exponential of what"),
    (
        lambda x, f: -functional.poisson_nll_loss(f, x, full=True, reduction="none").sum(1),
        "Stirling's approximation stands where",
    ),
    (lambda x, f: -functional.poisson_nll_loss(f, x), "batch"),
    (
        lambda x, f: (
            -functional.poisson_nll_loss(f.exp(), x, log_input=False, reduction="none").sum(1)
        ),
        "x!",
    ),
    (
        lambda x, f: exact(x, f.clamp(-5, 5)),
        "This is right for log_rate cut off at −5 and 5, not for log_rate",
    ),
    (lambda x, f: exact(x, f.detach()), "detached"),
    (by_products, "For one dimension, with counts up to"),
    (in_place, "in place"),
    (
        lambda x, f: exact(x.clamp(max=255), f),
        r"This is right for x cut off above 255, not for x itself\.",
    ),
    (by_product, "lgamma"),
    (lambda x, a: poisson(x, a.detach()), "detached"),
    (lambda x, a: (x * a - a.detach().exp() - torch.lgamma(x + 1)).sum(1), "not the gradient"),
    (lambda x, a: Poisson(a).log_prob(x).sum(1), "your answer|Numbers|stops|rate itself|range"),
    (lambda x, a: Poisson(a.exp()).log_prob(x).sum(1), "log rate of −800"),
    (
        lambda x, a: -functional.poisson_nll_loss(a, x, reduction="none").sum(1),
        "log x! is missing",
    ),
    (
        lambda x, a: -functional.poisson_nll_loss(a, x, full=True, reduction="none").sum(1),
        "Stirling",
    ),
    (lambda x, a: -functional.poisson_nll_loss(a, x), "one number"),
    (lambda x, a: (x * a - a.exp() - torch.lgamma(x)).sum(1), "lgamma"),
    (
        lambda x, a: poisson(x, a.clamp(-5, 5)),
        "This is right for log_rate cut off at −5 and 5, not for log_rate",
    ),
    (lambda x, a: poisson(x, a).sum(), "reduced over the batch"),
    (lambda x, a: poisson(a, x), "swapped"),
    (
        lambda x, a: (x * a - a.exp() - math.factorial(x)).sum(1),
        "stands where one number|stops",
    ),
    (
        lambda x, a: poisson(x, (a.exp() + 1e-6).log()),
        r"This is right for the logarithm of exp\(log_rate\) \+ 10⁻⁶, not for",
    ),
    (lambda x, a: (x * a - factorial(x)).sum(-1), "The rate is missing"),
    (lambda x, a: (x * a - torch.log1p(a.exp())).sum(-1), "Bernoulli with these logits"),
    (lambda x, a: (x * a - a.exp() - torch.xlogy(x, x)).sum(-1), "x log x stands where"),
    (lambda x, a: -((x - a.exp()) ** 2).sum(-1), "a squared error, not"),
]
RIGHT = [
    by_table,
    by_loops,
    library,
    lambda x, f: (
        Independent(Poisson(f.exp(), validate_args=False), 1).log_prob(x)
        if f.min() > -700
        else exact(x, f)
    ),
    lambda x, f: (x.numpy() * f.numpy() - np.exp(f.numpy()) - special.gammaln(x.numpy() + 1)).sum(
        1
    ),
    lambda x, f: (
        torch.einsum("bd,bd->b", x, f)
        - f.exp().sum(1)
        - torch.special.multigammaln(x + 1, 1).sum(1)
    ),
    lambda x, log_rate, base=None: exact(x, log_rate),
    lambda x, a: (x.numpy() * a.numpy() - np.exp(a.numpy()) - gammaln(x.numpy() + 1)).sum(1),
    lambda x, a: (
        -functional.poisson_nll_loss(a, x, reduction="none").sum(1)
        - torch.special.gammaln(x + 1).sum(1)
    ),
    lambda x, a: x.mul(a).sub(a.exp()).sub((x + 1).lgamma()).sum(dim=1),
]
