"""The pages for lecturers and administrators keep their promises: minutes, sentences, versions."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from hub import recommended

ROOT = Path(__file__).parents[1]
LECTURER = (ROOT / "lecturer.md").read_text(encoding="utf-8")
ADMINISTRATOR = (ROOT / "administrator.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## Chapter (\d\d)\n(.*?)(?=^## |\Z)", LECTURER, re.M | re.S))


def test_every_chapter_has_a_section():
    chapters = {path.name[:2] for path in (ROOT / "chapters").glob("[0-9]*.ipynb")}
    assert set(SECTIONS) == chapters


@pytest.mark.parametrize("chapter", SECTIONS)
def test_a_plan_takes_ninety_minutes(chapter):
    minutes = [int(found) for found in re.findall(r"^\| (\d+) \|", SECTIONS[chapter], re.M)]
    assert sum(minutes) == 90
    assert min(minutes) >= 10


@pytest.mark.parametrize("chapter", SECTIONS)
def test_a_section_has_a_derivation_and_wrong_answers(chapter):
    board, wrong = (
        SECTIONS[chapter].split("**On the board.**")[1].split("**Expected wrong answers.**")
    )
    assert "$$" in board and '*"' in wrong


def test_what_a_check_is_quoted_with_it_says():
    said = {
        node.value
        for path in (ROOT / "vaecourse" / "checks").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    quoted = re.findall(r'\*"(.*?)"\*', LECTURER)
    assert len(quoted) >= 3 * len(SECTIONS)
    assert [sentence for sentence in quoted if sentence not in said] == []


def test_the_exam_is_in_no_book_and_no_archive_of_the_students():
    assert "exam/" not in (ROOT / "_toc.yml").read_text()
    for page in (LECTURER, ADMINISTRATOR):
        assert "{dropdown} Rubric" not in page and "Question " not in page
    ignored = (ROOT / ".gitattributes").read_text().splitlines()
    assert {"exam export-ignore", "tests/test_exam.py export-ignore"} <= set(ignored)
    assert {"exam", ".venv", "_build"} <= set((ROOT / "binder/.dockerignore").read_text().split())


def test_versions_are_those_of_the_course():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    words = " ".join(ADMINISTRATOR.split())
    (torch_range,) = (name for name in project["dependencies"] if name.startswith("torch"))
    assert torch_range == "torch>=2.6,<2.14" and "any torch from 2.6 to 2.13" in words
    assert project["requires-python"] == ">=3.11" and "Python 3.11 or newer" in words


def test_the_files_for_binder_install_the_pinned_requirements():
    folder = ROOT / "binder"
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert "-r ../requirements.lock" in lines
    # Without a local version such as +cpu the pin can be met from any index.
    assert "torch==2.13.0" in (ROOT / "requirements.lock").read_text().splitlines()
    assert (folder / "runtime.txt").read_text() == "python-3.11\n"
    for script in ("postBuild", "start"):
        assert (folder / script).stat().st_mode & 0o111
        subprocess.run(["bash", "-n", str(folder / script)], check=True)


def test_the_server_gives_a_student_notebooks_once(tmp_path):
    """What `binder/start` does before a student's server: new notebooks come, own ones stay."""
    for folder in ("binder", "students", "work"):
        (tmp_path / folder).mkdir()
    (tmp_path / "binder" / "start").write_text((ROOT / "binder" / "start").read_text())
    for name in ("01 a.ipynb", "02.ipynb"):
        (tmp_path / "students" / name).write_text("new")
    (tmp_path / "work" / "02.ipynb").write_text("the student's")
    start = ["bash", str(tmp_path / "binder" / "start"), "printenv", "OMP_NUM_THREADS"]
    done = subprocess.run(start, capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout == "1\n"
    assert (tmp_path / "work" / "01 a.ipynb").read_text() == "new"
    assert (tmp_path / "work" / "02.ipynb").read_text() == "the student's"


def test_the_classroom_takes_the_settings_of_its_hub_from_the_page():
    """What `make classroom` looks for in them, and without which nobody could log in."""
    settings = recommended()
    assert '["/srv/vaecourse/.venv/bin/jupyterhub-singleuser"]' in settings
    assert "c.Authenticator.allow_all = True\n" in settings
