"""Experiments in rounds: the same numbers wherever they ran, and after whatever happened."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dask.distributed import LocalCluster
from distributed.comm import CommClosedError

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
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        left.append(cluster.workers[0].process.pid)
        run(tmp_path, backend=cluster.scheduler_address)
    assert left == []
    assert weights(tmp_path) == weights(inline[0])


def die(*arguments):
    os._exit(1)


def test_workers_that_keep_dying_get_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule.joblib, "cpu_count", lambda: 2)  # else this process is the worker
    monkeypatch.setattr(runs, "advance", die)
    with pytest.raises(ChildProcessError, match="the workers keep dying"):
        run(tmp_path / "new", workers=2)
    assert list(tmp_path.iterdir()) == []


def test_no_more_workers_are_asked_for_than_tasks_and_cores(tmp_path, monkeypatch):
    class Asked(Exception):
        pass

    def parallel(calls, n_jobs, **options):
        raise Asked(n_jobs)

    monkeypatch.setattr(schedule, "_parallel", parallel)
    for cores, workers, expected in ((8, 100_000, 3), (8, 2, 2), (2, 100_000, 2), (8, None, 3)):
        monkeypatch.setattr(schedule.joblib, "cpu_count", lambda cores=cores: cores)
        with pytest.raises(Asked, match=f"^{expected}$"):
            run(tmp_path, workers=workers)


ORPHANED = """
import os, signal, time
from vaecourse.experiments import schedule

read, write = os.pipe()

def work():
    os.write(write, b".")
    time.sleep(600)
    print("lived on")

main = os.getpid()
if os.fork() == 0:
    schedule._end_with(main)
    work()
else:
    os.read(read, 1)
    os.kill(main, signal.SIGKILL)
"""


def test_a_worker_ends_with_the_process_that_started_it():
    """However that ended; the output that they share is at its end when both have gone."""
    ended = subprocess.run([sys.executable, "-c", ORPHANED], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGKILL, "", "")


def advanced(folder, task=0, epochs=1):
    """A job of `tasks` after some epochs, with its state in `folder`."""
    task = tasks()[task]
    job = schedule._Job(task, folder)
    job.take(runs.advance(task, None, 0, epochs))
    return job


def resumed(task, folder, report=print):
    job = schedule._Job(task, folder)
    return job, job.resume(report)


def test_a_state_of_another_run_is_refused(tmp_path, monkeypatch):
    path = advanced(tmp_path).path
    content = path.read_bytes()
    task = tasks()[0]
    assert resumed(task, tmp_path)[0].done == 1
    with pytest.raises(ValueError, match="with another training.epochs: 3 there, 4 here; give the"):
        resumed(tasks(epochs=4)[0], tmp_path)
    with pytest.raises(ValueError, match="was made with another data_sha256: null there, "):
        resumed(replace(task, own=datasets.OwnData("of other rows", [2], None)), tmp_path)
    with monkeypatch.context() as other:
        other.setattr("vaecourse.training.state.source_hash", lambda: "of another day")
        with pytest.raises(ValueError, match="was made with another code of vaecourse: "):
            resumed(task, tmp_path)
    assert path.read_bytes() == content
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="is no state of a run, or it is damaged"):
        resumed(task, tmp_path)
    path.write_bytes(b"not a state")
    with pytest.raises(ValueError, match="is not a file of tensors"):
        resumed(task, tmp_path)


def test_what_a_resumed_run_writes_over_is_said(tmp_path):
    (tmp_path / "alone_seed0.json").write_text("{}")
    said = []
    for task in tasks():  # of the others nothing is there
        resumed(task, tmp_path, said.append)
    assert said == [
        "alone_seed0: trained again, for what is there is damaged, or of other settings, data or "
        "code."
    ]


OWN = {
    "model": {"kind": "autoencoder", "data_dim": 3, "latent_dim": 2, "hidden": []},
    "data": {"name": "file", "path": "rows.npy"},
    "training": {"epochs": 50},
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A parameter file of 50 epochs on 20 rows of one's own, in the working folder."""
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.linspace(0, 1, 60).reshape(20, 3))
    Path("own.json").write_text(json.dumps(OWN))
    return ["train", "own.json", "--output", "out"]


