"""The scores on CIFAR-10: recomputed from the images that ship; the program on small numbers."""

import hashlib
import json

import pytest
import torch

import vaecourse as vc
from vaecourse._files import read_tensors
from vaecourse.data.images import Images
from vaecourse.evaluation import feature_statistics, frechet_distance
from vaecourse.experiments import cifar10_scores as experiment

# Of the first sixteen images of `test_batch.bin`, as bytes, plane after plane.
SHA256 = "7071ab6459a1f63008e8aae25004745cff4e3326d40e19c93b82ca83a94be504"


@pytest.fixture(scope="module")
def record():
    return json.loads(experiment.PATH.read_text(encoding="utf-8"))


def test_the_images_that_ship_are_the_canonical_ones():
    tensors, note = read_tensors(experiment.PATH.with_suffix(".safetensors"))
    content = tensors["test_images"].numpy().tobytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    assert "Krizhevsky" in note["source"]
    assert torch.equal((255 * experiment.shown_images()).round().byte(), tensors["test_images"])


def test_the_bits_of_these_images_recompute_from_the_weights(record):
    model, trained = vc.checkpoint.pretrained(experiment.MODEL)
    assert record["weights_sha256"] == trained["weights_sha256"]
    rows = record["metrics"]["bits_per_dimension"]
    assert [row["draws"] for row in rows] == list(experiment.DRAWS)
    for row in rows[:2]:
        again = experiment.bits(model, experiment.shown_images(), row["draws"])
        assert again["shown"] == pytest.approx(row["shown"], abs=1e-4)
    means = [row["mean"] for row in rows]
    assert means == sorted(means, reverse=True)  # more draws, fewer bits
    # One draw on five hundred images against one on all ten thousand.
    elbo = torch.tensor(trained["metrics"]["elbo"])
    bound = vc.evaluation.bits_per_dimension(elbo, 3_072).item()
    assert abs(means[0] - bound) < 4 * rows[0]["standard_error"]


def test_real_images_are_nearer_than_any_that_the_model_draws(record):
    found = {(row["features"], row["images"]): row for row in record["metrics"]["frechet"]}
    assert record["setting"]["sizes"] == list(experiment.SIZES)
    # Two sets of 2,000 photographs, in the features of Inception: about 25, of bias alone.
    assert 22 < found["inception", "train"]["distances"][-1] < 28
    names = ("train", "samples", "reconstructions")
    assert list(found) == [(space, name) for space in experiment.FEATURES for name in names]
    for (space, name), row in found.items():
        train = found[space, "train"]["distances"][-1]
        assert row["limit"] < row["distances"][-1]
        assert name == "train" or row["distances"][-1] > train


def test_the_record_says_how_it_came_to_be(record):
    assert record["command"] == f"vaecourse reproduce {experiment.NAME}"
    assert len(record["source_sha256"]) == 64 and record["wall_seconds"] > 0


def test_run_writes_what_the_functions_it_calls_give(record, tmp_path, monkeypatch):
    pixels = torch.randint(0, 256, (40, 3_072), generator=torch.Generator().manual_seed(0)) / 255
    monkeypatch.setattr(vc.data, "cifar10", lambda split: Images(pixels, None))
    path = tmp_path / "scores.json"
    made = experiment.run(
        path,
        draws=(1, 3),
        images=20,
        sizes=(20, 40),
        features={"corner": lambda x: x[:, :5]},
    )
    assert json.loads(path.read_text(encoding="utf-8")) == made
    assert made.keys() == record.keys() - {"note"}
    model, _ = vc.checkpoint.pretrained(experiment.MODEL)
    one, three = made["metrics"]["bits_per_dimension"]
    assert one == experiment.bits(model, pixels[:20], 1) and three["draws"] == 3
    names = [row["images"] for row in made["metrics"]["frechet"]]
    assert names == ["train", "samples", "reconstructions"]
    train, _, reconstructions = made["metrics"]["frechet"]
    assert train["distances"][-1] == pytest.approx(0, abs=1e-9)  # the same forty
    expected = frechet_distance(
        *feature_statistics(model.reconstruct(pixels)[:, :5]), *feature_statistics(pixels[:, :5])
    )
    assert reconstructions["distances"][-1] == pytest.approx(expected, rel=1e-6)
    assert torch.equal(experiment.shown_images(path), pixels[: experiment.SHOWN])
