"""Answers to chapters 09 and 10, written from the exercises, before the checks were read."""

import math

import numpy as np
import torch
from scipy import stats
from scipy.special import gammaln
from torch.distributions import Bernoulli, Exponential, Independent, Normal, Poisson, kl_divergence
from torch.nn import functional

LOG_2PI = math.log(2 * math.pi)


def kl(m, v):
    return 0.5 * (v.exp() + m**2 - 1 - v).sum(-1)


def kl_in_place(m, v):
    v += 0.0
    v.exp_()
    return 0.5 * (v + m**2 - 1 - v.log()).sum(-1)


def monte_carlo_kl(m, v):
    z = m + (v / 2).exp() * torch.randn(1000, *m.shape)
    q, p = Normal(m, (v / 2).exp()), Normal(0.0, 1.0)
    return (q.log_prob(z) - p.log_prob(z)).sum(-1).mean(0)


def kl_by_numpy(m, v):
    m, v = np.asarray(m), np.asarray(v)
    return np.einsum("bj->b", 0.5 * (np.exp(v) + m * m - 1.0 - v))


def kl_by_loop(m, v):
    return [
        sum(0.5 * (math.exp(b) + a * a - 1 - b) for a, b in zip(*rows))
        for rows in zip(m.tolist(), v.tolist())
    ]


def kl_of_distributions(m, v):
    return kl_divergence(Normal(m, torch.exp(0.5 * v)), Normal(torch.zeros_like(m), 1.0)).sum(1)


def kl_by_expm1(m, v):
    return 0.5 * torch.sum(torch.expm1(v) - v + torch.square(m), dim=1)


KL = {
    "wrong": [
        (kl_in_place, "change log_var in place"),
        (monte_carlo_kl, "no random draw"),
        (lambda m, v: kl(m, v.clamp(-2, 2)), "Right for log_var from −2 to 2, wrong beyond"),
        (lambda m, v: kl(m, (v.exp() + 0.01).log()), "wrong beyond|where log_var|your answer is"),
        (
            lambda m, v: 0.5 * (v.detach().exp() + m**2 - 1 - v).sum(1),
            "not the gradient by log_var",
        ),
        (lambda m, v: 0.5 * (v.exp() + m * m.detach() - 1 - v).sum(1), "not the gradient by loc"),
        (lambda m, v: 0.5 * (v.exp() + m**2 - 1 - v).sum(0), "over the wrong axis"),
        (lambda m, v: kl(m, v) / len(m), "divided by the number of rows"),
        (lambda m, v: kl(m, v) / 784, "1/784 times what is right"),
        (lambda m, v: kl(m, v) / math.log(2), "1.443 times what is right"),
        (lambda m, v: (kl(m, v), m), "returns a tuple of 2 things"),
        (lambda m, v: 0.5 * sum(np.exp(v) + m**2 - 1 - v), "over the wrong axis|has shape"),
        (lambda m, v: print(end=""), "returns nothing"),
        (lambda m, v: -0.5 * (1 + v - m**2 - v.exp()).mean(), "one number"),
        (lambda m, v: 0.5 * (v.exp() + m.abs() - 1 - v).sum(1), "not as .μ."),
        (lambda m, v: kl(m, v).clamp(max=50), "your answer is"),
        (lambda m, v: math.log(v) + m, "whole tensor"),
        (lambda m: m, "is called with"),
        (lambda m, v: kl(v, m), "your answer is"),
        (
            lambda m, v: torch.cat([kl(m[:-1], v[:-1]), torch.zeros(1)]),
            "your answer is",
        ),
    ],
    "right": [kl_by_numpy, kl_by_loop, kl_of_distributions, kl_by_expm1],
}


def bound(x, a, m, v):
    return -functional.binary_cross_entropy_with_logits(a, x, reduction="none").sum(1) - kl(m, v)


def bce(*given, **options):
    return functional.binary_cross_entropy_with_logits(*given, **options)


def scaled_kl(c):
    return lambda x, a, m, v: bound(x, a, m, v) + (1 - c) * kl(m, v)


def by_scipy(x, a, m, v):
    x, a, m, v = (np.asarray(t) for t in (x, a, m, v))
    likelihood = x * a - np.logaddexp(0, a)
    return likelihood.sum(1) - 0.5 * (np.exp(v) + m**2 - 1 - v).sum(1)


