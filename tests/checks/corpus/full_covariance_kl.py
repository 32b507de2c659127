"""Answers to `vc.checks.full_covariance_kl`, written before the check was read."""

import functools
import math

import numpy as np
import torch
from torch.distributions import MultivariateNormal, kl_divergence


def log_det(L):
    return 2 * L.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def exact(m, L):
    return 0.5 * (L.square().sum((1, 2)) + m.square().sum(1) - m.shape[1] - log_det(L))


def by_library(loc, scale_tril):
    eye = torch.eye(loc.shape[1], dtype=loc.dtype)
    return kl_divergence(
        MultivariateNormal(loc, scale_tril=scale_tril), MultivariateNormal(0 * loc, eye)
    )


def other_way(m, L):
    eye = torch.eye(m.shape[1], dtype=m.dtype)
    return kl_divergence(MultivariateNormal(0 * m, eye), MultivariateNormal(m, scale_tril=L))


def by_rows(loc, scale_tril):
    out = []
    for m, L in zip(loc, scale_tril):
        s = L @ L.T
        out.append(0.5 * (torch.trace(s) + m @ m - len(m) - torch.linalg.slogdet(s)[1]))
    return torch.stack(out)


def in_numpy(loc, scale_tril):
    m, L = loc.numpy(), scale_tril.numpy()
    logs = np.log(np.diagonal(L, axis1=1, axis2=2)).sum(1)
    return 0.5 * (np.einsum("bij,bij->b", L, L) + (m**2).sum(1) - m.shape[1]) - logs


def in_place(m, L):
    d = L.diagonal(dim1=-2, dim2=-1).log_().sum(-1)
    return 0.5 * (L.square().sum((1, 2)) + m.square().sum(1) - m.shape[1]) - d


def full(m, L):
    logs = torch.diagonal(L, dim1=1, dim2=2).log().sum(1)
    return 0.5 * (L.pow(2).sum((1, 2)) + m.pow(2).sum(1) - m.shape[1]) - logs


