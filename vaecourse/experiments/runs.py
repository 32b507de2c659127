"""One task of an experiment: what a worker computes, from a state to the next.

A task is one seed of a parameter file, or all its seeds where they train side by side. Its
functions take and return plain tensors and numbers, so it does not matter in which process or
on which machine they run.
"""

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from vaecourse import data, models
from vaecourse._arguments import check_device
from vaecourse._files import plain
from vaecourse.evaluation import active_units, evaluate, importance_estimate
from vaecourse.experiments import gmvae_start
from vaecourse.experiments.datasets import (
    NOT_SHIPPED,
    OwnData,
    own_data,
    stand_in,
    test_data,
    train_data,
)
from vaecourse.experiments.parameters import Params, SyntheticParams, check_covariances, check_width
from vaecourse.experiments.rounding import EXACT, rounded
from vaecourse.models.base import error_of_mean
from vaecourse.models.m2 import UNKNOWN
from vaecourse.training.loop import Run
from vaecourse.training.side_by_side import Ensemble

SNAPSHOTS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 200, 289, 400)
SNAPSHOT_POINTS = 500
WATCHED_IMAGES, WATCHED_DRAWS = 500, 200


@dataclass(frozen=True)
class Task:
    """The runs of one experiment that train together: `seeds` has one entry, or all."""

    name: str
    params: Params
    seeds: tuple[int, ...]
    own: OwnData | None = None  # of a file of one's own, which anybody may change

    @property
    def by_hand(self):
        """Whether the seeds train side by side, with gradients by hand."""
        return self.params.training.gradients == "by_hand"


def tasks(name, params):
    """The tasks of a parameter file."""
    if params.training.gradients == "by_hand":
        return [Task(name, params, tuple(params.seeds))]
    return [Task(name, params, (seed,)) for seed in params.seeds]


def check(task):
    """Refuse, before anything is written, what cannot start: ValueError or DataError.

    Data that are missing, damaged, of another width than the model's, or not what its
    likelihood can give. Returns what `own_data` says of them.
    """
    params, seed = task.params, task.seeds[0]
    model = _build(task, seed)
    check_device(params.training.device, model)
    labels = model.needs_labels
    own = own_data(params.data, labels)
    if own is not None:
        model.check_axes(own.axes, plain(Path(params.data.path).name))
        if labels and len(own.kinds) > model.num_classes:
            raise ValueError(
                f"model.num_classes is {model.num_classes}; data.label, {params.data.label!r}, has "
                f"{len(own.kinds)} kinds, of which each is a class."
            )
    test = test_data(params.data, labels).x
    if labels and own is not None and not (test[:, -1] != UNKNOWN).any():
        raise ValueError(
            f"data.label, {params.data.label!r}, is {UNKNOWN}, for none, in all {len(test)} rows "
            "that are for testing: take a larger data.test_fraction."
        )
    for x in (test, train_data(params.data, seed, labels)[0]):
        width = x.shape[1] - labels  # a label's column, the last, is no data
        check_width(model, width, names=own and own.columns and own.columns[:width])
        check_covariances(params, len(x))
        x = model.check(model.arrange(x))
    model.prepare(x)
    return own


def _check_data(task):
    """Raise ValueError if the user's own data are no longer those that the run began with."""
    labels = models.KINDS[task.params.model.kind].needs_labels
    if own_data(task.params.data, labels) != task.own:
        raise ValueError(
            f"{plain(task.params.data.path)} has changed while a run on it was under way; give the "
            "run its data back, or start it again."
        )


def advance(task, state, done, epochs):
    """Train `epochs` more from `state` (None: from the start), of which there were `done`.

    Returns a dict: the new state, `epoch_loss` [epochs][R] and `batch_loss` [steps][R] of these
    epochs, their seconds, and snapshots of the first model, taken on the way.
    """
    _check_data(task)
    start = time.perf_counter()
    step = _advance_together if task.by_hand else _advance_one
    result = step(task, state, done, epochs)
    return {**result, "seconds": time.perf_counter() - start}


def _advance_together(task, state, done, epochs):
    epoch_loss, batch_loss, snapshots = [], [], {}
    training = task.params.training
    with _one_thread():
        run = _ensemble(task, state)
        if done == 0:
            snapshots[0] = _snapshot(run, task.params.data)
        for epoch in range(done + 1, done + epochs + 1):
            run.schedule(training.schedule, epoch - 1, training.epochs)
            losses = run.epoch()
            epoch_loss.append(losses.mean(0).tolist())
            batch_loss += losses.tolist()
            if epoch in SNAPSHOTS or epoch == training.epochs:
                snapshots[epoch] = _snapshot(run, task.params.data)
    return {
        "state": run.state(),
        "epoch_loss": epoch_loss,
        "batch_loss": batch_loss,
        "snapshots": snapshots,
    }


def _advance_one(task, state, done, epochs):
    run = _run(task, state, done)
    for _ in range(epochs):
        run.epoch(tqdm(disable=True))
    return {
        "state": {name: tensor.cpu() for name, tensor in run.state().items()},
        "epoch_loss": [[loss] for loss in run.history.epoch_loss],
        "batch_loss": [[loss] for loss in run.history.batch_loss],
        "snapshots": {},
    }


def _build(task, seed):
    return models.build({**task.params.model.model_dump(), "seed": seed})


