"""Self-checks for three members of the family: factor analysis, GMVAE, VRNN. Chapter 12.

Each takes the reader's function and tries it on seeded numbers. A wrong answer is compared with
what the well-known mistakes give, so that the message can name the one that was made.
"""

import math

import torch
from torch.distributions import kl_divergence

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
from vaecourse.models import VRNN


def factor_analysis_posterior(fn):
    """Check `fn(x, weight, mean, noise_variance) -> (loc [B, J], covariance [J, J])`.

    The posterior of z for each row of x [B, D], where z ~ N(0, I) and x|z ~ N(W z + μ, Ψ) with W
    [D, J], μ [D] and the diagonal of Ψ [D]. Returns a sentence beginning "Right:"; raises `Mistake`
    with one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    x, weight, mean, noise = _factor_problem()
    loc, covariance = _posterior_answer(fn, x, weight, mean, noise)
    scaled = weight.T / noise  # Wᵀ Ψ⁻¹
    right = torch.linalg.inv(torch.eye(2) + scaled @ weight)
    if not close(covariance, right):
        name_mistake(covariance, right, _wrong_covariances(weight, noise))
    right_loc = (x - mean) @ (right @ scaled).T
    if not close(loc, right_loc):
        name_mistake(loc, right_loc, _wrong_means(x, weight, mean, noise))
    return "Right: one covariance (I + WᵀΨ⁻¹W)⁻¹ for all, and a mean that is linear in x."


def mixture_elbo(fn):
    """Check `fn(logits, log_likelihood, kl_z) -> [B]`: the bound with the label summed over, nats.

    `logits` [B, K] are those of q(y|x), in any scale; p(y) is uniform; `log_likelihood` [B, K] and
    `kl_z` [B, K] are log p(x|z) at a draw of z, and KL(q(z|x, y) ‖ p(z|y)), for each label y.
    Returns a sentence beginning "Right:"; raises `Mistake` with one that names the mistake,
    TypeError when fn is not a function.
    """
    check_function(fn)
    tensors = _mixture_problem()
    answer = per_row(fn(*(tensor.clone() for tensor in tensors)), tensors[0], "labels")
    right = _mixture_bound(*tensors)
    if not close(answer, right):
        name_mistake(answer, right, _wrong_mixture(*tensors))
    names = ("logits", "log_likelihood", "kl_z")
    check_gradients_reach(lambda given: fn(*given), dict(zip(names, tensors)))
    certain = 1000.0 * torch.eye(4, dtype=torch.float64)[:3]
    sure = as_tensor(fn(certain, *(tensor[:3].clone() for tensor in tensors[1:])))
    if not close(sure, (tensors[1] - tensors[2])[:3].diagonal() - math.log(4)):
        raise Mistake(
            "Where q(y|x) is certain the result breaks: 0 · log 0 is 0 in the entropy; "
            "take the logarithm with log_softmax, not of the softmax."
        )
    return "Right: Σ_y q(y|x) (log p(x|z) − KL_z), less KL(q(y|x) ‖ p(y)), one a row."


def vrnn_elbo(fn):
    """Check `fn(model, x, generator) -> [B]`: the bound of a `VRNN` for x [B, T, D], in nats.

    One draw of each z_t from its q, and the divergence of every step in closed form. Returns a
    sentence beginning "Right:"; raises `Mistake` with one that names the mistake, TypeError when
    fn is not a function.
    """
    check_function(fn)
    x = torch.bernoulli(torch.full((4, 3, 5), 0.5, dtype=torch.float64), generator=seeded(0))
    model = _narrow_vrnn()
    answer = _sequence_rows(fn(model, x.clone(), seeded(1)), x)
    right = _sequence_bound(model, x)
    if not close(answer, as_tensor(fn(model, x.clone(), seeded(2)))):
        raise Mistake(
            "Where q is almost a point the bound still depends on the draw: draw z_t from q, not "
            "from the prior, and take the KL of each step in closed form."
        )
    if not close(answer, right):
        name_mistake(answer, right, _wrong_sequence(model, x))
    _gradient_passes_the_draw(fn, model, x)
    _drawn_with_the_generator(fn, x)
    return "Right: terms of every step at one draw, each prior before its x_t is seen, summed."


# --- factor analysis -------------------------------------------------------------------------


def _factor_problem():
    """x [5, 4], W [4, 2], μ [4] and Ψ [4], with noise variances on both sides of one."""
    x, weight, mean = (
        torch.randn(shape, generator=seeded(seed), dtype=torch.float64)
        for seed, shape in enumerate(((5, 4), (4, 2), (4,)))
    )
    return x, weight, mean, torch.tensor([0.3, 1.7, 0.6, 2.2], dtype=torch.float64)


def _posterior_answer(fn, *tensors):
    """Mean [B, J] and covariance [J, J] as the reader's function gave them."""
    given = [tensor.clone() for tensor in tensors]
    value = fn(*given)
    for name, after, before in zip(("x", "weight", "mean", "noise_variance"), given, tensors):
        if not torch.equal(after, before):
            raise Mistake(f"You change {name} in place; the caller still needs it.")
    if value is None:
        raise Mistake("Your function returns nothing; is the return statement missing?")
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Mistake("Return two things: the means [B, J] and the covariance [J, J].")
    loc, covariance = as_tensor(value[0]), as_tensor(value[1])
    if covariance.shape == (5, 2, 2):
        raise Mistake("There is a covariance for each row; Σ does not depend on x, so give one.")
    if covariance.shape == (5, 2) and loc.shape == (2, 2):
        raise Mistake("The covariance comes first; return the means, then the covariance.")
    if covariance.shape == (4, 4):
        raise Mistake("The covariance is [D, D]: that of x; the posterior is one over z, [J, J].")
    if covariance.shape != (2, 2):
        raise Mistake(f"The covariance has shape {list(covariance.shape)}; it must be [J, J].")
    if loc.shape == (2, 5):
        raise Mistake("The means are [J, B]; give one row for each row of x, [B, J].")
    if loc.shape != (5, 2):
        raise Mistake(f"The means have shape {list(loc.shape)}; they must be [B, J], [5, 2].")
    return loc, covariance


