"""Estimates of a density that need no training: histogram, kernels, spectrum, naive Monte Carlo.

Taught in chapter 01. All log-densities are in nats; x is [N, D] unless said otherwise.
"""

import math

import torch
from torch.distributions import LowRankMultivariateNormal

from vaecourse._arguments import as_rows, as_tensor, check_count, check_positive, check_several
from vaecourse.evaluation.divergence import Estimate


class Histogram:
    """Equal cells on the box [low, high]^D, in any dimension: only occupied cells are stored.

    The mass of a cell is (count + pseudo_count) / (N + pseudo_count × bins^D); without
    pseudo_count > 0 a cell that no point of the training data hit has log-density −∞.
    """

    def __init__(self, bins, low, high, pseudo_count=0.0):
        self.bins = check_count("bins", bins)
        if not low < high:
            raise ValueError(f"low is {low} and high is {high}; low must be less than high.")
        if not 0 <= pseudo_count < math.inf:
            raise ValueError(f"pseudo_count is {pseudo_count}; it must be finite and at least 0.")
        self.low, self.high, self.pseudo_count = low, high, pseudo_count

    def fit(self, x):
        """Count the points of x [N, D]; ValueError if one lies outside the box."""
        x = _points("x", x)
        if not self._inside(x).all():
            raise ValueError(f"x has points outside the box [{self.low}, {self.high}]^D.")
        cells, counts = self._cells(x).unique(dim=0, return_counts=True)
        self.counts_ = dict(zip(_keys(cells), counts.tolist(), strict=True))
        self.num_points_, self.dim_ = x.shape
        return self

    def score_samples(self, x):
        """log-density at each row of x [N, D], −∞ outside the box; returns [N], float64."""
        x = _points("x", x, self.dim_)
        counts = [self.counts_.get(key, 0) for key in _keys(self._cells(x))]
        counts = torch.tensor(counts, dtype=torch.float64)
        # bins^D overflows long before the dimension of an image: stay in logarithms.
        log_cells = self.dim_ * math.log(self.bins)
        log_total = math.log(self.num_points_)
        if self.pseudo_count > 0:
            larger, smaller = sorted((log_total, math.log(self.pseudo_count) + log_cells))[::-1]
            log_total = larger + math.log1p(math.exp(smaller - larger))
        log_volume = self.dim_ * math.log((self.high - self.low) / self.bins)
        log_density = (counts + self.pseudo_count).log() - log_total - log_volume
        return log_density.masked_fill(~self._inside(x), -math.inf)

    def score(self, x):
        """Mean log-density of x [N, D], nats."""
        return self.score_samples(x).mean().item()

    def _inside(self, x):
        return ((x >= self.low) & (x <= self.high)).all(1)

    def _cells(self, x):
        position = (x - self.low) / (self.high - self.low) * self.bins
        return position.long().clamp(0, self.bins - 1)  # the upper edge belongs to the last cell


def kernel_log_density(x, points, bandwidth, chunk=1000):
    """log of the mean over `points` [M, D] of N(x; point, bandwidth² I), at x [N, D]; [N], nats.

    The distances come from one matrix product for each `chunk` rows of x, so digits are no
    trouble; memory is chunk × M. Source: [Sil86]; chapter 01.
    """
    points = _points("points", points)
    x = _points("x", x, points.shape[1], points)
    check_positive("bandwidth", bandwidth)
    shift = points.mean(0)  # distances near the origin lose fewer digits
    points, x = points - shift, x - shift
    norm = points.square().sum(1)
    constant = math.log(len(points)) + points.shape[1] * math.log(
        bandwidth * math.sqrt(2 * math.pi)
    )
    parts = []
    for part in x.split(chunk):
        distance = (part.square().sum(1, keepdim=True) + norm - 2 * part @ points.T).clamp_(min=0)
        parts.append(torch.logsumexp(distance.mul_(-0.5 / bandwidth**2), 1) - constant)
    return torch.cat(parts)


def leave_one_out_score(points, bandwidth):
    """Mean log-density of each of `points` [M, D] under the kernels on all the others, nats.

    A held-out likelihood without a held-out set; memory M². ValueError for fewer than 2 points.
    """
    points = _points("points", points)
    check_positive("bandwidth", bandwidth)
    m, d = points.shape
    if m < 2:
        raise ValueError(f"points has {m} row; leaving one out needs at least 2.")
    exponent = torch.cdist(points, points).square().mul_(-0.5 / bandwidth**2)
    exponent.fill_diagonal_(-math.inf)
    constant = math.log(m - 1) + d * math.log(bandwidth * math.sqrt(2 * math.pi))
    return (torch.logsumexp(exponent, 1) - constant).mean().item()


