r"""The gradient of a Gaussian VAE's loss, written out, for several models side by side.

Automatic differentiation spends most of a small network's step on bookkeeping. Here the
forward and the backward pass are some seventy operations on tensors that are allocated once,
and R models of one shape share each of them: every tensor is [R, B, ·].

For one data point, with s = exp(½ log σ²), z = μ + s ⊙ ε + L′ε and decoded mean m and log
variance v, the loss is

    ½ Σ_d [(x − m)² e^(−v) + v + log 2π] + ½ Σ_j [μ² + s² − 1 − log σ²] + ½ Σ L′²

(L′, strictly below the diagonal, is there for a full covariance only), and its derivatives are

    ∂/∂m = (m − x) e^(−v)          ∂/∂v = ½ (1 − (x − m)² e^(−v))
    ∂/∂μ = ∂/∂z + μ                ∂/∂log σ² = ½ (s ε ∂/∂z + s² − 1)
    ∂/∂L′_ij = ε_j ∂/∂z_i + L′_ij

Taught in chapters 08 and 11; `tests/training/test_hand_gradients.py` holds it against autograd.
"""

import math

import torch

from vaecourse.distributions import DiagonalPosterior, FullPosterior
from vaecourse.likelihoods import GaussianLikelihood
from vaecourse.training.hand_networks import ByHand, Networks, Take, check_covered, count_weights


class HandGradients(ByHand):
    """Loss and gradients of R models of one shape, on batches of `batch_size` rows.

    weights, gradients: every parameter of all models, each in one flat tensor; an optimizer
    changes `weights` in place, and `write_back` copies them into the models.
    kl_weight: what the KL is multiplied by, a tensor of one number, 1; a warm-up fills it anew.
    Raises ValueError for models that differ in shape or that these formulas do not cover.
    """

    def __init__(self, models, batch_size):
        _check_covered(models)
        first = models[0]
        like = first.decoder[0].weight
        R, B, D, J = len(models), batch_size, first.data_dim, first.latent_dim
        self.models = models
        self.weights = like.new_zeros(count_weights(models))
        self.gradients = torch.zeros_like(self.weights)
        self.x, self.eps, self.z = (like.new_empty(R, B, width) for width in (D, J, J))
        self.losses = like.new_empty(R)
        self.kl_weight = like.new_ones(())
        self._full = isinstance(first.posterior, FullPosterior) and J > 1
        flat = Take(*2 * [self.weights, self.gradients])
        self._encoder = Networks([model.encoder for model in models], self.x, flat)
        self._decoder = Networks([model.decoder for model in models], self.z, flat)
        self._split(J, D)
        self._scratch = [torch.empty_like(self.z) for _ in range(3)]
        self._scratch += [torch.empty_like(self.x) for _ in range(3)]
        self._dz = torch.empty_like(self.z)
        self._terms = like.new_empty(R, B)
        # A number would be turned into a tensor at every call.
        constants = (0.5, 1, -1, 1 / B, J)
        self._half, self._one, self._minus_one, self._share, self._J = map(
            like.new_tensor, constants
        )
        self._kl_share = torch.empty_like(self._share)
        self._constant = 0.5 * D * math.log(2 * math.pi)

    def _split(self, J, D):
        """Views of the networks' outputs, and of the gradients with respect to them."""
        widths = [J, 2 * J]
        self._mu, self._log_var, self._below = self._encoder.outputs.tensor_split(widths, -1)
        self._d_mu, self._d_log_var, self._d_below = self._encoder.d_outputs.tensor_split(
            widths, -1
        )
        self._mean, self._v = self._decoder.outputs.split(D, -1)
        self._d_mean, self._d_v = self._decoder.d_outputs.split(D, -1)
        # (position in L′, row i, column j) of every entry below the diagonal
        pairs = torch.tril_indices(J, J, offset=-1).T.tolist() if self._full else []
        self._pairs = [
            (slice(k, k + 1), slice(i, i + 1), slice(j, j + 1)) for k, (i, j) in enumerate(pairs)
        ]

    @torch.no_grad()
    def step(self):
        """Fill `losses` [R], the mean loss over `x` with the noise `eps`, and `gradients`."""
        s, noise, var, error, scaled, square = self._forward()
        self._loss(s, var, scaled, error, square)
        self._backward(noise, var, scaled, square)

    def _forward(self):
        s, noise, var, error, scaled, square = self._scratch
        self._encoder.forward()
        torch.mul(self._log_var, self._half, out=s).exp_()
        torch.mul(s, self.eps, out=noise)
        torch.add(self._mu, noise, out=self.z)
        for k, i, j in self._pairs:
            self.z[..., i].addcmul_(self._below[..., k], self.eps[..., j])
        self._decoder.forward()
        torch.mul(s, s, out=var)
        torch.sub(self._mean, self.x, out=error)
        torch.neg(self._v, out=scaled).exp_().mul_(error)
        torch.mul(scaled, error, out=square)
        return s, noise, var, error, scaled, square

    def _loss(self, s, var, scaled, error, square):
        # s and error have been used; their memory holds the sums.
        torch.addcmul(var, self._mu, self._mu, out=s).sub_(self._log_var)
        torch.add(square, self._v, out=error)
        torch.sum(s, -1, out=self._terms)
        if self._full:
            self._terms.add_(self._below.square().sum(-1))
        self._terms.sub_(self._J).mul_(self.kl_weight).add_(error.sum(-1))
        torch.mean(self._terms, -1, out=self.losses)
        self.losses.mul_(self._half).add_(self._constant)

    def _backward(self, noise, var, scaled, square):
        torch.mul(self._share, self.kl_weight, out=self._kl_share)
        self._d_mean.copy_(scaled)
        torch.sub(self._one, square, out=self._d_v).mul_(self._half)
        self._decoder.d_outputs.mul_(self._share)
        self._decoder.backward(self._dz)
        torch.addcmul(self._dz, self._mu, self._kl_share, out=self._d_mu)
        var.add_(self._minus_one).mul_(self._kl_share)
        torch.addcmul(var, noise, self._dz, out=self._d_log_var).mul_(self._half)
        for k, i, j in self._pairs:
            torch.mul(self._dz[..., i], self.eps[..., j], out=self._d_below[..., k])
            self._d_below[..., k].addcmul_(self._below[..., k], self._kl_share)
        self._encoder.backward()

    @torch.no_grad()
    def read(self):
        """Take the weights from the models."""
        self._encoder.read([model.encoder for model in self.models])
        self._decoder.read([model.decoder for model in self.models])


def _check_covered(models):
    model = models[0]
    covered = {
        "likelihood": isinstance(model.likelihood, GaussianLikelihood)
        and model.likelihood.heads == (model.data_dim, model.data_dim),
        "posterior": isinstance(model.posterior, DiagonalPosterior | FullPosterior),
        "importance_samples": model.importance_samples == 1,
        "activation": model.params["activation"] == "relu",
        "standardize": not model.params["standardize"],
        "hidden": len(model.params["hidden"]) > 0,
        "variance_floor": getattr(model.likelihood, "variance_floor", None) is None,
        "decoder_hidden": model.params["decoder_hidden"] is None,
        "decoder_activation": model.params["decoder_activation"] in (None, "relu"),
    }
    check_covered(
        models,
        covered,
        "the ELBO, relu networks with a hidden layer and a decoder that mirrors the encoder, a "
        "Gaussian likelihood with a variance for every dimension and no floor, and a Gaussian "
        "posterior",
    )
