"""Snapshots of a shipped run: read as they were written, and asked for by name."""

import pytest
import torch
from sentences import refused

from vaecourse import checkpoint, experiments
from vaecourse._files import write_tensors


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of shipped runs with the snapshots of one; returns its tensors."""
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path)
    monkeypatch.setattr(checkpoint, "folders", lambda: [])
    generator = torch.Generator().manual_seed(0)
    tensors = {
        f"{kind}.{epoch:03d}": torch.randn(500, 2, generator=generator).half()
        for kind in ("samples", "codes")
        for epoch in (144, 0, 2, 21)
    }
    write_tensors(tmp_path / "three_blobs_full.snapshots.safetensors", tensors)
    return tensors


def test_snapshots_come_in_the_order_of_their_epochs(shipped):
    found = experiments.snapshots("three_blobs_full")
    assert found["epochs"] == [0, 2, 21, 144]
    for kind in ("codes", "samples"):
        wanted = [shipped[f"{kind}.{epoch:03d}"] for epoch in (0, 2, 21, 144)]
        assert torch.equal(found[kind], torch.stack(wanted))


def test_an_unknown_name_is_answered_with_those_there_are(shipped):
    assert refused(experiments.snapshots, "three_blobs") == (
        "'three_blobs' has no snapshots; there are those of: three_blobs_full."
    )


def test_they_are_found_in_the_folders_of_data_too(shipped, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path / "site-packages")
    (tmp_path / "data" / "pretrained").mkdir(parents=True)
    name = "three_blobs_full.snapshots.safetensors"
    (tmp_path / name).rename(tmp_path / "data" / "pretrained" / name)
    monkeypatch.setattr(checkpoint, "folders", lambda: [tmp_path / "data"])
    assert experiments.snapshots("three_blobs_full")["epochs"] == [0, 2, 21, 144]


def test_a_folder_without_snapshots_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path)
    monkeypatch.setattr(checkpoint, "folders", lambda: [])
    with pytest.raises(ValueError, match="'x' has no snapshots; there are those of: none."):
        experiments.snapshots("x")
