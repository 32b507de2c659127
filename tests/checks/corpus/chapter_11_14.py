"""Answers to chapters 11 to 14, written from the exercises, before the checks were read."""

import math

import numpy as np
import torch
from scipy import linalg, special
from torch.distributions import MultivariateNormal, kl_divergence
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits
from torch.utils.data import DataLoader

# --- chapter 11 ------------------------------------------------------------------------------


def slopes(x, m, v):
    return (m - x) / v.exp(), 0.5 - 0.5 * (m - x) ** 2 / v.exp()


def by_autograd(x, m, v):
    m, v = m.clone().requires_grad_(), v.clone().requires_grad_()
    with torch.enable_grad():
        loss = 0.5 * (v + (x - m) ** 2 / v.exp()).sum()
    return torch.autograd.grad(loss, (m, v))


SLOPES = {
    "wrong": [
        (lambda x, m, v: slopes(m, x, v), "The sign is turned"),
        (lambda x, m, v: slopes(x, m, v)[::-1], "wrong order"),
        (lambda x, m, v: tuple(s.sum() for s in slopes(x, m, v)), "summed"),
        (lambda x, m, v: tuple(s.mean(0) for s in slopes(x, m, v)), "has shape"),
        (lambda x, m, v: tuple(s / len(x) for s in slopes(x, m, v)), "batch size"),
        (lambda x, m, v: slopes(x, m, v.clamp(-3, 3)), "Right for log_var"),
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
    ],
    "right": [
        by_autograd,
        lambda x, m, v: [s.numpy() for s in slopes(x, m, v)],
        lambda x, m, v: torch.stack(slopes(x, m, v)),
        lambda x, m, v: ((m - x) * (-v).exp(), -0.5 * torch.expm1(2 * (m - x).abs().log() - v)),
    ],
}


def full(m, L):
    logs = torch.diagonal(L, dim1=1, dim2=2).log().sum(1)
    return 0.5 * (L.pow(2).sum((1, 2)) + m.pow(2).sum(1) - m.shape[1]) - logs


FULL = {
    "wrong": [
        (lambda m, L: full(m, L.mT @ L), "your answer"),
        (
            lambda m, L: (
                0.5
                * (
                    (L @ L.mT).diagonal(dim1=1, dim2=2).sum(1)
                    + (m**2).sum(1)
                    - m.shape[1]
                    - torch.det(L @ L.mT).log()
                )
            ),
            "σ = 0.001|your answer",
        ),
        (lambda m, L: full(m, L) + 0.5 * m.shape[1], "J is missing"),
        (lambda m, L: full(m, L) - 0.5 * (m**2).sum(1), "means are missing"),
        (lambda m, L: full(m, L) - L.diagonal(dim1=1, dim2=2).log().sum(1), "counts twice"),
        (lambda m, L: full(m, L) + 0.5 * (m.norm(dim=1) - (m**2).sum(1)), "|μ| enters"),
        (lambda m, L: full(m, L) + 0.5 * (m.shape[1] - 1), "1 is subtracted in place of J"),
        (lambda m, L: full(m, L) + m.shape[1], "J is added"),
        (lambda m, L: full(m, L).sum(), "one number"),
        (lambda m, L: 2 * full(m, L), "½ before the sum"),
        (lambda m, L: full(m, torch.diag_embed(L.diagonal(dim1=1, dim2=2))), "only the diagonal"),
        (
            lambda m, L: kl_divergence(
                MultivariateNormal(m, scale_tril=L), MultivariateNormal(m, scale_tril=L)
            ),
            "zero everywhere",
        ),
        (lambda m, L: full(m, L) / m.shape[1], "Averaged over the latents"),
        (lambda m, L: full(m, L.clamp(min=-1)), "your answer"),
        (lambda m, L: full(m, L) / len(m), "divided by the number of rows"),
    ],
    "right": [
        lambda m, L: kl_divergence(
            MultivariateNormal(m, scale_tril=L),
            MultivariateNormal(torch.zeros_like(m), torch.eye(m.shape[1], dtype=m.dtype)),
        ),
        lambda m, L: full(m, L).numpy(),
        lambda m, L: torch.stack([full(a[None], b[None])[0] for a, b in zip(m, L)]),
        lambda m, L: (
            0.5 * (torch.einsum("bij,bij->b", L, L) + torch.einsum("bi,bi->b", m, m) - m.shape[1])
            - L.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        ),
    ],
}

