"""The KL explorer: its divergences against Python and closed forms, hands in a browser."""

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
    rgb,
    script,
    settle,
    static_page,
    swipe,
)

from vaecourse.evaluation.divergence import gaussian_mixture, kl_by_quadrature
from vaecourse.palette import COLOURS
from vaecourse.widgets import KLExplorer

TARGETS = [(0.6, (-2.0, 2.5), (0.5, 0.8)), (0.1, (3.0, -4.0), (2.0, 0.3))]
QS = [[m, s] for m in (-4.0, -2.0, 0.5, 2.37, 6.0) for s in (0.27, 0.8, 2.29, 5.0)]
DENSITIES, INTEGRAND = ".ke-densities canvas", ".ke-integrand canvas"


def divergences(q, target=TARGETS[0]):
    """KL(p ‖ q) and KL(q ‖ p) by Python's quadrature."""
    weight, means, scales = target
    p = gaussian_mixture([weight, 1 - weight], means, scales)
    q = Normal(*torch.tensor(q, dtype=torch.float64))
    return {
        "forward": kl_by_quadrature(p, q).item(),
        "reverse": kl_by_quadrature(q, p).item(),
    }


@pytest.fixture
def page(visit):
    return visit(static_page(KLExplorer()))


def shown(page, side="now"):
    return {
        name: parse(page.locator(f"[data-kind={name}] [data-side={side}]").inner_text().split()[-1])
        for name in ("forward", "reverse")
    }


def q_of(page):
    return [handle_value(page, 0), handle_value(page, 1)]


def assert_shown(page, q):
    assert shown(page) == pytest.approx(divergences(q), abs=0.0051)


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize("target", TARGETS)
def test_the_page_computes_what_python_does(tab, target):
    widget = KLExplorer(*target)
    got = tab.evaluate(
        script(widget, "return arg.qs.map(q => js.divergences(arg.target, q))"),
        {"qs": QS, "target": widget.spec["target"]},
    )
    for q, found in zip(QS, got):
        assert found == pytest.approx(divergences(q, target), rel=1e-9, abs=1e-9)
        widget.q = q
        assert widget.values == pytest.approx(found, rel=1e-9, abs=1e-9)


def test_with_equal_components_both_are_the_closed_form(tab):
    # a mixture of one Gaussian with itself is that Gaussian
    target = [[0.3, 1.0, 0.7], [0.7, 1.0, 0.7]]
    for q in QS:
        one, two = Normal(1.0, 0.7), Normal(*q)
        got = tab.evaluate(script(KLExplorer, "return js.divergences(arg[0], arg[1])"), [target, q])
        assert got["forward"] == pytest.approx(kl_divergence(one, two).item(), rel=1e-5)
        assert got["reverse"] == pytest.approx(kl_divergence(two, one).item(), rel=1e-5)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_shown_as_best_is_a_minimum_on_the_page(tab, target):
    widget, step = KLExplorer(*target), 1e-3
    best = widget.spec["best"]
    assert len(best["forward"]) == 1 and len(best["reverse"]) >= 2
    weight, means, scales = target
    mean = weight * means[0] + (1 - weight) * means[1]
    square = weight * (means[0] ** 2 + scales[0] ** 2) + (1 - weight) * (
        means[1] ** 2 + scales[1] ** 2
    )
    assert best["forward"][0][:2] == pytest.approx([mean, (square - mean**2) ** 0.5], rel=1e-12)
    for direction, fits in best.items():
        assert [kl for *_, kl in fits] == sorted(kl for *_, kl in fits)
        for m, s, kl in fits:
            around = [(m, s), (m - step, s), (m + step, s), (m, s - step), (m, s + step)]
            got = tab.evaluate(
                script(widget, "return arg.qs.map(q => js.divergences(arg.target, q)[arg.name])"),
                {"qs": around, "target": widget.spec["target"], "name": direction},
            )
            assert got[0] == pytest.approx(kl, abs=1e-6)
            assert min(got[1:]) > got[0]
            # flat: the slope is far below the curvature over the step
            assert got[1] == pytest.approx(got[2], abs=1e-7)
            assert got[3] == pytest.approx(got[4], abs=1e-7)


