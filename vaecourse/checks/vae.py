"""Self-checks for the pieces of a variational autoencoder, taught in chapter 09."""

import math

import torch
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, softplus

from vaecourse.checks.answers import (
    Mistake,
    Trial,
    as_tensor,
    check,
    close,
    normal,
    seeded,
    shown,
    uniform,
    watched,
)
from vaecourse.checks.slips import explained

_LOG_2PI = math.log(2 * math.pi)


# --- the KL ----------------------------------------------------------------------------------


def _posteriors():
    yield normal(5, 3), uniform(5, 3, seed=1, low=0.2, high=1.4)  # mistaken readings stay numbers
    yield normal(2, 7, seed=2), uniform(2, 7, seed=3, low=0.2, high=2.0)
    yield Trial((normal(5, 3), uniform(5, 3, seed=1, low=-2)), "With negative log_var")
    column = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    yield Trial((normal(41, 1), column), "For one latent, with log_var from −20 to 20")
    yield Trial((3 * column, uniform(41, 1)), "For one latent, with means from −60 to 60")
    yield Trial((column[:1] + 500, column[:1] / 10), "For one latent, with a mean of 480")
    yield Trial((normal(1, 784), normal(1, 784, seed=1)), "For one row of 784 latents")
    yield Trial((normal(4, 4, seed=4), normal(4, 4, seed=5)), "With as many rows as latents")
    nothing = torch.zeros(2, 3, dtype=torch.float64)
    yield Trial((nothing, nothing), "Where q is the prior", gradients=False)


def wrong_kl(loc, log_var):
    """(what a mistake gives [B], the sentence that names it), …"""
    right, j = _kl(loc, log_var), loc.shape[-1]
    square, var = loc.square(), log_var.exp()
    each = 0.5 * (var + square - 1 - log_var)

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
        *(
            (right + 0.5 * (j - n), f"{n} is written in for the number of latents.")
            for n in (2, 3, 10, 20)
        ),
        (right + 0.5 * (j - 1), "The −1 was subtracted once a row; it belongs to every latent."),
        (right + j, "The −1 has the wrong sign: where q is the prior the KL must be zero."),
        (half_sum(var + loc.abs() - 1 - log_var), "The mean enters squared, not as |μ|."),
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
        *(
            (each.clamp(min=floor).sum(-1), "Each latent costs at least a floor, as by free bits.")
            for floor in (0.05, 0.1, 0.125, 0.2, 0.25, 0.5, 1.0, 2.0)
        ),
        (each[..., 0], "Only the first latent counts; sum over all of them."),
        (each[..., -1], "Only the last latent counts; sum over all of them."),
    ]


@check(
    _posteriors,
    "one KL a row, summed over latents, zero only where q is the prior.",
    wrong_kl,
    gradients=("loc", "log_var"),
    parts=lambda loc, log_var: {
        "The term σ²": 0.5 * log_var.exp().sum(-1),
        "The term μ²": 0.5 * loc.square().sum(-1),
        "The term −log σ²": -0.5 * log_var.sum(-1),
    },
)
def kl(loc, log_var):
    """Check `fn(loc, log_var) -> [B]`, KL(N(loc, diag σ²) ‖ N(0, I)) in nats, in closed form."""
    return 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum(-1)


_kl = kl.right


# --- the draw --------------------------------------------------------------------------------

_LOC = torch.tensor([[0.7, -1.3]], dtype=torch.float64)
_LOG_VAR = torch.tensor([[-1.2, 0.9]], dtype=torch.float64)


