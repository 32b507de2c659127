"""The training loop: what it minimizes, what it records, and that a kill changes nothing."""

import os
import subprocess
import sys

import pytest
import torch

import vaecourse as vc
from vaecourse._files import read_tensors, write_tensors
from vaecourse.training import fit, state

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
    assert history.batch_loss == pytest.approx(losses, rel=1e-5)
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


def test_a_run_continued_for_more_epochs_is_the_longer_run(tmp_path):
    longer, first, second = (vc.models.VAE(6, 2) for _ in range(3))
    expected = fit(longer, toy(), epochs=5, **SETTINGS)
    fit(first, toy(), epochs=2, checkpoint=tmp_path / "run", **SETTINGS)
    history = fit(second, toy(), epochs=5, checkpoint=tmp_path / "run", resume=True, **SETTINGS)
    assert same(weights(longer), weights(second))
    assert history.batch_loss == expected.batch_loss


# One process imports torch, and every run is a fork of it: one that nothing stops, three that kill
# themselves at the chosen place, and one that goes on to the end.
KILLS = """
import os, signal, sys
import torch, vaecourse as vc
from vaecourse.training.loop import Run

def train(name):
    x = torch.rand(64, 6, generator=torch.Generator().manual_seed(0))
    model = vc.models.VAE(6, 2)
    vc.training.fit(model, x, epochs=4, batch_size=8, checkpoint=f"{name}.run", resume=True,
                    progress=False)
    vc.checkpoint.save(name, model, {})

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def after(times, call):
    left = [times]
    def counted(*arguments):
        left[0] -= 1
        return die() if left[0] < 0 else call(*arguments)
    return counted

def forked(name, arrange=lambda: None):
    pid = os.fork()
    if pid == 0:
        arrange()
        train(name)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def in_the_middle_of_an_epoch():
    Run._step = after(12, Run._step)

def before_a_state_takes_its_name():
    os.replace = after(1, os.replace)

def as_soon_as_a_state_has_its_name():
    Run.save = lambda run, path, save=Run.save: (save(run, path), die())

assert forked("whole") == 0
for arrange in (in_the_middle_of_an_epoch, before_a_state_takes_its_name,
                as_soon_as_a_state_has_its_name):
    assert forked("broken", arrange) == -signal.SIGKILL, arrange
assert forked("broken") == 0
"""


def test_killed_at_chosen_places_and_resumed_it_ends_with_the_same_bits(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", KILLS], cwd=tmp_path, env=environment, check=True)
    whole, broken = (
        (tmp_path / f"{name}.safetensors").read_bytes() for name in ("whole", "broken")
    )
    assert whole == broken


@pytest.mark.parametrize("steps", [0, 1, 4, 7, 11])
def test_a_run_stopped_after_any_step_resumes_as_the_unbroken_run(tmp_path, steps):
    class Stop(Exception):
        pass

    taken = iter(range(steps))

    def stopping(batch, generator):
        if next(taken, None) is None:
            raise Stop
        return vc.data.binarize(batch, generator)

    stopping.__name__ = vc.data.binarize.__name__
    settings = {**SETTINGS, "epochs": 3}
    unbroken, broken, resumed = (vc.models.VAE(6, 2) for _ in range(3))
    expected = fit(unbroken, toy(), transform=vc.data.binarize, **settings)
    with pytest.raises(Stop):
        fit(broken, toy(), transform=stopping, checkpoint=tmp_path / "run", **settings)
    settings |= {"transform": vc.data.binarize, "checkpoint": tmp_path / "run"}
    history = fit(resumed, toy(), resume=True, **settings)
    assert same(weights(unbroken), weights(resumed))
    assert len(history.batch_loss) == 12
    assert history.batch_loss == expected.batch_loss
    assert history.epoch_loss == expected.epoch_loss


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path):
    path = tmp_path / "run"
    fit(vc.models.VAE(6, 2), toy(), epochs=2, checkpoint=path, **SETTINGS)
    content = path.read_bytes()
    cases = [
        (vc.models.VAE(6, 3), toy(), {}, "another model.latent_dim: 2 there, 3 here"),
        (vc.models.VAE(6, 2), toy(), {"seed": 5}, "another seed: 0 there, 5 here"),
        (vc.models.VAE(6, 2), toy(), {"batch_size": 16}, "another batch_size: 32 there, 16 here"),
        (vc.models.VAE(6, 2), toy(seed=9), {}, "another data"),
        (vc.models.VAE(6, 2), toy(), {"transform": vc.data.binarize}, "another transform"),
        (vc.models.VAE(6, 2), toy(), {"validation": toy()}, "another validation: null there"),
        (vc.models.VAE(6, 2), toy(), {"epochs": 1}, "come to the end of epoch 2, but epochs is 1"),
    ]
    for model, x, changes, sentence in cases:
        untouched = weights(model)
        with pytest.raises(ValueError, match=sentence):
            settings = {"epochs": 3, **SETTINGS, **changes}
            fit(model, x, checkpoint=path, resume=True, **settings)
        assert path.read_bytes() == content
        assert same(weights(model), untouched)


