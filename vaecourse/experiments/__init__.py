"""The experiments whose results the course ships, and the way to make them again.

Each is a parameter file in this folder. `vaecourse reproduce NAME` runs it and writes weights
and provenance to `data/pretrained/`; `vaecourse train FILE` does the same for any file.
"""

from pathlib import Path

import torch

from vaecourse import checkpoint
from vaecourse._files import below, read_tensors
from vaecourse.experiments import parameters

FOLDER = Path(__file__).parent
# Experiments that are no training of a network; they may use the weights of those that are.
PROGRAMS = (
    "bernoulli_mixture_static_mnist",
    "better_posteriors",
    "cifar10_scores",
    "controls",
    "frey_latent_codes",
    "hierarchies",
    "likelihood_table",
    "rate_distortion",
)


def names():
    """The experiments there are."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def params(name):
    """The validated parameters of a named experiment; ValueError lists the names there are."""
    if name not in names():
        known = ", ".join([*names(), *PROGRAMS])
        raise ValueError(f"{name!r} is not an experiment; there are: {known}.")
    return parameters.read(FOLDER / f"{name}.json")


def snapshots(name):
    """What a shipped run looked like on its way: its first seed, at the epochs that were kept.

    Returns a dict: `epochs`, a list of E numbers from 0, before training, on; `codes`
    [E, 500, 2], one draw of q(z|x) for each of the first 500 test points; `samples`
    [E, 500, 2], drawn from the model; both float16. Index n has the same noise at every epoch.

    Raises ValueError that lists the runs with snapshots when `name` is none of them.
    """
    kept = checkpoint.shipped(".snapshots.safetensors")
    if name not in kept:
        there = ", ".join(sorted(kept)) or "none"
        raise ValueError(f"{name!r} has no snapshots; there are those of: {there}.")
    tensors, _ = read_tensors(kept[name])
    epochs = sorted(int(key) for key in below(tensors, "codes."))
    stacked = {
        kind: torch.stack([tensors[f"{kind}.{epoch:03d}"] for epoch in epochs])
        for kind in ("codes", "samples")
    }
    return {"epochs": epochs, **stacked}
