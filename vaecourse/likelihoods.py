"""The likelihoods p(x|z): what a decoder's output means as a distribution over data.

A family says how many outputs a network needs, head by head, turns them into a distribution, and
checks that data can come from it. All constants are kept. Taught in chapters 09 and 10.
"""

import math
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Gt
from torch import nn

from vaecourse._arguments import (
    bytes_hint,
    check_deviations,
    check_positive,
    check_range,
    check_units,
    chosen,
    first_column,
)
from vaecourse.discretized_logistic import DiscretizedLogisticLikelihood
from vaecourse.distributions import (
    BernoulliPixels,
    DiagonalGaussian,
    Likelihood,
    PoissonCounts,
    at_least,
)

VARIANCE_FLOOR = 1e-6  # about the variance of rounding to 256 grey levels, (1/255)² / 12
LEARNED_VARIANCES = ("shared", "per_dimension", "from_z")
NoiseVariance = Annotated[
    Annotated[float, Gt(0)] | Literal[LEARNED_VARIANCES] | None,
    "a positive number, 'shared', 'per_dimension', 'from_z' or null",
]


class BernoulliLikelihood(Likelihood):
    """p(x|z) for binary pixels: a network gives one logit a pixel."""

    def __call__(self, outputs):
        return BernoulliPixels(outputs)

    def check(self, x):
        """Raise ValueError where x leaves [0, 1]."""
        low, high = x.min().item(), x.max().item()
        if low < 0 or high > 1:
            raise ValueError(
                f"x has values from {low:g} to {high:g}, first outside in column "
                f"{first_column((x < 0) | (x > 1))}; a Bernoulli likelihood takes pixels in [0, 1]"
                f"{bytes_hint(x)}."
            )


class PoissonLikelihood(Likelihood):
    """p(x|z) for counts: a network gives one log rate a dimension."""

    def __call__(self, outputs):
        return PoissonCounts(outputs)

    def scaled(self, x):
        """log(1 + x): counts in the thousands, too, within reach of a network."""
        return x.log1p()

    def check(self, x):
        """Raise ValueError where x is not a whole number from zero."""
        wrong = (x < 0) | (x != x.round())
        if wrong.any():
            raise ValueError(
                f"x has a value of {x[wrong][0].item():g} in column {first_column(wrong)}; "
                "a Poisson likelihood takes counts 0, 1, 2, …"
            )


class GaussianLikelihood(nn.Module):
    """p(x|z) = N(mean, diag σ²), where `noise_variance` says what σ² is:

    a number: that, for every dimension; a network gives the D means.
    "shared": one learned parameter for all dimensions.
    "per_dimension": one learned parameter for each.
    "from_z": a network gives D values of log σ² beside the means.
    None: as "from_z", and without a floor unless `variance_floor` is given.

    A learned variance is held at `variance_floor` or above. Without a floor the likelihood has
    no maximum: where a dimension of the data is constant (the corners of a digit), or the mean
    can hit a point, the density grows without bound as σ² falls to zero, and a fit chases that
    instead of the data. Below the precision to which the data were recorded the density says
    nothing; the default is that of grey levels over 255. Chapter 10.

    With `standardize` the network's outputs mean (x − shift) / scale, the mean and the standard
    deviation of each column of the training data, which `prepare` sets: so do the variances and
    the floor. The distribution is that of x itself, so that its log density, in nats, compares
    with that of any other model of x: the factor 1 / scale of the density is kept.
    """

    def __init__(self, dim, noise_variance=None, variance_floor=None, standardize=False):
        super().__init__()
        self.standardize = standardize
        if standardize:
            self.register_buffer("shift", torch.zeros(dim))
            self.register_buffer("scale", torch.ones(dim))
        word = noise_variance is None or isinstance(noise_variance, str)
        self.fixed = not word and np.ndim(noise_variance) == 0
        if self.fixed:
            check_positive("noise_variance", noise_variance)
        elif not word or noise_variance not in (None, *LEARNED_VARIANCES):
            raise ValueError(
                f"noise_variance is {noise_variance!r}; it must be a positive number or one of "
                f"{', '.join(LEARNED_VARIANCES)}."
            )
        if self.fixed and variance_floor is not None:
            raise ValueError(
                f"variance_floor is {variance_floor}; a fixed noise_variance, {noise_variance} "
                "here, has no need of one."
            )
        if variance_floor is not None:
            check_positive("variance_floor", variance_floor)
        self.dim, self.noise_variance = dim, noise_variance
        self.from_z = noise_variance in (None, "from_z")
        self.heads = (dim, dim) if self.from_z else (dim,)
        self.num_outputs = sum(self.heads)
        if variance_floor is None and isinstance(noise_variance, str):
            variance_floor = VARIANCE_FLOOR
        self.variance_floor = variance_floor
        if noise_variance in ("shared", "per_dimension"):
            self.log_var = nn.Parameter(torch.zeros(1 if noise_variance == "shared" else dim))

    def forward(self, outputs):
        """The distribution of x [..., D] from a network's outputs."""
        if self.fixed:
            loc, log_var = outputs, torch.full_like(outputs, math.log(self.noise_variance))
        elif self.from_z:
            loc, log_var = outputs.chunk(2, dim=-1)
        else:
            loc, log_var = outputs, self.log_var.expand_as(outputs)
        if self.variance_floor is not None:
            log_var = at_least(log_var, math.log(self.variance_floor))
        if self.standardize:
            loc, log_var = self.shift + self.scale * loc, log_var + 2 * self.scale.log()
        return DiagonalGaussian(loc, log_var)

    def scaled(self, x):
        """(x − shift) / scale with `standardize`, x without."""
        return (x - self.shift) / self.scale if self.standardize else x

    def prepare(self, x):
        """Take mean and standard deviation of the columns of x [N, D], if that is still to be done.

        A constant column keeps a scale of 1. A model that is trained again keeps the units of the
        first time. Raises ValueError where x is far beyond what the networks can take.
        """
        if not self.standardize:
            check_range(x)
        elif not self.shift.any() and (self.scale == 1).all():
            scale, shift = torch.std_mean(x.cpu().double(), dim=0, correction=0)
            scale = torch.where(scale > 0, scale, 1).to(self.scale.dtype)
            check_deviations(x, scale)
            self.shift.copy_(shift)
            self.scale.copy_(scale)
        else:
            check_units(self.scaled(x))

    def check(self, x):
        """Every finite x is possible under a Gaussian: nothing to refuse."""


LIKELIHOODS = {
    "bernoulli": BernoulliLikelihood,
    "gaussian": GaussianLikelihood,
    "poisson": PoissonLikelihood,
    "discretized_logistic": DiscretizedLogisticLikelihood,
}


def likelihood_of(name, dim, noise_variance=None, variance_floor=None, standardize=False):
    """The likelihood of that name over x [..., dim]; ValueError for an argument that it lacks."""
    family = chosen("likelihood", name, LIKELIHOODS)
    if family is GaussianLikelihood:
        return family(dim, noise_variance, variance_floor, standardize)
    given = {
        "noise_variance": noise_variance,
        "variance_floor": variance_floor,
        "standardize": standardize or None,
    }
    for argument, value in given.items():
        if value is not None:
            raise ValueError(f"{argument} is {value!r}; a {name} likelihood has none.")
    return family(dim)