# --- chapter 12 ------------------------------------------------------------------------------


def factors(x, W, m, psi):
    s = torch.linalg.inv(torch.eye(W.shape[1]) + W.T @ torch.diag(1 / psi) @ W)
    return (x - m) @ torch.diag(1 / psi) @ W @ s, s


def by_marginal(x, W, m, psi):
    c = W @ W.T + torch.diag(psi)
    gain = torch.linalg.solve(c, W).T
    return (x - m) @ gain.T, torch.eye(W.shape[1]) - gain @ W


FACTORS = {
    "wrong": [
        (lambda x, W, m, p: factors(x, W, 0 * m, p), "not subtracted"),
        (lambda x, W, m, p: factors(x, W, m, p.sqrt()), "holds variances|Ψ"),
        (lambda x, W, m, p: factors(x, W, m, 1 / p), "Ψ stands where"),
        (lambda x, W, m, p: factors(x, W, m, p.mean().expand(len(p))), "probabilistic PCA"),
        (lambda x, W, m, p: factors(x, W, m, p)[::-1], "covariance comes first"),
        (lambda x, W, m, p: (factors(x, W, m, p)[0].T, factors(x, W, m, p)[1]), "turned over|J, B"),
        (
            lambda x, W, m, p: (factors(x, W, m, p)[0], factors(x, W, m, p)[1].diagonal()),
            "diagonal",
        ),
        (lambda x, W, m, p: factors(x.sub_(m), W, 0 * m, p), "change x in place"),
        (lambda x, W, m, p: factors(x, W, m, p + 0.01), "n the covariance"),
        (lambda x, W, m, p: factors(x, W, m, p)[0], "2 things"),
        (lambda x, W, m, p: factors(x - x.mean(0), W, 0 * m, p), "mean of the rows"),
    ],
    "right": [
        by_marginal,
        lambda x, W, m, p: [part.numpy() for part in factors(x, W, m, p)],
        lambda x, W, m, p: (
            torch.stack([factors(row[None], W, m, p)[0][0] for row in x]),
            torch.cholesky_inverse(torch.linalg.cholesky(torch.eye(W.shape[1]) + (W.T / p) @ W)),
        ),
    ],
}


def mixture(a, f, k):
    q = a.softmax(1)
    return (q * (f - k - a.log_softmax(1))).sum(1) - math.log(a.shape[1])


def with_log_q(log_q):
    return lambda a, f, k: (a.softmax(1) * (f - k - log_q(a))).sum(1) - math.log(a.shape[1])


MIXTURE = {
    "wrong": [
        (with_log_q(lambda a: a), "not normalized"),
        (with_log_q(lambda a: a.softmax(1).log()), "certain"),
        (with_log_q(lambda a: (a.softmax(1) + 1e-3).log()), "your answer"),
        (lambda a, f, k: mixture(a, f, k) + math.log(a.shape[1]) - math.log(10), "10 labels"),
        (lambda a, f, k: mixture(a, f, k) + 2 * math.log(a.shape[1]), "log K is added"),
        (lambda a, f, k: mixture(a.detach(), f, k), "No gradient reaches logits"),
        (
            lambda a, f, k: (
                (a.softmax(1).detach() * (f - k)).sum(1)
                - math.log(a.shape[1])
                - (a.softmax(1) * a.log_softmax(1)).sum(1)
            ),
            "not the gradient",
        ),
        (lambda a, f, k: mixture(a, f, k).mean(), "one number"),
        (lambda a, f, k: mixture(a, f, 0.5 * k), "KL of z counts 0.5 times"),
        (lambda a, f, k: mixture(a, f, k) - math.log(a.shape[1]), "counts 2 times"),
        (lambda a, f, k: mixture(a.T, f, k), "Two shapes|stops|your answer|fit"),
        (lambda a, f, k: -mixture(a, f, k), "this is the loss"),
        (lambda a, f, k: torch.logsumexp(a.log_softmax(1) + f - k, 1), "outside the sum"),
    ],
    "right": [
        lambda a, f, k: torch.einsum(
            "bk,bk->b", a.softmax(1), f - k - a.log_softmax(1) - math.log(a.shape[1])
        ),
        lambda a, f, k: (
            (special.softmax(a.numpy(), 1) * (f - k).numpy()).sum(1)
            - special.rel_entr(special.softmax(a.numpy(), 1), 1 / a.shape[1]).sum(1)
        ),
        lambda a, f, k: sum(mixture_term(a, f, k, y) for y in range(a.shape[1])),
    ],
}


