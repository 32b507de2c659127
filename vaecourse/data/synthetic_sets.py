r"""Five synthetic data sets in the plane, with samplers and exact densities.

The sets are those of the Guo, Liao and Zhou slides (S0, "Experiment"), in two variants:
`"printed"` takes the slides' formulas literally, `"meant"` corrects them. The errata page
has the argument for each correction. With ε ~ N(0, σ² I):

axis_aligned_gaussian: x = diag(3, 1/3) z + ε, z ~ N(0, I), σ² = 0.2. The slides call it
    isotropic; its covariance is diag(9.2, 0.311). Both variants are the same.
rotated_gaussian: the same, turned by π/3. Both variants are the same.
figure_eight: x = (√2/2 cos u, √2 sin u cos u) / (sin² u + 1) + ε, z ~ N(0, 1), σ² = 0.02.
    printed: u = 0.6 + 1.8 Φ(z), one arc through the centre.
    meant: u = π (0.6 + 1.8 Φ(z)), nine tenths of a turn: both lobes, open at the centre.
three_blobs: x = (cos t, sin t) + ε, u = 2π / (1 + exp(-π z / 2)), z ~ N(0, 1), σ² = 0.2, and
    t = p tanh(10 (u - k p - p/2)) + (2k + 1) p with k = ⌊u/p⌋, a staircase of steps 2p.
    printed: p = 2, the slides' t(u) = 2 tanh(10u - 20⌊u/2⌋ - 10) + 4⌊u/2⌋ + 2. It rests on
    four plateaus, t = 0, 4, 8, 12, of probability .145, .332, .330, .193; as angles 0°,
    229°, 98°, 328°. The first and the last are 0.56 apart, little more than σ = 0.45, so
    they run together into one long blob.
    meant: p = 2π/3, so that three steps make two full turns and the last plateau falls on
    the first: three plateaus at 0°, 240°, 120°, of probability .306, .347, .347.
gaussian_mixture: x = R_k y + m_k, y ~ N(0, diag(3, 1/3)), where k = 0, 1, 2 as z < 1/3,
    z < 2/3, or not; R_0 = I, R_1 turns by 2π/3; m = (0, 3√3), (-3√3, -3√3/2), (3√3, -3√3/2).
    printed: R_2 has sin(2/3) in its first row, so is no rotation, and z ~ N(0, 1) as on
    the slides before it: weights .631, .117, .252.
    meant: R_2 turns by π/3, z is uniform on (0, 1), a third each, and the centres have 9/2
    for 3√3 in m_1 and m_2, so that all three lie 9 apart and the set is symmetric (as printed,
    two sides of the triangle measure 9.37 and one 10.39).
"""

import math
from functools import lru_cache, partial
from typing import NamedTuple

import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor
from torch.distributions import MultivariateNormal

from vaecourse._arguments import as_tensor, check_choice, check_count, seeded

SYNTHETIC = (
    "axis_aligned_gaussian",
    "rotated_gaussian",
    "figure_eight",
    "three_blobs",
    "gaussian_mixture",
)
VARIANTS = ("meant", "printed")

# σ² of the isotropic noise; the mixture has none beyond that of its components.
_NOISE = {
    "axis_aligned_gaussian": 0.2,
    "rotated_gaussian": 0.2,
    "figure_eight": 0.02,
    "three_blobs": 0.2,
}
_BLOB_STEP = {"meant": 2 * math.pi / 3, "printed": 2.0}
_CHUNK = 4096

_tensor = partial(torch.tensor, dtype=torch.float64)


class Sample(NamedTuple):
    """n points of a synthetic set.

    x: [n, 2] float32.
    z: what generated them, float32: [n, 2] for the two Gaussians, else [n, 1].
    label: [n] int64, the group a point was drawn from: blob or component, the lobe of the
        eight (0 left, 1 right), and 0 throughout for a single Gaussian. The printed blobs
        have four labels, one for each plateau.
    """

    x: Tensor
    z: Tensor
    label: Tensor