class Stop(Exception):
    pass


def stop_after(monkeypatch, states):
    """Stop a run, as a kill would, once it has written that many states."""
    take, left = schedule._Job.take, iter(range(states))

    def stopping(job, result):
        if next(left, None) is None:
            raise Stop
        return take(job, result)

    monkeypatch.setattr(schedule._Job, "take", stopping)


def test_a_run_whose_data_have_changed_is_not_taken_up(own, capsys, monkeypatch):
    with monkeypatch.context() as killed, pytest.raises(Stop):
        stop_after(killed, 2)
        cli.main(own)
    state = Path("out/own_seed0.training.safetensors")
    content = state.read_bytes()
    rows = np.load("rows.npy")
    np.save("rows.npy", rows[::-1])
    assert cli.main([*own, "--resume"]) == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert "was made with another data_sha256" in sentence
    assert os.listdir("out") == [state.name] and state.read_bytes() == content
    np.save("rows.npy", rows)
    assert cli.main([*own, "--resume"]) == 0


def test_data_are_read_once_for_all_that_a_run_does(own, monkeypatch):
    read, read_rows = [], datasets.read_rows

    def counted(path, *how):
        read.append(path)
        return read_rows(path, *how)

    monkeypatch.setattr(datasets, "read_rows", counted)
    np.save("rows.npy", np.linspace(0, 0.5, 60).reshape(20, 3))
    assert cli.main(own) == 0 and read == ["rows.npy"]
    np.save("rows.npy", np.linspace(0, 0.1, 60).reshape(20, 3))
    assert cli.main([*own[:-1], "other"]) == 0 and read == ["rows.npy"] * 2
    records = [json.loads(Path(out, "own_seed0.json").read_text()) for out in ("out", "other")]
    errors = [record["metrics"]["squared_error"] for record in records]
    assert abs(errors[1] - errors[0]) > 0.1  # other rows, other errors


def test_data_that_change_under_a_run_stop_it(own, capsys, monkeypatch):
    take = schedule._Job.take

    def take_and_change(job, result):
        np.save("rows.npy", np.zeros((20, 3)))
        return take(job, result)

    monkeypatch.setattr(schedule._Job, "take", take_and_change)
    assert cli.main(own) == 2
    assert "rows.npy has changed while a run on it was under way" in capsys.readouterr().err
    assert os.listdir("out") == ["own_seed0.training.safetensors"]


def test_the_words_of_labels_are_kept_from_the_start_of_a_run_for_every_seed(own, tmp_path):
    np.savez("rows.npz", x=np.load("rows.npy"), kind=np.array(["no", "yes"] * 10))
    data = {"name": "file", "path": "rows.npz", "label": "kind"}
    params = parameters.Params.model_validate({**OWN, "data": data, "seeds": [0, 1]})
    done = []
    for task in runs.tasks("own", params):
        task = replace(task, own=runs.check(task))
        job = schedule._Job(task, tmp_path)
        job.take(runs.advance(task, None, 0, 50))
        done.append((job, runs.finish(task, job.state)))
    Path("rows.npz").unlink()
    for job, results in done:
        (record,) = job.save(results, "again", lambda line: None).values()
        assert record["label_kinds"] == ["no", "yes"]


def test_what_is_complete_is_not_trained_again(own, capsys, monkeypatch):
    assert cli.main(own) == 0
    written = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    capsys.readouterr()
    with monkeypatch.context() as idle:
        idle.setattr(runs, "advance", None)
        idle.setattr(runs, "finish", None)
        # A kill between the record and the end may have left a state, and a writer's own part.
        Path("out/own_seed0.training.safetensors").touch()
        Path("out/.own_seed0_loss.png.999999999.part").touch()
        assert cli.main([*own, "--resume"]) == 0
    assert capsys.readouterr().out == "own_seed0: complete, so not trained again.\n"
    assert sorted(os.listdir("out")) == sorted(written)
    for suffix in ("json", "safetensors"):
        name = f"own_seed0.{suffix}"
        assert Path("out", name).read_bytes() == written[name]
    Path("own.json").write_text(json.dumps({**OWN, "seeds": [0, 1]}))
    assert cli.main([*own, "--resume"]) == 0
    assert "own_seed0: complete" in capsys.readouterr().out


