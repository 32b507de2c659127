"""Gradients of E_q[f(z)]: the score function and the pathwise estimator (chapter 08).

Estimators return one gradient a sample, so that their variance can be measured and not only their
mean. Samples come first: [S, J]. Everything is float64 and draws from the generator it is given.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import gammainc, gammaln
from torch import Tensor

from vaecourse._arguments import (
    check_choice,
    check_count,
    check_finite,
    check_positive,
    check_shape,
)
from vaecourse.positive_latents import GammaLatents

BASELINES = ("none", "mean", "optimal", "leave_one_out")
LOG_2PI = math.log(2 * math.pi)


class GradientSamples(NamedTuple):
    """One gradient of E_q[f] a sample, by the mean and by the log variance of q; each [S, J]."""

    loc: Tensor
    log_var: Tensor


# --- two estimators for a diagonal Gaussian ------------------------------------------------------


def score_function_gradients(f, loc, log_var, num_samples, generator, baseline="none"):
    """(f(z) − b) ∇ log q(z) at samples z of q = N(loc, exp(log_var)); f maps [S, J] to [S].

    b is 0 ("none"), E[f] ("mean"), E[f s²]/E[s²] for each parameter with score s ("optimal"), or
    the mean of f over the other samples ("leave_one_out"). "mean" and "optimal" are estimated on a
    separate draw of as many samples, for a baseline must not depend on the sample it is used on.
    Raises ValueError for an unknown baseline. [S2] Monte Carlo gradient; chapter 08.
    """
    check_choice("baseline", baseline, BASELINES)
    loc, log_var = _parameters(loc, log_var)
    # Leaving one out needs another one.
    check_count("num_samples", num_samples, smallest=2 if baseline == "leave_one_out" else 1)
    subtract = GradientSamples(torch.zeros(()), torch.zeros(()))
    if baseline in ("mean", "optimal"):
        values, scores = _values_and_scores(f, loc, log_var, num_samples, generator)
        subtract = _fixed_baseline(baseline, values[:, None], scores)
    values, scores = _values_and_scores(f, loc, log_var, num_samples, generator)
    if baseline == "leave_one_out":
        others = (values.sum() - values) / (num_samples - 1)
        subtract = GradientSamples(others[:, None], others[:, None])
    return GradientSamples(
        (values[:, None] - subtract.loc) * scores.loc,
        (values[:, None] - subtract.log_var) * scores.log_var,
    )


def _values_and_scores(f, loc, log_var, num_samples, generator):
    eps = torch.randn(num_samples, len(loc), generator=generator, dtype=loc.dtype)
    values = f(loc + (0.5 * log_var).exp() * eps).detach()
    check_shape("f(z)", values, (num_samples,))
    return values, GradientSamples(eps * (-0.5 * log_var).exp(), 0.5 * (eps.square() - 1))


def _fixed_baseline(baseline, values, scores):
    if baseline == "mean":
        return GradientSamples(values.mean(0), values.mean(0))
    squares = [score.square() for score in scores]
    return GradientSamples(*((values * s).mean(0) / s.mean(0) for s in squares))


def square_gradient_variances(loc, scale):
    """The exact variance of one sample of d/dloc E[z²], q = N(loc, scale²), for each estimator.

    Returns a dict with the keys "none", "mean", "optimal" and "pathwise"; numbers. Chapter 08.
    """
    check_finite("loc", loc)
    check_positive("scale", scale)

    def with_baseline(b):
        c = loc**2 - b
        second_moment = c**2 / scale**2 + 12 * loc**2 + 15 * scale**2 + 6 * c
        return second_moment - (2 * loc) ** 2

    return {
        "none": with_baseline(0.0),
        "mean": with_baseline(loc**2 + scale**2),
        "optimal": with_baseline(loc**2 + 3 * scale**2),
        "pathwise": 4 * scale**2,
    }


# --- a Gaussian with full covariance -------------------------------------------------------------


def full_gaussian_sample(loc, scale_tril, eps):
    """z = loc + Lε and log q(z) = log p(ε) − Σ log L_jj: [..., J] and [...] in nats.

    Raises ValueError where scale_tril is not lower triangular with a positive diagonal. [S0] full
    covariance; chapter 08.
    """
    dim = loc.shape[-1]
    check_shape("scale_tril", scale_tril, (*scale_tril.shape[:-2], dim, dim))
    check_shape("eps", eps, (*eps.shape[:-1], dim))
    diagonal = scale_tril.diagonal(dim1=-2, dim2=-1)
    check_positive("the diagonal of scale_tril", diagonal)
    if (scale_tril.detach().triu(1) != 0).any():
        raise ValueError("scale_tril has entries above the diagonal; it must be lower triangular.")
    z = loc + (scale_tril @ eps[..., None])[..., 0]
    log_noise = -0.5 * (eps.square() + LOG_2PI).sum(-1)
    return z, log_noise - diagonal.log().sum(-1)


# --- exponential and gamma -----------------------------------------------------------------------


def gamma_rsample_by_sums(shape, scale, sample_shape, generator):
    """Gamma(shape, scale) for an integer shape: scale times a sum of −log(1 − u), exponentials.

    Returns [*sample_shape, *scale.shape], differentiable by scale and not by shape: a number of
    terms has no derivative. Raises ValueError for a shape that is no positive integer.
    [S3] section 3.6; chapter 08.
    """
    check_count("shape", shape)
    check_positive("scale", scale)
    scale = torch.as_tensor(scale)
    sizes = (*sample_shape, shape, *scale.shape)
    u = torch.rand(sizes, generator=generator, dtype=torch.float64)
    # log1p keeps the digits of small u; u is never 1, so the logarithm is finite.
    return scale * -torch.log1p(-u).sum(len(sample_shape))


def gamma_rsample(concentration, rate, sample_shape, generator):
    """Gamma(concentration, rate) for any positive shape: [*sample_shape, *concentration.shape].

    Differentiable by both; by the concentration through the implicit gradient −(∂F/∂α)/p, which
    needs no inverse of the CDF. Raises ValueError for parameters that are not positive. Chapter 08.
    """
    check_positive("concentration", concentration)
    check_positive("rate", rate)
    concentration = torch.as_tensor(concentration, dtype=torch.float64)
    rate = torch.as_tensor(rate, dtype=torch.float64)
    check_shape("rate", rate, tuple(concentration.shape))
    q = GammaLatents(concentration.log()[..., None], rate.log()[..., None])
    return q.rsample(sample_shape, generator)[..., 0]


def implicit_gamma_gradient(z, concentration, step=1e-5):
    """dz/dα at fixed CDF value, −(∂F(z; α)/∂α)/p(z; α), for Gamma(α, 1); numpy arrays.

    Written out with a central difference for ∂F/∂α: the definition, to compare the fast one with.
    """
    check_positive("z", z)
    check_positive("concentration", concentration)
    z, alpha = np.asarray(z, dtype=float), np.asarray(concentration, dtype=float)
    h = step * alpha
    slope = (gammainc(alpha + h, z) - gammainc(alpha - h, z)) / (2 * h)
    log_density = (alpha - 1) * np.log(z) - z - gammaln(alpha)
    return -slope / np.exp(log_density)


# --- the sigmoid-linear model --------------------------------------------------------------------


class SigmoidLinearGradients(NamedTuple):
    """Gradients of the summed bound: weight [D, J], bias [D], loc [B, J], var [B, J]."""

    weight: Tensor
    bias: Tensor
    loc: Tensor
    var: Tensor


class SigmoidLinearFit(NamedTuple):
    """A trained model, its q(z|x) for every row, and the summed bound at each step [T], in nats."""

    weight: Tensor
    bias: Tensor
    loc: Tensor
    log_var: Tensor
    bound_trace: Tensor


def sigmoid_linear_bound(x, weight, bias, loc, var, eps, alpha, beta):
    """The SGVB bound [B] for z ~ N(0, I/alpha), x|z ~ N(σ(Wz + b), I/beta), q = N(loc, diag var).

    x [B, D], weight [D, J], bias [D], loc and var [B, J], eps [S, B, J]. The KL is in closed form,
    the likelihood averaged over S samples; all constants kept. [S3] sections 3.1 to 3.3;
    chapter 08.
    """
    _check_model(x, weight, bias, loc, var, eps, alpha, beta)
    z = loc + var.sqrt() * eps
    residual = x - torch.sigmoid(z @ weight.T + bias)
    log_likelihood = 0.5 * (math.log(beta) - LOG_2PI - beta * residual.square()).sum(-1).mean(0)
    minus_kl = 0.5 * (1 + var.log() + math.log(alpha) - alpha * (loc.square() + var)).sum(-1)
    return log_likelihood + minus_kl


def sigmoid_linear_gradients(x, weight, bias, loc, var, eps, alpha, beta):
    """The gradients of `sigmoid_linear_bound(...).sum()`, by hand.

    [S3] section 3.5 with the chain rule's ε/σ where the source prints ε/σ²; chapter 08.
    """
    _check_model(x, weight, bias, loc, var, eps, alpha, beta)
    scale = var.sqrt()
    z = loc + scale * eps
    mean = torch.sigmoid(z @ weight.T + bias)
    by_logit = beta * (x - mean) * mean * (1 - mean)
    by_z = by_logit @ weight
    return SigmoidLinearGradients(
        weight=torch.einsum("sbd,sbj->dj", by_logit, z) / len(eps),
        bias=by_logit.sum(1).mean(0),
        loc=by_z.mean(0) - alpha * loc,
        var=(by_z * eps).mean(0) / (2 * scale) + 0.5 / var - 0.5 * alpha,
    )


def fit_sigmoid_linear(
    x, latent_dim, alpha, beta, generator, num_steps=2000, num_samples=1, learning_rate=0.01
):
    """Stochastic gradient ascent of the bound with the gradients by hand; x is [B, D].

    Every row has its own q(z|x), kept positive by stepping in its log variance. Raises ValueError
    for a precision, step or count that is not positive. [S3] section 3.4; chapter 08.
    """
    for name, value in (("alpha", alpha), ("beta", beta), ("learning_rate", learning_rate)):
        check_positive(name, value)
    counts = (("latent_dim", latent_dim), ("num_steps", num_steps), ("num_samples", num_samples))
    for name, value in counts:
        check_count(name, value)
    check_finite("x", x)
    x = torch.as_tensor(x, dtype=torch.float64)
    check_shape("x", x, (None, None))
    weight = torch.randn(x.shape[1], latent_dim, generator=generator, dtype=x.dtype)
    bias = torch.zeros(x.shape[1], dtype=x.dtype)
    loc = torch.zeros(len(x), latent_dim, dtype=x.dtype)
    log_var = torch.full_like(loc, -math.log(alpha))
    trace = torch.empty(num_steps, dtype=x.dtype)
    for step in range(num_steps):
        eps = torch.randn(num_samples, *loc.shape, generator=generator, dtype=x.dtype)
        var = log_var.exp()
        state = (x, weight, bias, loc, var, eps, alpha, beta)
        trace[step] = sigmoid_linear_bound(*state).sum()
        gradient = sigmoid_linear_gradients(*state)
        # What all rows share takes the mean over rows, as a minibatch would.
        weight = weight + learning_rate * gradient.weight / len(x)
        bias = bias + learning_rate * gradient.bias / len(x)
        loc = loc + learning_rate * gradient.loc
        # d/d log σ² = σ² d/dσ².
        log_var = log_var + learning_rate * var * gradient.var
    return SigmoidLinearFit(weight, bias, loc, log_var, trace)


# --- small helpers -------------------------------------------------------------------------------


def _check_model(x, weight, bias, loc, var, eps, alpha, beta):
    check_shape("x", x, (None, None))
    check_shape("weight", weight, (x.shape[1], None))
    check_shape("bias", bias, (x.shape[1],))
    check_shape("loc", loc, (len(x), weight.shape[1]))
    check_shape("var", var, tuple(loc.shape))
    check_shape("eps", eps, (None, *loc.shape))
    for name, value in (("var", var), ("alpha", alpha), ("beta", beta)):
        check_positive(name, value)


def _parameters(loc, log_var):
    check_finite("loc", loc)
    check_finite("log_var", log_var)
    loc = torch.as_tensor(loc, dtype=torch.float64).detach()
    log_var = torch.as_tensor(log_var, dtype=torch.float64).detach()
    check_shape("loc", loc, (None,))
    check_shape("log_var", log_var, tuple(loc.shape))
    return loc, log_var
