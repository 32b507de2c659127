"""Answers to `vc.checks.vrnn_elbo`, written before the check was read."""

import functools

import torch
from torch.distributions import kl_divergence


def walk(
    model, x, generator, *, z_of=None, kl_of=None, fit_of=None, move=None, steps=None, total=sum
):
    state, terms = model.first_state(len(x)), []
    for x_t in x.unbind(1)[steps or slice(None)]:
        q = model.encode(x_t, state)
        z = z_of(q) if z_of else q.rsample((), generator)
        fit = fit_of(model, z, state, x_t) if fit_of else model.decode(z, state).log_prob(x_t)
        kl = kl_of(model, q, state, z) if kl_of else kl_divergence(q, model.prior(state))
        terms.append(fit - kl)
        state = move(model, x_t, z, state, q) if move else model.next_state(x_t, z, state)
    return total(terms)


def changed(**options):
    return lambda model, x, generator: walk(model, x, generator, **options)


def drawn_kl(model, q, state, z):
    return q.log_prob(z) - model.prior(state).log_prob(z)


def prior_after(model, x, generator):
    state, total = model.first_state(len(x)), 0.0
    for x_t in x.unbind(1):
        q = model.encode(x_t, state)
        z = q.rsample((), generator)
        log_likelihood = model.decode(z, state).log_prob(x_t)
        state = model.next_state(x_t, z, state)
        total = total + log_likelihood - kl_divergence(q, model.prior(state))
    return total


def z_from_the_prior(model, x, generator):
    state, total = model.first_state(len(x)), 0.0
    for x_t in x.unbind(1):
        q, p = model.encode(x_t, state), model.prior(state)
        z = p.rsample((), generator)
        total = total + model.decode(z, state).log_prob(x_t) - kl_divergence(q, p)
        state = model.next_state(x_t, z, state)
    return total


def over_rows(model, x, generator):
    return walk(model, x.transpose(0, 1), generator)


def in_two_halves(model, x, generator):
    return torch.cat([walk(model, half, generator) for half in x.chunk(2)])


def with_indices(model, x, generator):
    h = model.first_state(x.shape[0])
    bound = torch.zeros(x.shape[0], dtype=x.dtype)
    for t in range(x.shape[1]):
        p = model.prior(h)
        q = model.encode(x[:, t], h)
        z = q.mean + q.stddev * torch.randn(q.mean.shape, generator=generator, dtype=q.mean.dtype)
        bound = bound + model.decode(z, h).log_prob(x[:, t])
        bound = bound - kl_divergence(q, p)
        h = model.next_state(x[:, t], z, h)
    return bound


def by_recursion(model, x, generator):
    def rest(x, state):
        if x.shape[1] == 0:
            return 0.0
        q = model.encode(x[:, 0], state)
        z = q.rsample((), generator)
        here = model.decode(z, state).log_prob(x[:, 0]) - kl_divergence(q, model.prior(state))
        return here + rest(x[:, 1:], model.next_state(x[:, 0], z, state))

    return rest(x, model.first_state(len(x)))


class Bound:
    def __init__(self, beta=1.0):
        self.beta = beta

    def __call__(self, model, x, generator, **options):
        return walk(
            model, x, generator, kl_of=lambda m, q, s, z: self.beta * kl_divergence(q, m.prior(s))
        )


def sequence(model, x, generator, carry=lambda q, z: z, seen=lambda q, z: z, draw=None):
    h, total = model.first_state(len(x)), 0
    for t in range(x.shape[1]):
        q = model.encode(x[:, t], h)
        z = draw(q) if draw else q.rsample((), generator)
        total = total + model.decode(seen(q, z), h).log_prob(x[:, t])
        total = total - kl_divergence(q, model.prior(h))
        h = model.next_state(x[:, t], carry(q, z), h)
    return total


def fits(model, x, generator):
    state, total = model.first_state(len(x)), 0
    for x_t in x.unbind(1):
        z = model.encode(x_t, state).rsample((), generator)
        total = total + model.decode(z, state).log_prob(x_t)
        state = model.next_state(x_t, z, state)
    return total


def changed_noise(model, x, generator):
    noise = torch.randn(len(x), model.latent_dim, generator=generator, dtype=x.dtype)
    return walk(model, x, generator, z_of=lambda q: q.mean + q.stddev * noise)


def carried(law):
    """With the noise of a step made of that of the one before."""

    def bound(model, x, generator):
        noise = []

        def z_of(q):
            noise.append(torch.randn(q.mean.shape, generator=generator, dtype=x.dtype))
            if len(noise) > 1:
                noise[-1] = law(noise[-2], noise[-1])
            return q.mean + q.stddev * noise[-1]

        return walk(model, x, generator, z_of=z_of)

    return bound


def misdirected(prior=lambda start, state: state, encode=lambda start, state: state):
    def bound(model, x, generator):
        start = state = model.first_state(len(x))
        total = 0
        for x_t in x.unbind(1):
            q, p = model.encode(x_t, encode(start, state)), model.prior(prior(start, state))
            z = q.rsample((), generator)
            total = total + model.decode(z, state).log_prob(x_t) - kl_divergence(q, p)
            state = model.next_state(x_t, z, state)
        return total

    return bound


