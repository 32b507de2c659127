"""The ELBO explorer, and what all widgets share: numbers against torch, hands in a browser."""

import math

import numpy as np
import pytest
import torch
from sentences import refused
from torch.distributions import Normal, kl_divergence
from widget_page import (
    PHONE,
    drag,
    handle_value,
    parse,
    pixels,
    press,
    script,
    settle,
    static_page,
    swipe,
)

from vaecourse.widgets import ElboExplorer

MODELS = [(1.5, 0.5, 2.0), (-0.7, 1.3, 0.4), (0.0, 2.0, -1.0), (8.0, 0.5, -20.0)]
QS = [[0.5, 0.8], [1.2, 0.1**0.5], [-2.9, 0.05], [3.0, 2.0]]
DENSITIES = ".ee-densities canvas"


def torch_values(weight, noise, x, q):
    """Each number from torch's distributions; the expectation by an exact quadrature rule."""
    weight, noise, x = (torch.tensor(v, dtype=torch.float64) for v in (weight, noise, x))
    q = Normal(*torch.tensor(q, dtype=torch.float64))
    prior = Normal(*torch.tensor([0.0, 1.0], dtype=torch.float64))
    precision = 1 + weight**2 / noise**2
    posterior = Normal(weight * x / noise**2 / precision, precision**-0.5)
    # three nodes integrate the quadratic log p(x|z) exactly
    nodes, weights = (torch.from_numpy(v) for v in np.polynomial.hermite_e.hermegauss(3))
    likelihood = Normal(weight * (q.loc + q.scale * nodes), noise).log_prob(x)
    reconstruction = (weights * likelihood).sum() / weights.sum()
    kl = kl_divergence(q, prior)
    values = {
        "evidence": Normal(0, (weight**2 + noise**2).sqrt()).log_prob(x),
        "elbo": reconstruction - kl,
        "gap": kl_divergence(q, posterior),
        "reconstruction": reconstruction,
        "kl_to_prior": kl,
    }
    return {name: value.item() for name, value in values.items()}, posterior


@pytest.fixture
def page(visit):
    """The explorer of the sample model, in a tab."""
    return visit(static_page(ElboExplorer()))


def shown(page):
    """The numbers of the table, by kind."""
    rows = page.locator(".vw-numbers tr").evaluate_all(
        "rows => rows.map(r => [r.dataset.kind, r.cells[1].textContent])"
    )
    return {kind: parse(text) for kind, text in rows}


def q_of(page):
    return [handle_value(page, 0), handle_value(page, 1)]


def assert_shown(page, q):
    """The table is torch's, to the digits that it has."""
    values, _ = torch_values(1.5, 0.5, 2.0, q)
    got = shown(page)
    for kind, name in [("kl", "kl_to_prior"), ("result", "elbo")] + [
        (name, name) for name in ("evidence", "elbo", "gap", "reconstruction")
    ]:
        assert got[kind] == pytest.approx(values[name], abs=0.0051)


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("model", MODELS)
def test_values_agree_with_torch(model, q):
    values = ElboExplorer(*model, q=q).values
    expected, _ = torch_values(*model, q)
    assert values == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert values["elbo"] + values["gap"] == pytest.approx(values["evidence"], rel=1e-9)


