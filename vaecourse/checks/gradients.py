"""Self-checks of chapter 08: the score-function gradient and the draw with a full covariance.

Each takes the reader's function and tries it on seeded numbers. A wrong answer is compared with
what the well-known mistakes give, so that the message can name the one that was made.
"""

import math

import torch

from vaecourse.checks.answers import (
    as_tensor,
    check_function,
    check_gradients_reach,
    close,
    name_mistake,
    seeded,
)
from vaecourse.checks.mistakes import Mistake

_LOG_2PI = math.log(2 * math.pi)


def score_function_gradient(fn):
    """Check `fn(values, z, loc, log_var) -> [S, J]`, the gradients of E_q[f] by loc, one a sample.

    `values` [S] are f(z) at draws z [S, J] of q = N(loc, diag exp(log_var)), with loc and log_var
    [J]; the baseline of a sample is the mean of the other values. Returns a sentence beginning
    "Right:"; raises `Mistake` with one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    inputs = _draws()
    answer = as_tensor(fn(*(value.clone() for value in inputs)))
    _check_gradient_shape(answer, *inputs)
    right = _right_gradient(*inputs)
    if not close(answer, right):
        name_mistake(answer, right, _wrong_gradients(*inputs))
    return "Right: (f(z) − mean of the others) times the score, one gradient a sample, unbiased."


def full_covariance_sample(fn):
    """Check `fn(loc, log_var, raw, eps) -> z, log_q`: a draw of N(loc, L Lᵀ) and its log density.

    L is the part of `raw` [B, J, J] below the diagonal plus diag σ; loc, log_var and eps are
    [B, J], z is [B, J], log_q [B] in nats. Returns a sentence beginning "Right:"; raises `Mistake`
    with one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    inputs = _encoder_output()
    z, log_q = _pair(fn(*(value.clone() for value in inputs)))
    _check_sample_shapes(as_tensor(z), as_tensor(log_q), inputs[0])
    right_z, right_log_q = _right_sample(*inputs)
    if not close(as_tensor(z), right_z):
        name_mistake(as_tensor(z), right_z, _wrong_samples(*inputs))
    if not close(as_tensor(log_q), right_log_q):
        name_mistake(as_tensor(log_q), right_log_q, _wrong_densities(*inputs))
    _check_sample_gradients(fn, *inputs)
    return "Right: z = loc + L ε and log q(z) = log p(ε) − Σ log σ, with gradients to all of L."


# --- the score function ----------------------------------------------------------------------


def _draws():
    """values [7], z [7, 3], loc [3] and log_var [3]; σ differs from 1 and from σ²."""
    noise = torch.randn(9, 3, generator=seeded(4), dtype=torch.float64)
    loc, log_var = noise[0], 0.4 + 0.6 * noise[1].abs()
    z = loc + (0.5 * log_var).exp() * noise[2:]
    return z.square().sum(1) + 1.5, z, loc, log_var


def _right_gradient(values, z, loc, log_var):
    others = (values.sum() - values) / (len(values) - 1)
    return (values - others)[:, None] * (z - loc) / log_var.exp()


def _check_gradient_shape(answer, values, z, loc, log_var):
    samples, dim = z.shape
    if answer.shape == (samples, dim):
        return
    right = _right_gradient(values, z, loc, log_var)
    if answer.shape == (dim,) and not close(answer, right.sum(0)):
        raise Mistake(
            "You averaged over the samples; give one gradient a sample, [S, J], so that their "
            "spread can be measured."
        )
    if answer.shape == (dim,):
        raise Mistake("You summed over the samples; give one gradient a sample, [S, J].")
    if answer.shape == (samples,):
        raise Mistake("You summed over the latents; each of the J entries of loc has a gradient.")
    if answer.ndim == 0:
        raise Mistake("The answer is one number; give one gradient a sample and latent, [S, J].")
    raise Mistake(f"The shape is {list(answer.shape)}; it must be [S, J], here [{samples}, {dim}].")


