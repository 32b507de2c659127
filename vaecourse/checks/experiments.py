"""Self-checks of chapter 11: gradients at the decoder's outputs, the KL of a full covariance."""

import math

import torch

from vaecourse.checks.answers import Trial, check, normal, uniform

# --- gradients at the outputs ----------------------------------------------------------------


def _outputs():
    yield tuple(normal(3, 4, 2))
    yield tuple(normal(3, 2, 5, seed=1))
    yield Trial(tuple(normal(3, 4, 4, seed=3)), "With as many rows as dimensions")
    column = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    yield Trial((0 * column, 0.01 * normal(41, 1), column), "With log_var from −20 to 20")
    along = ("x − mean", 2 * column)
    shift = 50 * normal(41, 1, seed=4)  # so that no range of x or mean looks like one of x − mean
    far = shift + 2 * column, shift, 0 * column
    yield Trial(far, "With x − mean from −40 to 40", along=along)
    x, mean, log_var = normal(3, 5, 3, seed=2)
    apart = torch.tensor([0.0, 1e4, -1e4])
    yield Trial((x + apart, mean + apart, log_var), "With columns 10,000 apart")
    yield Trial(tuple(normal(3, 1, 784)), "For 784 dimensions")


def _right_outputs(x, mean, log_var):
    error, var = mean - x, log_var.exp()
    return error / var, 0.5 * (1 - error**2 / var)


_ASCENT = "The sign is turned: this is the derivative of +log p; the loss is −log p."
_SPREAD = "The derivative is summed, and one sum spread over its row; each entry has its own."
_SQUARED = "Divided by exp(2 log_var), as if log_var were log σ; the variance is exp(log_var)."


def _wrong_by_mean(x, mean, log_var):
    """(what a mistake gives [B, D], the sentence that names it), …"""
    error, var = mean - x, log_var.exp()
    shape = "The derivative is summed; each entry has one of its own, [B, D]."
    return [
        ((error / var).sum(1), shape),
        ((error / var).sum(0), shape),
        ((error / var).sum(), shape),
        ((error / var).sum(1, keepdim=True).expand_as(error), _SPREAD),
        (-error / var, _ASCENT),
        (error / (2 * log_var).exp(), _SQUARED),
        (error / (0.5 * log_var).exp(), "The error is divided by σ; divide by σ²."),
        (error * var, "The error is multiplied by the variance; divide by it."),
        (error, "The variance is missing; the error counts in units of it."),
        (2 * error, "This is the derivative of (x − m)²: its ½ and the variance are missing."),
        (error / log_var, "You divided by log_var itself; the variance is exp(log_var)."),
        (2 * error / var, "A factor 2 is left: the square has a ½ before it."),
        (0.5 * error / var, "A ½ is left: it cancels against the 2 of the square."),
        (error / var / len(error), "Divided by the batch size; the average comes later."),
        (error / var / error.numel(), "Divided by B · D; the average comes later."),
    ]


def _wrong_by_log_var(x, mean, log_var):
    error, var = mean - x, log_var.exp()
    scaled, right = error**2 / var, _right_outputs(x, mean, log_var)[1]
    shape = "The derivative is summed; each entry has one of its own, [B, D]."
    return [
        (right.sum(1), shape),
        (right.sum(0), shape),
        (right.sum(), shape),
        (right.sum(1, keepdim=True).expand_as(error), _SPREAD),
        (-0.5 * (1 - scaled), _ASCENT),
        (0.5 * (1 - error**2 / (2 * log_var).exp()), _SQUARED),
        (1 - error**2 / (2 * log_var).exp(), _SQUARED),
        (1 - scaled, "A ½ is missing, before the logarithm and before the square."),
        (0.5 - scaled, "The ½ before the square is missing."),
        (1 - 0.5 * scaled, "The ½ before the logarithm is missing."),
        (-0.5 * scaled, "The 1 is missing: the log variance itself has the derivative ½."),
        (0.5 + 0 * scaled, "The square is missing: the variance divides it as well."),
        (0.5 * (1 + scaled), "The square has the wrong sign: a larger variance makes it smaller."),
        (0.5 * (1 - error / var), "The error enters squared; yours does not."),
        (0.5 * (1 + error / var), "The error enters squared; yours does not."),
        (0.5 * (1 - error.abs() / var), "The error enters squared; yours does not."),
        (0.5 * (1 - error**2), "The square is not divided by the variance."),
        (0.5 * (1 / var - error**2 / var**2), "This is the derivative by σ²; log σ² was asked."),
        (right * 2 / (0.5 * log_var).exp(), "This is the derivative by σ; log σ² was asked."),
    ]


@check(
    _outputs,
    "both derivatives, with their signs and their halves.",
    (_wrong_by_mean, _wrong_by_log_var),
    outputs=("the derivative by mean", "the derivative by log_var"),
)
def output_gradients(x, mean, log_var):
    """Check `fn(x, mean, log_var)`: the derivatives of −log N(x; mean, exp(log_var)), nats.

    All arguments are [B, D]; the answer is a pair, the derivatives with respect to `mean` and
    to `log_var`, [B, D] each, of every entry by itself.
    """
    return _right_outputs(x, mean, log_var)


# --- the KL of a full covariance -------------------------------------------------------------


