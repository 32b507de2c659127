"""Controls: what is left of an effect when the one cause that a chapter names is taken away.

    vaecourse reproduce controls

trains them and writes `data/results/controls.json`. Shown in chapters 09 to 12.
"""

import json
import time

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.nn.functional import pad

from vaecourse import checkpoint, data, models
from vaecourse._files import check_writable, write_text
from vaecourse.distributions import BernoulliPixels
from vaecourse.evaluation import evaluate
from vaecourse.evaluation.clustering import hungarian_accuracy
from vaecourse.experiments import params, runs
from vaecourse.experiments.datasets import train_data
from vaecourse.experiments.gmvae_start import fitted
from vaecourse.models.base import error_of_mean
from vaecourse.networks import mlp
from vaecourse.training import fit
from vaecourse.training.side_by_side import Ensemble

NAME = "controls"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"


def run(path=PATH, command=f"vaecourse reproduce {NAME}"):
    """Train every control and write the record to `path`; returns it."""
    check_writable(path)
    start = time.perf_counter()
    metrics = {
        "images_seen": [images_seen(seed) for seed in range(3)],
        "model_3": [model_3(seed) for seed in range(3)],
        "warm_up": warm_up(),
        "rows_without_z": [rows_without_z(seed) for seed in range(3)],
        "rows_without_z_longer": [rows_without_z_longer(seed) for seed in range(3)],
        "gmvae_start": [gmvae_start(seed) for seed in range(3)],
    }
    record = checkpoint.provenance(command, time.perf_counter() - start, metrics)
    write_text(path, json.dumps(record, indent=1) + "\n")
    return record


# --- chapter 09: are these images better because they were seen, or because they are easier? -----


def images_seen(seed, epochs=15, first=10_000):
    """`mnist_vae_128d` on the `first` training images and on the test images, less a fresh model.

    The fresh one is trained on the other training images, so it has seen neither: its difference
    is that of the images. All pixels are drawn once, and both models take the same.
    """
    shipped, _ = checkpoint.pretrained("mnist_vae_128d", seed)
    fresh = models.build(shipped.params)
    train, test = data.mnist("train").x, data.mnist("test").x
    settings = {"epochs": epochs, "seed": seed, "progress": False}
    fit(fresh, train[first:], transform=data.binarize, **settings)
    generator = torch.Generator().manual_seed(seed)
    images = [data.binarize(x, generator) for x in (train[:first], test)]
    found = {"seed": seed, "epochs": epochs}
    with torch.no_grad():
        bounds = {
            name: [model.elbo(x, 3, generator) for x in images]
            for name, model in (("shipped", shipped), ("fresh", fresh))
        }
    bounds["less_fresh"] = [
        own - other for own, other in zip(bounds["shipped"], bounds["fresh"], strict=True)
    ]
    for name, (seen, unseen) in bounds.items():
        found[name] = (seen.mean() - unseen.mean()).item()
        found[f"{name}_se"] = (seen.var() / len(seen) + unseen.var() / len(unseen)).sqrt().item()
    return found | {"fresh_elbo": bounds["fresh"][1].mean().item()}


# --- chapter 10: is it the start, or the freedom? ------------------------------------------------


def model_3(seed, epochs=5, half=2_500):
    """Mended weights trained on, with the floor and without it; from the same start, both."""
    mended, _ = checkpoint.pretrained("mnist_model_3_mended", seed)
    train, test = data.mnist("train").x, data.mnist("test")
    found = {"seed": seed, "epochs": epochs, "mended": _of_model_3(mended, test, half)}
    settings = {"epochs": epochs, "seed": seed, "progress": False}
    for name, floor in (("with_floor", mended.params["variance_floor"]), ("without_floor", None)):
        model = models.build({**mended.params, "variance_floor": floor})
        model.load_state_dict(mended.state_dict())
        fit(model, train, **settings)
        found[name] = _of_model_3(model.requires_grad_(False), test, half)
    return found


def _of_model_3(model, test, half):
    x, label = test.x[: 2 * half], test.label[: 2 * half]
    z = model.encode(x).mean
    voters = KNeighborsClassifier(20).fit(z[:half], label[:half])
    return {
        "elbo": evaluate(model, test.x, importance_rows=1)["elbo"],
        "neighbours": voters.score(z[half:], label[half:]),
        "squared_error": (model.decode(z).mean - x).square().sum(1).mean().item(),
    }


# --- chapter 11: a schedule for the KL -----------------------------------------------------------


def kl_weight(epoch, epochs):
    """The weight of the KL in `epoch`, counted from zero: up to 1 in the first half."""
    return min(1, 2 * (epoch + 1) / epochs)


