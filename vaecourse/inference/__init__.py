"""Inference where the answer can be checked: mixtures, mean field, posteriors, gradients.

The names below are loaded when they are first used.
"""

from importlib import import_module

_MODULE = {
    "BernoulliMixture": "em",
    "GaussianMixture": "em",
    "NoisedMixture": "noised_mixture",
    "NormalGammaMeanField": "mean_field",
}
_SUBMODULES = (
    "elbo_identities",
    "em",
    "gradients",
    "label_gradients",
    "mean_field",
    "noised_mixture",
    "posteriors",
)

__all__ = sorted([*_MODULE, *_SUBMODULES])


def __getattr__(name):
    if name in _MODULE:
        return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'vaecourse.inference' has no attribute {name!r}")


def __dir__():
    return __all__
