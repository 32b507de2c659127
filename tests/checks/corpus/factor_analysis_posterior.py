"""Answers to `vc.checks.factor_analysis_posterior`, written before the check was read."""

import numpy as np
import torch
from torch.distributions import MultivariateNormal


def exact(x, W, mean, psi):
    scaled = W.T / psi
    covariance = torch.linalg.inv(torch.eye(W.shape[1], dtype=W.dtype) + scaled @ W)
    return (x - mean) @ (covariance @ scaled).T, covariance


def dense(x, W, mean, psi):
    """By conditioning the joint Gaussian; the D × D matrix is inverted."""
    marginal = W @ W.T + torch.diag(psi)
    gain = torch.linalg.solve(marginal, W).T
    return (gain @ (x - mean).T).T, torch.eye(W.shape[1], dtype=W.dtype) - gain @ W


def by_rows(x, weight, mean, noise_variance):
    J = weight.shape[1]
    precision = torch.eye(J, dtype=x.dtype)
    for w, v in zip(weight, noise_variance):
        precision = precision + torch.outer(w, w) / v
    rows = []
    for row in x:
        rows.append(
            torch.linalg.solve(
                precision,
                sum(w * (a - m) / v for w, a, m, v in zip(weight, row, mean, noise_variance)),
            )
        )
    return torch.stack(rows), torch.cholesky_inverse(torch.linalg.cholesky(precision))


def in_numpy(x, W, mean, psi):
    x, W, mean, psi = (a.numpy() for a in (x, W, mean, psi))
    precision = np.eye(W.shape[1]) + np.einsum("dj,d,dk->jk", W, 1 / psi, W)
    covariance = np.linalg.pinv(precision)
    return np.einsum("jk,dk,d,bd->bj", covariance, W, 1 / psi, x - mean), covariance


def whitened(x, W, mean, psi):
    root = psi.sqrt()
    _, s, vt = torch.linalg.svd(W / root[:, None], full_matrices=True)
    s = torch.cat([s, torch.zeros(W.shape[1] - len(s), dtype=s.dtype)])
    covariance = vt.T @ torch.diag(1 / (1 + s**2)) @ vt
    return ((x - mean) / root) @ (W / root[:, None]) @ covariance, covariance


def in_place(x, W, mean, psi):
    x -= mean
    return exact(x, W, 0 * mean, psi)


def changed(how):
    return lambda *arguments: how(*exact(*arguments))


def factors(x, W, m, psi):
    s = torch.linalg.inv(torch.eye(W.shape[1]) + W.T @ torch.diag(1 / psi) @ W)
    return (x - m) @ torch.diag(1 / psi) @ W @ s, s


def by_marginal(x, W, m, psi):
    c = W @ W.T + torch.diag(psi)
    gain = torch.linalg.solve(c, W).T
    return (x - m) @ gain.T, torch.eye(W.shape[1]) - gain @ W


def cut_inverse(x, W, m, psi):
    precision = torch.eye(W.shape[1]) + (W.T / psi) @ W
    s = torch.linalg.pinv(precision, rtol=1e-2)
    return (x - m) @ (s @ (W.T / psi)).T, s


def covariance_of(w, factor, prior=1.0):
    eye = torch.eye(w.shape[1], dtype=w.dtype)
    return torch.linalg.inv(prior * eye + (w.T * factor) @ w)


def with_covariance(change):
    def fn(x, w, m, s):
        return exact(x, w, m, s)[0], change(w, s)

    return fn


def with_mean(change):
    def fn(x, w, m, s):
        covariance = exact(x, w, m, s)[1]
        return change(x, w, m, s, covariance), covariance

    return fn


