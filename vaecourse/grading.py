"""Grade what a class hands in: a process and a time limit a submission, and a table.

`grade` is what `vaecourse grade` prints. A submission runs in a process of its own, in an empty
folder, with the smallest budget; the checks that judge it are a copy that it cannot import, with
the functions of torch and numpy put back. So no submission reaches the next one, and the usual
tricks give no points. Python cannot stop somebody who searches the process for the copy.
"""

import ast
import builtins
import contextlib
import importlib
import json
import math
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vaecourse._files import plain, read_json

TYPES = (".ipynb", ".py")


@dataclass(frozen=True)
class Asked:
    """One thing that an assignment asks for: which check looks at which function, for what."""

    check: str
    name: str
    points: int = 1


@dataclass(frozen=True)
class Mark:
    """What one submission got for one function, and what the check said."""

    file: str
    asked: Asked
    points: int
    reason: str


def asked_in(path):
    """What the notebook or Python file at `path` asks for: its calls `vc.checks.NAME(function)`.

    A notebook for nbgrader gives points by its cells of tests; elsewhere each call is one point.
    A call counts only if the file defines the function, too, or has it in a cell of tests.
    """
    path = Path(path)
    cells = [(source, metadata.get("nbgrader", {})) for source, metadata in _cells(path)]
    tests = [(source, mark["points"]) for source, mark in cells if mark.get("grade")]
    trees = [(_parsed(source, path), points) for source, points in tests or _one_point(cells)]
    defined = {node.name for tree, _ in trees for node in ast.walk(tree) if _is_function(node)}
    asked = {}
    for tree, points in trees:
        for node in ast.walk(tree):
            found = isinstance(node, ast.Call) and len(node.args) == 1 and _check_of(node.func)
            if found and isinstance(node.args[0], ast.Name):
                name = node.args[0].id
                if tests or name in defined:
                    asked.setdefault((found, name), Asked(found, name, points))
    if not asked:
        raise ValueError(f"{path} calls no check, as vc.checks.kl(kl), of a function it defines.")
    from vaecourse import checks

    for one in asked.values():
        if one.check not in checks.__all__:
            raise ValueError(f"{path} asks for vc.checks.{one.check}, which does not exist.")
    return list(asked.values())


def _one_point(cells):
    return [(source, 1) for source, _ in cells]


def _is_function(node):
    return isinstance(node, ast.FunctionDef)


def _check_of(function):
    words = ast.unparse(function).split(".")
    return words[-1] if words[-2:-1] == ["checks"] else None


def _parsed(source, path):
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        raise ValueError(f"{path} is not Python: {error.msg}, line {error.lineno}.") from None


def _cells(path):
    """(source, metadata) of the code cells of a notebook; a Python file is one cell."""
    if path.suffix == ".py":
        try:
            return [(path.read_text(encoding="utf-8"), {})]
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not text in UTF-8.") from None
    try:
        return [
            ("".join(cell["source"]), cell.get("metadata", {}))
            for cell in read_json(path)["cells"]
            if cell["cell_type"] == "code"
        ]
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} is not a notebook of format 4.") from None


def grade(folder, asked, seconds=300):
    """Yield for each .ipynb and .py in `folder`, and in its folders, the list of its `Mark`s.

    `asked` is a list of `Asked`; `seconds` is the time of one process. A process that ends in the
    middle of a check loses the points of that check; the others have another process.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder of submissions.")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in TYPES and ".ipynb_checkpoints" not in path.parts and path.is_file()
    )
    if not files:
        raise ValueError(f"{folder} holds no submission: no .ipynb and no .py file.")
    for path in files:
        name = plain(str(path.relative_to(folder)))
        said = _verdicts(path, asked, seconds)
        yield [
            Mark(name, one, one.points if right else 0, plain(reason))
            for one, (right, reason) in zip(asked, said)
        ]


def _verdicts(path, asked, seconds):
    """(whether it is right, what is said) for each thing asked of one submission."""
    try:
        cells = [source for source, _ in _cells(path)]
    except ValueError as error:
        return [(False, str(error))] * len(asked)
    said = []
    while len(said) < len(asked):
        left = [(one.check, one.name) for one in asked[len(said) :]]
        began, found, ended = _one_process(cells, left, seconds)
        said += found
        if len(found) < len(left):
            if not began:  # it never came to the checks, so it would not the next time
                return said + [(False, f"The submission {ended}.")] * len(left)
            said.append((False, f"Your function {ended}."))
    return said


def _one_process(cells, left, seconds):
    """(whether the checks began, what they said until the process ended, how it ended)."""
    package = str(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        work, token = Path(place, "work"), secrets.token_hex()
        work.mkdir()
        found = [package, os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "VAECOURSE_BUDGET": "smoke",
            "VAECOURSE_STRICT": "1",
            "MPLBACKEND": "Agg",
            "TQDM_DISABLE": "1",
            "IPYTHONDIR": str(work / "ipython"),
            "PYTHONPATH": os.pathsep.join(filter(None, found)),
        }
        with open(Path(place, "report"), "w+b") as written:
            process = subprocess.Popen(
                [sys.executable, "-m", "vaecourse.grading"],
                stdin=subprocess.PIPE,
                stdout=written,
                stderr=subprocess.DEVNULL,
                cwd=work,
                env=environment,
                start_new_session=True,
            )
            try:
                process.communicate(json.dumps([token, cells, left]).encode(), timeout=seconds)
                ended = f"ended its process with status {process.returncode}"
            except subprocess.TimeoutExpired:
                ended = f"is still running after {seconds:g} seconds"
            finally:
                _end(process)
            written.seek(0)
            lines = written.read().decode("utf-8", "replace").splitlines()
    lines = [line.removeprefix(token) for line in lines if line.startswith(token)]
    return bool(lines), [tuple(json.loads(line)) for line in lines[1:]], ended


def _end(process):
    """End a submission, and what it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of it is left
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


