"""Run every student's notebook as it is handed out, and say where one stops.

`python _ext/run_students.py [NN ...]`, from the root of the repository, with the budget of
VAECOURSE_BUDGET; without numbers, all.
"""

import os
import sys

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from write_students import ROOT, students


def main(numbers):
    os.environ.pop("VAECOURSE_STRICT", None)
    failed = 0
    for path, notebook in students(numbers):
        resources = {"metadata": {"path": str(ROOT / "chapters")}}
        try:
            NotebookClient(notebook, timeout=1200, resources=resources).execute()
            print(f"{path.stem}: runs to its end", flush=True)
        except CellExecutionError as error:
            failed += 1
            print(f"{path.stem}: stops\n{error}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
