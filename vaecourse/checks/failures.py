"""Self-checks for programs around a VAE: a training step, an evaluation, a choice of model.

Taught in chapter 14. A program is tried on small models whose every number is known, and what
it does to them is watched: what it hands to the decoder, how it moves the weights, which data
it lets decide.
"""

import copy
import math
from unittest import mock

import torch
from torch import nn
from torch.distributions import kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

from vaecourse.checks.answers import (
    Mistake,
    Trial,
    as_tensor,
    check,
    close,
    judge,
    parts_of,
    seeded,
    shown,
    uniform,
    watched,
)
from vaecourse.checks.draws import PIXELS, Draws
from vaecourse.checks.vae import judge_draws, wrong_kl, wrong_likelihoods
from vaecourse.models import VAE

_RATE = 0.1


# --- free bits -------------------------------------------------------------------------------


def _divergences():
    scales = torch.tensor([0.2, 0.9, 2.0, 3.0], dtype=torch.float64)
    yield scales * uniform(5, 4), 0.5
    yield 3 * scales[:3] * uniform(2, 3, seed=1), 1.4
    yield 0.1 * uniform(3, 6, seed=2), 0.05
    yield Trial((0.01 * scales * uniform(5, 4), 0.0), "With a floor of 0")
    yield Trial((scales * uniform(5, 4), 40.5), "With a floor above all")
    yield Trial((100 * uniform(4, 3), 0.5), "With no latent below the floor")
    yield Trial((4 * uniform(6, 1, seed=3), 0.25), "With one latent")
    yield Trial((uniform(1, 5, seed=4), 0.5), "With one row")
    far = 4000 * uniform(4, 3, seed=5)
    far[0] /= 1000  # far below the mean, so that a cut of that is none of the entries
    yield Trial((far, 0.5), "With a KL of up to 4,000 nats")
    yield Trial((2 * uniform(200, 64, seed=6), 1.0), "With 200 rows and 64 latents")
    yield Trial((uniform(4, 4, seed=7), 0.456789), "With as many rows as latents")
    few = torch.tensor([[0.5, 0.0, 0.5, 1.0], [0.25, 0.0, 0.25, 1.0], [0.75, 0.0, 0.75, 1.0]])
    where = "With latents that are equal, 0, or at the floor"
    yield Trial((few.double(), 0.5), where, gradients=False)
    yield Trial((1e-3 * uniform(3, 2, seed=8), 4.56789e-4), "With a KL near 0.001", atol=1e-8)


def _wrong_floors(kl, floor):
    """(what a mistake gives, the sentence that names it), …"""
    average = kl.mean(0)
    free = average.clamp(min=floor)
    return [
        (average.sum(), "No latent is held at the floor: this is the KL as it is."),
        (kl.clamp(min=floor).mean(0).sum(), "The floor cuts row by row; average over rows first."),
        (kl.clamp(min=floor).sum(), "The floor cuts row by row; average over rows first."),
        (average.sum().clamp(min=floor), "The floor cuts the sum; every latent has its own."),
        (
            average.sum().clamp(min=floor * kl.shape[1]),
            "The floor of all latents together cuts their sum; every latent has its own.",
        ),
        (
            kl.sum(1).clamp(min=floor).mean(),
            "The floor cuts the sum of a row; every latent has its own.",
        ),
        (average.clamp(max=floor).sum(), "max and min are swapped: this keeps the KL small."),
        (
            average.clamp(min=int(floor)).sum(),
            "The floor is made a whole number; it may be a fraction.",
        ),
        (
            kl.sum(0).clamp(min=floor).sum() / len(kl),
            "The floor cuts sums over the rows; it must cut the average.",
        ),
        (
            average.clamp(min=floor / kl.shape[1]).sum(),
            "The floor is divided by the number of latents; each has the whole of it.",
        ),
        (
            kl.mean().clamp(min=floor),
            "The mean of all is cut; average over the rows alone, cut, then sum over latents.",
        ),
        (free.mean(), "You averaged over the latents; sum over them."),
        (free, "The latents are not summed yet."),
        (kl.sum(0).clamp(min=floor).sum(), "You summed over the rows; average over them."),
        ((average - floor).clamp(min=0).sum(), "The floor is subtracted; the KL itself stays."),
        ((average + floor).sum(), "The floor is added to every latent."),
        (
            ((average - floor).abs() + floor).sum(),
            "|KL − floor| stands where max(floor, KL) belongs: below the floor it rises again.",
        ),
        (
            average.clamp(min=floor * math.log(2)).sum(),
            "The floor is multiplied by ln 2; it is in nats already.",
        ),
        (
            (len(kl) / (len(kl) - 1 or math.nan) * average).clamp(min=floor).sum(),
            "The mean over the rows is divided by B − 1; divide by B.",
        ),
        (
            average.clamp(min=floor * kl.shape[1]).sum(),
            "The floor is multiplied by the number of latents; each has its own.",
        ),
        (average.clamp(min=0.5).sum(), "A floor of 0.5 is written in; use the one handed in."),
        (
            kl.mean(1).clamp(min=floor).sum(),
            "The mean runs over the latents; it must run over rows.",
        ),
        (
            torch.where(average > floor, average, torch.zeros_like(average)).sum(),
            "Below the floor a latent costs nothing here; it costs the floor.",
        ),
    ]