WRONG = [
    (cut_inverse, "rank one"),
    (changed(lambda a, c: (a.clamp(-5, 5), c)), "far from 0|cut off"),
    (changed(lambda a, c: (a[0], c)), r"Loc has shape|In loc|loc has shape"),
    (lambda x, W, m, p: exact(x, W, 0 * m, p), "μ is not subtracted from x"),
    (lambda x, W, m, p: exact(x, W, m, p**2), "Ψ⁻¹ enters once, not squared"),
    (lambda x, W, m, p: exact(x, W, m, p.sqrt()), "noise_variance holds variances"),
    (lambda x, W, m, p: exact(x, W, m, 1 / p), "Ψ stands where Ψ⁻¹ belongs: a noisy"),
    (lambda x, W, m, p: exact(x, W, m, p.mean().expand_as(p)), "One noise variance serves all"),
    (
        lambda x, W, m, p: exact(x, W, m, torch.ones_like(p)),
        "Ψ is missing: divide each variable by",
    ),
    (changed(lambda a, c: (a, torch.linalg.inv(c))), r"This is the precision I \+ WᵀΨ⁻¹W; the"),
    (changed(lambda a, c: (a, c.expand(len(a), *c.shape))), "has shape .5, 2, 2."),
    (changed(lambda a, c: (a, c.diagonal())), "The entries off the diagonal are"),
    (changed(lambda a, c: (a, torch.diag(c.diagonal()))), "The entries off the diagonal are"),
    (changed(lambda a, c: (a.T, c)), r"The means are \[J, B\]; give one row for"),
    (changed(lambda a, c: (c, a)), "wrong order: return loc first"),
    (changed(lambda a, c: a), "return 2 things"),
    (changed(lambda a, c: (a.mean(0), c)), "shape"),
    (changed(lambda a, c: MultivariateNormal(a, c)), "Your function returns a distribution"),
    (
        lambda x, W, m, p: ((x - m) @ W @ exact(x, W, m, p)[1], exact(x, W, m, p)[1]),
        "Ψ⁻¹ is missing in the mean: it is Σ Wᵀ",
    ),
    (
        lambda x, W, m, p: ((x - m) / p @ W, exact(x, W, m, p)[1]),
        "Σ is missing in the mean: it is Σ Wᵀ",
    ),
    (
        lambda x, W, m, p: (exact(x, W, m, p)[0], torch.linalg.inv(W.T @ (W / p[:, None]))),
        "The prior is missing: add I to WᵀΨ⁻¹W",
    ),
    (
        lambda x, W, m, p: (exact(x, W, m, p)[0] + m[: W.shape[1]].sum(), exact(x, W, m, p)[1]),
        "our answer is",
    ),
    (lambda x, W, m, p: (exact(x, W, m, p)[0], 2 * exact(x, W, m, p)[1]), "2 times"),
    (in_place, "in place"),
    (lambda x, W, m, p: exact(x - x.mean(0), W, 0 * m, p), "The mean of the rows is subtracted"),
    (lambda x, W, m, p: factors(x, W, 0 * m, p), "not subtracted"),
    (lambda x, W, m, p: factors(x, W, m, p.sqrt()), "holds variances|Ψ"),
    (lambda x, W, m, p: factors(x, W, m, 1 / p), "Ψ stands where"),
    (lambda x, W, m, p: factors(x, W, m, p.mean().expand(len(p))), "probabilistic PCA"),
    (lambda x, W, m, p: factors(x, W, m, p)[::-1], "wrong order"),
    (lambda x, W, m, p: (factors(x, W, m, p)[0].T, factors(x, W, m, p)[1]), "turned over|J, B"),
    (
        lambda x, W, m, p: (factors(x, W, m, p)[0], factors(x, W, m, p)[1].diagonal()),
        "diagonal",
    ),
    (lambda x, W, m, p: factors(x.sub_(m), W, 0 * m, p), "change x in place"),
    (lambda x, W, m, p: factors(x, W, m, p + 0.01), "n the covariance"),
    (lambda x, W, m, p: factors(x, W, m, p)[0], "2 things"),
    (lambda x, W, m, p: factors(x - x.mean(0), W, 0 * m, p), "mean of the rows"),
    (with_covariance(lambda w, s: (w.T / s) @ w), "add I, the precision of the prior"),
    (with_covariance(lambda w, s: torch.eye(w.shape[1]) - (w.T / s) @ w), "inverse missing"),
    (with_covariance(lambda w, s: (1 / (1 + (w.T / s) @ w).diagonal()).diag()), "not its diagonal"),
    (with_covariance(lambda w, s: 1 / (torch.eye(w.shape[1]) + (w.T / s) @ w)), "over each entry"),
    (
        with_covariance(lambda w, s: torch.linalg.cholesky(covariance_of(w, 1 / s))),
        "Cholesky factor",
    ),
    (with_covariance(lambda w, s: torch.linalg.inv(1 + (w.T / s) @ w)), "1 is added to every"),
    (with_covariance(lambda w, s: torch.eye(w.shape[1])), "covariance of the prior"),
    (with_covariance(lambda w, s: w @ w.T + torch.diag(s)), r"covariance is \[D, D\]"),
    (with_covariance(lambda w, s: torch.ones(2)), r"has shape \[2\]; it must be \[2, 2\]"),
    (with_covariance(lambda w, s: covariance_of(w, 1 / s) + 0.1), "our answer is|everywhere"),
    (with_mean(lambda x, w, m, s, c: ((x + m) / s) @ w @ c), "μ is added"),
    (with_mean(lambda x, w, m, s, c: ((m - x) / s) @ w @ c), "sign of the mean"),
    (with_mean(lambda x, w, m, s, c: (x - m) @ w), "This is Wᵀ"),
    (with_mean(lambda x, w, m, s, c: ((x - m) * s) @ w @ c), "Ψ stands where Ψ⁻¹ belongs in"),
    (with_mean(lambda x, w, m, s, c: ((x - m) / s) @ w @ c.inverse()), "by the precision"),
    (
        with_mean(lambda x, w, m, s, c: ((x - m) / s) @ w @ covariance_of(w, 1 / s, 0.0)),
        "weighted least squares",
    ),
    (with_mean(lambda x, w, m, s, c: (x - m) @ torch.linalg.pinv(w).T), "without noise or prior"),
    (with_mean(lambda x, w, m, s, c: x), r"loc has shape \[5, 4\]"),
    (with_mean(lambda x, w, m, s, c: ((x - m) / s) @ w @ c + 1), "our answer is|everywhere"),
]
RIGHT = [
    dense,
    by_rows,
    in_numpy,
    whitened,
    changed(lambda a, c: [a.numpy(), c]),
    lambda x, W, m, p: exact(*(a.float() for a in (x, W, m, p))),
    lambda x, weight, mean, noise_variance, jitter=0.0: exact(
        x, weight, mean, noise_variance + jitter
    ),
    by_marginal,
    lambda x, W, m, p: [part.numpy() for part in factors(x, W, m, p)],
    lambda x, W, m, p: (
        torch.stack([factors(row[None], W, m, p)[0][0] for row in x]),
        torch.cholesky_inverse(torch.linalg.cholesky(torch.eye(W.shape[1]) + (W.T / p) @ W)),
    ),
]
