"""Text that would be script: whatever a caller can name is shown as it is written, or refused."""

import pytest
import torch
from widget_page import settle, static_page

import vaecourse as vc
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


def run(**changes):
    """A made-up run of three points and two snapshots."""
    points = torch.tensor([[0.0, 0.0], [1.0, 0.5], [-1.0, 2.0]])
    return {
        "data": "three_blobs",
        "posterior": "full",
        "x": points,
        "epochs": [0, 1],
        "codes": torch.stack([points, 0.5 * points]),
        "samples": torch.stack([points, 2 * points]),
        "loss": [3.0, 2.0],
    } | changes


def latent(**arguments):
    x = torch.eye(4)
    return widgets.LatentExplorer(vc.models.VAE(4, 2, (8,)), x, range(4), **arguments)


def family(**arguments):
    gmvae, vrnn = vc.models.GMVAE(12, 2, 3, (8,)), vc.models.VRNN(4, 2, 5, (8,))
    return widgets.FamilyExplorer(gmvae, vrnn, torch.eye(4).repeat(1, 3)[:2], **arguments)


def training(**arguments):
    return widgets.TrainingExplorer([run()], **arguments)


MAKERS = {
    "ElboExplorer": widgets.ElboExplorer,
    "EMStepper": widgets.EMStepper,
    "FamilyExplorer": family,
    "FrechetExplorer": widgets.FrechetExplorer,
    "GradientExplorer": widgets.GradientExplorer,
    "KLExplorer": widgets.KLExplorer,
    "LatentExplorer": latent,
    "TrainingExplorer": training,
}


def hand(maker):
    """The traitlets that a caller can set, and the hand in the page."""
    return [name for name, trait in maker.class_traits().items() if isinstance(trait, Hand)]


def test_every_explorer_is_tried():
    assert set(MAKERS) == set(widgets.__all__)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_hostile_title_is_shown_as_it_is_written(visit, name):
    page = visit(static_page(*[MAKERS[name](title=text) for text in HOSTILE]))
    assert page.locator(".vw-title, .lx-title").all_text_contents() == HOSTILE
    assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_of_a_data_set_is_shown_as_it_is_written(visit, text):
    page = visit(static_page(widgets.TrainingExplorer([run(data=text), run()])))
    buttons = page.locator(".te-data button")
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
