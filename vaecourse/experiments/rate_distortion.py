"""MNIST on the plane of rate and distortion, and codes of words that are trained for longer.

    vaecourse reproduce rate_distortion

trains two latents with four weights of the KL, and sixteen words in three ways; three seeds each.
Writes `data/results/rate_distortion.json`. Shown in chapter 15.
"""

import json
import time

import torch
from sklearn.datasets import load_digits

from vaecourse import checkpoint, data, models, objectives
from vaecourse._files import check_writable, write_text
from vaecourse.evaluation import LatentGrid, evaluate
from vaecourse.evaluation.rate_distortion import best_encoder, encoder_terms
from vaecourse.experiments.better_posteriors import mean_and_error
from vaecourse.inference import BernoulliMixture
from vaecourse.training import fit

NAME = "rate_distortion"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"
BETAS = (0.5, 1.0, 4.0, 16.0)
SEEDS = (0, 1, 2)
IMAGES = 200  # test images whose integrals over z are taken; the same for all runs
WORD_EPOCHS = 800  # ten times as many as in the chapter


class WeightedVAE(models.VAE):
    """A small VAE of two latents whose loss counts the KL beta times [Hig17]."""

    def __init__(self, beta, seed):
        super().__init__(784, 2, (64,), seed=seed)
        self.beta = beta

    def loss(self, x, generator=None):
        terms = objectives.elbo_terms(self, x, 1, generator)
        return (self.beta * terms.kl - terms.reconstruction).mean()


class Likeliest(models.VQVAE):
    """Words and decoder trained on the bound of the likeliest word: one word, but no encoder."""

    def loss(self, x, generator=None):
        return -self.log_joint(x).max(1).values.mean()


class Summed(models.VQVAE):
    """Words and decoder trained on log p(x) itself."""

    def loss(self, x, generator=None):
        return -self.log_evidence(x).mean()


KINDS = {"vq_vae": models.VQVAE, "likeliest": Likeliest, "sum": Summed}


def run(
    path=PATH,
    command=f"vaecourse reproduce {NAME}",
    epochs=6,
    images=IMAGES,
    points=301,
    word_epochs=WORD_EPOCHS,
):
    """Train every weight, kind and seed and write the record to `path`; returns it."""
    check_writable(path)
    start = time.perf_counter()
    runs = [point(beta, seed, epochs, images, points) for beta in BETAS for seed in SEEDS]
    metrics = {
        "epochs": epochs,
        "images": images,
        "runs": runs,
        "words": {"epochs": word_epochs, "runs": [words(seed, word_epochs) for seed in SEEDS]},
    }
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


def small_digits():
    """Chapter 15's digits of 8 × 8 pixels, cut at one half: 1,000 to train on, 500 to test."""
    pixels = torch.as_tensor(load_digits().data / 16).float()
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
    digits = (pixels[order] > 0.5).float()
    return digits[:1000], digits[1297:]


def words(seed, epochs):
    """Sixteen words trained in each of the `KINDS`, and a mixture by EM, on the same test images.

    Means of log p(x) and, of the VQ-VAE, what its bound lacks with the nearest and with the
    likeliest word; differences with their errors, [nats, nats].
    """
    train, test = small_digits()
    settings = {"epochs": epochs, "batch_size": 100, "learning_rate": 5e-3, "progress": False}
    evidence, found = {}, {"seed": seed}
    for name, kind in KINDS.items():
        model = kind(64, 2, 16, (64,), seed=seed)
        fit(model, train, seed=seed, **settings)
        model.requires_grad_(False)
        evidence[name] = model.log_evidence(test)
        found[name] = evidence[name].mean().item()
        if name == "vq_vae":
            posterior = model.log_joint(test).log_softmax(1)
            taken = posterior.gather(1, model.encode(test)[:, None])
            found["lacks"] = -taken.mean().item()
            found["likeliest_lacks"] = -posterior.max(1).values.mean().item()
    mixture = BernoulliMixture(16, seed=seed).fit(train)
    evidence["mixture"] = mixture.score_samples(test).to(test)
    found["mixture"] = evidence["mixture"].mean().item()
    for better, worse in (("mixture", "vq_vae"), ("likeliest", "vq_vae"), ("sum", "likeliest")):
        found[f"{better}_less_{worse}"] = mean_and_error(evidence[better] - evidence[worse])
    return found