def mixture_term(a, f, k, y):
    log_q = a.log_softmax(1)[:, y]
    return log_q.exp() * (f[:, y] - k[:, y] - log_q - math.log(a.shape[1]))


def sequence(model, x, generator, carry=lambda q, z: z, seen=lambda q, z: z, draw=None):
    h, total = model.first_state(len(x)), 0
    for t in range(x.shape[1]):
        q = model.encode(x[:, t], h)
        z = draw(q) if draw else q.rsample((), generator)
        total = total + model.decode(seen(q, z), h).log_prob(x[:, t])
        total = total - kl_divergence(q, model.prior(h))
        h = model.next_state(x[:, t], carry(q, z), h)
    return total


def kl_at_the_draw(model, x, generator):
    h, total = model.first_state(len(x)), 0
    for x_t in x.unbind(1):
        q = model.encode(x_t, h)
        z = q.rsample((), generator)
        total = total + model.decode(z, h).log_prob(x_t)
        total = total - q.log_prob(z) + model.prior(h).log_prob(z)
        h = model.next_state(x_t, z, h)
    return total


def fits(model, x, generator):
    state, total = model.first_state(len(x)), 0
    for x_t in x.unbind(1):
        z = model.encode(x_t, state).rsample((), generator)
        total = total + model.decode(z, state).log_prob(x_t)
        state = model.next_state(x_t, z, state)
    return total


SEQUENCE = {
    "wrong": [
        (lambda m, x, g: sequence(m, x, g, carry=lambda q, z: q.mean), "mean of q"),
        (lambda m, x, g: sequence(m, x, g, seen=lambda q, z: q.mean), "mean of q"),
        (lambda m, x, g: sequence(m, x, g, draw=lambda q: q.mean), "mean of q"),
        (lambda m, x, g: sequence(m, x, torch.Generator().manual_seed(1)), "seed is fixed"),
        (lambda m, x, g: sequence(m, x, None), "generator"),
        (
            lambda m, x, g: sequence(m, x, g, draw=lambda q: q.rsample((), g).detach()),
            "stops at z_t",
        ),
        (lambda m, x, g: sequence(m, x, g).detach(), "detached"),
        (lambda m, x, g: sequence(m, x, g).mean(), "one number"),
        (lambda m, x, g: sequence(m, x, g) / x.shape[1], "averaged"),
        (lambda m, x, g: -sequence(m, x, g), "this is the loss"),
        (lambda m, x, g: 2 * sequence(m, x, g) - fits(m, x, g), "KL counts 2 times"),
        (lambda m, x, g: sequence(m, x, g) + fits(m, x, g), "x_t . …. counts 2 times"),
        (lambda m, x, g: sequence(m, x.flip(1), g), "your answer"),
        (lambda m, x, g: sequence(m, x, g, carry=lambda q, z: 0 * z), "z_t does not enter"),
        (lambda m, x, g: sequence(m, x, g, carry=lambda q, z: z.detach()), "gradient"),
    ],
    "right": [
        sequence,
        lambda m, x, g: m.elbo(x, 1, g),
        lambda model, x, generator: sequence(model, x.clone(), generator) + 0.0,
    ],
}

# --- chapter 13 ------------------------------------------------------------------------------


