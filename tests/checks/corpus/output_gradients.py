"""Answers to `vc.checks.output_gradients`, written before the check was read."""

import math

import torch
from torch.distributions import Normal


def exact(x, m, v):
    return (m - x) / v.exp(), 0.5 * (1 - (x - m) ** 2 / v.exp())


def by_autograd(x, mean, log_var):
    m, v = mean.detach().clone().requires_grad_(), log_var.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = -Normal(m, (v / 2).exp()).log_prob(x).sum()
    return torch.autograd.grad(loss, (m, v))


def by_func(x, mean, log_var):
    def loss(m, v, a):
        return 0.5 * (v + (a - m) ** 2 * torch.exp(-v))

    each = torch.func.vmap(torch.func.vmap(torch.func.grad(loss, argnums=(0, 1))))
    return each(mean, log_var, x)


def by_loops(x, mean, log_var):
    first, second = torch.zeros_like(x), torch.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            t = (mean[i, j] - x[i, j]) * math.exp(-log_var[i, j])
            first[i, j], second[i, j] = t, 0.5 - 0.5 * t * (mean[i, j] - x[i, j])
    return first, second


def by_differences(x, m, v, h=1e-5):
    def loss(m, v):
        return 0.5 * (v + (x - m) ** 2 / v.exp())

    return (loss(m + h, v) - loss(m - h, v)) / 2 / h, (loss(m, v + h) - loss(m, v - h)) / 2 / h


def in_place(x, m, v):
    m -= x
    return m / v.exp(), 0.5 * (1 - m**2 / v.exp())


def slopes(x, m, v):
    return (m - x) / v.exp(), 0.5 - 0.5 * (m - x) ** 2 / v.exp()


def plain_by_autograd(x, m, v):
    m, v = m.clone().requires_grad_(), v.clone().requires_grad_()
    with torch.enable_grad():
        loss = 0.5 * (v + (x - m) ** 2 / v.exp()).sum()
    return torch.autograd.grad(loss, (m, v))


def of_the_callers(x, mean, log_var):
    mean.requires_grad_(), log_var.requires_grad_()
    (0.5 * (log_var + (x - mean) ** 2 * (-log_var).exp())).sum().backward()
    return mean.grad, log_var.grad


def in_bounds(x, m, v):
    error = (m - x).clamp(-10, 10)
    return error / v.exp(), 0.5 * (1 - error**2 / v.exp())


def spread(which):
    def fn(x, m, v):
        pair = list(exact(x, m, v))
        pair[which] = pair[which].sum(1, keepdim=True).expand_as(x)
        return tuple(pair)

    return fn


