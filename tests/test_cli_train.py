"""`vaecourse train` and `vaecourse reproduce`, from the command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import vaecourse as vc
from vaecourse import cli
from vaecourse.experiments import parameters

PARAMS = {
    "model": {"kind": "vae", "data_dim": 784, "latent_dim": 2, "hidden": [8]},
    "data": {"name": "mnist", "binarize": "sample"},
    "training": {"epochs": 3, "batch_size": 2000},
}


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "small.json"
    path.write_text(json.dumps(PARAMS))
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the command leaves behind when nothing stops it."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "small.json").write_text(json.dumps(PARAMS))
    assert cli.main(["train", str(folder / "small.json"), "--output", str(folder / "out")]) == 0
    return folder / "out"


KILLED = """
import os, signal, sys
from vaecourse import cli
from vaecourse.experiments import schedule

def take(job, result, take=schedule._Job.take):
    take(job, result)
    os.kill(os.getpid(), signal.SIGKILL)

schedule._Job.take = take
cli.main(sys.argv[1:])
"""


def test_a_killed_command_resumed_gives_the_weights_of_the_unbroken_one(params, tmp_path, whole):
    broken = [str(params), "--output", str(tmp_path / "two")]
    line = [sys.executable, "-c", KILLED, "train", *broken]
    assert subprocess.run(line, stderr=subprocess.DEVNULL).returncode == -signal.SIGKILL
    assert os.listdir(tmp_path / "two") == ["small_seed0.training.safetensors"]
    assert cli.main(["train", *broken, "--resume"]) == 0
    weights = "small_seed0.safetensors"
    assert (whole / weights).read_bytes() == (tmp_path / "two" / weights).read_bytes()
    figures = [f"small_seed0_{name}.png" for name in ("latent", "loss", "reconstructions")]
    for folder in (whole, tmp_path / "two"):
        assert sorted(os.listdir(folder)) == ["small_seed0.json", weights, *figures]


def test_what_it_writes_says_how_it_came_to_be_and_recomputes(whole):
    model, record = vc.checkpoint.load(whole / "small_seed0")
    assert record["command"] == "vaecourse train small.json"
    assert record["training"]["epochs"] == 3
    assert len(record["epoch_loss"]) == 3
    test = vc.data.mnist("test", binarize="sample").x
    assert vc.evaluation.evaluate(model, test) == record["metrics"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trainng": {}}, "trainng is not a key that is known; did you mean training"),
        ({"training": {"epochs": -1}}, "training.epochs is -1"),
    ],
)
def test_a_wrong_file_gets_a_sentence_and_writes_nothing(tmp_path, capsys, change, sentence):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({**PARAMS, **change}))
    assert cli.main(["train", str(path), "--output", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert sentence in message and message.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_gets_a_sentence(params, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["train", str(params), "--output", str(tmp_path / "file" / "out")]) == 2
    assert "Cannot write in the folder" in capsys.readouterr().err


def test_data_of_another_width_than_the_model_gets_a_sentence(tmp_path, capsys):
    path = tmp_path / "wide.json"
    path.write_text(json.dumps({**PARAMS, "model": {**PARAMS["model"], "data_dim": 100}}))
    assert cli.main(["train", str(path), "--output", str(tmp_path / "out")]) == 2
    assert "model.data_dim is 100; the data mnist have 784 columns." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_experiment_gets_the_list(capsys):
    assert cli.main(["reproduce", "mnist_gan"]) == 2
    assert "there are: axis_aligned_gaussian_diagonal, " in capsys.readouterr().err


def test_the_example_and_the_schema_are_printed_and_the_example_is_valid(tmp_path, capsys):
    assert cli.main(["train", "--example"]) == 0
    example = capsys.readouterr().out
    path = tmp_path / "example.json"
    path.write_text(example)
    assert parameters.read(path).training.epochs == 20
    assert cli.main(["train", "--schema"]) == 0
    assert capsys.readouterr().out == parameters.schema()


def test_an_array_of_ones_own_is_trained_on(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    np.savetxt("rows.csv", rows.numpy(), delimiter=",", header="a,b,c")
    model = {"kind": "vae", "data_dim": 3, "latent_dim": 2, "likelihood": "gaussian"}
    content = {"model": model, "data": {"name": "file", "path": "rows.csv"}}
    Path("own.json").write_text(json.dumps({**content, "training": {"epochs": 2}}))
    assert cli.main(["train", "own.json", "--output", "out"]) == 0
    trained, record = vc.checkpoint.load(Path("out/own_seed0"))
    assert record["data"]["path"] == "rows.csv"
    assert trained.data_dim == 3
    assert sorted(os.listdir("out"))[2:] == ["own_seed0_latent.png", "own_seed0_loss.png"]


def test_a_run_that_diverges_gets_a_sentence_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.random.default_rng(0).normal(size=(2_000, 3)))
    model = {"kind": "vae", "data_dim": 3, "latent_dim": 2, "likelihood": "gaussian"}
    content = {"model": model, "data": {"name": "file", "path": "rows.npy"}}
    Path("own.json").write_text(
        json.dumps({**content, "training": {"epochs": 2, "learning_rate": 10}})
    )
    assert cli.main(["train", "own.json", "--output", "out"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("The loss became ") and " in epoch 1: " in message
    assert message.endswith("A smaller learning_rate may help.")
    assert not Path("out").exists()
