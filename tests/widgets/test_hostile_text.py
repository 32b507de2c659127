"""Text that would be script: whatever a caller can name is shown as it is written, or refused."""

import pytest
from explorers import MAKERS, run
from widget_page import settle, static_page

from vaecourse import widgets
from vaecourse.widgets.shared import Hand

HOSTILE = [
    "<img src=x onerror='window.ran = 1'>",
    "</script><script>window.ran = 1</script>",
    "</SCRIPT ><SCRIPT>window.ran = 1</SCRIPT>",
    "<!--<script>",
    "\"><svg onload='window.ran = 1'>",
    "' onfocus='window.ran = 1' autofocus='",
    "&lt;b&gt; &amp; \u2028 ${window.ran = 1} `",
]


def hand(maker):
    """The traitlets that a caller can set, and the hand in the page."""
    return [name for name, trait in maker.class_traits().items() if isinstance(trait, Hand)]


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_hostile_title_is_shown_as_it_is_written(visit, name):
    page = visit(static_page(*[MAKERS[name](title=text) for text in HOSTILE]))
    assert page.locator(".vw-title").all_text_contents() == HOSTILE
    assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_of_a_data_set_is_shown_as_it_is_written(visit, text):
    page = visit(static_page(widgets.TrainingExplorer([run(data=text), run()])))
    buttons = page.locator("[data-trait=data]")
    assert buttons.first.get_attribute("data-value") == text
    shown = buttons.first.text_content()
    assert shown.lower() == text.lower().replace("_", " ")
    page.locator(".vw-handle").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(800)  # it is read out as well
    settle(page)
    assert page.locator(".vw-live").text_content().startswith(shown)
    assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_traitlet_refuses_hostile_text(name):
    maker = MAKERS[name]
    explorer = maker()
    traits = hand(type(explorer))
    assert traits
    for trait in traits:
        before = getattr(explorer, trait)
        for wrong in [*HOSTILE, None, float("nan"), [HOSTILE[0]], {"a": HOSTILE[0]}]:
            with pytest.raises(ValueError, match=trait):
                setattr(explorer, trait, wrong)
            if wrong is None:
                continue  # to some constructors None is "not given"
            with pytest.raises(ValueError, match=trait):
                maker(**{trait: wrong})
        assert getattr(explorer, trait) == before
