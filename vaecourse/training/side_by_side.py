"""Training several small models side by side: one loop, R models, gradients by hand.

`fit_together` is `vc.training.fit` for models of one shape. Each model has data, an order of
them and noise of its own, from a generator of its own, so that its course does not depend on
its neighbours. Taught in chapter 11.
"""

import time
from contextlib import contextmanager

import torch
from torch.optim.adam import adam
from tqdm import tqdm

from vaecourse._arguments import check_settings, seeded
from vaecourse._files import below
from vaecourse.likelihoods import BernoulliLikelihood
from vaecourse.training.bernoulli_gradients import BernoulliGradients
from vaecourse.training.hand_gradients import HandGradients
from vaecourse.training.optimizers import (
    build_optimizer,
    load_optimizer,
    optimizer_state,
    scheduled_rate,
)
from vaecourse.training.state import History


def fit_together(
    models, x, *, epochs, batch_size=32, learning_rate=1e-3, seeds=None, progress=True
):
    """Train R `models` of one shape in place with Adam [KB15]; returns a `History` for each.

    x: data [N, D] of each model, a list of R tensors; N must be a multiple of `batch_size`.
    seeds: of each model's order and noise; 0, 1, … by default.

    Raises ValueError for models that gradients by hand do not cover or whose parameters
    differ, for data they cannot take and settings out of range; FloatingPointError when a
    loss stops being finite.
    """
    check_settings(epochs, batch_size, learning_rate)
    seeds = range(len(models)) if seeds is None else seeds
    run = Ensemble(models, x, batch_size, learning_rate, seeds)
    histories = [History() for _ in models]
    options = {} if progress else {"disable": True}
    with tqdm(total=epochs * run.steps, unit="step", **options) as bar:
        for _ in range(epochs):
            start = time.perf_counter()
            losses = run.epoch(bar)
            for history, column in zip(histories, losses.T.tolist()):
                history.batch_loss += column
                history.epoch_loss.append(sum(column) / run.steps)
                history.seconds.append((time.perf_counter() - start) / len(models))
    run.write_back()
    return histories