def test_what_another_run_has_completed_is_not_written_over(own, capsys):
    assert cli.main(own) == 0
    written = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    rows = np.load("rows.npy")
    for settings, data in ((OWN, rows[::-1]), ({**OWN, "training": {"epochs": 2}}, rows)):
        Path("own.json").write_text(json.dumps(settings))
        np.save("rows.npy", data)
        capsys.readouterr()
        for more in ([], ["--resume"]):
            assert cli.main([*own, *more]) == 2
            assert capsys.readouterr().err == (
                "own_seed0 there is of other settings, data or code; name another folder, or take "
                "away what is there.\n"
            )
        assert {file.name: file.read_bytes() for file in Path("out").iterdir()} == written
        assert cli.main([*own[:-1], "other", "--resume"]) == 0
        shutil.rmtree("other")
    Path("out/own_seed0.json").unlink()
    assert cli.main(own) == 0
    assert json.loads(Path("out/own_seed0.json").read_text())["training"]["epochs"] == 2


def test_a_width_that_is_not_the_models_is_told_with_the_names_of_the_columns(own, capsys):
    settings = {**OWN, "data": {"name": "file", "path": "rows.csv", "ignore": ["d"]}}
    Path("own.json").write_text(json.dumps(settings))
    rows = np.random.default_rng(0).random((20, 5))
    np.savetxt("rows.csv", rows, delimiter=",", header="a,id b,c,d,e", comments="")
    assert cli.main(own) == 2
    assert capsys.readouterr().err == (
        "model.data_dim is 3; the data have 4 columns: 'a', 'id b', 'c', 'e'.\n"
    )
    settings["data"]["ignore"] += ["id b"]
    Path("own.json").write_text(json.dumps(settings))
    assert cli.main(own) == 0


def told_by(own, capsys, **data):
    """What `train` says of own.json with an m2 of six columns, and its exit status."""
    settings = {
        "model": {"kind": "m2", "data_dim": 6, "latent_dim": 2, "num_classes": 3},
        "data": {"name": "file", "path": "t.csv", **data},
        "training": {"epochs": 30, "batch_size": 26, "learning_rate": 0.01},
    }
    Path("own.json").write_text(json.dumps(settings))
    status = cli.main(own)
    return status, capsys.readouterr().err


def test_an_m2_learns_the_column_that_is_named_and_no_other(own, capsys):
    rng = np.random.default_rng(0)
    species, sex = rng.integers(0, 3, (2, 200))
    pixels = (rng.random((200, 6)) < np.eye(3)[species].repeat(2, 1) * 0.8 + 0.1).astype(int)
    names = np.array(["ant", "bee", "cow"])

    def write(words):
        rows = np.column_stack([pixels[:, :3], sex, pixels[:, 3:], words])
        lines = [",".join(map(str, row)) for row in rows]
        Path("t.csv").write_text("\n".join(["a,b,c,sex,d,e,f,species", *lines]))

    write(names[species])
    assert told_by(own, capsys) == (
        2,
        "own.json: data.label is missing; the model m2 learns labels: name the column of a .csv "
        "file, or the array of an .npz file, that holds them.\n",
    )
    assert told_by(own, capsys, label="species") == (
        2,
        "model.data_dim is 6; the data have 7 columns: 'a', 'b', 'c', 'sex', 'd', 'e', 'f'.\n",
    )
    assert told_by(own, capsys, label="species", ignore=["sex"])[0] == 0
    record = json.loads(Path("out/own_seed0.json").read_text())
    assert record["label_kinds"] == ["ant", "bee", "cow"]
    assert record["metrics"]["accuracy"] > 0.8  # by the pixels; by chance a third
    write(np.append(names, "fox")[np.where(np.arange(200) == 7, 3, species)])
    assert told_by(own, capsys, label="species", ignore=["sex"]) == (
        2,
        "model.num_classes is 3; data.label, 'species', has 4 kinds, of which each is a class.\n",
    )
    write(np.where(np.arange(200) == 7, species, -1))
    assert told_by(own, capsys, label="species", ignore=["sex"]) == (
        2,
        "data.label, 'species', is -1, for none, in all 20 rows that are for testing: take a "
        "larger data.test_fraction.\n",
    )


