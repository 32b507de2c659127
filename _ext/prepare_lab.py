"""Lay the notebooks of every chapter ready for JupyterLab: `python _ext/prepare_lab.py FOLDER`.

The student's stand in FOLDER, those with solutions in FOLDER/solutions: citations written out,
references listed, solutions folded or asked for. A notebook that is there is somebody's work and
stays; whoever wants it anew deletes it.
"""

import sys
from pathlib import Path

import nbformat
from notebook_versions import Bibliography, chapter_number, install_cell, versions
from write_students import KERNEL

ROOT = Path(__file__).parents[1]


def prepare(folder, root=ROOT):
    """Write what is missing; return the names of the notebooks that were written."""
    folder, written = Path(folder), []
    bibliography, install = Bibliography(str(root / "references.bib")), install_cell(root)
    for path in sorted((root / "chapters").glob("*.ipynb")):
        targets = {"student": folder / path.name, "solutions": folder / "solutions" / path.name}
        if all(target.exists() for target in targets.values()):
            continue
        source = nbformat.read(path, as_version=4)
        made = versions(source, bibliography, install, chapter_number(path))
        for version, target in targets.items():
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_suffix(".part")
                made[version].metadata |= KERNEL
                nbformat.write(made[version], partial)
                partial.replace(target)
                written.append(str(target.relative_to(folder)))
    return written


if __name__ == "__main__":
    print(f"{len(prepare(sys.argv[1]))} notebooks written to {sys.argv[1]}; what was there stays.")
