"""vaecourse: the package under the course on variational autoencoders.

Importing it does nothing but define names: each submodule is loaded when it is first used,
so `import vaecourse as vc` is quick and touches neither the network nor any random state.
"""

from importlib import import_module

from vaecourse.notebook import budget, says

__version__ = "0.1.0"

_SUBMODULES = frozenset(
    {
        "checkpoint",
        "checks",
        "data",
        "distributions",
        "evaluation",
        "experiments",
        "figures",
        "flows",
        "inference",
        "likelihoods",
        "models",
        "networks",
        "objectives",
        "training",
        "widgets",
    }
)

__all__ = ["__version__", "budget", "says", *sorted(_SUBMODULES)]


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'vaecourse' has no attribute {name!r}")


def __dir__():
    return __all__
