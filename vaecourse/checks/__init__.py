"""Self-checks: each takes the reader's function and says that it is right, or names the mistake."""

from vaecourse.checks.autoencoders import mask_corruption, reconstruction_loss
from vaecourse.checks.elbo_gap import gap
from vaecourse.checks.gradients import full_covariance_sample, score_function_gradient
from vaecourse.checks.mean_field import normal_gamma_sweep
from vaecourse.checks.mistakes import Mistake
from vaecourse.checks.posteriors import linear_gaussian_posterior
from vaecourse.checks.vae import elbo, kl, minibatch_total, reparameterize

__all__ = [
    "Mistake",
    "elbo",
    "full_covariance_sample",
    "gap",
    "kl",
    "linear_gaussian_posterior",
    "mask_corruption",
    "minibatch_total",
    "normal_gamma_sweep",
    "reconstruction_loss",
    "reparameterize",
    "score_function_gradient",
]
