"""The training explorer, Python side: runs checked, and their points as bytes."""

from numbers import Integral

import torch
import traitlets

from vaecourse import checkpoint, experiments
from vaecourse._arguments import check_choice, check_whole
from vaecourse.experiments.datasets import test_data
from vaecourse.experiments.parameters import SyntheticParams
from vaecourse.widgets.shared import (
    Explorer,
    Hand,
    check_number,
    check_points,
    page_files,
)

NEEDED = ("data", "posterior", "x", "epochs", "codes", "samples", "loss")
KNOWN = ("elbo", "log_density")
POSTERIORS = ("diagonal", "full")
CLOUDS = ("x", "codes", "samples")
LEVELS = 255
MOST = 1e9  # nats


class TrainingExplorer(Explorer):
    """Data, samples, codes and loss of trained models, at the epoch that a hand picks.

    runs: a list; each is the name of a run that the course ships, or a dict as `shipped_run`
        returns it. There is at most one run of each data set and posterior.
    title: the line above the picture.
    data, posterior, epoch: where to start: the name of a data set, "diagonal" or "full", and an
        epoch; while a kernel runs, they follow the hand. Shown is the posterior asked for where
        the data set has it, and the last snapshot that is not after the epoch.

    Index n of the codes is the code of the nth point of x, and a sample keeps its noise, so
    points are followed by eye from snapshot to snapshot. The page holds them as bytes: a
    coordinate is off by at most 1/510 of the width of its cloud.

    Raises ValueError for an unknown name, a run that lacks something, shapes that do not fit,
    numbers that are not finite, and two runs of one data set and posterior. Source: chapter 11.
    """

    _esm, _css = page_files("training_explorer")
    spec = traitlets.Dict().tag(sync=True)
    points = traitlets.Bytes().tag(sync=True)
    data = Hand()
    posterior = Hand(POSTERIORS[0], check_choice, POSTERIORS)
    epoch = Hand(0)

    def __init__(self, runs, *, title="Training, epoch by epoch", **traits):
        runs = _checked(runs)
        start = {"data": runs[0]["data"], "posterior": runs[0]["posterior"], "epoch": 0} | traits
        self._data = [run["data"] for run in runs]
        self._last = max(len(run["loss"]) for run in runs) - 1
        clouds = [[quantize(run[kind]) for kind in CLOUDS] for run in runs]
        spec = {
            "title": title,
            "runs": [_described(run, cloud) for run, cloud in zip(runs, clouds)],
            "windows": {name: _windows(runs, name) for name in self._data},
            "start": start,
        }
        points = b"".join(levels.numpy().tobytes() for run in clouds for levels, _, _ in run)
        super().__init__(spec=spec, points=points, **start)

    @traitlets.validate("data")
    def _check_data(self, proposal):
        return check_choice("data", proposal["value"], list(dict.fromkeys(self._data)))

    @traitlets.validate("epoch")
    def _check_epoch(self, proposal):
        return check_whole("epoch", proposal["value"], self._last)


def shipped_run(name):
    """A run that the course ships, as a dict of what `TrainingExplorer` shows of it.

    data: the name of the data set; posterior: "diagonal" or "full"; x [N, 2]: the first test
    points; epochs: of the snapshots, E of them; codes and samples [E, N, 2]; loss: nats, at
    first that of the first batch, before any step, then the mean of each epoch; and, known of
    the trained model, elbo and log_density: nats, means over the test data.

    Raises ValueError for a name without snapshots.
    """
    snapshots = experiments.snapshots(name)
    _, record = checkpoint.pretrained(name)
    return {
        "data": record["data"]["name"],
        "posterior": record["params"]["posterior"],
        "x": test_data(SyntheticParams(**record["data"])).x[: snapshots["codes"].shape[1]],
        **snapshots,
        "loss": [record["batch_loss"][0], *record["epoch_loss"]],
        "elbo": record["metrics"]["elbo"],
        "log_density": record["metrics"]["log_density"],
    }


