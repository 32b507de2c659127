"""Answers to `vc.checks.reparameterize`, written before the check was read."""

import math

import torch
from torch.distributions import Normal


def noise(m, g):
    return torch.randn(m.shape, generator=g, dtype=m.dtype)


def drawn(m, v, g):
    return torch.normal(m, (0.5 * v).exp(), generator=g)


def antithetic(m, v, g):
    half = torch.randn((len(m) + 1) // 2, m.shape[1], generator=g, dtype=m.dtype)
    return m + (0.5 * v).exp() * torch.cat([half, -half])[: len(m)]


def seeded(m, v, g):
    return m + (0.5 * v).exp() * noise(m, torch.Generator().manual_seed(1))


def averaged(m, v, g):
    return m + (0.5 * v).exp() * torch.stack([noise(m, g) for _ in range(4)]).mean(0)


def in_place(m, v, g):
    return noise(m, g).mul_(v.mul_(0.5).exp_()).add_(m)


def box_muller(m, v, g):
    u = 1 - torch.rand(2, *m.shape, generator=g, dtype=m.dtype)
    return m + (v / 2).exp() * (-2 * u[0].log()).sqrt() * (2 * math.pi * u[1]).cos()


def inverse(m, v, g):
    u = torch.rand(m.shape, generator=g, dtype=torch.float64) * (1 - 2e-12) + 1e-12
    return Normal(m, v.exp().sqrt()).icdf(u)


def row_by_row(loc, log_var, generator):
    rows = []
    for m, v in zip(loc, log_var):
        rows.append(m + torch.exp(v / 2) * torch.randn(len(m), generator=generator))
    return torch.stack(rows)


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


def centred(m, v, g):
    eps = noise(m, g)
    return m + (0.5 * v).exp() * (eps - eps.mean(0))


def scaled(m, v, g):
    eps = noise(m, g)
    return m + (0.5 * v).exp() * eps / eps.std(0)


def related(m, v, g):
    eps = noise(m, g)
    return m + (0.5 * v).exp() * (eps + eps.flip(1)[:, :1] * 0.5) / 1.1


WRONG = [
    (lambda m, v, g: drawn(m, v, g).squeeze(), r"For one row z has shape \[2\]"),
    (lambda m, v, g: m.mean(0) + drawn(0 * m, v, g), "another loc in every row"),
    (centred, "centred or scaled over the batch"),
    (scaled, "centred or scaled over the batch"),
    (related, "hangs on that of another"),
    (lambda m, v, g: m + v.exp() * noise(m, g), "The variance is used as a deviation: σ"),
    (lambda m, v, g: m + v * noise(m, g), "log_var itself is used as σ; σ is"),
    (
        lambda m, v, g: m + (-0.5 * v).exp() * noise(m, g),
        r"σ is inverted: it is exp\(\+½ log_var\)",
    ),
    (
        lambda m, v, g: m + (0.5 * v).exp() * noise(m[0], g),
        "The same ε is used for every row; draw",
    ),
    (
        lambda m, v, g: m + (0.5 * v).exp() * noise(m[:, :1], g),
        "The same ε is used for every latent of",
    ),
    (lambda m, v, g: Normal(m, (0.5 * v).exp()).rsample(), "must come from the generator"),
    (drawn, "z was drawn"),
    (
        lambda m, v, g: m + (0.5 * v).exp() * torch.rand(m.shape, generator=g, dtype=m.dtype),
        r"ε is uniform \(torch\.rand\); it must be",
    ),
    (
        lambda m, v, g: m + (0.5 * v).exp() * noise(m, g).abs(),
        "Every ε has the same sign",
    ),
    (
        lambda m, v, g: m + (0.5 * v).exp() * noise(m, g).clamp(-2, 2),
        "ε is cut off at 2 from 0",
    ),
    (
        lambda m, v, g: m + (0.5 * v).exp() * noise(m, g).clamp(-3, 3),
        "ε is cut off at 3 from 0",
    ),
    (lambda m, v, g: (0.5 * v).exp() * noise(m, g), "loc is not added: z has mean 0"),
    (
        lambda m, v, g: m + 0.5 * (0.5 * v).exp() * noise(m, g),
        r"The noise is σ ⊙ ε times about 0\.5\d?; leave",
    ),
    (
        lambda m, v, g: m + (0.5 * v).exp() * (noise(m, g) + 0.1),
        r"ε has a mean of about 0\.(08|09|1)\d?; leave",
    ),
    (
        lambda m, v, g: m + (0.5 * v).exp() * (noise(m, g) - 0.2),
        r"ε has a mean of about −0\.2\d?; leave",
    ),
    (
        lambda m, v, g: m + ((0.5 * v).exp() + 0.05) * noise(m, g),
        r"To σ about 0\.0[456]\d? is added",
    ),
    (lambda m, v, g: m + (0.5 * v).exp() * noise(m, g).sort(0).values, "leave them as drawn"),
    (lambda m, v, g: m + (0.5 * v).exp().detach() * noise(m, g), "log_var"),
    (lambda m, v, g: m.detach() + (0.5 * v).exp() * noise(m, g), "No gradient reaches loc"),
    (
        lambda m, v, g: m + torch.nn.functional.softplus(v) * noise(m, g),
        "The first latent of z has deviation",
    ),
    (lambda m, v, g: m + (0.5 * v).exp(), "No noise is drawn: z − loc is the same"),
    (lambda m, v, g: m, "z is loc itself: the noise σ ⊙ ε is"),
    (lambda m, v, g: noise(m, g), "The noise is not scaled by σ: its"),
    (lambda m, v, g: m + noise(m, g), "The noise is not scaled by σ: its"),
    (
        lambda m, v, g: m + (0.5 * v.clamp(-3, 3)).exp() * noise(m, g),
        "right for log_var cut off at −3",
    ),
    (lambda m, v, g: m + 2 * (0.5 * v).exp() * noise(m, g), r"⊙ ε times about 2(\.\d)?;"),
    (antithetic, "The ε of some rows hang on those of"),
    (seeded, "Every generator gives the same z: a seed"),
    (averaged, r"⊙ ε times about 0\.(49|5)\d?;"),
    (in_place, "in place"),
    (lambda m, v, g: (m + (0.5 * v).exp() * noise(m, g), m), r"z has shape \[2"),
    (seeded_inside, "seed is fixed"),
    (same_for_pairs, "those of others|same ε"),
    (floored, "deviation"),
    (rademacher, "not normal"),
    (lambda m, v, g: draw(m.clamp(max=100), v, g), "right for loc cut off above 100"),
    (lambda m, v, g: draw(m, v, None), "generator"),
    (lambda m, v, g: draw(m, v.clamp(-3, 3), g), "right for log_var cut off at −3"),
    (lambda m, v, g: draw(m, v, g).detach(), "z is detached"),
    (lambda m, v, g: draw(m, v.detach(), g), "reaches log_var"),
    (lambda m, v, g: m * draw(0 * m, v, g), "deviation|mean"),
    (lambda m, v, g: Normal(m, (v / 2).exp()).sample(), "generator"),
    (lambda m, v, g: Normal(m, (v / 2).exp()).rsample(), "generator"),
    (lambda m, v, g: (draw(m, v, g), m, v), "returns a tuple|shape"),
    (lambda m, v, g: draw(m, v, g)[0], "must be that of loc"),
    (lambda m, v, g: draw(m, v, g).numpy(), "numpy|detached"),
    (lambda m, v, g: m - 2 * (v / 2).exp() * draw(0 * m, 0 * v, g), r"⊙ ε times about 2(\.\d)?;"),
    (lambda m, v, g: draw(m, v, g) + 0.1, r"plus about 0\.(09|1)\d*; leave that out"),
    (
        lambda m, v, g: m + (0.5 * v).exp() * torch.randn(len(m), 2, generator=g, dtype=m.dtype),
        "For three latents: Two shapes do not fit together",
    ),
    (lambda m, v, g: m + v.sqrt() * noise(m, g), "NaN or infinite"),
    (lambda m, v, g: m + (0.25 * v).exp() * noise(m, g), "root is taken twice"),
    (lambda m, v, g: draw(m, v, g) + (m - m.detach()), "gradients are not those"),
]
RIGHT = [
    box_muller,
    inverse,
    row_by_row,
    lambda m, v, g: m + v.exp().sqrt() * torch.empty_like(m).normal_(generator=g),
    lambda m, v, g: torch.addcmul(
        m, (0.5 * v).exp(), torch.normal(0 * m.detach(), 1.0, generator=g)
    ),
    lambda loc, log_var, generator, temperature=1.0: (
        loc + temperature * (0.5 * log_var).exp() * noise(loc, generator)
    ),
    lambda m, v, g: m + (torch.diag_embed((0.5 * v).exp()) @ noise(m, g)[:, :, None]).squeeze(-1),
    lambda m, v, g: m.float() + (0.5 * v.float()).exp() * torch.randn(m.shape, generator=g),
    by_normal,
    in_float32,
    lambda m, v, g: 2 * m - draw(m, v, g),
]
