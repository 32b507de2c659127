"""Arrays from files of one's own: values kept, and one sentence for what is no data."""

import csv
import gzip
import re
import zipfile

import numpy as np
import pytest
import torch
from sentences import refused

from vaecourse.data import tables
from vaecourse.data.tables import read_rows

VALUES = np.array([[1.5, -2.0], [0.25, 3.0], [4.0, 5.0]])


def test_every_format_gives_the_same_rows(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.savez(tmp_path / "a.npz", x=VALUES)
    np.savez(tmp_path / "two.npz", x=VALUES, y=VALUES + 1)
    np.savetxt(tmp_path / "a.csv", VALUES, delimiter=",")
    (tmp_path / "names.csv").write_bytes(b"\xef\xbb\xbfwidth,height\r\n1.5,-2\r\n\r\n.25,3\r\n4,5")
    expected = torch.tensor(VALUES, dtype=torch.float32)
    for name in ("a.npy", "a.npz", "a.csv", "names.csv"):
        assert torch.equal(read_rows(tmp_path / name)[0], expected), name
    assert torch.equal(read_rows(tmp_path / "two.npz", "y")[0], expected + 1)


@pytest.mark.parametrize("names", [b"a,b", b"a,", b'"a","b, in mm"', b"label,1x1"])
def test_a_line_that_is_names_throughout_is_no_row(tmp_path, names):
    (tmp_path / "a.csv").write_bytes(names + b"\n1,2\n")
    assert read_rows(tmp_path / "a.csv")[0].tolist() == [[1, 2]]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, ">f8"])
def test_numbers_of_every_kind_are_read(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.array([[1, 0], [0, 1], [1, 1]], dtype=dtype))
    assert read_rows(tmp_path / "a.npy")[0].tolist() == [[1, 0], [0, 1], [1, 1]]


def saved(array):
    def write(path):
        np.save(path, array, allow_pickle=True)

    return write


def saved_in_archive(array):
    return lambda path: np.savez(path, x=array)


def text(content):
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("a.txt", text(b"1,2"), r"a\.txt is not a file that is read; accepted are \.npy"),
        ("a.npy", lambda path: None, r"Cannot read a\.npy in the folder .*: No such file"),
        ("a.npy", saved(np.zeros(3)), r"a\.npy has shape \[3\]; it must be \[N, D\]"),
        ("a.npy", saved(np.zeros((0, 3))), r"has shape \[0, 3\]"),
        ("a.npy", saved(np.array([[1, np.nan], [1, 1]])), "in 1 of 2 rows"),
        ("a.npy", saved(np.array([[1e300], [1.0]])), "too large values in 1 of 2 rows"),
        ("a.npy", saved(np.array([["a"]])), "it must hold real numbers"),
        ("a.npy", saved(np.array([[1j]])), "holds complex128; it must hold real numbers"),
        ("a.npy", saved(np.array([[{}]], dtype=object)), "or hold other things than numbers"),
        ("a.npy", text(b"\x93NUM"), r"a\.npy cannot be read: it is cut short, or"),
        ("a.npz", saved_in_archive(np.array([[{}]], dtype=object)), "other things than numbers"),
        ("a.npy", text(b"\x93NUMPY\x01\x00v\x00{'descr'"), r"a\.npy cannot be read"),
        ("a.npz", text(b"PK\x03\x04 not an archive"), r"a\.npz cannot be read"),
        ("a.npz", lambda path: np.savez(path, x=VALUES, y=VALUES), "holds 'x', 'y'; name one with"),
        ("a.csv", text(b""), r"a\.csv has no rows of numbers"),
        (
            "a.csv",
            text(b"a,b\nc,d"),
            r"a\.csv, line 2, column 1 \('a'\): 'c' is not a number "
            r"\(if these are labels, name their column in data.label; if no data, "
            r"in data.ignore\)\.$",
        ),
        ("a.csv", text(b"a,b\n1,2\n3,NA"), r"line 3, column 2 \('b'\): 'NA' is not a number\.$"),
        ("a.csv", text(b"1,2\n3"), r"a\.csv, line 2: 1 cells, where line 1 has 2\.$"),
        ("a.csv", text(b"1,2\n\n3,4,5"), r"a\.csv, line 3: 3 cells, where line 1 has 2\.$"),
        (
            "a.csv",
            text(b"a,b\n\n1,2\n3,\x1b[2J"),
            r"line 4, column 2 \('b'\): '\\x1b\[2J' is not a number",
        ),
        ("a.csv", text(b"1,\n3,4"), r"a\.csv, line 1, column 2 is empty\.$"),
        ("a.csv", text(b'"1,000",2\n3,4'), "line 1, column 1: '1,000' is not a number"),
        ("a.csv", text(b'"1,000","2,000"\n3,4'), "line 1, column 1: '1,000' is not a number"),
        ("a.csv", text(b"5%,6\n3,4"), "line 1, column 1: '5%' is not a number"),
        ("a.csv", text(b"NA,NA\n3,4"), "line 1, column 1: 'NA' is not a number"),
        (
            "a.csv",
            text(b"a,2\n3,4"),
            r"line 1, column 1: 'a' is not a number "
            r"\(if line 1 is names, none of them may be a number: write y2 for 2, say\)\.$",
        ),
        ("a.csv", text(b"NA,2\nNA,4"), r"line 1, column 1: 'NA' is not a number\.$"),
        (
            "a.csv",
            text(b"a,b\n10%,2\n30%,4"),
            r"'10%' is not a number \(if these are data, write digits and a decimal point alone, "
            r"9082.5 say; if not, name their column in data.ignore\)\.$",
        ),
        ("a.csv", text(b"a\n1,5\n2,5"), r"a\.csv, line 2: 2 cells, below 1 names\.$"),
        ("a.csv", text("a,b\n€10,2\n€30,4".encode()), r"'€10' is not a number \(if these are"),
        (
            "a.csv",
            text(b"a,b,a\n1,2,3\n4,5,6"),
            r"a\.csv, line 1 names two columns 'a'; each needs a name of its own\.$",
        ),
        ("a.csv", text("1,2".encode("utf-16")), r"a\.csv is not text in UTF-8; Path\('new\.csv'\)"),
    ],
)
def test_what_is_no_data_gets_one_sentence(tmp_path, name, write, sentence):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=sentence) as caught:
        read_rows(tmp_path / name)
    assert str(caught.value).isprintable() and "usecols" not in str(caught.value)