def frechet(m, c, n, d):
    w, u = torch.linalg.eigh(c)
    half = u @ torch.diag(w.clamp(min=0).sqrt()) @ u.T
    roots = torch.linalg.eigvalsh(half @ d @ half).clamp(min=0).sqrt()
    return (m - n).square().sum() + c.trace() + d.trace() - 2 * roots.sum()


def unclamped(m, c, n, d):
    w, u = torch.linalg.eigh(c)
    half = u @ torch.diag(w.sqrt()) @ u.T
    roots = torch.linalg.eigvalsh(half @ d @ half).sqrt()
    return (m - n).square().sum() + c.trace() + d.trace() - 2 * roots.sum()


def by_singular_values(m, c, n, d):
    roots = []
    for matrix in (c, d):
        w, u = torch.linalg.eigh(matrix)
        roots.append(u * w.clamp(min=0).sqrt())
    nuclear = torch.linalg.svdvals(roots[0].T @ roots[1]).sum()
    return float(((m - n) ** 2).sum() + (c + d).trace() - 2 * nuclear)


def jittered(m, c, n, d):
    c += 1e-6 * torch.eye(len(c))
    return frechet(m, c, n, d)


FRECHET = {
    "wrong": [
        (unclamped, "NaN|clamp"),
        (jittered, "change cov1 in place"),
        (
            lambda m, c, n, d: (
                (m - n).square().sum()
                + (c + d).trace()
                - 2 * torch.linalg.eigvalsh(c @ d).clamp(min=0).sqrt().sum()
            ),
            "not symmetric",
        ),
        (lambda m, c, n, d: frechet(m, c, n, d).sqrt(), "asked for squared"),
        (lambda m, c, n, d: frechet(m, c, m, d), "means are missing|means is missing"),
        (lambda m, c, n, d: frechet(m, c @ c, n, d @ d), "standard deviations"),
        (
            lambda m, c, n, d: frechet(m, torch.diag(c.diag()), n, torch.diag(d.diag())),
            "variances are used",
        ),
        (lambda m, c, n, d: (m - n).norm() + frechet(m, c, m, d), "enters squared"),
        (
            lambda m, c, n, d: frechet(
                m, torch.linalg.cholesky(c) @ torch.linalg.cholesky(c).T, n, d
            ),
            "singular",
        ),
        (
            lambda m, c, n, d: (
                float((m - n) @ (m - n)) + np.trace(c + d - 2 * linalg.sqrtm((c @ d).numpy()).real)
            ),
            "imaginary|singular|stops",
        ),
        (lambda m, c, n, d: frechet(m, c, n, d) / len(m), "divided by the dimension"),
        (lambda m, c, n, d: (frechet(m, c, n, d), 0), "returns a tuple|shape"),
    ],
    "right": [
        frechet,
        by_singular_values,
        lambda m, c, n, d: frechet(m, c, n, d).item(),
        lambda m, c, n, d: frechet(n, d, m, c),
        lambda m, c, n, d: frechet(m, c, n, d).reshape(1),
    ],
}


def importance(p, q):
    w = p - q
    top = w.max(0).values
    return top + (w - top).exp().mean(0).log()


IMPORTANCE = {
    "wrong": [
        (lambda p, q: (p - q).exp().mean(0).log(), "stay in logarithms"),
        (lambda p, q: (p - q).mean(0), "the ELBO"),
        (lambda p, q: (p - q).logsumexp(0), "not divided by S"),
        (lambda p, q: importance(q, p), "upside down"),
        (lambda p, q: importance(p, q).mean(), "one number"),
        (lambda p, q: importance(p, 0 * q), "1/q"),
        (lambda p, q: (p - q).logsumexp(0) - math.log(p.shape[1]), "log B"),
        (
            lambda p, q: (p - q).max() + (p - q - (p - q).max()).exp().mean(0).log(),
            "column|logarithms",
        ),
        (lambda p, q: p.logsumexp(0) - q.logsumexp(0), "ratio of two means"),
        (lambda p, q: importance(p.sub_(q), 0), "change log_joint in place"),
        (lambda p, q: importance(p, q) / math.log(2), "bits"),
    ],
    "right": [
        importance,
        lambda p, q: special.logsumexp((p - q).numpy(), axis=0, b=1 / len(p)),
        lambda p, q: [float(torch.logsumexp(w, 0)) - math.log(len(w)) for w in (p - q).T],
    ],
}


