"""Which weights ship in half precision: the rule, on models whose metrics are made up."""

import math

import pytest
import torch

import vaecourse as vc
from vaecourse import checkpoint, cli, experiments
from vaecourse.experiments import parameters, rounding, runs, schedule


def model_and_weights(hidden=400):
    model = vc.models.VAE(784, 2, (hidden,)).requires_grad_(False)
    return model, {name: weight.clone() for name, weight in model.state_dict().items()}


def same(model, weights):
    return all(map(torch.equal, model.state_dict().values(), weights.values()))


def test_large_weights_become_the_nearest_halves_where_no_metric_moves():
    model, weights = model_and_weights()
    before, after = {"elbo": -100.0, "kl": 1.0}, {"elbo": -100.009, "kl": 1.0002}
    found, notes = rounding.rounded(model, before, lambda rounded: after)
    assert found == after
    sha256 = checkpoint.weights_sha256(weights)
    assert notes == {"before_rounding": {"weights_sha256": sha256, "metrics": before}}
    assert same(model, {name: weight.half().float() for name, weight in weights.items()})
    assert not same(model, weights)


@pytest.mark.parametrize("after", [-100.011, -99.989, math.nan])
def test_weights_whose_metrics_move_keep_every_bit(after):
    model, weights = model_and_weights()
    before = {"elbo": -100.0, "kl": 1.0}
    found, notes = rounding.rounded(model, before, lambda rounded: {"elbo": after, "kl": 1.0})
    assert found == before and notes == {}
    assert same(model, weights)


def test_weights_beyond_the_range_of_halves_keep_every_bit():
    model, _ = model_and_weights()
    model.decoder[0].bias[0] = 70_000.0
    x = torch.zeros(2, 784)
    before = {"output": model.decode(torch.zeros(1, 2)).logits.sum().item()}
    found, notes = rounding.rounded(
        model, before, lambda rounded: {"output": rounded.elbo(x).sum().item()}
    )
    assert found == before and notes == {} and model.decoder[0].bias[0] == 70_000


def test_small_weights_keep_every_bit_and_are_not_measured_again():
    model, weights = model_and_weights(hidden=20)
    found, notes = rounding.rounded(model, {"elbo": -1.0}, None)
    assert found == {"elbo": -1.0} and notes == {} and same(model, weights)


def test_runs_are_rounded_where_they_are_to_ship_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setattr(rounding, "LARGE", 0)
    monkeypatch.setattr(rounding, "ABSOLUTE", 1.0)
    params = parameters.Params.model_validate(
        {
            "model": {"kind": "vae", "data_dim": 2, "latent_dim": 1, "hidden": [8]}
            | {"likelihood": "gaussian"},
            "data": {"name": "three_blobs", "n_train": 320, "n_test": 50},
            "training": {"epochs": 1, "batch_size": 32},
        }
    )
    loaded, quiet = {}, {"workers": 1, "report": lambda line: None}
    for name, ship in (("small", False), ("small", True), ("mnist_vae_2d", True)):
        folder = tmp_path / f"{name}_{ship}"
        schedule.run_all(runs.tasks(name, params), folder, "again {}", ship=ship, **quiet)
        loaded[name, ship] = checkpoint.load(folder / f"{name}_seed0")
    (exact, first), (shipped, second), (excepted, third) = loaded.values()
    weights = exact.state_dict()
    assert same(shipped, {name: weight.half().float() for name, weight in weights.items()})
    assert not same(shipped, weights)
    assert same(excepted, weights)
    assert "before_rounding" not in first and "before_rounding" not in third
    assert second["before_rounding"] == {
        "weights_sha256": first["weights_sha256"],
        "metrics": first["metrics"],
    }
    assert second["metrics"] == runs.metrics(shipped, params.data) != first["metrics"]


def test_reproduce_asks_for_it_and_train_does_not(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(schedule, "run_all", lambda *_, **options: asked.append(options) or {})
    assert cli.main(["reproduce", "mnist_vae_2d", "--output", str(tmp_path)]) == 0
    file = experiments.FOLDER / "mnist_vae_2d.json"
    assert cli.main(["train", str(file), "--output", str(tmp_path)]) == 0
    assert [options.get("ship", False) for options in asked] == [True, False]
