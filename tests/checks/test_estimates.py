"""The self-checks of chapters 01 and 03: right answers pass in any style, mistakes are named."""

import math
import statistics

import numpy as np
import pytest
import torch

import vaecourse as vc
from vaecourse.checks import Mistake, estimates
from vaecourse.evaluation.density import naive_log_evidence
from vaecourse.evaluation.divergence import kl_samples
from vaecourse.evaluation.divergence import monte_carlo as packaged

ROOT_12 = math.sqrt(12)


def in_plain_python(values):
    values = values.tolist()
    return statistics.mean(values), statistics.stdev(values) / len(values) ** 0.5


def with_the_other_variance(values):
    return [values.mean(), values.numpy().std() / math.sqrt(len(values))]


def as_one_tensor(values):
    return torch.stack([values.mean(), (values.var() / len(values)).sqrt()])


def as_an_array(values):
    return np.array(in_plain_python(values))


RIGHT_ERRORS = [packaged, in_plain_python, with_the_other_variance, as_one_tensor, as_an_array]


@pytest.mark.parametrize("fn", RIGHT_ERRORS)
def test_a_right_mean_and_error_pass_in_any_style(fn):
    assert vc.checks.monte_carlo(fn).startswith("Right:")


def mean_and(error):
    return lambda values: (values.mean(), error(values))


def error_of(mean):
    return lambda values: (mean(values), values.std() / ROOT_12)


WRONG_ERRORS = [
    (error_of(lambda v: v.sum()), "sum is not divided by S"),
    (error_of(lambda v: v.sum() / 11), "not over S − 1"),
    (error_of(lambda v: v.median()), "median"),
    (mean_and(lambda v: v.std()), "the mean of S draws varies less"),
    (mean_and(lambda v: v.std(correction=0)), "divide it by √S"),
    (mean_and(lambda v: v.std() / 12), "must be √S"),
    (mean_and(lambda v: v.var()), "variance of one draw"),
    (mean_and(lambda v: v.var() / 12), "take its root"),
    (mean_and(lambda v: 1.96 * v.std() / ROOT_12), "no factor 1.96"),
    (mean_and(lambda v: 2 * v.std() / ROOT_12), "no factor 2"),
    (mean_and(lambda v: v.std() / ROOT_12 / v.mean()), "relative error"),
    (mean_and(lambda v: (v.square().mean() / 12).sqrt()), "subtracted before squaring"),
    (mean_and(lambda v: v.std() / ROOT_12 + 1), r"first value is .* where .* is right"),
    (lambda v: (v.std() / ROOT_12, v.mean()), "swapped"),
    (lambda v: v.mean(), "must be two numbers"),
    (lambda v: (v.mean(), v.std(), 12), "must be two numbers"),
    (lambda v: packaged(v + torch.rand(())), "Two calls gave two answers"),
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
    (of_ratio(lambda r: r), "one number, a mean"),
    (of_ratio(lambda r: r.mean() + 1), r"first value is .* where .* is right"),
    (of_ratio(lambda r: r.mean() + torch.rand(())), "Two calls gave two answers"),
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
    (lambda v: v.logsumexp(0) + math.log(6), "log S is added"),
    (lambda v: v.exp().mean(0), r"p\(x\) itself"),
    (lambda v: v.max(0).values, "largest term"),
    (lambda v: v.sum(0), "sum of logarithms"),
    (lambda v: -shifted(v), "sign is wrong"),
    (lambda v: v.exp().mean(0).log(), "Stay in logarithms"),
    (lambda v: v.exp().mean(0).clamp(min=1e-30).log(), r"first value is .* where .* is right"),
    (lambda v: v.logsumexp(1) - math.log(4), "over the draws, dimension 0"),
    (lambda v: shifted(v).mean(), "one for each x"),
    (lambda v: shifted(v) + 1, r"first value is .* where .* is right"),
    (lambda v: None, "returns nothing"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_EVIDENCES)
def test_a_wrong_evidence_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.log_evidence(fn)


CHECKS = [vc.checks.monte_carlo, vc.checks.kl_estimate, vc.checks.log_evidence]


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_not_a_function_is_refused(check):
    with pytest.raises(TypeError, match="fn is a float; pass the function itself"):
        check(1.0)


def test_every_mistake_has_a_value_of_its_own():
    """Otherwise a sentence could be given for another's mistake, or for what is right."""
    seeded = torch.Generator().manual_seed(0)
    draws = 3 + 2 * torch.randn(12, generator=seeded, dtype=torch.float64)
    log_q, log_p = estimates._log_densities()
    values = -3 * torch.rand(6, 4, generator=seeded, dtype=torch.float64) - 1
    tables = [
        (estimates._wrong_means(draws), [draws.mean()]),
        (
            estimates._wrong_errors(draws),
            [draws.std() / ROOT_12, draws.std(correction=0) / ROOT_12],
        ),
        (estimates._wrong_divergences(log_q, log_p), [k1(log_q, log_p), k3(log_q, log_p)]),
        (estimates._wrong_evidences(values), [shifted(values)]),
    ]
    for wrong, right in tables:
        found = torch.stack([value for value, _ in wrong] + right).reshape(len(wrong + right), -1)
        distance = (found[:, None] - found[None]).abs().amax(-1) + torch.eye(len(found))
        assert distance.min() > 1e-3


def test_the_checks_leave_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.monte_carlo(packaged)
    vc.checks.kl_estimate(k1)
    vc.checks.log_evidence(shifted)
    assert torch.equal(before, torch.get_rng_state())
