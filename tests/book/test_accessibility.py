"""A page as axe sees it, and what axe cannot see: keys, and rest where rest is asked for."""

import pytest
from book_page import DEVICES, set_theme
from browser import READY
from page_looks import THIN, UNFOLD, violations

REPEATS = """<html lang="en"><title>Repeats</title>
<style>.vc-latent, .s { color: #ccc } .vc-gap, .k { color: #222 }</style>
<main><h1>Repeats</h1><p>KL is
<mjx-container><mjx-math><mjx-mi class="mjx-i vc-latent"></mjx-mi></mjx-math>z</mjx-container>,
<mjx-container><mjx-math><mjx-mi class="mjx-n vc-gap"></mjx-mi></mjx-math>KL</mjx-container>.</p>
<div><div class="highlight"><pre><span class="k">for</span> x
<span class="k">in</span> <span class="s">'a'</span> + <span class="s">'b'</span></pre></div></div>
</main></html>"""

EXPLORER = ".anywidget-static"
VIEW = "application/vnd.jupyter.widget-view+json"

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


# What surrounds a page is the same for all: on a desktop one page is enough.
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_a_desktop(open_page, theme):
    tab = open_page("chapters/07_elbo.html", **DEVICES["desktop"])
    tab.evaluate(UNFOLD)
    tab.evaluate(THIN)
    set_theme(tab, theme)
    assert violations(tab) == []


def test_a_kind_of_word_or_symbol_that_is_hard_to_read_is_found(new_tab):
    tab = new_tab()
    tab.set_content(REPEATS)
    tab.evaluate(THIN)
    assert tab.locator("pre span").all_text_contents() == ["for", "'a'"]
    faint = [target for rule, target, _ in violations(tab) if rule == "color-contrast"]
    assert faint == [[".vc-latent"], [".s"]]
    tab.close()


def test_explorers_rest_where_that_is_asked_for_and_the_keyboard_goes_through_and_back(
    open_page, site, page
):
    shows = VIEW in (site / page).read_text(encoding="utf-8")
    assert shows or page != "index.html"
    if not shows:
        return
    tab = open_page(page)
    canvases = tab.locator(f"{EXPLORER} canvas")
    set_theme(tab, "dark")
    assert tab.evaluate(MOVING) == []
    before, looks = None, 0
    while (now := canvases.evaluate_all(PICTURES)) != before:
        # a busy machine paints the dark theme late; what moves by itself is never the same
        assert looks < 40
        before, looks = now, looks + 1
        tab.wait_for_timeout(250)
    assert tab.locator("body *").evaluate_all(TIMED) == []
    for explorer in tab.locator(EXPLORER).all():
        explorer.evaluate(FENCE)
        for start, key, end in [("before", "Tab", "after"), ("after", "Shift+Tab", "before")]:
            tab.locator(f"[data-fence={start}]").focus()
            stops = []
            while end not in stops:
                tab.keyboard.press(key)
                stops.append(explorer.evaluate(FOCUSED))
                assert stops[-1] != -1, f"{key} leads elsewhere"
                assert len(stops) == len(set(stops)), f"{key} goes in a circle"
            assert len(stops) > 1, f"{key} passes the explorer by"
        tab.evaluate(UNFENCE)