ELBO = {
    "wrong": [
        (lambda x, a, m, v: -bce(a, x) - kl(m, v), "takes the mean of all"),
        (lambda x, a, m, v: -bce(a, x, reduction="sum") - kl(m, v), "summed over the batch too"),
        (scaled_kl(0.5), "KL counts 0.5 times"),
        (scaled_kl(4.0), "KL counts 4 times"),
        (scaled_kl(1 / 784), "KL counts 1/784 times"),
        (scaled_kl(0.0), "The KL is missing"),
        (
            lambda x, a, m, v: (
                -functional.binary_cross_entropy(a, x, reduction="none").sum(1) - kl(m, v)
            ),
            "Numbers outside",
        ),
        (lambda x, a, m, v: bound(x, 0.5 * a + (0.5 * a).detach(), m, v), "not the gradient"),
        (lambda x, a, m, v: bound(x, a.clamp(-5, 5), m, v), "your answer is"),
        (lambda x, a, m, v: bound(x, a, m.detach(), v), "No gradient reaches loc"),
        (
            lambda x, a, m, v: (
                (x * (a.sigmoid() + 1e-8).log() + (1 - x) * (1 - a.sigmoid() + 1e-8).log()).sum(1)
                - kl(m, v)
            ),
            "your answer is",
        ),
        (lambda x, a, m, v: bound(x, a, m, v).mean(), "one number"),
        (lambda x, a, m, v: bound(a, x, m, v), "swapped"),
        (lambda x, a, m, v: bound(x, a, m, 2 * v), "read log_var as log σ"),
        (lambda x, a, m, v: (bound(x, a, m, v), kl(m, v), 1), "returns a tuple|return"),
        (lambda x, a, m, v: Bernoulli(logits=a).log_prob(x) - kl(m, v)[:, None], "last axis"),
        (lambda x, a, m, v: bound(x, a, m, v) - 0.5 * LOG_2PI, "too small, everywhere"),
    ],
    "right": [
        by_scipy,
        lambda x, a, m, v: Independent(Bernoulli(logits=a), 1).log_prob(x) - kl(m, v),
        lambda x, a, m, v: (x * a - functional.softplus(a)).sum(1) - kl(m, v),
        lambda x, a, m, v: (
            bound(x, a.float(), m.float(), v.float())
            if False
            else bound(x.float(), a.float(), m.float(), v.float())
        ),
        lambda x, a, m, v: torch.stack(
            [bound(*(t[None] for t in row))[0] for row in zip(x, a, m, v)]
        ),
    ],
}