def _wrong_covariances(weight, noise):
    """(what a mistake gives, the sentence that names it), …"""
    eye = torch.eye(2, dtype=weight.dtype)
    gram = (weight.T / noise) @ weight
    precision = eye + gram
    right = torch.linalg.inv(precision)

    def inverse_with(factor):
        return torch.linalg.inv(eye + (weight.T * factor) @ weight)

    return [
        (precision, "This is the precision I + WᵀΨ⁻¹W; the covariance is its inverse."),
        (torch.linalg.inv(gram), "The prior is missing: add I to WᵀΨ⁻¹W before you invert."),
        (gram, "This is WᵀΨ⁻¹W; add I, the precision of the prior, and invert."),
        (inverse_with(noise), "Ψ stands where Ψ⁻¹ belongs: a noisy variable must count less."),
        (inverse_with(noise.rsqrt()), "noise_variance holds variances already; divide by them."),
        (inverse_with(noise.reciprocal().square()), "Ψ⁻¹ enters once, not squared."),
        (
            inverse_with((1 / noise.mean()).expand(4)),
            "One noise variance serves all variables: that is probabilistic PCA.",
        ),
        (inverse_with(torch.ones(4)), "Ψ is missing: divide each variable by its noise variance."),
        (eye - gram, "The sign is wrong, or the inverse missing: precisions add, then invert."),
        (right.diagonal().diag(), "The entries off the diagonal are missing; keep the matrix."),
        (torch.linalg.inv(precision.diagonal().diag()), "Invert the matrix, not its diagonal."),
        (1 / precision, "You took one over each entry; invert the matrix as a whole."),
        (torch.linalg.cholesky(right), "This is the Cholesky factor L; the covariance is L Lᵀ."),
        (torch.linalg.inv(1 + gram), "1 is added to every entry; the prior's precision is I."),
        (eye, "This is the covariance of the prior; x must have made it smaller."),
    ]


