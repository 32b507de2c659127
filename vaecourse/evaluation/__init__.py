"""How good a model is: likelihoods, divergences and what the latents carry."""

from vaecourse.evaluation import clustering, density, divergence
from vaecourse.evaluation.features import inception_features, mnist_features
from vaecourse.evaluation.frechet import (
    extrapolated_frechet_distance,
    feature_statistics,
    frechet_distance,
    optimal_map,
)
from vaecourse.evaluation.latent import active_units, kl_per_dimension
from vaecourse.evaluation.test_set import evaluate

__all__ = [
    "active_units",
    "clustering",
    "density",
    "divergence",
    "evaluate",
    "extrapolated_frechet_distance",
    "feature_statistics",
    "frechet_distance",
    "inception_features",
    "kl_per_dimension",
    "mnist_features",
    "optimal_map",
]