def silverman_bandwidth(points):
    """The rule of thumb σ (4 / ((D + 2) M))^(1 / (D + 4)) for `points` [M, D] [Sil86, eq. 4.14].

    σ² is the variance averaged over columns; the rule is best when the points are Gaussian.
    """
    points = check_several("points", _points("points", points), "a bandwidth")
    m, d = points.shape
    sigma = points.var(0).mean().sqrt().item()
    return sigma * (4 / ((d + 2) * m)) ** (1 / (d + 4))


def whittle_log_likelihood(series, spectral_density):
    """log-density of a series [T] under a Gaussian process with the given spectrum, nats.

    spectral_density: S(f) > 0 at the frequencies torch.fft.fftfreq(T), two-sided, so that its mean
    is about the variance. −½ Σ_f [log 2π S(f) + |X(f)|² / (T S(f))]: the exact density if the
    series closes into a circle, an approximation whose error per point vanishes as T grows if it
    does not [Whi53]. The series has mean zero. Raises ValueError for another length or sign.
    """
    series = as_tensor(series, argument="series")
    spectral_density = as_tensor(spectral_density, argument="spectral_density")
    if series.ndim != 1 or spectral_density.shape != series.shape:
        raise ValueError(
            f"spectral_density has shape {list(spectral_density.shape)} and series "
            f"{list(series.shape)}; both must be [T]."
        )
    if not (spectral_density > 0).all():
        raise ValueError("spectral_density has values that are not positive; all must be.")
    periodogram = torch.fft.fft(series).abs().square() / len(series)
    terms = (2 * math.pi * spectral_density).log() + periodogram / spectral_density
    return -0.5 * terms.sum().item()


def naive_log_evidence(log_likelihood):
    """log (1/S) Σ_s p(x | z_s) for draws z_s of the prior, from log_likelihood [S, ...], nats.

    An `Estimate`; the standard error is that of the logarithm to first order, and means little
    unless it is well below one. The mean is unbiased for p(x), so its logarithm is too low on
    average, by half the squared error.
    """
    log_likelihood = as_tensor(log_likelihood, argument="log_likelihood")
    s = len(log_likelihood)
    if s < 2:
        raise ValueError(f"log_likelihood has {s} draws; a standard error needs at least 2.")
    value = torch.logsumexp(log_likelihood, 0) - math.log(s)
    return Estimate(value, (log_likelihood - value).exp().std(0) / math.sqrt(s))


def log_samples_needed(x, weight, bias, variance, relative_error=0.1):
    """log of the number of draws that `naive_log_evidence` needs on a linear Gaussian model; [B].

    For z ~ N(0, I), x | z ~ N(weight z + bias, variance I), with weight [D, J], the relative
    variance of one draw is E[p(x|z)²] / p(x)² − 1, and because the square of a Gaussian density is
    again one, of half the variance,
        E[p(x|z)²] = (4π variance)^(−D/2) N(x; bias, weight weightᵀ + ½ variance I).
    S = relative variance / relative_error² draws bring the standard error down to relative_error.
    The natural logarithm is returned because S may exceed any float. Chapter 01.
    """
    if not (variance > 0 and relative_error > 0):
        raise ValueError(
            f"variance is {variance} and relative_error {relative_error}; both must be positive."
        )
    x = _points("x", x, len(bias), bias)
    noise = torch.full_like(bias, variance)
    log_evidence = LowRankMultivariateNormal(bias, weight, noise).log_prob(x)
    log_square = LowRankMultivariateNormal(bias, weight, noise / 2).log_prob(x)
    log_square = log_square - 0.5 * len(bias) * math.log(4 * math.pi * variance)
    log_ratio = log_square - 2 * log_evidence
    # log(e^r − 1), without forming e^r.
    return log_ratio + torch.log(-torch.expm1(-log_ratio)) - 2 * math.log(relative_error)


def _keys(cells):
    return [row.tobytes() for row in cells.numpy()]


def _points(name, x, columns=None, like=None):
    x = as_rows(x, columns, like, name)
    if len(x) == 0:
        raise ValueError(f"{name} has no rows.")
    return x
