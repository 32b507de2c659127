"""What every page is looked at for once it is open: whether it fits, and what axe says."""

from axe_playwright_python.sync_playwright import Axe
from book_page import STILL, set_theme

# --- whether it fits -------------------------------------------------------------------------

WIDTHS = (390, 768, 1440)

WIDER = """(boxes) => boxes.filter((box) => box.checkVisibility()
  && box.scrollWidth > box.clientWidth + 1).map((box) => box.textContent.slice(0, 60))"""

# Boxes that scroll without telling so, by a faded edge to the eye and by a stop to the keyboard.
SILENT = """(boxes) => boxes.filter((box) => box.checkVisibility()
  && box.scrollWidth > box.clientWidth + 1
  && !(box.classList.contains("goes-on") && box.tabIndex === 0)
).map((box) => box.textContent.slice(0, 60))"""

# What was printed and is wider than its box, though letters of nine pixels would make it fit: a
# letter is .61 of its size wide, and the box has 2 % of its width on either side, at most 16 px.
COULD_FIT = """(boxes) => boxes.filter((box) => {
  const columns = Math.max(...box.textContent.split("\\n").map((line) => line.length));
  const room = box.clientWidth - 2 * Math.min(16, 0.02 * box.clientWidth) - 2;
  const scrolls = box.checkVisibility() && box.scrollWidth > box.clientWidth + 1;
  return scrolls && 9 * 0.61 * columns <= room;
}).map((box) => box.textContent.slice(0, 60))"""

SCROLLING = "mjx-container[display], .bd-article pre"

SMALLEST = """(formulas) => Math.min(99, ...formulas.filter((formula) => formula.checkVisibility())
  .map((formula) => parseFloat(getComputedStyle(formula).fontSize)))"""

# The punctuation marks behind formulas that begin a line, by what stands before them.
STRANDED = """() => [...document.querySelectorAll("span.math")].filter((formula) => {
  const next = formula.nextSibling;
  const [box] = [...formula.querySelector("mjx-container").getClientRects()].slice(-1);
  if (!box || !next || next.nodeType !== 3 || !/^[.,;:?!)’”]/.test(next.data)) return false;
  const range = document.createRange();
  range.setStart(next, 0);
  range.setEnd(next, 1);
  return range.getBoundingClientRect().left < box.right - 3;
}).map((formula) => formula.textContent)"""

# The words of a title that go on in the next line.
BROKEN = """(titles) => titles
  .filter(({ childNodes: [text, ...more] }) => text?.data && !more.length)
  .flatMap((title) => [...title.textContent.matchAll(/[^\\s–-]+/g)]
  .filter(({ 0: word, index }) => {
    const range = document.createRange();
    range.setStart(title.firstChild, index);
    range.setEnd(title.firstChild, index + word.length);
    return range.getClientRects().length > 1;
  }).map(([word]) => word))"""

# Left edges and widths of prose, boxes, code, outputs and folds that stand in a section, not in a
# box of its own.
EDGES = """() => [...document.querySelectorAll(`.bd-article section > p, .bd-article .cell_input,
  .bd-article section > :is(.admonition, .proof), .bd-article .cell > details`)]
  .filter((part) => part.checkVisibility() && !part.parentElement.closest(".admonition, details"))
  .map((part) => part.getBoundingClientRect())
  .map(({ left, width }) => [Math.round(left), Math.round(width)])"""

OPEN_FOLDS = "() => document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"