def test_labels_are_kept_apart_and_numbered_in_their_order(tmp_path):
    rows = b'width,kind,height\n1.5,pear,-2\n.25,"apple, red",3\n4, pear ,5\n'
    (tmp_path / "a.csv").write_bytes(rows)
    x, label, kinds, *_ = read_rows(tmp_path / "a.csv", label="kind")
    assert torch.equal(x, torch.tensor(VALUES, dtype=torch.float32))
    assert label.tolist() == [1, 0, 1] and kinds == ["apple, red", "pear"]
    (tmp_path / "b.csv").write_text("kind,x\n10,1\n9,2\n10.0,3\n")  # numbers, not words
    assert read_rows(tmp_path / "b.csv", label="kind").label.tolist() == [1, 0, 1]
    assert read_rows(tmp_path / "b.csv", label="kind").kinds == ["9", "10"]
    np.savez(tmp_path / "a.npz", x=VALUES, kind=np.array(["pear", "apple", "pear"]))
    x, label, *_ = read_rows(tmp_path / "a.npz", label="kind")
    assert x.shape == (3, 2) and label.tolist() == [1, 0, 1]
    days = np.array(["2020-02-01", "2020-01-01", "2020-02-01"], "datetime64[D]")
    for given, order in [(["10", "9", "10"], ["9", "10"]), (["b", "a", "b"], ["a", "b"])]:
        for kind in (np.array(given), np.array(given, "S")):
            np.savez(tmp_path / "a.npz", x=VALUES, kind=kind)
            _, label, kinds, *_ = read_rows(tmp_path / "a.npz", label="kind")
            assert label.tolist() == [1, 0, 1] and kinds == order
    np.savez(tmp_path / "a.npz", x=VALUES, kind=days)
    assert read_rows(tmp_path / "a.npz", label="kind").kinds == ["2020-01-01", "2020-02-01"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b\n1,2\n", r"data.label is 'kind'; a\.csv has 'a', 'b'\.$"),
        (b"1,2\n", r"data.label is 'kind'; a\.csv has no line of names\.$"),
        (
            b"2015,2016,kind\n1,2,x\n",
            r"a\.csv has numbers among the names of its first line; none of them may be a number: "
            r"write y2015 for 2015, say\.$",
        ),
        (b"a,kind\n1,x\n2,\n", r"a\.csv, line 3, column 2 \('kind'\) is empty\.$"),
        (b"kind,a\nx,1\ny,no\n", r"line 3, column 2 \('a'\): 'no' is not a number\.$"),
        (b"kind,a\nx,1\ny,inf\n", r"line 3, column 2 \('a'\): inf is no finite number"),
        (b"kind,a\nx,1\ny\n", r"line 3: 1 cells, where line 2 has 2\.$"),
        (b"kind\nx\ny\n", r"data\.label and data\.ignore leave no column of a\.csv"),
        (
            b"kind,a\n" + b"".join(b"%d,1\n" % k for k in range(11)),
            r"data.label: 'kind' in a\.csv has 11 different values; a label has at most 10\.$",
        ),
    ],
)
def test_labels_that_are_none_get_a_sentence(tmp_path, content, sentence):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_rows(tmp_path / "a.csv", label="kind")


def test_labels_of_arrays_must_be_there_and_match_their_rows(tmp_path):
    np.savez(tmp_path / "a.npz", x=VALUES, kind=np.zeros(2))
    with pytest.raises(ValueError, match=r"'kind' in a\.npz has shape \[2\]; of 3 rows .* \[3\]"):
        read_rows(tmp_path / "a.npz", label="kind")
    with pytest.raises(ValueError, match=r"data.label is 'no'; a\.npz holds 'x', 'kind'"):
        read_rows(tmp_path / "a.npz", label="no")
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(ValueError, match=r"label is 'kind', but a\.npy holds one array"):
        read_rows(tmp_path / "a.npy", label="kind")


WORDS = ["né", "b", "né"]


@pytest.mark.parametrize(
    ("labels", "what", "cure"),
    [
        (
            np.array(WORDS, object),
            "Python objects: save it as text, labels.astype(str)",
            lambda labels: labels.astype(str),
        ),
        (
            np.array([2, 1, 2], object),
            "Python objects: save it as text, labels.astype(str)",
            lambda labels: labels.astype(str),
        ),
        (
            np.array([word.encode() for word in WORDS]),
            "bytes: save it as text, numpy.char.decode(labels, 'utf-8')",
            lambda labels: np.char.decode(labels, "utf-8"),
        ),
    ],
)
def test_labels_that_numpy_saves_as_objects_are_told_how_to_become_text(
    tmp_path, labels, what, cure
):
    np.savez(tmp_path / "a.npz", x=VALUES, kind=labels)
    with pytest.raises(ValueError) as caught:
        read_rows(tmp_path / "a.npz", label="kind")
    assert str(caught.value) == f"data.label: 'kind' in a.npz is an array of {what}."
    np.savez(tmp_path / "a.npz", x=VALUES, kind=cure(labels))
    assert read_rows(tmp_path / "a.npz", label="kind").label.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array([1.0, np.nan, 2.0]), ("a.npz", "a.csv")),
        (np.array(["1", "nan", "2"]), ("a.npz", "a.csv")),
        (np.array(["2024-01-01", "NaT", "2024-01-02"], "datetime64[D]"), ("a.npz",)),
        (np.array([1, "NaT", 2], "timedelta64[h]"), ("a.npz",)),
    ],
)
def test_a_label_without_a_value_is_no_kind(tmp_path, labels, names):
    def write(labels):
        np.savez(tmp_path / "a.npz", x=VALUES, kind=labels)
        rows = [f"{word},{a},{b}" for word, (a, b) in zip(labels.astype(str), VALUES)]
        (tmp_path / "a.csv").write_text("\n".join(["kind,a,b", *rows]))

    write(labels)
    for name in names:
        assert refused(read_rows, tmp_path / name, label="kind") == (
            f"data.label: 'kind' in {name} has no value in 1 of 3 rows; leave them out, or give a "
            "value, none say, to all."
        )
    words = labels.astype(str)
    write(np.where((words == "nan") | (words == "NaT"), "none", words))
    for name in ("a.npz", "a.csv"):
        assert read_rows(tmp_path / name, label="kind").label.tolist() == [0, 2, 1]


def test_words_that_are_no_dates_are_kinds_and_times_come_in_their_order(tmp_path):
    (tmp_path / "a.csv").write_text("kind,a\nNaT,1.5\nBob,2.5\n")
    assert read_rows(tmp_path / "a.csv", label="kind").kinds == ["Bob", "NaT"]
    np.savez(tmp_path / "a.npz", x=VALUES, kind=np.array(["NaT", "Bob", "NaT"]))
    assert read_rows(tmp_path / "a.npz", label="kind").label.tolist() == [1, 0, 1]
    np.savez(tmp_path / "a.npz", x=VALUES, kind=np.array([10, 9, 100], "timedelta64[h]"))
    rows = read_rows(tmp_path / "a.npz", label="kind")
    assert rows.kinds == ["9 hours", "10 hours", "100 hours"] and rows.label.tolist() == [1, 0, 2]


