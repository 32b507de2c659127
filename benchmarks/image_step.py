"""One training step of the literature's model, 784-200-200-50, tanh, beside a plain loop.

    python benchmarks/image_step.py

Prints milliseconds of processor time a step, the median of seven epochs of ten steps, on one
thread, all in this one process, for the ELBO and for the importance-weighted bound of five draws: a
loop as a tutorial writes it, in memory and with fused Adam; `vc.training.fit`; and gradients by
hand, whose products are of float32 or of bfloat16 numbers, with Adam and with Muon, for one model
and for three side by side.
"""

import math
import statistics
import time
from functools import partial

import torch
from torch import nn

import vaecourse as vc
from vaecourse.training.side_by_side import Ensemble

BATCH, STEPS, EPOCHS = 100, 10, 7


class PlainVAE(nn.Module):
    """The model as a tutorial writes it."""

    def __init__(self, draws):
        super().__init__()
        self.draws = draws
        self.encoder = nn.Sequential(
            nn.Linear(784, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 100)
        )
        self.decoder = nn.Sequential(
            nn.Linear(50, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 784)
        )

    def loss(self, x):
        loc, log_var = self.encoder(x).chunk(2, -1)
        eps = torch.randn(self.draws, *loc.shape)
        z = loc + (log_var / 2).exp() * eps
        target = x.expand(self.draws, -1, -1)
        cross_entropy = nn.functional.binary_cross_entropy_with_logits(
            self.decoder(z), target, reduction="none"
        ).sum(-1)
        if self.draws == 1:
            return (cross_entropy + 0.5 * (loc**2 + log_var.exp() - 1 - log_var).sum(-1)).mean()
        log_w = 0.5 * (eps**2 - z**2 + log_var).sum(-1) - cross_entropy
        return (math.log(self.draws) - log_w.logsumexp(0)).mean()


def plain(x, draws):
    """One epoch of the tutorial's loop."""
    model = PlainVAE(draws)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def epoch():
        for rows in torch.randperm(len(x)).split(BATCH):
            adam.zero_grad()
            loss = model.loss(torch.bernoulli(x[rows]))
            loss.backward()
            adam.step()
            loss.item()

    return epoch


def course(x, draws):
    """One epoch of `vc.training.fit`."""
    model = model_of(draws, 0)
    settings = {"batch_size": BATCH, "transform": vc.data.binarize, "progress": False}
    return lambda: vc.training.fit(model, x, epochs=1, **settings)


def by_hand(x, draws, count=1, products=torch.float32, optimizer="adam"):
    """One epoch of gradients by hand, of `count` models."""
    models = [model_of(draws, seed) for seed in range(count)]
    settings = {"binarize": True, "products": products, "optimizer": optimizer}
    return Ensemble(models, [x] * count, BATCH, 1e-3, range(count), **settings).epoch


def model_of(draws, seed):
    shape = {"activation": "tanh", "importance_samples": draws}
    return vc.models.VAE(784, 50, (200, 200), seed=seed, **shape)


SHORT = {"products": torch.bfloat16}
ROWS = {
    "in memory, fused Adam": (plain, 1),
    "vc.training.fit": (course, 1),
    "by hand, float32": (by_hand, 1),
    "by hand, bfloat16": (partial(by_hand, **SHORT), 1),
    "by hand, bfloat16, three models": (partial(by_hand, count=3, **SHORT), 3),
    "by hand, bfloat16, Muon": (partial(by_hand, optimizer="muon", **SHORT), 1),
}


def milliseconds(epoch, models):
    """The median time of a step and model over `EPOCHS`, after one to warm up, in ms."""
    times = []
    for _ in range(EPOCHS + 1):
        start = time.process_time()
        epoch()
        times.append((time.process_time() - start) * 1e3 / STEPS / models)
    return statistics.median(times[1:])


def main():
    torch.set_num_threads(1)
    x = vc.data.mnist("train").x[: BATCH * STEPS]
    print(f"{'step and model, batch 100, one thread':38s} ELBO  five draws   (ms)")
    for name, (make, models) in ROWS.items():
        row = [milliseconds(make(x, draws), models) for draws in (1, 5)]
        print(f"{name:38s} {row[0]:4.2f}  {row[1]:10.2f}", flush=True)


if __name__ == "__main__":
    main()
