"""The page that holds the chapters to what they promise."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from status_page import chapters_table, in_runs, summary, syllabus_table

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PROMISE = re.compile(r"\bAbout (\d+) minutes to read, (\d+) seconds to run\b")
ITEMS = [
    f"S{source}.{k}" for source, count in enumerate([20, 7, 12, 12, 6]) for k in range(1, count + 1)
]


@pytest.fixture(scope="module")
def status(site):
    return BeautifulSoup((site / "status.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def chapters(status):
    """The table of chapters: {address: texts of the other cells}."""
    rows = [row.find_all("td") for row in status.select("main table")[0].select("tbody tr")]
    return {row[0].a["href"]: [cell.get_text(" ", strip=True) for cell in row[1:]] for row in rows}


def notebook(path):
    return nbformat.read(path, as_version=4)


def test_every_chapter_of_the_book_is_there(chapters, pages):
    assert list(chapters) == [page for page in pages if page.startswith("chapters/")]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_promise_is_that_of_the_metadata_and_of_the_first_cell(chapters, path):
    chapter = notebook(path)
    promise = chapter.metadata["vaecourse"]
    promised = [str(promise["minutes_to_read"]), str(promise["seconds_to_run"])]
    assert chapters[f"chapters/{path.stem}.html"][:2] == promised
    assert PROMISE.findall(chapter.cells[0].source) == [tuple(promised)]


def test_measured_is_what_timings_json_says(chapters, site):
    timings = json.loads((site.parent / "timings.json").read_text(encoding="utf-8"))
    for address, (_, promised, measured, *_) in chapters.items():
        seconds = timings[address.removesuffix(".html")]
        assert measured == f"{seconds:.1f}" + (", missed" if seconds > int(promised) else "")


def test_sentence_counts_the_promises_that_were_missed(status, chapters):
    missed = sum("missed" in row[2] for row in chapters.values())
    text = status.select_one("main").get_text(" ", strip=True)
    assert f"took longer than they promise: {missed} of {len(chapters)}." in text


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_exercises_are_those_of_the_page_and_checks_those_of_the_cells(chapters, site, path):
    exercises, checks = chapters[f"chapters/{path.stem}.html"][3:5]
    page = (site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    assert len(BeautifulSoup(page, "html.parser").select("main .exercise")) == int(exercises)
    called = {
        node.func.attr
        for cell in notebook(path).cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value).split(".")[-1] == "checks"
    }
    assert len(called) == int(checks)


def test_items_that_no_chapter_names_are_owed_and_all_others_lead_there(status):
    covering = {item: [] for item in ITEMS}
    for path in CHAPTERS:
        for item in notebook(path).metadata["vaecourse"]["sources"]:
            covering[item].append(f"chapters/{path.stem}.html")
    table = [row.find_all("td") for row in status.select("main table")[1].select("tbody tr")]
    assert [row[0].get_text(strip=True) for row in table] == ITEMS
    for item, _, where in table:
        assert [a["href"] for a in where.find_all("a")] == covering[item.get_text(strip=True)]
    owed = ", ".join(item for item in ITEMS if not covering[item]) or "none"
    assert f"Owed by no chapter yet: {owed}." in status.select_one("main").get_text(" ", strip=True)


def chapter(seconds):
    """A chapter that promises ten seconds and took so many."""
    return {
        "minutes_to_read": 40,
        "seconds_to_run": 10,
        "sources": ["S0.1"],
        "exercises": 3,
        "checks": 1,
        "seconds": seconds,
        "date": None,
    }


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(9.9, "9.9"), (10.0, "10.0"), (10.1, "**10.1, missed**"), (None, "not run")],
)
def test_missed_promise_is_called_missed(seconds, shown):
    row = chapters_table({"chapters/07_elbo": chapter(seconds)}).splitlines()[-1]
    assert row == f"| 07 {{doc}}`/chapters/07_elbo` | 40 | 10 | {shown} | 3 | 1 | S0.1 |"


def test_pages_without_a_run_say_so():
    assert summary({"chapters/07_elbo": chapter(None)}) == "No chapter was run for these pages."


def test_neighbours_among_the_items_are_one():
    assert in_runs(["S0.3", "S0.10", "S1.4", "S1.5", "S1.6", "S2.6"]) == "S0.3, S0.10, S1.4–6, S2.6"


def test_item_without_a_chapter_is_owed():
    items = {"S0.1": "first", "S0.2": "second"}
    lines = syllabus_table(items, {"chapters/07_elbo": chapter(1.0)}).splitlines()
    assert lines[0] == "**Owed by no chapter yet: S0.2.**"
    assert lines[-2:] == [
        "| S0.1 | first | {doc}`07 </chapters/07_elbo>` |",
        "| S0.2 | second | owed |",
    ]