def test_the_page_computes_what_python_does(tab):
    widgets = [ElboExplorer(*model, q=q) for model in MODELS for q in QS]
    got = tab.evaluate(
        script(
            widgets[0],
            "return arg.map(([spec, q]) => ({...js.terms(spec, q), atMean: js.terms(spec, q, true),"
            " posterior: js.exactPosterior(spec)}))",
        ),
        [[widget.spec, widget.q] for widget in widgets],
    )
    for widget, page_values in zip(widgets, got):
        values = dict(widget.values)
        values["klToPrior"] = values.pop("kl_to_prior")
        at_mean, posterior = page_values.pop("atMean"), page_values.pop("posterior")
        assert page_values == pytest.approx(values, rel=1e-9, abs=1e-9)
        weight, noise, x, mean = torch.tensor(
            [widget.spec["weight"], widget.spec["noise"], widget.spec["x"], widget.q[0]],
            dtype=torch.float64,
        )
        _, exact = torch_values(weight.item(), noise.item(), x.item(), widget.q)
        assert posterior == pytest.approx([exact.loc.item(), exact.scale.item()], rel=1e-9)
        wanted = Normal(weight * mean, noise).log_prob(x).item()
        assert at_mean["reconstruction"] == pytest.approx(wanted, rel=1e-9)
        assert at_mean["elbo"] == pytest.approx(wanted - values["klToPrior"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": 0.0}, "noise is 0.0; it must be a number from 0.01 to 100."),
        ({"noise": -1}, "noise is -1; it must be a number from 0.01 to 100."),
        ({"noise": math.nan}, "noise is nan; it must be a number from 0.01 to 100."),
        ({"weight": math.inf}, "weight is inf; it must be a number from -100 to 100."),
        ({"x": math.nan}, "x is nan; it must be a number from -1000 to 1000."),
        ({"x": "2"}, "x is '2'; it must be a number from -1000 to 1000."),
        ({"weight": 50}, "|weight|/noise is 100; the picture holds at most 20."),
        ({"x": 100}, "x is 100, so the posterior is at 60; the picture ends at ±10."),
        ({"q": [0.5]}, "q is [0.5]; it must be [mean, standard deviation]."),
        ({"q": [0.5, 0.0]}, "q[1] is 0.0; it must be a number from 0.001 to 100."),
        ({"q": [math.nan, 1.0]}, "q[0] is nan; it must be a number from -100 to 100."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(arguments, message):
    assert refused(ElboExplorer, **arguments) == message


def test_a_wrong_q_changes_nothing():
    explorer = ElboExplorer(q=[1, 0.5])
    with pytest.raises(ValueError, match="from 0.001 to 100"):
        explorer.q = [0.0, -1.0]
    assert explorer.q == [1.0, 0.5]


# ------------------------------------------------------------------ hands


def test_it_opens_at_the_worse_guess_of_the_chapter(page):
    assert q_of(page) == [0.5, 0.8]
    assert_shown(page, [0.5, 0.8])
    assert shown(page)["gap"] == 4.22
    assert page.locator(".vw-key > span").nth(1).inner_text() == "p(z|x) = N(1.20, 0.32²)"


def test_at_the_posterior_the_gap_is_nothing_and_the_mistake_exceeds_the_evidence(page):
    page.locator(".ee-exact").click()
    settle(page)
    got = shown(page)
    assert got["gap"] == 0 and got["elbo"] == got["evidence"] == -2.18
    toggle = page.locator("[data-trait=atMean]")
    toggle.click()
    settle(page)
    assert toggle.get_attribute("aria-pressed") == "true"
    got = shown(page)
    assert got["result"] == -1.73 and got["elbo"] == -2.18
    assert "the result is 0.45 above log p(x)" in page.locator(".vw-note").inner_text()
    page.locator(".vw-reset").click()
    settle(page)
    assert toggle.get_attribute("aria-pressed") == "false" and q_of(page) == [0.5, 0.8]
    assert_shown(page, [0.5, 0.8])


def unit(page):
    """Pixels to a unit of z."""
    return (pixels(page, DENSITIES).shape[1] - 34 - 20) / 6


def test_the_mouse_moves_and_widens_q(page):
    before, handles = pixels(page, DENSITIES), page.locator(".vw-handle")
    drag(page, handles.nth(0), unit(page))
    assert q_of(page) == [pytest.approx(1.5, abs=0.011), 0.8]
    assert_shown(page, q_of(page))
    assert (pixels(page, DENSITIES) != before).any()
    drag(page, handles.nth(1), -0.4 * unit(page), up=50)
    assert q_of(page) == pytest.approx([1.5, 0.4], abs=0.021)
    assert_shown(page, q_of(page))
    drag(page, handles.nth(1), 700)
    assert q_of(page)[1] == 2
    drag(page, handles.nth(0), 900)
    assert q_of(page)[0] == 3
    page.mouse.move(5, 5)
    settle(page)
    assert q_of(page) == [3, 2]


def test_a_pointer_far_from_the_handles_moves_the_mean(page):
    box = page.locator(DENSITIES).bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 80 + 0.5 * unit(page), box["y"] + 40, steps=3)
    page.mouse.up()
    settle(page)
    assert q_of(page) == [pytest.approx(1.0, abs=0.011), 0.8]


def test_the_keyboard_answers_the_exercise(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Mean of q"
    press(page, "ArrowRight", 4)
    press(page, "Shift+ArrowUp", 2)
    assert q_of(page) == [1.2, 0.8]
    assert shown(page)["gap"] == 1.77
    page.keyboard.press("Tab")
    press(page, "Shift+ArrowLeft", 2)
    press(page, "ArrowUp")
    assert q_of(page) == [1.2, 0.35]
    assert_shown(page, [1.2, 0.35])
    press(page, "Shift+ArrowDown", 9)
    # half as wide as the posterior
    assert q_of(page) == [1.2, 0.16]


def test_a_finger_drags_sideways_and_scrolls_up_and_down(visit):
    page = visit(static_page(ElboExplorer()), **PHONE)
    handle = page.locator(".vw-handle").first
    swipe(page, handle, -80)
    moved = q_of(page)
    assert moved[0] < -0.3 and moved[1] == 0.8 and page.evaluate("scrollY") == 0
    assert_shown(page, moved)
    swipe(page, handle, 0, up=150)
    assert page.evaluate("scrollY") > 50 and q_of(page) == moved


def test_curves_are_where_their_densities_are(page):
    drag(page, page.locator(".vw-handle").first, -1.5 * unit(page))  # q out of the way
    picture, scale = pixels(page, DENSITIES), unit(page)
    _, posterior = torch_values(1.5, 0.5, 2.0, [0.5, 0.8])
    top = 1.3 * posterior.log_prob(posterior.loc).exp().item()
    for z in (0.9, 1.2, 1.5, 1.8):
        density = posterior.log_prob(torch.tensor(z)).exp().item()
        px, py = round(34 + (z + 3) * scale), round(10 + (1 - density / top) * 268)
        patch = picture[py - 2 : py + 3, px - 2 : px + 3, :3].astype(int)
        dark = np.abs(patch - [0x4B, 0x55, 0x63]).max(axis=2).min()
        assert dark < 90  # anti-aliased, and tinted behind


# ------------------------------------------------------------------ what all widgets share
