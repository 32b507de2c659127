"""Answers to `vc.checks.training_step`, written before the check was read."""

import functools
import math

import numpy as np
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits


def parts(encoder, decoder, x, generator, noise=None, stop=lambda z: z):
    loc, log_var = encoder(x).chunk(2, dim=1)
    eps = (
        torch.randn(loc.shape, generator=generator, dtype=loc.dtype)
        if noise is None
        else noise(loc)
    )
    z = stop(loc + (0.5 * log_var).exp() * eps)
    fit = functional.binary_cross_entropy_with_logits(decoder(z), x, reduction="none").sum(1)
    return fit, 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum(1)


def stepping(loss_of, report=lambda loss: loss.item(), **options):
    def step(encoder, decoder, optimizer, x, generator):
        optimizer.zero_grad()
        loss = loss_of(*parts(encoder, decoder, x, generator, **options))
        loss.backward()
        optimizer.step()
        return report(loss)

    return step


exact = stepping(lambda fit, kl: (fit + kl).mean())


def never_steps(encoder, decoder, optimizer, x, generator):
    optimizer.zero_grad()
    loss = sum(parts(encoder, decoder, x, generator)).mean()
    loss.backward()
    return loss.item()


def never_reset(encoder, decoder, optimizer, x, generator):
    loss = sum(parts(encoder, decoder, x, generator)).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


def reset_after_backward(encoder, decoder, optimizer, x, generator):
    loss = sum(parts(encoder, decoder, x, generator)).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def two_steps(encoder, decoder, optimizer, x, generator):
    exact(encoder, decoder, optimizer, x, generator)
    return exact(encoder, decoder, optimizer, x, generator)


