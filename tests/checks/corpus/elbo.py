"""Answers to `vc.checks.elbo`, written before the check was read."""

import math

import numpy as np
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.nn import functional
from torch.nn.functional import binary_cross_entropy


def bce(x, f):
    return functional.binary_cross_entropy_with_logits(f, x, reduction="none")


def kl(m, v):
    return 0.5 * (v.exp() + m.square() - 1 - v).sum(1)


def in_place(x, f, m, v):
    return -bce(x, f).sum(1) - kl(m, v.mul_(1.0).clamp_(-2, 2))


def through_probabilities(x, f, m, v):
    p = f.sigmoid().clamp(1e-6, 1 - 1e-6)
    return (x * p.log() + (1 - x) * (1 - p).log()).sum(1) - kl(m, v)


def row_by_row(x, logits, loc, log_var):
    out = []
    for a, f, m, v in zip(x, logits, loc, log_var):
        fit = sum(
            torch.where(b > 0.5, functional.logsigmoid(g), functional.logsigmoid(-g))
            for b, g in zip(a, f)
        )
        out.append(fit - kl_divergence(Normal(m, (v / 2).exp()), Normal(0.0, 1.0)).sum())
    return torch.stack(out)


def in_numpy(x, logits, loc, log_var):
    x, f, m, v = (a.numpy() for a in (x, logits, loc, log_var))
    return (x * f - np.logaddexp(0, f)).sum(1) - 0.5 * (np.exp(v) + m**2 - 1 - v).sum(1)


LOG_2PI = math.log(2 * math.pi)


def plain_kl(m, v):
    return 0.5 * (v.exp() + m**2 - 1 - v).sum(-1)


def bound(x, a, m, v):
    return -functional.binary_cross_entropy_with_logits(a, x, reduction="none").sum(1) - plain_kl(
        m, v
    )


def plain_bce(*given, **options):
    return functional.binary_cross_entropy_with_logits(*given, **options)


def scaled_kl(c):
    return lambda x, a, m, v: bound(x, a, m, v) + (1 - c) * plain_kl(m, v)


def by_scipy(x, a, m, v):
    x, a, m, v = (np.asarray(t) for t in (x, a, m, v))
    likelihood = x * a - np.logaddexp(0, a)
    return likelihood.sum(1) - 0.5 * (np.exp(v) + m**2 - 1 - v).sum(1)


def clamped_in_place(x, f, m, v):
    f.data.clamp_(-30, 30)
    return -bce(x, f).sum(1) - kl(m, v)


def with_kl(kl_of):
    return lambda x, a, m, v: -bce(x, a).sum(1) - kl_of(m, v)


def each(m, v):
    return 0.5 * (v.exp() + m**2 - 1 - v)


def white_with_eps(eps):
    def fn(x, a, m, v):
        white = torch.where(a > -50, (a.sigmoid() + eps).log(), a)
        return (x * white + (1 - x) * functional.logsigmoid(-a)).sum(1) - kl(m, v)

    return fn


def as_probabilities(x, a, m, v):
    p = a.clamp(1e-6, 1 - 1e-6)
    return (x * p.log() + (1 - x) * (1 - p).log()).sum(1) - kl(m, v)


def from_probabilities(x, logits, loc, log_var):
    likelihood = -binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(-1)
    return likelihood - kl(loc, log_var)


