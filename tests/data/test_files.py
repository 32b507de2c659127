"""Fetching, resuming and checking, against a server on this machine that can misbehave."""

import hashlib
import lzma
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import numpy as np
import pytest
from scipy.io import savemat

from vaecourse.data import files

CONTENT = np.random.default_rng(0).integers(0, 256, 400_000, dtype=np.uint8).tobytes()
HALF = 196_608  # three of the blocks in which a download is written
DIGEST = hashlib.sha256(CONTENT).hexdigest()


ANSWERS = {
    "portal": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<html>Log in</html>\n",
    "empty": b"HTTP/1.1 200 OK\r\n\r\n",
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nff\r\ncut",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nhello",
    "escapes": b"HTTP/1.1 500 \x1b[2J\x1b]0;mine\x07\r\n\r\n",
    "circle": b"HTTP/1.1 302 Found\r\nLocation: /circle/toy.bin\r\n\r\n",
    "ftp": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "bracket": b"HTTP/1.1 302 Found\r\nLocation: http://[::1/toy.bin\r\n\r\n",
    "noise": b"\x00\x1b[31m no HTTP\r\n\r\n",
    "endless": b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2_000_000),
    "large": b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + bytes(2_000_000),
}


class Server(ThreadingHTTPServer):
    """Serves CONTENT in the manner the path names; `asked` lists paths and ranges, `sent` bytes.

    What is in ANSWERS it sends as it stands.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.sent = [], []
        self.reached, self.go_on = threading.Event(), threading.Event()

    def url(self, manner):
        return f"http://127.0.0.1:{self.server_port}/{manner}/toy.bin"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        manner, wanted = self.path.split("/")[1], self.headers.get("Range")
        self.server.asked.append((manner, wanted))
        self.server.reached.set()
        if manner in ANSWERS:
            self.close_connection = True
            return self.wfile.write(ANSWERS[manner])
        if manner == "absent":
            return self.send_error(404)
        content = CONTENT[:-1] + b"?" if manner == "altered" else CONTENT
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if manner in ("whole", "altered", "shifted") or not wanted:
            start = 1000 if manner == "shifted" and wanted else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = HALF if manner in ("cut", "stall") else len(content)
        self.server.sent.append(stop - start)  # before whoever asked can have it and look here
        self.wfile.write(content[start:stop])
        if manner == "stall":
            self.server.go_on.wait(60)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def toy(server, tmp_path, monkeypatch):
    """Registers the data set `toy` with the servers' manners for mirrors; returns its folder."""
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def register(*manners):
        urls = tuple(server.url(manner) for manner in manners)
        file = files.DataFile("toy.bin", DIGEST, len(CONTENT), urls)
        dataset = files.DataSet("toy", "a toy", (file,), "None.", "Nowhere.")
        monkeypatch.setitem(files.REGISTRY, "toy", dataset)
        (tmp_path / "toy").mkdir(exist_ok=True)
        return tmp_path / "toy"

    return register


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def failure():
    """The message of the DataError that fetching `toy` ends in: one sentence, on one plain line."""
    with pytest.raises(files.DataError) as caught:
        files.fetch("toy")
    message = str(caught.value)
    assert message.isprintable() and message.endswith(".") and ". " not in message
    return message


def test_fetch_brings_the_file_and_asks_no_second_time(toy, server):
    folder = toy("ranges")
    assert files.fetch("toy") == [folder / "toy.bin"]
    assert (folder / "toy.bin").read_bytes() == CONTENT
    assert names(folder) == ["toy.bin"]
    files.fetch("toy")
    assert server.asked == [("ranges", None)]


def test_fetch_resumes_where_the_part_ends(toy, server):
    folder = toy("ranges")
    (folder / "toy.bin.part").write_bytes(CONTENT[:123_456])
    files.fetch("toy")
    assert server.asked == [("ranges", "bytes=123456-")]
    assert server.sent == [len(CONTENT) - 123_456]
    assert (folder / "toy.bin").read_bytes() == CONTENT
    assert names(folder) == ["toy.bin"]


