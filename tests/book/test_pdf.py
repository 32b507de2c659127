"""The book on paper: nothing is lost, solutions stand at the end, links lead within."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from browser import COMPUTED, READY
from bs4 import BeautifulSoup
from build_pdf import HEIGHT, LEAST, LEFT_OUT, SHRINK, WIDTH, build, documents, sheets
from pypdf import PdfReader

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "_ext" / "assets" / "course.css"
CHAPTER = "chapters/09_variational_autoencoder"


@pytest.fixture(scope="module")
def folder(chromium, site, tmp_path_factory):
    target = tmp_path_factory.mktemp("pdf")
    return build(chromium, ROOT, target, ["index", CHAPTER, "glossary"]).parent


@pytest.fixture(scope="module")
def book(folder):
    return PdfReader(folder / "book.pdf")


@pytest.fixture(scope="module")
def chapter(folder):
    return [page.extract_text() for page in PdfReader(folder / f"{Path(CHAPTER).name}.pdf").pages]


def letters(text):
    return re.sub(r"\W", "", text)


def look_at_code(site, printed):
    """All code and output is in a text, but for that of plots; returns how many of these."""
    page = BeautifulSoup((site / f"{CHAPTER}.html").read_text("utf-8"), "html.parser")
    printed, plots = letters(printed), 0
    for listing in page.select(".bd-article .cell_input pre"):
        code = listing.get_text()
        folded = listing.find_parent(class_="tag_hide-input") is not None
        if folded and re.search(r"plt\.|\bax\.", code):
            plots += 1
            assert letters(code) not in printed
            continue
        lines = [line for line in code.splitlines() if letters(line)]
        assert [line for line in lines if letters(line) not in printed] == []
    return plots


def test_every_line_of_code_and_output_is_on_paper_and_plotting_is_not(site, chapter):
    assert look_at_code(site, "".join(chapter)) > 5


def test_answers_and_solutions_stand_at_the_end(chapter):
    text = "\n".join(chapter)
    end = text.rindex("Answers and solutions")
    assert end > text.rindex("What goes wrong")
    exercises = set(re.findall(r"Exercise (9\.\d)", text[:end]))
    assert len(exercises) == 6
    assert set(re.findall(r"Solution to Exercise (9\.\d)", text[end:])) == exercises
    assert "Solution to" not in text[:end]
    assert "def reparameterize" in text[end:] and "def reparameterize" not in text[:end]


def test_an_explorer_is_printed_once_it_has_computed(chapter):
    text = "\n".join(chapter)
    assert re.search(r"log p\(x\)\s*−1\d\d\.\d", text)
    assert not re.search(r"log p\(x\)\s*–", text)


def test_the_browser_s_own_print_has_the_same_rules_and_leaves_no_trace(chromium, site, tmp_path):
    tab = chromium.new_page(color_scheme="light")
    tab.goto((site / f"{CHAPTER}.html").as_uri())
    tab.evaluate(READY)
    tab.evaluate(COMPUTED)
    article = (
        "document.querySelector('.bd-article').outerHTML.replace(/(tabindex|style)=.*?>/g, '>')"
    )
    before = tab.evaluate(article)
    tab.pdf(path=tmp_path / "own.pdf")
    assert tab.evaluate(article) == before
    tab.close()
    text = "\n".join(page.extract_text() for page in PdfReader(tmp_path / "own.pdf").pages)
    end = text.rindex("Answers and solutions")
    assert text.rindex("What goes wrong") < end < text.index("Solution to")
    assert look_at_code(site, text) > 5


def on_sheets(chromium, tmp_path, body):
    """The texts of the sheets that a page of this body is printed on, after SHRINK."""
    tab = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    tab.set_content(f"<style>* {{ margin: 0 }}</style><article class='bd-article'>{body}</article>")
    tab.add_style_tag(path=STYLE)
    tab.emulate_media(media="print")
    tab.evaluate(SHRINK, [HEIGHT, LEAST])
    sheets(tab, tmp_path / "sheets.pdf")
    tab.close()
    return [page.extract_text() for page in PdfReader(tmp_path / "sheets.pdf").pages]


@pytest.mark.parametrize(("above", "sheet"), [(0.4, 1), (0.5, 1), (0.7, 2)])
def test_an_explorer_becomes_smaller_for_the_room_that_is_left(chromium, tmp_path, above, sheet):
    """0.7 of a sheet in the room of 0.6, of 0.5, and of 0.3, which is too little."""
    text = f"<svg style='display: block; height: {above * HEIGHT}px'></svg>"
    room = f"<div class='explorer-room' style='height: {0.7 * HEIGHT}px'><p>explorer</p></div>"
    found = on_sheets(chromium, tmp_path, text + room)
    assert ["explorer" in page for page in found] == [number == sheet for number in (1, 2)][:sheet]


def test_the_title_of_a_box_stays_with_its_first_line(chromium, tmp_path):
    text = f"<p style='height: {HEIGHT - 40}px'>above</p>"
    lines = "".join(f"<p style='height: 60px; break-inside: avoid'>line {k}</p>" for k in range(30))
    box = f"<div class='admonition'><p class='admonition-title'>title</p><div>{lines}</div></div>"
    first, second, *_ = on_sheets(chromium, tmp_path, text + box)
    assert "title" not in first and "title" in second and "line 0" in second


def test_three_lines_stay_together(chromium, tmp_path):
    text = f"<p style='height: {HEIGHT - 60}px'>above</p>"
    lines = f"<p style='line-height: 25px'>{'<br>'.join(('one', 'two', 'three'))}</p>"
    first, second = on_sheets(chromium, tmp_path, text + lines)
    assert "one" not in first and "three" in second


def test_pages_are_numbered_and_the_outline_has_the_chapters(book, chapter):
    feet = [page.extract_text().splitlines()[-1].split()[-1] for page in book.pages]
    assert feet == [str(number) for number in range(1, len(book.pages) + 1)]
    assert chapter[-1].splitlines()[-1] == f"09 The variational autoencoder {len(chapter)}"
    titles = [entry.title for entry in book.outline if not isinstance(entry, list)]
    assert titles[1:] == ["09 The variational autoencoder", "Glossary"]


def test_links_lead_to_pages_of_the_book_or_of_the_web(book):
    starts = [
        book.get_destination_page_number(entry)
        for entry in book.outline
        if not isinstance(entry, list)
    ]
    ends = [*starts[1:], len(book.pages)]
    within = dict(zip(["index", CHAPTER, "glossary"], zip(starts, ends)))
    assert all(a < b for a, b in pairwise(starts))
    numbers = {page.indirect_reference.idnum: number for number, page in enumerate(book.pages)}
    led, outside = set(), set()
    for number, page in enumerate(book.pages):
        for note in page.get("/Annots", []):
            link = note.get_object()
            if address := link.get("/A", {}).get("/URI"):
                outside.add(address.split(":")[0])
            elif number < within["index"][1]:
                led.add(numbers[link["/Dest"][0].idnum])
    assert outside <= {"http", "https", "mailto"}
    assert {within[CHAPTER][0], within["glossary"][0]} <= led


def test_all_pages_to_read_are_printed():
    printed = documents(ROOT)
    assert {"index", CHAPTER, "notation", "errata"} <= set(printed)
    assert not any(name.startswith(LEFT_OUT) for name in printed)
