"""Controls: what is left of an effect when the one cause that a chapter names is taken away.

    vaecourse reproduce controls

trains them and writes `data/results/controls.json`. Shown in chapter 11 (`warm_up`).
"""

import json
import time

from vaecourse import checkpoint, models
from vaecourse._files import check_writable, write_text
from vaecourse.experiments import params, runs
from vaecourse.experiments.datasets import train_data
from vaecourse.training.side_by_side import Ensemble

NAME = "controls"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"


def run(path=PATH, command=f"vaecourse reproduce {NAME}"):
    """Train every control and write the record to `path`; returns it."""
    check_writable(path)
    start = time.perf_counter()
    metrics = {
        "warm_up": warm_up(),
    }
    record = checkpoint.provenance(command, time.perf_counter() - start, metrics)
    write_text(path, json.dumps(record, indent=1) + "\n")
    return record


# --- chapter 11: a schedule for the KL -----------------------------------------------------------


def kl_weight(epoch, epochs):
    """The weight of the KL in `epoch`, counted from zero: up to 1 in the first half."""
    return min(1, 2 * (epoch + 1) / epochs)


def warm_up(epochs=None):
    """`gaussian_mixture_restarts` again, with the same batches and noise, and a warm-up."""
    described = params("gaussian_mixture_restarts")
    settings, seeds = described.training, described.seeds
    shape = described.model.model_dump()
    run = Ensemble(
        [models.build({**shape, "seed": seed}) for seed in seeds],
        [train_data(described.data, seed)[0] for seed in seeds],
        settings.batch_size,
        settings.learning_rate,
        seeds,
    )
    epochs = epochs or settings.epochs
    for epoch in range(epochs):
        run.by_hand.kl_weight.fill_(kl_weight(epoch, epochs))
        run.epoch()
    run.write_back()
    return [
        {"seed": seed, **runs.metrics(model, described.data)}
        for seed, model in zip(seeds, run.models, strict=True)
    ]
