"""Rate and distortion: what a code costs, and what is lost with it. Taught in chapter 15.

The rate is E KL(q(z|x) ‖ p(z)) in nats, the distortion E[−log p(x|z)] or a squared error. For
Gaussian data and squared error the least rate of every distortion is known [CT06, section 10.3].
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse._arguments import as_tensor, check_positive
from vaecourse.inference.posteriors import gauss_hermite
from vaecourse.models.base import check_latent, checked, judging


class RateDistortion(NamedTuple):
    """What a code costs, in nats, and what it leaves; both of one shape."""

    rate: Tensor
    distortion: Tensor


def reverse_water_filling(variances, level):
    """Rate (nats) and squared error of each direction of Gaussian data at a water level.

    A direction of variance above the level keeps an error equal to it, at ½ log(variance / level)
    nats; one below is left out. Both sums lie on R(D), whose slope there is −1 / (2 level).
    variances: [K], the eigenvalues of the covariance. Raises ValueError unless all are positive.
    """
    variances = _variances(variances)
    check_positive("level", level)
    rate = 0.5 * (variances / level).log().clamp(min=0)
    return RateDistortion(rate, variances.clamp(max=level))


def gaussian_rate(variances, distortion):
    """R(D): the least rate, in nats, at which Gaussian data can have this squared error.

    variances: [K], the eigenvalues of the covariance. Raises ValueError for a distortion that is
    not positive; one above the sum of the variances needs no rate.
    """
    variances = _variances(variances).sort().values
    check_positive("distortion", distortion)
    if distortion >= variances.sum():
        return 0.0
    k = len(variances)
    # The n smallest lie below the level, which the others share: Σ_below + (K − n) level = D.
    below = torch.cat([variances.new_zeros(1), variances.cumsum(0)[:-1]])
    levels = (distortion - below) / torch.arange(k, 0, -1, dtype=variances.dtype)
    level = levels[levels <= variances][0].item()
    return reverse_water_filling(variances, level).rate.sum().item()


def best_encoder(log_likelihood, log_prior, beta=1.0):
    """Rate and distortion of the best possible q(z|x) of a given decoder and prior; each [B], nats.

    log_likelihood: [B, G], log p(x|z) of each x at each of G cells (or words) of z.
    log_prior: [G], the logarithms of their masses, which sum to one.
    The minimum of distortion + beta · rate over all q is at q ∝ p(z) p(x|z)^(1/beta), the posterior
    for beta = 1; there the sum is −beta log Σ p(z) p(x|z)^(1/beta). Raises ValueError for shapes
    that do not fit, a beta that is not positive, or masses that do not sum to one.
    """
    log_likelihood = as_tensor(log_likelihood, argument="log_likelihood")
    log_prior = as_tensor(log_prior, log_likelihood, argument="log_prior")
    check_positive("beta", beta)
    if log_likelihood.ndim != 2 or log_prior.shape != log_likelihood.shape[1:]:
        raise ValueError(
            f"log_likelihood has shape {list(log_likelihood.shape)} and log_prior "
            f"{list(log_prior.shape)}; they must be [B, G] and [G]."
        )
    mass = log_prior.double().exp().sum().item()
    if abs(mass - 1) > 1e-3:
        raise ValueError(f"log_prior holds a mass of {mass:.4g}; it must hold 1.")
    log_q = (log_likelihood / beta + log_prior).log_softmax(1)
    distortion = -(log_q.exp() * log_likelihood).sum(1)
    return RateDistortion((log_q.exp() * (log_q - log_prior)).sum(1), distortion)


@judging
def encoder_terms(model, x, num_nodes=16):
    """Rate and distortion of the model's own diagonal q(z|x) of two latents; each [B], nats.

    The rate is in closed form, the distortion by num_nodes² Gauss–Hermite nodes in place of draws.
    """
    check_latent(model)
    x = checked(model, x)
    nodes, weights = (part.to(x) for part in gauss_hermite(num_nodes, 2))
    rates, distortions = [], []
    for rows in x.split(20):
        q = model.encode(rows)
        z = q.mean[:, None] + q.stddev[:, None] * nodes  # [B, nodes, 2]
        values = model.decode(z).log_prob(rows[:, None])
        distortions.append(-(values * weights).sum(1))
        rates.append(torch.distributions.kl_divergence(q, model.prior))
    return RateDistortion(torch.cat(rates), torch.cat(distortions))


def _variances(variances):
    variances = as_tensor(variances, argument="variances").double()
    if variances.ndim != 1 or len(variances) == 0 or not (variances > 0).all():
        raise ValueError("variances must be a list of positive numbers, [K].")
    return variances