WRONG = [
    (spread(0), "In the derivative by mean: The derivative is summed, and one sum spread"),
    (spread(1), "In the derivative by log_var: The derivative is summed, and one sum spread"),
    (
        lambda x, m, v: exact(x, m, v.clamp(-15, 15)),
        "right for log_var cut off below −15",
    ),
    (lambda x, m, v: ((x - m) / v.exp(), exact(x, m, v)[1]), "sign"),
    (lambda x, m, v: (exact(x, m, v)[0], -exact(x, m, v)[1]), "sign"),
    (lambda x, m, v: tuple(-part for part in exact(x, m, v)), "sign"),
    (lambda x, m, v: ((m - x) / (0.5 * v).exp(), exact(x, m, v)[1]), "divide by σ²"),
    (lambda x, m, v: ((m - x), exact(x, m, v)[1]), "The variance is missing; the error"),
    (
        lambda x, m, v: (2 * (m - x) / v.exp(), exact(x, m, v)[1]),
        "A factor 2 is left: the square has a ½",
    ),
    (lambda x, m, v: ((m - x) * v.exp(), exact(x, m, v)[1]), "The error is multiplied by the"),
    (
        lambda x, m, v: (exact(x, m, v)[0], 1 - (x - m) ** 2 / v.exp()),
        "A ½ is missing, before the logarithm",
    ),
    (
        lambda x, m, v: (exact(x, m, v)[0], -0.5 * (x - m) ** 2 / v.exp()),
        "The 1 is missing: the log variance",
    ),
    (
        lambda x, m, v: (exact(x, m, v)[0], 0.5 * (1 / v.exp() - (x - m) ** 2 / v.exp() ** 2)),
        "This is the derivative by σ²; log σ²",
    ),
    (
        lambda x, m, v: (exact(x, m, v)[0], 1 / (0.5 * v).exp() - (x - m) ** 2 / (1.5 * v).exp()),
        "This is the derivative by σ; log σ²",
    ),
    (
        lambda x, m, v: (exact(x, m, v)[0], 0.5 * (1 - (x - m).abs() / v.exp())),
        "error enters squared",
    ),
    (lambda x, m, v: (exact(x, m, v)[0], 0.5 * (v - (x - m) ** 2 / v.exp())), "our answer is"),
    (
        lambda x, m, v: tuple(part / len(x) for part in exact(x, m, v)),
        "Divided by the batch size; the average",
    ),
    (
        lambda x, m, v: tuple(part.sum(1) for part in exact(x, m, v)),
        "The derivative is summed; each entry",
    ),
    (
        lambda x, m, v: tuple(part.mean(0) for part in exact(x, m, v)),
        r"he derivative by mean has shape \[2\]",
    ),
    (
        lambda x, m, v: tuple(part.clamp(-1, 1) for part in exact(x, m, v)),
        "In the derivative by mean: The answer",
    ),
    (lambda x, m, v: exact(x, m, v)[::-1], "order: return the derivative by mean first"),
    (lambda x, m, v: exact(x, m, v)[0], "2 things"),
    (
        lambda x, m, v: -Normal(m, (0.5 * v).exp()).log_prob(x),
        "Your function returns a Tensor; return",
    ),
    (
        lambda x, m, v: exact(x, m, v.clamp(-5, 5)),
        "right for log_var cut off at −5 and 5",
    ),
    (in_place, "in place"),
    (lambda x, m, v: slopes(m, x, v), "The sign is turned"),
    (lambda x, m, v: slopes(x, m, v)[::-1], "wrong order"),
    (lambda x, m, v: tuple(s.sum() for s in slopes(x, m, v)), "summed"),
    (lambda x, m, v: tuple(s.mean(0) for s in slopes(x, m, v)), "has shape"),
    (lambda x, m, v: tuple(s / len(x) for s in slopes(x, m, v)), "batch size"),
    (lambda x, m, v: slopes(x, m, v.clamp(-3, 3)), "right for log_var cut off at −3 and 3"),
    (lambda x, m, v: (slopes(x, m, v)[0], 2 * slopes(x, m, v)[1]), "½ is missing"),
    (lambda x, m, v: torch.cat(slopes(x, m, v)), "2 things"),
    (lambda x, m, v: (slopes(x, m, v)[0], slopes(x, m, v)[1] / v.exp()), "by σ²"),
    (lambda x, m, v: slopes(x, m.sub_(x), v), "change mean in place"),
    (lambda x, m, v: (0.5 * slopes(x, m, v)[0], slopes(x, m, v)[1]), "A ½ is left"),
    (lambda x, m, v: [s / x.numel() for s in slopes(x, m, v)], "by B · D"),
    *(
        (lambda x, m, v, f=f: (slopes(x, m, v)[0], f((m - x) ** 2 / v.exp(), m - x, v)), words)
        for f, words in (
            (lambda s, e, v: 0.5 - s, "before the square is missing"),
            (lambda s, e, v: 1 - 0.5 * s, "before the logarithm is missing"),
            (lambda s, e, v: 0.5 + 0 * s, "The square is missing"),
            (lambda s, e, v: 0.5 + 0.5 * s, "wrong sign"),
            (lambda s, e, v: 0.5 - 0.5 * e / v.exp(), "enters squared"),
            (lambda s, e, v: 0.5 - 0.5 * e**2, "not divided by the variance"),
            (lambda s, e, v: (1 - s) / (v / 2).exp(), "by σ; log σ² was asked"),
        )
    ),
    (
        lambda x, m, v: ((m - x).sign() * slopes(x, m, v)[0].abs() * 1.1, slopes(x, m, v)[1]),
        "1.1 times",
    ),
    (lambda x, m, v: (2 * (m - x), exact(x, m, v)[1]), r"derivative of \(x − m\)²"),
    (lambda x, m, v: (exact(x, m, v)[0], 0.5 * (1 - (m - x) / v.exp())), "error enters squared"),
    (lambda x, m, v: (exact(x, m, v)[0], 0.5 * (1 - (x - m) / v.exp())), "error enters squared"),
    (lambda x, m, v: exact(x, m, v.clamp(-10, 10)), "right for log_var cut off below −10"),
    (lambda x, m, v: by_differences(x, m, v, 0.1), r"log_var, at \[0, 0\] your answer is"),
    (
        lambda x, m, v: (-exact(x, m, v)[0], exact(x, m, v)[1]),
        "^In the derivative by mean: The sig",
    ),
    (lambda x, m, v: (exact(x, m, v)[0], -exact(x, m, v)[1]), "^In the derivative by log_var: The"),
    (
        lambda x, m, v: (exact(x, m, v)[0], 0.5 * (1 - exact(x, m, v)[0] ** 2)),
        r"^In the derivative by log_var: Divided by exp\(2 log_var\)",
    ),
    (in_bounds, "mean − x cut off at −10 and 10"),
    (of_the_callers, "You change requires_grad or grad of mean"),
    (lambda x, m, v: exact(x, m, 2 * v), "as if log_var were log σ"),
    (lambda x, m, v: (x, v), "at .0, 0. your answer"),
]
RIGHT = [
    by_autograd,
    by_func,
    by_loops,
    lambda x, m, v: [part.numpy() for part in exact(x, m, v)],
    lambda x, m, v: torch.stack(exact(x, m, v)),
    lambda x, m, v: exact(x.float(), m.float(), v.float()),
    lambda x, mean, log_var, scale=1.0: tuple(scale * part for part in exact(x, mean, log_var)),
    plain_by_autograd,
    lambda x, m, v: [s.numpy() for s in slopes(x, m, v)],
    lambda x, m, v: torch.stack(slopes(x, m, v)),
    lambda x, m, v: ((m - x) * (-v).exp(), -0.5 * torch.expm1(2 * (m - x).abs().log() - v)),
]