def quantize(points):
    """Points [..., N, 2] as bytes, so that a point is low + step * byte, each [..., 2]."""
    points = points.double()
    low, high = points.amin(-2), points.amax(-2)
    step = (high - low) / LEVELS
    # a cloud without width has step 0, and any byte will do
    levels = (points - low[..., None, :]) / step.clamp(min=1e-30)[..., None, :]
    return levels.round().clamp(0, LEVELS).byte(), low, step


def _described(run, clouds):
    """What the page needs beside the bytes."""
    scales = [torch.cat([low, step], -1).reshape(-1, 4).tolist() for _, low, step in clouds]
    return {
        "data": run["data"],
        "posterior": run["posterior"],
        "rows": len(run["x"]),
        "epochs": run["epochs"],
        "loss": [round(value, 4) for value in run["loss"]],
        "scales": dict(zip(CLOUDS, scales)),
        **{key: run[key] for key in KNOWN},
    }


def _windows(runs, name):
    """The parts of the planes that are shown for a data set: centre and half-width, of x and z.

    All runs of a data set share them. The plane of z is centred, as the prior is.
    """
    runs = [run for run in runs if run["data"] == name]
    x = torch.cat([run["x"] for run in runs])
    low, high = x.amin(0), x.amax(0)
    codes = torch.cat([run["codes"].flatten() for run in runs]).double().abs()
    return {
        "x": [((low + high) / 2).tolist(), max(1e-6, 0.6 * (high - low).max().item())],
        "z": [[0.0, 0.0], max(3.0, 1.05 * codes.quantile(0.999).item())],
    }


# ---------------------------------------------------------------- what is given


def _checked(runs):
    if not isinstance(runs, (list, tuple)) or not runs:
        raise ValueError(f"runs is {runs!r}; it must be a list of one or more runs.")
    runs = [_checked_run(f"runs[{k}]", run) for k, run in enumerate(runs)]
    seen = set()
    for run in runs:
        key = run["data"], run["posterior"]
        if key in seen:
            raise ValueError(f"runs has {' with '.join(key)} posterior twice; once is enough.")
        seen.add(key)
    return runs


def _checked_run(name, run):
    if isinstance(run, str):
        run = shipped_run(run)
    if not isinstance(run, dict):
        raise ValueError(f"{name} is {run!r}; it must be a name or a dict.")
    if missing := [key for key in NEEDED if key not in run]:
        raise ValueError(f"{name} lacks {missing[0]!r}; it must have {', '.join(NEEDED)}.")
    if not isinstance(run["data"], str) or not run["data"]:
        raise ValueError(f"{name}['data'] is {run['data']!r}; it must be a name.")
    check_choice(f"{name}['posterior']", run["posterior"], POSTERIORS)
    if len(run["loss"]) < 2:
        raise ValueError(f"{name}['loss'] has {len(run['loss'])} entries; it must have at least 2.")
    x = check_points(f"{name}['x']", run["x"])
    loss, epochs = _numbers(name, run, "loss"), list(run["epochs"])
    _check_epochs(f"{name}['epochs']", epochs, len(loss))
    shape = (len(epochs), len(x), 2)
    clouds = {kind: check_points(f"{name}['{kind}']", run[kind], shape) for kind in CLOUDS[1:]}
    known = {key: run.get(key) for key in KNOWN}
    for key in [key for key in KNOWN if known[key] is not None]:
        known[key] = check_number(f"{name}['{key}']", known[key], -MOST, MOST)
    return {**run, **clouds, **known, "x": x, "epochs": epochs, "loss": loss}


def _numbers(name, run, key):
    return [
        check_number(f"{name}['{key}'][{k}]", value, -MOST, MOST)
        for k, value in enumerate(run[key])
    ]


def _check_epochs(name, epochs, count):
    whole = all(isinstance(epoch, Integral) for epoch in epochs)
    if not epochs or not whole or any(a >= b for a, b in zip([-1, *epochs], [*epochs, count])):
        raise ValueError(
            f"{name} is {epochs}; it must be rising integers from 0 to {count - 1}, "
            "where the loss ends."
        )
