"""`vaecourse data`: status 0, or 2 with one sentence on stderr."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vaecourse
from vaecourse import cli
from vaecourse.data import files

SHIPPED = Path(vaecourse.__file__).parents[1] / "data" / "mnist"


@pytest.fixture(autouse=True)
def shipped_data_only(monkeypatch, tmp_path):
    monkeypatch.delenv("VAECOURSE_DATA", raising=False)
    monkeypatch.setattr(files, "_cache", lambda: tmp_path / "cache")


def run(capsys, *arguments):
    status = cli.main(list(arguments))
    return status, *capsys.readouterr()


def test_list_shows_size_presence_terms_and_source(capsys):
    status, out, err = run(capsys, "data", "list")
    assert (status, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines() if line[0] != " "] == [
        "mnist",
        "static_mnist",
        "frey_faces",
        "cifar10",
    ]
    assert "11.6 MB, 4 of 4 files are here" in out
    assert "109.8 MB, 0 of 3 files are here" in out
    assert "Licence: No licence was found, so the course does not ship it." in out
    assert "Source: Y. LeCun, C. Cortes and C. J. C. Burges" in out


def test_fetch_of_what_is_here_prints_the_paths(capsys):
    status, out, err = run(capsys, "data", "fetch", "mnist")
    assert (status, err) == (0, "")
    assert [Path(line) for line in out.splitlines()] == [
        SHIPPED / file.name for file in files.REGISTRY["mnist"].files
    ]


def test_verify_tells_whole_files_from_absent_ones(capsys):
    status, out, err = run(capsys, "data", "verify")
    assert (status, err) == (0, "")
    assert f"mnist: {SHIPPED / 'train-images-idx3-ubyte.gz'} is whole" in out.splitlines()
    assert "frey_faces: frey_rawface.mat is not here" in out.splitlines()


def test_verify_of_a_damaged_file_names_the_remedy(capsys, monkeypatch, tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "mnist")
    damaged = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    status, out, err = run(capsys, "data", "verify")
    assert status == 2
    assert f"mnist: {damaged} is cut short or altered (4,541 bytes instead of 4,542)" in out
    assert err == "Some files are damaged: `vaecourse data fetch mnist` will replace them.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["data", "fetch", "minst"],
            "data set is 'minst' (did you mean 'mnist'?); "
            "it must be one of 'mnist', 'static_mnist', 'frey_faces', 'cifar10'.",
        ),
        (["data", "fech"], "No such command 'fech', did you mean 'fetch'?"),
        (["date"], "No such command 'date', did you mean 'data'?"),
        (["data", "fetch"], "Missing argument 'name'; see `vaecourse --help`."),
        (["data", "list", "--all"], "No such option: --all; see `vaecourse --help`."),
        ([], "Missing command; see `vaecourse --help`."),
    ],
)
def test_misuse_ends_in_one_sentence_and_status_2(capsys, arguments, sentence):
    assert run(capsys, *arguments) == (2, "", sentence + "\n")


def test_a_folder_that_cannot_be_used_ends_in_one_sentence(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "file"))
    status, out, err = run(capsys, "data", "fetch", "frey_faces")
    assert (status, out) == (2, "")
    assert (
        err == f"Cannot write in the folder {tmp_path / 'file' / 'frey_faces'}: Not a directory.\n"
    )


def test_as_a_process_it_exits_with_the_status_and_without_a_traceback():
    command = [sys.executable, "-m", "vaecourse.cli", "data", "fetch", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "data set is 'nothing'; it must be one of 'mnist', 'static_mnist', 'frey_faces', "
        "'cifar10'.\n"
    )


def test_the_command_line_starts_without_torch():
    script = (
        "import sys; from vaecourse import cli; status = cli.main(['data', 'list']); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_says_so_and_exits_with_130(capsys, monkeypatch, number):
    before = signal.getsignal(signal.SIGTERM)
    # a process that a shell started in the background ignores SIGINT, and so do its children
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(files, "verify", lambda: os.kill(os.getpid(), number))
    try:
        status, _, err = run(capsys, "data", "verify")
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert status == 130 and err.startswith("Stopped; the same command goes on from")
    assert err.count("\n") == 1 and signal.getsignal(signal.SIGTERM) == before