def _wrong_gradients(values, z, loc, log_var):
    """(what a mistake gives [S, J], the sentence that names it), …"""
    right, count = _right_gradient(values, z, loc, log_var), len(values)
    score = (z - loc) / log_var.exp()
    scale = (0.5 * log_var).exp()
    others = (values.sum() - values) / (count - 1)
    centred = (values - others)[:, None]
    by_log_var = 0.5 * (((z - loc) / scale).square() - 1)
    return [
        (
            values[:, None] * score,
            "The baseline is missing: unbiased, but noisier than need be; subtract from each "
            "value the mean of the others.",
        ),
        (
            (values - values.mean())[:, None] * score,
            "The mean includes the sample's own value, which shrinks the gradient by 1 − 1/S; "
            "leave that one out.",
        ),
        (
            (values - (values.sum() - values) / count)[:, None] * score,
            "The others are S − 1 in number; you divided their sum by S.",
        ),
        (
            (values - (values.sum() - values))[:, None] * score,
            "The baseline is the sum of the others; take their mean.",
        ),
        (-right, "The sign is wrong: the score is (z − loc)/σ², upwards where z is above loc."),
        (centred * (z - loc) / scale, "The score divides by σ², the variance; you divided by σ."),
        (centred * (z - loc), "The score is (z − loc)/σ²; you left out the division."),
        (
            centred * (z - loc) / (2 * log_var).exp(),
            "You read log_var as log σ: exp(log_var) already is the variance.",
        ),
        (
            centred * (z - loc) / log_var,
            "You divided by log_var itself; the variance is exp(log_var).",
        ),
        (
            centred * (z - loc) * log_var.exp(),
            "You multiplied by the variance; the score divides by it.",
        ),
        (centred * by_log_var, "This is the gradient by log_var; the one by loc is asked for."),
        (
            centred * by_log_var * 2 / scale,
            "This is the gradient by σ; the one by loc is asked for.",
        ),
        (score, "This is the score alone; multiply it by f(z) minus the baseline."),
        (others[:, None] * score, "This is the baseline times the score; f(z) itself is missing."),
        ((values + others)[:, None] * score, "The baseline is added; subtract it."),
        (
            values[:, None] * score - others[:, None],
            "The baseline is subtracted after the score; it must be multiplied by the score too, "
            "else the mean is no longer right.",
        ),
        (right / count, "You divided by S: the mean over samples is taken later, and only once."),
    ]


# --- the full covariance ---------------------------------------------------------------------


def _encoder_output():
    """loc [5, 3], log_var [5, 3], raw [5, 3, 3] with every entry away from 0, and eps [5, 3]."""
    noise = torch.randn(5, 6, 3, generator=seeded(5), dtype=torch.float64)
    raw = noise[:, 3:] + 0.5 * noise[:, 3:].sign()
    return noise[:, 0], 0.4 + 0.6 * noise[:, 1].abs(), raw, noise[:, 2]


def _right_sample(loc, log_var, raw, eps):
    scale_tril = raw.tril(-1) + torch.diag_embed((0.5 * log_var).exp())
    return loc + _times(scale_tril, eps), _log_noise(eps) - 0.5 * log_var.sum(-1)


def _times(matrix, eps):
    return (matrix @ eps[..., None])[..., 0]


def _log_noise(eps):
    return -0.5 * (eps.square() + _LOG_2PI).sum(-1)


def _pair(result):
    if result is None:
        raise Mistake("Your function returns nothing; is the return statement missing?")
    if isinstance(result, torch.Tensor) or not hasattr(result, "__len__") or len(result) != 2:
        raise Mistake("Return two things, z and log q(z).")
    return result


def _check_sample_shapes(z, log_q, loc):
    if z.shape != loc.shape:
        raise Mistake(f"z has shape {list(z.shape)}; it must be that of loc, {list(loc.shape)}.")
    if log_q.shape == loc.shape:
        raise Mistake("log q(z) is [B, J]: sum over the latents, for one density a row.")
    if log_q.shape == ():
        raise Mistake("log q(z) is one number, reduced over the batch; give one a row, [B].")
    if log_q.shape != loc.shape[:1]:
        raise Mistake(f"log q(z) has shape {list(log_q.shape)}; it must be one a row, [5].")


