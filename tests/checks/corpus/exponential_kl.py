"""Answers to `vc.checks.exponential_kl`, written before the check was read."""

import functools
import math

import numpy as np
import torch
from torch.distributions import Exponential, Gamma, kl_divergence


def exact(f):
    return (f + (-f).exp() - 1).sum(1)


def by_draws(f):
    z = Exponential(f.exp()).rsample((1000,))
    return (f - f.exp() * z + z).mean(0).sum(1)


def by_loops(log_rate):
    return torch.stack([sum(f + torch.exp(-f) - 1 for f in row) for row in log_rate])


def with_gamma(log_rate):
    one = torch.ones_like(log_rate)
    return kl_divergence(Gamma(one, log_rate.exp()), Gamma(one, one)).sum(-1)


def exponential(a):
    return (a + (-a).exp() - 1).sum(-1)


WRONG = [
    (
        lambda f: exact(f.clamp(-15, 15)),
        "This is right for log_rate cut off at −15 and 15, not for log_rate",
    ),
    (lambda f: exact(f).squeeze(), "number without axes"),
    (lambda f: -exact(f), "The sign is wrong"),
    (lambda f: (-f + f.exp() - 1).sum(1), r"This is KL\(p ‖ q\), the wrong"),
    (lambda f: (f + f.exp() - 1).sum(1), "The rate stands where the mean"),
    (lambda f: (f + (-f).exp()).sum(1), "The −1 is missing: where q is the"),
    (lambda f: (f + (-f).exp() + 1).sum(1), "The −1 has the wrong sign: where q is"),
    (
        lambda f: (f.exp() + (-f).exp() - 1).sum(1),
        r"Right but for one step: exp\(log_rate\) in place of log_rate, in a sum",
    ),
    (lambda f: (f.log() + 1 / f - 1).sum(1), "You used log_rate as the rate itself"),
    (lambda f: (f + 1 / f - 1).sum(1), "our answer is"),
    (lambda f: (f.exp().log() + (-f).exp() - 1).sum(1).clamp(max=20), "cut off"),
    (lambda f: exact(f).mean(), "batch"),
    (lambda f: exact(f) / f.shape[1], "The KL is averaged over the latents"),
    (lambda f: f + (-f).exp() - 1, r"The answer has shape \[5, 3\]; reduce it"),
    (lambda f: (f + (-f).exp() - 1).sum(0), "one for each column"),
    (lambda f: exact(f) / math.log(2), "bits"),
    (lambda f: 0.5 * exact(f), "There is a ½ too many; that belongs to"),
    (lambda f: exact(f.detach()), "detached"),
    (lambda f: (f + (-f).exp().detach() - 1).sum(1), "gradient"),
    (lambda f: f.add_((-f).exp() - 1).sum(1), "in place"),
    (by_draws, "no random draw"),
    (
        lambda f: exact(f.clamp(-10, 10)),
        "This is right for log_rate cut off at −10 and 10, not for log_rate",
    ),
    (
        lambda f: (f + 1 / (f.exp() + 1e-6) - 1).sum(1),
        r"This is right for the logarithm of exp\(log_rate\) \+ 10⁻⁶, not for",
    ),
    (lambda f: exact(f).relu() + 1e-2, "too large"),
    (lambda a: (a + a.exp() - 1).sum(1), "rate stands where the mean"),
    (lambda a: (a + (-a).detach().exp() - 1).sum(1), "not the gradient"),
    (lambda a: exponential(a).detach(), "detached"),
    (
        lambda a: exponential(a.clamp(-3, 3)),
        "This is right for log_rate cut off at −3 and 3, not for log_rate",
    ),
    (lambda a: exponential(a) / a.shape[1], "averaged over the latents"),
    (lambda a: exponential(a).mean(), "one number"),
    (lambda a: (a.log() + 1 / a - 1).sum(1), "log_rate as the rate itself"),
    (lambda a: (a + (-a).exp()).sum(1), "−1 is missing"),
    (lambda a: (a - a.exp() - 1).sum(1), "your answer"),
    (lambda a: (-a + a.exp() - 1).sum(1), "wrong direction"),
    (
        lambda a: kl_divergence(Exponential(a.exp()), Exponential(1.0)),
        "stops|last axis|has shape",
    ),
    (lambda a: a.exp(), r"has shape \[5, 3\]; it must be"),
    (
        lambda a: exponential(a.abs()),
        "This is right for the absolute value of log_rate, not for log_rate",
    ),
    (lambda a: (a + 1 / a.exp()).sum(-1) - 1, "belongs to every latent"),
    (lambda a: (a - 1).sum(-1), "minus the entropy of q"),
    (lambda a: (-a).exp().sum(-1), r"−E_q\[log p\(z\)\] alone"),
    (lambda a: ((-a).exp() - 1).sum(-1), "log rate is missing"),
]
RIGHT = [
    by_loops,
    with_gamma,
    functools.partial(torch.func.vmap(lambda row: (row + torch.exp(-row) - 1).sum())),
    lambda f: kl_divergence(Exponential(f.exp()), Exponential(torch.ones_like(f))).sum(1),
    lambda f: (f.numpy() + np.exp(-f.numpy()) - 1).sum(axis=-1),
    lambda f: torch.einsum("bj->b", f + torch.expm1(-f)),
    lambda log_rate, prior_rate=1.0: (
        log_rate - math.log(prior_rate) + prior_rate * (-log_rate).exp() - 1
    ).sum(1),
    lambda f: exact(f.float()),
    lambda a: kl_divergence(Exponential(a.exp()), Exponential(torch.ones_like(a))).sum(1),
    lambda a: np.sum(a.numpy() + np.exp(-a.numpy()) - 1, axis=-1),
    lambda a: torch.expm1(-a).add(a).sum(-1),
]
