"""The variational autoencoder with convolutions, for colour images. Taught in chapter 13."""

import math
from typing import Literal

import torch

from vaecourse._arguments import check_axes, check_choice, check_counts, chosen
from vaecourse.convolutions import conv_decoder, conv_encoder
from vaecourse.likelihoods import likelihood_of
from vaecourse.models.base import Channels, Count, Dimension, ImageShape, Model, Seed
from vaecourse.models.vae import POSTERIORS, VAE
from vaecourse.networks import ACTIVATIONS


class ConvVAE(VAE):
    """A VAE whose networks halve and double images instead of mixing all pixels.

    Data are rows x [B, C·H·W], plane after plane, as for every model.

    image_shape: (C, H, W); H and W are halved once for each of `channels`.
    latent_dim: J, the number of latents.
    channels: of the encoder's convolutions; the decoder mirrors them.
    likelihood: "discretized_logistic" for 8-bit pixels, "bernoulli" for binary ones.
    posterior: q(z|x) is normal with a "diagonal" or "full" covariance.
    activation: between the layers: "relu", "tanh", "softplus" or "sigmoid".
    importance_samples: draws of z for each x in the loss, as in `VAE`.
    seed: of the initial weights.
    """

    kind = "conv_vae"

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: Dimension,
        channels: Channels = (32, 64),
        *,
        likelihood: Literal["bernoulli", "discretized_logistic"] = "discretized_logistic",
        posterior: Literal["diagonal", "full"] = "diagonal",
        activation: Literal[tuple(ACTIVATIONS)] = "relu",
        importance_samples: Count = 1,
        seed: Seed = 0,
    ):
        Model.__init__(self, locals())
        check_counts(latent_dim=latent_dim, importance_samples=importance_samples)
        if likelihood == "gaussian":
            raise ValueError("likelihood is 'gaussian'; images here are discrete: take another.")
        check_choice("likelihood", likelihood, ("bernoulli", "discretized_logistic"))
        check_choice("posterior", posterior, ("diagonal", "full"))
        self.data_dim, self.latent_dim = math.prod(image_shape), latent_dim
        self.importance_samples = importance_samples
        self.likelihood = likelihood_of(likelihood, self.data_dim)
        self.posterior = chosen("posterior", posterior, POSTERIORS)(latent_dim)
        generator = torch.Generator().manual_seed(seed)
        self.encoder = conv_encoder(
            image_shape, channels, self.posterior.num_outputs, activation, generator=generator
        )
        # One set of colour planes for each output of the likelihood: locations, log scales.
        planes = image_shape[0] * len(self.likelihood.heads)
        self.decoder = conv_decoder(
            latent_dim, channels, (planes, *image_shape[1:]), activation, generator=generator
        )

    def check_axes(self, axes, data="x"):
        """Raise ValueError unless the axes are (C, H, W), one by one; (H, W) will do for grey."""
        shape = self.params["image_shape"]
        if len(axes) > 1 and [1, *axes] != list(shape):
            check_axes(data, axes, shape)

    def check(self, x):
        """x [B, C·H·W] or [B, C, H, W] as rows; ValueError where it is not data for this model."""
        x = self.tensor(x)
        if x.ndim > 2:
            self.check_axes(x.shape[1:])
            x = x.flatten(1)
        return super().check(x)
