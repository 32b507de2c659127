"""Experiments in rounds: the same numbers wherever they ran, and after whatever happened."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from dask.distributed import LocalCluster

import vaecourse as vc
from vaecourse import cli
from vaecourse._files import below, read_tensors
from vaecourse.experiments import datasets, parameters, runs, schedule
from vaecourse.training import fit
from vaecourse.training.side_by_side import fit_together

PARAMS = {
    "model": {
        "kind": "vae",
        "data_dim": 2,
        "latent_dim": 2,
        "hidden": [8, 8],
        "likelihood": "gaussian",
        "separate_heads": True,
    },
    "data": {"name": "three_blobs", "n_train": 320, "n_test": 50},
    "training": {"epochs": 3, "batch_size": 32, "gradients": "by_hand"},
    "seeds": [0, 1],
}
ALONE = {**PARAMS, "training": {"epochs": 3, "batch_size": 32}}


def tasks(epochs=3):
    """One task of two seeds side by side, and two of one seed each."""
    by_hand = {**PARAMS, "training": {**PARAMS["training"], "epochs": epochs}}
    alone = {**ALONE, "training": {**ALONE["training"], "epochs": epochs}}
    return [
        *runs.tasks("side_by_side", parameters.Params.model_validate(by_hand)),
        *runs.tasks("alone", parameters.Params.model_validate(alone)),
    ]


def run(folder, **options):
    return schedule.run_all(tasks(), folder, "again {}", report=lambda line: None, **options)


def weights(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*_seed?.safetensors"))}


@pytest.fixture(scope="module")
def inline(tmp_path_factory):
    """The results of one worker, in this process."""
    folder = tmp_path_factory.mktemp("inline")
    return folder, run(folder, workers=1)


def test_tasks_are_one_seed_or_all(inline):
    assert [task.seeds for task in tasks()] == [(0, 1), (0,), (1,)]
    folder, records = inline
    assert sorted(records) == [
        "alone_seed0",
        "alone_seed1",
        "side_by_side_seed0",
        "side_by_side_seed1",
    ]
    assert records["side_by_side_seed1"]["command"] == "again side_by_side"
    assert not list(folder.glob("*.training.*"))


def test_the_results_are_those_of_the_training_functions(inline):
    folder, records = inline
    models = [vc.models.build({**PARAMS["model"], "seed": seed}) for seed in (0, 1)]
    x = [vc.data.synthetic("three_blobs", 320, seed).x for seed in (0, 1)]
    histories = fit_together(models, x, epochs=3, progress=False)
    alone = vc.models.build({**PARAMS["model"], "seed": 1})
    fit(alone, x[1], epochs=3, batch_size=32, seed=1, progress=False)
    for name, model in (("side_by_side_seed1", models[1]), ("alone_seed1", alone)):
        shipped, _ = vc.checkpoint.load(folder / name)
        for mine, theirs in zip(shipped.parameters(), model.parameters()):
            torch.testing.assert_close(mine, theirs.detach(), rtol=0, atol=1e-6)
    assert records["side_by_side_seed1"]["epoch_loss"] == pytest.approx(
        histories[1].epoch_loss, rel=1e-6
    )
    assert records["side_by_side_seed1"]["batch_loss"] == pytest.approx(
        histories[1].batch_loss[:10], abs=1e-4
    )


def test_metrics_compare_the_bound_with_the_exact_density(inline):
    _, records = inline
    metrics = records["side_by_side_seed0"]["metrics"]
    x = vc.data.synthetic("three_blobs", 50, datasets.TEST_SEED).x
    assert metrics["log_density"] == pytest.approx(
        vc.data.log_density("three_blobs", x).mean().item(), rel=1e-9
    )
    # gap is taken with twenty draws, elbo with one: apart by the noise of one draw a point
    assert metrics["gap"] > 0
    assert abs(metrics["log_density"] - metrics["elbo"] - metrics["gap"]) < 0.5


def test_snapshots_start_before_training_and_end_with_the_trained_model(inline):
    folder, _ = inline
    tensors, _ = read_tensors(folder / "side_by_side.snapshots.safetensors")
    assert sorted(tensors) == sorted(
        f"{kind}.{epoch:03d}" for kind in ("codes", "samples") for epoch in range(4)
    )
    model, _ = vc.checkpoint.load(folder / "side_by_side_seed0")
    generator = torch.Generator().manual_seed(0)
    x = vc.data.synthetic("three_blobs", 50, datasets.TEST_SEED).x
    codes = model.encode(x).sample((), generator)
    samples = model.sample(500, generator)
    torch.testing.assert_close(below(tensors, "codes.")["003"], codes.half(), rtol=0, atol=1e-2)
    torch.testing.assert_close(below(tensors, "samples.")["003"], samples.half(), rtol=0, atol=1e-2)


def test_two_processes_give_the_same_bytes(inline, tmp_path):
    run(tmp_path, workers=2)
    assert weights(tmp_path) == weights(inline[0])


CHILD = """
import os, signal, sys
sys.path[:0] = {path!r}
from test_schedule import run
from pathlib import Path
from vaecourse.experiments import schedule

def take(job, result, take=schedule._Job.take):
    take(job, result)
    os.kill(os.getpid(), signal.SIGKILL)

schedule._Job.take = take
run(Path(sys.argv[1]), workers=1)
"""


def test_a_killed_run_goes_on_to_the_same_bytes(inline, tmp_path):
    here = os.path.dirname(__file__)
    line = [sys.executable, "-c", CHILD.format(path=[here, *sys.path]), str(tmp_path)]
    killed = subprocess.run(line, stderr=subprocess.PIPE, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list(tmp_path.glob("*.training.safetensors"))) == 1
    run(tmp_path, workers=1, resume=True)
    assert weights(tmp_path) == weights(inline[0])


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(inline, tmp_path, monkeypatch):
    take, left = schedule._Job.take, []

    def take_and_kill(job, result):
        if left:
            os.kill(left.pop(), signal.SIGKILL)
        return take(job, result)

    monkeypatch.setattr(schedule._Job, "take", take_and_kill)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        left.append(cluster.workers[0].process.pid)
        run(tmp_path, backend=cluster.scheduler_address)
    assert left == []
    assert weights(tmp_path) == weights(inline[0])


def die(*arguments):
    os._exit(1)


def test_workers_that_keep_dying_get_a_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runs, "advance", die)
    arguments = ["reproduce", "three_blobs_full", "--workers", "2", "--output", str(tmp_path)]
    assert cli.main(arguments) == 2
    assert "the workers keep dying" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_state_of_another_run_is_refused(tmp_path):
    task = tasks()[0]
    job = schedule._Job(task, tmp_path, resume=False)
    job.take(runs.advance(task, None, 0, 1))
    with pytest.raises(ValueError, match="side_by_side.training.safetensors was made with other"):
        schedule._Job(tasks(epochs=4)[0], tmp_path, resume=True)
    (tmp_path / "side_by_side.training.safetensors").write_bytes(b"not a state")
    with pytest.raises(ValueError, match="is not a training checkpoint"):
        schedule._Job(task, tmp_path, resume=True)


def test_a_cluster_that_does_not_answer_gets_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="No Dask scheduler answers at 'tcp://127.0.0.1:9'"):
        run(tmp_path, backend="tcp://127.0.0.1:9")
