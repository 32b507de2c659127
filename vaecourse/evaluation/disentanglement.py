"""What single latents tell of known factors: exact mutual information, and a score made of it.

Taught in chapter 15. A factor is a label of every row; a latent of row n is N(loc_n, scale_n²).
All values are in nats.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse._arguments import as_tensor
from vaecourse.evaluation.divergence import entropy_from_counts

NODES = 40  # points of the quadrature to the narrowest deviation, as in `quadrature_grid`


class InformationGap(NamedTuple):
    """The score, and what it is made of: I(z_j; v_k) of every latent and factor.

    score: the mean over factors of the gaps between their two most informative latents, each
        divided by the entropy of the factor [CLG18].
    information: [J, K]. entropy: [K].
    """

    score: float
    information: Tensor
    entropy: Tensor


def factor_information(loc, scale, factor):
    """I(z; v) for a row n drawn evenly, v its factor and z ~ N(loc_n, scale_n²), by quadrature.

    loc, scale: [N]. factor: [N], whole numbers from 0. Exact to rounding: I = H(z) − H(z | v), both
    entropies of mixtures of Gaussians on the line. Raises ValueError for shapes that differ.
    """
    loc, scale = (as_tensor(v, argument=n).double() for v, n in ((loc, "loc"), (scale, "scale")))
    factor = _factors(factor, len(loc))
    if loc.ndim != 1 or scale.shape != loc.shape or not (scale > 0).all():
        raise ValueError("loc and scale must be [N], and scale positive.")
    low, high = (loc - 12 * scale).min(), (loc + 12 * scale).max()
    steps = math.ceil(NODES * ((high - low) / scale.min()).item())
    line = torch.linspace(low, high, steps + 1, dtype=torch.float64)
    density = torch.distributions.Normal(loc[:, None], scale[:, None]).log_prob(line).exp()
    conditional = 0.0
    for value in factor.unique():
        rows = density[factor == value]
        conditional += len(rows) / len(loc) * _entropy(rows.mean(0), line)
    return (_entropy(density.mean(0), line) - conditional).item()


def binned_information(z, factor, bins=20):
    """I(z; v) in nats from samples z [N] and factors [N], by counts in equal bins: the usual way.

    What a table of counts says is too much by about (bins − 1)(values − 1) / 2N where the latent
    says nothing, and loses what differs inside of a bin.
    """
    z = as_tensor(z, argument="z").double()
    factor = _factors(factor, len(z))
    width = (z.max() - z.min()).clamp(min=torch.finfo(z.dtype).tiny)
    cell = ((z - z.min()) / width * bins).long().clamp(max=bins - 1)
    values = int(factor.max()) + 1
    counts = torch.bincount(cell * values + factor, minlength=bins * values).double()
    table = counts.view(bins, values)
    one, two = entropy_from_counts(table.sum(1)), entropy_from_counts(table.sum(0))
    return (one + two - entropy_from_counts(table.flatten())).item()


def mutual_information_gap(loc, scale, factors):
    """The mutual information gap of latents N(loc, scale²) [N, J] on factors [N, K] [CLG18].

    The rows are all there is, each as likely as any other, and nothing is estimated. Raises
    ValueError for a single latent, or a factor with one value.
    """
    loc, scale = (as_tensor(v, argument=n).double() for v, n in ((loc, "loc"), (scale, "scale")))
    factors = as_tensor(factors, argument="factors", keep_whole=True)
    if loc.ndim != 2 or loc.shape[1] < 2 or scale.shape != loc.shape:
        raise ValueError("loc and scale must be [N, J], of two latents or more.")
    if factors.ndim != 2 or len(factors) != len(loc):
        raise ValueError(f"factors has shape {list(factors.shape)}; it must be [{len(loc)}, K].")
    columns = [_factors(column, len(loc)) for column in factors.T]
    entropy = torch.stack([entropy_from_counts(v.bincount().double()) for v in columns])
    if not (entropy > 0).all():
        raise ValueError("factors has a column with a single value, of which nothing can be told.")
    information = torch.tensor(
        [[factor_information(m, s, v) for v in factors.T] for m, s in zip(loc.T, scale.T)],
        dtype=torch.float64,
    )
    best = information.topk(2, dim=0).values
    return InformationGap(((best[0] - best[1]) / entropy).mean().item(), information, entropy)


def _entropy(density, line):
    """−∫ p log p, nats, by the trapezoidal rule; nothing where p is nothing."""
    return torch.trapezoid(torch.special.entr(density), line)


def _factors(factor, rows):
    factor = as_tensor(factor, argument="factor", keep_whole=True)
    if factor.shape != (rows,) or factor.is_floating_point() or (factor < 0).any():
        raise ValueError(
            f"factor has shape {list(factor.shape)} and {factor.dtype}; it must be whole numbers "
            f"from 0, [{rows}]."
        )
    return factor
