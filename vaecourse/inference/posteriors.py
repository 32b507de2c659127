"""Posteriors with a formula, and ways to approximate those without one (chapter 05).

Throughout, `alpha` is the precision of the prior p(z) = N(0, I/alpha), `beta` the precision of the
noise in p(x|z) = N(f(z), I/beta). A log joint is a function of z [..., J] that returns
log p(x, z) [...] in nats, with all constants kept. Everything is float64.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian
from torch.nn.functional import logsigmoid

from vaecourse._arguments import (
    check_count,
    check_covariance,
    check_finite,
    check_positive,
    check_shape,
)

LOG_2PI = math.log(2 * math.pi)


class GaussianPosterior(NamedTuple):
    """A Gaussian over z with what is known of log p(x): exact, an estimate, a bound, or NaN."""

    mean: Tensor
    covariance: Tensor
    log_evidence: Tensor


class GridPosterior(NamedTuple):
    """A posterior tabulated on a regular grid: z [..., J], log_density [...], and its moments."""

    z: Tensor
    log_density: Tensor
    cell: float
    mean: Tensor
    covariance: Tensor
    log_evidence: Tensor


class PosteriorError(NamedTuple):
    """Mean off by so many posterior deviations; covariance, relative; log evidence, in nats."""

    mean: float
    covariance: float
    log_evidence: float


# --- posteriors with a formula -------------------------------------------------------------------


def identity_posterior(x, alpha, beta):
    """The exact posterior when f(z) = z.

    x is [..., D]; the mean is [..., D], the covariance [D, D] serves every x, log_evidence is [...]
    in nats. Raises ValueError for a precision that is not positive. [S3] section 1.2; chapter 05.
    """
    check_positive("alpha", alpha)
    check_positive("beta", beta)
    x = _double("x", x)
    variance_of_x = 1 / alpha + 1 / beta
    log_evidence = -0.5 * (x.square() / variance_of_x + math.log(variance_of_x) + LOG_2PI).sum(-1)
    covariance = torch.eye(x.shape[-1], dtype=x.dtype) / (alpha + beta)
    return GaussianPosterior(beta / (alpha + beta) * x, covariance, log_evidence)


def linear_posterior(x, weight, alpha, beta):
    """The exact posterior when f(z) = Wz.

    x is [..., D] and weight [D, J]; the mean is [..., J], the covariance [J, J] serves every x,
    log_evidence is [...] in nats. Only J by J systems are solved. Raises ValueError for a precision
    that is not positive or for shapes that do not fit. [S3] section 1.2; chapter 05.
    """
    check_positive("alpha", alpha)
    check_positive("beta", beta)
    weight = _double("weight", weight)
    check_shape("weight", weight, (None, None))
    x = _double("x", x)
    data_dim, latent_dim = weight.shape
    check_shape("x", x, (*x.shape[:-1], data_dim))
    precision = alpha * torch.eye(latent_dim, dtype=x.dtype) + beta * weight.T @ weight
    factor = torch.linalg.cholesky(precision)
    covariance = torch.cholesky_inverse(factor)
    mean = beta * x @ weight @ covariance
    # x ~ N(0, WWᵀ/α + I/β): Woodbury for the square, the determinant lemma for the volume.
    square = beta * x.square().sum(-1) - ((mean @ precision) * mean).sum(-1)
    log_det = (
        2 * factor.diagonal().log().sum() - latent_dim * math.log(alpha) - data_dim * math.log(beta)
    )
    return GaussianPosterior(mean, covariance, -0.5 * (square + log_det + data_dim * LOG_2PI))


# --- log joints ----------------------------------------------------------------------------------


def gaussian_log_joint(x, f, alpha, beta):
    """log p(x, z) for z ~ N(0, I/alpha), x|z ~ N(f(z), I/beta), as a function of z.

    x is [D]; f maps z [..., J] to [..., D]: a line, a sigmoid, a network. [S3] section 1.
    """
    check_positive("alpha", alpha)
    check_positive("beta", beta)
    x = _double("x", x)
    check_shape("x", x, (None,))

    def log_joint(z):
        residual = x - f(z)
        log_likelihood = 0.5 * (math.log(beta) - LOG_2PI - beta * residual.square()).sum(-1)
        return log_likelihood + log_prior(z, alpha)

    return log_joint


def logistic_log_joint(features, labels, alpha):
    """log p(labels, z) of Bayesian logistic regression with weights z ~ N(0, I/alpha).

    features is [N, J], labels [N] of zeros and ones. Raises ValueError for other labels or for
    lengths that differ. [S3] section 1.3; chapter 05.
    """
    check_positive("alpha", alpha)
    features = _double("features", features)
    check_shape("features", features, (None, None))
    labels = _double("labels", labels)
    check_shape("labels", labels, (len(features),))
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError(f"labels hold {labels.unique().tolist()}; each must be 0 or 1.")
    signs = 2 * labels - 1

    def log_joint(z):
        return logsigmoid(signs * (z @ features.T)).sum(-1) + log_prior(z, alpha)

    return log_joint


def log_prior(z, alpha):
    """log N(z; 0, I/alpha), [...] in nats, for z [..., J]."""
    return 0.5 * (math.log(alpha) - LOG_2PI - alpha * z.square()).sum(-1)


# --- the truth, as long as there are few dimensions ----------------------------------------------


def grid_posterior(log_joint, lower, upper, num_points=401):
    """The posterior on a regular grid of num_points**J values from `lower` to `upper`, both [J].

    The sum over cells is the trapezoid rule, which for a smooth density that has died out at the
    edge is exact to many digits. Raises ValueError where the edge still carries density.
    Chapter 05.
    """
    lower, upper = _double("lower", lower), _double("upper", upper)
    check_shape("lower", lower, (None,))
    check_shape("upper", upper, tuple(lower.shape))
    check_count("num_points", num_points, smallest=3)
    check_positive("upper - lower", upper - lower)
    axes = [
        torch.linspace(low, high, num_points, dtype=torch.float64)
        for low, high in zip(lower.tolist(), upper.tolist(), strict=True)
    ]
    z = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    values = log_joint(z).detach()
    _check_edge(values)
    cell = float(torch.prod((upper - lower) / (num_points - 1)))
    log_evidence = values.flatten().logsumexp(0) + math.log(cell)
    log_density = values - log_evidence
    mass = (log_density.exp() * cell).flatten()
    points = z.reshape(-1, len(lower))
    mean = mass @ points
    centred = points - mean
    covariance = centred.T @ (mass[:, None] * centred)
    return GridPosterior(z, log_density, cell, mean, covariance, log_evidence)


def _check_edge(values):
    inside = tuple(slice(1, -1) for _ in values.shape)
    edge = values.clone()
    edge[inside] = -math.inf
    left = float((edge.max() - values.max()).exp())
    if left > 1e-8:
        raise ValueError(
            f"lower and upper leave a density of {left:.1e} of its peak at the edge of the grid; "
            f"they must be wide enough for less than 1e-8."
        )


def posterior_error(approximation, truth):
    """How far the moments and the log evidence of `approximation` are from those of `truth`."""
    check_shape("approximation.mean", approximation.mean, tuple(truth.mean.shape))
    shift = approximation.mean - truth.mean
    covariance_error = (approximation.covariance - truth.covariance).norm()
    return PosteriorError(
        mean=float((shift @ torch.linalg.solve(truth.covariance, shift)).sqrt()),
        covariance=float(covariance_error / truth.covariance.norm()),
        log_evidence=float(approximation.log_evidence - truth.log_evidence),
    )


def kl_to_grid(approximation, truth):
    """KL(q‖p) in nats from a Gaussian q to a posterior p on a grid that encloses both."""
    check_covariance("approximation.covariance", approximation.covariance, len(truth.mean))
    q = torch.distributions.MultivariateNormal(approximation.mean, approximation.covariance)
    log_q = q.log_prob(truth.z)
    return (log_q.exp() * (log_q - truth.log_density)).sum() * truth.cell


# --- Laplace: a Gaussian at the mode -------------------------------------------------------------


def laplace(log_joint, start, tolerance=1e-10, max_steps=100):
    """The Gaussian that fits the log joint at its mode to second order; start is [J].

    log_evidence is Laplace's estimate, log p(x, ẑ) + J/2 log 2π − ½ log det(−H), and may err on
    either side. Raises ValueError where Newton's method does not end at a maximum. Chapter 05.
    """
    z = _double("start", start).clone()
    check_shape("start", z, (None,))
    eye = torch.eye(len(z), dtype=z.dtype)
    damping = 0.0
    for _ in range(max_steps):
        gradient = jacobian(log_joint, z)
        precision = -hessian(log_joint, z)
        if gradient.abs().max() < tolerance:
            break
        factor, failed = torch.linalg.cholesky_ex(precision + damping * eye)
        if not failed:
            trial = z + torch.cholesky_solve(gradient[:, None], factor)[:, 0]
            if log_joint(trial) >= log_joint(z):
                z, damping = trial, damping / 10
                continue
        # Not concave here, or the step went too far: lean towards a short gradient step.
        damping = max(10 * damping, 1e-3)
    factor, failed = torch.linalg.cholesky_ex(precision)
    if failed or gradient.abs().max() > 1e-6:
        raise ValueError(
            f"start is {start}; Newton's method must reach a maximum from it, and did not."
        )
    log_evidence = log_joint(z) + 0.5 * len(z) * LOG_2PI - factor.diagonal().log().sum()
    return GaussianPosterior(z, torch.cholesky_inverse(factor), log_evidence)


# --- Monte Carlo ---------------------------------------------------------------------------------


def random_walk_metropolis(log_joint, start, num_steps, scale_tril, generator):
    """Random-walk Metropolis in C chains: returns them, [T, C, J], and the share accepted.

    start is [C, J]; a proposal adds scale_tril [J, J] times standard normal noise. The start itself
    is not returned; burn-in is the caller's to drop. Chapter 05.
    """
    z = _double("start", start)
    check_shape("start", z, (None, None))
    check_count("num_steps", num_steps)
    scale_tril = _double("scale_tril", scale_tril)
    check_shape("scale_tril", scale_tril, (z.shape[1], z.shape[1]))
    density = log_joint(z)
    chains = torch.empty(num_steps, *z.shape, dtype=z.dtype)
    accepted = 0
    for step in range(num_steps):
        noise = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        proposal = z + noise @ scale_tril.T
        proposed = log_joint(proposal)
        # u lies in [0, 1), so 1 - u is never zero and its logarithm is finite.
        threshold = torch.log1p(-torch.rand(len(z), generator=generator, dtype=z.dtype))
        accept = threshold < proposed - density
        z = torch.where(accept[:, None], proposal, z)
        density = torch.where(accept, proposed, density)
        accepted += int(accept.sum())
        chains[step] = z
    return chains, accepted / (num_steps * len(z))


def gibbs_gaussian(mean, covariance, start, num_sweeps, generator):
    """Gibbs sampling of N(mean, covariance): chains [T, C, J] from start [C, J].

    Each sweep draws every coordinate from its conditional given the others. Raises ValueError for a
    covariance that is not positive definite or for dimensions that differ. Chapter 05.
    """
    mean = _double("mean", mean)
    check_shape("mean", mean, (None,))
    check_covariance("covariance", covariance, len(mean))
    z = _double("start", start).clone()
    check_shape("start", z, (None, len(mean)))
    check_count("num_sweeps", num_sweeps)
    precision = torch.linalg.inv(_double("covariance", covariance))
    chains = torch.empty(num_sweeps, *z.shape, dtype=z.dtype)
    for sweep in range(num_sweeps):
        for j in range(len(mean)):
            pull = (z - mean) @ precision[j] - (z[:, j] - mean[j]) * precision[j, j]
            noise = torch.randn(len(z), generator=generator, dtype=z.dtype)
            z[:, j] = mean[j] - pull / precision[j, j] + noise / precision[j, j].sqrt()
        chains[sweep] = z
    return chains


def sample_moments(samples):
    """Mean and covariance of samples [..., J]; they do not give the log evidence, which is NaN."""
    flat = _double("samples", samples).reshape(-1, samples.shape[-1])
    return GaussianPosterior(flat.mean(0), torch.cov(flat.T), torch.tensor(math.nan))


def effective_sample_size(chains):
    """How many independent draws the chains [T, C, J] are worth for the mean of z, [J].

    T·C divided by the integrated autocorrelation time, whose sum stops where the sum of two
    neighbouring autocorrelations turns negative (Geyer 1992).
    """
    chains = _double("chains", chains)
    check_shape("chains", chains, (None, None, None))
    length, count, dim = chains.shape
    check_count("chains.shape[0]", length, smallest=4)
    centred = chains - chains.mean((0, 1))
    # Padding to twice the length keeps the end of a chain from correlating with its beginning.
    spectrum = torch.fft.rfft(centred, n=2 * length, dim=0)
    covariance = torch.fft.irfft(spectrum.abs().square(), n=2 * length, dim=0)[:length].mean(1)
    correlation = covariance / covariance[0]
    pairs = correlation[: length // 2 * 2].reshape(-1, 2, dim).sum(1)
    kept = (pairs > 0).cumprod(0)
    return length * count / (2 * (pairs * kept).sum(0) - 1)


# --- variational: the best Gaussian --------------------------------------------------------------


def variational_gaussian(log_joint, start, num_nodes=32, max_steps=200):
    """The full-covariance Gaussian of largest ELBO; start is a Gaussian, such as Laplace's.

    The expectation under q is a Gauss–Hermite sum of num_nodes**J points, so what is left of the
    error belongs to the family and not to noise. log_evidence holds the ELBO in nats. Chapter 05.
    """
    check_count("num_nodes", num_nodes, smallest=2)
    check_covariance("start.covariance", start.covariance, len(start.mean))
    eps, weights = gauss_hermite(num_nodes, len(start.mean))
    factor = torch.linalg.cholesky(start.covariance)
    mean = start.mean.clone().requires_grad_()
    below = factor.tril(-1).requires_grad_()
    log_diagonal = factor.diagonal().log().requires_grad_()

    def elbo():
        scale_tril = below.tril(-1) + torch.diag(log_diagonal.exp())
        expected = weights @ log_joint(mean + eps @ scale_tril.T)
        entropy = log_diagonal.sum() + 0.5 * len(mean) * (LOG_2PI + 1)
        return expected + entropy

    optimizer = torch.optim.LBFGS(
        [mean, below, log_diagonal],
        max_iter=max_steps,
        tolerance_grad=1e-9,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        loss = -elbo()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        scale_tril = below.tril(-1) + torch.diag(log_diagonal.exp())
        return GaussianPosterior(mean.detach(), scale_tril @ scale_tril.T, elbo())


def gauss_hermite(num_nodes, dim):
    """Nodes [num_nodes**dim, dim] and weights for expectations under N(0, I)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(num_nodes)
    nodes = torch.as_tensor(nodes)
    weights = torch.as_tensor(weights / weights.sum())
    grid = torch.meshgrid(*[nodes] * dim, indexing="ij")
    product = torch.meshgrid(*[weights] * dim, indexing="ij")
    return torch.stack(grid, -1).reshape(-1, dim), torch.stack(product, -1).prod(-1).flatten()


