"""The Fréchet distance between two Gaussians, and what a finite sample does to it.

Taught in chapter 13. d² = |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁^½ C₂ C₁^½)^½), the squared 2-Wasserstein
distance [DL82], in the square of the features' unit. It goes by the name FID only where the
features are those of the Inception network [HRU+17]. Everything is float64.
"""

import math
import warnings
from typing import NamedTuple

import torch
from scipy.linalg.lapack import dpstrf
from torch import Tensor

from vaecourse._arguments import (
    as_tensor,
    check_count,
    check_finite,
    check_several,
    check_shape,
    seeded,
)

_ROUNDING = 10 * torch.finfo(torch.float64).eps


class FeatureStatistics(NamedTuple):
    """The mean [D] and the covariance [D, D], with N − 1 in the denominator, of features."""

    mean: Tensor
    cov: Tensor


class OptimalMap(NamedTuple):
    """x ↦ matrix x + offset, the cheapest way to carry one Gaussian onto another."""

    matrix: Tensor
    offset: Tensor

    def __call__(self, x):
        """The image of each row of x [..., D]."""
        return x @ self.matrix.T + self.offset


class FrechetCurve(NamedTuple):
    """Distances [K, R] at `sizes` [K] in R repeats, and their limit as 1/n goes to 0.

    `standard_error` is that of `limit` over the repeats, which draw from the same features: it
    does not hold what other features would change.
    """

    sizes: Tensor
    distances: Tensor
    limit: float
    standard_error: float


def feature_statistics(features):
    """Mean and covariance of features [N, D], a tensor or an array.

    With N ≤ D the covariance is singular and the distance mostly bias: that is computed, with a
    warning. Raises ValueError for one row, for another shape, for NaN or infinite values.
    """
    features = _features("features", features)
    n, dim = features.shape
    if n <= dim:
        warnings.warn(
            f"features has {n} rows for {dim} dimensions: its covariance is singular, and a "
            "Fréchet distance from it far too large; see extrapolated_frechet_distance.",
            stacklevel=2,
        )
    return _statistics(features)


def frechet_distance(mean1, cov1, mean2, cov2):
    """The squared 2-Wasserstein distance of N(mean1, cov1) and N(mean2, cov2), a float.

    Means are [D], covariances [D, D] and may be singular. With Cᵢ = Aᵢ Aᵢᵀ the trace of the root
    is the sum of the singular values of A₁ᵀ A₂: nothing complex can arise. Raises ValueError for
    shapes that do not fit, for NaN, for a covariance that is not symmetric or not positive
    semi-definite. [DL82]; chapter 13.
    """
    mean1, cov1, mean2, cov2 = _gaussians(mean1, cov1, mean2, cov2)
    total = cov1.trace() + cov2.trace()
    product = _factor("cov1", cov1).T @ _factor("cov2", cov2)
    root = _sum_of_singular_values(product, tolerance=2e-10 * total)
    # Two equal Gaussians are apart by rounding, which may have either sign.
    return (mean1 - mean2).square().sum().item() + max((total - 2 * root).item(), 0.0)


def optimal_map(mean1, cov1, mean2, cov2):
    """The linear map from N(mean1, cov1) onto N(mean2, cov2) with the least mean of |x − y|².

    That mean is `frechet_distance`. matrix = A⁻ᵀ (Aᵀ C₂ A)^½ A⁻¹ with C₁ = A Aᵀ, symmetric and
    positive semi-definite. Raises ValueError as `frechet_distance` does, and for a singular cov1,
    which no map carries onto a Gaussian of higher rank. [DL82]; chapter 13.
    """
    mean1, cov1, mean2, cov2 = _gaussians(mean1, cov1, mean2, cov2)
    factor, failed = torch.linalg.cholesky_ex(cov1)
    if failed:
        raise ValueError("cov1 is not positive definite; a map starts from one that is.")
    u, s, _ = torch.linalg.svd(factor.T @ _factor("cov2", cov2), full_matrices=False)
    half = torch.linalg.solve_triangular(factor.T, u * s.sqrt(), upper=True)
    matrix = half @ half.T
    return OptimalMap(matrix, mean2 - matrix @ mean1)


