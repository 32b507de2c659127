"""A user's own data: an array in a .npy, .npz or .csv file."""

import warnings
from pathlib import Path

import numpy as np
import torch

READERS = (".npy", ".npz", ".csv")


def read_array(path, array=None):
    """The array in the file `path` as a float32 tensor [N, ...] of two or more dimensions.

    .npy; .npz, whose only array it is unless `array` names one; or .csv, numbers between commas,
    with or without a line of names on top. Raises ValueError, in one sentence, for a file that
    cannot be read and for content that is not finite numbers in rows.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in READERS:
        raise ValueError(
            f"{_name(path)} is not a file that is read; accepted are .npy, .npz, .csv."
        )
    if array is not None and kind != ".npz":
        raise ValueError(f"array is {array!r}, but {_name(path)} holds one array without a name.")
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("error")  # what numpy warns of here, it could not read
            values = _read_csv(file) if kind == ".csv" else np.load(file, allow_pickle=False)
            values = _member(values, array, path) if kind == ".npz" else values
    except OSError as error:
        raise ValueError(f"Cannot read {_name(path)}: {error.strerror or error}.") from None
    except _Refusal as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # numpy raises nearly anything on a damaged file
        raise ValueError(f"{_name(path)} cannot be read: {_line(error)}.") from None
    return _checked(values, path)


class _Refusal(Exception):
    """A sentence of our own, told apart from what numpy raises."""


def _read_csv(file):
    lines = [line for line in file.read().decode("utf-8-sig").splitlines() if line.strip()]
    if lines and not _numbers(lines[0]):
        del lines[0]
    if not lines:
        raise _Refusal(f"{_name(file.name)} has no rows of numbers.")
    return np.loadtxt(lines, delimiter=",", ndmin=2, dtype=np.float64, comments=None)


def _numbers(line):
    try:
        return [float(cell) for cell in line.split(",")]
    except ValueError:
        return None


def _member(archive, array, path):
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise _Refusal(f"{_name(path)} is not an .npz archive.")
    names = ", ".join(repr(name) for name in archive.files)
    if array is None and len(archive.files) != 1:
        raise _Refusal(f"{_name(path)} holds {names or 'no array'}; name one with data.array.")
    if array is not None and array not in archive.files:
        raise _Refusal(f"data.array is {array!r}; {_name(path)} holds {names or 'no array'}.")
    return archive[array or archive.files[0]]


def _checked(values, path):
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        kind = getattr(values, "dtype", type(values).__name__)
        raise ValueError(f"{_name(path)} holds {kind}; it must hold real numbers.")
    if values.ndim < 2 or 0 in values.shape:
        raise ValueError(f"{_name(path)} has shape {list(values.shape)}; it must be [N, D].")
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused with the infinities
        values = np.ascontiguousarray(values, dtype=np.float32)
    wrong = int((~np.isfinite(values.reshape(len(values), -1))).any(1).sum())
    if wrong:
        raise ValueError(
            f"{_name(path)} has NaN, infinite or too large values in {wrong} of {len(values)} rows."
        )
    return torch.from_numpy(values)


def _name(path):
    """The file's name, on one line whatever it is."""
    name = Path(path).name
    return name if name.isprintable() else repr(name)


def _line(error):
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".") if len(text) <= 120 else text[:117] + "..."
