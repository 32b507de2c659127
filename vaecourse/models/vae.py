"""The variational autoencoder, whole. Taught in chapter 09."""

from typing import Literal

import torch

from vaecourse import objectives
from vaecourse._arguments import as_rows, check_choice, check_counts, chosen
from vaecourse.distributions import PRIORS, DiagonalPosterior, FullPosterior
from vaecourse.likelihoods import LIKELIHOODS, NoiseVariance, likelihood_of
from vaecourse.models.base import Count, Dimension, LatentModel, Positive, Seed, Widths
from vaecourse.networks import ACTIVATIONS, mlp
from vaecourse.positive_latents import ExponentialPosterior, GammaPosterior

POSTERIORS = {
    "diagonal": DiagonalPosterior,
    "full": FullPosterior,
    "exponential": ExponentialPosterior,
    "gamma": GammaPosterior,
}
ENCODER_INPUTS = ("scaled", "raw")


class VAE(LatentModel):
    """A prior p(z), and p_θ(x|z) and q_φ(z|x) from two multilayer perceptrons [KW14].

    data_dim: D, the width of a row of data; 784 for MNIST.
    latent_dim: J, the number of latents.
    hidden: widths of the encoder's hidden layers; the decoder mirrors them.
    likelihood: "bernoulli" for binary pixels, "gaussian" for real data, "poisson" for counts,
        "discretized_logistic" for 8-bit pixels.
    posterior: q(z|x) is normal with a "diagonal" or "full" covariance, or, for z > 0,
        "exponential" or "gamma".
    prior: "normal" for a normal posterior, "exponential" (rate 1) or "gamma" (shape 2, rate 1)
        for the others; by default the one of the posterior's own kind.
    activation: between hidden layers: "relu", "tanh", "softplus" or "sigmoid".
    noise_variance: of a Gaussian likelihood: a number, or learned as "shared", "per_dimension"
        or "from_z". By default the decoder gives one for every dimension, as "from_z" does,
        but without a floor.
    variance_floor: the least value of a learned variance; 1e-6 if that is named. Without one
        the likelihood of data with a constant dimension is unbounded (`GaussianLikelihood`).
    separate_heads: give every head, as the mean and the log variance, a last hidden layer of
        its own, the network of S0; otherwise they share it.
    importance_samples: draws of z for each x in the loss: with more than one, it is the
        importance-weighted bound, and the model what is called an IWAE [BGS16].
    decoder_hidden: widths of the decoder's hidden layers, from z to x; by default the encoder's,
        reversed.
    decoder_activation: of the decoder; by default the encoder's.
    standardize: of a Gaussian likelihood: let the networks work on columns of mean 0 and variance
        1, which the first `fit` takes from its training data. Samples and bounds are those of x
        itself; variances and their floor are in the standardized units.
    encoder_input: "scaled", log(1 + x) for a Poisson likelihood and x for the others but for
        `standardize`; or "raw", x itself, as models before version 0.2 see it.
    seed: of the initial weights.
    """

    kind = "vae"

    def __init__(
        self,
        data_dim: Dimension,
        latent_dim: Dimension,
        hidden: Widths = (256,),
        *,
        likelihood: Literal[tuple(LIKELIHOODS)] = "bernoulli",
        posterior: Literal[tuple(POSTERIORS)] = "diagonal",
        prior: Literal[PRIORS] | None = None,
        activation: Literal[tuple(ACTIVATIONS)] = "relu",
        noise_variance: NoiseVariance = None,
        separate_heads: bool = False,
        importance_samples: Count = 1,
        variance_floor: Positive | None = None,
        decoder_hidden: Widths | None = None,
        decoder_activation: Literal[tuple(ACTIVATIONS)] | None = None,
        standardize: bool = False,
        encoder_input: Literal[ENCODER_INPUTS] = "scaled",
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(
            data_dim=data_dim, latent_dim=latent_dim, importance_samples=importance_samples
        )
        self.data_dim, self.latent_dim = data_dim, latent_dim
        self.importance_samples = importance_samples
        check_choice("encoder_input", encoder_input, ENCODER_INPUTS)
        self.likelihood = likelihood_of(
            likelihood, data_dim, noise_variance, variance_floor, standardize
        )
        self.posterior = chosen("posterior", posterior, POSTERIORS)(latent_dim, prior)
        if decoder_hidden is None:
            decoder_hidden = tuple(reversed(hidden))
        generator = torch.Generator().manual_seed(seed)
        self.encoder = mlp(
            [data_dim, *hidden, self.posterior.num_outputs],
            activation,
            heads=self.posterior.heads if separate_heads else None,
            generator=generator,
        )
        self.decoder = mlp(
            [latent_dim, *decoder_hidden, self.likelihood.num_outputs],
            decoder_activation or activation,
            heads=self.likelihood.heads if separate_heads else None,
            generator=generator,
        )

    @property
    def prior(self):
        """p(z), over [J]: the standard normal unless `posterior` or `prior` says otherwise."""
        return self.posterior.prior(like=self.decoder[0].weight)

    def encode(self, x):
        """q_φ(z|x) for x [..., D]: a distribution over z [..., J]."""
        x = self.tensor(x, self.data_dim)
        if self.params.get("encoder_input") != "raw":
            x = self.likelihood.scaled(x)
        return self.posterior(self.encoder(x))

    def decode(self, z):
        """p_θ(x|z) for z [..., J]: a distribution over x [..., D]."""
        return self.likelihood(self.decoder(self.tensor(z, self.latent_dim, "z")))

    def prepare(self, x):
        """Look at the training data, checked, before the first step; `fit` does this.

        Sets what `standardize` needs. Raises ValueError where training on x cannot but break.
        """
        self.likelihood.prepare(x)

    def loss(self, x, generator=None):
        """−ELBO averaged over the rows of x, one draw of z each: what training minimizes.

        The same estimator as `elbo`, without the checks; `fit` checks the data once. With
        `importance_samples` above one, minus the importance-weighted bound instead.
        """
        if self.importance_samples > 1:
            draws = self.importance_samples
            return -objectives.importance_weighted_bound(self, x, draws, generator).mean()
        return -objectives.elbo_terms(self, x, 1, generator).elbo.mean()

    def check(self, x):
        """x [B, D] as a tensor of the model's; ValueError where it is not data for this model."""
        x = as_rows(self.tensor(x), self.data_dim)
        self.likelihood.check(x)
        return x
