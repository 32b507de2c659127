"""Answers to chapter 17, written from the exercises."""

import math

import numpy as np
import torch
from torch.distributions import Normal

# --- the product of two Gaussians ------------------------------------------------------------


def product(m, v, n, w):
    a, b = torch.exp(-v), torch.exp(-w)
    return (a * m + b * n) / (a + b), -torch.log(a + b)


def safe(m, v, n, w):
    share = 1 / (1 + torch.exp(v - w))
    return share * m + (1 - share) * n, -torch.logaddexp(-v, -w)


def narrow(m, v, n, w):
    """By the gain of a Kalman filter."""
    gain = torch.sigmoid(v - w)
    return m + gain * (n - m), v + torch.nn.functional.logsigmoid(w - v)


def with_loc(f):
    return lambda m, v, n, w: (f(m, v, n, w), safe(m, v, n, w)[1])


def with_log_var(f):
    return lambda m, v, n, w: (safe(m, v, n, w)[0], f(m, v, n, w))


PRODUCT = {
    "wrong": [
        (lambda m, v, n, w: safe(m, w, n, v), "weighted by the variances"),
        (lambda m, v, n, w: safe(m, v, n, w)[::-1], "wrong order"),
        (lambda m, v, n, w: safe(m, 2 * v, n, 2 * w), "as if log_var were log σ"),
        (lambda m, v, n, w: safe(m, v / 2, n, w / 2), "1/σ"),
        (lambda m, v, n, w: safe(m, v, n, w)[0], "2 things"),
        (with_loc(lambda m, v, n, w: (m + n) / 2), "means are averaged"),
        (
            lambda m, v, n, w: (
                (m * w.exp() + n * v.exp()) / (v.exp() + w.exp()),
                v + w - (v.exp() + w.exp()).log(),
            ),
            "Where log_var_2 is ∞.*NaN.*add precisions",
        ),
        (with_loc(lambda m, v, n, w: m + n), "means are added"),
        (with_loc(lambda m, v, n, w: m * n), "densities that are"),
        (with_loc(lambda m, v, n, w: m), "first mean"),
        (with_loc(lambda m, v, n, w: n), "second mean"),
        (with_log_var(lambda m, v, n, w: v), "first log variance"),
        (with_log_var(lambda m, v, n, w: w), "second log variance"),
        (lambda m, v, n, w: (m, v), "first mean"),
        (with_loc(lambda m, v, n, w: m * torch.exp(-v) + n * torch.exp(-w)), "not divided"),
        (with_log_var(lambda m, v, n, w: safe(m, v, n, w)[1].exp()), "This is σ²"),
        (with_log_var(lambda m, v, n, w: safe(m, v, n, w)[1] / 2), "This is log σ;"),
        (with_log_var(lambda m, v, n, w: -safe(m, v, n, w)[1]), "the sign is turned"),
        (with_log_var(lambda m, v, n, w: torch.exp(-v) + torch.exp(-w)), "This is the precision"),
        (with_log_var(lambda m, v, n, w: torch.logaddexp(v, w)), "variances are added"),
        (with_log_var(lambda m, v, n, w: v + w), "log variances are added"),
        (with_log_var(lambda m, v, n, w: (v + w) / 2), "log variances are averaged"),
        (with_log_var(lambda m, v, n, w: safe(m, v, n, w)[1] + math.log(2)), "not averaged"),
    ],
    "right": [product, safe, narrow, lambda *given: tuple(part.numpy() for part in safe(*given))],
}


# --- from the score to the denoised point ----------------------------------------------------


def tweedie(y, s, lam):
    keep = 1 / (1 + math.exp(-lam))
    return (y + (1 - keep) * s) / math.sqrt(keep)


def altered(f):
    def answer(y, s, lam):
        keep = 1 / (1 + math.exp(-lam))
        return f(y, s, math.sqrt(keep), math.sqrt(1 - keep))

    return answer


def kept_above(floor):
    def answer(y, s, lam):
        keep = max(1 / (1 + math.exp(-lam)), floor)
        return (y + (1 - keep) * s) / math.sqrt(keep)

    return answer


DENOISED = {
    "wrong": [
        (altered(lambda y, s, a, b: (y - b**2 * s) / a), "subtracted"),
        (altered(lambda y, s, a, b: y + b**2 * s), "division by α"),
        (altered(lambda y, s, a, b: (y + b**2 * s) / a**2), "Divided by α²"),
        (altered(lambda y, s, a, b: (y + b**2 * s) * a), "Multiplied by α"),
        (altered(lambda y, s, a, b: (y + b * s) / a), "multiplied by σ;"),
        (altered(lambda y, s, a, b: (y + s) / a), "σ² before the score"),
        (altered(lambda y, s, a, b: y / a + b**2 * s), "divide the sum"),
        (altered(lambda y, s, a, b: y / a), "score is missing"),
        (altered(lambda y, s, a, b: (y + a**2 * s) / b), "exchanged"),
        (altered(lambda y, s, a, b: (y + b**2 / a**2 * s) / a), "σ²/α²"),
        (altered(lambda y, s, a, b: -b * s), "noise that is expected"),
        (altered(lambda y, s, a, b: y + b**2 * s / a), "Only the score is divided by α"),
        (altered(lambda y, s, a, b: (y + b**2 * s.sum(-1, keepdim=True)) / a), "summed over its"),
        (altered(lambda y, s, a, b: (y + (1 - a**4) * s) / a**2), "taken for α; it is α²"),
        (lambda y, s, lam: y + math.exp(-lam) * s, "y_t is y plus noise"),
        (altered(lambda y, s, a, b: (y + 0.9 * b**2 * s) / a), "term of the score counts 0.9 tim"),
        (altered(lambda y, s, a, b: (1.1 * y + b**2 * s) / a), "term of y_t counts 1.1 times"),
        (kept_above(0.1), "α² is cut off below 0.1"),
        (altered(lambda y, s, a, b: (y + b**2 * s) / max(a**2, 0.05) ** 0.5), "cut off below 0.05"),
        (altered(lambda y, s, a, b: ((y + b**2 * s) / a).sum(1)), "shape"),
        (lambda y, s, lam: None, "returns nothing"),
    ],
    "right": [
        tweedie,
        altered(lambda y, s, a, b: y / a + b**2 / a * s),
        lambda y, s, lam: tweedie(y.numpy(), s.numpy(), lam),
        altered(lambda y, s, a, b: (y - b * (-b * s)) / a),
    ],
}


