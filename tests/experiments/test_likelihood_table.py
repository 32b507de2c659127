"""The table of likelihoods: a small one, made of shipped models, against the estimator itself."""

import json

import pytest
import torch

import vaecourse as vc
from vaecourse import experiments
from vaecourse.evaluation.likelihood import ROWS
from vaecourse.experiments import likelihood_table as table

# The static images are not shipped.
DYNAMIC = [name for name in table.MODELS if experiments.params(name).data.name == "mnist"]


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


@pytest.mark.parametrize("name", DYNAMIC)
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
