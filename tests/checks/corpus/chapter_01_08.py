"""Answers to chapters 01 to 08, written from the exercises, before the checks were read."""

import math

import numpy as np
import torch
from scipy import special
from torch.nn import functional

# --- chapter 01 ------------------------------------------------------------------------------


def log_mean(v):
    return v.logsumexp(0) - math.log(len(v))


def global_maximum(v):
    return v.max() + (v - v.max()).exp().mean(0).log()


def overwriting(v):
    m = v.max(0).values
    v -= m
    return v.exp().mean(0).log() + m


def running(v):
    total = v[0]
    for row in v[1:]:
        total = torch.logaddexp(total, row)
    return total - math.log(v.shape[0])


EVIDENCE = {
    "wrong": [
        (global_maximum, "column"),
        (overwriting, "change log_likelihood in place"),
        (lambda v: v.exp().mean(0).log(), "logsumexp"),
        (lambda v: v.exp().sum(0).log(), "not divided by S"),
        (lambda v: v.logsumexp(0) - math.log(v.shape[1]), "log B"),
        (lambda v: v.logsumexp(0) - math.log10(len(v)), "base 10"),
        (lambda v: v.logsumexp(0) - math.log2(len(v)), "log S counts 1.443 times"),
        (lambda v: log_mean(v) / math.log(2), "bits"),
        (lambda v: v.logsumexp(1) - math.log(v.shape[1]), "over the data"),
        (lambda v: log_mean(v).mean(), "one number"),
        (lambda v: log_mean(v.clamp(min=-700)), "cut off at −700"),
        (lambda v: log_mean(v)[None], "shape"),
        (lambda v: (v.exp().mean(0) + 1e-8).log(), "your answer"),
        (lambda v: log_mean(v[:-1]), "your answer"),
        (lambda v: log_mean(v[::2]), "your answer"),
    ],
    "right": [
        running,
        lambda v: special.logsumexp(v.numpy(), axis=0) - np.log(len(v)),
        lambda v: np.logaddexp.reduce(v.numpy()) - np.log(v.shape[0]),
        lambda v: torch.logsumexp(v - math.log(len(v)), dim=0),
        lambda v: [float(log_mean(column[:, None])) for column in v.T],
        lambda v: log_mean(v.float()),
    ],
}

# --- chapter 02 ------------------------------------------------------------------------------


def loss(x, y):
    return (x - y).pow(2).sum(1)


LOSS = {
    "wrong": [
        (lambda x, y: functional.mse_loss(y, x), "mean over images and pixels"),
        (lambda x, y: functional.mse_loss(y, x, reduction="sum"), "one number"),
        (lambda x, y: functional.mse_loss(y, x, reduction="none"), "not summed yet"),
        (lambda x, y: functional.mse_loss(y, x, reduction="none").mean(1), "mean over pixels"),
        (lambda x, y: torch.cdist(x, y).pow(2), "shape"),
        (lambda x, y: torch.norm(x - y, dim=1), "square root"),
        (lambda x, y: functional.l1_loss(y, x, reduction="none").sum(1), "absolute"),
        (
            lambda x, y: functional.smooth_l1_loss(y, x, reduction="none").sum(1),
            "our answer|wrong beyond",
        ),
        (lambda x, y: loss(x, y.detach()), "detached"),
        (lambda x, y: loss(x, y.clamp(0, 1)), "your answer|Right for|not the gradient"),
        (lambda x, y: loss(x.sub_(y), 0), "change x in place"),
        (lambda x, y: (x**2 - y**2).sum(1), "before you subtracted"),
    ],
    "right": [
        lambda x, y: torch.einsum("bd,bd->b", x - y, x - y),
        lambda x, y: (x - y).norm(dim=1) ** 2,
        lambda x, y: x.shape[1] * ((y - x) ** 2).mean(1),
        lambda x, y: np.sum((x.numpy() - y.numpy()) ** 2, axis=1),
        lambda x, y: torch.stack([(a - b) @ (a - b) for a, b in zip(x, y)]),
        lambda x_in, y_hat, reduce=torch.sum: reduce((x_in - y_hat) ** 2, -1),
    ],
}


def uniform(x, g):
    return torch.rand(x.shape, generator=g)


def float_mask(x, p, g):
    return x.float() * (uniform(x, g) >= p)


def numpy_mask(x, p, g):
    return np.where(uniform(x, g).numpy() < p, 0.0, x.numpy())