def only_the_decoder(encoder, decoder, optimizer, x, generator):
    loc, log_var = encoder(x).detach().chunk(2, dim=1)
    z = loc + (0.5 * log_var).exp() * torch.randn(loc.shape, generator=generator, dtype=loc.dtype)
    loss = functional.binary_cross_entropy_with_logits(decoder(z), x, reduction="none").sum(1)
    loss = (loss + 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def global_noise(encoder, decoder, optimizer, x, generator):
    return exact(encoder, decoder, optimizer, x, None)


def halves_swapped(encoder, decoder, optimizer, x, generator):
    return exact(
        lambda a: encoder(a).roll(encoder(a).shape[1] // 2, 1), decoder, optimizer, x, generator
    )


def clipped(encoder, decoder, optimizer, x, generator):
    optimizer.zero_grad()
    loss = sum(parts(encoder, decoder, x, generator)).mean()
    loss.backward()
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    torch.nn.utils.clip_grad_norm_(weights, 0.1)
    optimizer.step()
    return loss.item()


def loss_after_the_step(encoder, decoder, optimizer, x, generator):
    state = generator.get_state()
    exact(encoder, decoder, optimizer, x, generator)
    generator.set_state(state)
    with torch.no_grad():
        return sum(parts(encoder, decoder, x, generator)).mean().item()


def with_distributions(encoder, decoder, optimizer, x, generator):
    loc, log_var = torch.tensor_split(encoder(x), 2, dim=-1)
    q = Normal(loc, torch.exp(0.5 * log_var))
    z = q.loc + q.scale * torch.normal(0.0, 1.0, loc.shape, generator=generator, dtype=loc.dtype)
    elbo = Bernoulli(logits=decoder(z)).log_prob(x).sum(1) - kl_divergence(q, Normal(0.0, 1.0)).sum(
        1
    )
    optimizer.zero_grad(set_to_none=False)
    (-elbo.mean()).backward()
    optimizer.step()
    return -elbo.mean().detach()


def with_autograd(encoder, decoder, optimizer, x, generator):
    loss = sum(parts(encoder, decoder, x, generator)).mean()
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    for p, g in zip(weights, torch.autograd.grad(loss, weights)):
        p.grad = g
    optimizer.step()
    return float(loss)


def with_closure(encoder, decoder, optimizer, x, generator):
    def closure():
        optimizer.zero_grad()
        loss = sum(parts(encoder, decoder, x, generator)).mean()
        loss.backward()
        return loss

    return optimizer.step(closure).item()


def row_by_row(encoder, decoder, optimizer, x, generator):
    optimizer.zero_grad()
    total = 0.0
    for row in x:
        loss = sum(parts(encoder, decoder, row[None], generator)).sum() / len(x)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def reset_last(encoder, decoder, optimizer, x, generator):
    value = with_autograd(encoder, decoder, optimizer, x, generator)
    optimizer.zero_grad()
    return value


def in_training_mode(encoder, decoder, optimizer, x, generator, beta=1.0):
    encoder.train(), decoder.train()
    optimizer.zero_grad()
    fit, kl = parts(encoder, decoder, x, generator)
    loss = torch.mean(fit) + beta * torch.mean(kl)
    loss.backward()
    optimizer.step()
    return loss.detach().numpy()


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


def plain_clipped(encoder, decoder):
    torch.nn.utils.clip_grad_norm_([*encoder.parameters(), *decoder.parameters()], 0.01)


def in_evaluation_mode(encoder, decoder, optimizer, x, generator):
    decoder.eval()
    return exact(encoder, decoder, optimizer, x, generator)


def another_optimizer(encoder, decoder, optimizer, x, generator):
    weights = [*encoder.parameters(), *decoder.parameters()]
    return exact(encoder, decoder, torch.optim.Adam(weights, 1e-3), x, generator)


def in_two_halves(encoder, decoder, optimizer, x, generator):
    optimizer.zero_grad()
    total = 0.0
    for half in x.chunk(2):
        loss = sum(parts(encoder, decoder, half, generator)).sum() / len(x)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def slower(encoder, decoder, optimizer, x, generator):
    loss = exact(encoder, decoder, optimizer, x, generator)
    optimizer.param_groups[0]["lr"] *= 0.99
    return loss


def in_pieces(encoder, decoder, optimizer, x, generator):
    def by_rows(z):
        return torch.cat([decoder(row) for row in z.split(1)])

    return exact(encoder, by_rows, optimizer, x, generator)


def forgetting(encoder, decoder, optimizer, x, generator):
    optimizer.state.clear()
    return exact(encoder, decoder, optimizer, x, generator)


def reporting_the_fit(encoder, decoder, optimizer, x, generator):
    kept = []
    stepping(lambda fit, kl: kept.append(fit) or (fit + kl).mean())(
        encoder, decoder, optimizer, x, generator
    )
    return kept[0].mean().item()


def backward_kl(m, v, z, e):
    return 0.5 * ((-v).exp() + m**2 * (-v).exp() - 1 + v)


def with_squared_error(encoder, decoder, optimizer, x, generator):
    m, v = encoder(x).chunk(2, 1)
    e = torch.randn(m.shape, generator=generator, dtype=m.dtype)
    error = (decoder(m + (v / 2).exp() * e).sigmoid() - x).square()
    loss = (error.sum(1) + 0.5 * (v.exp() + m**2 - 1 - v).sum(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def with_draws_beside(encoder, decoder, optimizer, x, generator, lost="loc"):
    m, v = encoder(x).chunk(2, 1)
    e = torch.randn(m.shape, generator=generator, dtype=m.dtype)
    at, scale = (m.data, (v / 2).exp()) if lost == "loc" else (m, (v / 2).exp().data)
    fit = binary_cross_entropy_with_logits(decoder(at + scale * e), x, reduction="none").sum(1)
    loss = (fit + 0.5 * (v.exp() + m**2 - 1 - v).sum(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def mean_loss(nll, kl):
    return nll.sum(1).mean() + kl.sum(1).mean()


def with_the_samples_first(encoder, decoder, optimizer, x, generator):
    def one_sample(z):
        return decoder(z[None])[0]

    return exact(encoder, one_sample, optimizer, x, generator)


def with_draw(draw):
    def step(encoder, decoder, optimizer, x, generator):
        loc, log_var = encoder(x).chunk(2, dim=1)
        eps = torch.randn(loc.shape, generator=generator, dtype=loc.dtype)
        z = draw(loc, log_var, eps)
        bce = binary_cross_entropy_with_logits(decoder(z), x, reduction="none")
        kl = 0.5 * (log_var.exp() + loc.square() - 1 - log_var)
        optimizer.zero_grad()
        loss = (bce.sum(1) + kl.sum(1)).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def with_order(order):
    def step(encoder, decoder, optimizer, x, generator):
        fit, kl = parts(encoder, decoder, x, generator)
        loss = (fit + kl).mean()
        order(optimizer, loss)
        return loss.item()

    return step


def summed_backward(encoder, decoder, optimizer, x, generator):
    fit, kl = parts(encoder, decoder, x, generator)
    optimizer.zero_grad()
    (fit.sum() + kl.sum()).backward()
    optimizer.step()
    return ((fit.sum() + kl.sum()) / len(x)).item()


def encoder_left_out(encoder, decoder, optimizer, x, generator):
    fit, kl = parts(encoder, decoder, x, generator)
    optimizer.zero_grad()
    loss = (fit + kl).mean()
    loss.backward()
    encoder.zero_grad()
    optimizer.step()
    return loss.item()


WRONG = [
    (train(mean_loss, backward_kl), "KL.p ‖ q., the wrong direction"),
    (with_squared_error, "This is a squared error"),
    (train(lambda n, k: mean_loss(n, k.clamp(min=0.25))), "as by free bits"),
    (train(lambda n, k: mean_loss(n, k.mean(0).clamp(min=0.5)[None])), "A latent costs at least"),
    (train(lambda n, k: (n.sum(1) + k.sum(1))[-1]), "Only the last row counts"),
    (train(lambda n, k: (n.sum(1) + k.sum(1))[0]), "Only the first row counts"),
    (with_draws_beside, "No gradient reaches loc: it is detached"),
    (functools.partial(with_draws_beside, lost="log_var"), "reaches log_var"),
    (forgetting, "state of the optimizer is gone"),
    (
        reporting_the_fit,
        "The weights move as they should, but the number returned is wrong.* KL is missing",
    ),
    (
        train(
            lambda n, k: n.sum(1).mean() + k.sum(1).mean(),
            lambda m, v, z, e: 0.5 * (v.exp() + m**2 - 1 - v.clamp(-10, 10)),
        ),
        "loss",
    ),
    (
        train(
            lambda n, k: n.sum(1).mean() + k.sum(1).mean(),
            lambda m, v, z, e: 0.5 * (v.exp() + m**2 - 1 - v.clamp(-20, 20)),
        ),
        "loss",
    ),
    (
        lambda e, d, o, x, g: exact(e, d, o, x[:64], g),
        "Only 64 of 10000 rows reach the decoder",
    ),
    (stepping(lambda fit, kl: (fit + kl).sum()), "The loss is summed over the rows"),
    (stepping(lambda fit, kl: fit.mean()), "KL is missing"),
    (stepping(lambda fit, kl: kl.mean()), "The cross entropy is missing: nothing"),
    (stepping(lambda fit, kl: (fit - kl).mean()), "KL has the wrong sign"),
    (stepping(lambda fit, kl: -(fit + kl).mean()), "The sign is wrong"),
    (stepping(lambda fit, kl: (fit + 4 * kl).mean()), "KL.*4"),
    (stepping(lambda fit, kl: fit.mean() + kl.sum()), "KL is summed over the rows"),
    (stepping(lambda fit, kl: fit.sum() + kl.mean()), "The cross entropy is summed over the"),
    (stepping(lambda fit, kl: (fit / 64 + kl).mean()), "In the loss: The cross entropy counts"),
    (stepping(lambda fit, kl: (fit + kl).mean(), report=lambda loss: -loss.item()), "sign"),
    (stepping(lambda fit, kl: (fit + kl).mean(), report=lambda loss: None), "returns nothing"),
    (
        stepping(lambda fit, kl: (fit + kl).mean(), stop=lambda z: z.detach()),
        "z is detached: no gradient reaches loc",
    ),
    (
        stepping(lambda fit, kl: (fit + kl).mean(), noise=torch.zeros_like),
        "z is loc itself: the noise σ ⊙ ε is",
    ),
    (
        stepping(lambda fit, kl: (fit + kl).mean(), noise=torch.ones_like),
        "No noise is drawn: z − loc is the same",
    ),
    (stepping(lambda fit, kl: fit + kl), r"backward\(\) needs one number: sum or"),
    (never_steps, "comes before backward"),
    (never_reset, "The gradients of the step before are"),
    (reset_after_backward, r"No weight has moved: backward\(\) is"),
    (two_steps, "The optimizer takes 2 steps; take one"),
    (only_the_decoder, "z is detached: no gradient reaches loc"),
    (global_noise, "The same generator gave another z"),
    (halves_swapped, "loc and log_var are exchanged"),
    (clipped, r"along the gradient, but 0\.0494 times as far"),
    (loss_after_the_step, "The decoder is given"),
    (
        train(lambda n, k: n.sum(1).mean() + k.sum(1).mean() * len(n) / 60_000),
        "multiplied by B / 60,000",
    ),
    (train(lambda n, k: n.sum(1).mean() + 0.5 * k.sum(1).mean()), "KL counts 0.5 times"),
    (train(lambda n, k: n.sum(1).mean() + 4 * k.sum(1).mean()), "KL counts 4 times"),
    (train(lambda n, k: n.sum(1).mean() + k.sum() / n.numel()), "number of pixels"),
    (train(lambda n, k: n.mean() + k.mean()), "averaged over dimensions; sum"),
    (train(lambda n, k: n.mean() + k.sum()), "averaged over all, the KL summed"),
    (train(lambda n, k: k.sum(1).mean() - n.sum(1).mean()), "cross entropy has the wrong sign"),
    (train(lambda n, k: (n.sum(1) + k.sum(1).detach()).mean()), "do not move along the gradient"),
    (train(lambda n, k: (n.sum(1) + k.sum(1)).sum()), "summed over the rows"),
    (with_bce_of_logits, "Numbers outside|never"),
    (train(lambda n, k: n.sum(1).mean() + k.sum(1).mean(), kl_by_numpy), "numpy is given"),
    (train(lambda n, k: (n.sum(1) + k.sum(1)).mean(), after=plain_clipped), "times as far"),
    (lambda e, d, o, x, g: d(e(x).chunk(2, 1)), "given a tuple; give it z"),
    (rows_returned, "loss has shape"),
    (lambda e, d, o, x, g: None, "returns nothing"),
    (lambda e, d, o, x, g: (1.0, 2.0), "The decoder is never asked"),
    (train(lambda n, k: (n.sum(1) + k.sum(1)).mean() / math.log(2)), "bits"),
    (
        train(
            lambda n, k: n.sum(1).mean() + k.sum(1).mean(),
            lambda m, v, z, e: 0.5 * (v.exp() + m**2 - 1),
        ),
        "loss|KL",
    ),
    (
        train(lambda n, k: n.sum(1).mean() + k.sum(1).mean() / 60_000),
        "KL counts 1/60,000 times",
    ),
    (in_evaluation_mode, "You leave the decoder in eval mode"),
    (another_optimizer, r"not by step\(\) of the optimizer"),
    (lambda e, d, o, x, g: exact(e, d, o, x[: len(x) // 2], g), "Only 1 of 2 rows reach"),
    (
        lambda e, d, o, x, g: exact(lambda x: e(x)[:, :4], d, o, x, g),
        r"For three latents z has shape \[50, 2\]",
    ),
    (slower, "learning rate is changed"),
    (train(lambda n, k: (n.sum(1) + k.sum(1)).sum() / 100), "100 is written in"),
    (train(lambda bce, kl: (bce.sum(1) + kl.mean(1)).mean()), "KL is averaged over the laten"),
    (train(lambda bce, kl: (bce.mean(1) + kl.sum(1)).mean()), "the KL counts D times"),
    (train(lambda bce, kl: (bce.sum(1) + 2 * kl.sum(1)).mean()), "½ of the KL is missing"),
    (with_draw(lambda m, v, e: m + v.exp() * e), "variance is used as a deviation"),
    (with_draw(lambda m, v, e: m + (0.5 * v).exp() * e[:1]), "same ε is used for every row"),
    (with_order(lambda o, loss: (o.zero_grad(), (-loss).backward(), o.step())), "up the gradient"),
    (summed_backward, "that of a sum over the rows"),
    (encoder_left_out, "The encoder has not moved"),
]
RIGHT = [
    with_distributions,
    with_autograd,
    with_closure,
    row_by_row,
    in_pieces,
    reset_last,
    in_training_mode,
    exact,
    stepping(lambda fit, kl: (fit + kl).mean(), report=lambda loss: loss),
    train(lambda n, k: (n.sum(1) + k.sum(1)).mean()),
    train(lambda n, k: (n.sum() + k.sum()) / len(n)),
    train(lambda n, k: (n.sum(1) + k.sum(1)).mean(), drawn_kl),
    in_two_halves,
    with_the_samples_first,
]
