"""Self-checks of chapter 17: the product of a ladder, the denoised point, the bound of errors."""

import math

import torch

from vaecourse.checks.answers import Trial, check, normal, uniform

# --- the product of two Gaussians ------------------------------------------------------------


def _two_gaussians():
    yield tuple(normal(4, 4, 2))
    yield tuple(normal(4, 3, 5, seed=1))
    column = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    yield Trial((0 * column - 1, column, 0 * column + 2, -column), "With log_vars from −20 to 20")
    like = 0 * column + 1, column, 0 * column + 3, 0.9 * column + 0.3
    yield Trial(like, "With two wide or two narrow Gaussians")
    loc_1, log_var_1, loc_2, log_var_2 = normal(4, 3, 3, seed=2)
    yield Trial((loc_1, log_var_1, loc_2, log_var_2), "With as many rows as latents")
    yield Trial((1e4 * loc_1, log_var_1, 1e4 * loc_2, log_var_2), "With means near 10,000")
    yield Trial((loc_1, log_var_1, loc_1, log_var_1), "With two equal Gaussians")
    loc_1, log_var_1, loc_2, nothing = normal(4, 4, 2, seed=3)
    nothing = torch.full_like(nothing, math.inf)
    advice = "Its precision e^−∞ is 0, and the product is the other Gaussian: add precisions."
    says_nothing = loc_1, log_var_1, loc_2, nothing
    yield Trial(says_nothing, "Where log_var_2 is ∞", advice, gradients=False)


def _product(loc_1, log_var_1, loc_2, log_var_2):
    weight = torch.sigmoid(log_var_2 - log_var_1)
    log_var = -torch.logaddexp(-log_var_1, -log_var_2)
    return weight * loc_1 + (1 - weight) * loc_2, log_var


_LOG_SIGMA = "exp(2 log_var) is taken for a variance, as if log_var were log σ; it is log σ²."


_ADDED = "A small number is added to the precision; it counts where both are wide."
_EXTRA = (
    "The precision of a prior, 1, is taken away; the product is that of the two Gaussians alone.",
    "The precision of a prior, 1, is added; the product is that of the two Gaussians alone.",
)


def _wrong_loc(loc_1, log_var_1, loc_2, log_var_2):
    weight = torch.sigmoid(log_var_2 - log_var_1)
    one, two = (-log_var_1).exp(), (-log_var_2).exp()
    return [
        (
            (1 - weight) * loc_1 + weight * loc_2,
            "The means are weighted by the variances; the more precise one must count more.",
        ),
        (0.5 * (loc_1 + loc_2), "The means are averaged; each counts by its precision."),
        (loc_1 + loc_2, "The means are added; each counts by its precision."),
        (one * loc_1 + two * loc_2, "The weighted sum is not divided by the sum of precisions."),
        (_product(loc_1, 2 * log_var_1, loc_2, 2 * log_var_2)[0], _LOG_SIGMA),
        (
            _product(loc_1, 0.5 * log_var_1, loc_2, 0.5 * log_var_2)[0],
            "The means are weighted by 1/σ; the precision is 1/σ².",
        ),
        *(
            ((one * loc_1 + two * loc_2) / (one + two + extra), _EXTRA[extra > 0])
            for extra in (-1.0, 1.0)
        ),
        *(
            ((one * loc_1 + two * loc_2) / (one + two + small), _ADDED)
            for small in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
        ),
        (loc_1 * loc_2, "The means are multiplied; it is the densities that are."),
        (
            (one * loc_1 + two * loc_2) * (one + two),
            "The weighted sum is multiplied by the sum of precisions; divide by it.",
        ),
        (loc_1, "This is the first mean; the second one counts too."),
        (loc_2, "This is the second mean; the first one counts too."),
    ]


def _wrong_log_var(loc_1, log_var_1, loc_2, log_var_2):
    right = _product(loc_1, log_var_1, loc_2, log_var_2)[1]
    variances = log_var_1.exp() + log_var_2.exp()
    return [
        (right.exp(), "This is σ²; its logarithm was asked."),
        (0.5 * right, "This is log σ; log σ² was asked."),
        (log_var_1, "This is the first log variance; the second Gaussian counts too."),
        (log_var_2, "This is the second log variance; the first Gaussian counts too."),
        (-right, "This is the logarithm of the precision: the sign is turned."),
        ((-right).exp(), "This is the precision; the logarithm of the variance was asked."),
        (variances.log(), "The variances are added; precisions add, so the product is narrower."),
        (log_var_1 + log_var_2, "The log variances are added; precisions add."),
        (0.5 * (log_var_1 + log_var_2), "The log variances are averaged; precisions add."),
        (right + math.log(2), "A 2 is too many: the precisions add, they are not averaged."),
        (_product(loc_1, 2 * log_var_1, loc_2, 2 * log_var_2)[1], _LOG_SIGMA),
        (
            _product(loc_1, 0.5 * log_var_1, loc_2, 0.5 * log_var_2)[1],
            "1/σ is added in place of 1/σ².",
        ),
        *((-((-right).exp() + extra).abs().log(), _EXTRA[extra > 0]) for extra in (-1.0, 1.0)),
        *(
            (-((-right).exp() + small).log(), _ADDED)
            for small in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
        ),
    ]


