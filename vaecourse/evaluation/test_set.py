"""The numbers that a trained model ships with, computed from its weights and the test set."""

import torch

from vaecourse.models import VAE
from vaecourse.objectives import elbo_terms, importance_weighted_bound

CHUNK = 500


@torch.no_grad()
def evaluate(model, x, importance_samples=100, importance_rows=1_000, seed=0):
    """Metrics of `model` on the test data x [N, D], a dict of floats.

    For a VAE, in nats a data point: `elbo` and its two terms, by one draw of z for each row;
    `elbo_se`, its standard error over the data; `log_likelihood`, the importance-weighted
    bound with `importance_samples` draws on the first `importance_rows` rows.
    For an autoencoder: `squared_error`, summed over dimensions.
    """
    if not isinstance(model, VAE):
        return {"squared_error": model.squared_error(x).mean().item()}
    generator = torch.Generator().manual_seed(seed)
    model.check(x)
    terms = [elbo_terms(model, rows, 1, generator) for rows in x.split(CHUNK)]
    elbo = torch.cat([term.elbo for term in terms])
    bounds = [
        importance_weighted_bound(model, rows, importance_samples, generator)
        for rows in x[:importance_rows].split(CHUNK // 5)
    ]
    return {
        "elbo": elbo.mean().item(),
        "elbo_se": (elbo.std() / len(elbo) ** 0.5).item(),
        "reconstruction": torch.cat([term.reconstruction for term in terms]).mean().item(),
        "kl": torch.cat([term.kl for term in terms]).mean().item(),
        "log_likelihood": torch.cat(bounds).mean().item(),
    }