def _wrong_means(x, weight, mean, noise):
    """(what a mistake gives, the sentence that names it), …"""
    scaled = weight.T / noise
    covariance = torch.linalg.inv(torch.eye(2) + scaled @ weight)
    gain = covariance @ scaled
    least_squares = torch.linalg.solve(scaled @ weight, scaled)
    offset = x - mean
    return [
        (x @ gain.T, "μ is not subtracted from x."),
        ((x + mean) @ gain.T, "μ is added; subtract it from x."),
        (-offset @ gain.T, "The sign of the mean is wrong: it is Σ Wᵀ Ψ⁻¹ (x − μ)."),
        (offset @ (covariance @ weight.T).T, "Ψ⁻¹ is missing in the mean: it is Σ Wᵀ Ψ⁻¹ (x − μ)."),
        (offset @ scaled.T, "Σ is missing in the mean: it is Σ Wᵀ Ψ⁻¹ (x − μ)."),
        (offset @ weight, "This is Wᵀ(x − μ); the mean is Σ Wᵀ Ψ⁻¹ (x − μ)."),
        (
            offset @ (covariance @ (weight.T * noise)).T,
            "Ψ stands where Ψ⁻¹ belongs in the mean.",
        ),
        (
            offset @ torch.linalg.solve(covariance, scaled).T,
            "You multiplied by the precision; multiply by Σ, its inverse.",
        ),
        (offset @ least_squares.T, "This is weighted least squares, which knows of no prior."),
        (offset @ torch.linalg.pinv(weight).T, "This is least squares, without noise or prior."),
    ]


# --- GMVAE -----------------------------------------------------------------------------------


def _mixture_problem():
    """logits, log-likelihoods and divergences, each [5, 4]; the logits do not sum to one."""
    logits = 1.5 * torch.randn(5, 4, generator=seeded(0), dtype=torch.float64) + 0.7
    log_likelihood = -6 - 3 * torch.rand(5, 4, generator=seeded(1), dtype=torch.float64)
    kl_z = 0.5 + 2 * torch.rand(5, 4, generator=seeded(2), dtype=torch.float64)
    return logits, log_likelihood, kl_z


def _mixture_bound(logits, log_likelihood, kl_z):
    log_q = logits.log_softmax(1)
    q = log_q.exp()
    return (q * (log_likelihood - kl_z - log_q)).sum(1) - math.log(logits.shape[1])