def test_a_checkpoint_of_other_code_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "run"
    fit(vc.models.VAE(6, 2), toy(), epochs=1, checkpoint=path, **SETTINGS)
    monkeypatch.setattr(state, "source_hash", lambda: "others")
    with pytest.raises(ValueError, match='another code of vaecourse: ".*" there, "others" here'):
        fit(vc.models.VAE(6, 2), toy(), epochs=2, checkpoint=path, resume=True, **SETTINGS)


def test_no_flipped_bit_of_a_checkpoint_changes_a_run(tmp_path):
    """Wherever a bit is flipped, the file is refused, or it was a bit that says nothing."""
    path = tmp_path / "run"
    fit(vc.models.VAE(6, 2, (4,)), toy(), epochs=1, checkpoint=path, **SETTINGS)
    whole, refused = path.read_bytes(), 0
    expected = weights(continued(path))
    generator = torch.Generator().manual_seed(0)
    for place in torch.randint(8 * len(whole), (120,), generator=generator).tolist():
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            assert same(weights(continued(path)), expected)
        except ValueError as error:
            assert str(error).isprintable() and str(error).startswith("run is ")
            refused += 1
    assert refused > 100


def continued(path):
    """A model with the state that `path` holds, after its one epoch."""
    model = vc.models.VAE(6, 2, (4,))
    fit(model, toy(), epochs=1, checkpoint=path, resume=True, **SETTINGS)
    return model


def without_moments(tensors, record):
    return {n: t for n, t in tensors.items() if not n.startswith("optimizer.0.")}, record


def with_more_losses(tensors, record):
    losses = {"epoch_loss": [0.0] * 9}
    return tensors, {**record, "history": {**record["history"], **losses}}


def of_another_shape(tensors, record):
    return {**tensors, "model.decoder.0.weight": torch.zeros(1)}, record


def without_settings(tensors, record):
    return tensors, {"history": record["history"]}


def without_a_seal(tensors, record):
    return tensors, {key: value for key, value in record.items() if key != "sha256"}


@pytest.mark.parametrize(
    "change",
    [without_moments, with_more_losses, of_another_shape, without_settings, without_a_seal],
)
def test_a_checkpoint_that_was_altered_is_refused(tmp_path, change):
    path = tmp_path / "run"
    fit(vc.models.VAE(6, 2, (4,)), toy(), epochs=1, checkpoint=path, **SETTINGS)
    write_tensors(path, *change(*read_tensors(path)))
    with pytest.raises(ValueError, match="run is no state of a run, or it is damaged; remove it"):
        continued(path)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run"
    path.write_text("not tensors")
    with pytest.raises(ValueError, match="run is not a file of tensors"):
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
        ({"epochs": 0}, "epochs is 0; it must be an integer of at least 1"),
        ({"epochs": 10**4_000}, r"epochs must be less than 2\*\*63"),
        ({"batch_size": 2**63}, r"batch_size must be less than 2\*\*63"),
        ({"batch_size": 2.5}, "batch_size is 2.5; it must be an integer of at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be finite"),
    ],
)
def test_settings_out_of_range_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit(vc.models.VAE(6, 2), toy(), **{"epochs": 1, **SETTINGS, **changes})


def test_a_loss_that_is_no_longer_finite_stops_the_run():
    model = vc.models.VAE(6, 2, likelihood="gaussian")
    with pytest.raises(FloatingPointError, match=r"The loss became .* in epoch 1"):
        fit(model, toy(), epochs=1, **{**SETTINGS, "learning_rate": 1e3})
