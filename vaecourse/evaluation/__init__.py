"""How good a model is: likelihoods, divergences and what the latents carry."""

from vaecourse.evaluation import clustering, density, divergence
from vaecourse.evaluation.latent import active_units, kl_per_dimension
from vaecourse.evaluation.test_set import evaluate

__all__ = ["active_units", "clustering", "density", "divergence", "evaluate", "kl_per_dimension"]
