"""A user's own data: an array in a .npy, .npz or .csv file."""

import csv
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vaecourse._arguments import UNEQUAL, check_precision
from vaecourse._files import plain

READERS = (".npy", ".npz", ".csv")
KINDS = 10  # of labels, for each of which figures have a colour
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}  # beside the comma
FEW = 8  # rows that may count 0, 1, 2 by chance
INDEX = ("", "id", "unnamed: 0")  # names of a first column that tells the rows apart


class Rows(NamedTuple):
    """x [N, ...], float32; of a column of labels their numbers [N], and the kinds they number."""

    x: torch.Tensor
    label: torch.Tensor | None = None
    kinds: list[str] | None = None


def read_rows(path, array=None, label=None, ignore=()):
    """The data in the file `path`, as `Rows` of two or more dimensions.

    .npy; .npz, whose only array it is unless `array` names one; or .csv, numbers between commas,
    with or without a line on top that is names throughout. label: what is no data, the name of a
    column of a .csv file or of an array [N] of an .npz file; numbers or words of at most ten kinds,
    which are numbered in their order: [N], integers from 0. Without `label`, None. ignore: names of
    columns of a .csv file that are left out. Raises ValueError, in one sentence, for a file that
    cannot be read and for content that is not finite numbers in rows.
    """
    path = Path(path).expanduser()
    kind = path.suffix.lower()
    if kind not in READERS:
        raise ValueError(
            f"{_name(path)} is not a file that is read; accepted are .npy, .npz, .csv."
        )
    if array is not None and kind != ".npz":
        raise ValueError(f"array is {array!r}, but {_name(path)} holds one array without a name.")
    if ignore and kind != ".csv":
        raise ValueError(f"data.ignore is for .csv files; {_name(path)} has no names of columns.")
    if label is not None and kind == ".npy":
        raise ValueError(f"label is {label!r}, but {_name(path)} holds one array without a name.")
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("error")  # what numpy warns of here, it could not read
            if kind == ".csv":
                values, labels = _read_csv(file, label, ignore)
            else:
                read = _read_archive if kind == ".npz" else _read_plain
                values, labels = read(file, array, label)
    except OSError as error:
        folder, why = plain(path.absolute().parent), error.strerror or error
        raise ValueError(f"Cannot read {_name(path)} in the folder {folder}: {why}.") from None
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
    return Rows(values, *([] if label is None else _numbered(labels, len(values), label, path)))


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
    labels = None if label is None else archive[label]
    if label is not None and labels.dtype.kind not in "biuf":
        labels = labels.astype(str)
    return archive[array or names[0]], labels


def _numbered(labels, rows, label, path):
    if labels.shape != (rows,):
        raise ValueError(
            f"data.label: {label!r} in {_name(path)} has shape {list(labels.shape)}; of {rows} "
            f"rows it must be [{rows}]."
        )
    if labels.dtype.kind == "U" and all(map(_is_number, labels)):
        labels = labels.astype(float)  # so that 9 comes before 10
    kinds, index = np.unique(labels, return_inverse=True)
    if len(kinds) > KINDS:
        raise ValueError(
            f"data.label: {label!r} in {_name(path)} has {len(kinds)} different values; a label "
            f"has at most {KINDS}."
        )
    return torch.from_numpy(index), [
        str(kind) if isinstance(kind, str) else f"{kind:.15g}" for kind in kinds
    ]


