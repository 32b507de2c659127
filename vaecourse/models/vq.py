"""The VAE whose code is one of K words, VQ-VAE [OVK17]. Taught in chapter 15.

    p(k) = 1/K,   p(x) = Σ_k p(k) p(x | w_k)

The encoder's e(x) is replaced by the nearest word; so q(k|x) is all on one word, its KL is log K
for every x, and the sum over words is exact.
"""

import math
from typing import Literal

import torch
from torch import nn

from vaecourse._arguments import check_counts
from vaecourse.distributions import standard_noise
from vaecourse.likelihoods import LIKELIHOODS, NoiseVariance, likelihood_of
from vaecourse.models.base import (
    CHUNK,
    Count,
    Dimension,
    Model,
    Positive,
    Seed,
    Widths,
    error_of_mean,
)
from vaecourse.networks import ACTIVATIONS, mlp
from vaecourse.objectives import ElboTerms


def nearest(codes, words):
    """The index of the nearest of `words` [K, J] to each of `codes` [B, J]: [B]."""
    return torch.cdist(codes, words).argmin(1)


def straight_through(codes, chosen):
    """`chosen` going forward, `codes` going back: the gradient passes as if nothing was rounded."""
    return codes + (chosen - codes).detach()


class VQVAE(Model):
    """A prior over K words of J numbers, and p_θ(x|w) and e_φ(x) from two perceptrons.

    data_dim: D, the width of a row of data.
    latent_dim: J, the numbers in a word.
    num_words: K, the size of the codebook.
    hidden: widths of the encoder's hidden layers; the decoder mirrors them.
    likelihood: "bernoulli" for binary pixels, "gaussian" for real data, "poisson" for counts,
        "discretized_logistic" for 8-bit pixels.
    activation: between hidden layers: "relu", "tanh", "softplus" or "sigmoid".
    noise_variance: of a Gaussian likelihood, as for the VAE.
    variance_floor: the least value of a learned variance, as for the VAE.
    standardize: of a Gaussian likelihood, as for the VAE.
    commitment: what holds e(x) to its word, relative to what draws the word to e(x).
    seed: of the initial weights and words.
    """

    kind = "vqvae"

    def __init__(
        self,
        data_dim: Dimension,
        latent_dim: Dimension,
        num_words: Count,
        hidden: Widths = (256,),
        *,
        likelihood: Literal[tuple(LIKELIHOODS)] = "bernoulli",
        activation: Literal[tuple(ACTIVATIONS)] = "relu",
        noise_variance: NoiseVariance = None,
        variance_floor: Positive | None = None,
        commitment: Positive = 0.25,
        standardize: bool = False,
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(data_dim=data_dim, latent_dim=latent_dim, num_words=num_words)
        self.data_dim, self.latent_dim, self.num_words = data_dim, latent_dim, num_words
        self.commitment = commitment
        self.likelihood = likelihood_of(
            likelihood, data_dim, noise_variance, variance_floor, standardize
        )
        generator = torch.Generator().manual_seed(seed)
        self.encoder = mlp([data_dim, *hidden, latent_dim], activation, generator=generator)
        self.decoder = mlp(
            [latent_dim, *reversed(hidden), self.likelihood.num_outputs],
            activation,
            generator=generator,
        )
        words = standard_noise((num_words, latent_dim), self.decoder[0].weight, generator)
        self.words = nn.Parameter(words.detach())

    def prepare(self, x):
        """Look at the training data, checked, before the first step; `fit` does this."""
        self.likelihood.prepare(x)

    def codes(self, x):
        """e(x), before it is replaced by a word, for x [B, D]: [B, J]."""
        return self.encoder(self.likelihood.scaled(self.tensor(x, self.data_dim)))

    def encode(self, x):
        """The word that q(k|x) is all on, for x [B, D]: [B], whole numbers below K."""
        return nearest(self.codes(x), self.words)

    def decode(self, z):
        """p_θ(x|z) for z [..., J]: a distribution over x [..., D]."""
        return self.likelihood(self.decoder(self.tensor(z, self.latent_dim, "z")))

    def elbo_terms(self, x, num_samples=1, generator=None):
        """log p(x|w) at the nearest word and the KL, log K, each [B] in nats; nothing is drawn."""
        x = self.check(x)
        reconstruction = self.decode(self.words[self.encode(x)]).log_prob(x)
        return ElboTerms(reconstruction, torch.full_like(reconstruction, math.log(self.num_words)))

    def elbo(self, x, num_samples=1, generator=None):
        """The bound on log p(x) for each row of x [B, D]: [B], nats."""
        return self.elbo_terms(x).elbo

    def log_weights(self, x, num_samples, generator=None):
        """log p(x, k) − log q(k|x) at draws of k: always the one word, so the bound: [S, B]."""
        return self.elbo(x).expand(num_samples, -1)

    def log_joint(self, x):
        """log p(x, k) of each row of x [B, D] and each word: [B, K], nats."""
        log_likelihood = self.decode(self.words).log_prob(self.check(x)[:, None])
        return log_likelihood - math.log(self.num_words)

    def log_evidence(self, x):
        """log p(x) for x [B, D], the sum over the K words: [B], nats."""
        return torch.logsumexp(self.log_joint(x), 1)

    def loss(self, x, generator=None):
        """−ELBO with a straight-through gradient, and what draws codes and words together [OVK17].

        The two squared distances are no part of a bound: words have no gradient from the first
        term, and codes a wrong one (chapter 15). Averaged over rows.
        """
        codes = self.codes(x)
        chosen = self.words[nearest(codes, self.words)]
        reconstruction = self.decode(straight_through(codes, chosen)).log_prob(x)
        apart = (codes.detach() - chosen).square().sum(1)
        committed = (codes - chosen.detach()).square().sum(1)
        extra = apart + self.commitment * committed
        return (math.log(self.num_words) - reconstruction + extra).mean()

    @torch.no_grad()
    def reconstruct(self, x):
        """The mean of p(x|w) at the nearest word, [B, D]."""
        x = self.check(x)
        return self.decode(self.words[self.encode(x)]).mean

    @torch.no_grad()
    def sample(self, n, generator=None):
        """n draws of x from the model, [n, D]: first a word, then x given it."""
        k = torch.randint(self.num_words, (n,), generator=generator, device=self.words.device)
        return self.decode(self.words[k]).sample((), generator)

    def metrics(self, x, importance_samples, importance_rows, seed):
        """The bound's terms, the exact log p(x) and how many words are in use; none is drawn."""
        x = self.check(x)
        parts = [self.elbo_terms(rows) for rows in x.split(CHUNK)]
        elbo = torch.cat([part.elbo for part in parts])
        evidence = torch.cat([self.log_evidence(rows) for rows in x[:importance_rows].split(50)])
        return {
            "elbo": elbo.mean().item(),
            "elbo_se": error_of_mean(elbo),
            "reconstruction": torch.cat([part.reconstruction for part in parts]).mean().item(),
            "kl": math.log(self.num_words),
            "log_likelihood": evidence.mean().item(),
            "words_in_use": float(len(self.encode(x).unique())),
        }