def test_the_integrand_sums_to_the_divergence(tab):
    z = np.linspace(-12, 12, 2401)
    got = tab.evaluate(
        script(KLExplorer, "return arg.z.map(z => js.integrands(arg.target, [0.5, 1], z))"),
        {"z": z.tolist(), "target": KLExplorer().spec["target"]},
    )
    for direction, value in divergences([0.5, 1.0]).items():
        total = sum(one[direction] for one in got) * (z[1] - z[0])
        assert total == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": 0.95}, "weight is 0.95; it must be a number from 0.1 to 0.9."),
        ({"weight": math.nan}, "weight is nan; it must be a number from 0.1 to 0.9."),
        ({"means": (1.0,)}, "means is (1.0,); it must be [first, second]."),
        ({"means": 3}, "means is 3; it must be [first, second]."),
        ({"means": (0, 6)}, "means[1] is 6; it must be a number from -5 to 5."),
        ({"scales": (0, 1)}, "scales[0] is 0; it must be a number from 0.3 to 2."),
        ({"scales": ("1", 1)}, "scales[0] is '1'; it must be a number from 0.3 to 2."),
        (
            {"means": (-0.5, 0.5)},
            "The target has a single mode; its means must be farther apart, or its scales smaller.",
        ),
        (
            {"direction": "both"},
            "direction is 'both'; it must be one of 'forward', 'reverse'.",
        ),
        ({"q": [0.5]}, "q is [0.5]; it must be [mean, standard deviation]."),
        ({"q": [0.5, 0.0]}, "q[1] is 0.0; it must be a number from 0.05 to 20."),
        ({"q": [math.inf, 1.0]}, "q[0] is inf; it must be a number from -20 to 20."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(arguments, message):
    assert refused(KLExplorer, **arguments) == message


def test_a_wrong_q_changes_nothing():
    explorer = KLExplorer(q=[1, 0.5])
    with pytest.raises(ValueError, match="from 0.05 to 20"):
        explorer.q = [0.0, -1.0]
    assert explorer.q == [1.0, 0.5]


# ------------------------------------------------------------------ hands


def unit(page):
    """Pixels to a unit of z."""
    return (pixels(page, DENSITIES).shape[1] - 40 - 20) / 10


def test_the_mouse_moves_and_widens_q(page):
    handles, before = page.locator(".vw-handle"), pixels(page, INTEGRAND)
    assert q_of(page) == [0.5, 1.0]
    assert_shown(page, [0.5, 1.0])
    drag(page, handles.nth(0), -unit(page))
    assert q_of(page) == [pytest.approx(-0.5, abs=0.016), 1.0]
    assert_shown(page, q_of(page))
    assert (pixels(page, INTEGRAND) != before).any()
    drag(page, handles.nth(1), unit(page), up=-20)
    assert q_of(page)[1] == pytest.approx(2.0, abs=0.03)
    assert_shown(page, q_of(page))
    drag(page, handles.nth(0), 900)
    assert q_of(page)[0] == 6


def test_the_keyboard_reaches_both_optima(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Mean of q"
    press(page, "Shift+ArrowLeft", 2)
    press(page, "ArrowLeft", 4)
    page.keyboard.press("Tab")
    press(page, "Shift+ArrowUp", 5)
    press(page, "ArrowRight", 1)
    assert q_of(page) == [-0.2, 2.3]
    assert_shown(page, [-0.2, 2.3])
    page.locator("[data-trait=best]").click()
    settle(page)
    assert shown(page)["forward"] == shown(page, "best")["forward"] == 0.66
    page.locator(".vw-handle").first.focus()
    press(page, "Shift+ArrowLeft", 7)
    press(page, "ArrowDown", 1)
    page.locator(".vw-handle").nth(1).focus()
    press(page, "Shift+ArrowDown", 7)
    press(page, "ArrowDown", 1)
    assert q_of(page) == [-2.0, 0.5]
    assert shown(page)["reverse"] == shown(page, "best")["reverse"] == 0.51


def test_best_is_shown_on_demand_and_reset_puts_it_away(page):
    before = pixels(page, DENSITIES)
    assert page.locator("[data-kind=forward] [data-side=best]").inner_text() == ""
    page.locator("[data-trait=best]").click()
    settle(page)
    one = pixels(page, DENSITIES)
    assert "N(−0.20, 2.29²)" in page.locator(".vw-note").inner_text()
    page.locator("[data-value=reverse]").click()
    settle(page)
    two = pixels(page, DENSITIES)
    assert (one != before).any() and (two != one).any()
    note = page.locator(".vw-note").inner_text()
    assert "N(−2.00, 0.50²)" in note and "N(2.50, 0.81²) at 0.92" in note
    assert page.locator(".ke-area").inner_text() == "shaded less hatched: KL(q ‖ p) = 2.57 nats"
    assert page.locator("[aria-pressed=true]").all_inner_texts() == ["KL(q ‖ p)", "Show best"]
    page.locator(".vw-handle").first.focus()
    press(page, "ArrowLeft", 3)
    page.locator(".vw-reset").click()
    page.mouse.move(0, 0)
    settle(page)
    assert q_of(page) == [0.5, 1.0]
    assert page.locator("[aria-pressed=true]").all_inner_texts() == ["KL(p ‖ q)"]
    assert (pixels(page, DENSITIES) == before).all()


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_the_curve_of_the_integrand_is_where_it_should_be(visit, direction):
    page = visit(static_page(KLExplorer(direction=direction)))
    picture, scale = pixels(page, INTEGRAND), unit(page)
    p, q = gaussian_mixture([0.6, 0.4], *TARGETS[0][1:]), Normal(0.5, 1.0)
    first, second = (p, q) if direction == "forward" else (q, p)
    zs = torch.linspace(-3.5, 5.5, 19, dtype=torch.float64)
    values = first.log_prob(zs).exp() * (first.log_prob(zs) - second.log_prob(zs))
    for z, value in zip(zs.tolist(), values.tolist()):
        px = round(40 + (z + 4) * scale)
        py = round(8 + 150 * (1 - (value + 0.5) / 2.5))
        patch = picture[py - 4 : py + 5, px - 1 : px + 2, :3].astype(int)
        assert np.abs(patch - rgb(COLOURS["gap"])).max(axis=2).min() < 60


def test_a_finger_drags_sideways_and_a_phone_shows_all(visit):
    page = visit(static_page(KLExplorer()), **PHONE)
    swipe(page, page.locator(".vw-handle").first, -80)
    moved = q_of(page)
    assert moved[0] < -0.5 and moved[1] == 1.0 and page.evaluate("scrollY") == 0
    assert_shown(page, moved)
    swipe(page, page.locator(".vw-handle").first, 0, up=150)
    assert page.evaluate("scrollY") > 50 and q_of(page) == moved
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator(".vw-figure :is(button, .vw-handle)").all():
        size = target.bounding_box()
        assert size["width"] >= 32 and size["height"] >= 32


def test_a_pressed_button_stays_legible_under_the_mouse(page):
    button = page.locator("[data-value=reverse]")
    button.click()
    settle(page)
    style = button.evaluate("b => [getComputedStyle(b).color, getComputedStyle(b).backgroundColor]")
    assert style == ["rgb(255, 255, 255)", "rgb(31, 35, 40)"]