def test_numbers_among_objects_are_told_how_to_be_saved(tmp_path):
    np.save(tmp_path / "a.npy", VALUES.astype(object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"an array of objects: save numbers by x.astype\(float\)"):
        read_rows(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", VALUES.astype(object).astype(float))
    assert read_rows(tmp_path / "a.npy").x.shape == (3, 2)


def test_the_name_of_an_array_must_be_there_and_make_sense(tmp_path):
    np.savez(tmp_path / "a.npz", x=VALUES)
    with pytest.raises(ValueError, match=r"data.array is 'z'; a\.npz holds 'x'"):
        read_rows(tmp_path / "a.npz", "z")
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(ValueError, match=r"array is 'x', but a\.npy holds one array"):
        read_rows(tmp_path / "a.npy", "x")


class Pandas:
    """What pandas does with the words of a cure, for the course does not need it."""

    def __init__(self, path):
        self.path = path

    def read_csv(
        self,
        path,
        sep,
        decimal=".",
        thousands="",
        header=0,
        dtype=(),
        engine="c",
        keep_default_na=True,
        na_values=(),
    ):
        if engine == "c" and not thousands.isascii():
            thousands = ""  # of which pandas says nothing
        rows = [
            re.split(sep if len(sep) > 1 else re.escape(sep), line.strip(" "))
            for line in path.read_text("utf-8").splitlines()
        ]
        names = rows.pop(0) if header == 0 else range(len(rows[0]))

        def read(name, cell):
            if keep_default_na and cell in ("NA", "None", "n/a"):
                return ""
            if name in dtype:
                return cell
            plain = (cell.replace(thousands, "") if thousands else cell).replace(decimal, ".")
            return plain if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", plain) else cell

        self.rows = [list(map(read, names, row)) for row in rows]
        self.names = list(names)
        return self

    def to_csv(self, path, header=True, index=True):
        assert not index
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([self.names] * header + self.rows)


def cured(sentence, path):
    """Do to the file at `path` what the sentence says."""
    line = re.search(r"pandas: (read_csv\(.*?\.to_csv\(.*?\))", sentence)[1]
    eval(line, {"read_csv": Pandas(path).read_csv, "path": path, "str": str})


GERMAN = "ort;einwohner;flaeche\no0;1.234;12,5\no1;987;3,25\no2;45.678;101,75\no3;560;8,5\n"


@pytest.mark.parametrize(
    ("content", "options", "values"),
    [
        ("a;b;c\n1;2;3\n4;5;6\n", "sep=';'", [[1, 2, 3], [4, 5, 6]]),
        ("a;b;kind\n1,5;2;x\n4;5,5;y\n", "sep=';', decimal=','", [[1.5, 2], [4, 5.5]]),
        ("1,5;2,5\n3,5;4,5\n", "sep=';', decimal=',', header=None", [[1.5, 2.5], [3.5, 4.5]]),
        ("1,5\t2,5\n3,5\t4,5\n", "sep='\\t', decimal=',', header=None", [[1.5, 2.5], [3.5, 4.5]]),
        ("a|b|c\n1|2|3\n4|5|6\n", "sep='|'", [[1, 2, 3], [4, 5, 6]]),
        ("1,5 2,5\n3,5 4,5\n", "sep='\\\\s+', decimal=',', header=None", [[1.5, 2.5], [3.5, 4.5]]),
        ("a  b kind\n1  2 x\n4  5 y\n", "sep='\\\\s+'", [[1, 2], [4, 5]]),
        (" 1.5   2.5\n13.5  14.5\n", "sep='\\\\s+', header=None", [[1.5, 2.5], [13.5, 14.5]]),
        (GERMAN.replace("ort", "kind"), "sep=';', decimal=',', thousands='.'", [[1234, 12.5]]),
        ("a;b\n1.234,5;2\n0,5;7\n", "sep=';', decimal=',', thousands='.'", [[1234.5, 2], [0.5, 7]]),
        ("a|b\n1.234.567|2,5\n5|7\n", "sep='|', decimal=',', thousands='.'", [[1234567, 2.5]]),
        ("a;b\n1,234.5;2\n0.5;7\n", "sep=';', thousands=','", [[1234.5, 2], [0.5, 7]]),
        ("a\tb\n1,234\t2.5\n567\t7\n", "sep='\\t', thousands=','", [[1234, 2.5], [567, 7]]),
        (
            "1.234;2,5\n-5.678;7,5\n",
            "sep=';', decimal=',', thousands='.', header=None",
            [[1234, 2.5]],
        ),
        ("a;b\n0.123;2.345\n1.5;2\n", "sep=';'", [[0.123, 2.345], [1.5, 2]]),
        (
            "a;kind\n1,5;NA\n2,5;DE\n",
            "sep=';', decimal=',', keep_default_na=False, na_values=['']",
            [[1.5], [2.5]],
        ),
        (
            "kind\ta\nNone\t1.5\nn/a\t2.5\n",
            "sep='\\t', keep_default_na=False, na_values=['']",
            [[1.5], [2.5]],
        ),
        (
            "tag;a;b;kind\n01.02.2024;1.234;2,5;1.x\n02.02.2024;987;3,5;2.x\n",
            "sep=';', decimal=',', thousands='.', dtype={'tag': str, 'kind': str}",
            [[1234, 2.5], [987, 3.5]],
        ),
    ],
)
def test_cells_between_other_separators_get_a_cure_that_reads_them(
    tmp_path, content, options, values
):
    path = tmp_path / "a.csv"
    path.write_text(content)
    shown = {"';'": "semicolons", r"'\t'": "tabs", "'|'": "bars", r"'\\s+'": "spaces"}
    none = "header=False, " if "header" in options else ""
    sentence = (
        f"the cells of a.csv are between {shown[re.match('sep=([^,]*)', options)[1]]}; they must "
        f"be between commas, and decimals behind a point (pandas: read_csv(path, {options}).to_csv("
        f"path, {none}index=False))."
    )
    for label in (None, "kind"):
        assert refused(read_rows, path, label=label) == sentence
    cured(sentence, path)
    names = path.read_text().splitlines()[0].split(",")
    label = "kind" if "kind" in names else None
    x = read_rows(path, label=label, ignore=["tag"] if "tag" in names else ()).x
    assert torch.equal(x[: len(values)], torch.tensor(values, dtype=torch.float32))


@pytest.mark.parametrize("mark", ["\u202f", "\xa0", " ", "'", "’"])
@pytest.mark.parametrize("decimal", [",", "."])
@pytest.mark.parametrize("sep", [";", "\t"])
def test_thousands_parted_by_spaces_and_apostrophes_get_a_cure_that_reads_them(
    tmp_path, mark, decimal, sep
):
    path = tmp_path / "a.csv"
    rows = [f"a.b{sep}1{mark}234{decimal}5{sep}2{mark}345{mark}678", f"c{sep}12{decimal}5{sep}7"]
    path.write_text("\n".join([f"kind{sep}x{sep}y", *rows]), "utf-8")
    sentence = refused(read_rows, path, label="kind")
    assert sentence.count("thousands=") == 1 and ("'python'" in sentence) is not mark.isascii()
    cured(sentence, path)
    rows = read_rows(path, label="kind")
    assert rows.x.tolist() == [[1234.5, 2345678], [12.5, 7]] and rows.kinds == ["a.b", "c"]


@pytest.mark.parametrize("cells", ["1'234;2 345", "1'234,5;2.345,5"])
def test_thousands_parted_in_two_ways_get_no_cure(tmp_path, cells):
    (tmp_path / "a.csv").write_text(f"a;b\n{cells}\n3;4\n")
    assert refused(read_rows, tmp_path / "a.csv").endswith(
        "; thousands here are parted in two ways: part them all in one way first."
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("country,2019,2020", "country,y2019,y2020"),
        ("sample,400.0,415.8", "sample,y400.0,y415.8"),
        ("2019,2020,country", "y2019,y2020,country"),
    ],
)
def test_names_of_which_some_are_numbers_are_told_to_become_words(tmp_path, names, words):
    path, number = tmp_path / "a.csv", re.search(r"\d[\d.]*", names)[0]
    label = names.strip("0123456789.,")
    rows = ["DE,2,3", "FR,4,1"] if names.startswith(label) else ["2,3,DE", "4,1,FR"]
    path.write_text("\n".join([names, *rows]))
    cure = f"none of them may be a number: write y{number} for {number}, say"
    assert refused(read_rows, path).endswith(
        f"{label!r} is not a number (if line 1 is names, {cure}; if it is data with a label, put a "
        "line of names above, and name that of the labels in data.label)."
    )
    assert refused(read_rows, path, label=label) == (
        f"data.label is {label!r}; a.csv has numbers among the names of its first line; {cure}."
    )
    path.write_text("\n".join([words, *rows]))
    found = read_rows(path, label=label)
    assert found.x.tolist() == [[2, 3], [4, 1]] and found.kinds == ["DE", "FR"]


def test_columns_that_are_empty_throughout_are_left_out_by_their_name(tmp_path):
    path = tmp_path / "a.csv"
    for name in ("", "c"):
        path.write_text(f"a,b,{name},\n1,2,,\n3,4,,\n")
        assert refused(read_rows, path).endswith(
            f" is empty, as its whole column is: name it, {name!r}, in data.ignore."
        )
        assert read_rows(path, ignore=[name, ""]).x.tolist() == [[1, 2], [3, 4]]
    path.write_text("1,2,\n3,4,\n")
    assert refused(read_rows, path) == (
        "a.csv, line 1, column 3 is empty, as its whole column is: take it out."
    )


def test_labels_beyond_what_a_float_tells_apart_stay_apart(tmp_path):
    (tmp_path / "a.csv").write_text("k,a\n12345678901234567,1\n12345678901234568,2\n")
    rows = read_rows(tmp_path / "a.csv", label="k")
    assert rows.kinds == ["12345678901234567", "12345678901234568"]


@pytest.mark.parametrize(
    ("content", "marks", "doubt", "instead"),
    [
        ("a;b\n1.234;5.678\n2.345;9\n", "", "points", "decimal=',', thousands='.'"),
        ("a;b\n1,234;5,678\n2,345;9\n", ", decimal=','", "commas", "thousands=','"),
        ("a|b\n1,234|5\n2,345|9\n", ", decimal=','", "commas", "thousands=','"),
    ],
)
def test_marks_that_may_part_thousands_are_left_to_the_reader(
    tmp_path, content, marks, doubt, instead
):
    path, sep = tmp_path / "a.csv", content[1]
    path.write_text(content)
    with pytest.raises(ValueError) as caught:
        read_rows(path)
    sentence = str(caught.value)
    place = f" in place of {marks[2:]}" if marks else ""
    assert sentence.endswith(
        f"(pandas: read_csv(path, sep={sep!r}{marks}).to_csv(path, index=False); if {doubt} part "
        f"thousands, with {instead}{place})."
    )
    cured(sentence, path)
    assert read_rows(path).x[0, 0].item() == pytest.approx(1.234)
    path.write_text(content)
    cured(sentence.replace(marks + ").to", ").to").replace(").to", f", {instead}).to"), path)
    assert read_rows(path).x[0, 0].item() == 1234


@pytest.mark.parametrize(
    "content", ["a;b\n1.5;2,5\n3;4\n", "a|b\n1.234|5,678\n3|4\n", "a\tb\n0.123\t0,5\n3\t4\n"]
)
def test_decimals_behind_two_marks_get_no_cure_that_would_change_them(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ValueError, match="behind points and behind commas: write them all in one"):
        read_rows(tmp_path / "a.csv")


@pytest.mark.parametrize("between", [";", "|", " 1", ", "])
def test_words_and_commas_may_have_other_separators_beside_them(tmp_path, between):
    first, last = (f'"x{between}{end}"' for end in "yz")
    (tmp_path / "a.csv").write_text(f"a a, b b,kind\n1, 2,{first}\n3, 4,{last}\n")
    x, label, *_ = read_rows(tmp_path / "a.csv", label="kind")
    assert x.tolist() == [[1, 2], [3, 4]] and label.tolist() == [0, 1]


def table(names, rows, form="%.4f"):
    return "\n".join([names, *(",".join(form % value for value in row) for row in rows)]) + "\n"


NORMAL = np.random.default_rng(0).normal(size=(20, 12))
COUNTS = np.random.default_rng(0).poisson(5, size=(20, 12))
STEPS = [",".join(map(str, names)) for names in (range(12), range(2015, 2027), range(0, 60, 5))]


@pytest.mark.parametrize("names", [*STEPS, ",".join(f"{400 + k / 2}" for k in range(12))])
@pytest.mark.parametrize(("rows", "form"), [(NORMAL, "%.4f"), (COUNTS, "%d")])
def test_names_that_are_numbers_are_no_row_of_data(tmp_path, names, rows, form):
    cells = names.split(",")
    sentence = (
        f"a.csv, line 1 rises in equal steps, {cells[0]}, {cells[1]}, …, {cells[-1]}, and no line "
        "below does: if these are names, write words, or none (pandas: to_csv(..., header=False, "
        "index=False)); if they are data, put a line of names above them."
    )
    (tmp_path / "a.csv").write_text(table(names, rows, form))
    assert refused(read_rows, tmp_path / "a.csv") == sentence
    words = ",".join(f"x{k}" for k in range(12))
    for cure, count in ((words, 20), ("", 20), (f"{words}\n{names}", 21)):
        (tmp_path / "a.csv").write_text(table(cure, rows, form))
        assert read_rows(tmp_path / "a.csv")[0].shape == (count, 12)


@pytest.mark.parametrize(
    ("names", "how"),
    [
        (",".join(map(str, range(4000, 3976, -2))), "falls"),
        (",".join(f"{350 + 0.47 * k - 1e-3 * k * k:.2f}" for k in range(12)), "rises"),
        ("0.1,1,10,100,1000", "rises"),
    ],
)
def test_names_that_are_uneven_or_falling_numbers_are_no_row_of_data(tmp_path, names, how):
    cells = names.split(",")
    rows = NORMAL[:, : len(cells)]
    (tmp_path / "a.csv").write_text(table(names, rows))
    assert refused(read_rows, tmp_path / "a.csv").startswith(
        f"a.csv, line 1 {how} from cell to cell, {cells[0]}, {cells[1]}, …, {cells[-1]}, and no "
        "line below does: if these are names, write words, or none"
    )
    in_order = np.sort(rows, axis=1)  # every row rises, as data of rising columns do
    near = np.sort(NORMAL[0, : len(cells)])  # a first row that rises by chance, among its like
    for first, others in ((names, in_order), (",".join(map(str, near)), rows)):
        (tmp_path / "a.csv").write_text(table(first, others))
        assert len(read_rows(tmp_path / "a.csv").x) == 21


def test_two_columns_without_names_as_pandas_writes_them_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text(table("0,1", NORMAL[:, :2]))
    with pytest.raises(ValueError, match=r"^a\.csv, line 1 rises in equal steps, 0, 1, and no"):
        read_rows(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "content",
    [
        "0,1,2\n3,1,0\n4,0,9\n",  # counts, of which the first rise by chance
        "0,1,2,3,4,5,6,7\n1,2,3,4,5,6,7,8\n0,0,0,0,0,0,0,1\n",  # another row rises, too
        table("0.0000,1.0000", NORMAL[:, :2]),  # a point as it is written with the others
        "0,1\n1,0\n0.5,0.5\n",
        "0,1,2,3,4,5,6,7\n",  # nothing to compare it with
        table("7,6,5,4,3,2,1,0", COUNTS[:, :8], "%d"),
        table(",".join(["3"] * 12), COUNTS, "%d"),
    ],
)
def test_a_first_row_that_may_be_data_is_read(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    assert len(read_rows(tmp_path / "a.csv")[0]) == content.count("\n")


ROWS = np.random.default_rng(0).normal(size=(9, 2)).round(2)


KEYS = [("id", [4, 6, 5, 9, 8, 7, 1, 2, 3]), ("Unnamed: 0", range(0, 18, 2)), ("site_id", [7, 3])]
KEYS += [
    (name, [8, 2, 5])
    for name in ("PassengerId", "customerID", "patientid", "id.1", "rownames", "Unnamed: 0.1")
]
COUNTERS = ("index", "Index", "idx", "row", "rows", "no", "No.", "#", "row_no", "row number")
COUNTERS += ("EmployeeNumber", "Serial No.", "S.No", "Sr. No.", "SNo", "Sample_No", "Sample #")
COUNTERS += (
    "lfd. Nr.",
    "numéro",
    "Número",
    "编号",
    "番号",
    "Case Number",
    "ID number",
    "level_0",
    "(index)",
    "№",
    "Nº",
    "rownames",
    "patientID",
)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        *KEYS,
        *[(name, range(1000, 1009)) for name in ("ID", *COUNTERS)],
        ("nr", range(9, 0, -1)),
        ("index", [1, 2, 3]),
    ],
)
def test_a_column_that_is_named_an_index_is_refused_until_it_is_left_out_or_renamed(
    tmp_path, name, numbers, place
):
    path, rows = tmp_path / "a.csv", ROWS[: len(numbers)]

    def write(name):
        names = ",".join(np.insert(np.array(["a", "b"], object), place, name))
        table = np.insert(rows, place, numbers, axis=1)
        np.savetxt(path, table, "%g", ",", header=names, comments="", encoding="utf-8")

    write(name)
    assert refused(read_rows, path) == (
        f"a.csv: column {place + 1} ({name!r}) numbers the rows; it looks like an index: name it "
        "in data.ignore, or, if it is data, give it another name."
    )
    assert torch.equal(read_rows(path, ignore=[name]).x, torch.tensor(rows).float())
    write("size")
    assert read_rows(path).x[:, place].tolist() == list(numbers)


