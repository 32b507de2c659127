"""The numbers that a trained model ships with, computed from its weights and the test set."""

import math

import torch

from vaecourse import objectives
from vaecourse.evaluation.clustering import hungarian_accuracy, occupancy, purity
from vaecourse.models import GMVAE, VRNN, Autoencoder, Classifier

CHUNK = 500


@torch.no_grad()
def evaluate(model, x, importance_samples=100, importance_rows=1_000, seed=0, *, label=None):
    """Metrics of `model` on the test data x [N, D] ([N, T, D] for a VRNN), a dict of floats.

    In nats a data point: `elbo` and its terms, by one draw of z for each row; `elbo_se`, its
    standard error over the data; `log_likelihood`, the importance-weighted bound with
    `importance_samples` draws on the first `importance_rows` rows. For a GMVAE also how its
    clusters match `label` [N], where it is given; it has had no part in training.
    For an autoencoder: `squared_error`, summed over dimensions. For a classifier, of rows that
    are `labelled`: `accuracy` and `cross_entropy`, in nats.
    """
    if isinstance(model, Classifier):
        model.check(x)
        losses = [model.loss(rows).item() * len(rows) for rows in x.split(CHUNK)]
        accuracy = model.accuracy(x[:, :-1], x[:, -1])
        return {"accuracy": accuracy, "cross_entropy": sum(losses) / len(x)}
    if isinstance(model, Autoencoder):
        return {"squared_error": model.squared_error(x).mean().item()}
    generator = torch.Generator().manual_seed(seed)
    model.check(x)
    parts = [_terms(model, rows, generator) for rows in x.split(CHUNK)]
    elbo = torch.cat([part.elbo for part in parts])
    dim = math.prod(x.shape[1:])
    images = min(CHUNK // 5, max(1, CHUNK // 5 * 784 // dim))  # few, if they are large
    bounds = [
        torch.logsumexp(_log_weights(model, rows, importance_samples, generator), dim=0)
        for rows in x[:importance_rows].split(images)
    ]
    terms = zip(parts[0]._fields, zip(*parts))
    return {
        "elbo": elbo.mean().item(),
        "elbo_se": (elbo.std() / len(elbo) ** 0.5).item(),
        **{name: torch.cat(values).mean().item() for name, values in terms},
        "log_likelihood": (torch.cat(bounds) - math.log(importance_samples)).mean().item(),
        **(_clusters(model, x, label) if isinstance(model, GMVAE) and label is not None else {}),
    }


def _terms(model, x, generator):
    if isinstance(model, GMVAE | VRNN):
        return model.elbo_terms(x, 1, generator)
    return objectives.elbo_terms(model, x, 1, generator)


def _log_weights(model, x, num_samples, generator):
    if isinstance(model, VRNN):
        return model.log_weights(x, num_samples, generator)
    return objectives.log_weights(model, x, num_samples, generator)


def _clusters(model, x, label):
    """Accuracy and purity, and the smallest and largest share of the data in a component."""
    cluster = torch.cat([model.classify(rows) for rows in x.split(CHUNK)])
    share = occupancy(cluster, model.num_components)
    return {
        "accuracy": hungarian_accuracy(cluster, label),
        "purity": purity(cluster, label),
        "smallest_component": share.min().item(),
        "largest_component": share.max().item(),
    }
