"""The controls: the shipped record has every seed, and the program makes it."""

import json

import pytest
import torch

import vaecourse as vc
from vaecourse.experiments import controls
from vaecourse.models import VAE


@pytest.fixture(scope="module")
def record():
    return json.loads(controls.PATH.read_text(encoding="utf-8"))


@pytest.fixture
def few(monkeypatch):
    """The first 600 images of MNIST in place of all."""
    mnist = vc.data.mnist

    def shorter(*args, **kwargs):
        images = mnist(*args, **kwargs)
        return images._replace(x=images.x[:600], label=images.label[:600])

    monkeypatch.setattr(vc.data, "mnist", shorter)
    return shorter


def test_the_shipped_record_has_every_seed(record):
    assert record["command"] == "vaecourse reproduce controls"
    seeds = {name: [run["seed"] for run in found] for name, found in record["metrics"].items()}
    assert seeds.pop("warm_up") == vc.experiments.params("gaussian_mixture_restarts").seeds
    assert all(found == [0, 1, 2] for found in seeds.values())


def test_run_writes_what_the_controls_give(record, tmp_path, monkeypatch):
    monkeypatch.setattr(controls, "warm_up", lambda: [{"seed": 3}])
    for name in record["metrics"].keys() - {"warm_up"}:
        monkeypatch.setattr(controls, name, lambda seed: {"seed": seed})
    made = controls.run(tmp_path / "controls.json")
    assert json.loads((tmp_path / "controls.json").read_text(encoding="utf-8")) == made
    assert made.keys() == record.keys() and made["metrics"].keys() == record["metrics"].keys()


def test_the_weight_of_the_kl_rises_to_one_in_the_first_half():
    assert [controls.kl_weight(epoch, 4) for epoch in range(4)] == [0.5, 1, 1, 1]


def test_a_warm_up_of_weight_one_is_a_plain_run(monkeypatch):
    """Two epochs of three runs on 64 points, against `fit_together` with the same seeds."""
    params = vc.experiments.params("gaussian_mixture_restarts")
    small = params.model_copy(
        update={
            "data": params.data.model_copy(update={"n_train": 64, "n_test": 50}),
            "seeds": [3, 4, 5],
        }
    )
    monkeypatch.setattr(controls, "params", lambda name: small)
    monkeypatch.setattr(controls, "kl_weight", lambda epoch, epochs: 1)
    shape = {key: value for key, value in small.model.model_dump().items() if key != "kind"}
    models = [VAE(**shape, seed=seed) for seed in small.seeds]
    x = [vc.data.synthetic("gaussian_mixture", 64, seed).x for seed in small.seeds]
    vc.training.fit_together(models, x, epochs=2, seeds=small.seeds, progress=False)
    test = vc.data.synthetic("gaussian_mixture", 50, 1_000).x
    for model, found in zip(models, controls.warm_up(epochs=2), strict=True):
        expected = vc.evaluation.evaluate(model, test, importance_rows=50)["elbo"]
        assert found["elbo"] == pytest.approx(expected, rel=1e-5)
        assert found["gap"] > 0 and torch.isfinite(torch.tensor(found["kl"]))


def test_model_3_is_measured_before_and_after(few):
    """One epoch on 600 images: from the same weights, with and without the floor."""
    found = controls.model_3(0, epochs=1, half=300)
    mended, record = vc.checkpoint.pretrained("mnist_model_3_mended")
    x = few("test").x
    assert found["mended"]["elbo"] == pytest.approx(
        vc.evaluation.evaluate(mended, x, importance_rows=1)["elbo"]
    )
    error = (mended.reconstruct(x) - x).square().sum(1).mean()
    assert found["mended"]["squared_error"] == pytest.approx(error.item(), rel=1e-5)
    # At the first steps already, what the floor held back is worth hundreds of nats.
    assert found["without_floor"]["elbo"] > found["with_floor"]["elbo"] + 50
    assert record["params"]["variance_floor"] == 0.05


def test_rows_without_z_learn_in_an_epoch(few):
    """Three steps on 600 images: from 784 log 2 nats down, and counted on the test images."""
    found = controls.rows_without_z(0, epochs=1)
    assert found["epochs"] == 1 and found["parameters"] == 133_765
    assert -500 < found["log_likelihood"] < -200
    assert found["log_likelihood_of_1000"] == pytest.approx(found["log_likelihood"])


def test_rows_without_z_have_a_likelihood_that_adds_up():
    """Two rows of two pixels: the probabilities of all sixteen images sum to one."""
    model = controls.Rows(0)
    small = controls.Rows.__new__(controls.Rows)
    torch.nn.Module.__init__(small)
    small.width = 2
    small.gru = torch.nn.GRU(2, 3, batch_first=True)
    small.decoder = torch.nn.Linear(3, 2)
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    with torch.no_grad():
        assert small.log_prob(images).exp().sum().item() == pytest.approx(1, abs=1e-5)
    # What a row costs depends on the rows above it alone: a change in the last row moves no other.
    x = torch.bernoulli(torch.full((1, 784), 0.5), generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    logits = model(x).unflatten(1, (28, 28))
    (slope,) = torch.autograd.grad(logits[0, 10].sum(), x)
    rows = slope.unflatten(1, (28, 28))[0].abs().sum(1)
    assert (rows[:10] > 0).all() and (rows[10:] == 0).all()
    assert abs(sum(p.numel() for p in model.parameters()) / 133_852 - 1) < 0.001


def test_images_seen_are_compared_by_the_same_pixels(few):
    """One epoch on the last 300 images: what is left is one difference less the other."""
    found = controls.images_seen(0, epochs=1, first=300)
    assert found["less_fresh"] == pytest.approx(found["shipped"] - found["fresh"], abs=1e-3)
    assert -540 < found["fresh_elbo"] < -150  # two steps
    model, _ = vc.checkpoint.pretrained("mnist_vae_128d")
    elbo = {
        split: vc.evaluation.evaluate(model, vc.data.mnist(split, binarize="sample").x)["elbo"]
        for split in ("train", "test")
    }
    tolerance = 4 * found["shipped_se"]
    assert found["shipped"] == pytest.approx(elbo["train"] - elbo["test"], abs=tolerance)
