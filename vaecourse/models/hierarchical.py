"""Two layers of latents: a VAE whose prior p(z) is itself a VAE's.

    p_θ(x, z, u) = p(u) p_θ(z|u) p_θ(x|z)

with x below, z in the middle and u on top. q has the same networks in two arrangements. Bottom-up,
q_φ(z|x) q_φ(u|z): u sees what z has let through. As a ladder, q_φ(u|x) q_φ(z|x, u): u is drawn
first, and z joins what x says of it with what u says, each weighted by its precision. Taught in
chapter 17. [SRM+16]
"""

from typing import Literal, NamedTuple

import torch
from torch.distributions import kl_divergence

from vaecourse._arguments import check_choice, check_counts
from vaecourse.distributions import DiagonalGaussian, DiagonalPosterior
from vaecourse.likelihoods import NoiseVariance, likelihood_of
from vaecourse.models.base import Dimension, LatentModel, Seed, Widths
from vaecourse.networks import ACTIVATIONS, mlp

ORDERS = ("bottom_up", "ladder")


class LayeredTerms(NamedTuple):
    """The three terms of the bound, each [B] in nats.

    kl_upper is E KL(q(u|…) ‖ p(u)), what the upper layer carries; kl_lower is
    E log q(z|…) / p(z|u), which bottom-up is no KL for a single draw, and may be negative.
    """

    reconstruction: torch.Tensor
    kl_lower: torch.Tensor
    kl_upper: torch.Tensor

    @property
    def elbo(self):
        """reconstruction − kl_lower − kl_upper, [B]."""
        return self.reconstruction - self.kl_lower - self.kl_upper


