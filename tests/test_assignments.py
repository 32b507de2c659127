"""`make assignments`: nbgrader's metadata, and answers that its own checks take."""

import ast
import re
from pathlib import Path

import jsonschema
import nbformat
import pytest
import torch
from build_assignments import assignment
from notebook_versions import Bibliography

import vaecourse as vc
from vaecourse import grading

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9]*.ipynb"))
# nbgraderformat/v3.json of nbgrader 0.9.6, and what its validator asks besides.
SCHEMA = {
    "type": "object",
    "properties": {
        "schema_version": {"type": "integer", "minimum": 3, "maximum": 3},
        "grade": {"type": "boolean"},
        "locked": {"type": "boolean"},
        "solution": {"type": "boolean"},
        "task": {"type": "boolean"},
        "grade_id": {"type": "string", "pattern": "^[a-zA-Z0-9_\\-]+$"},
        "points": {"type": "number", "minimum": 1},
        "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
        "cell_type": {"type": "string", "enum": ["raw", "code", "markdown"]},
    },
    "required": ["schema_version", "grade", "locked", "solution", "grade_id"],
    "additionalProperties": False,
}
REGION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.M | re.S)


@pytest.fixture(scope="module")
def bibliography():
    return Bibliography(str(ROOT / "references.bib"))


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request, bibliography):
    source = nbformat.read(request.param, as_version=4)
    return source, assignment(source, bibliography)


def marked(made):
    return [(cell, cell.metadata["nbgrader"]) for cell in made.cells if "nbgrader" in cell.metadata]


def test_the_metadata_are_those_of_nbgrader(chapter):
    _, made = chapter
    nbformat.validate(made)
    for cell, mark in marked(made):
        jsonschema.validate(dict(mark), SCHEMA)
        assert ("points" in mark) == mark["grade"]
        assert mark["grade"] or mark["solution"]
        if cell.cell_type == "markdown":
            assert mark["grade"] and mark["solution"]
    names = [mark["grade_id"] for _, mark in marked(made)]
    assert len(set(names)) == len(names)


def test_every_exercise_is_asked_and_its_solution_stands_in_what_nbgrader_takes_out(chapter):
    source, made = chapter
    titles = re.findall(r"\{exercise\} *(.*)", "\n".join(cell.source for cell in source.cells))
    answers = [cell for cell, mark in marked(made) if mark["solution"]]
    assert len(answers) == len(titles)
    for cell in answers:
        if cell.cell_type == "code":
            assert len(REGION.findall(cell.source)) == cell.source.count("### BEGIN SOLUTION") > 0
    for cell in made.cells:
        if "nbgrader" not in cell.metadata:
            assert "<summary>Solution</summary>" not in cell.source


def names_of(made):
    """What the cells of a notebook import and define, without running what they compute."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    names = {"vc": vc, "torch": torch}
    for cell in made.cells:
        if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
            found = [node for node in ast.parse(cell.source).body if isinstance(node, kinds)]
            exec(compile(ast.Module(found, []), "cell", "exec"), names)
    return names


def test_the_answers_are_right_and_what_students_get_is_still_open(chapter):
    _, made = chapter
    tests = 0
    for released in (False, True):
        names = names_of(made)
        for cell, mark in marked(made):
            if cell.cell_type != "code" or mark["grade"]:
                continue
            source = cell.source
            if released:
                source = REGION.sub(r"\1raise NotImplementedError()", source)
            exec(source, names)
        for cell, mark in marked(made):
            if mark["solution"]:
                continue
            ((check, name),) = set(re.findall(r"vc\.checks\.(\w+)\((\w+)\)", cell.source))
            tests += 1
            if released:
                with pytest.raises(vc.checks.Mistake, match="Still open"):
                    getattr(vc.checks, check)(names[name])
            else:
                assert getattr(vc.checks, check)(names[name]).startswith("Right: ")
    assert tests >= 2


def test_the_grader_reads_their_points(bibliography, tmp_path):
    source = nbformat.read(ROOT / "chapters" / "09_variational_autoencoder.ipynb", as_version=4)
    nbformat.write(assignment(source, bibliography), tmp_path / "09.ipynb")
    points = {one.name: one.points for one in grading.asked_in(tmp_path / "09.ipynb")}
    assert points["kl"] == 1 and points["elbo"] == 2 and points["training_step"] == 4
    assert set(points) == {"kl", "total", "reparameterize", "elbo", "training_step"}
