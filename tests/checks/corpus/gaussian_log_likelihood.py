"""Answers to `vc.checks.gaussian_log_likelihood`, written before the check was read."""

import functools
import math

import numpy as np
import torch
from scipy import stats
from torch.distributions import Independent, MultivariateNormal, Normal
from torch.nn import functional

TAU = 2 * math.pi


def exact(x, m, v):
    return -0.5 * (math.log(TAU) + v + (x - m).square() / v.exp()).sum(1)


def in_place(x, m, v):
    x -= m
    return -0.5 * (math.log(TAU) + v + x.square() / v.exp()).sum(1)


def by_loops(x, loc, log_var):
    out = []
    for a, m, v in zip(x, loc, log_var):
        total = 0.0
        for b, c, d in zip(a, m, v):
            total = total - 0.5 * (math.log(TAU) + d + (b - c) ** 2 * torch.exp(-d))
        out.append(total)
    return torch.stack(out)


def library_loss(x, loc, log_var):
    terms = functional.gaussian_nll_loss(
        loc, x, log_var.exp(), full=True, reduction="none", eps=1e-30
    )
    return -terms.sum(dim=-1)


def with_scipy(x, loc, log_var):
    return stats.norm.logpdf(x.numpy(), loc.numpy(), np.exp(log_var.numpy() / 2)).sum(axis=1)


LOG_2PI = math.log(2 * math.pi)


def gaussian(x, m, v):
    return -0.5 * (LOG_2PI + v + (x - m) ** 2 / v.exp()).sum(-1)


def half(terms):
    return -0.5 * terms.sum(-1)


