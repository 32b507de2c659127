"""The check of chapter 04: right answers pass in any style, and each wrong one is named."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch.distributions import MultivariateNormal

import vaecourse as vc
from vaecourse.checks.answers import Mistake
from vaecourse.inference.em import GaussianMixture


def log_density(x, means, covariances):
    return MultivariateNormal(means, covariances).log_prob(x[:, None])


def responsibilities(x, weights, means, covariances):
    return torch.softmax(weights.log() + log_density(x, means, covariances), 1)


def scatters(x, r, means):
    offsets = x[:, None] - means
    return torch.einsum("nk,nki,nkj->kij", r, offsets, offsets)


def m_step(x, r):
    counts = r.sum(0)
    means = r.T @ x / counts[:, None]
    return counts / len(x), means, scatters(x, r, means) / counts[:, None, None]


def textbook(x, *theta):
    return m_step(x, responsibilities(x, *theta))


def in_loops(x, weights, means, covariances):
    """Component by component, with Python numbers and lists."""
    n, k = len(x), len(weights)
    r = []
    for point in x:
        logs = [
            math.log(weights[j])
            - 0.5 * float(torch.logdet(covariances[j]))
            - 0.5
            * float((point - means[j]) @ torch.linalg.inv(covariances[j]) @ (point - means[j]))
            for j in range(k)
        ]
        top = max(logs)
        parts = [math.exp(value - top) for value in logs]
        r.append([part / sum(parts) for part in parts])
    new = ([], [], [])
    for j in range(k):
        count = sum(row[j] for row in r)
        mean = sum(row[j] * point for row, point in zip(r, x, strict=True)) / count
        new[0].append(count / n)
        new[1].append(mean)
        pairs = zip(r, x, strict=True)
        new[2].append(sum(row[j] * torch.outer(p - mean, p - mean) for row, p in pairs) / count)
    return new


def with_numpy(x, weights, means, covariances):
    """Second moments minus the outer product of the means, in arrays."""
    x, weights = x.numpy(), weights.numpy()
    pairs = zip(means.numpy(), covariances.numpy(), strict=True)
    logs = np.log(weights) + np.stack([multivariate_normal(*p).logpdf(x) for p in pairs], 1)
    r = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
    share = r.mean(0)
    means = np.einsum("nk,nd->kd", r, x) / r.sum(0)[:, None]
    second = np.einsum("nk,ni,nj->kij", r, x, x) / r.sum(0)[:, None, None]
    return share, means, second - means[:, :, None] * means[:, None, :]


def with_the_package(x, weights, means, covariances):
    mixture = GaussianMixture(len(weights), regularization=0, tol=0, max_steps=1)
    mixture.fit(x, weights=weights, means=means, covariances=covariances)
    return mixture.weights_, mixture.means_, mixture.covariances_


def tracked(x, weights, means, covariances):
    """Parameters that ask for gradients."""
    return textbook(x, *(value.clone().requires_grad_() for value in (weights, means, covariances)))


@pytest.mark.parametrize("fn", [textbook, in_loops, with_numpy, with_the_package, tracked])
def test_a_right_step_passes_in_any_style(fn):
    assert vc.checks.em_step(fn).startswith("Right:")


def from_responsibilities(wrong):
    """One step whose responsibilities are `wrong(x, weights, means, covariances)`."""
    return lambda x, *theta: m_step(x, wrong(x, *theta))


def joint(x, weights, means, covariances):
    return (weights.log() + log_density(x, means, covariances)).exp()


def overflowing(x, *theta):
    p = joint(x, *theta)
    return m_step(x, p / p.sum(1, keepdim=True))


def guarded(x, *theta):
    p = joint(x, *theta)
    return m_step(x, p / (p.sum(1, keepdim=True) + 1e-300))


def hard(x, *theta):
    best = responsibilities(x, *theta).argmax(1)
    return torch.nn.functional.one_hot(best, len(theta[0])).double()


def no_determinant(x, weights, means, covariances):
    logs = weights.log() + log_density(x, means, covariances) + 0.5 * covariances.logdet()
    return torch.softmax(logs, 1)


def no_half(x, weights, means, covariances):
    offsets = x[:, None] - means
    inverse = torch.linalg.inv(covariances)
    distance = torch.einsum("nki,kij,nkj->nk", offsets, inverse, offsets)
    return torch.softmax(weights.log() - 0.5 * covariances.logdet() - distance, 1)


def changed(place, new):
    """The right step with one result replaced by `new(x, r, theta, right)`."""

    def fn(x, *theta):
        answer = list(textbook(x, *theta))
        answer[place] = new(x, responsibilities(x, *theta), theta, answer[place])
        return answer

    return fn


def count(r):
    return r.sum(0)[:, None]


def about_old(x, r, theta, right):
    return scatters(x, r, theta[1]) / count(r)[:, None]


def ones(x, r, theta, right):
    return scatters(x, torch.ones_like(r), r.T @ x / count(r)) / len(x)


def in_place(x, weights, means, covariances):
    answer = textbook(x, weights, means, covariances)
    means.copy_(answer[1])
    return answer


WRONG = {
    "over data": (from_responsibilities(lambda *a: joint(*a) / joint(*a).sum(0)), "over the data"),
    "over data, softmax": (
        from_responsibilities(lambda *a: joint(*a).log().softmax(0)),
        "normalized over the data",
    ),
    "not normalized": (from_responsibilities(joint), "not normalized; divide each row"),
    "flat prior": (
        from_responsibilities(lambda x, w, m, s: log_density(x, m, s).softmax(1)),
        "weights are missing in your E step",
    ),
    "hard": (from_responsibilities(hard), "each point to its likeliest component"),
    "no determinant": (from_responsibilities(no_determinant), "determinant is missing"),
    "no half": (from_responsibilities(no_half), "½ in the exponent"),
    "overflow": (overflowing, "stay in the logarithm"),
    "overflow, guarded": (guarded, "With a point far from every component"),
    "counts": (changed(0, lambda x, r, t, right: r.sum(0)), "are the counts N_k"),
    "old weights": (changed(0, lambda x, r, t, right: t[0]), "weights have not changed"),
    "other weights": (
        changed(0, lambda x, r, t, right: right**2),
        "In weights: The answer is the square",
    ),
    "old means": (changed(1, lambda x, r, t, right: t[1]), "means have not changed"),
    "means by N": (changed(1, lambda x, r, t, right: r.T @ x / len(x)), "means are divided by N"),
    "sums": (changed(1, lambda x, r, t, right: r.T @ x), "means are not divided by N_k"),
    "plain mean": (
        changed(1, lambda x, r, t, right: x.mean(0).expand_as(right)),
        "means are all the mean of x",
    ),
    "weighted twice": (
        changed(1, lambda x, r, t, right: (r**2).T @ x / (r**2).sum(0)[:, None]),
        "by the responsibilities twice",
    ),
    "old covariances": (changed(2, lambda x, r, t, right: t[2]), "covariances have not changed"),
    "around old means": (changed(2, about_old), "around the old means"),
    "covariances by N": (
        changed(2, lambda x, r, t, right: right * count(r)[:, None] / len(x)),
        "covariances are divided by N; each",
    ),
    "scatters": (
        changed(2, lambda x, r, t, right: right * count(r)[:, None]),
        "covariances are not divided by N_k",
    ),
    "Bessel": (
        changed(2, lambda x, r, t, right: right * (count(r) / (count(r) - 1))[:, None]),
        "divided by N_k − 1",
    ),
    "no responsibilities": (changed(2, ones), "responsibilities are missing in covariances"),
    "no responsibilities, by N_k": (
        changed(2, lambda *a: ones(*a) * len(a[0]) / count(a[1])[:, None]),
        "responsibilities are missing in covariances",
    ),
    "second moments": (
        changed(2, lambda x, r, t, right: scatters(x, r, 0 * t[1]) / count(r)[:, None]),
        "second moments about zero",
    ),
    "squared weights": (
        changed(
            2, lambda x, r, t, right: scatters(x, r**2, r.T @ x / count(r)) / count(r)[:, None]
        ),
        "squares of the responsibilities",
    ),
    "diagonal": (
        changed(2, lambda x, r, t, right: torch.diag_embed(right.diagonal(dim1=1, dim2=2))),
        "off the diagonal",
    ),
    "precisions": (changed(2, lambda x, r, t, right: right.inverse()), "You return precisions"),
    "factors": (
        changed(2, lambda x, r, t, right: torch.linalg.cholesky(right)),
        "You return Cholesky factors",
    ),
    "other covariances": (
        changed(2, lambda x, r, t, right: 2 * right),
        "covariances: The answer is 2",
    ),
    "order": (lambda *a: textbook(*a)[::-1], r"weights has shape \[3, 2, 2\]"),
    "two": (lambda *a: textbook(*a)[:2], "return 3 things"),
    "one tensor": (lambda *a: textbook(*a)[1], "return 3 things"),
    "nothing": (lambda *a: None, "returns nothing"),
    "NaN": (changed(1, lambda x, r, t, right: right / 0), "answer is ∞ where"),
    "in place": (in_place, "You change means in place"),
    "x in place": (lambda x, *t: textbook(x.sub_(1), *t), "You change x in place"),
}


@pytest.mark.parametrize(("fn", "name"), WRONG.values(), ids=WRONG)
def test_a_wrong_step_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.em_step(fn)


def test_a_right_answer_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.em_step(textbook)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_sum_to_one_in_double_precision():
    def seen(x, weights, means, covariances):
        assert abs(weights.sum() - 1) < 1e-12
        return vc.checks.em_step.right(x, weights, means, covariances)

    assert vc.checks.em_step(seen).startswith("Right")
