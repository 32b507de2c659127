"""The training loop: what it minimizes, what it records, and that a kill changes nothing."""

import itertools
import math
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

import vaecourse as vc
from vaecourse._files import read_tensors, write_tensors
from vaecourse.training import fit, loop, state

ROOT = str(Path(vc.__file__).parents[1])
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
def test_a_run_stopped_after_any_step_resumes_as_the_unbroken_run(tmp_path, steps, monkeypatch):
    class Stop(Exception):
        pass

    taken = iter(range(steps))

    def stopping(run, batch, step=loop.Run._step):
        if next(taken, None) is None:
            raise Stop
        return step(run, batch)

    settings = {**SETTINGS, "epochs": 3}
    unbroken, broken, resumed = (vc.models.VAE(6, 2) for _ in range(3))
    expected = fit(unbroken, toy(), transform=vc.data.binarize, **settings)
    with monkeypatch.context() as kill, pytest.raises(Stop):
        kill.setattr(loop.Run, "_step", stopping)
        kept = {"transform": vc.data.binarize, "checkpoint": tmp_path / "run"}
        fit(broken, toy(), **kept, **settings)
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


# --- what a transform gives -----------------------------------------------------------------------

BERNOULLI, POISSON = vc.models.VAE, partial(vc.models.VAE, likelihood="poisson")
STRIPES = torch.tensor([[1.0, 0, 1, 0, 1, 0]]).repeat(100, 1)
OUTSIDE = "a Bernoulli likelihood takes pixels in [0, 1]"


def only_once_begun(change):
    """A transform that makes `change` of its fifth batch and of none before."""
    count = itertools.count()
    return lambda batch, generator: change(batch) if next(count) == 4 else batch


@pytest.mark.parametrize(
    ("kind", "x", "transform", "sentence"),
    [
        (
            BERNOULLI,
            STRIPES,
            lambda batch, _: 2 * batch - 1,
            f"batch has values from -1 to 1, first outside in column 2; {OUTSIDE}; if these are",
        ),
        (
            BERNOULLI,
            STRIPES,
            lambda batch, _: 255 * batch,
            f"batch has values from 0 to 255, first outside in column 1; {OUTSIDE}; these look",
        ),
        (
            POISSON,
            torch.ones(100, 6),
            lambda batch, _: batch / 2,
            "batch has a value of 0.5 in column 1; a Poisson likelihood takes counts 0, 1, 2, …",
        ),
        (
            BERNOULLI,
            torch.zeros(100, 6),
            lambda batch, _: batch.log(),
            "batch has NaN or infinite values in 32 of 32 rows, first in batch[0, 0].",
        ),
        (
            BERNOULLI,
            toy(),
            lambda batch, _: batch[:, 1:],
            "batch has shape [32, 5]; it must be [N, 6].",
        ),
        (BERNOULLI, toy(), lambda batch, _: batch[:0], "batch has no rows."),
        (
            BERNOULLI,
            toy(),
            lambda batch, _: batch if len(batch) == 32 else batch[:, 1:],
            "batch has shape [4, 5]; it must be [N, 6].",
        ),
    ],
)
def test_what_a_transform_gives_must_be_data_for_the_model(kind, x, transform, sentence):
    with pytest.raises(ValueError) as told:
        fit(kind(6, 2, (5,)), x, epochs=1, transform=transform, **SETTINGS)
    assert str(told.value).startswith(f"transform gives what the model cannot take: {sentence}")


def test_a_transform_is_looked_at_in_every_epoch():
    model = vc.models.VAE(6, 2, (5,))
    transform = only_once_begun(lambda batch: batch + 1)  # the first of the second epoch
    with pytest.raises(ValueError, match="^transform gives what the model cannot take: batch has"):
        fit(model, toy(), epochs=2, transform=transform, **SETTINGS)
    rows = only_once_begun(lambda batch: batch - 1)
    with pytest.raises(ValueError, match="^transform gives what the model cannot take: batch has"):
        fit(model, toy(), epochs=2, validation=toy(9), transform=rows, **SETTINGS)


@pytest.mark.parametrize("size", [32, 20])
def test_what_a_transform_breaks_later_stops_the_run_and_is_said_of_it(size):
    """The fifth batch is the first of the second epoch, or the last of the first."""
    transform = only_once_begun(lambda batch: batch / 0)
    settings = {**SETTINGS, "batch_size": size}
    with pytest.raises(FloatingPointError) as told:
        fit(vc.models.VAE(6, 2, (5,)), toy(), epochs=2, transform=transform, **settings)
    assert str(told.value) == (
        f"The loss became nan in epoch {1 + (size == 32)}: transform gives what the model cannot "
        f"take: batch has NaN or infinite values in {size} of {size} rows, first in batch[0, 0]."
    )


