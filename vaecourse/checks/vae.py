"""Self-checks for the pieces of a variational autoencoder, taught in chapter 09.

Each takes the reader's function and tries it on seeded numbers. A wrong answer is compared with
what the well-known mistakes give, so that the message can name the one that was made.
"""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from vaecourse.checks.answers import (
    as_tensor,
    check_function,
    check_gradients_reach,
    close,
    name_mistake,
    per_row,
    seeded,
)
from vaecourse.checks.mistakes import Mistake


def kl(fn):
    """Check `fn(loc, log_var) -> [B]`, KL(N(loc, diag σ²) ‖ N(0, I)) in nats, in closed form.

    Returns a sentence beginning "Right:"; raises `Mistake` with one that names the mistake,
    TypeError when fn is not a function.
    """
    check_function(fn)
    loc, log_var = _posterior_parameters(positive=False)
    answer = per_row(fn(loc.clone(), log_var.clone()), loc, "latents")
    again = as_tensor(fn(loc.clone(), log_var.clone()))
    if not torch.allclose(answer, again, equal_nan=True):
        raise Mistake("Two calls gave two answers; the closed form needs no random draw.")
    if not close(answer, _kl(loc, log_var)):
        # With a positive log σ² every mistaken reading of it stays a number.
        loc, log_var = _posterior_parameters(positive=True)
        answer = as_tensor(fn(loc.clone(), log_var.clone()))
        if close(answer, _kl(loc, log_var)):
            raise Mistake(
                "The KL is right where log_var is positive, but not where it is negative."
            )
        name_mistake(answer, _kl(loc, log_var), _wrong_kl(loc, log_var))
    check_gradients_reach(lambda tensors: fn(*tensors), {"loc": loc, "log_var": log_var})
    return "Right: one KL a row, summed over latents, zero only where q is the prior."


def reparameterize(fn):
    """Check `fn(loc, log_var, generator) -> z`, a draw loc + σ ⊙ ε of shape [B, J].

    Returns a sentence beginning "Right:"; raises `Mistake` with one that names the mistake,
    TypeError when fn is not a function.
    """
    check_function(fn)
    loc, log_var = (parameter.expand(20_000, -1).clone() for parameter in (_LOC, _LOG_VAR))
    z = as_tensor(fn(loc.clone(), log_var.clone(), seeded(0)))
    if z.shape != loc.shape:
        raise Mistake(f"z has shape {list(z.shape)}; it must be that of loc, {list(loc.shape)}.")
    if not z.isfinite().all():
        raise Mistake("z has NaN or infinite values; log_var is log σ², so it may be negative.")
    if close(z, loc):
        raise Mistake("z is loc itself: the noise σ ⊙ ε is missing.")
    _noise_comes_from_the_generator(fn, loc, log_var, z)
    _noise_is_independent(z - loc)
    _noise_is_standard_normal(z, loc, log_var)
    _noise_lets_gradients_through(fn, loc[:5], log_var[:5])
    return "Right: z = loc + σ ⊙ ε with fresh ε from the generator, and gradients reach both."


