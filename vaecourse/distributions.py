"""The families: what a network's output means as a distribution.

Each distribution here is a `torch.distributions` one, with two additions: it draws from a
generator that is passed in, and it keeps the parameters by the names the course uses.
A family (`DiagonalPosterior(dim)`, …) says how many outputs a network needs, head by head, and
turns them into a distribution; those over x are in `likelihoods`, those of latents that are
positive in `positive_latents`. Taught in chapters 08, 09 and 10.
"""

import math

import torch
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, Poisson

from vaecourse._arguments import check_choice, check_prior

PRIORS = ("normal", "exponential", "gamma")  # see `positive_latents` for the latter two


def generator_of(generator, device="cpu"):
    """`generator`, or for None a fresh one, seeded by the operating system; ValueError for what is
    none, a seed say."""
    if generator is None:
        generator = torch.Generator(device=device)
        generator.seed()
    if not isinstance(generator, torch.Generator):
        seed = generator if isinstance(generator, int) else 0
        raise ValueError(
            f"generator is {generator!r}; it must be a torch.Generator, "
            f"torch.Generator().manual_seed({seed}) say."
        )
    return generator


def drawn_shape(sample_shape, shape):
    """The shape of draws, [*sample_shape, *shape]; ValueError for a number in place of a shape."""
    try:
        return (*sample_shape, *shape)
    except TypeError:
        raise ValueError(
            f"sample_shape is {sample_shape!r}; it must be a tuple, ({sample_shape!r},) say."
        ) from None


def standard_noise(shape, like, generator):
    """ε ~ N(0, I) of the given shape, with the dtype and device of `like`."""
    generator = generator_of(generator, like.device)
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def at_least(values, floor):
    """`values`, but no less than `floor`, with a gradient that a minimization can use.

    Below the floor the gradient passes where a step along it raises the value and is zero where
    it would lower it further: `clamp` gives zero in both cases, and what is below stays there.
    """
    return _AtLeast.apply(values, floor)


class _AtLeast(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, floor):
        ctx.save_for_backward(values < floor)
        return values.clamp(min=floor)

    @staticmethod
    def backward(ctx, gradient):
        (below,) = ctx.saved_tensors
        return gradient.masked_fill(below & (gradient > 0), 0), None


class Reparametrized:
    """A distribution that is drawn by `rsample`, with gradients or without."""

    def sample(self, sample_shape=(), generator=None):
        """As `rsample`, without gradients."""
        with torch.no_grad():
            return self.rsample(sample_shape, generator)


class DiagonalGaussian(Reparametrized, Independent):
    """N(loc, diag exp(log_var)); `loc` and `log_var` are [..., D], log densities are in nats."""

    def __init__(self, loc, log_var):
        scale = (0.5 * log_var).exp()
        super().__init__(Normal(loc, scale, validate_args=False), 1, validate_args=False)
        self.loc, self.log_var, self.scale = loc, log_var, scale

    def rsample(self, sample_shape=(), generator=None):
        """z = loc + scale ⊙ ε, [*sample_shape, ..., D]; gradients reach loc and log_var."""
        eps = standard_noise(drawn_shape(sample_shape, self.loc.shape), self.loc, generator)
        return self.loc + self.scale * eps


class FullGaussian(Reparametrized, MultivariateNormal):
    """N(loc, L Lᵀ) with L = `scale_tril`, lower triangular; log densities are in nats."""

    def __init__(self, loc, scale_tril):
        super().__init__(loc, scale_tril=scale_tril, validate_args=False)

    def rsample(self, sample_shape=(), generator=None):
        """z = loc + L ε, [*sample_shape, ..., D]; gradients reach loc and L."""
        eps = standard_noise(drawn_shape(sample_shape, self.loc.shape), self.loc, generator)
        return self.loc + (self.scale_tril @ eps.unsqueeze(-1)).squeeze(-1)


class BernoulliPixels(Independent):
    """Independent Bernoulli pixels, given by their `logits` [..., D].

    `log_prob` also accepts grey levels in [0, 1]; what it returns is then a cross entropy,
    not a log-likelihood (chapter 14).
    """

    def __init__(self, logits):
        super().__init__(Bernoulli(logits=logits, validate_args=False), 1, validate_args=False)
        self.logits = logits

    def log_prob(self, value):
        """Σ_d x_d l_d − log(1 + exp l_d) for x = `value` [..., D] and logits l: [...], nats."""
        if self.logits.requires_grad and torch.is_grad_enabled():
            return super().log_prob(value)
        # einsum makes no tensor of products, and so takes a quarter of the time of a sum of them.
        return torch.einsum("...d,...d->...", value, self.logits) - sum_of_softplus(self.logits)

    def sample(self, sample_shape=(), generator=None):
        """Zeros and ones, [*sample_shape, ..., D]."""
        with torch.no_grad():
            probabilities = self.mean.expand(drawn_shape(sample_shape, self.logits.shape))
            generator = generator_of(generator, self.logits.device)
            return torch.bernoulli(probabilities, generator=generator)