@pytest.mark.parametrize(
    "name",
    [
        *("year", "age", "dose", "t", "step", "x", "day", "hour_no_sun", "rowing", "nrs", "lid"),
        *("n_items", "number_of_rooms", "atomic number", "day no", "solid", "case", "id_price"),
    ],
)
@pytest.mark.parametrize("numbers", [range(1995, 2004), range(9), range(9, 0, -1)])
def test_a_named_column_that_counts_is_data(tmp_path, name, numbers):
    lines = [f"{a},{k}" for k, (a, _) in zip(numbers, ROWS)]
    (tmp_path / "a.csv").write_text("\n".join([f"a,{name}", *lines]))
    assert read_rows(tmp_path / "a.csv").x[:, 1].tolist() == list(numbers)


@pytest.mark.parametrize("numbers", [[0, 1, 2], [7, 3, 9], [0, 1, 0], [0.5, 1.5, 2.5]])
def test_an_index_without_a_name_is_refused_until_it_is_left_out(tmp_path, numbers):
    rows = [f"{k},{a:.2f},{b:.2f}" for k, (a, b) in zip(numbers, VALUES)]
    (tmp_path / "a.csv").write_text("\n".join([",a,b", *rows]))
    assert refused(read_rows, tmp_path / "a.csv") == (
        "a.csv: the first column has no name; it looks like an index: write the table without it "
        "(pandas: to_csv(..., index=False)), or name it in data.ignore, or, if it is data, give it "
        "a name."
    )
    (tmp_path / "a.csv").write_text("\n".join(["k,a,b", *rows]))
    assert read_rows(tmp_path / "a.csv").x[:, 0].tolist() == numbers
    (tmp_path / "a.csv").write_text("\n".join([",a,b", *rows]))
    x = read_rows(tmp_path / "a.csv", ignore=[""])[0]
    assert torch.equal(x, torch.tensor(VALUES, dtype=torch.float32))
    (tmp_path / "a.csv").write_text("\n".join(row.split(",", 1)[1] for row in [",a,b", *rows]))
    assert torch.equal(read_rows(tmp_path / "a.csv").x, x)