def warm_up(epochs=None):
    """`gaussian_mixture_restarts` again, with the same batches and noise, and a warm-up."""
    described = params("gaussian_mixture_restarts")
    settings, seeds = described.training, described.seeds
    shape = described.model.model_dump()
    run = Ensemble(
        [models.build({**shape, "seed": seed}) for seed in seeds],
        [train_data(described.data, seed)[0] for seed in seeds],
        settings.batch_size,
        settings.learning_rate,
        seeds,
    )
    epochs = epochs or settings.epochs
    for epoch in range(epochs):
        run.by_hand.kl_weight.fill_(kl_weight(epoch, epochs))
        run.epoch()
    run.write_back()
    return [
        {"seed": seed, **runs.metrics(model, described.data)}
        for seed, model in zip(seeds, run.models, strict=True)
    ]


# --- chapter 12: rows without a latent, and labels before training -------------------------------


class Rows(nn.Module):
    """p(x) = Π_t p(x_t | x_<t) over the rows of an image [B, 784]: a VRNN's memory without its z.

    A recurrent network of gated units, as many that it has the size of `vrnn_mnist_rows`; its
    log-likelihood is exact.
    """

    width, units, hidden = 28, 175, 128

    def __init__(self, seed):
        super().__init__()
        self.params = {"kind": "rows", "units": self.units, "hidden": self.hidden, "seed": seed}
        generator = torch.Generator().manual_seed(seed)
        gru = nn.GRU(self.width, self.units, batch_first=True, device="meta")
        self.gru = gru.to_empty(device="cpu")
        for parameter in self.gru.parameters():
            nn.init.uniform_(parameter, -(self.units**-0.5), self.units**-0.5, generator=generator)
        self.decoder = mlp([self.units, self.hidden, self.width], "relu", generator=generator)

    def forward(self, x):
        """The logits of the rows of each image [B, 784], each from the rows above it: [B, 784]."""
        rows = x.unflatten(1, (-1, self.width))
        above = pad(rows[:, :-1], (0, 0, 1, 0))  # at step t, row t - 1; h_t knows all before it
        return self.decoder(self.gru(above)[0]).flatten(1)

    def log_prob(self, x):
        """log p(x) of each image [B, 784]: [B], nats."""
        return BernoulliPixels(self(x)).log_prob(x)

    def loss(self, x, generator=None):
        """−log p(x), averaged over the images; nothing is drawn. In bfloat16, which is faster."""
        with torch.autocast(x.device.type, torch.bfloat16):
            outputs = self(x)
        return -BernoulliPixels(outputs.float()).log_prob(x).mean()

    def check(self, x):
        """x as it is: binary images of 784 pixels are all that it is given."""
        return x


def rows_without_z(seed, epochs=6):
    """The log-likelihood of `Rows` on the test images: what memory alone reaches, at least."""
    model = Rows(seed)
    train, test = data.mnist("train").x, data.mnist("test", binarize="sample").x
    settings = {"epochs": epochs, "learning_rate": 3e-3, "schedule": "cosine", "progress": False}
    fit(model, train, seed=seed, transform=data.binarize, **settings)
    with torch.no_grad():
        values = torch.cat([model.log_prob(x) for x in test.split(1_000)])
    return {
        "seed": seed,
        "epochs": epochs,
        "parameters": sum(p.numel() for p in model.parameters()),
        "log_likelihood": values.mean().item(),
        "log_likelihood_se": error_of_mean(values),
        "log_likelihood_of_1000": values[:1_000].mean().item(),
    }


def rows_without_z_longer(seed):
    """`rows_without_z` with as many epochs as `vrnn_mnist_rows`: six are far too few."""
    return rows_without_z(seed, params("vrnn_mnist_rows").training.epochs)


def gmvae_start(seed):
    """How well a VAE and a mixture of its codes match the digits, where `gmvae_mnist` starts.

    The accuracy of the mixture on the test images; of five mixtures, the likeliest on codes that
    it was not fitted to.
    """
    described = params("gmvae_mnist")
    settings = described.training.model_dump(include={"batch_size", "learning_rate"})
    settings |= described.start.model_dump() | {"seed": seed, "transform": data.binarize}
    train, test = data.mnist("train").x, data.mnist("test", binarize="sample")
    vae, mixture, _ = fitted(described.model.model_dump(), train, **settings)
    kinds = mixture.responsibilities(vae.encode(test.x).loc.double()).argmax(1)
    return {"seed": seed, "accuracy": hungarian_accuracy(kinds, test.label)}
