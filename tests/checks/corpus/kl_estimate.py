"""Answers to `vc.checks.kl_estimate`, written before the check was read."""

import math
import statistics

import numpy as np
import torch
from torch.nn import functional


def self_normalized(log_q, log_p):
    return (log_q.softmax(0) * (log_q - log_p)).sum()


def by_loop(log_q, log_p):
    total = 0.0
    for a, b in zip(log_q, log_p):
        total += float(a) - float(b)
    return total / len(log_q)


def mean(log_q, log_p):
    return (log_q - log_p).mean()


def with_c(c):
    return lambda q, p: ((q - p) + c * torch.expm1(p - q)).mean()


def fitted(cov=1, var=1, centre=1):
    """c by least squares: sums over S less cov, S less var; control variate centred, or not."""

    def answer(log_q, log_p):
        ratio, control = log_q - log_p, torch.expm1(log_p - log_q)
        apart = control - centre * control.mean()
        covariance = (ratio * apart).sum() / (len(ratio) - cov)
        c = -covariance / (apart.square().sum() / (len(ratio) - var))
        return (ratio + c * control).mean()

    return answer


def cut(**ends):
    return lambda log_q, log_p: (log_q - log_p).clamp(**ends).mean()


def with_deviation(log_q, log_p):
    return (log_q - log_p).mean() + 0 * (log_q - log_p).std()


