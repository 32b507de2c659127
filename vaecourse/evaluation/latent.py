"""What the latents carry. Taught in chapters 09 and 13."""

from torch.distributions import kl_divergence

from vaecourse._arguments import check_several
from vaecourse.models.base import check_latent, checked, judging


@judging
def kl_per_dimension(model, x):
    """KL(q(z_j|x) ‖ p(z_j)) averaged over the rows of x [B, D]: [J], nats.

    For independent latents these sum to the KL term of the bound. Raises ValueError for a
    full covariance, whose KL does not split over dimensions.
    """
    check_latent(model)
    x = checked(model, x)
    q = model.encode(x)
    if not hasattr(q, "base_dist"):
        raise ValueError("The posterior of this model is not diagonal; its KL does not split.")
    return kl_divergence(q.base_dist, model.prior.base_dist).mean(dim=0)


@judging
def active_units(model, x, threshold=0.01):
    """Which latents are used, [J]: the variance over x of E_q[z_j] exceeds `threshold` [BGS16].

    Raises ValueError for a single row.
    """
    check_latent(model)
    x = check_several("x", checked(model, x), "a variance over rows")
    return model.encode(x).mean.var(dim=0) > threshold
