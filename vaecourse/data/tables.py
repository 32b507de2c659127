"""A user's own data: an array in a .npy, .npz or .csv file."""

import csv
import io
import re
import unicodedata
import warnings
from array import array
from itertools import islice, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vaecourse._arguments import UNEQUAL, check_precision
from vaecourse._files import plain

READERS = (".npy", ".npz", ".csv")
KINDS = 10  # of labels, for each of which figures have a colour
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}  # beside the comma
MISSING = {"na", "nan", "null", "none"}  # words for a value that is not there
# What pandas takes for an empty cell where its text is not asked for.
TAKEN = {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
TAKEN |= {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
OTHERS = {  # what else bears such an ending, by how it begins
    b"\x1f\x8b": "compressed by gzip: unpack it first",
    b"PK\x03\x04": "a zip archive or an Excel file: unpack it, or save its sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel file: save its sheet as CSV UTF-8",
    b"version https://git-lfs": "a pointer of git-lfs: the data come by git lfs pull",
}
FEW = 8  # rows that may count 0, 1, 2 by chance
# The words of names that say "index": what a row is, and what numbers it.
THINGS = {"row", "line", "record", "serial", "sr", "sl", "s", "id", "obs", "observation", "entry"}
THINGS |= {"sample", "case", "item", "subject", "patient", "participant", "person", "user"}
THINGS |= {"customer", "employee", "passenger", "student", "roll", "order", "lfd"}
NUMBERS = {"#", "idx", "index", "no", "nr", "num", "number", "nummer", "numéro", "número", "numero"}
NUMBERS |= {"номер", "编号", "序号", "번호", "番号"}
COUNTERS = (["row"], ["rows"], ["level", "0"])
UNNAMED = ("X", "...1")  # what R calls a first column without a name
APART = "'’ \u00a0\u2009\u202f"  # what parts thousands, beside points and commas


class Rows(NamedTuple):
    """x [N, ...], float32; of a column of labels their numbers [N], and the kinds they number; the
    names of the columns of x, where the file has some."""

    x: torch.Tensor
    label: torch.Tensor | None = None
    kinds: list[str] | None = None
    columns: list[str] | None = None


def read_rows(path, array=None, label=None, ignore=(), kinds=KINDS):
    """The data in the file `path`, as `Rows` of two or more dimensions.

    .npy; .npz, whose only array it is unless `array` names one; or .csv, numbers between commas,
    with or without a line on top that is names throughout. label: what is no data, the name of a
    column of a .csv file or of an array [N] of an .npz file; numbers or words of at most `kinds`,
    which are numbered in their order: [N], integers from 0. Without `label`, None. ignore: names of
    columns of a .csv file that are left out. Raises ValueError, in one sentence, for a file that
    cannot be read, for content that is not finite numbers in rows, and for an index: a column that
    numbers the rows and is named so (id, row, no.), or is the first and has no name.
    """
    if isinstance(ignore, str) or not hasattr(ignore, "__iter__"):
        raise ValueError(f"ignore is {ignore!r}; it must be a list of names.")
    if not isinstance(path, str | Path):
        raise ValueError(f"path is a {type(path).__name__}; it must be the name of a file.")
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
            for begin, what in OTHERS.items():
                if file.peek(32).startswith(begin) and not (kind == ".npz" and what[2:5] == "zip"):
                    raise _Refusal(f"{_name(path)} is {what}.")
            if kind == ".csv":
                values, labels, names, name_of = _read_csv(file, label, ignore)
            else:
                read = _read_archive if kind == ".npz" else _read_plain
                values, labels, names, name_of = *read(file, array, label), None, None
    except OSError as error:
        folder, why = plain(path.absolute().parent), error.strerror or error
        raise ValueError(f"Cannot read {_name(path)} in the folder {folder}: {why}.") from None
    except _Refusal as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # numpy raises nearly anything on a damaged file
        reason = plain(error).rstrip(".") or type(error).__name__
        if reason.startswith("Object arrays"):
            reason = (
                "its rows differ in length, or hold other things than numbers, or it is an array "
                f"of objects: save numbers by x.astype(float); {UNEQUAL}"
            )
        elif "pickle" in reason:  # what numpy takes all for that it does not know
            reason = "it is cut short, or holds other things than numbers"
        raise ValueError(f"{_name(path)} cannot be read: {reason}.") from None
    values = _checked(values, path, name_of)
    numbered = (None, None)
    if label is not None:
        numbered = _numbered(labels, len(values), label, path, kinds)
    return Rows(values, *numbered, names)


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
    labels = None if label is None else _read_labels(archive, label, _name(file.name))
    return archive[array or names[0]], labels


def _read_labels(archive, label, name):
    try:
        labels = archive[label]
        return labels if labels.dtype.kind in "biufMm" else labels.astype(str)
    except UnicodeDecodeError:
        form = "bytes: save it as text, numpy.char.decode(labels, 'utf-8')"
    except ValueError as error:
        if not str(error).startswith("Object arrays"):
            raise
        form = "Python objects: save it as text, labels.astype(str)"
    raise _Refusal(f"data.label: {label!r} in {name} is an array of {form}.")


def _numbered(labels, rows, label, path, most):
    if labels.shape != (rows,):
        raise ValueError(
            f"data.label: {label!r} in {_name(path)} has shape {list(labels.shape)}; of {rows} "
            f"rows it must be [{rows}]."
        )
    codes = labels.dtype.kind == "U" and any(re.match(r"0\d", text) for text in labels)  # 01, say
    if labels.dtype.kind == "U" and not codes and all(map(_is_number, labels)):
        values = labels.astype(float)  # so that 9 comes before 10
        labels = labels if (abs(values) >= 2**53).any() else values
    none = labels != labels  # NaN among numbers, NaT among dates
    if none.any():
        raise ValueError(
            f"data.label: {label!r} in {_name(path)} has no value in {none.sum()} of {rows} rows; "
            "leave them out, or give a value, none say, to all."
        )
    kinds, index = np.unique(labels, return_inverse=True)
    if len(kinds) > most:
        raise ValueError(
            f"data.label: {label!r} in {_name(path)} has {len(kinds)} different values; a label "
            f"has at most {most}."
        )
    number = labels.dtype.kind in "biuf"
    return torch.from_numpy(index), [f"{kind:.15g}" if number else str(kind) for kind in kinds]


def _read_csv(file, label, ignore):
    name, content = _name(file.name), file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        others = (
            " if it is Western; else put 'cp1250' (Polish, Czech), 'cp1251' (Cyrillic), 'cp1253' "
            "(Greek), 'cp1254' (Turkish), 'gbk' (Chinese), 'cp949' (Korean), 'shift_jis' "
            "(Japanese) or 'mac_roman' (an old Mac) in place of 'cp1252', and look at the words "
            "of new.csv: a wrong one may give wrong letters"
        )
        raise _Refusal(
            f"{name} is not text in UTF-8; Path('new.csv').write_text(Path(path).read_text("
            f"{'utf-16' if wide else 'cp1252'!r}), 'utf-8') writes it so{'' if wide else others}."
        ) from None
    lines = list(io.StringIO(text, newline=None))  # of every system's ends of lines
    filled = [line for line in lines if line.strip()]
    _check_separator(name, filled)
    records = _records(name, lines)
    first = top = next(records, (1, []))
    names = _names(name, *first)
    if names:
        top = next(records, (1, []))
    if not top[1]:
        raise _Refusal(f"{name} has no rows of numbers.")
    if len(top[1]) == len(names) + 1 > 2 and all(map(_is_number, top[1][1:])):
        raise _Refusal(
            f"{name}, line {top[0]}: {len(top[1])} cells, below {len(names)} names (if R wrote the "
            "names of rows, leave them out: row.names = FALSE)."
        )
    for key, column in [("label", label)] * (label is not None) + [("ignore", c) for c in ignore]:
        if column not in names:
            shown = ", ".join(map(_shown, names)) or "no line of names"
            if column in map(str.strip, first[1]):
                shown = f"numbers among the names of its first line; {_worded(first[1])}"
            raise _Refusal(f"data.{key} is {column!r}; {name} has {shown}.")
    apart = None if label is None else names.index(label)
    dropped = {apart, *(index for index, column in enumerate(names) if column in ignore)}
    keep = [index for index in range(len(top[1])) if index not in dropped]
    if not keep:
        raise _Refusal(f"data.label and data.ignore leave no column of {name}.")
    table = None if '"' in text else _by_lines(filled[bool(names) :], len(top[1]), keep, apart)
    if table is None:
        table = _by_cells(name, lines, top, names, keep, apart)
    values, labels = table
    if names and len(names) != len(top[1]):
        raise _Refusal(f"{name}, line {top[0]}: {len(top[1])} cells, below {len(names)} names.")

    def name_of(place):
        return _column(keep[place], names)

    wrong = np.argwhere(~np.isfinite(_single(values)))
    if len(wrong):
        row, column = wrong[0]
        number, _ = list(_records(name, lines))[row + bool(names)]
        value = values[row, column]
        what = "too large for float32" if np.isfinite(value) else "no finite number"
        raise _Refusal(
            f"{name}, line {number}, {name_of(column)}: "
            f"{value} is {what} ({len(wrong)} such cells in all)."
        )
    _check_index(name, names, values, keep)
    how = None if names else _orders(top[1], values)
    if how:
        cells = [cell.strip() for cell in top[1]]
        cells = cells if len(cells) < 5 else [*cells[:2], "…", cells[-1]]
        raise _Refusal(
            f"{name}, line {top[0]} {how}, {', '.join(cells)}, and no line below does: if "
            "these are names, write words, or none (pandas: to_csv(..., header=False, "
            "index=False)); if they are data, put a line of names above them."
        )
    labels = None if apart is None else np.array(labels)
    return values, labels, [names[index] for index in keep] if names else None, name_of


def _by_lines(lines, columns, keep, apart):
    """The columns `keep` of rows without quotation marks, [N, D], and the labels in column `apart`.

    None where a row is not as it must be, or not read in this quick way.
    """
    if not keep or {*map(str.count, lines, repeat(","))} != {columns - 1}:
        return None
    try:
        labels = [] if apart is None else [line.split(",")[apart].strip() for line in lines]
        values = np.loadtxt(lines, delimiter=",", usecols=keep, ndmin=2, comments=None)
    except (ValueError, IndexError):
        return None
    return None if "" in labels else (values, labels)


def _by_cells(name, lines, top, names, keep, apart):
    """The same of any rows; refuses the first that is not as it must be."""
    values, labels, records = array("d"), [], _records(name, lines)
    convert = float if all(line.isascii() and "_" not in line for line in lines) else _to_number
    for number, cells in islice(records, bool(names), None):
        try:
            values.extend([convert(cells[index]) for index in keep])
            labels += [] if apart is None else [cells[apart].strip()]
            whole = len(cells) == len(top[1]) and labels[-1:] != [""]
        except (ValueError, IndexError):
            whole = False
        if not whole:
            fault = _fault((number, cells), top, names, keep, apart, list(_records(name, lines)))
            raise _Refusal(f"{name}, {fault}.")
    return np.array(values).reshape(-1, len(keep)) if keep else np.empty((len(labels), 0)), labels


def _records(name, lines):
    """The rows of a table, blank lines left out: the line each begins in, from 1, and its cells."""
    if not any('"' in line for line in lines):
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, line.rstrip("\n").split(",")
        return
    reader, start = csv.reader(lines), 0
    while start < len(lines):
        try:
            cells = next(reader)
            if reader.line_num > start + 1:  # no mark that is left open may swallow rows
                next(csv.reader(lines[start : reader.line_num], strict=True))
        except csv.Error as error:
            what = (
                "the quotation marks around a cell do not match; close every cell that they open, "
                "and write a mark within it twice"
            )
            if "limit" in str(error):
                what = (
                    f"a cell has more than {csv.field_size_limit():,} characters; shorten it, or, "
                    "if a quotation mark opens it, close it where it ends"
                )
            raise _Refusal(f"{name}, line {start + 1}: {what}.") from None
        if lines[start].strip():
            yield start + 1, cells
        start = reader.line_num


def _check_separator(name, lines):
    """Refuse a table whose cells stand between other separators than commas."""
    if not lines:
        return
    if lines[0].strip('"\n')[:-1].lower() == "sep=":
        note = _shown(lines[0].strip())
        raise _Refusal(f"{name}, line 1 is a note for spreadsheets, {note}: take it out.")
    ends = [lines[0], lines[-1]]
    for separator, shown in SEPARATORS.items():
        if any(separator not in line for line in ends):
            continue
        rows = _parted(ends, separator)
        numbers = [cell for cell in rows[1] if _decimals(cell)]
        fewer = len(rows[1]) - len(rows[0])  # 1 where R has written names of rows
        named = not any(map(_decimals, rows[0]))
        parted = numbers and len(rows[1]) > 1 and (fewer == 0 or (fewer == 1 and named))
        if parted and (separator != " " or _between_spaces(ends, rows, numbers)):
            raise _Refusal(
                f"the cells of {name} are between {shown}; they must be between commas, and "
                f"decimals behind a point{_as_commas(_parted(lines, separator), separator)}."
            )


def _parted(lines, separator):
    if separator == " ":
        quoted = (_cells(line.strip(), " ") if '"' in line else line.split() for line in lines)
        return [[cell for cell in cells if cell] for cells in quoted]
    return [[cell.strip() for cell in _cells(line, separator)] for line in lines]


def _cells(line, separator):
    """The cells of one line, as far as they stand in it."""
    try:
        return next(csv.reader([line], delimiter=separator))
    except csv.Error:  # a cell is longer than the reader takes
        return line.split(separator)


def _decimals(cell):
    """The marks, of "." and ",", with which `cell` is a decimal; the other one parts thousands."""
    form = r"[-+]?(?=[.,]?\d)(\d*|[1-9]\d{{0,2}}([{1}]\d{{3}})+)([{0}]\d*)?(e[-+]?\d+)?"
    return {marks[0] for marks in (".,", ",.") if re.fullmatch(form.format(*marks), cell, re.I)}


def _as_commas(rows, separator):
    """The line of pandas that writes these cells between commas; what to do where none does."""
    form = re.compile(rf"[-+]?\d{{1,3}}([{APART}])\d{{3}}(\1\d{{3}})*([.,]\d*)?")
    apart = {found[1] for row in rows for cell in row if (found := form.fullmatch(cell))}
    mark = "".join(apart)
    rows = [[re.sub(f"[{APART}]", "", c) if form.fullmatch(c) else c for c in row] for row in rows]
    marked = [cell for row in rows for cell in row if _decimals(cell) and {*".,"} & {*cell}]
    certain = set().union(*(found for cell in marked if len(found := _decimals(cell)) == 1))
    used = {mark for mark in ".," if any(mark in cell for cell in marked)}
    if len(certain) == 2 or (not certain and len(used) == 2):
        return ", which here stand behind points and behind commas: write them all in one way first"
    decimal = next(iter(certain or used or "."))
    other = ".,".replace(decimal, "")
    if len(apart) > 1 or (apart and len(used) == 2):
        return "; thousands here are parted in two ways: part them all in one way first"
    named = any(cell and not _decimals(cell) for cell in rows[0])
    words = {  # of which, dates say, pandas would take out the marks between thousands
        repr(rows[0][index] if named else index): None
        for row in rows[named:]
        for index, cell in enumerate(row[: len(rows[0])])
        if not _decimals(cell) and {*".,", *apart} & {*cell}
    }

    columns = ([row[k] for row in rows[named:] if k < len(row)] for k in range(len(rows[0])))
    lost = any(TAKEN & {*cells} and not any(map(_decimals, cells)) for cells in columns)

    def marks(decimal, thousands):
        options = [f"decimal={decimal!r}"] * (decimal == ",")
        if thousands:
            options.append(f"thousands={thousands!a}")
            options += ["engine='python'"] * (not thousands.isascii())  # the other one leaves them
            options += [f"dtype={{{', '.join(f'{word}: str' for word in words)}}}"] * bool(words)
        return ", ".join(options)

    sep = r"\s+" if separator == " " else separator
    options = [f"sep={sep!r}", found := marks(decimal, mark or (other if other in used else ""))]
    options += ["keep_default_na=False, na_values=['']"] * lost  # such a column may be labels
    options += [] if named else ["header=None"]
    none, doubt = "" if named else "header=False, ", ""
    if used and not certain and not mark:
        what, instead = "points" if decimal == "." else "commas", f" in place of {found}"
        doubt = f"; if {what} part thousands, with {marks(other, decimal)}{instead * bool(found)}"
    return (
        f" (pandas: read_csv(path, {', '.join(filter(None, options))}).to_csv(path, "
        f"{none}index=False){doubt})"
    )


def _between_spaces(ends, rows, numbers):
    """Whether spaces part the cells, and do not only stand in words or behind commas."""
    whole = len(numbers) == len(rows[-1]) and all(cell.strip(",") == cell for cell in numbers)
    return whole or "," not in "".join(ends)


def _check_index(name, names, values, keep):
    """Refuse a column that only numbers the rows: by its name, or a first one without a name.

    Years, ages, doses or steps may count as well, and are data.
    """
    for place, column in enumerate(keep):
        x, said = values[:, place], names[column] if names else ""
        counts = len(x) > 1 and abs(x[1] - x[0]) == 1 and x[0] % 1 == 0
        counts = counts and bool((np.diff(x) == x[1] - x[0]).all())
        what = f"{_column(column, names)} numbers the rows"
        unnamed = column == 0 and said in UNNAMED
        if (_is_key(said) and _tells_apart(x)) or (counts and (unnamed or _is_counter(said))):
            cure = "name it in data.ignore, or, if it is data, give it another name"
        elif names and not said and column == 0:
            what = "the first column has no name"
            cure = (
                "write the table without it (pandas: to_csv(..., index=False)), or name it in "
                "data.ignore, or, if it is data, give it a name"
            )
        elif not names and column == 0 and counts and len(x) >= FEW and x[0] in (0, 1):
            rest = (np.diff(values[:, 1:], axis=0) == 1).all(0)
            if len(rest) == 0 or rest.any():  # a table of counts throughout may mean it
                return
            what = "the first column has no name and numbers the rows"
            cure = (
                "write the table without it (pandas: to_csv(..., header=False, index=False)), or, "
                "if it is data, put the rows in another order"
            )
        else:
            continue
        raise _Refusal(f"{name}: {what}; it looks like an index: {cure}.")


def _words(name):
    """The words and numbers of a name, in small letters: those of "SampleNo. 2" are three."""
    name = unicodedata.normalize("NFKC", name)  # which makes No of the one sign for it
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).lower()
    return re.findall(r"#|\d+|[^\W\d_]+", name)


def _is_key(name):
    """Whether the name is that of what tells rows apart, as PassengerId and Unnamed: 0 are."""
    words = _words(name)
    while words and words[-1].isdecimal():  # of two columns of one name pandas numbers the second
        words.pop()
    last = words[-1] if words else ""
    joined = last.endswith("id") and last[:-2] in THINGS  # patientid
    return last == "id" or joined or words in (["row", "names"], ["rownames"], ["unnamed"])


def _is_counter(name):
    """Whether the name is that of what counts rows, as Serial No. and row are."""
    words = _words(name)
    return words in COUNTERS or (words[-1:] and words[-1] in NUMBERS and {*words[:-1]} <= THINGS)


def _tells_apart(x):
    return len(x) > 1 and len(np.unique(x)) == len(x) and not (x % 1).any()


def _orders(cells, values):
    """How the first row looks like names that are numbers, wavelengths say, or None.

    Beside rows as `_counts_up` knows them it may rise or fall by any steps, which no other row
    does, where most of its cells are far from the others of their columns.
    """
    if _counts_up(cells, values):
        return "rises in equal steps"
    if values.shape[1] < 4 or len(values) < 4:  # so few may do so by chance
        return None
    steps = np.diff(values, axis=1)
    rises, falls = (steps > 0).all(1), (steps < 0).all(1)
    if (
        not (rises[0] or falls[0])
        or (rises | falls)[1:].any()
        or 2 * _far(values).sum() <= len(cells)
    ):
        return None
    return "rises from cell to cell" if rises[0] else "falls from cell to cell"


def _far(values):
    """Where the first row is further from all others than these are from each other, [D]."""
    low, high = values[1:].min(0), values[1:].max(0)
    return (values[0] < 2 * low - high) | (values[0] > 2 * high - low)


def _counts_up(cells, values):
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
    if columns == 2 and not (values[0] == (0, 1)).all() and not _far(values).all():
        return False
    few = 2 if not whole.any() else 3 if not whole.all() else 8
    return columns >= (few if all(cell.strip().isdecimal() for cell in cells) else 8)


def _column(index, names):
    """ "column 2", with its name if it has one."""
    name = names[index] if index < len(names) else ""
    return f"column {index + 1}" + (f" ({_shown(name)})" if name else "")


def _names(name, number, cells):
    """The `cells` where none is a number and one has letters, each name once; else []."""
    cells = [cell.strip() for cell in cells]
    if any(map(_is_number, cells)) or not any(c.isalpha() for cell in cells for c in cell):
        return []
    twice = next((cell for cell in cells if cell and cells.count(cell) > 1), None)
    if twice is None:
        return cells
    if {cell.lower() for cell in cells} <= MISSING:
        return []  # no names: a row without values
    raise _Refusal(
        f"{name}, line {number} names two columns {_shown(twice)}; each needs a name of its own."
    )


def _to_number(cell):
    """`float`, but for the forms that only Python reads; spaces of any kind may stand around."""
    cell = cell.strip()
    if "_" in cell or not cell.isascii():
        raise ValueError
    return float(cell)


def _is_number(cell):
    try:
        return _to_number(cell) is not None
    except ValueError:
        return False


def _fault(row, top, names, keep, apart, rows):
    """What is wrong with `row`: where a cell is no number, or how many cells it has.

    row, top: the line of the row and of the first below the names, and their cells; keep, apart:
    the columns of numbers, and that of labels; rows: all rows of the table, to tell what helps.
    """
    number, cells = row
    for index, cell in enumerate(map(str.strip, cells)):
        where = f"line {number}, {_column(index, names)}"
        data = index in keep or index >= len(top[1])
        if not cell and (data or index == apart):
            if not names and number == top[0] and index == 0 and all(map(_is_number, cells[1:])):
                where = f"line {number} is numbers behind an empty cell (if these are the names "
                where += "that pandas gives: to_csv(..., header=False, index=False)); the cell"
            empty = len(rows) > 1 + bool(names) and not any(
                "".join(row[index : index + 1]).strip() for _, row in rows[bool(names) :]
            )
            cure = f"name it, {names[index]!r}, in data.ignore" if names else "take it out"
            return f"{where} is empty{f', as its whole column is: {cure}' if empty else ''}"
        if data and not _is_number(cell):
            column = [cells[index] for _, cells in rows if len(cells) > index]
            hint = (
                _hint(cell, column[bool(names) :], top, names, apart) if index < len(top[1]) else ""
            )
            return f"{where}: {_shown(cell)} is not a number{hint}"
    if len(cells) != len(top[1]):
        return f"line {number}: {len(cells)} cells, where line {top[0]} has {len(top[1])}"
    return f"line {number}: {len(cells)} cells, below {len(names)} names"


def _hint(cell, column, top, names, apart):
    """What to do about a cell that is no number, where its whole column tells."""
    above = len(column) > 1 and all(map(_is_number, column[1:]))  # only the first is none
    numbers = above or any(map(_is_number, column))
    if cell.lower() in ("true", "false"):
        return " (write 1 and 0)"
    if cell.lower() in MISSING:
        return ""
    date = re.search(r"\d[-/:.]\d+[-/:.]\d", cell)
    written = (
        any(map(str.isdigit, cell)) and not date and not cell[0].isalpha()
    )  # otherwise, 5% say
    if written and (numbers or not names):
        return " (write digits and a decimal point alone, 9082.5 say)"
    if names and above:
        return f" (if line {top[0]} is names or units, leave one line of names above the numbers)"
    if above and cell[0].isalpha() and any(map(_is_number, top[1])):
        return f" (if line 1 is names, {_worded(top[1])})"
    if numbers or not (names or cell[0].isalpha()):
        return ""
    if not names:
        return (
            f" (if line 1 is names, {_worded(top[1])}; if it is data with a label, put a line of "
            "names above, and name that of the labels in data.label)"
        )
    if cell[0].isalpha() and apart is None:
        return " (if these are labels, name their column in data.label; if no data, in data.ignore)"
    if written:
        return (
            " (if these are data, write digits and a decimal point alone, 9082.5 say; if not, name "
            "their column in data.ignore)"
        )
    return " (if this column is no data, name it in data.ignore)"


def _worded(cells):
    """What to do about names of which some are numbers."""
    number = next(cell.strip() for cell in cells if _is_number(cell))
    return f"none of them may be a number: write y{number} for {number}, say"


def _shown(cell):
    return repr(cell) if len(cell) <= 40 else repr(cell[:37]) + "..."


def _checked(values, path, name_of):
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        kind = getattr(values, "dtype", type(values).__name__)
        raise ValueError(f"{_name(path)} holds {kind}; it must hold real numbers.")
    if values.ndim < 2 or 0 in values.shape:
        raise ValueError(f"{_name(path)} has shape {list(values.shape)}; it must be [N, D].")
    check_precision(_name(path), values, name_of)
    values = _single(values)
    wrong = ~np.isfinite(values)
    if wrong.any():
        rows = int(wrong.reshape(len(values), -1).any(1).sum())
        raise ValueError(
            f"{_name(path)} has NaN, infinite or too large values in {rows} of {len(values)} rows, "
            f"first at {np.argwhere(wrong)[0].tolist()}."
        )
    return torch.from_numpy(values)


def _single(values):
    """Values as float32, infinite where it cannot hold them."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def _name(path):
    """The file's name, on one line whatever it is."""
    name = Path(path).name or str(path)
    return name if name.isprintable() else repr(name)
