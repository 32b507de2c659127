"""Arrays from files of one's own: values kept, and one sentence for what is no data."""

import numpy as np
import pytest
import torch

from vaecourse.data.tables import read_array

VALUES = np.array([[1.5, -2.0], [0.25, 3.0], [4.0, 5.0]])


def test_every_format_gives_the_same_rows(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.savez(tmp_path / "a.npz", x=VALUES)
    np.savez(tmp_path / "two.npz", x=VALUES, y=VALUES + 1)
    np.savetxt(tmp_path / "a.csv", VALUES, delimiter=",")
    (tmp_path / "names.csv").write_bytes(b"\xef\xbb\xbfwidth,height\r\n1.5,-2\r\n\r\n.25,3\r\n4,5")
    expected = torch.tensor(VALUES, dtype=torch.float32)
    for name in ("a.npy", "a.npz", "a.csv", "names.csv"):
        assert torch.equal(read_array(tmp_path / name), expected), name
    assert torch.equal(read_array(tmp_path / "two.npz", "y"), expected + 1)


@pytest.mark.parametrize("names", [b"a,b", b",b", b'"a","b, in mm"', b"label,1x1"])
def test_a_line_that_is_names_throughout_is_no_row(tmp_path, names):
    (tmp_path / "a.csv").write_bytes(names + b"\n1,2\n")
    assert read_array(tmp_path / "a.csv").tolist() == [[1, 2]]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, ">f8"])
def test_numbers_of_every_kind_are_read(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.array([[1, 0], [0, 1], [1, 1]], dtype=dtype))
    assert read_array(tmp_path / "a.npy").tolist() == [[1, 0], [0, 1], [1, 1]]


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
        ("a.npy", lambda path: None, r"Cannot read a\.npy: No such file"),
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
        ("a.csv", text(b"a,b\nc,d"), r"a\.csv, line 2, column 1 \('a'\): 'c' is not a number\.$"),
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
        ("a.csv", text(b"a,2\n3,4"), "line 1, column 1: 'a' is not a number"),
        ("a.csv", text(b"1;2\n3;4"), "line 1, column 1: '1;2' is not a number"),
        ("a.csv", text(b'1,"2\n3,4'), "line 1 and those below cannot be read as rows of numbers"),
        ("a.csv", text("1,2".encode("utf-16")), r"a\.csv is not text in UTF-8\.$"),
    ],
)
def test_what_is_no_data_gets_one_sentence(tmp_path, name, write, sentence):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=sentence) as caught:
        read_array(tmp_path / name)
    assert str(caught.value).isprintable() and "usecols" not in str(caught.value)


def test_the_name_of_an_array_must_be_there_and_make_sense(tmp_path):
    np.savez(tmp_path / "a.npz", x=VALUES)
    with pytest.raises(ValueError, match=r"data.array is 'z'; a\.npz holds 'x'"):
        read_array(tmp_path / "a.npz", "z")
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(ValueError, match=r"array is 'x', but a\.npy holds one array"):
        read_array(tmp_path / "a.npy", "x")
