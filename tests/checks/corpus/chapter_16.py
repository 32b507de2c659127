"""Answers to the exercises of chapter 16, written from the exercises alone."""

import numpy as np
import torch
from scipy import special

# --- planar_log_det ----------------------------------------------------------------------------


def slope(z, w, b):
    return 1 - torch.tanh(z @ w + b) ** 2


def by_determinant(z, u, w, b):
    eye = torch.eye(len(u), dtype=z.dtype)
    return torch.stack(
        [torch.linalg.slogdet(eye + s * torch.outer(u, w))[1] for s in slope(z, w, b)]
    )


PLANAR = {
    "wrong": [
        (lambda z, u, w, b: torch.log1p(u @ w * slope(z.detach(), w, b)), "gradient reaches z"),
        (lambda z, u, w, b: torch.log1p(u @ w * slope(z, w.detach(), b)), "gradient by w"),
        (lambda z, u, w, b: (1 + u @ w * slope(z, w, b)).clamp(min=0.3).log(), "cut off at −1.2"),
        (lambda z, u, w, b: torch.log1p(u @ w * slope(z, w, b)).squeeze(), "number without axes"),
        (lambda z, u, w, b: -torch.log1p(u @ w * slope(z, w, b)), "sign is wrong"),
        (lambda z, u, w, b: 1 + u @ w * slope(z, w, b), "logarithm is missing"),
        (lambda z, u, w, b: torch.log(torch.abs(u @ w * slope(z, w, b))), "The 1 is missing|zero"),
        (lambda z, u, w, b: torch.log1p(u @ w * torch.tanh(z @ w + b)), "tanh itself"),
        (lambda z, u, w, b: torch.log1p(u @ w * (1 - torch.tanh(z @ w + b))), "square is missing"),
        (lambda z, u, w, b: torch.log1p(u @ u * slope(z, w, b)), "uᵀu"),
        (
            lambda z, u, w, b: torch.log1p(torch.outer(slope(z, w, b), u * w)).sum(1),
            "diagonal of the Jacobian",
        ),
        (lambda z, u, w, b: torch.log1p(u @ w * slope(z, w, 0)), "b is missing"),
        (lambda z, u, w, b: torch.log1p(u @ w * slope(z, w, b)).mean(), "averaged over the rows"),
        (lambda z, u, w, b: torch.log2(1 + u @ w * slope(z, w, b)), "bits"),
        (lambda z, u, w, b: torch.log1p((u @ w).detach() * slope(z, w, b)), "gradient|detached"),
        (lambda z, u, w, b: torch.log1p(u * w * slope(z, w, b)[:, None]), "shape"),
    ],
    "right": [
        by_determinant,
        lambda z, u, w, b: torch.log1p((u * w).sum() * slope(z, w, b)),
        lambda z, u, w, b: torch.log(1 + (u @ w) / torch.cosh(z @ w + b) ** 2),
        lambda z, u, w, b: torch.stack([(1 + (u * w).sum() * s).log() for s in slope(z, w, b)]),
    ],
}

# --- missing_pixels ----------------------------------------------------------------------------


def shifted(log_joint, by, more=0.0):
    weight = (log_joint - by).exp()
    return weight / (weight.sum(1, keepdim=True) + more)