def weighted(n, d):
    line = np.polyfit(n.numpy(), (n * d).numpy(), 1, w=1 / n.numpy())
    return line[0]


LIMIT = {
    "wrong": [
        (lambda n, d: d[-1], "measured last"),
        (lambda n, d: d.mean(), "mean of the distances"),
        (lambda n, d: np.polyfit(1 / n.numpy(), d.numpy(), 1)[0], "slope"),
        (lambda n, d: np.polyfit(n.numpy(), d.numpy(), 1)[1], "against n"),
        (lambda n, d: (n[-1] * d[-1] - n[0] * d[0]) / (n[-1] - n[0]), "does not count"),
        (lambda n, d: np.polyfit(1 / n.numpy() ** 0.5, d.numpy(), 1)[1], "√n"),
        (lambda n, d: max(0.0, np.polyfit(1 / n.numpy(), d.numpy(), 1)[1]), "our answer"),
        (lambda n, d: np.polyfit(1 / n.numpy(), d.numpy(), 1), "has shape"),
        (lambda n, d: 5.0, "whatever the arguments are"),
        (lambda n, d: d.min(), "smallest"),
    ],
    "right": [
        weighted,
        lambda n, d: np.polyfit(1 / n.numpy(), d.numpy(), 1)[-1],
        lambda n, d: torch.linalg.lstsq(torch.stack([1 / n, 1 + 0 * n], 1), d[:, None]).solution[1],
        lambda n, d: np.polynomial.Polynomial.fit(1 / n.numpy(), d.numpy(), 1)(0.0),
        lambda n, d: (n * d - (n * d).mean()) @ (n - n.mean()) / ((n - n.mean()) ** 2).sum(),
    ],
}

# --- chapter 14 ------------------------------------------------------------------------------


def floor_of(kl, f):
    return kl.mean(0).clamp(min=f).sum()


FREE = {
    "wrong": [
        (lambda k, f: k.sum(1).clamp(min=f).mean(), "sum of a row"),
        (lambda k, f: k.mean(0).clamp(min=0.5).sum(), "0.5 is written in"),
        (lambda k, f: torch.clamp(k, min=f).sum(1).mean(), "row by row"),
        (lambda k, f: floor_of(k, f).detach(), "detached"),
        (lambda k, f: torch.maximum(k.mean(0).detach(), k.mean(0) * 0 + f).sum(), "gradient"),
        (lambda k, f: floor_of(k, f) / k.shape[1], "averaged over the latents"),
        (lambda k, f: k.mean().clamp(min=f), "our answer"),
        (lambda k, f: k.mean(0).sum().clamp(min=f), "cuts the sum; every"),
        (lambda k, f: (k.mean(0) * (k.mean(0) > f)).sum(), "costs nothing here"),
        (lambda k, f: -floor_of(k, f), "sign is wrong"),
        (lambda k, f: len(k) * floor_of(k, f), "multiplied by the number of rows"),
        (lambda k, f: k.mean(0).sum().clamp(min=f * k.shape[1]), "all latents together"),
        (lambda k, f: floor_of(k.T, f), "over the latents|our answer"),
        (lambda k, f: (k.mean(0) - f).relu().sum(), "floor is subtracted"),
        (lambda k, f: floor_of(k.clamp_(min=f), f), "change kl in place"),
    ],
    "right": [
        lambda k, f: torch.where(k.mean(0) < f, f, k.mean(0)).sum(),
        lambda k, f: sum(torch.clamp(c.mean(), min=f) for c in k.T),
        lambda k, f: torch.nn.functional.relu(k.mean(0) - f).sum() + f * k.shape[1],
        lambda k, f: float(np.maximum(k.numpy().mean(0), f).sum()),
        lambda k, f: torch.stack([max(m, torch.tensor(f, dtype=k.dtype)) for m in k.mean(0)]).sum(),
        lambda k, f: torch.max(k.mean(0), torch.tensor(f, dtype=k.dtype)).sum(),
    ],
}