@pytest.mark.parametrize("part", [CONTENT[:123_456], b"something else"])
def test_fetch_starts_over_when_the_server_ignores_the_range(toy, server, part):
    folder = toy("whole")
    (folder / "toy.bin.part").write_bytes(part)
    files.fetch("toy")
    assert server.asked == [("whole", f"bytes={len(part)}-")]
    assert server.sent == [len(CONTENT)]
    assert (folder / "toy.bin").read_bytes() == CONTENT


def test_a_range_other_than_the_one_asked_for_never_passes(toy):
    folder = toy("shifted")
    (folder / "toy.bin.part").write_bytes(CONTENT[:123_456])
    assert "what came is cut short or altered" in failure()
    assert (folder / "toy.bin.part").read_bytes() == CONTENT[:123_456]
    assert names(folder) == ["toy.bin.part"]


@pytest.mark.parametrize("manner", ANSWERS)
def test_no_answer_costs_a_good_part(toy, server, manner, capsys):
    folder = toy(manner)
    (folder / "toy.bin.part").write_bytes(CONTENT[:123_456])
    assert failure().endswith(f"running this again resumes from toy.bin.part in {folder}.")
    assert (folder / "toy.bin.part").read_bytes() == CONTENT[:123_456]
    assert names(folder) == ["toy.bin.part"]
    assert "\x1b[2J" not in capsys.readouterr().err
    toy("ranges")
    files.fetch("toy")
    assert server.sent == [len(CONTENT) - 123_456]


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("length", "what came is cut short or altered (5 bytes instead of 400,000)"),
        ("escapes", r"HTTP 500 \x1b[2J"),
        ("circle", "HTTP 302, a redirect that leads nowhere"),
        ("ftp", "HTTP 302, a redirect that leads nowhere"),
        ("bracket", "its answer cannot be understood"),
        ("noise", "its answer cannot be understood"),
        ("endless", "more than 1,448,576 bytes came"),
        ("large", "more than 1,448,576 bytes came"),
    ],
)
def test_a_strange_answer_gets_its_reason_and_leaves_nothing(toy, manner, reason):
    folder = toy(manner)
    assert reason in failure()
    assert names(folder) == []


def test_two_at_once_bring_one_whole_file(toy, server, monkeypatch):
    """The second waits until the first has renamed the part, then finds the whole file."""
    folder = toy("stall", "ranges")
    paths, said, waits = [], [], threading.Event()

    def say(text, file):
        said.append(text)
        waits.set()

    monkeypatch.setattr(files, "print", say, raising=False)
    threads = [threading.Thread(target=lambda: paths.extend(files.fetch("toy"))) for _ in "ab"]
    threads[0].start()
    server.reached.wait()
    threads[1].start()
    waits.wait()
    assert said == ["toy.bin: waiting for another download of it."]
    assert len(server.asked) == 1
    server.go_on.set()
    for thread in threads:
        thread.join()
    assert paths == [folder / "toy.bin"] * 2
    assert (folder / "toy.bin").read_bytes() == CONTENT
    assert names(folder) == ["toy.bin"]
    assert server.asked == [("stall", None), ("ranges", f"bytes={HALF}-")]


def test_a_cut_connection_keeps_the_part_and_the_next_fetch_resumes(toy, server):
    folder = toy("cut")
    message = failure()
    assert message == (
        f"toy.bin could not be downloaded (127.0.0.1:{server.server_port}: the connection "
        "closed after 196,608 of 400,000 bytes): running this again resumes from toy.bin.part "
        f"in {folder}."
    )
    assert names(folder) == ["toy.bin.part"]
    assert (folder / "toy.bin.part").read_bytes() == CONTENT[:HALF]
    toy("ranges")
    files.fetch("toy")
    assert server.asked[-1] == ("ranges", f"bytes={HALF}-")
    assert (folder / "toy.bin").read_bytes() == CONTENT


def test_altered_content_is_deleted_and_reported(toy, server):
    folder = toy("altered")
    assert failure() == (
        f"toy.bin could not be downloaded (127.0.0.1:{server.server_port}: what came is altered "
        "(its SHA-256 is not the published one) and was deleted): running this again starts over."
    )
    assert names(folder) == []


