"""Every page as axe sees it, and what axe cannot see: keys, and rest where rest is asked for."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from book_page import DEVICES, set_theme
from browser import READY

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

REPEATS = """<html lang="en"><title>Repeats</title>
<style>.vc-latent, .s { color: #ccc } .vc-gap, .k { color: #222 }</style>
<main><h1>Repeats</h1><p>KL is
<mjx-container><mjx-math><mjx-mi class="mjx-i vc-latent"></mjx-mi></mjx-math>z</mjx-container>,
<mjx-container><mjx-math><mjx-mi class="mjx-n vc-gap"></mjx-mi></mjx-math>KL</mjx-container>.</p>
<div><div class="highlight"><pre><span class="k">for</span> x
<span class="k">in</span> <span class="s">'a'</span> + <span class="s">'b'</span></pre></div></div>
</main></html>"""

# Formulas at which the keyboard stops although all of them can be seen, or the other way round.
WRONG_STOPS = """formulas => formulas.filter((formula) => formula.checkVisibility()
  && (formula.scrollWidth > formula.clientWidth) !== (formula.tabIndex === 0)
).map((formula) => formula.textContent)"""

EXPLORER = ".anywidget-static"

# Pictures that a screen reader meets without a word on what they show.
UNNAMED = """canvases => canvases.filter((canvas) => {
  const named = canvas.closest("button, [role=img]");
  return !canvas.closest("[aria-hidden=true]") && !(named && named.ariaLabel) && canvas.clientWidth;
}).map((canvas) => canvas.outerHTML)"""

# Buttons before and after the explorer, for the keyboard to come from and to arrive at.
FENCE = """explorer => {
  for (const [name, where] of [["before", "beforebegin"], ["after", "afterend"]])
    explorer.insertAdjacentHTML(where, `<button data-fence="${name}">${name}</button>`);
}"""

UNFENCE = "() => document.querySelectorAll('[data-fence]').forEach((fence) => fence.remove())"

FOCUSED = """explorer => {
  const focused = document.activeElement;
  if (focused.dataset.fence) return focused.dataset.fence;
  return [...explorer.querySelectorAll("*")].indexOf(focused);
}"""

# What runs now, and what would run at the next touch.
MOVING = """() => document.getAnimations()
  .map(({ effect }) => effect.target.outerHTML.slice(0, 100))"""

TIMED = """parts => parts.filter((part) => {
  const style = getComputedStyle(part);
  return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
}).map((part) => part.outerHTML.slice(0, 100))"""

PICTURES = "canvases => canvases.map((canvas) => canvas.toDataURL())"


@pytest.fixture
def open_page(new_tab, addresses):
    """A function: name and options, to a tab with that page of the book, ready."""
    tabs = []

    def open_page(page, **options):
        tab = new_tab(reduced_motion="reduce", color_scheme="light", **options)
        tabs.append(tab)
        tab.goto(f"{addresses['file']}/{page}")
        tab.evaluate(READY)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


@pytest.fixture(scope="module")
def explorer_pages(site, pages):
    view = "application/vnd.jupyter.widget-view+json"
    found = [page for page in pages if view in (site / page).read_text(encoding="utf-8")]
    assert "index.html" in found
    return found


def violations(tab):
    """What axe finds on a page: [(rule, element, what is wrong), ...]."""
    found = Axe().run(tab, options={"resultTypes": ["violations"]}).response
    return [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


# What surrounds a page is the same for all: one page is looked at in both themes on both devices.
# A word is as faint on a phone, and what scrolls does so in the dark.
BOTH = "chapters/07_elbo.html"


@pytest.mark.parametrize(("device", "theme"), [("desktop", "dark"), ("phone", "light")])
def test_axe_finds_nothing(open_page, page, device, theme):
    tab = open_page(page, **DEVICES[device])
    tab.evaluate(UNFOLD)
    assert tab.locator("mjx-container[display]").evaluate_all(WRONG_STOPS) == []
    assert tab.locator("mjx-container[tabindex]:not([display])").count() == 0
    tab.evaluate(THIN)
    for worn in ("light", "dark") if page == BOTH else (theme,):
        set_theme(tab, worn)
        assert violations(tab) == [], worn
    assert tab.locator("canvas").evaluate_all(UNNAMED) == []


def test_a_kind_of_word_or_symbol_that_is_hard_to_read_is_found(new_tab):
    tab = new_tab()
    tab.set_content(REPEATS)
    tab.evaluate(THIN)
    assert tab.locator("pre span").all_text_contents() == ["for", "'a'"]
    faint = [target for rule, target, _ in violations(tab) if rule == "color-contrast"]
    assert faint == [[".vc-latent"], [".s"]]
    tab.close()


def test_explorers_rest_where_that_is_asked_for_and_the_keyboard_goes_through_and_back(
    open_page, explorer_pages
):
    for page in explorer_pages:
        tab = open_page(page)
        canvases = tab.locator(f"{EXPLORER} canvas")
        set_theme(tab, "dark")
        assert tab.evaluate(MOVING) == [], page
        before, looks = None, 0
        while (now := canvases.evaluate_all(PICTURES)) != before:
            # a busy machine paints the dark theme late; what moves by itself is never the same
            assert looks < 40, page
            before, looks = now, looks + 1
            tab.wait_for_timeout(250)
        assert tab.locator("body *").evaluate_all(TIMED) == [], page
        for explorer in tab.locator(EXPLORER).all():
            explorer.evaluate(FENCE)
            for start, key, end in [("before", "Tab", "after"), ("after", "Shift+Tab", "before")]:
                tab.locator(f"[data-fence={start}]").focus()
                stops = []
                while end not in stops:
                    tab.keyboard.press(key)
                    stops.append(explorer.evaluate(FOCUSED))
                    assert stops[-1] != -1, f"{page}: {key} leads elsewhere"
                    assert len(stops) == len(set(stops)), f"{page}: {key} goes in a circle"
                assert len(stops) > 1, f"{page}: {key} passes the explorer by"
            tab.evaluate(UNFENCE)
        tab.close()
