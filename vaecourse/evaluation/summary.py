"""The numbers that a trained model ships with, computed from its weights and the test set."""

import torch

from vaecourse._arguments import as_labels, check_counts, check_methods, seeded
from vaecourse.evaluation.clustering import hungarian_accuracy, occupancy, purity
from vaecourse.models.base import judging

CHUNK = 500


@judging
def evaluate(model, x, importance_samples=100, importance_rows=1_000, seed=0, *, label=None):
    """Metrics of `model` on the test data x [N, D] ([N, T, D] for a VRNN), a dict of floats.

    In nats a data point: `elbo` and its terms, by one draw of z for each row; `elbo_se`, its
    standard error over the data, NaN of one row; `log_likelihood`, the importance-weighted bound
    with `importance_samples` draws on the first `importance_rows` rows. For an autoencoder:
    `squared_error`, summed over dimensions. For a classifier, of rows that are `labelled`:
    `accuracy` and `cross_entropy`, in nats.
    For a model that finds clusters, where `label` [N] is given, also how they match it (it has
    had no part in training), and the smallest and largest share of the data in a cluster.
    Raises ValueError for a model that cannot say them, and for settings out of range.
    """
    check_methods(model, metrics="(x, importance_samples, importance_rows, seed)")
    check_counts(importance_samples=importance_samples, importance_rows=importance_rows)
    seeded(seed)
    clusters = label is not None and hasattr(model, "num_components")
    if clusters:
        x = model.check(x)
        label = as_labels("label", label, len(x))
    metrics = model.metrics(x, importance_samples, importance_rows, seed)
    if not clusters:
        return metrics
    cluster = torch.cat([model.classify(rows) for rows in x.split(CHUNK)])
    share = occupancy(cluster, model.num_components)
    return {
        **metrics,
        "accuracy": hungarian_accuracy(cluster, label),
        "purity": purity(cluster, label),
        "smallest_component": share.min().item(),
        "largest_component": share.max().item(),
    }
