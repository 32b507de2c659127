"""Trained models on disk: they come back as they were, or are refused in a sentence."""

import json

import pytest
import torch

import vaecourse as vc
from vaecourse import checkpoint


@pytest.fixture
def saved(tmp_path):
    model = vc.models.VAE(6, 2, (5,), posterior="full")
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


@pytest.mark.parametrize("content", ["", "[]", "{}", "{"])
def test_a_record_that_is_none_is_refused(saved, content):
    path, _ = saved
    path.with_name("model.json").write_text(content)
    with pytest.raises(ValueError, match=r"model\.json is not the record of a trained model"):
        checkpoint.load(path)


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


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="Cannot write in the folder"):
        checkpoint.save(tmp_path / "file" / "model", vc.models.VAE(6, 2), {})