@pytest.mark.parametrize("name", ["X", "...1"])
def test_a_first_column_that_r_has_named_is_an_index_where_it_counts(tmp_path, name):
    path = tmp_path / "a.csv"
    path.write_text(f"{name},a\n1,0.5\n2,1.5\n3,0\n")
    assert "numbers the rows; it looks like an index" in refused(read_rows, path)
    assert read_rows(path, ignore=[name]).x.tolist() == [[0.5], [1.5], [0]]
    for table in (f"a,{name}\n0.5,1\n1.5,2\n", f"{name},a\n1,0.5\n3,1.5\n"):
        path.write_text(table)
        assert read_rows(path).x.shape == (2, 2)


@pytest.mark.parametrize(("name", "numbers"), [("index", [100, 103, 101]), ("a", [0, 1, 2])])
def test_a_first_column_that_may_be_data_is_read(tmp_path, name, numbers):
    (tmp_path / "a.csv").write_text("\n".join([f"{name},b", *(f"{k},2.5" for k in numbers)]))
    assert read_rows(tmp_path / "a.csv")[0][:, 0].tolist() == numbers


@pytest.mark.parametrize("start", [0, 1])
def test_an_index_in_a_table_without_names_is_refused(tmp_path, start):
    def write(index=True, shift=0):
        rows = np.column_stack([np.arange(20) + start, NORMAL]) if index else NORMAL
        (tmp_path / "a.csv").write_text(table("", np.roll(rows, shift, 0)).lstrip("\n"))

    write()
    assert refused(read_rows, tmp_path / "a.csv") == (
        "a.csv: the first column has no name and numbers the rows; it looks like an index: write "
        "the table without it (pandas: to_csv(..., header=False, index=False)), or, if it is "
        "data, put the rows in another order."
    )
    write(index=False)
    assert read_rows(tmp_path / "a.csv")[0].shape == (20, 12)
    write(shift=1)
    assert read_rows(tmp_path / "a.csv")[0].shape == (20, 13)


@pytest.mark.parametrize(
    "columns",
    [
        [np.arange(7), NORMAL[:7, 0]],  # so few rows may count by chance
        [np.arange(20)],
        [np.arange(20), np.arange(5, 25)],
        [np.arange(20) + 7, NORMAL[:, 0]],
        [np.arange(20) * 2, NORMAL[:, 0]],
        [NORMAL[:, 0], np.arange(20)],
    ],
)
def test_a_first_column_without_a_name_that_may_be_data_is_read(tmp_path, columns):
    rows = np.column_stack(columns)
    (tmp_path / "a.csv").write_text(table("", rows).lstrip("\n"))
    assert read_rows(tmp_path / "a.csv")[0].shape == rows.shape


