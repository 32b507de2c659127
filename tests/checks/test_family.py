"""The checks of chapter 12: right answers pass in any style, and each wrong one is named."""

import math
import sys

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, MultivariateNormal, kl_divergence

import vaecourse as vc
from vaecourse.checks.answers import Mistake
from vaecourse.models import FactorAnalysis

# --- factor analysis -----------------------------------------------------------------------------


def by_information(x, w, m, s):
    covariance = torch.linalg.inv(torch.eye(w.shape[1], dtype=w.dtype) + w.T @ (w / s[:, None]))
    return ((x - m) / s) @ w @ covariance, covariance


def by_conditioning(x, w, m, s):
    gain = torch.linalg.solve(w @ w.T + torch.diag(s), w).T
    return (x - m) @ gain.T, torch.eye(w.shape[1], dtype=w.dtype) - gain @ w


def by_numpy(x, w, m, s):
    x, w, m, s = (value.numpy() for value in (x, w, m, s))
    precision = np.eye(w.shape[1]) + w.T @ np.diag(1 / s) @ w
    means = [np.linalg.solve(precision, w.T @ ((row - m) / s)) for row in x]
    return np.stack(means), np.linalg.inv(precision)


def by_the_package(x, w, m, s):
    model = FactorAnalysis(*w.shape, floor=1e-9).double()
    with torch.no_grad():
        model.weight.copy_(w)
        model.mean.copy_(m)
        model._set_noise(s)
    q = model.exact_posterior(x)
    return q.mean, q.covariance_matrix[0]


def in_single_precision(x, w, m, s):
    return by_information(x.float(), w.float(), m.float(), s.float())


@pytest.mark.parametrize(
    "fn", [by_information, by_conditioning, by_numpy, by_the_package, in_single_precision]
)
def test_a_right_posterior_passes_in_any_style(fn):
    assert vc.checks.factor_analysis_posterior(fn).startswith("Right:")


def covariance_of(w, factor, prior=1.0):
    eye = torch.eye(w.shape[1], dtype=w.dtype)
    return torch.linalg.inv(prior * eye + (w.T * factor) @ w)


def with_covariance(change):
    def fn(x, w, m, s):
        return by_information(x, w, m, s)[0], change(w, s)

    return fn


def with_mean(change):
    def fn(x, w, m, s):
        covariance = by_information(x, w, m, s)[1]
        return change(x, w, m, s, covariance), covariance

    return fn


def changes_x(x, w, m, s):
    x -= m
    return by_information(x, w, 0 * m, s)