class Ensemble:
    """R models in training: their weights, Adam's moments, and their generators.

    For models of binary pixels there are also: binarize: draw pixels from the grey levels `x` anew
    in every epoch; products: the type of the numbers that are multiplied, torch.bfloat16 say;
    optimizer: "adam" or "muon".
    """

    def __init__(
        self,
        models,
        x,
        batch_size,
        learning_rate,
        seeds,
        *,
        binarize=False,
        products=None,
        optimizer="adam",
    ):
        x = _checked(models, x, batch_size, seeds)
        self.models, self.learning_rate, self.rate = models, learning_rate, learning_rate
        self.steps, self.batch_size = len(x[0]) // batch_size, batch_size
        if isinstance(getattr(models[0], "likelihood", None), BernoulliLikelihood):
            self.by_hand = BernoulliGradients(models, batch_size, products)
            rows = _Levels if binarize else _Pixels
            made = {id(data): rows(data) for data in x}
            self.x = [made[id(data)] for data in x]
            self._batches = self._drawn_in_steps
            self.muon = optimizer == "muon" and build_optimizer(
                optimizer, self.by_hand.parameters(), learning_rate
            )
        else:
            self.by_hand, self.x = HandGradients(models, batch_size), x
            self._batches, self.muon = self._drawn_at_once, None
        weights = self.by_hand.weights
        self.moments = [torch.zeros_like(weights), torch.zeros_like(weights)]
        self.count = torch.zeros((), device=weights.device)
        self.generators = [
            torch.Generator(device=weights.device).manual_seed(int(seed)) for seed in seeds
        ]

    def schedule(self, name, epoch, epochs):
        """Take the learning rate that a schedule has in `epoch`, counted from zero, of `epochs`."""
        self.rate = scheduled_rate(name, self.learning_rate, epoch, epochs)
        for group in self.muon.param_groups if self.muon else ():
            group["lr"] = self.rate

    def epoch(self, bar=None):
        """One pass of every model over its data in a fresh order; losses [steps, R]."""
        losses = self.by_hand.losses.new_empty(self.steps, len(self.models))
        with _flushing_denormals():
            for _, loss in zip(self._batches(), losses):
                self._train()
                loss.copy_(self.by_hand.losses)
                if bar is not None:
                    bar.update()
        if not losses.isfinite().all():
            raise FloatingPointError(
                "A loss is no longer finite; a smaller learning_rate is the usual cure."
            )
        return losses

    def _orders(self):
        """Each model's rows of every step, [steps, B]."""
        return [
            torch.randperm(len(x), generator=generator, device=generator.device).view(
                self.steps, -1
            )
            for x, generator in zip(self.x, self.generators)
        ]

    def _drawn_at_once(self):
        """Fill the batch of every step from an epoch's, drawn before: for rows of few numbers."""
        batches, noise = [], []
        for x, order, generator in zip(self.x, self._orders(), self.generators):
            batches.append(x[order])
            size = (len(x), self.models[0].latent_dim)
            eps = torch.randn(size, generator=generator, dtype=x.dtype, device=x.device)
            noise.append(eps.view(*order.shape, -1))
        for batch, eps in zip(torch.stack(batches, 1), torch.stack(noise, 1)):
            self.by_hand.x.copy_(batch)
            self.by_hand.eps.copy_(eps)
            yield

    def _drawn_in_steps(self):
        """Fill and draw the batch of every step when it comes: for images."""
        orders = self._orders()
        for step in range(self.steps):
            for r, generator in enumerate(self.generators):
                self.x[r].draw(orders[r][step], generator, self.by_hand.x[r])
                self.by_hand.eps[r].normal_(generator=generator)
            yield

    @torch.no_grad()
    def _train(self):
        """One step of every model."""
        self.by_hand.step()
        if self.muon:
            self.muon.step()
            return
        adam(
            [self.by_hand.weights],
            [self.by_hand.gradients],
            *([moment] for moment in self.moments),
            [],
            [self.count],
            fused=True,
            capturable=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def write_back(self):
        """Copy the weights into the models."""
        self.by_hand.write_back()

    def state(self):
        """Everything that the next epoch depends on, as a dict of tensors on the CPU."""
        memory = {
            "first_moment": self.moments[0],
            "second_moment": self.moments[1],
            "count": self.count,
        }
        if self.muon:
            memory = {f"muon.{name}": kept for name, kept in optimizer_state(self.muon).items()}
        state = {
            "weights": self.by_hand.weights,
            **memory,
            **{f"generator.{r}": g.get_state() for r, g in enumerate(self.generators)},
        }
        return {name: value.detach().cpu().clone() for name, value in state.items()}

    @torch.no_grad()
    def load(self, state):
        """Go on from what `state` returned."""
        self.by_hand.weights.copy_(state["weights"])
        if self.muon:
            load_optimizer(self.muon, below(state, "muon."))
        else:
            self.moments[0].copy_(state["first_moment"])
            self.moments[1].copy_(state["second_moment"])
            self.count.copy_(state["count"])
        for r, generator in enumerate(self.generators):
            generator.set_state(state[f"generator.{r}"])


class _Pixels:
    """Binary images [N, D], handed out as they are."""

    def __init__(self, x):
        if not ((x == 0) | (x == 1)).all():
            raise ValueError(
                "x has grey levels; gradients by hand are there for binary pixels. Set binarize."
            )
        self.x = x

    def __len__(self):
        return len(self.x)

    def draw(self, rows, generator, out):
        torch.index_select(self.x, 0, rows, out=out)


class _Levels:
    """Grey levels [N, D] from which pixels are drawn: on with a probability of the level.

    One 64-bit number decides on four pixels, a quarter of the time of a draw for each: every
    16 bits of it, r from -32,768 on, lie below round(65,535 level) - 32,768 with a probability of
    the level but for one part in 65,536; never for a level of 0.
    """

    def __init__(self, x):
        self.x = (65_535 * x).round().sub_(32_768).to(torch.int16)

    def __len__(self):
        return len(self.x)

    def draw(self, rows, generator, out):
        level = torch.index_select(self.x, 0, rows)
        words = torch.empty(-(-level.numel() // 4), dtype=torch.int64, device=level.device)
        words.random_(-(2**63), None, generator=generator)
        r = words.view(torch.int16)[: level.numel()].view_as(level)
        out.copy_(torch.lt(r, level, out=level))  # by way of int16, for a bool costs ten times it


def _checked(models, x, batch_size, seeds):
    if len(models) == 0:
        raise ValueError("models is empty; there must be one at least.")
    for what, given in (("x has {} sets of data", x), ("seeds has {} entries", seeds)):
        if len(given) != len(models):
            found = what.format(len(given))
            raise ValueError(f"{found} for {len(models)} models; give one to each.")
    for seed in seeds:
        seeded(seed)
    x = [model.check(data) for model, data in zip(models, x)]
    for model, data in zip(models, x):
        model.prepare(data)
    sizes = {len(data) for data in x}
    if len(sizes) > 1 or len(x[0]) % batch_size:
        raise ValueError(
            f"x has {', '.join(map(str, sorted(sizes)))} rows; models that train together need "
            f"equally many, a multiple of batch_size, which is {batch_size}."
        )
    return x


@contextmanager
def _flushing_denormals():
    """Let numbers below 1e-38 count as zero, for the speed of the processor.

    Adam's moments of a hidden unit that has died fall by a tenth at every step, into numbers
    that the processor handles a hundred times more slowly; they move no weight.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