@check(
    _divergences,
    "a latent below the floor costs the floor, and has no reason to cost less.",
    _wrong_floors,
    gradients=("kl",),
)
def free_bits(kl, floor):
    """Check `fn(kl, floor) -> scalar`: Σ_j max(floor, mean over rows of kl_j) in nats [KSW16].

    `kl` [B, J] holds the KL of each latent for each row.
    """
    return kl.mean(0).clamp(min=floor).sum()


# --- a step of training ----------------------------------------------------------------------


@watched("encoder", "decoder", "optimizer", "x", "generator")
def training_step(student):
    """Check `fn(encoder, decoder, optimizer, x, generator) -> loss`: one step of training.

    `encoder` maps x [B, D] to [B, 2J], loc beside log_var; `decoder` maps z [B, J] to the logits
    [B, D] of binary pixels; `optimizer` holds the weights of both. The loss is −ELBO with one
    draw of z, averaged over the rows.
    """

    def draw(rows, x, generator):
        encoder, decoder = _Encoder(rows), _Decoder(rows)
        optimizer = torch.optim.SGD(encoder.parameters(), lr=0.0)
        return student(encoder, decoder, optimizer, x, generator)

    Draws(draw).judge()
    runs = [_TinyRun(5, 7, 2), _TinyRun(8, 6, 2, seed=3, far=60), _TinyRun(3, 4, 2, seed=5)]
    runs.append(_TinyRun(4, 5, 2, seed=7, log_var=(-25.0, 11.0)))
    steps = [run.step(student, seed=k) for k, run in enumerate(runs)]
    try:  # a half may be one over the two latents: other numbers of them tell
        steps += [_TinyRun(3, 4, n, seed=n).step(student, seed=n) for n in (3, 5)]
    except Mistake as mistake:
        if all(close(step["loss"], step["right"]) for step in steps):
            raise Mistake(f"For another number of latents: {mistake}") from None
    for run, step in zip(runs, steps):
        if run.taken > 1:
            raise Mistake(f"The optimizer takes {run.taken} steps; take one.")
        if run.more and not close(step["loss"], step["right"]):
            raise Mistake(f"{run.more}; one step takes one draw for each row.")
    try:
        _check_loss(steps)
    except Mistake as mistake:
        if any(not _moved_by(step, step["gradients"]) for step in steps):
            raise
        raise Mistake(
            f"The weights move as they should, but the number returned is wrong. {mistake}"
        ) from None
    _check_moves(steps)
    second = runs[0].step(student, seed=9)
    carried = [a + b for a, b in zip(steps[0]["gradients"], second["gradients"])]
    if _moved_by(second, carried):
        raise Mistake(
            "The gradients of the step before are still in this one: call zero_grad() once a step."
        )
    if not _moved_by(second, second["gradients"]):
        raise Mistake("The first step is right, but the second does not follow its gradient.")
    return "a draw of q, the loss in nats a row, and one step along its gradient."


class _Encoder(nn.Module):
    """Gives the parameters of q of `rows`."""

    def __init__(self, rows):
        super().__init__()
        self.rows, self.weight = rows, nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        return self.rows.encode(x) + 0 * self.weight


