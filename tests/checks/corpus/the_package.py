"""Answers that call the package: what it computes is what the checks call right."""

import torch
from torch.distributions import kl_divergence

from vaecourse import evaluation
from vaecourse.distributions import DiagonalGaussian, FullGaussian, FullPosterior, PoissonCounts
from vaecourse.evaluation.density import naive_log_evidence
from vaecourse.evaluation.divergence import kl_samples, monte_carlo
from vaecourse.inference.elbo_identities import Gaussian, LinearGaussianModel
from vaecourse.inference.em import GaussianMixture
from vaecourse.inference.gradients import full_gaussian_sample
from vaecourse.inference.mean_field import NormalGammaMeanField
from vaecourse.inference.posteriors import linear_posterior
from vaecourse.models import FactorAnalysis
from vaecourse.models.autoencoder import corrupt
from vaecourse.positive_latents import ExponentialLatents


def gap(loc, scale, weight, noise, x):
    model = LinearGaussianModel(x[None], weight[None, None], 1.0, float(noise) ** -2)
    return model.kl_to_posterior(Gaussian(loc[None], scale[None, None] ** 2))


def em_step(x, weights, means, covariances):
    mixture = GaussianMixture(len(weights), regularization=0, tol=0, max_steps=1)
    mixture.fit(x, weights=weights, means=means, covariances=covariances)
    return mixture.weights_, mixture.means_, mixture.covariances_


def factor_analysis(x, w, m, s):
    model = FactorAnalysis(*w.shape, floor=1e-9).double()
    with torch.no_grad():
        model.weight.copy_(w)
        model.mean.copy_(m)
        model._set_noise(s)
    q = model.exact_posterior(x)
    return q.mean, q.covariance_matrix[0]


def full_family(loc, log_var, raw, eps):
    row, column = torch.tril_indices(*raw.shape[1:], offset=-1)
    q = FullPosterior(loc.shape[1])(torch.cat([loc, log_var, raw[:, row, column]], dim=-1))
    z = q.loc + (q.scale_tril @ eps.unsqueeze(-1)).squeeze(-1)
    return z, FullGaussian(q.loc, q.scale_tril).log_prob(z)


def full_sample(loc, log_var, raw, eps):
    factor = raw.tril(-1) + torch.diag_embed((0.5 * log_var).exp())
    return full_gaussian_sample(loc, factor, eps)


def normal_gamma(x, m0, l0, a0, b0, tau):
    model = NormalGammaMeanField(m0, l0, a0, b0)
    model.a_, model.b_ = tau, 1.0
    model._update_mu(x.numpy())
    model._update_tau(x.numpy())
    return model.mu_, model.lambda_, model.a_, model.b_


RIGHT = {
    "em_step": [em_step],
    "exponential_kl": [
        lambda a: kl_divergence(ExponentialLatents(a), ExponentialLatents(torch.zeros_like(a)))
    ],
    "factor_analysis_posterior": [factor_analysis],
    "frechet": [evaluation.frechet_distance],
    "full_covariance_sample": [full_sample, full_family],
    "gap": [gap],
    "gaussian_log_likelihood": [lambda x, m, v: DiagonalGaussian(m, v).log_prob(x)],
    "kl_estimate": [lambda log_q, log_p: kl_samples(log_q - log_p, "k3").mean()],
    "linear_gaussian_posterior": [linear_posterior],
    "log_evidence": [
        # which has no error of a single draw
        lambda v: naive_log_evidence(v).value if len(v) > 1 else v[0],
    ],
    "mask_corruption": [lambda x, level, generator: corrupt(x, "mask", level, generator)],
    "monte_carlo": [monte_carlo],
    "normal_gamma_sweep": [normal_gamma],
    "poisson_log_likelihood": [lambda x, log_rate: PoissonCounts(log_rate).log_prob(x)],
    "reparameterize": [lambda m, v, g: DiagonalGaussian(m, v).rsample((), g)],
}
CORPUS = {name: {"wrong": [], "right": right} for name, right in RIGHT.items()}
