"""The shipped ladder of Bernoulli mixtures: recomputed where the files at hand allow it."""

import json
from statistics import mean

import pytest
import torch

import vaecourse as vc
from vaecourse.experiments import bernoulli_mixture_static_mnist as experiment
from vaecourse.inference.em import BernoulliMixture, BernoulliStatistics


@pytest.fixture(scope="module")
def record():
    return json.loads(experiment.PATH.read_text(encoding="utf-8"))


def scores(record, n_components, split="test"):
    runs = record["metrics"]["runs"]
    return [run[split] for run in runs if run["n_components"] == n_components]


def test_one_component_follows_from_the_pixel_counts(record):
    # With one component the likelihood needs no more of the data than how often each pixel is on.
    rows, on = record["data"]["rows"], record["data"]["pixels_on"]

    def statistics(split):
        count = torch.tensor([rows[split]], dtype=torch.float64)
        return BernoulliStatistics(count, torch.tensor(on[split]).double()[None], 0.0, 0.0)

    mixture = BernoulliMixture(1, smoothing=record["setting"]["smoothing"])
    mixture.weights_ = torch.ones(1, dtype=torch.float64)
    mixture.probabilities_ = torch.full((1, 784), 0.5, dtype=torch.float64)
    mixture.m_step(statistics("train"))
    mixture.smoothing = 0.0  # the test likelihood bears no penalty
    test, train = mixture.bound(statistics("test")), mixture.bound(statistics("train"))
    assert abs(test - -205.79) < 0.005
    assert abs(train - -205.99) < 0.006
    # The record is of a fit in float32.
    assert abs(scores(record, 1)[0] - test) < 1e-4
    assert abs(scores(record, 1, "train")[0] - train) < 1e-4


def test_the_ladder_climbs_to_the_known_values(record):
    ladder = {k: mean(scores(record, k)) for k in experiment.LADDER}
    assert list(ladder.values()) == sorted(ladder.values())
    assert len(scores(record, 10)) >= 3 and len(scores(record, 100)) >= 3
    # The spread over starts is about 0.3 with ten components and 0.1 with a hundred.
    assert abs(ladder[10] - -166.9) < 0.5
    assert abs(ladder[100] - -137.1) < 0.3
    assert abs(ladder[500] - -125.9) < 0.3


def test_the_record_says_how_it_came_to_be(record):
    assert record["command"] == f"vaecourse reproduce {experiment.NAME}"
    assert record["data"]["rows"] == {"train": 50_000, "test": 10_000}
    assert record["setting"]["smoothing"] == experiment.SMOOTHING
    assert len(record["source_sha256"]) == 64 and record["wall_seconds"] > 0
    seeds = [(run["n_components"], run["seed"]) for run in record["metrics"]["runs"]]
    assert seeds == [(k, seed) for k, n in experiment.LADDER.items() for seed in range(n)]


def test_ten_components_on_another_draw_of_the_same_images(record):
    # The static files are one Bernoulli draw of MNIST; another differs by its noise, 0.1, and by
    # the start, 0.3.
    train = vc.data.mnist("train", binarize="sample").x[:50_000]
    test = vc.data.mnist("test", binarize="sample").x
    mixture = BernoulliMixture(10, smoothing=experiment.SMOOTHING, max_steps=40).fit(train)
    assert abs(mixture.score(test) - mean(scores(record, 10))) < 1
    assert mixture.objective_trace_.diff().min() > -1e-5  # float32


def test_run_writes_a_record_like_the_one_that_is_shipped(record, tmp_path, monkeypatch):
    images = vc.data.mnist("test", binarize="threshold")
    few = images._replace(x=images.x[:300], label=None)
    monkeypatch.setattr(vc.data, "static_mnist", lambda split: few)
    made = experiment.run(tmp_path / "record.json", ladder={1: 1, 3: 2})
    assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8")) == made
    assert made.keys() == record.keys() - {"note"}
    assert [run["n_components"] for run in made["metrics"]["runs"]] == [1, 3, 3]
    assert made["metrics"]["runs"][1]["test"] > made["metrics"]["runs"][0]["test"]
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]