class _Decoder(nn.Module):
    """Logits of 0, and `rows` keeps the z."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def forward(self, z):
        self.rows.decode(z)
        return 0 * z.sum(-1, keepdim=True).expand(*z.shape[:-1], PIXELS)


class _Recorded(nn.Linear):
    """A layer that remembers the rows it was given."""

    given = ()

    def forward(self, value):
        self.given = (*self.given, *value.detach().reshape(-1, self.in_features))
        return super().forward(value)


class _TinyRun:
    """A linear encoder and decoder, an optimizer, and rows of binary pixels.

    far: where the means of q lie, so that the KL is much larger than the cross entropy.
    log_var: about which values log σ² lies, of each latent or of all.
    """

    def __init__(self, rows, pixels, latents, seed=0, far=0.0, log_var=0.0):
        self.latents, self.more = latents, ""
        self.nets = [
            _layer(pixels, 2 * latents, seed, nn.Linear),
            _layer(latents, pixels, seed + 1, _Recorded),
        ]
        with torch.no_grad():
            self.nets[0].bias[:latents] += far
            self.nets[0].bias[latents:] += torch.tensor(log_var)
        self.x = torch.bernoulli(torch.full((rows, pixels), 0.4).double(), generator=seeded(2))
        self.optimizer = torch.optim.SGD(self._weights(), lr=_RATE)
        self.optimizer.register_step_post_hook(self._count)
        self.optimizer.state["kept"] = {}

    def _count(self, *_):
        self.taken += 1

    def _weights(self):
        return [weight for net in self.nets for weight in net.parameters()]

    def step(self, student, seed):
        """What the step gave and did, beside what is right for the z that it drew."""
        encoder, decoder = copy.deepcopy(self.nets)
        before = [weight.detach().clone() for weight in self._weights()]
        self.nets[1].given, self.taken = (), 0
        loss = as_tensor(student(*self.nets, self.optimizer, self.x, seeded(seed)))
        if loss.numel() != 1:
            raise Mistake(f"The loss has shape {list(loss.shape)}; return one number.")
        loss = loss.reshape(())
        if any(group["lr"] != _RATE for group in self.optimizer.param_groups):
            raise Mistake("The learning rate is changed; it belongs to the optimizer's owner.")
        if "kept" not in self.optimizer.state:
            raise Mistake("The state of the optimizer is gone, in which it keeps earlier steps.")
        loc, log_var = encoder(self.x).chunk(2, -1)
        given, rows = self.nets[1].given, len(self.x)
        if not given:
            raise Mistake("The decoder is never asked: log p(x|z) needs its logits at a draw of z.")
        if len(given) < rows:
            raise Mistake(f"Only {len(given)} of {rows} rows reach the decoder.")
        z = torch.stack(given[:rows])
        if len(given) != rows:
            self.more = f"The decoder is given {len(given)} rows of z, where x has {rows}"
        eps = (z - loc.detach()) / (0.5 * log_var.detach()).exp()
        z = loc + (0.5 * log_var).exp() * eps
        logits = decoder(z)
        bce = binary_cross_entropy_with_logits(logits, self.x, reduction="none")
        kl = 0.5 * (log_var.exp() + loc.square() - 1 - log_var)
        drawn = 0.5 * (z.square() - eps.square() - log_var)  # log q(z) − log p(z) at the draw
        weights = [*encoder.parameters(), *decoder.parameters()]
        right = {}
        for name, rate in (("kl", kl), ("drawn", drawn)):
            right[name] = (bce.sum(1) + rate.sum(1)).mean()
        chosen = "drawn" if close(loss, right["drawn"].detach()) else "kl"
        gradients = torch.autograd.grad(right[chosen], weights, retain_graph=True)
        return {
            "loss": loss,
            "right": right[chosen].detach(),
            "x": self.x,
            "logits": logits.detach(),
            "loc": loc.detach(),
            "log_var": log_var.detach(),
            "bce": bce.detach(),
            "kl": (kl if chosen == "kl" else drawn).detach(),
            "gradients": gradients,
            "moves": [b - w.detach() for b, w in zip(before, self._weights())],
            "taken": self.taken,
            "has_gradient": any(weight.grad is not None for weight in self._weights()),
            "parts": (slice(0, 2), slice(2, 4)),
        }


def _layer(inputs, outputs, seed, kind):
    layer = kind(inputs, outputs).double()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(std=0.4, generator=seeded(seed))
    return layer


def _wrong_steps(bce, kl, x, logits, loc, log_var):
    """(what a mistake gives, the sentence that names it), …"""
    rows, pixels, latents = len(bce), bce.shape[1], kl.shape[1]
    distortion, rate = bce.sum(1).mean(), kl.sum(1).mean()
    own = [
        (distortion + rate / latents, "The KL is averaged over the latents; sum over them."),
        (distortion / pixels + rate, "The mean over the pixels: the KL counts D times."),
        (distortion / pixels + rate / latents, "Both terms are averaged over dimensions; sum."),
        (distortion + kl.sum(), "The KL is summed over the rows, the cross entropy averaged."),
        (bce.sum() + rate, "The cross entropy is summed over the rows, the KL averaged."),
        (rows * (distortion + rate), "The loss is summed over the rows; average over them."),
        (distortion / pixels + kl.sum(), "The cross entropy is averaged over all, the KL summed."),
        (
            distortion + rate / pixels,
            "The KL is divided by the number of pixels, the cross entropy is not.",
        ),
        *(
            (distortion + rate * rows / number, f"The KL is multiplied by B / {number:,}.")
            for number in (60_000, 50_000, 10_000)
        ),
        (rows / 100 * (distortion + rate), "100 is written in; average over the rows there are."),
        (distortion, "The KL is missing: the cross entropy alone makes a noisy autoencoder."),
        (rate, "The cross entropy is missing: nothing asks for x."),
        (distortion - rate, "The KL has the wrong sign: it is a cost, so the loss adds it."),
        (distortion + 2 * rate, "The factor ½ of the KL is missing."),
        (-distortion - rate, "The sign is wrong: this is the ELBO; the loss is minus that."),
        (rate - distortion, "The cross entropy has the wrong sign: it is a cost already."),
        ((distortion + rate) / math.log(2), "The loss is in bits; the unit is the nat."),
        *(
            ((bce.sum(1) + kl.sum(1))[place], f"Only the {name} row counts; average over all.")
            for place, name in ((0, "first"), (-1, "last"))
        ),
        *(
            (distortion + kl.mean(0).clamp(min=floor).sum(), "A latent costs at least a floor.")
            for floor in (0.05, 0.1, 0.125, 0.2, 0.25, 0.5, 1.0, 2.0)
        ),
    ]
    of_a_bound = [
        *((rate - value.mean(), words) for value, words in wrong_likelihoods(x, logits)),
        *(
            (distortion + value.mean(), f"In the KL: {words}")
            for value, words in wrong_kl(loc, log_var)
        ),
    ]
    named = torch.stack([value for value, _ in own])
    named = named[~torch.isclose(named, distortion + rate)]  # where a mistake changes nothing
    return own + [
        (value, words)
        for value, words in of_a_bound
        if not torch.isclose(named, value, 1e-9, 1e-9).any()
    ]


def _check_loss(steps):
    trials = []
    for step in steps:
        x, p = step["x"], step["logits"].sigmoid()
        lost = not (x * p.log() + (1 - x) * (1 - p).log()).isfinite().all()
        advice = "Work from the logits: where sigmoid is rounded to 0 or 1 a logarithm is lost."
        arguments = tuple(step[name] for name in ("bce", "kl", "x", "logits", "loc", "log_var"))
        trials.append(Trial(arguments, advice=advice if lost else "", rtol=1e-6, atol=1e-6))
    judge(
        [step["loss"] for step in steps],
        trials,
        [step["right"] for step in steps],
        _wrong_steps,
        parts=lambda bce, kl, *_: {
            "The KL": kl.sum(1).mean(),
            "The cross entropy": bce.sum(1).mean(),
        },
        output="the loss",
    )


def _check_moves(steps):
    for step in steps:
        if not any(move.any() for move in step["moves"]):
            if step["has_gradient"]:
                raise Mistake("No weight has moved: step() is missing, or comes before backward().")
            raise Mistake(
                "No weight has moved: backward() is missing, or zero_grad() comes after it and "
                "before step()."
            )
        if not step["taken"]:
            raise Mistake(
                "The weights move, but not by step() of the optimizer that is handed in; it may "
                "remember earlier steps."
            )
    wrong = {
        "The weights move up the gradient, so that the loss rises.": lambda rows: -1,
        "The gradient is that of a sum over the rows, the loss returned is a mean.": float,
        "The step is twice as long as the gradient says; is backward() called twice?": lambda _: 2,
    }
    for sentence, factor in wrong.items():
        if all(_moved_by(s, [factor(len(s["bce"])) * g for g in s["gradients"]]) for s in steps):
            raise Mistake(sentence)
    for step in steps:
        for name, part in (("encoder", slice(0, 2)), ("decoder", slice(2, 4))):
            if not any(move.any() for move in step["moves"][part]):
                raise Mistake(f"The {name} has not moved; no gradient reaches it.")
        if not _moved_by(step, step["gradients"]):
            moves, along = (
                torch.cat([v.flatten() for v in step[name]]) for name in ("moves", "gradients")
            )
            length = (moves @ along / (along @ along) / _RATE).item()
            if length > 0 and _moved_by(step, [length * g for g in step["gradients"]]):
                raise Mistake(
                    f"The weights move along the gradient, but {length:.3g} times as far as it "
                    "says; is it clipped or scaled?"
                )
            raise Mistake(
                "The weights do not move along the gradient of the loss that is returned."
            )


def _moved_by(step, gradients):
    return all(close(move, _RATE * g) for move, g in zip(step["moves"], gradients))


# --- an evaluation ---------------------------------------------------------------------------


@watched("model", "x", "generator")
def evaluate(student):
    """Check `fn(model, x, generator) -> number`: the mean ELBO of the rows of x [N, D], in nats.

    `model` has encode, decode, prior and elbo, as `vc.models.VAE`. Which rows reach its encoder and
    which z its decoder is watched, so that the right number for these very draws is known.
    """
    tried = []
    for rows, seed, pixels in ((1203, 0, 3), (517, 1, 3), (403, 2, 2)):
        model, x = _known_model(rows, pixels)
        tried.append(_Evaluation(student, model, x, seed))
    for seen in tried:
        seen.look()
    judge(
        [seen.answer for seen in tried],
        [Trial((seen,), rtol=2e-4, atol=2e-4) for seen in tried],
        [seen.right() for seen in tried],
        lambda seen: seen.mistakes(),
        parts=lambda seen: {"The KL": -seen.kl.mean(), "log p(x|z)": seen.likelihood.mean()},
        names=("x",),
    )
    model, x = _known_model(403, 2)
    again, other = (as_tensor(student(model, x, seeded(seed))) for seed in (2, 3))
    if not close(again.reshape(()), tried[2].answer, 1e-6, 1e-6):
        raise Mistake("The same generator gives another number: pass it to whatever draws z.")
    if torch.equal(again, other):
        raise Mistake("Every generator gives the same number: a seed is fixed, or a draw kept.")
    return "z is drawn, and every row counts once, in nats."


def _known_model(rows, pixels):
    """A linear Gaussian VAE, whose q is off to the side and too wide, and rows that it draws."""
    model = VAE(pixels, 2, (), likelihood="gaussian", noise_variance=0.36)
    with torch.no_grad():
        weight = torch.tensor([[1.5, 0.0], [0.4, 1.0], [-0.6, 0.8]])[:pixels]
        precision = torch.eye(2) + weight.T @ weight / 0.36
        model.decoder[0].weight.copy_(weight)
        model.decoder[0].bias.zero_()
        model.encoder[0].weight.zero_()[:2] = torch.linalg.solve(precision, weight.T / 0.36)
        model.encoder[0].bias[:2] = torch.tensor([-0.1, 0.1])
        model.encoder[0].bias[2:] = 0.5 - precision.diagonal().log()
        x = model.sample(rows, seeded(4))
        x[-3:] *= 25  # far out, so that a last batch of three rows makes itself felt
        return model, x


class _Evaluation:
    """One call of a student's evaluation, with all that it asked of the model."""

    def __init__(self, student, model, x, seed):
        self.model, self.x, self.batches = model, x, []
        before = copy.deepcopy(model.state_dict())
        encode, decode = VAE.encode, VAE.decode

        def watched_encode(model, rows):
            q = encode(model, rows)
            self.batches.append((rows.detach(), q, []))
            return q

        def watched_decode(model, z):
            if not self.batches:
                raise Mistake("The decoder is asked before the encoder: draw z from q(z|x).")
            self.batches[-1][2].append(z.detach())
            return decode(model, z)

        # of the class, so that a copy of the model is watched too
        with mock.patch.multiple(VAE, encode=watched_encode, decode=watched_decode):
            answer = as_tensor(student(model, x, seeded(seed)))
        if any((value != before[name]).any() for name, value in model.state_dict().items()):
            raise Mistake("The weights have changed: an evaluation takes no step.")
        if any(weight.grad is not None for weight in model.parameters()):
            raise Mistake("Gradients are left on the weights: an evaluation needs no backward().")
        if answer.numel() != 1:
            raise Mistake(f"The answer has shape {list(answer.shape)}; give one number, the mean.")
        self.answer = answer.reshape(())

    def look(self):
        """Raise a Mistake by what reached encoder and decoder; keep both terms of every row."""
        if not self.batches:
            raise Mistake("The encoder is never asked: z must be drawn from q(z|x).")
        index = {tuple(row): k for k, row in enumerate(self.x.tolist())}
        rows = [[index.get(tuple(row)) for row in batch.tolist()] for batch, _, _ in self.batches]
        asked = [k for batch in rows for k in batch]
        if None in asked:
            raise Mistake("The encoder is given rows that are not those of x.")
        self._look_for_all(sorted(set(asked)), len(self.x))
        draws = [z for _, _, zs in self.batches for z in zs]
        if not draws:
            raise Mistake("The decoder is never asked: log p(x|z) is missing.")
        self._look_at_draws()
        self._keep_terms(rows)

    def _look_for_all(self, seen, number):
        missing = number - len(seen)
        if not missing:
            return
        if seen == list(range(len(seen))):
            size = max(len(x) for x, _, _ in self.batches)
            if len(self.batches) > 1 and missing < size:
                raise Mistake(f"The last, smaller batch is left out: {missing} of {number} rows.")
            raise Mistake(f"Only the first {len(seen)} of {number} rows reach the encoder.")
        raise Mistake(f"{missing} of {number} rows never reach the encoder; every row counts.")

    def _look_at_draws(self):
        pairs = [(q, z) for _, q, zs in self.batches for z in zs if _fits(q, z)]
        at_mean = [close(z.expand(q.mean.shape), q.mean) for q, z in pairs if z.ndim == 2]
        if any(at_mean):
            counts = self._averages_batches()
            raise Mistake(
                "z is the mean of q: this is no bound; and the batches do not count by their rows."
                if counts
                else "z is the mean of q: this is no bound."
            )
        if len(pairs) != sum(len(zs) for _, _, zs in self.batches):
            return
        # a function that draws for a DataLoader is called twice
        z, loc, scale = (
            torch.cat([value.expand(z.shape).reshape(-1, 2) for value, z in of])[: len(self.x)]
            for of in (
                [(z, z) for _, z in pairs],
                [(q.mean, z) for q, z in pairs],
                [(q.stddev, z) for q, z in pairs],
            )
        )
        eps = (z - loc) / scale
        if len(eps.mul(10_000).round().unique(dim=0)) < 0.9 * len(eps):
            raise Mistake(
                "The same ε comes again in other rows: one draw serves several, or the generator "
                "is set back."
            )
        if len(eps) < 1000:
            return
        of_prior = ((z.std(0) - 1).abs() < 0.1).all() and (z.mean(0).abs() < 0.15).all()
        if of_prior and ((eps.std(0) - 1).abs() > 0.1).any():
            raise Mistake("z is drawn from the prior; draw it from q.")
        judge_draws(z, loc, 2 * scale.log())

    def _averages_batches(self):
        """Whether the answer is an average of the batches' own averages at the mean of q."""
        values = [
            (self.model.decode(q.mean).log_prob(x) - kl_divergence(q, self.model.prior)).mean()
            for x, q, _ in self.batches
        ]
        likelihoods = [self.model.decode(q.mean).log_prob(x).mean() for x, q, _ in self.batches]
        sizes = {len(x) for x, _, _ in self.batches}
        return len(sizes) > 1 and any(
            abs(torch.stack(terms).mean() - self.answer) < 1e-3 * (1 + abs(self.answer))
            for terms in (values, likelihoods)
        )

    @torch.no_grad()
    def _keep_terms(self, rows):
        """Both terms of every row [N], and what may stand for them, averaged over its draws."""
        number, prior = len(self.x), self.model.prior
        sums, count = torch.zeros(6, number, dtype=torch.float64), torch.zeros(number).double()
        self.sizes, self.inside, each = [], None, []
        best = torch.full((number,), -math.inf, dtype=torch.float64)
        for places, (x, q, zs) in zip(rows, self.batches):
            for z in zs:
                if not _fits(q, z):
                    continue
                z = z.reshape(-1, *q.mean.shape)
                p = self.model.decode(z)
                terms = (
                    p.log_prob(x).double(),
                    kl_divergence(q, prior).double().expand(len(z), -1),
                    (q.log_prob(z) - prior.log_prob(z)).double(),
                    kl_divergence(prior, q).double().expand(len(z), -1),
                    -(p.mean - x).square().sum(-1).double(),
                    prior.log_prob(z).double(),
                )
                each.append((places, torch.stack([term.mean(0) for term in terms])))
                for sum_, term in zip(sums, terms):
                    sum_.index_add_(0, torch.tensor(places), term.sum(0))
                count.index_add_(
                    0, torch.tensor(places), torch.full((len(x),), float(len(z))).double()
                )
                most = (terms[0] - terms[1]).max(0).values
                best[places] = torch.maximum(best[places], most)
                weight = (terms[0] - terms[2]).logsumexp(0) - math.log(len(z))
                if len(z) > 1:
                    self.inside = [*(self.inside or []), weight]
            self.sizes.append(places)
        self.best, self.most = best, int(count.max())
        drawn = torch.cat([terms for _, terms in each], 1) if each else sums
        again = drawn.shape[1] // number if drawn.shape[1] % number == 0 else 1
        self.passes = drawn.reshape(6, again, number).mean(2) if again > 1 else None
        self._set_terms(sums / count.clamp(min=1))
        asked = [place for places, _ in each for place in places]
        if number < len(asked) < 2 * number:
            self._choose(asked, drawn)

    def _set_terms(self, terms):
        self.likelihood, self.kl, self.drawn, self.turned, self.error, self.prior = terms

    def _choose(self, asked, terms):
        """Of rows that were encoded twice, to fill a batch, the first or the last time counts."""
        first = {place: k for k, place in reversed([*enumerate(asked)])}
        last = {place: k for k, place in enumerate(asked)}
        for chosen in (first, last):
            self._set_terms(terms[:, [chosen[place] for place in range(len(self.x))]])
            if close(self.right(), self.answer, 2e-4, 2e-4):
                return
        if any(close((terms[0] - kl).mean(), self.answer, 2e-4, 2e-4) for kl in terms[1:3]):
            number = len(self.x)
            raise Mistake(f"Some rows count twice: x has {number}, {len(asked)} are encoded.")

    def right(self):
        """The mean of the rows for these draws; with the KL in closed form or at the draw."""
        exact, drawn = ((self.likelihood - kl).mean() for kl in (self.kl, self.drawn))
        by_draws = close(drawn, self.answer, 2e-4, 2e-4) and not close(exact, self.answer)
        return drawn if by_draws else exact

    def mistakes(self):
        """(what a mistake gives for these draws, the sentence that names it), …"""
        found = []
        pixels = self.x.shape[1]
        for kl in (self.kl, self.drawn):
            rows = self.likelihood - kl
            means = torch.stack([rows[batch].mean() for batch in self.sizes])
            last = len(self.sizes[-1]) if len(self.sizes) > 1 else 0
            sums = torch.stack([rows[batch].sum() for batch in self.sizes])
            found += [
                (-rows.mean(), "The sign is wrong: this is the loss."),
                (
                    rows.sum(),
                    "This is the sum over the rows; a mean compares with other data sets.",
                ),
                ((self.likelihood + kl).mean(), "The KL is added; subtract it."),
                (
                    self.likelihood.mean() - kl.mean() / 2,
                    "The KL counts half: averaged over the two latents, or halved.",
                ),
                (
                    self.likelihood.mean() / pixels - kl.mean(),
                    "log p(x|z) is averaged over dimensions; sum over them.",
                ),
                (
                    self.likelihood.mean() / pixels - kl.mean() / 2,
                    "Both terms are averaged over dimensions; sum.",
                ),
                (self.error.mean() - kl.mean(), "A squared error stands for log p(x|z)."),
                (rows.mean() / pixels, "The bound is averaged over dimensions; sum over them."),
                (rows.median(), "This is the median of the rows; the mean is asked for."),
                (rows.mean() / math.log(2), "This is in bits; the unit is the nat."),
                (
                    rows.sum() / (max(map(len, self.sizes)) * len(self.sizes)),
                    "The sum is divided as if the last batch were as large as the others.",
                ),
                (rows[self.sizes[-1]].mean(), "Only the last batch counts."),
                (
                    sums[: max(len(sums) - 1, 1)].sum() / (len(rows) - last),
                    "The last, smaller batch is left out.",
                ),
                (
                    (means[:-1] if len(means) > 1 else means).mean(),
                    "The last, smaller batch is left out.",
                ),
                (rows[self.sizes[0]].mean(), "Only the first batch counts."),
                (means.max(), "The best batch alone counts; every row counts."),
                *(
                    (rows.sum() / n, f"{n:,} is written in; divide by the number of rows.")
                    for n in (100, 128, 200, 256, 400, 500, 512, 1000, 10_000)
                ),
            ]
            found.append(
                (
                    means.mean(),
                    "The averages of batches are averaged, though the last is smaller: its rows "
                    "count for too much. Weigh each batch by its rows.",
                )
            )
            if len(self.sizes) > 1:
                found.append((means.sum(), "The averages of the batches are summed."))
                words = "Sums over batches are averaged: divide by the number of rows."
                found.append((sums.mean(), words))
        if self.most > 1:
            found.append((self.best.mean(), "The best of several draws is kept; average them."))
        if self.passes is not None:
            words = "The best of several evaluations is kept; average them."
            found += [((self.passes[0] - kl).max(), words) for kl in self.passes[1:3]]
        if self.inside is not None:
            found.append(
                (
                    torch.cat(self.inside).mean(),
                    "This lies between the ELBO and log p(x), as the log of a mean of weights "
                    "does; average the logs.",
                )
            )
        found.append(
            (
                (self.likelihood - self.turned).mean(),
                "This is KL(p ‖ q), the wrong direction; the bound has KL(q ‖ p).",
            )
        )
        found.append((self.likelihood.mean(), "The KL is missing: this is log p(x|z) alone."))
        joint = (self.likelihood + self.prior).mean()
        found.append((joint, "log q(z|x) is missing: this is the mean of log p(x, z)."))
        half = (self.likelihood - self.drawn - self.prior).mean()
        found.append((half, "log p(z) is missing: this is log p(x|z) − log q(z|x)."))
        return found


