"""Training, top to bottom: data in memory, one generator, one loop, one resumable file.

Taught in chapter 09. Everything random in a run (the order of the data, dynamic
binarization, corruption, ε) comes from one generator, whose state is saved with the weights; where
a module draws from torch's own generator, as dropout does, that one's state is saved too. So a run
that was killed and resumed gives bit for bit what the unbroken run gives, on the same machine with
the same number of threads. What a module keeps outside of its `state_dict` is not saved.
"""

import copy
import math
import time
import warnings
from pathlib import Path

import torch
from tqdm import tqdm

from vaecourse._arguments import (
    check_autocast,
    check_device,
    check_is_tensor,
    check_precision,
    check_settings,
    check_takes,
    check_trainable,
    said_of,
)
from vaecourse._files import below, check_writable, digest, tensor_bytes
from vaecourse.models.base import evaluating
from vaecourse.training.broken import what_broke
from vaecourse.training.optimizers import (
    build_optimizer,
    load_optimizer,
    optimizer_state,
    scheduled_rate,
)
from vaecourse.training.state import History, code_of, named, read_state, write_state


def fit(
    model,
    x,
    *,
    epochs,
    batch_size=256,
    learning_rate=1e-3,
    optimizer="adam",
    schedule="constant",
    seed=0,
    transform=None,
    validation=None,
    checkpoint=None,
    resume=False,
    device=None,
    progress=True,
):
    """Train `model` in place on x [N, D], and return its `History`.

    model: any nn.Module with `loss(batch, generator)`, and `check(x)`, which returns x as a tensor;
        `vc.models.wrap` makes one of an encoder and a decoder. If it has `prepare(x)`, that sees x
        before the first step.
    optimizer, schedule: names in `vc.training.optimizers`; a schedule changes the rate from epoch
        to epoch.
    transform: called as `transform(batch, generator)` on every batch, for example
        `vc.data.binarize`; the data themselves stay as they are. What it gives is taken in the type
        of the batch, and looked at by `model.check` where it has another shape than the batch, and
        whatever its shape in the first batch of every epoch and in every batch of `validation`.
    validation: data [M, D]; their loss is taken after each epoch, with noise of its own, the model
        in evaluation. A warning says so where it is not finite.
    checkpoint: a file that is rewritten, whole, after each epoch.
    resume: go on from `checkpoint` if it is there. The settings, the data and the code must be
        those it was made with, except that `epochs` may be larger; `state.code_of` says what is
        seen of code of your own. With dropout it sets torch's own generator as the file has it.
    device: "cpu", "cuda" ("cuda:1" say) or "mps", to which the model is moved, and the data with
        it; by default they stay where the model is. What judges the model afterwards follows it.

    Raises ValueError for data that the model cannot take, those that `transform` gives among them,
    a model that is frozen or that `checkpoint` cannot hold, a loss that is no tensor of one number,
    settings out of range, a checkpoint of another run, or torch.autocast or torch.no_grad around
    it; FloatingPointError when the loss stops being finite.
    """
    check_settings(epochs, batch_size, learning_rate, seed)
    epochs, batch_size, seed = int(epochs), int(batch_size), int(seed)  # numpy's are none to torch
    learning_rate = float(learning_rate)
    check_trainable(model)
    if transform is not None:
        check_takes("transform", transform, "batch", "generator")
    if device is not None:
        check_device(device, model)
        model.to(device)
    if next(model.parameters()).dtype == torch.float32:
        check_precision("x", x)
        check_precision("validation", validation, beside=x)
    check_autocast(next(model.parameters()).device.type)
    x = check_is_tensor(f"check of {type(model).__name__}", model.check(x))
    if validation is not None:
        with said_of("validation"):
            validation = model.check(validation)
    run = Run(model, x, batch_size, learning_rate, seed, transform, optimizer)
    run.schedule(schedule, epochs)
    run.check_last_batch()
    if checkpoint is not None:
        check_writable(checkpoint)
        run.check_kept()
        run.settings |= {"model": named(model), "data": named(x), "validation": named(validation)}
        if transform is not None:
            name = getattr(transform, "__name__", type(transform).__name__)
            run.settings["transform"] = f"{name} {code_of(transform)}"
        if resume and Path(checkpoint).exists():
            run.restore(checkpoint, epochs)
    steps = math.ceil(len(x) / batch_size)
    with tqdm(total=epochs * steps, unit="step", **({} if progress else {"disable": True})) as bar:
        bar.update(len(run.history.epoch_loss) * steps)
        while len(run.history.epoch_loss) < epochs:
            run.epoch(bar)
            if validation is not None:
                run.validate(validation)
            if checkpoint is not None:
                run.save(checkpoint)
    return run.history


