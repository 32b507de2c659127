"""The ELBO three ways, the gap, and the three forces (chapter 07).

Two models of one data point offer the same five quantities, each computed on its own: in closed
form for a linear-Gaussian model, by quadrature for any model with one latent number. The three
functions `elbo_*` then read like the three formulas, and must agree to rounding. All values are in
nats, all tensors float64.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from vaecourse._arguments import (
    check_count,
    check_covariance,
    check_finite,
    check_positive,
    check_shape,
)
from vaecourse.inference.posteriors import linear_posterior

LOG_2PI = math.log(2 * math.pi)


class Gaussian:
    """A Gaussian q(z): mean [J] and covariance [J, J].

    Raises ValueError for a covariance that is not positive definite or not of the mean's dimension.
    """

    def __init__(self, mean, covariance):
        self.mean = torch.as_tensor(mean, dtype=torch.float64)
        self.covariance = torch.as_tensor(covariance, dtype=torch.float64)
        check_shape("mean", self.mean, (None,))
        check_finite("mean", self.mean)
        check_covariance("covariance", self.covariance, len(self.mean))

    def log_prob(self, z):
        """log q(z), [...] for z [..., J]."""
        return MultivariateNormal(self.mean, self.covariance).log_prob(z)

    def entropy(self):
        """H[q]."""
        return 0.5 * (len(self.mean) * (LOG_2PI + 1) + torch.logdet(self.covariance))

    def kl_to(self, other):
        """KL(self‖other) to another Gaussian of the same dimension."""
        check_shape("other.mean", other.mean, tuple(self.mean.shape))
        return kl_divergence(
            MultivariateNormal(self.mean, self.covariance),
            MultivariateNormal(other.mean, other.covariance),
        )


class Forces(NamedTuple):
    """What pushes each sample [S, J]: towards the likelihood, towards the prior, and apart."""

    likelihood: Tensor
    prior: Tensor
    entropy: Tensor


# --- three forms of one number -------------------------------------------------------------------


def elbo_joint_and_entropy(model, q):
    """E_q[log p(x|z)] + E_q[log p(z)] + H[q]: the ELBO as it comes out of Jensen's inequality."""
    return model.expected_log_likelihood(q) + model.expected_log_prior(q) + q.entropy()


def elbo_fit_and_regularizer(model, q):
    """E_q[log p(x|z)] − KL(q‖p(z)): the ELBO as it is trained."""
    return model.expected_log_likelihood(q) - model.kl_to_prior(q)


def elbo_evidence_and_gap(model, q):
    """log p(x) − KL(q‖p(z|x)): the ELBO as it is understood."""
    return model.log_evidence() - model.kl_to_posterior(q)


# --- two models of one data point ----------------------------------------------------------------


class LinearGaussianModel:
    """x = Wz + noise, z ~ N(0, I/alpha), noise of precision beta; everything in closed form.

    x is [D], weight [D, J]. Raises ValueError for shapes that do not fit or precisions ≤ 0.
    """

    def __init__(self, x, weight, alpha, beta):
        self.posterior = linear_posterior(x, weight, alpha, beta)
        self.x = torch.as_tensor(x, dtype=torch.float64)
        self.weight = torch.as_tensor(weight, dtype=torch.float64)
        check_shape("x", self.x, (len(self.weight),))
        self.alpha, self.beta = alpha, beta

    def log_likelihood(self, z):
        """log p(x|z), [...] for z [..., J]."""
        residual = self.x - z @ self.weight.T
        return 0.5 * (math.log(self.beta) - LOG_2PI - self.beta * residual.square()).sum(-1)

    def log_prior(self, z):
        """log p(z), [...] for z [..., J]."""
        return 0.5 * (math.log(self.alpha) - LOG_2PI - self.alpha * z.square()).sum(-1)

    def expected_log_likelihood(self, q):
        """E_q[log p(x|z)]: its value at the mean of q, less what the spread of q costs."""
        check_shape("q.mean", q.mean, (self.weight.shape[1],))
        spread = torch.trace(self.weight @ q.covariance @ self.weight.T)
        return self.log_likelihood(q.mean) - 0.5 * self.beta * spread

    def expected_log_prior(self, q):
        """E_q[log p(z)]."""
        return self.log_prior(q.mean) - 0.5 * self.alpha * torch.trace(q.covariance)

    def kl_to_prior(self, q):
        """KL(q‖p(z))."""
        dim = self.weight.shape[1]
        return q.kl_to(Gaussian(torch.zeros(dim), torch.eye(dim, dtype=torch.float64) / self.alpha))

    def kl_to_posterior(self, q):
        """KL(q‖p(z|x)): the gap."""
        return q.kl_to(Gaussian(self.posterior.mean, self.posterior.covariance))

    def log_evidence(self):
        """log p(x)."""
        return self.posterior.log_evidence


class OneDimensionalModel:
    """One latent number z ~ N(0, 1) and any log p(x|z), by the trapezoid rule on a fixed grid.

    log_likelihood maps z [n, 1] to [n]. The grid must hold both the posterior and q with room to
    spare; then the rule is exact to about twelve digits.
    """

    def __init__(self, log_likelihood, half_width=12.0, num_points=4001):
        check_positive("half_width", half_width)
        check_count("num_points", num_points, smallest=3)
        self.log_likelihood = log_likelihood
        self.z = torch.linspace(-half_width, half_width, num_points, dtype=torch.float64)[:, None]
        self.step = 2 * half_width / (num_points - 1)
        values = log_likelihood(self.z)
        check_shape("log_likelihood(z)", values, (num_points,))
        check_finite("log_likelihood(z)", values)
        self.log_joint = values + self.log_prior(self.z)

    def log_prior(self, z):
        """log p(z), [...] for z [..., 1]."""
        return -0.5 * (z.square() + LOG_2PI).sum(-1)

    def expected_log_likelihood(self, q):
        """E_q[log p(x|z)]."""
        return self._expectation(q, self.log_likelihood(self.z))

    def expected_log_prior(self, q):
        """E_q[log p(z)]."""
        return self._expectation(q, self.log_prior(self.z))

    def kl_to_prior(self, q):
        """KL(q‖p(z)), in closed form."""
        return q.kl_to(Gaussian([0.0], [[1.0]]))

    def kl_to_posterior(self, q):
        """KL(q‖p(z|x)): the gap, against the tabulated posterior."""
        log_posterior = self.log_joint - self.log_evidence()
        return self._expectation(q, q.log_prob(self.z) - log_posterior)

    def log_evidence(self):
        """log p(x)."""
        return self.log_joint.logsumexp(0) + math.log(self.step)

    def _expectation(self, q, values):
        check_shape("q.mean", q.mean, (1,))
        return (q.log_prob(self.z).exp() * values).sum() * self.step


# --- three forces --------------------------------------------------------------------------------


def three_forces(model, q, z):
    """∇_z log p(x|z), ∇_z log p(z) and −∇_z log q(z) at samples z [S, J]; each [S, J].

    Their mean is the gradient of the ELBO by the mean of q. Where q is the exact posterior they
    cancel at every z. [S0] the three forces; chapter 07.
    """
    z = torch.as_tensor(z, dtype=torch.float64)
    check_shape("z", z, (None, len(q.mean)))
    return Forces(
        likelihood=_slope(model.log_likelihood, z),
        prior=_slope(model.log_prior, z),
        entropy=-_slope(q.log_prob, z),
    )


def _slope(log_density, z):
    z = z.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(log_density(z).sum(), z)
    return slope
