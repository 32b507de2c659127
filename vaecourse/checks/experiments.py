"""Self-checks of chapter 11: gradients at the decoder's outputs, the KL of a full covariance.

Each tries the reader's function on seeded numbers, and compares a wrong answer with what the
well-known mistakes give, so that the message can name the one that was made.
"""

import torch

from vaecourse.checks.answers import as_tensor, check_function, close, name_mistake, seeded
from vaecourse.checks.mistakes import Mistake


def output_gradients(fn):
    """Check `fn(x, mean, log_var)`: the derivatives of −log N(x; mean, exp(log_var)), nats.

    All arguments are [B, D]; the answer is a pair, the derivatives with respect to `mean` and
    to `log_var`, [B, D] each, of every entry by itself. Returns a sentence beginning "Right:";
    raises `Mistake` with one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    x, mean, log_var = torch.randn(3, 4, 2, generator=seeded(0), dtype=torch.float64)
    pair = fn(x.clone(), mean.clone(), log_var.clone())
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise Mistake("Return two tensors: the derivative by mean, then that by log_var.")
    by_mean, by_log_var = map(as_tensor, pair)
    for name, answer in (("mean", by_mean), ("log_var", by_log_var)):
        if answer.shape != x.shape:
            raise Mistake(
                f"The derivative by {name} has shape {list(answer.shape)}; each entry has one of "
                "its own, [B, D], with no sum and no average."
            )
    error, var = mean - x, log_var.exp()
    right_mean, right_log_var = error / var, 0.5 * (1 - error**2 / var)
    if close(by_mean, right_log_var) and close(by_log_var, right_mean):
        raise Mistake("The two are in the wrong order: the derivative by mean comes first.")
    if not close(by_mean, right_mean):
        name_mistake(by_mean, right_mean, _wrong_by_mean(error, log_var))
    if not close(by_log_var, right_log_var):
        name_mistake(by_log_var, right_log_var, _wrong_by_log_var(error, log_var))
    return "Right: both derivatives, with their signs and their halves."


_ASCENT = "The sign is turned: this is the derivative of +log p; the loss is −log p."
_LOG_SIGMA = "log_var has been read as log σ; it is log σ²."


def _wrong_by_mean(error, log_var):
    """(what a mistake gives [B, D], the sentence that names it), …"""
    var = log_var.exp()
    return [
        (-error / var, _ASCENT),
        (error / (2 * log_var).exp(), _LOG_SIGMA),
        (error / (0.5 * log_var).exp(), "The error is divided by σ; divide by σ²."),
        (error * var, "The error is multiplied by the variance; divide by it."),
        (error, "The variance is missing; the error counts in units of it."),
        (2 * error / var, "A factor 2 is left: the square has a ½ before it."),
        (error / var / len(error), "Divided by the batch size; the average comes later."),
    ]


def _wrong_by_log_var(error, log_var):
    var = log_var.exp()
    scaled = error**2 / var
    return [
        (-0.5 * (1 - scaled), _ASCENT),
        (0.5 * (1 - error**2 / (2 * log_var).exp()), _LOG_SIGMA),
        (1 - scaled, "A ½ is missing, before the logarithm and before the square."),
        (-0.5 * scaled, "The 1 is missing: the log variance itself has the derivative ½."),
        (0.5 * (1 / var - error**2 / var**2), "This is the derivative by σ²; log σ² was asked."),
        (0.5 * (1 - scaled) / len(error), "Divided by the batch size; the average comes later."),
    ]


def full_covariance_kl(fn):
    """Check `fn(loc, scale_tril)`: KL(N(loc, L Lᵀ) ‖ N(0, I)) for each row, [B], nats.

    loc is [B, J], scale_tril, the lower triangular L, is [B, J, J]. Returns a sentence
    beginning "Right:"; raises `Mistake` with one that names the mistake, TypeError when fn is
    not a function.
    """
    check_function(fn)
    generator = seeded(1)
    loc = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    below = torch.randn(4, 3, 3, generator=generator, dtype=torch.float64).tril(-1)
    scale = torch.rand(4, 3, generator=generator, dtype=torch.float64) + 0.5
    scale_tril = below + torch.diag_embed(scale)
    answer = as_tensor(fn(loc.clone(), scale_tril.clone()))
    right = _full_kl(loc, scale, scale_tril.square().sum((1, 2)))
    if not close(answer, right):
        _name_kl_mistake(answer, right, loc, scale, scale_tril)
    return "Right: trace, mean and determinant, summed over dimensions, one number a row."


def _full_kl(loc, scale, trace):
    return 0.5 * (trace + loc.square().sum(1) - loc.shape[1] - 2 * scale.log().sum(1))


def _name_kl_mistake(answer, right, loc, scale, scale_tril):
    if answer.numel() == 1 and close(answer.reshape(()), right.mean()):
        raise Mistake("Averaged over the batch; each row has a KL of its own, [B].")
    if answer.shape != right.shape:
        raise Mistake(f"The answer has shape {list(answer.shape)}; it must be [B].")
    inverse = torch.linalg.inv(scale_tril)
    back = (inverse @ loc[..., None]).square().sum((1, 2))
    reverse = 0.5 * (inverse.square().sum((1, 2)) + back - 3) + scale.log().sum(1)
    name_mistake(
        answer,
        right,
        [
            (reverse, "The direction is turned: this is KL(N(0, I) ‖ q)."),
            (2 * right, "The ½ before the sum is missing."),
            (right / 3, "Averaged over the latents; a KL sums over them."),
            (
                _full_kl(loc, scale, scale.square().sum(1)),
                "The trace has only the diagonal of L; every entry of L counts, squared.",
            ),
            (
                _full_kl(loc, scale, scale_tril.diagonal(dim1=1, dim2=2).sum(1)),
                "The trace is that of L; it must be that of L Lᵀ.",
            ),
            (
                right + 0.5 * scale.log().sum(1),
                "log det Σ is 2 Σ log L_ii, since Σ = L Lᵀ; one half of it is missing.",
            ),
            (right + scale.log().sum(1), "The log determinant is missing."),
            (right + 2 * scale.log().sum(1), "The log determinant has the wrong sign."),
            (right + 1.5, "The J is missing: at q = p the KL must be zero."),
        ],
    )
