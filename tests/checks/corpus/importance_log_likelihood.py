"""Answers to `vc.checks.importance_log_likelihood`, written before the check was read."""

import functools
import math

import numpy as np
import torch
from scipy import special


def exact(a, b):
    return (a - b).logsumexp(0) - math.log(len(a))


def largest_of_all(a, b):
    w = a - b
    return w.max() + (w - w.max()).exp().mean(0).log()


def in_place(a, b):
    a -= b
    return a.logsumexp(0) - math.log(len(a))


def running(log_joint, log_q):
    total = None
    for w in log_joint - log_q:
        total = w if total is None else torch.logaddexp(total, w)
    return total - math.log(log_joint.shape[0])


def by_columns(log_joint, log_q):
    out = []
    for a, b in zip(log_joint.T.tolist(), log_q.T.tolist()):
        w = [p - q for p, q in zip(a, b)]
        top = max(w)
        out.append(top + math.log(sum(math.exp(v - top) for v in w) / len(w)))
    return np.array(out)


def self_normalized(a, b):
    w = (a - b).softmax(0)
    return (w * (a - b)).sum(0)


def importance(p, q):
    w = p - q
    top = w.max(0).values
    return top + (w - top).exp().mean(0).log()


def of_weight(formula):
    return lambda log_joint, log_q: formula(log_joint - log_q)


WRONG = [
    (lambda a, b: (a - b).logsumexp(0) - math.log10(len(a)), "log S is to base 10"),
    (lambda a, b: (a - b).logsumexp(0) / len(a), "The logarithm is divided by S"),
    (lambda a, b: (a - b).mean(0), "This is the mean of the logarithms"),
    (lambda a, b: (a - b).logsumexp(0), "The sum is not divided by S; subtract"),
    (
        lambda a, b: (a + b).logsumexp(0) - math.log(len(a)),
        r"log q\(z\|x\) is added; a weight is p\(x",
    ),
    (lambda a, b: (b - a).logsumexp(0) - math.log(len(a)), "The weights are upside down: q over p"),
    (lambda a, b: a.logsumexp(0) - math.log(len(a)), "The weights lack 1/q: subtract log"),
    (lambda a, b: a.logsumexp(0) - b.logsumexp(0), "This is a ratio of two means; the mean"),
    (lambda a, b: (a - b).exp().mean(0).log(), "near −10,000, at .*stay in logarithms"),
    (lambda a, b: (a.exp() / b.exp()).mean(0).log(), "With log weights near"),
    (lambda a, b: ((a - b).exp().mean(0) + 1e-300).log(), "The answer is cut off at"),
    (largest_of_all, "With columns"),
    (lambda a, b: exact(a, b).mean(), "reduced over the batch"),
    (
        lambda a, b: (a - b).logsumexp(1) - math.log(a.shape[1]),
        "The mean runs over the data; it must",
    ),
    (
        lambda a, b: (a - b).logsumexp(0) - math.log(a.shape[1]),
        "log B is subtracted, the number of",
    ),
    (lambda a, b: (a - b).max(0).values, "largest weight is kept"),
    (
        lambda a, b: (a - b).logsumexp(0) - math.log2(len(a)),
        "log S is to base 2",
    ),
    (lambda a, b: exact(a, b) / math.log(2), "in bits"),
    (lambda a, b: exact(a, b).exp(), r"p\(x\) itself"),
    (lambda a, b: -exact(a, b), "sign is wrong"),
    (self_normalized, "You averaged log w with weights w; the"),
    (in_place, "in place"),
    (
        lambda a, b: exact(a[1:], b[1:]),
        r"The first row of log_joint and log_q is left out; every row counts\.",
    ),
    (lambda a, b: exact(a, b)[None], "shape"),
    (lambda p, q: (p - q).exp().mean(0).log(), "stay in logarithms"),
    (lambda p, q: (p - q).mean(0), "the ELBO"),
    (lambda p, q: (p - q).logsumexp(0), "not divided by S"),
    (lambda p, q: importance(q, p), "upside down"),
    (lambda p, q: importance(p, q).mean(), "one number"),
    (lambda p, q: importance(p, 0 * q), "1/q"),
    (lambda p, q: (p - q).logsumexp(0) - math.log(p.shape[1]), "log B"),
    (
        lambda p, q: (p - q).max() + (p - q - (p - q).max()).exp().mean(0).log(),
        "column|logarithms",
    ),
    (lambda p, q: p.logsumexp(0) - q.logsumexp(0), "ratio of two means"),
    (lambda p, q: importance(p.sub_(q), 0), "change log_joint in place"),
    (lambda p, q: importance(p, q) / math.log(2), "bits"),
    (of_weight(lambda w: w.logsumexp(0) + math.log(len(w))), "log S is added"),
    (of_weight(lambda w: w.logsumexp(0) - len(w)), "it is log S"),
    (of_weight(lambda w: math.log(len(w)) - (-w).logsumexp(0)), "averaged 1/w"),
    (of_weight(lambda w: w.amax(0) - math.log(len(w))), "all S"),
    (of_weight(lambda w: w.sum(0)), "sum of logarithms"),
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
    (lambda p, q: importance(p, q) - (p - q).amax(0), "subtracted and not added back"),
    (
        lambda p, q: importance(p[: len(p) // 2], q[: len(p) // 2]),
        "Only half of the draws",
    ),
    (lambda p, q: (p - q).logsumexp(0) - np.log(max(len(p) - 1, 1)), r"log \(S − 1\)"),
    (lambda p, q: importance(p, q).squeeze(), r"alone, the answer is a number without axes"),
    (lambda p, q: (1 + (p.shape[1] == 1)) * importance(p, q), "For one row of data alone"),
]
RIGHT = [
    running,
    by_columns,
    lambda a, b: special.logsumexp((a - b).numpy(), axis=0, b=1 / len(a)),
    lambda a, b: torch.logsumexp(a - b - math.log(len(a)), dim=0),
    lambda a, b: (a - b).amax(0) + (a - b - (a - b).amax(0)).exp().mean(0).log(),
    functools.partial(exact),
    lambda log_joint, log_q, dim=0: (
        -np.log(log_q.shape[dim]) + np.logaddexp.reduce((log_joint - log_q).numpy(), axis=dim)
    ),
    lambda a, b: exact(a.float(), b.float()),
    importance,
    torch.no_grad()(exact),
    lambda p, q: special.logsumexp((p - q).numpy(), axis=0, b=1 / len(p)),
    lambda p, q: [float(torch.logsumexp(w, 0)) - math.log(len(w)) for w in (p - q).T],
]
