"""Kullback–Leibler divergences: estimated from samples, exact by quadrature, minimized.

Taught in chapter 03. KL(q ‖ p) = E_q[log q(z) − log p(z)], in nats throughout.
"""

import math
from typing import NamedTuple

import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from vaecourse._arguments import as_tensor, check_choice

_DIRECTIONS = ("forward", "reverse")


class Estimate(NamedTuple):
    """A Monte Carlo estimate and its standard error, of one shape."""

    value: Tensor
    standard_error: Tensor


class GaussianFit(NamedTuple):
    """A Gaussian N(loc, scale²) fitted to a target, and the divergence that is left, in nats."""

    loc: float
    scale: float
    kl: float


def monte_carlo(values):
    """The mean of independent draws, values [S, ...], and its standard error s / √S.

    An interval of ±1.96 standard errors covers the expectation in about 95 % of repetitions if the
    variance is finite and S large enough for the sum to look normal. Raises ValueError for S < 2.
    """
    if len(values) < 2:
        raise ValueError(f"values has {len(values)} draws; a standard error needs at least 2.")
    return Estimate(values.mean(0), values.std(0) / len(values) ** 0.5)


def kl_samples(log_ratio, estimator="k1"):
    """One estimate of KL(q ‖ p) for each draw z from q, given log_ratio = log q(z) − log p(z).

    With ℓ = log_ratio and weight w = p(z) / q(z) = e^−ℓ, the estimators are [Sch20]
        k1 = ℓ           unbiased; single values may be negative;
        k2 = ℓ² / 2      biased by a term of third order in ℓ, never negative, often less noisy;
        k3 = w − 1 + ℓ   unbiased when p = 0 wherever q = 0, never negative. w − 1 has mean zero:
                         a control variate. Far from q = p its variance explodes with that of w.
    Hand the result to `monte_carlo`. Raises ValueError for another estimator.
    """
    check_choice("estimator", estimator, ("k1", "k2", "k3"))
    if estimator == "k1":
        return log_ratio
    if estimator == "k2":
        return 0.5 * log_ratio.square()
    return torch.expm1(-log_ratio) + log_ratio


def entropy_from_counts(counts, corrected=False):
    """Entropy, in nats, of a discrete distribution seen through counts [..., K].

    The plug-in value lies below the true one by E KL(empirical ‖ true), about (K − 1) / 2N for N
    draws; corrected=True adds that with the number of values seen for K [Mil55].
    """
    if not isinstance(counts, torch.Tensor):
        counts = as_tensor(counts, argument="counts")
    if (counts < 0).any() or (counts.sum(-1) <= 0).any():
        raise ValueError("counts must be non-negative, with at least one draw in each row.")
    n = counts.sum(-1)
    plug_in = torch.special.entr(counts / n[..., None]).sum(-1)
    return plug_in + ((counts > 0).sum(-1) - 1) / (2 * n) if corrected else plug_in


def gaussian_mixture(weights, means, scales):
    """The one-dimensional mixture Σ_k w_k N(m_k, s_k²), in float64, as a torch Distribution."""
    weights, means, scales = (
        torch.as_tensor(values, dtype=torch.float64) for values in (weights, means, scales)
    )
    return MixtureSameFamily(Categorical(probs=weights), Normal(means, scales))


def quadrature_grid(*distributions):
    """Equally spaced points [G] that hold all the mass of Gaussians and mixtures of them.

    From 12 standard deviations below to 12 above every component, 40 points to the narrowest: the
    trapezoidal rule is then exact to rounding for what is integrated here.
    """
    components = [getattr(d, "component_distribution", d) for d in distributions]
    low = min((c.loc - 12 * c.scale).min().item() for c in components)
    high = max((c.loc + 12 * c.scale).max().item() for c in components)
    narrowest = min(c.scale.min().item() for c in components)
    steps = math.ceil(40 * (high - low) / narrowest)
    return torch.linspace(low, high, steps + 1, dtype=torch.float64)


