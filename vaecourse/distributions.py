"""The families: what a network's output means as a distribution.

Each distribution here is a `torch.distributions` one, with two additions: it draws from a
generator that is passed in, and it keeps the parameters by the names the course uses.
A family (`DiagonalPosterior(dim)`, `GammaPosterior(dim)`, …) says how many outputs a network
needs, head by head, and turns them into a distribution; those over x are in `likelihoods`.
Taught in chapters 08, 09 and 10.
"""

import math

import torch
from torch.distributions import (
    Bernoulli,
    Distribution,
    Exponential,
    Gamma,
    Independent,
    MultivariateNormal,
    Normal,
    Poisson,
    constraints,
)
from torch.nn.functional import logsigmoid

from vaecourse._arguments import check_choice

SHAPE_FLOOR = 0.3  # below it, float32 draws of a gamma underflow to zero


def fresh_generator(device="cpu"):
    """A generator seeded by the operating system, for callers that pass none."""
    generator = torch.Generator(device=device)
    generator.seed()
    return generator


def standard_noise(shape, like, generator):
    """ε ~ N(0, I) of the given shape, with the dtype and device of `like`."""
    generator = generator or fresh_generator(like.device)
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
        eps = standard_noise((*sample_shape, *self.loc.shape), self.loc, generator)
        return self.loc + self.scale * eps


class FullGaussian(Reparametrized, MultivariateNormal):
    """N(loc, L Lᵀ) with L = `scale_tril`, lower triangular; log densities are in nats."""

    def __init__(self, loc, scale_tril):
        super().__init__(loc, scale_tril=scale_tril, validate_args=False)

    def rsample(self, sample_shape=(), generator=None):
        """z = loc + L ε, [*sample_shape, ..., D]; gradients reach loc and L."""
        eps = standard_noise((*sample_shape, *self.loc.shape), self.loc, generator)
        return self.loc + (self.scale_tril @ eps.unsqueeze(-1)).squeeze(-1)


class ExponentialLatents(Reparametrized, Independent):
    """Independent exponentials, given by their `log_rate` [..., D]; log densities in nats."""

    def __init__(self, log_rate):
        rate = log_rate.exp()
        super().__init__(Exponential(rate, validate_args=False), 1, validate_args=False)
        self.log_rate, self.rate = log_rate, rate

    def rsample(self, sample_shape=(), generator=None):
        """z = −log(u) / rate, the inverse CDF at a uniform u: [*sample_shape, ..., D].

        Gradients reach log_rate. [S3] section 3.6; chapter 08.
        """
        eps = torch.empty_like(self.rate).expand(*sample_shape, *self.rate.shape).contiguous()
        eps.exponential_(generator=generator or fresh_generator(eps.device))
        return eps.clamp_(min=torch.finfo(eps.dtype).tiny) / self.rate


class GammaLatents(Reparametrized, Independent):
    """Independent gammas, given by `log_shape` and `log_rate` [..., D]; log densities in nats.

    Draws are kept above the smallest normal number of their dtype, where the log density of a
    shape other than one is still finite.
    """

    def __init__(self, log_shape, log_rate):
        concentration, rate = log_shape.exp(), log_rate.exp()
        super().__init__(Gamma(concentration, rate, validate_args=False), 1, validate_args=False)
        self.log_shape, self.log_rate = log_shape, log_rate
        self.concentration, self.rate = concentration, rate

    def rsample(self, sample_shape=(), generator=None):
        """z ~ Gamma(shape, 1) by rejection, over the rate: [*sample_shape, ..., D].

        Gradients reach both parameters; log_shape by the implicit −(∂F/∂α)/p, which torch
        computes (chapter 08).
        """
        concentration = self.concentration.expand(*sample_shape, *self.concentration.shape)
        generator = generator or fresh_generator(self.rate.device)
        z = torch._standard_gamma(concentration, generator=generator) / self.rate
        return z.clamp(min=torch.finfo(z.dtype).tiny)


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
        return torch.einsum("...d,...d->...", value, self.logits) - _sum_of_softplus(self.logits)

    def sample(self, sample_shape=(), generator=None):
        """Zeros and ones, [*sample_shape, ..., D]."""
        with torch.no_grad():
            probabilities = self.mean.expand(*sample_shape, *self.logits.shape)
            generator = generator or fresh_generator(self.logits.device)
            return torch.bernoulli(probabilities, generator=generator)


def _sum_of_softplus(logits):
    """Σ_d log(1 + exp l_d) over the last axis of l [..., D]: [...]; gradients do not pass.

    log(1 + e^−|l|) is taken of products of up to 64 pixels at a time, which lie in [1, 2⁶⁴]: a
    logarithm costs ten multiplications.
    """
    size = math.gcd(logits.shape[-1], 64)
    magnitude = logits.abs()
    positive = 0.5 * (logits.sum(-1) + magnitude.sum(-1))
    factors = magnitude.neg_().exp_().add_(1)
    return positive + factors.unflatten(-1, (size, -1)).prod(-2).log().sum(-1)


