"""`make classroom`: an assignment is made, handed in right and untouched, and graded by nbgrader.

nbgrader is installed into `_build/classroom`, beside the libraries of `.venv`, in the versions
of requirements.lock. Needs the network once, and some minutes.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "_build" / "classroom"
CHAPTER = "06_mean_field"


def environment():
    """The folder of programs of an environment with nbgrader and all of the course."""
    venv = PLACE / "venv"
    if not (venv / "bin" / "nbgrader").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        install = [venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, "-c", ROOT / "requirements.lock", "nbgrader"], check=True)
        (there,) = venv.glob("lib/python*/site-packages")
        (there / "course.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin"


def solved(release, source):
    """The released notebook with the solutions of its source, as the best student hands it in."""
    right = {cell["id"]: cell["source"] for cell in source["cells"]}
    for cell in release["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = right[cell["id"]]
    return release


def main():
    programs = environment()
    os.environ |= {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "VAECOURSE_BUDGET": "smoke",
        "TQDM_DISABLE": "1",
    }
    subprocess.run([sys.executable, ROOT / "_ext" / "build_assignments.py"], check=True)
    course = PLACE / "course"
    shutil.rmtree(course, ignore_errors=True)
    shutil.copytree(ROOT / "_build" / "assignments", course)

    def nbgrader(*words):
        subprocess.run(["nbgrader", *words], cwd=course, check=True)

    nbgrader("generate_assignment", CHAPTER)
    notebook = Path(CHAPTER, f"{CHAPTER}.ipynb")
    source, release = (
        json.loads((course / folder / notebook).read_text(encoding="utf-8"))
        for folder in ("source", "release")
    )
    text = json.dumps(release)
    assert "BEGIN SOLUTION" not in text and "raise NotImplementedError()" in text
    for student in ("untouched", "right"):
        target = course / "submitted" / student / notebook
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(release), encoding="utf-8")
    target.write_text(json.dumps(solved(release, source)), encoding="utf-8")
    nbgrader("autograde", CHAPTER)
    nbgrader("generate_feedback", CHAPTER)
    nbgrader("export")
    with open(course / "grades.csv", encoding="utf-8") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    # What a check judges: the answers that somebody reads have no points yet.
    marks = [cell["metadata"].get("nbgrader", {}) for cell in source["cells"]]
    points = sum(mark["points"] for mark in marks if mark.get("grade") and not mark["solution"])
    assert scores == {"untouched": 0, "right": points}, scores
    feedback = course / "feedback" / "untouched" / CHAPTER / f"{CHAPTER}.html"
    assert "Still open: your function returns nothing yet." in feedback.read_text(encoding="utf-8")
    print(f"The classroom: {points} of {points} points for the right answers, none for no answer.")


if __name__ == "__main__":
    main()
