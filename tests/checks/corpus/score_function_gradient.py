"""Answers to `vc.checks.score_function_gradient`, written before the check was read."""

import numpy as np
import torch
from torch.distributions import Normal


def others(v):
    return (v.sum() - v) / (len(v) - 1)


def exact(values, z, loc, log_var):
    return (values - others(values))[:, None] * (z - loc) / log_var.exp()


def in_place(values, z, loc, log_var):
    values -= others(values)
    return values[:, None] * (z - loc) / log_var.exp()


def by_loops(values, z, loc, log_var):
    out = torch.zeros_like(z)
    for s in range(len(z)):
        base = sum(values[t] for t in range(len(z)) if t != s) / (len(z) - 1)
        for j in range(z.shape[1]):
            out[s, j] = (values[s] - base) * (z[s, j] - loc[j]) / torch.exp(log_var[j])
    return out


def by_autograd(values, z, loc, log_var):
    means = loc.detach().clone().expand(z.shape).clone().requires_grad_()
    with torch.enable_grad():
        log_q = Normal(means, (0.5 * log_var).exp()).log_prob(z).sum()
        score = torch.autograd.grad(log_q, means)[0]
    return (values - others(values))[:, None] * score


def by_matrix(values, z, loc, log_var):
    n = len(values)
    centre = (torch.eye(n, dtype=z.dtype) * n - 1) / (n - 1)
    return torch.einsum("st,t,sj->sj", centre, values, (z - loc) * (-log_var).exp())


def one_baseline_for_all(values, z, loc, log_var):
    return (values - others(values)[0])[:, None] * (z - loc) / log_var.exp()


def score(f, z, m, v):
    others = (f.sum() - f) / (len(f) - 1)
    return (f - others)[:, None] * (z - m) / v.exp()


def score_alone(z, loc, log_var):
    return (z - loc) / log_var.exp()


def with_score(other_score):
    return lambda f, z, m, v: (f - others(f))[:, None] * other_score(z, m, v)


