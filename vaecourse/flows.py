"""Flows: a Gaussian bent, layer by layer, into a q whose density stays known.

A layer maps z to z′ and says log |det ∂z′/∂z|, so that log q(z′) = log q(z) − log |det|. Each
layer may hold one set of weights, or one for each of a batch of posteriors that are fitted side
by side. Log densities are in nats. Taught in chapter 16 [RM15; KSW16].
"""

import math

import torch
from torch import nn
from torch.distributions import Distribution, constraints

from vaecourse._arguments import check_choice, check_count, check_counts, seeded
from vaecourse.distributions import DiagonalGaussian, FullGaussian, Reparametrized

_SOFTPLUS_IS_ONE = math.log(math.e - 1)
STRETCH = 3.0  # |s| of an autoregressive layer: beyond it a search by draws can run away
BISECTIONS = 60  # halve a bracket until float64 has no digit left


class Planar(nn.Module):
    """z ↦ z + û tanh(wᵀz + b): a push along û, by how far z lies from a line [RM15].

    û is u, moved along w until ûᵀw > −1, without which two z would meet; u = 0 changes nothing.
    """

    def __init__(self, dim, batch, generator):
        super().__init__()
        self.u = nn.Parameter(torch.zeros(*batch, dim))
        self.w = nn.Parameter(torch.randn(*batch, dim, generator=generator))
        self.b = nn.Parameter(torch.randn(*batch, 1, generator=generator))

    def _push(self):
        """û [..., J] and ûᵀw [..., 1]."""
        along = (self.w * self.u).sum(-1, keepdim=True)
        allowed = nn.functional.softplus(along + _SOFTPLUS_IS_ONE) - 1
        square = self.w.square().sum(-1, keepdim=True)
        return self.u + (allowed - along) * self.w / square, allowed

    def forward(self, z):
        """z′ and log |det ∂z′/∂z| for z [..., *batch, J]."""
        u, along = self._push()
        bend = ((self.w * z).sum(-1, keepdim=True) + self.b).tanh()
        return z + u * bend, (along * (1 - bend.square())).log1p().squeeze(-1)

    @torch.no_grad()
    def inverse(self, z):
        """The z that is mapped to the one given, by bisection along w; no gradients."""
        u, along = self._push()
        across = (self.w * z).sum(-1, keepdim=True)  # wᵀz′ = a + ûᵀw tanh(a + b), which rises in a
        low, high = across - along.abs(), across + along.abs()
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            beyond = middle + along * (middle + self.b).tanh() > across
            low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
        return z - u * (0.5 * (low + high) + self.b).tanh()


class Autoregressive(nn.Module):
    """z_j ↦ m_j + exp(s_j) z_j with m_j and s_j from a network of z_1 … z_(j−1) [KSW16; GGML15].

    One hidden layer of tanh units, masked so that no m_j or s_j sees a z_k with k ≥ j; the
    Jacobian is triangular, so log |det| = Σ_j s_j. Zero output weights change nothing.
    """

    def __init__(self, dim, batch, generator, units=8, backwards=False):
        super().__init__()
        self.backwards = backwards
        order = torch.arange(1, dim + 1)
        reach = torch.arange(units) % max(dim - 1, 1) + 1  # the last z that a unit sees
        self.register_buffer("into", (reach[:, None] >= order).float() * (dim > 1))
        self.register_buffer("out", (order[:, None] > reach).float().repeat(2, 1))
        self.weight = nn.Parameter(torch.randn(*batch, units, dim, generator=generator))
        self.bias = nn.Parameter(torch.randn(*batch, units, generator=generator))
        self.weight_out = nn.Parameter(torch.zeros(*batch, 2 * dim, units))
        self.bias_out = nn.Parameter(torch.zeros(*batch, 2 * dim))

    def _shift(self, z):
        """m and s, each [..., J]."""
        hidden = (self.weight * self.into) @ z.unsqueeze(-1) + self.bias.unsqueeze(-1)
        outputs = (self.weight_out * self.out) @ hidden.tanh()
        m, s = (outputs.squeeze(-1) + self.bias_out).chunk(2, dim=-1)
        return m, STRETCH * (s / STRETCH).tanh()

    def forward(self, z):
        """z′ and log |det ∂z′/∂z| for z [..., *batch, J]."""
        if self.backwards:
            z = z.flip(-1)
        m, s = self._shift(z)
        z = m + s.exp() * z
        return z.flip(-1) if self.backwards else z, s.sum(-1)

    def inverse(self, z):
        """The z that is mapped to the one given: coordinate by coordinate, J passes."""
        if self.backwards:
            z = z.flip(-1)
        found = torch.zeros_like(z)
        for j in range(z.shape[-1]):
            m, s = self._shift(found)
            at_j = torch.arange(z.shape[-1], device=z.device) == j
            found = torch.where(at_j, (z - m) * (-s).exp(), found)
        return found.flip(-1) if self.backwards else found


