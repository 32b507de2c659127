"""Controls: what is left of an effect when the one cause that a chapter names is taken away.

    vaecourse reproduce controls

trains them and writes `data/results/controls.json`. Shown in chapters 10 and 11.
"""

import json
import time

from sklearn.neighbors import KNeighborsClassifier

from vaecourse import checkpoint, data, models
from vaecourse._files import check_writable, write_text
from vaecourse.evaluation import evaluate
from vaecourse.experiments import params, runs
from vaecourse.experiments.datasets import train_data
from vaecourse.training import fit
from vaecourse.training.side_by_side import Ensemble

NAME = "controls"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"


def run(path=PATH, command=f"vaecourse reproduce {NAME}"):
    """Train every control and write the record to `path`; returns it."""
    check_writable(path)
    start = time.perf_counter()
    metrics = {
        "model_3": [model_3(seed) for seed in range(3)],
        "warm_up": warm_up(),
    }
    record = checkpoint.provenance(command, time.perf_counter() - start, metrics)
    write_text(path, json.dumps(record, indent=1) + "\n")
    return record


# --- chapter 10: is it the start, or the freedom? ------------------------------------------------


def model_3(seed, epochs=5, half=2_500):
    """Mended weights trained on, with the floor and without it; from the same start, both."""
    mended, _ = checkpoint.pretrained("mnist_model_3_mended", seed)
    train, test = data.mnist("train").x, data.mnist("test")
    found = {"seed": seed, "epochs": epochs, "mended": _of_model_3(mended, test, half)}
    settings = {"epochs": epochs, "seed": seed, "progress": False}
    for name, floor in (("with_floor", mended.params["variance_floor"]), ("without_floor", None)):
        model = models.build({**mended.params, "variance_floor": floor})
        model.load_state_dict(mended.state_dict())
        fit(model, train, **settings)
        found[name] = _of_model_3(model.requires_grad_(False), test, half)
    return found


def _of_model_3(model, test, half):
    x, label = test.x[: 2 * half], test.label[: 2 * half]
    z = model.encode(x).mean
    voters = KNeighborsClassifier(20).fit(z[:half], label[:half])
    return {
        "elbo": evaluate(model, test.x, importance_rows=1)["elbo"],
        "neighbours": voters.score(z[half:], label[half:]),
        "squared_error": (model.decode(z).mean - x).square().sum(1).mean().item(),
    }


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
