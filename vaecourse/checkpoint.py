"""Trained models on disk: weights as safetensors, and beside them how they came to be."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file

import vaecourse
from vaecourse._files import (
    check_writable,
    file_path,
    listed,
    parse_json,
    plain,
    read_json,
    replacing,
    tensor_bytes,
)
from vaecourse.data.files import folders
from vaecourse.models import KINDS, build

PACKAGE = Path(vaecourse.__file__).parent
PRETRAINED = PACKAGE.parent / "data" / "pretrained"
TRAINING_CODE = (
    "_arguments.py",
    "convolutions.py",
    "data/images.py",
    "data/synthetic_sets.py",
    "data/tables.py",
    "discretized_logistic.py",
    "distributions.py",
    "evaluation/clustering.py",
    "evaluation/summary.py",
    "experiments/datasets.py",
    "experiments/gmvae_start.py",
    "experiments/rounding.py",
    "experiments/runs.py",
    "inference/em.py",
    "likelihoods.py",
    "models/*.py",
    "networks.py",
    "objectives.py",
    "positive_latents.py",
    "training/bernoulli_gradients.py",
    "training/hand_gradients.py",
    "training/hand_networks.py",
    "training/loop.py",
    "training/optimizers.py",
    "training/side_by_side.py",
)


def save(path, model, provenance=None):
    """Write `path`.safetensors and `path`.json, both or neither.

    model: one of the course, as its `params` describe it; its training flag, its device and
    `requires_grad` are not kept. Weights of float32 that are all numbers of float16, too, are
    written as such, and come back bit for bit. The JSON holds these parameters, the SHA-256 of the
    weights, and `provenance`, a dict: command, settings, seed, wall time, metrics; tensors and
    arrays become lists. It may be a record that `load` gave, whose parameters and SHA-256 are
    replaced. Raises ValueError for a model or a provenance that would not come back as it is, and
    when the files cannot be written.
    """
    _check_as_described(model)
    _check_weights(model)
    weights, described = _files_of(path)
    tensors = tensor_bytes(_short(model.state_dict()))
    own = {"params": model.params, "weights_sha256": _sha256(tensors)}
    provenance = _checked(provenance, own)
    try:
        text = json.dumps({**own, **provenance, **own}, indent=1, default=listed) + "\n"
        parse_json(text)  # what `load` does
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"provenance cannot be written as JSON: {plain(error)}.") from None
    check_writable(weights)
    with replacing(weights) as first, replacing(described) as second:
        first.write_bytes(tensors)
        second.write_text(text, encoding="utf-8")


def _checked(provenance, own):
    """`provenance` as a dict; ValueError for what is none, or would hide a part of `own`."""
    provenance = {} if provenance is None else provenance
    if not isinstance(provenance, Mapping):
        raise ValueError(f"provenance is a {type(provenance).__name__}; it must be a dict.")
    taken = [key for key in own if key in provenance]
    if len(taken) == 1:  # both are those of a record
        raise ValueError(
            f"provenance has the key {taken[0]!r}, under which the file keeps what is the model's; "
            "give it another name."
        )
    return provenance


def weights_sha256(weights):
    """The SHA-256 of the file that `save` writes of these weights, a state dict."""
    return _sha256(tensor_bytes(_short(weights)))


def _short(weights):
    """The weights as float16 where they are float32 and this changes none, else as they are."""
    halves = {name: weight.half() for name, weight in weights.items()}
    same = all(
        weight.dtype == torch.float32 and torch.equal(halves[name].float(), weight)
        for name, weight in weights.items()
    )
    return halves if same else weights


def _files_of(path):
    """The files of the weights and of the record under `path`; a suffix of theirs may be there."""
    path = file_path(path)
    name = path.name.removesuffix(".safetensors").removesuffix(".json")
    return path.with_name(name + ".safetensors"), path.with_name(name + ".json")


def _folder(path):
    return f"the folder {plain(path.absolute().parent)}"


def _check_as_described(model):
    """Raise ValueError unless `build(model.params)` has the class and the modules of `model`."""
    kind = getattr(model, "params", {}).get("kind")
    if kind not in KINDS:
        raise ValueError("Only models of the course are saved here; torch.save keeps a module.")
    with torch.device("meta"):
        modules = {name: repr(module) for name, module in build(model.params).named_modules()}
    found = {name: repr(module) for name, module in model.named_modules()}
    names = sorted(modules.keys() | found.keys(), key=lambda name: -name.count("."))
    other = next((name for name in names if name and modules.get(name) != found.get(name)), None)
    if type(model) is not KINDS[kind] or other is not None:
        what = f"{other} is another" if other else f"its class is {type(model).__name__}"
        raise ValueError(
            f"model is not the {KINDS[kind].__name__} that its params describe, {what}, and would "
            "not come back as it is; keep its weights by torch.save(model.state_dict(), path)."
        )


def _check_weights(model):
    """Raise ValueError for weights that would come back as others: of another kind, or a weight of
    two names as two."""
    kinds = {str(t.dtype) for t in model.state_dict().values() if t.is_floating_point()}
    if kinds not in ({"torch.float32"}, {"torch.float64"}):
        raise ValueError(
            f"model has weights of {' and '.join(sorted(kinds))}, which would come back as "
            "torch.float32; call model.float() or model.double() first, or keep them by "
            "torch.save(model.state_dict(), path)."
        )
    names = {}
    for name, weight in model.named_parameters(remove_duplicate=False):
        first = names.setdefault(weight.data_ptr(), name)
        if first != name and weight.numel():
            raise ValueError(
                f"{first} and {name} of model are one weight and would come back as two; keep them "
                "by torch.save(model.state_dict(), path)."
            )


def load(path):
    """The model saved under `path`, with or without a suffix, and its record.

    It comes on the CPU, frozen and in evaluation: call `requires_grad_()` and `train()` to train it
    further. Weights that the file holds as float16 come as float32. Raises ValueError when a file
    is missing or damaged or the weights belong to another model.
    """
    found = record(path)
    weights, described = _files_of(path)
    if not os.path.isfile(weights):
        raise ValueError(f"{plain(weights.name)} is missing from {_folder(weights)}.")
    if _sha256(weights.read_bytes()) != found["weights_sha256"]:
        name = plain(described.name)
        raise ValueError(f"{plain(weights.name)} is not the file that {name} describes.")
    try:
        tensors = load_file(weights)
        with torch.device("meta"):  # in full size, but on no memory
            wanted = build(found["params"]).state_dict()
        if {n: t.shape for n, t in wanted.items()} != {n: t.shape for n, t in tensors.items()}:
            raise ValueError("other shapes")
        model = build(found["params"])
        if all(t.dtype == torch.float64 for t in tensors.values() if t.is_floating_point()):
            model.double()
        model.load_state_dict(tensors)
    except Exception:  # whatever a strange record makes of the model
        params = plain(found["params"])
        raise ValueError(
            f"{plain(weights.name)} holds the weights of another model than {params}."
        ) from None
    return model.requires_grad_(False).eval(), found


def pretrained(name, seed=0):
    """A model the course ships, `data/pretrained/NAME_seedN`, and its record.

    Away from the repository it is looked for in the folder `pretrained` of those that are searched
    for data. Raises ValueError that lists the shipped names when there is none of that name, or
    says where they are to be had when there are none at all.
    """
    found = shipped(".json")
    if f"{name}_seed{seed}" in found:
        return load(found[f"{name}_seed{seed}"])
    if not found:
        looked = ", ".join(dict.fromkeys(map(str, _places())))
        raise ValueError(
            f"{plain(name)}_seed{seed} was not found in any of {looked}: the shipped models are in "
            "the repository's folder data, not in the package; copy it, and name it in "
            "VAECOURSE_DATA."
        )
    there = ", ".join(sorted(found))
    raise ValueError(f"{plain(name)}_seed{seed} is not a shipped model; there are: {there}.")


def shipped(suffix):
    """The files of that suffix among what the course ships: a path under each name."""
    files = (file for place in reversed(_places()) for file in place.glob(f"*{suffix}"))
    return {file.name.removesuffix(suffix): file for file in files}


def _places():
    return [PRETRAINED, *(folder / "pretrained" for folder in folders())]


def provenance(command, seconds, metrics):
    """How a result came to be: command, package, libraries, machine, wall time, metrics."""
    return {
        "command": command,
        "metrics": metrics,
        "wall_seconds": round(seconds, 1),
        "vaecourse": vaecourse.__version__,
        "source_sha256": source_hash(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
    }


@cache
def source_hash():
    """SHA-256 over the files that decide what training gives, to name the code behind a result."""
    digest = hashlib.sha256()
    for file in sorted(path for pattern in TRAINING_CODE for path in PACKAGE.glob(pattern)):
        digest.update(file.relative_to(PACKAGE).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def record(path):
    """The record beside the weights of `path`; ValueError where there is none."""
    _, path = _files_of(path)
    if not os.path.isfile(path):
        raise ValueError(f"{plain(path.name)} is missing from {_folder(path)}.")
    found = read_json(path)
    if not isinstance(found, dict) or not {"params", "weights_sha256"} <= found.keys():
        raise ValueError(f"{plain(path.name)} is not the record of a trained model.")
    params = found["params"]
    if isinstance(params, dict) and params.get("likelihood") == "poisson":
        params.setdefault("encoder_input", "raw")  # what records without the key mean
    return found


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
