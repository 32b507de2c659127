"""A chain of Gaussian steps whose q is fixed: only the way back is learned. Taught in chapter 17.

With λ = log SNR falling from level 1 to level T, and y = x / scale,

    q(y_t|y) = N(α_t y, σ_t² I),   α² = 1 / (1 + e^−λ),  σ² = 1 / (1 + e^λ)
    p_θ(y_s|y_t) = q(y_s|y_t, ŷ_θ(y_t, λ_t)) for s = t − 1,   p(y_T) = N(0, I)
    p_θ(y|y_1) = N(ŷ_θ(y_1, λ_1), e^−λ₁ I)

where ŷ is what the network makes of y_t: the denoised y. Then every KL of the bound is a weighted
squared error of ŷ. [HJA20], [KSPH21]
"""

import math
from typing import Literal, NamedTuple

import torch
from torch.nn.functional import logsigmoid

from vaecourse._arguments import check_counts, check_positive
from vaecourse.distributions import DiagonalGaussian, standard_noise
from vaecourse.models.base import Count, Dimension, Model, Positive, Seed, Widths
from vaecourse.networks import ACTIVATIONS, mlp


class ChainTerms(NamedTuple):
    """The three terms of the bound, each [B] in nats."""

    reconstruction: torch.Tensor
    kl_steps: torch.Tensor
    kl_prior: torch.Tensor

    @property
    def elbo(self):
        """reconstruction − kl_steps − kl_prior, [B]."""
        return self.reconstruction - self.kl_steps - self.kl_prior


