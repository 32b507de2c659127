"""Images as rows of numbers in [0, 1]: MNIST, its static binarization, Frey faces, CIFAR-10.

Each file is checked against its SHA-256 and parsed once in a process; what is handed out is
a fresh copy, so that nobody can spoil the next reader's data.
"""

import zlib
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse._arguments import check_choice, seeded
from vaecourse.data import files

_MNIST_FILES = {"train": "train", "test": "t10k"}
_FREY_TRAINING = 1800  # S3, section 5.2


class Images(NamedTuple):
    """x: [N, D] float32 in [0, 1], a row an image. label: [N] int64, or None without labels."""

    x: Tensor
    label: Tensor | None


def mnist(split, binarize=None, seed=0):
    """The MNIST images of `split`, "train" (60,000) or "test" (10,000), as `Images` [N, 784].

    binarize: None keeps the grey levels; "threshold" is 1 where the grey level exceeds 1/2;
    "sample" draws each pixel once, Bernoulli with the grey level as its probability, from `seed`
    (for a fresh draw in every epoch see `binarize`). Raises ValueError for a bad argument,
    DataError for a missing or damaged file. Source: LeCun, Cortes and Burges; chapter 09.
    """
    check_choice("split", split, tuple(_MNIST_FILES))
    check_choice("binarize", binarize, (None, "threshold", "sample"))
    generator = seeded(seed)
    stem = _MNIST_FILES[split]
    pixels = _idx("mnist", f"{stem}-images-idx3-ubyte.gz")
    label = _idx("mnist", f"{stem}-labels-idx1-ubyte.gz").long()
    if binarize == "threshold":
        return Images(_as_float(pixels > 127), label)
    x = _as_float(pixels).div_(255)
    return Images(torch.bernoulli(x, generator=generator) if binarize else x, label)


def binarize(x, generator):
    """A batch x of grey levels in [0, 1], drawn anew as Bernoulli pixels: same shape and dtype.

    Dynamic binarization, as in Burda et al.; made to be the `transform` of `training.fit`.
    Raises ValueError for values outside [0, 1].
    """
    low, high = x.aminmax()
    if not (low >= 0 and high <= 1):  # so put, NaN is refused too
        raise ValueError(f"x spans [{low:.6g}, {high:.6g}]; grey levels must lie in [0, 1].")
    return torch.bernoulli(x, generator=generator)


def static_mnist(split):
    """Larochelle's static binarization of MNIST, as `Images` [N, 784] of zeros and ones.

    split: "train" (50,000), "valid" (10,000) or "test" (10,000). There are no labels, and the
    rows are not in MNIST's order. Raises ValueError for a bad split, DataError for a missing or
    damaged file. Source: Larochelle and Murray, 2011; chapter 04.
    """
    check_choice("split", split, ("train", "valid", "test"))
    return Images(_as_float(_amat("static_mnist", f"binarized_mnist_{split}.amat")), None)


def frey_faces(split):
    """The Frey faces, as `Images` [N, 560]: rows of 28 × 20 pixels, frames in order of time.

    split: "train" (the first 1,800 frames) or "test" (the other 165; S3, section 5.2, speaks of
    1,900 frames in all, but the file has 1,965). Raises ValueError for a bad split, DataError for
    a missing or damaged file. Chapter 10.
    """
    check_choice("split", split, ("train", "test"))
    frames = _frames("frey_faces", "frey_rawface.mat")
    frames = frames[:_FREY_TRAINING] if split == "train" else frames[_FREY_TRAINING:]
    return Images(_as_float(frames).div_(255), None)


def cifar10(split):
    """CIFAR-10, as `Images` [N, 3072]: red, green and blue planes of 32 × 32, values k / 255.

    split: "train" (50,000; 614 MB) or "test" (10,000). Raises ValueError for a bad split,
    DataError for a missing or damaged file. Source: Krizhevsky, 2009; chapter 13.
    """
    check_choice("split", split, ("train", "test"))
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if split == "train" else ["test_batch.bin"]
    records = torch.cat([_cifar("cifar10", name) for name in names])
    return Images(_as_float(records[:, 1:]).div_(255), records[:, 0].long())


def _as_float(values):
    # Half the time of `.float()` or `/ 255` on the training images.
    return torch.empty(values.shape).copy_(values)


def _parsed_once(parse):
    """Make of a parser of bytes a reader of (data set, file name) that remembers its result."""

    @lru_cache
    def read(path, name, file_name):
        return parse(files.load(name, file_name))

    return lambda name, file_name: read(files.locate(name, file_name)[1], name, file_name)


def _parse_idx(content):
    """A gzipped IDX file of bytes, as uint8: [N] for labels, [N, rows * columns] for images."""
    raw = zlib.decompress(content, wbits=31)
    ndim, count = raw[3], int.from_bytes(raw[4:8], "big")
    values = torch.frombuffer(bytearray(raw), dtype=torch.uint8, offset=4 + 4 * ndim)
    return values.view(count, -1) if ndim > 1 else values


def _parse_amat(content, width=784):
    """Lines of zeros and ones separated by blanks, as uint8 [N, width]."""
    raw = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return (raw.view(-1, width, 2)[:, :, 0] - ord("0")).contiguous()


def _parse_frames(content):
    """Frey faces as `files` unpacks them, as uint8 [N, 560]."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, 560)


def _parse_cifar(content):
    """Records of a label and 3,072 values, as uint8 [N, 3073]."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, 3073)


_idx = _parsed_once(_parse_idx)
_amat = _parsed_once(_parse_amat)
_frames = _parsed_once(_parse_frames)
_cifar = _parsed_once(_parse_cifar)