@watched("loc", "log_var", "generator")
def reparameterize(student, rows=10_000, gradients=True):
    """Check `fn(loc, log_var, generator) -> z`, a draw loc + σ ⊙ ε of shape [B, J]."""
    loc, log_var = (parameter.expand(rows, -1).clone() for parameter in (_LOC, _LOG_VAR))
    z = as_tensor(student(loc, log_var, seeded(0)))
    if z.shape != loc.shape:
        raise Mistake(f"z has shape {list(z.shape)}; it must be that of loc, {list(loc.shape)}.")
    if not z.isfinite().all():
        raise Mistake("z has NaN or infinite values; log_var is log σ², so it may be negative.")
    if close(z, loc):
        raise Mistake("z is loc itself: the noise σ ⊙ ε is missing.")
    _noise_comes_from_the_generator(student, loc[:50], log_var[:50])
    judge_draws(z, loc, log_var)
    _noise_is_scaled_everywhere(student)
    _one_row_has_noise(student)
    _latents_may_be_three(student)
    if gradients:
        _noise_lets_gradients_through(student, loc[:5], log_var[:5])
    return "z = loc + σ ⊙ ε with fresh ε from the generator, and gradients reach both."


def _noise_comes_from_the_generator(student, loc, log_var):
    z, again, other = (as_tensor(student(loc, log_var, seeded(seed))) for seed in (0, 0, 1))
    if not close(z, again, 1e-6, 1e-6):
        raise Mistake(
            "The same generator gave another z: your function ignores the generator; "
            "pass it to torch.randn."
        )
    if torch.equal(z, other):
        if close(z - loc, (z - loc)[:1].expand_as(z)):
            raise Mistake("No noise is drawn: z − loc is the same in every row and call.")
        raise Mistake(
            "Every generator gives the same z: a seed is fixed in your function, or a draw kept."
        )
    one = seeded(0)
    if torch.equal(*(as_tensor(student(loc, log_var, one)) for _ in range(2))):
        raise Mistake("Two calls give the same z: the generator is set back, or copied.")


def judge_draws(z, loc, log_var):
    """Raise a Mistake unless the rows of z are draws of N(loc, σ²), independent of each other; of
    two latents, with one log_var for all rows."""
    spread = loc - loc.mean(0)
    sums = spread.square().sum(0)
    more = (spread * (z - loc)).sum(0) / sums  # the slope of z over loc is 1
    if close(spread, 0 * spread):
        pass
    elif (more.abs() > 6 * (z - loc).std(0) / sums.sqrt()).any():
        slope = f"{1 + more[more.abs().argmax()]:.2g}".replace("-", "−")
        raise Mistake(
            "loc is not added: z does not move with it."
            if (more + 1).abs().max() < 0.05
            else f"z moves about {slope} times as far as loc; loc must be added as it is."
        )
    _noise_is_independent(z - loc)
    _noise_is_standard_normal(z, loc, log_var)


def _noise_is_independent(noise):
    if close(noise[0], noise[1]) and close(noise[0], noise[-1]):
        raise Mistake("The same ε is used for every row; draw ε in the shape of loc.")
    eps = noise / noise.std(0)
    half = len(eps) // 2
    pairs = [(eps[:, 0], eps[:, 1]), (eps[:-1, 0], eps[1:, 0]), (eps[:half, 0], eps[-half:, 0])]
    pairs.append((eps[:, 0], eps[:, 0].flip(0)))
    least = 6 / len(noise) ** 0.5
    related = [torch.corrcoef(torch.stack(pair))[0, 1].abs() > least for pair in pairs]
    if close(eps[:, 0], eps[:, 1]) or close(eps[:, 0], -eps[:, 1]):
        raise Mistake("The same ε is used for every latent of a row; draw ε in the shape of loc.")
    if related[0]:
        raise Mistake("The ε of one latent hangs on that of another; leave them as drawn.")
    if any(related):
        raise Mistake("The ε of some rows hang on those of others; draw ε in the shape of loc.")


