"""Answers to `vc.checks.frechet`, written before the check was read."""

import numpy as np
import torch
from scipy import linalg
from torch.distributions import MultivariateNormal, kl_divergence


def root(c):
    values, vectors = torch.linalg.eigh(c)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def exact(m1, c1, m2, c2, cross=None):
    half = root(c1)
    inner = (
        torch.linalg.eigvalsh(half @ c2 @ half).clamp(min=0).sqrt().sum()
        if cross is None
        else cross
    )
    return (m1 - m2).square().sum() + c1.trace() + c2.trace() - 2 * inner


def unclamped(m1, c1, m2, c2):
    values, vectors = torch.linalg.eigh(c1)
    half = vectors * values.sqrt() @ vectors.T
    return exact(m1, c1, m2, c2, torch.linalg.eigvalsh(half @ c2 @ half).sqrt().sum())


def by_cholesky_of_first(m1, c1, m2, c2):
    L = torch.linalg.cholesky(c1)
    return exact(m1, c1, m2, c2, torch.linalg.eigvalsh(L.T @ c2 @ L).clamp(min=0).sqrt().sum())


def with_jitter(m1, c1, m2, c2):
    eye = torch.eye(len(m1), dtype=c1.dtype)
    return exact(m1, c1 + 1e-3 * eye, m2, c2 + 1e-3 * eye)


def in_place(m1, c1, m2, c2):
    m1 -= m2
    return exact(m1, c1, 0 * m2, c2)


def nuclear(mean1, cov1, mean2, cov2):
    cross = torch.linalg.matrix_norm(root(cov2) @ root(cov1), ord="nuc")
    return (mean1 - mean2) @ (mean1 - mean2) + torch.trace(cov1 + cov2) - 2 * cross


def in_numpy(mean1, cov1, mean2, cov2):
    def half(c):
        values, vectors = np.linalg.eigh(c)
        return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T

    a, b = half(cov1.numpy()), half(cov2.numpy())
    cross = np.linalg.svd(a @ b, compute_uv=False).sum()
    shift = (mean1 - mean2).numpy()
    return float(shift @ shift + np.trace(cov1.numpy()) + np.trace(cov2.numpy()) - 2 * cross)


def by_eigenvalues(m1, c1, m2, c2):
    values = torch.linalg.eigvals(c1 @ c2)
    return exact(m1, c1, m2, c2, values.real.clamp(min=0).sqrt().sum())


class Distance:
    def __call__(self, mean1, cov1, mean2, cov2, squared=True):
        value = exact(mean2, cov2, mean1, cov1)
        return value if squared else value.sqrt()


def frechet(m, c, n, d):
    w, u = torch.linalg.eigh(c)
    half = u @ torch.diag(w.clamp(min=0).sqrt()) @ u.T
    roots = torch.linalg.eigvalsh(half @ d @ half).clamp(min=0).sqrt()
    return (m - n).square().sum() + c.trace() + d.trace() - 2 * roots.sum()


def plain_unclamped(m, c, n, d):
    w, u = torch.linalg.eigh(c)
    half = u @ torch.diag(w.sqrt()) @ u.T
    roots = torch.linalg.eigvalsh(half @ d @ half).sqrt()
    return (m - n).square().sum() + c.trace() + d.trace() - 2 * roots.sum()


def by_singular_values(m, c, n, d):
    roots = []
    for matrix in (c, d):
        w, u = torch.linalg.eigh(matrix)
        roots.append(u * w.clamp(min=0).sqrt())
    nuclear = torch.linalg.svdvals(roots[0].T @ roots[1]).sum()
    return float(((m - n) ** 2).sum() + (c + d).trace() - 2 * nuclear)


def jittered(m, c, n, d):
    c += 1e-6 * torch.eye(len(c))
    return frechet(m, c, n, d)


def by_rows(c):
    values, vectors = torch.linalg.eigh(c)
    return values.clamp(min=0).sqrt()[:, None] * vectors @ vectors.T


def by_factors(m, c, n, d):
    small = 1e-12 * torch.eye(len(m), dtype=c.dtype)
    apart = torch.linalg.cholesky(c + small) - torch.linalg.cholesky(d + small)
    return (m - n).square().sum() + apart.square().sum()


def backward_kl(m, c, n, d):
    small = 1e-9 * torch.eye(len(m), dtype=c.dtype)
    one, two = MultivariateNormal(m, c + small), MultivariateNormal(n, d + small)
    return kl_divergence(two, one).item()


def padded(size):
    def fn(m, c, n, d):
        small = size * torch.eye(len(m), dtype=c.dtype)
        return exact(m, c + small, n, d + small)

    return fn


def by_scipy(mean1, cov1, mean2, cov2):
    """In numpy; the traces by the real part of a root that may be complex."""
    difference = np.asarray(mean1) - np.asarray(mean2)
    root_of_both = linalg.sqrtm(np.asarray(cov1) @ np.asarray(cov2)).real
    return difference @ difference + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(root_of_both)


