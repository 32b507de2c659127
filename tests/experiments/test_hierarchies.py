"""The warm-up of the hierarchies: its record, its weights, and the program that makes it."""

import json

import pytest
import torch

import vaecourse as vc
from vaecourse.experiments import hierarchies
from vaecourse.models import HierarchicalVAE


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def record():
    return json.loads(hierarchies.PATH.read_text(encoding="utf-8"))


def test_the_shipped_record_has_every_seed(record):
    assert record["command"] == "vaecourse reproduce hierarchies"
    assert list(record["metrics"]) == list(hierarchies.RUNS)
    for name, found in record["metrics"].items():
        assert [run["seed"] for run in found] == vc.experiments.params(name).seeds
        for run in found:
            prices = sum(value for key, value in run.items() if key.startswith("kl"))
            assert run["elbo"] == pytest.approx(run["reconstruction"] - prices, abs=1e-3)


def test_run_writes_what_the_runs_give(record, tmp_path, monkeypatch):
    monkeypatch.setattr(hierarchies, "warmed_up", lambda name, seed: {"seed": seed})
    made = hierarchies.run(tmp_path / "hierarchies.json")
    assert json.loads((tmp_path / "hierarchies.json").read_text(encoding="utf-8")) == made
    assert made.keys() == record.keys() and made["metrics"].keys() == record["metrics"].keys()


def small(order="bottom_up"):
    return HierarchicalVAE(4, 2, 3, (5,), (3,), order=order)


def test_the_weight_rises_to_one_in_the_first_half_and_then_the_loss_is_the_models():
    model, x = small(), torch.eye(4)
    warm = hierarchies.WarmUp(model, 4)
    weights = []
    for step in range(4):
        weights.append(warm.weight())
        loss = warm.loss(x, generator(step))
        terms = model.elbo_terms(x, 1, generator(step))
        kl = (terms.kl_lower + terms.kl_upper).mean()
        assert loss.item() == pytest.approx((weights[-1] * kl - terms.reconstruction.mean()).item())
    assert weights == [0, 0.5, 1, 1]
    assert loss.item() == pytest.approx(model.loss(x, generator(3)).item())


@pytest.mark.parametrize("order", ["bottom_up", "ladder"])
def test_what_the_upper_latents_carry_adds_up_to_the_term_of_the_bound(order):
    model, x = small(order).requires_grad_(False), torch.eye(4)
    each = hierarchies.upper_kl(model, x, 20_000, generator())
    term = model.elbo_terms(x, 20_000, generator(1)).kl_upper.mean()
    assert each.shape == (3,) and each.sum().item() == pytest.approx(term.item(), rel=0.03)


def test_a_warm_run_is_trained_and_judged(monkeypatch):
    """Six epochs of 300 images."""
    mnist = vc.data.mnist

    def few(split, **options):
        images = mnist(split, **options)
        return images._replace(x=images.x[:300], label=images.label[:300])

    monkeypatch.setattr(vc.data, "mnist", few)
    found = hierarchies.warmed_up("mnist_two_layers", 0)
    assert found["seed"] == 0 and -500 < found["elbo"] < -180
