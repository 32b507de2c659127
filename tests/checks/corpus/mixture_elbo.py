"""Answers to `vc.checks.mixture_elbo`, written before the check was read."""

import math

import numpy as np
import torch
from scipy import special
from torch.distributions import Categorical, kl_divergence
from torch.nn import functional


def exact(f, ll, kl):
    log_q = f.log_softmax(1)
    return (log_q.exp() * (ll - kl - log_q)).sum(1) - math.log(f.shape[1])


def with_q(log_q):
    def fn(f, ll, kl):
        lq = log_q(f)
        return (lq.exp() * (ll - kl - lq)).sum(1) - math.log(f.shape[1])

    return fn


def terms(fit=1.0, z=1.0, y=1.0, extra=0.0):
    def fn(f, ll, kl):
        log_q = f.log_softmax(1)
        q = log_q.exp()
        kl_y = (q * log_q).sum(1) + math.log(f.shape[1])
        return fit * (q * ll).sum(1) - z * (q * kl).sum(1) - y * kl_y + extra

    return fn


def log_of_softmax(f, ll, kl):
    q = f.softmax(1)
    return (q * (ll - kl - q.log())).sum(1) - math.log(f.shape[1])


def rounded_softmax(f, ll, kl):
    q = f.softmax(1)
    return (q * (ll - kl - (q + 1e-4).log())).sum(1) - math.log(f.shape[1])


def hard(f, ll, kl):
    best = f.argmax(1, keepdim=True)
    return (ll - kl).gather(1, best)[:, 0] - math.log(f.shape[1])


def in_place(f, ll, kl):
    ll -= kl
    return exact(f, ll, 0 * kl)


def drawn(f, ll, kl):
    y = Categorical(logits=f).sample()[:, None]
    return (ll - kl).gather(1, y)[:, 0]


def by_library(logits, log_likelihood, kl_z):
    q = Categorical(logits=logits)
    prior = Categorical(logits=torch.zeros_like(logits))
    return torch.einsum("bk,bk->b", q.probs, log_likelihood - kl_z) - kl_divergence(q, prior)


def by_loops(logits, log_likelihood, kl_z):
    out = []
    for f, a, b in zip(logits, log_likelihood, kl_z):
        log_q = f - f.logsumexp(0)
        out.append(
            sum(torch.exp(q) * (u - v - q + math.log(1 / len(f))) for q, u, v in zip(log_q, a, b))
        )
    return torch.stack(out)


def in_numpy(logits, log_likelihood, kl_z):
    log_q = special.log_softmax(logits.numpy(), axis=1)
    entropy = special.entr(np.exp(log_q)).sum(1)
    return (
        (np.exp(log_q) * (log_likelihood - kl_z).numpy()).sum(1) + entropy - np.log(logits.shape[1])
    )


def mixture(a, f, k):
    q = a.softmax(1)
    return (q * (f - k - a.log_softmax(1))).sum(1) - math.log(a.shape[1])


def with_log_q(log_q):
    return lambda a, f, k: (a.softmax(1) * (f - k - log_q(a))).sum(1) - math.log(a.shape[1])


def mixture_term(a, f, k, y):
    log_q = a.log_softmax(1)[:, y]
    return log_q.exp() * (f[:, y] - k[:, y] - log_q - math.log(a.shape[1]))


def value_of(logits, fit, kl):
    q = logits.softmax(1)
    return (q * (fit - kl)).sum(1)


def kl_y(logits):
    return (logits.softmax(1) * logits.log_softmax(1)).sum(1) + math.log(logits.shape[1])


def entropy(a):
    return Categorical(logits=a).entropy()


def with_weights(weights):
    return lambda a, f, k: (weights(a) * (f - k)).sum(1) - kl_y(a)