@check(
    _two_gaussians,
    "precisions add, and each mean counts by its own.",
    (_wrong_loc, _wrong_log_var),
    gradients=("loc_1", "log_var_1", "loc_2", "log_var_2"),
    outputs=("the mean", "the log variance"),
)
def gaussian_product(loc_1, log_var_1, loc_2, log_var_2):
    """Check `fn(loc_1, log_var_1, loc_2, log_var_2)`: the product of two diagonal Gaussians.

    All are [B, J]; the answer is the pair (loc, log_var) of the normalized product, [B, J] each.
    """
    return _product(loc_1, log_var_1, loc_2, log_var_2)


# --- from the score to the denoised point ----------------------------------------------------


def _noisy_points():
    for log_snr, seed in ((0.0, 0), (2.5, 1), (-3.0, 2), (8.0, 3)):
        yield (*normal(2, 4, 2, seed=seed), log_snr)
    yield Trial((*normal(2, 3, 5, seed=4), 1.0), "For five dimensions")
    yield Trial((*normal(2, 3, 1, seed=6), 1.0), "For one dimension")
    y, score = normal(2, 3, 3, seed=5)
    yield Trial((1e4 * y, 100 * score, 2.345678), "For points near 10,000")
    yield Trial((y, score, -20.0), "With a log SNR of −20")
    yield Trial((y, 0 * score, 20.0), "With a log SNR of 20, and no score")


def _denoised(y, score, log_snr):
    return (y + _sigmoid(-log_snr) * score) / _sigmoid(log_snr) ** 0.5


def _sigmoid(value):
    return 1 / (1 + math.exp(-value))


def _wrong_denoised(y, score, log_snr):
    keep, add = _sigmoid(log_snr), _sigmoid(-log_snr)
    floors = [(floor, max(keep, floor)) for floor in (0.01, 0.05, 0.1, 0.2, 0.25)]
    return [
        ((y - add * score) / keep**0.5, "The score is subtracted: it points to where y is likely."),
        (y + add * score, "The division by α is missing: y_t is a shrunken y."),
        ((y + add * score) / keep, "Divided by α²; the mean was shrunk by α."),
        ((y + add * score) * keep**0.5, "Multiplied by α; divide by it."),
        ((y + add**0.5 * score) / keep**0.5, "The score is multiplied by σ; by σ² it should be."),
        ((y + score) / keep**0.5, "The σ² before the score is missing."),
        (y / keep**0.5 + add * score, "Only y_t is divided by α; divide the sum."),
        (y + add * score / keep**0.5, "Only the score is divided by α; divide the sum."),
        (
            (y + add * score.sum(-1, keepdim=True)) / keep**0.5,
            "The score is summed over its dimensions; each moves its own.",
        ),
        (
            (y + (1 - keep**2) * score) / keep,
            "The sigmoid of log SNR is taken for α; it is α².",
        ),
        (
            y + math.exp(-log_snr) * score,
            "This is the step where y_t is y plus noise; here y_t is α y plus noise.",
        ),
        *(
            ((y + noise * score) / kept**0.5, f"α² is cut off below {floor:g}; leave it as it is.")
            for floor, kept in floors
            for noise in (add, 1 - kept)
        ),
        (y / keep**0.5, "The score is missing."),
        ((y + keep * score) / add**0.5, "α and σ are exchanged: α² is the sigmoid of log SNR."),
        (
            (y + math.exp(-log_snr) * score) / keep**0.5,
            "The score is multiplied by σ²/α²; by σ² it should be.",
        ),
        (
            -(add**0.5) * score,
            "This is the noise that is expected in y_t; the denoised y was asked.",
        ),
    ]


@check(
    _noisy_points,
    "one step along the score, and back to the scale of y.",
    _wrong_denoised,
    parts=lambda y, score, log_snr: {
        "The term of y_t": y / _sigmoid(log_snr) ** 0.5,
        "The term of the score": _sigmoid(-log_snr) * score / _sigmoid(log_snr) ** 0.5,
    },
)
def denoised(y, score, log_snr):
    """Check `fn(y, score, log_snr)`: E[y|y_t] at noisy points y_t, [B, D], by Tweedie's formula.

    y is y_t [B, D], score the gradient of log p(y_t) there, [B, D], log_snr a number: α² is its
    sigmoid, and σ² = 1 − α².
    """
    return _denoised(y, score, log_snr)


# --- the bound of a diffusion ----------------------------------------------------------------


