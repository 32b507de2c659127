"""Self-check for the posterior of a linear-Gaussian model, taught in chapter 05."""

import torch

from vaecourse.checks.answers import Trial, check, normal


def _problems():
    yield normal(4, seed=1), normal(4, 3, seed=2), 0.6, 2.5
    yield normal(5, seed=3), normal(5, 4, seed=4), 0.9, 1.5
    yield normal(3, seed=5), normal(3, 2, seed=6), 1.7, 0.4
    few = normal(2, seed=3), normal(2, 3, seed=4), 0.6, 2.5
    yield Trial(few, "With fewer observations than latents")
    yield Trial((normal(5, seed=1), normal(5, 1, seed=2), 0.3, 1.4), "With one latent")
    yield Trial((normal(1, seed=1), normal(1, 2, seed=2), 2.0, 0.7), "With one observation")
    square = normal(3, seed=7), normal(3, 3, seed=8), 0.654321, 1.876543
    yield Trial(square, "With as many latents as observations")
    nothing = torch.zeros(4, 2, dtype=torch.float64)
    yield Trial((normal(4, seed=9), nothing, 0.4, 1.3), "With a W of zeros")
    yield Trial((normal(4), normal(4, 2), 0.02, 50.0), "With α = 0.02 and β = 50")
    flat = normal(5, 1, seed=3) @ normal(1, 3, seed=4)
    yield Trial((normal(5), flat, 0.8, 1.3), "With a W of rank one")
    scales = torch.tensor([1.0, 100.0, 0.01], dtype=torch.float64)
    yield Trial((normal(5), normal(5, 3) * scales, 0.05, 20.0), "With columns of very unlike size")
    yield Trial(
        (normal(40), normal(40, 30, seed=2), 0.6, 2.5), "With 30 latents and 40 observations"
    )


def _wrong_covariances(x, weight, alpha, beta):
    """(what a mistake gives, the sentence that names it), …"""
    eye = torch.eye(weight.shape[1], dtype=weight.dtype)
    gram = weight.T @ weight
    precision = alpha * eye + beta * gram
    right = torch.linalg.inv(precision)
    return [
        (
            right.diagonal(),
            "The covariance is one number a latent: given x the latents are correlated, so give "
            "the whole matrix.",
        ),
        (
            _inverse(alpha * torch.eye(len(x)) + beta * weight @ weight.T),
            "The covariance is [D, D]: that is W Wᵀ where Wᵀ W is wanted; the posterior is one "
            "over z.",
        ),
        (precision, "This is the precision; the covariance is its inverse."),
        (
            _inverse(alpha + beta * gram),
            "α is added to every entry of βWᵀW; it belongs on the diagonal only: αI.",
        ),
        (
            1 / (alpha + beta * gram),
            "You took one over each entry; a covariance is the inverse of the whole matrix, "
            "and α stands for αI.",
        ),
        (1 / precision, "You took one over each entry; the matrix must be inverted as a whole."),
        (
            _inverse(beta * eye + alpha * gram),
            "α and β are exchanged: α is the precision of the prior, β that of the noise.",
        ),
        (
            _inverse(eye / alpha + gram / beta),
            "α and β are precisions; you used them as variances.",
        ),
        (_inverse(eye / alpha + beta * gram), "α is a precision; you used it as a variance."),
        (_inverse(alpha * eye + gram / beta), "β is a precision; you used it as a variance."),
        (
            _inverse(alpha**2 * eye + beta**2 * gram),
            "α and β are inverse variances, not inverse deviations: do not square them.",
        ),
        (
            _inverse(alpha * eye + beta**2 * gram),
            "β is squared; it is an inverse variance already.",
        ),
        (_inverse(beta * gram), "The prior is missing: add αI before you invert."),
        (torch.linalg.pinv(beta * gram), "The prior is missing: add αI before you invert."),
        (_inverse(eye + beta * gram), "The prior's precision is taken to be 1; it is α."),
        (_inverse(alpha * eye + gram), "β is missing: each observation has precision β, not 1."),
        (_inverse(alpha * eye - beta * gram), "The sign is wrong: precisions add."),
        (eye / alpha + _inverse(beta * gram), "Precisions add, covariances do not."),
        (
            2 * eye / alpha - right,
            "What x tells is added to the covariance of the prior; it must be subtracted.",
        ),
        (eye / alpha, "This is the covariance of the prior; what x adds, βWᵀW, is missing."),
        (
            right.diagonal().diag(),
            "The off-diagonal entries are missing: given x the latents are correlated.",
        ),
        (
            torch.linalg.inv(precision.diagonal().diag()),
            "You inverted the diagonal only; the latents are correlated, so invert the matrix.",
        ),
        (torch.linalg.cholesky(right), "This is the Cholesky factor L; the covariance is L Lᵀ."),
        (right.abs().sqrt(), "You took the square root; the covariance holds variances."),
        (
            _inverse(alpha * beta * eye + beta * gram),
            "β is taken out of the inverse, so α must be divided by it: β⁻¹ ((α/β)I + WᵀW)⁻¹.",
        ),
        (right + eye / beta, "The noise variance 1/β is added; it belongs to x, not to z."),
        (
            eye / alpha - alpha * (eye / alpha - right),
            "What x takes away is α times too large: the gain is Wᵀ C⁻¹ / α.",
        ),
    ]


