"""Answers to `vc.checks.log_evidence`, written before the check was read."""

import functools
import math

import numpy as np
import torch
from scipy import special


def log_mean(v):
    return v.logsumexp(0) - math.log(len(v))


def one_largest_forgotten(v):
    return (v - v.max(0).values).exp().mean(0).log()


def in_place(v):
    return v.exp_().mean(0).log()


def from_a_subset(v):
    rows = torch.randperm(len(v))[: len(v) // 2]
    return log_mean(v[rows])


def column_by_column(log_likelihood, *, base=math.e):
    found = []
    for column in log_likelihood.T.tolist():
        top = max(column)
        found.append(
            top + math.log(math.fsum(math.exp(e - top) for e in column) / len(column), base)
        )
    return found


class Callable:
    def __call__(self, log_likelihood):
        return log_likelihood.logcumsumexp(0)[-1] - math.log(log_likelihood.size(0))


def plain_log_mean(v):
    return v.logsumexp(0) - math.log(len(v))


def global_maximum(v):
    return v.max() + (v - v.max()).exp().mean(0).log()


def overwriting(v):
    m = v.max(0).values
    v -= m
    return v.exp().mean(0).log() + m


def running(v):
    total = v[0]
    for row in v[1:]:
        total = torch.logaddexp(total, row)
    return total - math.log(v.shape[0])


def without_small_terms(v):
    weight = (v - v.max(0).values).exp()
    return v.max(0).values + torch.where(weight < 1e-3, 0.0, weight).mean(0).log()


def first_draw_subtracted(v):
    return v[0] + (v - v[0]).exp().mean(0).log()


def best_row_subtracted(v):
    best = v[v.sum(1).argmax()]
    return best + (v - best).exp().mean(0).log()


def seed_set(v):
    torch.manual_seed(0)
    return plain_log_mean(v)


WRONG = [
    (first_draw_subtracted, "∞ where .* Stay in logarithms"),
    (best_row_subtracted, "∞ where .* Stay in logarithms"),
    (seed_set, "or sets a seed"),
    (lambda v: log_mean(v).squeeze(), "number without axes"),
    (lambda v: torch.stack([log_mean(column.unique()) for column in v.T]), "many small terms"),
    (without_small_terms, "many small terms"),
    (lambda v: v.mean(0), "mean of the logarithms"),
    (lambda v: v.max(0).values, "largest term"),
    (lambda v: v.median(0).values, "your answer"),
    (lambda v: v.logsumexp(0), "not divided by S"),
    (lambda v: v.logsumexp(0) + math.log(len(v)), "log S is added"),
    (lambda v: v.logsumexp(0) - len(v), "You subtracted S; it is log S"),
    (lambda v: v.logsumexp(0) / len(v), "our answer is"),
    (lambda v: v.logsumexp(0) - math.log(v.numel()), "All S · B values are counted; the mean"),
    (lambda v: v.logsumexp(0) - math.log(len(v) - 1), r"log \(S − 1\) is subtracted"),
    (lambda v: v.logsumexp(0, keepdim=True) - math.log(len(v)), "shape"),
    (one_largest_forgotten, "largest"),
    (in_place, "in place"),
    (from_a_subset, "random"),
    (lambda v: v.exp().mean(0), r"p\(x\) itself"),
    (lambda v: np.log(np.mean(np.exp(v.numpy()), axis=0)), "Stay in logarithms"),
    (lambda v: v.exp().mean(0).clamp(min=1e-300).log(), "The answer is cut off at"),
    (
        lambda v: log_mean(v.nan_to_num().clamp(max=0)),
        "This is right for log_likelihood cut off above 0, not for",
    ),
    (lambda v: -log_mean(v), "sign is wrong"),
    (global_maximum, "column"),
    (overwriting, "change log_likelihood in place"),
    (lambda v: v.exp().mean(0).log(), "logsumexp"),
    (lambda v: v.exp().sum(0).log(), "not divided by S"),
    (lambda v: v.logsumexp(0) - math.log(v.shape[1]), "log B"),
    (lambda v: v.logsumexp(0) - math.log10(len(v)), "base 10"),
    (lambda v: v.logsumexp(0) - math.log2(len(v)), "log S is to base 2"),
    (lambda v: plain_log_mean(v) / math.log(2), "bits"),
    (lambda v: v.logsumexp(1) - math.log(v.shape[1]), "over the draws, dimension 0"),
    (lambda v: plain_log_mean(v).mean(), "reduced over the batch"),
    (lambda v: plain_log_mean(v.clamp(min=-700)), "cut off at −700"),
    (lambda v: plain_log_mean(v)[None], "shape"),
    (lambda v: (v.exp().mean(0) + 1e-8).log(), "cut off at −18.42"),
    (
        lambda v: plain_log_mean(v[:-1]),
        r"The last row of log_likelihood is left out; every row counts\.",
    ),
    (lambda v: plain_log_mean(v[::2]), "every second row"),
    (lambda v: v.sum(0), "sum of logarithms"),
]
RIGHT = [
    column_by_column,
    Callable(),
    functools.partial(column_by_column, base=math.e),
    lambda v: special.logsumexp(v.numpy(), axis=0, b=1 / len(v)),
    lambda v: functools.reduce(torch.logaddexp, v.unbind(0)) - math.log(len(v)),
    lambda v: torch.log(torch.softmax(v, 0).reciprocal().amin(0) / len(v)) + v.max(0).values,
    lambda v: -(v.log_softmax(0) - v)[0] - math.log(len(v)),
    lambda log_likelihood, dim=0: log_likelihood.logsumexp(dim) - np.log(log_likelihood.shape[dim]),
    running,
    lambda v: special.logsumexp(v.numpy(), axis=0) - np.log(len(v)),
    lambda v: np.logaddexp.reduce(v.numpy()) - np.log(v.shape[0]),
    lambda v: torch.logsumexp(v - math.log(len(v)), dim=0),
    lambda v: [float(plain_log_mean(column[:, None])) for column in v.T],
    lambda v: plain_log_mean(v.float()),
]