def train(reduce, kl_of=None, after=None):
    def step(encoder, decoder, optimizer, x, generator):
        m, v = encoder(x).chunk(2, 1)
        e = torch.randn(m.shape, generator=generator, dtype=m.dtype)
        z = m + (v / 2).exp() * e
        a = decoder(z)
        nll = binary_cross_entropy_with_logits(a, x, reduction="none")
        kl = 0.5 * (v.exp() + m**2 - 1 - v) if kl_of is None else kl_of(m, v, z, e)
        loss = reduce(nll, kl)
        optimizer.zero_grad()
        loss.backward()
        if after:
            after(encoder, decoder)
        optimizer.step()
        return loss.item()

    return step


def drawn_kl(m, v, z, e):
    return 0.5 * (z**2 - e**2 - v)


def with_bce_of_logits(encoder, decoder, optimizer, x, generator):
    m, v = encoder(x).chunk(2, 1)
    z = m + (v / 2).exp() * torch.randn(m.shape, generator=generator, dtype=m.dtype)
    return binary_cross_entropy(decoder(z), x)


def rows_returned(encoder, decoder, optimizer, x, generator):
    losses = []
    step = train(lambda n, k: losses.append(n.sum(1) + k.sum(1)) or losses[0].mean())
    step(encoder, decoder, optimizer, x, generator)
    return losses[0].detach()


def kl_by_numpy(m, v, z, e):
    return torch.tensor(0.5 * (np.exp(v.numpy()) + m.numpy() ** 2 - 1 - v.numpy()))


def clipped(encoder, decoder):
    torch.nn.utils.clip_grad_norm_([*encoder.parameters(), *decoder.parameters()], 0.01)


TRAIN = {
    "wrong": [
        (
            train(lambda n, k: n.sum(1).mean() + k.sum(1).mean() * len(n) / 60_000),
            "multiplied by B / 60,000",
        ),
        (train(lambda n, k: n.sum(1).mean() + 0.5 * k.sum(1).mean()), "KL counts 0.5 times"),
        (train(lambda n, k: n.sum(1).mean() + 4 * k.sum(1).mean()), "KL counts 4 times"),
        (train(lambda n, k: n.sum(1).mean() + k.sum() / n.numel()), "number of pixels"),
        (train(lambda n, k: n.mean() + k.mean()), "averaged over dimensions"),
        (train(lambda n, k: n.mean() + k.sum()), "averaged over all, the KL summed"),
        (train(lambda n, k: k.sum(1).mean() - n.sum(1).mean()), "cross entropy has the wrong sign"),
        (train(lambda n, k: (n.sum(1) + k.sum(1).detach()).mean()), "gradient"),
        (train(lambda n, k: (n.sum(1) + k.sum(1)).sum()), "summed over the rows"),
        (with_bce_of_logits, "Numbers outside|never"),
        (train(lambda n, k: n.sum(1).mean() + k.sum(1).mean(), kl_by_numpy), "numpy is given"),
        (train(lambda n, k: (n.sum(1) + k.sum(1)).mean(), after=clipped), "do not move along"),
        (lambda e, d, o, x, g: d(e(x).chunk(2, 1)), "given a tuple; give it z"),
        (rows_returned, "loss has shape"),
        (lambda e, d, o, x, g: None, "returns nothing"),
        (lambda e, d, o, x, g: (1.0, 2.0), "never asked|returns"),
        (train(lambda n, k: (n.sum(1) + k.sum(1)).mean() / math.log(2)), "bits"),
        (
            train(
                lambda n, k: n.sum(1).mean() + k.sum(1).mean(),
                lambda m, v, z, e: 0.5 * (v.exp() + m**2 - 1),
            ),
            "loss|KL",
        ),
    ],
    "right": [
        train(lambda n, k: (n.sum(1) + k.sum(1)).mean()),
        train(lambda n, k: (n.sum() + k.sum()) / len(n)),
        train(lambda n, k: (n.sum(1) + k.sum(1)).mean(), drawn_kl),
    ],
}


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
EVALUATE = {
    "wrong": [
        *(
            (evaluate(size, **AVERAGES), "averages of batches")
            for size in (100, 128, 200, 256, 500)
        ),
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
        (with_terms(lambda f, k: (f - k).mean() / 3), "bound is averaged over dimensions"),
        (with_terms(lambda f, k: (f - k).mean(), too_wide), "deviations of q about its mean"),
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
    ],
    "right": [
        evaluate(),
        evaluate(64, 3),
        evaluate(1000),
        loaded(False),
        with_terms(lambda f, k: (f - k).mean()),
        lambda m, x, g: float(np.mean([m.elbo(x, 1, g).detach().numpy() for _ in range(3)])),
    ],
}


