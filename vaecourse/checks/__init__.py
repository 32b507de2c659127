"""Self-checks: each takes the reader's function and says that it is right, or names the mistake."""

from vaecourse.checks.autoencoders import mask_corruption, reconstruction_loss
from vaecourse.checks.mistakes import Mistake
from vaecourse.checks.vae import elbo, kl, minibatch_total, reparameterize

__all__ = [
    "Mistake",
    "elbo",
    "kl",
    "mask_corruption",
    "minibatch_total",
    "reconstruction_loss",
    "reparameterize",
]