def test_a_part_that_is_already_whole_is_taken(toy, server):
    folder = toy("ranges")
    (folder / "toy.bin.part").write_bytes(CONTENT)
    files.fetch("toy")
    assert server.sent == []
    assert (folder / "toy.bin").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_deleted(toy):
    folder = toy("ranges")
    (folder / "toy.bin.part").write_bytes(CONTENT + b"more")
    assert "400,004 bytes instead of 400,000" in failure()
    assert names(folder) == []


def test_a_mirror_stands_in_and_continues(toy, server):
    folder = toy("absent", "altered", "cut", "ranges")
    files.fetch("toy")
    assert server.asked == [
        ("absent", None),
        ("altered", None),
        ("cut", None),
        ("ranges", f"bytes={HALF}-"),
    ]
    assert (folder / "toy.bin").read_bytes() == CONTENT


def test_every_mirror_that_failed_is_named(toy, server):
    toy("absent", "cut")
    message = failure()
    assert f"127.0.0.1:{server.server_port}: HTTP 404 Not Found; 127.0.0.1" in message
    assert "the connection closed after 196,608 of 400,000 bytes" in message


def test_no_connection_is_one_sentence(toy, server, monkeypatch):
    toy("ranges")
    with Server() as other:
        port = other.server_port  # free again once `other` is closed
    monkeypatch.setattr(server, "server_port", port)
    folder = toy("ranges")
    assert failure() == (
        f"toy.bin could not be downloaded (127.0.0.1:{port}: Connection refused): "
        "running this again starts over."
    )
    assert names(folder) == []


def test_a_server_that_falls_silent_is_given_up(toy, monkeypatch):
    folder = toy("stall")
    monkeypatch.setattr(files, "TIMEOUT", 0.3)
    assert "timed out): running this again resumes" in failure()
    assert (folder / "toy.bin.part").read_bytes() == CONTENT[:HALF]


KILLED = """
import sys
from vaecourse.data import files
name, digest, size, url = sys.argv[1:]
file = files.DataFile(name, digest, int(size), (url,))
files.REGISTRY["toy"] = files.DataSet("toy", "a toy", (file,), "None.", "Nowhere.")
files.fetch("toy")
"""


def test_a_killed_download_leaves_only_the_part_and_is_resumed(toy, server):
    folder = toy("ranges")
    arguments = ["toy.bin", DIGEST, str(len(CONTENT)), server.url("stall")]
    child = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stderr=subprocess.DEVNULL)
    part = folder / "toy.bin.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size == HALF):
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert names(folder) == [".toy.bin.lock", "toy.bin.part"]
    assert files.find(*entry("toy", "toy.bin")) is None
    with pytest.raises(files.DataError, match=r"toy\.bin was not found"):
        files.load("toy", "toy.bin")
    files.fetch("toy")
    assert server.asked == [("stall", None), ("ranges", f"bytes={HALF}-")]
    assert names(folder) == ["toy.bin"]
    assert files.load("toy", "toy.bin") == CONTENT


def test_a_damaged_file_is_reported_and_replaced_where_it_lies(toy, tmp_path):
    toy("ranges")
    damaged = tmp_path / "toy.bin"  # not in the data set's own subfolder
    damaged.write_bytes(CONTENT[:-1])
    report = {check.file: check for check in files.verify()}["toy.bin"]
    assert report == ("toy", "toy.bin", damaged, report.problem)
    assert report.problem == "is cut short or altered (399,999 bytes instead of 400,000)"
    assert files.fetch("toy") == [damaged]
    assert damaged.read_bytes() == CONTENT
    assert {check.file: check.problem for check in files.verify()}["toy.bin"] is None


def test_a_folder_that_cannot_be_written_is_named(toy, tmp_path, monkeypatch, server):
    toy("ranges")
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"Cannot write in the folder .*file/toy"):
        files.fetch("toy")
    assert server.asked == []


def test_an_unknown_data_set_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"data set is 'minst' \(did you mean 'mnist'\?\)"):
        files.fetch("minst")


def entry(dataset, name):
    dataset = files.REGISTRY[dataset]
    return dataset, next(file for file in dataset.files if file.name == name)


