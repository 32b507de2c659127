"""The self-checks of chapter 13: right answers pass in any style, mistakes are named."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg, stats

import vaecourse as vc
from vaecourse.checks import Mistake, evaluation


def by_scipy(mean1, cov1, mean2, cov2):
    """In numpy; the traces by the real part of a root that may be complex."""
    difference = np.asarray(mean1) - np.asarray(mean2)
    root = linalg.sqrtm(np.asarray(cov1) @ np.asarray(cov2)).real
    return difference @ difference + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(root)


def by_eigenvalues(mean1, cov1, mean2, cov2):
    values = torch.linalg.eigvals(cov1 @ cov2).real.clamp(min=0)
    return [((mean1 - mean2) ** 2).sum() + torch.trace(cov1 + cov2) - 2 * values.sqrt().sum()]


def by_the_symmetric_route(mean1, cov1, mean2, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    half = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    inner = torch.linalg.eigvalsh(half @ cov2 @ half).clamp(min=0)
    return (torch.dist(mean1, mean2) ** 2 + (cov1 + cov2).trace() - 2 * inner.sqrt().sum()).item()


OFF = "our answer is .* where .* is right|too large, everywhere"
RIGHT_DISTANCES = [
    vc.evaluation.frechet_distance,
    by_eigenvalues,
    by_scipy,
    by_the_symmetric_route,
]


# scipy warns where it is asked for the root of a singular matrix, and gives it.
quiet = pytest.mark.filterwarnings("ignore:Matrix is singular:scipy.linalg.LinAlgWarning")


@quiet
@pytest.mark.parametrize("fn", RIGHT_DISTANCES)
def test_a_right_distance_passes_in_any_style(fn):
    assert vc.checks.frechet(fn).startswith("Right:")


def written(mean, covariance):
    """A wrong distance from a term in |μ₁ − μ₂|² and one in the two covariances (numpy)."""

    def fn(mean1, cov1, mean2, cov2):
        return mean((mean1 - mean2).square().sum().item()) + covariance(cov1.numpy(), cov2.numpy())

    return fn


def root(matrix):
    return linalg.sqrtm(matrix).real


def traces(one, two):
    return np.trace(one + two - 2 * root(one @ two))


def plain(square):
    return square


def without_an_inverse(mean1, cov1, mean2, cov2):
    factor = np.linalg.inv(np.linalg.cholesky(cov1 + 1e-2 * torch.eye(len(cov1))))
    return by_scipy(mean1, cov1, mean2, cov2) + 0 * factor.sum() + (torch.linalg.det(cov1) == 0)


WRONG_DISTANCES = [
    (lambda *given: by_scipy(*given) ** 0.5, "asked for squared"),
    (written(math.sqrt, traces), "enters squared"),
    (written(lambda square: square / 3, traces), "means counts 1/3 times"),
    (lambda *given: by_scipy(*given) / len(given[0]), "divided by the dimension"),
    (written(lambda square: 0, traces), "means are missing"),
    (written(plain, lambda one, two: 0), "Only the means"),
    (written(plain, lambda a, b: np.trace(a + b - root(a @ b))), "factor 2"),
    (written(plain, lambda a, b: np.trace(a + b + 2 * root(a @ b))), "root is added"),
    (written(plain, lambda a, b: np.trace(a + b)), "root is missing: the two"),
    (written(plain, lambda a, b: np.trace(a + b - 2 * a @ b)), "outer root"),
    (written(plain, lambda a, b: np.trace(a + b - 2 * np.sqrt(a @ b))), "root of every entry"),
    (
        written(plain, lambda a, b: np.trace(a + b - 2 * np.sqrt(np.sqrt(a) @ b @ np.sqrt(a)))),
        "roots of every entry",
    ),
    (
        written(plain, lambda a, b: np.trace(a + b - 2 * root(np.sqrt(a) @ b @ np.sqrt(a)))),
        "inner root is taken of every entry",
    ),
    (written(plain, lambda a, b: np.trace(a + b - 2 * root(a + b))), "root of the sum"),
    (written(plain, lambda a, b: np.trace(a + b - 2 * root(a) @ root(b))), "commute"),
    (
        written(plain, lambda a, b: np.sum((a.diagonal() ** 0.5 - b.diagonal() ** 0.5) ** 2)),
        "correlations count",
    ),
    (written(plain, lambda a, b: traces(a @ a, b @ b)), "for standard deviations"),
    (written(plain, lambda a, b: traces(root(a), root(b))), "in the place of the covariances"),
    (written(plain, lambda a, b: np.sum((a - b) ** 2)), "no transport cost"),
    (written(plain, lambda a, b: np.sum(a + b - 2 * root(a @ b))), "a trace is that of"),
    (
        written(plain, lambda a, b: np.sum(a + b - 2 * root(root(a) @ b @ root(a)))),
        "the trace is the sum",
    ),
    (evaluation._kl, r"KL\(1 ‖ 2\)"),
    (lambda *given: by_scipy(*given) + 0j, "complex number"),
    (
        lambda *given: by_scipy(*given) + 1,
        OFF,
    ),
    (without_an_inverse, "singular covariances.* your answer is 9 where 8 is right"),
    (lambda mean1, cov1, mean2, cov2: mean1 - mean2, "must be one number"),
    (lambda *given: None, "returns nothing"),
]


@quiet
@pytest.mark.parametrize(("fn", "name"), WRONG_DISTANCES)
def test_a_wrong_distance_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.frechet(fn)


def shifted(log_joint, log_q):
    log_w = log_joint - log_q
    top = log_w.max(0).values
    return top + (log_w - top).exp().mean(0).log()


def in_numpy(log_joint, log_q):
    log_w = log_joint.numpy() - log_q.numpy()
    return np.logaddexp.reduce(log_w, axis=0) - np.log(len(log_w))


def one_draw_after_the_other(log_joint, log_q):
    total = torch.full((log_q.shape[1],), -math.inf)
    for p, q in zip(log_joint, log_q, strict=True):
        total = torch.logaddexp(total, p - q)
    return (total - math.log(len(log_q))).tolist()


@pytest.mark.parametrize("fn", [shifted, in_numpy, one_draw_after_the_other])
def test_a_right_likelihood_passes_in_any_style(fn):
    assert vc.checks.importance_log_likelihood(fn).startswith("Right:")


def of_weight(formula):
    return lambda log_joint, log_q: formula(log_joint - log_q)


WRONG_LIKELIHOODS = [
    (of_weight(lambda w: w.mean(0)), "mean of the logarithms, the ELBO"),
    (of_weight(lambda w: w.logsumexp(0)), "not divided by S"),
    (of_weight(lambda w: w.logsumexp(0) + math.log(len(w))), "log S is added"),
    (of_weight(lambda w: w.logsumexp(0) - len(w)), "it is log S"),
    (of_weight(lambda w: w.exp().mean(0)), r"p\(x\) itself"),
    (lambda p, q: p.logsumexp(0) - math.log(len(p)), "lack 1/q"),
    (lambda p, q: (p + q).logsumexp(0) - math.log(len(p)), "is added; a weight"),
    (of_weight(lambda w: (-w).logsumexp(0) - math.log(len(w))), "upside down"),
    (of_weight(lambda w: math.log(len(w)) - w.logsumexp(0)), "sign is wrong"),
    (of_weight(lambda w: math.log(len(w)) - (-w).logsumexp(0)), "averaged 1/w"),
    (lambda p, q: p.logsumexp(0) - q.logsumexp(0), "ratio of two means"),
    (of_weight(lambda w: w.amax(0)), "largest weight is kept"),
    (of_weight(lambda w: w.amax(0) - math.log(len(w))), "all S"),
    (of_weight(lambda w: w.sum(0)), "sum of logarithms"),
    (of_weight(lambda w: (w.softmax(0) * w).sum(0)), "averaged log w with weights w"),
    (of_weight(lambda w: (w.logsumexp(0) - math.log(len(w))) / math.log(2)), "in bits"),
    (of_weight(lambda w: w.exp().mean(0).log()), "near −10,000, at .*stay in logarithms"),
    (
        of_weight(
            lambda w: (
                (w.clamp(max=700).exp().mean(0) + 1e-300).log()
                if w.min() > -90
                else w.logsumexp(0) - math.log(len(w))
            )
        ),
        "near 10,000, at",
    ),
    (of_weight(lambda w: w.logsumexp(1) - math.log(w.shape[1])), "over the draws, dimension 0"),
    (of_weight(lambda w: (w.logsumexp(0) - math.log(len(w))).mean()), "reduced over the batch"),
    (
        of_weight(lambda w: w.logsumexp(0) + 1),
        OFF,
    ),
    (lambda p, q: None, "returns nothing"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_LIKELIHOODS)
def test_a_wrong_likelihood_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.importance_log_likelihood(fn)


def by_polyfit(sizes, distances):
    return np.polyfit(1 / sizes.numpy(), distances.numpy(), 1)[1]


def by_linregress(sizes, distances):
    return stats.linregress(1 / sizes, distances).intercept


def by_moments(sizes, distances):
    at = 1 / sizes
    slope = ((at - at.mean()) * distances).sum() / (at - at.mean()).square().sum()
    return distances.mean() - slope * at.mean()


@pytest.mark.parametrize("fn", [by_polyfit, by_linregress, by_moments])
def test_a_right_limit_passes_in_any_style(fn):
    assert vc.checks.bias_free(fn).startswith("Right:")


def line(at, term=1):
    """The intercept, or with term 0 the slope, of distances over a function of the sizes."""
    return lambda sizes, distances: np.polyfit(at(sizes.numpy()), distances.numpy(), 1)[term]


WRONG_LIMITS = [
    (line(lambda n: 1 / n, term=0), "the slope of the line"),
    (line(lambda n: n), "against n; take 1/n"),
    (line(np.log), "against log n"),
    (line(lambda n: n**-0.5), "against 1/√n"),
    (lambda n, d: d.mean(), "mean of the distances"),
    (lambda n, d: d[n.argmax()], "at the largest n"),
    (lambda n, d: d.min() + 0.0, "smallest distance measured"),
    (
        lambda n, d: np.polyval(np.polyfit(1 / n, d, 1), 1 / n.max().item()),
        "at the largest n",
    ),
    (lambda n, d: d, "must be one number"),
    (lambda n, d: d[-1] - 0.1, OFF),
    (lambda n, d: None, "returns nothing"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_LIMITS)
def test_a_wrong_limit_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.bias_free(fn)


CHECKS = [vc.checks.frechet, vc.checks.importance_log_likelihood, vc.checks.bias_free]


def test_the_checks_leave_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.frechet(by_eigenvalues)
    vc.checks.importance_log_likelihood(shifted)
    vc.checks.bias_free(by_polyfit)
    assert torch.equal(before, torch.get_rng_state())
