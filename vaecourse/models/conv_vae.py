"""The variational autoencoder with convolutions, for colour images. Taught in chapter 13."""

import math

import torch
from torch import nn

from vaecourse.distributions import POSTERIORS, named
from vaecourse.likelihoods import likelihood_of
from vaecourse.models.checks import check_dimensions
from vaecourse.models.vae import VAE
from vaecourse.networks import conv_decoder, conv_encoder


class ConvVAE(VAE):
    """A VAE whose networks halve and double images instead of mixing all pixels.

    Data are rows x [B, C·H·W], plane after plane, as for every model.

    image_shape: (C, H, W); H and W are halved once for each of `channels`.
    latent_dim: J. channels: of the encoder's convolutions; the decoder mirrors them.
    likelihood: "discretized_logistic" for 8-bit pixels, "bernoulli" for binary ones.
    posterior, activation, importance_samples, seed: as in `VAE`.
    """

    kind = "conv_vae"

    def __init__(
        self,
        image_shape,
        latent_dim,
        channels=(32, 64),
        *,
        likelihood="discretized_logistic",
        posterior="diagonal",
        activation="relu",
        importance_samples=1,
        seed=0,
    ):
        nn.Module.__init__(self)
        check_dimensions(latent_dim=latent_dim, importance_samples=importance_samples)
        if likelihood == "gaussian":
            raise ValueError("likelihood is 'gaussian'; images here are discrete: take another.")
        self.params = {
            "kind": "conv_vae",
            "image_shape": list(image_shape),
            "latent_dim": latent_dim,
            "channels": list(channels),
            "likelihood": likelihood,
            "posterior": posterior,
            "activation": activation,
            "importance_samples": importance_samples,
            "seed": seed,
        }
        self.data_dim, self.latent_dim = math.prod(image_shape), latent_dim
        self.importance_samples = importance_samples
        self.likelihood = likelihood_of(likelihood, self.data_dim)
        self.posterior = named(POSTERIORS, posterior, "posterior")(latent_dim)
        generator = torch.Generator().manual_seed(seed)
        self.encoder = conv_encoder(
            image_shape, channels, self.posterior.num_outputs, activation, generator=generator
        )
        # One set of colour planes for each output of the likelihood: locations, log scales.
        planes = image_shape[0] * len(self.likelihood.heads)
        self.decoder = conv_decoder(
            latent_dim, channels, (planes, *image_shape[1:]), activation, generator=generator
        )
