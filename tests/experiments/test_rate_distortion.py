"""MNIST on the plane: the shipped record keeps the laws, and the program makes it."""

import json
import math

import pytest

from vaecourse.experiments import rate_distortion as program


@pytest.fixture(scope="module")
def record():
    return json.loads(program.PATH.read_text(encoding="utf-8"))


def test_the_record_has_every_weight_and_seed(record):
    assert record["command"] == "vaecourse reproduce rate_distortion"
    runs = [(run["beta"], run["seed"]) for run in record["metrics"]["runs"]]
    assert runs == [(beta, seed) for beta in program.BETAS for seed in program.SEEDS]


def test_no_encoder_is_better_than_the_best(record):
    for run in record["metrics"]["runs"]:
        beta, own, tilted = run["beta"], run["own"], run["tilted"]
        posterior, evidence = run["posterior"], run["log_evidence"]
        assert posterior["rate"] + posterior["distortion"] == pytest.approx(-evidence, abs=0.01)
        assert own["rate"] + own["distortion"] > -evidence
        least = tilted["distortion"] + beta * tilted["rate"]
        assert own["distortion"] + beta * own["rate"] > least
        assert least <= posterior["distortion"] + beta * posterior["rate"] + 1e-3
        test = run["test"]
        assert test["reconstruction"] - test["kl"] == pytest.approx(test["elbo"], abs=1e-3)


def test_the_rate_falls_and_the_best_distortion_rises_with_the_weight(record):
    for seed in program.SEEDS:
        runs = [run for run in record["metrics"]["runs"] if run["seed"] == seed]
        rates = [run["own"]["rate"] for run in runs]
        assert rates == sorted(rates, reverse=True)
        distortions = [run["tilted"]["distortion"] for run in runs]
        assert distortions == sorted(distortions)


def test_the_program_makes_the_record(record, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "BETAS", (1.0,))
    monkeypatch.setattr(program, "SEEDS", (4,))
    rows = program.data.mnist("train").x[:500]
    real = program.data.mnist

    def few(split, **settings):
        return real(split, **settings)._replace(x=rows) if split == "train" else real(
            split, **settings
        )._replace(x=real(split, **settings).x[:40])  # fmt: skip

    monkeypatch.setattr(program.data, "mnist", few)
    made = program.run(tmp_path / "made.json", epochs=1, images=4, points=61, word_epochs=1)
    assert json.loads((tmp_path / "made.json").read_text(encoding="utf-8")) == made
    (run,) = made["metrics"]["runs"]
    assert run["seed"] == 4 and math.isfinite(run["test"]["elbo"])
    (words,) = made["metrics"]["words"]["runs"]
    assert words.keys() == record["metrics"]["words"]["runs"][0].keys()


def test_every_kind_of_words_has_three_seeds_and_the_bound_lacks_more_than_the_likeliest(record):
    words = record["metrics"]["words"]
    assert words["epochs"] == program.WORD_EPOCHS
    assert [run["seed"] for run in words["runs"]] == [0, 1, 2]
    for run in words["runs"]:
        assert run["lacks"] > run["likeliest_lacks"] > 0
        less, error = run["mixture_less_vq_vae"]
        assert less == pytest.approx(run["mixture"] - run["vq_vae"], abs=1e-4) and 0 < error < 0.3
