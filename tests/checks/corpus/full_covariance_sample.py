"""Answers to `vc.checks.full_covariance_sample`, written before the check was read."""

import math

import numpy as np
import torch
from torch.distributions import MultivariateNormal, Normal


def factor(log_var, raw, scale=lambda v: (0.5 * v).exp()):
    return raw.tril(-1) + torch.diag_embed(scale(log_var))


def log_noise(eps):
    return -0.5 * (eps.square() + math.log(2 * math.pi)).sum(1)


def exact(loc, log_var, raw, eps, L=None, log_q=None):
    L = factor(log_var, raw) if L is None else L
    z = loc + (L @ eps[:, :, None])[:, :, 0]
    return z, log_noise(eps) - 0.5 * log_var.sum(1) if log_q is None else log_q(z, L)


def of(L, log_q=None):
    return lambda loc, log_var, raw, eps: exact(loc, log_var, raw, eps, L(log_var, raw), log_q)


def with_log_q(log_q):
    def fn(loc, log_var, raw, eps):
        z, _ = exact(loc, log_var, raw, eps)
        return z, log_q(z, loc, log_var, raw, eps)

    return fn


def mvn(z, loc, log_var, raw, eps):
    return MultivariateNormal(loc, scale_tril=factor(log_var, raw)).log_prob(z)


def in_place(loc, log_var, raw, eps):
    L = raw.tril_(-1) + torch.diag_embed((0.5 * log_var).exp())
    return exact(loc, log_var, raw, eps, L)


def row_by_row(loc, log_var, raw, eps):
    zs, logs = [], []
    for m, v, r, e in zip(loc, log_var, raw, eps):
        L = torch.tril(r, diagonal=-1) + torch.diag(torch.exp(v / 2))
        z = m + L @ e
        zs.append(z)
        logs.append(MultivariateNormal(m, covariance_matrix=L @ L.T).log_prob(z))
    return torch.stack(zs), torch.stack(logs)


def solved(loc, log_var, raw, eps):
    L = factor(log_var, raw)
    z = loc + torch.einsum("bij,bj->bi", L, eps)
    back = torch.linalg.solve_triangular(L, (z - loc)[..., None], upper=False)[..., 0]
    return z, Normal(torch.zeros_like(back), torch.ones_like(back)).log_prob(back).sum(
        -1
    ) - torch.linalg.slogdet(L)[1]


def in_numpy(loc, log_var, raw, eps):
    loc, log_var, raw, eps = (a.numpy() for a in (loc, log_var, raw, eps))
    z = loc + np.exp(log_var / 2) * eps
    for i in range(loc.shape[1]):
        for j in range(i):
            z[:, i] += raw[:, i, j] * eps[:, j]
    return z, -0.5 * (eps**2 + log_var + np.log(2 * np.pi)).sum(1)


def sample(m, v, raw, e):
    lower = raw.tril(-1) + torch.diag_embed((v / 2).exp())
    z = m + torch.einsum("bij,bj->bi", lower, e)
    return z, -0.5 * (e**2 + math.log(2 * math.pi) + v).sum(1)


def with_density(other):
    return lambda m, v, r, e: (sample(m, v, r, e)[0], other(m, v, r, e))


def row_norms(v, r):
    return factor(v, r).norm(dim=-1)


