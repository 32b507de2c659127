"""The VAE with a label beside the latent: a mixture of Gaussians for a prior.

    p(y) uniform,   p_θ(z|y) = N(m_y, diag s_y²),   p_θ(x|z) from a network
    q_φ(y|x) categorical,   q_φ(z|x, y) = N(μ(x, y), diag σ²(x, y))

The bound on log p(x) sums over the K values of y, so only z is drawn:

    Σ_y q(y|x) [ E_q(z|x,y) log p(x|z) − KL(q(z|x,y) ‖ p(z|y)) ] − KL(q(y|x) ‖ p(y))   [S4]

Taught in chapter 12; other ways to the gradient are in `inference/label_gradients.py`.
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, kl_divergence

from vaecourse._arguments import check_counts, check_whole
from vaecourse.distributions import DiagonalGaussian, drawn_shape, generator_of, standard_noise
from vaecourse.likelihoods import BernoulliLikelihood
from vaecourse.models.base import Count, Dimension, LatentModel, Seed, Widths
from vaecourse.networks import ACTIVATIONS, linear, mlp


class LabelledTerms(NamedTuple):
    """The three terms of the bound, each [B] in nats."""

    reconstruction: torch.Tensor
    kl_z: torch.Tensor
    kl_y: torch.Tensor

    @property
    def elbo(self):
        """reconstruction − kl_z − kl_y, [B]."""
        return self.reconstruction - self.kl_z - self.kl_y


class LabelledGaussian(MixtureSameFamily):
    """A label and a latent, with density Σ_y weight_y N(z; loc_y, diag exp(log_var_y)) of z.

    logits [..., K]; loc and log_var [..., K, J]. `label` and `latent` are the two factors: the
    categorical distribution, and the K Gaussians.
    """

    def __init__(self, logits, loc, log_var):
        self.label = Categorical(logits=logits, validate_args=False)
        self.latent = DiagonalGaussian(loc, log_var)
        super().__init__(self.label, self.latent, validate_args=False)

    def sample_label(self, sample_shape=(), generator=None):
        """Labels [*sample_shape, ...] from 0 to K − 1, by the Gumbel-max trick."""
        logits = self.label.logits
        noise = gumbel_noise(drawn_shape(sample_shape, logits.shape), logits, generator)
        return (logits + noise).argmax(-1)

    def rsample(self, sample_shape=(), generator=None):
        """z [*sample_shape, ..., J]; gradients reach loc and log_var of the drawn label only."""
        chosen = self.sample_label(sample_shape, generator)[..., None, None]
        chosen = chosen.expand(*chosen.shape[:-1], self.latent.loc.shape[-1])
        loc, scale = (
            parameter.expand(*sample_shape, *parameter.shape).gather(-2, chosen).squeeze(-2)
            for parameter in (self.latent.loc, self.latent.scale)
        )
        return loc + scale * standard_noise(loc.shape, loc, generator)


def gumbel_noise(shape, like, generator):
    """−log(−log u), u uniform: the noise whose arg max with logits added is a categorical draw."""
    generator = generator_of(generator, like.device)
    exponential = torch.empty(shape, dtype=like.dtype, device=like.device)
    return -exponential.exponential_(generator=generator).log()


class GMVAE(LatentModel):
    """A VAE whose prior is a mixture of K Gaussians with learned means and variances.

    data_dim: D, the width of a row of data; 784 for MNIST.
    latent_dim: J, the number of latents.
    num_components: K, the Gaussians of the mixture.
    hidden: widths of the encoder's hidden layers, which q(y|x) and q(z|x, y) share; the decoder
        mirrors them. y enters q(z|x, y) linearly: it shifts its mean and its log variance.
    activation: between hidden layers: "relu", "tanh", "softplus" or "sigmoid".
    skip: in training only, leave out the terms of the sum with q(y|x) below it; see `loss`.
    seed: of the initial weights.

    From random weights a few components take everything at first, and q(y|x) stays undecided for
    long (chapter 12): use `start_from`.
    """

    kind = "gmvae"
    shows = ("reconstructions",)

    def __init__(
        self,
        data_dim: Dimension,
        latent_dim: Dimension,
        num_components: Count,
        hidden: Widths = (256,),
        *,
        activation: Literal[tuple(ACTIVATIONS)] = "relu",
        skip: float = 0.0,
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(data_dim=data_dim, latent_dim=latent_dim, num_components=num_components)
        if not 0 <= skip < 1 / num_components:
            raise ValueError(
                f"skip is {skip}; it must be at least 0 and less than 1 / {num_components}, so "
                "that some component is left."
            )
        self.data_dim, self.latent_dim, self.num_components = data_dim, latent_dim, num_components
        self.skip = skip
        generator = torch.Generator().manual_seed(seed)
        widths = [data_dim, *hidden]
        self.body = _body(widths, activation, generator)
        self.to_label = linear(widths[-1], num_components, generator)
        self.to_latent = linear(widths[-1], 2 * latent_dim, generator)
        self.shift = nn.Parameter(torch.zeros(num_components, 2 * latent_dim))
        self.likelihood = BernoulliLikelihood(data_dim)
        self.decoder = mlp(
            [latent_dim, *reversed(hidden), data_dim], activation, generator=generator
        )
        noise = torch.randn(num_components, latent_dim, generator=generator)
        self.prior_loc = nn.Parameter(noise)
        self.prior_log_var = nn.Parameter(torch.zeros(num_components, latent_dim))

    # --- distributions ---------------------------------------------------------------------------

    @property
    def prior(self):
        """p(y) and p_θ(z|y)."""
        weights = self.prior_loc.new_zeros(self.num_components)
        return LabelledGaussian(weights, self.prior_loc, self.prior_log_var)

    def encode(self, x):
        """q_φ(y|x) and q_φ(z|x, y) for x [..., D]."""
        h = self.body(self.tensor(x, self.data_dim))
        loc, log_var = (self.to_latent(h)[..., None, :] + self.shift).chunk(2, dim=-1)
        return LabelledGaussian(self.to_label(h), loc, log_var)

    def decode(self, z):
        """p_θ(x|z) for z [..., J]: a distribution over x [..., D]."""
        return self.likelihood(self.decoder(self.tensor(z, self.latent_dim, "z")))

    def latent_at(self, x, y):
        """q_φ(z|x, y) for weights y [..., K] that sum to one: exact at a corner, one label.

        Between corners, the mean and the log variance are the weighted ones.
        """
        outputs = self.to_latent(self.body(self.tensor(x, self.data_dim)))
        loc, log_var = (outputs + y @ self.shift).chunk(2, dim=-1)
        return DiagonalGaussian(loc, log_var)

    def prior_at(self, y):
        """p_θ(z|y) for weights y [..., K] that sum to one, as `latent_at`."""
        return DiagonalGaussian(y @ self.prior_loc, y @ self.prior_log_var)

    # --- the bound -------------------------------------------------------------------------------

    def elbo_terms(self, x, num_samples=1, generator=None):
        """The three terms of the bound for x [B, D]; of them, only the reconstruction is drawn."""
        x = self.check(x)
        q = self.encode(x)
        z = q.latent.rsample((num_samples,), generator)
        log_likelihood = self.decode(z).log_prob(x[:, None]).mean(0)
        return self._terms(q, (q.label.probs * log_likelihood).sum(1))

    def _terms(self, q, reconstruction):
        kl_z = (q.label.probs * kl_divergence(q.latent, self.prior.latent)).sum(1)
        return LabelledTerms(reconstruction, kl_z, self.kl_y(q))

    def kl_y(self, q):
        """KL(q(y|x) ‖ p(y)) = log K − H(q(y|x)) for q = `encode(x)`: [B], nats."""
        return math.log(self.num_components) - q.label.entropy()

    def loss(self, x, generator=None):
        """−ELBO averaged over the rows of x, one draw of z for each y: what training minimizes.

        With `skip`, components with q(y|x) below it are not decoded and the others stand for them,
        in proportion: the price of a step falls from K decoders to one or two.
        """
        q = self.encode(x)
        return -self._terms(q, self._reconstruction(x, q, generator)).elbo.mean()

    def _reconstruction(self, x, q, generator):
        """Σ_y q(y|x) log p(x|z) over the labels that matter, at one draw of z each: [B]."""
        z = q.latent.rsample((), generator)
        # Not ">=": NaN is to be kept, and to make the loss NaN.
        row, label = (~(q.label.probs < self.skip)).nonzero(as_tuple=True)
        weight = q.label.probs[row, label]
        log_likelihood = self.decode(z[row, label]).log_prob(x[row])
        sums = torch.stack([weight * log_likelihood, weight], dim=1)
        total, kept = x.new_zeros(len(x), 2).index_add(0, row, sums).unbind(1)
        return total / kept

    # --- a start ---------------------------------------------------------------------------------

    def start_from(self, vae, mixture, x):
        """Take over a trained `VAE` and a `GaussianMixture` fitted to its codes; returns self.

        The networks are those of `vae`, which must have the same widths; p(z|y) has the means and
        variances of the components of `mixture`; q(y|x) is fitted to its responsibilities at the
        rows of x [B, D]. No label is used. The start of VaDE [JZT+17].
        """
        x = self.check(x)
        for name in ("data_dim", "latent_dim", "hidden", "activation"):
            mine, theirs = self.params[name], vae.params[name]
            if mine != theirs:
                raise ValueError(f"{name} of the vae is {theirs}; it must be {mine}, as here.")
        with torch.no_grad():
            self.body.load_state_dict(vae.encoder[:-1].state_dict())
            self.to_latent.load_state_dict(vae.encoder[-1].state_dict())
            self.decoder.load_state_dict(vae.decoder.state_dict())
            self.shift.zero_()
            self.prior_loc.copy_(mixture.means_)
            self.prior_log_var.copy_(mixture.covariances_.diagonal(dim1=1, dim2=2).log())
            responsibilities = mixture.responsibilities(vae.encode(x).loc.double()).to(x.dtype)
            h = self.body(x)
        self._fit_label(h, responsibilities)
        return self

    def _fit_label(self, h, target):
        """Logistic regression of the responsibilities [B, K] on the features h [B, H]."""
        optimizer = torch.optim.LBFGS(
            self.to_label.parameters(), max_iter=60, line_search_fn="strong_wolfe"
        )

        def closure():
            optimizer.zero_grad()
            loss = -(target * self.to_label(h).log_softmax(1)).sum(1).mean()
            loss.backward()
            return loss

        optimizer.step(closure)
        optimizer.zero_grad()

    # --- use -------------------------------------------------------------------------------------

    @torch.no_grad()
    def classify(self, x):
        """The label of largest q(y|x) for each row of x [B, D]: [B], from 0 to K − 1."""
        x = self.check(x)
        return self.to_label(self.body(x)).argmax(1)

    @torch.no_grad()
    def sample(self, n, generator=None, label=None):
        """n draws of x, [n, D]: first y, or the given `label`, then z, then x."""
        if label is None:
            y = self.prior.sample_label((n,), generator)
        else:
            check_whole("label", label, self.num_components - 1)
            y = torch.full((n,), label)
        z = self.prior.latent.sample((n,), generator)[torch.arange(n), y]
        return self.decode(z).sample((), generator)

    @torch.no_grad()
    def reconstruct(self, x):
        """The mean of p(x|z) at the mean of q(z|x, y) for the likeliest y, [B, D]."""
        label = self.classify(x)
        means = self.encode(x).latent.mean
        return self.decode(means[torch.arange(len(x)), label]).mean


def _body(widths, activation, generator):
    """Layers with an activation after each; without layers, the identity."""
    if len(widths) == 1:
        return nn.Identity()
    return nn.Sequential(*mlp(widths, activation, generator=generator), ACTIVATIONS[activation]())
