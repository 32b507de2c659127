"""`vaecourse train` on generated parameter files, arrays and flags.

Whatever it is given, it exits with 0 and whole files, or with 2, one sentence and nothing
written. Most of what is generated is refused before any training; what is accepted is tiny.
"""

import copy
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vaecourse import cli
from vaecourse.data.tables import read_rows
from vaecourse.experiments import parameters

QUICK = {
    "deadline": None,  # no timed asserts
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
ROWS = np.array([[0.0, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]] * 4)
NASTY = [
    None, True, 0, -1, 1.5, 2**70, -(2**70), 1e308, float("nan"), float("inf"), "", "nothing",
    "a\nb", "\x00", "\ud800", "ü" * 300, [], [[]], {}, {"a": 1}, [None], [2**62],
]  # fmt: skip
VALUES = {
    "kind": [*parameters.MODELS],
    "data_dim": [4, 2, 784],
    "latent_dim": [1, 2],
    "hidden": [[], [3], [3, 2]],
    "decoder_hidden": [[], [3]],
    "activation": ["relu", "tanh", "softplus", "sigmoid"],
    "decoder_activation": ["tanh"],
    "likelihood": ["bernoulli", "gaussian", "poisson", "discretized_logistic"],
    "posterior": ["diagonal", "full", "exponential", "gamma"],
    "prior": ["normal", "exponential", "gamma"],
    "noise_variance": [0.1, "shared", "per_dimension", "from_z"],
    "variance_floor": [0.01],
    "separate_heads": [True, False],
    "importance_samples": [1, 3],
    "image_shape": [[1, 2, 2], [1, 28, 28], [4, 1, 1]],
    "channels": [[2], [2, 2]],
    "feature_dim": [3],
    "num_classes": [2],
    "num_components": [2],
    "num_words": [3],
    "commitment": [0.25],
    "skip": [0.1, 0.6],
    "state_dim": [2],
    "recurrence": ["gru", "linear"],
    "noise": ["diagonal", "isotropic"],
    "floor": [0.01],
    "restarts": [1],
    "output": ["sigmoid", "linear"],
    "corruption": ["mask", "gaussian"],
    "level": [0.5, 2.0],
    "name": ["file", "three_blobs", "mnist", "frey_faces"],
    "path": ["rows.npy", "counts.csv", "bad.npz", "missing.npy", "."],
    "array": ["x"],
    "test_fraction": [0.25, 0.9],
    "n_train": [4],
    "n_test": [4],
    "binarize": ["sample"],
    "counts": [5],
    "epochs": [1],
    "batch_size": [5, 100],
    "learning_rate": [0.01, 1e30],
    "optimizer": ["adam", "sgd", "muon"],
    "schedule": ["constant", "cosine", "step"],
    "gradients": ["autograd", "by_hand"],
    "products": ["float32", "bfloat16"],
    "comment": ["why"],
    "model": [],
    "data": [],
    "training": [],
    "start": [{"epochs": 1}],
    "seeds": [[0], [7], [0, 0]],
    "$schema": ["here"],
}
START = {
    "model": {"kind": "vae", "data_dim": 4, "latent_dim": 1, "hidden": [3]},
    "data": {"name": "file", "path": "rows.npy"},
    "training": {"epochs": 1},
}
MODELS = [
    *[START["model"]] * 3,
    {"kind": "conv_vae", "image_shape": [1, 2, 2], "latent_dim": 1, "channels": [2]},
    {"kind": "factor_analysis", "data_dim": 4, "latent_dim": 1},
    {"kind": "gmvae", "data_dim": 4, "latent_dim": 1, "num_components": 2, "hidden": [3]},
    {"kind": "vrnn", "data_dim": 2, "latent_dim": 1, "state_dim": 2, "hidden": [3]},
    {"kind": "hierarchical", "data_dim": 4, "latent_dim": 1, "upper_dim": 1, "hidden": [3]},
    {"kind": "diffusion", "data_dim": 4, "levels": 3, "hidden": [3]},
    {"kind": "autoencoder", "data_dim": 4, "latent_dim": 2, "hidden": [3]},
    {"kind": "vqvae", "data_dim": 4, "latent_dim": 2, "num_words": 3, "hidden": [3]},
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with data; nothing but what is meant is found in it."""
    np.save(tmp_path / "rows.npy", ROWS)
    np.savetxt(tmp_path / "counts.csv", 7 * ROWS, delimiter=",", fmt="%d")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and then nothing")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changes(rng):
    """START after a few random edits: values that may fit, that cannot, keys gone or misspelt."""
    content = copy.deepcopy({**START, "model": rng.choice(MODELS)})
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5))):
        section = rng.choice((content, *(content.get(name) for name in START)))
        if not isinstance(section, dict):
            continue
        key = rng.choice([*VALUES, *section])
        kind = rng.random()
        if kind < 0.6:
            section[key] = rng.choice(VALUES.get(key) or NASTY)
        elif kind < 0.8:
            section[key] = rng.choice(NASTY)
        elif kind < 0.9:
            section.pop(key, None)
        else:
            section[rng.choice((key[:-1], key + "s", key.upper(), "a\nb", ""))] = 1
    return content


def outcome(arguments, capsys):
    """The exit status, after checking that it goes with what was said."""
    status = cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    if status == 2:
        message = said.err.splitlines()[-1] if "it/s" in said.err else said.err.rstrip("\n")
        assert message and "Traceback" not in said.err
        assert len(said.err.rstrip("\n").split("\n")[-1]) < 1_000
    else:
        assert status == 0
    return status, said.err


def check(path, output, capsys, *flags):
    """Run it; what is written is whole, or there is nothing."""
    status, error = outcome(["train", path, "--output", output, *flags], capsys)
    written = sorted(file.name for file in output.iterdir()) if output.exists() else []
    assert not [name for name in written if name.endswith((".part", "training.safetensors"))]
    if status == 0:
        assert {".json", ".safetensors"} <= {Path(name).suffix for name in written}
    elif (
        "loss became" not in error and "diverged" not in error
    ):  # else a first seed may have ended well before a second
        assert written == [] and not output.exists(), error
        assert error.count("\n") == 1, error
    return status


def accepted(path):
    """Whether the file is valid; if not, that its refusal is one line."""
    try:
        parameters.read(path)
    except ValueError as error:
        assert str(error).isprintable() and str(error).endswith((".", "'", "]")), repr(str(error))
        return False
    return True


def test_thousands_of_files_are_accepted_or_refused_in_a_sentence(folder):
    rng, path, valid = random.Random(0), folder / "params.json", 0
    for _ in range(1_500):
        path.write_text(json.dumps(changes(rng)))
        valid += accepted(path)
    assert 150 < valid < 1_350  # both kinds are there in number


def test_generated_files_run_whole_or_not_at_all(folder, capsys):
    rng, path = random.Random(1), folder / "params.json"
    statuses = []
    while len(statuses) < 60:
        content = changes(rng)
        if isinstance(content.get("data"), dict) and content["data"].get("name") == "mnist":
            continue  # 60,000 images a time are tested elsewhere
        path.write_text(json.dumps(content))
        statuses.append(check(path, folder / f"out{len(statuses)}", capsys))
    assert {0, 2} == set(statuses)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
@settings(max_examples=300, **QUICK)
def test_any_json_is_refused_in_a_sentence(folder, content):
    path = folder / "params.json"
    path.write_text(json.dumps(content))
    assert not accepted(path)


@given(st.sampled_from(["model", "data", "training"]), st.sampled_from(sorted(VALUES)), json_values)
@settings(max_examples=700, **QUICK)
def test_any_value_under_any_key_is_accepted_or_refused_in_a_sentence(folder, section, key, value):
    content = copy.deepcopy(START)
    content[section][key] = value
    path = folder / "params.json"
    path.write_text(json.dumps(content))
    if accepted(path):  # then it is what the run will use
        assert getattr(getattr(parameters.read(path), section), key) == value


@given(st.binary(max_size=200))
@settings(max_examples=300, **QUICK)
def test_any_bytes_are_refused_in_a_sentence(folder, content):
    path = folder / "params.json"
    path.write_bytes(content)
    assert not accepted(path)


@given(st.data())
@settings(max_examples=150, **QUICK)
def test_any_damage_to_an_array_ends_well(folder, capsys, data):
    kind = data.draw(st.sampled_from(["npy", "npz", "csv"]))
    good = Path(f"good.{kind}")
    if kind == "csv":
        np.savetxt(good, ROWS, delimiter=",")
    else:
        {"npy": np.save, "npz": np.savez}[kind](good, ROWS)
    content = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]
    Path(f"rows.{kind}").write_bytes(content)
    path = folder / "params.json"
    path.write_text(json.dumps({**START, "data": {"name": "file", "path": f"rows.{kind}"}}))
    try:
        read_rows(f"rows.{kind}")
    except ValueError as error:
        assert "\n" not in str(error)
        check(path, folder / "out", capsys)


FLAGS = [
    *("--resume", "--no-resume", "--tensorboard", "--example", "--schema", "--output", "--help"),
    *("--ouput", "-x", "", "\x00", "params.json", "missing.json", ".", "out", "train", "list"),
]


@given(st.lists(st.sampled_from(FLAGS), max_size=5))
@settings(max_examples=200, **QUICK)
def test_any_flags_end_well(folder, capsys, arguments):
    Path("params.json").write_text(json.dumps({**START, "training": {}}))  # never valid
    before = sorted(folder.iterdir())
    outcome(["train", *arguments], capsys)
    assert sorted(folder.iterdir()) == before
