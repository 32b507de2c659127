"""The experiments whose results the course ships, and the way to make them again.

Each is a parameter file in this folder. `vaecourse reproduce NAME` runs it and writes weights
and provenance to `data/pretrained/`; `vaecourse train FILE` does the same for any file.
"""

from pathlib import Path

from vaecourse import config

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