def _noise_is_standard_normal(z, loc, log_var):
    """Compare the moments of many rows with those of N(loc, σ²) and of the known mistakes."""
    deviation, error = (z - loc).std(0), len(z) ** -0.5
    var = log_var[0].exp()
    eps = (z - loc) / var.sqrt()
    end = eps.abs().max()
    at_end = (eps.abs() > end - 1e-6).sum()
    if 3 <= at_end < len(z) / 2:  # more than a pair of one draw and its negative
        raise Mistake(f"ε is cut off at {end:.3g} from 0; leave it as drawn.")
    scales = {
        "The variance is used as a deviation: σ is exp(½ log_var), not exp(log_var).": var,
        "The noise is not scaled by σ: its deviation is 1 for every latent.": torch.ones(2),
        "log_var itself is used as σ; σ is exp(½ log_var).": log_var[0].abs(),
        "The square root is taken twice: σ is exp(½ log_var).": var.sqrt().sqrt(),
        "σ is inverted: it is exp(+½ log_var).": 1 / var.sqrt(),
        "ε is uniform (torch.rand); it must be normal (torch.randn).": (var / 12).sqrt(),
    }
    if not torch.allclose(deviation, var.sqrt(), rtol=3 * error):
        for sentence, scale in scales.items():
            if torch.allclose(deviation, scale.to(deviation), rtol=3 * error):
                raise Mistake(sentence)
        if (z > loc).all() or (z < loc).all():
            raise Mistake("Every ε has the same sign; a normal one is as often below 0 as above.")
        times, more = deviation / var.sqrt(), deviation - var.sqrt()
        # a deviation has the error σ/√(2S)
        for value, errors, words in (
            (times, error * times, "The noise is σ ⊙ ε times about {:.2g}"),
            (more, error * deviation, "To σ about {:.2g} is added"),
        ):
            common = _common(value, 1.5 * errors)
            if common is not None and ((times - 1).abs() > 0.05).any():
                raise Mistake(f"{words.format(common).replace('-', '−')}; leave that out.")
        given, right = deviation[0].item(), var[0].sqrt().item()
        raise Mistake(
            f"The first latent of z has deviation {given:.3f} where {right:.3f} is right."
        )
    if (eps.mean(0).abs() > 4 * error).any():
        if (z.mean(0).abs() < 4 * error * var.sqrt()).all():
            raise Mistake("loc is not added: z has mean 0.")
        of_eps, of_z = eps.mean(0), (z - loc).mean(0)
        for value, errors, words in (
            (of_eps, error + 0 * of_eps, "ε has a mean of about {:.2g}; leave it at 0."),
            (of_z, error * var.sqrt(), "z is loc + σ ⊙ ε plus about {:.2g}; leave that out."),
        ):
            if (common := _common(value, 4 * errors)) is not None:
                raise Mistake(words.format(common).replace("-", "−"))
        given, right = z.mean(0)[0].item(), loc[0, 0].item()
        raise Mistake(f"The first latent of z has mean {given:.3f} where loc is {right:.3f}.")
    if ((eps**4).mean(0) / (eps**2).mean(0) ** 2 - 3).abs().max() > 30 * error:
        raise Mistake("ε has mean 0 and deviation 1 but is not normal; draw it with torch.randn.")


def _common(values, slack):
    """The one number that all measured values are, each to its slack, or None."""
    weights = slack**-2
    mean = (weights * values).sum() / weights.sum()
    return mean.item() if ((values - mean).abs() <= slack).all() else None


def _noise_is_scaled_everywhere(student):
    """With the same noise, the deviation must follow log_var, and loc must only be added."""
    log_var = torch.linspace(-20, 20, 26, dtype=torch.float64).reshape(13, 2)
    zero = torch.zeros_like(log_var)
    eps = as_tensor(student(zero, zero, seeded(3)))
    locs = {
        "loc = 0": zero,
        "loc = 10,000": torch.full_like(zero, 1e4),
        "another loc in every row": normal(13, 2),
    }

    def again(loc, log_var):
        return loc + (0.5 * log_var).exp() * eps

    trials = [Trial((loc, log_var), where, rtol=1e-6) for where, loc in locs.items()]
    tried = [
        (as_tensor(student(*trial.arguments, seeded(3))), again(*trial.arguments), trial)
        for trial in trials
    ]
    shaped = all(z.shape == right.shape for z, right, _ in tried)
    for z, right, trial in tried:
        loc, where = trial.arguments[0], trial.where
        slack = 1e-4 * (right - loc).abs() + 1e-5 + 1e-7 * loc.abs()
        if z.shape != right.shape or not ((z - right).abs() <= 10 * slack).all():
            if shaped and (slip := explained(tried, again, ("loc", "log_var"))):
                raise Mistake(slip)
            row = (~((z - right).abs() <= 10 * slack)).flatten().nonzero()[0].item()
            given, wanted = shown(z.flatten()[row].item(), right.flatten()[row].item())
            raise Mistake(
                f"At {where} and log_var = {log_var.flatten()[row]:.4g} z is {given} where, for "
                f"the same noise, {wanted} is right."
            )


