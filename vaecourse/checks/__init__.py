"""Self-checks: each takes the reader's function and says that it is right, or names the mistake."""

from vaecourse.checks.answers import Mistake
from vaecourse.checks.autoencoders import mask_corruption, reconstruction_loss
from vaecourse.checks.elbo_gap import gap
from vaecourse.checks.em import em_step
from vaecourse.checks.estimates import kl_estimate, log_evidence, monte_carlo
from vaecourse.checks.evaluation import bias_free, frechet, importance_log_likelihood
from vaecourse.checks.experiments import full_covariance_kl, output_gradients
from vaecourse.checks.failures import evaluate, free_bits, model_selection, training_step
from vaecourse.checks.family import factor_analysis_posterior, mixture_elbo, vrnn_elbo
from vaecourse.checks.gradients import full_covariance_sample, score_function_gradient
from vaecourse.checks.hierarchies import denoised, denoising_bound, gaussian_product
from vaecourse.checks.likelihoods import (
    exponential_kl,
    gaussian_log_likelihood,
    poisson_log_likelihood,
)
from vaecourse.checks.mean_field import normal_gamma_sweep
from vaecourse.checks.posteriors import linear_gaussian_posterior
from vaecourse.checks.posteriors_and_priors import (
    missing_pixels,
    planar_log_det,
    unlabelled_bound,
)
from vaecourse.checks.rates import information_gap, water_filling, word_evidence, word_gradient
from vaecourse.checks.vae import elbo, kl, minibatch_total, reparameterize

__all__ = [
    "Mistake",
    "bias_free",
    "denoised",
    "denoising_bound",
    "elbo",
    "em_step",
    "evaluate",
    "exponential_kl",
    "factor_analysis_posterior",
    "frechet",
    "free_bits",
    "full_covariance_kl",
    "full_covariance_sample",
    "gap",
    "gaussian_log_likelihood",
    "gaussian_product",
    "importance_log_likelihood",
    "information_gap",
    "kl",
    "kl_estimate",
    "linear_gaussian_posterior",
    "log_evidence",
    "mask_corruption",
    "minibatch_total",
    "missing_pixels",
    "mixture_elbo",
    "model_selection",
    "monte_carlo",
    "normal_gamma_sweep",
    "output_gradients",
    "planar_log_det",
    "poisson_log_likelihood",
    "reconstruction_loss",
    "reparameterize",
    "score_function_gradient",
    "training_step",
    "unlabelled_bound",
    "vrnn_elbo",
    "water_filling",
    "word_evidence",
    "word_gradient",
]
