"""The command `vaecourse`.

It exits with 0, or with 2 and one sentence on stderr when something is wrong with what it was
given: `main` turns into that sentence every error that the package raises on purpose. Stopped by
SIGINT or SIGTERM it ends its workers and exits with 130.
Commands load what they need themselves, so that `vaecourse --help` does not wait for torch.
"""

import signal
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from vaecourse.data.files import DataError

app = typer.Typer(
    help="The command line of the course on variational autoencoders.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
data = typer.Typer(help="The data sets that live in files.")
app.add_typer(data, name="data")


def main(arguments=None):
    """Run `vaecourse` with a list of arguments, sys.argv's by default; returns the exit status."""
    try:
        # Errors of use come back as exceptions; an exit that a command asks for, as its status.
        with _stopped_by_sigterm():
            status = app(arguments, prog_name="vaecourse", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except typer.TyperException as error:
        message = error.format_message().replace(". Did you mean", ", did you mean")
        hint = "" if message.endswith("?") else "; see `vaecourse --help`."
        return _refuse(message.rstrip(".") + hint)
    except (ValueError, DataError, FloatingPointError, ChildProcessError) as error:
        return _refuse(str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _refuse(f"{str(error.strerror or error).rstrip('.')}{where}.")
    if status == 130:  # so typer, too, says that it was interrupted
        sentence = "Stopped; the same command goes on from what is written, `train` with --resume."
        print(sentence, file=sys.stderr)
    return status


def _refuse(sentence):
    print(sentence, file=sys.stderr)
    return 2


@contextmanager
def _stopped_by_sigterm():
    """Let SIGTERM end the block as SIGINT does, so that nothing is left half done."""

    def stop(*_):
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # only the main thread can
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@data.command("list")
def list_data():
    """Show each data set: its size, whether it is here, its terms, where it comes from."""
    from vaecourse.data import files

    for dataset in files.REGISTRY.values():
        here = sum(files.find(dataset, file) is not None for file in dataset.files)
        size = sum(file.size for file in dataset.files) / 1e6
        print(f"{dataset.name}: {dataset.title}")
        print(f"    {size:.1f} MB, {here} of {len(dataset.files)} files are here")
        print(f"    Source: {dataset.source}")
        print(f"    Licence: {dataset.licence}")


@data.command("fetch")
def fetch_data(name: Annotated[str, typer.Argument(help="A name that `data list` shows.")]):
    """Download a data set, or the rest of it, and check it."""
    from vaecourse.data import files

    for path in files.fetch(name):
        print(path)


@data.command("verify")
def verify_data():
    """Check every file that is here against its SHA-256."""
    from vaecourse.data import files

    damaged = []
    for check in files.verify():
        state = check.problem or "is whole" if check.path else "is not here"
        print(f"{check.dataset}: {check.path or check.file} {state}", flush=True)
        if check.problem:
            damaged.append(check.dataset)
    if damaged:
        names = " and ".join(f"`vaecourse data fetch {name}`" for name in dict.fromkeys(damaged))
        raise DataError(f"Some files are damaged: {names} will replace them.")


def _print_and_exit(text_of):
    """A callback of an option that prints a text of the package, and does nothing else."""

    def callback(wanted: bool):
        if wanted:
            from vaecourse.experiments import parameters

            print(text_of(parameters), end="")
            raise typer.Exit

    return callback


@app.command()
def train(
    params: Annotated[Path, typer.Argument(help="A parameter file; see vaecourse/experiments/.")],
    output: Annotated[
        Path,
        typer.Option(
            help="The folder for weights, provenance and figures; no finished run of other "
            "settings or data is written over."
        ),
    ],
    resume: Annotated[bool, typer.Option(help="Go on where a killed run stopped.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the losses for TensorBoard, too.")
    ] = False,
    example: Annotated[
        bool,
        typer.Option(
            "--example",
            is_eager=True,
            callback=_print_and_exit(lambda parameters: parameters.example()),
            help="Print a parameter file to start from, and exit.",
        ),
    ] = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            is_eager=True,
            callback=_print_and_exit(lambda parameters: parameters.schema()),
            help="Print the JSON schema of parameter files, for editors, and exit.",
        ),
    ] = False,
):
    """Train what a parameter file describes, every seed of it."""
    from vaecourse.experiments import output as written
    from vaecourse.experiments import parameters, runs, schedule

    described = parameters.read(params)
    if tensorboard:
        written.check_tensorboard()
    tasks = runs.tasks(params.stem, described)
    records = schedule.run_all(tasks, output, "vaecourse train {}.json", resume=resume)
    for name, record in records.items():
        written.figures(output / name, described.data)
        if tensorboard:
            written.tensorboard(output / name, record)


@app.command()
def reproduce(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments; without any, all.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The folder for the results; by default in data/.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="The address of a Dask scheduler; by default, this machine.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="How many runs at once; by default and at most one for each core.", min=1
        ),
    ] = None,
):
    """Make shipped results again; a run that was killed goes on where it stopped."""
    from vaecourse import checkpoint, experiments
    from vaecourse.experiments import runs, schedule

    names = names or [*experiments.names(), *experiments.PROGRAMS]
    trained = [name for name in names if name not in experiments.PROGRAMS]
    tasks = [task for name in trained for task in runs.tasks(name, experiments.params(name))]
    if tasks:
        folder = output or checkpoint.PRETRAINED
        options = {"backend": backend, "workers": workers, "resume": True, "ship": True}
        schedule.run_all(tasks, folder, "vaecourse reproduce {}", **options)
    for name in names:
        if name in experiments.PROGRAMS:
            folder = output or checkpoint.PRETRAINED.parent / "results"
            program = import_module(f"vaecourse.experiments.{name}")
            program.run(folder / f"{name}.json", command=f"vaecourse reproduce {name}")


@app.command()
def grade(
    folder: Annotated[Path, typer.Argument(help="The submissions: .ipynb and .py files.")],
    assignment: Annotated[
        Path,
        typer.Argument(help="The notebook or Python file whose checks the submissions must pass."),
    ],
    seconds: Annotated[float, typer.Option(help="The time of one submission.", min=1)] = 300,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file, too.")] = None,
):
    """Grade a folder of submissions, each in a process of its own; print a table and reasons."""
    from tqdm import tqdm

    from vaecourse import _files, grading

    if csv is not None:
        _files.check_writable(csv)
    asked = grading.asked_in(assignment)
    graded = list(tqdm(grading.grade(folder, asked, seconds), unit="submission", leave=False))
    print(grading.table(graded, asked))
    if csv is not None:
        _files.write_text(csv, grading.csv_text(graded))


if __name__ == "__main__":
    sys.exit(main())
