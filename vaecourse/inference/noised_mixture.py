"""A mixture of Gaussians under noise: everything that a diffusion learns, in closed form.

With y from the mixture and y_t = α y + σ ε at log SNR λ (α² = 1 / (1 + e^−λ), σ² = 1 − α²), y_t is
a mixture again, with the means α m_k and the covariances α² C_k + σ² I. So its density, its score
and the moments of p(y|y_t) are exact; means over y_t are Gauss–Hermite sums. Taught in chapter 17.
"""

import math
from typing import NamedTuple

import torch
from torch.distributions import MultivariateNormal

from vaecourse._arguments import as_rows, check_choice, check_count, check_positive
from vaecourse.data.synthetic_sets import components
from vaecourse.inference.posteriors import gauss_hermite


class Moments(NamedTuple):
    """Of p(y|y_t), at points y_t [..., D]: mean [..., D] and covariance [..., D, D]."""

    mean: torch.Tensor
    covariance: torch.Tensor


class NoisedMixture:
    """Σ_k w_k N(y; m_k, C_k) and what noise makes of it, in float64.

    weights [K] positive, summing to one; means [K, D]; covariances [K, D, D]. Raises ValueError
    for other shapes.
    """

    def __init__(self, weights, means, covariances):
        self.weights, self.means, self.covariances = (
            torch.as_tensor(values, dtype=torch.float64) for values in (weights, means, covariances)
        )
        k, d = self.means.shape
        if self.weights.shape != (k,) or self.covariances.shape != (k, d, d):
            raise ValueError(
                f"weights has shape {list(self.weights.shape)} and covariances "
                f"{list(self.covariances.shape)}; for means [{k}, {d}] they must be [{k}] and "
                f"[{k}, {d}, {d}]."
            )
        self.dim = d

    @classmethod
    def of(cls, name="gaussian_mixture", scale=1.0):
        """One of the synthetic sets that are Gaussians, with its points divided by `scale`."""
        known = ("gaussian_mixture", "axis_aligned_gaussian", "rotated_gaussian")
        check_choice("name", name, known)
        check_positive("scale", scale)
        log_weight, loc, covariance = components(name)
        return cls(log_weight.exp(), loc / scale, covariance / scale**2)

    def _components(self, log_snr):
        """The K Gaussians of y_t."""
        keep, add = _squares(log_snr)
        eye = torch.eye(self.dim, dtype=torch.float64)
        return MultivariateNormal(keep**0.5 * self.means, keep * self.covariances + add * eye)

    def _joint(self, y, components):
        return self.weights.log() + components.log_prob(_points(y, self.dim)[..., None, :])

    def log_density(self, y, log_snr=math.inf):
        """log p(y_t) at points y [..., D], nats: [...]; without `log_snr`, of y itself."""
        return self._joint(y, self._components(log_snr)).logsumexp(-1)

    def score(self, y, log_snr=math.inf):
        """∇ log p(y_t) at points y [..., D]: [..., D]."""
        components = self._components(log_snr)
        share = self._joint(y, components).softmax(-1)
        away = components.loc - _points(y, self.dim)[..., None, :]
        pulls = torch.einsum("kde,...ke->...kd", components.precision_matrix, away)
        return torch.einsum("...k,...kd->...d", share, pulls)

    def denoise(self, y, log_snr):
        """E[y|y_t] at points y_t [..., D]: [..., D]; (y_t + σ² score) / α [Efr11]."""
        keep, add = _squares(log_snr)
        return (_points(y, self.dim) + add * self.score(y, log_snr)) / keep**0.5

    def moments(self, y, log_snr):
        """Mean and covariance of p(y|y_t) at points y_t [..., D], component by component."""
        keep, _ = _squares(log_snr)
        components = self._components(log_snr)
        share = self._joint(y, components).softmax(-1)
        gain = keep**0.5 * self.covariances @ components.precision_matrix
        away = _points(y, self.dim)[..., None, :] - components.loc
        means = self.means + torch.einsum("kde,...ke->...kd", gain, away)
        within = self.covariances - keep**0.5 * gain @ self.covariances
        mean = torch.einsum("...k,...kd->...d", share, means)
        apart = means - mean[..., None, :]
        covariance = torch.einsum("...k,kde->...de", share, within)
        return Moments(
            mean, covariance + torch.einsum("...k,...kd,...ke->...de", share, apart, apart)
        )

    # --- means over y_t --------------------------------------------------------------------------

    def nodes(self, log_snr=math.inf, per_axis=40):
        """Points [M, D] and weights [M] of a rule for means over y_t; Gauss–Hermite, each Gaussian
        of the mixture by itself."""
        check_count("per_axis", per_axis)
        grid, mass = gauss_hermite(per_axis, self.dim)
        components = self._components(log_snr)
        points = components.loc[:, None] + grid @ components.scale_tril.mT
        return points.flatten(0, 1), (self.weights[:, None] * mass).flatten()

    def mean_log_density(self, log_snr=math.inf, per_axis=40):
        """E log p(y_t), minus the entropy, in nats: a float."""
        points, weight = self.nodes(log_snr, per_axis)
        return (weight @ self.log_density(points, log_snr)).item()

    def error(self, log_snr, per_axis=40):
        """E |y − E[y|y_t]|², the least mean squared error of any denoiser: a float."""
        return self._mean_of(lambda c: c.diagonal(dim1=-2, dim2=-1).sum(-1), log_snr, per_axis)

    def squared_covariance(self, log_snr, per_axis=40):
        """E tr Cov(y|y_t)², which is −d error / d SNR [GWSV11, PP09]: a float."""
        return self._mean_of(lambda c: c.square().sum((-2, -1)), log_snr, per_axis)

    def _mean_of(self, function, log_snr, per_axis):
        points, weight = self.nodes(log_snr, per_axis)
        return (weight @ function(self.moments(points, log_snr).covariance)).item()


def _points(y, dim):
    y = torch.as_tensor(y, dtype=torch.float64)
    as_rows(y.reshape(-1, y.shape[-1]) if y.ndim else y, dim, argument="y")
    return y


def _squares(log_snr):
    """α² and σ² = 1 − α²."""
    log_snr = torch.as_tensor(float(log_snr), dtype=torch.float64)
    return torch.sigmoid(log_snr), torch.sigmoid(-log_snr)
