"""Answers to `vc.checks.reconstruction_loss`, written before the check was read."""

import math

import numpy as np
import torch
from torch.distributions import Normal
from torch.nn import functional


@torch.no_grad()
def without_graph(x, x_hat):
    return (x - x_hat).square().sum(1)


def loss(x, y):
    return (x - y).pow(2).sum(1)


def loss_with_half_a_graph(x, x_hat):
    return ((x - x_hat) * (x - x_hat.detach())).sum(-1)


WRONG = [
    (lambda x, y: functional.mse_loss(y, x, reduction="sum"), "reduced over the batch as well"),
    (functional.l1_loss, "one number for the whole batch"),
    (
        lambda x, y: functional.huber_loss(y, x, reduction="none").sum(1),
        r"Right but for one step: half a Huber loss in place of square\(x −",
    ),
    (
        lambda x, y: functional.smooth_l1_loss(y, x, reduction="none").sum(1),
        r"Right but for one step: half a Huber loss in place of square\(x −",
    ),
    (
        lambda x, y: functional.binary_cross_entropy(y, x),
        r"This is a cross-entropy; the squared error \(x − x̂\)², summed over the",
    ),
    (lambda x, y: (x - y).square().mean(0), "one for each column"),
    (lambda x, y: (x**2 - y**2).sum(1), "You squared before you subtracted"),
    (
        lambda x, y: (x - y).clamp(-1, 1).square().sum(1),
        r"Right but for one step: x − x_hat cut off at −1 and 1\.",
    ),
    (lambda x, y: (x - y).square().sum(1) / x.numel(), "divided by the number of entries"),
    (
        lambda x, y: (x - y.clamp(0, 1)).square().sum(1),
        r"This is right for x_hat cut off at 0 and 1, not for x_hat itself\.",
    ),
    (lambda x, y: y.sub_(x).square().sum(1), "change x_hat in place"),
    (lambda x, y: (x - y.data).square().sum(1), "detached"),
    (without_graph, "detached"),
    (torch.cdist, "shape"),
    (lambda x, y: torch.cdist(x, y).diagonal(), "You took the square root"),
    (lambda x, y: (x - y).square().sum(1) + 1e-3, "too large"),
    (lambda x, y: (x - y).square().sum(1).round(decimals=2), "rounded"),
    (
        lambda x, y: (x - y).pow(4).sum(1),
        "Right but for one step: the square of x − x_hat in place of x −",
    ),
    (lambda x, y: 2 * (x - y).square().sum(1), "2 times"),
    (
        lambda x, y: (x - y).square().amax(1),
        r"Right but for one step: the largest alone in place of sum\(square\(x −",
    ),
    (lambda x, y: (x - y) @ (x - y).T, "shape"),
    (lambda x, y: 1 - functional.cosine_similarity(x, y), "your answer"),
    (lambda x, y: functional.mse_loss(y, x), "the mean over images and pixels at once"),
    (lambda x, y: functional.mse_loss(y, x, reduction="sum"), "one number"),
    (lambda x, y: functional.mse_loss(y, x, reduction="none"), "The pixels are not summed yet"),
    (
        lambda x, y: functional.mse_loss(y, x, reduction="none").mean(1),
        "You took the mean over pixels",
    ),
    (lambda x, y: torch.cdist(x, y).pow(2), "shape"),
    (lambda x, y: torch.norm(x - y, dim=1), "square root"),
    (lambda x, y: functional.l1_loss(y, x, reduction="none").sum(1), "you summed absolute values"),
    (
        lambda x, y: functional.smooth_l1_loss(y, x, reduction="none").sum(1),
        r"Right but for one step: half a Huber loss in place of square\(x −",
    ),
    (lambda x, y: loss(x, y.detach()), "detached"),
    (
        lambda x, y: loss(x, y.clamp(0, 1)),
        r"This is right for x_hat cut off at 0 and 1, not for x_hat itself\.",
    ),
    (lambda x, y: loss(x.sub_(y), 0), "You change x in place"),
    (lambda x, y: (x**2 - y**2).sum(1), "before you subtracted"),
    (lambda a, b: (a - b).sum(-1), "The square is missing: plain differences x − x̂"),
    (lambda a, b: (b - a).sum(-1), "plain differences x̂ − x cancel"),
    (lambda a, b: (a - b).square().mean(-1).sqrt(), "root of the mean square"),
    (lambda a, b: (a - b).sum(-1).square(), "You squared after the sum"),
    (lambda a, b: -(a - b).square().sum(-1), "The sign is wrong"),
    (lambda a, b: (a - b).square().sum(0), "You reduced over the wrong axis"),
    (lambda a, b: (a - b).square().sum(-1, keepdim=True), "sum without keepdim"),
    (lambda a, b: 0.5 * (a - b).square().sum(-1), "a factor ½ too much"),
    (lambda a, b: (a - b).square().sum(-1) / len(a), "by the number of images"),
    (loss_with_half_a_graph, "not the gradient by x_hat"),
    (lambda a, b: a.square().sum(-1), "This is right for x_hat = 0"),
    (lambda a, b: (a - b)[:, :2].square().sum(-1), "Only the first 2 columns"),
    (lambda a, b: (a - b).square().sum(-1).repeat(2), r"shape \[10\]"),
    (lambda a, b: (a - b).square().sum(-1).mean(), r"as well \(the mean\)"),
    (lambda a, b: (a - b).square().sum(-1).squeeze(), "a number without axes"),
]
RIGHT = [
    lambda x, y: torch.cdist(x[:, None], y[:, None]).flatten() ** 2,
    lambda x, y: ((x.numpy() - y.numpy()) ** 2).sum(axis=1),
    lambda x, y: -Normal(y, 0.5**0.5).log_prob(x).sum(1) - x.shape[1] * 0.5 * math.log(math.pi),
    lambda x, y: (x - y).pow(2) @ torch.ones(x.shape[1], dtype=x.dtype),
    lambda x, y: torch.func.vmap(lambda a, b: (a - b) @ (a - b))(x, y),
    lambda x, y: torch.bmm((x - y)[:, None], (x - y)[:, :, None]).flatten(),
    lambda x, x_hat, power=2: (x - x_hat).abs().pow(power).flatten(1).sum(dim=1),
    lambda x, y: [((a - b) ** 2).sum() for a, b in zip(x, y)],
    lambda x, y: torch.einsum("bd,bd->b", x - y, x - y),
    lambda x, y: (x - y).norm(dim=1) ** 2,
    lambda x, y: x.shape[1] * ((y - x) ** 2).mean(1),
    lambda x, y: np.sum((x.numpy() - y.numpy()) ** 2, axis=1),
    lambda x, y: torch.stack([(a - b) @ (a - b) for a, b in zip(x, y)]),
    lambda x_in, y_hat, reduce=torch.sum: reduce((x_in - y_hat) ** 2, -1),
    lambda x, y: (x * x - 2 * x * y + y * y).sum(1),
    lambda x, y: (x.float() - y.float()).square().sum(1),
]
