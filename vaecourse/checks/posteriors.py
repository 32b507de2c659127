"""Self-check for the posterior of a linear-Gaussian model, taught in chapter 05.

The reader's function is tried on two small problems, one with more observations than latents
and one with fewer. A wrong answer is compared with what the well-known mistakes give, so that the
message can name the one that was made.
"""

import torch

from vaecourse.checks.answers import as_tensor, check_function, close, name_mistake
from vaecourse.checks.mistakes import Mistake

_ALPHA, _BETA = 0.6, 2.5


def linear_gaussian_posterior(fn):
    """Check `fn(x, W, alpha, beta) -> (mean [J], covariance [J, J])` of z, given x [D].

    The model is z ~ N(0, I/alpha), x|z ~ N(Wz, I/beta), with W [D, J]; what follows the first two
    entries of the answer is ignored. Returns a sentence beginning "Right:"; raises `Mistake` with
    one that names the mistake, TypeError when fn is not a function. Chapter 05.
    """
    check_function(fn)
    for num_data, num_latents in ((4, 3), (2, 3)):
        x, weight = _problem(num_data, num_latents)
        mean, covariance = _answer(fn, x, weight)
        precision = _ALPHA * torch.eye(num_latents) + _BETA * weight.T @ weight
        right = torch.linalg.inv(precision)
        if not close(covariance, right):
            name_mistake(covariance, right, _wrong_covariances(weight))
        if not close(mean, _BETA * right @ weight.T @ x):
            name_mistake(mean, _BETA * right @ weight.T @ x, _wrong_means(x, weight, right))
    return "Right: covariance (αI + βWᵀW)⁻¹, mean β times covariance times Wᵀx, for any shape of W."


def _problem(num_data, num_latents):
    generator = torch.Generator().manual_seed(num_data)
    x = torch.randn(num_data, generator=generator, dtype=torch.float64)
    weight = torch.randn(num_data, num_latents, generator=generator, dtype=torch.float64)
    return x, weight


def _answer(fn, x, weight):
    """Mean [J] and covariance [J, J] as the reader's function gave them."""
    given = x.clone(), weight.clone()
    value = fn(*given, _ALPHA, _BETA)
    for name, after, before in zip(("x", "W"), given, (x, weight)):
        if not torch.equal(after, before):
            raise Mistake(f"You change {name} in place; the caller still needs it.")
    if value is None:
        raise Mistake("Your function returns nothing; is the return statement missing?")
    if not isinstance(value, tuple | list) or len(value) < 2:
        raise Mistake("Return two things: the mean [J] and the covariance [J, J].")
    mean, covariance = as_tensor(value[0]), as_tensor(value[1])
    data_dim, latent_dim = weight.shape
    if mean.shape == (latent_dim, latent_dim) and covariance.shape == (latent_dim,):
        raise Mistake("The covariance comes first; return the mean, then the covariance.")
    if covariance.shape == (latent_dim,):
        raise Mistake(
            f"The covariance is one number a latent, [{latent_dim}]: given x the latents are "
            f"correlated, so give the whole matrix, [{latent_dim}, {latent_dim}]."
        )
    if covariance.shape == (data_dim, data_dim) != (latent_dim, latent_dim):
        raise Mistake(
            f"The covariance is [D, D], {list(covariance.shape)}: that is W Wᵀ where Wᵀ W is "
            "wanted; the posterior is one over z."
        )
    if covariance.shape != (latent_dim, latent_dim):
        raise Mistake(
            f"The covariance has shape {list(covariance.shape)}; it must be [J, J], "
            f"[{latent_dim}, {latent_dim}]."
        )
    if mean.shape == (data_dim,) != (latent_dim,):
        raise Mistake("The mean has D entries: it is a mean of z, not the Wz that it predicts.")
    if mean.shape != (latent_dim,):
        raise Mistake(f"The mean has shape {list(mean.shape)}; it must be [J], [{latent_dim}].")
    return mean, covariance