def _fits(q, z):
    """Whether z holds draws for the rows of q."""
    return z.ndim in (2, 3) and z.shape[-2:] == q.mean.shape


# --- a choice of model -----------------------------------------------------------------------


@watched("models", "score", "valid", "test")
def model_selection(student):
    """Check `fn(models, score, valid, test) -> (model, number)`: a choice, and what is reported.

    `score(model, x)` is a mean bound in nats, the larger the better; the data `valid` choose, and
    the number reported is of data that had no part in the choice.
    """
    tables = [
        ([-97.0, -94.0, -99.0, -95.0], [-98.5, -96.5, -100.5, -92.5]),
        ([-97.0, -94.0, -99.0, -95.0], [-90.5, -97.5, -93.5, -99.5]),
        ([-80.25, -85.0, -81.0], [-84.75, -79.0, -83.0]),
        ([3.5, 1.0, 2.25, 7.75, 9.0], [2.0, 8.5, 1.25, 4.5, 3.75]),
        ([-1000.0, -2000.0], [-2500.0, -1500.0]),
        ([-95.2, -94.9, -95.0], [-94.1, -91.9, -94.5]),  # close calls; tests above validation
    ]
    _name_choice([_choice(student, *table) for table in tables], tables)
    return "the validation data choose, and the number is that model's on the test data."