class Run:
    """The state of a training run: what must be saved so that it can go on as if never stopped."""

    def __init__(self, model, x, batch_size, learning_rate, seed, transform, optimizer="adam"):
        if hasattr(model, "prepare"):
            model.prepare(x)
        self.model, self.x, self.batch_size, self.transform = model, x, batch_size, transform
        self.seed = seed
        self.settings = {
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "optimizer": optimizer,
            "seed": seed,
            "transform": None,
        }
        self.optimizer = build_optimizer(optimizer, model.parameters(), learning_rate)
        self.generator = torch.Generator(device=x.device).manual_seed(seed)
        self.begun = False
        self.untouched = _own_states(x.device)
        self.history = History()
        self.schedule("constant", 1)

    def schedule(self, name, epochs, done=0):
        """Change the learning rate from epoch to epoch of `epochs`, of which `done` are past.

        `done` counts epochs that are not in this object's history. A schedule that ends belongs
        to its number of epochs.
        """
        base, self.done = self.settings["learning_rate"], done
        self.rate = lambda epoch: scheduled_rate(name, base, done + epoch, epochs)
        self.rate(0)  # refuses an unknown name
        self.settings["schedule"] = name if name == "constant" else f"{name} over {epochs} epochs"

    def epoch(self, bar):
        """One pass over the data in a fresh order."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(len(self.history.epoch_loss))
        start, losses, weights = time.perf_counter(), [], []
        order = torch.randperm(len(self.x), generator=self.generator, device=self.x.device)
        for rows in order.split(self.batch_size):
            batch = self._transformed(self.x[rows], self.generator, look=not losses)
            losses.append(self._step(batch))
            weights.append(len(rows))
            bar.update()
        total = sum(loss * weight for loss, weight in zip(losses, weights, strict=True))
        self.history.epoch_loss.append(total / len(self.x))
        self.history.batch_loss += losses
        self.history.seconds.append(time.perf_counter() - start)
        bar.set_postfix(loss=f"{self.history.epoch_loss[-1]:.4g}")

    def _transformed(self, batch, generator, look=False):
        if self.transform is None:
            return batch
        made = check_is_tensor("transform", self.transform(batch, generator))
        if made.shape != batch.shape:
            made = self._looked_at(made)
        elif look and (not self.begun or made.isfinite().all()):
            self._looked_at(made)  # what is not finite later, the loss will say
        return made.to(batch)

    def _looked_at(self, made):
        """What `transform` gave, as `model.check` returns it; ValueError where it is no data."""
        try:
            with said_of("batch"):
                return self.model.check(made)
        except ValueError as error:
            raise ValueError(f"transform gives what the model cannot take: {error}") from None

    def _what_broke(self, batch):
        """What to say of a batch of which the loss is not finite."""
        try:
            if self.transform is not None:
                self._looked_at(batch)
        except ValueError as error:
            return str(error)
        return what_broke(self.model, batch, self.begun)

    def _step(self, batch):
        self.optimizer.zero_grad(set_to_none=True)
        try:
            loss = self.model.loss(batch, self.generator)
        except ValueError as error:
            if len(batch) > 1 or not _wants_two(error):
                raise
            raise ValueError(self._batch_of_one()) from None
        value = check_is_tensor(f"loss of {type(self.model).__name__}", loss, 1).item()
        if not math.isfinite(value):
            epoch = self.done + len(self.history.epoch_loss) + 1
            raise FloatingPointError(
                f"The loss became {value} in epoch {epoch}: {self._what_broke(batch)}"
            )
        if not loss.requires_grad:
            raise ValueError("loss gives a tensor that no weight of the model has a part in.")
        loss.backward()
        self.optimizer.step()
        self.begun = True
        return value

    def check_last_batch(self):
        """Raise ValueError where a batch is one row, of which batch normalization has no variance.

        A copy of the model tries it, with draws of its own: no run is another for it. Where there
        is no such copy, the step says so.
        """
        rows, size = len(self.x), self.batch_size
        if (rows % size or min(rows, size)) == 1 and self._needs_two():
            raise ValueError(self._batch_of_one())

    def _batch_of_one(self):
        rows, size = len(self.x), self.batch_size
        sizes = [*range(size - 1, 1, -1), *range(size + 1, rows + 1)]
        cure = next((other for other in sizes if rows % other != 1), None)
        what = (
            "give more rows" if cure is None else f"with batch_size {cure} there is no such batch"
        )
        return (
            f"x has {rows} rows, of which batch_size {size} makes a batch of one, and batch "
            f"normalization needs two: {what}."
        )

    @torch.no_grad()
    def _needs_two(self):
        batch, generator = self.x[:1], self.generator.clone_state()
        try:
            batch = self._transformed(batch, generator)
            copy.deepcopy(self.model).loss(batch, generator)
        except Exception as error:  # what else is wrong, the first step will say
            return _wants_two(error)
        finally:
            _set_own_states(self.untouched, self.x.device)
        return False

    @torch.no_grad()
    def validate(self, validation):
        """The loss on held-out data, with noise that does not disturb the run's own."""
        generator = torch.Generator(device=validation.device).manual_seed(self.seed)
        total = 0.0
        with evaluating(self.model):
            for batch in validation.split(10_000):
                batch = self._transformed(batch, generator, look=True)
                loss = self.model.loss(batch, generator).item()
                if not math.isfinite(loss) and math.isfinite(total):
                    warnings.warn(
                        f"The validation loss became {loss} in epoch "
                        f"{self.done + len(self.history.epoch_loss)}: {self._what_broke(batch)}",
                        stacklevel=3,  # who called fit
                    )
                total += loss * len(batch)
        self.history.validation_loss.append(total / len(validation))

    def state(self):
        """Everything that the next epoch depends on, as a dict of tensors."""
        # a copy of each: of two names for one weight a file must hold both
        weights = self.model.state_dict().items()
        tensors = {f"model.{name}": value.clone() for name, value in weights}
        memory = optimizer_state(self.optimizer)
        tensors |= {f"optimizer.{name}": value for name, value in memory.items()}
        return tensors | {"generator": self.generator.get_state()}

    def load(self, state):
        """Go on from what `state` returned."""
        self.model.load_state_dict(below(state, "model."))
        load_optimizer(self.optimizer, below(state, "optimizer."))
        self.generator.set_state(state["generator"])
        self.begun = True

    def check_kept(self):
        """Raise ValueError, naming it, for a part of the model that a file cannot hold."""
        for name, value in self.model.state_dict().items():
            try:
                kept = {name: value.clone()}
                tensor_bytes(kept), digest(kept)
            except Exception:  # whatever a strange module calls its state
                raise ValueError(
                    f"{name} of model is a {type(value).__name__} that a checkpoint cannot hold; "
                    "fit without checkpoint."
                ) from None

    def save(self, path):
        """Write everything to one file, whole or not at all."""
        states = _own_states(self.x.device)
        drawn = any(not torch.equal(states[name], self.untouched[name]) for name in states)
        own = {f"own.{name}": state for name, state in states.items()} if drawn else {}
        write_state(path, self.settings, self.state() | own, self.history)

    def restore(self, path, epochs):
        """Read what `save` wrote; raise ValueError if it belongs to another run."""
        tensors, self.history = read_state(path, self.settings, epochs)
        self.load(tensors)
        _set_own_states(below(tensors, "own."), self.x.device)


def _wants_two(error):
    """Whether that is what batch normalization says of one row."""
    return "more than 1 value per channel" in str(error)


def _own_states(device):
    """The states of torch's own generators: that of the CPU, and that of another device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def _set_own_states(states, device):
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])
