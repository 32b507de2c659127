"""Self-checks of chapter 08: the score-function gradient and the draw with a full covariance."""

import math

import torch

from vaecourse.checks.answers import Trial, check, normal, uniform

_LOG_2PI = math.log(2 * math.pi)


# --- the score function ----------------------------------------------------------------------


def _draws():
    """values [S], z [S, J], loc [J] and log_var [J]; σ differs from 1 and from σ²."""

    def draws(samples, dim, seed, where=""):
        noise = normal(samples + 2, dim, seed=seed)
        loc, log_var = noise[0], 0.4 + 0.6 * noise[1].abs()
        log_var = -log_var if where else log_var
        z = loc + (0.5 * log_var).exp() * noise[2:]
        return z.square().sum(1) + 1.5, z, loc, log_var

    yield draws(7, 3, 4)
    yield draws(4, 5, 5)
    yield Trial(draws(6, 2, 6, "below"), "With negative log_var")
    values, z, loc, log_var = draws(5, 1, 7)
    yield Trial((values - 1e4, z, loc, log_var), "With values near −10,000", atol=1e-4)
    yield Trial((values[:2], z[:2], loc, log_var), "With two samples")
    yield Trial(draws(3, 3, 8, "below"), "With as many samples as latents")
    values, z, loc, log_var = draws(5, 2, 9)
    yield Trial((values, z + 1000, loc + 1000, log_var), "With a loc near 1,000", atol=1e-4)
    values, z, loc, log_var = draws(5, 2, 10)
    yield Trial((values, z - 1000, loc - 1000, log_var), "With a loc near −1,000", atol=1e-4)
    wide = torch.linspace(-20, 20, 41, dtype=torch.float64)
    z = normal(4, 41) * (0.5 * wide).exp()
    yield Trial((normal(4), z, 0 * wide, wide), "With log_var from −20 to 20")


def _right_gradient(values, z, loc, log_var):
    others = (values.sum() - values) / (len(values) - 1)
    return (values - others)[:, None] * (z - loc) / log_var.exp()


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
            right.mean(0),
            "You averaged over the samples; give one gradient a sample, [S, J], so that their "
            "spread can be measured.",
        ),
        (right.sum(0), "You summed over the samples; give one gradient a sample, [S, J]."),
        (
            right.sum(1),
            "You summed over the latents; each of the J entries of loc has a gradient.",
        ),
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
        (
            (values - values.median())[:, None] * score,
            "The baseline is the median of all; take the mean of the others.",
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
        (
            (values - values.roll(1))[:, None] * score,
            "The baseline is another draw's value; take the mean of all the others.",
        ),
        (
            (values - values.roll(-1))[:, None] * score,
            "The baseline is another draw's value; take the mean of all the others.",
        ),
        (
            (values - others[0])[:, None] * score,
            "One baseline serves all samples, and holds the values of most; each has its own.",
        ),
        *(
            (c[:, None] * score / spread, "The values are divided by their deviation; keep them.")
            for c in (values - values.mean(), values - others)
            for spread in (values.std(), values.std(correction=0))
        ),
        (
            centred * score.sum(1, keepdim=True).expand_as(score),
            "The score is summed over the latents; each of the J entries of loc has its own.",
        ),
        *(
            (
                weight * (-0.5 * (((z - loc) / scale).square() + log_var + constant)),
                "This has log q itself; its gradient, the score, belongs there.",
            )
            for weight in (values[:, None], centred)
            for constant in (0.0, _LOG_2PI)
        ),
        (right / count, "You divided by S: the mean over samples is taken later, and only once."),
    ]


@check(
    _draws,
    "(f(z) − mean of the others) times the score, one gradient a sample, unbiased.",
    _wrong_gradients,
)
def score_function_gradient(values, z, loc, log_var):
    """Check `fn(values, z, loc, log_var) -> [S, J]`, the gradients of E_q[f] by loc, one a sample.

    `values` [S] are f(z) at draws z [S, J] of q = N(loc, diag exp(log_var)), with loc and log_var
    [J]; the baseline of a sample is the mean of the other values.
    """
    return _right_gradient(values, z, loc, log_var)


# --- the full covariance ---------------------------------------------------------------------


def _encoder_outputs():
    """loc [B, J], log_var [B, J], raw [B, J, J] with every entry away from 0, and eps [B, J]."""

    def output(rows, dim, seed):
        noise = normal(rows, dim + 3, dim, seed=seed)
        raw = noise[:, 3:] + 0.5 * noise[:, 3:].sign()
        return [noise[:, 0], 0.4 + 0.6 * noise[:, 1].abs(), raw, noise[:, 2]]

    yield tuple(output(5, 3, 5))
    yield tuple(output(2, 4, 6))
    loc, log_var, raw, eps = output(4, 3, 7)
    yield Trial((loc, -log_var, raw, eps), "With negative log_var")
    yield Trial(tuple(output(3, 3, 10)), "With as many rows as latents")
    column = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    one = normal(41, 1, 1, seed=9), uniform(41, 1, seed=9, low=0.5, high=1.5)
    yield Trial((0 * column, column, *one), "For one latent, with log_var from −20 to 20")
    apart = loc + torch.tensor([0.0, 1e4, -1e4])
    yield Trial((apart, log_var, raw, eps), "With columns 10,000 apart", atol=1e-4)
    yield Trial(tuple(output(2, 40, 8)), "For 40 latents")
    yield Trial((loc, log_var, 30 * raw, 30 * eps), "With raw and eps near 30", atol=1e-3)


def _right_sample(loc, log_var, raw, eps):
    scale_tril = raw.tril(-1) + torch.diag_embed((0.5 * log_var).exp())
    return loc + _times(scale_tril, eps), _log_noise(eps) - 0.5 * log_var.sum(-1)


def _times(matrix, eps):
    return (matrix @ eps[..., None])[..., 0]


def _log_noise(eps):
    return -0.5 * (eps.square() + _LOG_2PI).sum(-1)


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
        (
            below + torch.diag_embed(0.5 * log_var),
            "log σ stands on the diagonal; σ is exp(½ log_var).",
        ),
        (
            below + torch.diag_embed(torch.nn.functional.softplus(log_var)),
            "softplus(log_var) stands on the diagonal; σ is exp(½ log_var).",
        ),
        (
            raw.tril(-2) + sigma,
            "tril(−2) leaves out what is next to the diagonal; take tril(−1).",
        ),
        (torch.linalg.inv(right), "You solved L v = ε; multiply ε by L."),
        (right @ right.mT, "You multiplied by the covariance L Lᵀ; a draw takes L."),
        (
            below + torch.eye(raw.shape[-1], dtype=raw.dtype),
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
        (noise - 4 * log_det, "log |det L| is ½ Σ log_var; you subtracted 2 Σ log_var."),
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


@check(
    _encoder_outputs,
    "z = loc + L ε and log q(z) = log p(ε) − Σ log σ.",
    (_wrong_samples, _wrong_densities),
    gradients=("loc", "log_var", "raw"),
    outputs=("z", "log q(z)"),
)
def full_covariance_sample(loc, log_var, raw, eps):
    """Check `fn(loc, log_var, raw, eps) -> z, log_q`: a draw of N(loc, L Lᵀ) and its log density.

    L is the part of `raw` [B, J, J] below the diagonal plus diag σ; loc, log_var and eps are
    [B, J], z is [B, J], log_q [B] in nats.
    """
    return _right_sample(loc, log_var, raw, eps)