WRONG = [
    (lambda x, m, v: exact(x, m, v).squeeze(), "number without axes"),
    (
        lambda x, m, v: -0.5 * (math.log(2 * math.pi) + v + (x - m) ** 2 / v).sum(1),
        "divided by log_var",
    ),
    (
        lambda x, m, v: -0.5 * (v + (x - m) ** 2 / v.exp()).sum(1),
        "−½ log 2π of each dimension is missing",
    ),
    (
        lambda x, m, v: -0.5 * (math.log(TAU) + v + (x - m) ** 2).sum(1),
        "The square is not divided by σ²",
    ),
    (
        lambda x, m, v: -0.5 * (math.log(TAU) + (x - m) ** 2 / v.exp()).sum(1),
        "The term −½ log σ² is missing, so a",
    ),
    (
        lambda x, m, v: -0.5 * (math.log(TAU) + v + (x - m) ** 2 / (0.5 * v).exp()).sum(1),
        "divided by σ;",
    ),
    (
        lambda x, m, v: -0.5 * (math.log(TAU) + 2 * v + (x - m) ** 2 / (2 * v).exp()).sum(1),
        "You read log_var as log σ: it is log",
    ),
    (
        lambda x, m, v: -(math.log(TAU) + v + (x - m) ** 2 / v.exp()).sum(1),
        "The answer is 2 times what is right",
    ),
    (lambda x, m, v: -exact(x, m, v), "sign"),
    (lambda x, m, v: exact(x, m, v).mean(), "reduced over the batch"),
    (lambda x, m, v: exact(x, m, v) / x.shape[1], "The terms are averaged over"),
    (
        lambda x, m, v: Normal(m, (0.5 * v).exp()).log_prob(x),
        r"The answer has shape \[5, 3\]; reduce it",
    ),
    (lambda x, m, v: Normal(m, v.exp()).log_prob(x).sum(1), "You read log_var as log σ: it is log"),
    (lambda x, m, v: Normal(m, v).log_prob(x).sum(1), "You used log_var as the deviation"),
    (lambda x, m, v: Normal(m, (0.5 * v).exp()).log_prob(x).sum(0), "one for each column"),
    (lambda x, m, v: exact(x, m, v).exp(), "This is the density itself; take its"),
    (
        lambda x, m, v: exact(x, m, v.clamp(min=-6)),
        r"This is right for log_var cut off below −6, not for log_var itself\.",
    ),
    (lambda x, m, v: -functional.gaussian_nll_loss(m, x, v.exp()), "batch"),
    (
        lambda x, m, v: -functional.mse_loss(m, x, reduction="none").sum(1),
        "This is a squared error, not a log",
    ),
    (lambda x, m, v: exact(x, m.detach(), v), "loc"),
    (lambda x, m, v: exact(x, m, v.detach()), "No gradient reaches log_var"),
    (
        lambda x, m, v: -0.5 * (math.log10(TAU) + v + (x - m) ** 2 / v.exp()).sum(1),
        "The constant −½ log 2π counts",
    ),
    (lambda x, m, v: exact(x, m, v) - 0.5 * math.log(TAU), "The answer is"),
    (in_place, "in place"),
    (
        lambda x, m, v: -0.5 * (math.log(TAU) + v + (x - m).abs() / v.exp()).sum(1),
        r"The difference enters as \|x − μ\|; it",
    ),
    (
        lambda x, m, v: Normal(m, (v / 2).exp()).log_prob(x).exp().prod(1).log(),
        "your answer is",
    ),
    (lambda x, m, v: Normal(m, v.exp()).log_prob(x).sum(1), "read log_var as log σ"),
    (
        lambda x, m, v: gaussian(x, m, (v.exp() + 0.1).log()),
        r"This is right for the logarithm of exp\(log_var\) \+ 0\.1, not for",
    ),
    (
        lambda x, m, v: gaussian(x, m, v.clamp(min=-6)),
        r"This is right for log_var cut off below −6, not for log_var itself\.",
    ),
    (lambda x, m, v: gaussian(x, m.detach(), v), "No gradient reaches loc"),
    (lambda x, m, v: gaussian(x, m, v) + 0.5 * v.sum(1), "−½ log σ² is missing"),
    (lambda x, m, v: -gaussian(x, m, v), "this is the loss"),
    (lambda x, m, v: -(v + (x - m) ** 2 / v.exp()).sum(1), "½ before both"),
    (lambda x, m, v: gaussian(x, m, v) / math.log(10), "times what is right"),
    (
        lambda x, m, v: -functional.gaussian_nll_loss(m, x, v.exp(), reduction="none").sum(1),
        "constant −½ log 2π of each|constant",
    ),
    (lambda x, m, v: -functional.gaussian_nll_loss(m, x, v.exp(), full=True), "one number"),
    (lambda x, m, v: Normal(m, (v / 2).exp()).log_prob(x), "last axis"),
    (lambda x, m, v: Independent(Normal(m, (v / 2).exp()), 1), "a distribution"),
    (lambda x, m, v: gaussian(x, m, v).exp(), "density itself"),
    (lambda x, m, v: half(v + (x - m) ** 2 / v.exp()) - LOG_2PI / 2, "added once a row"),
    (lambda x, m, v: half(2 * LOG_2PI + v + (x - m) ** 2 / v.exp()), "log 2π is there without"),
    (lambda x, m, v: half((x - m) ** 2 / v.exp()), "a weighted squared error"),
    (lambda x, m, v: half(LOG_2PI + 2 * v + (x - m) ** 2 / v.exp()), "log σ² is there without"),
    (lambda x, m, v: half(LOG_2PI - v + (x - m) ** 2 / v.exp()), "σ² has the wrong sign"),
    (lambda x, m, v: half(LOG_2PI + v + (x - m) ** 2 * v.exp()), "multiplied by σ²"),
    (lambda x, m, v: half(LOG_2PI + v + 2 * (x - m) ** 2 / v.exp()), "square is there without"),
    (lambda x, m, v: half(LOG_2PI + v.log() + (x - m) ** 2 / v), "log_var as the variance itself"),
    (lambda x, m, v: gaussian(x, m, v.abs()), "the absolute value of log_var"),
    (
        lambda x, m, v: (
            -functional.gaussian_nll_loss(m, x, v.exp(), full=True, reduction="none").sum(1)
        ),
        "Variances are cut off below 10⁻⁶, which gaussian_nll_loss does",
    ),
    (
        lambda x, m, v: Normal(m, (v / 2).exp().clamp(min=1e-3)).log_prob(x).sum(1),
        "Variances are cut off below 10⁻⁶|wrong from −14 down",
    ),
    (lambda x, m, v: gaussian(x, m, v) + 0.5 * x.shape[1] * (LOG_2PI - math.tau), "log 2π bel"),
    (lambda x, m, v: gaussian(x, m, v) + 0.5 * x.shape[1] * math.log(2), "it is log 2π"),
    (lambda x, m, v: gaussian(x, m, v.clamp(min=-12)), "log_var tried from −12 to 20|below −12"),
    (lambda x, m, v: gaussian(x, m, v.clamp(min=-15)), "log_var cut off below −15"),
]
RIGHT = [
    by_loops,
    library_loss,
    with_scipy,
    functools.partial(by_loops),
    lambda x, m, v: MultivariateNormal(m, torch.diag_embed(v.exp())).log_prob(x),
    lambda x, m, v: Independent(Normal(m, v.exp().sqrt()), 1).log_prob(x),
    lambda x, m, v: (
        torch.einsum("bd,bd,bd->b", x - m, x - m, (-v).exp()) / -2
        - 0.5 * (v + math.log(TAU)).sum(1)
    ),
    lambda x, loc, log_var, eps=0.0: exact(x.float(), loc.float(), log_var.float()),
    lambda x, m, v: stats.norm(m.numpy(), np.exp(v.numpy() / 2)).logpdf(x.numpy()).sum(1),
    lambda x, m, v: Normal(m, (v / 2).exp()).log_prob(x).sum(-1),
    lambda x, m, v: (
        -0.5 * torch.einsum("bd,bd->b", (x - m) ** 2, (-v).exp()) - 0.5 * (v + LOG_2PI).sum(1)
    ),
    lambda x, m, v: (
        -0.5 * (x.shape[1] * LOG_2PI + v.sum(1) + (((x - m) * (-v / 2).exp()) ** 2).sum(1))
    ),
    lambda x, m, v: ((-((x - m) ** 2) / (2 * v.exp())).exp() / (TAU * v.exp()).sqrt()).log().sum(1),
]