def test_columns_that_are_no_data_are_left_out_by_name(tmp_path):
    (tmp_path / "a.csv").write_text("when,a,b,kind\n2020-01-01,1,2,x\n,3,4,y\n")
    with pytest.raises(ValueError, match=r"column 1 \('when'\): '2020-01-01' is not a number \(if"):
        read_rows(tmp_path / "a.csv", label="kind")
    x, label, *_ = read_rows(tmp_path / "a.csv", label="kind", ignore=["when"])
    assert x.tolist() == [[1, 2], [3, 4]] and label.tolist() == [0, 1]
    x, *_ = read_rows(tmp_path / "a.csv", ignore=["when", "kind", "a"])
    assert x.tolist() == [[2], [4]]
    with pytest.raises(ValueError, match=r"^data\.ignore is 'no'; a\.csv has 'when', 'a', 'b', 'k"):
        read_rows(tmp_path / "a.csv", ignore=["no"])
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(ValueError, match=r"^data\.ignore is for \.csv files; a\.npy has no names"):
        read_rows(tmp_path / "a.npy", ignore=["a"])


def test_a_path_is_read_from_home_and_the_folder_of_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"^\. is not a file that is read; accepted are \.npy"):
        read_rows(".")
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "a.npy", VALUES)
    assert read_rows("~/a.npy")[0].shape == (3, 2)
    monkeypatch.chdir(tmp_path)
    assert refused(read_rows, "b.npy") == (
        f"Cannot read b.npy in the folder {tmp_path}: No such file or directory."
    )


# --- honest tables that doors once took for something else ----------------------------------------


def test_a_line_longer_than_the_reader_of_cells_takes_is_read(tmp_path):
    x = np.random.default_rng(0).random((3, 6_000))
    np.savetxt(tmp_path / "wide.csv", x, delimiter=",")  # 150,000 characters a line
    assert np.array_equal(read_rows(tmp_path / "wide.csv").x, x.astype(np.float32))


@pytest.mark.parametrize("space", [" ", "\t", "\xa0", "\u2009", "\u202f", "\u3000"])
def test_a_space_of_any_kind_around_a_number_is_no_part_of_it(tmp_path, space):
    path = tmp_path / "a.csv"
    path.write_bytes(f"a,b\n{space}1.5,-2{space}\n2.5,{space}3{space}\n".encode())
    assert read_rows(path).x.tolist() == [[1.5, -2], [2.5, 3]]
    path.write_bytes(f"a,b\n{space}1.5,-2\n2{space}500,3\n".encode())
    assert refused(read_rows, path) == (
        f"a.csv, line 3, column 1 ('a'): {f'2{space}500'!r} is not a number (write digits and a "
        "decimal point alone, 9082.5 say)."
    )


def test_cells_are_counted_below_names_only_where_the_counts_differ(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,kind\n1,2\n3,4\n")
    assert refused(read_rows, tmp_path / "a.csv", label="kind") == (
        "a.csv, line 2: 2 cells, below 3 names."
    )


def test_quotation_marks_change_no_value_and_only_they_are_read_cell_by_cell(tmp_path, monkeypatch):
    numbers = np.random.default_rng(0).normal(size=(50, 3)) * 10.0 ** np.arange(-30, 60, 30)
    plain = [
        f"{'uv'[k % 2]},{a!r}, {b:.5g} ,{c:+.3E}" for k, (a, b, c) in enumerate(numbers.tolist())
    ]
    quoted = [",".join(f'"{cell}"' for cell in row.split(",")) for row in plain]
    by_cells, called = tables._by_cells, []
    monkeypatch.setattr(tables, "_by_cells", lambda *a: called.append(a) or by_cells(*a))
    read = []
    for rows in (plain, quoted):
        (tmp_path / "a.csv").write_text("\n\n".join(["k,a,b,c", *rows]))
        read.append(read_rows(tmp_path / "a.csv", label="k", ignore=["b"]))
    assert len(called) == 1
    cells = [[float(cell) for cell in row.split(",")[1::2]] for row in plain]
    assert torch.equal(read[0].x, torch.tensor(cells))
    assert torch.equal(read[0].x, read[1].x) and torch.equal(read[0].label, read[1].label)
    assert read[0].columns == ["a", "c"] and read[0].label.tolist() == [0, 1] * 25


LONG = "w" * 131_073  # one more than the reader of quoted cells takes


def test_a_long_cell_is_read_or_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"note,a,b\n{LONG},1.5,2\nx,2.5,3\n")
    assert read_rows(path, ignore=["note"]).x.tolist() == [[1.5, 2], [2.5, 3]]
    assert refused(read_rows, path) == (
        f"a.csv, line 2, column 1 ('note'): {'w' * 37!r}... is not a number (if these are labels, "
        "name their column in data.label; if no data, in data.ignore)."
    )
    for cell in (f'"{LONG}"', f'"{LONG}'):
        path.write_text(f"note,a,b\nx,1.5,2\n{cell},2.5,3\n")
        assert refused(read_rows, path, ignore=["note"]) == (
            "a.csv, line 3: a cell has more than 131,072 characters; shorten it, or, if a "
            "quotation mark opens it, close it where it ends."
        )
    path.write_text(f'note;a\n"{LONG}";1.5\n"{LONG}";2.5\n')
    assert "a.csv are between semicolons" in refused(read_rows, path)


def test_marks_of_separators_within_a_name_of_two_lines_are_no_separators(tmp_path):
    (tmp_path / "a.csv").write_text('"note|\nmore",a\nu|v,1.5\nw|x,2.5\n')
    assert read_rows(tmp_path / "a.csv", ignore=["note|\nmore"]).x.tolist() == [[1.5], [2.5]]


@pytest.mark.parametrize("text", ["1,2\n1.5,2.5\n2.5,3.5\n", "-1,1\n0.5,-0.5\n-0.25,0.75\n"])
def test_two_whole_numbers_above_decimals_may_be_data(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert read_rows(tmp_path / "a.csv").x.shape == (3, 2)


def test_labels_that_are_long_numbers_keep_their_digits(tmp_path):
    (tmp_path / "a.csv").write_text("k,a\n20240101,1.5\n20240102,2.5\n20240101,0.5\n")
    rows = read_rows(tmp_path / "a.csv", label="k")
    assert rows.kinds == ["20240101", "20240102"] and rows.label.tolist() == [0, 1, 0]


def test_a_word_beyond_a_short_first_line_is_named_by_its_place(tmp_path):
    (tmp_path / "a.csv").write_text("1\n2,x\n")
    with pytest.raises(ValueError, match=r"^a.csv, line 2, column 2: 'x' is not a number\.$"):
        read_rows(tmp_path / "a.csv")


def test_a_blurred_column_is_named_by_its_place_in_the_file(tmp_path):
    lines = [f"{'ab'[k % 2]},{1_470_000_000 + 7 * k},{k / 7}" for k in range(20)]
    (tmp_path / "a.csv").write_text("\n".join(["kind,when,a", *lines]))
    with pytest.raises(
        ValueError, match=r"^column 2 \('when'\) of a.csv has values from 1470000000"
    ):
        read_rows(tmp_path / "a.csv", label="kind")


# --- quotation marks, and what stands above a table -----------------------------------------------


@pytest.mark.parametrize("broken", ["\n", "\r\n", "\x0b", "\x85", "\u2028", "\x0c"])
def test_breaks_within_cells_belong_to_them(tmp_path, broken):
    path = tmp_path / "a.csv"
    word = f'"u{broken}v, w"'
    for rows in ([word, "x", "y"], ["x", word, "y"], ["x", "y", word]):
        table = [f'note,"a{broken}(cm)",b', *(f"{w},{a},{b}" for w, (a, b) in zip(rows, VALUES))]
        path.write_bytes("\n".join(table).encode())
        x, label, kinds, *_ = read_rows(path, label="note")
        assert torch.equal(x, torch.tensor(VALUES, dtype=torch.float32))
        assert kinds == sorted(["x", "y", f"u{broken}v, w".replace("\r", "")])
        assert [kinds[k] for k in label] == [w.strip('"').replace("\r", "") for w in rows]
        assert torch.equal(read_rows(path, ignore=["note"]).x, x)


@pytest.mark.parametrize("broken", ["\x0b", "\x85", "\u2028", "\x0c"])
def test_only_ends_of_lines_end_a_row(tmp_path, broken):
    (tmp_path / "a.csv").write_bytes(f"note,a,b\nu{broken}v,1.5,2\nw,2.5,3\n".encode())
    x, _, kinds, *_ = read_rows(tmp_path / "a.csv", label="note")
    assert x.tolist() == [[1.5, 2], [2.5, 3]] and kinds == [f"u{broken}v", "w"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("x,oops,1", "line 7, column 2 ('a'): 'oops' is not a number"),
        ("x,,1", "line 7, column 2 ('a') is empty"),
        ("x,nan,1", "line 7, column 2 ('a'): nan is no finite number (1 such cells in all)"),
        ("x,1", "line 7: 2 cells, where line 3 has 3"),
        ('"x\n\ny",1', "line 7: 2 cells, where line 3 has 3"),
    ],
)
def test_lines_are_counted_as_they_stand_in_the_file(tmp_path, row, fault):
    table = 'note,a,b\n\n"n\nmore",1.5,2\n"n\nmore",2.5,7\n'
    (tmp_path / "a.csv").write_text(table + row)
    assert refused(read_rows, tmp_path / "a.csv", ignore=["note"]) == f"a.csv, {fault}."


