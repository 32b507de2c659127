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

from vaecourse._arguments import check_settings
from vaecourse.training.hand_gradients import HandGradients
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
    run = Ensemble(models, x, batch_size, learning_rate, seeds or range(len(models)))
    check_settings(epochs, batch_size, learning_rate)
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
    """R models in training: their weights, Adam's moments, and their generators."""

    def __init__(self, models, x, batch_size, learning_rate, seeds):
        x = _checked(models, x, batch_size)
        self.models, self.x, self.learning_rate = models, x, learning_rate
        self.steps, self.batch_size = len(x[0]) // batch_size, batch_size
        self.by_hand = HandGradients(models, batch_size)
        weights = self.by_hand.weights
        self.moments = [torch.zeros_like(weights), torch.zeros_like(weights)]
        self.count = torch.zeros((), device=weights.device)
        self.generators = [
            torch.Generator(device=weights.device).manual_seed(seed) for seed in seeds
        ]

    def epoch(self, bar=None):
        """One pass of every model over its data in a fresh order; losses [steps, R]."""
        x, eps = self._draw()
        losses = x.new_empty(self.steps, len(self.models))
        with _flushing_denormals():
            for batch, noise, loss in zip(x, eps, losses):
                self.by_hand.x.copy_(batch)
                self.by_hand.eps.copy_(noise)
                self._train()
                loss.copy_(self.by_hand.losses)
                if bar is not None:
                    bar.update()
        if not losses.isfinite().all():
            raise FloatingPointError(
                "A loss is no longer finite; a smaller learning_rate is the usual cure."
            )
        return losses

    def _draw(self):
        """Batches [steps, R, B, D] in a fresh order, and their noise [steps, R, B, J]."""
        shape, latent_dim = (self.steps, self.batch_size, -1), self.models[0].latent_dim
        batches, noise = [], []
        for x, generator in zip(self.x, self.generators):
            order = torch.randperm(len(x), generator=generator, device=x.device)
            batches.append(x[order].view(shape))
            eps = torch.randn(
                len(x), latent_dim, generator=generator, dtype=x.dtype, device=x.device
            )
            noise.append(eps.view(shape))
        return torch.stack(batches, 1), torch.stack(noise, 1)

    @torch.no_grad()
    def _train(self):
        """One step of every model."""
        self.by_hand.step()
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
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def write_back(self):
        """Copy the weights into the models."""
        self.by_hand.write_back()

    def state(self):
        """Everything that the next epoch depends on, as a dict of tensors on the CPU."""
        state = {
            "weights": self.by_hand.weights,
            "first_moment": self.moments[0],
            "second_moment": self.moments[1],
            "count": self.count,
            **{f"generator.{r}": g.get_state() for r, g in enumerate(self.generators)},
        }
        return {name: value.detach().cpu().clone() for name, value in state.items()}

    @torch.no_grad()
    def load(self, state):
        """Go on from what `state` returned."""
        self.by_hand.weights.copy_(state["weights"])
        self.moments[0].copy_(state["first_moment"])
        self.moments[1].copy_(state["second_moment"])
        self.count.copy_(state["count"])
        for r, generator in enumerate(self.generators):
            generator.set_state(state[f"generator.{r}"])


def _checked(models, x, batch_size):
    if len(x) != len(models):
        raise ValueError(f"x has {len(x)} sets of data for {len(models)} models; give one to each.")
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
