"""Running the tasks of experiments on all cores, or on a cluster, so that a kill loses little.

The work goes in rounds: every task that is not complete is advanced by a slice of its epochs in
some worker, and its new state is written to disk. What a worker computes depends on nothing
but the state it was given, so results are the same wherever and in whichever order it ran.
"""

import math
import os
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import joblib
import torch
from tqdm import tqdm

from vaecourse import checkpoint, models
from vaecourse._files import below, check_writable, plain, write_tensors
from vaecourse.experiments import runs
from vaecourse.training.state import History, fingerprint, read_state, write_state

ROUNDS = 40
ATTEMPTS = 3
PATIENCE = 10  # seconds until a cluster is given up


def run_all(
    tasks,
    folder,
    command,
    *,
    backend=None,
    workers=None,
    resume=False,
    ship=False,
    report=print,
):
    """Train all `tasks` and save each seed under `folder`; returns the records, by file name.

    command: what makes a task again, for the record, with {} for the task's name.
    backend: None for processes on this machine, or the address of a Dask scheduler.
    workers: how many tasks run at once, on this machine at most one for each core, the default.
    resume: go on from the states that a killed run left in `folder`, and leave what is complete.
    ship: round large weights, as those that the course ships.

    Raises ValueError for a folder that cannot be written, data that are not for the model, a
    state of another run, or a cluster that does not answer; FloatingPointError when a run
    diverges; ChildProcessError when workers keep dying, or the cluster does.
    """
    own = {task.name: runs.check(task) for task in {task.name: task for task in tasks}.values()}
    tasks = [replace(task, own=own[task.name]) for task in tasks]
    folder = Path(folder)
    with _made(folder):
        return _run_all(tasks, folder, command, backend, workers, resume, ship, report)


@contextmanager
def _made(folder):
    """The folder, removed again if it is new and nothing was written."""
    new = not folder.exists()
    check_writable(folder / "any")
    try:
        yield
    finally:
        if new and not any(folder.iterdir()):
            folder.rmdir()


def _run_all(tasks, folder, command, backend, workers, resume, ship, report):
    jobs = [_Job(task, folder) for task in tasks]
    if not ship:
        for job in jobs:
            job.check_alone()
    records = {}
    if resume:
        for job in jobs:
            records |= job.resume(report)
        jobs = [job for job in jobs if not job.complete]
        if not jobs:
            return records
    total = sum(job.epochs for job in jobs)
    cores = joblib.cpu_count()
    try:
        with _engine(backend, min(workers or cores, cores, len(jobs))) as parallel:
            with tqdm(total=total, unit="epoch", initial=sum(job.done for job in jobs)) as bar:
                _advance_all(jobs, parallel, bar)
            finished = _gather(parallel, [(runs.finish, job.task, job.state, ship) for job in jobs])
            for index, results in finished:
                records |= jobs[index].save(results, command, report)
    except FloatingPointError:
        if len({task.name for task in tasks}) == 1:  # it would come again: no state is of use
            for job in jobs:
                job.path.unlink(missing_ok=True)
        raise
    return records


def _advance_all(jobs, parallel, bar):
    attempts = 0
    while pending := sorted((job for job in jobs if job.left), key=lambda job: -job.cost):
        calls = [(runs.advance, job.task, job.state, job.done, job.slice) for job in pending]
        try:
            for index, result in _gather(parallel, calls):
                bar.update(pending[index].take(result))
                attempts = 0
        except BrokenProcessPool as error:
            attempts += 1
            if attempts == ATTEMPTS:
                sentence = "the workers keep dying; is there memory enough? Try `--workers 1`."
                raise ChildProcessError(sentence) from error


def _gather(parallel, calls):
    """Results of (function, *arguments), with their positions, as they come."""
    return parallel(joblib.delayed(_numbered)(index, call) for index, call in enumerate(calls))


def _numbered(index, call):
    function, *arguments = call
    return index, function(*arguments)


def _end_with(main):
    """End this worker when `main`, which has started it, has ended, however that came about."""

    def watch():
        while os.getppid() == main:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _engine(backend, workers):
    """joblib's Parallel on the chosen engine."""
    options = {"return_as": "generator_unordered"}
    if backend is not None:
        with _cluster(backend):
            yield partial(_parallel, n_jobs=-1, **options)
    else:
        start = {"initializer": _end_with, "initargs": (os.getpid(),)}
        with joblib.parallel_config("loky", **start):
            yield partial(_parallel, n_jobs=workers, **options)


def _parallel(calls, **options):
    return joblib.Parallel(**options)(calls)


@contextmanager
def _cluster(address):
    try:
        from dask.distributed import CancelledError, Client
        from distributed.comm import CommClosedError
    except ImportError:
        raise ValueError(
            "backend is an address, which needs Dask: pip install 'vaecourse[cluster]'."
        ) from None
    try:
        client = Client(address, timeout=PATIENCE)
    except Exception as error:  # whatever an address of another kind makes of itself
        reason = plain(error).rstrip(".")
        raise ValueError(f"No Dask scheduler answers at {address!r}: {reason}.") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ValueError(f"The Dask scheduler at {address!r} has no workers.") from None
        try:
            with joblib.parallel_config("dask", client=client):
                yield
        except (CommClosedError, CancelledError, TimeoutError) as error:
            raise ChildProcessError(
                f"The Dask scheduler at {address!r} has gone; the same command goes on from the "
                "states that are written."
            ) from error