def test_a_disk_that_is_full_at_the_figures_costs_no_training(own, capsys, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr("matplotlib.figure.Figure.savefig", full)
        assert cli.main(own) == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert sentence == f"No space left on device: {Path('out', 'own_seed0_loss.png')}."
    monkeypatch.setattr(runs, "advance", None)
    assert cli.main([*own, "--resume"]) == 0
    assert Path("out/own_seed0_loss.png").exists()


def test_a_name_too_long_for_its_files_is_refused_before_training(own, capsys):
    name = "n" * 225
    Path(f"{name}.json").write_text(json.dumps(OWN))
    assert cli.main(["train", f"{name}.json", "--output", "out"]) == 2
    assert "Cannot write in the folder" in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "http://x", "x"])
def test_a_cluster_that_does_not_answer_gets_a_sentence(tmp_path, monkeypatch, address):
    monkeypatch.setattr(schedule, "PATIENCE", 0.1)
    with pytest.raises(ValueError, match=f"No Dask scheduler answers at '{address}': ") as caught:
        run(tmp_path, backend=address)
    assert str(caught.value).isprintable()


def test_a_cluster_without_workers_gets_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "PATIENCE", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        pytest.raises(ValueError, match="The Dask scheduler at '.*' has no workers"),
    ):
        run(tmp_path, backend=cluster.scheduler_address)


def test_a_cluster_that_dies_gets_a_sentence(tmp_path, monkeypatch):
    def parallel(calls, **options):
        raise CommClosedError("ConnectionPool closing.")  # what Dask says of a dead scheduler

    monkeypatch.setattr(schedule, "_parallel", parallel)
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        pytest.raises(ChildProcessError, match="The Dask scheduler at '.*' has gone; the same com"),
    ):
        run(tmp_path, backend=cluster.scheduler_address)


def test_a_run_on_images_watches_how_it_approaches_its_end(tmp_path):
    images = (np.random.default_rng(0).random((44, 12)) < 0.3).astype(np.float32)
    np.save(tmp_path / "rows.npy", images)
    content = {
        "model": {"kind": "vae", "data_dim": 12, "latent_dim": 3, "hidden": [6]},
        "data": {"name": "file", "path": str(tmp_path / "rows.npy")},
        "training": {
            "epochs": 4,
            "batch_size": 20,
            "learning_rate": 0.01,
            "optimizer": "muon",
            "schedule": "cosine",
            "gradients": "by_hand",
            "products": "bfloat16",
        },
        "seeds": [0, 1],
    }
    params = parameters.Params.model_validate(content)
    folder, quiet = tmp_path / "out", {"report": lambda line: None, "workers": 1}
    records = schedule.run_all(runs.tasks("images", params), folder, "again {}", **quiet)
    for seed in (0, 1):
        seen = records[f"images_seed{seed}"]["watched"]
        assert seen["epochs"] == [0, 1, 2, 3, 4]
        model, _ = vc.checkpoint.load(folder / f"images_seed{seed}")
        train, test, units = runs.watched(model, params.data)
        assert [train, test, units] == pytest.approx([seen[key][-1] for key in list(seen)[1:]])
        assert seen["train"][-1] > seen["train"][0]
    assert not list(folder.glob("*.snapshots.*"))
