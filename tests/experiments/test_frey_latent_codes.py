"""The shipped codes of the Frey faces: what they say without the frames agrees with the weights."""

import json

import pytest
import torch

import vaecourse as vc
from vaecourse.data.images import Images
from vaecourse.experiments import frey_latent_codes as experiment


@pytest.fixture(scope="module")
def record():
    return json.loads(experiment.PATH.read_text(encoding="utf-8"))


def test_the_codes_belong_to_the_shipped_weights(record):
    for seed, stored in zip(experiment.SEEDS, record["metrics"]["seeds"], strict=True):
        _, trained = vc.checkpoint.pretrained(experiment.MODEL, seed)
        assert stored["seed"] == seed
        assert stored["weights_sha256"] == trained["weights_sha256"]
        loc, log_var = (torch.tensor(stored["test"][key]) for key in ("loc", "log_var"))
        kl = 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum(1).mean()
        # Closed forms on both sides; the codes are rounded to four decimals.
        assert abs(kl - trained["metrics"]["kl"]) < 2e-3


def test_the_record_says_how_it_came_to_be(record):
    assert record["command"] == f"vaecourse reproduce {experiment.NAME}"
    assert record["data"]["rows"] == {"train": 1800, "test": 165}
    assert len(record["data"]["pixel_deviation"]) == 560
    assert experiment.PATH.stat().st_size < 300_000


def test_run_writes_what_the_encoder_gives(record, tmp_path, monkeypatch):
    x = torch.rand(4, 560, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(vc.data, "frey_faces", lambda split: Images(x, None))
    made = experiment.run(tmp_path / "codes.json")
    assert json.loads((tmp_path / "codes.json").read_text(encoding="utf-8")) == made
    assert made.keys() == record.keys()
    model, _ = vc.checkpoint.pretrained(experiment.MODEL, 1)
    q, found = model.encode(x), made["metrics"]["seeds"][1]
    assert torch.allclose(torch.tensor(found["train"]["loc"]), q.loc, atol=1e-4)
    assert torch.allclose(torch.tensor(found["test"]["log_var"]), q.log_var, atol=1e-4)
    error = (model.decode(q.loc).mean - x).square().sum(1)
    assert torch.allclose(torch.tensor(found["test"]["squared_error"]), error, rtol=1e-4)