def _one_row_has_noise(student):
    z = as_tensor(student(_LOC.clone(), _LOG_VAR.clone(), seeded(0)))
    if z.shape != _LOC.shape:
        raise Mistake(f"For one row z has shape {list(z.shape)}; it must be {list(_LOC.shape)}.")
    if not z.isfinite().all() or close(z, _LOC):
        raise Mistake(
            "One row alone has no noise: ε is centred or scaled over the batch; leave it as drawn."
        )


def _latents_may_be_three(student):
    loc = normal(50, 3)
    try:
        z = as_tensor(student(loc, 0 * loc, seeded(0)))
    except Mistake as mistake:
        raise Mistake(f"For three latents: {mistake}") from None
    if z.shape != loc.shape:
        raise Mistake(f"For three latents z has shape {list(z.shape)}; it must be [50, 3].")
    if (torch.corrcoef((z - loc).T) - torch.eye(3)).abs().max() > 0.9:
        raise Mistake("Of three latents two have the same ε; draw ε in the shape of loc.")


def _noise_lets_gradients_through(student, loc, log_var):
    """dz/dloc = 1 and dz/dlog_var = ½ (z − loc), or a Mistake."""
    loc, log_var = (parameter.clone().requires_grad_() for parameter in (loc, log_var))
    z = student(loc, log_var, seeded(0))
    if not (isinstance(z, torch.Tensor) and z.requires_grad):
        raise Mistake("z is detached: no gradient reaches loc and log_var.")
    to_loc, to_log_var = torch.autograd.grad(z.sum(), (loc, log_var), allow_unused=True)
    loc_is_lost, log_var_is_lost = (g is None or not g.any() for g in (to_loc, to_log_var))
    if loc_is_lost and log_var_is_lost:
        raise Mistake("No gradient reaches loc: z was drawn, where loc + σ ⊙ ε must be computed.")
    if loc_is_lost:
        raise Mistake("No gradient reaches loc: it is detached.")
    if log_var_is_lost:
        raise Mistake("No gradient reaches log_var: σ is detached.")
    right = 0.5 * (z - loc).detach()
    if not (close(to_loc, torch.ones_like(loc), 1e-3) and close(to_log_var, right.double(), 1e-3)):
        raise Mistake("The gradients are not those of loc + σ ⊙ ε: 1, and ½ (z − loc).")


# --- the bound -------------------------------------------------------------------------------


def _batches():
    for rows, pixels, latents, scale in ((5, 7, 3, 2.0), (3, 4, 2, 1.0)):
        logits = scale * normal(rows, pixels, seed=2)
        x = torch.bernoulli(torch.full_like(logits, 0.4), generator=seeded(3))
        loc, log_var = normal(rows, latents), uniform(rows, latents, seed=1, low=0.2, high=1.4)
        yield x, logits, loc, log_var
    yield x, uniform(3, 4, seed=4, low=0.05, high=0.95), loc, log_var
    yield Trial((x, logits, loc, -3 * log_var), "With negative log_var")
    column = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    nothing = torch.zeros(41, 1, dtype=torch.float64)
    one = "For one pixel and one latent, with "
    yield Trial((nothing, nothing, nothing + 0.5, column), f"{one}log_var from −20 to 20")
    yield Trial((nothing, nothing, 3 * column, nothing + 0.3), f"{one}means from −60 to 60")
    for white, name in ((nothing, "For one black pixel"), (nothing + 1, "For one white pixel")):
        ends = (white, column, nothing + 0.5, nothing)
        yield Trial(ends, f"{name} and logits from −20 to 20")
    advice = "Work from the logits: where sigmoid is rounded to 0 or 1 a logarithm is lost."
    for size in (200, 1000):  # the exponential of the larger is infinite
        for sign, name in ((1, "black pixels and logits of "), (-1, "white and logits of −")):
            white = torch.full_like(x, 0.5 - 0.5 * sign)
            far = torch.full_like(x, float(size * sign))
            yield Trial((white, far, loc, log_var), f"For {name}{size}", advice)
    x = torch.bernoulli(torch.full((1, 784), 0.3, dtype=torch.float64), generator=seeded(3))
    wide = (x, 2 * normal(1, 784), normal(1, 20), normal(1, 20, seed=1))
    yield Trial(wide, "For one row of 784 pixels and 20 latents")
    x = torch.bernoulli(torch.full((3, 3), 0.5, dtype=torch.float64), generator=seeded(6))
    yield Trial((x, *normal(3, 3, 3, seed=6)), "With as many rows as pixels and as latents")


