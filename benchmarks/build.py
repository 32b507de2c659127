"""How long the book takes to build: cold, after an edit of prose, and with nothing changed.

    .venv/bin/python benchmarks/build.py

Works on a copy of the checkout, so that the built pages stay as they are. Beside the cold build
stands what Jupyter Book does by itself: the chapters executed one after the other.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = shutil.ignore_patterns(".venv", "_build", ".git", "__pycache__")


def build(folder):
    """Seconds of one build in `folder`; its output is shown only if it fails."""
    start = time.perf_counter()
    command = [sys.executable, "_ext/build_book.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - start


def execute_serially(folder):
    """Seconds to execute the chapters one after the other, each in a fresh kernel."""
    environment = {**os.environ, "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook"]
    start = time.perf_counter()
    for chapter in sorted((folder / "chapters").glob("*.ipynb")):
        subprocess.run(
            [*command, "--output-dir", folder / "_build" / "serial", chapter],
            env=environment,
            capture_output=True,
            check=True,
        )
    return time.perf_counter() - start


def main():
    with tempfile.TemporaryDirectory() as temporary:
        book = Path(temporary) / "book"
        shutil.copytree(ROOT, book, ignore=SKIPPED)
        print("building a copy from nothing; this takes a while", file=sys.stderr)
        cold = build(book)
        pages = json.loads((book / "_build" / "timings.json").read_text())
        with open(book / "notation.md", "a") as file:
            file.write("\nA sentence more.\n")
        edited, unchanged = build(book), build(book)
        print(f"cold build, {len(pages)} pages executed   {cold:.1f} s")
        print(f"after an edit of prose          {edited:.1f} s")
        print(f"nothing changed                 {unchanged:.1f} s")
        print(f"execution alone, one by one     {execute_serially(book):.1f} s")


if __name__ == "__main__":
    main()