WRONG = [
    (other_way, "The direction is turned: this is"),
    (lambda m, L: -exact(m, L), "sign"),
    (lambda m, L: 2 * exact(m, L), "The ½ before the sum is missing"),
    (lambda m, L: exact(m, L) / m.shape[1], "Averaged over the latents; a KL sums"),
    (lambda m, L: exact(m, L).mean(), "Averaged over the batch"),
    (lambda m, L: exact(m, L)[:, None], "sum without keepdim"),
    (lambda m, L: exact(m, L) + log_det(L), "The log determinant has the wrong"),
    (lambda m, L: exact(m, L) + 0.5 * log_det(L), "log determinant is missing"),
    (lambda m, L: exact(m, L) + 0.25 * log_det(L), "log det Σ is 2 Σ log L_ii, since Σ = L"),
    (lambda m, L: exact(m, L) - 0.5 * log_det(L), "The log determinant counts twice: ½"),
    (lambda m, L: exact(m, L) + 0.5 * m.shape[1], "The J is missing: at q = p the KL must"),
    (lambda m, L: exact(m, L) + 0.5 * m.shape[1] - 0.5, "1 is subtracted in place of J: at q ="),
    (lambda m, L: exact(0 * m, L), "The means are missing: μᵀμ is part of"),
    (
        lambda m, L: exact(m, torch.diag_embed(L.diagonal(dim1=1, dim2=2))),
        "The trace has only the diagonal of L",
    ),
    (
        lambda m, L: (
            0.5 * (L.diagonal(dim1=1, dim2=2).sum(1) + m.square().sum(1) - m.shape[1] - log_det(L))
        ),
        "that of L Lᵀ",
    ),
    (
        lambda m, L: 0.5 * (L.sum((1, 2)) ** 2 + m.square().sum(1) - m.shape[1] - log_det(L)),
        "At .0. your answer",
    ),
    (
        lambda m, L: (
            0.5
            * (
                (L @ L).diagonal(dim1=1, dim2=2).sum(1)
                + m.square().sum(1)
                - m.shape[1]
                - log_det(L)
            )
        ),
        "The trace has only the diagonal of L",
    ),
    (lambda m, L: exact(m, L) / math.log(2), "bits"),
    (lambda m, L: exact(m, L.detach()), "scale_tril"),
    (lambda m, L: exact(m.detach(), L), "loc"),
    (lambda m, L: exact(m, L).detach(), "detached"),
    (torch.no_grad()(exact), "detached"),
    (
        lambda m, L: (
            0.5
            * (
                L.square().sum((1, 2))
                + m.square().sum(1)
                - m.shape[1]
                - torch.linalg.det(L @ L.mT).log()
            )
        ),
        "For",
    ),
    (in_place, "in place"),
    (
        lambda m, L: exact(m, L.clamp(min=0.01)),
        r"This is right for scale_tril cut off below 0\.01, not for scale_tril",
    ),
    (lambda m, L: full(m, L.mT @ L), "your answer"),
    (
        lambda m, L: (
            0.5
            * (
                (L @ L.mT).diagonal(dim1=1, dim2=2).sum(1)
                + (m**2).sum(1)
                - m.shape[1]
                - torch.det(L @ L.mT).log()
            )
        ),
        "σ = 0.001|your answer",
    ),
    (lambda m, L: full(m, L) + 0.5 * m.shape[1], "J is missing"),
    (lambda m, L: full(m, L) - 0.5 * (m**2).sum(1), "means are missing"),
    (lambda m, L: full(m, L) - L.diagonal(dim1=1, dim2=2).log().sum(1), "counts twice"),
    (lambda m, L: full(m, L) + 0.5 * (m.norm(dim=1) - (m**2).sum(1)), "|μ| enters"),
    (lambda m, L: full(m, L) + 0.5 * (m.shape[1] - 1), "1 is subtracted in place of J"),
    (lambda m, L: full(m, L) + m.shape[1], "J is added"),
    (lambda m, L: full(m, L).sum(), "one number"),
    (lambda m, L: 2 * full(m, L), "½ before the sum"),
    (lambda m, L: full(m, torch.diag_embed(L.diagonal(dim1=1, dim2=2))), "only the diagonal"),
    (
        lambda m, L: kl_divergence(
            MultivariateNormal(m, scale_tril=L), MultivariateNormal(m, scale_tril=L)
        ),
        "zero everywhere",
    ),
    (lambda m, L: full(m, L) / m.shape[1], "Averaged over the latents"),
    (
        lambda m, L: full(m, L.clamp(min=-1)),
        "This is right for scale_tril cut off below −1, not for scale_tril",
    ),
    (lambda m, L: full(m, L) / len(m), "divided by the number of rows"),
    (
        lambda m, L: (
            full(m, L) + log_det(L) / 2 - L.diagonal(dim1=1, dim2=2).clamp(min=1e-4).log().sum(1)
        ),
        r"Right but for one step: the diagonal cut off below 10⁻⁴\.",
    ),
    (
        lambda m, L: (
            0.5 * (L.diagonal(dim1=1, dim2=2).sum(1) + m.square().sum(1) - m.shape[1])
            - log_det(L) / 4
        ),
        "L is read as the covariance itself",
    ),
    (
        lambda m, L: full(m, L) + log_det(L) / 2 - L.diagonal(dim1=1, dim2=2).sum(1).log(),
        "logarithm is taken of the sum",
    ),
    (
        lambda m, L: (
            0.5 * (L.square().sum((1, 2)) + m.square().sum(1))
            + 0.5 * m.shape[1] * math.log(2 * math.pi)
        ),
        "the entropy of q must be subtracted",
    ),
    (
        lambda m, L: (
            full(m, L)
            + log_det(L)
            + 0.5 * (torch.linalg.inv(L).square().sum((1, 2)) - L.square().sum((1, 2)))
        ),
        "read as the precision of q",
    ),
    (
        lambda m, L: full(m, L) + 0.5 * (L.square().sum() - L.square().sum((1, 2))),
        "another answer alone",
    ),
    (
        lambda m, L: full(m, L) + 0.5 * (m.shape[1] - len(m)),
        r"Right but for one step: loc\.shape\[0\] in place of loc\.shape\[1\]\.",
    ),
    (lambda m, L: exact(m, L).squeeze(), "For one row alone, the answer is a number without axes"),
    (lambda m, L: exact(m.requires_grad_(), L), "You change requires_grad or grad of loc"),
    (lambda m, L: exact(m, L) + 0.5 * (m.shape[1] - 3), "3 is written in for J"),
    (
        lambda m, L: by_library(m, torch.diag_embed(L.square().sum(2).sqrt())),
        "variances alone",
    ),
]
RIGHT = [
    by_library,
    by_rows,
    in_numpy,
    functools.partial(by_library),
    lambda m, L: (
        0.5
        * (
            torch.linalg.matrix_norm(L) ** 2
            + torch.linalg.vector_norm(m, dim=1) ** 2
            - m.shape[1]
            - log_det(L)
        )
    ),
    lambda m, L: exact(m.float(), L.float()),
    lambda loc, scale_tril, prior=None: (
        0.5
        * (
            (scale_tril @ scale_tril.mT).diagonal(dim1=1, dim2=2).sum(1)
            + torch.einsum("bj,bj->b", loc, loc)
            - loc.shape[1]
        )
        - torch.logdet(scale_tril)
    ),
    lambda m, L: kl_divergence(
        MultivariateNormal(m, scale_tril=L),
        MultivariateNormal(torch.zeros_like(m), torch.eye(m.shape[1], dtype=m.dtype)),
    ),
    lambda m, L: full(m, L).numpy(),
    lambda m, L: torch.stack([full(a[None], b[None])[0] for a, b in zip(m, L)]),
    lambda m, L: (
        0.5 * (torch.einsum("bij,bij->b", L, L) + torch.einsum("bi,bi->b", m, m) - m.shape[1])
        - L.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    ),
]
