"""What a page loads: nothing that it does not use, and little on the first page."""

import pytest
from page_weight import lighten

FIRST_PAGE = 1_200_000  # bytes, unpacked: with the page itself, its explorer and its model

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
