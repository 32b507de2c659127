"""Answers to `vc.checks.kl`, written before the check was read."""

import functools
import math

import numpy as np
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence


def exact(m, v):
    return 0.5 * (v.exp() + m.square() - 1 - v).sum(1)


def reversed_kl(m, v):
    return kl_divergence(Normal(torch.zeros_like(m), 1.0), Normal(m, (0.5 * v).exp())).sum(1)


def by_loop(loc, log_var):
    rows = []
    for m, v in zip(loc, log_var):
        rows.append(sum((a**2 + b.exp() - b - 1) / 2 for a, b in zip(m, v)))
    return torch.stack(rows)


def as_matrices(loc, log_var):
    q = MultivariateNormal(loc, torch.diag_embed(log_var.exp()))
    p = MultivariateNormal(torch.zeros_like(loc[0]), torch.eye(loc.shape[1], dtype=loc.dtype))
    return kl_divergence(q, p)


def with_independent(loc, log_var):
    q = Independent(Normal(loc, torch.exp(log_var / 2)), 1)
    return kl_divergence(q, Independent(Normal(0 * loc, 1 + 0 * loc), 1))


def general(loc, log_var, *, prior_loc=0.0, prior_log_var=0.0):
    precision = math.exp(-prior_log_var)
    return 0.5 * (
        precision * (log_var.exp() + (loc - prior_loc) ** 2) - 1 + prior_log_var - log_var
    ).sum(-1)


def kl(m, v):
    return 0.5 * (v.exp() + m**2 - 1 - v).sum(-1)


def kl_in_place(m, v):
    v += 0.0
    v.exp_()
    return 0.5 * (v + m**2 - 1 - v.log()).sum(-1)


def monte_carlo_kl(m, v):
    z = m + (v / 2).exp() * torch.randn(1000, *m.shape)
    q, p = Normal(m, (v / 2).exp()), Normal(0.0, 1.0)
    return (q.log_prob(z) - p.log_prob(z)).sum(-1).mean(0)


def kl_by_numpy(m, v):
    m, v = np.asarray(m), np.asarray(v)
    return np.einsum("bj->b", 0.5 * (np.exp(v) + m * m - 1.0 - v))


def kl_by_loop(m, v):
    return [
        sum(0.5 * (math.exp(b) + a * a - 1 - b) for a, b in zip(*rows))
        for rows in zip(m.tolist(), v.tolist())
    ]


def kl_of_distributions(m, v):
    return kl_divergence(Normal(m, torch.exp(0.5 * v)), Normal(torch.zeros_like(m), 1.0)).sum(1)


def kl_by_expm1(m, v):
    return 0.5 * torch.sum(torch.expm1(v) - v + torch.square(m), dim=1)


