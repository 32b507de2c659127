"""Trained models on disk: they come back as they were, or are refused in a sentence."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentences import refused

import vaecourse as vc
from vaecourse import checkpoint, experiments


@pytest.fixture
def saved(tmp_path):
    model = vc.models.VAE(6, 2, (5,), posterior="full")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)  # the seed alone must not give the model back
    checkpoint.save(tmp_path / "model", model, {"note": "a test"})
    return tmp_path / "model", model


def test_a_saved_model_comes_back(saved):
    path, model = saved
    again, record = checkpoint.load(path)
    x = torch.ones(3, 6)
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    torch.testing.assert_close(model.elbo(x, 2, seeds[0]), again.elbo(x, 2, seeds[1]))
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))
    assert record["note"] == "a test"
    assert record["params"] == model.params


def test_nothing_but_the_two_files_is_written(saved):
    path, _ = saved
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "model.json",
        "model.safetensors",
    ]


def test_weights_of_another_model_are_refused(saved):
    path, _ = saved
    record = json.loads(path.with_name("model.json").read_text())
    record["params"]["latent_dim"] = 3
    path.with_name("model.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="holds the weights of another model"):
        checkpoint.load(path)


def test_an_altered_file_is_refused(saved):
    path, _ = saved
    file = path.with_name("model.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ValueError, match=r"is not the file that model\.json describes"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b"null", b"", b"{", b"\xff\xfe{", b'{"a":1,"a":2}']
)
def test_a_record_that_is_none_is_refused(saved, content):
    path, _ = saved
    path.with_name("model.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"^model\.json is not (the record of|JSON|text in UTF)"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"params": None},
        {"params": []},
        {"params": {"kind": ["vae"]}},
        {"params": {"kind": "vae", "data_dim": 10**12, "latent_dim": 10**12}},
        {"params": {"kind": "vae", "data_dim": 6, "latent_dim": 2, "hidden": [10**6] * 3}},
        {"params": {"kind": "vae", "data_dim": "6", "latent_dim": None}},
        {"params": {"kind": "vae", "data_dim": 6, "latent_dim": 2, "\x1b[2J": 1}},
        {"weights_sha256": None},
    ],
)
def test_a_strange_record_is_refused_before_a_model_is_built_from_it(saved, change):
    path, _ = saved
    record = json.loads(path.with_name("model.json").read_text())
    path.with_name("model.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(ValueError, match="weights of another model than|is not the file") as caught:
        checkpoint.load(path)
    assert str(caught.value).isprintable()


def test_missing_files_are_named(saved, tmp_path):
    path, _ = saved
    with pytest.raises(ValueError, match=r"other\.json is missing"):
        checkpoint.load(tmp_path / "other")
    path.with_name("model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors is missing"):
        checkpoint.load(path)


def test_an_unknown_pretrained_model_gets_the_list():
    with pytest.raises(ValueError, match=r"mnist_gan_seed0 is not a shipped model; .*mnist_vae_2d"):
        checkpoint.pretrained("mnist_gan")


@pytest.mark.parametrize(
    "name", ["../model", "../../pretrained/mnist_vae_2d", "n" * 300, "\0", None]
)
def test_nothing_is_loaded_from_outside_the_shipped_folder(name):
    with pytest.raises(ValueError, match="is not a shipped model; there are: "):
        checkpoint.pretrained(name)
    with pytest.raises(ValueError, match="has no snapshots; there are those of: "):
        experiments.snapshots(name)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="Cannot write in the folder"):
        checkpoint.save(tmp_path / "file" / "model", vc.models.VAE(6, 2), {})


class Hotter(vc.models.VAE):
    def decode(self, z):
        return self.likelihood(3 * self.decoder(self.tensor(z)))


def with_another_decoder():
    model = vc.models.VAE(6, 2, (5,))
    model.decoder[1] = torch.nn.Tanh()  # the weights have the same names and shapes
    return model


@pytest.mark.parametrize(
    ("model", "what"),
    [(Hotter(6, 2, (5,)), "its class is Hotter"), (with_another_decoder(), "decoder.1 is another")],
)
def test_a_model_that_would_come_back_as_another_is_not_saved(tmp_path, model, what):
    assert refused(checkpoint.save, tmp_path / "model", model, {}) == (
        f"model is not the VAE that its params describe, {what}, and would not come back as it is; "
        "keep its weights by torch.save(model.state_dict(), path)."
    )
    assert not list(tmp_path.iterdir())
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    again = Hotter(6, 2, (5,), seed=1) if type(model) is Hotter else with_another_decoder()
    again.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    z = torch.ones(1, 2)
    assert torch.equal(again.decode(z).logits, model.decode(z).logits)


def test_numbers_of_torch_and_numpy_go_into_the_record_as_numbers(tmp_path):
    sizes = {"data_dim": np.int64(6), "latent_dim": np.int64(2), "hidden": np.array([5])}
    model = vc.models.VAE(**sizes, likelihood="gaussian", noise_variance=np.float32(0.25))
    metrics = {"elbo": torch.tensor(-1.5), "rows": [np.int64(3), np.float32(0.5)]}
    checkpoint.save(tmp_path / "model", model, {"metrics": metrics})
    again, record = checkpoint.load(tmp_path / "model")
    assert record["metrics"] == {"elbo": -1.5, "rows": [3, 0.5]}
    assert again.params["hidden"] == [5] and again.params["noise_variance"] == 0.25
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


def test_a_model_in_float64_comes_back_in_float64(tmp_path):
    model = vc.models.VAE(6, 2, (5,)).double()
    checkpoint.save(tmp_path / "model", model)
    again, _ = checkpoint.load(tmp_path / "model")
    assert again.decoder[0].weight.dtype == torch.float64
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


def test_weights_that_are_halves_take_half_the_file_and_come_back_bit_for_bit(tmp_path):
    model = vc.models.VAE(784, 2, (50,)).requires_grad_(False)
    model.load_state_dict({name: weight.half() for name, weight in model.state_dict().items()})
    checkpoint.save(tmp_path / "halves", model)
    stored = load_file(tmp_path / "halves.safetensors")
    again, record = checkpoint.load(tmp_path / "halves")
    assert record["weights_sha256"] == checkpoint.weights_sha256(model.state_dict())
    for name, weight in again.state_dict().items():
        assert stored[name].dtype == torch.float16 and weight.dtype == torch.float32
        assert torch.equal(weight, stored[name].float())
        assert torch.equal(weight, model.state_dict()[name])
    one = model.decoder[0].bias
    one[0] = 1 + 2**-11  # between two halves: all is kept as float32
    checkpoint.save(tmp_path / "other", model)
    sizes = {
        name: (tmp_path / f"{name}.safetensors").stat().st_size for name in ("halves", "other")
    }
    parameters = sum(weight.numel() for weight in model.state_dict().values())
    assert sizes["other"] - sizes["halves"] == pytest.approx(2 * parameters, abs=100)
    again, _ = checkpoint.load(tmp_path / "other")
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [
        ((), "torch.float32"),
        (("encoder", "decoder"), "torch.bfloat16"),
        (("decoder",), "torch.bfloat16 and torch.float32"),
    ],
)
def test_only_weights_of_one_kind_that_comes_back_are_saved(tmp_path, parts, kinds):
    model = vc.models.VAE(6, 2, range(5, 3, -1))
    for part in parts:
        getattr(model, part).bfloat16()
    if parts:
        assert refused(checkpoint.save, tmp_path / "model", model) == (
            f"model has weights of {kinds}, which would come back as torch.float32; call "
            "model.float() or model.double() first, or keep them by torch.save(model.state_dict(), "
            "path)."
        )
        torch.save(model.state_dict(), tmp_path / "weights.pt")
        kept = torch.load(tmp_path / "weights.pt", weights_only=True)
        for name, weight in model.state_dict().items():
            assert kept[name].dtype == weight.dtype and torch.equal(kept[name], weight)
    for cured in (model.float(), model.double()):
        checkpoint.save(tmp_path / "model", cured)
        again, _ = checkpoint.load(tmp_path / "model")
        assert again.params["hidden"] == [5, 4]
        for name, weight in cured.state_dict().items():
            assert again.state_dict()[name].dtype == weight.dtype
            assert torch.equal(again.state_dict()[name], weight)


CIRCLE = {}
CIRCLE["of"] = CIRCLE


@pytest.mark.parametrize(
    ("provenance", "sentence"),
    [
        ({"at": {1, 2}}, "provenance cannot be written as JSON: it holds a set."),
        ({"by": checkpoint}, "provenance cannot be written as JSON: it holds a module."),
        (CIRCLE, "provenance cannot be written as JSON: Circular reference detected."),
    ],
)
def test_a_record_that_cannot_be_written_leaves_the_pair_that_is_there(saved, provenance, sentence):
    path, model = saved
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    other = vc.models.VAE(6, 2, (5,), posterior="full", seed=1)
    assert refused(checkpoint.save, path, other, provenance) == sentence
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before
    assert torch.equal(checkpoint.load(path)[0].decoder[0].weight, model.decoder[0].weight)


def test_a_pair_that_cannot_be_written_whole_is_not_written_at_all(saved, monkeypatch):
    path, _ = saved
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, vc.models.VAE(6, 2, (5,), posterior="full", seed=1))
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_the_name_of_either_file_stands_for_both(saved, suffix):
    path, model = saved
    again, record = checkpoint.load(f"{path}{suffix}")
    assert record["note"] == "a test"
    checkpoint.save(f"{path}{suffix}", again)  # nothing but the two files
    assert len(list(path.parent.iterdir())) == 2
    assert torch.equal(checkpoint.load(path)[0].decoder[0].weight, model.decoder[0].weight)


def test_tied_weights_are_refused_and_kept_by_the_cure(tmp_path):
    def tied():
        model = vc.models.VAE(2, 2, (16,), likelihood="gaussian", noise_variance=0.1)
        model.decoder[0].weight = model.encoder[0].weight
        return model

    model = tied()
    assert refused(checkpoint.save, tmp_path / "tied", model) == (
        "encoder.0.weight and decoder.0.weight of model are one weight and would come back as two; "
        "keep them by torch.save(model.state_dict(), path)."
    )
    assert not list(tmp_path.iterdir())
    torch.nn.init.ones_(model.encoder[0].weight)
    torch.save(model.state_dict(), tmp_path / "tied.pt")
    again = tied()
    again.load_state_dict(torch.load(tmp_path / "tied.pt", weights_only=True))
    assert (again.decoder[0].weight == 1).all()


def test_what_is_missing_is_missing_from_a_folder_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = refused(checkpoint.load, "nosuch")
    assert told == f"nosuch.json is missing from the folder {tmp_path}."
    checkpoint.save("a", vc.models.VAE(2, 2, (3,)))
    (tmp_path / "a.safetensors").unlink()
    assert refused(checkpoint.load, "a") == f"a.safetensors is missing from the folder {tmp_path}."


@pytest.mark.parametrize("key", ["params", "weights_sha256"])
def test_a_provenance_that_hides_what_is_the_models_is_refused(tmp_path, key):
    model = vc.models.VAE(3, 2, (4,))
    words = refused(checkpoint.save, tmp_path / "run", model, {key: {"lr": 1e-3}})
    assert words == (
        f"provenance has the key '{key}', under which the file keeps what is the model's; give it "
        "another name."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_record_of_load_is_a_provenance(saved, tmp_path):
    path, _ = saved
    model, record = checkpoint.load(path)
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    checkpoint.save(tmp_path / "more", model, record)
    again, found = checkpoint.load(tmp_path / "more")
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))
    assert found["note"] == "a test"
    assert found["weights_sha256"] != record["weights_sha256"]


@pytest.mark.parametrize(
    ("provenance", "sentence"),
    [
        ("text", "provenance is a str; it must be a dict."),
        ([1], "provenance is a list; it must be a dict."),
        (
            {1: "a", "1": "b"},
            'provenance cannot be written as JSON: the key "1" is there twice.',
        ),
        (
            {"n": 10**1000},
            "provenance cannot be written as JSON: a number has 1,001 digits.",
        ),
    ],
)
def test_a_provenance_that_would_not_come_back_is_refused(tmp_path, provenance, sentence):
    model = vc.models.VAE(3, 2, (4,))
    assert refused(checkpoint.save, tmp_path / "run", model, provenance) == sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [".", "", "..", "/", None, True, 3])
def test_what_is_no_name_of_a_file_is_refused(path):
    model = vc.models.VAE(3, 2, (4,))
    sentence = f"{path!r} is not the name of a file."
    assert refused(checkpoint.save, path, model) == sentence
    assert refused(checkpoint.load, path) == sentence
    if path is not None:
        x = torch.zeros(4, 3)
        assert (
            refused(vc.training.fit, model, x, epochs=1, checkpoint=path, progress=False)
            == sentence
        )
