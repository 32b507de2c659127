"""Answers to `vc.checks.evaluate`, written before the check was read."""

import copy
import functools
import math

import numpy as np
import torch
from torch.distributions import kl_divergence
from torch.utils.data import DataLoader

import vaecourse as vc
from vaecourse.objectives import elbo_terms, importance_weighted_bound


def rows(model, x, generator, *, z_of=None, kl=1.0):
    q = model.encode(x)
    z = z_of(q) if z_of else q.rsample((), generator)
    return model.decode(z).log_prob(x) - kl * kl_divergence(q, model.prior)


def batched(
    size=200, of=rows, finish=lambda sums, counts: sum(sums) / sum(counts), take=lambda bs: bs
):
    @torch.no_grad()
    def score(model, x, generator):
        sums, counts = [], []
        for batch in take(x.split(size)):
            sums.append(of(model, batch, generator).sum().item())
            counts.append(len(batch))
        return finish(sums, counts)

    return score


def by_law(law):
    """With z = law(q, eps, u), of normal and of uniform numbers."""

    def of(model, x, g):
        q = model.encode(x)
        eps, u = (draw(q.mean.shape, generator=g) for draw in (torch.randn, torch.rand))
        return rows(model, x, g, z_of=lambda _: law(q, eps, u))

    return batched(of=of)


def best_batch(model, x, generator):
    with torch.no_grad():
        return max(rows(model, batch, generator).mean().item() for batch in x.split(200))


def in_training(model, x, generator):
    model.train()
    return batched()(model, x, generator)


def seeded(model, x, generator):
    return batched()(model, x, torch.Generator().manual_seed(0))


def best_of_two(model, x, generator):
    with torch.no_grad():
        return max(rows(model, x, generator).mean().item() for _ in range(2))


def two_draws(model, x, generator):
    with torch.no_grad():
        return sum(rows(model, x, generator).mean().item() for _ in range(2)) / 2


def in_place(model, x, generator):
    return batched()(model, x.round_().mul_(0.5), generator)


def shuffled(model, x, generator):
    order = torch.randperm(len(x), generator=generator)
    return batched()(model, x[order], generator)


def in_order_of_index(model, x, generator):
    total = 0.0
    with torch.no_grad():
        for i in range(0, len(x), 128):
            total = total + rows(model, x[i : i + 128], generator).sum()
    return total / len(x)


def loader(model, x, generator):
    with torch.no_grad():
        parts = [rows(model, batch, generator) for batch in DataLoader(x, batch_size=64)]
    return torch.cat(parts).mean()


def weighted(model, x, generator, size=150):
    value = 0.0
    with torch.inference_mode():
        for batch in x.split(size):
            value += model.elbo(batch, 1, generator).mean().item() * len(batch) / len(x)
    return value


def drawn(model, x, generator):
    q = model.encode(x)
    z = q.rsample((), generator)
    return (model.decode(z).log_prob(x) + model.prior.log_prob(z) - q.log_prob(z)).mean()


def evaluate(size=200, draws=1, per_batch=lambda e: e.sum(), finish=lambda s, n: sum(s) / n):
    def evaluation(model, x, generator):
        with torch.no_grad():
            sums = [per_batch(model.elbo(b, draws, generator)).item() for b in x.split(size)]
        return finish(sums, len(x))

    return evaluation


def fixed_seed(model, x, generator):
    return model.elbo(x, 1, torch.Generator().manual_seed(0)).mean().item()


def loaded(shuffle):
    def evaluation(model, x, generator):
        batches = DataLoader(x, batch_size=128, shuffle=shuffle)
        return sum(model.elbo(b, 1, generator).sum().item() for b in batches) / len(x)

    return evaluation


def every_second(model, x, generator):
    parts = x.split(100)[::2]
    return sum(model.elbo(b, 1, generator).sum() for b in parts) / sum(len(b) for b in parts)


def half_of_the_weight(model, x, generator, which):
    q = model.encode(x)
    z = q.sample((), generator)
    other = (-q.log_prob(z), model.prior.log_prob(z))[which]
    return (model.decode(z).log_prob(x) + other).mean().item()


def with_terms(combine, at=lambda q, g: q.rsample((), g)):
    def evaluation(model, x, generator):
        q = model.encode(x)
        fit = model.decode(at(q, generator)).log_prob(x)
        return combine(fit, kl_divergence(q, model.prior)).item()

    return evaluation


def too_wide(q, generator):
    eps = torch.randn(q.mean.shape, generator=generator)
    return q.mean + 2 * q.stddev * eps


AVERAGES = {"per_batch": lambda e: e.mean(), "finish": lambda s, n: sum(s) / len(s)}


def frozen(model, x, generator):
    model.requires_grad_(False)
    return model.elbo(x, 1, generator).mean()


def in_double(model, x, generator):
    return model.double().elbo(x.double(), 1, generator).mean()


def with_backward(model, x, generator):
    value = model.elbo(x, 1, generator).mean()
    value.backward()
    return value.item()


def gradients_off(model, x, generator):
    torch.set_grad_enabled(False)
    return model.elbo(x, 1, generator).mean()