class HierarchicalVAE(LatentModel):
    """Rows x [B, D] with lower latents z [B, J] and upper latents u [B, K].

    data_dim: D, the width of a row of data; 784 for MNIST.
    latent_dim: J, the number of lower latents, which the decoder reads.
    upper_dim: K, the number of upper latents.
    hidden: widths of the hidden layers between x and z; the decoder mirrors them.
    upper_hidden: the same between z and u.
    order: of q: "bottom_up", q(z|x) q(u|z), or "ladder", q(u|x) q(z|x, u). The networks are the
        same ones, so the number of weights is too.
    likelihood: p(x|z), "bernoulli" for binary data or "gaussian" for real.
    noise_variance: of a Gaussian likelihood, as for `VAE`.
    activation: between hidden layers: "relu", "tanh", "softplus" or "sigmoid".
    seed: of the initial weights.
    """

    kind = "hierarchical"
    shows = ("reconstructions",)

    def __init__(
        self,
        data_dim: Dimension,
        latent_dim: Dimension,
        upper_dim: Dimension,
        hidden: Widths = (256,),
        upper_hidden: Widths = (64,),
        *,
        order: Literal[ORDERS] = "bottom_up",
        likelihood: Literal["bernoulli", "gaussian"] = "bernoulli",
        noise_variance: NoiseVariance = None,
        activation: Literal[tuple(ACTIVATIONS)] = "relu",
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(data_dim=data_dim, latent_dim=latent_dim, upper_dim=upper_dim)
        check_choice("order", order, ORDERS)
        self.data_dim, self.latent_dim, self.upper_dim = data_dim, latent_dim, upper_dim
        self.order = order
        check_choice("likelihood", likelihood, ("bernoulli", "gaussian"))
        self.likelihood = likelihood_of(likelihood, data_dim, noise_variance)
        self.posterior = DiagonalPosterior(latent_dim)
        self.upper_posterior = DiagonalPosterior(upper_dim)
        generator = torch.Generator().manual_seed(seed)

        def network(*sizes):
            return mlp(list(sizes), activation, generator=generator)

        up, down = self.upper_posterior.num_outputs, self.posterior.num_outputs
        self.encoder = network(data_dim, *hidden, down)
        self.upper_encoder = network(latent_dim, *upper_hidden, up)
        self.upper_decoder = network(upper_dim, *reversed(upper_hidden), down)
        self.decoder = network(latent_dim, *reversed(hidden), self.likelihood.num_outputs)

    # --- distributions ---------------------------------------------------------------------------

    @property
    def upper_prior(self):
        """p(u), standard normal over [K]."""
        return self.upper_posterior.prior(like=self.decoder[0].weight)

    def lower_prior(self, u):
        """p_θ(z|u) for u [..., K]: a distribution over z [..., J]."""
        return self.posterior(self.upper_decoder(self.tensor(u, self.upper_dim, "u")))

    def encode(self, x):
        """What x [..., D] says of z [..., J]: q_φ(z|x) bottom-up, one factor of q of a ladder."""
        return self.posterior(self.encoder(self.tensor(x, self.data_dim)))

    def encode_upper(self, z):
        """q_φ(u|z) for z [..., J]; a ladder gives it the mean of what x says of z."""
        return self.upper_posterior(self.upper_encoder(self.tensor(z, self.latent_dim, "z")))

    def encode_lower(self, x_says, u):
        """q_φ(z|x, u) of a ladder: the product of what x says, `encode(x)`, and p(z|u)."""
        return product(x_says, self.lower_prior(u))

    def decode(self, z):
        """p_θ(x|z) for z [..., J]: a distribution over x [..., D]."""
        return self.likelihood(self.decoder(self.tensor(z, self.latent_dim, "z")))

    # --- the bound -------------------------------------------------------------------------------

    def _drawn(self, x, num_samples, generator):
        """Draws z [S, B, J] and u [S, B, K], and q of each at them."""
        x_says = self.encode(x)
        if self.order == "ladder":
            q_u = self.encode_upper(x_says.loc)
            u = q_u.rsample((num_samples,), generator)
            q_z = self.encode_lower(x_says, u)
            return q_z.rsample((), generator), u, q_z, q_u
        z = x_says.rsample((num_samples,), generator)
        q_u = self.encode_upper(z)
        return z, q_u.rsample((), generator), x_says, q_u

    def elbo_terms(self, x, num_samples=1, generator=None):
        """The three terms of the bound for each row of x [B, D]; KLs are closed where they can."""
        return self._terms(self.check(x), num_samples, generator)

    def _terms(self, x, num_samples, generator):
        z, u, q_z, q_u = self._drawn(x, num_samples, generator)
        p_z = self.lower_prior(u)
        if self.order == "ladder":
            kl_lower = kl_divergence(q_z, p_z)
        else:  # u depends on this z: only log q has its expectation in closed form
            kl_lower = -q_z.entropy() - p_z.log_prob(z)
        kl_upper = kl_divergence(q_u, self.upper_prior).expand(num_samples, -1)
        terms = (self.decode(z).log_prob(x), kl_lower, kl_upper)
        return LayeredTerms(*(term.mean(0) for term in terms))

    def log_weights(self, x, num_samples, generator=None):
        """log p(x, z, u) − log q(z, u|x) at `num_samples` draws of both, [S, B] nats."""
        x = self.check(x)
        z, u, q_z, q_u = self._drawn(x, num_samples, generator)
        log_p = self.decode(z).log_prob(x) + self.lower_prior(u).log_prob(z)
        return log_p + self.upper_prior.log_prob(u) - q_z.log_prob(z) - q_u.log_prob(u)

    def loss(self, x, generator=None):
        """−ELBO averaged over the rows of x, one draw of z and u each."""
        return -self._terms(x, 1, generator).elbo.mean()

    # --- use -------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n, generator=None):
        """n draws of x from the model, [n, D]: first u, then z given u, then x given z."""
        u = self.upper_prior.sample((n,), generator)
        z = self.lower_prior(u).sample((), generator)
        return self.decode(z).sample((), generator)

    @torch.no_grad()
    def reconstruct(self, x):
        """The mean of p(x|z) at the mean of q, [B, D]; a picture, not part of a bound."""
        q_z = self.encode(self.check(x))
        if self.order == "ladder":
            q_z = self.encode_lower(q_z, self.encode_upper(q_z.loc).loc)
        return self.decode(q_z.loc).mean


def product(first, second):
    """The normalized product of two diagonal Gaussians: precisions add, means are weighted by them.

    One that is given by an infinite variance says nothing; with equal means the product is the
    narrower one. [SRM+16] eq. 11–12; chapter 17.
    """
    log_precision = torch.logaddexp(-first.log_var, -second.log_var)
    weight = torch.sigmoid(second.log_var - first.log_var)  # of `first`
    return DiagonalGaussian(weight * first.loc + (1 - weight) * second.loc, -log_precision)
