"""The experiments whose results the course ships, and the way to make them again.

Each is a parameter file in this folder. `vaecourse reproduce NAME` runs it and writes weights
and provenance to `data/pretrained/`; `vaecourse train FILE` does the same for any file.
"""

import time
from pathlib import Path

from vaecourse import checkpoint, config, data, models
from vaecourse.evaluation import evaluate
from vaecourse.training import fit

FOLDER = Path(__file__).parent
PROGRAMS = ("bernoulli_mixture_static_mnist",)  # experiments that are no training of a network


def names():
    """The experiments there are."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def params(name):
    """The validated parameters of a named experiment; ValueError lists the names there are."""
    if name not in names():
        known = ", ".join([*names(), *PROGRAMS])
        raise ValueError(f"{name!r} is not an experiment; there are: {known}.")
    return config.read(FOLDER / f"{name}.json")


def run(params, path, seed, command, resume=False):
    """Train one seed and save it under `path` (no suffix): weights, provenance, history.

    The state of the run stands in `path`.training.safetensors until it is complete.
    Returns the record that is saved beside the weights.
    """
    start = time.perf_counter()
    path = Path(path)
    state = path.with_name(path.name + ".training.safetensors")
    model = models.build({**params.model.model_dump(), "seed": seed})
    sampled = params.data.binarize == "sample"
    x = data.mnist("train", binarize=None if sampled else params.data.binarize).x
    history = fit(
        model,
        x,
        **params.training.model_dump(exclude={"gradients"}),
        seed=seed,
        transform=data.binarize if sampled else None,
        checkpoint=state,
        resume=resume,
    )
    test = data.mnist("test", binarize=params.data.binarize).x
    record = {
        "data": params.data.model_dump(),
        "training": {**params.training.model_dump(), "optimizer": "Adam", "seed": seed},
        "epoch_loss": history.epoch_loss,
        "seconds_per_epoch": sum(history.seconds) / len(history.seconds),
        **checkpoint.provenance(command, time.perf_counter() - start, evaluate(model, test)),
    }
    checkpoint.save(path, model, record)
    state.unlink()
    return record