# --- in the process of a submission -----------------------------------------------------------


def judge_submission():
    """Run the cells of a submission, then its functions through the checks, and report each."""
    token, cells, left = json.load(sys.stdin)
    # Only this descriptor reaches the report; what the submission prints goes elsewhere.
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    checks = _private_copy()
    kept = _functions()
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    trouble = None
    for source in cells:
        result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error is not None and type(error).__name__ not in ("Mistake", "SystemExit"):
            trouble = trouble or error
    names = dict(shell.user_ns)
    _put_back(kept)
    print(token, file=report, flush=True)
    for check, name in left:
        right, said = _judged(checks[check], name, names, trouble)
        _put_back(kept)
        print(token + json.dumps([right, said]), file=report, flush=True)
    os._exit(0)  # what a submission has left to run at the end does not run


def _judged(check, name, names, trouble):
    if name not in names:
        kind = f"{type(trouble).__name__}: {trouble}" if trouble else ""
        after = f" ({plain(kind)})" if trouble else ""
        return False, f"There is no function {name}{after}."
    try:
        return True, str(check(names[name]))
    except BaseException as error:
        return False, str(error) or type(error).__name__


def _private_copy():
    """The checks by name; the submission gets a second copy, without the right answers."""
    kept = importlib.import_module("vaecourse.checks")
    judges = {name: getattr(kept, name) for name in kept.__all__}
    for name in [name for name in sys.modules if name.split(".")[0] == "vaecourse"]:
        del sys.modules[name]
    given = importlib.import_module("vaecourse").checks
    for name in given.__all__:
        for answer in ("right", "judge"):
            if answer in vars(getattr(given, name)):
                delattr(getattr(given, name), answer)
    return judges


def _functions():
    """{owner: {name: function}} of what the checks compute with, so that it can be put back."""
    import numpy
    import torch
    from torch.nn import functional

    owners = [builtins, math, numpy, numpy.linalg, torch, torch.linalg, torch.autograd, functional]
    kept = {
        owner: {name: value for name, value in vars(owner).items() if callable(value)}
        for owner in owners
    }
    return kept | {torch.Tensor: dict(vars(torch.Tensor))}


def _put_back(kept):
    for owner, names in kept.items():
        for name, value in names.items():
            if vars(owner).get(name) is not value:
                setattr(owner, name, value)
        if isinstance(owner, type):  # what it inherits, and a submission has hidden
            for name in vars(owner).keys() - names.keys():
                delattr(owner, name)


# --- the table ----------------------------------------------------------------------------------


def table(graded, asked):
    """The marks as lines of text: points by submission and function, then what was said."""
    head = ["submission", *(f"{one.name} /{one.points}" for one in asked)]
    head.append(f"sum /{sum(one.points for one in asked)}")
    rows = [
        [marks[0].file, *(str(mark.points) for mark in marks), str(sum(m.points for m in marks))]
        for marks in graded
    ]
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        ).rstrip()
        for row in [head, *rows]
    ]
    lost = [
        f"{mark.file}, {mark.asked.name}: {mark.reason}"
        for marks in graded
        for mark in marks
        if mark.points < mark.asked.points
    ]
    return "\n".join([*lines, *([""] if lost else []), *lost])


def csv_text(graded):
    """The marks as CSV, a line a submission and function."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["submission", "function", "points", "of", "reason"])
    for marks in graded:
        for mark in marks:
            row = mark.file, mark.asked.name, mark.points, mark.asked.points, mark.reason
            # A spreadsheet takes what begins so for a formula.
            writer.writerow([f"'{cell}" if str(cell)[:1] in "=+-@" else cell for cell in row])
    return text.getvalue()


if __name__ == "__main__":
    judge_submission()
