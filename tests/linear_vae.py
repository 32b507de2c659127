"""A linear VAE whose evidence and posterior are known, for tests."""

import torch
from torch.distributions import MultivariateNormal

import vaecourse as vc

NOISE = 0.3


def exact_linear_vae(data_dim=8, latent_dim=3, posterior="full", seed=0):
    """A linear VAE in float64 whose encoder is the exact posterior, and its evidence p(x).

    x = W z + b + noise: the posterior has precision M / σ² with M = Wᵀ W + σ² I.
    """
    vae = vc.models.VAE(
        data_dim,
        latent_dim,
        hidden=(),
        likelihood="gaussian",
        noise_variance=NOISE,
        posterior=posterior,
        seed=seed,
    ).double()
    weight, bias = vae.decoder[0].weight, vae.decoder[0].bias
    with torch.no_grad():
        m = weight.T @ weight + NOISE * torch.eye(latent_dim, dtype=torch.float64)
        to_mean = torch.linalg.solve(m, weight.T)
        vae.encoder[0].weight.zero_()
        vae.encoder[0].weight[:latent_dim] = to_mean
        vae.encoder[0].bias[:latent_dim] = -to_mean @ bias
        if posterior == "full":
            scale_tril = torch.linalg.cholesky(NOISE * torch.linalg.inv(m))
            vae.encoder[0].bias[latent_dim : 2 * latent_dim] = 2 * scale_tril.diagonal().log()
            row, column = torch.tril_indices(latent_dim, latent_dim, -1)
            vae.encoder[0].bias[2 * latent_dim :] = scale_tril[row, column]
        else:
            vae.encoder[0].bias[latent_dim:] = (NOISE / m.diagonal()).log()
        identity = torch.eye(data_dim, dtype=torch.float64)
        evidence = MultivariateNormal(bias, weight @ weight.T + NOISE * identity)
    return vae.requires_grad_(False), evidence, m


def data(evidence, n=50, seed=1):
    eps = torch.randn(
        n, evidence.loc.shape[0], generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return evidence.loc + eps @ evidence.scale_tril.T
