"""Self-checks for three members of the family: factor analysis, GMVAE, VRNN. Chapter 12."""

import copy
import functools
import math
from itertools import pairwise

import torch
from torch.distributions import kl_divergence

from vaecourse.checks.answers import (
    WITHOUT_GRADIENT,
    Mistake,
    SideEffect,
    Trial,
    as_tensor,
    check,
    close,
    judge,
    normal,
    seeded,
    uniform,
    watched,
)
from vaecourse.checks.draws import PIXELS, Draws
from vaecourse.checks.vae import judge_draws
from vaecourse.models import VRNN

# --- factor analysis -------------------------------------------------------------------------


def _factor_problems():
    """x [B, D], W [D, J], μ [D] and Ψ [D], with noise variances on both sides of one."""
    noise = torch.tensor([0.3, 1.7, 0.6, 2.2, 0.9, 3.1], dtype=torch.float64)
    yield normal(5, 4), normal(4, 2, seed=1), normal(4, seed=2), noise[:4]
    yield normal(2, 6, seed=3), normal(6, 3, seed=4), normal(6, seed=5), noise
    yield Trial((normal(5, 3), normal(3, 1), normal(3), noise[:3]), "With one latent")
    line = normal(4, 1), normal(1, 2, seed=1), normal(1), noise[:1]
    yield Trial(line, "With one variable")
    alone = normal(1, 4), normal(4, 2, seed=1), normal(4, seed=2), noise[:4]
    yield Trial(alone, "With one row of x")
    more = normal(3, 2), normal(2, 4, seed=1), normal(2), noise[:2]
    yield Trial(more, "With more latents than variables")
    apart = 1e4 * normal(4, seed=7)
    moved = normal(5, 4) + apart, normal(4, 2, seed=1), apart, noise[:4]
    yield Trial(moved, "With columns 10,000 apart", atol=1e-4)
    quiet = normal(3, 4), normal(4, 2, seed=1), normal(4), 1e-4 * noise[:4]
    yield Trial(quiet, "With noise variances of 0.0001", atol=1e-6)
    flat = normal(5, 1, seed=3) @ normal(1, 3, seed=4)
    yield Trial((10 * normal(2, 5), 10 * flat, normal(5), noise[:5]), "With a W of rank one")
    square = normal(3, 3, seed=8), normal(3, 3, seed=9), normal(3, seed=10), noise[:3]
    yield Trial(square, "With as many latents as variables")
    loud = normal(3, 4), normal(4, 2, seed=1), normal(4), 1e4 * noise[:4]
    yield Trial(loud, "With noise variances near 10,000")
    equal = normal(4).expand(2, 4).clone(), normal(4, 2, seed=1), normal(4), 1 + 0 * noise[:4]
    yield Trial(equal, "With equal noise variances of 1, and x at μ")
    weight = normal(4, 2, seed=1)
    far = 20 * normal(3, 2) @ weight.T, weight, normal(4, seed=2), noise[:4]
    yield Trial(far, "With z far from 0")


def _factor_posterior(x, weight, mean, noise):
    scaled = weight.T / noise  # Wᵀ Ψ⁻¹
    covariance = torch.linalg.inv(torch.eye(weight.shape[1]) + scaled @ weight)
    return (x - mean) @ (covariance @ scaled).T, covariance


