"""Answers to `vc.checks.em_step`, written before the check was read."""

import numpy as np
import torch
from scipy import stats
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

import vaecourse as vc


def log_density(x, m, c):
    return MultivariateNormal(m, c).log_prob(x[:, None])


def responsibilities(x, w, m, c):
    return (w.log() + log_density(x, m, c)).softmax(1)


def maximize(x, r, around=None, count=None):
    n = r.sum(0)
    means = r.T @ x / n[:, None]
    off = x[:, None] - (means if around is None else around)
    covariances = torch.einsum("nk,nki,nkj->kij", r, off, off)
    return n / len(x), means, covariances / (n if count is None else count(n))[:, None, None]


def exact(x, w, m, c):
    return maximize(x, responsibilities(x, w, m, c))


def changed(place, how):
    def step(x, w, m, c):
        out = list(exact(x, w, m, c))
        out[place] = how(out[place])
        return tuple(out)

    return step


def with_r(of):
    return lambda x, w, m, c: maximize(x, of(x, w, m, c))


def hard(x, w, m, c):
    r = responsibilities(x, w, m, c)
    return torch.nn.functional.one_hot(r.argmax(1), len(w)).to(x.dtype)


def plain_densities(x, w, m, c):
    joint = w * log_density(x, m, c).exp()
    return joint / joint.sum(1, keepdim=True)


def plain_with_floor(x, w, m, c):
    joint = w * log_density(x, m, c).exp()
    return joint / (joint.sum(1, keepdim=True) + 1e-10)


def no_determinant(x, w, m, c):
    off = x[:, None] - m
    return (w.log() - 0.5 * torch.einsum("nki,kij,nkj->nk", off, torch.linalg.inv(c), off)).softmax(
        1
    )


def covariance_for_precision(x, w, m, c):
    off = x[:, None] - m
    quadratic = torch.einsum("nki,kij,nkj->nk", off, c, off)
    return (w.log() - 0.5 * (quadratic + torch.logdet(c))).softmax(1)


def no_half(x, w, m, c):
    off = x[:, None] - m
    quadratic = torch.einsum("nki,kij,nkj->nk", off, torch.linalg.inv(c), off)
    return (w.log() - quadratic - 0.5 * torch.logdet(c)).softmax(1)


def twice(x, w, m, c):
    return exact(x, *exact(x, w, m, c))


def in_place(x, w, m, c):
    new = exact(x, w, m, c)
    m.copy_(new[1])
    return new


def diagonal(x, w, m, c):
    w, m, c = exact(x, w, m, c)
    return w, m, torch.diag_embed(c.diagonal(dim1=1, dim2=2))


def with_scipy(x, w, m, c):
    x, w, m, c = (a.numpy() for a in (x, w, m, c))
    logs = np.stack(
        [np.log(w[k]) + stats.multivariate_normal(m[k], c[k]).logpdf(x) for k in range(len(w))], -1
    )
    logs = logs.reshape(len(x), len(w))
    r = np.exp(logs - logs.max(1, keepdims=True))
    r /= r.sum(1, keepdims=True)
    n = r.sum(0)
    means = (r.T @ x) / n[:, None]
    covs = [((x - mu).T * r[:, k]) @ (x - mu) / n[k] for k, mu in enumerate(means)]
    return n / n.sum(), means, np.stack(covs)


def with_loops(x, weights, means, covariances):
    r = []
    for row in x:
        terms = [
            torch.log(a)
            - 0.5 * (row - b) @ torch.linalg.solve(s, row - b)
            - 0.5 * torch.linalg.slogdet(s)[1]
            for a, b, s in zip(weights, means, covariances)
        ]
        r.append(torch.stack(terms).softmax(0))
    r = torch.stack(r)
    new_w, new_m, new_c = [], [], []
    for k in range(len(weights)):
        n = r[:, k].sum()
        mu = sum(r[i, k] * x[i] for i in range(len(x))) / n
        new_m.append(mu)
        new_c.append(sum(r[i, k] * torch.outer(x[i] - mu, x[i] - mu) for i in range(len(x))) / n)
        new_w.append(n / len(x))
    return new_w, new_m, new_c


def with_mixture(x, w, m, c):
    mixture = MixtureSameFamily(Categorical(w), MultivariateNormal(m, c))
    r = (w.log() + log_density(x, m, c) - mixture.log_prob(x)[:, None]).exp()
    return maximize(x, r)