def test_folders_are_searched_in_order_and_the_subfolder_first(tmp_path, monkeypatch):
    named, repository, cache = (tmp_path / name for name in ("named", "repository", "cache"))
    monkeypatch.setenv("VAECOURSE_DATA", str(named))
    monkeypatch.setattr(files, "_cache", lambda: cache)
    assert files.folders()[0] == named
    assert files.folders()[1].name == "data"
    assert files.folders()[2] == cache
    monkeypatch.setattr(files, "folders", lambda: [named, repository, cache])
    wanted = entry("static_mnist", "binarized_mnist_test.amat")
    assert files.find(*wanted) is None
    name = wanted[1].name
    for place in (
        cache / f"{name}.xz",
        cache / "static_mnist" / f"{name}.xz",
        repository / name,
        named / f"{name}.xz",
        named / name,
        named / "static_mnist" / name,
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        assert files.find(*wanted) == place


def test_a_user_without_a_home_gets_a_sentence_where_a_folder_is_needed(monkeypatch, tmp_path):
    def nobody(uid):
        raise KeyError(uid)

    for name in ("HOME", "XDG_CACHE_HOME", "VAECOURSE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert [folder.name for folder in files.folders()] == ["data"]
    files.load("mnist", "t10k-labels-idx1-ubyte.gz")
    with pytest.raises(
        files.DataError, match="no home folder: name one for data in VAECOURSE_DATA"
    ):
        files.fetch("frey_faces")
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    assert files.folders()[0] == tmp_path


def test_an_xz_counts_by_what_is_in_it(toy):
    folder = toy("ranges")
    packed = folder / "toy.bin.xz"
    packed.write_bytes(lzma.compress(CONTENT, preset=0))
    assert files.load("toy", "toy.bin") == CONTENT
    packed.write_bytes(lzma.compress(CONTENT, preset=0)[:-1000])
    with pytest.raises(files.DataError) as caught:
        files.load("toy", "toy.bin")
    assert str(caught.value) == (
        f"toy.bin.xz in {folder} is cut short or altered (it cannot be unpacked): "
        "run `vaecourse data fetch toy` to replace it."
    )
    assert files.fetch("toy") == [folder / "toy.bin"]
    assert files.load("toy", "toy.bin") == CONTENT


def test_a_mat_counts_by_its_array_with_an_image_a_row():
    faces = np.arange(6, dtype=np.uint8).reshape(2, 3)
    file = BytesIO()
    savemat(file, {"ff": faces})
    entry = files.DataFile("faces.mat", "", 6)
    assert files._content(file.getvalue(), entry) == bytes([0, 3, 1, 4, 2, 5])
    assert files._content(b"MATLAB 5.0 no more", entry) is None
    assert files._content(file.getvalue(), files.DataFile("faces.mat", "", 5)) is None
    other = BytesIO()
    savemat(other, {"gg": faces})
    assert files._content(other.getvalue(), entry) is None


def test_nothing_is_unpacked_beyond_the_size_that_is_known(toy):
    folder = toy("ranges")
    (folder / "toy.bin.xz").write_bytes(lzma.compress(bytes(50_000_000), preset=0))
    problem = {check.file: check for check in files.verify()}["toy.bin"].problem
    assert problem == "is cut short or altered (1,448,576 bytes instead of 400,000)"
    (folder / "toy.bin").write_bytes(bytes(2_000_000))
    problem = {check.file: check for check in files.verify()}["toy.bin"].problem
    assert problem == "is altered (2,000,000 bytes instead of 400,000)"


def test_the_shipped_files_are_whole(monkeypatch):
    monkeypatch.delenv("VAECOURSE_DATA", raising=False)
    shipped = [check for check in files.verify() if check.dataset == "mnist"]
    assert [check.path.name for check in shipped] == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ]
    assert [check.problem for check in shipped] == [None] * 4


def test_every_address_ends_in_the_name_of_its_file():
    for dataset in files.REGISTRY.values():
        for file in dataset.files:
            assert file.urls or dataset.archives
            assert all(url.rsplit("/", 1)[1] == file.name for url in file.urls)


def test_files_are_handled_without_torch():
    script = "import sys, vaecourse.data.files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=os.environ).returncode == 0
