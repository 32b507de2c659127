"""The check of chapter 05: right answers pass in any style, and each wrong one is named."""

import numpy as np
import pytest
import torch

import vaecourse as vc
from vaecourse.checks.answers import Mistake
from vaecourse.inference.posteriors import linear_posterior


def precision(W, a, b):
    return a * torch.eye(W.shape[1], dtype=W.dtype) + b * W.T @ W


def textbook(x, W, a, b):
    covariance = torch.linalg.inv(precision(W, a, b))
    return b * covariance @ W.T @ x, covariance


def by_conditioning(x, W, a, b):
    gain = torch.linalg.solve(W @ W.T / a + torch.eye(len(x)) / b, W / a).T
    return [gain @ x, torch.eye(W.shape[1]) / a - gain @ W / a]


def one_observation_at_a_time(x, W, a, b):
    mean, covariance = torch.zeros(W.shape[1]).double(), torch.eye(W.shape[1]).double() / a
    for value, row in zip(x, W, strict=True):
        gain = covariance @ row / (row @ covariance @ row + 1 / b)
        mean = mean + gain * (value - row @ mean)
        covariance = covariance - torch.outer(gain, row @ covariance)
    return mean, covariance


def by_singular_values(x, W, a, b):
    _, s, vt = np.linalg.svd(W.numpy())
    spectrum = np.zeros(W.shape[1])
    spectrum[: len(s)] = s**2
    covariance = vt.T @ np.diag(1 / (a + b * spectrum)) @ vt
    return b * covariance @ (W.numpy().T @ x.numpy()), covariance


def in_single_precision(x, W, a, b):
    return textbook(x.float(), W.float(), a, b)


@pytest.mark.parametrize(
    "fn",
    [
        textbook,
        by_conditioning,
        one_observation_at_a_time,
        by_singular_values,
        in_single_precision,
        linear_posterior,
    ],
)
def test_a_right_posterior_passes_in_any_style(fn):
    assert vc.checks.linear_gaussian_posterior(fn).startswith("Right:")


def with_covariance(covariance):
    """A function whose covariance is this one of (W, a, b), and whose mean follows from it."""

    def fn(x, W, a, b):
        matrix = covariance(W, a, b)
        return b * matrix @ W.T @ x, matrix

    return fn


def with_mean(mean):
    """A function with the right covariance, and this mean of (x, W, a, b, covariance)."""

    def fn(x, W, a, b):
        covariance = textbook(x, W, a, b)[1]
        return mean(x, W, a, b, covariance), covariance

    return fn


def eye(W):
    return torch.eye(W.shape[1], dtype=W.dtype)


inv = torch.linalg.inv