def late(model, x, generator):
    rows = iter([x[:, 0], *x.unbind(1)])
    return walk(
        model, x, generator, move=lambda m, x_t, z, state, q: m.next_state(next(rows), z, state)
    )


def first_kl_missing(model, x, generator):
    start = model.first_state(len(x))
    first = kl_divergence(model.encode(x[:, 0], start), model.prior(start))
    return walk(model, x, generator) + first


def normal(q, generator):
    return torch.randn(q.mean.shape, generator=generator, dtype=q.mean.dtype)


def noisy(z_of):
    return lambda model, x, g: walk(model, x, g, z_of=lambda q: z_of(q, g))


def averaged(draws):
    return lambda model, x, g: sum(walk(model, x, g) for _ in range(draws)) / draws


def and_then(after):
    def bound(model, x, generator):
        value = walk(model, x, generator)
        after(model)
        return value

    return bound


def shrink(model):
    for weight in model.parameters():
        weight.data.mul_(0.99)


def seeded_anew(model, x, generator):
    return walk(model, x, torch.Generator().manual_seed(generator.initial_seed()))


def seed_of_all(model, x, generator):
    torch.manual_seed(0)
    return walk(model, x, generator)


def by_numpy_without_gradients(model, x, generator):
    with torch.no_grad():
        return walk(model, x, generator).numpy()


def noise_first(model, x, generator):
    shape = (x.shape[1], len(x), model.latent_dim)
    noise = iter(torch.randn(shape, generator=generator, dtype=x.dtype))
    return walk(model, x, generator, z_of=lambda q: q.mean + q.stddev * next(noise))


def right(fits, kls):
    return (fits - kls).sum(0)


def in_terms(combine, order="last", standard=False, keep=False):
    """A student's loop: `combine` adds up the terms [T, B], the rest says what goes wrong."""

    def fn(model, x, generator):
        state, fits, kls = model.first_state(len(x)), [], []
        for x_t in x.unbind(1):
            q, p = model.encode(x_t, state), model.prior(state)
            if standard:
                p = model.posterior.prior(like=x)
            z = q.rsample((), generator)
            after = state if keep else model.next_state(x_t, z, state)
            if order == "first":
                p, state = model.prior(after), after
            fits.append(model.decode(z, after if order == "decoder late" else state).log_prob(x_t))
            kls.append(kl_divergence(q, p))
            state = after
        return combine(torch.stack(fits), torch.stack(kls))

    return fn


