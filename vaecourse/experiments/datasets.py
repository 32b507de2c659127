"""What a parameter file's `data` stands for: rows to train on, rows to test on."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from vaecourse import data
from vaecourse._files import digest
from vaecourse.data.tables import KINDS, read_rows
from vaecourse.models import labelled
from vaecourse.models.m2 import UNKNOWN

TEST_SEED = 1_000  # of the synthetic test sets: far from every seed of training data
CLASSES = 10_000  # of labels that are learned, as many as a model takes
NOT_SHIPPED = ("static_mnist", "cifar10")  # data that a reader may have to fetch


class TestData(NamedTuple):
    """Rows to test on, x [N, D]; their labels, (height, width) where rows are images, and the names
    of what labels of one's own number."""

    x: Tensor
    label: Tensor | None = None
    shape: tuple[int, int] | None = None
    kinds: list[str] | None = None


class OwnData(NamedTuple):
    """The SHA-256 of a user's own data, the axes of a row, [3, 32, 32] say, what the labels 0, 1, …
    stand for, and the names of the columns; None where there are none."""

    sha256: str
    axes: list[int]
    kinds: list[str] | None
    columns: list[str] | None = None


def train_data(params, seed, labels=False):
    """x [N, D] for training, and what to do with every batch of it (or None).

    params: the section `data` of a parameter file, validated. seed: of the run; it draws a
    synthetic set. labels: append them to the rows as one more column, as a classifier learns
    from them; of a file they are those of `label`, −1 for none. Raises ValueError or DataError for
    a file that is missing or damaged.
    """
    if params.name == "mnist":
        sampled = params.binarize == "sample"
        images = data.mnist("train", binarize=None if sampled else params.binarize)
        return _rows(_counted(images, params), labels), data.binarize if sampled else None
    if params.name in NOT_SHIPPED:
        return _rows(_plain(params.name, "train"), labels), None
    if params.name == "frey_faces":
        return data.frey_faces("train").x, None
    if params.name == "file":
        return _file(params, labels)[0], None
    return data.synthetic(params.name, params.n_train, seed, params.variant).x, None


def test_data(params, labels=False):
    """The data for testing, the same for every seed of a run; otherwise as in `train_data`."""
    if params.name == "mnist":
        images = _counted(data.mnist("test", binarize=params.binarize), params)
        return TestData(_rows(images, labels), images.label, (28, 28))
    if params.name in NOT_SHIPPED:
        shape = (28, 28) if params.name == "static_mnist" else None
        return TestData(_rows(_plain(params.name, "test"), labels), shape=shape)
    if params.name == "frey_faces":
        return TestData(data.frey_faces("test").x, shape=(28, 20))
    if params.name == "file":
        return _file(params, labels)[1]
    return TestData(data.synthetic(params.name, params.n_test, TEST_SEED, params.variant).x)


def own_data(params, labels=False):
    """What `OwnData` tells of a user's own file; None for the data sets of the course.

    labels: whether they are learned, as in `train_data`.
    """
    if params.name != "file":
        return None
    x, label, kinds, columns = _own_rows(params, labels)
    sha256 = digest({"x": x} if label is None else {"x": x, "label": label})
    return OwnData(sha256, list(x.shape[1:]), kinds, columns)


def stand_in(params, labels=False):
    """Test images in the form of those that are not shipped, on which anybody can check a model.

    For the static binarization of the digits, another draw of them; for CIFAR-10, a few digits in
    a frame, in three equal planes.
    """
    if params.name == "static_mnist":
        return data.mnist("test", binarize="sample").x
    digits = data.mnist("test")
    framed = pad(digits.x[:50].view(-1, 1, 28, 28), (2, 2, 2, 2))
    images = digits._replace(x=framed.expand(-1, 3, -1, -1).flatten(1), label=digits.label[:50])
    return _rows(images, labels)


def _plain(name, split):
    if name == "cifar10":
        return data.cifar10(split)
    # The static test images come sorted by digit, and some metrics take the first rows: mix them.
    images = data.static_mnist(split)
    order = torch.randperm(len(images.x), generator=torch.Generator().manual_seed(0))
    return images._replace(x=images.x[order])


def _rows(images, labels):
    return labelled(images.x, images.label) if labels else images.x


def _counted(images, params):
    white = params.counts
    return images if white is None else images._replace(x=(images.x * white).round())


def _own_rows(params, labels):
    """The user's own rows, read again only where the bytes of the file are others.

    Of labels that are learned, −1 is none, and no kind.
    """
    rows = _read(params, CLASSES + 1 if labels else KINDS)
    none = str(UNKNOWN)
    if not labels or none not in rows.kinds:
        return rows
    place = rows.kinds.index(none)
    label = torch.where(rows.label == place, UNKNOWN, rows.label - (rows.label > place).long())
    return rows._replace(label=label, kinds=[kind for kind in rows.kinds if kind != none])


def _read(params, kinds):
    how = params.array, params.label, tuple(params.ignore), kinds
    try:
        with open(Path(params.path).expanduser(), "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # which the reader says in its own words
        return read_rows(params.path, *how)
    return _rows_of(content, params.path, *how)


@lru_cache(maxsize=1)
def _rows_of(content, path, *how):
    return read_rows(path, *how)


def _file(params, labels):
    x, label, kinds, _ = _own_rows(params, labels)
    if len(x) < 3:
        rows = "1 row" if len(x) == 1 else f"{len(x)} rows"
        raise ValueError(
            f"{Path(params.path).name} has {rows}; a run needs 3, for two are kept for testing."
        )
    n_test = max(2, round(params.test_fraction * len(x)))  # a standard error needs two
    if n_test >= len(x):
        raise ValueError(
            f"data.test_fraction is {params.test_fraction}; of {len(x)} rows {n_test} for testing "
            "leave none to train on."
        )
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    rows, shape = x.flatten(1), tuple(x.shape[1:]) if x.ndim == 3 else None
    rows = (labelled(rows, label) if labels else rows)[order]
    label = None if label is None else label[order][:n_test]
    return rows[n_test:], TestData(rows[:n_test], label, shape, kinds)