def _wrong_means(x, weight, alpha, beta):
    """(what a mistake gives, the sentence that names it), …"""
    covariance = torch.linalg.inv(alpha * torch.eye(weight.shape[1]) + beta * weight.T @ weight)
    pull = weight.T @ x
    right = beta * covariance @ pull
    predicted = torch.linalg.pinv(weight) @ x
    return [
        (weight @ right, "The mean has D entries: it is a mean of z, not the Wz that it predicts."),
        (covariance @ pull, "β is missing in the mean: it is β times covariance times Wᵀx."),
        (alpha * covariance @ pull, "α stands where β belongs: the mean is β Σ Wᵀ x."),
        (covariance @ pull / beta, "β divides where it must multiply: the mean is β Σ Wᵀ x."),
        (beta * pull, "The covariance is missing in the mean: it is β Σ Wᵀ x."),
        (pull, "This is Wᵀx; the mean is β Σ Wᵀ x."),
        (
            beta * torch.linalg.inv(covariance) @ pull,
            "You multiplied by the precision; multiply by the covariance, its inverse.",
        ),
        (-right, "The sign of the mean is wrong."),
        (predicted, "This is the least-squares solution, which knows of no prior."),
        (0 * right, "This is the mean of the prior; x must have moved it."),
        (
            beta * covariance.diagonal() * pull,
            "Only the diagonal of the covariance enters your mean; use the whole matrix.",
        ),
        (beta**2 * covariance @ pull, "β enters twice: the mean is β Σ Wᵀ x."),
        (alpha * right, "The mean is multiplied by α: the gain is Wᵀ C⁻¹ / α."),
        (
            beta / (alpha + beta) * predicted,
            "This shrinks least squares by β/(α + β), which is right for f(z) = z only.",
        ),
    ]


def _inverse(matrix):
    """The inverse, or NaN for a singular matrix, which then matches no answer."""
    inverse, failed = torch.linalg.inv_ex(matrix)
    unusable = failed.item() or torch.linalg.cond(matrix) > 1e12
    return torch.full_like(matrix, torch.nan) if unusable else inverse


@check(
    _problems,
    "covariance (αI + βWᵀW)⁻¹, mean β times covariance times Wᵀx, for any shape of W.",
    (_wrong_means, _wrong_covariances),
    outputs=("mean", "covariance"),
    order=(1, 0),
)
def linear_gaussian_posterior(x, W, alpha, beta):
    """Check `fn(x, W, alpha, beta) -> (mean [J], covariance [J, J])` of z, given x [D].

    The model is z ~ N(0, I/alpha), x|z ~ N(Wz, I/beta), with W [D, J]; further fields of a named
    tuple are ignored. Chapter 05.
    """
    precision = alpha * torch.eye(W.shape[1], dtype=W.dtype) + beta * W.T @ W
    covariance = torch.linalg.inv(precision)
    return beta * covariance @ W.T @ x, covariance