def half_and_half(x, p, g):
    keep = uniform(x[: len(x) // 2], g) >= p
    return x * torch.cat([keep, keep])


def column_heavy(x, p, g):
    weights = torch.linspace(0.5, 1.5, x.shape[1])
    return x * (uniform(x, g) >= p * weights)


MASK = {
    "wrong": [
        (half_and_half, "same pixels"),
        (lambda x, p, g: x * (uniform(x, g) >= round(p, 1)), "level 0.85 a share of 0.8"),
        (column_heavy, "more often"),
        (lambda x, p, g: x * (torch.rand(x.shape) >= p), "generator"),
        (lambda x, p, g: x * (uniform(x, g) > 1 - p), "probability level"),
        (lambda x, p, g: functional.dropout(x, p, training=True), "generator"),
        (lambda x, p, g: x * (uniform(x, g) >= p) / (1 - p), "dropout"),
        (lambda x, p, g: x * (torch.randn(x.shape, generator=g) >= p), "share of"),
        (lambda x, p, g: x.mul_(uniform(x, g) >= p), "change x in place"),
        (lambda x, p, g: x * (uniform(x, g) >= p).round() * x, "take new values|new values"),
        (lambda x, p, g: uniform(x, g) >= p, "mask itself"),
        (lambda x, p, g: x * (uniform(x, torch.Generator().manual_seed(0)) >= p), "same in every"),
        (lambda x, p, g: x - p, "new values|becomes"),
        (lambda x, p, g: np.random.rand(*x.shape), "generator"),  # noqa: NPY002
    ],
    "right": [
        float_mask,
        numpy_mask,
        lambda x, p, g: x.masked_fill(uniform(x, g) < p, 0.0),
        lambda x, p, g: x * torch.bernoulli(torch.full(x.shape, 1.0 - p), generator=g),
        lambda x, p, g: torch.where(uniform(x, g) < p, 0.0, x),
    ],
}

# --- chapter 03 ------------------------------------------------------------------------------


def root_of_negative(v):
    return v.mean(), ((v.mean() ** 2 - (v**2).mean()) / len(v)).sqrt()


ERROR = {
    "wrong": [
        (root_of_negative, "NaN"),
        (lambda v: (v.mean(), v.std()), "deviation of one draw"),
        (lambda v: (v.mean(), v.std() / len(v)), "must be √S"),
        (lambda v: (v.mean(), v.var() / len(v)), "take its root"),
        (lambda v: v.mean(), "2 things"),
        (lambda v: {"mean": v.mean(), "error": v.std()}, "a dict"),
        (lambda v: f"{v.mean():.2f} ± {v.std():.2f}", "a str"),
        (lambda v: (v.mean(), v.std() / math.sqrt(len(v) - 1)), "counted twice"),
        (lambda v: (v.median(), v.std() / len(v) ** 0.5), "median"),
        (lambda v: (v[: len(v) // 2].mean(), v.std() / len(v) ** 0.5), "In the mean"),
        (lambda v: (v.mean().round(), v.std() / len(v) ** 0.5), "In the mean|n the mean"),
        (lambda v: (v.mean(), 1.96 * v.std() / len(v) ** 0.5), "1.96"),
    ],
    "right": [
        lambda v: (np.mean(v.numpy()), np.std(v.numpy(), ddof=1) / np.sqrt(len(v))),
        lambda v: (np.mean(v.numpy()), np.std(v.numpy()) / np.sqrt(v.numel())),
        lambda v: torch.stack([v.mean(), v.std() / len(v) ** 0.5]),
        lambda v: [v.mean().item(), (v.var() / len(v)).sqrt().item()],
        lambda v: (v.mean(), (((v - v.mean()) ** 2).sum() / len(v) / (len(v) - 1)) ** 0.5),
    ],
}


def mean(log_q, log_p):
    return (log_q - log_p).mean()


def with_c(c):
    return lambda q, p: ((q - p) + c * torch.expm1(p - q)).mean()


DIVERGENCE = {
    "wrong": [
        (lambda q, p: mean(q, p).clamp(min=0), "cut off at zero"),
        (lambda q, p: functional.kl_div(q, p), "our answer is NaN|NaN"),
        (lambda q, p: functional.kl_div(p, q, log_target=True, reduction="sum"), "eighted|weight"),
        (lambda q, p: mean(p, q), "sign is wrong"),
        (lambda q, p: (q.exp() * (q - p)).sum(), "weighted by q"),
        (lambda q, p: (q / p).log().mean(), "NaN|our answer is"),
        (lambda q, p: (q - p).abs().mean(), "absolute"),
        (lambda q, p: 0.5 * (q - p).square().mean(), "k2"),
        (lambda q, p: (q - p)[::2].mean(), "our answer is"),
        (lambda q, p: (q - p).sum(), "sum over the draws"),
        (lambda q, p: mean(q, p) / math.log(2), "bits"),
        (lambda q, p: q - p, "not averaged"),
        (lambda q, p: ((q - p) - torch.expm1(q - p)).mean(), "our answer is|control"),
        (lambda q, p: (q - p).exp().mean().log(), "logarithm of a mean"),
        (lambda q, p: mean(q, p).round(decimals=2), "rounded to 2 decimals"),
    ],
    "right": [
        with_c(0.5),
        with_c(1.0),
        with_c(-0.3),
        lambda q, p: float(np.mean(q.numpy() - p.numpy())),
        lambda q, p: sum(a - b for a, b in zip(q.tolist(), p.tolist())) / len(q),
        lambda q, p: mean(q.float(), p.float()),
    ],
}

# --- chapters 04 to 08 -----------------------------------------------------------------------


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


EM = {
    "wrong": [
        (in_densities, "With a point far|stay in the logarithm"),
        (step_with(2, lambda s, *_: s + 0.01 * torch.eye(s.shape[1])), "n covariances"),
        (step_with(2, lambda s, *_: 0.5 * (s + s.mean(0))), "n covariances"),
        (step_with(1, lambda m, *_: m.flip(0)), "n means"),
        (step_with(0, lambda w, *_: w / 2), "1/2|0.5 times"),
        (step_with(0, lambda w, *_: w.softmax(0)), "n weights"),
        (step_with(0, lambda w, *_: w.log()), "n weights"),
        (lambda *a: step(*a)[::-1], "weights has shape"),
        (lambda *a: step(*a)[:2], "3 things"),
        (lambda x, w, m, s: (w, m, s), "have not changed"),
        (step_with(2, lambda s, *_: torch.diag_embed(s.diagonal(dim1=1, dim2=2))), "diagonal"),
    ],
    "right": [
        by_cov,
        lambda *a: tuple(part.numpy() for part in step(*a)),
        lambda *a: [part.float() for part in step(*a)],
        lambda x, w, m, s: step(x, 1.0 * w, m, 0.5 * (s + s.mT)),
    ],
}


def linear(x, W, a, b):
    s = torch.linalg.inv(a * torch.eye(W.shape[1]) + b * W.T @ W)
    return b * s @ W.T @ x, s


def woodbury(x, W, a, b):
    x, W = x.numpy(), W.numpy()
    gain = W.T / a @ np.linalg.inv(W @ W.T / a + np.eye(len(W)) / b)
    return gain @ x, np.eye(W.shape[1]) / a - gain @ W / a


LINEAR = {
    "wrong": [
        (lambda x, W, a, b: linear(x, W, b, a), "exchanged"),
        (lambda x, W, a, b: linear(x, W, 1 / a, 1 / b), "as variances"),
        (lambda x, W, a, b: linear(x, W, a, b)[::-1], "covariance comes first"),
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
    ],
    "right": [
        woodbury,
        lambda x, W, alpha, beta: linear(x, W, alpha, beta),
        lambda x, W, a, b: (
            torch.distributions.MultivariateNormal(*linear(x, W, a, b)).loc
            if False
            else linear(x.double(), W.double(), float(a), float(b))
        ),
    ],
}


def evidence_minus_elbo(loc, scale, weight, noise, x):
    total = weight**2 + noise**2
    evidence = -0.5 * (x**2 / total + math.log(2 * math.pi) + total.log())
    likelihood = -0.5 * (
        ((x - weight * loc) ** 2 + weight**2 * scale**2) / noise**2
        + math.log(2 * math.pi)
        + 2 * noise.log()
    )
    return evidence - likelihood + 0.5 * (scale**2 + loc**2 - 1 - 2 * scale.log())


def of(change):
    return lambda *a: change(evidence_minus_elbo(*a), *a)


def squared_distance(m, s, w, n, x):
    precision = 1 + (w / n) ** 2
    return 0.5 * precision * (m - w * x / n**2 / precision) ** 2


GAP = {
    "wrong": [
        (of(lambda g, m, s, w, n, x: g.abs() + 0 * m if w > 0 else -g), "sign is wrong"),
        (lambda m, s, w, n, x: evidence_minus_elbo(m, s, w.abs(), n, x), "our answer is|Right for"),
        (of(lambda g, *_: g / math.log(2)), "1.443 times"),
        (of(lambda g, *_: 2 * g), "½ is missing"),
        (of(lambda g, *_: -g), "sign is wrong"),
        (
            of(lambda g, m, s, *_: g + 0.5 * (s**2 + m**2 - 1 - 2 * s.log())),
            "KL to the prior counts 2 times",
        ),
        (of(lambda g, *a: g + squared_distance(*a)), "distance of the means counts 2 times"),
        (
            of(lambda g, m, s, *_: g - 0.5 * (s**2 + m**2 - 1 - 2 * s.log())),
            "KL to the prior is missing",
        ),
        (lambda m, s, w, n, x: evidence_minus_elbo(m, s.sqrt(), w, n, x), "scale as a variance"),
        (
            lambda m, s, w, n, x: evidence_minus_elbo(m, s, w, n.sqrt(), x),
            "our answer|noise as a var",
        ),
        (of(lambda g, *_: g.round(decimals=3)), "rounded to 3 decimals"),
        (of(lambda g, *_: torch.stack([g, g])), "shape"),
        (of(lambda g, *_: g.clamp(max=30)), "cut off at 30"),
    ],
    "right": [
        evidence_minus_elbo,
        lambda *a: evidence_minus_elbo(*a).item(),
        lambda *a: np.float64(evidence_minus_elbo(*a)),
        lambda *a: evidence_minus_elbo(*a)[None],
    ],
}


def score(f, z, m, v):
    others = (f.sum() - f) / (len(f) - 1)
    return (f - others)[:, None] * (z - m) / v.exp()


SCORE = {
    "wrong": [
        (lambda f, z, m, v: f[:, None] * (z - m) / v.exp(), "baseline is missing"),
        (lambda f, z, m, v: (f - f.mean())[:, None] * (z - m) / v.exp(), "own value"),
        (lambda f, z, m, v: score(f, z, m, v).mean(0), "averaged over the samples"),
        (lambda f, z, m, v: score(f, z, m, 2 * v), "log_var as log σ"),
        (lambda f, z, m, v: score(f, z, m, v / 2), "divided by σ"),
        (lambda f, z, m, v: -score(f, z, m, v), "sign is wrong"),
        (lambda f, z, m, v: (f - f.median())[:, None] * (z - m) / v.exp(), "median"),
        (lambda f, z, m, v: score(f, z.sub_(m), 0 * m, v), "change z in place"),
        (lambda f, z, m, v: score(f, z, m, v.clamp(-2, 2)), "your answer"),
        (lambda f, z, m, v: score(f, z, m, v).sum(), "one number"),
        (lambda f, z, m, v: 3 * score(f, z, m, v), "3 times"),
        (lambda f, z, m, v: torch.autograd.grad(f.sum(), z)[0], "nothing requires one"),
    ],
    "right": [
        lambda f, z, m, v: len(f) / (len(f) - 1) * (f - f.mean())[:, None] * (z - m) * (-v).exp(),
        lambda f, z, m, v: score(f, z, m, v).numpy(),
        lambda f, z, m, v: torch.stack(
            [
                (f[i] - torch.cat([f[:i], f[i + 1 :]]).mean()) * (z[i] - m) / v.exp()
                for i in range(len(f))
            ]
        ),
    ],
}


def sample(m, v, raw, e):
    lower = raw.tril(-1) + torch.diag_embed((v / 2).exp())
    z = m + torch.einsum("bij,bj->bi", lower, e)
    return z, -0.5 * (e**2 + math.log(2 * math.pi) + v).sum(1)


SAMPLE = {
    "wrong": [
        (lambda m, v, r, e: sample(m, v, r.mT, e), "n z"),
        (lambda m, v, r, e: sample(m, v, 0.5 * r, e), "n z"),
        (lambda m, v, r, e: sample(m, v, r.detach(), e), "raw"),
        (
            lambda m, v, r, e: (sample(m, v, r, e)[0].detach(), sample(m, v, r, e)[1]),
            "of z reaches",
        ),
        (
            lambda m, v, r, e: (sample(m, v, r, e)[0], sample(m, v, r, e)[1] + 0.5 * v.sum(1)),
            "log-det",
        ),
        (lambda m, v, r, e: sample(m, v, r, e)[0], "2 things"),
        (lambda m, v, r, e: sample(m, v.clamp(-1, 1), r, e), "n z|Right for"),
        (lambda m, v, r, e: sample(m, v, r.tril_(-1), e), "change raw in place"),
        (lambda m, v, r, e: (sample(m, v, r, e)[0], sample(m, v, r, e)[1].sum()), "one number"),
        (lambda m, v, r, e: (sample(m, v, r, e)[1], sample(m, v, r, e)[0]), "z has shape"),
        (lambda m, v, r, e: sample(m, 2 * v, r, e), "variances stand"),
    ],
    "right": [
        lambda m, v, r, e: (
            sample(m, v, r, e)[0],
            torch.distributions.MultivariateNormal(
                m, scale_tril=r.tril(-1) + torch.diag_embed((v / 2).exp())
            ).log_prob(sample(m, v, r, e)[0]),
        ),
        lambda m, v, r, e: [part.numpy() for part in sample(m, v, r, e)],
        lambda m, v, r, e: list(sample(m, v, torch.tril(r, diagonal=-1), e)),
    ],
}


def sweep(x, mu0, l0, a0, b0, tau):
    n = len(x)
    mu, lam = (l0 * mu0 + x.sum()) / (l0 + n), (l0 + n) * tau
    squares = ((x - mu) ** 2).sum() + n / lam + l0 * ((mu - mu0) ** 2 + 1 / lam)
    return mu, lam, a0 + 0.5 * (n + 1), b0 + 0.5 * squares


def sweep_with(place, change):
    def fn(*given):
        answer = list(sweep(*given))
        answer[place] = change(answer[place], *given)
        return answer

    return fn


def mean_of(x, mu0, l0):
    return (l0 * mu0 + x.sum()) / (l0 + len(x))


def scatter(x, mu0, l0):
    return ((x - mean_of(x, mu0, l0)) ** 2).sum()


SWEEP = {
    "wrong": [
        (sweep_with(0, lambda mu, x, *_: x.mean()), "mu is the mean of x"),
        (sweep_with(1, lambda lam, x, m, l0, *_: l0 + len(x)), "E.τ. is missing in lambda_"),
        (sweep_with(1, lambda lam, *_: 1 / lam), "you return the variance"),
        (sweep_with(2, lambda a, x, m, l0, a0, b0, t: a0 + len(x) / 2), "a lacks a half"),
        (sweep_with(3, lambda b, *_: 1 / b), "scale, its inverse"),
        (sweep_with(3, lambda b, x, m, l0, a0, b0, t: b - b0), "b0 is missing"),
        (sweep_with(3, lambda b, *_: b.sqrt()), "n b, your answer"),
        (
            sweep_with(3, lambda b, x, m, l0, *_: b - 0.5 * l0 * (mean_of(x, m, l0) - m) ** 2),
            "prior's square .* is missing",
        ),
        (
            sweep_with(3, lambda b, x, m, l0, *_: b - 0.5 * (1 - 1 / len(x)) * scatter(x, m, l0)),
            "around mu is divided by the number of rows",
        ),
        (lambda *given: sweep(*given)[::-1], "order is not"),
        (lambda *given: sweep(*given)[:2], "return 4 things"),
        (lambda *given: dict(zip("mlab", sweep(*given))), "returns a dict"),
        (lambda x, *given: sweep(x.sub_(1), *given), "change x in place"),
        (lambda x, m, l0, a0, b0, t: sweep(x, m, l0, a0, b0, a0 / b0), "a0/b0"),
        (lambda x, m, l0, a0, b0, t: sweep(x, 0, l0, a0, b0, t), "mu0 is missing"),
        (lambda x, m, l0, a0, b0, t: sweep(x[:-1], m, l0, a0, b0, t), "n mu, your answer"),
    ],
    "right": [
        sweep,
        lambda *given: [float(value) for value in sweep(*given)],
        lambda *given: np.array([float(value) for value in sweep(*given)]),
        lambda x, *given: sweep(torch.tensor(x.tolist(), dtype=torch.float64), *given),
    ],
}

CORPUS = {
    "normal_gamma_sweep": SWEEP,
    "log_evidence": EVIDENCE,
    "reconstruction_loss": LOSS,
    "mask_corruption": MASK,
    "monte_carlo": ERROR,
    "kl_estimate": DIVERGENCE,
    "em_step": EM,
    "linear_gaussian_posterior": LINEAR,
    "gap": GAP,
    "score_function_gradient": SCORE,
    "full_covariance_sample": SAMPLE,
}