WRONG = [
    (of(lambda v, r: r.tril() + torch.diag_embed((0.5 * v).exp())), "keeps the diagonal"),
    (
        of(lambda v, r: r.triu(1) + torch.diag_embed((0.5 * v).exp())),
        "The mask is upside down: L is lower",
    ),
    (of(lambda v, r: r + torch.diag_embed((0.5 * v).exp())), "The mask is missing: only what lies"),
    (of(lambda v, r: factor(v, r, torch.exp)), "The variances stand on the diagonal: σ"),
    (of(lambda v, r: factor(v, r, lambda a: a)), "log_var stands on the diagonal; σ is"),
    (of(lambda v, r: factor(v, r).mT), "You multiplied by Lᵀ: with ε as a"),
    (of(lambda v, r: torch.diag_embed((0.5 * v).exp())), "raw does not enter: without what is"),
    (of(lambda v, r: factor(v, r.detach())), "No gradient reaches raw"),
    (
        with_log_q(lambda z, m, v, r, e: log_noise(e) - v.sum(1)),
        r"log \|det L\| is Σ log σ, half the sum",
    ),
    (with_log_q(lambda z, m, v, r, e: log_noise(e) + 0.5 * v.sum(1)), "wrong sign: where L"),
    (with_log_q(lambda z, m, v, r, e: log_noise(e)), "The log-determinant is missing: this"),
    (
        with_log_q(lambda z, m, v, r, e: -0.5 * e.square().sum(1) - 0.5 * v.sum(1)),
        "of every latent is missing",
    ),
    (
        with_log_q(lambda z, m, v, r, e: Normal(m, (0.5 * v).exp()).log_prob(z).sum(1)),
        "This is the density of a diagonal",
    ),
    (
        with_log_q(lambda z, m, v, r, e: Normal(0.0, 1.0).log_prob(z).sum(1)),
        "This is the standard normal density of",
    ),
    (with_log_q(lambda z, m, v, r, e: mvn(z.detach(), m, v, r, e)), "gradient"),
    (with_log_q(lambda z, m, v, r, e: mvn(z, m, v, r, e).sum()), "batch"),
    (with_log_q(lambda z, m, v, r, e: mvn(z, m, v, r, e)[:, None]), "sum without keepdim"),
    (
        with_log_q(lambda z, m, v, r, e: mvn(z, m, v, r, e).exp()),
        r"This is q\(z\); take its logarithm",
    ),
    (with_log_q(lambda z, m, v, r, e: -mvn(z, m, v, r, e)), r"this is −log q\(z\)"),
    (in_place, "change raw in place"),
    (lambda m, v, r, e: exact(m, v, r, e)[0], "return 2 things"),
    (
        lambda m, v, r, e: exact(m, v.clamp(-4, 4), r, e),
        "In z: This is right for log_var cut off at −4 and 4, not for log_var",
    ),
    (lambda m, v, r, e: exact(m, v, r, torch.randn_like(e)), "random"),
    (lambda m, v, r, e: sample(m, v, r.mT, e), "n z"),
    (lambda m, v, r, e: sample(m, v, 0.5 * r, e), "n z"),
    (lambda m, v, r, e: sample(m, v, r.detach(), e), "raw"),
    (
        lambda m, v, r, e: (sample(m, v, r, e)[0].detach(), sample(m, v, r, e)[1]),
        "of z reaches",
    ),
    (
        lambda m, v, r, e: (sample(m, v, r, e)[0], sample(m, v, r, e)[1] + 0.5 * v.sum(1)),
        "log-det",
    ),
    (lambda m, v, r, e: sample(m, v, r, e)[0], "2 things"),
    (lambda m, v, r, e: sample(m, v.clamp(-1, 1), r, e), "n z|Right for"),
    (lambda m, v, r, e: sample(m, v, r.tril_(-1), e), "change raw in place"),
    (lambda m, v, r, e: (sample(m, v, r, e)[0], sample(m, v, r, e)[1].sum()), "one number"),
    (
        lambda m, v, r, e: (sample(m, v, r, e)[1], sample(m, v, r, e)[0]),
        "wrong order: return z first",
    ),
    (lambda m, v, r, e: sample(m, 2 * v, r, e), "variances stand"),
    (of(lambda v, r: r.tril()), "diagonal of L is that of raw"),
    (of(lambda v, r: r.tril(-1)), "diagonal is missing"),
    (of(lambda v, r: factor(-v, r)), "σ is inverted"),
    (of(lambda v, r: factor(v, r) @ factor(v, r).mT), "the covariance L Lᵀ"),
    (of(lambda v, r: factor(0 * v, r)), "Ones stand on the diagonal"),
    (
        of(lambda v, r: (v / 2).exp()[..., None] * (r.tril(-1) + torch.eye(r.shape[1]))),
        "scaled the rows",
    ),
    (lambda m, v, r, e: (sample(0 * m, v, r, e)[0], sample(m, v, r, e)[1]), "loc is missing"),
    (lambda m, v, r, e: (sample(m, v, r, -e)[0], sample(m, v, r, e)[1]), "noise is subtracted"),
    (
        with_density(lambda m, v, r, e: log_noise(e) - row_norms(v, r).log().sum(-1)),
        "norms of its rows",
    ),
    (
        with_density(lambda m, v, r, e: log_noise(sample(m, v, r, e)[0]) - 0.5 * v.sum(-1)),
        "evaluated at z; it belongs to ε",
    ),
    (
        with_density(
            lambda m, v, r, e: Normal(m, row_norms(v, r)).log_prob(sample(m, v, r, e)[0]).sum(-1)
        ),
        "product of the marginals",
    ),
    (
        with_density(lambda m, v, r, e: -0.5 * ((e**2 + v).sum(-1) + math.log(2 * math.pi))),
        "you subtracted it once",
    ),
    (with_density(lambda m, v, r, e: -0.5 * v.sum(-1)), r"log p\(ε\) is missing"),
    (with_density(lambda *a: sample(*a)[1].mean()), "reduced over the batch"),
    (
        with_density(lambda m, v, r, e: -0.5 * (e**2 + v + math.log(2 * math.pi))),
        "reduce it over the last axis",
    ),
    (lambda *a: (sample(*a)[0].sum(-1), sample(*a)[1]), "z has shape"),
    (with_density(lambda *a: sample(*a)[1].detach()), "no gradient of log q"),
    (lambda *a: (sample(*a)[0] + 0.1, sample(*a)[1]), "too large, everywhere"),
    (lambda m, v, r, e: sample(m.detach(), v, r, e), "No gradient reaches loc"),
    (lambda m, v, r, e: sample(m, v.detach(), r, e), "No gradient reaches log_var"),
]
WRONG += [
    (
        lambda m, v, r, e: (exact(m, v.detach(), r, e)[0], exact(m, v, r, e)[1]),
        r"^No gradient reaches log_var from z: the value is right",
    ),
    (
        lambda m, v, r, e: (exact(m, v, r, e)[0], log_noise(e) - 2 * v.sum(1)),
        "you subtracted 2 Σ log_var",
    ),
    (
        lambda m, v, r, e: (m[..., None] + factor(v, r) @ e[..., None], exact(m, v, r, e)[1]),
        r"^z has shape \[5, 3, 1\]; drop the last axis, by \[..., 0\], or sum",
    ),
    (of(lambda v, r: r.tril(-2) + torch.diag_embed((0.5 * v).exp())), "next to the diagonal"),
    (of(lambda v, r: torch.linalg.inv(factor(v, r))), "You solved L v = ε"),
]
RIGHT = [
    row_by_row,
    solved,
    in_numpy,
    with_log_q(mvn),
    lambda m, v, r, e: list(exact(m, v, r, e)),
    lambda loc, log_var, raw, eps, jitter=0.0: exact(loc, log_var + jitter, raw, eps),
    lambda m, v, r, e: exact(
        m,
        v,
        r,
        e,
        torch.where(torch.ones_like(r).tril(-1).bool(), r, 0.0)
        + torch.eye(r.shape[1], dtype=r.dtype) * v.exp().sqrt()[:, None],
    ),
    lambda m, v, r, e: (
        sample(m, v, r, e)[0],
        torch.distributions.MultivariateNormal(
            m, scale_tril=r.tril(-1) + torch.diag_embed((v / 2).exp())
        ).log_prob(sample(m, v, r, e)[0]),
    ),
    lambda m, v, r, e: [part.numpy() for part in sample(m, v, r, e)],
    lambda m, v, r, e: list(sample(m, v, torch.tril(r, diagonal=-1), e)),
]