def sum_of_softplus(logits):
    """Σ_d log(1 + exp l_d) over the last axis of l [..., D]: [...]; gradients do not pass.

    log(1 + e^−|l|) is taken of products of up to 64 pixels at a time, which lie in [1, 2⁶⁴]: a
    logarithm costs ten multiplications.
    """
    size = math.gcd(logits.shape[-1], 64)
    magnitude = logits.abs()
    positive = 0.5 * (logits.sum(-1) + magnitude.sum(-1))
    factors = magnitude.neg_().exp_().add_(1)
    return positive + factors.unflatten(-1, (size, -1)).prod(-2).log().sum(-1)


def _double(values):
    """`values` in float64: on the CPU if they are on mps, which has none."""
    return (values.cpu() if values.device.type == "mps" else values).double()


class PoissonCounts(Independent):
    """Independent Poisson counts, given by their `log_rate` [..., D]."""

    def __init__(self, log_rate):
        rate = log_rate.exp()
        super().__init__(Poisson(rate, validate_args=False), 1, validate_args=False)
        self.log_rate, self.rate = log_rate, rate

    def log_prob(self, x):
        """Σ x log rate − rate − log x!, without taking a logarithm of the rate; nats."""
        # in float64: of counts in the ten thousands float32 loses nats, for the terms cancel
        wide, log_rate = _double(x), _double(self.log_rate)
        values = (wide * log_rate - log_rate.exp() - torch.lgamma(wide + 1)).sum(-1)
        return values.to(torch.result_type(x, self.log_rate)).to(self.log_rate.device)

    def sample(self, sample_shape=(), generator=None):
        """Whole numbers from zero, [*sample_shape, ..., D]."""
        with torch.no_grad():
            rate = self.rate.expand(drawn_shape(sample_shape, self.rate.shape))
            return torch.poisson(rate, generator_of(generator, rate.device))


class Posterior:
    """q(z|x): what a network's outputs mean, and the prior on the same z that goes with it.

    A network gives `num_outputs` values, head by head in `heads`; a call turns them into a
    distribution. priors: the names of those that reach the same z, the default first.
    """

    priors = ("normal",)

    def __init__(self, name, dim, heads, prior):
        if prior is not None:
            check_choice("prior", prior, PRIORS)
            check_prior(prior, self.priors, name)
        self.dim, self.heads, self.num_outputs = dim, heads, sum(heads)
        self.prior_name = prior or self.priors[0]

    def prior(self, like):
        """The prior of that name, in the dtype and on the device of `like`."""
        return self.standard(torch.zeros(self.dim, dtype=like.dtype, device=like.device))


class DiagonalPosterior(Posterior):
    """q(z|x) = N(μ, diag σ²): a network gives μ and log σ², 2 J outputs for J latents."""

    def __init__(self, dim, prior=None):
        super().__init__("diagonal", dim, (dim, dim), prior)

    def __call__(self, outputs):
        loc, log_var = outputs.chunk(2, dim=-1)
        return DiagonalGaussian(loc, log_var)

    def standard(self, zeros):
        """The standard normal of the same kind."""
        return DiagonalGaussian(zeros, zeros)


class FullPosterior(Posterior):
    """q(z|x) = N(μ, L Lᵀ) with L = mask ⊙ L′ + diag σ: J + J + J (J − 1) / 2 outputs [S0.12].

    The diagonal of L is σ = exp(½ log σ²), so L is always invertible and
    log |det L| = Σ log σ; σ is then not the standard deviation of z.
    """

    def __init__(self, dim, prior=None):
        pairs = dim * (dim - 1) // 2
        super().__init__("full", dim, (dim, dim, pairs) if pairs else (dim, dim), prior)
        self._below = torch.tril_indices(dim, dim, offset=-1)

    def __call__(self, outputs):
        loc, log_var, below = outputs.tensor_split([self.dim, 2 * self.dim], dim=-1)
        scale_tril = torch.diag_embed((0.5 * log_var).exp())
        row, column = self._below.to(outputs.device)
        scale_tril[..., row, column] = below
        return FullGaussian(loc, scale_tril)

    def standard(self, zeros):
        """The standard normal of the same kind."""
        return FullGaussian(zeros, torch.diag(torch.ones_like(zeros)))


class Likelihood:
    """p(x|z): outputs of a network, head by head of `dim` each, as a distribution over x."""

    per_dimension = 1  # outputs for each dimension of x

    def __init__(self, dim):
        self.dim, self.heads = dim, (dim,) * self.per_dimension
        self.num_outputs = dim * self.per_dimension

    def scaled(self, x):
        """x [..., D] as an encoder is to see it: here as it is."""
        return x

    def prepare(self, x):
        """Look at the training data x [N, D], once, before training: here nothing is needed."""
