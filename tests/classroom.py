"""`make classroom`: nbgrader grades an assignment; two students work on a JupyterHub (`hub.py`).

Both are installed into `_build/classroom`, beside the libraries of `.venv`, in the versions of
requirements.lock. Needs the network once, npm, Chromium and some minutes.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import hub

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "_build" / "classroom"
CHAPTER = "06_mean_field"
PROXY = "configurable-http-proxy"


def environment():
    """The folder of programs of an environment with nbgrader, JupyterHub and all of the course."""
    venv = PLACE / "venv"
    if not (venv / "bin" / "jupyterhub").exists():
        print("Installing nbgrader and JupyterHub into _build/classroom.", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        install = [venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check"]
        # anywidget too, because JupyterLab looks for its extensions beside itself
        packages = ["nbgrader", "jupyterhub", "anywidget"]
        subprocess.run([*install, "-c", ROOT / "requirements.lock", *packages], check=True)
        (there,) = venv.glob("lib/python*/site-packages")
        (there / "course.pth").write_text(sysconfig.get_path("purelib") + "\n")
    if not (PLACE / "bin" / PROXY).exists():
        if shutil.which("npm") is None:
            sys.exit("npm was not found: install Node.js, of which it is a part.")
        command = ["npm", "install", "-g", "--loglevel=error", "--prefix", PLACE, PROXY]
        subprocess.run(command, check=True)
    return venv / "bin"


def solved(release, source):
    """The released notebook with the solutions of its source, as the best student hands it in."""
    right = {cell["id"]: cell["source"] for cell in source["cells"]}
    for cell in release["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = right[cell["id"]]
    return release


def grade(programs):
    """nbgrader gives the right answers all points, and no answer none."""
    subprocess.run([sys.executable, ROOT / "_ext" / "build_assignments.py"], check=True)
    course = PLACE / "course"
    shutil.rmtree(course, ignore_errors=True)
    shutil.copytree(ROOT / "_build" / "assignments", course)

    # nbgrader calls programs that stand beside it by their bare names; a hub must not need that.
    beside = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}

    def nbgrader(*words):
        subprocess.run([programs / "nbgrader", *words], cwd=course, env=beside, check=True)

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
    assert hub.STUB in feedback.read_text(encoding="utf-8")
    print(f"nbgrader: {points} of {points} points for the right answers, none for no answer.")


def main():
    programs = environment()
    os.environ |= {
        "PATH": f"{PLACE / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "VAECOURSE_BUDGET": "smoke",
        "TQDM_DISABLE": "1",
    }
    grade(programs)
    hub.main(programs, PLACE / "hub", f"{CHAPTER}.ipynb")
    print("The classroom: nbgrader gave the right points, and two students worked on JupyterHub.")


if __name__ == "__main__":
    main()
