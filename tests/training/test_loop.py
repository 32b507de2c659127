"""The training loop: what it minimizes, what it records, and that a kill changes nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import vaecourse as vc
from vaecourse.training import fit

SETTINGS = {"batch_size": 32, "learning_rate": 1e-2, "progress": False}


def toy(n=100, seed=0):
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(seed))


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_one_epoch_is_adam_written_out():
    x = toy(64)
    model, by_hand = vc.models.VAE(6, 2, (5,)), vc.models.VAE(6, 2, (5,))
    history = fit(model, x, epochs=1, seed=7, **SETTINGS)
    generator = torch.Generator().manual_seed(7)
    adam = torch.optim.Adam(by_hand.parameters(), lr=1e-2)
    losses = []
    for rows in torch.randperm(64, generator=generator).split(32):
        loss = -by_hand.elbo(x[rows], 1, generator).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert history.batch_loss == losses
    for mine, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        assert (mine - theirs).abs().max() < 1e-6


def test_the_epoch_loss_weights_the_ragged_last_batch_by_its_size():
    history = fit(vc.models.Autoencoder(6, 2), toy(100), epochs=1, **SETTINGS)
    sizes = torch.tensor([32, 32, 32, 4.0])
    expected = (torch.tensor(history.batch_loss) * sizes).sum() / 100
    assert abs(history.epoch_loss[0] - expected.item()) < 1e-5


def test_training_improves_the_bound_and_the_seed_decides_the_run():
    # Two patterns, equally often: log p(x) = −log 2 is in reach, six fair coins give −6 log 2.
    x = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]).repeat(50, 1)
    models = [vc.models.VAE(6, 2, (16,)) for _ in range(3)]
    before = models[0].elbo(x, 50, torch.Generator().manual_seed(0)).mean()
    histories = [
        fit(model, x, epochs=30, seed=seed, **SETTINGS)
        for model, seed in zip(models, (0, 0, 1), strict=True)
    ]
    assert models[0].elbo(x, 50, torch.Generator().manual_seed(0)).mean() > before + 2
    assert histories[0].batch_loss == histories[1].batch_loss
    assert histories[0].batch_loss != histories[2].batch_loss


def test_validation_does_not_disturb_the_run():
    plain, watched = vc.models.VAE(6, 2), vc.models.VAE(6, 2)
    fit(plain, toy(), epochs=2, **SETTINGS)
    history = fit(watched, toy(), epochs=2, validation=toy(20, seed=1), **SETTINGS)
    assert same(weights(plain), weights(watched))
    assert len(history.validation_loss) == 2


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    fit(vc.models.VAE(6, 2), toy(), epochs=1, transform=vc.data.binarize, **SETTINGS)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_is_the_unbroken_run(tmp_path, stop):
    settings = {**SETTINGS, "transform": vc.data.binarize}
    unbroken, broken, resumed = (vc.models.VAE(6, 2) for _ in range(3))
    expected = fit(unbroken, toy(), epochs=5, **settings)
    fit(broken, toy(), epochs=stop, checkpoint=tmp_path / "run", **settings)
    history = fit(resumed, toy(), epochs=5, checkpoint=tmp_path / "run", resume=True, **settings)
    assert same(weights(unbroken), weights(resumed))
    assert history.batch_loss == expected.batch_loss
    assert history.epoch_loss == expected.epoch_loss


CHILD = """
import sys, torch, vaecourse as vc
torch.set_num_threads(1)
x = torch.rand(400, 6, generator=torch.Generator().manual_seed(0))
model = vc.models.VAE(6, 2)
vc.training.fit(model, x, epochs=60, batch_size=8, checkpoint=sys.argv[1], resume=True,
                progress=False)
vc.checkpoint.save(sys.argv[2], model, {})
"""


def test_killed_at_random_and_resumed_it_ends_with_the_same_bits(tmp_path):
    """Kill -9 at random moments (seeded), resume until done, compare with a run never killed."""

    def train(name):
        command = [sys.executable, "-c", CHILD, tmp_path / f"{name}.run", tmp_path / name]
        return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})

    assert train("unbroken").wait() == 0
    moments, kills, state = random.Random(0), 0, tmp_path / "broken.run"

    def written():
        return state.stat().st_mtime_ns if state.exists() else 0

    while True:
        process, before = train("broken"), written()
        while process.poll() is None and written() == before:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.5))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    assert process.returncode == 0 and kills > 0
    assert (
        Path(tmp_path / "broken.safetensors").read_bytes()
        == Path(tmp_path / "unbroken.safetensors").read_bytes()
    )


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path):
    path = tmp_path / "run"
    fit(vc.models.VAE(6, 2), toy(), epochs=1, checkpoint=path, **SETTINGS)
    content = path.read_bytes()
    cases = [
        (vc.models.VAE(6, 3), toy(), {}, "another model"),
        (vc.models.VAE(6, 2), toy(), {"seed": 5}, "another seed: 0 there, 5 here"),
        (vc.models.VAE(6, 2), toy(), {"batch_size": 16}, "another batch_size: 32 there, 16 here"),
        (vc.models.VAE(6, 2), toy(seed=9), {}, "another data"),
    ]
    for model, x, changes, sentence in cases:
        untouched = weights(model)
        with pytest.raises(ValueError, match=sentence):
            fit(model, x, epochs=2, checkpoint=path, resume=True, **{**SETTINGS, **changes})
        assert path.read_bytes() == content
        assert same(weights(model), untouched)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run"
    path.write_text("not tensors")
    with pytest.raises(ValueError, match="run is not a training checkpoint"):
        fit(vc.models.VAE(6, 2), toy(), epochs=1, checkpoint=path, resume=True, **SETTINGS)
    assert path.read_text() == "not tensors"


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    model = vc.models.VAE(6, 2)
    untouched = weights(model)
    with pytest.raises(ValueError, match="Cannot write in the folder"):
        fit(model, toy(), epochs=1, checkpoint=tmp_path / "file" / "run", **SETTINGS)
    assert same(weights(model), untouched)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 0}, "epochs is 0; it must be a positive integer"),
        ({"batch_size": 2.5}, "batch_size is 2.5; it must be a positive integer"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit(vc.models.VAE(6, 2), toy(), **{"epochs": 1, **SETTINGS, **changes})


def test_a_loss_that_is_no_longer_finite_stops_the_run():
    model = vc.models.VAE(6, 2, likelihood="gaussian")
    with pytest.raises(FloatingPointError, match=r"The loss became .* in epoch 1"):
        fit(model, toy() * 1e30, epochs=1, **SETTINGS)
