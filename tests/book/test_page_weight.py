"""What a page loads: nothing that it does not use, and little on the first page."""

import json

import pytest
from bs4 import BeautifulSoup
from ipywidgets.embed import dependency_state, embed_minimal_html
from page_weight import lighten

from vaecourse.widgets import KLExplorer

FIRST_PAGE = 1_200_000  # bytes, unpacked: with the page itself, its explorer and its model
ANY_PAGE = 2_500_000  # bytes of the page itself, with the state of its explorers

HEAD = """<head><link rel="stylesheet" type="text/css" href="_static/sphinx-design.min.css?v=6" />
  <script defer src="_static/scripts/fontawesome.js?digest=5"></script>
  <script defer="defer" src="_static/formulas.js?v=2"></script>
  <script>window.MathJax = {"options": {}}</script>
  <script defer="defer" src="_static/mathjax/tex-mml-chtml.js?v=c"></script>
  <script src="_static/searchtools.js"></script>
  <script src="searchindex.js"></script></head>"""

BYTES = """() => [...performance.getEntriesByType("navigation"),
  ...performance.getEntriesByType("resource")].reduce((sum, { decodedBodySize }) =>
  sum + decodedBodySize, 0)"""

# The icons of a page as wide as their font draws them: a glyph that is missing is a box.
ICONS = """() => [...document.querySelectorAll("i[class*=fa-]")].map((icon) => {
  const style = getComputedStyle(icon, "::before");
  const known = document.fonts.check(`900 16px ${style.fontFamily}`, style.content.slice(1, -1));
  return [icon.className, style.content !== "none" && known];
}).filter(([, drawn]) => !drawn)"""


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("<p>text</p>", []),
        ('<p class="math notranslate">x</p>', ["formulas", "MathJax", "mathjax"]),
        ("<td>$$x$$</td>", ["formulas", "MathJax", "mathjax"]),
        ("<script>'$$'</script>", []),
        ('<div class="x sd-card">', ["sphinx-design"]),
    ],
)
def test_a_page_loads_what_it_uses(body, kept):
    light = lighten(HEAD + body)
    names = ("sphinx-design", "fontawesome", "formulas", "MathJax", "mathjax", "searchtools")
    assert [part for part in (*names, "searchindex") if part in light] == kept
    assert light.endswith(body)
    assert lighten(light) == light


def test_icons_are_hidden_from_screen_readers():
    page = '<i class="fa-solid fa-bars"></i>'
    assert lighten(page) == '<i class="fa-solid fa-bars" aria-hidden="true"></i>'


def test_first_page_is_light_and_has_its_icons(chromium, addresses):
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    tab = context.new_page()
    tab.goto(f"{addresses['http']}/index.html", wait_until="networkidle")
    assert 300_000 < tab.evaluate(BYTES) <= FIRST_PAGE
    assert tab.locator("i[class*=fa-]").count() > 3
    assert tab.evaluate(ICONS) == []
    context.close()


def kept_and_shown(soup):
    """How many explorers a page keeps the state of, and how many it shows."""
    kind = "application/vnd.jupyter.widget-{}+json"
    states = [json.loads(part.string) for part in soup("script", type=kind.format("state"))]
    names = [model["model_name"] for state in states for model in state["state"].values()]
    return names.count("AnyModel"), len(soup("script", type=kind.format("view")))


def test_a_page_is_no_burden_and_keeps_the_state_of_what_it_shows(site, page, soup):
    assert (site / page).stat().st_size <= ANY_PAGE
    kept, shown = kept_and_shown(soup)
    assert kept == shown


def test_an_explorer_that_a_cell_made_to_compute_with_is_found(tmp_path):
    shown, hidden = KLExplorer(), KLExplorer()
    state = dependency_state([shown, hidden])
    embed_minimal_html(tmp_path / "page.html", [shown], state=state)
    soup = BeautifulSoup((tmp_path / "page.html").read_text(), "html.parser")
    assert kept_and_shown(soup) == (2, 1)