def synthetic(name, n, seed=0, variant="meant"):
    """Draw n points of the synthetic set `name`, one of SYNTHETIC, as a `Sample`.

    The same seed gives the same points. Raises ValueError for an unknown name or variant,
    n below one, or a seed that is no integer. Source: S0, "Experiment"; chapters 01 and 11.
    """
    check_choice("name", name, SYNTHETIC)
    check_choice("variant", variant, VARIANTS)
    n = check_count("n", n)
    generator = seeded(seed)
    if name == "gaussian_mixture":
        x, z, label = _sample_mixture(n, variant, generator)
    else:
        z, mean, label = _sample_means(name, n, variant, generator)
        x = mean + math.sqrt(_NOISE[name]) * _normal(n, 2, generator)
    return Sample(x.float(), z.float(), label)


def noiseless(name, z, variant="meant"):
    """The point of the plane that z [n, 2] or [n, 1] is sent to before noise is added: [n, 2].

    For the four sets that have such noise; the mixture's points come from their components.
    Raises ValueError for the mixture, an unknown name or variant, or a z of another width.
    """
    check_choice("name", name, tuple(_NOISE))
    check_choice("variant", variant, VARIANTS)
    width = 2 if name in ("axis_aligned_gaussian", "rotated_gaussian") else 1
    z = torch.as_tensor(z).double()
    if z.ndim != 2 or z.shape[1] != width:
        raise ValueError(f"z has shape {list(z.shape)}; for {name} it must be [n, {width}].")
    return _mean(name, z, variant)[0].to(torch.float32)


def log_density(name, x, variant="meant"):
    """log p(x) of the synthetic set `name` at x [n, 2]: [n] float64, in nats.

    Closed form for the Gaussians and the mixture; for the two curves, Gauss-Legendre
    quadrature over z, good to 1e-8 nats within 20 of the origin. Raises ValueError for an
    unknown name or variant, or an x that is not [n, 2] and finite.
    """
    check_choice("name", name, SYNTHETIC)
    check_choice("variant", variant, VARIANTS)
    x = _points(x)
    if name in ("figure_eight", "three_blobs"):
        nodes = _curve_nodes(name, variant)
        return torch.cat([_log_blurred(part, *nodes, _NOISE[name]) for part in x.split(_CHUNK)])
    log_weight, loc, covariance = components(name, variant)
    return (log_weight + MultivariateNormal(loc, covariance).log_prob(x[:, None])).logsumexp(1)


# Sampling


def _normal(n, width, generator):
    return torch.randn(n, width, generator=generator, dtype=torch.float64)


def _sample_means(name, n, variant, generator):
    """z, the noiseless point it is sent to, and the label."""
    width = 2 if name in ("axis_aligned_gaussian", "rotated_gaussian") else 1
    z = _normal(n, width, generator)
    return z, *_mean(name, z, variant)


def _mean(name, z, variant):
    """The noiseless point that z is sent to, and its label."""
    if name in ("axis_aligned_gaussian", "rotated_gaussian"):
        return z @ _gaussian_matrix(name).T, torch.zeros(len(z), dtype=torch.int64)
    if name == "figure_eight":
        mean = _eight(torch.special.ndtr(z[:, 0]), variant)
        return mean, (mean[:, 0] > 0).long()
    u = _blob_position(z[:, 0])
    plateau = (u / _BLOB_STEP[variant] + 0.5).floor().long()
    return _blob(u, variant), plateau % 3 if variant == "meant" else plateau


def _sample_mixture(n, variant, generator):
    draw = torch.rand if variant == "meant" else torch.randn
    z = draw(n, 1, generator=generator, dtype=torch.float64)
    label = torch.bucketize(z[:, 0].contiguous(), _tensor([1 / 3, 2 / 3]), right=True)
    y = _normal(n, 2, generator) * _tensor([3, 1 / 3]).sqrt()
    matrix, loc = _mixture_maps(variant)
    return (matrix[label] @ y[:, :, None])[:, :, 0] + loc[label], z, label


# The formulas


def _rotation(angle):
    cos, sin = math.cos(angle), math.sin(angle)
    return _tensor([[cos, -sin], [sin, cos]])


def _gaussian_matrix(name):
    scale = _tensor([3, 1 / 3]).diag()
    return scale if name == "axis_aligned_gaussian" else _rotation(math.pi / 3) @ scale


def _eight(v, variant):
    """The point of the eight at v = Φ(z): [n] to [n, 2]."""
    u = (0.6 + 1.8 * v) * (math.pi if variant == "meant" else 1)
    sin, cos = u.sin(), u.cos()
    x = torch.stack([math.sqrt(2) / 2 * cos, math.sqrt(2) * cos * sin], dim=1)
    return x / (sin**2 + 1)[:, None]