def _choice(student, valid_scores, test_scores):
    """(place of the model that is chosen, number reported) for one table of scores."""
    models = [_Candidate(k) for k in range(len(valid_scores))]
    valid, test = torch.zeros(5, 2), torch.ones(7, 2)

    def score(model, x):
        if not isinstance(model, _Candidate):
            raise Mistake("score is asked about something that is not one of the models.")
        for data, scores in ((valid, valid_scores), (test, test_scores)):
            if isinstance(x, torch.Tensor) and x.shape == data.shape and torch.equal(x, data):
                return scores[model.index]
        raise Mistake("The two sets are joined or cut: score a model on one of them, whole.")

    answer = student(models, score, valid, test)
    model, number = parts_of(answer, ("the chosen model", "the number to report"))
    if model is None and max(valid_scores) < 0:
        raise Mistake("No model is chosen, None is returned, where every score is below zero.")
    if not isinstance(model, _Candidate):
        raise Mistake("The first thing returned must be one of the models.")
    number = as_tensor(number)
    if number.numel() != 1:
        raise Mistake(f"The number to report has shape {list(number.shape)}; give one number.")
    return model.index, number.item()


class _Candidate:
    def __init__(self, index):
        self.index = index


def _name_choice(chosen, tables):
    places = [place for place, _ in chosen]
    best, worst = ([valid.index(pick(valid)) for valid, _ in tables] for pick in (max, min))
    if places != best:
        if places[0] != places[1]:
            raise Mistake("The test data choose: the best of several scores is too good.")
        if places == [test.index(max(test)) for _, test in tables]:
            raise Mistake("The test data choose: the best of several scores is too good.")
        if places == worst:
            raise Mistake("The worst is chosen: a bound is the better the larger it is.")
        for known, which in ((lambda n: 0, "first"), (lambda n: n - 1, "last")):
            if places == [known(len(valid)) for valid, _ in tables]:
                raise Mistake(f"The {which} model is chosen, whatever the scores are.")
        for part, which in ((slice(1, None), "first"), (slice(None, -1), "last")):
            if places == [valid.index(max(valid[part])) for valid, _ in tables]:
                raise Mistake(f"The {which} model is never considered.")
        raise Mistake("The chosen model is not the best on the validation data.")
    numbers = [number for _, number in chosen]
    picked = list(zip(places, tables))
    for values, sentence in (
        (
            [valid[k] for k, (valid, _) in picked],
            "The validation score is reported, of data that chose: report the test score.",
        ),
        (
            [max(test) for _, (_, test) in picked],
            "The best test score is reported, of a model that was not chosen.",
        ),
        (
            [(valid[k] + test[k]) / 2 for k, (valid, test) in picked],
            "The mean of both scores is reported; the validation data had a part in the choice.",
        ),
    ):
        if all(
            abs(number - value) < 1e-5 * (1 + abs(value)) for number, value in zip(numbers, values)
        ):
            raise Mistake(sentence)
    for number, (k, (_, test)) in zip(numbers, picked):
        if not abs(number - test[k]) < 1e-5 * (1 + abs(test[k])):
            given, right = shown(number, test[k])
            raise Mistake(
                f"The number reported is {given}, where the chosen model's score is {right}."
            )