def _wrong_covariances(x, weight, mean, noise):
    """(what a mistake gives, the sentence that names it), …"""
    eye = torch.eye(weight.shape[1], dtype=weight.dtype)
    gram = (weight.T / noise) @ weight
    precision = eye + gram
    right = torch.linalg.inv(precision)

    def inverse_with(factor):
        return torch.linalg.inv(eye + (weight.T * factor) @ weight)

    return [
        (
            weight @ weight.T + noise.diag(),
            "The covariance is [D, D]: that of x; the posterior is one over z, [J, J].",
        ),
        (right.diagonal(), "The entries off the diagonal are missing; keep the matrix."),
        (precision, "This is the precision I + WᵀΨ⁻¹W; the covariance is its inverse."),
        (torch.linalg.pinv(gram), "The prior is missing: add I to WᵀΨ⁻¹W before you invert."),
        (gram, "This is WᵀΨ⁻¹W; add I, the precision of the prior, and invert."),
        (inverse_with(noise), "Ψ stands where Ψ⁻¹ belongs: a noisy variable must count less."),
        (inverse_with(noise.rsqrt()), "noise_variance holds variances already; divide by them."),
        (inverse_with(noise.reciprocal().square()), "Ψ⁻¹ enters once, not squared."),
        (
            inverse_with((1 / noise.mean()).expand(len(noise))),
            "One noise variance serves all variables: that is probabilistic PCA.",
        ),
        (
            inverse_with(torch.ones(len(noise))),
            "Ψ is missing: divide each variable by its noise variance.",
        ),
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
    covariance = torch.linalg.inv(torch.eye(weight.shape[1]) + scaled @ weight)
    gain = covariance @ scaled
    least_squares = torch.linalg.pinv(scaled @ weight) @ scaled
    offset = x - mean
    return [
        (
            offset @ gain.T @ weight.T + mean,
            "This is the x that is predicted; the mean is one of z.",
        ),
        ((offset @ gain.T).T, "The means are [J, B]; give one row for each row of x, [B, J]."),
        ((x - x.mean(0)) @ gain.T, "The mean of the rows is subtracted; subtract μ from x."),
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


@check(
    _factor_problems,
    "one covariance (I + WᵀΨ⁻¹W)⁻¹ for all, and a mean that is linear in x.",
    (_wrong_means, _wrong_covariances),
    outputs=("loc", "the covariance"),
    order=(1, 0),
)
def factor_analysis_posterior(x, weight, mean, noise_variance):
    """Check `fn(x, weight, mean, noise_variance) -> (loc [B, J], covariance [J, J])`.

    The posterior of z for each row of x [B, D], where z ~ N(0, I) and x|z ~ N(W z + μ, Ψ) with W
    [D, J], μ [D] and the diagonal of Ψ [D].
    """
    return _factor_posterior(x, weight, mean, noise_variance)


# --- GMVAE -----------------------------------------------------------------------------------


def _labels():
    """logits, log-likelihoods and divergences, each [B, K]; the logits do not sum to one."""

    def labels(rows, kinds, seed):
        logits = 1.5 * normal(rows, kinds, seed=seed) + 0.7
        log_likelihood = -6 - 3 * uniform(rows, kinds, seed=seed + 1)
        return logits, log_likelihood, 0.5 + 2 * uniform(rows, kinds, seed=seed + 2)

    yield labels(6, 4, 0)  # B − 1 is not K
    yield labels(2, 7, 3)
    logits, log_likelihood, kl_z = labels(5, 4, 6)
    yield Trial((logits + 400, log_likelihood, kl_z), "With logits near 400")
    yield Trial((logits - 1000, log_likelihood, kl_z), "With logits near −1,000")
    yield Trial((logits - 9, log_likelihood, kl_z), "With logits near −9")
    rows_apart = logits - 1000 * torch.arange(5).double()[:, None]
    yield Trial((rows_apart, log_likelihood, kl_z), "With rows of logits 1,000 apart")
    apart = torch.tensor([0.0, -1e4, -100.0, -5.0], dtype=torch.float64)
    yield Trial((logits, log_likelihood + apart, kl_z), "With log-likelihoods 10,000 apart")
    advice = (
        "Where q(y|x) is certain 0 · log 0 is 0 in the entropy: take the logarithm with "
        "log_softmax, not of the softmax."
    )
    certain = (1000.0 * torch.eye(4, dtype=torch.float64), log_likelihood[:4], kl_z[:4])
    yield Trial(certain, "Where q(y|x) is certain", advice, gradients=False)
    yield Trial(labels(3, 1, 8), "With a single label", gradients=False)
    yield Trial(labels(4, 4, 14), "With as many rows as labels")
    yield Trial((logits, 300 - log_likelihood, 0 * kl_z), "With log-likelihoods near 300, no KL")
    yield Trial((-logits, log_likelihood, 1000 * kl_z), "With a KL of z near 1,000")
    yield labels(1, 10, 9)
    yield labels(30, 2, 11)


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
        (
            right + log_k - math.log(10),
            "10 labels are counted, whatever their number; K is the length of the last axis.",
        ),
        (right + 2 * log_k, "log K is added; log p(y) = −log K."),
        (
            (q * (value - logits)).sum(1) - log_k,
            "The logits are not normalized: log q(y|x) is their log_softmax.",
        ),
        (
            (logits.exp() * (value - logits)).sum(1) - log_k,
            "The logits are not normalized: log q(y|x) is their log_softmax.",
        ),
        (value.mean(1), "All labels have the same weight; weight them by q(y|x)."),
        (
            (q * (value - q)).sum(1) - log_k,
            "q(y|x) stands where its logarithm belongs.",
        ),
        (right + log_k, "log p(y) = −log K is missing: the entropy of q alone is no divergence."),
        (right - entropy, "The entropy of q(y|x) is missing: only log p(y) was counted."),
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


@check(
    _labels,
    "Σ_y q(y|x) (log p(x|z) − KL_z), less KL(q(y|x) ‖ p(y)), one a row.",
    _wrong_mixture,
    gradients=("logits", "log_likelihood", "kl_z"),
    parts=lambda logits, log_likelihood, kl_z: {
        "log p(x|z)": (logits.softmax(1) * log_likelihood).sum(1),
        "The KL of z": -(logits.softmax(1) * kl_z).sum(1),
        "The entropy of q(y|x)": -(logits.softmax(1) * logits.log_softmax(1)).sum(1),
        "log p(y) = −log K": torch.full((len(logits),), -math.log(logits.shape[1])).double(),
        "KL(q(y|x) ‖ p(y))": -(logits.softmax(1) * logits.log_softmax(1)).sum(1)
        - math.log(logits.shape[1]),
    },
)
def mixture_elbo(logits, log_likelihood, kl_z):
    """Check `fn(logits, log_likelihood, kl_z) -> [B]`: the bound with the label summed over, nats.

    `logits` [B, K] are those of q(y|x), in any scale; p(y) is uniform; `log_likelihood` [B, K] and
    `kl_z` [B, K] are log p(x|z) at a draw of z, and KL(q(z|x, y) ‖ p(z|y)), for each label y.
    """
    log_q = logits.log_softmax(1)
    return (log_q.exp() * (log_likelihood - kl_z - log_q)).sum(1) - math.log(logits.shape[1])


# --- VRNN ------------------------------------------------------------------------------------


@watched("model", "x", "generator")
def vrnn_elbo(student):
    """Check `fn(model, x, generator) -> [B]`: the bound of a `VRNN` for x [B, T, D], in nats.

    One draw of each z_t from its q, and the divergence of every step in closed form.
    """
    trials = []
    shapes = {
        (4, 3): "",
        (3, 5): "",
        (2, 1): "With a single step",
        (1, 4): "For one sequence alone",
    }
    for seed, (shape, where) in enumerate(shapes.items()):
        model = _small_vrnn(-30.0, *((4, 3) if shape == (3, 5) else (5, 2)))
        chance = torch.full((*shape, model.data_dim), 0.5).double()
        x = torch.bernoulli(chance, generator=seeded(seed))
        trials.append(Trial((model, x), where, rtol=1e-4, atol=1e-4))
    for steps, where in ((2, "Where the KL of a step is small"), (31, "With 31 steps")):
        trials.append(Trial((_whatever_z(), uniform(3, steps, 5)), where, rtol=1e-4, atol=1e-4))
    answers = [_undisturbed(student, *trial.arguments) for trial in trials]
    again = as_tensor(student(*trials[0].arguments, seeded(2)))
    if again.shape == answers[0].shape and not close(answers[0], again, 1e-4, 1e-4):
        raise Mistake(
            "Where q is almost a point the bound still depends on the draw: draw z_t from q, not "
            "from the prior, and take the KL of each step in closed form."
        )
    rights = [_sequence_bound(*trial.arguments) for trial in trials]
    judge(answers, trials, rights, _wrong_sequence, _sequence_parts, ("model", "x"))
    _one_draw_goes_everywhere(student)
    found = _every_gradient_is_right(student, *trials[0].arguments)
    says = "terms of every step at one draw, each prior before its x_t is seen, summed."
    return says + ("" if found else WITHOUT_GRADIENT)


def _undisturbed(student, model, x):
    """The student's answer, unless the call has changed a weight."""
    before = copy.deepcopy(model.state_dict())
    answer = as_tensor(student(model, x, seeded(1)))
    if any((value != before[name]).any() for name, value in model.state_dict().items()):
        raise Mistake("The weights have changed: a bound takes no step.")
    return answer


def _small_vrnn(log_var, pixels=5, latents=2):
    """With four numbers of state, in float64; q has the log variance `log_var` whatever it sees."""
    return copy.deepcopy(_built_vrnn(log_var, pixels, latents))


@functools.cache
def _built_vrnn(log_var, pixels, latents):
    model = VRNN(pixels, latents, 4, (6,), seed=3).double().requires_grad_(False)
    for layer in (model.from_input, model.from_state, model.encoder[0], model.prior_net[0]):
        layer.weight.mul_(3)
    model.encoder[-1].weight[latents:] = 0
    model.encoder[-1].bias[latents:] = log_var
    return model


def _whatever_z():
    """For numbers in [0, 1], in evaluation mode; q is near the prior, and z_t changes nothing."""
    model = VRNN(5, 2, 4, (6,), likelihood="gaussian", noise_variance=0.5, seed=3).double()
    for layer, place in ((model.decoder[0], slice(2)), (model.from_input, slice(5, 7))):
        layer.weight.data[:, place] = 0
    for layer in (model.encoder[-1], model.prior_net[-1]):
        layer.weight.data.mul_(0.3)
        layer.bias.data.zero_()
    return model.requires_grad_(False).eval()


def _sequence_bound(model, x, **mistake):
    return sum(fit - kl for fit, kl in _sequence_steps(model, x, **mistake))


def _sequence_steps(
    model,
    x,
    peek=(),
    frozen=False,
    blind=(),
    first=(),
    late=False,
    standard=False,
    backwards=False,
    cut=(),
):
    """The two terms of each step at the mean of q, with the mistakes that are asked for.

    peek: those of "prior", "posterior" and "decoder" that get the state which has seen x_t.
    frozen: the state never moves. blind: those of "x" and "z" that the recurrence does not get.
    first: those of "prior" and "posterior" that get the first state. late: the recurrence gets the
    x of the step before.
    standard: N(0, I) in place of the prior. backwards: KL(p ‖ q).
    cut: what is detached, of "z" where it is decoded, "z on" in the recurrence, "state" and "KL".
    """
    state, terms = model.first_state(len(x)), []
    start, before = state, x[:, 0]
    for x_t in x.unbind(1):
        seen_by = start if "posterior" in first else state
        z = model.encode(x_t, seen_by).mean
        z_on = z.detach() if "z on" in cut else z
        given = (
            before if late else 0 * x_t if "x" in blind else x_t,
            0 * z if "z" in blind else z_on,
        )
        after = state if frozen else model.next_state(*given, state)
        q = model.encode(x_t, after if "posterior" in peek else seen_by)
        prior = model.prior(after if "prior" in peek else start if "prior" in first else state)
        if standard:
            prior = model.posterior.prior(like=x)
        seen = q.mean.detach() if "z" in cut else q.mean
        decoded = model.decode(seen, after if "decoder" in peek else state)
        kl = kl_divergence(*((prior, q) if backwards else (q, prior)))
        terms.append((decoded.log_prob(x_t), kl.detach() if "KL" in cut else kl))
        state, before = after.detach() if "state" in cut else after, x_t
    return terms


def _sequence_parts(model, x):
    fits, kls = zip(*_sequence_steps(model, x))
    return {"The KL": -sum(kls), "log p(x_t | …)": sum(fits)}


def _wrong_sequence(model, x):
    """(what a mistake gives [B], the sentence that names it), …"""
    fits, kls = (torch.stack(parts) for parts in zip(*_sequence_steps(model, x)))
    fit, kl, steps = fits.sum(0), kls.sum(0), len(fits)

    def bound(**mistake):
        return _sequence_bound(model, x, **mistake)

    return [
        (kl - fit, "The sign is wrong: this is the loss; the bound is minus that."),
        (fit + kl, "The KL is added; subtract it."),
        (bound(backwards=True), "The direction is turned: KL(q ‖ p), over draws of q."),
        ((fit - kl) / steps, "The steps are averaged; sum over them."),
        (fit - kl / steps, "The KL is averaged over the steps; sum over them."),
        (fits[-1] - kls[-1], "Only the last step counts; add up all of them."),
        (fits[0] - kls[0], "Only the first step counts; add up all of them."),
        (fits[1:].sum(0) - kls[1:].sum(0), "The first step is missing."),
        (fits[:-1].sum(0) - kls[:-1].sum(0), "The last step is missing."),
        (fit - kls[1:].sum(0), "The KL of the first step is missing."),
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
        (bound(first=("prior",)), "The prior gets the first state at every step; take h_t."),
        (bound(first=("posterior",)), "The encoder gets the first state at every step; take h_t."),
        (bound(late=True), "next_state gets the x of the step before; give it x_t."),
        *(
            ((fits - kls.clamp(min=floor)).sum(0), "The KL of a step costs at least a floor.")
            for floor in (0.1, 0.25, 0.5, 1.0, 2.0)
        ),
        (bound(blind=("z",)), "z_t does not enter the next state."),
        (bound(blind=("x",)), "x_t does not enter the next state."),
    ]


_CUTS = {
    ("z", "z on"): "The gradient stops at z_t: draw it with rsample, and detach nothing.",
    ("z on",): "The gradient stops at the z_t that next_state is given: detach nothing.",
    ("z",): "The gradient stops at the z_t that decode is given: detach nothing.",
    ("state",): "The gradient stops at the state: each step must reach those before it.",
    ("KL",): "The KL is detached: the value is right, but nothing makes it small.",
}


def _every_gradient_is_right(student, model, x):
    """Compare the gradients by all weights, through z_t and all that depends on it, or raise a
    Mistake; False for an answer that has none since it was computed outside of torch, or with
    gradients switched off: the exercise asks for none."""
    model.requires_grad_(True)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    answer = student(model, x, seeded(1))
    if not all(w.grad is not None and (w.grad == 1).all() for w in model.parameters()):
        raise Mistake("The gradients that lie on the weights have changed; the caller needs them.")
    if not (isinstance(answer, torch.Tensor) and answer.requires_grad):
        if student.left_torch or student.without_gradients:
            return False
        raise Mistake("The answer is detached: no gradient reaches φ.")

    def derivatives(value):
        weights = torch.linspace(0.5, 1.5, len(x)).double()
        parameters = list(model.parameters())
        found = torch.autograd.grad((weights * value).sum(), parameters, allow_unused=True)
        return torch.cat([(0 * w if g is None else g).flatten() for w, g in zip(parameters, found)])

    given, right = derivatives(answer), derivatives(_sequence_bound(model, x))
    if close(given, right, 1e-3, 1e-3):
        return True
    for cut, sentence in _CUTS.items():
        if close(given, derivatives(_sequence_bound(model, x, cut=cut)), 1e-3, 1e-3):
            raise Mistake(sentence)
    raise Mistake("The value is right, but not its gradient: detach nothing on the way.")


def _one_draw_goes_everywhere(student):
    """With a q of some width: one draw from it, by the generator, for decoder and recurrence."""
    x = torch.bernoulli(torch.full((300, 3, 5), 0.5, dtype=torch.float64), generator=seeded(0))
    model, seen = _small_vrnn(0.0), {"encode": [], "decode": [], "next_state": []}
    encode, decode, move = model.encode, model.decode, model.next_state

    def watched_encode(x_t, state):
        q = encode(x_t, state)
        seen["encode"].append(q)
        return q

    def watched_decode(z, state):
        seen["decode"].append(z)
        return decode(z, state)

    def watched_move(x_t, z, state):
        seen["next_state"].append(z)
        return move(x_t, z, state)

    model.encode, model.decode, model.next_state = watched_encode, watched_decode, watched_move
    as_tensor(student(model, x, seeded(1)))
    _look_at_draws(*seen.values())
    drawn = torch.cat([z.detach().reshape(-1, z.shape[-1]) for z in seen["decode"]])
    if len(drawn.unique(dim=0)) > 900:
        raise Mistake(
            f"The decoder is given {len(drawn)} draws of z_t, where x has 900 steps in all: one "
            "draw serves each."
        )

    def draw(rows, x, generator):
        model = _small_vrnn(0.0, PIXELS, rows.loc.shape[1])
        decode = model.decode

        def watched_decode(z, state):
            rows.decode(z)
            return decode(z, state)

        model.encode = lambda x_t, state: model.posterior(rows.encode(x_t))
        model.decode = watched_decode
        return student(model, x[:, None], generator)

    try:
        Draws(draw).judge(gradients=False)
        if all(z.shape == q.mean.shape for q, z in zip(seen["encode"], seen["decode"])):
            # a step beside the next, so that noise which is carried on is seen
            z, loc, scale = (
                torch.stack(values, 1).flatten(0, 1)
                for values in (
                    seen["decode"],
                    [q.mean for q in seen["encode"]],
                    [q.stddev for q in seen["encode"]],
                )
            )
            judge_draws(z, loc, 2 * scale.log())
    except SideEffect:
        raise
    except Mistake as mistake:
        raise Mistake(f"In the draw of z_t: {mistake}") from None


def _look_at_draws(qs, decoded, carried):
    for q, z in zip(qs, decoded):
        if z.shape[-2:] == q.mean.shape and close(z.reshape(q.mean.shape), q.mean):
            raise Mistake(
                "The decoder is given the mean of q: z_t must be drawn, not set to a mean."
            )
    for q, z, z_on in zip(qs, decoded, carried):
        if z.shape == z_on.shape and not close(z, z_on):
            what = "the mean of q" if close(z_on, q.mean) else "another z_t than the decoder"
            raise Mistake(f"next_state is given {what}: one draw of z_t serves both.")
    if len(qs) == len(decoded) and all(z.numel() == q.mean.numel() for q, z in zip(qs, decoded)):
        steps = [
            ((z.reshape(q.mean.shape) - q.mean) / q.stddev).flatten() for q, z in zip(qs, decoded)
        ]
        if any(one.shape == two.shape and close(one, two) for one, two in pairwise(steps)):
            raise Mistake("The same noise is used at every step; each z_t is a draw of its own.")