def extrapolated_frechet_distance(features1, features2, sizes, repeats=5, seed=0):
    """The distance between random rows of two feature sets at several n, and at 1/n → 0.

    features1, features2: [N₁, D] and [N₂, D]. sizes: two or more different numbers of rows n; each
    repeat draws n rows of either set without replacement. The bias of the plain distance is
    proportional to 1/n to first order [CF20], so a line through distance against 1/n is
    fitted to each repeat, and the intercepts are averaged. Raises ValueError for sizes beyond
    the rows there are, below 2, or all the same. Returns a `FrechetCurve`; chapter 13.
    """
    features1, features2 = _features("features1", features1), _features("features2", features2)
    check_shape("features2", features2, (None, features1.shape[1]))
    most = min(len(features1), len(features2))
    if len(set(sizes)) < 2 or min(sizes) < 2 or max(sizes) > most:
        raise ValueError(
            f"sizes is {list(sizes)}; it must hold two or more different numbers from 2 to {most}."
        )
    check_count("repeats", repeats)
    generator = seeded(seed)

    def distance(n):
        parts = [x[torch.randperm(len(x), generator=generator)[:n]] for x in (features1, features2)]
        return frechet_distance(*_statistics(parts[0]), *_statistics(parts[1]))

    distances = torch.tensor(
        [[distance(n) for _ in range(repeats)] for n in sizes], dtype=torch.float64
    )
    line = torch.stack([torch.ones(len(sizes)), 1 / torch.tensor(sizes)], dim=1).double()
    intercepts = torch.linalg.lstsq(line, distances).solution[0]
    error = intercepts.std().item() / math.sqrt(repeats) if repeats > 1 else math.nan
    return FrechetCurve(torch.tensor(sizes), distances, intercepts.mean().item(), error)


def _statistics(features):
    return FeatureStatistics(features.mean(0), torch.cov(features.T).reshape(features.shape[1], -1))


def _factor(name, cov):
    """A [D, R] with cov = A Aᵀ: by Cholesky, with pivots if cov is singular, else by eigenvectors.

    Pivots cost a fifth of the eigenvectors, but magnify rounding that has made cov indefinite.
    """
    factor, failed = torch.linalg.cholesky_ex(cov)
    if not failed:
        return factor
    rounding = len(cov) * torch.finfo(cov.dtype).eps
    factor = _pivoted_cholesky(cov)
    if (cov - factor @ factor.T).abs().max() <= rounding * cov.diagonal().max():
        return factor
    values, vectors = torch.linalg.eigh(cov)
    if values[0] < -1e-6 * values[-1].abs():
        raise ValueError(
            f"{name} has an eigenvalue of {values[0]:.3g}; it must be positive semi-definite."
        )
    kept = values > rounding * values[-1]
    return vectors[:, kept] * values[kept].sqrt()


def _pivoted_cholesky(cov):
    lower, pivots, rank, _ = dpstrf(cov.numpy(), lower=1)
    factor = torch.zeros(len(cov), rank, dtype=cov.dtype)
    factor[torch.from_numpy(pivots).long() - 1] = torch.from_numpy(lower).tril()[:, :rank]
    return factor


def _sum_of_singular_values(product, tolerance):
    """By the eigenvalues of the Gram matrix, four times faster, where their rounding allows it."""
    if product.shape[0] > product.shape[1]:
        product = product.T
    squares = torch.linalg.eigvalsh(product @ product.T)
    if len(squares) == 0:
        return product.new_zeros(())
    noise = _ROUNDING * squares[-1]
    error = (0.5 * noise / squares.clamp(min=noise).sqrt()).sum()
    if error <= tolerance:
        return squares.clamp(min=0).sqrt().sum()
    return torch.linalg.svdvals(product).sum()


def _features(name, features):
    features = as_tensor(features, argument=name).detach().double().cpu()
    check_shape(name, features, (None, None))
    check_several(name, features, "a covariance")
    check_finite(name, features)
    return features


def _gaussians(mean1, cov1, mean2, cov2):
    given = {"mean1": mean1, "cov1": cov1, "mean2": mean2, "cov2": cov2}
    given = {
        name: as_tensor(value, argument=name).detach().double().cpu()
        for name, value in given.items()
    }
    check_shape("mean1", given["mean1"], (None,))
    dim = len(given["mean1"])
    for name, value in given.items():
        check_shape(name, value, (dim,) if name.startswith("mean") else (dim, dim))
        check_finite(name, value)
        if name.startswith("cov") and (value - value.T).abs().max() > 1e-6 * value.abs().max():
            raise ValueError(f"{name} is not equal to its transpose; it must be symmetric.")
    return given.values()