WRONG = [
    (lambda v, z, m, w: v[:, None] * (z - m) / w.exp(), "baseline"),
    (
        lambda v, z, m, w: (v - v.mean())[:, None] * (z - m) / w.exp(),
        "The mean includes the sample's own",
    ),
    (
        lambda v, z, m, w: (v - others(v))[:, None] * (z - m) / (0.5 * w).exp(),
        "The score divides by σ², the variance",
    ),
    (
        lambda v, z, m, w: (v - others(v))[:, None] * (z - m) * w.exp(),
        "You multiplied by the variance; the",
    ),
    (
        lambda v, z, m, w: (v - others(v))[:, None] * (z - m),
        r"The score is \(z − loc\)/σ²; you left",
    ),
    (lambda v, z, m, w: (v - others(v))[:, None] * (m - z) / w.exp(), "The sign is wrong"),
    (lambda v, z, m, w: (others(v) - v)[:, None] * (z - m) / w.exp(), "sign"),
    (lambda v, z, m, w: exact(v, z, m, w).mean(0), "You averaged over the samples; give"),
    (lambda v, z, m, w: exact(v, z, m, w) / len(v), "You divided by S"),
    (
        lambda v, z, m, w: (v - others(v)) * (z - m) / w.exp(),
        r"Two shapes do not fit together \(The",
    ),
    (
        lambda v, z, m, w: 0.5 * (v - others(v))[:, None] * ((z - m) ** 2 / w.exp() - 1),
        "This is the gradient by log_var; the",
    ),
    (
        lambda v, z, m, w: (v - v.sum() + v)[:, None] * (z - m) / w.exp(),
        "The baseline is the sum of the others",
    ),
    (
        lambda v, z, m, w: (v - v.roll(1))[:, None] * (z - m) / w.exp(),
        "The baseline is another draw's value; take the mean of all the",
    ),
    (
        lambda v, z, m, w: (v - v.median())[:, None] * (z - m) / w.exp(),
        "The baseline is the median of all",
    ),
    (
        lambda v, z, m, w: ((v - v.mean()) / v.std())[:, None] * (z - m) / w.exp(),
        r"The values are divided by their deviation; keep them\.",
    ),
    (
        lambda v, z, m, w: (v - others(v))[:, None] * (z - m) / w,
        "You divided by log_var itself; the",
    ),
    (lambda v, z, m, w: (z - m) / w.exp(), "This is the score alone; multiply it"),
    (lambda v, z, m, w: exact(v, z, m, w).sum(1), "You summed over the latents; each of"),
    (one_baseline_for_all, "One baseline serves all samples, and holds the values of most; each"),
    (in_place, "in place"),
    (
        lambda v, z, m, w: (v - (v.sum() - v) / len(v))[:, None] * (z - m) / w.exp(),
        "The others are S − 1 in number; you",
    ),
    (lambda f, z, m, v: f[:, None] * (z - m) / v.exp(), "baseline is missing"),
    (lambda f, z, m, v: (f - f.mean())[:, None] * (z - m) / v.exp(), "own value"),
    (lambda f, z, m, v: score(f, z, m, v).mean(0), "averaged over the samples"),
    (lambda f, z, m, v: score(f, z, m, 2 * v), "read log_var as log σ"),
    (lambda f, z, m, v: score(f, z, m, v / 2), "divided by σ"),
    (lambda f, z, m, v: -score(f, z, m, v), "sign is wrong"),
    (lambda f, z, m, v: (f - f.median())[:, None] * (z - m) / v.exp(), "median"),
    (lambda f, z, m, v: score(f, z.sub_(m), 0 * m, v), "change z in place"),
    (
        lambda f, z, m, v: score(f, z, m, v.clamp(-2, 2)),
        "This is right for log_var cut off at −2 and 2, not for log_var",
    ),
    (lambda f, z, m, v: score(f, z, m, v).sum(), "one number"),
    (lambda f, z, m, v: 3 * score(f, z, m, v), "3 times"),
    (lambda f, z, m, v: torch.autograd.grad(f.sum(), z)[0], "nothing requires one"),
    (with_score(lambda z, m, v: ((z - m) ** 2 / v.exp() - 1) / (v / 2).exp()), "gradient by σ"),
    (
        lambda f, z, m, v: others(f)[:, None] * score_alone(z, m, v),
        r"f\(z\) itself is missing",
    ),
    (
        lambda f, z, m, v: (f + others(f))[:, None] * score_alone(z, m, v),
        "added; subtract it",
    ),
    (
        lambda f, z, m, v: f[:, None] * score_alone(z, m, v) - others(f)[:, None],
        "multiplied by the score too",
    ),
    (lambda *a: exact(*a).sum(0), "summed over the samples"),
    (lambda *a: exact(*a).mean(), "one number"),
    (lambda *a: exact(*a).T, "turned over"),
]
RIGHT = [
    by_loops,
    by_autograd,
    by_matrix,
    lambda v, z, m, w: len(v) / (len(v) - 1) * (v - v.mean())[:, None] * (z - m) / w.exp(),
    lambda v, z, m, w: exact(v.float(), z.float(), m.float(), w.float()),
    lambda v, z, m, w: ((v - others(v)).numpy()[:, None] * (z - m).numpy()) * np.exp(-w.numpy()),
    lambda values, z, loc, log_var, baseline=others: (
        (values - baseline(values)).unsqueeze(-1) * ((z - loc) / log_var.exp())
    ),
    lambda f, z, m, v: len(f) / (len(f) - 1) * (f - f.mean())[:, None] * (z - m) * (-v).exp(),
    lambda f, z, m, v: score(f, z, m, v).numpy(),
    lambda f, z, m, v: torch.stack(
        [
            (f[i] - torch.cat([f[:i], f[i + 1 :]]).mean()) * (z[i] - m) / v.exp()
            for i in range(len(f))
        ]
    ),
]
