"""Answers to `vc.checks.linear_gaussian_posterior`, written before the check was read."""

import collections

import numpy as np
import torch
from torch.distributions import MultivariateNormal

Posterior = collections.namedtuple("Posterior", "mean covariance log_evidence")


def eye(n):
    return torch.eye(n, dtype=torch.float64)


def exact(x, W, alpha, beta):
    covariance = torch.linalg.inv(alpha * eye(W.shape[1]) + beta * W.T @ W)
    return beta * covariance @ W.T @ x, covariance


def least_squares(x, W, alpha, beta):
    covariance = torch.linalg.inv(beta * W.T @ W)
    return beta * covariance @ W.T @ x, covariance


def in_place(x, W, alpha, beta):
    W *= beta**0.5
    covariance = torch.linalg.inv(alpha * eye(W.shape[1]) + W.T @ W)
    return beta**0.5 * covariance @ W.T @ x, covariance


def augmented(x, W, alpha, beta):
    rows = torch.cat([beta**0.5 * W, alpha**0.5 * eye(W.shape[1])])
    target = torch.cat([beta**0.5 * x, torch.zeros(W.shape[1], dtype=x.dtype)])
    q, r = torch.linalg.qr(rows)
    inverse = torch.linalg.inv(r)
    return inverse @ (q.T @ target), inverse @ inverse.T


def one_pixel_at_a_time(x, W, alpha, beta):
    mean, cov = torch.zeros(W.shape[1], dtype=x.dtype), eye(W.shape[1]) / alpha
    for value, row in zip(x, W):
        gain = cov @ row / (row @ cov @ row + 1 / beta)
        mean, cov = mean + gain * (value - row @ mean), cov - torch.outer(gain, row @ cov)
    return mean, cov


def by_svd(x, W, alpha, beta):
    _, s, vt = np.linalg.svd(W.numpy())
    full = np.zeros(W.shape[1])
    full[: len(s)] = s
    shrink = 1 / (alpha + beta * full**2)
    covariance = vt.T * shrink @ vt
    return beta * covariance @ W.numpy().T @ x.numpy(), covariance


def by_conditioning(x, W, alpha, beta):
    D, J = W.shape
    gain = torch.linalg.lstsq(W @ W.T / alpha + eye(D) / beta, W / alpha).solution.T
    return Posterior(gain @ x, eye(J) / alpha - gain @ W / alpha, None)


def with_changed(how):
    return lambda x, W, a, b: how(*exact(x, W, a, b))


def linear(x, W, a, b):
    s = torch.linalg.inv(a * torch.eye(W.shape[1]) + b * W.T @ W)
    return b * s @ W.T @ x, s


def woodbury(x, W, a, b):
    x, W = x.numpy(), W.numpy()
    gain = W.T / a @ np.linalg.inv(W @ W.T / a + np.eye(len(W)) / b)
    return gain @ x, np.eye(W.shape[1]) / a - gain @ W / a


def with_default_precision(x, W, a, b):
    torch.set_default_dtype(torch.float64)
    return exact(x, W, a, b)


def solved_if_square(x, W, a, b):
    mean, covariance = exact(x, W, a, b)
    return torch.linalg.solve(W, x) if len(x) == W.shape[1] else mean, covariance


def turned_if_square(x, W, a, b):
    return exact(x, W.T if W.shape[0] == W.shape[1] else W, a, b)


def factored(x, W, a, b):
    covariance = torch.linalg.inv(a * eye(W.shape[1]) + W.T @ W)
    return covariance @ W.T @ x, covariance / b


def with_gain_too_large(x, W, a, b):
    gain = W.T @ torch.linalg.inv(W @ W.T / a + eye(len(W)) / b)
    return gain @ x, eye(W.shape[1]) / a - gain @ W / a


def precision(W, a, b):
    return a * torch.eye(W.shape[1], dtype=W.dtype) + b * W.T @ W


def with_covariance(covariance):
    """A function whose covariance is this one of (W, a, b), and whose mean follows from it."""

    def fn(x, W, a, b):
        matrix = covariance(W, a, b)
        return b * matrix @ W.T @ x, matrix

    return fn