def _wrong_covariances(weight):
    """(what a mistake gives, the sentence that names it), …"""
    eye = torch.eye(weight.shape[1], dtype=weight.dtype)
    gram = weight.T @ weight
    precision = _ALPHA * eye + _BETA * gram
    right = torch.linalg.inv(precision)
    return [
        (precision, "This is the precision; the covariance is its inverse."),
        (
            _inverse(_ALPHA + _BETA * gram),
            "α is added to every entry of βWᵀW; it belongs on the diagonal only: αI.",
        ),
        (
            1 / (_ALPHA + _BETA * gram),
            "You took one over each entry; a covariance is the inverse of the whole matrix, "
            "and α stands for αI.",
        ),
        (1 / precision, "You took one over each entry; the matrix must be inverted as a whole."),
        (
            _inverse(_BETA * eye + _ALPHA * gram),
            "α and β are exchanged: α is the precision of the prior, β that of the noise.",
        ),
        (
            _inverse(eye / _ALPHA + gram / _BETA),
            "α and β are precisions; you used them as variances.",
        ),
        (_inverse(eye / _ALPHA + _BETA * gram), "α is a precision; you used it as a variance."),
        (_inverse(_ALPHA * eye + gram / _BETA), "β is a precision; you used it as a variance."),
        (
            _inverse(_ALPHA**2 * eye + _BETA**2 * gram),
            "α and β are inverse variances, not inverse deviations: do not square them.",
        ),
        (_inverse(_BETA * gram), "The prior is missing: add αI before you invert."),
        (torch.linalg.pinv(_BETA * gram), "The prior is missing: add αI before you invert."),
        (_inverse(eye + _BETA * gram), "The prior's precision is taken to be 1; it is α."),
        (_inverse(_ALPHA * eye + gram), "β is missing: each observation has precision β, not 1."),
        (_inverse(_ALPHA * eye - _BETA * gram), "The sign is wrong: precisions add."),
        (eye / _ALPHA + _inverse(_BETA * gram), "Precisions add, covariances do not."),
        (eye / _ALPHA, "This is the covariance of the prior; what x adds, βWᵀW, is missing."),
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
    ]


def _wrong_means(x, weight, covariance):
    """(what a mistake gives, the sentence that names it), …"""
    pull = weight.T @ x
    right = _BETA * covariance @ pull
    predicted = torch.linalg.pinv(weight) @ x
    return [
        (covariance @ pull, "β is missing in the mean: it is β times covariance times Wᵀx."),
        (_ALPHA * covariance @ pull, "α stands where β belongs: the mean is β Σ Wᵀ x."),
        (covariance @ pull / _BETA, "β divides where it must multiply: the mean is β Σ Wᵀ x."),
        (_BETA * pull, "The covariance is missing in the mean: it is β Σ Wᵀ x."),
        (pull, "This is Wᵀx; the mean is β Σ Wᵀ x."),
        (
            _BETA * torch.linalg.inv(covariance) @ pull,
            "You multiplied by the precision; multiply by the covariance, its inverse.",
        ),
        (-right, "The sign of the mean is wrong."),
        (predicted, "This is the least-squares solution, which knows of no prior."),
        (0 * right, "This is the mean of the prior; x must have moved it."),
        (
            _BETA * covariance.diagonal() * pull,
            "Only the diagonal of the covariance enters your mean; use the whole matrix.",
        ),
        (_BETA**2 * covariance @ pull, "β enters twice: the mean is β Σ Wᵀ x."),
        (
            _BETA / (_ALPHA + _BETA) * predicted,
            "This shrinks least squares by β/(α + β), which is right for f(z) = z only.",
        ),
    ]


def _inverse(matrix):
    """The inverse, or NaN for a singular matrix, which then matches no answer."""
    inverse, failed = torch.linalg.inv_ex(matrix)
    unusable = failed.item() or torch.linalg.cond(matrix) > 1e12
    return torch.full_like(matrix, torch.nan) if unusable else inverse
