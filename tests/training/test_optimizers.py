"""Optimizers and schedules: the rates they give, and the steps a run makes with them."""

import math

import pytest
import torch

import vaecourse as vc
from vaecourse.experiments import runs
from vaecourse.experiments.parameters import Params
from vaecourse.training import fit, loop
from vaecourse.training.optimizers import build_optimizer, scheduled_rate

X = torch.rand(64, 6, generator=torch.Generator().manual_seed(0))
SETTINGS = {"batch_size": 32, "learning_rate": 0.1, "progress": False}


def test_the_rates_of_each_schedule():
    def rates(name):
        return [scheduled_rate(name, 0.1, epoch, 8) for epoch in range(8)]

    assert rates("constant") == [0.1] * 8
    assert rates("step") == pytest.approx([0.1] * 4 + [0.01] * 2 + [0.001] * 2)
    cosine = rates("cosine")
    assert cosine[0] == 0.1
    assert cosine[4] == pytest.approx(0.05)
    assert cosine[7] == pytest.approx(0.1 * math.cos(7 * math.pi / 16) ** 2)


def test_sgd_with_a_schedule_is_the_rule_written_out():
    model, by_hand = vc.models.VAE(6, 2, (5,)), vc.models.VAE(6, 2, (5,))
    fit(model, X, epochs=4, seed=7, optimizer="sgd", schedule="step", **SETTINGS)
    generator = torch.Generator().manual_seed(7)
    for rate in (0.1, 0.1, 0.01, 0.001):
        for rows in torch.randperm(64, generator=generator).split(32):
            loss = -by_hand.elbo(X[rows], 1, generator).mean()
            slopes = torch.autograd.grad(loss, list(by_hand.parameters()))
            with torch.no_grad():
                for parameter, slope in zip(by_hand.parameters(), slopes):
                    parameter -= rate * slope
    for mine, theirs in zip(model.parameters(), by_hand.parameters()):
        assert (mine - theirs).abs().max() < 1e-6


def test_muon_moves_a_matrix_equally_in_all_directions_and_leaves_the_rest_to_adam():
    generator = torch.Generator().manual_seed(0)
    matrix, bias, other = (torch.zeros(shape, requires_grad=True) for shape in ((9, 5), (9,), (9,)))
    matrix.grad = torch.randn(9, 5, generator=generator) * torch.tensor([0.3, 0.5, 1, 2, 3])
    bias.grad = torch.randn(9, generator=generator)
    other.grad = bias.grad.clone()
    build_optimizer("muon", [matrix, bias], 0.1).step()
    # [Liu25]: a length of 0.2 √9 times the rate; torch's five iterations leave 0.7 to 1.2 of 1.
    singular = torch.linalg.svdvals(matrix.detach()) / (0.1 * 0.2 * 3)
    assert singular.min() > 0.6 and singular.max() < 1.3
    given = torch.linalg.svdvals(matrix.grad)
    assert given.max() > 10 * given.min()
    build_optimizer("adam", [other], 0.1).step()
    assert torch.equal(bias, other)


def test_a_torch_without_muon_is_told_by_its_version(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ValueError, match=r"optimizer is 'muon', which torch \d.* lacks; use adam"):
        build_optimizer("muon", [torch.zeros(2, 2, requires_grad=True)], 0.1)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "muon"])
def test_a_resumed_run_with_a_schedule_is_the_unbroken_run(tmp_path, optimizer, monkeypatch):
    class Stop(Exception):
        pass

    epochs = []

    def stopping(run, bar, epoch=loop.Run.epoch):
        epochs.append(bar)
        if len(epochs) == 3:
            raise Stop
        epoch(run, bar)

    settings = {"epochs": 4, "optimizer": optimizer, "schedule": "cosine", **SETTINGS}
    whole, broken, resumed = (vc.models.VAE(6, 2) for _ in range(3))
    expected = fit(whole, X, **settings)
    path = tmp_path / "run"
    with monkeypatch.context() as kill, pytest.raises(Stop):
        kill.setattr(loop.Run, "epoch", stopping)
        fit(broken, X, checkpoint=path, **settings)
    history = fit(resumed, X, checkpoint=path, resume=True, **settings)
    assert history.batch_loss == expected.batch_loss
    for mine, theirs in zip(resumed.parameters(), whole.parameters()):
        assert torch.equal(mine, theirs)


def test_a_schedule_over_other_epochs_is_another_run(tmp_path):
    path = tmp_path / "run"
    fit(vc.models.VAE(6, 2), X, epochs=1, schedule="cosine", checkpoint=path, **SETTINGS)
    with pytest.raises(ValueError, match='another schedule: "cosine over 1 epochs" there'):
        fit(
            vc.models.VAE(6, 2),
            X,
            epochs=2,
            schedule="cosine",
            checkpoint=path,
            resume=True,
            **SETTINGS,
        )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"optimizer": "adma"}, "optimizer is 'adma' .did you mean 'adam'"),
        ({"schedule": "linear"}, "schedule is 'linear'; it must be one of 'constant', 'cosine'"),
    ],
)
def test_names_that_are_unknown_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit(vc.models.VAE(6, 2), X, epochs=1, **{**SETTINGS, **changes})


def test_a_schedule_goes_on_where_a_slice_of_a_run_ended():
    model = {"kind": "vae", "data_dim": 2, "latent_dim": 1, "likelihood": "gaussian"}
    training = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01, "schedule": "cosine"}
    points = {"name": "three_blobs", "n_train": 64, "n_test": 2}
    task = runs.tasks("run", Params(model=model, data=points, training=training))[0]
    first = runs.advance(task, None, 0, 3)
    second = runs.advance(task, first["state"], 3, 1)
    whole, x = vc.models.build(model), vc.data.synthetic("three_blobs", 64, 0).x
    history = fit(whole, x, progress=False, **training)
    losses = [loss for [loss] in first["epoch_loss"] + second["epoch_loss"]]
    assert losses == history.epoch_loss
    assert torch.equal(second["state"]["model.encoder.0.weight"], whole.encoder[0].weight)
