"""Expectation–maximization for Gaussian and Bernoulli mixtures (taught in chapter 04).

For any distribution q over the components,

    F(q, θ) = E_q[log p(x, z | θ)] + H(q) = log p(x | θ) − KL(q ‖ p(z | x, θ))

is a lower bound on the log-likelihood ([NH98]; [Bis06] section 9.4). The E step sets q to the
posterior, which closes the gap; the M step raises F over θ with q held fixed. `e_step` returns
what the M step needs of q, the expected sufficient statistics, and `bound` evaluates F from them,
so each half step can be taken, and watched, by hand:

    statistics = mixture.e_step(x)      # now mixture.bound(statistics) == mixture.objective(x)
    mixture.m_step(statistics)          # now mixture.bound(statistics) has not fallen

All values are means over the data, in nats per data point.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse._arguments import (
    as_rows,
    bytes_hint,
    check_count,
    check_not_negative,
    first_column,
    seeded,
)


class GaussianStatistics(NamedTuple):
    """What an E step of `GaussianMixture` hands to the M step; sums over the data."""

    counts: Tensor  # [K], Σ_n r_nk
    means: Tensor  # [K, D], Σ_n r_nk x_n / counts
    scatters: Tensor  # [K, D, D], Σ_n r_nk (x_n − means_k)(x_n − means_k)ᵀ
    entropy: float  # Σ_n H(q_n)
    log_likelihood: float  # Σ_n log p(x_n), by logsumexp


class BernoulliStatistics(NamedTuple):
    """What an E step of `BernoulliMixture` hands to the M step; sums over the data."""

    counts: Tensor  # [K], Σ_n r_nk
    sums: Tensor  # [K, D], Σ_n r_nk x_n
    entropy: float  # Σ_n H(q_n)
    log_likelihood: float  # Σ_n log p(x_n), by logsumexp


class _Mixture:
    """What the two mixtures share: the climb, its traces, and everything read off log p(x, z)."""

    def __init__(self, n_components, tol, max_steps, seed):
        seeded(seed)  # raises now rather than in `fit`
        self.n_components = check_count("n_components", n_components)
        self.tol = check_not_negative("tol", tol)
        self.max_steps = check_count("max_steps", max_steps)
        self.seed = seed

    def score_samples(self, x):
        """log p(x) of each row of x [N, D]; returns [N], nats."""
        joints = self._joints(self._check(x))
        return torch.cat([torch.logsumexp(joint, 1).double() for _, joint in joints])

    def score(self, x):
        """Mean of log p(x) over the rows of x [N, D], nats."""
        return self.score_samples(x).mean().item()

    def objective(self, x):
        """What EM climbs: `score(x)` plus the log of the penalty on the parameters, per point."""
        return self.score(x) + self._log_penalty() / len(x)

    def responsibilities(self, x):
        """p(z = k | x) for each row of x [N, D]; returns [N, K], rows sum to one."""
        return torch.cat([_posterior(joint)[1] for _, joint in self._joints(self._check(x))])

    def e_step(self, x):
        """The posterior over components given x [N, D], as the statistics the M step needs."""
        return self._expectations(self._check(x))

    def bic(self, x):
        """Bayesian information criterion of x [N, D]: parameters × log N − 2 log p(x), nats."""
        return self.num_parameters * math.log(len(x)) - 2 * self.score_samples(x).sum().item()

    def _log_weights(self):
        return self.weights_.log()  # an empty component has weight 0 and log weight −∞

    def _climb(self, x):
        """Alternate E and M until one full step gains no more than tol; record every half step."""
        n = len(x)
        statistics = self._expectations(x)
        likelihoods = [statistics.log_likelihood / n]
        objectives = [likelihoods[0] + self._log_penalty() / n]
        bounds = []
        self.converged_ = False
        for _ in tqdm(range(self.max_steps), desc="EM", unit="step", delay=2, leave=False):
            after_e = self.bound(statistics)
            self.m_step(statistics)
            bounds.append((after_e, self.bound(statistics)))
            statistics = self._expectations(x)
            likelihoods.append(statistics.log_likelihood / n)
            objectives.append(likelihoods[-1] + self._log_penalty() / n)
            if objectives[-1] - objectives[-2] <= self.tol:
                self.converged_ = True
                break
        self.log_likelihood_trace_ = torch.tensor(likelihoods, dtype=torch.float64)
        self.objective_trace_ = torch.tensor(objectives, dtype=torch.float64)
        self.bound_trace_ = torch.tensor(bounds, dtype=torch.float64)
        return self


class GaussianMixture(_Mixture):
    """Mixture of K Gaussians with full covariances, fitted by EM, in float64.

    tol: stop when a step gains no more than this, in nats per point (0: go on to a fixed point).
    regularization: r ≥ 0 keeps covariances away from zero. It adds −r/2 Σ_k tr Σ_k⁻¹ to the total
        log-likelihood (an inverse-Wishart prior up to its determinant), so the M step stays exact:
        Σ_k = (scatter_k + r I) / counts_k. With r > 0 this penalized objective is what never falls.

    After `fit`: weights_ [K], means_ [K, D], covariances_ [K, D, D]; log_likelihood_trace_ and
    objective_trace_ [steps + 1], at the start and after each step; bound_trace_ [steps, 2], after
    each E and each M; converged_. For every step t
        objective_trace_[t] = bound_trace_[t, 0] ≤ bound_trace_[t, 1] ≤ objective_trace_[t + 1].

    Three awkward cases. *Singular*: a component that collapses on a point (or a line) has a
    likelihood without maximum; with r = 0 `fit` raises ValueError and the parameters stay at the
    last step that had a density; with r > 0 its variance stops at r / counts_k. *Empty*: a
    component with no responsibility at all gets weight zero and keeps its mean and covariance,
    which leaves the bound where it is; it stays empty. *Symmetric*: components that start
    identical stay identical but for rounding, because each step treats them alike; `fit` refuses
    such a start.

    Memory: N × K × D numbers. Source: [DLR77]; [Bis06] section 9.2; chapter 04.
    """

    def __init__(self, n_components, *, tol=1e-6, max_steps=200, regularization=1e-6, seed=0):
        super().__init__(n_components, tol, max_steps, seed)
        self.regularization = check_not_negative("regularization", regularization)

    @property
    def num_parameters(self):
        """Free parameters: K − 1 weights, K means, K symmetric matrices."""
        k, d = self.means_.shape
        return k - 1 + k * d + k * d * (d + 1) // 2

    def fit(self, x, *, weights=None, means=None, covariances=None):
        """Fit to x [N, D] from the given start, or from `initialize`; returns the mixture.

        Raises ValueError if x has NaN, a constant column or fewer distinct rows than components,
        if a start does not fit, if two components start identical, or if one becomes singular.
        """
        x = _data(x, self.n_components).double()
        constant = (x == x[0]).all(0)
        if constant.any():
            column = first_column(constant)
            raise ValueError(
                f"x is constant in column {column}; every column must vary to have a density."
            )
        start = self._start(x, weights, means, covariances)
        _refuse_twins(torch.cat([start[1], start[2].flatten(1)], 1))
        self.weights_, self.means_, self.covariances_ = start
        return self._climb(x)

    def initialize(self, x, *, weights=None, means=None, covariances=None):
        """Set a start: k-means++ means [AV07], the covariance of x, equal weights, unless given."""
        x = _data(x, self.n_components).double()
        start = self._start(x, weights, means, covariances)
        self.weights_, self.means_, self.covariances_ = start

    def _start(self, x, weights, means, covariances):
        k, d = self.n_components, x.shape[1]
        if weights is not None:
            weights = _weights(weights, k)
        if means is not None:
            means = _array("means", means, (k, d))
        if covariances is not None:
            covariances = _covariances(covariances, (k, d, d))
        if means is None:
            means = x[_spread_rows(x, k, seeded(self.seed))]
        if weights is None:
            weights = torch.full((k,), 1 / k, dtype=torch.float64)
        if covariances is None:
            scatter = (x - x.mean(0)).T @ (x - x.mean(0))
            eye = torch.eye(d, dtype=torch.float64)
            covariances = (scatter + self.regularization * eye) / len(x)
            covariances = covariances.repeat(k, 1, 1)
            _cholesky(covariances)
        return weights, means, covariances

    def _expectations(self, x):
        """`e_step` without looking at x again."""
        (x, joint), *_ = self._joints(x)
        log_evidence, r, entropy = _posterior(joint)
        counts = r.sum(0)
        # An empty component has no mean of its own: dividing by one leaves zeros.
        means = (r.T @ x) / torch.where(counts > 0, counts, 1.0)[:, None]
        offsets = x - means[:, None]  # [K, N, D]
        scatters = (r.T[:, :, None] * offsets).mT @ offsets
        return GaussianStatistics(counts, means, scatters, entropy, log_evidence.sum().item())

    def m_step(self, statistics):
        """Set the parameters that maximize the bound with the responsibilities held fixed."""
        counts, means, scatters = statistics[:3]
        empty = counts == 0
        divisor = torch.where(empty, 1.0, counts)[:, None, None]
        eye = torch.eye(means.shape[1], dtype=torch.float64)
        covariances = (scatters + self.regularization * eye) / divisor
        covariances = torch.where(empty[:, None, None], self.covariances_, covariances)
        _cholesky(covariances)  # raises before anything is changed
        self.weights_ = counts / counts.sum()
        self.means_ = torch.where(empty[:, None], self.means_, means)
        self.covariances_ = covariances

    def bound(self, statistics):
        """F(q, θ) per point, nats: q through its statistics, θ the current parameters."""
        counts, means, scatters, entropy = statistics[:4]
        scale_tril = _cholesky(self.covariances_)
        offset = (means - self.means_)[:, :, None]
        spread = scatters + counts[:, None, None] * (offset @ offset.mT)
        distance = torch.cholesky_solve(spread, scale_tril).diagonal(dim1=1, dim2=2).sum(1)
        log_det = 2 * scale_tril.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = means.shape[1] * math.log(2 * math.pi)
        log_gaussian = -0.5 * (counts * (constant + log_det) + distance)
        log_prior = torch.xlogy(counts, self.weights_)
        # An empty component contributes nothing, wherever it stands.
        expected = torch.where(counts > 0, log_prior + log_gaussian, 0.0).sum().item()
        return (expected + entropy + self._log_penalty()) / counts.sum().item()

    def sample(self, n, generator):
        """Draw n points; returns [n, D]."""
        label = torch.multinomial(self.weights_, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means_.shape[1], generator=generator, dtype=torch.float64)
        scale_tril = _cholesky(self.covariances_)[label]
        return self.means_[label] + (scale_tril @ noise[:, :, None])[:, :, 0]

    def _check(self, x):
        return as_rows(x, self.means_.shape[1]).double()

    def _joints(self, x):
        """x and log p(x, z = k) [N, K], in one chunk."""
        scale_tril = _cholesky(self.covariances_)
        offsets = (x - self.means_[:, None]).mT  # [K, D, N]
        distance = torch.linalg.solve_triangular(scale_tril, offsets, upper=False).square().sum(1)
        log_det = 2 * scale_tril.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = x.shape[1] * math.log(2 * math.pi)
        log_gaussian = -0.5 * (constant + log_det[:, None] + distance)
        yield x, (self._log_weights()[:, None] + log_gaussian).T

    def _log_penalty(self):
        if self.regularization == 0:
            return 0.0
        precisions = torch.cholesky_inverse(_cholesky(self.covariances_))
        trace = precisions.diagonal(dim1=1, dim2=2).sum().item()
        return -0.5 * self.regularization * trace


class BernoulliMixture(_Mixture):
    """Mixture of K products of Bernoullis for binary data, fitted by EM.

    tol: stop when a step gains no more than this, in nats per point (0: go on to a fixed point).
    smoothing: pseudo-count s ≥ 0, as if each component had seen every pixel s times on and s
        times off: θ = (sums + s) / (counts + 2 s), the M step under a Beta(1 + s, 1 + s) prior.
        With s > 0 the penalized objective, log-likelihood + s Σ log θ(1 − θ), is what never falls.
    chunk: rows of x handled at once; beside x and the parameters, memory is chunk × (K + D).

    The arithmetic is float64 when x is float64, else float32 with sums over the data in float64:
    about twice as fast, and the traces are then good to about 1e-5 nats instead of 1e-12.

    After `fit`: weights_ [K], probabilities_ [K, D] (float64); traces and converged_ as for
    `GaussianMixture`. With s = 0 a pixel may get probability exactly 0 or 1; a row it rules out
    then has log p(x) = −∞. An empty component gets weight zero and keeps its probabilities;
    components that start identical stay identical, and `fit` refuses such a start.

    Source: [Bis06] section 9.3.3; chapter 04.
    """

    def __init__(
        self, n_components, *, tol=1e-6, max_steps=200, smoothing=0.05, chunk=2000, seed=0
    ):
        super().__init__(n_components, tol, max_steps, seed)
        self.smoothing = check_not_negative("smoothing", smoothing)
        self.chunk = check_count("chunk", chunk)

    @property
    def num_parameters(self):
        """Free parameters: K − 1 weights, K × D probabilities."""
        return self.n_components - 1 + self.probabilities_.numel()

    def fit(self, x, *, weights=None, probabilities=None):
        """Fit to x [N, D] of zeros and ones from the given start, or from `initialize`.

        Raises ValueError if x has NaN, values other than 0 and 1 or fewer distinct rows than
        components, if a start does not fit, or if two components start identical.
        """
        x = _binary(_data(x, self.n_components))
        start = self._start(x, weights, probabilities)
        _refuse_twins(start[1])
        self.weights_, self.probabilities_ = start
        return self._climb(x)

    def initialize(self, x, *, weights=None, probabilities=None):
        """Set a start: half the mean of x, half a row drawn at random, unless given."""
        x = _binary(_data(x, self.n_components))
        self.weights_, self.probabilities_ = self._start(x, weights, probabilities)

    def _start(self, x, weights, probabilities):
        k, d = self.n_components, x.shape[1]
        if weights is not None:
            weights = _weights(weights, k)
        if probabilities is not None:
            probabilities = _probabilities(probabilities, (k, d))
        if probabilities is None:
            rows = _distinct_rows(x, k, seeded(self.seed)).double()
            on = sum(part.sum(0, dtype=torch.float64) for part in x.split(self.chunk))
            mean = (on + self.smoothing) / (len(x) + 2 * self.smoothing)
            probabilities = 0.5 * mean + 0.5 * rows
        if weights is None:
            weights = torch.full((k,), 1 / k, dtype=torch.float64)
        return weights, probabilities

    def _expectations(self, x):
        """`e_step` without looking at x again, a chunk at a time."""
        counts = torch.zeros_like(self.weights_)
        sums = torch.zeros_like(self.probabilities_)
        entropy = log_likelihood = 0.0
        for part, joint in self._joints(x):
            log_evidence, r, part_entropy = _posterior(joint)
            counts += r.sum(0, dtype=torch.float64)
            sums += r.T @ part
            entropy += part_entropy
            log_likelihood += log_evidence.sum(dtype=torch.float64).item()
        # A pixel that is on in every row a component owns has sum = count; rounding must not let
        # the two differ, or the probability would miss 1 by a hair.
        rounding = 64 * torch.finfo(r.dtype).eps * counts[:, None]
        sums = torch.where((counts[:, None] - sums).abs() <= rounding, counts[:, None], sums)
        return BernoulliStatistics(counts, sums, entropy, log_likelihood)

    def m_step(self, statistics):
        """Set the parameters that maximize the bound with the responsibilities held fixed."""
        counts, sums = statistics[:2]
        empty = (counts == 0)[:, None]
        divisor = torch.where(empty, 1.0, counts[:, None] + 2 * self.smoothing)
        probabilities = (sums + self.smoothing) / divisor
        self.weights_ = counts / counts.sum()
        self.probabilities_ = torch.where(empty, self.probabilities_, probabilities)

    def bound(self, statistics):
        """F(q, θ) per point, nats: q through its statistics, θ the current parameters."""
        counts, sums, entropy = statistics[:3]
        log_bernoulli = torch.xlogy(sums, self.probabilities_)
        log_bernoulli += torch.special.xlog1py(counts[:, None] - sums, -self.probabilities_)
        log_prior = torch.xlogy(counts, self.weights_)
        expected = (log_prior.sum() + log_bernoulli.sum()).item()
        return (expected + entropy + self._log_penalty()) / counts.sum().item()

    def sample(self, n, generator):
        """Draw n binary rows; returns [n, D], float64 zeros and ones."""
        label = torch.multinomial(self.weights_, n, replacement=True, generator=generator)
        return torch.bernoulli(self.probabilities_[label], generator=generator)

    def _check(self, x):
        return _binary(as_rows(x, self.probabilities_.shape[1], keep_whole=True))

    def _joints(self, x):
        """Chunks of x, and log p(x, z = k) [chunk, K] of each, in the precision of x."""
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        p = self.probabilities_
        never, always = (p == 0), (p == 1)
        # log p(x | k) = Σ_d x_d log θ/(1 − θ) + Σ_d log(1 − θ): one matrix product.
        inside = p.masked_fill(never | always, 0.5)  # certain pixels are settled below
        logits = torch.logit(inside).masked_fill(never | always, 0.0)
        base = torch.log1p(-inside).masked_fill(never | always, 0.0).sum(1) + self._log_weights()
        logits, base = logits.T.to(dtype), base.to(dtype)
        certain = bool((never | always).any())
        for part in x.split(self.chunk):
            part = part.to(dtype)
            joint = torch.addmm(base, part, logits)
            if certain:
                misses = part @ never.T.to(dtype) + (1 - part) @ always.T.to(dtype)
                joint.masked_fill_(misses > 0, -math.inf)
            yield part, joint

    def _log_penalty(self):
        if self.smoothing == 0:
            return 0.0
        p = self.probabilities_
        return self.smoothing * (p.log().sum() + torch.log1p(-p).sum()).item()


def _posterior(joint):
    """log p(x) [N], p(z | x) [N, K] and the sum of its entropies, from log p(x, z) [N, K]."""
    log_evidence = torch.logsumexp(joint, 1)
    impossible = log_evidence == -math.inf
    if impossible.any():
        row = impossible.nonzero()[0].item()
        raise ValueError(
            f"No component gives row {row} of a chunk of x any probability; "
            "it needs another start or smoothing > 0."
        )
    # Below e⁻⁵⁶⁶ (e⁻⁶⁹ in float32) a responsibility is zero: no count is then too small to divide
    # by, and no product meets a denormal number, which would be twenty times slower.
    floor = 0.8 * math.log(torch.finfo(joint.dtype).tiny)
    log_posterior = (joint - log_evidence[:, None]).clamp_(min=floor)
    r = log_posterior.exp().masked_fill_(log_posterior == floor, 0.0)
    entropy = -log_posterior.mul_(r).sum(dtype=torch.float64).item()
    return log_evidence, r, entropy


def _spread_rows(x, k, generator):
    """Indices of k rows, each drawn in proportion to its squared distance from those before."""
    rows = [torch.randint(len(x), (1,), generator=generator).item()]
    distance = torch.full((len(x),), math.inf, dtype=x.dtype)
    while len(rows) < k:
        last = x[rows[-1] : rows[-1] + 1]
        exact = "donot_use_mm_for_euclid_dist"  # copies of a row must come out at distance zero
        to_last = torch.cdist(x, last, compute_mode=exact)[:, 0].square()
        distance = torch.minimum(distance, to_last)
        if distance.max() == 0:
            raise _too_few(len(rows), k)
        rows.append(torch.multinomial(distance, 1, generator=generator).item())
    return rows


def _distinct_rows(x, k, generator):
    """k different rows of x, at random. Seeding by distance would favour outliers: an odd digit."""
    some = x[torch.randperm(len(x), generator=generator)[: max(4 * k, 1000)]]
    distinct = some.unique(dim=0)
    if len(distinct) < k:
        raise _too_few(len(distinct), k)
    return distinct[torch.randperm(len(distinct), generator=generator)[:k]]


def _too_few(rows, k):
    return ValueError(f"x has {rows} distinct rows to start from; n_components = {k} needs more.")


def _cholesky(covariances):
    """Lower Cholesky factors [K, D, D]; ValueError names the first singular component."""
    scale_tril, failed = torch.linalg.cholesky_ex(covariances)
    pivots = scale_tril.diagonal(dim1=1, dim2=2).square()
    flat = (pivots <= 1e-14 * covariances.diagonal(dim1=1, dim2=2)).any(1)
    singular = (failed > 0) | flat
    if singular.any():
        raise ValueError(
            f"Component {singular.nonzero()[0].item()} has a singular covariance; "
            "it needs another start or a larger regularization."
        )
    return scale_tril


def _data(x, n_components):
    x = as_rows(x, keep_whole=True)
    if len(x) < n_components:
        raise ValueError(
            f"x has {len(x)} rows; n_components = {n_components} needs at least as many."
        )
    return x


def _binary(x):
    for part in x.split(1_000):  # so that a check needs no copy of x
        other = (part != 0) & (part != 1)
        if other.any():
            raise ValueError(
                f"x contains {part[other][0].item():g}, in column {first_column(other)}; a "
                f"Bernoulli mixture takes only 0 and 1{bytes_hint(x)}."
            )
    return x


def _array(name, value, shape):
    value = torch.as_tensor(value, dtype=torch.float64)
    if value.shape != shape:
        raise ValueError(f"{name} has shape {list(value.shape)}; it must be {list(shape)}.")
    if not value.isfinite().all():
        raise ValueError(f"{name} has NaN or infinite values; it must be finite.")
    return value.clone()


def _weights(value, k):
    value = _array("weights", value, (k,))
    if (value < 0).any() or abs(value.sum().item() - 1) > 1e-6:
        raise ValueError(f"weights are {value.tolist()}; they must be non-negative and sum to one.")
    return value / value.sum()


def _covariances(value, shape):
    value = _array("covariances", value, shape)
    if (value - value.mT).abs().max() > 1e-10 * value.abs().max():
        raise ValueError("covariances has a matrix that is not symmetric; each must be.")
    _cholesky(value)
    return value


def _probabilities(value, shape):
    value = _array("probabilities", value, shape)
    if (value < 0).any() or (value > 1).any():
        raise ValueError("probabilities has values outside [0, 1]; each must lie within.")
    return value


def _refuse_twins(parameters):
    """parameters [K, P]: one row a component."""
    distinct = torch.unique(parameters, dim=0)
    if len(distinct) < len(parameters):
        raise ValueError(
            "Two components start with the same parameters; EM would keep them the same, "
            "so the start must set them apart."
        )