# --- message passing on a chain ------------------------------------------------------------------


def chain_marginals(log_unary, log_pairwise):
    """Sum-product on a chain of T variables with K states: marginals [T, K] and the log normalizer.

    p(z) is proportional to exp(Σ_t log_unary[t, z_t] + Σ_t log_pairwise[t, z_t, z_{t+1}]), with
    log_unary [T, K] and log_pairwise [T−1, K, K]. Costs T·K² where enumeration costs K^T.
    Chapter 05.
    """
    log_unary, log_pairwise = _check_chain(log_unary, log_pairwise)
    length = len(log_unary)
    forward = [log_unary[0]]
    for t in range(1, length):
        message = (forward[-1][:, None] + log_pairwise[t - 1]).logsumexp(0)
        forward.append(log_unary[t] + message)
    backward = [torch.zeros_like(log_unary[0])]
    for t in reversed(range(length - 1)):
        backward.insert(0, (log_pairwise[t] + log_unary[t + 1] + backward[0]).logsumexp(1))
    belief = torch.stack(forward) + torch.stack(backward)
    log_normalizer = belief[0].logsumexp(0)
    return (belief - log_normalizer).exp(), log_normalizer


def enumerate_chain(log_unary, log_pairwise):
    """The same marginals [T, K] and log normalizer by visiting all K^T states; K^T ≤ 100,000."""
    log_unary, log_pairwise = _check_chain(log_unary, log_pairwise)
    length, states = log_unary.shape
    if states**length > 100_000:
        raise ValueError(
            f"log_unary describes {states}**{length} joint states; "
            f"at most 100,000 can be enumerated."
        )
    z = torch.cartesian_prod(*[torch.arange(states)] * length).reshape(-1, length)
    score = sum(log_unary[t, z[:, t]] for t in range(length))
    score = score + sum(log_pairwise[t, z[:, t], z[:, t + 1]] for t in range(length - 1))
    log_normalizer = score.logsumexp(0)
    mass = (score - log_normalizer).exp()
    marginals = [torch.bincount(z[:, t], mass, minlength=states) for t in range(length)]
    return torch.stack(marginals), log_normalizer


def _check_chain(log_unary, log_pairwise):
    # -inf is a legal score here (a forbidden transition), so only shapes are checked.
    log_unary = torch.as_tensor(log_unary, dtype=torch.float64)
    log_pairwise = torch.as_tensor(log_pairwise, dtype=torch.float64)
    check_shape("log_unary", log_unary, (None, None))
    length, states = log_unary.shape
    check_shape("log_pairwise", log_pairwise, (length - 1, states, states))
    return log_unary, log_pairwise


# --- small helpers -------------------------------------------------------------------------------


def _double(name, value):
    check_finite(name, value)
    return torch.as_tensor(value, dtype=torch.float64)