WRONG = [
    (noisy(lambda q, g: q.mean + q.variance * normal(q, g)), "variance is used as a deviation"),
    (noisy(lambda q, g: q.mean + q.stddev**3 * normal(q, g)), "z has deviation 0.1.. where 0.5"),
    (noisy(lambda q, g: q.mean + q.stddev.sqrt() * normal(q, g)), "root is taken twice"),
    (noisy(lambda q, g: q.mean + q.stddev * normal(q, g).sign()), "ε .* is not normal"),
    (
        noisy(
            lambda q, g: (
                q.mean
                + q.stddev
                * 12**0.5
                * (torch.rand(q.mean.shape, generator=g, dtype=q.mean.dtype) - 0.5)
            )
        ),
        "ε .* is not normal",
    ),
    (noisy(lambda q, g: q.mean + q.stddev * normal(q, g)[:, :1]), "same ε .* every latent"),
    (noisy(lambda q, g: q.mean + q.stddev * normal(q, g)[:1]), "same ε .* every row"),
    (averaged(2), "given 1800 draws of z_t, where x has 900 steps in all"),
    (averaged(5), "given 4500 draws of z_t, where x has 900 steps in all"),
    (changed(move=lambda m, x, z, s, q: m.next_state(x, z, s).detach()), "stops at the state"),
    (
        changed(kl_of=lambda m, q, s, z: kl_divergence(q, m.prior(s)).detach()),
        "The KL is detached",
    ),
    (
        changed(kl_of=lambda m, q, s, z: kl_divergence(q, m.prior(s)).clamp(min=0.05)),
        "Where the KL of a step is small",
    ),
    (and_then(shrink), "weights have changed"),
    (and_then(lambda model: model.train()), "leave the model in training mode"),
    (and_then(lambda model: model.zero_grad()), "gradients that lie on the weights"),
    (seeded_anew, "Two calls give the same z"),
    (seed_of_all, "or sets their seed"),
    (lambda m, x, g: walk(m, x.round(), g), "your answer is"),
    (lambda m, x, g: walk(m, x[:, :28], g), "With 31 steps, .*your answer is"),
    (changed_noise, "same noise is used at every step"),
    *(
        (carried(law), "The ε of some rows hang on those of others")
        for law in (lambda old, new: 0.8 * old + 0.6 * new, lambda old, new: -old)
    ),
    (misdirected(prior=lambda start, state: start), "The prior gets the first state"),
    (misdirected(encode=lambda start, state: start), "The encoder gets the first state"),
    (late, "next_state gets the x of the step before"),
    (lambda model, x, g: walk(model, x, g).squeeze(), "number without axes"),
    (lambda model, x, g: walk(model.eval(), x, g), "leave the model in eval mode"),
    (first_kl_missing, "KL of the first step is missing"),
    (prior_after, "The prior of step t uses the state"),
    (z_from_the_prior, "prior"),
    (changed(kl_of=drawn_kl), "Where q is almost a point the bound"),
    (
        changed(kl_of=lambda m, q, s, z: kl_divergence(m.prior(s), q)),
        r"The direction is turned: KL\(q ‖ p\)",
    ),
    (
        changed(kl_of=lambda m, q, s, z: -kl_divergence(q, m.prior(s))),
        "The KL is added; subtract it",
    ),
    (changed(kl_of=lambda m, q, s, z: 0.0), "KL is missing"),
    (
        changed(kl_of=lambda m, q, s, z: 2 * kl_divergence(q, m.prior(s))),
        "The KL counts 2 times; it must count",
    ),
    (
        changed(kl_of=lambda m, q, s, z: kl_divergence(q, m.prior(m.first_state(len(z))))),
        "The prior gets the first state",
    ),
    (changed(z_of=lambda q: q.mean), "mean"),
    (changed(z_of=lambda q: q.rsample()), "The same generator gave another z"),
    (changed(move=lambda m, x, z, s, q: s), "The state never moves: call next_state"),
    (
        changed(move=lambda m, x, z, s, q: m.next_state(x, q.mean, s)),
        "next_state is given the mean of q: one",
    ),
    (
        changed(move=lambda m, x, z, s, q: m.next_state(x, 0 * z, s)),
        "z_t does not enter the next state",
    ),
    (
        changed(move=lambda m, x, z, s, q: m.next_state(0 * x, z, s)),
        "x_t does not enter the next state",
    ),
    (
        changed(move=lambda m, x, z, s, q: m.next_state(x, z.detach(), s)),
        "stops at the z_t that next_state is given",
    ),
    (
        changed(fit_of=lambda m, z, s, x: m.decode(z, m.first_state(len(z))).log_prob(x)),
        "our answer is",
    ),
    (
        changed(fit_of=lambda m, z, s, x: m.decode(z.detach(), s).log_prob(x)),
        "stops at the z_t that decode is given",
    ),
    (changed(fit_of=lambda m, z, s, x: -m.decode(z, s).log_prob(x)), "sign"),
    (changed(total=lambda terms: sum(terms) / len(terms)), "The steps are averaged; sum over them"),
    (changed(total=lambda terms: sum(terms).mean()), "batch"),
    (changed(total=lambda terms: -sum(terms)), "sign"),
    (changed(total=lambda terms: terms[-1]), "Only the last step counts; add up all"),
    (changed(total=lambda terms: torch.stack(terms, 1)), r"The answer has shape \[4, 3\]; it must"),
    (changed(steps=slice(1, None)), "our answer is"),
    (changed(steps=slice(None, None, -1)), "our answer is"),
    (over_rows, r"The answer has shape \[3\]; it must be"),
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
    (in_terms(lambda f, k: -k.sum(0)), r"log p\(x_t .* is missing"),
    (in_terms(lambda f, k: f.sum(0) - k.mean(0)), "KL is averaged over the steps"),
    (in_terms(lambda f, k: (f - k)[0]), "Only the first step counts"),
    (in_terms(lambda f, k: (f - k)[1:].sum(0)), "first step is missing"),
    (in_terms(lambda f, k: (f - k)[:-1].sum(0)), "last step is missing"),
    (in_terms(lambda f, k: f.sum(0) - k[0]), "Only the first step pays"),
    (in_terms(right, order="first"), "state moves on too early"),
    (in_terms(right, order="decoder late"), "decoder of step t uses the state"),
    (in_terms(right, standard=True), r"KL is taken to N\(0, I\)"),
    (in_terms(right, keep=True, standard=True), "separate VAEs"),
    (in_terms(lambda f, k: right(f, k).sum()), "reduced over the batch"),
    (in_terms(lambda f, k: right(f, k) + 1), "too large, everywhere"),
]
RIGHT = [
    by_numpy_without_gradients,
    torch.no_grad()(walk),
    lambda m, x, g: torch.cat([walk(m, row[None], g) for row in x]),
    in_two_halves,
    with_indices,
    by_recursion,
    Bound(),
    functools.partial(walk, total=lambda terms: torch.stack(terms).sum(0)),
    lambda model, x, generator, draws=1: walk(model, x, generator),
    changed(total=lambda terms: functools.reduce(torch.add, reversed(terms))),
    sequence,
    lambda m, x, g: m.elbo(x, 1, g),
    lambda model, x, generator: sequence(model, x.clone(), generator) + 0.0,
    noise_first,
]