def _factors():
    def factor(rows, dim, seed, low=0.5, high=1.5):
        below = 2 / dim * normal(rows, dim, dim, seed=seed).tril(-1)
        return below + torch.diag_embed(uniform(rows, dim, seed=seed, low=low, high=high))

    yield normal(5, 3, seed=1), factor(5, 3, 1)  # B − 1 is not J
    yield normal(2, 5, seed=2), factor(2, 5, 2)
    column = torch.linspace(-6, 6, 25, dtype=torch.float64)[:, None]
    thin = torch.linspace(-20, 6, 27, dtype=torch.float64)[:, None]
    yield Trial((0 * thin, thin.exp()[:, None]), "For one latent, with L from e⁻²⁰ to e⁶")
    yield Trial((10 * column, 1 + 0 * column[:, None]), "For one latent, with means from −60 to 60")
    yield Trial((normal(3, 3), factor(3, 3, 3, 0.02, 0.05)), "With a nearly singular L")
    yield Trial((normal(1, 60), factor(1, 60, 4)), "For 60 latents")
    large = factor(4, 3, 5) + 10 * normal(4, 3, 3, seed=6).tril(-1)
    yield Trial((normal(4, 3), large), "With large entries below the diagonal")
    yield Trial((1000 * normal(4, 3, seed=7), factor(4, 3, 7)), "With means near 1,000")
    same = torch.zeros(2, 3).double(), torch.eye(3).double().expand(2, 3, 3).clone()
    yield Trial(same, "Where q is p")
    tiny = torch.diag_embed(torch.full((1, 200), 1e-3, dtype=torch.float64))
    advice = "A determinant is rounded to 0; sum the logarithms of the diagonal of L."
    yield Trial((normal(1, 200), tiny), "For 200 latents with σ = 0.001", advice)


def _full_kl(loc, scale, trace):
    return 0.5 * (trace + loc.square().sum(1) - loc.shape[1] - 2 * scale.log().sum(1))


def _wrong_full_kl(loc, scale_tril):
    """(what a mistake gives [B], the sentence that names it), …"""
    scale, dim = scale_tril.diagonal(dim1=1, dim2=2), loc.shape[1]
    right = _full_kl(loc, scale, scale_tril.square().sum((1, 2)))
    inverse = torch.linalg.inv(scale_tril)
    back = (inverse @ loc[..., None]).square().sum((1, 2))
    logs = scale.log().sum(1)
    return [
        (
            0.5 * (inverse.square().sum((1, 2)) + back - dim) + logs,
            "The direction is turned: this is KL(N(0, I) ‖ q).",
        ),
        (right.mean(), "Averaged over the batch; each row has a KL of its own, [B]."),
        (2 * right, "The ½ before the sum is missing."),
        (-right, "The sign is wrong: a KL is never negative, and yours is."),
        (right / dim, "Averaged over the latents; a KL sums over them."),
        (
            _full_kl(loc, scale, scale.square().sum(1)),
            "The trace has only the diagonal of L; every entry of L counts, squared.",
        ),
        (
            _full_kl(loc, scale, scale.sum(1)),
            "The trace is that of L; it must be that of L Lᵀ.",
        ),
        (
            right + 0.5 * logs,
            "log det Σ is 2 Σ log L_ii, since Σ = L Lᵀ; one half of it is missing.",
        ),
        (right - logs, "The log determinant counts twice: ½ log det Σ is Σ log L_ii."),
        (right + logs, "The log determinant is missing."),
        (right + 2 * logs, "The log determinant has the wrong sign."),
        (right - 0.5 * loc.square().sum(1), "The means are missing: μᵀμ is part of the KL."),
        (
            right + 0.5 * (loc.sum(1) - loc.square().sum(1)),
            "The mean enters squared; yours does not.",
        ),
        (
            right + 0.5 * (loc.square().sum(1).sqrt() - loc.square().sum(1)),
            "|μ| enters squared; yours does not.",
        ),
        (right + 0.5 * dim, "The J is missing: at q = p the KL must be zero."),
        (right + 0.5 * (dim - 1), "1 is subtracted in place of J: at q = p the KL must be zero."),
        (right + dim, "J is added; subtract it: at q = p the KL must be zero."),
        (right + 0.5 * (dim - 3), "3 is written in for J: at q = p the KL must be zero."),
        (
            right + logs - 0.5 * scale_tril.square().sum(2).log().sum(1),
            "The log determinant is that of the variances alone; the correlations count too.",
        ),
        (
            0.5 * (scale.sum(1) + loc.square().sum(1) - dim - logs),
            "L is read as the covariance itself; that is L Lᵀ.",
        ),
        (
            0.5 * (inverse.square().sum((1, 2)) + loc.square().sum(1) - dim) + logs,
            "L Lᵀ is read as the precision of q; it is the covariance.",
        ),
        (
            right + logs - scale.sum(1).log(),
            "The logarithm is taken of the sum of the diagonal; sum the logarithms.",
        ),
        (
            right + logs + 0.5 * dim * (1 + math.log(2 * math.pi)),
            "This is −E_q[log p(z)]; the entropy of q must be subtracted.",
        ),
        (
            logs + 0.5 * dim * (1 + math.log(2 * math.pi)),
            "This is the entropy of q; the term E_q[log p(z)] is missing.",
        ),
    ]


@check(
    _factors,
    "trace, mean and determinant, summed over dimensions, one number a row.",
    _wrong_full_kl,
    gradients={"loc": None, "scale_tril": lambda gradient, *_: gradient.tril()},
    parts=lambda loc, scale_tril: {
        "The trace": 0.5 * scale_tril.square().sum((1, 2)),
        "The term μᵀμ": 0.5 * loc.square().sum(1),
        "The log determinant": -scale_tril.diagonal(dim1=1, dim2=2).log().sum(1),
    },
)
def full_covariance_kl(loc, scale_tril):
    """Check `fn(loc, scale_tril)`: KL(N(loc, L Lᵀ) ‖ N(0, I)) for each row, [B], nats.

    loc is [B, J], scale_tril, the lower triangular L, is [B, J, J].
    """
    scale = scale_tril.diagonal(dim1=1, dim2=2)
    return _full_kl(loc, scale, scale_tril.square().sum((1, 2)))
