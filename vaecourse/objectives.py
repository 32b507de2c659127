"""The bounds: what a model with `encode`, `decode` and `prior` is trained and judged by.

All values are in nats and per data point, with every constant kept. Taught in chapters 07, 09
and 13.
"""

import math
from typing import NamedTuple

import torch
from torch.distributions import kl_divergence


class ElboTerms(NamedTuple):
    """The two terms of the bound, each [B] in nats."""

    reconstruction: torch.Tensor
    kl: torch.Tensor

    @property
    def elbo(self):
        """reconstruction − kl, [B]."""
        return self.reconstruction - self.kl


def elbo_terms(model, x, num_samples=1, generator=None):
    """E_q[log p(x|z)] by `num_samples` draws of z, and KL(q(z|x) ‖ p(z)) in closed form.

    `x` is [B, D]. This is the estimator of [KW14] eq. 7 and eq. 10, taught in chapter 09.
    """
    q = model.encode(x)
    z = q.rsample((num_samples,), generator)
    log_likelihood = model.decode(z).log_prob(x)
    return ElboTerms(log_likelihood.mean(0), kl_divergence(q, model.prior))


def log_weights(model, x, num_samples, generator=None):
    """log p(x, z) − log q(z|x) at `num_samples` draws of z from q(z|x), [S, B].

    Their mean over S estimates the ELBO; their log-mean-exp the tighter bound below.
    """
    q = model.encode(x)
    z = q.rsample((num_samples,), generator)
    return model.prior.log_prob(z) + model.decode(z).log_prob(x) - q.log_prob(z)


def importance_weighted_bound(model, x, num_samples, generator=None):
    """log (1/S) Σ w over S = `num_samples` draws, [B] [BGS16].

    One draw gives the ELBO; more never lower its expectation, which rises to log p(x).
    """
    weights = log_weights(model, x, num_samples, generator)
    return torch.logsumexp(weights, dim=0) - math.log(num_samples)