def _wrong_mixture(logits, log_likelihood, kl_z):
    """(what a mistake gives [B], the sentence that names it), …"""
    log_q = logits.log_softmax(1)
    q, log_k, value = log_q.exp(), math.log(logits.shape[1]), log_likelihood - kl_z
    entropy = -(q * log_q).sum(1)
    kl_y = log_k - entropy
    right = (q * value).sum(1) - kl_y
    best = q.argmax(1, keepdim=True)
    over_data = logits.softmax(0)
    return [
        (-right, "The sign is wrong: this is the loss; the bound is minus that."),
        (right + kl_y, "KL(q(y|x) ‖ p(y)) is missing: being sure of a label costs nothing here."),
        (right + 2 * kl_y, "KL(q(y|x) ‖ p(y)) is added; subtract it."),
        (right + log_k, "log p(y) = −log K is missing: the entropy of q alone is no divergence."),
        (right - entropy, "The entropy of q(y|x) is missing: only log p(y) was counted."),
        (right - 2 * entropy, "The entropy of q(y|x) has the wrong sign."),
        (
            (q * value).sum(1) + (q.log() + log_k).mean(1),
            "This has KL(p(y) ‖ q(y|x)); the bound has KL(q(y|x) ‖ p(y)).",
        ),
        (value.sum(1) - kl_y, "The labels are not weighted: take Σ q(y|x) (…), not Σ (…)."),
        (value.mean(1) - kl_y, "All labels have the same weight; weight them by q(y|x)."),
        (
            (logits * value).sum(1) - kl_y,
            "The logits serve as weights; the weights are their softmax.",
        ),
        (
            (logits.sigmoid() * value).sum(1) - kl_y,
            "Weights by sigmoid do not sum to one; take a softmax over the labels.",
        ),
        (
            (over_data * value).sum(1) - log_k - (over_data * over_data.log()).sum(1),
            "The softmax runs over the data; it must run over the labels, the last axis.",
        ),
        (
            (q * q * value).sum(1) - kl_y,
            "q(y|x) is counted twice: after the sum over y no expectation is left.",
        ),
        (
            (q * log_likelihood).sum(1) - kl_z.sum(1) - kl_y,
            "The KL of z is not weighted by q(y|x).",
        ),
        (
            (q * (log_likelihood + kl_z)).sum(1) - kl_y,
            "The KL of z is added; subtract it.",
        ),
        ((q * log_likelihood).sum(1) - kl_y, "The KL of z is missing."),
        (-(q * kl_z).sum(1) - kl_y, "log p(x|z) is missing."),
        (
            value.gather(1, best).squeeze(1) - kl_y,
            "Only the likeliest label counts here; sum over all of them.",
        ),
        (
            value.gather(1, best).squeeze(1) - log_k,
            "Only the likeliest label counts here; sum over all of them.",
        ),
        (
            (log_q + value).logsumexp(1),
            "The logarithm stands outside the sum over y; in the bound it stands inside.",
        ),
        (
            value.logsumexp(1) - log_k,
            "This is log Σ_y p(y) …, in which q(y|x) has no part; the bound is Σ_y q(y|x) (…).",
        ),
        (right / logits.shape[1], "You took a mean over the labels; the weights sum to one."),
    ]


# --- VRNN ------------------------------------------------------------------------------------


def _small_vrnn(log_var):
    """D = 5, J = 2, H = 4, in float64; q has the log variance `log_var` whatever it sees."""
    model = VRNN(5, 2, 4, (6,), seed=3).double().requires_grad_(False)
    for layer in (model.from_input, model.from_state, model.encoder[0], model.prior_net[0]):
        layer.weight.mul_(3)
    model.encoder[-1].weight[2:] = 0
    model.encoder[-1].bias[2:] = log_var
    return model


def _narrow_vrnn():
    """A VRNN whose q is almost a point, so that its bound hardly depends on the draw."""
    return _small_vrnn(-30.0)


def _sequence_rows(value, x):
    """The answer as [B]; a Mistake that says what was reduced too much or too little."""
    answer, (rows, steps) = as_tensor(value), x.shape[:2]
    if answer.shape == (rows, steps) or answer.shape == (steps, rows):
        raise Mistake(f"The shape is {list(answer.shape)}; sum over the steps, so that it is [B].")
    if answer.shape == (steps,):
        raise Mistake("There is one value a step; sum over the steps, and keep one a sequence.")
    if answer.ndim == 0:
        raise Mistake("The answer is one number, reduced over the batch; give one a sequence.")
    if answer.shape != (rows,):
        raise Mistake(f"The shape is {list(answer.shape)}; it must be one a sequence, [{rows}].")
    return answer


def _sequence_bound(model, x, **mistake):
    return sum(fit - kl for fit, kl in _sequence_steps(model, x, **mistake))


