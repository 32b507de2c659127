"""The families: what a network's output means as a distribution.

Each distribution here is a `torch.distributions` one, with two additions: it draws from a
generator that is passed in, and it keeps the parameters by the names the course uses.
A family (`DiagonalPosterior(dim)`, `BernoulliLikelihood(dim)`, …) says how many outputs a
network needs, head by head, and turns them into a distribution. Taught in chapters 08, 09 and 10.
"""

import math

import torch
from torch.distributions import (
    Bernoulli,
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    constraints,
)
from torch.nn.functional import logsigmoid


def fresh_generator(device="cpu"):
    """A generator seeded by the operating system, for callers that pass none."""
    generator = torch.Generator(device=device)
    generator.seed()
    return generator


def standard_noise(shape, like, generator):
    """ε ~ N(0, I) of the given shape, with the dtype and device of `like`."""
    generator = generator or fresh_generator(like.device)
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


class DiagonalGaussian(Independent):
    """N(loc, diag exp(log_var)); `loc` and `log_var` are [..., D], log densities are in nats."""

    def __init__(self, loc, log_var):
        scale = (0.5 * log_var).exp()
        super().__init__(Normal(loc, scale, validate_args=False), 1, validate_args=False)
        self.loc, self.log_var, self.scale = loc, log_var, scale

    def rsample(self, sample_shape=(), generator=None):
        """z = loc + scale ⊙ ε, [*sample_shape, ..., D]; gradients reach loc and log_var."""
        eps = standard_noise((*sample_shape, *self.loc.shape), self.loc, generator)
        return self.loc + self.scale * eps

    def sample(self, sample_shape=(), generator=None):
        """As `rsample`, without gradients."""
        with torch.no_grad():
            return self.rsample(sample_shape, generator)


class FullGaussian(MultivariateNormal):
    """N(loc, L Lᵀ) with L = `scale_tril`, lower triangular; log densities are in nats."""

    def __init__(self, loc, scale_tril):
        super().__init__(loc, scale_tril=scale_tril, validate_args=False)

    def rsample(self, sample_shape=(), generator=None):
        """z = loc + L ε, [*sample_shape, ..., D]; gradients reach loc and L."""
        eps = standard_noise((*sample_shape, *self.loc.shape), self.loc, generator)
        return self.loc + (self.scale_tril @ eps.unsqueeze(-1)).squeeze(-1)

    def sample(self, sample_shape=(), generator=None):
        """As `rsample`, without gradients."""
        with torch.no_grad():
            return self.rsample(sample_shape, generator)


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


class DiagonalPosterior:
    """q(z|x) = N(μ, diag σ²): a network gives μ and log σ², 2 J outputs for J latents."""

    def __init__(self, dim):
        self.dim, self.heads, self.num_outputs = dim, (dim, dim), 2 * dim

    def __call__(self, outputs):
        loc, log_var = outputs.chunk(2, dim=-1)
        return DiagonalGaussian(loc, log_var)

    def prior(self, like):
        """The standard normal of the same kind, in the dtype and on the device of `like`."""
        zeros = torch.zeros(self.dim, dtype=like.dtype, device=like.device)
        return DiagonalGaussian(zeros, zeros)


class FullPosterior:
    """q(z|x) = N(μ, L Lᵀ) with L = mask ⊙ L′ + diag σ: J + J + J (J − 1) / 2 outputs [S0.12].

    The diagonal of L is σ = exp(½ log σ²), so L is always invertible and
    log |det L| = Σ log σ; σ is then not the standard deviation of z.
    """

    def __init__(self, dim):
        pairs = dim * (dim - 1) // 2
        self.heads = (dim, dim, pairs) if pairs else (dim, dim)
        self.dim, self.num_outputs = dim, sum(self.heads)
        self._below = torch.tril_indices(dim, dim, offset=-1)

    def __call__(self, outputs):
        loc, log_var, below = outputs.tensor_split([self.dim, 2 * self.dim], dim=-1)
        scale_tril = torch.diag_embed((0.5 * log_var).exp())
        row, column = self._below.to(outputs.device)
        scale_tril[..., row, column] = below
        return FullGaussian(loc, scale_tril)

    def prior(self, like):
        """The standard normal of the same kind, in the dtype and on the device of `like`."""
        zeros = torch.zeros(self.dim, dtype=like.dtype, device=like.device)
        return FullGaussian(zeros, torch.diag(torch.ones_like(zeros)))


