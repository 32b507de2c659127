"""A user's own data: an array in a .npy, .npz or .csv file."""

import csv
import warnings
from pathlib import Path

import numpy as np
import torch

from vaecourse._arguments import UNEQUAL
from vaecourse._files import plain

READERS = (".npy", ".npz", ".csv")
KINDS = 10  # of labels, for each of which figures have a colour


def read_rows(path, array=None, label=None):
    """The data in the file `path`, a float32 tensor [N, ...] of two or more dimensions, and labels.

    .npy; .npz, whose only array it is unless `array` names one; or .csv, numbers between commas,
    with or without a line on top that is names throughout. label: what is no data, the name of a
    column of a .csv file or of an array [N] of an .npz file; numbers or words of at most ten kinds,
    which are numbered in their order: [N], integers from 0. Without `label`, None. Raises
    ValueError, in one sentence, for a file that cannot be read and for content that is not finite
    numbers in rows.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in READERS:
        raise ValueError(
            f"{_name(path)} is not a file that is read; accepted are .npy, .npz, .csv."
        )
    if array is not None and kind != ".npz":
        raise ValueError(f"array is {array!r}, but {_name(path)} holds one array without a name.")
    if label is not None and kind == ".npy":
        raise ValueError(f"label is {label!r}, but {_name(path)} holds one array without a name.")
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("error")  # what numpy warns of here, it could not read
            read = {".csv": _read_csv, ".npz": _read_archive, ".npy": _read_plain}[kind]
            values, labels = read(file, array, label)
    except OSError as error:
        raise ValueError(f"Cannot read {_name(path)}: {error.strerror or error}.") from None
    except _Refusal as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # numpy raises nearly anything on a damaged file
        reason = plain(error).rstrip(".") or type(error).__name__
        if reason.startswith("Object arrays"):
            reason = "its rows differ in length, or hold other things than numbers; " + UNEQUAL
        elif "pickle" in reason:  # what numpy takes all for that it does not know
            reason = "it is cut short, or holds other things than numbers"
        raise ValueError(f"{_name(path)} cannot be read: {reason}.") from None
    values = _checked(values, path)
    return values, None if label is None else _numbered(labels, len(values), label, path)


class _Refusal(Exception):
    """A sentence of our own, told apart from what numpy raises."""


def _read_plain(file, array, label):
    return np.load(file, allow_pickle=False), None


def _read_archive(file, array, label):
    archive = np.load(file, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise _Refusal(f"{_name(file.name)} is not an .npz archive.")
    names = [name for name in archive.files if name != label]
    shown = ", ".join(map(repr, names))
    if label is not None and label not in archive.files:
        raise _Refusal(f"data.label is {label!r}; {_name(file.name)} holds {shown or 'no array'}.")
    if array is None and len(names) != 1:
        raise _Refusal(f"{_name(file.name)} holds {shown or 'no array'}; name one with data.array.")
    if array is not None and array not in names:
        raise _Refusal(f"data.array is {array!r}; {_name(file.name)} holds {shown or 'no array'}.")
    return archive[array or names[0]], None if label is None else archive[label]


def _numbered(labels, rows, label, path):
    if labels.shape != (rows,):
        raise ValueError(
            f"data.label: {label!r} in {_name(path)} has shape {list(labels.shape)}; of {rows} "
            f"rows it must be [{rows}]."
        )
    kinds, index = np.unique(labels, return_inverse=True)
    if len(kinds) > KINDS:
        raise ValueError(
            f"data.label: {label!r} in {_name(path)} has {len(kinds)} different values; a label "
            f"has at most {KINDS}."
        )
    return torch.from_numpy(index)


def _read_csv(file, array, label):
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Refusal(f"{_name(file.name)} is not text in UTF-8.") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    names = _cells(lines[0][1]) if lines and _are_names(lines[0][1]) else []
    if names:
        del lines[0]
    if not lines:
        raise _Refusal(f"{_name(file.name)} has no rows of numbers.")
    if label is not None and label not in names:
        shown = ", ".join(map(_shown, names)) or "no line of names"
        raise _Refusal(f"data.label is {label!r}; {_name(file.name)} has {shown}.")
    apart, labels = None if label is None else names.index(label), []
    try:
        rows = [line for _, line in lines]
        keep = None if apart is None else {apart: lambda cell: labels.append(cell.strip()) or 0.0}
        values = np.loadtxt(
            rows, delimiter=",", quotechar='"', ndmin=2, comments=None, converters=keep
        )
        if "" in labels:
            raise ValueError
    except ValueError:
        raise _Refusal(f"{_name(file.name)}, {_first_fault(lines, names, apart)}.") from None
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise _Refusal(
            f"{_name(file.name)}, line {lines[row][0]}, {_column(column, names)}: "
            f"{values[row, column]} is no finite number ({len(wrong)} such cells in all)."
        )
    count = np.arange(len(values))
    if names and not names[0] and len(values) > 1 and (values[:, 0] - values[0, 0] == count).all():
        raise _Refusal(
            f"{_name(file.name)}: the first column has no name and counts rows; it looks like an "
            "index: write the table without it (pandas: to_csv(..., index=False))."
        )
    if apart is None:
        return values, None
    labels = np.array(labels, dtype=float if all(map(_is_number, labels)) else str)
    return np.delete(values, apart, axis=1), labels


def _cells(line):
    return [cell.strip() for cell in next(csv.reader([line]))]


def _column(index, names):
    """ "column 2", with its name if it has one."""
    name = names[index] if index < len(names) else ""
    return f"column {index + 1}" + (f" ({_shown(name)})" if name else "")


def _are_names(line):
    """Whether no cell of `line` is a number and it has letters, each name once."""
    cells = _cells(line)
    names = [cell for cell in cells if cell]
    return (
        not any(map(_is_number, cells))
        and any(c.isalpha() for c in line)
        and len(set(names)) == len(names)
    )


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell and cell.isascii()


def _first_fault(lines, names, apart):
    """Where, by the file's own lines, the first cell stands that is no number, or is too many."""
    first, width = lines[0][0], len(next(csv.reader([lines[0][1]])))
    for number, line in lines:
        cells = next(csv.reader([line]))
        for index, cell in enumerate(cells):
            where = f"line {number}, {_column(index, names)}"
            if not cell.strip():
                return f"{where} is empty"
            if index != apart and not _is_number(cell):
                column = [cells[index] for _, line in lines if len(cells := _cells(line)) > index]
                words = names and apart is None and not any(map(_is_number, column))
                hint = " (if these are labels, name their column in data.label)" if words else ""
                return f"{where}: {_shown(cell)} is not a number{hint}"
        if len(cells) != width:
            return f"line {number}: {len(cells)} cells, where line {first} has {width}"
    return f"line {first} and those below cannot be read as rows of numbers"


def _shown(cell):
    return repr(cell) if len(cell) <= 40 else repr(cell[:37]) + "..."


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