def by_moments(x, w, m, c):
    centre = x.mean(0)
    y = x - centre
    r = responsibilities(x, w, m, c)
    n = r.sum(0)
    mu = (r.T @ y) / n[:, None]
    second = torch.einsum("nk,ni,nj->kij", r, y, y) / n[:, None, None]
    return r.mean(0), mu + centre, second - mu[:, :, None] * mu[:, None, :]


def np_cov(x, w, m, c):
    r = responsibilities(x, w, m, c)
    covs = [
        np.cov(x.T.numpy(), aweights=r[:, k].numpy(), ddof=0).reshape(x.shape[1], -1)
        for k in range(len(w))
    ]
    means = [np.average(x.numpy(), axis=0, weights=r[:, k].numpy()) for k in range(len(w))]
    return r.mean(0), np.array(means), np.array(covs)


def step(x, w, m, s):
    log_p = torch.distributions.MultivariateNormal(m, s).log_prob(x[:, None])
    r = (w.log() + log_p).softmax(1)
    n = r.sum(0)
    m = r.T @ x / n[:, None]
    d = x[:, None] - m
    return n / len(x), m, torch.einsum("nk,nki,nkj->kij", r, d, d) / n[:, None, None]


def step_with(place, change):
    def fn(*theta):
        answer = list(step(*theta))
        answer[place] = change(answer[place], *theta)
        return answer

    return fn


def in_densities(x, w, m, s):
    p = torch.distributions.MultivariateNormal(m, s).log_prob(x[:, None]).exp() * w
    r = p / p.sum(1, keepdim=True)
    n = r.sum(0)
    m = r.T @ x / n[:, None]
    d = x[:, None] - m
    return n / len(x), m, torch.einsum("nk,nki,nkj->kij", r, d, d) / n[:, None, None]


def by_cov(x, w, m, s):
    weights, means, _ = step(x, w, m, s)
    log_p = torch.distributions.MultivariateNormal(m, s).log_prob(x[:, None])
    r = (w.log() + log_p).softmax(1)
    return weights, means, torch.stack([torch.cov(x.T, aweights=a, correction=0) for a in r.T])


def determinant_twice(x, w, m, c):
    return maximize(x, (w.log() + log_density(x, m, c) - 0.5 * c.logdet()).softmax(1))


def scarce(least):
    return lambda x, w, m, c: maximize(
        x, responsibilities(x, w, m, c), count=lambda n: n.clamp(min=least)
    )


def small_ones_stay(x, w, m, c):
    weights, means, covariances = exact(x, w, m, c)
    large = len(x) * weights >= 1
    return (
        weights,
        torch.where(large[:, None], means, m),
        torch.where(large[:, None, None], covariances, c),
    )


def lifted_determinant(x, w, m, c):
    off = x[:, None] - m
    squares = torch.einsum("nki,kij,nkj->nk", off, torch.linalg.inv(c), off)
    joint = w.log() - 0.5 * squares - 0.5 * (torch.linalg.det(c) + 1e-8).log()
    return maximize(x, joint.softmax(1))


def altered(change):
    return lambda *given: change(given[0], *vc.checks.em_step.right(*given))


def by_raw_moments(x, w, m, c):
    r = responsibilities(x, w, m, c)
    second = torch.einsum("nk,ni,nj->kij", r, x, x) / r.sum(0)[:, None, None]
    mu = maximize(x, r)[1]
    return r.mean(0), mu, second - mu[:, :, None] * mu[:, None, :]


def scatters(x, r, means):
    offsets = x[:, None] - means
    return torch.einsum("nk,nki,nkj->kij", r, offsets, offsets)


def joint(x, weights, means, covariances):
    return (weights.log() + log_density(x, means, covariances)).exp()


def with_part(place, new):
    """The right step with one result replaced by `new(x, r, theta, right)`."""

    def fn(x, *theta):
        answer = list(exact(x, *theta))
        answer[place] = new(x, responsibilities(x, *theta), theta, answer[place])
        return answer

    return fn


def count(r):
    return r.sum(0)[:, None]


def ones(x, r, theta, right):
    return scatters(x, torch.ones_like(r), r.T @ x / count(r)) / len(x)