def test_a_validation_loss_that_is_not_finite_is_said_once():
    transform = only_once_begun(lambda batch: batch / 0)
    with pytest.warns(UserWarning) as told:
        history = fit(
            vc.models.VAE(6, 2, (5,)),
            toy(),
            epochs=2,
            validation=toy(9),
            transform=transform,
            **SETTINGS,
        )
    assert [str(each.message) for each in told] == [
        "The validation loss became nan in epoch 1: transform gives what the model cannot take: "
        "batch has NaN or infinite values in 9 of 9 rows, first in batch[0, 0]."
    ]
    assert math.isnan(history.validation_loss[0]) and math.isfinite(history.validation_loss[1])


def test_a_transform_may_give_another_type_and_other_axes():
    images = toy().round().view(100, 1, 2, 3)
    forms = [
        lambda batch, _: batch,
        lambda batch, _: batch > 0.5,
        lambda batch, _: batch.double(),
        lambda batch, _: batch.view(-1, 1, 2, 3),
    ]
    losses = [
        fit(
            own_of_images(),
            images,
            epochs=2,
            transform=form,
            **SETTINGS,
        ).batch_loss
        for form in forms
    ]
    assert all(each == losses[0] for each in losses)


def own_of_images():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), Halves())
    return vc.models.wrap(encoder, nn.Linear(2, 6), shape=(1, 2, 3))


class Halves(nn.Module):
    def forward(self, h):
        return h.chunk(2, dim=1)


# --- which code made a checkpoint -----------------------------------------------------------------

SCALE = 1.0


def scaled_by(factor):
    return lambda batch, generator: batch * factor


def as_global(batch, generator):
    return batch * SCALE


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, batch, generator):
        return batch * self.factor


def with_default(factor):
    def scaled(batch, generator, factor=factor):
        return batch * factor

    return scaled


@pytest.mark.parametrize(
    "make",
    [
        scaled_by,
        Scaled,
        with_default,
        lambda factor: scaled_by(torch.tensor(factor)),
        lambda factor: scaled_by([factor]),
        lambda factor: partial(with_default(3.0), factor=factor),
        lambda factor: lambda batch, generator: scaled_by(factor)(batch, generator),
    ],
)
def test_another_transform_of_the_same_name_is_another_run(tmp_path, make):
    assert state.code_of(make(1.0)) == state.code_of(make(1.0)) != state.code_of(make(0.5))


def test_code_tells_functions_by_what_they_do_and_by_the_globals_they_read(monkeypatch):
    plain, same = (lambda batch, generator: batch), (lambda batch, generator: batch)
    halved = lambda batch, generator: batch / 2  # noqa: E731
    quartered = lambda batch, generator: batch / 4  # noqa: E731
    assert state.code_of(plain) == state.code_of(same)
    assert len({state.code_of(each) for each in (plain, halved, quartered)}) == 3
    for each in (halved, quartered):
        each.__module__ = "__main__"  # which pytest has installed; a notebook has none
    assert state.code_of(halved) != state.code_of(quartered)
    before = state.code_of(as_global)
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 0.5)
    assert state.code_of(as_global) != before
    assert state.code_of(vc.data.binarize) != state.code_of(vc.data.mnist)


def test_code_is_told_alike_by_another_process(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "KINDS = {'a', 'b', 'c'}\n"
        "class Own(nn.Linear):\n"
        "    def decode(self, z):\n"
        "        return self(z).exp() if 'a' in KINDS else z\n"
        "def transform(batch, generator):\n"
        "    return batch if len(batch) in {1, 2, 3} else [torch.log(b) for b in batch]\n"
    )
    code = (
        "import mine; from vaecourse.training.state import code_of\n"
        "print(code_of(mine.transform), code_of(mine.Own(2, 2)))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": ROOT},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1 and len(set(told.pop().split())) == 2


def own_module(step):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = nn.Linear(6, 4), nn.Linear(2, 6)

        def encode(self, x):
            return self.inner(x).chunk(2, dim=1)

        def decode(self, z):
            return step(self.outer(z))

    torch.manual_seed(0)
    return vc.models.wrap(Own(), shape=(6,))


def test_another_transform_or_module_is_refused_where_a_run_is_taken_up_again(tmp_path):
    path = tmp_path / "run"
    fit(own_module(torch.asinh), toy(), epochs=1, checkpoint=path, **SETTINGS)
    again = {"epochs": 2, "checkpoint": path, "resume": True, **SETTINGS}
    with pytest.raises(ValueError, match='^run was made with another model.code: "'):
        fit(own_module(torch.sinh), toy(), **again)
    assert len(fit(own_module(torch.asinh), toy(), **again).epoch_loss) == 2
    path.unlink()
    kept = {"checkpoint": path, **SETTINGS}
    fit(vc.models.VAE(6, 2), toy(), epochs=1, transform=lambda b, g: b, **kept)
    with pytest.raises(ValueError, match='another transform: "<lambda> .*" there, "<lambda> .*" h'):
        fit(vc.models.VAE(6, 2), toy(), **again, transform=lambda b, g: b / 2)
    history = fit(vc.models.VAE(6, 2), toy(), **again, transform=lambda b, g: b)
    assert len(history.epoch_loss) == 2
