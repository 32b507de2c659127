"""The likelihood of 8-bit pixels: a logistic density, summed over the bin of each grey level.

Taught in chapter 13.
"""

import math

import torch
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid

from vaecourse._arguments import bytes_hint
from vaecourse.distributions import Likelihood, drawn_shape, generator_of


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
            shape = drawn_shape(sample_shape, self.loc.shape)
            generator = generator_of(generator, self.loc.device)
            options = {"dtype": self.loc.dtype, "device": self.loc.device}
            u = torch.rand(shape, generator=generator, **options).clamp(1e-6, 1 - 1e-6)
            x = self.loc + self.log_scale.exp() * u.logit()
            return (255 * x).round().clamp(0, 255) / 255


class DiscretizedLogisticLikelihood(Likelihood):
    """p(x|z) for 8-bit pixels: a network gives D locations and D values of log scale."""

    # A network that starts near zero starts at mid-grey, with a scale of an eighth of the range.
    per_dimension = 2
    LOC, LOG_SCALE, SMALLEST = 0.5, math.log(1 / 8), -7.0

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
            inside = x.min() >= 0 and x.max() <= 1
            hint = "; (255 * x).round() / 255 are such" if inside else bytes_hint(x)
            raise ValueError(
                f"x has values that are {off:.2g} grey levels from the nearest of 0, 1/255, …, 1; "
                f"a discretized logistic likelihood takes only those{hint}."
            )
