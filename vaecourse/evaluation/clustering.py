"""How well clusters found without labels match labels. Taught in chapter 12.

Three measures, because each hides something: purity never falls when clusters are split, the
accuracy needs as many clusters as labels to reach one, and neither shows an empty cluster.
"""

import torch
from scipy.optimize import linear_sum_assignment

from vaecourse._arguments import as_labels

MOST = 100_000_000  # counts in a table, 800 MB


def confusion(cluster, label):
    """How often each cluster meets each label: counts [C, L], from integers [N] and [N].

    C and L are one more than the largest value. Raises ValueError for other shapes or values, and
    for a table that would fill the memory.
    """
    cluster, label = _pair(cluster, label)
    shape = (int(cluster.max()) + 1, int(label.max()) + 1)
    if shape[0] * shape[1] > MOST:
        raise ValueError(
            f"cluster goes up to {shape[0] - 1} and label to {shape[1] - 1}, a table of more than "
            f"{MOST:,} counts; kinds become smaller numbers by np.unique(label, "
            "return_inverse=True)[1]."
        )
    return torch.bincount(cluster * shape[1] + label, minlength=shape[0] * shape[1]).view(shape)


def match(cluster, label):
    """The label given to each cluster by the one-to-one match that is right most often.

    Returns [C] with −1 for clusters left over, by the Hungarian method [Kuh55].
    """
    counts = confusion(cluster, label)
    rows, columns = linear_sum_assignment(counts.numpy(), maximize=True)
    assigned = torch.full((len(counts),), -1)
    assigned[torch.as_tensor(rows)] = torch.as_tensor(columns)
    return assigned


def hungarian_accuracy(cluster, label):
    """The share of points whose cluster is matched with their label, each label used once."""
    cluster, label = map(_kinds, _pair(cluster, label))
    return (match(cluster, label)[cluster] == label).double().mean().item()


def purity(cluster, label):
    """The share of points that carry the commonest label of their cluster."""
    cluster, label = map(_kinds, _pair(cluster, label))
    return (confusion(cluster, label).max(1).values.sum() / len(cluster)).item()


def occupancy(cluster, num_clusters):
    """The share of the points in each cluster, [num_clusters], float64."""
    cluster = _whole("cluster", cluster)
    counts = torch.bincount(cluster, minlength=num_clusters)
    if len(counts) > num_clusters:
        raise ValueError(
            f"cluster goes up to {len(counts) - 1}; with num_clusters = {num_clusters} it must "
            f"be at most {num_clusters - 1}."
        )
    return counts.double() / len(cluster)


def _pair(cluster, label):
    cluster = _whole("cluster", cluster)
    return cluster, _whole("label", label, len(cluster))


def _whole(name, value, rows=None):
    return torch.from_numpy(as_labels(name, value, rows, of="cluster"))


def _kinds(value):
    """Whole numbers [N] as numbers of the kinds among them, so that any ids will do."""
    return value.unique(return_inverse=True)[1]