def kl_by_quadrature(q, p, grid=None):
    """KL(q ‖ p) of two densities on the line, by the trapezoidal rule; a 0-d tensor, nats.

    grid: equally spaced points [G]; by default those of `quadrature_grid`, for Gaussians and
    mixtures of them. Raises ValueError if the grid misses more than 1e-6 of the mass of q.
    """
    grid = quadrature_grid(q, p) if grid is None else grid
    log_q = q.log_prob(grid)
    mass = torch.trapezoid(log_q.exp(), grid).item()
    if abs(mass - 1) > 1e-6:
        raise ValueError(f"grid holds a mass of {mass:.6f} of q; it must hold 1 to within 1e-6.")
    integrand = torch.where(log_q > -700, log_q.exp() * (log_q - p.log_prob(grid)), 0.0)
    return torch.trapezoid(integrand, grid)


def match_moments(target):
    """The Gaussian that minimizes KL(target ‖ q): mean and variance are those of the target.

    The derivative of E_p[log q] vanishes there and nowhere else ([Bis06] section 10.7).
    """
    loc, scale = target.mean.item(), target.stddev.item()
    kl = kl_by_quadrature(target, Normal(target.mean, target.stddev)).item()
    return GaussianFit(loc, scale, kl)


def fit_gaussian(target, direction, starts=None):
    """The Gaussians at which a divergence from a mixture has a local minimum, the best first.

    target: a `gaussian_mixture`. direction: "forward" minimizes KL(target ‖ q), whose one minimum
    `match_moments` knows in closed form; "reverse" minimizes KL(q ‖ target), which may have one
    minimum for each mode. starts: pairs (loc, scale), by default every component and the matched
    moments. Minimized over (loc, log scale) by BFGS on a quadrature; saddles are left out.
    Returns a list of `GaussianFit`; ValueError for another direction. [Bis06] section 10.1.2.
    """
    check_choice("direction", direction, _DIRECTIONS)
    if starts is None:
        components = target.component_distribution
        starts = list(zip(components.loc.tolist(), components.scale.tolist(), strict=True))
        starts.append((target.mean.item(), target.stddev.item()))
    objective = _forward(target) if direction == "forward" else _reverse(target)
    fits = []
    for start in starts:
        fit = _minimize(objective, start)
        if fit and all(abs(fit.loc - f.loc) + abs(fit.scale - f.scale) > 1e-4 for f in fits):
            fits.append(fit)
    return sorted(fits, key=lambda fit: fit.kl)


def _forward(target):
    grid = quadrature_grid(target)
    log_p = target.log_prob(grid)
    p = log_p.exp()
    negative_entropy = torch.trapezoid(p * log_p, grid)

    def kl(loc, log_scale):
        log_q = Normal(loc, log_scale.exp()).log_prob(grid)
        return negative_entropy - torch.trapezoid(p * log_q, grid)

    return kl


def _reverse(target):
    # The grid moves with q: z = loc + scale u, u standard normal.
    u = torch.linspace(-10, 10, 4001, dtype=torch.float64)
    density = torch.exp(-0.5 * u.square()) / math.sqrt(2 * math.pi)

    def kl(loc, log_scale):
        expected_log_p = torch.trapezoid(density * target.log_prob(loc + log_scale.exp() * u), u)
        return -0.5 * math.log(2 * math.pi * math.e) - log_scale - expected_log_p

    return kl


def _minimize(objective, start):
    """The local minimum that BFGS reaches from start = (loc, scale), or None at a saddle."""

    def value_and_gradient(parameters):
        point = torch.tensor(parameters, dtype=torch.float64, requires_grad=True)
        value = objective(point[0], point[1])
        (gradient,) = torch.autograd.grad(value, point)
        return value.item(), gradient.numpy()

    loc, scale = start
    result = minimize(
        value_and_gradient, [loc, math.log(scale)], jac=True, method="BFGS", options={"gtol": 1e-9}
    )
    at = torch.tensor(result.x, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda point: objective(point[0], point[1]), at)
    if torch.linalg.eigvalsh(hessian)[0] <= 0:
        return None
    return GaussianFit(result.x[0].item(), math.exp(result.x[1]), result.fun)
