"""Cards on words of the glossary and on citations: what they say, and how they come and go."""

import pytest
from book_page import DEVICES, STILL
from browser import READY
from cards import definitions, written
from docutils import nodes
from sphinx import addnodes

CHAPTER = "chapters/09_variational_autoencoder.html"
TERM = ".bd-article a[href$='glossary.html#term-amortized-inference']"
SAID = (
    "One network, the encoder, that gives the approximate posterior of any x, in place of a "
    "search for each. Chapter 09."
)

# The text of a card; the letters of a formula are those that a screen reader hears.
SEEN = """(card) => card.textContent.replace(/\\s+/g, " ")"""


@pytest.fixture
def open_chapter(new_tab, addresses):
    """A function: options of a tab to the tab, its first term and its first citation."""
    tabs = []

    def open_chapter(**options):
        tab = new_tab(**options)
        tabs.append(tab)
        tab.goto(f"{addresses['file']}/{CHAPTER}")
        tab.evaluate(READY)
        return tab, tab.locator(TERM).first, tab.locator(".bd-article .bibtex-citation a").first

    yield open_chapter
    for tab in tabs:
        tab.close()


def test_a_definition_keeps_its_formulas_as_tex():
    definition = nodes.definition(
        "", nodes.paragraph("", "", nodes.Text("a < "), nodes.math("", "z"))
    )
    term = nodes.term("", "a term", ids=["term-a"])
    items = nodes.definition_list("", nodes.definition_list_item("", term, definition))
    page = nodes.section("", addnodes.glossary("", items))
    assert written(definition) == r"a < \(z\)"
    assert definitions(page) == {"term-a": r"a < \(z\)"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_card_shows_at_hover_what_the_glossary_says_and_moves_nothing(open_chapter, theme):
    tab, term, citation = open_chapter(color_scheme=theme, **DEVICES["desktop"])
    height = tab.evaluate("document.documentElement.scrollHeight")
    title = citation.get_attribute("title")
    for link, said, target in ((term, SAID, "Glossary"), (citation, title, "References")):
        link.scroll_into_view_if_needed()
        before = link.bounding_box()
        link.hover()
        card = tab.locator(".vc-card")
        card.wait_for()
        tab.evaluate(STILL)
        assert card.locator("p").evaluate(SEEN) == said
        more = card.locator("> a")
        assert more.inner_text() == target
        assert more.evaluate("link => link.href") == link.evaluate("link => link.href")
        assert link.bounding_box() == before
        assert tab.evaluate("document.documentElement.scrollHeight") == height
        box = card.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
        card.hover()  # it stays while the pointer is on it
        tab.wait_for_timeout(400)
        assert card.is_visible()
        tab.mouse.move(2, 2)
        card.wait_for(state="detached")
    assert citation.get_attribute("title") is None  # else the browser shows it too


def test_the_keyboard_opens_a_card_and_escape_closes_it(open_chapter):
    tab, term, _ = open_chapter(**DEVICES["desktop"])
    term.focus()
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Tab")
    card = tab.locator(".vc-card")
    card.wait_for()
    assert term.evaluate("link => link === document.activeElement")
    assert term.get_attribute("aria-describedby") == card.get_attribute("id")
    tab.keyboard.press("Escape")
    card.wait_for(state="detached")
    assert term.get_attribute("aria-describedby") is None
    assert term.evaluate("link => link === document.activeElement")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/glossary.html#term-amortized-inference")


def test_a_first_tap_opens_a_card_and_the_second_follows(open_chapter):
    tab, term, citation = open_chapter(**DEVICES["phone"])
    card = tab.locator(".vc-card")
    citation.tap()
    card.wait_for()
    term.tap()
    tab.wait_for_function("document.querySelector('.vc-card > a')?.textContent === 'Glossary'")
    assert tab.url.endswith(CHAPTER) and card.count() == 1
    box = card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    tab.locator("h1").first.evaluate("title => title.click()")
    card.wait_for(state="detached")
    term.tap()
    card.wait_for()
    term.tap()
    tab.wait_for_url("**/glossary.html#term-amortized-inference")


def test_a_card_shows_markup_as_it_is_written(open_chapter):
    tab, _, citation = open_chapter(**DEVICES["desktop"])
    citation.evaluate("link => { link.title = '<img src=x onerror=\"window.hit = 1\">'; }")
    citation.hover()
    card = tab.locator(".vc-card p")
    card.wait_for()
    assert card.inner_text() == '<img src=x onerror="window.hit = 1">'
    assert card.locator("img").count() == 0 and tab.evaluate("window.hit") is None