def look_whether_it_fits(tab):
    """Look at an open page: nothing is cut at any width, and no full stop begins a line."""
    for width in (390, 360, 330):
        tab.set_viewport_size({"width": width, "height": 844})
        assert [formula for formula in tab.evaluate(STRANDED) if len(formula) <= 20] == [], width
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator(".prev-next-title").evaluate_all(BROKEN) == [], width
    tab.evaluate(OPEN_FOLDS)
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.evaluate(STILL)
        assert tab.locator(".cell_input pre").evaluate_all(WIDER) == [], width
        assert tab.locator(SCROLLING).evaluate_all(SILENT) == [], width
        assert tab.locator(".cell_output pre").evaluate_all(COULD_FIT) == [], width
        assert tab.locator("mjx-container[display]").evaluate_all(SMALLEST) >= 11, width
        lefts, widths = map(set, zip(*edges)) if (edges := tab.evaluate(EDGES)) else ((), ())
        assert len(lefts) <= 1 and len(widths) <= 2, width
    tab.emulate_media(media="print")
    assert tab.locator(".bd-article pre").evaluate_all(WIDER) == []


# --- as axe sees it --------------------------------------------------------------------------

# Solutions, long algebra and code lie folded: axe does not look where a reader does not see.
UNFOLD = """async () => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  for (const fold of document.querySelectorAll(".toggle-hidden"))
    fold.classList.remove("toggle-hidden");
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""

# The same thing a thousand times is looked at once: axe takes a millisecond for each element, and
# a chapter has ten thousand parts of formulas and words of listings. A formula that fits becomes
# its text, with a sample of each of its colours; a word of a listing stays where its kind is new.
THIN = """() => {
  const seen = new Set();
  const isNew = (key) => !seen.has(key) && seen.add(key);
  for (const formula of document.querySelectorAll("mjx-container")) {
    if (formula.tabIndex === 0) continue; // it scrolls
    const symbols = [...formula.querySelectorAll("mjx-math [class*=vc-]")];
    const colours = new Set(symbols.map((symbol) => symbol.className.match(/vc-\\w+/)[0]));
    const samples = [...colours].map((name) => {
      const sample = document.createElement("span");
      sample.className = sample.textContent = name;
      return sample;
    });
    formula.style.cssText = "overflow: visible; white-space: normal"; // for its text
    formula.replaceChildren(formula.textContent, ...samples);
  }
  for (const word of document.querySelectorAll("pre span")) {
    const listing = word.closest("div.highlight");
    const place = listing ? listing.parentElement.className : "";
    if (!isNew(`${place} ${word.parentElement.className} ${word.className}`))
      word.replaceWith(...word.childNodes);
  }
  for (const listing of document.querySelectorAll("pre")) listing.normalize();
}"""

# Formulas at which the keyboard stops although all of them can be seen, or the other way round.
WRONG_STOPS = """formulas => formulas.filter((formula) => formula.checkVisibility()
  && (formula.scrollWidth > formula.clientWidth) !== (formula.tabIndex === 0)
).map((formula) => formula.textContent)"""

# Pictures that a screen reader meets without a word on what they show.
UNNAMED = """canvases => canvases.filter((canvas) => {
  const named = canvas.closest("button, [role=img]");
  return !canvas.closest("[aria-hidden=true]") && !(named && named.ariaLabel) && canvas.clientWidth;
}).map((canvas) => canvas.outerHTML)"""


def violations(tab, **options):
    """What axe finds on a page: [(rule, element, what is wrong), ...]."""
    # preload: axe would fetch the style sheets again, for rules on orientation and on films
    options = {"resultTypes": ["violations"], "preload": False, **options}
    found = Axe().run(tab, options=options).response
    return [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def look_as_axe(tab):
    """Look at an open page as it is, in the light, and at its contrasts in the dark as well."""
    tab.emulate_media(reduced_motion="reduce")
    tab.evaluate(UNFOLD)
    assert tab.locator("mjx-container[display]").evaluate_all(WRONG_STOPS) == []
    assert tab.locator("mjx-container[tabindex]:not([display])").count() == 0
    tab.evaluate(THIN)
    set_theme(tab, "light")
    assert violations(tab) == []
    set_theme(tab, "dark")
    assert violations(tab, runOnly=["color-contrast"]) == []
    assert tab.locator("canvas").evaluate_all(UNNAMED) == []