WRONG = [
    (
        lambda m, v: exact(m, v.clamp(-15, 15)),
        "This is right for log_var cut off at −15 and 15, not for log_var",
    ),
    (
        lambda m, v: exact(m.clamp(-50, 50), v),
        r"This is right for loc cut off at −50 and 50, not for loc itself\.",
    ),
    (lambda m, v: exact(m[:, :1], v[:, :1]), "Only the first latent counts"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - 1 - v).clamp(min=0.5).sum(1), "at least a floor"),
    (reversed_kl, r"This is KL\(p ‖ q\), the wrong"),
    (lambda m, v: -0.5 * (1 + v - m**2 - v.exp()).mean(), "batch"),
    (lambda m, v: -0.5 * (1 + v - m**2 + v.exp()).sum(1), "The term σ² has the wrong sign"),
    (lambda m, v: 0.5 * (v + m**2 - 1 - v.exp()).sum(1), "our answer is"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - v).sum(1) - 0.5, "The −1 was subtracted once a row; it"),
    (lambda m, v: 0.5 * ((0.5 * v).exp() + m**2 - 1 - v).sum(1), "The deviation stands where the"),
    (
        lambda m, v: 0.5 * (v.exp() + m.abs() - 1 - v).sum(1),
        r"The mean enters squared, not as \|μ\|",
    ),
    (lambda m, v: exact(m, v) / m.shape[1], "The KL is averaged over the latents"),
    (
        lambda m, v: exact(m, v.clamp(-5, 5)),
        "This is right for log_var cut off at −5 and 5, not for log_var",
    ),
    (
        lambda m, v: exact(m.clamp(-3, 3), v),
        r"This is right for loc cut off at −3 and 3, not for loc itself\.",
    ),
    (lambda m, v: exact(m, v.detach()), "No gradient reaches log_var"),
    (lambda m, v: exact(m, v).float().round(decimals=1), "rounded"),
    (lambda m, v: torch.distributions.Normal(m, (0.5 * v).exp()), "distribution"),
    (
        lambda m, v: kl_divergence(Normal(m, v.exp()), Normal(0.0, 1.0)).sum(1),
        "You read log_var as log σ: it is log",
    ),
    (
        lambda m, v: kl_divergence(Normal(m, (0.5 * v).exp()), Normal(0.0, 1.0)),
        r"The answer has shape \[5, 3\]; reduce it",
    ),
    (lambda m, v: 0.5 * (v.exp_() + m.square() - 1 - v).sum(1), "in place"),
    (kl_in_place, "change log_var in place"),
    (monte_carlo_kl, "no random draw"),
    (
        lambda m, v: kl(m, v.clamp(-2, 2)),
        "This is right for log_var cut off at −2 and 2, not for log_var",
    ),
    (lambda m, v: kl(m, (v.exp() + 0.01).log()), r"the logarithm of exp\(log_var\) \+ 0.01"),
    (
        lambda m, v: 0.5 * (v.detach().exp() + m**2 - 1 - v).sum(1),
        "not the gradient by log_var",
    ),
    (lambda m, v: 0.5 * (v.exp() + m * m.detach() - 1 - v).sum(1), "not the gradient by loc"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - 1 - v).sum(0), "one for each column"),
    (lambda m, v: kl(m, v) / len(m), "divided by the number of rows"),
    (lambda m, v: kl(m, v) / 784, "1/784 times what is right"),
    (lambda m, v: kl(m, v) / math.log(2), "bits, not nats"),
    (lambda m, v: (kl(m, v), m), "returns a tuple of 2 things"),
    (lambda m, v: 0.5 * sum(np.exp(v) + m**2 - 1 - v), "over the wrong axis|has shape"),
    (lambda m, v: print(end=""), "returns nothing"),
    (lambda m, v: -0.5 * (1 + v - m**2 - v.exp()).mean(), "one number"),
    (lambda m, v: 0.5 * (v.exp() + m.abs() - 1 - v).sum(1), "not as .μ."),
    (lambda m, v: kl(m, v).clamp(max=50), "cut off at 50"),
    (lambda m, v: math.log(v) + m, "whole tensor"),
    (lambda m: m, "is called with"),
    (lambda m, v: kl(v, m), r"This is right with loc and log_var exchanged\."),
    (
        lambda m, v: torch.cat([kl(m[:-1], v[:-1]), torch.zeros(1)]),
        "your answer is|another answer alone",
    ),
    (lambda m, v: 2 * exact(m, v), "½ is missing"),
    (lambda m, v: -exact(m, v), "The sign is wrong"),
    (lambda m, v: 0.5 * ((2 * v).exp() + m**2 - 1 - v).sum(-1), "you squared it"),
    (lambda m, v: 0.5 * (v + m**2 - 1 - v.log()).sum(-1), "log_var as the variance itself"),
    (lambda m, v: 0.5 * (v**2 + m**2 - 1 - 2 * v.abs().log()).sum(-1), "log_var as σ"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - 1 - v.log()).sum(-1), "taken once more"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - v).sum(-1), "−1 is missing"),
    (lambda m, v: 0.5 * (v.exp() + m - 1 - v).sum(-1), "mean enters squared"),
    (lambda m, v: 0.5 * (v.exp() - 1 - v).sum(-1), "μ² is missing"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - 1 + v).sum(-1), "wrong sign, so a narrow q"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - 1).sum(-1), "log σ² is missing"),
    (lambda m, v: Independent(Normal(m, (v / 2).exp()), 1).entropy(), "entropy of q"),
    (lambda m, v: exact(m, v)[:, None], "without keepdim"),
    (lambda m, v: exact(m, v).detach(), "detached: no gradient reaches loc, log_var"),
    (lambda m, v: exact(m, v).sum(), r"as well \(the sum\)"),
    (lambda m, v: exact(m, v).mean(), r"as well \(the mean\)"),
    (lambda m, v: exact(m, v.abs()), "the absolute value of log_var"),
]
RIGHT = [
    by_loop,
    as_matrices,
    with_independent,
    general,
    functools.partial(general, prior_loc=0.0),
    lambda m, v: 0.5 * (np.exp(v.numpy()) + m.numpy() ** 2 - 1 - v.numpy()).sum(axis=1),
    lambda m, v: torch.einsum("bj->b", (torch.expm1(v) - v + m * m) / 2),
    lambda m, v: exact(m.float(), v.float()),
    kl_by_numpy,
    kl_by_loop,
    kl_of_distributions,
    kl_by_expm1,
]