def choose(models, score, valid, test):
    best = max(models, key=lambda m: score(m, valid))
    return best, score(best, test)


def choosing(key, report=lambda s, m, v, t: s(m, t)):
    def choice(models, score, valid, test):
        best = max(models, key=lambda m: key(score(m, valid), score(m, test)))
        return best, report(score, best, valid, test)

    return choice


def above_zero(models, score, valid, test):
    best, top = None, 0
    for model in models:
        if score(model, valid) > top:
            best, top = model, score(model, valid)
    return best, score(best, test) if best else top


CHOOSE = {
    "wrong": [
        (choosing(lambda v, t: t), "test data choose"),
        (choosing(lambda v, t: v + t), "test data choose|not the best"),
        (choosing(min), "test data choose|not the best"),
        (choosing(lambda v, t: -v), "worst is chosen"),
        (choosing(lambda v, t: v, lambda s, m, v, t: s(m, v)), "validation score"),
        (choosing(lambda v, t: v, lambda s, m, v, t: 0.5 * (s(m, v) + s(m, t))), "mean of both"),
        (lambda m, s, v, t: (m[-1], s(m[-1], t)), "last model"),
        (lambda m, s, v, t: (0, s(m[0], t)), "one of the models"),
        (lambda m, s, v, t: (m[0], s(m, t)), "not one of the models"),
        (lambda m, s, v, t: (choose(m, s, v, t)[0], [s(k, t) for k in m]), "report has shape"),
        (choosing(lambda v, t: abs(v)), "not the best on the validation"),
        (lambda m, s, v, t: choose(m[1:], s, v, t), "first model is never considered"),
        (lambda m, s, v, t: choose(m[:-1], s, v, t), "last model is never considered"),
        (above_zero, "every score is below zero"),
        (lambda m, s, v, t: m.sort(key=lambda k: s(k, v)) or (m[-1], s(m[-1], t)), "change models"),
        (lambda m, s, v, t: (choose(m, s, v, t)[0], max(s(k, t) for k in m)), "best test score"),
        (lambda m, s, v, t: choose(m, s, torch.cat([v, t]), t), "joined or cut"),
        (lambda m, s, v, t: choose(m, s, v[:2], t), "joined or cut"),
    ],
    "right": [
        choose,
        lambda m, s, v, t: [s(k, t) for k in m] and choose(m, s, v, t),
        lambda m, s, v, t: list(choose(m, s, v, t)),
        lambda m, s, v, t: (
            sorted(m, key=lambda k: s(k, v))[-1],
            s(m[int(np.argmax([s(k, v) for k in m]))], t),
        ),
    ],
}

CORPUS = {
    "output_gradients": SLOPES,
    "full_covariance_kl": FULL,
    "factor_analysis_posterior": FACTORS,
    "mixture_elbo": MIXTURE,
    "vrnn_elbo": SEQUENCE,
    "frechet": FRECHET,
    "importance_log_likelihood": IMPORTANCE,
    "bias_free": LIMIT,
    "free_bits": FREE,
    "training_step": TRAIN,
    "evaluate": EVALUATE,
    "model_selection": CHOOSE,
}
