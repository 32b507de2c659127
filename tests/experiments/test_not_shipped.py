"""Models of data that the course does not ship: anybody can still check their weights."""

import pytest
import torch

import vaecourse as vc
from vaecourse import config
from vaecourse.experiments import runs


def trained(model, data):
    """The model of a small task, trained for an epoch in this process, and its metrics."""
    params = config.Params.model_validate(
        {"model": model, "data": data, "training": {"epochs": 1, "batch_size": 10}}
    )
    (task,) = runs.tasks("small", params)
    state = runs.advance(task, None, 0, 1)["state"]
    ((weights, metrics),) = runs.finish(task, state)
    model = vc.models.build(model)
    model.load_state_dict(weights)
    return model.requires_grad_(False), metrics


def on_mnist(metrics):
    return {key: value for key, value in metrics.items() if key.endswith("_on_mnist")}


def test_a_model_of_the_static_images_can_be_checked_on_another_draw(monkeypatch):
    few = vc.data.mnist("test", binarize="threshold").x[:500]
    monkeypatch.setattr(vc.data, "static_mnist", lambda split: vc.data.images.Images(few, None))
    data = {"name": "static_mnist"}
    model, metrics = trained({"kind": "vae", "data_dim": 784, "latent_dim": 2, "hidden": [8]}, data)
    params = config.PlainParams(**data)
    test = runs.test_data(params)
    # The rows are mixed, but the same.
    assert not torch.equal(test, few)
    assert torch.equal(test.unique(dim=0), few.unique(dim=0))
    assert torch.equal(test, runs.train_data(params, 0)[0])
    assert runs.train_data(params, 0)[1] is None
    own = vc.evaluation.evaluate(model, test)
    assert {key: metrics[key] for key in own} == pytest.approx(own)
    sampled = vc.data.mnist("test", binarize="sample").x
    there = {f"{k}_on_mnist": v for k, v in vc.evaluation.evaluate(model, sampled).items()}
    assert on_mnist(metrics) == pytest.approx(there)
    assert on_mnist(metrics) == pytest.approx(runs.metrics_on_mnist(model, params))
