"""Answers to `vc.checks.bias_free`, written before the check was read."""

import numpy as np
import torch
from scipy import optimize, stats


def line(n, d, degree=1):
    return np.polyfit(n, d, degree)


def by_hand(sizes, distances):
    u = [1 / float(n) for n in sizes]
    d = [float(v) for v in distances]
    a, b = sum(u) / len(u), sum(d) / len(d)
    slope = sum((p - a) * (q - b) for p, q in zip(u, d)) / sum((p - a) ** 2 for p in u)
    return b - slope * a


def with_lstsq(sizes, distances):
    design = torch.stack([torch.ones(len(sizes), dtype=torch.float64), 1 / sizes.double()], 1)
    return torch.linalg.lstsq(design, distances.double()[:, None]).solution[0]


def with_curve(sizes, distances):
    found, _ = optimize.curve_fit(
        lambda n, d, c: d + c / n, sizes.numpy().astype(float), distances.numpy()
    )
    return found[0]


def from_two_ends(sizes, distances):
    """Of any two points the line through them, averaged over the least bias."""
    i, j = sizes.argmin(), sizes.argmax()
    return (sizes[j] * distances[j] - sizes[i] * distances[i]) / (sizes[j] - sizes[i])


def in_place(sizes, distances):
    distances -= distances.mean()
    return by_hand(sizes, distances)


def first_and_last(s, d):
    return (s[-1] * d[-1] - s[0] * d[0]) / (s[-1] - s[0])


def weighted(n, d):
    line = np.polyfit(n.numpy(), (n * d).numpy(), 1, w=1 / n.numpy())
    return line[0]


def of_products(n, d):
    return (n * d - (n * d).mean()) @ (n - n.mean()) / ((n - n.mean()) ** 2).sum()


def near_zero(sizes, distances):
    value = float(by_hand(sizes, distances))
    return 0.0 if abs(value) < 0.5 else value


def cut_inverse(sizes, distances):
    at = 1 / np.asarray(sizes, dtype=float)
    matrix = np.stack([np.ones_like(at), at], 1)
    return (np.linalg.pinv(matrix, rcond=1e-3) @ np.asarray(distances))[0]


WRONG = [
    (near_zero, "."),
    (cut_inverse, "up to 3,000"),
    (lambda n, d: of_products(n, d), "Got: Long"),
    (lambda s, d: line(np.asarray(s) ** -1, np.asarray(d))[1], "whole numbers as sizes"),
    (lambda s, d: line(s.numpy(), d.numpy())[1], "against n; take 1/n"),
    (lambda s, d: line(1 / s.numpy(), d.numpy())[0], "the slope of the line"),
    (lambda s, d: d.mean(), "mean"),
    (lambda s, d: d.min(), "This is the smallest distance"),
    (lambda s, d: d[-1], "This is the distance measured last"),
    (lambda s, d: d[s.argmax()], "at the largest n"),
    (
        lambda s, d: line(
            s.log().numpy() if s.is_floating_point() else s.double().log().numpy(), d.numpy()
        )[1],
        "against log n",
    ),
    (
        lambda s, d: line(s.double().rsqrt().numpy(), d.numpy())[1],
        "The line is through distance against",
    ),
    (
        lambda s, d: line(s.double().pow(-2).numpy(), d.numpy())[1],
        "The line is through distance against",
    ),
    (
        lambda s, d: line(1 / s.numpy(), d.log().numpy())[1],
        "The logarithm of the distance is fitted; the distance itself is a",
    ),
    (lambda s, d: max(float(by_hand(s, d)), 0.0), "The answer is cut off at 0; beyond"),
    (lambda s, d: -by_hand(s, d), "sign"),
    (lambda s, d: (d / s).sum() / (1 / s).sum(), "This is a weighted mean of biased"),
    (lambda s, d: (d * s).sum() / s.sum(), "This is a weighted mean of biased"),
    (lambda s, d: d - 1 / s, r"The answer has shape \[4\]; it must"),
    (lambda s, d: line(1 / s.numpy(), d.numpy()), r"The answer has shape \[2\]; it must be"),
    (lambda s, d: line(1 / s.numpy(), d.numpy(), 0)[0], "mean"),
    (
        lambda s, d: by_hand(s, d) + 1e-3 * d[0],
        "our answer is .* where .* is right",
    ),
    (lambda s, d: stats.linregress(1 / s.numpy(), d.numpy()).rvalue, "our answer is"),
    (in_place, "in place"),
    (lambda s, d: torch.tensor(by_hand(s, d)).round(decimals=1), "rounded"),
    (lambda s, d: (d[-1] + d[-2]) / 2, "our answer is"),
    (lambda n, d: d[-1], "measured last"),
    (lambda n, d: d.mean(), "mean of the distances"),
    (lambda n, d: np.polyfit(1 / n.numpy(), d.numpy(), 1)[0], "slope"),
    (lambda n, d: np.polyfit(n.numpy(), d.numpy(), 1)[1], "against n"),
    (lambda n, d: (n[-1] * d[-1] - n[0] * d[0]) / (n[-1] - n[0]), "does not count"),
    (lambda n, d: np.polyfit(1 / n.numpy() ** 0.5, d.numpy(), 1)[1], "√n"),
    (lambda n, d: max(0.0, np.polyfit(1 / n.numpy(), d.numpy(), 1)[1]), "cut off at 0"),
    (lambda n, d: np.polyfit(1 / n.numpy(), d.numpy(), 1), "has shape"),
    (lambda n, d: 5.0, "whatever the arguments are"),
    (lambda n, d: d.min(), "smallest"),
]
RIGHT = [
    by_hand,
    with_lstsq,
    with_curve,
    lambda s, d: stats.linregress(1 / s.numpy(), d.numpy()).intercept,
    lambda s, d: np.polynomial.Polynomial.fit(1 / s.numpy(), d.numpy(), 1)(0.0),
    lambda s, d: line(s.double().numpy(), (s * d).numpy())[0],
    lambda sizes, distances, degree=1: torch.tensor(
        line(1 / sizes.double().numpy(), distances.numpy(), degree)[-1]
    ),
    weighted,
    lambda n, d: np.polyfit(1 / n.numpy(), d.numpy(), 1)[-1],
    lambda n, d: torch.linalg.lstsq(torch.stack([1 / n, 1 + 0 * n], 1), d[:, None]).solution[1],
    lambda n, d: np.polynomial.Polynomial.fit(1 / n.numpy(), d.numpy(), 1)(0.0),
    lambda n, d: of_products(n.double(), d.double()),
]
