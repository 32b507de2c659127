r"""The gradient of the loss of a VAE or IWAE of binary pixels, written out, for several models.

What `hand_gradients` is for Gaussian data in the plane, for the model of [BGS16] on images. For
one image x, with s = exp(½ log σ²) and K draws z_k = μ + s ⊙ ε_k, decoded to logits l_k, and
t_kd = (1 − 2 x_d) l_kd, the log-likelihood is log p(x|z_k) = −Σ_d log(1 + exp t_kd). The loss is

    K = 1:  −log p(x|z) + ½ Σ_j [μ² + s² − 1 − log σ²]
    K > 1:  −log 1/K Σ_k w_k,   log w_k = log p(x|z_k) + ½ Σ_j [ε_k² − z_k² + log σ²]

and with the weights' shares α_k = w_k / Σ w, which are 1 for K = 1, its derivatives are

    ∂/∂l_kd = α_k (1 − 2 x_d) sigmoid(t_kd),   g_k = ∂/∂z_k through the decoder,
    K = 1:  ∂/∂μ = g + μ                       ∂/∂log σ² = ½ (s ε g + s² − 1)
    K > 1:  ∂/∂μ = Σ_k (g_k + α_k z_k)         ∂/∂log σ² = ½ (s Σ_k ε_k (g_k + α_k z_k) − 1)

The products of matrices may be of bfloat16 numbers, eight bits each, which some processors
multiply several times as fast; weights, Adam's moments and the loss stay in float32.
`tests/training/test_bernoulli_gradients.py` holds it against autograd.
"""

import math

import torch

from vaecourse.distributions import DiagonalPosterior, sum_of_softplus
from vaecourse.likelihoods import BernoulliLikelihood
from vaecourse.training.hand_networks import (
    ACTIVATIONS,
    ByHand,
    Networks,
    Take,
    check_covered,
    count_weights,
)


class BernoulliGradients(ByHand):
    """Loss and gradients of R models of one shape, on batches of `batch_size` binary images.

    products: the type of the numbers that are multiplied, torch.bfloat16 say; by default that of
    the weights. weights, gradients, losses: as in `HandGradients`.
    Raises ValueError for models that differ in shape or that these formulas do not cover.
    """

    def __init__(self, models, batch_size, products=None):
        _check_covered(models)
        first = models[0]
        like = first.decoder[0].weight
        R, B, D, J = len(models), batch_size, first.data_dim, first.latent_dim
        self.K = K = first.importance_samples
        self.models = models
        self.weights = like.new_zeros(count_weights(models))
        self.x, self.eps = like.new_empty(R, B, D), like.new_empty(R, K, B, J)
        self.losses = like.new_empty(R)
        low = {"dtype": products or like.dtype}
        self._exact = low["dtype"] == like.dtype
        self._factors = self.weights if self._exact else torch.zeros_like(self.weights, **low)
        self._low_gradients = torch.zeros_like(self._factors)
        self.gradients = self._low_gradients if self._exact else torch.zeros_like(self.weights)
        flat = Take(self._factors, self._low_gradients, self.weights, self.gradients)
        self._x, self._z = like.new_empty(R, B, D, **low), like.new_empty(R, K * B, J, **low)
        for name, rows in (("encoder", self._x), ("decoder", self._z)):
            networks = Networks(
                [getattr(model, name) for model in models], rows, flat, first.params["activation"]
            )
            setattr(self, f"_{name}", networks)
        self._sign = torch.empty_like(self.x)
        self._signed, self._pixels = (like.new_empty(R, K, B, D) for _ in range(2))
        self._dz = torch.empty_like(self._z)

    @torch.no_grad()
    def step(self):
        """Fill `losses` [R], the mean loss over `x` with the noise `eps`, and `gradients`."""
        if not self._exact:
            self._factors.copy_(self.weights)
        self._x.copy_(self.x)
        self._encoder.forward()
        mu, log_var = self._encoder.outputs.to(self.x.dtype).unsqueeze(1).chunk(2, -1)
        s = (0.5 * log_var).exp()
        noise = s * self.eps
        z = mu + noise
        self._z.copy_(z.flatten(1, 2))
        self._decoder.forward()
        share = self._loss(mu, log_var, s, z)
        self._backward(mu, s, z, noise, share)
        if not self._exact:
            self.gradients.copy_(self._low_gradients)

    def _loss(self, mu, log_var, s, z):
        """Fill `losses`; returns every draw's share in them, α_k / B."""
        B = self.x.shape[1]
        torch.mul(self.x, -2, out=self._sign).add_(1)
        logits = self._decoder.outputs.view(self._signed.shape)
        torch.mul(logits, self._sign.unsqueeze(1), out=self._signed)
        log_p = -sum_of_softplus(self._signed)
        if self.K == 1:
            kl = 0.5 * (mu.square() + s.square() - 1 - log_var).sum(-1)
            self.losses.copy_((kl - log_p).mean((1, 2)))
            return 1 / B
        log_w = log_p + 0.5 * (self.eps.square() - z.square() + log_var).sum(-1)
        self.losses.copy_(math.log(self.K) - log_w.logsumexp(1).mean(-1))
        return log_w.softmax(1).div_(B).unsqueeze(-1)

    def _backward(self, mu, s, z, noise, share):
        B = self.x.shape[1]
        torch.sigmoid(self._signed, out=self._pixels).mul_(self._sign.unsqueeze(1)).mul_(share)
        self._decoder.d_outputs.copy_(self._pixels.flatten(1, 2))
        self._decoder.backward(self._dz)
        dz = self._dz.to(self.x.dtype).view(z.shape)
        if self.K == 1:
            d_mu = dz + mu / B
            d_log_var = 0.5 * (noise * dz + (s.square() - 1) / B)
        else:
            dz = dz + share * z
            d_mu = dz.sum(1)
            d_log_var = 0.5 * ((noise * dz).sum(1) - 1 / B)
        d_mu, d_log_var = (d.view(len(self.models), B, -1) for d in (d_mu, d_log_var))
        self._encoder.d_outputs.copy_(torch.cat([d_mu, d_log_var], -1))
        self._encoder.backward()

    def parameters(self):
        """Every matrix and bias of every model, for an optimizer that needs them one by one."""
        return [*self._encoder.parameters(), *self._decoder.parameters()]


def _check_covered(models):
    model = models[0]
    activation = model.params["activation"]
    covered = {
        "likelihood": isinstance(model.likelihood, BernoulliLikelihood),
        "posterior": isinstance(model.posterior, DiagonalPosterior),
        "activation": activation in ACTIVATIONS,
        "decoder_activation": model.params["decoder_activation"] in (None, activation),
    }
    check_covered(
        models,
        covered,
        "binary pixels, a diagonal Gaussian posterior, and one activation, "
        f"{' or '.join(ACTIVATIONS)}, in both networks",
    )