class BernoulliLikelihood:
    """p(x|z) for binary pixels: a network gives one logit a pixel."""

    def __init__(self, dim):
        self.dim, self.heads, self.num_outputs = dim, (dim,), dim

    def __call__(self, outputs):
        return BernoulliPixels(outputs)

    def check(self, x):
        """Raise ValueError where x leaves [0, 1]."""
        low, high = x.min().item(), x.max().item()
        if low < 0 or high > 1:
            raise ValueError(
                f"x has values from {low:g} to {high:g}; "
                "a Bernoulli likelihood takes pixels in [0, 1]."
            )


class GaussianLikelihood:
    """p(x|z) = N(mean, diag σ²).

    With `noise_variance` the variance is that number for every dimension and a network gives
    the D means; without it the network gives D means and D values of log σ².
    """

    def __init__(self, dim, noise_variance=None):
        if noise_variance is not None and not (0 < noise_variance < math.inf):
            raise ValueError(f"noise_variance is {noise_variance}; it must be positive and finite.")
        self.dim, self.noise_variance = dim, noise_variance
        self.heads = (dim,) if noise_variance is not None else (dim, dim)
        self.num_outputs = sum(self.heads)

    def __call__(self, outputs):
        if self.noise_variance is None:
            loc, log_var = outputs.chunk(2, dim=-1)
            return DiagonalGaussian(loc, log_var)
        return DiagonalGaussian(outputs, torch.full_like(outputs, math.log(self.noise_variance)))

    def check(self, x):
        """Every finite x is possible under a Gaussian: nothing to refuse."""


class DiscretizedLogisticLikelihood:
    """p(x|z) for 8-bit pixels: a network gives D locations and D values of log scale."""

    # A network that starts near zero starts at mid-grey, with a scale of an eighth of the range.
    LOC, LOG_SCALE, SMALLEST = 0.5, math.log(1 / 8), -7.0

    def __init__(self, dim):
        self.dim, self.heads, self.num_outputs = dim, (dim, dim), 2 * dim

    def __call__(self, outputs):
        loc, log_scale = outputs.chunk(2, dim=-1)
        # Below a quarter of a grey level nothing is to be won, and gradients grow without end.
        log_scale = (log_scale + self.LOG_SCALE).clamp(min=self.SMALLEST)
        return DiscretizedLogistic(loc + self.LOC, log_scale)

    def check(self, x):
        """Raise ValueError unless every value of x is k / 255 for some k from 0 to 255."""
        levels = 255 * x
        off = (levels - levels.round().clamp(0, 255)).abs().max().item()
        if off > 1e-3:
            raise ValueError(
                f"x has values that are {off:.2g} grey levels from the nearest of 0, 1/255, …, 1; "
                "a discretized logistic likelihood takes only those."
            )


POSTERIORS = {"diagonal": DiagonalPosterior, "full": FullPosterior}
LIKELIHOODS = {
    "bernoulli": BernoulliLikelihood,
    "gaussian": GaussianLikelihood,
    "discretized_logistic": DiscretizedLogisticLikelihood,
}


def named(families, name, argument):
    """The family of that name, or a ValueError that lists the accepted names."""
    if name not in families:
        accepted = ", ".join(families)
        raise ValueError(f"{argument} is {name!r}; it must be one of {accepted}.")
    return families[name]


def likelihood_of(name, dim, noise_variance=None):
    """The likelihood of that name over x [..., dim]; ValueError for a name or variance it lacks."""
    family = named(LIKELIHOODS, name, "likelihood")
    if family is GaussianLikelihood:
        return family(dim, noise_variance)
    if noise_variance is not None:
        raise ValueError(f"noise_variance is {noise_variance}; a {name} likelihood has none.")
    return family(dim)
