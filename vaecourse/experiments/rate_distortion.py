"""MNIST on the plane of rate and distortion: two latents, four weights of the KL, three seeds each.

    vaecourse reproduce rate_distortion

trains them and writes `data/results/rate_distortion.json`. Shown in chapter 15.
"""

import json
import time

from vaecourse import checkpoint, data, models, objectives
from vaecourse._files import check_writable, write_text
from vaecourse.evaluation import LatentGrid, evaluate
from vaecourse.evaluation.rate_distortion import best_encoder, encoder_terms
from vaecourse.training import fit

NAME = "rate_distortion"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"
BETAS = (0.5, 1.0, 4.0, 16.0)
SEEDS = (0, 1, 2)
IMAGES = 200  # test images whose integrals over z are taken; the same for all runs


class WeightedVAE(models.VAE):
    """A small VAE of two latents whose loss counts the KL beta times [Hig17]."""

    def __init__(self, beta, seed):
        super().__init__(784, 2, (64,), seed=seed)
        self.beta = beta

    def loss(self, x, generator=None):
        terms = objectives.elbo_terms(self, x, 1, generator)
        return (self.beta * terms.kl - terms.reconstruction).mean()


def run(path=PATH, command=f"vaecourse reproduce {NAME}", epochs=6, images=IMAGES, points=301):
    """Train every weight and seed and write the record to `path`; returns it."""
    check_writable(path)
    start = time.perf_counter()
    runs = [point(beta, seed, epochs, images, points) for beta in BETAS for seed in SEEDS]
    metrics = {"epochs": epochs, "images": images, "runs": runs}
    record = checkpoint.provenance(command, time.perf_counter() - start, metrics)
    write_text(path, json.dumps(record, indent=1) + "\n")
    return record


def point(beta, seed, epochs, images, points):
    """Where one model lies: its own rate and distortion, and those of the best encoder it admits.

    On the first `images` test images; `test` is what `evaluate` says of all of them.
    """
    model = WeightedVAE(beta, seed)
    settings = {"epochs": epochs, "learning_rate": 3e-3, "seed": seed, "progress": False}
    fit(model, data.mnist("train").x, transform=data.binarize, **settings)
    model.requires_grad_(False)
    x = data.mnist("test", binarize="sample").x
    grid = LatentGrid(model, points, reach=6)
    log_likelihood, log_mass = grid.log_likelihood(x[:images]), grid.log_mass
    found = {
        "own": encoder_terms(model, x[:images]),
        "posterior": best_encoder(log_likelihood, log_mass),
        "tilted": best_encoder(log_likelihood, log_mass, beta),
    }
    return {
        "beta": beta,
        "seed": seed,
        **{
            name: {"rate": terms.rate.mean().item(), "distortion": terms.distortion.mean().item()}
            for name, terms in found.items()
        },
        "log_evidence": (log_likelihood + log_mass).logsumexp(1).mean().item(),
        "test": {
            name: value
            for name, value in evaluate(model, x, importance_rows=1).items()
            if name in ("elbo", "elbo_se", "reconstruction", "kl")
        },
    }
