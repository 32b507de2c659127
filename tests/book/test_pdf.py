"""The book on paper: nothing is lost, solutions stand at the end, links lead within."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from build_pdf import LEFT_OUT, build, documents
from pypdf import PdfReader

ROOT = Path(__file__).parents[2]
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


def test_every_line_of_code_and_output_is_on_paper_and_plotting_is_not(site, chapter):
    page = BeautifulSoup((site / f"{CHAPTER}.html").read_text("utf-8"), "html.parser")
    printed = letters("".join(chapter))
    plots = 0
    for listing in page.select(".bd-article .cell_input pre"):
        code = listing.get_text()
        folded = listing.find_parent(class_="tag_hide-input") is not None
        if folded and re.search(r"plt\.|\bax\.", code):
            plots += 1
            assert letters(code) not in printed
            continue
        lines = [line for line in code.splitlines() if letters(line)]
        assert [line for line in lines if letters(line) not in printed] == []
    assert plots > 5


def test_answers_and_solutions_stand_at_the_end(chapter):
    text = "\n".join(chapter)
    end = text.rindex("Answers and solutions")
    assert end > text.rindex("What goes wrong")
    exercises = set(re.findall(r"Exercise (9\.\d)", text[:end]))
    assert len(exercises) == 6
    assert set(re.findall(r"Solution to Exercise (9\.\d)", text[end:])) == exercises
    assert "Solution to" not in text[:end]
    assert "def reparameterize" in text[end:] and "def reparameterize" not in text[:end]


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
