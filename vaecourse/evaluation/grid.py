"""The exact posterior, evidence and missing pixels of a model with two latents, by a grid.

Taught in chapters 09, 15 and 16. All log densities are in nats.
"""

import math
from functools import cached_property

import torch
from torch.nn.functional import grid_sample, softplus

from vaecourse._arguments import check_count
from vaecourse.models.base import check_latent, evaluating


class LatentGrid:
    """Points of the latent plane where a model of binary pixels is decoded once and for all.

    model: a model with two latents and Bernoulli pixels.
    points: on each axis, from −`reach` to `reach`; posteriors must be wider than a step.

    Raises ValueError for a model with another number of latents.
    """

    @torch.no_grad()
    def __init__(self, model, points=201, reach=5.0):
        check_count("points", points, smallest=2)
        check_latent(model)
        if getattr(model, "latent_dim", None) != 2:
            raise ValueError(f"model is a {type(model).__name__}; the grid takes two latents.")
        self.axis = torch.linspace(-reach, reach, points)
        self.z = torch.cartesian_prod(self.axis, self.axis)
        self.log_cell = 2 * math.log(self.axis[1] - self.axis[0])
        with evaluating(model):
            self.logits = torch.cat([model.decode(z).logits for z in self.z.split(5_000)])
        self._all_zero = torch.cat([softplus(rows).sum(1) for rows in self.logits.split(5_000)])
        self._check = model.check
        self.log_prior = model.prior.log_prob(self.z).to(self.logits)

    @cached_property
    def _zero(self):
        return torch.cat([softplus(rows) for rows in self.logits.split(5_000)])

    @cached_property
    def log_mass(self):
        """The logarithm of the prior's mass in each cell, [G]; scaled to sum to one."""
        return self.log_prior.double().log_softmax(0).to(self.log_prior)

    @torch.no_grad()
    def log_likelihood(self, x, seen=None):
        """log p(x | z) for rows of x [B, D] at every z, [B, G]; of the pixels `seen` alone.

        seen: [D] or [B, D], true where a pixel is known; what x holds elsewhere does not matter.
        """
        if seen is None:
            return self._check(x) @ self.logits.T - self._all_zero
        x = self._check(torch.where(seen.bool(), x, 0))
        return x @ self.logits.T - seen.to(x) @ self._zero.T

    def log_joint(self, x, seen=None):
        """log p(x, z), or log p(x_seen, z), at every z, [B, G]; x and seen as above."""
        return self.log_likelihood(x, seen) + self.log_prior

    def log_evidence(self, x, seen=None):
        """log p(x), or of the pixels seen log p(x_seen): [B]."""
        return torch.logsumexp(self.log_joint(x, seen), 1) + self.log_cell

    def posterior(self, x, seen=None):
        """The mass of p(z | x), or p(z | x_seen), in each cell: [B, G], rows of sum 1."""
        return self.log_joint(x, seen).softmax(1)

    def pixels(self, x, seen):
        """The probability of every pixel to be on, [B, D]: of those seen, what they are.

        Elsewhere Σ_z p(z | x_seen) p(x_d = 1 | z), the mean of the exact p(missing | seen).
        """
        found = self.posterior(x, seen) @ self.logits.sigmoid()
        return torch.where(seen.bool(), x, found)

    def table(self, x, seen=None):
        """A function log_joint(z) of z [S, B, 2], by interpolation in the grid: [S, B].

        A search that asks for it a thousand times decodes nothing. Beyond the grid the likelihood
        stays what it is at the edge, and N(0, I) falls on.
        """
        side = len(self.axis)
        values = self.log_joint(x, seen).reshape(len(x), 1, side, side)
        reach = self.axis[-1]

        def log_joint(z):
            place = (z / reach).flip(-1).transpose(0, 1).unsqueeze(2)  # [B, S, 1, 2], z₂ first
            found = grid_sample(
                values, place, mode="bilinear", padding_mode="border", align_corners=True
            )
            beyond = z.square() - z.clamp(-reach, reach).square()
            return found[:, 0, :, 0].T - 0.5 * beyond.sum(-1)

        return log_joint
