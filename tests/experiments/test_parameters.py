"""The parameter file: what is accepted, and one sentence for what is not."""

import json
import math

import pytest

from vaecourse import experiments, models
from vaecourse.experiments import parameters
from vaecourse.likelihoods import LIKELIHOODS
from vaecourse.models.vae import POSTERIORS
from vaecourse.training.optimizers import OPTIMIZERS

GOOD = {
    "model": {"kind": "vae", "data_dim": 784, "latent_dim": 2},
    "data": {"name": "mnist", "binarize": "sample"},
    "training": {"epochs": 2},
}
IMAGES = {"kind": "conv_vae", "image_shape": [1, 28, 28], "latent_dim": 2}
CLASSIFIER = {"kind": "classifier", "image_shape": [1, 28, 28]}
GMVAE = {"kind": "gmvae", "data_dim": 784, "latent_dim": 2, "num_components": 2}


def written(tmp_path, content):
    path = tmp_path / "params.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def changed(section, key, value, **others):
    content = json.loads(json.dumps(GOOD))
    (content[section] if section else content).update({key: value, **others})
    return content


def test_a_short_file_gets_the_defaults(tmp_path):
    params = parameters.read(written(tmp_path, GOOD))
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
        (changed("training", "learning_rate", math.inf), "learning_rate is Infinity; .*finite"),
        (changed("training", "optimizer", "adamw"), 'training.optimizer is "adamw"; .*adam'),
        (changed("", "seeds", [0, 0]), "seeds: every seed must be there once"),
        (
            changed("", "seeds", [0, -1]),
            "seeds.1 is -1; input should be greater than or equal to 0",
        ),
        (changed("data", "file", "x.npy"), "data.file is not a key.*accepted are .*name, binarize"),
        (changed("data", "a\nb", 1), r'data."a\\nb" is not a key'),
        (changed("data", "counts", 9), "data: binarize and counts are both given"),
        (changed("model", "data_dim", 5), "model.data_dim is 5; the data mnist have 784 columns"),
        (
            changed("model", "hidden", [10**6] * 2),
            "model: its networks have .* at most 100,000,000",
        ),
        (changed("model", "hidden", [5, 0]), "model.hidden.1 is 0; input should be greater"),
        (changed("model", "prior", "gamma"), "model: prior is 'gamma' beside .* KL infinite"),
        (changed("model", "noise_variance", 0.1), "model: noise_variance is 0.1; a bernoulli like"),
        (
            changed("model", "noise_variance", "fixed"),
            'model.noise_variance is "fixed"; input should be a positive number, .shared.',
        ),
        (changed("model", "x" * 99, 1), "x is not a key that is known; accepted are"),
        (changed("training", "epochs", ["long"] * 99), r"epochs is .*\.\.\.; input should be"),
        ({**GOOD, "model": {"data_dim": 784}}, "model.kind is missing"),
        (
            {**GOOD, "training": {"epochs": 1, "gradients": "by_hand", "optimizer": "sgd"}},
            "training: gradients by_hand go with the optimizers adam and muon only",
        ),
        (
            {**GOOD, "training": {"epochs": 1, "products": "bfloat16"}},
            "training: products of bfloat16 go with gradients by_hand only",
        ),
        (
            {
                "model": {**GOOD["model"], "likelihood": "gaussian"},
                "data": GOOD["data"],
                "training": {"epochs": 1, "gradients": "by_hand", "products": "bfloat16"},
            },
            "gradients by_hand go with muon and products of bfloat16 for the likelihood bernoulli",
        ),
        (
            {**GOOD, "model": {"kind": "vrnn", "data_dim": 30, "latent_dim": 2, "state_dim": 3}},
            "model.data_dim is 30, the width of a step; the data mnist have 784 columns, no",
        ),
        (
            {**GOOD, "model": {**IMAGES, "image_shape": [3, 32, 32]}},
            r"model.image_shape is \[3, 32, 32\]; the data mnist have 784 columns",
        ),
        (
            {**GOOD, "model": {**IMAGES, "channels": [4, 4, 4]}},
            r"model: image_shape is \[1, 28, 28\]; it must be .* multiples of 8",
        ),
        (
            {**GOOD, "model": {**IMAGES, "channels": [10**4] * 2}},
            "model: its networks have .* at most 100,000,000",
        ),
        (
            {**GOOD, "model": CLASSIFIER, "data": {"name": "static_mnist"}},
            "data.name is static_mnist; the model classifier takes those with labels, mnist or",
        ),
        (
            {
                **GOOD,
                "model": {"kind": "m2", "data_dim": 784, "latent_dim": 2},
                "data": {"name": "static_mnist"},
            },
            "static_mnist; the model m2 takes those with labels, mnist or cifar10 or file",
        ),
        (
            {**GOOD, "model": CLASSIFIER, "training": {"epochs": 1, "gradients": "by_hand"}},
            "training.gradients by_hand are for a vae; model.kind is classifier",
        ),
        (
            {**GOOD, "model": {**GMVAE, "skip": 0.5}},
            r"model: skip is 0\.5; it must be at least 0 and less than 1 / 2",
        ),
        (
            {**GOOD, "model": {**GMVAE, "num_component": 2}},
            "model.num_component is not a key.*did you mean num_components",
        ),
        ("[" * 100_000, "nested too deeply"),
        ("{", r"params\.json is not JSON"),
        ('{"model": 1, "model": 2}', r'params\.json is not JSON: the key "model" is there twice'),
        ('{"model": {"kind": 1, "seeds": [], "kind": 2}}', 'the key "kind" is there twice'),
        (
            '{"seeds": [' + 5_000 * "9" + "]}",
            r"params\.json is not JSON: a number has 5,000 digits",
        ),
        (changed("training", "epochs", 10**900), r"epochs is 1000.*\.\.\.; input should be less"),
        (changed("training", "epochs", 10**12), "epochs is 1000000000000; input should be less"),
        (changed("training", "batch_size", 2**63), r"batch_size is 9\d*; input should be less"),
        (changed("model", "latent_dim", 10**6, posterior="full"), "networks have .* weights; at"),
        ("[]", "the whole file is"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, content, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        parameters.read(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf8_is_named_and_a_mark_before_it_is_skipped(tmp_path):
    path = tmp_path / "params.json"
    path.write_bytes(json.dumps(GOOD).encode("utf-8-sig"))
    assert parameters.read(path).training.epochs == 2
    path.write_bytes(json.dumps(GOOD).encode("utf-16"))
    with pytest.raises(ValueError, match=r"params\.json is not text in UTF-8\.$"):
        parameters.read(path)


@pytest.mark.parametrize(
    "model",
    [
        {**GOOD["model"], "latent_dim": 700, "posterior": "full"},
        {"kind": "factor_analysis", "data_dim": 784, "latent_dim": 9_000},
    ],
)
def test_covariances_that_fill_the_memory_are_refused_before_training(tmp_path, model):
    params = parameters.read(written(tmp_path, {**GOOD, "model": model}))
    with pytest.raises(ValueError, match=r"latent_dim is .* of 256 rows have .* at most 100,000,"):
        parameters.check_covariances(params, 60_000)
    parameters.check_covariances(params, 1)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"Cannot read .*none\.json: No such file"):
        parameters.read(tmp_path / "none.json")


def test_every_shipped_experiment_is_valid_and_an_unknown_one_gets_the_list():
    for name in experiments.names():
        params = experiments.params(name)
        # One classifier serves every comparison of features, one model of photographs is all that
        # the page needs to show, and the long schedules with five and fifty draws have one seed, as
        # their table says; of all else there are three.
        drawn = "iwae" in name and name.endswith("_long")
        single = drawn or params.model.kind in ("classifier", "conv_vae")
        assert len(set(params.seeds)) >= (1 if single else 3)
    with pytest.raises(ValueError, match="'mnist' is not an experiment; there are: .*mnist_vae_2d"):
        experiments.params("mnist")


def test_the_example_is_valid_and_explains_itself():
    params = parameters.read(parameters.EXAMPLE)
    text = parameters.EXAMPLE.read_text(encoding="utf-8")
    for names in (LIKELIHOODS, POSTERIORS, OPTIMIZERS):
        *most, last = names
        assert f"{', '.join(most)} or {last}." in text
    assert params.model.decoder_hidden == [256]
    assert "schema" in params.comment and "optimizer" in params.training.comment


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "vae", "data_dim": 784, "latent_dim": 2},
        {"kind": "autoencoder", "data_dim": 784, "latent_dim": 2},
        IMAGES,
        CLASSIFIER,
        {"kind": "factor_analysis", "data_dim": 784, "latent_dim": 2},
        GMVAE,
        {"kind": "vrnn", "data_dim": 28, "latent_dim": 2, "state_dim": 3},
    ],
)
def test_the_defaults_of_every_model_are_those_of_its_class(tmp_path, model):
    read = parameters.read(written(tmp_path, {**GOOD, "model": model})).model
    assert models.build(read.model_dump()).params == models.build(model).params
    assert read.model_dump().keys() | {"seed"} == models.build(model).params.keys()


