"""Nothing of a page is cut: code wraps, formulas shrink, what is still wide says so, and no full
stop of a short formula stands alone."""

import re

import nbformat
import pytest
from book_page import DEVICES, STILL
from browser import READY
from page_looks import OPEN_FOLDS

# What a cell printed: its text, the size of its letters, how lines break, and whether it is cut.
PRINTED = """(boxes) => boxes.filter((box) => box.checkVisibility()).map((box) => {
  const { fontSize, whiteSpace } = getComputedStyle(box);
  return [box.textContent, parseFloat(fontSize), whiteSpace, box.scrollWidth > box.clientWidth + 1];
})"""


@pytest.mark.parametrize("name", ["own_data", "chapters/01_modelling_distributions"])
def test_on_a_phone_a_printed_sentence_wraps_and_a_table_keeps_its_columns(
    new_tab, addresses, name
):
    tab = new_tab(**DEVICES["phone"])
    tab.goto(f"{addresses['file']}/{name}.html")
    tab.evaluate(READY)
    tab.evaluate(OPEN_FOLDS)
    tab.evaluate(STILL)
    printed = tab.locator(".cell_output pre").evaluate_all(PRINTED)
    tables = [len(re.findall(r"\S {2,}\S.*$", text, re.M)) > 1 for text, *_ in printed]
    assert len(tables) - sum(tables) > 5
    for table, (text, size, breaks, cut) in zip(tables, printed, strict=True):
        assert breaks == ("pre" if table else "pre-wrap"), text
        assert table or (size >= 12 and not cut), text
    tab.close()


def test_the_scores_of_five_sets_fit_a_phone(new_tab, addresses):
    tab = new_tab(**DEVICES["phone"])
    tab.goto(f"{addresses['file']}/chapters/01_modelling_distributions.html")
    tab.evaluate(READY)
    scores = tab.locator(".cell_output pre", has_text="rule of thumb").first
    head, *rows = scores.inner_text().splitlines()
    assert head.split() == ["aligned", "rotated", "eight", "blobs", "mixture"]
    assert len(rows) == 6 and all("." in row and row.count("-") == 5 for row in rows)
    assert scores.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert scores.evaluate("box => parseFloat(getComputedStyle(box).fontSize)") >= 10
    tab.close()


# By how many pixels the place that is kept for an explorer is higher than the explorer.
SPARE = """(rooms) => rooms.map((room) => room.getBoundingClientRect().height
  - room.querySelector(".vw-figure").getBoundingClientRect().height)"""


@pytest.mark.parametrize("device", ["desktop", "phone"])
@pytest.mark.parametrize("name", ["playground", "chapters/15_rate_and_distortion"])
def test_no_hole_is_left_under_an_explorer(new_tab, addresses, name, device):
    tab = new_tab(**DEVICES[device])
    tab.goto(f"{addresses['file']}/{name}.html")
    tab.evaluate(READY)
    tab.evaluate(STILL)
    (spare,) = tab.locator(".explorer-room").evaluate_all(SPARE)
    assert spare < 5
    tab.close()


@pytest.fixture
def chapter(new_tab, addresses):
    """Chapter 07 in a tab, with what it throws."""
    tab, errors = new_tab(viewport={"width": 1440, "height": 900}), []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(f"{addresses['file']}/chapters/07_elbo.html")
    tab.evaluate(READY)
    yield tab, errors
    tab.close()


def test_a_click_anywhere_on_its_title_opens_a_solution(chapter):
    tab, errors = chapter
    solution = tab.locator(".solution.toggle").first
    title = solution.locator("> .admonition-title a")
    assert title.count() == 1  # its bold words, a link to the exercise
    title.scroll_into_view_if_needed()
    box = title.bounding_box()
    for hidden in (False, True):
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert ("toggle-hidden" in solution.get_attribute("class")) is hidden
    assert "#" not in tab.url
    assert errors == []


def test_formulas_and_exercises_carry_the_numbers_of_their_notebook(chapter, site):
    tab, _ = chapter
    numbers = tab.locator(".eqno").all_text_contents()
    count = len(numbers)
    assert count > 10
    assert [number[1:].partition(")")[0] for number in numbers] == [
        f"7.{place}" for place in range(1, count + 1)
    ]
    links = tab.locator(".eqno a").evaluate_all("links => links.map((link) => link.hash)")
    assert links == [f"#equation-{place}" for place in range(1, count + 1)]
    assert all(tab.locator(link).count() == 1 for link in links)
    exercises = tab.locator(".exercise .caption-number").all_text_contents()
    assert [text.strip() for text in exercises] == [
        f"Exercise 7.{place}" for place in range(1, len(exercises) + 1)
    ]
    solutions = tab.locator(".solution > .admonition-title a").all_text_contents()
    assert {text.split()[1] for text in solutions} <= {text.split()[1] for text in exercises}

    notebook = nbformat.read(site / "notebooks" / "07_elbo_solutions.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"\\tag\{(.*?)\}", text) == [f"7.{place}" for place in range(1, count + 1)]
    titled = re.findall(r"\*\*(Exercise [\d.]+): (.*?)\*\*", text)
    on_page = tab.locator(".exercise > .admonition-title").all_text_contents()
    assert [" ".join(title.split()) for title in on_page] == [f"{a} ({b})" for a, b in titled]


# Sizes of formulas that do not fill their box, and so need no smaller symbols than the text has.
SIZES = """(formulas) => [...new Set(formulas.filter((formula) => formula.checkVisibility()
  && formula.firstElementChild.offsetWidth < formula.clientWidth - 4)
  .map((formula) => getComputedStyle(formula).fontSize))]"""

# The formulas in lines that reach beyond their box, but for a slanted letter that leans out.
CUT = """(formulas) => formulas.filter((formula) => formula.checkVisibility()
  && formula.querySelector("mjx-math").scrollWidth > formula.clientWidth + 4)
  .map((formula) => formula.textContent)"""

HEARD = """() => [document.querySelectorAll("mjx-assistive-mml > math").length,
  document.querySelectorAll("mjx-container").length]"""


def test_symbols_are_as_large_in_a_displayed_formula_as_in_a_line(new_tab, addresses):
    tab = new_tab(viewport={"width": 1440, "height": 900})
    tab.goto(f"{addresses['file']}/chapters/09_variational_autoencoder.html")
    tab.evaluate(READY)
    for media in ("screen", "print"):
        tab.emulate_media(media=media)
        tab.evaluate(STILL)
        (shown,) = tab.locator("section > div.math mjx-container[display]").evaluate_all(SIZES)
        in_line = tab.locator("section > p > span.math mjx-container").first
        assert shown == in_line.evaluate("formula => getComputedStyle(formula).fontSize"), media
        assert float(shown[:-2]) > 20
    tab.close()


@pytest.mark.parametrize("chapter", ["04_expectation_maximization", "07_elbo"])
def test_a_formula_in_a_line_is_not_cut_on_a_phone(new_tab, addresses, chapter):
    tab = new_tab(**DEVICES["phone"])
    tab.goto(f"{addresses['file']}/chapters/{chapter}.html")
    tab.evaluate(READY)
    tab.evaluate(OPEN_FOLDS)
    for width in (390, 360):
        tab.set_viewport_size({"width": width, "height": 844})
        tab.evaluate(STILL)
        formulas = tab.locator(".bd-article span.math mjx-container")
        assert formulas.count() > 100
        assert formulas.evaluate_all(CUT) == [], width
    heard, seen = tab.evaluate(HEARD)
    assert heard == seen  # none is set again from what a screen reader hears
    tab.close()
