"""vaecourse: the package under the course on variational autoencoders.

Importing it does nothing but define names: each submodule is loaded when it is first used,
so `import vaecourse as vc` is quick and touches neither the network nor any random state.
"""

from vaecourse._lazy import lazy

__version__ = "0.1.0"

_SUBMODULES = (
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
)

__getattr__, __dir__ = lazy(__name__, {"budget": "notebook", "says": "notebook"}, _SUBMODULES)
__all__ = __dir__()