def written(mean, covariance):
    """A wrong distance from a term in |μ₁ − μ₂|² and one in the two covariances (numpy)."""

    def fn(mean1, cov1, mean2, cov2):
        return mean((mean1 - mean2).square().sum().item()) + covariance(cov1.numpy(), cov2.numpy())

    return fn


def sqrtm(matrix):
    return linalg.sqrtm(matrix).real


def traces(one, two):
    return np.trace(one + two - 2 * sqrtm(one @ two))


def plain(square):
    return square


def without_an_inverse(mean1, cov1, mean2, cov2):
    factor = np.linalg.inv(np.linalg.cholesky(cov1 + 1e-2 * torch.eye(len(cov1))))
    return by_scipy(mean1, cov1, mean2, cov2) + 0 * factor.sum() + (torch.linalg.det(cov1) == 0)


WRONG = [
    (by_factors, "Cholesky factors stand where the roots"),
    (backward_kl, "This is KL.2 ‖ 1."),
    (lambda m, c, n, d: exact(m, c, -n, d), "The means are added; subtract"),
    (padded(1e-3), "A small number is added to the variances"),
    (padded(1e-6), "This is right for cov1 and cov2 with 10⁻⁶ added to the diagonal, not"),
    (lambda *a: exact(*a).sqrt(), "This is the root of the distance; it"),
    (lambda *a: -exact(*a), "sign"),
    (lambda m1, c1, m2, c2: (m1 - m2).square().sum(), "Only the means are compared; the"),
    (lambda m1, c1, m2, c2: exact(0 * m1, c1, 0 * m2, c2), "The means are missing"),
    (
        lambda m1, c1, m2, c2: exact(m1, c1, m2, c2) - (m1 - m2).square().sum() + (m1 - m2).norm(),
        r"\|μ₁ − μ₂\| enters squared; yours does",
    ),
    (
        lambda m1, c1, m2, c2: (m1 - m2).square().sum() + c1.trace() + c2.trace(),
        "The root is missing: the two would",
    ),
    (
        lambda m1, c1, m2, c2: exact(
            m1,
            c1,
            m2,
            c2,
            0.5 * torch.linalg.eigvalsh(root(c1) @ c2 @ root(c1)).clamp(min=0).sqrt().sum(),
        ),
        "The factor 2 before the root is",
    ),
    (
        lambda m1, c1, m2, c2: exact(m1, c1, m2, c2, (root(c1) * root(c2)).sum()),
        r"tr\(C₁\^½ C₂\^½\) is right for covariances",
    ),
    (
        lambda m1, c1, m2, c2: exact(m1, c1, m2, c2, (c1 @ c2).trace().clamp(min=0).sqrt()),
        "the trace of the root is asked for",
    ),
    (
        lambda m1, c1, m2, c2: exact(m1, c1, m2, c2, (c1 @ c2).trace()),
        r"The outer root is missing: \(…\)\^½",
    ),
    (
        lambda m1, c1, m2, c2: exact(m1, c1, m2, c2, (c1 * c2).clamp(min=0).sqrt().trace()),
        "Only the variances are used; the",
    ),
    (
        lambda m1, c1, m2, c2: (
            (m1 - m2).square().sum() + (c1.diagonal().sqrt() - c2.diagonal().sqrt()).square().sum()
        ),
        "Only the variances are used; the",
    ),
    (
        lambda m1, c1, m2, c2: (m1 - m2).square().sum() + (c1 - c2).square().sum(),
        r"\|C₁ − C₂\|² is no transport cost; roots",
    ),
    (
        lambda m1, c1, m2, c2: (m1 - m2).square().sum() + (root(c1) - root(c2)).square().sum(),
        r"tr\(C₁\^½ C₂\^½\) is right for covariances",
    ),
    (
        lambda m1, c1, m2, c2: exact(
            m1, c1, m2, c2, torch.linalg.eigh(c1 @ c2)[0].clamp(min=0).sqrt().sum()
        ),
        "eigh and eigvalsh read one triangle",
    ),
    (unclamped, "NaN"),
    (by_cholesky_of_first, "For two Gaussians on one line, with"),
    (with_jitter, "A small number is added"),
    (in_place, "in place"),
    (lambda *a: exact(*a) / len(a[0]), "divided"),
    (lambda *a: exact(*a).clamp(max=10), "The answer is cut off at"),
    (
        lambda m1, c1, m2, c2: exact(m1, c1.diagonal().diag(), m2, c2.diagonal().diag()),
        "Only the variances are used; the",
    ),
    (
        lambda m1, c1, m2, c2: exact(m1, c1, m2, c2).exp().log(),
        "With columns of very unlike size, your",
    ),
    (plain_unclamped, "NaN|clamp"),
    (jittered, "change cov1 in place"),
    (
        lambda m, c, n, d: (
            (m - n).square().sum()
            + (c + d).trace()
            - 2 * torch.linalg.eigvalsh(c @ d).clamp(min=0).sqrt().sum()
        ),
        "not symmetric",
    ),
    (lambda m, c, n, d: frechet(m, c, n, d).sqrt(), "asked for squared"),
    (lambda m, c, n, d: frechet(m, c, m, d), "means are missing|means is missing"),
    (lambda m, c, n, d: frechet(m, c @ c, n, d @ d), "for standard deviations"),
    (
        lambda m, c, n, d: frechet(m, torch.diag(c.diag()), n, torch.diag(d.diag())),
        "variances are used",
    ),
    (lambda m, c, n, d: (m - n).norm() + frechet(m, c, m, d), "enters squared"),
    (
        lambda m, c, n, d: frechet(m, torch.linalg.cholesky(c) @ torch.linalg.cholesky(c).T, n, d),
        "singular",
    ),
    (lambda m, c, n, d: frechet(m, c, n, d) / len(m), "divided by the dimension"),
    (lambda m, c, n, d: (frechet(m, c, n, d), 0), "returns a tuple|shape"),
    (
        lambda m, c, n, d: (
            (m - n).square().sum()
            + (root(torch.linalg.eigvalsh(c).diag()) - root(torch.linalg.eigvalsh(d).diag()))
            .square()
            .sum()
        ),
        "paired in order",
    ),
    (lambda m, c, n, d: exact(m, c, n, d, root(c @ d @ c).trace()), "C₁ stands on both sides"),
    (lambda m, c, n, d: exact(m, c, n, d, root(by_rows(c) @ d @ by_rows(c)).trace()), "rows of V"),
    (lambda m, c, n, d: exact(m, c, n, d, c.trace()), "as if C₁ stood between its own roots"),
    (
        lambda m, c, n, d: frechet(m, c, n, d) - (m - n).square().sum() + (m - n).square(),
        "squared differences of the means are not summed",
    ),
    (lambda m, c, n, d: frechet(m.requires_grad_(), c, n, d), "requires_grad or grad of mean1"),
    (
        lambda m, c, n, d: frechet(m, c, n, d) + (c + d).sum() - (c + d).trace(),
        "the trace is the sum of the diagonal",
    ),
    (written(lambda square: square / 3, traces), "means counts 1/3 times"),
    (written(plain, lambda a, b: np.trace(a + b + 2 * sqrtm(a @ b))), "root is added"),
    (written(plain, lambda a, b: np.trace(a + b - 2 * np.sqrt(a @ b))), "root of every entry"),
    (
        written(plain, lambda a, b: np.trace(a + b - 2 * np.sqrt(np.sqrt(a) @ b @ np.sqrt(a)))),
        "roots of every entry",
    ),
    (
        written(plain, lambda a, b: np.trace(a + b - 2 * sqrtm(np.sqrt(a) @ b @ np.sqrt(a)))),
        "inner root is taken of every entry",
    ),
    (written(plain, lambda a, b: np.trace(a + b - 2 * sqrtm(a + b))), "root of the sum"),
    (
        written(plain, lambda a, b: traces(sqrtm(a), sqrtm(b))),
        "in the place of the covariances",
    ),
    (written(plain, lambda a, b: np.sum(a + b - 2 * sqrtm(a @ b))), "a trace is that of"),
    (lambda *given: by_scipy(*given) + 0j, "complex number"),
    (without_an_inverse, "singular covariances.* your answer is 9 where 8 is right"),
    (lambda mean1, cov1, mean2, cov2: mean1 - mean2, "must be one number"),
]
WRONG += [
    (plain_unclamped, "unlike size, your answer is NaN where 1.997e.05 is right[.]|clamp eigen"),
    (lambda m, c, n, d: np.linalg.inv(m.numpy()), "inverted or decomposed that is not square"),
    (lambda m, c, n, d: np.linalg.inv(c.numpy()[:2]), "inverted or decomposed that is not square"),
    (lambda m, c, n, d: torch.linalg.inv(c[:2]), "inverted or decomposed that is not square"),
    (lambda m, c, n, d: 1 / 0, "There is a division by zero"),
]
RIGHT = [
    lambda m, c, n, d: (
        float((m - n) @ (m - n)) + np.trace(c + d - 2 * linalg.sqrtm((c @ d).numpy()).real)
    ),
    nuclear,
    in_numpy,
    by_eigenvalues,
    Distance(),
    lambda m1, c1, m2, c2: exact(m2, c2, m1, c1).reshape(1),
    lambda m1, c1, m2, c2, eps=0.0: exact(m1, c1, m2, c2).item(),
    lambda m1, c1, m2, c2: np.float64(exact(m1, c1, m2, c2)),
    frechet,
    by_singular_values,
    lambda m, c, n, d: frechet(m, c, n, d).item(),
    lambda m, c, n, d: frechet(n, d, m, c),
    lambda m, c, n, d: frechet(m, c, n, d).reshape(1),
    lambda m, c, n, d: (
        float((m - n).square().sum() + (c + d).trace())
        - 2 * np.trace(linalg.sqrtm((root(c) @ d @ root(c)).numpy()).real)
    ),
    lambda *given: [frechet(*given)],
]