def _wrong_samples(loc, log_var, raw, eps):
    """(what a mistake gives [B, J], the sentence that names it), …"""
    scale = (0.5 * log_var).exp()
    sigma, below = torch.diag_embed(scale), raw.tril(-1)
    right = below + sigma
    factors = [
        (
            raw + sigma,
            "The mask is missing: only what lies strictly below the diagonal of raw enters L.",
        ),
        (
            raw.tril() + sigma,
            "Your mask keeps the diagonal of raw, which is then added to σ; keep what is strictly "
            "below it.",
        ),
        (raw.tril(), "The diagonal of L is that of raw; it must be σ, which is positive."),
        (raw.triu(1) + sigma, "The mask is upside down: L is lower triangular."),
        (right.mT, "You multiplied by Lᵀ: with ε as a column it is L ε, as a row ε Lᵀ."),
        (below, "The diagonal is missing: add diag σ to what lies below it."),
        (sigma, "raw does not enter: without what is below the diagonal the axes stay apart."),
        (
            below + torch.diag_embed(log_var.exp()),
            "The variances stand on the diagonal: σ is exp(½ log_var).",
        ),
        (
            below + torch.diag_embed(log_var),
            "log_var stands on the diagonal; σ is exp(½ log_var).",
        ),
        (below + torch.diag_embed(1 / scale), "σ is inverted: it is exp(+½ log_var)."),
        (right @ right.mT, "You multiplied by the covariance L Lᵀ; a draw takes L."),
        (
            below + torch.eye(3, dtype=raw.dtype),
            "Ones stand on the diagonal of L, where σ belongs.",
        ),
        (
            below * sigma.diagonal(dim1=-2, dim2=-1)[..., None] + sigma,
            "You scaled the rows below the diagonal by σ as well; raw enters as it is.",
        ),
    ]
    return [
        (_times(right, eps), "loc is missing: z = loc + L ε."),
        (loc - _times(right, eps), "The noise is subtracted: z = loc + L ε."),
        *((loc + _times(factor, eps), sentence) for factor, sentence in factors),
    ]


def _wrong_densities(loc, log_var, raw, eps):
    """(what a mistake gives [B], the sentence that names it), …"""
    z, right = _right_sample(loc, log_var, raw, eps)
    noise, log_det = _log_noise(eps), 0.5 * log_var.sum(-1)
    deviations = (raw.tril(-1).square().sum(-1) + log_var.exp()).sqrt()
    as_if_diagonal = -0.5 * (((z - loc) ** 2 / log_var.exp()) + _LOG_2PI + log_var).sum(-1)
    by_marginals = -0.5 * (((z - loc) / deviations) ** 2 + _LOG_2PI).sum(-1)
    constant = 0.5 * _LOG_2PI * loc.shape[-1]
    return [
        (
            noise,
            "The log-determinant is missing: this is the density of ε; z has been stretched by L.",
        ),
        (
            noise + log_det,
            "The log-determinant has the wrong sign: where L stretches, density is thinned.",
        ),
        (
            noise - 2 * log_det,
            "log |det L| is Σ log σ, half the sum of log_var; you subtracted log |det L Lᵀ|.",
        ),
        (
            noise - deviations.log().sum(-1),
            "You took the deviations of z for the diagonal of L; they are the norms of its rows.",
        ),
        (_log_noise(z), "This is the standard normal density of z; evaluate it at ε."),
        (_log_noise(z) - log_det, "The standard normal is evaluated at z; it belongs to ε."),
        (
            as_if_diagonal,
            "This is the density of a diagonal Gaussian; (z − loc)/σ is not ε when L has entries "
            "below the diagonal.",
        ),
        (
            by_marginals - deviations.log().sum(-1),
            "This is the product of the marginals; the latents are correlated.",
        ),
        (right + constant, "The constant ½ log 2π of every latent is missing."),
        (
            right + constant - constant / loc.shape[-1],
            "The constant ½ log 2π belongs to every latent; you subtracted it once.",
        ),
        (-right, "The sign is wrong: this is −log q(z)."),
        (right.exp(), "This is q(z); take its logarithm."),
        (-log_det, "This is minus the log-determinant alone; log p(ε) is missing."),
    ]


def _check_sample_gradients(fn, loc, log_var, raw, eps):
    parameters = {"loc": loc, "log_var": log_var, "raw": raw}
    check_gradients_reach(lambda tensors: fn(*tensors, eps)[0], parameters)
    log_var = log_var.clone().requires_grad_()
    log_q = fn(loc, log_var, raw, eps)[1]
    slope = None
    if isinstance(log_q, torch.Tensor) and log_q.requires_grad:
        (slope,) = torch.autograd.grad(log_q.sum(), log_var, allow_unused=True)
    if slope is None or not close(slope, torch.full_like(slope, -0.5)):
        raise Mistake(
            "log q(z) is right, but its gradient by log_var is not −½: z or σ is detached in it."
        )