class DiscretizedLogistic(Distribution):
    """Independent 8-bit pixels x = k / 255: a logistic density summed over bins of width 1 / 255.

    `loc` and `log_scale` are [..., D]; the first and the last bin reach to −∞ and ∞, so that the
    256 probabilities sum to 1 [SKCK17]. log_prob is in nats, of a discrete variable: never above 0.
    """

    support = constraints.real_vector
    arg_constraints = {}

    def __init__(self, loc, log_scale):
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)
        self.loc, self.log_scale = loc, log_scale

    def log_prob(self, value):
        """Σ_d log p(x_d) for x = `value` [..., D] of multiples of 1 / 255: [...]."""
        precision = (-self.log_scale).exp()
        centred = (value - self.loc) * precision
        half = precision / 510
        # σ(a) − σ(b) = σ(a) σ(−b) (1 − e^−(a − b)): no digits cancel, however thin the bin.
        below = torch.where(value < 1 - 1e-3, logsigmoid(centred + half), 0.0)
        above = torch.where(value > 1e-3, logsigmoid(half - centred), 0.0)
        inside = (value > 1e-3) & (value < 1 - 1e-3)
        width = torch.where(inside, torch.log(-torch.expm1(-2 * half)), 0.0)
        return (below + above + width).sum(-1)

    @property
    def mean(self):
        """The location, cut to [0, 1]; a picture, which the true mean differs little from."""
        return self.loc.clamp(0, 1)

    def sample(self, sample_shape=(), generator=None):
        """Multiples of 1 / 255, [*sample_shape, ..., D]."""
        with torch.no_grad():
            shape = (*sample_shape, *self.loc.shape)
            generator = generator or fresh_generator(self.loc.device)
            options = {"dtype": self.loc.dtype, "device": self.loc.device}
            u = torch.rand(shape, generator=generator, **options).clamp(1e-6, 1 - 1e-6)
            x = self.loc + self.log_scale.exp() * u.logit()
            return (255 * x).round().clamp(0, 255) / 255


class PoissonCounts(Independent):
    """Independent Poisson counts, given by their `log_rate` [..., D]."""

    def __init__(self, log_rate):
        rate = log_rate.exp()
        super().__init__(Poisson(rate, validate_args=False), 1, validate_args=False)
        self.log_rate, self.rate = log_rate, rate

    def log_prob(self, x):
        """Σ x log rate − rate − log x!, without taking a logarithm of the rate; nats."""
        return (x * self.log_rate - self.rate - torch.lgamma(x + 1)).sum(-1)

    def sample(self, sample_shape=(), generator=None):
        """Whole numbers from zero, [*sample_shape, ..., D]."""
        with torch.no_grad():
            rate = self.rate.expand(*sample_shape, *self.rate.shape)
            return torch.poisson(rate, generator or fresh_generator(rate.device))


PRIORS = ("normal", "exponential", "gamma")  # N(0, 1), Exponential(1), Gamma(2, 1), independent
PRIOR_SHAPE = 2.0


class Posterior:
    """q(z|x): what a network's outputs mean, and the prior on the same z that goes with it.

    A network gives `num_outputs` values, head by head in `heads`; a call turns them into a
    distribution. priors: the names of those that reach the same z, the default first.
    """

    priors = ("normal",)

    def __init__(self, name, dim, heads, prior):
        _check_prior(prior, self.priors, name)
        self.dim, self.heads, self.num_outputs = dim, heads, sum(heads)
        self.prior_name = prior or self.priors[0]

    def prior(self, like):
        """The prior of that name, in the dtype and on the device of `like`."""
        zeros = torch.zeros(self.dim, dtype=like.dtype, device=like.device)
        if self.prior_name == "exponential":
            return ExponentialLatents(zeros)
        if self.prior_name == "gamma":
            return GammaLatents(zeros + math.log(PRIOR_SHAPE), zeros)
        return self.standard(zeros)


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


class ExponentialPosterior(Posterior):
    """q(z|x) of independent exponentials on z > 0: a network gives J values of log rate."""

    priors = ("exponential", "gamma")

    def __init__(self, dim, prior=None):
        super().__init__("exponential", dim, (dim,), prior)

    def __call__(self, outputs):
        return ExponentialLatents(outputs)


class GammaPosterior(Posterior):
    """q(z|x) of independent gammas on z > 0: a network gives J log shapes and J log rates.

    The shape is held at `SHAPE_FLOOR` or above: the density of a smaller one is all but a spike
    at zero, which neither float32 draws nor their gradients can follow.
    """

    priors = ("gamma", "exponential")

    def __init__(self, dim, prior=None):
        super().__init__("gamma", dim, (dim, dim), prior)

    def __call__(self, outputs):
        log_shape, log_rate = outputs.chunk(2, dim=-1)
        return GammaLatents(at_least(log_shape, math.log(SHAPE_FLOOR)), log_rate)


def _check_prior(prior, accepted, posterior):
    """Raise ValueError unless q and the prior can reach the same z."""
    if prior is None or prior in accepted:
        return
    check_choice("prior", prior, PRIORS)
    reason = (
        "the normal prior draws negative z too, which such a posterior never shows the decoder"
        if prior == "normal"
        else f"the posterior reaches negative z, where {prior} density is 0 and the KL infinite"
    )
    raise ValueError(
        f"prior is {prior!r} beside the posterior {posterior!r}, which takes "
        f"{' or '.join(sorted(accepted))}: {reason}."
    )


POSTERIORS = {
    "diagonal": DiagonalPosterior,
    "full": FullPosterior,
    "exponential": ExponentialPosterior,
    "gamma": GammaPosterior,
}
