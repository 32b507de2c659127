"""The file from which a killed run goes on, one format for `fit` and for `vaecourse train`.

It holds what the run was asked for, by which code, how far it came, and every tensor that the next
epoch depends on, all under one SHA-256: weights and buffers, what the optimizer remembers, and the
generators of torch that were drawn from. It is taken up again only by the same run, on the same
data and by the same code: so what is resumed gives what the unbroken run gives.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from vaecourse._files import digest, plain, read_tensors, write_tensors
from vaecourse.checkpoint import source_hash


@dataclass
class History:
    """What a run went through; losses are in the units of `model.loss` (nats for a VAE).

    epoch_loss: mean training loss of each epoch, weighted by batch size.
    batch_loss: the loss of every step.
    validation_loss: the loss on the validation data after each epoch, if there were any.
    seconds: wall time of each epoch; the one thing here that differs from run to run.
    """

    epoch_loss: list[float] = field(default_factory=list)
    batch_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def named(what):
    """What tells one model, or one set of data, from another where a run is taken up again."""
    if isinstance(what, torch.Tensor):
        return f"{list(what.shape)} {digest({'x': what})[:16]}"
    if what is None or hasattr(what, "params"):
        return None if what is None else what.params
    parts = what.state_dict().items()
    shapes = {name: list(getattr(value, "shape", ())) for name, value in parts}
    return {"kind": type(what).__name__, "weights": shapes}


def fingerprint(settings):
    """SHA-256 of `settings`, what JSON can hold, and of the code that is to carry them out."""
    return digest({}, _complete(settings))


def write_state(path, settings, tensors, history):
    """Write a state to `path`, whole or not at all. settings: a dict of what JSON can hold."""
    record = {"settings": _complete(settings), "history": asdict(history)}
    write_tensors(path, tensors, {**record, "sha256": digest(tensors, record)})


def read_state(path, settings, epochs):
    """The tensors and the `History` that `write_state` wrote to `path`.

    Raises ValueError, and changes nothing, when the file is damaged, when it was made with other
    settings or by other code, or when it is beyond `epochs` already.
    """
    name = plain(Path(path).name)
    tensors, record = read_tensors(path)
    seal = record.pop("sha256", None)
    if seal is None or seal != digest(tensors, record):
        raise ValueError(f"{name} is no state of a run, or it is damaged; remove it to start over.")
    different = _difference(record["settings"], _complete(settings))
    if different:
        raise ValueError(
            f"{name} was made with another {different}; give the same, or remove it to start over."
        )
    history = History(**record["history"])
    done = len(history.epoch_loss)
    if done > epochs:
        raise ValueError(
            f"{name} has come to the end of epoch {done}, but epochs is {epochs}; "
            "give at least as many, or remove it to start over."
        )
    return tensors, history


def _complete(settings):
    settings = json.loads(json.dumps(settings))  # as they come back from a file
    return {**settings, "code of vaecourse": source_hash()[:12], "torch": torch.__version__}


def _difference(saved, current, inside=""):
    """ "KEY: SAVED there, CURRENT here" for the first setting that differs, or None."""
    for key in current:
        there, here = saved.get(key), current[key]
        if isinstance(there, dict) and isinstance(here, dict) and there != here:
            return _difference(there, here, f"{inside}{key}.")
        if there != here:
            return f"{inside}{key}: {_short(there)} there, {_short(here)} here"
    return None


def _short(value):
    text = plain(json.dumps(value))
    return text if len(text) <= 60 else text[:57] + "..."