def _chains():
    for levels, dim, seed in ((4, 2, 0), (7, 3, 1), (2, 1, 2)):
        log_snr = torch.linspace(3, -4, levels, dtype=torch.float64)
        yield log_snr, uniform(levels, seed=seed, low=0.1, high=2), dim, 0.3
    bent = torch.tensor([5.0, 4.5, 1.0, -2.0], dtype=torch.float64)
    yield Trial((bent, uniform(4, seed=3), 2, 0.1), "With levels that are not evenly spaced")
    steep = torch.linspace(25, -6, 5, dtype=torch.float64), uniform(5, seed=5), 3, 0.1
    yield Trial(steep, "With log SNR up to 25")
    low = torch.linspace(6, -30, 5, dtype=torch.float64), 1e9 * uniform(5, seed=8), 3, 0.1
    yield Trial(low, "With log SNR down to −30, and errors near 10⁹")
    fine = torch.linspace(3, -4, 200, dtype=torch.float64), uniform(200, seed=6), 3, 0.1
    yield Trial(fine, "With 200 levels")
    yield Trial((bent, uniform(4, seed=3), 2, 4.0), "With a KL to the prior of 4")
    equal = torch.tensor([2.0, 2.0, 0.5, -3.0], dtype=torch.float64)
    errors = torch.tensor([0.5, 0.5, 0.0, 1.234567], dtype=torch.float64)
    yield Trial((equal, errors, 784, 0.0), "With equal levels, 784 dimensions and no KL")
    large = (bent, 1e3 * uniform(4, seed=7), 4, 1234.567)
    yield Trial(large, "With errors up to 1,000 and a KL of 1,235")
    one = torch.tensor([2.0], dtype=torch.float64)
    yield Trial((one, uniform(1, seed=4), 2, 0.2), "With a single level")


def _bound(log_snr, error, dim, kl_prior):
    snr = log_snr.exp()
    reconstruction = 0.5 * dim * (log_snr[0] - math.log(2 * math.pi)) - 0.5 * snr[0] * error[0]
    return reconstruction - 0.5 * ((snr[:-1] - snr[1:]) * error[1:]).sum() - kl_prior


def _wrong_bound(log_snr, error, dim, kl_prior):
    right, snr = _bound(log_snr, error, dim, kl_prior), log_snr.exp()
    steps = 0.5 * ((snr[:-1] - snr[1:]) * error[1:]).sum()
    early = 0.5 * ((snr[:-1] - snr[1:]) * error[:-1]).sum()
    first, constant = 0.5 * snr[0] * error[0], 0.5 * dim * (log_snr[0] - math.log(2 * math.pi))
    return [
        (-right, "The sign is turned: this is the loss; the bound was asked."),
        (right + kl_prior, "The KL of the last level to the prior is missing."),
        (right + 2 * kl_prior, "The KL to the prior is added; it costs."),
        (right + steps, "The steps are missing: only the ends are counted."),
        (right + 2 * steps, "The errors of the steps are added; they cost."),
        (right - steps, "The ½ before the errors of the steps is missing."),
        (
            right + steps - early,
            "Each difference goes with the error at its less noisy end; q was given y_t, the "
            "noisier one.",
        ),
        (right + first, "The error of the first level is missing."),
        (right - first, "The ½ before the error of the first level is missing."),
        (right - constant, "The constant ½ D (log SNR₁ − log 2π) is missing."),
        (
            right + steps - 0.5 * ((log_snr[:-1] - log_snr[1:]) * error[1:]).sum(),
            "The weights are differences of log SNR; they are differences of SNR.",
        ),
        (
            right + steps - 0.5 * (snr[1:] * error[1:]).sum(),
            "Each error is weighted by its own SNR; "
            "by the SNR that is lost in the step it should be.",
        ),
        (right + steps - 0.5 * error[1:].sum(), "The errors of the steps have no weights."),
        (right + steps - steps / max(1, len(error) - 1), "The steps are averaged; they add up."),
        (
            constant / dim - first - steps - kl_prior,
            "The constant counts one dimension; there are D.",
        ),
        (
            right + 0.5 * dim * math.log(2 * math.pi),
            "The log 2π of the Gaussian is missing.",
        ),
        (
            right - 0.5 * dim * log_snr[0],
            "The variance of the last step back, 1/SNR₁, is missing in the constant.",
        ),
        (
            right - dim * log_snr[0],
            "The last step back has the variance 1/SNR₁: log SNR₁ has the wrong sign.",
        ),
    ]


@check(_chains, "the ends, and every step by the SNR that it loses.", _wrong_bound)
def denoising_bound(log_snr, error, dim, kl_prior):
    """Check `fn(log_snr, error, dim, kl_prior)`: the mean bound of a diffusion, nats.

    log_snr and error are [T], falling log SNR and the mean of |y − ŷ|² at each level; dim is D,
    kl_prior the mean of KL(q(y_T|y) ‖ N(0, I)).
    """
    return _bound(log_snr, error, dim, kl_prior)