class Diffusion(Model):
    """A diffusion of rows x [B, D] over T levels of noise, evenly spaced in λ = log SNR.

    data_dim: D, the width of a row of data.
    levels: T, how many levels of noise there are.
    hidden: widths of the hidden layers of the network, which sees y_t and λ_t and guesses the
        noise in y_t.
    scale: what the data are divided by first; about their standard deviation.
    high: λ of the first level.
    low: λ of the last level.
    activation: between hidden layers: "relu", "tanh", "softplus" or "sigmoid".
    seed: of the initial weights.
    """

    kind = "diffusion"
    shows = ()

    def __init__(
        self,
        data_dim: Dimension,
        levels: Count,
        hidden: Widths = (64, 64),
        *,
        scale: Positive = 1.0,
        high: float = 8.0,
        low: float = -6.0,
        activation: Literal[tuple(ACTIVATIONS)] = "relu",
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(data_dim=data_dim, levels=levels)
        check_positive("scale", scale)
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"high is {high} and low is {low}; high must be above low.")
        self.data_dim, self.levels, self.scale = data_dim, levels, scale
        generator = torch.Generator().manual_seed(seed)
        self.network = mlp([data_dim + 1, *hidden, data_dim], activation, generator=generator)

    # --- the levels ------------------------------------------------------------------------------

    @property
    def log_snr(self):
        """λ of the levels 1 to T, falling, [T]."""
        like = self.network[0].weight
        high, low = self.params["high"], self.params["low"]
        return torch.linspace(high, low, self.levels, dtype=like.dtype, device=like.device)

    def noised(self, y, log_snr):
        """q(y_t|y) at log SNR λ, a number or [..., 1]: a distribution over y_t [..., D]."""
        y = self.tensor(y, self.data_dim, "y")
        return _level(y, torch.as_tensor(log_snr, dtype=y.dtype))

    def denoise(self, y, log_snr):
        """ŷ_θ for y_t [..., D] at λ, a number or [..., 1]: what the network makes of it."""
        y = self.tensor(y, self.data_dim, "y")
        log_snr = torch.as_tensor(log_snr, dtype=y.dtype, device=y.device)
        seen = torch.cat([y, (log_snr / 5).expand(*y.shape[:-1], 1)], dim=-1)
        noise = self.network(seen)
        return (y - torch.sigmoid(-log_snr).sqrt() * noise) / torch.sigmoid(log_snr).sqrt()

    def before(self, y_t, y, t):
        """q(y_{t−1}|y_t, y) for level t, from 2 to T; with ŷ for y it is a step of the model."""
        above, here = self.log_snr[t - 2], self.log_snr[t - 1]
        # σ²_{t|s} / σ_t², by how much level t is noisier
        ratio = -torch.expm1(here - above)
        back = (torch.sigmoid(above) / torch.sigmoid(here)).sqrt()
        loc = (1 - ratio) * back * y_t + ratio * torch.sigmoid(above).sqrt() * y
        log_var = torch.log(ratio * torch.sigmoid(-above))
        return DiagonalGaussian(loc, log_var.expand_as(loc))

    # --- the bound -------------------------------------------------------------------------------

    def _error(self, y, log_snr, generator):
        """SNR |y − ŷ|² at one draw of y_t for each row of y [..., D]: [...]."""
        y_t = self.noised(y, log_snr).rsample((), generator)
        return log_snr.exp().squeeze(-1) * (y - self.denoise(y_t, log_snr)).square().sum(-1)

    def elbo_terms(self, x, num_samples=1, generator=None):
        """The three terms of the bound for each row of x [B, D], by draws of y_t at each level."""
        y = self.check(x) / self.scale
        y = y.expand(num_samples, *y.shape)
        levels = self.log_snr
        errors = [self._error(y, level, generator).mean(0) for level in levels]
        weights = torch.expm1(levels[:-1] - levels[1:])
        steps = sum((0.5 * w * e for w, e in zip(weights, errors[1:])), 0 * errors[0])
        constant = 0.5 * (levels[0] - math.log(2 * math.pi)) - math.log(self.scale)
        return ChainTerms(self.data_dim * constant - 0.5 * errors[0], steps, self._kl_prior(y[0]))

    def _kl_prior(self, y):
        last = self.log_snr[-1]
        per_dimension = -torch.sigmoid(last) - logsigmoid(-last)
        return 0.5 * (torch.sigmoid(last) * y.square().sum(-1) + self.data_dim * per_dimension)

    def elbo(self, x, num_samples=1, generator=None):
        """The bound on log p(x) for each row of x [B, D], by draws of y_t at each level: [B]."""
        return self.elbo_terms(x, num_samples, generator).elbo

    def log_weights(self, x, num_samples, generator=None):
        """log p(x, y_1, …, y_T) − log q(y_1, …, y_T|x) at draws of the whole chain: [S, B] nats."""
        y = self.check(x) / self.scale
        y = y.expand(num_samples, *y.shape)
        levels = self.log_snr
        q = self.noised(y, levels[-1])
        y_t = q.rsample((), generator)
        total = _standard(y_t).log_prob(y_t) - q.log_prob(y_t)
        for t in range(self.levels, 1, -1):
            q = self.before(y_t, y, t)
            p = self.before(y_t, self.denoise(y_t, levels[t - 1]), t)
            y_t = q.rsample((), generator)
            total = total + p.log_prob(y_t) - q.log_prob(y_t)
        return total + self.observed(y_t).log_prob(y) - self.data_dim * math.log(self.scale)

    def observed(self, y_1):
        """p_θ(y|y_1), the last step back: a distribution over y = x / scale."""
        first = self.log_snr[0]
        loc = self.denoise(y_1, first)
        return DiagonalGaussian(loc, (-first).expand_as(loc))

    def loss(self, x, generator=None):
        """An unbiased estimate of −ELBO, averaged over x, with one level for each row.

        A level is drawn as often as its error counts in the bound, so that all draws weigh alike.
        """
        y, levels = x / self.scale, self.log_snr
        weights = torch.cat([torch.ones_like(levels[:1]), torch.expm1(levels[:-1] - levels[1:])])
        drawn = torch.multinomial(weights, len(y), replacement=True, generator=generator)
        error = self._error(y, levels[drawn, None], generator)
        constant = 0.5 * (levels[0] - math.log(2 * math.pi)) - math.log(self.scale)
        bound = self.data_dim * constant - 0.5 * weights.sum() * error - self._kl_prior(y)
        return -bound.mean()

    # --- use -------------------------------------------------------------------------------------

    def metrics(self, x, importance_samples, importance_rows, seed):
        """The bound and its terms; no bound of many draws, each of which costs T decodings."""
        x = self.check(x)
        return self._bound_metrics(x, torch.Generator(device=x.device).manual_seed(seed))

    @torch.no_grad()
    def sample(self, n, generator=None):
        """n draws of x from the model, [n, D]: from noise, level by level, back to the data."""
        like = self.network[0].weight
        y = standard_noise((n, self.data_dim), like, generator)
        for t in range(self.levels, 1, -1):
            y = self.before(y, self.denoise(y, self.log_snr[t - 1]), t).sample((), generator)
        return self.scale * self.observed(y).sample((), generator)


def _level(y, log_snr):
    loc = torch.sigmoid(log_snr).sqrt() * y
    return DiagonalGaussian(loc, logsigmoid(-log_snr).expand_as(loc))


def _standard(like):
    return DiagonalGaussian(torch.zeros_like(like), torch.zeros_like(like))