def _ensemble(task, state):
    training = task.params.training
    if isinstance(task.params.data, SyntheticParams):
        x, transform = [train_data(task.params.data, seed)[0] for seed in task.seeds], None
    else:
        images, transform = train_data(task.params.data, task.seeds[0])
        x = [images] * len(task.seeds)
    members = [_build(task, seed) for seed in task.seeds]
    run = Ensemble(
        members,
        x,
        training.batch_size,
        training.learning_rate,
        task.seeds,
        binarize=transform is not None,
        products=getattr(torch, training.products),
        optimizer=training.optimizer,
    )
    if state is not None:
        run.load(state)
    return run


def _run(task, state, done=0):
    seed, training = task.seeds[0], task.params.training
    model = _build(task, seed).to(training.device)
    x, transform = train_data(task.params.data, seed, model.needs_labels)
    x = model.check(model.arrange(x))
    if task.params.start is not None and state is None:
        settings = training.model_dump(include={"batch_size", "learning_rate"})
        start = task.params.start.model_dump()
        gmvae_start.start(model, x, **start, **settings, seed=seed, transform=transform)
    settings = (training.batch_size, training.learning_rate, seed, transform, training.optimizer)
    run = Run(model, x, *settings)
    run.schedule(training.schedule, training.epochs, done)
    if state is not None:
        run.load(state)
    return run


@torch.no_grad()
def _snapshot(run, params):
    """Where the first model stands: samples of it, and of its aggregate posterior, float16.

    Both come from the same noise at every snapshot, so that points move and do not jump. Of images,
    what `watched` says of every model instead.
    """
    run.write_back()
    if not isinstance(params, SyntheticParams):
        return {"watched": torch.tensor([watched(model, params) for model in run.models])}
    model, generator = run.models[0], torch.Generator().manual_seed(0)
    x = test_data(params).x[:SNAPSHOT_POINTS]
    return {
        "codes": model.encode(x).sample((), generator).half(),
        "samples": model.sample(SNAPSHOT_POINTS, generator).half(),
    }


@torch.no_grad()
def watched(model, params):
    """Nats on training images, nats on test images, and active units: how a run approaches its end.

    log p(x) by `WATCHED_DRAWS` draws, the mean over `WATCHED_IMAGES` that are spread over the set;
    binarized once, with the same noise every time. Nothing is chosen by it.
    """
    rows, transform = train_data(params, 0)
    generator = torch.Generator().manual_seed(0)
    found = []
    for x in (rows, test_data(params).x):
        x = x[:: max(1, len(x) // WATCHED_IMAGES)]
        if transform is not None:
            x = transform(x, generator)  # changes no pixel of the test images, which are binary
        found.append(importance_estimate(model, x, WATCHED_DRAWS, generator, progress=False))
    units = active_units(model, x).sum()
    return [*(each.log_likelihood.mean().item() for each in found), float(units)]


def finish(task, state, ship=False):
    """The trained weights of each seed (a state dict), its metrics, and more for its record.

    ship: round large weights, as `rounding` says. Raises FloatingPointError where a metric is not
    finite.
    """
    _check_data(task)
    with _one_thread():
        if task.by_hand:
            run = _ensemble(task, state)
            run.write_back()
            trained = run.models
        else:
            trained = [_run(task, state).model.cpu()]
        measure = partial(metrics, params=task.params.data)
        found = [measure(model) for model in trained]
        if not all(math.isfinite(value) for each in found for value in each.values()):
            raise FloatingPointError(
                "The model gives no finite bound on the test data: training has diverged; "
                "a smaller learning_rate is the usual cure."
            )
        notes = [{} for _ in trained]
        if ship and task.name not in EXACT:
            pairs = zip(trained, found, strict=True)
            found, notes = zip(*(rounded(*pair, measure) for pair in pairs), strict=True)
    return list(zip([model.state_dict() for model in trained], found, notes, strict=True))


def metrics(model, params, importance_samples=100):
    """`evaluate` on the test data; for a synthetic set, beside its exact density.

    There `log_density` is the mean of log p(x), nats, which no model exceeds but by chance;
    `gap` is what the ELBO lacks, with the standard error over the test points. For data that are
    not shipped, beside `metrics_on_mnist`.
    """
    test = test_data(params, model.needs_labels)
    x = model.arrange(test.x)
    if params.name in NOT_SHIPPED:
        return {**evaluate(model, x), **metrics_on_mnist(model, params)}
    if not isinstance(params, SyntheticParams) or not hasattr(model, "elbo"):
        return evaluate(model, x, importance_samples, label=test.label)
    exact = data.log_density(params.name, test.x, params.variant)
    with torch.no_grad():
        elbo = model.elbo(x, 20, torch.Generator().manual_seed(1)).double()
    gap = exact - elbo
    return {
        **evaluate(model, x, importance_samples, len(x)),
        "log_density": exact.mean().item(),
        "gap": gap.mean().item(),
        "gap_se": error_of_mean(gap),
    }


def metrics_on_mnist(model, params):
    """`evaluate` on the `stand_in` images, every key with `_on_mnist` behind it."""
    rows = stand_in(params, model.needs_labels)
    on_mnist = evaluate(model, model.arrange(rows))
    return {f"{key}_on_mnist": value for key, value in on_mnist.items()}


@contextmanager
def _one_thread():
    """One thread: small matrices gain nothing by more, and sums keep one order everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