class _Job:
    """A task, how far it has come, and the file that remembers it."""

    def __init__(self, task, folder):
        self.task, self.folder = task, folder
        stem = task.name if task.by_hand else f"{task.name}_seed{task.seeds[0]}"
        self.path = folder / f"{stem}.training.safetensors"
        self.epochs = task.params.training.epochs
        self.settings = {
            **task.params.model_dump(),
            "seeds": list(task.seeds),
            "data_sha256": task.own and task.own.sha256,
        }
        self.state, self.history, self.snapshots = None, History(), {}
        self.complete = False
        check_writable(self.path)

    @property
    def done(self):
        return len(self.history.epoch_loss)

    @property
    def left(self):
        return self.epochs - self.done

    @property
    def slice(self):
        return min(self.left, math.ceil(self.epochs / ROUNDS))

    @property
    def cost(self):
        """A stand-in for how long a slice takes, to start the longest first."""
        return self.epochs * getattr(self.task.params.data, "n_train", 60_000)

    def check_alone(self):
        """Raise ValueError where another run has completed what this one would write over."""
        runs_there = {name: self._run_of(name) for name in self._names}
        others = [name for name, run in runs_there.items() if run not in (None, self._run)]
        if others:
            raise ValueError(
                f"{' and '.join(others)} there is of other settings, data or code; name another "
                "folder, or take away what is there."
            )

    def resume(self, report):
        """Go on from what lies in the folder; returns the records, if they are all there."""
        records = self._written()
        self.complete = bool(records)
        if self.complete:
            self.path.unlink(missing_ok=True)
            report(f"{' and '.join(records)}: complete, so not trained again.")
        elif self.path.exists():
            tensors, self.history = read_state(self.path, self.settings, self.epochs)
            self.state, self.snapshots = below(tensors, "state."), below(tensors, "snapshot.")
        else:
            there = [name for name in self._names if (self.folder / f"{name}.json").exists()]
            if there:
                report(
                    f"{' and '.join(there)}: trained again, for what is there is damaged, or of "
                    "other settings, data or code."
                )
        return records

    def _written(self):
        """The records of all seeds if this very run has written them, else none."""
        records = {}
        for name in self._names:
            try:
                if self._run_of(name) != self._run:
                    return {}
                _, records[name] = checkpoint.load(self.folder / name)
            except ValueError:
                return {}
        return records

    def _run_of(self, name):
        """The run that the record `name` is of, or None where it cannot be told."""
        try:
            return checkpoint.record(self.folder / name).get("run_sha256")
        except ValueError:
            return None

    @property
    def _names(self):
        return [f"{self.task.name}_seed{seed}" for seed in self.task.seeds]

    @property
    def _run(self):
        return fingerprint(self.settings)

    def take(self, result):
        """Note what `runs.advance` returned, on disk too; returns the number of epochs."""
        history, epochs = self.history, len(result["epoch_loss"])
        if self.done == 0:  # the batches of the first epoch are all that the record keeps
            history.batch_loss = result["batch_loss"][: len(result["batch_loss"]) // epochs]
        self.state = result["state"]
        history.epoch_loss += result["epoch_loss"]
        history.seconds += [result["seconds"] / epochs] * epochs
        for epoch, points in result["snapshots"].items():
            self.snapshots |= {f"{key}.{epoch:03d}": value for key, value in points.items()}
        tensors = {**_prefixed("state.", self.state), **_prefixed("snapshot.", self.snapshots)}
        write_state(self.path, self.settings, tensors, history)
        return epochs

    def save(self, results, command, report):
        """Write weights and record of every seed, then forget the state; returns the records."""
        records = {}
        watched = below(self.snapshots, "watched.")
        if self.snapshots and not watched:
            write_tensors(self.folder / f"{self.task.name}.snapshots.safetensors", self.snapshots)
        for r, (seed, (weights, metrics, notes)) in enumerate(zip(self.task.seeds, results)):
            name = f"{self.task.name}_seed{seed}"
            model = models.build({**self.task.params.model.model_dump(), "seed": seed})
            model.load_state_dict(weights)
            records[name] = self._record(r, seed, metrics, command.format(self.task.name))
            records[name] |= {**_watched(watched, r), **notes}
            checkpoint.save(self.folder / name, model, records[name])
            report(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in metrics.items()))
        self.path.unlink()
        return records

    def _record(self, r, seed, metrics, command):
        params = self.task.params
        training = params.training.model_dump()
        share = sum(self.history.seconds) / len(self.task.seeds)
        return {
            "data": params.data.model_dump(),
            **({"label_kinds": own.kinds} if (own := self.task.own) and own.kinds else {}),
            **({"start": params.start.model_dump()} if params.start else {}),
            "training": {**training, "seed": seed},
            "run_sha256": self._run,
            "epoch_loss": [losses[r] for losses in self.history.epoch_loss],
            "batch_loss": [round(losses[r], 4) for losses in self.history.batch_loss],
            "seconds_per_epoch": share / self.epochs,
            **checkpoint.provenance(command, share, metrics),
        }


def _watched(tensors, r):
    """What `runs.watched` has seen of seed r on its way, for the record."""
    names, epochs = ("train", "test", "active_units"), sorted(tensors, key=int)
    if not epochs:
        return {}
    columns = torch.stack([tensors[epoch][r] for epoch in epochs]).T.tolist()
    return {"watched": {"epochs": [int(epoch) for epoch in epochs], **dict(zip(names, columns))}}


def _prefixed(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}