WRONG = [
    (with_covariance(lambda W, a, b: inv(a + b * W.T @ W)), "diagonal only: αI"),
    (with_covariance(lambda W, a, b: 1 / (a + b * W.T @ W)), "α stands for αI"),
    (with_covariance(lambda W, a, b: 1 / precision(W, a, b)), "inverted as a whole"),
    (with_covariance(precision), "This is the precision"),
    (with_covariance(lambda W, a, b: inv(precision(W, b, a))), "are exchanged"),
    (with_covariance(lambda W, a, b: inv(precision(W, 1 / a, 1 / b))), "α and β are precisions"),
    (with_covariance(lambda W, a, b: inv(precision(W, 1 / a, b))), "α is a precision"),
    (with_covariance(lambda W, a, b: inv(precision(W, a, 1 / b))), "β is a precision"),
    (with_covariance(lambda W, a, b: inv(precision(W, a**2, b**2))), "do not square"),
    (with_covariance(lambda W, a, b: inv(b * W.T @ W)), "prior is missing"),
    (with_covariance(lambda W, a, b: torch.linalg.pinv(b * W.T @ W)), "prior is missing"),
    (with_covariance(lambda W, a, b: inv(precision(W, 1, b))), "taken to be 1"),
    (with_covariance(lambda W, a, b: inv(precision(W, a, 1))), "β is missing: each"),
    (with_covariance(lambda W, a, b: inv(precision(W, a, -b))), "precisions add"),
    (
        with_covariance(lambda W, a, b: eye(W) / a + inv(b * W.T @ W)),
        "covariances do not",
    ),
    (with_covariance(lambda W, a, b: eye(W) / a), "covariance of the prior"),
    (
        with_covariance(lambda W, a, b: inv(precision(W, a, b)).diagonal().diag()),
        "off-diagonal entries are missing",
    ),
    (
        with_covariance(lambda W, a, b: inv(precision(W, a, b).diagonal().diag())),
        "inverted the diagonal only",
    ),
    (
        with_covariance(lambda W, a, b: torch.linalg.cholesky(inv(precision(W, a, b)))),
        "Cholesky factor",
    ),
    (with_covariance(lambda W, a, b: inv(precision(W, a, b)) * 1.01), "our answer is|everywhere"),
    (with_mean(lambda x, W, a, b, S: S @ W.T @ x), "β is missing in the mean"),
    (with_mean(lambda x, W, a, b, S: a * S @ W.T @ x), "α stands where β"),
    (with_mean(lambda x, W, a, b, S: S @ W.T @ x / b), "β divides"),
    (with_mean(lambda x, W, a, b, S: b * W.T @ x), "covariance is missing"),
    (with_mean(lambda x, W, a, b, S: W.T @ x), "This is Wᵀx"),
    (with_mean(lambda x, W, a, b, S: b * inv(S) @ W.T @ x), "multiplied by the precision"),
    (with_mean(lambda x, W, a, b, S: -b * S @ W.T @ x), "sign of the mean"),
    (with_mean(lambda x, W, a, b, S: torch.linalg.pinv(W) @ x), "least-squares"),
    (with_mean(lambda x, W, a, b, S: torch.zeros(W.shape[1])), "mean of the prior"),
    (with_mean(lambda x, W, a, b, S: b * S.diagonal() * (W.T @ x)), "Only the diagonal"),
    (with_mean(lambda x, W, a, b, S: b**2 * S @ W.T @ x), "β enters twice"),
    (
        with_mean(lambda x, W, a, b, S: b / (a + b) * torch.linalg.pinv(W) @ x),
        r"f\(z\) = z only",
    ),
    (with_mean(lambda x, W, a, b, S: W @ (b * S @ W.T @ x)), "mean has D entries"),
    (with_mean(lambda x, W, a, b, S: (b * S @ W.T @ x)[:, None]), "sum without keepdim"),
    (with_mean(lambda x, W, a, b, S: b * S @ W.T @ x + 0.1), "our answer is|everywhere"),
    (lambda x, W, a, b: textbook(x, W, a, b)[::-1], "wrong order"),
    (
        lambda x, W, a, b: (textbook(x, W, a, b)[0], textbook(x, W, a, b)[1].diagonal()),
        "one number a latent",
    ),
    (
        lambda x, W, a, b: (W.T @ x, inv(a * torch.eye(len(x)) + b * W @ W.T)),
        r"covariance is \[D, D\]",
    ),
    (lambda x, W, a, b: (W.T @ x, torch.ones(())), r"give \[3, 3\]"),
    (lambda x, W, a, b: textbook(x, W, a, b)[0], "return 2 things"),
    (lambda x, W, a, b: None, "returns nothing"),
    (lambda x, W, a, b: (textbook(x, W, a, b), W.mul_(2))[0], "change W in place"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG)
def test_a_wrong_posterior_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.linear_gaussian_posterior(fn)


def test_a_formula_that_needs_more_observations_than_latents_does_not_pass():
    def by_least_squares(x, W, a, b):
        fitted = torch.linalg.inv(W.T @ W) @ W.T @ x if len(x) >= W.shape[1] else W.T @ x
        covariance = torch.linalg.inv(precision(W, a, b))
        return covariance @ (b * W.T @ W @ fitted), covariance

    with pytest.raises(Mistake):
        vc.checks.linear_gaussian_posterior(by_least_squares)
