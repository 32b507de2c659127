"""Factor analysis and probabilistic PCA: the linear VAE, where nothing has to be approximated.

    p(z) = N(0, I),   p(x|z) = N(W z + μ, Ψ)   and so   p(x) = N(μ, W Wᵀ + Ψ)

with Ψ diagonal, or σ² I for probabilistic PCA [TB99]. The posterior is N(V (x − μ), Σ) with
Σ = (I + Wᵀ Ψ⁻¹ W)⁻¹ and V = Σ Wᵀ Ψ⁻¹: the same Σ for every x. So the model can be fitted by EM,
which sets q to that posterior, and by the bound, which finds it. Taught in chapter 12.
"""

import math
from typing import Literal

import torch
from torch import nn
from torch.distributions import kl_divergence
from tqdm import tqdm

from vaecourse._arguments import check_choice, check_count, check_counts, check_positive
from vaecourse.distributions import DiagonalGaussian, FullGaussian, FullPosterior
from vaecourse.models.base import Dimension, LatentModel, Positive, Seed
from vaecourse.networks import linear

NOISES = ("diagonal", "isotropic")


class FactorAnalysis(LatentModel):
    """p(x) = N(μ, W Wᵀ + Ψ), with q(z|x) = N(V x + v, Σ) in which φ = (V, v, Σ) is free.

    data_dim: D, the width of a row of data; 784 for MNIST.
    latent_dim: J, the number of factors.
    noise: "diagonal" for factor analysis, "isotropic" for probabilistic PCA.
    floor: the least noise variance. The likelihood of factor analysis may have no maximum: a
        variance that runs to zero makes one observed variable a factor (a Heywood case), and
        for a constant column the density is unbounded. With a floor there is always a maximum.
    seed: of the initial weights.
    """

    kind = "factor_analysis"

    def __init__(
        self,
        data_dim: Dimension,
        latent_dim: Dimension,
        *,
        noise: Literal[NOISES] = "diagonal",
        floor: Positive = 1e-6,
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(data_dim=data_dim, latent_dim=latent_dim)
        check_choice("noise", noise, NOISES)
        check_positive("floor", floor)
        self.data_dim, self.latent_dim, self.floor = data_dim, latent_dim, floor
        self.isotropic = noise == "isotropic"
        self.posterior = FullPosterior(latent_dim)
        generator = torch.Generator().manual_seed(seed)
        # θ
        self.weight = nn.Parameter(linear(latent_dim, data_dim, generator).weight.detach())
        self.mean = nn.Parameter(torch.zeros(data_dim))
        # Ψ = floor + exp(log_excess), so that no step of an optimizer goes below the floor.
        self.log_excess = nn.Parameter(torch.zeros(1 if self.isotropic else data_dim))
        # φ; `shape` holds what `FullPosterior` needs beside the mean: Σ starts at the identity.
        self.encoder = linear(data_dim, latent_dim, generator)
        self.shape = nn.Parameter(torch.zeros(self.posterior.num_outputs - latent_dim))

    @property
    def noise_variance(self):
        """The diagonal of Ψ, [D]."""
        return (self.floor + self.log_excess.exp()).expand(self.data_dim)

    @property
    def prior(self):
        """p(z), the standard normal over [J]."""
        return self.posterior.prior(like=self.weight)

    def encode(self, x):
        """q_φ(z|x) = N(V x + v, Σ) for x [..., D]: a distribution over z [..., J]."""
        loc = self.encoder(self.tensor(x, self.data_dim))
        return self.posterior(torch.cat([loc, self.shape.expand(*loc.shape[:-1], -1)], dim=-1))

    def decode(self, z):
        """p_θ(x|z) = N(W z + μ, Ψ) for z [..., J]: a distribution over x [..., D]."""
        loc = self.tensor(z, self.latent_dim, "z") @ self.weight.T + self.mean
        return DiagonalGaussian(loc, self.noise_variance.log().expand_as(loc))

    # --- exact -----------------------------------------------------------------------------------

    def exact_posterior(self, x):
        """p_θ(z|x) for x [B, D]: `FullGaussian` over z [B, J], at the cost of a J × J inverse."""
        x = self.check(x)
        projection, covariance = self._posterior_map()
        loc = (x - self.mean) @ projection.T
        scale_tril = torch.linalg.cholesky(covariance)
        return FullGaussian(loc, scale_tril.expand(len(x), -1, -1))

    def log_evidence(self, x):
        """log p_θ(x) for x [B, D]: [B] nats, without a D × D matrix.

        With M = I + Wᵀ Ψ⁻¹ W, Woodbury's identity gives (W Wᵀ + Ψ)⁻¹ = Ψ⁻¹ − Ψ⁻¹ W M⁻¹ Wᵀ Ψ⁻¹ and
        the determinant lemma |W Wᵀ + Ψ| = |M| |Ψ|.
        """
        x = self.check(x)
        factor = torch.linalg.cholesky(self._precision())
        scaled = (x - self.mean) / self.noise_variance.sqrt()
        loading = self.weight / self.noise_variance.sqrt()[:, None]
        explained = torch.linalg.solve_triangular(factor, loading.T @ scaled.T, upper=False)
        square = scaled.square().sum(1) - explained.square().sum(0)
        log_det = 2 * factor.diagonal().log().sum() + self.noise_variance.log().sum()
        return -0.5 * (square + log_det + self.data_dim * math.log(2 * math.pi))

    def expected_elbo(self, x):
        """The bound for x [B, D] with its expectation over q taken in closed form: [B] nats.

        E_q log p(x|z) is log p(x|z) at the mean of q, less ½ tr(Ψ⁻¹ W Σ Wᵀ).
        """
        x = self.tensor(x)
        q = self.encode(x)
        spread = (self.weight @ self._scale_tril()).square().sum(1) / self.noise_variance
        expected = self.decode(q.mean).log_prob(x) - 0.5 * spread.sum()
        return expected - kl_divergence(q, self.prior)

    def _precision(self):
        """M = I + Wᵀ Ψ⁻¹ W, [J, J]."""
        identity = torch.eye(self.latent_dim, dtype=self.weight.dtype, device=self.weight.device)
        return identity + self.weight.T @ (self.weight / self.noise_variance[:, None])

    def _posterior_map(self):
        """V = Σ Wᵀ Ψ⁻¹ [J, D] and Σ = M⁻¹ [J, J]."""
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(self._precision()))
        return covariance @ (self.weight / self.noise_variance[:, None]).T, covariance

    def _scale_tril(self):
        """L of Σ = L Lᵀ, [J, J]."""
        return self.encode(torch.zeros_like(self.mean)).scale_tril

    # --- by the bound ----------------------------------------------------------------------------

    def loss(self, x, generator=None):
        """−`expected_elbo` averaged over the rows of x: nothing is drawn, so no noise is left."""
        return -self.expected_elbo(x).mean()

    # --- by EM, and in closed form ---------------------------------------------------------------

    @torch.no_grad()
    def em(self, x, max_steps=1000, tol=1e-9):
        """Fit to x [N, D] by EM from the present W and Ψ; returns the log-likelihood trace.

        The trace [steps + 1] is in nats a data point, at the start and after each step, and never
        falls; EM stops when a step gains no more than `tol`. μ is the mean of x throughout. At the
        end φ is set to the exact posterior. Use float64, `FactorAnalysis(…).double()`: float32
        loses the small gains of the late steps. [RT82]; chapter 12.
        """
        x = self.check(x)
        check_count("max_steps", max_steps)
        self.mean.copy_(x.mean(0))
        second = (x - self.mean).T @ (x - self.mean) / len(x)
        trace = [self._mean_log_evidence(second)]
        for _ in tqdm(range(max_steps), desc="EM", unit="step", delay=2, leave=False):
            self._em_step(second)
            trace.append(self._mean_log_evidence(second))
            if trace[-1] - trace[-2] <= tol:
                break
        self.set_exact_posterior()
        return torch.tensor(trace, dtype=torch.float64)

    def _em_step(self, second):
        """E: V and Σ. M: the regression of x on z under q, and the residual variances."""
        projection, covariance = self._posterior_map()
        cross = second @ projection.T  # mean of (x − μ) E[z]ᵀ
        self.weight.copy_(torch.linalg.solve(covariance + projection @ cross, cross.T).T)
        self._set_noise(second.diagonal() - (cross * self.weight).sum(1))

    def _mean_log_evidence(self, second):
        """Mean of log p(x) over data with mean μ and second moment `second` about it."""
        projection, _ = self._posterior_map()
        residual = second - self.weight @ (projection @ second)
        square = (residual.diagonal() / self.noise_variance).sum()
        log_det = torch.logdet(self._precision()) + self.noise_variance.log().sum()
        return -0.5 * (square + log_det + self.data_dim * math.log(2 * math.pi)).item()

    @torch.no_grad()
    def fit_ppca(self, x):
        """The maximum-likelihood probabilistic PCA of x [N, D] in closed form [TB99]; returns self.

        σ² is the mean of the D − J smallest eigenvalues of the covariance (divided by N),
        W = U (Λ − σ² I)^½ from the others. Raises ValueError for diagonal noise or J ≥ D.
        """
        if not self.isotropic or self.latent_dim >= self.data_dim:
            raise ValueError(
                f"noise is {self.params['noise']!r} with {self.latent_dim} factors of "
                f"{self.data_dim} variables; the closed form needs 'isotropic' and fewer factors."
            )
        x = self.check(x)
        self.mean.copy_(x.mean(0))
        values, vectors = torch.linalg.eigh((x - self.mean).T @ (x - self.mean) / len(x))
        split = self.data_dim - self.latent_dim
        self._set_noise(values[:split].expand(self.data_dim, -1).mean(1))
        excess = (values[split:] - self.noise_variance[0]).clamp(min=0)
        self.weight.copy_(vectors[:, split:] * excess.sqrt())
        return self.set_exact_posterior()

    def _set_noise(self, variance):
        """Ψ from variances [D]: averaged if isotropic, never below the floor."""
        variance = variance.mean(0, keepdim=True) if self.isotropic else variance
        # exp(log_excess) cannot be zero; a hundredth of a rounding error of the floor does it.
        least = 1e-18 * self.floor
        self.log_excess.copy_((variance - self.floor).clamp(min=least).log())

    @torch.no_grad()
    def set_exact_posterior(self):
        """Set φ so that `encode` is the exact posterior of the present θ; returns self."""
        projection, covariance = self._posterior_map()
        self.encoder.weight.copy_(projection)
        self.encoder.bias.copy_(-projection @ self.mean)
        scale_tril = torch.linalg.cholesky(covariance)
        row, column = torch.tril_indices(self.latent_dim, self.latent_dim, offset=-1)
        below = scale_tril[row, column]
        self.shape.copy_(torch.cat([2 * scale_tril.diagonal().log(), below]))
        return self
