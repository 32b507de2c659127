"""Mean field by coordinate ascent, and the calculus of variations behind it (chapter 06).

Every bound here keeps all its constants and is recorded after each coordinate, so it can be
compared with the exact evidence and must never fall. Arrays are numpy float64, bounds are in nats.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, logsumexp, xlogy

from vaecourse._arguments import (
    as_array,
    check_count,
    check_covariance,
    check_finite,
    check_positive,
    check_shape,
)

LOG_2PI = math.log(2 * math.pi)
MAX_ASSIGNMENTS = 100_000


# --- the shortest line ---------------------------------------------------------------------------


class Path(NamedTuple):
    """A path y [n] over x [n], its length, and y'/√(1+y'²) [n−1] on each piece."""

    x: np.ndarray
    y: np.ndarray
    length: float
    momentum: np.ndarray


def shortest_path(start, end, num_points=21, seed=0):
    """The shortest graph of a function from `start` to `end`, both (x, y), found numerically.

    The interior heights begin at random and minimize the length of the polygon. Euler–Lagrange says
    that the momentum y'/√(1+y'²) is constant, hence a straight line. Raises ValueError where the
    end does not lie to the right of the start. [S2] calculus of variations; chapter 06.
    """
    check_finite("start", start)
    check_finite("end", end)
    check_count("num_points", num_points, smallest=3)
    check_positive("end[0] - start[0]", end[0] - start[0])
    x = np.linspace(start[0], end[0], num_points)
    dx = x[1] - x[0]
    # Heights are measured in units of the step, so that the problem looks the same at any scale.
    ends = np.array([start[1], end[1]]) / dx

    def heights(inside):
        return np.concatenate([ends[:1], inside, ends[1:]])

    def length_and_gradient(inside):
        rise = np.diff(heights(inside))
        pieces = np.hypot(1.0, rise)
        momentum = rise / pieces
        return pieces.sum(), momentum[:-1] - momentum[1:]

    first = np.random.default_rng(seed).normal(scale=num_points / 4, size=num_points - 2)
    result = minimize(
        length_and_gradient,
        first,
        jac=True,
        method="BFGS",
        options={"gtol": 1e-9, "maxiter": 10_000},
    )
    y = heights(result.x) * dx
    rise = np.diff(y) / dx
    length = float(np.hypot(1.0, rise).sum() * dx)
    return Path(x, y, length, rise / np.hypot(1.0, rise))


# --- a Gaussian by two independent Gaussians -----------------------------------------------------


class GaussianMeanField:
    """Mean field of N(mean, covariance): q is a product of one-dimensional Gaussians.

    After `fit`: `means_` [J], `variances_` [J] (1/Λ_jj, with Λ the precision: too small wherever
    there is correlation) and `elbo_trace_`, −KL(q‖p) after every coordinate. Raises ValueError for
    a covariance that is not positive definite or for dimensions that differ. Chapter 06.
    """

    def __init__(self, mean, covariance):
        check_finite("mean", mean)
        self.mean = np.asarray(mean, dtype=float)
        check_shape("mean", self.mean, (None,))
        check_covariance("covariance", covariance, len(self.mean))
        self.covariance = np.asarray(covariance, dtype=float)
        self.precision = np.linalg.inv(self.covariance)

    def fit(self, start=None, num_sweeps=50):
        """Coordinate ascent from q = N(start, I); start is [J], by default zeros."""
        start = np.zeros_like(self.mean) if start is None else np.array(start, dtype=float)
        check_shape("start", start, self.mean.shape)
        check_finite("start", start)
        check_count("num_sweeps", num_sweeps)
        self.means_, self.variances_ = start, np.ones_like(start)
        self.elbo_trace_ = [-self.kl()]
        for _ in range(num_sweeps):
            for j in range(len(start)):
                self._update(j)
                self.elbo_trace_.append(-self.kl())
        return self

    def _update(self, j):
        precision = self.precision
        others = np.arange(len(self.mean)) != j
        pull = precision[j, others] @ (self.means_[others] - self.mean[others])
        self.means_[j] = self.mean[j] - pull / precision[j, j]
        self.variances_[j] = 1 / precision[j, j]

    def kl(self):
        """KL(q‖p) in nats for the present q, in closed form."""
        shift = self.means_ - self.mean
        trace = np.diag(self.precision) @ self.variances_
        log_det = np.linalg.slogdet(self.covariance)[1] - np.log(self.variances_).sum()
        return 0.5 * (trace + shift @ self.precision @ shift - len(shift) + log_det)


# --- a mean and a precision ----------------------------------------------------------------------


class NormalGamma(NamedTuple):
    """N(μ; mu, 1/(lambda·τ)) Gamma(τ; a, rate b)."""

    mu: float
    lambda_: float
    a: float
    b: float


class NormalGammaMeanField:
    """q(μ)q(τ) for x_i ~ N(μ, 1/τ), μ|τ ~ N(mu0, 1/(lambda0 τ)), τ ~ Gamma(a0, rate b0).

    After `fit`: q(μ) = N(`mu_`, 1/`lambda_`), q(τ) = Gamma(`a_`, rate `b_`), and `elbo_trace_`, the
    full bound in nats after every coordinate. The exact posterior is known here, and is no product.
    Raises ValueError for lambda0, a0 or b0 that are not positive. Bishop (2006) 10.1.3; chapter 06.
    """

    def __init__(self, mu0, lambda0, a0, b0):
        check_finite("mu0", mu0)
        for name, value in (("lambda0", lambda0), ("a0", a0), ("b0", b0)):
            check_positive(name, value)
        self.mu0, self.lambda0, self.a0, self.b0 = mu0, lambda0, a0, b0

    def fit(self, x, tolerance=1e-13, max_sweeps=1000):
        """Coordinate ascent on x [N] from q(τ) = p(τ), until a sweep gains under `tolerance`."""
        x = self._data(x)
        self.a_, self.b_ = self.a0, self.b0
        self.elbo_trace_, before = [], -math.inf
        for _ in range(max_sweeps):
            self._update_mu(x)
            self.elbo_trace_.append(self.elbo(x))
            self._update_tau(x)
            self.elbo_trace_.append(self.elbo(x))
            if self.elbo_trace_[-1] - before < tolerance:
                break
            before = self.elbo_trace_[-1]
        return self

    def _update_mu(self, x):
        self.mu_ = (self.lambda0 * self.mu0 + x.sum()) / (self.lambda0 + len(x))
        self.lambda_ = (self.lambda0 + len(x)) * self.a_ / self.b_

    def _update_tau(self, x):
        self.a_ = self.a0 + (len(x) + 1) / 2
        self.b_ = self.b0 + 0.5 * self._expected_squares(x)

    def _expected_squares(self, x):
        """E_q[Σ(x_i − μ)² + lambda0 (μ − mu0)²]."""
        around_mean = ((x - self.mu_) ** 2).sum() + self.lambda0 * (self.mu_ - self.mu0) ** 2
        return around_mean + (len(x) + self.lambda0) / self.lambda_

    def elbo(self, x):
        """E_q[log p(x, μ, τ)] − E_q[log q(μ, τ)], with every constant, in nats."""
        x = self._data(x)
        tau, log_tau = self.a_ / self.b_, digamma(self.a_) - math.log(self.b_)
        data_and_mean = 0.5 * (
            (len(x) + 1) * (log_tau - LOG_2PI)
            + math.log(self.lambda0)
            - tau * self._expected_squares(x)
        )
        precision = (
            self.a0 * math.log(self.b0) - gammaln(self.a0) + (self.a0 - 1) * log_tau - self.b0 * tau
        )
        entropy_mu = 0.5 * (LOG_2PI + 1 - math.log(self.lambda_))
        entropy_tau = (
            self.a_ - math.log(self.b_) + gammaln(self.a_) + (1 - self.a_) * digamma(self.a_)
        )
        return float(data_and_mean + precision + entropy_mu + entropy_tau)

    def exact_posterior(self, x):
        """The exact posterior p(μ, τ|x), a NormalGamma, by conjugacy."""
        x = self._data(x)
        lambda_n = self.lambda0 + len(x)
        mu_n = (self.lambda0 * self.mu0 + x.sum()) / lambda_n
        spread = ((x - x.mean()) ** 2).sum()
        spread += self.lambda0 * len(x) * (x.mean() - self.mu0) ** 2 / lambda_n
        return NormalGamma(float(mu_n), lambda_n, self.a0 + len(x) / 2, float(self.b0 + spread / 2))

    def log_evidence(self, x):
        """log p(x) in nats, exact."""
        x = self._data(x)
        posterior = self.exact_posterior(x)
        return float(
            gammaln(posterior.a)
            - gammaln(self.a0)
            + self.a0 * math.log(self.b0)
            - posterior.a * math.log(posterior.b)
            + 0.5 * (math.log(self.lambda0) - math.log(posterior.lambda_))
            - 0.5 * len(x) * LOG_2PI
        )

    def _data(self, x):
        check_finite("x", x)
        x = as_array(x)
        check_shape("x", x, (None,))
        return x


# --- a mixture of Gaussians ----------------------------------------------------------------------


class GaussianMixtureMeanField:
    """Mean field for a mixture of K unit-variance Gaussians with means of unknown place.

    mean_k ~ N(0, prior_variance·I), c_i uniform over K, x_i|c_i ~ N(mean_{c_i}, I). After `fit`:
    `means_` [K, D] and `variances_` [K] of q(mean_k), `responsibilities_` [N, K] of q(c_i), and
    `elbo_trace_`, the full bound in nats after every coordinate. Blei et al. (2017) section 3;
    chapter 06.
    """

    def __init__(self, n_components, prior_variance):
        check_count("n_components", n_components)
        check_positive("prior_variance", prior_variance)
        self.n_components, self.prior_variance = n_components, prior_variance

    def fit(self, x, start=None, seed=0, tolerance=1e-10, max_sweeps=1000):
        """Coordinate ascent on x [N, D] from means `start` [K, D], or K data points by `seed`."""
        x = self._data(x)
        if start is None:
            self._check_enough(x)
            start = np.random.default_rng(seed).permutation(x)[: self.n_components]
        check_finite("start", start)
        self.means_ = np.array(start, dtype=float)
        check_shape("start", self.means_, (self.n_components, x.shape[1]))
        self.variances_ = np.full(self.n_components, self.prior_variance)
        self.elbo_trace_, before = [], -math.inf
        for _ in range(max_sweeps):
            # Given the means, the q(c_i) do not meet: all of them at once is one after the other.
            self._update_assignments(x)
            self.elbo_trace_.append(self.elbo(x))
            for k in range(self.n_components):
                self._update_mean(x, k)
                self.elbo_trace_.append(self.elbo(x))
            if self.elbo_trace_[-1] - before < tolerance:
                break
            before = self.elbo_trace_[-1]
        return self

    def _check_enough(self, x):
        if len(x) < self.n_components:
            raise ValueError(
                f"x has {len(x)} rows; it must have at least n_components = {self.n_components}."
            )

    def _expected_squares(self, x):
        """E_q[‖x_i − mean_k‖²], [N, K]."""
        squares = ((x[:, None] - self.means_) ** 2).sum(-1)
        return squares + x.shape[1] * self.variances_

    def _update_assignments(self, x):
        logits = -0.5 * self._expected_squares(x)
        self.responsibilities_ = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))

    def _update_mean(self, x, k):
        weight = self.responsibilities_[:, k]
        self.variances_[k] = 1 / (1 / self.prior_variance + weight.sum())
        self.means_[k] = self.variances_[k] * (weight @ x)

    def elbo(self, x):
        """The bound on log p(x) with every constant, in nats."""
        x = self._data(x)
        dim, weight = x.shape[1], self.responsibilities_
        likelihood = -0.5 * (weight * (dim * LOG_2PI + self._expected_squares(x))).sum()
        assignments = -len(x) * math.log(self.n_components) - xlogy(weight, weight).sum()
        second_moment = (self.means_**2).sum(-1) + dim * self.variances_
        prior = -0.5 * dim * (LOG_2PI + math.log(self.prior_variance))
        prior = prior - 0.5 * second_moment / self.prior_variance
        entropy = 0.5 * dim * (LOG_2PI + 1 + np.log(self.variances_))
        return float(likelihood + assignments + (prior + entropy).sum())

    def log_evidence(self, x):
        """log p(x) in nats, exact, by visiting all K**N assignments; K**N ≤ 100,000."""
        x = self._data(x)
        if self.n_components ** len(x) > MAX_ASSIGNMENTS:
            raise ValueError(
                f"x allows {self.n_components}**{len(x)} assignments; "
                f"at most {MAX_ASSIGNMENTS:,} can be enumerated."
            )
        dim = x.shape[1]
        assignments = np.indices([self.n_components] * len(x)).reshape(len(x), -1).T
        one_hot = assignments[..., None] == np.arange(self.n_components)
        counts = one_hot.sum(1)
        sums = np.einsum("ank,nd->akd", one_hot, x)
        shrink = self.prior_variance / (1 + counts * self.prior_variance)
        # Given the assignment, each group is N(0, I + prior_variance·11ᵀ) in every dimension.
        log_joint = -0.5 * (
            (x**2).sum()
            - (shrink * (sums**2).sum(-1)).sum(-1)
            + dim * np.log1p(counts * self.prior_variance).sum(-1)
            + x.size * LOG_2PI
        )
        return float(logsumexp(log_joint) - len(x) * math.log(self.n_components))

    def _data(self, x):
        check_finite("x", x)
        x = as_array(x)
        check_shape("x", x, (None, None))
        return x


# --- any posterior over two numbers --------------------------------------------------------------


class GridMeanField(NamedTuple):
    """Densities q1 [n1] and q2 [n2] on the two axes of a grid, and the bound after each update."""

    q1: np.ndarray
    q2: np.ndarray
    elbo_trace: list


def grid_mean_field(log_joint, spacing, start=None, num_sweeps=100):
    """The best product q1(z1)q2(z2) for a log joint [n1, n2] tabulated on a grid of this `spacing`.

    Each update is q_j ∝ exp(E[log p(x, z)]) with the other factor held, the expectation a sum over
    the grid: what to do when it has no closed form, as long as there are two numbers. `start` is a
    first q2 [n2], by default uniform. [S3] section 2.2; chapter 06.
    """
    check_finite("log_joint", log_joint)
    log_joint = np.asarray(log_joint, dtype=float)
    check_shape("log_joint", log_joint, (None, None))
    check_positive("spacing", spacing)
    check_count("num_sweeps", num_sweeps)
    step1, step2 = spacing
    q2 = np.ones(log_joint.shape[1]) if start is None else np.asarray(start, dtype=float)
    check_shape("start", q2, (log_joint.shape[1],))
    q2 = q2 / (q2.sum() * step2)
    elbo_trace = []
    for _ in range(num_sweeps):
        q1, log_normalizer = _normalized(log_joint @ q2 * step2, step1)
        # At its own optimum a factor's terms of the bound add up to the log of its normalizer.
        elbo_trace.append(log_normalizer - xlogy(q2, q2).sum() * step2)
        q2, log_normalizer = _normalized(q1 @ log_joint * step1, step2)
        elbo_trace.append(log_normalizer - xlogy(q1, q1).sum() * step1)
    return GridMeanField(q1, q2, [float(value) for value in elbo_trace])


def _normalized(log_values, step):
    log_normalizer = logsumexp(log_values) + math.log(step)
    return np.exp(log_values - log_normalizer), log_normalizer
