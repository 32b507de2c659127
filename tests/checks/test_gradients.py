"""The self-checks of chapter 08: they pass what is right, however written, and name mistakes."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

import vaecourse as vc
from vaecourse.checks import Mistake
from vaecourse.distributions import FullGaussian, FullPosterior
from vaecourse.inference.gradients import full_gaussian_sample

# The score function


def others(values):
    return (values.sum() - values) / (len(values) - 1)


def score(z, loc, log_var):
    return (z - loc) / log_var.exp()


def textbook(values, z, loc, log_var):
    return (values - others(values))[:, None] * score(z, loc, log_var)


def sample_by_sample(values, z, loc, log_var):
    rows = []
    for i, value in enumerate(values):
        rest = torch.cat([values[:i], values[i + 1 :]])
        rows.append((value - rest.mean()) * (z[i] - loc) * torch.exp(-log_var))
    return torch.stack(rows)


def by_autograd(values, z, loc, log_var):
    copies = loc.repeat(len(z), 1).requires_grad_()
    log_q = Normal(copies, (log_var / 2).exp()).log_prob(z).sum()
    (scores,) = torch.autograd.grad(log_q, copies)
    return torch.einsum("s,sj->sj", values - others(values), scores)


def by_the_known_factor(values, z, loc, log_var):
    count = len(values)
    centred = (values - values.mean()) * count / (count - 1)
    return (centred * (z - loc).T).T / log_var.exp()


def in_numpy(values, z, loc, log_var):
    values, z, loc, log_var = (np.asarray(t) for t in (values, z, loc, log_var))
    rest = (values.sum() - values) / (len(values) - 1)
    return (values - rest)[:, None] * (z - loc) / np.exp(log_var)


@pytest.mark.parametrize(
    "fn", [textbook, sample_by_sample, by_autograd, by_the_known_factor, in_numpy]
)
def test_a_right_gradient_passes_in_any_style(fn):
    assert vc.checks.score_function_gradient(fn).startswith("Right:")


def with_score(other_score):
    return lambda f, z, m, v: (f - others(f))[:, None] * other_score(z, m, v)


WRONG_GRADIENTS = [
    (lambda f, z, m, v: f[:, None] * score(z, m, v), "baseline is missing"),
    (lambda f, z, m, v: (f - f.mean())[:, None] * score(z, m, v), "own value, which shrinks"),
    (
        lambda f, z, m, v: (f - (f.sum() - f) / len(f))[:, None] * score(z, m, v),
        "divided their sum by S",
    ),
    (lambda f, z, m, v: (2 * f - f.sum())[:, None] * score(z, m, v), "take their mean"),
    (lambda *a: -textbook(*a), "The sign is wrong"),
    (with_score(lambda z, m, v: (z - m) / (v / 2).exp()), "you divided by σ"),
    (with_score(lambda z, m, v: z - m), "left out the division"),
    (with_score(lambda z, m, v: (z - m) / (2 * v).exp()), "read log_var as log σ"),
    (with_score(lambda z, m, v: (z - m) / v), "divided by log_var itself"),
    (with_score(lambda z, m, v: (z - m) * v.exp()), "multiplied by the variance"),
    (with_score(lambda z, m, v: 0.5 * ((z - m) ** 2 / v.exp() - 1)), "gradient by log_var"),
    (
        with_score(lambda z, m, v: ((z - m) ** 2 / v.exp() - 1) / (v / 2).exp()),
        "gradient by σ",
    ),
    (lambda f, z, m, v: score(z, m, v), "the score alone"),
    (lambda f, z, m, v: others(f)[:, None] * score(z, m, v), r"f\(z\) itself is missing"),
    (lambda f, z, m, v: (f + others(f))[:, None] * score(z, m, v), "added; subtract it"),
    (
        lambda f, z, m, v: f[:, None] * score(z, m, v) - others(f)[:, None],
        "multiplied by the score too",
    ),
    (lambda f, z, m, v: textbook(f, z, m, v) / len(f), "You divided by S"),
    (lambda *a: textbook(*a).mean(0), "averaged over the samples"),
    (lambda *a: textbook(*a).sum(0), "summed over the samples"),
    (lambda *a: textbook(*a).sum(1), "summed over the latents"),
    (lambda *a: textbook(*a).mean(), "one number"),
    (lambda *a: textbook(*a).T, "turned over"),
    (lambda *a: None, "returns nothing"),
    (lambda *a: textbook(*a) + 0.1, "too large, everywhere"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_GRADIENTS)
def test_a_wrong_gradient_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.score_function_gradient(fn)


# The full covariance


def factor(log_var, raw):
    return raw.tril(-1) + torch.diag_embed((0.5 * log_var).exp())


def times(matrix, eps):
    return (matrix @ eps.unsqueeze(-1)).squeeze(-1)


def log_noise(eps):
    return -0.5 * (eps**2 + math.log(2 * math.pi)).sum(-1)


def draw(loc, log_var, raw, eps):
    return loc + times(factor(log_var, raw), eps), log_noise(eps) - 0.5 * log_var.sum(-1)


def draw_with_a_mask(loc, log_var, raw, eps):
    dim = loc.shape[-1]
    mask = torch.tril(torch.ones(dim, dim, dtype=raw.dtype), diagonal=-1)
    scale_tril = mask * raw + torch.eye(dim, dtype=raw.dtype) * (log_var / 2).exp()[:, None, :]
    z = loc + torch.einsum("bij,bj->bi", scale_tril, eps)
    return [z, MultivariateNormal(loc, scale_tril=scale_tril).log_prob(z)]


def draw_row_by_row(loc, log_var, raw, eps):
    zs, logs = [], []
    for m, v, r, e in zip(loc, log_var, raw, eps):
        lower = torch.tril(r, -1) + torch.diag(v.exp().sqrt())
        zs.append(m + e @ lower.T)
        logs.append(Normal(0.0, 1.0).log_prob(e).sum() - torch.logdet(lower))
    return torch.stack(zs), torch.stack(logs)


def draw_with_the_package(loc, log_var, raw, eps):
    return full_gaussian_sample(loc, factor(log_var, raw), eps)


def draw_with_the_family(loc, log_var, raw, eps):
    row, column = torch.tril_indices(*raw.shape[1:], offset=-1)
    q = FullPosterior(loc.shape[1])(torch.cat([loc, log_var, raw[:, row, column]], dim=-1))
    z = q.loc + times(q.scale_tril, eps)
    return z, FullGaussian(q.loc, q.scale_tril).log_prob(z)


def draw_by_solving(loc, log_var, raw, eps):
    lower = factor(log_var, raw)
    z = loc + times(lower, eps)
    back = torch.linalg.solve_triangular(lower, (z - loc)[..., None], upper=False)[..., 0]
    log_det = lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return z, log_noise(back) - log_det


@pytest.mark.parametrize(
    "fn",
    [
        draw,
        draw_with_a_mask,
        draw_row_by_row,
        draw_with_the_package,
        draw_with_the_family,
        draw_by_solving,
    ],
)
def test_a_right_draw_passes_in_any_style(fn):
    assert vc.checks.full_covariance_sample(fn).startswith("Right:")


def with_factor(other):
    """A draw by another matrix in place of L; the density as it should be."""
    return lambda m, v, r, e: (m + times(other(v, r), e), draw(m, v, r, e)[1])


def with_density(other):
    return lambda m, v, r, e: (draw(m, v, r, e)[0], other(m, v, r, e))


def diagonal_density(m, v, r, e):
    return Normal(m, (v / 2).exp()).log_prob(draw(m, v, r, e)[0]).sum(-1)


def row_norms(v, r):
    return factor(v, r).norm(dim=-1)


WRONG_DRAWS = [
    (with_factor(lambda v, r: r + torch.diag_embed((v / 2).exp())), "mask is missing"),
    (with_factor(lambda v, r: r.tril() + torch.diag_embed((v / 2).exp())), "keeps the diagonal"),
    (with_factor(lambda v, r: r.tril()), "diagonal of L is that of raw"),
    (with_factor(lambda v, r: r.triu(1) + torch.diag_embed((v / 2).exp())), "upside down"),
    (with_factor(lambda v, r: factor(v, r).mT), "multiplied by Lᵀ"),
    (with_factor(lambda v, r: r.tril(-1)), "diagonal is missing"),
    (with_factor(lambda v, r: torch.diag_embed((v / 2).exp())), "raw does not enter"),
    (with_factor(lambda v, r: factor(2 * v, r)), "variances stand on the diagonal"),
    (with_factor(lambda v, r: r.tril(-1) + torch.diag_embed(v)), "log_var stands on the diagonal"),
    (with_factor(lambda v, r: factor(-v, r)), "σ is inverted"),
    (with_factor(lambda v, r: factor(v, r) @ factor(v, r).mT), "the covariance L Lᵀ"),
    (with_factor(lambda v, r: factor(0 * v, r)), "Ones stand on the diagonal"),
    (
        with_factor(lambda v, r: (v / 2).exp()[..., None] * (r.tril(-1) + torch.eye(r.shape[1]))),
        "scaled the rows",
    ),
    (lambda m, v, r, e: (draw(0 * m, v, r, e)[0], draw(m, v, r, e)[1]), "loc is missing"),
    (lambda m, v, r, e: (draw(m, v, r, -e)[0], draw(m, v, r, e)[1]), "noise is subtracted"),
    (with_density(lambda m, v, r, e: log_noise(e)), "log-determinant is missing"),
    (with_density(lambda m, v, r, e: log_noise(e) + 0.5 * v.sum(-1)), "wrong sign: where L"),
    (with_density(lambda m, v, r, e: log_noise(e) - v.sum(-1)), "half the sum of log_var"),
    (
        with_density(lambda m, v, r, e: log_noise(e) - row_norms(v, r).log().sum(-1)),
        "norms of its rows",
    ),
    (
        with_density(lambda m, v, r, e: log_noise(draw(m, v, r, e)[0])),
        "standard normal density of z",
    ),
    (
        with_density(lambda m, v, r, e: log_noise(draw(m, v, r, e)[0]) - 0.5 * v.sum(-1)),
        "evaluated at z; it belongs to ε",
    ),
    (with_density(diagonal_density), "density of a diagonal Gaussian"),
    (
        with_density(
            lambda m, v, r, e: Normal(m, row_norms(v, r)).log_prob(draw(m, v, r, e)[0]).sum(-1)
        ),
        "product of the marginals",
    ),
    (
        with_density(lambda m, v, r, e: -0.5 * (e**2 + v).sum(-1)),
        "of every latent is missing",
    ),
    (
        with_density(lambda m, v, r, e: -0.5 * ((e**2 + v).sum(-1) + math.log(2 * math.pi))),
        "you subtracted it once",
    ),
    (with_density(lambda *a: -draw(*a)[1]), r"this is −log q\(z\)"),
    (with_density(lambda *a: draw(*a)[1].exp()), "take its logarithm"),
    (with_density(lambda m, v, r, e: -0.5 * v.sum(-1)), r"log p\(ε\) is missing"),
    (with_density(lambda *a: draw(*a)[1].mean()), "reduced over the batch"),
    (
        with_density(lambda m, v, r, e: -0.5 * (e**2 + v + math.log(2 * math.pi))),
        "reduce it over the last axis",
    ),
    (with_density(lambda *a: draw(*a)[1][:, None]), "sum without keepdim"),
    (lambda *a: draw(*a)[0], "return 2 things"),
    (lambda *a: None, "returns nothing"),
    (lambda *a: (draw(*a)[0].sum(-1), draw(*a)[1]), "z has shape"),
    (lambda m, v, r, e: draw(m, v, r.detach(), e), "No gradient reaches raw"),
    (lambda m, v, r, e: draw(m, v.detach(), r, e), "No gradient reaches log_var"),
    (lambda m, v, r, e: draw(m.detach(), v, r, e), "No gradient reaches loc"),
    (with_density(lambda *a: draw(*a)[1].detach()), "no gradient of log q"),
    (lambda *a: (draw(*a)[0] + 0.1, draw(*a)[1]), "too large, everywhere"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_DRAWS)
def test_a_wrong_draw_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.full_covariance_sample(fn)


def mistaken_values():
    from vaecourse.checks import gradients

    draws, encoded = gradients._draws(), gradients._encoder_output()
    z, log_q = gradients._right_sample(*encoded)
    return {
        "gradients": [
            gradients._right_gradient(*draws),
            *_values(gradients._wrong_gradients, draws),
        ],
        "samples": [z, *_values(gradients._wrong_samples, encoded)],
        "densities": [log_q, *_values(gradients._wrong_densities, encoded)],
    }


def _values(wrong, inputs):
    return [value for value, _ in wrong(*inputs)]


def test_the_checks_leave_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.score_function_gradient(textbook)
    vc.checks.full_covariance_sample(draw)
    assert torch.equal(before, torch.get_rng_state())
