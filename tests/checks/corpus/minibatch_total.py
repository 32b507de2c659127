"""Answers to `vc.checks.minibatch_total`, written before the check was read."""

import functools
import math
import statistics

import numpy as np
import torch


def detached(terms, num_data):
    return num_data * sum(terms.tolist()) / len(terms)


def in_place(terms, num_data):
    terms *= num_data / len(terms)
    return terms.sum()


def random_rows(terms, num_data):
    return terms[torch.randint(len(terms), (num_data,))].sum()


def by_loop(terms, num_data):
    total = 0.0
    for term in terms:
        total = total + term
    return total / len(terms) * num_data


WRONG = [
    (lambda t, n: math.sqrt(n / len(t)) * t.sum(), "The root of N/M is taken"),
    (lambda t, n: n / (len(t) + 1) * t.sum(), r"M \+ 1 stands where M belongs"),
    (lambda t, n: round(float(n * t.mean()), 4), "rounded to 4 decimals"),
    (lambda t, n: t.sum(), "This is the sum over the minibatch"),
    (lambda t, n: t.mean(), "This is the mean over the minibatch; a"),
    (lambda t, n: n * t.sum(), "You scaled the sum by N; it already"),
    (lambda t, n: t.sum() / n, "The sum over the minibatch is divided"),
    (lambda t, n: len(t) / n * t.sum(), "You scaled by M/N; a part of the data"),
    (lambda t, n: n / len(t) * t.mean(), "You scaled the mean by N/M; take the"),
    (lambda t, n: n // len(t) * t.sum(), "N // M is rounded down, so part of the"),
    (lambda t, n: round(n / len(t)) * t.sum(), "N/M is rounded to a whole number"),
    (lambda t, n: -(-n // len(t)) * t.sum(), "N/M is rounded to a whole number"),
    (lambda t, n: n * t.median(), "The median stands"),
    (lambda t, n: n * t[0], r"Only the first entry of terms counts; every entry counts\."),
    (lambda t, n: n / (len(t) - 1) * t.sum(), r"M − 1 stands where M belongs\."),
    (lambda t, n: (n - len(t)) * t.mean(), "Only the data outside the minibatch"),
    (lambda t, n: n * t.mean().abs(), "The answer is the absolute value of"),
    (lambda t, n: n * t, r"The answer has shape \[4\]; reduce it"),
    (lambda t, n: n * t.mean(0, keepdim=True).expand(2), "shape"),
    (lambda t, n: -n * t.mean(), "sign is wrong"),
    (lambda t, n: n * t.mean().detach(), "detached"),
    (lambda t, n: int(n * t.mean()), "The decimals are cut off"),
    (in_place, "in place"),
    (random_rows, "random"),
    (lambda t, n: n // len(t) * t.sum(), "rounded down"),
    (lambda t, n: n / 100 * t.sum(), "100 is written in"),
    (lambda t, n: t.sum(), "minibatch alone"),
    (lambda t, n: t.mean(), "mean over the minibatch"),
    (lambda t, n: t.requires_grad_().mean() * n, "change requires_grad or grad of terms"),
    (lambda t, n: n * t[0], r"Only the first entry of terms counts; every entry counts\."),
    (lambda t, n: n * t.abs().mean(), "Absolute values"),
    (lambda t, n: int(n * t.mean()), "The decimals are cut off"),
    (lambda t, n: n * t.mean().clamp(max=0), "cut off at 0"),
    (lambda t, n: t.sum() * len(t) / n, "by M/N"),
    (lambda t, n: n / max(len(t) - 1, 0.5) * t.sum(), "our answer is|M − 1"),
    (lambda t, n: n * (t.logsumexp(0) - math.log(len(t))), "logarithms already"),
    (
        lambda t, n: (n - 1) * t.mean(),
        r"This is right for one less than num_data, not for num_data itself\.",
    ),
    (lambda t, n: 60_000 * t.mean(), "60,000 is written in"),
    (lambda t, n: n * t.clamp(t.quantile(0.01), t.quantile(0.99)).mean(), "our answer is"),
    (lambda t, n: n * t[t <= 8].mean(), "our answer is"),
    (lambda t, n: n * t[t != 0].mean(), "our answer is"),
    (
        lambda t, n: n * t.clamp(min=-1000).mean(),
        r"This is right for terms cut off below −1,000, not for terms itself\.",
    ),
    (lambda t, n: n / max(len(t) - 1, 1) * t.sum(), "M − 1 stands where M belongs"),
    (lambda t, n: t.sum() + n * t.mean(), "minibatch counts twice"),
    (lambda t, n: n * t.unique().mean(), "Terms that are equal count once"),
]
RIGHT = [
    by_loop,
    functools.partial(by_loop),
    lambda t, n: t.sum().mul(n).div(len(t)),
    lambda t, n: torch.einsum("m,m->", t, torch.full_like(t, n / len(t))),
    lambda t, n: n * np.mean(t.numpy()),
    lambda terms, num_data, scale=1.0: scale * num_data * terms.float().mean(),
    lambda t, n: torch.stack([n * term / len(t) for term in t]).sum(),
    lambda t, n: (n * t.mean()).reshape(1),
    lambda t, n: np.mean(t.numpy()) * n,
    lambda t, n: sum(t) * n / len(t),
    lambda t, n: n * t.float().mean(),
    lambda t, n: torch.tensor([n / len(t)]).double() @ t.sum()[None],
    lambda terms, num_data, scale=None: terms.sum() * num_data / terms.numel(),
    lambda t, n: n * t.mean().item(),
    lambda t, n: float(n * t.mean()),
    lambda t, n: n * sum(t.tolist()) / len(t),
    lambda t, n: torch.tensor(n * math.fsum(t.tolist()) / len(t)),
    lambda t, n: n * statistics.fmean(float(term) for term in t),
]
