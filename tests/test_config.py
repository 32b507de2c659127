"""The parameter file: what is accepted, and one sentence for what is not."""

import json

import pytest

from vaecourse import config, experiments

GOOD = {
    "model": {"kind": "vae", "data_dim": 784, "latent_dim": 2},
    "data": {"name": "mnist", "binarize": "sample"},
    "training": {"epochs": 2},
}


def written(tmp_path, content):
    path = tmp_path / "params.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def changed(section, key, value):
    content = json.loads(json.dumps(GOOD))
    (content[section] if section else content)[key] = value
    return content


def test_a_short_file_gets_the_defaults(tmp_path):
    params = config.read(written(tmp_path, GOOD))
    assert params.model.hidden == [256]
    assert params.training.batch_size == 256
    assert params.training.learning_rate == 1e-3
    assert params.seeds == [0]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (changed("training", "epoch", 3), "training.epoch is not a key.*did you mean epochs"),
        (changed("model", "hiden", [5]), "model.hiden is not a key.*did you mean hidden"),
        (changed("", "seed", 1), "seed is not a key.*did you mean seeds"),
        (changed("", "start", {"epochs": 1}), "start is for a gmvae; the model is a vae"),
        (
            {**changed("", "start", {"epoch": 1})},
            "start.epoch is not a key.*did you mean epochs",
        ),
        (changed("training", "epochs", 0), "training.epochs is 0; input should be greater"),
        (changed("training", "epochs", "many"), 'training.epochs is "many"; input should be a'),
        (
            changed("model", "kind", "gan"),
            "model.kind is \"gan\".*'vae', 'conv_vae', 'autoencoder'.*'vrnn'",
        ),
        (changed("model", "likelihood", "beta"), 'model.likelihood is "beta".*bernoulli'),
        (changed("data", "name", "cifar"), 'data.name is "cifar"; input should be .mnist'),
        (
            {**GOOD, "data": {"name": "three_blobs", "n_trian": 4, "n_test": 4}},
            "data.n_trian is not a key.*did you mean n_train",
        ),
        ({**GOOD, "data": {"name": "three_blobs", "n_test": 4}}, "data.n_train is missing"),
        (
            changed("", "data", {"name": "static_mnist", "binarize": "sample"}),
            "data.binarize is not",
        ),
        ({"model": GOOD["model"], "data": GOOD["data"]}, "training is missing"),
        ("{", r"params\.json is not JSON"),
        ("[]", "the whole file is"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, content, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        config.read(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"Cannot read .*none\.json: No such file"):
        config.read(tmp_path / "none.json")


def test_every_shipped_experiment_is_valid_and_an_unknown_one_gets_the_list():
    for name in experiments.names():
        params = experiments.params(name)
        # One classifier serves every comparison of features; of all else there are three seeds.
        assert len(set(params.seeds)) >= (1 if params.model.kind == "classifier" else 3)
    with pytest.raises(ValueError, match="'mnist' is not an experiment; there are: .*mnist_vae_2d"):
        experiments.params("mnist")
