"""Write the students' notebooks into a folder: `write_students.py FOLDER [NN ...]`."""

import sys
from pathlib import Path

import nbformat
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelspec import get_kernel_dict
from notebook_versions import Bibliography, install_cell, versions

ROOT = Path(__file__).parents[1]

# What JupyterLab would write, and then call the notebook changed although nobody has touched it.
KERNEL = {
    "kernelspec": {key: get_kernel_dict()[key] for key in ("display_name", "language")}
    | {"name": "python3"},
    "language_info": IPythonKernel.language_info,
}


def students(numbers=()):
    """(path of the chapter, its student's notebook) for chapters of these numbers, or for all."""
    bibliography, install = Bibliography(str(ROOT / "references.bib")), install_cell(ROOT)
    for path in sorted((ROOT / "chapters").glob("[0-9]*.ipynb")):
        if not numbers or path.name[:2] in numbers:
            source = nbformat.read(path, as_version=4)
            yield path, versions(source, bibliography, install)["student"]


def write(folder, numbers=()):
    folder.mkdir(parents=True, exist_ok=True)
    for path, notebook in students(numbers):
        notebook.metadata |= KERNEL
        nbformat.write(notebook, folder / path.name)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:])
