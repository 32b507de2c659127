"""The file from which a killed run goes on, one format for `fit` and for `vaecourse train`.

It holds what the run was asked for, by which code, how far it came, and every tensor that the next
epoch depends on, all under one SHA-256: weights and buffers, what the optimizer remembers, and the
generators of torch that were drawn from. It is taken up again only by the same run, on the same
data and by the same code: so what is resumed gives what the unbroken run gives.
"""

import dis
import functools
import hashlib
import json
import re
import sys
import types
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

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
    if what is None:
        return None
    if isinstance(getattr(what, "params", None), dict):
        return {**what.params, "code": code_of(what)}
    parts = what.state_dict().items()
    shapes = {name: list(getattr(value, "shape", ())) for name, value in parts}
    return {"kind": type(what).__name__, "weights": shapes, "code": code_of(what)}


def code_of(what):
    """Twelve digits that tell a function, or the code of a module, from another.

    Of a function: its bytecode, its defaults, and of what it closes over, and of the global names
    that it reads, numbers, texts, arrays, tensors, lists and dicts of them, and other functions. Of
    a module: what it prints, and the methods of its classes. Of what comes with Python or is
    installed, the name.
    """
    return hashlib.sha256(_told(what, {}).encode()).hexdigest()[:12]


def _told(what, seen):
    """What `code_of` sees of anything, as text; of what was seen before, the kind.

    seen: what was, by its id; to hold it there keeps the id from another.
    """
    if what is None or isinstance(what, bool | int | float | complex | str | bytes):
        return repr(what)
    kind, told = type(what).__qualname__, functools.partial(_told, seen=seen)
    if id(what) in seen or isinstance(what, types.ModuleType):
        return kind
    if not isinstance(what, tuple | types.CodeType):  # Python may make one of two that are equal
        seen[id(what)] = what
    if isinstance(what, torch.Tensor | np.ndarray):
        try:
            return digest({"": torch.as_tensor(what)})
        except (TypeError, ValueError, RuntimeError):  # of objects, or of a kind unknown to numpy
            return kind
    if isinstance(what, dict):
        what = [each for pair in what.items() for each in pair]
    if isinstance(what, list | tuple):
        return f"[{', '.join(map(told, what))}]"
    if isinstance(what, set | frozenset):
        return f"{sorted(map(told, what))}"
    if isinstance(what, types.CodeType):
        return f"{what.co_code.hex()} {told(what.co_consts)} {what.co_names}"
    if isinstance(what, functools.partial):
        return told([what.func, what.args, what.keywords])
    if isinstance(what, types.MethodType):
        return told([what.__func__, what.__self__])
    if isinstance(what, staticmethod | classmethod):
        return told(what.__func__)
    if isinstance(what, property):
        return told([what.fget])
    if isinstance(what, types.FunctionType) and _is_own(what):
        cells = [cell.cell_contents for cell in what.__closure__ or () if cell != types.CellType()]
        read = {name: what.__globals__.get(name) for name in sorted(_globals_of(what.__code__))}
        return told([what.__code__, what.__defaults__, what.__kwdefaults__, cells, read])
    if isinstance(what, type) and _is_own(what):
        members = [each for each in vars(what).items() if each[0][:2] != "__" or callable(each[1])]
        return told([what.__qualname__, members, what.__bases__])
    if isinstance(what, nn.Module):
        printed = re.sub(" at 0x[0-9a-f]+", "", repr(what))
        parts = [part for module in what.modules() for part in (type(module), _functions(module))]
        return told([printed, parts])
    if callable(what) and not isinstance(
        what, type | types.FunctionType | types.BuiltinFunctionType
    ):
        name = getattr(what, "__name__", None)
        return told([type(what), name, getattr(what, "__dict__", None)])
    return f"{getattr(what, '__module__', '')}.{getattr(what, '__qualname__', kind)}"


def _is_own(what):
    """Whether a function or class is the reader's: code of Python, packages and the course is
    known by its name."""
    module = str(what.__module__)
    if module.partition(".")[0] in (*sys.stdlib_module_names, "vaecourse", "torch"):
        return False
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return module == "__main__" or "site-packages" not in file  # that of a script or a notebook


def _globals_of(code):
    """The global names that code reads, that of functions within it too."""
    found = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    inner = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return found.union(*map(_globals_of, inner))


def _functions(module):
    """The functions that stand in attributes of a module, as those that `wrap` takes do."""
    kinds = types.FunctionType | types.MethodType | types.BuiltinFunctionType | functools.partial
    return [value for value in vars(module).values() if isinstance(value, kinds)]


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
    for key in {**current, **saved}:
        there, here = saved.get(key), current.get(key)
        if isinstance(there, dict) and isinstance(here, dict) and there != here:
            return _difference(there, here, f"{inside}{key}.")
        if there != here:
            return f"{inside}{key}: {_short(there)} there, {_short(here)} here"
    return None


def _short(value):
    text = plain(json.dumps(value))
    return text if len(text) <= 60 else text[:57] + "..."