MISSING = {
    "wrong": [
        (lambda a, f: shifted(a, a.max()) @ f.sigmoid(), "images 2,000 nats apart"),
        (lambda a, f: shifted(a, a.max(), 1e-8) @ f.sigmoid(), "images 2,000 nats apart"),
        (lambda a, f: shifted(a, a.mean(1, keepdim=True)) @ f.sigmoid(), "1,000 nats apart"),
        (lambda a, f: a.softmax(1) @ (f.exp() / (1 + f.exp())), "sigmoid takes any logit"),
        (lambda a, f: a.softmax(1) @ f, "mean logits"),
        (lambda a, f: torch.sigmoid(a.softmax(1) @ f), "sigmoid of the mean logit"),
        (lambda a, f: f.sigmoid()[a.argmax(1)], "One z fills in"),
        (lambda a, f: a.exp() @ f.sigmoid(), "do not sum to one"),
        (lambda a, f: a.softmax(0) @ f.sigmoid(), "softmax runs over the images|answer"),
        (lambda a, f: a @ f.sigmoid(), "weights are logarithms"),
        (
            lambda a, f: (a.exp() / a.exp().sum(1, keepdim=True)) @ f.sigmoid(),
            "subtract the largest",
        ),
        (lambda a, f: (a.softmax(1) @ f.sigmoid()).round(), "rounded"),
        (lambda a, f: f.sigmoid().mean(0).expand(len(a), -1), "Every z counts alike"),
        (lambda a, f: (a.softmax(1) @ f.sigmoid()).mean(0), "shape"),
        (lambda a, f: torch.bernoulli(a.softmax(1) @ f.sigmoid()), "random"),
    ],
    "right": [
        lambda a, f: torch.softmax(a, -1) @ torch.sigmoid(f),
        lambda a, f: torch.einsum("bg,gd->bd", (a - a.logsumexp(1, True)).exp(), f.sigmoid()),
        lambda a, f: special.softmax(a.numpy(), 1) @ special.expit(f.numpy()),
        lambda a, f: torch.stack([(row.softmax(0)[:, None] * f.sigmoid()).sum(0) for row in a]),
    ],
}

# --- unlabelled_bound --------------------------------------------------------------------------

UNLABELLED = {
    "wrong": [
        (lambda b, q: (q.exp() * b).sum(1), "entropy of q.* is missing"),
        (lambda b, q: (q.exp() * (b + q)).sum(1), "entropy is subtracted"),
        (lambda b, q: b.logsumexp(1), "best q"),
        (lambda b, q: (b + q).logsumexp(1), "log of a mean"),
        (lambda b, q: (q.exp() * (b - q)).sum(1) + np.log(b.shape[1]), "log K is added"),
        (lambda b, q: (q.exp() * (b - q - np.log(b.shape[1]))).sum(1), "log K is subtracted"),
        (lambda b, q: (b - q).mean(1), "Every label counts alike"),
        (lambda b, q: (q * (b - q)).sum(1), "weights are logarithms"),
        (lambda b, q: (q.exp() * (b - q)).mean(1), "Divided by K"),
        (lambda b, q: (q.exp() * (b - q)).sum(), "Summed over the images"),
        (lambda b, q: (q.exp() * (b - q)).sum(1).mean(), "Averaged over the images"),
        (lambda b, q: (q.exp() * (q - b)).sum(1), "this is the loss"),
        (lambda b, q: b[torch.arange(len(b)), q.argmax(1)], "most probable label"),
        (lambda b, q: (q.exp() * b - q.exp() * q.exp().log()).sum(1), "NaN|q log q|all but sure"),
        (lambda b, q: (q.exp().detach() * (b - q)).sum(1), "gradient"),
        (lambda b, q: q.exp() * (b - q), "shape"),
        (
            lambda b, q: (q.exp() * (b.exp() / q.exp()).log()).sum(1),
            "^With bounds near −5,000, .*Their exponentials are 0 there: stay in logarithms",
        ),
    ],
    "right": [
        lambda b, q: (q.exp() * b).sum(1) + torch.special.entr(q.exp()).sum(1),
        lambda b, q: torch.einsum("bk,bk->b", q.exp(), b - q),
        # By log q itself their gradients differ from ours; by what moves q they do not.
        lambda b, q: (q.exp() * b).sum(1) + torch.distributions.Categorical(logits=q).entropy(),
        lambda b, q: b.logsumexp(1) - (q.exp() * (q - b.log_softmax(1))).sum(1),
        lambda b, q: (np.exp(q.numpy()) * (b - q).numpy()).sum(1),
        lambda b, q: torch.stack([(w.exp() * (row - w)).sum() for row, w in zip(b, q)]),
    ],
}

CORPUS = {
    "planar_log_det": PLANAR,
    "missing_pixels": MISSING,
    "unlabelled_bound": UNLABELLED,
}