FAMILIES = ("diagonal", "full", "planar", "autoregressive")


class NormalizingFlow(Reparametrized, Distribution):
    """A Gaussian `base` over [..., J] sent through `layers`; log densities are in nats."""

    support = constraints.real_vector
    arg_constraints = {}

    def __init__(self, base, layers):
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)
        self.base, self.layers = base, layers

    def push(self, z):
        """z of the base, [..., J], at the other end, and log q there: [...]."""
        log_q = self.base.log_prob(z)
        for layer in self.layers:
            z, log_det = layer(z)
            log_q = log_q - log_det
        return z, log_q

    def rsample(self, sample_shape=(), generator=None):
        """Draws [*sample_shape, ..., J], with gradients to base and layers."""
        return self.rsample_with_log_prob(sample_shape, generator)[0]

    def rsample_with_log_prob(self, sample_shape=(), generator=None):
        """Draws and log q at them, without an inverse: what a bound needs."""
        return self.push(self.base.rsample(sample_shape, generator))

    def log_prob(self, z):
        """log q at any z [..., J], through the inverses: [...]."""
        log_det = 0
        for layer in reversed(list(self.layers)):
            z = layer.inverse(z)
            log_det = log_det + layer(z)[1]
        return self.base.log_prob(z) - log_det


class FreePosterior(nn.Module):
    """A q(z) with free parameters for each of a batch of posteriors: no encoder gives them.

    loc, log_var: where the search starts, each [B, J], as an encoder's q has them.
    family: "diagonal", "full", or a diagonal Gaussian sent through `layers` layers of a flow,
        "planar" or "autoregressive". A flow starts as the identity.
    units: hidden units of each autoregressive layer.
    seed: of the weights of a flow that do not start at zero.
    """

    def __init__(self, loc, log_var, family="diagonal", *, layers=4, units=8, seed=0):
        super().__init__()
        check_choice("family", family, FAMILIES)
        check_count("layers", layers, smallest=0)
        check_counts(units=units)
        self.family = family
        self.loc = nn.Parameter(loc.detach().clone())
        self.log_var = nn.Parameter(log_var.detach().clone())
        *batch, dim = loc.shape
        generator = seeded(seed)
        if family == "full":
            self.below = nn.Parameter(torch.zeros(*batch, dim, dim))
        made = {
            "planar": lambda _: Planar(dim, batch, generator),
            "autoregressive": lambda k: Autoregressive(dim, batch, generator, units, k % 2 == 1),
        }
        self.layers = nn.ModuleList(made[family](k) for k in range(layers) if family in made)

    def forward(self):
        """The distribution, over [B, J]: a Gaussian, or a `NormalizingFlow`."""
        if self.family == "full":
            scale = torch.diag_embed((0.5 * self.log_var).exp())
            return FullGaussian(
                self.loc, scale @ (torch.eye(scale.shape[-1]).to(scale) + self.below.tril(-1))
            )
        if self.family == "diagonal":
            return DiagonalGaussian(self.loc, self.log_var)
        zeros = torch.zeros_like(self.loc)
        scale = (0.5 * self.log_var).exp()
        return NormalizingFlow(
            DiagonalGaussian(zeros, zeros), [*self.layers, Affine(self.loc, scale)]
        )


class Affine:
    """z ↦ loc + scale ⊙ z: where the bent Gaussian is put."""

    def __init__(self, loc, scale):
        self.loc, self.scale = loc, scale

    def __call__(self, z):
        return self.loc + self.scale * z, self.scale.log().sum(-1).expand(z.shape[:-1])

    def inverse(self, z):
        return (z - self.loc) / self.scale


def refine(posterior, log_joint, steps, generator, *, learning_rate=0.05, draws=8):
    """Climb the bound of every posterior at once, in place; returns its mean at each step, nats.

    posterior: a `FreePosterior`. log_joint(z): log p(x, z) for z [S, B, J], [S, B] nats. Adam,
    its rate falling to zero along a cosine; `draws` fresh draws of z a step.
    """
    check_counts(steps=steps, draws=draws)
    adam = torch.optim.Adam(posterior.parameters(), lr=learning_rate)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    trace = []
    for _ in range(steps):
        q = posterior()
        if isinstance(q, NormalizingFlow):
            z, log_q = q.rsample_with_log_prob((draws,), generator)
        else:
            z = q.rsample((draws,), generator)
            log_q = q.log_prob(z)
        bound = (log_joint(z) - log_q).mean(0)
        adam.zero_grad()
        (-bound.sum()).backward()
        adam.step()
        slower.step()
        trace.append(bound.mean().item())
    return trace