# --- the bound of a diffusion ----------------------------------------------------------------


def in_a_loop(lam, e, dim, kl):
    total = dim / 2 * (lam[0] - math.log(2 * math.pi)) - lam[0].exp() * e[0] / 2 - kl
    for t in range(1, len(lam)):
        total = total - (lam[t - 1].exp() - lam[t].exp()) * e[t] / 2
    return total


def by_kls(lam, e, dim, kl):
    """With torch's own Gaussians, whose steps have the variance of q."""
    at = Normal(torch.zeros(1, dtype=lam.dtype), (-lam[0] / 2).exp())
    end = dim * at.log_prob(torch.zeros(1, dtype=lam.dtype)).squeeze() - e[0] * lam[0].exp() / 2
    return end - 0.5 * torch.dot(-torch.diff(lam.exp()), e[1:]) - kl


def off(f):
    """in_a_loop plus f of the SNR, the errors, and its parts."""

    def answer(lam, e, dim, kl):
        snr = lam.exp()
        steps = 0.5 * ((snr[:-1] - snr[1:]) * e[1:]).sum()
        return in_a_loop(lam, e, dim, kl) + f(snr, e, dim, kl, steps)

    return answer


BOUND = {
    "wrong": [
        (
            lambda lam, e, d, kl: in_a_loop(lam.clamp(-10, 10), e, d, kl),
            r"This is right for log_snr cut off above 10, not for log_snr itself\.",
        ),
        (
            lambda lam, e, d, kl: in_a_loop(lam.clamp(-20, 20), e, d, kl),
            r"This is right for log_snr cut off above 20, not for log_snr itself\.",
        ),
        (
            lambda lam, e, d, kl: in_a_loop(lam[:100], e[:100], d, kl),
            "Only the first 100 entries of log_snr and error count; every entry",
        ),
        (
            lambda lam, e, d, kl: in_a_loop(lam, e, d, min(kl, 1.0)),
            r"This is right for kl_prior cut off above 1, not for kl_prior itself\.",
        ),
        (lambda *given: -in_a_loop(*given), "this is the loss"),
        (off(lambda s, e, d, kl, steps: kl), "KL of the last level"),
        (off(lambda s, e, d, kl, steps: 2 * kl), "to the prior is added"),
        (off(lambda s, e, d, kl, steps: steps), "only the ends"),
        (off(lambda s, e, d, kl, steps: 2 * steps), "steps are added; they cost"),
        (off(lambda s, e, d, kl, steps: -steps), "½ before the errors of the steps"),
        (
            off(lambda s, e, d, kl, steps: steps - 0.5 * ((s[:-1] - s[1:]) * e[:-1]).sum()),
            "less noisy end",
        ),
        (off(lambda s, e, d, kl, steps: 0.5 * s[0] * e[0]), "error of the first level is missing"),
        (off(lambda s, e, d, kl, steps: -0.5 * s[0] * e[0]), "½ before the error of the first"),
        (
            off(lambda s, e, d, kl, steps: -0.5 * d * (s[0] / (2 * math.pi)).log()),
            "constant ½ D",
        ),
        (
            off(lambda s, e, d, kl, steps: steps + 0.5 * (s.log().diff() * e[1:]).sum()),
            "differences of log SNR",
        ),
        (off(lambda s, e, d, kl, steps: steps - 0.5 * (s[1:] * e[1:]).sum()), "its own SNR"),
        (off(lambda s, e, d, kl, steps: steps - 0.5 * e[1:].sum()), "have no weights"),
        (
            off(lambda s, e, d, kl, steps: steps - steps / max(1, len(e) - 1)),
            "averaged; they add up",
        ),
        (
            off(lambda s, e, d, kl, steps: (0.5 - 0.5 * d) * (s[0] / (2 * math.pi)).log()),
            "counts one dimension",
        ),
        (off(lambda s, e, d, kl, steps: 0.5 * d * math.log(2 * math.pi)), "log 2π"),
        (off(lambda s, e, d, kl, steps: -0.5 * d * s[0].log()), "1/SNR₁, is missing"),
        (off(lambda s, e, d, kl, steps: -d * s[0].log()), "wrong sign"),
    ],
    "right": [
        in_a_loop,
        by_kls,
        lambda lam, e, dim, kl: float(in_a_loop(lam, e, dim, kl)),
        lambda lam, e, dim, kl: np.asarray(in_a_loop(lam, e, dim, kl)),
    ],
}

CORPUS = {"gaussian_product": PRODUCT, "denoised": DENOISED, "denoising_bound": BOUND}