WRONG = [
    (terms(y=0), r"KL\(q\(y\|x\) ‖ p\(y\)\) is missing: being"),
    (terms(z=0), "KL of z is missing"),
    (terms(fit=0), r"log p\(x\|z\) is missing"),
    (terms(z=-1), "The KL of z is added; subtract it"),
    (terms(y=-1), r"KL\(q\(y\|x\) ‖ p\(y\)\) is added; subtract"),
    (terms(fit=-1, z=-1, y=-1), "sign"),
    (terms(y=2), "2 times"),
    (terms(z=0.5), "0.5 times"),
    (lambda f, ll, kl: terms()(f, ll, kl) + math.log(f.shape[1]), "log K is missing"),
    (
        lambda f, ll, kl: terms()(f, ll, kl) + math.log(f.shape[1]) - math.log10(f.shape[1]),
        r"log p\(y\) = −log K counts",
    ),
    (with_q(lambda f: f), "The logits are not normalized: log"),
    (with_q(lambda f: f.log_softmax(0)), "The softmax runs over the data; it"),
    (
        with_q(lambda f: functional.logsigmoid(f)),
        "Right but for one step: the logarithm of a sigmoid in place of",
    ),
    (
        with_q(lambda f: torch.full_like(f, -math.log(f.shape[1]))),
        "All labels have the same weight",
    ),
    (log_of_softmax, "0 · log 0 is 0"),
    (rounded_softmax, "10⁻⁴"),
    (hard, "Only the likeliest label counts here"),
    (lambda f, ll, kl: exact(f, ll, kl).mean(), "reduced over the batch"),
    (lambda f, ll, kl: exact(f, ll, kl) / f.shape[1], "You took a mean over the labels; the"),
    (
        lambda f, ll, kl: (ll - kl).logsumexp(1) - math.log(f.shape[1]),
        r"This is log Σ_y p\(y\) …, in which",
    ),
    (lambda f, ll, kl: exact(f.detach(), ll, kl), "logits"),
    (lambda f, ll, kl: exact(f, ll, kl.detach()), "kl_z"),
    (drawn, "random"),
    (in_place, "in place"),
    (with_log_q(lambda a: a), "not normalized"),
    (with_log_q(lambda a: a.softmax(1).log()), "certain"),
    (with_log_q(lambda a: (a.softmax(1) + 1e-3).log()), "0.001"),
    (lambda a, f, k: mixture(a, f, k) + math.log(a.shape[1]) - math.log(10), "10 labels"),
    (lambda a, f, k: mixture(a, f, k) + 2 * math.log(a.shape[1]), "log K is added"),
    (lambda a, f, k: mixture(a.detach(), f, k), "No gradient reaches logits"),
    (
        lambda a, f, k: (
            (a.softmax(1).detach() * (f - k)).sum(1)
            - math.log(a.shape[1])
            - (a.softmax(1) * a.log_softmax(1)).sum(1)
        ),
        "not the gradient",
    ),
    (lambda a, f, k: mixture(a, f, k).mean(), "one number"),
    (lambda a, f, k: mixture(a, f, 0.5 * k), "KL of z counts 0.5 times"),
    (lambda a, f, k: mixture(a, f, k) - math.log(a.shape[1]), "counts 2 times"),
    (lambda a, f, k: mixture(a.T, f, k), "Two shapes|stops|your answer|fit"),
    (lambda a, f, k: -mixture(a, f, k), "this is the loss"),
    (lambda a, f, k: torch.logsumexp(a.log_softmax(1) + f - k, 1), "stands outside the sum"),
    (lambda a, f, k: value_of(a, f, k) - math.log(a.shape[1]), "entropy of q.* is missing"),
    (lambda a, f, k: value_of(a, f, k) - math.log(a.shape[1]) - entropy(a), "has the wrong sign"),
    (
        lambda a, f, k: value_of(a, f, k) + a.log_softmax(1).mean(1) + math.log(a.shape[1]),
        r"has KL\(p\(y\) ‖ q",
    ),
    (lambda a, f, k: (f - k).sum(1) - kl_y(a), "labels are not weighted"),
    (with_weights(lambda a: a), "logits serve as weights"),
    (with_weights(torch.sigmoid), "Weights by sigmoid"),
    (with_weights(lambda a: a.softmax(1) ** 2), "counted twice"),
    (lambda a, f, k: value_of(a, f, 0 * k) - k.sum(1) - kl_y(a), "not weighted by q"),
    (lambda a, f, k: a.softmax(1) * (f - k), "has shape"),
    (lambda a, f, k: exact(a, f, k)[:, None], "without keepdim"),
    (lambda a, f, k: exact(a, f, k).detach(), "detached: no gradient"),
]
RIGHT = [
    by_library,
    by_loops,
    in_numpy,
    terms(),
    lambda f, ll, kl: exact(f.float(), ll.float(), kl.float()),
    lambda logits, log_likelihood, kl_z, beta=1.0: exact(logits, log_likelihood, beta * kl_z),
    lambda f, ll, kl: (
        (f.softmax(1)[:, None] @ (ll - kl - f.log_softmax(1))[:, :, None]).flatten()
        - math.log(f.shape[1])
    ),
    lambda a, f, k: torch.einsum(
        "bk,bk->b", a.softmax(1), f - k - a.log_softmax(1) - math.log(a.shape[1])
    ),
    lambda a, f, k: (
        (special.softmax(a.numpy(), 1) * (f - k).numpy()).sum(1)
        - special.rel_entr(special.softmax(a.numpy(), 1), 1 / a.shape[1]).sum(1)
    ),
    lambda a, f, k: sum(mixture_term(a, f, k, y) for y in range(a.shape[1])),
]