def _read_csv(file, label, ignore):
    name = _name(file.name)
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Refusal(f"{name} is not text in UTF-8.") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    _check_separator(name, lines)
    names = _names(name, *lines[0]) if lines else []
    if names:
        del lines[0]
    if not lines:
        raise _Refusal(f"{name} has no rows of numbers.")
    for key, column in [("label", label)] * (label is not None) + [("ignore", c) for c in ignore]:
        if column not in names:
            shown = ", ".join(map(_shown, names)) or "no line of names"
            if column in _cells(lines[0][1]):
                shown = "numbers among the names of its first line; names are words"
            raise _Refusal(f"data.{key} is {column!r}; {name} has {shown}.")
    apart, labels = None if label is None else names.index(label), []
    # a column that is no data counts as zeros until it is taken out
    keep = {names.index(column): lambda cell: 0.0 for column in ignore}
    if apart is not None:
        keep[apart] = lambda cell: labels.append(cell.strip()) or 0.0
    try:
        rows = [line for _, line in lines]
        values = np.loadtxt(
            rows, delimiter=",", quotechar='"', ndmin=2, comments=None, converters=keep or None
        )
        if "" in labels:
            raise ValueError
    except ValueError:
        raise _Refusal(f"{name}, {_first_fault(lines, names, keep, apart)}.") from None
    if names and len(names) != values.shape[1]:
        first, columns = lines[0][0], values.shape[1]
        raise _Refusal(f"{name}, line {first}: {columns} cells, below {len(names)} names.")
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise _Refusal(
            f"{name}, line {lines[row][0]}, {_column(column, names)}: "
            f"{values[row, column]} is no finite number ({len(wrong)} such cells in all)."
        )
    if 0 not in keep:
        _check_index(name, names, values)
    if not names and _counts_up(lines[0][1], values):
        cells = _cells(lines[0][1])
        shown = ", ".join(cells if len(cells) < 5 else [*cells[:2], "…", cells[-1]])
        raise _Refusal(
            f"{name}, line {lines[0][0]} rises in equal steps, {shown}, and no line below does: if "
            "these are names, write words, or none (pandas: to_csv(..., header=False, "
            "index=False)); if they are data, put a line of names above them."
        )
    try:
        check_precision(name, values, lambda column: _column(column, names))
    except ValueError as error:
        raise _Refusal(str(error)) from None
    values = np.delete(values, list(keep), axis=1)
    if apart is None:
        return values, None
    return values, np.array(labels)


def _check_separator(name, lines):
    """Refuse a table whose cells stand between other separators than commas."""
    ends = [lines[k][1] for k in (0, -1)] if lines else []
    for separator, shown in SEPARATORS.items():
        if any(separator not in line for line in ends):
            continue
        spaces = separator == " "
        rows = [
            line.split() if spaces else next(csv.reader([line], delimiter=separator))
            for line in ends
        ]
        numbers = [cell for row in rows[1:] for cell in row if _is_number(cell.replace(",", "."))]
        parted = numbers and len(rows[0]) == len(rows[1]) > 1
        if parted and (not spaces or _between_spaces(ends, rows, numbers)):
            named = any(cell and not _is_number(cell.replace(",", ".")) for cell in rows[0])
            no, none = ("", "") if named else (", header=None", "header=False, ")
            sep = r"\s+" if spaces else separator
            raise _Refusal(
                f"the cells of {name} are between {shown}; they must be between commas, and "
                f"decimals behind a point (pandas: read_csv(path, sep={sep!r}, "
                f"decimal=','{no}).to_csv(path, {none}index=False))."
            )


def _between_spaces(ends, rows, numbers):
    """Whether spaces part the cells, and do not only stand in words or behind commas."""
    whole = len(numbers) == len(rows[-1]) and all(cell.strip(",") == cell for cell in numbers)
    return whole or "," not in "".join(ends)


def _check_index(name, names, values):
    """Refuse a first column that only numbers the rows."""
    column, first = values[:, 0], names[0] if names else None
    if len(column) < 2:
        return
    different = len(np.unique(column)) == len(column) and not (column % 1).any()
    counts = bool((np.diff(column) == 1).all())
    if names:
        found = (different and first.lower() in INDEX) or (counts and first.lower() == "index")
        cure = "or name it in data.ignore"
    else:  # a few rows of data may count by chance, and a table of counts throughout may mean it
        rest = (np.diff(values[:, 1:], axis=0) == 1).all(axis=0)
        found = counts and column[0] in (0, 1) and len(column) >= FEW and len(rest) > 0
        found = found and not rest.any()
        cure = "or put a line of names above it if it is data"
    if found:
        what = f"({_shown(first)})" if first else "has no name and"
        no = "" if names else "header=False, "
        raise _Refusal(
            f"{name}: the first column {what} numbers the rows; it looks like an index: write the "
            f"table without it (pandas: to_csv(..., {no}index=False)), {cure}."
        )


