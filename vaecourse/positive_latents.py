"""Latents that are positive: exponential and gamma posteriors, and the priors that go with them.

Taught in chapters 08 and 10.
"""

import math

import torch
from torch.distributions import Exponential, Gamma, Independent

from vaecourse.distributions import Posterior, Reparametrized, at_least, drawn_shape, generator_of

SHAPE_FLOOR = 0.3  # below it, float32 draws of a gamma underflow to zero
PRIOR_SHAPE = 2.0  # of the gamma prior; both priors have rate 1


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
        eps = self.rate.new_empty(drawn_shape(sample_shape, self.rate.shape))
        eps.exponential_(generator=generator_of(generator, eps.device))
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
        concentration = self.concentration.expand(
            drawn_shape(sample_shape, self.concentration.shape)
        )
        generator = generator_of(generator, self.rate.device)
        z = torch._standard_gamma(concentration, generator=generator) / self.rate
        return z.clamp(min=torch.finfo(z.dtype).tiny)


class PositivePosterior(Posterior):
    """q(z|x) on z > 0, beside an exponential or a gamma prior."""

    def standard(self, zeros):
        """The prior, of parameters in the dtype and on the device of `zeros` [J]."""
        if self.prior_name == "exponential":
            return ExponentialLatents(zeros)
        return GammaLatents(zeros + math.log(PRIOR_SHAPE), zeros)


class ExponentialPosterior(PositivePosterior):
    """q(z|x) of independent exponentials on z > 0: a network gives J values of log rate."""

    priors = ("exponential", "gamma")

    def __init__(self, dim, prior=None):
        super().__init__("exponential", dim, (dim,), prior)

    def __call__(self, outputs):
        return ExponentialLatents(outputs)


class GammaPosterior(PositivePosterior):
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
