"""Answers to `vc.checks.monte_carlo`, written before the check was read."""

import collections
import math
import statistics

import numpy as np
import torch
from scipy import stats

Result = collections.namedtuple("Result", "mean error")


def in_place(values):
    mean = values.mean()
    values -= mean
    return mean, values.std() / len(values) ** 0.5


def bootstrap(values):
    means = [values[torch.randint(len(values), (len(values),))].mean() for _ in range(100)]
    return values.mean(), torch.stack(means).std()


def welford(values):
    mean = squares = 0.0
    for n, value in enumerate(values.tolist(), start=1):
        step = value - mean
        mean += step / n
        squares += step * (value - mean)
    return mean, math.sqrt(squares / (n - 1) / n)


def jackknife(values):
    left_out = (values.sum() - values) / (len(values) - 1)
    error = ((left_out - left_out.mean()) ** 2).sum() * (len(values) - 1) / len(values)
    return values.mean(), error.sqrt()


def in_single_by_moments(values):
    v = values.float()
    mean = v.mean()
    return mean, ((v.square().mean() - mean.square()) / len(v)).sqrt()


def root_of_negative(v):
    return v.mean(), ((v.mean() ** 2 - (v**2).mean()) / len(v)).sqrt()


def mean_and(error):
    return lambda values: (values.mean(), error(values))


def error_of(mean):
    return lambda values: (mean(values), values.std() / len(values) ** 0.5)


WRONG = [
    (lambda v: (v.mean(), v.std()), "This is the deviation of one draw; the"),
    (lambda v: (v.mean(), v.var() / len(v)), "This is the variance of the mean; take"),
    (lambda v: (v.mean(), v.std() / len(v)), "S"),
    (lambda v: (v.mean(), 1.96 * v.std() / len(v) ** 0.5), "no factor 1.96"),
    (lambda v: (v.mean(), 2 * v.std() / len(v) ** 0.5), "The standard error has no factor 2"),
    (lambda v: (v.std() / len(v) ** 0.5, v.mean()), "wrong order: return the mean first"),
    (lambda v: (v.median(), v.std() / len(v) ** 0.5), "median"),
    (lambda v: v.mean(), "return 2 things"),
    (lambda v: (v.sum(), v.std() / len(v) ** 0.5), "sum is not divided by S"),
    (lambda v: (v.mean().abs(), v.std() / len(v) ** 0.5), "In the mean: The answer is the"),
    (
        lambda v: (v.mean(), v.square().mean().sqrt() / len(v) ** 0.5),
        "The mean must be subtracted before",
    ),
    (lambda v: (v.mean(), (v - v.mean()).abs().mean() / len(v) ** 0.5), "our answer is"),
    (
        lambda v: (v.mean(), v.var() / len(v) ** 0.5),
        "In the standard error: Right but for one step: the square of the",
    ),
    (lambda v: (v.mean(), v.std() * len(v) ** 0.5), "In the standard error: The answer is"),
    (lambda v: (round(v.mean().item(), 2), v.std() / len(v) ** 0.5), "rounded"),
    (lambda v: f"{v.mean():.2f} ± {v.std() / len(v) ** 0.5:.2f}", "str"),
    (lambda v: (v[len(v) // 10 :].mean(), v.std() / len(v) ** 0.5), "your answer"),
    (lambda v: (v.mean(), v.std(), v.std() / len(v) ** 0.5), "Your function returns a tuple of 3"),
    (in_place, "in place"),
    (bootstrap, "no random draw"),
    (in_single_by_moments, "our answer is"),
    (lambda v: (v.mean(), v.std() / math.log(len(v))), "your answer"),
    (root_of_negative, "NaN"),
    (lambda v: (v.mean(), v.std()), "deviation of one draw"),
    (lambda v: (v.mean(), v.std() / len(v)), "must be √S"),
    (lambda v: (v.mean(), v.var() / len(v)), "take its root"),
    (lambda v: v.mean(), "2 things"),
    (lambda v: {"mean": v.mean(), "error": v.std()}, "a dict"),
    (lambda v: f"{v.mean():.2f} ± {v.std():.2f}", "a str"),
    (lambda v: (v.mean(), v.std() / math.sqrt(len(v) - 1)), "counted twice"),
    (lambda v: (v.median(), v.std() / len(v) ** 0.5), "median"),
    (lambda v: (v[: len(v) // 2].mean(), v.std() / len(v) ** 0.5), "In the mean"),
    (lambda v: (v.mean().round(), v.std() / len(v) ** 0.5), "In the mean|n the mean"),
    (lambda v: (v.mean(), 1.96 * v.std() / len(v) ** 0.5), "1.96"),
    (error_of(lambda v: v.sum() / (len(v) - 1)), "not over S − 1"),
    (mean_and(lambda v: v.std(correction=0)), "divide it by √S"),
    (mean_and(lambda v: v.var()), "variance of one draw"),
    (mean_and(lambda v: v.std() / len(v) ** 0.5 / v.mean()), "relative error"),
    (mean_and(lambda v: v.std() / len(v) ** 0.5 + 1), "everywhere"),
]
RIGHT = [
    welford,
    jackknife,
    lambda v: (v.mean(), stats.sem(v.numpy())),
    lambda v: [statistics.fmean(v.tolist()), statistics.stdev(v.tolist()) / math.sqrt(len(v))],
    lambda v: Result(np.mean(v.numpy()), np.std(v.numpy()) / np.sqrt(len(v))),
    lambda v: tuple(
        reversed([part / scale for part, scale in zip(torch.std_mean(v), (len(v) ** 0.5, 1))])
    ),
    lambda v: torch.stack([v.mean(), (v.var() / v.numel()).sqrt()]),
    lambda values, ddof=1: (
        np.average(values),
        np.std(values.numpy(), ddof=ddof) / len(values) ** 0.5,
    ),
    lambda v: (np.mean(v.numpy()), np.std(v.numpy(), ddof=1) / np.sqrt(len(v))),
    lambda v: (np.mean(v.numpy()), np.std(v.numpy()) / np.sqrt(v.numel())),
    lambda v: torch.stack([v.mean(), v.std() / len(v) ** 0.5]),
    lambda v: [v.mean().item(), (v.var() / len(v)).sqrt().item()],
    lambda v: (v.mean(), (((v - v.mean()) ** 2).sum() / len(v) / (len(v) - 1)) ** 0.5),
    lambda v: np.array([v.mean(), v.std() / len(v) ** 0.5]),
]