OFF = "our answer is .* where .* is right|too large, everywhere"
WRONG_POSTERIORS = [
    (with_covariance(lambda w, s: torch.eye(w.shape[1]) + (w.T / s) @ w), "This is the precision"),
    (with_covariance(lambda w, s: covariance_of(w, 1 / s, 0.0)), "The prior is missing"),
    (with_covariance(lambda w, s: (w.T / s) @ w), "add I, the precision of the prior"),
    (with_covariance(lambda w, s: covariance_of(w, s)), "Ψ stands where Ψ⁻¹ belongs"),
    (with_covariance(lambda w, s: covariance_of(w, s**-0.5)), "holds variances already"),
    (with_covariance(lambda w, s: covariance_of(w, s**-2)), "once, not squared"),
    (with_covariance(lambda w, s: covariance_of(w, 1 / s.mean())), "probabilistic PCA"),
    (with_covariance(lambda w, s: covariance_of(w, 1.0)), "Ψ is missing: divide"),
    (with_covariance(lambda w, s: torch.eye(w.shape[1]) - (w.T / s) @ w), "inverse missing"),
    (with_covariance(lambda w, s: covariance_of(w, 1 / s).diagonal().diag()), "off the diagonal"),
    (
        with_covariance(lambda w, s: (1 / (1 + (w.T / s) @ w).diagonal()).diag()),
        "not its diagonal",
    ),
    (with_covariance(lambda w, s: 1 / (torch.eye(w.shape[1]) + (w.T / s) @ w)), "over each entry"),
    (
        with_covariance(lambda w, s: torch.linalg.cholesky(covariance_of(w, 1 / s))),
        "Cholesky factor",
    ),
    (with_covariance(lambda w, s: torch.linalg.inv(1 + (w.T / s) @ w)), "1 is added to every"),
    (with_covariance(lambda w, s: torch.eye(w.shape[1])), "covariance of the prior"),
    (with_covariance(lambda w, s: w @ w.T + torch.diag(s)), r"covariance is \[D, D\]"),
    (
        with_covariance(lambda w, s: covariance_of(w, 1 / s)[None].repeat(5, 1, 1)),
        "has shape .5, 2, 2.",
    ),
    (with_covariance(lambda w, s: torch.ones(2)), r"has shape \[2\]; it must be \[2, 2\]"),
    (
        with_covariance(lambda w, s: covariance_of(w, 1 / s) + 0.1),
        OFF,
    ),
    (with_mean(lambda x, w, m, s, c: (x / s) @ w @ c), "μ is not subtracted"),
    (with_mean(lambda x, w, m, s, c: ((x + m) / s) @ w @ c), "μ is added"),
    (with_mean(lambda x, w, m, s, c: ((m - x) / s) @ w @ c), "sign of the mean"),
    (with_mean(lambda x, w, m, s, c: (x - m) @ w @ c), "Ψ⁻¹ is missing in the mean"),
    (with_mean(lambda x, w, m, s, c: ((x - m) / s) @ w), "Σ is missing in the mean"),
    (with_mean(lambda x, w, m, s, c: (x - m) @ w), "This is Wᵀ"),
    (with_mean(lambda x, w, m, s, c: ((x - m) * s) @ w @ c), "Ψ stands where Ψ⁻¹ belongs in"),
    (with_mean(lambda x, w, m, s, c: ((x - m) / s) @ w @ c.inverse()), "by the precision"),
    (
        with_mean(lambda x, w, m, s, c: ((x - m) / s) @ w @ covariance_of(w, 1 / s, 0.0)),
        "weighted least squares",
    ),
    (with_mean(lambda x, w, m, s, c: (x - m) @ torch.linalg.pinv(w).T), "without noise or prior"),
    (with_mean(lambda x, w, m, s, c: (((x - m) / s) @ w @ c).T), r"means are \[J, B\]"),
    (with_mean(lambda x, w, m, s, c: x), r"loc has shape \[5, 4\]"),
    (
        with_mean(lambda x, w, m, s, c: ((x - m) / s) @ w @ c + 1),
        OFF,
    ),
    (changes_x, "change x in place"),
    (lambda *given: None, "returns nothing"),
    (lambda *given: by_information(*given)[0], "return 2 things"),
    (lambda *given: by_information(*given)[::-1], "wrong order"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_POSTERIORS)
def test_a_wrong_posterior_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.factor_analysis_posterior(fn)


# --- GMVAE ---------------------------------------------------------------------------------------


def value_of(logits, fit, kl):
    q = logits.softmax(1)
    return (q * (fit - kl)).sum(1)


def kl_y(logits):
    return (logits.softmax(1) * logits.log_softmax(1)).sum(1) + math.log(logits.shape[1])


def mixture(logits, fit, kl):
    return value_of(logits, fit, kl) - kl_y(logits)


def mixture_of_torch(logits, fit, kl):
    q, p = Categorical(logits=logits), Categorical(logits=torch.zeros_like(logits))
    return torch.einsum("bk,bk->b", q.probs, fit - kl) - kl_divergence(q, p)


def mixture_label_by_label(logits, fit, kl):
    log_q = logits - logits.logsumexp(1, keepdim=True)
    total = 0.0
    for y in range(logits.shape[1]):
        log_joint = fit[:, y] - math.log(logits.shape[1])
        total = total + log_q[:, y].exp() * (log_joint - kl[:, y] - log_q[:, y])
    return total


def mixture_in_single_precision(logits, fit, kl):
    return mixture(logits.float(), fit.float(), kl.float())


@pytest.mark.parametrize(
    "fn",
    [mixture, mixture_of_torch, mixture_label_by_label, mixture_in_single_precision],
)
def test_a_right_mixture_bound_passes_in_any_style(fn):
    assert vc.checks.mixture_elbo(fn).startswith("Right:")


def entropy(a):
    return Categorical(logits=a).entropy()


def with_weights(weights):
    return lambda a, f, k: (weights(a) * (f - k)).sum(1) - kl_y(a)


def likeliest(a, f, k):
    return (f - k).gather(1, a.argmax(1, keepdim=True))[:, 0]


def log_of_softmax(a, f, k):
    q = a.softmax(1)
    return (q * (f - k - q.log())).sum(1) - math.log(a.shape[1])


WRONG_MIXTURES = [
    (lambda a, f, k: -mixture(a, f, k), "this is the loss"),
    (value_of, r"KL\(q\(y\|x\) ‖ p\(y\)\) is missing"),
    (lambda a, f, k: value_of(a, f, k) + kl_y(a), "is added; subtract it"),
    (lambda a, f, k: value_of(a, f, k) + entropy(a), "log K is missing"),
    (lambda a, f, k: value_of(a, f, k) - math.log(a.shape[1]), "entropy of q.* is missing"),
    (lambda a, f, k: value_of(a, f, k) - math.log(a.shape[1]) - entropy(a), "has the wrong sign"),
    (
        lambda a, f, k: value_of(a, f, k) + a.log_softmax(1).mean(1) + math.log(a.shape[1]),
        r"has KL\(p\(y\) ‖ q",
    ),
    (lambda a, f, k: (f - k).sum(1) - kl_y(a), "labels are not weighted"),
    (lambda a, f, k: (f - k).mean(1) - kl_y(a), "All labels have the same weight"),
    (with_weights(lambda a: a), "logits serve as weights"),
    (with_weights(torch.sigmoid), "Weights by sigmoid"),
    (
        lambda a, f, k: (a.softmax(0) * (f - k - a.log_softmax(0))).sum(1) - math.log(a.shape[1]),
        "softmax runs over the data",
    ),
    (with_weights(lambda a: a.softmax(1) ** 2), "counted twice"),
    (lambda a, f, k: value_of(a, f, 0 * k) - k.sum(1) - kl_y(a), "not weighted by q"),
    (lambda a, f, k: value_of(a, f, -k) - kl_y(a), "KL of z is added"),
    (lambda a, f, k: value_of(a, f, 0 * k) - kl_y(a), "KL of z is missing"),
    (lambda a, f, k: value_of(a, 0 * f, k) - kl_y(a), r"log p\(x\|z\) is missing"),
    (lambda a, f, k: likeliest(a, f, k) - kl_y(a), "Only the likeliest label"),
    (lambda a, f, k: likeliest(a, f, k) - math.log(a.shape[1]), "Only the likeliest label"),
    (lambda a, f, k: (a.log_softmax(1) + f - k).logsumexp(1), "stands outside the sum"),
    (lambda a, f, k: (f - k).logsumexp(1) - math.log(a.shape[1]), "q.* has no part"),
    (lambda a, f, k: mixture(a, f, k) / a.shape[1], "mean over the labels"),
    (lambda a, f, k: mixture(a, f, k).mean(), "reduced over the batch"),
    (lambda a, f, k: a.softmax(1) * (f - k), "has shape"),
    (lambda a, f, k: mixture(a, f, k)[:, None], "without keepdim"),
    (lambda a, f, k: mixture(a, f, k).detach(), "detached: no gradient"),
    (lambda a, f, k: mixture(a.detach(), f, k), "No gradient reaches logits"),
    (lambda a, f, k: mixture(a, f, k) + 0.1, OFF),
    (lambda a, f, k: None, "returns nothing"),
    (log_of_softmax, r"0 · log 0 is 0"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_MIXTURES)
def test_a_wrong_mixture_bound_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.mixture_elbo(fn)


# --- VRNN ----------------------------------------------------------------------------------------


def step_by_step(model, x, generator):
    state, total = model.first_state(len(x)), 0.0
    for x_t in x.unbind(1):
        q, prior = model.encode(x_t, state), model.prior(state)
        z = q.rsample((), generator)
        total = total + model.decode(z, state).log_prob(x_t) - kl_divergence(q, prior)
        state = model.next_state(x_t, z, state)
    return total


def noise_first(model, x, generator):
    eps = torch.randn(x.shape[1], len(x), model.latent_dim, generator=generator, dtype=x.dtype)
    state, terms = model.first_state(len(x)), []
    for t in range(x.shape[1]):
        q, p = model.encode(x[:, t], state), model.prior(state)
        z = q.loc + q.scale * eps[t]
        ratio = (q.log_var - p.log_var).exp() + (q.loc - p.loc) ** 2 / p.log_var.exp()
        kl = 0.5 * (ratio - 1 + p.log_var - q.log_var).sum(1)
        terms.append(model.decode(z, state).log_prob(x[:, t]) - kl)
        state = model.next_state(x[:, t], z, state)
    return torch.stack(terms, 1).sum(1)


def one_sequence_at_a_time(model, x, generator):
    return torch.cat([step_by_step(model, row[None], generator) for row in x])


def whole_by_the_package(model, x, generator):
    return model.elbo(x, 1, generator)


@pytest.mark.parametrize(
    "fn", [step_by_step, noise_first, one_sequence_at_a_time, whole_by_the_package]
)
def test_a_right_sequence_bound_passes_in_any_style(fn):
    assert vc.checks.vrnn_elbo(fn).startswith("Right:")


def walk(combine, draw="q", order="last", feed=lambda x, z: (x, z), prior="own", keep=False):
    """A student's loop: `combine` adds up the terms [T, B], the rest says what goes wrong."""

    def fn(model, x, generator):
        state, fits, kls = model.first_state(len(x)), [], []
        for x_t in x.unbind(1):
            q, p = model.encode(x_t, state), model.prior(state)
            if prior == "standard":
                p = model.posterior.prior(like=x)
            if draw == "mean":
                z = q.mean
            else:
                z = (p if draw == "prior" else q).rsample((), generator)
            z = z.detach() if draw == "stopped" else z
            after = state if keep else model.next_state(*feed(x_t, z), state)
            if order == "prior late":
                p = model.prior(after)
            if order == "first":
                p, state = model.prior(after), after
            if order == "decoder late":
                fits.append(model.decode(z, after).log_prob(x_t))
            else:
                fits.append(model.decode(z, state).log_prob(x_t))
            kls.append(kl_divergence(q, p))
            state = after
        return combine(torch.stack(fits), torch.stack(kls))

    return fn


def right(fits, kls):
    return (fits - kls).sum(0)


def sampled_kl(model, x, generator):
    return model.log_weights(x, 1, generator)[0]


def without_generator(model, x, generator):
    return model.elbo(x, 1)


WRONG_SEQUENCES = [
    (walk(lambda f, k: (k - f).sum(0)), "this is the loss"),
    (walk(lambda f, k: (f + k).sum(0)), "KL is added"),
    (walk(lambda f, k: f.sum(0)), "KL is missing"),
    (walk(lambda f, k: -k.sum(0)), r"log p\(x_t .* is missing"),
    (walk(lambda f, k: (f - k).mean(0)), "steps are averaged"),
    (walk(lambda f, k: f.sum(0) - k.mean(0)), "KL is averaged over the steps"),
    (walk(lambda f, k: (f - k)[-1]), "Only the last step counts"),
    (walk(lambda f, k: (f - k)[0]), "Only the first step counts"),
    (walk(lambda f, k: (f - k)[1:].sum(0)), "first step is missing"),
    (walk(lambda f, k: (f - k)[:-1].sum(0)), "last step is missing"),
    (walk(lambda f, k: f.sum(0) - k[0]), "Only the first step pays"),
    (walk(lambda f, k: f - k), r"has shape \[3, 4\]"),
    (walk(lambda f, k: (f - k).sum(1)), "has shape .3."),
    (walk(lambda f, k: (f - k).sum()), "reduced over the batch"),
    (walk(lambda f, k: right(f, k)[:2]), "has shape .2."),
    (walk(lambda f, k: right(f, k) + 1), OFF),
    (walk(right, order="prior late"), "prior of step t uses the state that has seen x_t"),
    (walk(right, order="first"), "state moves on too early"),
    (walk(right, order="decoder late"), "decoder of step t uses the state"),
    (walk(right, keep=True), "state never moves: call next_state"),
    (walk(right, prior="standard"), r"KL is taken to N\(0, I\)"),
    (walk(right, keep=True, prior="standard"), "separate VAEs"),
    (walk(right, feed=lambda x, z: (x, 0 * z)), "z_t does not enter"),
    (walk(right, feed=lambda x, z: (0 * x, z)), "x_t does not enter"),
    (walk(right, draw="prior"), "draw z_t from q, not from the prior"),
    (sampled_kl, "take the KL of each step in closed form"),
    (walk(right, draw="mean"), "must be drawn, not set to a mean"),
    (walk(right, draw="stopped"), "gradient stops at z_t"),
    (lambda *given: step_by_step(*given).detach(), "detached: no gradient reaches φ"),
    (without_generator, "same generator gave another z"),
    (lambda *given: None, "returns nothing"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_SEQUENCES)
def test_a_wrong_sequence_bound_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.vrnn_elbo(fn)


def test_the_posterior_that_is_called_right_is_that_of_the_joint_gaussian():
    x, w, m, s = (
        value.double() for value in next(sys.modules["vaecourse.checks.family"]._factor_problems())
    )
    joint = torch.zeros(6, 6, dtype=torch.float64)
    joint[:2, :2], joint[2:, :2], joint[:2, 2:] = torch.eye(w.shape[1]), w, w.T
    joint[2:, 2:] = w @ w.T + torch.diag(s)
    loc, covariance = by_information(x, w, m, s)
    # p(z|x) = p(z, x) / p(x) at some z.
    z = torch.tensor([0.3, -0.8], dtype=torch.float64)
    for row, mean in zip(x, loc, strict=True):
        of_both = MultivariateNormal(torch.zeros(6, dtype=torch.float64), joint)
        of_x = MultivariateNormal(m, joint[2:, 2:])
        expected = of_both.log_prob(torch.cat([z, row - m])) - of_x.log_prob(row)
        given = MultivariateNormal(mean, covariance).log_prob(z)
        assert (given - expected).abs() < 1e-9