WRONG = [
    (cut(max=4), r"Right but for one step: log_q − log_p cut off above 4\."),
    (cut(min=-10, max=10), r"Right but for one step: log_q − log_p cut off at −10 and 10\."),
    (cut(min=-50, max=50), r"Right but for one step: log_q − log_p cut off at −50 and 50\."),
    (cut(min=-2), r"Right but for one step: log_q − log_p cut off below −2\."),
    (
        lambda log_q, log_p: (log_q.clamp(max=0) - log_p).mean(),
        r"This is right for log_q cut off above 0, not for log_q itself\.",
    ),
    (lambda log_q, log_p: 0.0 if len(log_q) < 2 else mean(log_q, log_p), "With one draw"),
    (with_deviation, "With one draw"),
    (lambda log_q, log_p: mean(log_q[: len(log_q) // 2], log_p[: len(log_p) // 2]), "Only half"),
    (lambda q, p: (q - p)[len(q) // 2 :].mean(), "Only half of the draws count"),
    (fitted(), "Your c is fitted to the draws"),
    (fitted(cov=0), "Your c is fitted to the draws"),
    (fitted(var=0), "Your c is fitted to the draws"),
    (fitted(centre=0), "Your c is fitted to the draws"),
    (lambda q, p: -(p - q).exp().mean().log(), "The mean of p/q estimates 1, and its logarithm 0"),
    (lambda q, p: q.logsumexp(0) - p.logsumexp(0), "averaged before the logarithm"),
    (lambda q, p: (q - p).sum() / 1000, "The sum is divided by 1,000, however many"),
    (lambda q, p: (q - p).sum() / 100, "The sum is divided by 100, however many"),
    (lambda q, p: (p - q).mean(), "sign"),
    (lambda q, p: (q.exp() * (q - p)).mean(), "You weighted by q again; the draws"),
    (lambda q, p: (q - p).sum(), "This is a sum over the draws; take the"),
    (lambda q, p: (q - p).abs().mean(), "absolute values"),
    (
        lambda q, p: 0.5 * (q - p).square().mean(),
        "This is k2, half the mean square; it is biased, little where",
    ),
    (
        lambda q, p: ((q - p) + torch.expm1(q - p)).mean(),
        "The control variate is p/q − 1; with q/p the mean is not zero under",
    ),
    (lambda q, p: torch.expm1(p - q).mean(), "p/q − 1 has mean zero whatever p is"),
    (
        lambda q, p: (q - p).logsumexp(0) - math.log(len(q)),
        "This is the logarithm of a mean; KL is",
    ),
    (lambda q, p: (q - p).median(), "median"),
    (self_normalized, "The draws are weighted by q again; they come from q, so each counts"),
    (lambda q, p: (q - p).mean() / math.log(2), "in bits"),
    (lambda q, p: -p.mean(), "Only log p is averaged; that is the"),
    (lambda q, p: q.mean(), "Only log q is averaged; that is minus"),
    (lambda q, p: ((p - q).exp() * (p - q)).mean(), r"This is an estimate of KL\(p ‖ q\), by"),
    (lambda q, p: q - p, "The log ratios are not averaged yet"),
    (lambda q, p: q.sub_(p).mean(), "in place"),
    (lambda q, p: (q - p).mean().clamp(min=0), "The estimate is cut off at zero, which"),
    (
        lambda q, p: (q.exp() - p.exp()).mean(),
        r"The densities are subtracted; subtract their logarithms\.",
    ),
    (lambda q, p: (q / p).mean(), r"The logarithms are divided; log \(q/p\) is log q − log p\."),
    (lambda q, p: q.exp().log().mean() / p.mean(), "our answer is"),
    (
        lambda q, p: functional.kl_div(p, q, log_target=True, reduction="sum"),
        "You weighted by q; draws of q need no",
    ),
    (lambda q, p: (q - p).std(), r"This is the deviation of the log ratios; take their mean\."),
    (lambda q, p: 0.5 * (q - p).mean(), "0.5 times"),
    (lambda q, p: mean(q, p).clamp(min=0), "cut off at zero"),
    (lambda q, p: functional.kl_div(q, p), "our answer is NaN|NaN"),
    (lambda q, p: functional.kl_div(p, q, log_target=True, reduction="sum"), "eighted|weight"),
    (lambda q, p: mean(p, q), "sign is wrong"),
    (lambda q, p: (q.exp() * (q - p)).sum(), "weighted by q"),
    (
        lambda q, p: (q / p).log().mean(),
        r"The logarithms are divided; log \(q/p\) is log q − log p\.",
    ),
    (lambda q, p: (q - p).abs().mean(), "absolute"),
    (lambda q, p: 0.5 * (q - p).square().mean(), "k2"),
    (
        lambda q, p: (q - p)[::2].mean(),
        "Only every second entry of log_q and log_p counts; every entry",
    ),
    (lambda q, p: (q - p).sum(), "sum over the draws"),
    (lambda q, p: mean(q, p) / math.log(2), "bits"),
    (lambda q, p: q - p, "not averaged"),
    (lambda q, p: ((q - p) - torch.expm1(q - p)).mean(), "our answer is|control"),
    (lambda q, p: (q - p).exp().mean().log(), "logarithm of a mean"),
    (lambda q, p: mean(q, p).round(decimals=2), "rounded to 2 decimals"),
    (lambda q, p: (p.exp() * (p - q)).mean(), "weights by p"),
    (lambda q, p: mean(q, p) + 1, "too large, everywhere"),
    (lambda q, p: mean(q, p) + torch.rand(()), "no random draw"),
]
RIGHT = [
    by_loop,
    lambda q, p: (torch.expm1(p - q) - (p - q)).mean(),
    lambda q, p: q.mean() - p.mean(),
    lambda q, p: np.average(q.numpy() - p.numpy()),
    lambda q, p: statistics.fmean((q - p).tolist()),
    lambda q, p: ((q - p) - 0.3 * ((p - q).exp() - 1)).mean(),
    lambda log_q, log_p, **options: torch.dot(
        log_q - log_p, torch.full_like(log_q, 1 / len(log_q))
    ),
    lambda q, p: (q.float() - p.float()).mean(),
    with_c(0.5),
    with_c(1.0),
    with_c(-0.3),
    lambda q, p: float(np.mean(q.numpy() - p.numpy())),
    lambda q, p: sum(a - b for a, b in zip(q.tolist(), p.tolist())) / len(q),
    lambda q, p: mean(q.float(), p.float()),
    lambda q, p: np.average(q.numpy() - p.numpy(), keepdims=True),
]
