"""Answers to chapter 15, written from the exercises, before the checks were read."""

import math
from itertools import takewhile

import numpy as np
import torch

# --- water-filling ---------------------------------------------------------------------------


def fill(v, level):
    return sum(0.5 * math.log(max(s / level, 1)) for s in v.tolist()), v.clamp(max=level).sum()


def fill_with_log_of_0(v, w):
    return sum(max(0, 0.5 * math.log(s / w)) for s in v.tolist()), v.clamp(max=w).sum()


def fill_without_equal_ones(v, w):
    return 0.5 * (v[v > w] / w).log().sum(), w * (v > w).sum() + v[v < w].sum()


def fill_up_to_the_last_dry_one(v, w):
    dry = (v > w).nonzero()
    return 0.5 * (v[: dry.max() + 1 if len(dry) else 0] / w).log().sum(), fill(v, w)[1]


def fill_of_a_set(v, w):
    return fill(torch.tensor(sorted(set(v.tolist())), dtype=v.dtype), w)


WATER = {
    "wrong": [
        (lambda v, w: (0.5 * (v / w).log().sum(), v.clamp(max=w).sum()), "negative rate"),
        (lambda v, w: (2 * fill(v, w)[0], fill(v, w)[1]), "½ is missing"),
        (lambda v, w: (fill(v, w)[0] / math.log(2), fill(v, w)[1]), "in bits"),
        (lambda v, w: (-fill(v, w)[0], fill(v, w)[1]), "upside down"),
        (lambda v, w: (0.5 * (1 + v / w).log().sum(), fill(v, w)[1]), "capacity"),
        (lambda v, w: (fill(v, w)[0], w * len(v)), "counts for every direction"),
        (lambda v, w: (fill(v, w)[0], w * (v > w).sum()), "keeps its whole variance"),
        (lambda v, w: (fill(v, w)[0], v[v <= w].sum()), "equal to the level"),
        (lambda v, w: (fill(v, w)[0], v.clamp(min=w).sum()), "swapped"),
        (lambda v, w: (fill(v, w)[0], v.clamp(max=w).mean()), "averaged over the directions"),
        (lambda v, w: fill(v, w)[0], "2 things"),
        (lambda v, w: fill(v, w)[::-1], "wrong order: return rate first"),
        (lambda v, w: (fill(v, w)[0], (v - w).clamp(min=0).sum()), "stands out of the water"),
        (lambda v, w: (fill(v.sum()[None], w)[0], fill(v, w)[1]), "summed before the logarithm"),
        (lambda v, w: (0.5 * (v / w).log().clamp_(min=0), v.clamp_(max=w)), "change variances"),
        (lambda v, w: (0.5 * (w / v).log().relu().sum(), fill(v, w)[1]), "upside down"),
        (
            lambda v, w: (0.5 * (v / w)[: (v > w).sum()].log().sum(), fill(v, w)[1]),
            "In rate: The first directions count, as if the variances were sorted",
        ),
        (
            lambda v, w: (sum(takewhile(lambda r: r > 0, 0.5 * (v / w).log())), fill(v, w)[1]),
            "In rate: The sum stops at the first direction under water, as if",
        ),
        (fill_up_to_the_last_dry_one, r"^For variances of shape \[3\], level = 0\.4, in rate, "),
        (lambda v, w: fill(v.requires_grad_(), w), "requires_grad or grad of variances"),
        (fill_with_log_of_0, "With a variance of 0: .* its rate is 0.$"),
        (lambda v, w: (0.5 * ((v > w) * (v / w).log()).sum(), fill(v, w)[1]), "variance of 0.*NaN"),
        (fill_without_equal_ones, "A variance equal to the level is left out"),
        (fill_of_a_set, "equal count once"),
        (lambda v, w: (0.5 * (v / w).log().clamp(0, 4).sum(), fill(v, w)[1]), "In rate|n rate"),
        (lambda v, w: fill(v.clamp(min=0.1), w), "from 0.0001 to 0.1"),
        (lambda v, w: fill(v, round(w, 1)), "ariances"),
        (lambda v, w: fill(v, max(w, 0.05)), "from 0.0001 to 0.1"),
        (lambda v, w: (fill(v, w)[0], fill(v, w)[1].round(decimals=2)), "rounded to 2 decimals"),
    ],
    "right": [
        fill,
        lambda v, w: (0.5 * torch.relu(torch.log(v) - math.log(w)).sum(), torch.minimum(
            v, torch.tensor(w, dtype=v.dtype)).sum()),
        lambda v, w: (
            float(0.5 * np.log(np.maximum(v.numpy() / w, 1)).sum()),
            float(np.minimum(v.numpy(), w).sum()),
        ),
        lambda v, w: (
            0.5 * torch.where(v > w, (v / w).log(), 0).sum(),
            torch.where(v > w, w, v).sum(),
        ),
        lambda v, w: [0.5 * (v[v > w] / w).log().sum(), w * (v > w).sum() + v[v <= w].sum()],
    ],
}  # fmt: skip