def _sequence_steps(model, x, peek=(), frozen=False, blind=(), standard=False):
    """The two terms of each step at the mean of q, with the mistakes that are asked for.

    peek: those of "prior", "posterior" and "decoder" that get the state which has seen x_t.
    frozen: the state never moves. blind: those of "x" and "z" that the recurrence does not get.
    standard: N(0, I) in place of the prior.
    """
    state, terms = model.first_state(len(x)), []
    for x_t in x.unbind(1):
        z = model.encode(x_t, state).mean
        given = (0 * x_t if "x" in blind else x_t, 0 * z if "z" in blind else z)
        after = state if frozen else model.next_state(*given, state)
        q = model.encode(x_t, after if "posterior" in peek else state)
        prior = model.prior(after if "prior" in peek else state)
        if standard:
            prior = model.posterior.prior(like=x)
        decoded = model.decode(q.mean, after if "decoder" in peek else state)
        terms.append((decoded.log_prob(x_t), kl_divergence(q, prior)))
        state = after
    return terms


def _wrong_sequence(model, x):
    """(what a mistake gives [B], the sentence that names it), …"""
    fits, kls = (torch.stack(parts) for parts in zip(*_sequence_steps(model, x)))
    fit, kl, steps = fits.sum(0), kls.sum(0), len(fits)

    def bound(**mistake):
        return _sequence_bound(model, x, **mistake)

    return [
        (kl - fit, "The sign is wrong: this is the loss; the bound is minus that."),
        (fit + kl, "The KL is added; subtract it."),
        (fit, "The KL is missing."),
        (-kl, "log p(x_t | …) is missing."),
        ((fit - kl) / steps, "The steps are averaged; sum over them."),
        (fit - kl / steps, "The KL is averaged over the steps; sum over them."),
        (fits[-1] - kls[-1], "Only the last step counts; add up all of them."),
        (fits[0] - kls[0], "Only the first step counts; add up all of them."),
        (fits[1:].sum(0) - kls[1:].sum(0), "The first step is missing."),
        (fits[:-1].sum(0) - kls[:-1].sum(0), "The last step is missing."),
        (fit - kls[0], "Only the first step pays for its z; the KL belongs to every step."),
        (
            bound(peek=("prior",)),
            "The prior of step t uses the state that has seen x_t already; take h_t, not h_t+1.",
        ),
        (
            bound(peek=("prior", "decoder")),
            "The state moves on too early: prior and decoder of step t must use h_t, not h_t+1.",
        ),
        (
            bound(peek=("decoder",)),
            "The decoder of step t uses the state that has seen x_t already; take h_t.",
        ),
        (bound(frozen=True), "The state never moves: call next_state after each step."),
        (
            bound(standard=True),
            "The KL is taken to N(0, I); the prior of step t is model.prior(h_t).",
        ),
        (
            bound(frozen=True, standard=True),
            "These are separate VAEs: the state never moves, and the prior is N(0, I).",
        ),
        (bound(blind=("z",)), "z_t does not enter the next state."),
        (bound(blind=("x",)), "x_t does not enter the next state."),
    ]


def _gradient_passes_the_draw(fn, model, x):
    """The gradient by the encoder, through z_t and all that depends on it, or a Mistake."""
    weight = model.encoder[-1].weight.requires_grad_()
    answer = fn(model, x.clone(), seeded(1))
    if not (isinstance(answer, torch.Tensor) and answer.requires_grad):
        raise Mistake("The answer is detached: no gradient reaches φ.")
    given, right = (
        torch.autograd.grad(value.sum(), weight)[0][:2]  # the rows that make the mean
        for value in (answer, _sequence_bound(model, x))
    )
    weight.requires_grad_(False)
    if not torch.allclose(given, right, rtol=1e-3, atol=1e-3):
        raise Mistake("The gradient stops at z_t: draw it with rsample, and detach nothing.")


def _drawn_with_the_generator(fn, x):
    """With a q of some width: a draw, and from the generator."""
    model = _small_vrnn(0.0)
    first, again, other = (as_tensor(fn(model, x.clone(), seeded(s))) for s in (1, 1, 2))
    if not torch.equal(first, again):
        raise Mistake("The same generator gave another bound: pass it to rsample.")
    if torch.equal(first, other):
        raise Mistake("Every generator gives the same bound: z_t must be drawn, not set to a mean.")
