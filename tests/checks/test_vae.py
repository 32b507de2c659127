"""The checks of chapter 09: right answers pass in any style, and each wrong one is named."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

import vaecourse as vc
from vaecourse.checks.answers import Mistake


def textbook_kl(loc, log_var):
    return -0.5 * (1 + log_var - loc**2 - log_var.exp()).sum(dim=1)


def kl_of_torch(loc, log_var):
    q = Independent(Normal(loc, (log_var / 2).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(loc), torch.ones_like(loc)), 1)
    return kl_divergence(q, prior)


def kl_row_by_row(loc, log_var):
    rows = []
    for mean, logarithm in zip(loc, log_var, strict=True):
        total = 0.0
        for m, v in zip(mean, logarithm, strict=True):
            total = total + (math.e**v + m * m - 1 - v) / 2
        rows.append(total)
    return torch.stack(rows)


def kl_as_mean_times_dimensions(loc, log_var):
    return loc.shape[-1] * (0.5 * (log_var.exp() + loc.square() - 1 - log_var)).mean(-1)


def kl_in_single_precision(loc, log_var):
    return textbook_kl(loc.float(), log_var.float())


@pytest.mark.parametrize(
    "fn",
    [
        textbook_kl,
        kl_of_torch,
        kl_row_by_row,
        kl_as_mean_times_dimensions,
        kl_in_single_precision,
    ],
)
def test_a_right_kl_passes_in_any_style(fn):
    assert vc.checks.kl(fn).startswith("Right:")


def terms(loc, log_var):
    return 0.5 * (log_var.exp() + loc**2 - 1 - log_var)


WRONG_KL = [
    (lambda m, v: terms(m, v).mean(-1), "averaged over the latents"),
    (lambda m, v: 2 * terms(m, v).sum(-1), "½ is missing"),
    (lambda m, v: -terms(m, v).sum(-1), "The sign is wrong"),
    (lambda m, v: 0.5 * (1 / v.exp() + m**2 / v.exp() - 1 + v).sum(-1), "wrong direction"),
    (lambda m, v: terms(m, 2 * v).sum(-1), "read log_var as log σ"),
    (lambda m, v: 0.5 * ((2 * v).exp() + m**2 - 1 - v).sum(-1), "you squared it"),
    (lambda m, v: 0.5 * ((0.5 * v).exp() + m**2 - 1 - v).sum(-1), "deviation stands where"),
    (lambda m, v: 0.5 * (v + m**2 - 1 - v.log()).sum(-1), "log_var as the variance itself"),
    (lambda m, v: 0.5 * (v**2 + m**2 - 1 - 2 * v.abs().log()).sum(-1), "log_var as σ"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - 1 - v.log()).sum(-1), "taken once more"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - v).sum(-1), "−1 is missing"),
    (lambda m, v: 0.5 * ((v.exp() + m**2 - v).sum(-1) - 1), "belongs to every latent"),
    (lambda m, v: 0.5 * (v.exp() + m - 1 - v).sum(-1), "mean enters squared"),
    (lambda m, v: 0.5 * (v.exp() - 1 - v).sum(-1), "μ² is missing"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - 1 + v).sum(-1), "wrong sign, so a narrow q"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - 1).sum(-1), "log σ² is missing"),
    (lambda m, v: Independent(Normal(m, (v / 2).exp()), 1).entropy(), "entropy of q"),
    (lambda m, v: terms(m, v).sum(), "reduced over the batch"),
    (lambda m, v: terms(m, v).sum(-1).mean(), "reduced over the batch"),
    (lambda m, v: terms(m, v), "reduce it over the last axis"),
    (lambda m, v: terms(m, v).sum(0), "one for each column"),
    (lambda m, v: terms(m, v).sum(-1, keepdim=True), "without keepdim"),
    (lambda m, v: terms(m, v).sum(-1).detach(), "detached: no gradient reaches loc, log_var"),
    (lambda m, v: terms(m, v.detach()).sum(-1), "No gradient reaches log_var"),
    (lambda m, v: None, "returns nothing"),
    (lambda m, v: terms(m, v).sum(-1) + torch.rand(()), "no random draw"),
    (lambda m, v: terms(m, v.abs()).sum(-1), "the absolute value of log_var"),
    (lambda m, v: terms(m, v).sum(-1) + 0.1, "too large, everywhere"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_KL)
def test_a_wrong_kl_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.kl(fn)


def noise(like, generator, shape=None):
    return torch.randn(shape or like.shape, generator=generator, dtype=like.dtype)


def draw(loc, log_var, generator):
    return loc + torch.exp(0.5 * log_var) * noise(loc, generator)


def draw_row_by_row(loc, log_var, generator):
    scale = log_var.exp().sqrt()
    return torch.stack([m + s * noise(m, generator) for m, s in zip(loc, scale, strict=True)])


def draw_with_the_package(loc, log_var, generator):
    return vc.distributions.DiagonalGaussian(loc, log_var).rsample((), generator)


def draw_in_single_precision(loc, log_var, generator):
    return torch.addcmul(loc, (log_var / 2).exp(), torch.randn(loc.shape, generator=generator))


@pytest.mark.parametrize(
    "fn", [draw, draw_row_by_row, draw_with_the_package, draw_in_single_precision]
)
def test_a_right_draw_passes_in_any_style(fn):
    assert vc.checks.reparameterize(fn).startswith("Right:")


def rademacher(like, generator):
    return 2.0 * (torch.rand(like.shape, generator=generator) < 0.5) - 1


WRONG_DRAWS = [
    (lambda m, v, g: m + v.exp() * noise(m, g), "variance is used as a deviation"),
    (lambda m, v, g: m + noise(m, g), "not scaled by σ"),
    (lambda m, v, g: m + v * noise(m, g), "log_var itself is used as σ"),
    (lambda m, v, g: m + v.sqrt() * noise(m, g), "NaN or infinite"),
    (lambda m, v, g: m + (-0.5 * v).exp() * noise(m, g), "inverted"),
    (lambda m, v, g: m + (0.25 * v).exp() * noise(m, g), "root is taken twice"),
    (
        lambda m, v, g: m + (0.5 * v).exp() * noise(m, g, m.shape[1:]),
        "same ε is used for every row",
    ),
    (
        lambda m, v, g: m + (0.5 * v).exp() * noise(m, g, (len(m), 1)),
        "same ε is used for every latent",
    ),
    (lambda m, v, g: m + (0.5 * v).exp() * torch.randn_like(m), "must come from the generator"),
    (
        lambda m, v, g: draw(m, v, torch.Generator().manual_seed(0)),
        "seed is fixed in your function",
    ),
    (lambda m, v, g: m + 0 * v, "noise σ ⊙ ε is missing"),
    (lambda m, v, g: draw(m, v, g).detach(), "z is detached"),
    (lambda m, v, g: torch.normal(m, (0.5 * v).exp(), generator=g), "z was drawn"),
    (lambda m, v, g: draw(m, v.detach(), g), "σ is detached"),
    (lambda m, v, g: draw(m.detach(), v, g), "No gradient reaches loc"),
    (lambda m, v, g: draw(m, v, g) + (m - m.detach()), "gradients are not those"),
    (lambda m, v, g: draw(m, v, g) + 1, r"plus about 0.99; leave that out"),
    (lambda m, v, g: (0.5 * v).exp() * noise(m, g), r"loc is not added: z has mean 0"),
    (
        lambda m, v, g: m + (0.5 * v).exp() * torch.rand(m.shape, generator=g, dtype=m.dtype),
        "uniform",
    ),
    (lambda m, v, g: m + (0.5 * v).exp() * rademacher(m, g), "not normal"),
    (lambda m, v, g: draw(m, v, g).mean(0), "must be that of loc"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_DRAWS)
def test_a_wrong_draw_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.reparameterize(fn)


def log_likelihood(x, logits):
    return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def bound(x, logits, loc, log_var):
    return log_likelihood(x, logits) - textbook_kl(loc, log_var)


def bound_of_torch(x, logits, loc, log_var):
    return Bernoulli(logits=logits).log_prob(x).sum(1) - kl_of_torch(loc, log_var)


def bound_written_out(x, logits, loc, log_var):
    log_p = torch.nn.functional.logsigmoid(logits)
    log_not_p = torch.nn.functional.logsigmoid(-logits)
    return torch.einsum("bd->b", x * log_p + (1 - x) * log_not_p) - kl_row_by_row(loc, log_var)


def bound_one_row_at_a_time(x, logits, loc, log_var):
    return torch.cat(
        [bound(*(t[i : i + 1] for t in (x, logits, loc, log_var))) for i in range(len(x))]
    )


@pytest.mark.parametrize("fn", [bound, bound_of_torch, bound_written_out, bound_one_row_at_a_time])
def test_a_right_elbo_passes_in_any_style(fn):
    assert vc.checks.elbo(fn).startswith("Right:")


def from_probabilities(x, logits, loc, log_var):
    likelihood = -binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(-1)
    return likelihood - textbook_kl(loc, log_var)


WRONG_ELBOS = [
    (
        lambda x, a, m, v: log_likelihood(x, a) + textbook_kl(m, v),
        "KL is added",
    ),
    (lambda x, a, m, v: -bound(x, a, m, v), "this is the loss"),
    (lambda x, a, m, v: -log_likelihood(x, a) - textbook_kl(m, v), "sign of log p"),
    (
        lambda x, a, m, v: (
            -binary_cross_entropy_with_logits(a, x, reduction="none").mean(-1) - textbook_kl(m, v)
        ),
        "averaged over pixels",
    ),
    (
        lambda x, a, m, v: log_likelihood(x, a) - textbook_kl(m, v) / m.shape[1],
        "KL is averaged over",
    ),
    (
        lambda x, a, m, v: log_likelihood(x, a) / x.shape[1] - textbook_kl(m, v) / m.shape[1],
        "Both terms",
    ),
    (lambda x, a, m, v: log_likelihood(x, a), "KL is missing"),
    (lambda x, a, m, v: -textbook_kl(m, v), r"log p\(x\|z\) is missing"),
    (
        lambda x, a, m, v: (x * a.sigmoid().log()).sum(-1) - textbook_kl(m, v),
        "Only white pixels count",
    ),
    (lambda x, a, m, v: log_likelihood(x, a.sigmoid()) - textbook_kl(m, v), "applied twice"),
    (lambda x, a, m, v: log_likelihood(a, x) - textbook_kl(m, v), "swapped"),
    (
        lambda x, a, m, v: -((x - a.sigmoid()) ** 2).sum(-1) - textbook_kl(m, v),
        "This is a squared error",
    ),
    (lambda x, a, m, v: log_likelihood(x, a) - 2 * textbook_kl(m, v), "In the KL: .*½ is missing"),
    (
        lambda x, a, m, v: log_likelihood(x, a) - textbook_kl(m, 2 * v),
        "In the KL: You read log_var as log σ",
    ),
    (lambda x, a, m, v: bound(x, a, m, v).mean(), "reduced over the batch"),
    (lambda x, a, m, v: bound(x, a, m, v).detach(), "detached"),
    (lambda x, a, m, v: bound(x, a.detach(), m, v), "No gradient reaches logits"),
    (lambda x, a, m, v: bound(x, a, m.detach(), v), "No gradient reaches loc"),
    (from_probabilities, "cut off at −100"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_ELBOS)
def test_a_wrong_elbo_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.elbo(fn)


@pytest.mark.parametrize(
    "fn",
    [
        lambda terms, n: n / len(terms) * terms.sum(),
        lambda terms, n: n * terms.mean(),
        lambda terms, n: sum(terms.tolist()) * n / len(terms),
    ],
)
def test_a_right_total_passes_in_any_style(fn):
    assert vc.checks.minibatch_total(fn).startswith("Right:")


WRONG_TOTALS = [
    (lambda t, n: len(t) / n * t.sum(), "scaled by M/N"),
    (lambda t, n: t.sum(), "the minibatch alone"),
    (lambda t, n: t.mean(), "mean over the minibatch"),
    (lambda t, n: n * t.sum(), "scaled the sum by N"),
    (lambda t, n: t.mean() * n / len(t), "scaled the mean by N/M"),
    (lambda t, n: -t.mean() * n, "sign is wrong"),
    (lambda t, n: t * n / len(t), "a total is one number|reduce it"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_TOTALS)
def test_a_wrong_total_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.minibatch_total(fn)


def test_the_checks_leave_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.kl(textbook_kl)
    vc.checks.reparameterize(draw)
    vc.checks.elbo(bound)
    assert torch.equal(before, torch.get_rng_state())