# --- the mutual information gap --------------------------------------------------------------


def gap(i, h):
    s = i.sort(0).values
    return ((s[-1] - s[-2]) / h).mean()


GAP = {
    "wrong": [
        (lambda i, h: (i.sort(0).values[-1] - i.sort(0).values[-2]).mean(), "not divided"),
        (lambda i, h: (i.max(0).values / h).mean(), "best latent alone"),
        (lambda i, h: gap(i, h) * i.shape[1], "summed over the factors"),
        (lambda i, h: -gap(i, h), "sign is turned"),
        (lambda i, h: ((i.max(0).values - i.min(0).values) / h).mean(), "least informative"),
        (lambda i, h: (i.sort(1).values[:, -1] - i.sort(1).values[:, 0]).mean(), "our answer|two"),
        (
            lambda i, h: (i.sort(0).values[-1] - i.sort(0).values[-2]).sum() / h.sum(),
            "summed before",
        ),
        (lambda i, h: (i.sort(0).values[-1] - i.sort(0).values[-2]) / h, "one number|averaged yet"),
        (lambda i, h: gap(i, h) / math.log(2), "times what is right"),
        (lambda i, h: None, "returns nothing"),
    ],
    "right": [
        gap,
        lambda i, h: (torch.diff(i.sort(0, descending=True).values[:2], dim=0)[0] / -h).mean(),
        lambda i, h: float(
            np.mean((np.sort(i.numpy(), 0)[-1] - np.sort(i.numpy(), 0)[-2]) / h.numpy())
        ),
        lambda i, h: (
            sum(
                (torch.topk(c, 2).values[0] - torch.topk(c, 2).values[1]) / e
                for c, e in zip(i.T, h)
            )
            / len(h)
        ),
    ],
}

# --- a code of words -------------------------------------------------------------------------


def summed(a, k):
    n = math.log(a.shape[1])
    return torch.logsumexp(a, 1) - n, a[torch.arange(len(a)), k] - n


def chosen(a, k):
    return a.gather(1, k[:, None])


