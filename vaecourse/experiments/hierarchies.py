"""Hierarchies with a warm-up: is a layer given up because the KL counts from the first step?

    vaecourse reproduce hierarchies

trains `mnist_ladder` and `mnist_two_layers` again, and `mnist_one_layer` as a control, with the
same networks, images and noise, and a KL that counts from 0 to 1 in the first half of training.
Writes `data/results/hierarchies.json`. Shown in chapter 17.
"""

import json
import math
import time

from torch import nn

from vaecourse import checkpoint, data, models
from vaecourse._files import check_writable, write_text
from vaecourse.evaluation import evaluate
from vaecourse.experiments import params
from vaecourse.training import fit

NAME = "hierarchies"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"
RUNS = ("mnist_one_layer", "mnist_two_layers", "mnist_ladder")


def run(path=PATH, command=f"vaecourse reproduce {NAME}"):
    """Train every seed and write the record to `path`; returns it."""
    check_writable(path)
    start = time.perf_counter()
    metrics = {name: [warmed_up(name, seed) for seed in params(name).seeds] for name in RUNS}
    record = checkpoint.provenance(command, time.perf_counter() - start, metrics)
    write_text(path, json.dumps(record, indent=1) + "\n")
    return record


class WarmUp(nn.Module):
    """A model whose KL counts w in training, from 0 to 1 over the first half of `steps`."""

    def __init__(self, model, steps):
        super().__init__()
        self.model, self.steps, self.done = model, steps, 0
        self.params = model.params

    def weight(self):
        """w of the next step."""
        return min(1, 2 * self.done / self.steps)

    def loss(self, x, generator=None):
        """w · (all KLs) − reconstruction, averaged over the rows of x, one draw each."""
        reconstruction, *prices = self.model.elbo_terms(x, 1, generator)
        weight, self.done = self.weight(), self.done + 1
        return (weight * sum(prices) - reconstruction).mean()

    def check(self, x):
        """As the model's."""
        return self.model.check(x)


def warmed_up(name, seed):
    """The metrics on the test images of the run `name` with a warm-up."""
    described = params(name)
    train, test = data.mnist("train").x, data.mnist("test", binarize="sample").x
    keys = {"epochs", "batch_size", "learning_rate", "optimizer", "schedule"}
    settings = described.training.model_dump(include=keys)
    steps = settings["epochs"] * math.ceil(len(train) / settings["batch_size"])
    model = models.build({**described.model.model_dump(), "seed": seed})
    warm = WarmUp(model, steps)
    fit(warm, train, seed=seed, transform=data.binarize, progress=False, **settings)
    return {"seed": seed, **evaluate(model.requires_grad_(False), test)}


def upper_kl(model, x, num_samples=10, generator=None):
    """What each upper latent carries, E KL(q(u_k|…) ‖ N(0, 1)) over the rows of x [B, D]: [K]."""
    x_says = model.encode(model.check(x))
    z = x_says.loc if model.order == "ladder" else x_says.rsample((num_samples,), generator)
    q = model.encode_upper(z)
    kl = 0.5 * (q.loc.square() + q.log_var.exp() - 1 - q.log_var)
    return kl.flatten(0, -2).mean(0)
