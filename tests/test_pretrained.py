"""The shipped models: their numbers come again from their weights."""

import pytest
import torch
from safetensors.torch import load_file

import vaecourse as vc
from vaecourse import experiments
from vaecourse.checkpoint import PRETRAINED
from vaecourse.experiments import datasets, rounding, runs

SHIPPED = [(name, seed) for name in experiments.names() for seed in experiments.params(name).seeds]

# The frames of the Frey faces are under no licence that would let the course ship them.
WITH_DATA = [run for run in SHIPPED if experiments.params(run[0]).data.name != "frey_faces"]


@pytest.mark.parametrize(("name", "seed"), WITH_DATA)
def test_the_metrics_recompute_from_the_weights(name, seed):
    model, record = vc.checkpoint.pretrained(name, seed)
    data = experiments.params(name).data
    shipped = data.name not in datasets.NOT_SHIPPED
    # The importance-weighted bound takes most of the time: one seed of an experiment will do, as
    # the bound itself, by the same draws, ties the numbers of every seed to its weights.
    whole = seed == experiments.params(name).seeds[0]
    metrics = (
        runs.metrics(model, data, 100 if whole else 1)
        if shipped
        else runs.metrics_on_mnist(model, data)
    )
    assert not shipped or metrics.keys() == record["metrics"].keys()
    if not whole:
        metrics.pop("log_likelihood", None)
    for key, value in metrics.items():
        # Sums of 10,000 float32 terms: other processors round otherwise, in the sixth digit, and a
        # row of 10,000 may then fall into another cluster.
        assert value == pytest.approx(record["metrics"][key], rel=1e-4, abs=3e-4), key


@pytest.mark.parametrize(("name", "seed"), SHIPPED)
def test_the_record_says_how_it_came_to_be(name, seed):
    _, record = vc.checkpoint.pretrained(name, seed)
    params = experiments.params(name)
    assert record["command"] == f"vaecourse reproduce {name}"
    assert record["training"]["seed"] == record["params"]["seed"] == seed
    assert record["training"]["epochs"] == params.training.epochs == len(record["epoch_loss"])
    assert type(params.data)(**record["data"]) == params.data
    described = vc.models.build({**params.model.model_dump(), "seed": seed})
    assert described.params == vc.models.build(record["params"]).params


@pytest.mark.parametrize(("name", "seed"), SHIPPED)
def test_a_file_of_halves_loads_as_the_same_numbers_and_its_record_tells_of_the_rounding(
    name, seed
):
    model, record = vc.checkpoint.pretrained(name, seed)
    stored = load_file(PRETRAINED / f"{name}_seed{seed}.safetensors")
    kinds = {weight.dtype for weight in stored.values()}
    before = record.get("before_rounding")
    assert kinds == {torch.float32 if before is None else torch.float16}
    for key, weight in model.state_dict().items():
        assert weight.dtype == torch.float32 and torch.equal(weight, stored[key].float())
    if before is not None:
        assert 2 * sum(weight.nbytes for weight in stored.values()) >= rounding.LARGE
        assert before["metrics"].keys() == record["metrics"].keys()
        for key, value in before["metrics"].items():
            assert not rounding.moved(record["metrics"][key], value), key


def test_what_ships_of_data_is_at_most_100_megabytes():
    folders = (PRETRAINED.parent / name for name in ("mnist", "pretrained", "results"))
    files = [file for folder in folders for file in folder.iterdir()]
    shipped = [file for file in files if not file.name.endswith(".training.safetensors")]
    assert sum(file.stat().st_size for file in shipped) <= 100e6


@pytest.mark.parametrize("seed", experiments.params("mnist_vae_2d").seeds)
def test_the_bound_lies_below_the_importance_weighted_likelihood(seed):
    for name in ("mnist_vae_2d", "mnist_vae_128d"):
        metrics = vc.checkpoint.pretrained(name, seed)[1]["metrics"]
        assert metrics["elbo"] < metrics["log_likelihood"]
        difference = metrics["reconstruction"] - metrics["kl"] - metrics["elbo"]
        assert abs(difference) < 1e-3


def test_memory_beats_a_vae_of_the_same_size():
    runs = {
        name: [vc.checkpoint.pretrained(name, seed) for seed in experiments.params(name).seeds]
        for name in ("vae_mnist_same_size", "vrnn_mnist_rows")
    }
    vae, vrnn = (sum(p.numel() for p in models[0][0].parameters()) for models in runs.values())
    assert abs(vrnn / vae - 1) < 0.005
    # Both are given x in {0, 1}^784, drawn anew in every epoch, and both count nats an image.
    for key in ("elbo", "log_likelihood"):
        values = {
            name: [record["metrics"][key] for _, record in records]
            for name, records in runs.items()
        }
        assert min(values["vrnn_mnist_rows"]) > max(values["vae_mnist_same_size"]) + 10


# Of runs on static images, which are not shipped, `test_likelihood_table` judges the first ones.
WATCHED = [
    run
    for run in WITH_DATA
    if experiments.params(run[0]).data.name not in datasets.NOT_SHIPPED
    and "watched" in vc.checkpoint.pretrained(*run)[1]
]


def test_there_are_runs_that_were_watched():
    assert ("mnist_dynamic_vae_50d_long", 0) in WATCHED


@pytest.mark.parametrize(("name", "seed"), WATCHED)
def test_the_end_of_the_approach_recomputes_from_the_weights(name, seed):
    model, record = vc.checkpoint.pretrained(name, seed)
    seen = record["watched"]
    assert seen["epochs"][0] == 0 and seen["epochs"][-1] == record["training"]["epochs"]
    train, test, units = runs.watched(model, experiments.params(name).data)
    assert (train, test) == pytest.approx((seen["train"][-1], seen["test"][-1]), rel=1e-4)
    assert units == seen["active_units"][-1]