WORDS = {
    "wrong": [
        (lambda a, k: (torch.logsumexp(a, 1), summed(a, k)[1]), "prior is missing"),
        (lambda a, k: (a.mean(1), summed(a, k)[1]), "mean of the logarithms"),
        (lambda a, k: (summed(a, k)[0], a[range(len(a)), k]), "KL is missing"),
        (lambda a, k: (summed(a, k)[0], a.max(1).values - math.log(a.shape[1])), "likeliest"),
        (lambda a, k: (a.max(1).values, summed(a, k)[1]), "best word alone"),
        (lambda a, k: (summed(a, k)[0], a[range(len(a)), k] + math.log(a.shape[1])), "is added"),
        (lambda a, k: (a.exp().mean(1).log(), summed(a, k)[1]), "∞|near −2,000|logsumexp"),
        (lambda a, k: (summed(a, k)[0].mean(), summed(a, k)[1].mean()), "reduced|averaged"),
        (lambda a, k: (summed(a, k)[0], a[range(len(a)), k] - math.log2(a.shape[1])), "bits"),
        (lambda a, k: summed(a, k)[0], "2 things"),
        (lambda a, k: (summed(a, k)[1],) * 2, "This is the bound, which has the chosen word alone"),
        (lambda a, k: (summed(a, k)[0], summed(a, k)[0] - summed(a, k)[1]), "This is the gap"),
        (lambda a, k: (summed(a, k)[0], chosen(a.log_softmax(1), k)[:, 0]), "posterior at the"),
        (lambda a, k: (summed(a, k)[0], a[:, 0] - math.log(a.shape[1])), "the first word"),
        (lambda a, k: (a.logsumexp(1) - a.shape[1], summed(a, k)[1]), "subtracted K; it is log K"),
        (lambda a, k: (a.logsumexp(1) / a.shape[1], summed(a, k)[1]), "divided by K; subtract log"),
        (lambda a, k: ((a.softmax(1) * a).sum(1), summed(a, k)[1]), "averaged with weights p"),
        (lambda a, k: summed(a, k)[::-1], "evidence|our answer"),
        (
            lambda a, k: (
                (a - chosen(a, k)).exp().mean(1).log() + chosen(a, k)[:, 0],
                summed(a, k)[1],
            ),
            "Where the chosen word is the worst by far",
        ),
        (
            lambda a, k: (
                summed(a, k)[1] - chosen(a.softmax(1), k)[:, 0].log(),
                summed(a, k)[1],
            ),
            "Where the chosen word is the worst by far",
        ),
        (lambda a, k: [p.squeeze() for p in summed(a, k)], "alone|With one row"),
    ],
    "right": [
        summed,
        torch.no_grad()(summed),
        lambda a, k: tuple(part.detach() for part in summed(a, k)),
        lambda a, k: [(a - math.log(a.shape[1])).logsumexp(1), summed(a, k)[1]],
        lambda a, k: (
            np.logaddexp.reduce(a.numpy(), axis=1) - np.log(a.shape[1]),
            np.take_along_axis(a.numpy(), k.numpy()[:, None], 1)[:, 0] - np.log(a.shape[1]),
        ),
        lambda a, k: (
            a.max(1).values + (a - a.max(1, keepdim=True).values).exp().mean(1).log(),
            a.gather(1, k.unsqueeze(1)).squeeze(1) - torch.tensor(a.shape[1]).log(),
        ),
    ],
}

# --- the gradient of an average over words ---------------------------------------------------


def slope(a, f):
    q = torch.softmax(a, 1)
    return q * f - q * (q * f).sum(1, keepdim=True)


def slope_by_autograd(a, f):
    a = a.clone().requires_grad_()
    with torch.enable_grad():
        total = (a.softmax(1) * f).sum()
    return torch.autograd.grad(total, a)[0]


SLOPE = {
    "wrong": [
        (lambda a, f: a.softmax(1) * f, "mean is not subtracted"),
        (lambda a, f: f - (a.softmax(1) * f).sum(1, keepdim=True), "q_k is missing"),
        (lambda a, f: -slope(a, f), "sign is turned"),
        (lambda a, f: f, "by q_k"),
        (lambda a, f: a.softmax(1) * (f - f.mean(1, keepdim=True)), "plain mean"),
        (lambda a, f: slope(a, f).mean(0), "has shape|rows"),
        (lambda a, f: slope(a, f) / len(a), "averaged over the rows|batch size"),
        (lambda a, f: a.softmax(1) * (1 - a.softmax(1)) * f, "own share"),
        (lambda a, f: slope(a.T, f.T).T, "another answer alone"),
        (lambda a, f: (a.softmax(1) * f).sum(1), "has shape"),
        *(
            (lambda a, f, c=c: slope(a.clamp(-c, c), f), "logits cut off on both sides, not for")
            for c in (30, 50, 60, 200)
        ),
        (lambda a, f: slope(a.clamp(-3, 3), f), "logits cut off at −3 and 3, not for"),
        (lambda a, f: (1 + (a.shape[1] == 1)) * slope(a, f) + (a.shape[1] == 1), "With one word"),
    ],
    "right": [
        slope,
        slope_by_autograd,
        lambda a, f: torch.einsum(
            "bk,bkl->bl",
            f,
            torch.diag_embed(a.softmax(1)) - a.softmax(1)[:, :, None] * a.softmax(1)[:, None],
        ),
        lambda a, f: slope(a - a.max(), f).numpy(),
    ],
}

CORPUS = {
    "water_filling": WATER,
    "information_gap": GAP,
    "word_evidence": WORDS,
    "word_gradient": SLOPE,
}