def elbo(fn):
    """Check `fn(x, logits, loc, log_var) -> [B]`: the bound in nats, from one draw of z.

    `x` [B, D] holds binary pixels, `logits` [B, D] the decoder's output at that draw, `loc` and
    `log_var` [B, J] the encoder's. Returns a sentence beginning "Right:"; raises `Mistake` with
    one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    loc, log_var = _posterior_parameters(positive=True)
    logits = 2 * torch.randn(5, 7, generator=seeded(2), dtype=torch.float64)
    x = torch.bernoulli(torch.full_like(logits, 0.4), generator=seeded(3))
    tensors = (x, logits, loc, log_var)
    answer = per_row(fn(*(tensor.clone() for tensor in tensors)), loc, "pixels or latents")
    right = _log_likelihood(x, logits) - _kl(loc, log_var)
    if not close(answer, right):
        name_mistake(answer, right, _wrong_elbo(*tensors))
    check_gradients_reach(
        lambda inputs: fn(x, *inputs), {"logits": logits, "loc": loc, "log_var": log_var}
    )
    far = torch.full_like(logits, 200.0)
    surprised = as_tensor(fn(torch.zeros_like(x), far, loc.clone(), log_var.clone()))
    if not close(surprised, -7 * 200.0 - _kl(loc, log_var)):
        raise Mistake(
            "At a logit of 200 the result breaks, because sigmoid(logit) has been rounded to 1; "
            "compute log p(x|z) from the logits themselves."
        )
    return "Right: log p(x|z) summed over pixels, minus the KL summed over latents, one a row."


def minibatch_total(fn):
    """Check `fn(terms, num_data) -> scalar`: the sum over a data set, estimated from a minibatch.

    `terms` [M] are the values of M of the `num_data` data points, drawn at random. Returns a
    sentence beginning "Right:"; raises `Mistake` with one that names the mistake,
    TypeError when fn is not a function.
    """
    check_function(fn)
    terms, n = torch.tensor([-3.0, -5.0, 1.0, -2.0], dtype=torch.float64), 20
    answer, m = as_tensor(fn(terms.clone(), n)), len(terms)
    if answer.numel() != 1:
        raise Mistake(f"The estimate has shape {list(answer.shape)}; a total is one number.")
    answer, total = answer.reshape(()), terms.sum()
    right = n / m * total
    wrong = [
        (m / n * total, "You scaled by M/N; a part of the data must grow to the whole: N/M."),
        (total, "This is the sum over the minibatch alone; scale it up to the data by N/M."),
        (total / m, "This is the mean over the minibatch; a total over the data is N times that."),
        (n * total, "You scaled the sum by N; it already has M terms in it, so take N/M."),
        (right / m, "You scaled the mean by N/M; take the mean times N, or the sum times N/M."),
        (-right, "The sign is wrong: the total of negative terms is negative."),
    ]
    if not close(answer, right):
        name_mistake(answer, right, wrong)
    return "Right: the sum over the minibatch times N/M, unbiased for the sum over the data."


# --- what is right ---------------------------------------------------------------------------


def _kl(loc, log_var):
    return 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum(-1)


def _log_likelihood(x, logits):
    return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


# --- what the well-known mistakes give -------------------------------------------------------


def _wrong_kl(loc, log_var):
    """(what a mistake gives [B], the sentence that names it), …"""
    right, j = _kl(loc, log_var), loc.shape[-1]
    square, var = loc.square(), log_var.exp()

    def half_sum(terms):
        return 0.5 * terms.sum(-1)

    return [
        (right / j, "The KL is averaged over the latents; sum over them, average only over data."),
        (2 * right, "The factor ½ is missing."),
        (-right, "The sign is wrong: a KL is never negative, and yours is."),
        (-2 * right, "The sign and the factor are wrong: it is +½ Σ (σ² + μ² − 1 − log σ²)."),
        (
            half_sum(1 / var + square / var - 1 + log_var),
            "This is KL(p ‖ q), the wrong direction; the bound has KL(q ‖ p).",
        ),
        (
            half_sum(var.square() + square - 1 - 2 * log_var),
            "You read log_var as log σ: it is log σ², so exp(log_var) already is the variance.",
        ),
        (
            half_sum(var.square() + square - 1 - log_var),
            "exp(log_var) is the variance already; you squared it.",
        ),
        (
            half_sum(var.sqrt() + square - 1 - log_var),
            "The deviation stands where the variance belongs: take exp(log_var), without the ½.",
        ),
        (
            half_sum(log_var + square - 1 - log_var.log()),
            "You used log_var as the variance itself; it is log σ², so σ² is exp(log_var).",
        ),
        (
            half_sum(log_var.square() + square - 1 - log_var.square().log()),
            "You used log_var as σ; it is log σ², so σ² is exp(log_var).",
        ),
        (
            half_sum(var + square - 1 - log_var.log()),
            "log_var is the logarithm already; its own logarithm was taken once more.",
        ),
        (right + 0.5 * j, "The −1 is missing: where q is the prior the KL must be zero."),
        (right + 0.5 * (j - 1), "The −1 was subtracted once a row; it belongs to every latent."),
        (right + j, "The −1 has the wrong sign: where q is the prior the KL must be zero."),
        (half_sum(var + loc - 1 - log_var), "The mean enters squared; yours does not."),
        (
            half_sum(var - 1 - log_var),
            "The term μ² is missing, so moving q away from the prior costs nothing.",
        ),
        (
            half_sum(var + square - 1 + log_var),
            "The term −log σ² has the wrong sign, so a narrow q costs nothing.",
        ),
        (
            half_sum(var + square - 1),
            "The term −log σ² is missing, so a narrow q costs nothing.",
        ),
        (
            half_sum(1 + log_var + _LOG_2PI),
            "This is the entropy of q; the term E_q[log p(z)] is missing.",
        ),
        (
            (0.5 * (var + square) - 1 - log_var).sum(-1),
            "The ½ reaches only some of the terms; it belongs before the whole sum.",
        ),
    ]


def _wrong_elbo(x, logits, loc, log_var):
    """(what a mistake gives [B], the sentence that names it), …"""
    likelihood, divergence = _log_likelihood(x, logits), _kl(loc, log_var)
    pixels, latents = x.shape[-1], loc.shape[-1]
    squared_error = (x - logits.sigmoid()).square().sum(-1)
    as_probabilities = (x * logits.log() + (1 - x) * (1 - logits).log()).sum(-1)
    wrong_likelihood = [
        (
            -likelihood,
            "The sign of log p(x|z) is wrong: a cross entropy is minus a log-likelihood.",
        ),
        (
            likelihood / pixels,
            "The cross entropy is averaged over pixels; log p(x|z) is their sum.",
        ),
        (0 * likelihood, "log p(x|z) is missing: this is minus the KL alone."),
        (
            -(x * softplus(-logits)).sum(-1),
            "Only white pixels count: (1 − x) log(1 − p) is missing.",
        ),
        (-((1 - x) * softplus(logits)).sum(-1), "Only black pixels count: x log p is missing."),
        (
            _log_likelihood(x, logits.sigmoid()),
            "sigmoid is applied twice: the function you call takes logits, not probabilities.",
        ),
        (_log_likelihood(logits, x), "x and logits are swapped in the cross entropy."),
        (-squared_error, "This is a squared error; the decoder gives logits of Bernoulli pixels."),
        (
            -0.5 * squared_error,
            "This is half a squared error; the decoder gives logits of Bernoulli pixels.",
        ),
        (
            as_probabilities,
            "The logits are used as probabilities; a pixel is 1 with probability sigmoid(logit).",
        ),
    ]
    return [
        (likelihood + divergence, "The KL is added; the bound is log p(x|z) minus the KL."),
        (divergence - likelihood, "The sign is wrong: this is the loss; the ELBO is minus that."),
        (
            likelihood,
            "The KL is missing: this is log p(x|z) alone, which an autoencoder maximizes.",
        ),
        (
            likelihood / pixels - divergence / latents,
            "Both terms are averaged over dimensions; sum over pixels and over latents.",
        ),
        *((value - divergence, sentence) for value, sentence in wrong_likelihood),
        *(
            (likelihood - value, f"In the KL: {sentence}")
            for value, sentence in _wrong_kl(loc, log_var)
        ),
    ]


# --- the parts of the checks -----------------------------------------------------------------

_LOG_2PI = 1.8378770664093453
_LOC = torch.tensor([[0.7, -1.3]], dtype=torch.float64)
_LOG_VAR = torch.tensor([[-1.2, 0.9]], dtype=torch.float64)


def _posterior_parameters(positive):
    """loc and log_var, [5, 3]; log_var of both signs or all positive."""
    loc = torch.randn(5, 3, generator=seeded(0), dtype=torch.float64)
    log_var = torch.rand(5, 3, generator=seeded(1), dtype=torch.float64)
    return loc, 0.2 + 1.2 * log_var if positive else 3 * log_var - 2


def _noise_comes_from_the_generator(fn, loc, log_var, z):
    again, other = (as_tensor(fn(loc.clone(), log_var.clone(), seeded(seed))) for seed in (0, 1))
    if not torch.equal(z, again):
        raise Mistake(
            "The same generator gave another z: your function ignores the generator; "
            "pass it to torch.randn."
        )
    if torch.equal(z, other):
        raise Mistake("Every generator gives the same z: the seed is fixed inside your function.")


def _noise_is_independent(noise):
    if close(noise[0], noise[1]) and close(noise[0], noise[-1]):
        raise Mistake("The same ε is used for every row; draw ε in the shape of loc.")
    correlation = torch.corrcoef(noise.T)[0, 1].abs()
    if correlation > 0.99:
        raise Mistake("The same ε is used for every latent of a row; draw ε in the shape of loc.")


def _noise_is_standard_normal(z, loc, log_var):
    """Compare the moments of 20,000 rows with those of N(loc, σ²) and of the known mistakes."""
    deviation = (z - loc).std(0)
    var = log_var[0].exp()
    scales = {
        "The variance is used as a deviation: σ is exp(½ log_var), not exp(log_var).": var,
        "The noise is not scaled by σ: its deviation is 1 for every latent.": torch.ones(2),
        "log_var itself is used as σ; σ is exp(½ log_var).": log_var[0].abs(),
        "The square root is taken twice: σ is exp(½ log_var).": var.sqrt().sqrt(),
        "σ is inverted: it is exp(+½ log_var).": 1 / var.sqrt(),
        "ε is uniform (torch.rand); it must be normal (torch.randn).": (var / 12).sqrt(),
    }
    if not torch.allclose(deviation, var.sqrt(), rtol=0.03):
        for sentence, scale in scales.items():
            if torch.allclose(deviation, scale.to(deviation), rtol=0.03):
                raise Mistake(sentence)
        given, right = deviation[0].item(), var[0].sqrt().item()
        raise Mistake(
            f"The first latent of z has deviation {given:.3f} where {right:.3f} is right."
        )
    eps = (z - loc) / var.sqrt()
    if (eps.mean(0).abs() > 0.04).any():
        given, right = z.mean(0)[0].item(), loc[0, 0].item()
        raise Mistake(f"The first latent of z has mean {given:.3f} where loc is {right:.3f}.")
    if ((eps**4).mean(0) - 3).abs().max() > 0.3:
        raise Mistake("ε has mean 0 and deviation 1 but is not normal; draw it with torch.randn.")


def _noise_lets_gradients_through(fn, loc, log_var):
    """dz/dloc = 1 and dz/dlog_var = ½ (z − loc), or a Mistake."""
    loc, log_var = (parameter.clone().requires_grad_() for parameter in (loc, log_var))
    z = fn(loc, log_var, seeded(0))
    if not (isinstance(z, torch.Tensor) and z.requires_grad):
        raise Mistake("z is detached: no gradient reaches loc and log_var.")
    to_loc, to_log_var = torch.autograd.grad(z.sum(), (loc, log_var), allow_unused=True)
    if to_loc is None or not to_loc.any():
        raise Mistake("No gradient reaches loc: z was drawn, where loc + σ ⊙ ε must be computed.")
    if to_log_var is None or not to_log_var.any():
        raise Mistake("No gradient reaches log_var: σ is detached.")
    right = 0.5 * (z - loc).detach()
    if not (close(to_loc.double(), torch.ones_like(loc)) and close(to_log_var.double(), right)):
        raise Mistake("The gradients are not those of loc + σ ⊙ ε: 1, and ½ (z − loc).")