TOTAL = {
    "wrong": [
        (lambda t, n: n // len(t) * t.sum(), "rounded down"),
        (lambda t, n: n / 100 * t.sum(), "100 is written in"),
        (lambda t, n: t.sum(), "minibatch alone"),
        (lambda t, n: t.mean(), "mean over the minibatch"),
        (lambda t, n: n * t.mean().detach(), "detached"),
        (lambda t, n: n * t[0], "Absolute values|our answer is"),
        (lambda t, n: n * t.abs().mean(), "Absolute values"),
        (lambda t, n: int(n * t.mean()), "our answer is"),
        (lambda t, n: n * t.mean().clamp(max=0), "your answer is|our answer is"),
        (lambda t, n: t.sum() * len(t) / n, "by M/N"),
    ],
    "right": [
        lambda t, n: np.mean(t.numpy()) * n,
        lambda t, n: sum(t) * n / len(t),
        lambda t, n: n * t.float().mean(),
        lambda t, n: torch.tensor([n / len(t)]).double() @ t.sum()[None],
        lambda terms, num_data, scale=None: terms.sum() * num_data / terms.numel(),
    ],
}


def draw(m, v, g):
    return m + (v / 2).exp() * torch.randn(m.shape, generator=g, dtype=m.dtype)


def seeded_inside(m, v, g):
    return draw(m, v, torch.Generator().manual_seed(0))


def same_for_pairs(m, v, g):
    half = torch.randn(len(m) // 2, m.shape[1], generator=g, dtype=m.dtype)
    eps = torch.cat([half, half, torch.randn(len(m) % 2, m.shape[1], generator=g, dtype=m.dtype)])
    return m + (v / 2).exp() * eps


def floored(m, v, g):
    return m + ((v.exp() + 1e-2).sqrt()) * torch.randn(m.shape, generator=g, dtype=m.dtype)


def rademacher(m, v, g):
    signs = torch.randint(2, m.shape, generator=g) * 2.0 - 1.0
    return m + (v / 2).exp() * signs


def by_normal(m, v, g):
    eps = torch.normal(torch.zeros_like(m), torch.ones_like(m), generator=g)
    return torch.addcmul(m, torch.exp(v / 2), eps)


def in_float32(m, v, g):
    return draw(m.float(), v.float(), g)


DRAW = {
    "wrong": [
        (seeded_inside, "seed is fixed"),
        (same_for_pairs, "those of others|same ε"),
        (floored, "deviation|is right"),
        (rademacher, "not normal"),
        (lambda m, v, g: draw(m, v, None), "generator"),
        (lambda m, v, g: draw(m, v.clamp(-3, 3), g), "z is .* is right"),
        (lambda m, v, g: draw(m, v, g).detach(), "detached"),
        (lambda m, v, g: draw(m, v.detach(), g), "reaches log_var"),
        (lambda m, v, g: m * draw(0 * m, v, g), "deviation|mean"),
        (lambda m, v, g: Normal(m, (v / 2).exp()).sample(), "generator"),
        (lambda m, v, g: Normal(m, (v / 2).exp()).rsample(), "generator"),
        (lambda m, v, g: (draw(m, v, g), m, v), "returns a tuple|shape"),
        (lambda m, v, g: draw(m, v, g)[0], "has shape"),
        (lambda m, v, g: draw(m, v, g).numpy(), "numpy|detached"),
        (lambda m, v, g: m - 2 * (v / 2).exp() * draw(0 * m, 0 * v, g), "deviation"),
        (lambda m, v, g: draw(m, v, g) + 0.1, "mean|is right"),
    ],
    "right": [by_normal, in_float32, lambda m, v, g: 2 * m - draw(m, v, g)],
}


def gaussian(x, m, v):
    return -0.5 * (LOG_2PI + v + (x - m) ** 2 / v.exp()).sum(-1)


GAUSSIAN = {
    "wrong": [
        (
            lambda x, m, v: Normal(m, (v / 2).exp()).log_prob(x).exp().prod(1).log(),
            "your answer is",
        ),
        (lambda x, m, v: Normal(m, v.exp()).log_prob(x).sum(1), "read log_var as log σ"),
        (lambda x, m, v: gaussian(x, m, (v.exp() + 0.1).log()), "your answer is"),
        (lambda x, m, v: gaussian(x, m, v.clamp(min=-6)), "Right for log_var from −6|your answer"),
        (lambda x, m, v: gaussian(x, m.detach(), v), "No gradient reaches loc"),
        (lambda x, m, v: gaussian(x, m, v) + 0.5 * v.sum(1), "−½ log σ² is missing"),
        (lambda x, m, v: -gaussian(x, m, v), "this is the loss"),
        (lambda x, m, v: -(v + (x - m) ** 2 / v.exp()).sum(1), "½ before both"),
        (lambda x, m, v: gaussian(x, m, v) / math.log(10), "times what is right"),
        (
            lambda x, m, v: -functional.gaussian_nll_loss(m, x, v.exp(), reduction="none").sum(1),
            "constant −½ log 2π of each|constant",
        ),
        (lambda x, m, v: -functional.gaussian_nll_loss(m, x, v.exp(), full=True), "one number"),
        (lambda x, m, v: Normal(m, (v / 2).exp()).log_prob(x), "last axis"),
        (lambda x, m, v: Independent(Normal(m, (v / 2).exp()), 1), "a distribution"),
        (lambda x, m, v: gaussian(x, m, v).exp(), "density itself"),
    ],
    "right": [
        lambda x, m, v: stats.norm(m.numpy(), np.exp(v.numpy() / 2)).logpdf(x.numpy()).sum(1),
        lambda x, m, v: Normal(m, (v / 2).exp()).log_prob(x).sum(-1),
        lambda x, m, v: (
            -0.5 * torch.einsum("bd,bd->b", (x - m) ** 2, (-v).exp()) - 0.5 * (v + LOG_2PI).sum(1)
        ),
        lambda x, m, v: (
            -0.5 * (x.shape[1] * LOG_2PI + v.sum(1) + (((x - m) * (-v / 2).exp()) ** 2).sum(1))
        ),
    ],
}


def poisson(x, a):
    return (x * a - a.exp() - torch.lgamma(x + 1)).sum(-1)


def by_product(x, a):
    factorial = torch.tensor(
        [
            [float(math.prod(range(1, int(c) + 1))) if c < 170 else math.inf for c in row]
            for row in x
        ],
        dtype=torch.float64,
    )
    return (x * a - a.exp() - factorial.log()).sum(1)


POISSON = {
    "wrong": [
        (by_product, "lgamma"),
        (lambda x, a: poisson(x, a.detach()), "detached"),
        (lambda x, a: (x * a - a.detach().exp() - torch.lgamma(x + 1)).sum(1), "not the gradient"),
        (lambda x, a: Poisson(a).log_prob(x).sum(1), "your answer|Numbers|stops|rate itself|range"),
        (lambda x, a: Poisson(a.exp()).log_prob(x).sum(1), "log rate of −800"),
        (
            lambda x, a: -functional.poisson_nll_loss(a, x, reduction="none").sum(1),
            "log x! is missing",
        ),
        (
            lambda x, a: -functional.poisson_nll_loss(a, x, full=True, reduction="none").sum(1),
            "Stirling",
        ),
        (lambda x, a: -functional.poisson_nll_loss(a, x), "one number"),
        (lambda x, a: (x * a - a.exp() - torch.lgamma(x)).sum(1), "lgamma"),
        (lambda x, a: poisson(x, a.clamp(-5, 5)), "wrong beyond|your answer"),
        (lambda x, a: poisson(x, a).sum(), "one number"),
        (lambda x, a: poisson(a, x), "swapped"),
        (
            lambda x, a: (x * a - a.exp() - math.factorial(x)).sum(1),
            "stands where one number|stops",
        ),
        (lambda x, a: poisson(x, (a.exp() + 1e-6).log()), "your answer is"),
    ],
    "right": [
        lambda x, a: (x.numpy() * a.numpy() - np.exp(a.numpy()) - gammaln(x.numpy() + 1)).sum(1),
        lambda x, a: (
            -functional.poisson_nll_loss(a, x, reduction="none").sum(1)
            - torch.special.gammaln(x + 1).sum(1)
        ),
        lambda x, a: x.mul(a).sub(a.exp()).sub((x + 1).lgamma()).sum(dim=1),
    ],
}


def exponential(a):
    return (a + (-a).exp() - 1).sum(-1)


EXPONENTIAL = {
    "wrong": [
        (lambda a: (a + a.exp() - 1).sum(1), "rate stands where the mean"),
        (lambda a: (a + (-a).detach().exp() - 1).sum(1), "not the gradient"),
        (lambda a: exponential(a).detach(), "detached"),
        (lambda a: exponential(a.clamp(-3, 3)), "Right for log_rate from"),
        (lambda a: exponential(a) / a.shape[1], "averaged over the latents"),
        (lambda a: exponential(a).mean(), "one number"),
        (lambda a: (a.log() + 1 / a - 1).sum(1), "log_rate as the rate itself"),
        (lambda a: (a + (-a).exp()).sum(1), "−1 is missing"),
        (lambda a: (a - a.exp() - 1).sum(1), "your answer"),
        (lambda a: (-a + a.exp() - 1).sum(1), "wrong direction"),
        (
            lambda a: kl_divergence(Exponential(a.exp()), Exponential(1.0)),
            "stops|last axis|has shape",
        ),
        (lambda a: a.exp(), "last axis"),
        (lambda a: exponential(a.abs()), "wrong beyond|your answer"),
    ],
    "right": [
        lambda a: kl_divergence(Exponential(a.exp()), Exponential(torch.ones_like(a))).sum(1),
        lambda a: np.sum(a.numpy() + np.exp(-a.numpy()) - 1, axis=-1),
        lambda a: torch.expm1(-a).add(a).sum(-1),
    ],
}

CORPUS = {
    "kl": KL,
    "elbo": ELBO,
    "minibatch_total": TOTAL,
    "reparameterize": DRAW,
    "gaussian_log_likelihood": GAUSSIAN,
    "poisson_log_likelihood": POISSON,
    "exponential_kl": EXPONENTIAL,
}