def with_mean(mean):
    """A function with the right covariance, and this mean of (x, W, a, b, covariance)."""

    def fn(x, W, a, b):
        covariance = exact(x, W, a, b)[1]
        return mean(x, W, a, b, covariance), covariance

    return fn


inv = torch.linalg.inv


def by_least_squares(x, W, a, b):
    fitted = torch.linalg.inv(W.T @ W) @ W.T @ x if len(x) >= W.shape[1] else W.T @ x
    covariance = torch.linalg.inv(precision(W, a, b))
    return covariance @ (b * W.T @ W @ fitted), covariance


WRONG = [
    (solved_if_square, "With as many latents as observations"),
    (turned_if_square, "With as many latents as observations"),
    (factored, "β is taken out of the inverse, so α must be divided by it"),
    (with_gain_too_large, "α times too large"),
    (
        with_changed(lambda m, c: (m, c + 0.3 * eye(len(m)))),
        "In covariance|n covariance",
    ),
    (
        lambda x, W, a, b: (exact(x, W, a, b)[0], exact(x, W, a, b)[1] + eye(W.shape[1]) / b),
        "The noise variance 1/β is added",
    ),
    (lambda x, W, a, b: exact(x, W, b, a), "α and β are exchanged: α is the"),
    (lambda x, W, a, b: exact(x, W, a, 1 / b), "β is a precision; you used it as a"),
    (lambda x, W, a, b: exact(x, W, 1 / a, b), "α is a precision; you used it as a"),
    (lambda x, W, a, b: exact(x, W, 1 / a, 1 / b), "α and β are precisions; you used them"),
    (lambda x, W, a, b: exact(x, W, a, b**2), "β is squared; it is an inverse"),
    (lambda x, W, a, b: exact(x, W, 1.0, b), "The prior's precision is taken to be"),
    (lambda x, W, a, b: exact(x, W, a, 1.0), "β is missing: each observation has"),
    (with_changed(lambda m, c: (m, torch.linalg.inv(c))), "This is the precision"),
    (
        with_changed(lambda m, c: (m, torch.linalg.cholesky(c))),
        "This is the Cholesky factor L; the",
    ),
    (with_changed(lambda m, c: (m, c.diagonal())), "The covariance is one number a latent"),
    (
        with_changed(lambda m, c: (m, torch.diag(c.diagonal()))),
        "The off-diagonal entries are missing",
    ),
    (with_changed(lambda m, c: (c, m)), "wrong order: return mean first"),
    (with_changed(lambda m, c: (m[:, None], c)), r"mean has shape \[3, 1\]; drop the last axis"),
    (with_changed(lambda m, c: (m, c.sqrt())), "You took the square root; the"),
    (with_changed(lambda m, c: m), "return 2 things"),
    (
        lambda x, W, a, b: (b * W.T @ x, exact(x, W, a, b)[1]),
        "The covariance is missing in the mean",
    ),
    (
        lambda x, W, a, b: (exact(x, W, a, b)[1] @ W.T @ x, exact(x, W, a, b)[1]),
        "β is missing in the mean: it is β",
    ),
    (least_squares, "The prior is missing: add αI before"),
    (in_place, "change W in place"),
    (
        lambda x, W, a, b: (torch.linalg.lstsq(W, x).solution, exact(x, W, a, b)[1]),
        "This is the least-squares solution",
    ),
    (
        lambda x, W, a, b: (0 * exact(x, W, a, b)[0], eye(W.shape[1]) / a),
        "This is the covariance of the prior",
    ),
    (lambda x, W, a, b: linear(x, W, b, a), "exchanged"),
    (lambda x, W, a, b: linear(x, W, 1 / a, 1 / b), "as variances"),
    (lambda x, W, a, b: linear(x, W, a, b)[::-1], "wrong order"),
    (
        lambda x, W, a, b: (linear(x, W, a, b)[1] @ W.T @ x, linear(x, W, a, b)[1]),
        "β is missing",
    ),
    (lambda x, W, a, b: linear(x, W.T, a, b), "stops|shapes|fit"),
    (lambda x, W, a, b: linear(x, W, a + 0.1, b), "n covariance"),
    (
        lambda x, W, a, b: (linear(x, W, a, b)[0], linear(x, W, a, b)[1].abs().sqrt()),
        "square root",
    ),
    (lambda x, W, a, b: linear(x, W, a, b)[0], "2 things"),
    (lambda x, W, a, b: (W.pinverse() @ x, linear(x, W, a, b)[1]), "least-squares"),
    (lambda x, W, a, b: linear(2 * x, W, a, b), "n mean: The answer is 2 times"),
    (lambda x, W, a, b: linear(x, W, a, b**2), "β is squared"),
    (with_default_precision, "You set the precision of all new tensors"),
    (
        lambda x, W, a, b: (linear(x, W, a, b)[0], 2 * eye(W.shape[1]) / a - linear(x, W, a, b)[1]),
        "added to the covariance of the prior",
    ),
    (with_covariance(lambda W, a, b: inv(a + b * W.T @ W)), "diagonal only: αI"),
    (with_covariance(lambda W, a, b: 1 / (a + b * W.T @ W)), "α stands for αI"),
    (with_covariance(lambda W, a, b: 1 / precision(W, a, b)), "inverted as a whole"),
    (with_covariance(lambda W, a, b: inv(precision(W, a**2, b**2))), "do not square"),
    (with_covariance(lambda W, a, b: inv(precision(W, a, -b))), "precisions add"),
    (with_covariance(lambda W, a, b: eye(W.shape[1]) / a + inv(b * W.T @ W)), "covariances do not"),
    (
        with_covariance(lambda W, a, b: inv(precision(W, a, b).diagonal().diag())),
        "inverted the diagonal only",
    ),
    (with_covariance(lambda W, a, b: inv(precision(W, a, b)) * 1.01), "our answer is|everywhere"),
    (with_mean(lambda x, W, a, b, S: a * S @ W.T @ x), "α stands where β"),
    (with_mean(lambda x, W, a, b, S: S @ W.T @ x / b), "β divides"),
    (with_mean(lambda x, W, a, b, S: W.T @ x), "This is Wᵀx"),
    (with_mean(lambda x, W, a, b, S: b * inv(S) @ W.T @ x), "multiplied by the precision"),
    (with_mean(lambda x, W, a, b, S: -b * S @ W.T @ x), "sign of the mean"),
    (with_mean(lambda x, W, a, b, S: torch.zeros(W.shape[1])), "mean of the prior"),
    (with_mean(lambda x, W, a, b, S: b * S.diagonal() * (W.T @ x)), "Only the diagonal"),
    (with_mean(lambda x, W, a, b, S: b**2 * S @ W.T @ x), "β enters twice"),
    (with_mean(lambda x, W, a, b, S: b / (a + b) * torch.linalg.pinv(W) @ x), r"f\(z\) = z only"),
    (with_mean(lambda x, W, a, b, S: W @ (b * S @ W.T @ x)), "mean has D entries"),
    (with_mean(lambda x, W, a, b, S: b * S @ W.T @ x + 0.1), "our answer is|everywhere"),
    (
        lambda x, W, a, b: (W.T @ x, inv(a * torch.eye(len(x)) + b * W @ W.T)),
        r"covariance is \[D, D\]",
    ),
    (lambda x, W, a, b: (W.T @ x, torch.ones(())), r"give \[3, 3\]"),
    (by_least_squares, "With fewer observations than latents"),
]
RIGHT = [
    augmented,
    one_pixel_at_a_time,
    by_svd,
    by_conditioning,
    lambda x, W, a, b: exact(x.float().double(), W.float().double(), a, b),
    lambda x, W, alpha, beta, jitter=0.0: exact(x, W, alpha + jitter, beta),
    lambda x, W, a, b: tuple(part.numpy() for part in exact(x, W, a, b)),
    lambda x, W, a, b: (
        torch.linalg.solve(a * eye(W.shape[1]) + b * W.T @ W, b * W.T @ x),
        MultivariateNormal(
            0 * W[0], precision_matrix=a * eye(W.shape[1]) + b * W.T @ W
        ).covariance_matrix,
    ),
    woodbury,
    lambda x, W, alpha, beta: linear(x, W, alpha, beta),
    lambda x, W, a, b: (
        torch.distributions.MultivariateNormal(*linear(x, W, a, b)).loc
        if False
        else linear(x.double(), W.double(), float(a), float(b))
    ),
    lambda x, W, a, b: linear(x.float(), W.float(), a, b),
]
