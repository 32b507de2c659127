"""Inference where the answer can be checked: mixtures, mean field, posteriors, gradients.

The names below are loaded when they are first used.
"""

from vaecourse._lazy import lazy

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
__getattr__, __dir__ = lazy(__name__, _MODULE, _SUBMODULES)