_CUT = "Logits or probabilities are cut off; work from the logits as they are."
_ADDED = "A small number is added inside the logarithm; work from the logits as they are."


def _log_likelihood(x, logits):
    return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def wrong_likelihoods(x, logits):
    """(what a mistake gives for log p(x|z) [B], the sentence that names it), …"""
    likelihood, pixels = _log_likelihood(x, logits), x.shape[-1]
    p = logits.sigmoid()
    squared_error = (x - p).square().sum(-1)
    clipped = binary_cross_entropy(p, x, reduction="none")
    entropies = binary_cross_entropy_with_logits(logits, x, reduction="none")

    def by(white, black):
        return (x * white.log() + (1 - x) * black.log()).sum(-1)

    return [
        (-clipped.sum(-1), "log p is cut off at −100 a pixel: work from the logits themselves."),
        (-entropies.mean(), "binary_cross_entropy takes the mean of all unless told otherwise."),
        (
            -entropies.sum(),
            "The cross entropy is summed over the batch too: sum over pixels alone.",
        ),
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
        (-784 * entropies.mean(-1), "784 pixels are written in; sum over the pixels there are."),
        (
            (x * logits.log_softmax(-1)).sum(-1),
            "softmax runs over the pixels; each has a probability of its own, sigmoid(logit).",
        ),
        *(
            (-binary_cross_entropy(p.clamp(eps, 1 - eps), x, reduction="none").sum(-1), _CUT)
            for eps in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
        *((_log_likelihood(x, logits.clamp(-c, c)), _CUT) for c in (5, 10, 15, 20, 30, 50)),
        *((by(p + e, 1 - p + e), _ADDED) for e in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)),
        (-squared_error, "This is a squared error; the decoder gives logits of Bernoulli pixels."),
        (
            -0.5 * squared_error,
            "This is half a squared error; the decoder gives logits of Bernoulli pixels.",
        ),
        *(
            (
                by(value, 1 - value),
                "The logits are used as probabilities; a pixel is 1 with probability "
                "sigmoid(logit).",
            )
            for value in (logits, *(logits.clamp(e, 1 - e) for e in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)))
        ),
    ]


def _wrong_elbo(x, logits, loc, log_var):
    """(what a mistake gives [B], the sentence that names it), …"""
    likelihood, divergence = _log_likelihood(x, logits), _kl(loc, log_var)
    pixels, latents = x.shape[-1], loc.shape[-1]
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
        *((value - divergence, sentence) for value, sentence in wrong_likelihoods(x, logits)),
        *(
            (likelihood - value, f"In the KL: {sentence}")
            for value, sentence in wrong_kl(loc, log_var)
            if not sentence.startswith("The sign")
        ),
    ]


@check(
    _batches,
    "log p(x|z) summed over pixels, minus the KL summed over latents, one a row.",
    _wrong_elbo,
    gradients=("logits", "loc", "log_var"),
    parts=lambda x, logits, loc, log_var: {
        "The KL": -_kl(loc, log_var),
        "log p(x|z)": _log_likelihood(x, logits),
    },
)
def elbo(x, logits, loc, log_var):
    """Check `fn(x, logits, loc, log_var) -> [B]`: the bound in nats, from one draw of z.

    `x` [B, D] holds binary pixels, `logits` [B, D] the decoder's output at that draw, `loc` and
    `log_var` [B, J] the encoder's.
    """
    return _log_likelihood(x, logits) - _kl(loc, log_var)