@pytest.mark.parametrize(
    ("content", "cure"),
    [
        ('a,k\n1.5,"x\n2.5,y\n3.5,z\n', 'a,k\n1.5,"x"\n2.5,y\n3.5,z\n'),
        ('a,k\n1.5,"x\n2.5,"y"\n3.5,z\n', 'a,k\n1.5,"x"\n2.5,"y"\n3.5,z\n'),
        ('a,k\n1.5,"x"" 2\n2.5,y\n3.5,z\n', 'a,k\n1.5,"x"" 2"\n2.5,y\n3.5,z\n'),
    ],
)
def test_a_quotation_mark_left_open_swallows_no_rows(tmp_path, content, cure):
    (tmp_path / "a.csv").write_text(content)
    for names in ({"label": "k"}, {"ignore": ["k"]}):
        assert refused(read_rows, tmp_path / "a.csv", **names) == (
            "a.csv, line 2: the quotation marks around a cell do not match; close every cell that "
            "they open, and write a mark within it twice."
        )
    (tmp_path / "a.csv").write_text(cure)
    assert len(read_rows(tmp_path / "a.csv", label="k").x) == 3


@pytest.mark.parametrize("word", ['5" pipe', '"say ""hi"", x"', '"x\\"y"', '"5" pipe'])
def test_marks_within_a_word_are_read(tmp_path, word):
    (tmp_path / "a.csv").write_text(f"k,a,b\n{word},1.5,2\n{word},2.5,3\nz,2.5,3\n")
    assert read_rows(tmp_path / "a.csv", ignore=["k"]).x.shape == (3, 2)
    assert len(read_rows(tmp_path / "a.csv", label="k").kinds) == 2


TABLE = "height,width\n1.5,2\n2.5,3\n"


@pytest.mark.parametrize(
    ("above", "below", "line"),
    [("# mine\n", "", 2), ("My lakes 2024\n", "", 2), ("", "cm,cm\n", 2), ("Lakes,\n", "", 2)],
)
def test_a_line_too_many_above_a_table_is_said_to_be_one(tmp_path, above, below, line):
    (tmp_path / "a.csv").write_text(above + TABLE.replace("\n1.5", f"\n{below}1.5"))
    assert refused(read_rows, tmp_path / "a.csv").endswith(
        f"is not a number (if line {line} is names or units, leave one line of names above the "
        "numbers)."
    )
    (tmp_path / "a.csv").write_text(TABLE)
    assert read_rows(tmp_path / "a.csv").x.tolist() == [[1.5, 2], [2.5, 3]]


@pytest.mark.parametrize("note", ["sep=,", "sep=;", '"sep=,"', "SEP=,"])
def test_a_note_for_spreadsheets_is_no_line_of_a_table(tmp_path, note):
    (tmp_path / "a.csv").write_text(f"{note}\n{TABLE}")
    assert refused(read_rows, tmp_path / "a.csv") == (
        f"a.csv, line 1 is a note for spreadsheets, {note!r}: take it out."
    )
    (tmp_path / "a.csv").write_text(TABLE)
    assert read_rows(tmp_path / "a.csv").x.shape == (2, 2)


@pytest.mark.parametrize(
    ("cells", "plain"),
    [
        (['"9,082"', '"1,024"'], ["9082", "1024"]),
        (["9.5%", "3%"], ["9.5", "3"]),
        (["9.5 kg", "3 kg"], ["9.5", "3"]),
        (["\u22129.5", "\u22123"], ["-9.5", "-3"]),
        (["9.5D+00", "3D+00"], ["9.5", "3"]),
        (["(9.5)", "(3)"], ["-9.5", "-3"]),
        (["<0.5", "<0.1"], ["0.5", "0.1"]),
    ],
)
def test_numbers_in_other_forms_may_be_data(tmp_path, cells, plain):
    def write(cells):
        content = "\n".join(["a,b", *(f"{k}.5,{cell}" for k, cell in enumerate(cells))])
        (tmp_path / "a.csv").write_bytes(content.encode())

    write(cells)
    assert refused(read_rows, tmp_path / "a.csv").endswith(
        "is not a number (if these are data, write digits and a decimal point alone, 9082.5 say; "
        "if not, name their column in data.ignore)."
    )
    assert read_rows(tmp_path / "a.csv", ignore=["b"]).x.tolist() == [[0.5], [1.5]]
    write(plain)
    assert read_rows(tmp_path / "a.csv").x[:, 1].tolist() == pytest.approx(list(map(float, plain)))


@pytest.mark.parametrize("cell", ['"9,082.00"', "9'082", "9_082", "+-0.1", "<0.5", "5%", "\u22125"])
@pytest.mark.parametrize("names", ["a,b\n", ""])
def test_a_number_in_another_form_among_plain_ones_is_told_its_form(tmp_path, cell, names):
    path, line = tmp_path / "a.csv", 1 + bool(names)
    path.write_bytes(f"{names}{cell},2\n1.5,3\n2.5,9\n".encode())
    with pytest.raises(ValueError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"a.csv, line {line}, column 1")
    assert str(caught.value).endswith(
        "is not a number (write digits and a decimal point alone, 9082.5 say)."
    )
    path.write_text(f"{names}9082.5,2\n1.5,3\n2.5,9\n")
    assert read_rows(path).x[0, 0].item() == 9082.5