def _blob_position(z):
    """u(z), in (0, 2π)."""
    return 2 * math.pi * torch.sigmoid(math.pi / 2 * z)


def _blob(u, variant):
    """The point on the unit circle at u: [n] to [n, 2]."""
    p = _BLOB_STEP[variant]
    k = (u / p).floor()
    t = p * torch.tanh(10 * (u - k * p - p / 2)) + (2 * k + 1) * p
    return torch.stack([t.cos(), t.sin()], dim=1)


def _mixture_maps(variant):
    """The three matrices [3, 2, 2] and the three centres [3, 2]."""
    third = _rotation(math.pi / 3)
    if variant == "printed":
        third[0, 1] = -math.sin(2 / 3)
    matrix = torch.stack([_rotation(0), _rotation(2 * math.pi / 3), third])
    top, down = 3 * math.sqrt(3), 1.5 * math.sqrt(3)
    side = top if variant == "printed" else 4.5
    return matrix, _tensor([[0, top], [-side, -down], [side, -down]])


# Densities


def _points(x):
    points = as_tensor(x).double().cpu()
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"x has shape {list(points.shape)}; it must be [n, 2].")
    if not points.isfinite().all():
        raise ValueError("x holds a number that is not finite; log p(x) needs finite points.")
    return points


def components(name, variant="meant"):
    """Log weights [K], means [K, 2] and covariances [K, 2, 2] of the sets that are Gaussian."""
    if name == "gaussian_mixture":
        matrix, loc = _mixture_maps(variant)
        edges = _tensor([1 / 3, 2 / 3])
        cdf = edges if variant == "meant" else torch.special.ndtr(edges)
        weight = torch.cat([cdf[:1], cdf[1:] - cdf[:1], 1 - cdf[1:]])
        covariance = matrix @ _tensor([3, 1 / 3]).diag() @ matrix.mT
        return weight.log(), loc, covariance
    matrix = _gaussian_matrix(name)
    covariance = matrix @ matrix.T + _NOISE[name] * torch.eye(2, dtype=torch.float64)
    return _tensor([0]), _tensor([[0, 0]]), covariance[None]


def _log_blurred(x, log_weight, centre, variance):
    """log Σ_m w_m N(x; c_m, σ² I) for x [n, 2], weights [M] and centres [M, 2]."""
    # |x - c|² is multiplied out, so that one matrix product does the work.
    inner = torch.addmm(
        log_weight - centre.square().sum(1) / (2 * variance), x / variance, centre.T
    )
    outer = x.square().sum(1) / (2 * variance) + math.log(2 * math.pi * variance)
    return inner.logsumexp(1) - outer


@lru_cache
def _curve_nodes(name, variant, per_piece=16):
    """Quadrature over z: log weights [M] that sum to one, and where each node lies, [M, 2]."""
    if name == "figure_eight":
        # In v = Φ(z), uniform on (0, 1), the integrand is smooth.
        v, weight = _gauss_legendre(torch.linspace(0, 1, 65, dtype=torch.float64), per_piece)
        return weight.log(), _eight(v, variant)
    z, weight = _gauss_legendre(_blob_edges(variant), per_piece)
    log_prior = -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    return weight.log() + log_prior, _blob(_blob_position(z), variant)


def _blob_edges(variant):
    """Where to cut the z axis: at every step of t, finely; at its tiny jumps; at the integers."""
    p = _BLOB_STEP[variant]
    steps = p * _tensor([0.5, 1.5, 2.5])
    widths = _tensor([0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.65])
    u = torch.cat(
        [(steps[:, None] + torch.cat([-widths, widths])).flatten(), p * _tensor([1, 2, 3])]
    )
    u = u[u < 2 * math.pi - 1e-9]
    z = 2 / math.pi * torch.logit(u / (2 * math.pi))
    return torch.cat([z, torch.arange(-9, 10, dtype=torch.float64)]).unique()


def _gauss_legendre(edges, per_piece):
    """Nodes and weights of the composite rule between consecutive edges, both [M]."""
    node, weight = (torch.from_numpy(a) for a in leggauss(per_piece))
    half = edges.diff()[:, None] / 2
    return (edges[:-1, None] + half * (1 + node)).flatten(), (half * weight).flatten()
