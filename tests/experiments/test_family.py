"""The GMVAE and the VRNN from a parameter file."""

import json

import torch

import vaecourse as vc
from vaecourse import cli
from vaecourse.experiments import gmvae_start, parameters, runs

MNIST = {"name": "mnist", "binarize": "sample"}
TRAINING = {"epochs": 2, "batch_size": 1000}
GMVAE = {
    "model": {
        "kind": "gmvae",
        "data_dim": 784,
        "latent_dim": 2,
        "num_components": 2,
        "hidden": [8],
        "skip": 0.02,
    },
    "data": MNIST,
    "start": {"epochs": 1, "restarts": 2},
    "training": TRAINING,
}
VRNN = {
    "model": {"kind": "vrnn", "data_dim": 28, "latent_dim": 2, "state_dim": 4, "hidden": [4]},
    "data": MNIST,
    "training": {**TRAINING, "epochs": 1},
}


def written(tmp_path, content):
    path = tmp_path / "small.json"
    path.write_text(json.dumps(content))
    return path


# That metrics come again from the weights, shipped models of both kinds show.


def test_a_vrnn_is_trained_from_a_parameter_file(tmp_path):
    path = written(tmp_path, VRNN)
    assert cli.main(["train", str(path), "--output", str(tmp_path)]) == 0
    model, record = vc.checkpoint.load(tmp_path / "small_seed0")
    assert record["params"]["state_dim"] == model.state_dim == 4
    assert {"elbo", "kl", "log_likelihood"} < record["metrics"].keys()


def test_a_gmvae_advanced_in_two_rounds_is_the_unbroken_one(tmp_path):
    path = written(tmp_path, GMVAE)
    assert cli.main(["train", str(path), "--output", str(tmp_path)]) == 0
    model, record = vc.checkpoint.load(tmp_path / "small_seed0")
    assert record["start"] == GMVAE["start"]
    assert {"accuracy", "purity", "smallest_component"} < record["metrics"].keys()
    (task,) = runs.tasks("small", parameters.read(path))
    state = runs.advance(task, None, 0, 2)["state"]
    for name, value in model.state_dict().items():
        assert torch.equal(state[f"model.{name}"], value), name


def test_the_start_finds_groups_without_labels():
    # Three groups of rows, each with a block of pixels of its own.
    label = torch.arange(900) % 3
    x = torch.zeros(900, 24)
    for group in range(3):
        x[label == group, 8 * group : 8 * group + 8] = 1.0
    flip = torch.bernoulli(torch.full(x.shape, 0.1), generator=torch.Generator().manual_seed(0))
    x = (x - flip).abs()
    model = vc.models.GMVAE(24, 2, 3, (16,))
    gmvae_start.start(model, x, 40, 4, batch_size=50, learning_rate=1e-2, seed=0, transform=None)
    found = model.classify(x)
    assert vc.evaluation.clustering.hungarian_accuracy(found, label) > 0.95