def test_truth_values_and_labels_without_a_line_of_names_get_a_cure(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1.5,True\n2.5,False\n")
    with pytest.raises(ValueError, match=r"'True' is not a number \(write 1 and 0\)\.$"):
        read_rows(path)
    path.write_text("a,b\n1.5,1\n2.5,0\n")
    assert read_rows(path).x.tolist() == [[1.5, 1], [2.5, 0]]
    path.write_text("1.5,2,x\n2.5,3,y\n")
    assert refused(read_rows, path) == (
        "a.csv, line 1, column 3: 'x' is not a number (if line 1 is names, none of them may be a "
        "number: write y1.5 for 1.5, say; if it is data with a label, put a line of names above, "
        "and name that of the labels in data.label)."
    )
    path.write_text("a,b,c\n1.5,2,x\n2.5,3,y\n")
    assert read_rows(path, label="c").kinds == ["x", "y"]


ENCODINGS = {"cp1250": "żółw", "cp1251": "вес", "cp1253": "βάρος", "cp1254": "ağırlık"}
ENCODINGS |= {"gbk": "温度", "cp949": "온도", "shift_jis": "温度", "mac_roman": "höhe"}


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", *ENCODINGS])
def test_text_of_another_encoding_is_told_how_to_become_utf_8(tmp_path, monkeypatch, encoding):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.csv"
    name = ENCODINGS.get(encoding, "höhe")
    path.write_text(f"{name},b\n1.5,2\n2.5,3\n", encoding)
    before = path.read_bytes()
    sentence = refused(read_rows, path)
    line = "Path('new.csv').write_text(Path(path).read_text({!r}), 'utf-8')"
    assert sentence == "a.csv is not text in UTF-8; " + (
        f"{line.format('utf-16')} writes it so."
        if encoding == "utf-16"
        else f"{line.format('cp1252')} writes it so if it is Western; else put 'cp1250' (Polish, "
        "Czech), 'cp1251' (Cyrillic), 'cp1253' (Greek), 'cp1254' (Turkish), 'gbk' (Chinese), "
        "'cp949' (Korean), 'shift_jis' (Japanese) or 'mac_roman' (an old Mac) in place of "
        "'cp1252', and look at the words of new.csv: a wrong one may give wrong letters."
    )
    eval(line.format(encoding), {"Path": type(path), "path": path})
    assert read_rows("new.csv").columns == [name, "b"]
    assert read_rows("new.csv", ignore=[name]).x.tolist() == [[2], [3]]
    assert path.read_bytes() == before


def archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a", "1,2")
    return path.read_bytes()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
EXCEL = "a zip archive or an Excel file: unpack it, or save its sheet as CSV UTF-8"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", gzip.compress(b"a,b\n1,2\n", mtime=0), "compressed by gzip: unpack it first"),
        ("a.npy", gzip.compress(b"a", mtime=0), "compressed by gzip: unpack it first"),
        ("a.csv", archive, EXCEL),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel file: save its sheet as CSV UTF-8"),
        ("a.csv", LFS, "a pointer of git-lfs: the data come by git lfs pull"),
        ("a.npy", LFS, "a pointer of git-lfs: the data come by git lfs pull"),
        ("a.npz", LFS, "a pointer of git-lfs: the data come by git lfs pull"),
    ],
)
def test_what_is_no_table_in_spite_of_its_ending_is_named_and_left_alone(
    tmp_path, name, content, what
):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content(path))
    assert refused(read_rows, path) == f"{name} is {what}."


def test_names_that_pandas_gives_are_told_how_to_be_left_out(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",0,1\n0,1.5,2\n1,2.5,3\n")
    assert refused(read_rows, path) == (
        "a.csv, line 1 is numbers behind an empty cell (if these are the names that pandas gives: "
        "to_csv(..., header=False, index=False)); the cell is empty."
    )
    path.write_text("1.5,2\n,3\n")
    assert refused(read_rows, path) == "a.csv, line 2, column 1 is empty."


def test_rows_named_by_r_are_told_how_to_lose_their_names(tmp_path):
    path = tmp_path / "a.csv"
    for mark, word in ((" ", "spaces"), ("\t", "tabs"), (";", "semicolons")):
        lines = ['"a" "b"', '"Mazda RX4" 1.5 2', '"Fiat" 2.5 3']
        marked = [re.sub('" ', f'"{mark}', re.sub(r"(\d) ", rf"\1{mark}", x)) for x in lines]
        path.write_text("\n".join(marked))
        sep = r"\s+" if mark == " " else mark
        assert refused(read_rows, path) == (
            f"the cells of a.csv are between {word}; they must be between commas, and decimals "
            f"behind a point (pandas: read_csv(path, sep={sep!r}).to_csv(path, index=False))."
        )
    path.write_text('"a","b"\n"Mazda RX4",1.5,2\n"Fiat",2.5,3\n')
    assert refused(read_rows, path) == (
        "a.csv, line 2: 3 cells, below 2 names (if R wrote the names of rows, leave them out: "
        "row.names = FALSE)."
    )


@pytest.mark.parametrize("ignore", ["date", None, 3])
def test_names_to_ignore_are_a_list(tmp_path, ignore):
    (tmp_path / "a.csv").write_text("a,b,date\n1,2,3\n")
    assert refused(read_rows, tmp_path / "a.csv", ignore=ignore) == (
        f"ignore is {ignore!r}; it must be a list of names."
    )
    assert read_rows(tmp_path / "a.csv", ignore=("date",)).columns == ["a", "b"]


def test_labels_that_pandas_takes_for_no_value_stay_what_they_are(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a;kind\n1,5;NA\n2,5;DE\n3,5;None\n")
    cured(refused(read_rows, path, label="kind"), path)
    rows = read_rows(path, label="kind")
    assert rows.kinds == ["DE", "NA", "None"] and rows.label.tolist() == [1, 0, 2]


def test_a_missing_number_between_semicolons_asks_for_no_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a;b\n1,5;NA\n2,5;3,5\n")
    sentence = refused(read_rows, path)
    assert "keep_default_na" not in sentence
    cured(sentence, path)
    assert refused(read_rows, path) == "a.csv, line 2, column 2 ('b') is empty."


@pytest.mark.parametrize("quoted", [False, True])
def test_a_cell_that_float32_cannot_hold_is_named(tmp_path, quoted):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n\n3,1e39\n".replace("3,", '"3",' if quoted else "3,"))
    assert refused(read_rows, path) == (
        "t.csv, line 4, column 2 ('b'): 1e+39 is too large for float32 (1 such cells in all)."
    )


def test_a_value_of_an_array_that_is_no_number_is_named_by_its_place(tmp_path):
    x = np.zeros((40, 2, 3))
    x[6:12, 1, 2] = np.nan
    np.save(tmp_path / "n.npy", x)
    assert refused(read_rows, tmp_path / "n.npy") == (
        "n.npy has NaN, infinite or too large values in 6 of 40 rows, first at [6, 1, 2]."
    )


@pytest.mark.parametrize(("label", "ignore"), [(None, ["a", "b"]), ("a", ["b"])])
def test_a_table_of_which_no_column_is_left_is_refused(tmp_path, label, ignore):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    assert refused(read_rows, tmp_path / "t.csv", label=label, ignore=ignore) == (
        "data.label and data.ignore leave no column of t.csv."
    )


def test_labels_with_a_zero_before_them_are_words(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,kind\n1,01\n2,1\n3,02\n")
    rows = read_rows(path, label="kind")
    assert rows.kinds == ["01", "02", "1"] and rows.label.tolist() == [0, 2, 1]
    path.write_text("a,kind\n1,10\n2,9\n3,0\n4,0.5\n")
    assert read_rows(path, label="kind").kinds == ["0", "0.5", "9", "10"]
