"""`make archive CHAPTER=09`: what a class needs of one chapter, in `_build/course_09.tar.gz`.

The chapter runs once, and what it opens in `data/` is what goes in.
"""

import copy
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from notebook_versions import Bibliography, install_cell, versions

ROOT = Path(__file__).parents[1]
BESIDE = ("pyproject.toml", "README.md", "LICENSE", "LICENSE-CONTENT")
LISTEN = """\
import sys as _sys
def _note(event, arguments, _file=open({log!r}, "a", buffering=1), _place={data!r}):
    if event == "open" and str(arguments[0]).startswith(_place):
        print(arguments[0], file=_file)
_sys.addaudithook(_note)"""


def opened(notebook, folder):
    """The files of `folder` that a notebook opens when it runs, each once, sorted."""
    with tempfile.TemporaryDirectory() as place:
        log = Path(place, "opened")
        listen = LISTEN.format(log=str(log), data=str(folder))
        run = copy.deepcopy(notebook)
        run.cells.insert(0, nbformat.v4.new_code_cell(listen))
        resources = {"metadata": {"path": str(ROOT / "chapters")}}
        NotebookClient(run, timeout=1200, resources=resources).execute()
        paths = {Path(line) for line in log.read_text(encoding="utf-8").splitlines()}
    return sorted(path for path in paths if path.is_file())


def tracked(*places):
    """The files of the repository in these places."""
    command = ["git", "ls-files", "-z", "--", *places]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def pack(number):
    """Write the archive of the chapter with this number; its path."""
    found = sorted((ROOT / "chapters").glob(f"{number}_*.ipynb"))
    if len(found) != 1:
        raise ValueError(f"CHAPTER={number} names no chapter; two digits do, as CHAPTER=09.")
    source = nbformat.read(found[0], as_version=4)
    made = versions(source, Bibliography(str(ROOT / "references.bib")), install_cell(ROOT))
    files = [*tracked("vaecourse", *BESIDE), *opened(source, ROOT / "data")]
    target = ROOT / "_build" / f"course_{number}.tar.gz"
    target.parent.mkdir(exist_ok=True)
    part = target.with_suffix(".part")
    with tarfile.open(part, "w:gz") as archive:
        for path in files:
            archive.add(path, f"course/{path.relative_to(ROOT)}")
        for version in ("student", "colab"):
            text = nbformat.writes(made[version]).encode()
            info = tarfile.TarInfo(f"course/{found[0].stem}_{version}.ipynb")
            info.size = len(text)
            archive.addfile(info, BytesIO(text))
    os.replace(part, target)
    return target


if __name__ == "__main__":
    try:
        target = pack(sys.argv[1])
    except ValueError as error:
        sys.exit(str(error))
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.1f} MB")