# --- from a minibatch to the data ------------------------------------------------------------


def _minibatches():
    for terms, n in (
        ([-3.0, -5.0, 1.0, -2.0], 20),
        ([-110.0, -95.5, -102.25], 1000),
        ([2.0, 7.5, 1.25, 0.5, 3.0], 12),
        ([-90.0, 3.0, -50.0, -70.0, -80.0, -2.0, -11.0], 60_000),
        ([-4.0, -1.0], 2),
        ([-8.0], 7),
        ([4.0, -2.5, 1.25, 7.0, 3.5], 13),
        ([0.0, -10_000.0, -3.5, 40.0, -3.5, 0.0], 31),
        ([2.5, 2.5, -1.0], 9),
    ):
        yield torch.tensor(terms, dtype=torch.float64), n
    yield Trial((normal(200).exp(), 1000), "For a minibatch of 200, a few of them large")
    small = torch.tensor([1.2345678e-3, -2.3456789e-4, 5.4321e-4], dtype=torch.float64)
    yield Trial((small, 10), "With terms near 0.001", atol=1e-9)
    yield Trial(
        (torch.tensor([0.5, -0.25], dtype=torch.float64), 1_281_167), "For more than a million data"
    )
    yield Trial((torch.tensor([-1.75], dtype=torch.float64), 1), "For one data point")


def _wrong_totals(terms, n):
    """(what a mistake gives, the sentence that names it), …"""
    m, total = len(terms), terms.sum()
    return [
        (m / n * total, "You scaled by M/N; a part of the data must grow to the whole: N/M."),
        (total, "This is the sum over the minibatch alone; scale it up to the data by N/M."),
        (total / m, "This is the mean over the minibatch; a total over the data is N times that."),
        (n * total, "You scaled the sum by N; it already has M terms in it, so take N/M."),
        (
            n / m * total / m,
            "You scaled the mean by N/M; take the mean times N, or the sum times N/M.",
        ),
        (total / n, "The sum over the minibatch is divided by N; multiply it by N/M."),
        (-n / m * total, "The sign is wrong: the total of negative terms is negative."),
        (n // m * total, "N // M is rounded down, so part of the data is lost; divide with N / M."),
        *(
            (whole * total, "N/M is rounded to a whole number; divide with N / M.")
            for whole in (round(n / m), math.ceil(n / m))
        ),
        ((n - m) * total / m, "Only the data outside the minibatch count; N counts them all."),
        (n * (terms.logsumexp(0) - math.log(m)), "The terms are logarithms already; add them."),
        *((n / (m - 1 or one) * total, "M − 1 stands where M belongs.") for one in (math.nan, 1)),
        (n / 100 * total, "100 is written in; divide by the number of terms, M."),
        (60_000 * total / m, "60,000 is written in; take N as it is handed in."),
        (n * terms.median(), "The median stands where the mean belongs."),
        (n * terms.unique().mean(), "Terms that are equal count once; every term counts."),
        (total + n / m * total, "The minibatch counts twice: N has its M terms in it."),
        (n / m * terms.abs().sum(), "Absolute values are summed; the sign of a term counts."),
        (n / m * terms, "The terms are scaled, not yet added up: a total is one number."),
        (n / (m + 1) * total, "M + 1 stands where M belongs."),
        (math.sqrt(n / m) * total, "The root of N/M is taken; a total grows with N/M itself."),
    ]


@check(
    _minibatches,
    "the sum over the minibatch times N/M, unbiased for the sum over the data.",
    _wrong_totals,
    gradients=("terms",),
)
def minibatch_total(terms, num_data):
    """Check `fn(terms, num_data) -> scalar`: the sum over a data set, estimated from a minibatch.

    `terms` [M] are the values of M of the `num_data` data points, drawn at random.
    """
    return num_data / len(terms) * terms.sum()
