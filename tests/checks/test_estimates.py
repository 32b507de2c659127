"""The self-checks of chapters 01 and 03: right answers pass in any style, mistakes are named."""

import math
import statistics

import numpy as np
import pytest
import torch

import vaecourse as vc
from vaecourse.checks import Mistake
from vaecourse.evaluation.density import naive_log_evidence
from vaecourse.evaluation.divergence import kl_samples
from vaecourse.evaluation.divergence import monte_carlo as packaged


def in_plain_python(values):
    values = values.tolist()
    return statistics.mean(values), statistics.stdev(values) / len(values) ** 0.5


def with_the_other_variance(values):
    return [values.mean(), values.numpy().std() / math.sqrt(len(values))]


def as_one_tensor(values):
    return torch.stack([values.mean(), (values.var() / len(values)).sqrt()])


def as_an_array(values):
    return np.array(in_plain_python(values))


OFF = "our answer is .* where .* is right|too large, everywhere|cut off at −69.08"
RIGHT_ERRORS = [packaged, in_plain_python, with_the_other_variance, as_one_tensor, as_an_array]


@pytest.mark.parametrize("fn", RIGHT_ERRORS)
def test_a_right_mean_and_error_pass_in_any_style(fn):
    assert vc.checks.monte_carlo(fn).startswith("Right:")


def mean_and(error):
    return lambda values: (values.mean(), error(values))


def error_of(mean):
    return lambda values: (mean(values), values.std() / len(values) ** 0.5)


WRONG_ERRORS = [
    (error_of(lambda v: v.sum()), "sum is not divided by S"),
    (error_of(lambda v: v.sum() / (len(v) - 1)), "not over S − 1"),
    (error_of(lambda v: v.median()), "median"),
    (mean_and(lambda v: v.std()), "the mean of S draws varies less"),
    (mean_and(lambda v: v.std(correction=0)), "divide it by √S"),
    (mean_and(lambda v: v.std() / len(v)), "must be √S"),
    (mean_and(lambda v: v.var()), "variance of one draw"),
    (mean_and(lambda v: v.var() / len(v)), "take its root"),
    (mean_and(lambda v: 1.96 * v.std() / len(v) ** 0.5), "no factor 1.96"),
    (mean_and(lambda v: 2 * v.std() / len(v) ** 0.5), "no factor 2"),
    (mean_and(lambda v: v.std() / len(v) ** 0.5 / v.mean()), "relative error"),
    (mean_and(lambda v: (v.square().mean() / len(v)).sqrt()), "subtracted before squaring"),
    (
        mean_and(lambda v: v.std() / len(v) ** 0.5 + 1),
        OFF,
    ),
    (lambda v: (v.std() / len(v) ** 0.5, v.mean()), "wrong order"),
    (lambda v: v.mean(), "return 2 things"),
    (lambda v: (v.mean(), v.std(), 12), "return 2 things"),
    (lambda v: packaged(v + torch.rand(())), "no random draw"),
    (lambda v: None, "returns nothing"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_ERRORS)
def test_a_wrong_mean_or_error_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.monte_carlo(fn)


def k1(log_q, log_p):
    return (log_q - log_p).mean()


def k3(log_q, log_p):
    return kl_samples(log_q - log_p, "k3").mean()


def k1_in_numpy(log_q, log_p):
    return np.average(log_q.numpy() - log_p.numpy(), keepdims=True)


def k1_in_plain_python(log_q, log_p):
    return sum(a - b for a, b in zip(log_q.tolist(), log_p.tolist(), strict=True)) / len(log_q)


@pytest.mark.parametrize("fn", [k1, k3, k1_in_numpy, k1_in_plain_python])
def test_a_right_divergence_passes_in_any_style(fn):
    assert vc.checks.kl_estimate(fn).startswith("Right:")


def of_ratio(formula):
    """A wrong answer written with log q − log p alone."""
    return lambda log_q, log_p: formula(log_q - log_p)


WRONG_DIVERGENCES = [
    (of_ratio(lambda r: -r.mean()), "sign is wrong"),
    (of_ratio(lambda r: r.sum()), "take the mean"),
    (lambda q, p: (q.exp() * (q - p)).mean(), "weighted by q again"),
    (lambda q, p: (q.exp() * (q - p)).sum(), "no further weight"),
    (lambda q, p: (p.exp() * (p - q)).mean(), "weights by p"),
    (lambda q, p: ((p - q).exp() * (p - q)).mean(), r"estimate of KL\(p ‖ q\)"),
    (of_ratio(lambda r: r.mean() / math.log(2)), "in bits"),
    (of_ratio(lambda r: r.square().mean() / 2), "k2"),
    (of_ratio(lambda r: r.abs().mean()), "absolute values"),
    (of_ratio(lambda r: (r.exp() - 1 - r).mean()), "control variate is p/q − 1"),
    (of_ratio(lambda r: ((-r).exp() - 1).mean()), "log q − log p is lost"),
    (of_ratio(lambda r: r.exp().mean().log()), "logarithm of a mean"),
    (lambda q, p: q.mean(), "entropy of q"),
    (lambda q, p: -p.mean(), "cross entropy"),
    (of_ratio(lambda r: r), "not averaged yet"),
    (of_ratio(lambda r: r.mean() + 1), OFF),
    (of_ratio(lambda r: r.mean() + torch.rand(())), "no random draw"),
    (lambda q, p: None, "returns nothing"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_DIVERGENCES)
def test_a_wrong_divergence_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.kl_estimate(fn)


def shifted(log_likelihood):
    top = log_likelihood.max(0).values
    return top + (log_likelihood - top).exp().mean(0).log()


def in_numpy(log_likelihood):
    return np.logaddexp.reduce(log_likelihood.numpy(), axis=0) - np.log(len(log_likelihood))


def from_the_package(log_likelihood):
    return naive_log_evidence(log_likelihood).value


@pytest.mark.parametrize("fn", [shifted, in_numpy, from_the_package])
def test_a_right_evidence_passes_in_any_style(fn):
    assert vc.checks.log_evidence(fn).startswith("Right:")


WRONG_EVIDENCES = [
    (lambda v: v.mean(0), "mean of the logarithms"),
    (lambda v: v.logsumexp(0), "not divided by S"),
    (lambda v: v.logsumexp(0) + math.log(len(v)), "log S is added"),
    (lambda v: v.exp().mean(0), r"p\(x\) itself"),
    (lambda v: v.max(0).values, "largest term"),
    (lambda v: v.sum(0), "sum of logarithms"),
    (lambda v: -shifted(v), "sign is wrong"),
    (lambda v: v.exp().mean(0).log(), "Stay in logarithms"),
    (
        lambda v: v.exp().mean(0).clamp(min=1e-30).log(),
        OFF,
    ),
    (lambda v: v.logsumexp(1) - math.log(v.shape[1]), "over the draws, dimension 0"),
    (lambda v: shifted(v).mean(), "reduced over the batch"),
    (lambda v: shifted(v) + 1, "is 1 too large, everywhere"),
    (lambda v: None, "returns nothing"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_EVIDENCES)
def test_a_wrong_evidence_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.log_evidence(fn)


CHECKS = [vc.checks.monte_carlo, vc.checks.kl_estimate, vc.checks.log_evidence]


def test_the_checks_leave_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.monte_carlo(packaged)
    vc.checks.kl_estimate(k1)
    vc.checks.log_evidence(shifted)
    assert torch.equal(before, torch.get_rng_state())