WRONG = [
    (altered(lambda x, w, m, c: (w * len(x) / len(w), m, c)), "weights are N_k / K"),
    (
        altered(lambda x, w, m, c: (w, m, torch.einsum("k,kij->ij", w, c).expand_as(c))),
        "All components share one covariance",
    ),
    (scarce(1.0), r"In covariances: Right but for one step: the sum cut off below 1\."),
    (scarce(0.1), r"In covariances: Right but for one step: the sum cut off below 0\.1\."),
    (small_ones_stay, "."),
    (
        lambda x, w, m, c: exact(x, w.clamp(min=0.01), m, c),
        r"In weights: This is right for weights cut off below 0\.01, not for",
    ),
    (
        lambda x, w, m, c: exact(x, w.clamp(min=1e-3), m, c),
        r"In weights: This is right for weights cut off below 0\.001, not for",
    ),
    (lifted_determinant, "near 0.01"),
    (changed(2, lambda c: c + 1e-5 * torch.eye(c.shape[-1])), "."),
    (
        lambda x, w, m, c: exact(x[:100], w, m, c),
        r"In weights: Only the first 100 rows of x count; every row counts\.",
    ),
    (changed(0, lambda w: torch.full_like(w, 1 / len(w))), r"each is N_k / N"),
    (lambda *a: tuple(part.squeeze() for part in exact(*a)), "number without axes"),
    (determinant_twice, "determinant counts twice"),
    (
        with_r(lambda x, w, m, c: (w.log() + log_density(x, m, c)).softmax(0)),
        "normalized over the data",
    ),
    (
        with_r(lambda x, w, m, c: log_density(x, m, c).softmax(1)),
        "weights are missing in your E step",
    ),
    (
        with_r(lambda x, w, m, c: (w + log_density(x, m, c)).softmax(1)),
        "In weights: This is right for the exponential of weights, not for",
    ),
    (with_r(hard), "each point to its likeliest component"),
    (with_r(no_determinant), "determinant is missing"),
    (
        with_r(covariance_for_precision),
        "In weights: The covariance stands where its inverse belongs, in the",
    ),
    (with_r(no_half), "The ½ in the exponent of your Gaussian"),
    (with_r(plain_densities), "stay in the logarithm"),
    (with_r(plain_with_floor), "A small number is added to the densities"),
    (
        lambda x, w, m, c: maximize(x, responsibilities(x, w, m, c), around=m),
        "around the old means",
    ),
    (
        lambda x, w, m, c: maximize(x, responsibilities(x, w, m, c), count=lambda n: n - 1),
        "covariances are divided by N_k − 1",
    ),
    (
        lambda x, w, m, c: maximize(
            x, responsibilities(x, w, m, c), count=lambda n: 0 * n + len(x)
        ),
        "covariances are divided by N; each",
    ),
    (changed(0, lambda w: w * 0 + 1 / len(w)), "weights"),
    (changed(0, lambda w: w.log()), "In weights: The answer is the"),
    (changed(1, lambda m: m.T), r"means has shape \[2, 3\], turned over"),
    (changed(2, torch.linalg.inv), "You return precisions, the inverses"),
    (changed(2, torch.linalg.cholesky), "You return Cholesky factors"),
    (
        changed(2, lambda c: c + 0.01 * torch.eye(c.shape[-1], dtype=c.dtype)),
        r"In covariances: 0\.01 is added to the diagonal\.",
    ),
    (diagonal, "off the diagonal"),
    (twice, "These are two steps; one is asked for"),
    (in_place, "You change means in place"),
    (lambda x, w, m, c: exact(x, w, m, c)[:2], "return 3 things"),
    (
        lambda x, w, m, c: exact(x, w, m, c)[::-1],
        "order is not: return weights, means, covariances",
    ),
    (in_densities, "With a point far|stay in the logarithm"),
    (step_with(2, lambda s, *_: s + 0.01 * torch.eye(s.shape[1])), "n covariances"),
    (step_with(2, lambda s, *_: 0.5 * (s + s.mean(0))), "n covariances"),
    (step_with(1, lambda m, *_: m.flip(0)), "In means, at"),
    (step_with(0, lambda w, *_: w / 2), "1/2|0.5 times"),
    (step_with(0, lambda w, *_: w.softmax(0)), "n weights"),
    (step_with(0, lambda w, *_: w.log()), "n weights"),
    (
        lambda *a: [step(*a)[k] for k in (0, 2, 1)],
        "order is not: return weights, means, covariances",
    ),
    (lambda *a: step(*a)[:2], "3 things"),
    (lambda x, w, m, s: (w, m, s), "weights have not changed"),
    (step_with(2, lambda s, *_: torch.diag_embed(s.diagonal(dim1=1, dim2=2))), "diagonal"),
    (with_r(joint), "not normalized; divide each row"),
    (with_part(0, lambda x, r, t, right: r.sum(0)), "are the counts N_k"),
    (with_part(0, lambda x, r, t, right: right**2), "In weights: The answer is the square"),
    (with_part(1, lambda x, r, t, right: t[1]), "means have not changed"),
    (with_part(1, lambda x, r, t, right: r.T @ x / len(x)), "means are divided by N"),
    (with_part(1, lambda x, r, t, right: r.T @ x), "means are not divided by N_k"),
    (
        with_part(1, lambda x, r, t, right: x.mean(0).expand_as(right)),
        "means are all the mean of x",
    ),
    (
        with_part(1, lambda x, r, t, right: (r**2).T @ x / (r**2).sum(0)[:, None]),
        "by the responsibilities twice",
    ),
    (with_part(2, lambda x, r, t, right: t[2]), "covariances have not changed"),
    (
        with_part(2, lambda x, r, t, right: right * count(r)[:, None]),
        "covariances are not divided by N_k",
    ),
    (with_part(2, ones), "responsibilities are missing in covariances"),
    (
        with_part(2, lambda x, r, t, right: scatters(x, r, 0 * t[1]) / count(r)[:, None]),
        "second moments about zero",
    ),
    (
        with_part(
            2, lambda x, r, t, right: scatters(x, r**2, r.T @ x / count(r)) / count(r)[:, None]
        ),
        "squares of the responsibilities",
    ),
    (with_part(2, lambda x, r, t, right: 2 * right), "covariances: The answer is 2"),
    (lambda *a: exact(*a)[1], "return 3 things"),
    (lambda *a: None, "returns nothing"),
    (lambda x, *theta: exact(x.sub_(1), *theta), "You change x in place"),
    (
        step_with(2, lambda s, x, *_: torch.cov(x.T, correction=0).expand_as(s)),
        "responsibilities are missing in covariances",
    ),
    (step_with(2, lambda s, *theta: 0.5 * (s + theta[3])), "half the old and half the new"),
    (lambda *a: [part.flip(0) for part in step(*a)], "reversed order"),
    (
        with_r(lambda x, w, m, c: responsibilities(x, w, m, c * torch.eye(len(c[0])))),
        "off the diagonal of the",
    ),
    (
        with_r(lambda x, w, m, c: responsibilities(x, w, m, torch.linalg.inv(c))),
        "covariances for precisions",
    ),
    (
        with_r(lambda x, w, m, c: (w.log() + log_density(x, m, c) + c.logdet()).softmax(1)),
        "determinant has the wrong sign",
    ),
    (
        lambda x, w, m, c: maximize(x, responsibilities(x, w, m, c), around=x.mean(0) + 0 * m),
        "around the mean of x",
    ),
    (by_cov, r"In one dimension, covariances has shape \[3\]; it must be \[3, 1, 1\]"),
    (
        lambda *a: step(*a)[:1] + tuple(p.squeeze() for p in step(*a)[1:]),
        "In one dimension|With one",
    ),
    (lambda *a: [(1 + (a[0].shape[1] == 1)) * p for p in step(*a)], "In one dimension"),
]
RIGHT = [
    with_scipy,
    with_loops,
    with_mixture,
    by_moments,
    np_cov,
    lambda *arguments, **kw: list(exact(*arguments)),
    lambda x, w, m, c: exact(*(a.float() for a in (x, w, m, c))),
    lambda *a: (*by_cov(*a)[:2], by_cov(*a)[2].reshape(a[3].shape)),
    lambda *a: tuple(part.numpy() for part in step(*a)),
    lambda *a: [part.float() for part in step(*a)],
    lambda x, w, m, s: step(x, 1.0 * w, m, 0.5 * (s + s.mT)),
    by_raw_moments,
    lambda x, *theta: exact(x, *(value.clone().requires_grad_() for value in theta)),
    lambda *a: [part.tolist() for part in exact(*a)],
]
