"""The table of likelihoods: a small one, made of shipped models, against the estimator itself."""

import json

import pytest
import torch

import vaecourse as vc
from vaecourse import experiments
from vaecourse.data.images import Images
from vaecourse.evaluation.likelihood import ROWS
from vaecourse.experiments import datasets
from vaecourse.experiments import likelihood_table as table

# The static images are not shipped. Of each kind, two of those that are judged, 784 bits each.
STATIC = {
    "train": (
        "00000000000000000000000000000000e000000e000000f000000e000001e000001c000003e000003c000003c0"
        "00007c000007c00000f8000007000001f000001e000003c000003c000007c0000058000003c000000000000000"
        "0000000000000000",
        "0000000000000000000000000000000000000000000008030001c0f0003c1f000383c000783c000e8fc000f5f0"
        "001fff0000ffc00003780000078000007000000e000001c000003c00000380000078000007800000e000000400"
        "0000000000000000",
    ),
    "test": (
        "00000000000000000000000001000000f800001fc00007d80000f800001f000003e000003c0000078000007800"
        "00070d800065fc000e7fc000fffc000ffb8000fd78000fff0000ffe00007f800003f0000000000000000000000"
        "0000000000000000",
        "000000000000000000000000000000001e00001fe0000786000020600000020000006000000c000000c0000018"
        "000003000007f000019fc000f0e0003638000307000071c0000e780000ce00000f800000400000000000000000"
        "0000000000000000",
    ),
}


@pytest.fixture(autouse=True)
def static_images(monkeypatch):
    """The few static images that are known here, in place of all."""
    few = {
        split: torch.tensor([[float(bit) for bit in f"{int(bits, 16):0784b}"] for bits in known])
        for split, known in STATIC.items()
    }
    monkeypatch.setattr(datasets, "_plain", lambda name, split: Images(few[split], None))


@pytest.fixture(scope="module")
def record():
    return json.loads(table.PATH.read_text(encoding="utf-8"))


def test_the_shipped_table_has_every_model_and_seed(record):
    rows = [(row["name"], row["seed"]) for row in record["metrics"]["models"]]
    assert rows == [
        (name, seed) for name in table.MODELS for seed in experiments.params(name).seeds
    ]
    assert record["command"] == "vaecourse reproduce likelihood_table"
    for row in record["metrics"]["models"]:
        _, trained = vc.checkpoint.pretrained(row["name"], row["seed"])
        assert row["data"] == trained["data"]
        assert row["weights_sha256"] in table.known_as(trained)
        # A hundred draws on a thousand images say less than thousands on all.
        assert row["log_likelihood"] > trained["metrics"]["elbo"]
        assert 1 <= row["median_effective_sample_size"] <= record["setting"]["draws"]


@pytest.mark.parametrize("name", table.MODELS)
def test_the_first_images_recompute_from_the_weights(record, name):
    draws = record["setting"]["draws"]
    together = max(1, ROWS // draws)  # images that share a batch of noise
    x = table.test_data(experiments.params(name).data).x[:together]
    for row in record["metrics"]["models"]:
        if row["name"] == name:
            model, trained = vc.checkpoint.pretrained(name, row["seed"])
            # Judged before its weights were rounded: a single image moves by up to 0.0163 nats.
            whole = row["weights_sha256"] == trained["weights_sha256"]
            generator = torch.Generator().manual_seed(row["seed"])
            found = vc.evaluation.importance_log_likelihood(model, x, draws, generator)
            wanted = row["first_images"][:together]
            assert found.tolist() == pytest.approx(wanted, abs=2e-3 if whole else 2e-2)


WATCHED = [
    name for name in table.MODELS if experiments.params(name).training.gradients == "by_hand"
]


@pytest.mark.parametrize("name", WATCHED)
def test_the_last_look_recomputes_from_the_weights(record, name, monkeypatch):
    estimate = table.importance_estimate
    monkeypatch.setattr(
        table, "importance_estimate", lambda model, x, *of: estimate(model, x[:2], *of)
    )
    for row in record["metrics"]["models"]:
        assert ("seen" in row) == (row["name"] in WATCHED)
        if row["name"] == name:
            model, _ = vc.checkpoint.pretrained(name, row["seed"])
            seen = table.look(model, experiments.params(name).data, record["setting"]["images"])
            for split, wanted in row["seen"].items():
                found = seen[split]["first_images"]
                assert found == pytest.approx(wanted["first_images"][:2], abs=2e-3)


def test_a_row_is_the_estimate_of_a_shipped_model(tmp_path):
    path = tmp_path / "table.json"
    record = table.run(path, models=["mnist_vae_2d"], draws=40, images=30)
    assert json.loads(path.read_text(encoding="utf-8")) == record
    assert record["setting"] == {"draws": 40, "images": 30}
    rows = record["metrics"]["models"]
    assert [row["seed"] for row in rows] == [0, 1, 2]
    x = vc.data.mnist("test", binarize="sample").x[:30]
    model, _ = vc.checkpoint.pretrained("mnist_vae_2d", 1)
    generator = torch.Generator().manual_seed(1)
    estimate = vc.evaluation.importance_estimate(model, x, 40, generator)
    assert rows[1]["log_likelihood"] == pytest.approx(estimate.log_likelihood.mean().item())
    assert rows[1]["first_images"] == pytest.approx(estimate.log_likelihood[:20].tolist())
    assert rows[1]["standard_error"] == pytest.approx(estimate.log_likelihood.std() / 30**0.5)
    assert 1 <= rows[1]["median_effective_sample_size"] <= 40
    assert rows[1]["active_units"] == 2
    error = estimate.standard_error.square().sum().sqrt() / 30
    assert rows[1]["error_of_draws"] == pytest.approx(error.item())


def test_rows_of_the_same_weights_are_kept(tmp_path, monkeypatch):
    path = tmp_path / "table.json"
    first = table.run(path, models=["mnist_vae_2d"], draws=40, images=30)
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["metrics"]["models"][1]["weights_sha256"] = "of other weights"
    path.write_text(json.dumps(whole), encoding="utf-8")
    judged, judge = [], table.judge
    monkeypatch.setattr(table, "judge", lambda *row: judged.append(row) or judge(*row))
    again = table.run(path, models=["mnist_vae_2d"], draws=40, images=30)
    assert judged == [("mnist_vae_2d", 1, 40, 30)]
    for one, other in zip(first["metrics"]["models"], again["metrics"]["models"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    table.run(path, models=["mnist_vae_2d"], draws=41, images=30)
    assert len(judged) == 4


def test_a_record_knows_its_weights_as_they_were_before_the_rounding():
    assert table.known_as({"weights_sha256": "a"}) == {"a"}
    rounded = {"weights_sha256": "b", "before_rounding": {"weights_sha256": "a", "metrics": {}}}
    assert table.known_as(rounded) == {"a", "b"}


def test_a_model_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="'mnist_gan' is not an experiment"):
        table.run(tmp_path / "table.json", models=["mnist_gan"])
    assert not (tmp_path / "table.json").exists()
