"""The checks of chapter 14: right programs pass in any style, and each broken one is named."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

import vaecourse as vc
from vaecourse.checks.answers import Mistake
from vaecourse.objectives import elbo_terms, importance_weighted_bound

# --- a step of training ----------------------------------------------------------------------


def terms(encoder, decoder, x, generator):
    """Cross entropy [B, D] and KL [B, J] at one draw."""
    loc, log_var = encoder(x).chunk(2, dim=1)
    z = loc + (0.5 * log_var).exp() * torch.randn(loc.shape, generator=generator, dtype=loc.dtype)
    bce = binary_cross_entropy_with_logits(decoder(z), x, reduction="none")
    return bce, 0.5 * (log_var.exp() + loc.square() - 1 - log_var)


def walk(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def textbook_step(encoder, decoder, optimizer, x, generator):
    bce, kl = terms(encoder, decoder, x, generator)
    return walk(optimizer, (bce.sum(1) + kl.sum(1)).mean())


def step_of_torch(encoder, decoder, optimizer, x, generator):
    loc, log_var = encoder(x).tensor_split(2, dim=-1)
    scale = torch.exp(log_var / 2)
    q = Independent(Normal(loc, scale), 1)
    prior = Independent(Normal(torch.zeros_like(loc), torch.ones_like(loc)), 1)
    z = torch.normal(torch.zeros_like(loc), 1.0, generator=generator) * scale + loc
    likelihood = Independent(Bernoulli(logits=decoder(z)), 1).log_prob(x)
    loss = -(likelihood - kl_divergence(q, prior)).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return loss.detach()


def step_with_a_sum_and_a_division(encoder, decoder, optimizer, x, generator):
    optimizer.zero_grad()
    bce, kl = terms(encoder, decoder, x, generator)
    loss = (bce.sum() + kl.sum()) / len(x)
    loss.backward()
    optimizer.step()
    return loss


def step_with_the_samples_first(encoder, decoder, optimizer, x, generator):
    loc, log_var = encoder(x).chunk(2, dim=1)
    q = vc.distributions.DiagonalGaussian(loc, log_var)
    logits = decoder(q.rsample((1,), generator))
    bce = binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    kl = 0.5 * (log_var.exp() + loc.square() - 1 - log_var)
    return walk(optimizer, (bce.sum(-1).mean(0) + kl.sum(1)).mean())


RIGHT_STEPS = [
    textbook_step,
    step_of_torch,
    step_with_a_sum_and_a_division,
    step_with_the_samples_first,
]


@pytest.mark.parametrize("fn", RIGHT_STEPS)
def test_a_right_step_passes_in_any_style(fn):
    assert vc.checks.training_step(fn).startswith("Right:")


def with_loss(reduce):
    def step(encoder, decoder, optimizer, x, generator):
        return walk(optimizer, reduce(*terms(encoder, decoder, x, generator)))

    return step


def with_draw(draw):
    def step(encoder, decoder, optimizer, x, generator):
        loc, log_var = encoder(x).chunk(2, dim=1)
        z = draw(loc, log_var, generator)
        bce = binary_cross_entropy_with_logits(decoder(z), x, reduction="none")
        kl = 0.5 * (log_var.exp() + loc.square() - 1 - log_var)
        return walk(optimizer, (bce.sum(1) + kl.sum(1)).mean())

    return step


def with_order(order):
    def step(encoder, decoder, optimizer, x, generator):
        bce, kl = terms(encoder, decoder, x, generator)
        loss = (bce.sum(1) + kl.sum(1)).mean()
        order(optimizer, loss)
        return loss.item()

    return step


def noise(loc, generator):
    return torch.randn(loc.shape, generator=generator, dtype=loc.dtype)


def summed_backward(encoder, decoder, optimizer, x, generator):
    bce, kl = terms(encoder, decoder, x, generator)
    optimizer.zero_grad()
    (bce.sum() + kl.sum()).backward()
    optimizer.step()
    return ((bce.sum() + kl.sum()) / len(x)).item()


def encoder_left_out(encoder, decoder, optimizer, x, generator):
    bce, kl = terms(encoder, decoder, x, generator)
    optimizer.zero_grad()
    loss = (bce.sum(1) + kl.sum(1)).mean()
    loss.backward()
    encoder.zero_grad()
    optimizer.step()
    return loss.item()


def another_loss(encoder, decoder, optimizer, x, generator):
    bce, kl = terms(encoder, decoder, x, generator)
    walk(optimizer, (bce.sum(1) + 4 * kl.sum(1)).mean())
    return (bce.sum(1) + kl.sum(1)).mean().item()


def no_decoder(encoder, decoder, optimizer, x, generator):
    return encoder(x).sum().item()


def drawn_by_torch(loc, log_var, generator):
    return torch.normal(loc.detach(), (0.5 * log_var).exp().detach(), generator=generator)


def without_the_generator(loc, log_var, generator):
    return loc + (0.5 * log_var).exp() * torch.randn(loc.shape, dtype=loc.dtype)


def one_noise_for_all(loc, log_var, generator):
    return loc + (0.5 * log_var).exp() * noise(loc[:1], generator)


def before_the_step(optimizer, loss):
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()


def step_first(optimizer, loss):
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()


WRONG_STEPS = [
    (with_loss(lambda bce, kl: (bce.sum(1) + kl.mean(1)).mean()), "KL is averaged over the laten"),
    (with_loss(lambda bce, kl: (bce.mean(1) + kl.sum(1)).mean()), "the KL counts D times"),
    (with_loss(lambda bce, kl: bce.mean() + kl.mean()), "averaged over dimensions; sum"),
    (with_loss(lambda bce, kl: (bce.sum(1) + kl.sum(1)).sum()), "summed over the rows; average"),
    (with_loss(lambda bce, kl: bce.sum(1).mean() + kl.sum()), "KL is summed over the rows"),
    (with_loss(lambda bce, kl: bce.sum() + kl.sum(1).mean()), "cross entropy is summed over"),
    (with_loss(lambda bce, kl: bce.sum(1).mean() + 0 * kl.sum()), "KL is missing"),
    (with_loss(lambda bce, kl: kl.sum(1).mean() + 0 * bce.sum()), "cross entropy is missing"),
    (with_loss(lambda bce, kl: (bce.sum(1) - kl.sum(1)).mean()), "KL has the wrong sign"),
    (with_loss(lambda bce, kl: (bce.sum(1) + 2 * kl.sum(1)).mean()), "½ of the KL is missing"),
    (with_loss(lambda bce, kl: -(bce.sum(1) + kl.sum(1)).mean()), "The sign is wrong"),
    (with_loss(lambda bce, kl: (bce.sum(1) + 3 * kl.sum(1)).mean()), "The KL counts 3 times"),
    (with_draw(lambda m, v, g: m), "z is loc itself"),
    (with_draw(drawn_by_torch), "z is detached"),
    (with_draw(lambda m, v, g: m + ((0.5 * v).exp() * noise(m, g)).detach()), "reaches log_var"),
    (with_draw(lambda m, v, g: m + v.exp() * noise(m, g)), "variance is used as a deviation"),
    (with_draw(without_the_generator), "ignores the generator"),
    (with_draw(one_noise_for_all), "same ε is used for every row"),
    (with_order(lambda o, loss: (loss.backward(), o.step())), "gradients of the step before"),
    (with_order(before_the_step), "zero_grad.. comes after"),
    (with_order(lambda o, loss: (o.zero_grad(), loss.backward())), r"step\(\) is missing"),
    (with_order(step_first), "comes before backward"),
    (with_order(lambda o, loss: (o.zero_grad(), o.step())), "backward.. is missing"),
    (
        with_order(lambda o, loss: (o.zero_grad(), loss.backward(), o.step(), o.step())),
        "takes 2 steps",
    ),
    (with_order(lambda o, loss: (o.zero_grad(), (-loss).backward(), o.step())), "up the gradient"),
    (summed_backward, "that of a sum over the rows"),
    (encoder_left_out, "The encoder has not moved"),
    (another_loss, "do not move along the gradient"),
    (no_decoder, "The decoder is never asked"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_STEPS)
def test_a_wrong_step_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.training_step(fn)


# --- an evaluation ---------------------------------------------------------------------------


def whole_at_once(model, x, generator):
    return model.elbo(x, 1, generator).mean().item()


def many_draws_in_batches(model, x, generator):
    total = 0.0
    for batch in x.split(100):
        total = total + model.elbo(batch, 5, generator).sum()
    return total / len(x)


def by_log_weights(model, x, generator):
    q = model.encode(x)
    z = q.sample((), generator)
    values = model.decode(z).log_prob(x) + model.prior.log_prob(z) - q.log_prob(z)
    return values.detach().numpy().mean()


def weighted_averages(model, x, generator):
    with torch.no_grad():
        parts = [(model.elbo(b, 1, generator).mean(), len(b)) for b in x.split(256)]
    return sum(mean * rows for mean, rows in parts) / len(x)


@pytest.mark.parametrize(
    "fn", [whole_at_once, many_draws_in_batches, by_log_weights, weighted_averages]
)
def test_a_right_evaluation_passes_in_any_style(fn):
    assert vc.checks.evaluate(fn).startswith("Right:")


def of_terms(combine):
    def evaluation(model, x, generator):
        terms = elbo_terms(model, x, 1, generator)
        return combine(terms.reconstruction, terms.kl)

    return evaluation


def over_dimensions(model, x, generator):
    terms = elbo_terms(model, x, 1, generator)
    return (terms.reconstruction / x.shape[1] - terms.kl).mean()


def at_the_mean(model, x, generator):
    q = model.encode(x)
    return (model.decode(q.mean).log_prob(x) - kl_divergence(q, model.prior)).mean()


def reconstruction_at_the_mean(model, x, generator):
    return model.decode(model.encode(x).mean).log_prob(x).mean()


def from_the_prior(model, x, generator):
    z = model.prior.sample((len(x),), generator)
    return model.decode(z).log_prob(x).mean()


def from_the_prior_with_kl(model, x, generator):
    kl = kl_divergence(model.encode(x), model.prior).mean()
    return from_the_prior(model, x, generator) - kl


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


WRONG_EVALUATIONS = [
    (at_the_mean_in_batches, "mean of q: this is no bound; and the batches"),
    (at_the_mean, "z is the mean of q: this is no bound"),
    (reconstruction_at_the_mean, "z is the mean of q"),
    (of_terms(lambda r, kl: r.mean()), "log p.x.z. alone"),
    (of_terms(lambda r, kl: (r + kl).mean()), "KL is added"),
    (of_terms(lambda r, kl: (kl - r).mean()), "The sign is wrong"),
    (of_terms(lambda r, kl: (r - kl / 2).mean()), "averaged over the two latents"),
    (over_dimensions, "averaged over dimensions"),
    (of_terms(lambda r, kl: (r - kl).sum()), "sum over the rows"),
    (of_terms(lambda r, kl: r - kl), "one number, the mean"),
    (of_terms(lambda r, kl: (r - kl).mean() / 0), "our answer is −∞"),
    (of_terms(lambda r, kl: None), "returns nothing"),
    (of_terms(lambda r, kl: (r - kl).mean() + 30), "The answer is 30 too large, everywhere"),
    (from_the_prior, "The decoder is asked before the encoder"),
    (from_the_prior_with_kl, "drawn from the prior; draw it from q"),
    (average_of_averages, "averages of batches are averaged"),
    (last_batch_dropped, "The last, smaller batch is left out"),
    (lambda m, x, g: importance_weighted_bound(m, x, 50, g).mean(), "average the logs"),
    (training_while_measuring, "an evaluation takes no step"),
    (lambda m, x, g: m.elbo(x).mean(), "pass it to whatever draws z"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_EVALUATIONS)
def test_a_wrong_evaluation_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.evaluate(fn)


# --- a choice of model -----------------------------------------------------------------------


def choose(models, score, valid, test):
    best = max(models, key=lambda model: score(model, valid))
    return best, score(best, test)


def choose_in_a_loop(models, score, valid, test):
    best, best_score = None, -math.inf
    for model in models:
        value = score(model, valid)
        if value > best_score:
            best, best_score = model, value
    return [best, torch.tensor(score(best, test))]


def choose_by_loss(models, score, valid, test):
    table = [(-score(m, valid), score(m, test), k) for k, m in enumerate(models)]
    _, reported, k = min(table)
    return models[k], reported


@pytest.mark.parametrize("fn", [choose, choose_in_a_loop, choose_by_loss])
def test_a_right_choice_passes_in_any_style(fn):
    assert vc.checks.model_selection(fn).startswith("Right:")


def by(key, report):
    def choice(models, score, valid, test):
        best = max(models, key=lambda model: key(score, model, valid, test))
        return best, report(score, best, valid, test)

    return choice


def best_of_the_test_scores(models, score, valid, test):
    best = max(models, key=lambda model: score(model, valid))
    return best, max(score(model, test) for model in models)


WRONG_CHOICES = [
    (by(lambda s, m, v, t: s(m, t), lambda s, m, v, t: s(m, t)), "The test data choose"),
    (by(lambda s, m, v, t: -s(m, v), lambda s, m, v, t: s(m, t)), "The worst is chosen"),
    (by(lambda s, m, v, t: s(m, v), lambda s, m, v, t: s(m, v)), "validation score is reported"),
    (best_of_the_test_scores, "best test score"),
    (by(lambda s, m, v, t: s(m, torch.cat([v, t])), lambda s, m, v, t: 0), "joined or cut"),
    (lambda ms, s, v, t: (ms[0], s(ms[0], t)), "The first model is chosen"),
    (by(lambda s, m, v, t: s(m, v), lambda s, m, v, t: s(m, t) / 2), "chosen model's score"),
    (lambda ms, s, v, t: max(ms, key=lambda m: s(m, v)), "return 2 things"),
    (lambda ms, s, v, t: (1, s(ms[1], t)), "one of the models"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_CHOICES)
def test_a_wrong_choice_is_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.model_selection(fn)


# --- free bits -------------------------------------------------------------------------------


def loop_of_free_bits(kl, floor):
    total = 0.0
    for column in kl.T:
        total = total + torch.maximum(column.mean(), torch.tensor(floor, dtype=kl.dtype))
    return total


@pytest.mark.parametrize(
    "fn",
    [
        lambda kl, floor: kl.mean(0).clamp(min=floor).sum(),
        lambda kl, floor: floor * kl.shape[1] + torch.relu(kl.mean(0) - floor).sum(),
        lambda kl, floor: torch.where(kl.mean(0) > floor, kl.mean(0), floor).sum(),
        loop_of_free_bits,
    ],
)
def test_right_free_bits_pass_in_any_style(fn):
    assert vc.checks.free_bits(fn).startswith("Right:")


WRONG_FREE_BITS = [
    (lambda kl, f: kl.mean(0).sum(), "No latent is held"),
    (lambda kl, f: kl.clamp(min=f).sum(1).mean(), "cuts row by row"),
    (lambda kl, f: kl.mean(0).clamp(max=f).sum(), "max and min"),
    (lambda kl, f: kl.mean(0).clamp(min=f).mean(), "averaged over the latents"),
    (lambda kl, f: kl.sum(0).clamp(min=f).sum(), "summed over the rows"),
    (lambda kl, f: torch.relu(kl.mean(0) - f).sum(), "floor is subtracted"),
    (lambda kl, f: (kl.mean(0) + f).sum(), "floor is added"),
    (lambda kl, f: kl.mean(0).clamp(min=f), "not summed yet"),
    (lambda kl, f: kl.mean(0).clamp(min=f).sum().detach(), "detached"),
    (
        lambda kl, f: kl.mean(0).clamp(min=f).sum() + (kl - kl.detach()).sum(),
        "not the gradient by kl",
    ),
    (lambda kl, f: kl.mean(0).clamp(min=f).sum() + 1, "too large, everywhere"),
]


@pytest.mark.parametrize(("fn", "name"), WRONG_FREE_BITS)
def test_wrong_free_bits_are_named(fn, name):
    with pytest.raises(Mistake, match=name):
        vc.checks.free_bits(fn)