def test_comments_are_for_the_reader_only(tmp_path):
    content = changed("training", "comment", "short")
    commented = parameters.read(written(tmp_path, {"$schema": "x", "comment": "why", **content}))
    assert commented.model_dump() == parameters.read(written(tmp_path, GOOD)).model_dump()


def test_the_schema_knows_every_key_and_says_what_it_is_for():
    definitions = json.loads(parameters.schema())["$defs"]
    for definition in definitions.values():
        assert definition["additionalProperties"] is False
        for key, value in definition["properties"].items():
            assert key in ("kind", "name") or "description" in value, key


def test_the_rows_of_the_literature_differ_in_data_and_draws_alone():
    names = [name for name in experiments.names() if name.endswith("_50d")]
    first, *others = [experiments.params(name) for name in names]
    assert (first.model.hidden, first.model.latent_dim) == ([200, 200], 50)
    for name, other in zip(names[1:], others):
        draws, dynamic = other.model.importance_samples, "dynamic" in name
        assert f"iwae{draws}" in name or (draws == 1 and "_vae_" in name)
        assert other.data.name == ("mnist" if dynamic else "static_mnist")
        assert getattr(other.data, "binarize", "sample") == "sample"
        same = {"importance_samples": first.model.importance_samples}
        assert other.model.model_copy(update=same) == first.model
        assert other.training == first.training


def test_the_long_rows_of_both_binarizations_share_schedule_and_network():
    pairs = 0
    for name in experiments.names():
        if name.startswith("mnist_static_") and name.endswith("_long"):
            static = experiments.params(name)
            dynamic = experiments.params(name.replace("static", "dynamic"))
            assert static.data.name == "static_mnist" and dynamic.data.binarize == "sample"
            assert (static.model, static.training) == (dynamic.model, dynamic.training)
            pairs += 1
    assert pairs >= 1