def in_a_double_copy(model, x, generator):
    return copy.deepcopy(model).double().elbo(x.double(), 1, generator).mean().item()


def rebuilt(model, x, generator):
    other = vc.models.build(model.params)
    other.load_state_dict(model.state_dict())
    return other.elbo(x, 1, generator).mean().item()


def padded(model, x, generator):
    bounds = []
    for part in x.split(200):
        whole = torch.cat([part, x[: 200 - len(part)]])
        bounds.append(model.elbo(whole, 1, generator)[: len(part)])
    return torch.cat(bounds).mean().item()


def over_dimensions(model, x, generator):
    terms = elbo_terms(model, x, 1, generator)
    return (terms.reconstruction / x.shape[1] - terms.kl).mean()


def at_the_mean(model, x, generator):
    q = model.encode(x)
    return (model.decode(q.mean).log_prob(x) - kl_divergence(q, model.prior)).mean()


def from_the_prior(model, x, generator):
    z = model.prior.sample((len(x),), generator)
    return model.decode(z).log_prob(x).mean()


def average_of_averages(model, x, generator):
    return torch.stack([model.elbo(b, 5, generator).mean() for b in x.split(200)]).mean()


def last_batch_dropped(model, x, generator):
    return torch.stack([model.elbo(b, 5, generator).mean() for b in x.split(200)][:-1]).mean()


def training_while_measuring(model, x, generator):
    loss = -model.elbo(x, 1, generator).mean()
    (gradient,) = torch.autograd.grad(loss, [model.decoder[0].weight])
    with torch.no_grad():
        model.decoder[0].weight -= 0.01 * gradient
    return -loss


def at_the_mean_in_batches(model, x, generator):
    parts = x.split(200)
    return torch.stack([at_the_mean(model, part, generator) for part in parts]).mean()