WRONG = [
    (
        with_kl(lambda m, v: kl(m.clamp(-3, 3), v)),
        r"This is right for loc cut off at −3 and 3, not for loc itself\.",
    ),
    (
        with_kl(lambda m, v: kl(m.clamp(-9, 9), v)),
        r"This is right for loc cut off at −9 and 9, not for loc itself\.",
    ),
    (
        with_kl(lambda m, v: kl(m, v.clamp(-15, 15))),
        "This is right for log_var cut off at −15 and 15, not for log_var",
    ),
    (
        with_kl(lambda m, v: kl(m, v).clamp(max=5)),
        r"Right but for one step: the sum cut off above 10\.",
    ),
    (with_kl(lambda m, v: kl(m, v).clamp(max=20)), "^For .* your answer is"),
    (with_kl(lambda m, v: each(m, v).clamp(min=0.5).sum(1)), "as by free bits"),
    (with_kl(lambda m, v: each(m, v)[:, 0]), "Only the first latent counts"),
    (white_with_eps(1e-7), "^For one white pixel .* your answer is"),
    (white_with_eps(1e-8), "^For one white pixel .* your answer is"),
    (as_probabilities, "The logits are used as probabilities"),
    (with_kl(lambda m, v: kl(m, v) + 0.5 * m.shape[1]), "your answer|−1"),
    (lambda x, f, m, v: -bce(x, f).sum(1) + kl(m, v), "The KL is added; the bound is log"),
    (lambda x, f, m, v: bce(x, f).sum(1) + kl(m, v), "The sign is wrong: this is the loss"),
    (lambda x, f, m, v: bce(x, f).sum(1) - kl(m, v), "sign of log p"),
    (lambda x, f, m, v: -bce(x, f).mean(1) - kl(m, v), "The cross entropy is averaged over"),
    (lambda x, f, m, v: -bce(x, f).sum(1) - kl(m, v) / m.shape[1], "KL is averaged over"),
    (
        lambda x, f, m, v: -functional.binary_cross_entropy_with_logits(f, x) - kl(m, v),
        "binary_cross_entropy takes the mean of",
    ),
    (
        lambda x, f, m, v: (
            -functional.binary_cross_entropy_with_logits(f, x, reduction="sum") - kl(m, v)
        ),
        "The cross entropy is summed over the",
    ),
    (
        lambda x, f, m, v: (
            -functional.binary_cross_entropy(f, x, reduction="none").sum(1) - kl(m, v)
        ),
        "with_logits",
    ),
    (
        lambda x, f, m, v: -bce(x, f.sigmoid()).sum(1) - kl(m, v),
        "sigmoid is applied twice: the function",
    ),
    (lambda x, f, m, v: -bce(f, x).sum(1) - kl(m, v), "x and logits are swapped in the cross"),
    (lambda x, f, m, v: (x * f).sum(1) - kl(m, v), "our answer is"),
    (
        lambda x, f, m, v: (x * functional.logsigmoid(f)).sum(1) - kl(m, v),
        r"Only white pixels count: \(1 − x\) log\(1",
    ),
    (
        lambda x, f, m, v: -(x - f.sigmoid()).square().sum(1) - kl(m, v),
        "This is a squared error; the decoder",
    ),
    (lambda x, f, m, v: -bce(x, f).sum(1), "KL is missing"),
    (lambda x, f, m, v: -kl(m, v), r"log p\(x\|z\) is missing: this is minus"),
    (lambda x, f, m, v: -bce(x, f).sum(1) - 2 * kl(m, v), "In the KL: The factor ½ is missing"),
    (lambda x, f, m, v: -bce(x, f).sum(1) - kl(m, v) * 2, "In the KL: The factor ½ is missing"),
    (lambda x, f, m, v: (-bce(x, f).sum(1) - kl(m, v)) / math.log(2), "bits"),
    (lambda x, f, m, v: (-bce(x, f).sum(1) - kl(m, v)) / x.shape[1], "divided"),
    (lambda x, f, m, v: -bce(x, f.detach()).sum(1) - kl(m, v), "No gradient reaches logits"),
    (lambda x, a, m, v: (-bce(x, a).sum(1) - kl(m, v)).detach(), "detached"),
    (lambda x, f, m, v: -bce(x, f).sum(1) - kl(m, v.detach()), "log_var"),
    (through_probabilities, "Logits or probabilities are cut off"),
    (in_place, "in place"),
    (lambda x, f, m, v: (-bce(x, f).sum(1), kl(m, v)), "returns a tuple of 2 things"),
    (lambda x, a, m, v: -plain_bce(a, x) - plain_kl(m, v), "takes the mean of all"),
    (
        lambda x, a, m, v: -plain_bce(a, x, reduction="sum") - plain_kl(m, v),
        "summed over the batch too",
    ),
    (scaled_kl(0.5), "KL counts 0.5 times"),
    (scaled_kl(4.0), "KL counts 4 times"),
    (scaled_kl(1 / 784), "KL counts 1/784 times"),
    (scaled_kl(0.0), "The KL is missing"),
    (
        lambda x, a, m, v: (
            -functional.binary_cross_entropy(a, x, reduction="none").sum(1) - plain_kl(m, v)
        ),
        "Numbers outside",
    ),
    (lambda x, a, m, v: bound(x, 0.5 * a + (0.5 * a).detach(), m, v), "not the gradient"),
    (lambda x, a, m, v: bound(x, a.clamp(-5, 5), m, v), "are cut off"),
    (lambda x, a, m, v: bound(x, a, m.detach(), v), "No gradient reaches loc"),
    (
        lambda x, a, m, v: (
            (x * (a.sigmoid() + 1e-8).log() + (1 - x) * (1 - a.sigmoid() + 1e-8).log()).sum(1)
            - plain_kl(m, v)
        ),
        "A small number is added inside the logarithm",
    ),
    (lambda x, a, m, v: bound(x, a, m, v).mean(), "reduced over the batch"),
    (lambda x, a, m, v: bound(a, x, m, v), "swapped"),
    (lambda x, a, m, v: bound(x, a, m, 2 * v), "In the KL: You read log_var as log σ"),
    (lambda x, a, m, v: (bound(x, a, m, v), plain_kl(m, v), 1), "returns a tuple|return"),
    (
        lambda x, a, m, v: Bernoulli(logits=a).log_prob(x) - plain_kl(m, v)[:, None],
        r"shape \[5, 7\]",
    ),
    (lambda x, a, m, v: bound(x, a, m, v) - 0.5 * LOG_2PI, "too small, everywhere"),
    (lambda x, a, m, v: (x * a - a.exp().log1p()).sum(1) - kl(m, v), "logits of 1000, .* lost"),
    (lambda x, a, m, v: -bce(x, a).sum(1) - kl(m, v).sum(), "another answer alone"),
    (
        lambda x, a, m, v: (-bce(x, a).sum(1)[:, None] - kl(m, v)).mean(1),
        "another answer alone",
    ),
    (lambda x, a, m, v: -bce(x, 0 * a).sum(1) - kl(m, v), "logits"),
    (clamped_in_place, "You change logits in place; the caller still needs it.$"),
    (lambda x, a, m, v: -bce(x, a.clamp(-20, 20)).sum(1) - kl(m, v), "are cut off"),
    (lambda x, a, m, v: -784 * bce(x, a).mean(1) - kl(m, v), "784 pixels are written in"),
    (lambda x, a, m, v: (x * a.log_softmax(1)).sum(1) - kl(m, v), "softmax runs over the pixels"),
    (lambda x, a, m, v: -bce(x, a).sum(1) - kl(m.requires_grad_(), v), "requires_grad or grad of"),
    (lambda x, a, m, v: (-bce(x, a).sum(1) - kl(m, v)).squeeze(), "For one row alone"),
    (
        lambda x, a, m, v: -bce(x, a).sum(1) / x.shape[1] - kl(m, v) / m.shape[1],
        "Both terms",
    ),
    (from_probabilities, "cut off at −100"),
]
RIGHT = [
    row_by_row,
    in_numpy,
    lambda x, f, m, v: (x * f - functional.softplus(f)).sum(1) - kl(m, v),
    lambda x, f, m, v: Bernoulli(logits=f).log_prob(x).sum(-1) - kl(m, v),
    lambda x, f, m, v: torch.einsum("bd->b", -bce(x, f)) + 0.5 * (1 + v - m**2 - v.exp()).sum(1),
    lambda x, logits, loc, log_var, beta=1.0: -bce(x, logits).sum(1) - beta * kl(loc, log_var),
    lambda x, f, m, v: -bce(x.float(), f.float()).sum(1) - kl(m.float(), v.float()),
    lambda x, f, m, v: -functional.softplus(torch.where(x > 0.5, -f, f)).sum(1) - kl(m, v),
    by_scipy,
    lambda x, a, m, v: Independent(Bernoulli(logits=a), 1).log_prob(x) - plain_kl(m, v),
    lambda x, a, m, v: (x * a - functional.softplus(a)).sum(1) - plain_kl(m, v),
    lambda x, a, m, v: (
        bound(x, a.float(), m.float(), v.float())
        if False
        else bound(x.float(), a.float(), m.float(), v.float())
    ),
    lambda x, a, m, v: torch.stack([bound(*(t[None] for t in row))[0] for row in zip(x, a, m, v)]),
    lambda x, a, m, v: (-bce(x, a).sum(1) - kl(m, v)).tolist(),
]
