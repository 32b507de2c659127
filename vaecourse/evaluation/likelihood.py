"""log p(x) by importance sampling, and what the latents' average looks like.

Taught in chapter 13. With draws z_s from q(z|x) and weights w_s = p(x, z_s) / q(z_s|x), the mean
of the weights is unbiased for p(x), and its logarithm rises in expectation, as S grows, from the
ELBO to log p(x) [BGS16]. All values are in nats.
"""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vaecourse import objectives
from vaecourse._arguments import as_tensor, check_count
from vaecourse.evaluation.divergence import monte_carlo
from vaecourse.models.base import check_latent, checked, judging

ROWS = 500  # pairs of image and draw that are decoded at once: what fits a processor's cache


class LikelihoodEstimate(NamedTuple):
    """log p(x) with what the weights say of its quality; each [B], float64.

    standard_error: of the logarithm, to first order; it means little unless well below one.
    effective_sample_size: (Σ w)² / Σ w², from 1, one weight is all, to S, all are equal.
    """

    log_likelihood: Tensor
    standard_error: Tensor
    effective_sample_size: Tensor


def importance_log_likelihood(model, x, num_samples, generator=None, *, rows=ROWS, progress=True):
    """log (1/S) Σ w over S = `num_samples` draws from q(z|x) for each row of x [B, D]: [B], nats.

    The arguments are those of `importance_estimate`, which says how good the values are.
    """
    return importance_estimate(
        model, x, num_samples, generator, rows=rows, progress=progress
    ).log_likelihood


@judging
def importance_estimate(model, x, num_samples, generator=None, *, rows=ROWS, progress=True):
    """log p(x) for each row of x [B, D], with standard error and effective sample size.

    model: anything with `log_weights`, or with `encode`, `decode` and `prior` of one latent z,
    which give distributions as those of the course; its `check`, if any, says what x it takes.
    Any number of draws is taken, at most `rows` pairs of image and draw at a time: memory is
    bounded by rows · D values, and a bar shows when it takes longer than two seconds. Raises
    ValueError for a count that is not positive, or for a model or x that it cannot take. [BGS16];
    chapter 13.
    """
    check_count("num_samples", num_samples)
    check_count("rows", rows)
    log_weights = getattr(model, "log_weights", None)
    if log_weights is None:
        check_latent(model)
        log_weights = partial(objectives.log_weights, model)
    x = checked(model, x)
    parts = []
    with tqdm(total=len(x), unit="image", delay=2, disable=not progress) as bar:
        for images in x.split(max(1, rows // num_samples)):
            parts.append(_estimate(log_weights, images, num_samples, rows, generator))
            bar.update(len(images))
    return LikelihoodEstimate(*map(torch.cat, zip(*parts)))


def _estimate(log_weights, x, num_samples, rows, generator):
    log_sum = torch.full((len(x),), -math.inf, dtype=torch.float64)  # mps has no float64
    log_sum_of_squares = log_sum.clone()
    chunk = max(1, rows // len(x))
    for done in range(0, num_samples, chunk):
        draws = min(chunk, num_samples - done)
        log_w = log_weights(x, draws, generator).cpu().double()
        log_sum = torch.logaddexp(log_sum, log_w.logsumexp(0))
        log_sum_of_squares = torch.logaddexp(log_sum_of_squares, (2 * log_w).logsumexp(0))
    effective = (2 * log_sum - log_sum_of_squares).exp()
    # Relative variance of the mean weight: (S Σw² / (Σw)² − 1) / (S − 1).
    variance = (num_samples / effective - 1).clamp(min=0) / max(num_samples - 1, 1)
    error = variance.sqrt() if num_samples > 1 else torch.full_like(variance, math.nan)
    return LikelihoodEstimate(log_sum - math.log(num_samples), error, effective)


def bits_per_dimension(log_likelihood, dim):
    """−log p(x) / (D log 2): nats for an image of D discrete values, in bits for one of them."""
    check_count("dim", dim)
    if isinstance(log_likelihood, list | tuple):
        log_likelihood = as_tensor(log_likelihood, argument="log_likelihood")
    return -log_likelihood / (dim * math.log(2))


@judging
def aggregate_kl(model, x, num_samples=1, generator=None, *, chunk=256, progress=True):
    """KL(q(z) ‖ p(z)) for the aggregate posterior q(z) = 1/N Σ q(z|x_n) of x [N, D], in nats.

    `num_samples` draws of z from the posterior of each row, against the whole mixture of N
    components, so that no minibatch biases it; an `Estimate`, its error that of the draws. With
    I = E KL(q(z|x) ‖ q(z)), what z tells of the row it came from, the mean KL of the bound is
    KL(q(z) ‖ p(z)) + I [HJ16]. Costs N² · num_samples densities, `chunk` draws at a time. Raises
    ValueError for a posterior that is not diagonal.
    """
    check_latent(model)
    check_count("num_samples", num_samples)
    x = checked(model, x)
    q = model.encode(x)
    if not hasattr(q, "log_var"):
        raise ValueError("The posterior of this model is not diagonal; its mixture needs that.")
    loc, log_var = q.loc.cpu().double(), q.log_var.cpu().double()
    parts = q.sample((num_samples,), generator).flatten(0, 1).split(chunk)
    bar = tqdm(parts, "mixture", delay=2, disable=not progress)
    log_ratios = [
        log_mixture(z.cpu().double(), loc, log_var) - model.prior.log_prob(z).cpu().double()
        for z in bar
    ]
    return monte_carlo(torch.cat(log_ratios))


def log_mixture(z, loc, log_var):
    """log 1/N Σ_n N(z; loc_n, exp log_var_n) for z [M, J], loc and log_var [N, J]: [M], nats.

    The density of an aggregate posterior, and of a VampPrior; by two matrix products.
    """
    precision = (-log_var).exp()
    square = z.square() @ precision.T - 2 * z @ (loc * precision).T
    constant = (loc.square() * precision + log_var + math.log(2 * math.pi)).sum(1)
    return torch.logsumexp(-0.5 * (square + constant), dim=1) - math.log(len(loc))
