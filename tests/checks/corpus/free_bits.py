"""Answers to `vc.checks.free_bits`, written before the check was read."""

import math

import numpy as np
import torch
from torch.nn import functional


def exact(kl, floor):
    return kl.mean(0).clamp(min=floor).sum()


def by_loops(kl, floor):
    total = 0.0
    for column in kl.T:
        mean = sum(column) / len(column)
        total = total + (mean if mean > floor else floor)
    return total


def in_place(kl, floor):
    return kl.clamp_(min=floor).mean(0).sum()


def straight_through(kl, floor):
    mean = kl.mean(0)
    return (mean + (mean.clamp(min=floor) - mean).detach()).sum()


def floor_of(kl, f):
    return kl.mean(0).clamp(min=f).sum()


WRONG = [
    (lambda k, f: ((k.mean(0) - f).abs() + f).sum(), "below the floor it rises again"),
    (lambda k, f: k.mean(0).clamp(min=f * math.log(2)).sum(), "multiplied by ln 2"),
    (lambda kl, f: exact(kl, int(f)), "made a whole number"),
    (lambda kl, f: exact(kl.clamp(max=1000), f), "4,000 nats|cut off"),
    (
        lambda kl, f: exact(kl[:, :32], f),
        r"Only the first 32 columns of kl count; every column counts\.",
    ),
    (lambda kl, f: exact(kl[:128], f), r"Only the first 128 rows of kl count; every row counts\."),
    (lambda kl, f: exact(kl, f or 0.05), "With a floor of 0|floor"),
    (lambda k, f: k.clamp(min=f).mean(0).sum(), "The floor cuts row by row; average"),
    (lambda k, f: k.mean(0).sum().clamp(min=f), "The floor cuts the sum; every latent"),
    (lambda k, f: k.sum(1).clamp(min=f).mean(), "The floor cuts the sum of a row; every"),
    (lambda k, f: k.mean(1).clamp(min=f).sum(), "The mean runs over the latents; it"),
    (lambda k, f: k.mean(0).clamp(max=f).sum(), "max and min are swapped: this keeps"),
    (lambda k, f: (k.mean(0) - f).relu().sum(), "The floor is subtracted; the KL itself"),
    (lambda k, f: (k.mean(0) + f).sum(), "The floor is added to every latent"),
    (lambda k, f: k.mean(0).clamp(min=f).mean(), "You averaged over the latents; sum"),
    (lambda k, f: k.sum(0).clamp(min=f).sum(), "You summed over the rows; average over"),
    (
        lambda k, f: k.sum(0).clamp(min=f).sum() / len(k),
        r"The floor cuts sums over the rows; it must cut the average\.",
    ),
    (lambda k, f: k.mean(0).sum(), "No latent is held"),
    (
        lambda k, f: k.mean(0).clamp(min=f / k.shape[1]).sum(),
        "The floor is divided by the number of latents; each has the whole of",
    ),
    (
        lambda k, f: torch.where(k.mean(0) > f, k.mean(0), 0.0).sum(),
        "Below the floor a latent costs nothing",
    ),
    (lambda k, f: functional.softplus(k.mean(0) - f).add(f).sum(), "our answer is"),
    (lambda k, f: k.mean(0).clamp(min=f), "The latents are not summed yet"),
    (lambda k, f: exact(k.detach(), f), "detached"),
    (straight_through, "not the gradient by kl"),
    (lambda k, f: -exact(k, f), "sign"),
    (lambda k, f: 2 * exact(k, f), "2 times"),
    (in_place, "in place"),
    (lambda k, f: k.mean(0).clamp(min=0.5).sum(), "A floor of"),
    (
        lambda k, f: k.median(0).values.clamp(min=f).sum(),
        r"Right but for one step: the median in place of mean\(kl\)\.",
    ),
    (lambda k, f: exact(k, f) / math.log(2), "The answer is"),
    (lambda k, f: k.sum(1).clamp(min=f).mean(), "sum of a row"),
    (lambda k, f: k.mean(0).clamp(min=0.5).sum(), "0.5 is written in"),
    (lambda k, f: torch.clamp(k, min=f).sum(1).mean(), "row by row"),
    (lambda k, f: floor_of(k, f).detach(), "detached"),
    (lambda k, f: torch.maximum(k.mean(0).detach(), k.mean(0) * 0 + f).sum(), "gradient"),
    (lambda k, f: floor_of(k, f) / k.shape[1], "averaged over the latents"),
    (
        lambda k, f: k.mean().clamp(min=f),
        "The mean of all is cut; average over the rows alone, cut, then sum",
    ),
    (lambda k, f: k.mean(0).sum().clamp(min=f), "cuts the sum; every"),
    (lambda k, f: (k.mean(0) * (k.mean(0) > f)).sum(), "costs nothing here"),
    (lambda k, f: -floor_of(k, f), "sign is wrong"),
    (lambda k, f: len(k) * floor_of(k, f), "multiplied by the number of rows"),
    (lambda k, f: k.mean(0).sum().clamp(min=f * k.shape[1]), "all latents together"),
    (lambda k, f: floor_of(k.T, f), "over the latents|our answer"),
    (lambda k, f: (k.mean(0) - f).relu().sum(), "floor is subtracted"),
    (lambda k, f: floor_of(k.clamp_(min=f), f), "change kl in place"),
]
WRONG += [
    (
        lambda kl, floor: kl.mean(0).clamp(max=100).clamp(min=floor).sum(),
        "^(?!.*for kl cut off)",
    ),
    (
        lambda kl, floor: kl.mean(0).clamp(max=1000).clamp(min=floor).sum(),
        "cut off above 1,000|With a KL of up to 4,000 nats",
    ),
    (lambda kl, floor: exact(kl, floor * kl.shape[1]), "multiplied by the number of latents"),
]
RIGHT = [
    by_loops,
    lambda k, f: torch.maximum(k.mean(0), torch.full_like(k[0], f)).sum(),
    lambda k, f: f * k.shape[1] + (k.mean(0) - f).relu().sum(),
    lambda k, f: torch.einsum("bj->j", k).div(len(k)).clip(f).sum(),
    lambda k, f: np.maximum(k.numpy().mean(axis=0), f).sum(),
    lambda k, f: torch.where(k.mean(0) > f, k.mean(0), f).sum(),
    lambda kl, floor, weight=1.0: weight * functional.threshold(kl.mean(0), floor, floor).sum(),
    lambda k, f: exact(k.float(), f),
    lambda k, f: torch.where(k.mean(0) < f, f, k.mean(0)).sum(),
    lambda k, f: sum(torch.clamp(c.mean(), min=f) for c in k.T),
    lambda k, f: torch.nn.functional.relu(k.mean(0) - f).sum() + f * k.shape[1],
    lambda k, f: float(np.maximum(k.numpy().mean(0), f).sum()),
    lambda k, f: torch.stack([max(m, torch.tensor(f, dtype=k.dtype)) for m in k.mean(0)]).sum(),
    lambda k, f: torch.max(k.mean(0), torch.tensor(f, dtype=k.dtype)).sum(),
]