WRONG = [
    (lambda m, x, g: m.elbo(x, 1, g).mean().item() + 1, "The answer is 1 too large, everywhere"),
    (
        lambda m, x, g: half_of_the_weight(m, x, g, 0),
        r"log p\(z\) is missing: this is log p\(x\|z\) − log q",
    ),
    (lambda m, x, g: half_of_the_weight(m, x, g, 1), r"log q\(z\|x\) is missing"),
    (batched(of=functools.partial(rows, z_of=lambda q: q.mean)), "mean"),
    (
        batched(finish=lambda s, c: sum(a / b for a, b in zip(s, c)) / len(s)),
        "The averages of batches are averaged",
    ),
    (batched(finish=lambda s, c: sum(s)), "sum over the rows"),
    (batched(finish=lambda s, c: sum(s) / len(s)), "Sums over batches are averaged: divide"),
    (batched(finish=lambda s, c: -sum(s) / sum(c)), "sign"),
    (batched(finish=lambda s, c: sum(s) / sum(c) / math.log(2)), "bits"),
    (batched(finish=lambda s, c: sum(s) / sum(c) / 784), "The answer is"),
    (batched(finish=lambda s, c: s), r"The answer has shape \[7\]; give one"),
    (batched(take=lambda bs: bs[:-1]), "rows"),
    (batched(take=lambda bs: bs[:1]), "rows"),
    (batched(take=lambda bs: [*bs, bs[0]]), "Some rows count twice: x has"),
    (batched(of=functools.partial(rows, kl=0.0)), "KL"),
    (batched(of=functools.partial(rows, kl=-1.0)), "The KL is added; subtract it"),
    (batched(of=functools.partial(rows, kl=0.5)), "KL"),
    (
        batched(of=lambda m, x, g: rows(m, x, g, z_of=lambda q: m.prior.sample((len(x),)))),
        "drawn from the prior; draw it from q",
    ),
    (
        batched(
            of=lambda m, x, g: rows(
                m, x, g, z_of=lambda q: q.mean + 2 * (q.rsample((), g) - q.mean)
            )
        ),
        "The noise is σ ⊙ ε times about 2;",
    ),
    (batched(of=lambda m, x, g: rows(m, x, g, z_of=lambda q: 0 * q.mean)), "loc is not added"),
    *(
        (by_law(law), words)
        for law, words in [
            (lambda q, e, u: q.mean + q.stddev * (e + 0.5), r"ε has a mean of about 0\.[45]"),
            (lambda q, e, u: q.mean + q.stddev + q.stddev * e, r"ε has a mean of about (1|0\.9)"),
            (lambda q, e, u: q.stddev * e, "loc is not added"),
            (lambda q, e, u: 0.5 * q.mean + q.stddev * e, "times as far as loc"),
            (lambda q, e, u: q.mean + q.stddev * e[:, :1], "used for every latent of a row"),
            (lambda q, e, u: q.mean + q.stddev * (u - 0.5) * math.sqrt(12), "is not normal"),
        ]
    ),
    (lambda m, x, g: m.elbo(x, 1, g).sum() / 500, "500 is written in"),
    (best_batch, "The best batch alone"),
    (batched(of=lambda m, x, g: rows(m, x, None)), "The same generator gives another"),
    (
        batched(of=lambda m, x, g: rows(m, (x > 0.5).to(x.dtype).flip(0), g).flip(0)[:1]),
        "The encoder is given rows that are not",
    ),
    (seeded, "Every generator gives the same number"),
    (best_of_two, "The best of several evaluations"),
    (in_place, "in place"),
    *((evaluate(size, **AVERAGES), "averages of batches") for size in (100, 128, 200, 256, 500)),
    (fixed_seed, "seed is fixed"),
    (loaded(True), "draws from the global random numbers"),
    (lambda m, x, g: torch.manual_seed(0) and m.elbo(x, 1, g).mean(), "sets their seed"),
    (every_second, "never reach"),
    (with_terms(lambda f, k: (f - k).mean() / math.log(2)), "bits"),
    (with_terms(lambda f, k: (f - k).median()), "median"),
    (with_terms(lambda f, k: f.mean()), "KL is missing"),
    (with_terms(lambda f, k: (f - 0.5 * k).mean()), "counts half"),
    (with_terms(lambda f, k: (f - 3 * k).mean()), "KL counts 3 times"),
    (with_terms(lambda f, k: (f - k).mean(), lambda q, g: q.mean), "mean of q"),
    (lambda m, x, g: m.elbo(x, 1, g), "shape"),
    (lambda m, x, g: m.elbo(x).mean(), "generator"),
    (lambda m, x, g: m.elbo(x[:100], 1, g).mean(), "Only the first 100"),
    (lambda m, x, g: -m.elbo(x, 1, g).mean(), "this is the loss"),
    (lambda m, x, g: m.elbo(x, 1, g).mean() / x.shape[1], "bound is averaged over dimensions"),
    (with_terms(lambda f, k: (f - k).mean(), too_wide), "The noise is σ ⊙ ε times about"),
    (lambda m, x, g: m.elbo(x - x.mean(0), 1, g).mean(), "not those of x"),
    (lambda m, x, g: -kl_divergence(m.encode(x), m.prior).mean(), r"log p\(x\|z\) is missing"),
    (lambda m, x, g: evaluate()(m, x[: len(x) // 200 * 200], g), "smaller batch is left out"),
    (evaluate(200, 1, lambda e: e.mean(), lambda s, n: s[-1]), "Only the last batch"),
    (evaluate(200, 1, lambda e: e.mean(), lambda s, n: s[0]), "Only the first batch"),
    (
        evaluate(200, 1, lambda e: e.mean(), lambda s, n: sum(s)),
        "averages of the batches are s",
    ),
    (evaluate(200, 1, lambda e: e.sum(), lambda s, n: sum(s) / len(s)), "Sums over batches"),
    (lambda m, x, g: 42.0, "never asked"),
    (frozen, "You change model for good"),
    (in_double, "You change model for good"),
    (with_backward, r"needs no backward\(\)"),
    (gradients_off, "You switch gradients off or on"),
    (
        torch.no_grad()(
            lambda m, x, g: torch.stack([m.elbo(x, 1, g) for _ in range(5)]).amax(0).mean()
        ),
        "The best of several draws is kept",
    ),
    (
        batched(finish=lambda s, c: sum(s) / (len(s) * max(c))),
        "as if the last batch were as large",
    ),
    (batched(of=lambda m, x, g: rows(m, x, g.manual_seed(0))), "The same ε comes again"),
    (torch.no_grad()(lambda m, x, g: m.score(x)), r"what it does not have .*stops at `.*m\.score"),
    (
        lambda m, x, g: (
            m.elbo(torch.cat([x, x[:197]]), 1, g).mean()
            if len(x) > 1000
            else m.elbo(x, 1, g).mean()
        ),
        "Some rows count twice: x has 1203, 1400 are encoded",
    ),
    (at_the_mean_in_batches, "mean of q: this is no bound; and the batches"),
    (over_dimensions, "averaged over dimensions"),
    (from_the_prior, "The decoder is asked before the encoder"),
    (average_of_averages, "averages of batches are averaged"),
    (last_batch_dropped, "The last, smaller batch is left out"),
    (lambda m, x, g: importance_weighted_bound(m, x, 50, g).mean(), "average the logs"),
    (training_while_measuring, "an evaluation takes no step"),
    (lambda m, x, g: m.elbo(x, 1, g).mean() / 0, "our answer is −∞"),
]
RIGHT = [
    batched(size=100, of=lambda m, x, g: m.elbo(x, 50, g)),
    in_order_of_index,
    loader,
    weighted,
    shuffled,
    drawn,
    two_draws,
    batched(size=1000),
    batched(size=7, of=lambda m, x, g: m.elbo(x, 1, g)),
    evaluate(),
    evaluate(64, 3),
    evaluate(1000),
    loaded(False),
    with_terms(lambda f, k: (f - k).mean()),
    lambda m, x, g: float(np.mean([m.elbo(x, 1, g).detach().numpy() for _ in range(3)])),
    torch.no_grad()(functools.partial(lambda m, x, g, size: evaluate(size)(m, x, g), size=300)),
    in_a_double_copy,
    rebuilt,
    padded,
    lambda m, x, g: drawn(m, x, g).detach().numpy(),
]
