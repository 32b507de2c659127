"""How well clusters found without labels match labels. Taught in chapter 12.

Three measures, because each hides something: purity never falls when clusters are split, the
accuracy needs as many clusters as labels to reach one, and neither shows an empty cluster.
"""

import torch
from scipy.optimize import linear_sum_assignment

from vaecourse._arguments import as_tensor


def confusion(cluster, label):
    """How often each cluster meets each label: counts [C, L], from integers [N] and [N].

    C and L are one more than the largest value. Raises ValueError for other shapes or values.
    """
    cluster, label = _whole("cluster", cluster), _whole("label", label)
    if len(cluster) != len(label):
        raise ValueError(
            f"cluster has {len(cluster)} entries and label {len(label)}; they must match."
        )
    shape = (int(cluster.max()) + 1, int(label.max()) + 1)
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
    cluster, label = _whole("cluster", cluster), _whole("label", label)
    return (match(cluster, label)[cluster] == label).double().mean().item()


def purity(cluster, label):
    """The share of points that carry the commonest label of their cluster."""
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


def _whole(name, value):
    """`value` as integers [N] on the CPU; ValueError for anything else."""
    value = as_tensor(value, argument=name, keep_whole=True).cpu()
    whole = not (value.is_floating_point() or value.dtype == torch.bool)
    if value.ndim != 1 or len(value) == 0 or not whole or (value.long() < 0).any():
        raise ValueError(f"{name} must hold integers of at least 0, of shape [N] with N > 0.")
    return value.long()
