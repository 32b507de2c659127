"""Models of data that the course does not ship: anybody can still check their weights."""

import pytest
import torch

import vaecourse as vc
from vaecourse.experiments import datasets, parameters, runs


def trained(model, data):
    """The model of a small task, trained for an epoch in this process, and its metrics."""
    params = parameters.Params.model_validate(
        {"model": model, "data": data, "training": {"epochs": 1, "batch_size": 10}}
    )
    (task,) = runs.tasks("small", params)
    state = runs.advance(task, None, 0, 1)["state"]
    ((weights, metrics, _),) = runs.finish(task, state)
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
    params = parameters.PlainParams(**data)
    test = datasets.test_data(params).x
    # The rows are mixed, but the same.
    assert not torch.equal(test, few)
    assert torch.equal(test.unique(dim=0), few.unique(dim=0))
    assert torch.equal(test, datasets.train_data(params, 0)[0])
    assert datasets.train_data(params, 0)[1] is None
    own = vc.evaluation.evaluate(model, test)
    assert {key: metrics[key] for key in own} == pytest.approx(own)
    sampled = vc.data.mnist("test", binarize="sample").x
    there = {f"{k}_on_mnist": v for k, v in vc.evaluation.evaluate(model, sampled).items()}
    assert on_mnist(metrics) == pytest.approx(there)
    assert on_mnist(metrics) == pytest.approx(runs.metrics_on_mnist(model, params))


def test_a_vrnn_of_the_static_images_is_checked_on_sequences_of_rows():
    model = vc.models.VRNN(28, 1, 2, [4]).requires_grad_(False)
    metrics = runs.metrics_on_mnist(model, parameters.PlainParams(name="static_mnist"))
    rows = vc.data.mnist("test", binarize="sample").x.view(-1, 28, 28)
    generator = torch.Generator().manual_seed(0)
    elbo = torch.cat([model.elbo(part, 1, generator) for part in rows.split(500)])
    assert metrics["elbo_on_mnist"] == pytest.approx(elbo.mean().item())


def test_a_model_of_photographs_can_be_checked_on_framed_digits(monkeypatch):
    pixels = torch.randint(0, 256, (20, 3_072), generator=torch.Generator().manual_seed(0)) / 255
    few = vc.data.images.Images(pixels, torch.zeros(20, dtype=torch.int64))
    monkeypatch.setattr(vc.data, "cifar10", lambda split: few)
    data = {"name": "cifar10"}
    model = {"kind": "conv_vae", "image_shape": [3, 32, 32], "latent_dim": 2, "channels": [2]}
    model, metrics = trained(model, data)
    params = parameters.PlainParams(**data)
    assert torch.equal(datasets.test_data(params).x, pixels)
    digits = datasets.stand_in(params)
    framed = digits[7].view(3, 32, 32)
    assert torch.equal(framed[1, 2:-2, 2:-2].flatten(), vc.data.mnist("test").x[7])
    assert framed[:, :2].sum() == framed[:, :, -2:].sum() == 0
    there = {f"{k}_on_mnist": v for k, v in vc.evaluation.evaluate(model, digits).items()}
    assert on_mnist(metrics) == pytest.approx(there)