def _counts_up(line, values):
    """Whether the first row looks like names that are numbers, 0, 1, 2 or years, not like data.

    It rises in equal steps, which no other row does. Among whole numbers that may be chance, so
    there it must be long; two of them must be 0, 1, or far from all others, as years are.
    """
    steps = np.diff(values, axis=1)
    even = (steps > 0).all(1) & np.isclose(steps, steps[:, :1], rtol=1e-6).all(1)
    columns = values.shape[1]
    if columns < 2 or len(values) < 2 or not even[0] or (columns > 2 and even[1:].any()):
        return False
    whole = values[1:] % 1 == 0
    if columns == 2 and not (values[0] == (0, 1)).all():
        low, high = values[1:].min(0), values[1:].max(0)
        if not ((values[0] < 2 * low - high) | (values[0] > 2 * high - low)).all():
            return False
    few = 2 if not whole.any() else 3 if not whole.all() else 8
    return columns >= (few if all(cell.isdecimal() for cell in _cells(line)) else 8)


def _cells(line):
    return [cell.strip() for cell in next(csv.reader([line]))]


def _column(index, names):
    """ "column 2", with its name if it has one."""
    name = names[index] if index < len(names) else ""
    return f"column {index + 1}" + (f" ({_shown(name)})" if name else "")


def _names(name, number, line):
    """The cells of `line` where no cell is a number and it has letters, each name once; else []."""
    cells = _cells(line)
    if any(map(_is_number, cells)) or not any(c.isalpha() for c in line):
        return []
    twice = next((cell for cell in cells if cell and cells.count(cell) > 1), None)
    if twice is None:
        return cells
    if {"na", "nan", "null", "none"} >= {cell.lower() for cell in cells}:
        return []  # no names: a row without values
    raise _Refusal(
        f"{name}, line {number} names two columns {_shown(twice)}; each needs a name of its own."
    )


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell and cell.isascii()


def _first_fault(lines, names, keep, apart):
    """Where, by the file's own lines, the first cell stands that is no number, or is too many."""
    first, width = lines[0][0], len(next(csv.reader([lines[0][1]])))
    for number, line in lines:
        cells = next(csv.reader([line]))
        for index, cell in enumerate(cells):
            where = f"line {number}, {_column(index, names)}"
            if not cell.strip() and (index == apart or index not in keep):
                return f"{where} is empty"
            if index not in keep and not _is_number(cell):
                hint = _hint(cell, index, lines, names, apart)
                return f"{where}: {_shown(cell)} is not a number{hint}"
        if len(cells) != width:
            return f"line {number}: {len(cells)} cells, where line {first} has {width}"
    return f"line {first} and those below cannot be read as rows of numbers"


def _hint(cell, index, lines, names, apart):
    """What to do about a cell that is no number, where the whole column tells."""
    column = [cells[index] for _, line in lines if len(cells := _cells(line)) > index]
    if not names:
        whole = sum(map(_is_number, _cells(lines[0][1])))
        words = [cell] == _cells(lines[0][1])[index : index + 1] and cell[0].isalpha() and whole
        others = len(column) > 1 and all(map(_is_number, column[1:]))
        return " (if line 1 is names, none of them may be a number)" if words and others else ""
    if any(map(_is_number, column)):
        return ""
    if apart is None and cell.strip()[0].isalpha():
        return " (if these are labels, name their column in data.label; if no data, in data.ignore)"
    return " (if this column is no data, name it in data.ignore)"


def _shown(cell):
    return repr(cell) if len(cell) <= 40 else repr(cell[:37]) + "..."


def _checked(values, path):
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        kind = getattr(values, "dtype", type(values).__name__)
        raise ValueError(f"{_name(path)} holds {kind}; it must hold real numbers.")
    if values.ndim < 2 or 0 in values.shape:
        raise ValueError(f"{_name(path)} has shape {list(values.shape)}; it must be [N, D].")
    check_precision(_name(path), values)
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
