"""How good a model is: likelihoods, divergences and what the latents carry."""

from vaecourse.evaluation import clustering, density, disentanglement, divergence, rate_distortion
from vaecourse.evaluation.features import inception_features, mnist_features
from vaecourse.evaluation.frechet import (
    extrapolated_frechet_distance,
    feature_statistics,
    frechet_distance,
    optimal_map,
)
from vaecourse.evaluation.grid import LatentGrid
from vaecourse.evaluation.latent import active_units, kl_per_dimension
from vaecourse.evaluation.likelihood import (
    aggregate_kl,
    bits_per_dimension,
    importance_estimate,
    importance_log_likelihood,
)
from vaecourse.evaluation.summary import evaluate

__all__ = [
    "LatentGrid",
    "active_units",
    "aggregate_kl",
    "bits_per_dimension",
    "clustering",
    "density",
    "disentanglement",
    "divergence",
    "evaluate",
    "extrapolated_frechet_distance",
    "feature_statistics",
    "frechet_distance",
    "importance_estimate",
    "importance_log_likelihood",
    "inception_features",
    "kl_per_dimension",
    "mnist_features",
    "optimal_map",
    "rate_distortion",
]
