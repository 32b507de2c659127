"""The EM stepper: its arithmetic against GaussianMixture, hands in a browser."""

import math
import re

import numpy as np
import pytest
import torch
from sentences import refused
from widget_page import (
    PHONE,
    drag,
    parse,
    pixels,
    press,
    rgb,
    script,
    settle,
    static_page,
    swipe,
)

import vaecourse as vc
from vaecourse.inference.em import GaussianMixture
from vaecourse.widgets import EMStepper

POINTS, TRACE = ".es-points canvas", ".es-trace canvas"
START = [[0.0, 0.0], [2.0, 4.0], [-1.0, -3.0]]
CLIMB = (
    "const climb = new js.Climb(arg.spec, arg.means); climb.to(arg.steps);"
    "return {failure: climb.failure, trace: climb.trace.map(({theta, statistics, ...values}) =>"
    " ({...values, ...theta, responsibilities: statistics && statistics.responsibilities}))}"
)


def points():
    return vc.data.synthetic("gaussian_mixture", 240).x.double()


def begin(x, means, regularization=1e-6):
    """A mixture at the widget's start."""
    mixture = GaussianMixture(3, regularization=regularization)
    covariance = torch.cov(x.T, correction=0) / 3
    mixture.initialize(x, means=means, covariances=covariance.repeat(3, 1, 1))
    return mixture


def half_steps(x, means, steps):
    """After each half step, Python's parameters, responsibilities, objective and bound."""
    mixture, statistics, r = begin(x, means), None, None
    rows = []
    for step in range(steps + 1):
        if step % 2:
            r, statistics = mixture.responsibilities(x), mixture.e_step(x)
        elif step:
            mixture.m_step(statistics)
        bound = mixture.bound(statistics) if step else math.nan
        parameters = (mixture.weights_, mixture.means_, mixture.covariances_)
        rows.append((*parameters, r, mixture.objective(x), bound))
    return rows


@pytest.fixture
def page(visit):
    return visit(static_page(EMStepper()))


def press_steps(page, times):
    for _ in range(times):
        page.locator("[data-step]:enabled").click()
    settle(page)


def shown(page):
    rows = page.locator(".vw-numbers tr").evaluate_all(
        "rows => rows.map(r => [r.dataset.kind, r.cells[1].textContent])"
    )
    return {kind: parse(text) for kind, text in rows if text != "–"}


def centres(page):
    texts = page.locator(".vw-handle").evaluate_all(
        "all => all.map(e => e.getAttribute('aria-valuetext'))"
    )
    return [[parse(v) for v in text.split(";")[0].split(", ")] for text in texts]


def assert_shown(page, means, steps):
    """Centres and numbers are Python's, to the digits that they have."""
    _, found, _, _, objective, bound = half_steps(points(), means, steps)[-1]
    np.testing.assert_allclose(centres(page), found.numpy(), atol=0.0051)
    got = shown(page)
    assert got.pop("objective") == pytest.approx(objective, abs=5.1e-5)
    wanted = {"bound": bound, "gap": objective - bound} if steps else {}
    assert got == pytest.approx(wanted, abs=5.1e-5)


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize("means", [START, [[-6.0, 5.0], [-5.0, 1.0], [6.0, 5.0]]])
def test_ten_steps_agree_with_the_mixture(tab, means):
    widget = EMStepper(means=means)
    wanted = half_steps(points(), means, 20)
    got = tab.evaluate(
        script(widget, CLIMB), {"spec": widget.spec, "means": widget.means, "steps": 20}
    )
    assert got["failure"] == "" and len(got["trace"]) == 21
    for step, (found, (weights, at, covariances, r, objective, bound)) in enumerate(
        zip(got["trace"], wanted)
    ):
        np.testing.assert_allclose(found["weights"], weights, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found["means"], at, rtol=0, atol=1e-9)
        flat = covariances.flatten(1)[:, [0, 1, 3]]
        np.testing.assert_allclose(found["covariances"], flat, rtol=0, atol=1e-9)
        assert found["objective"] == pytest.approx(objective, abs=1e-9)
        if step:
            np.testing.assert_allclose(found["responsibilities"], r, rtol=0, atol=1e-9)
            assert found["bound"] == pytest.approx(bound, abs=1e-9)
    # an E step touches the log-likelihood; an M step raises the bound, and what it bounds by more
    trace = got["trace"]
    for after_e, after_m in zip(trace[1::2], trace[2::2]):
        assert after_e["bound"] == pytest.approx(after_e["objective"], abs=1e-10)
        assert after_m["bound"] >= after_e["bound"] - 1e-12
        assert after_m["objective"] >= after_m["bound"] - 1e-12
    assert trace[2]["objective"] > trace[2]["bound"] + 0.01


def test_a_large_regularization_counts_in_both(tab):
    widget = EMStepper(regularization=20.0)
    mixture = begin(points(), START, 20.0)
    for _ in range(3):
        mixture.m_step(mixture.e_step(points()))
    got = tab.evaluate(script(widget, CLIMB), {"spec": widget.spec, "means": START, "steps": 6})[
        "trace"
    ][-1]
    assert got["objective"] == pytest.approx(mixture.objective(points()), abs=1e-9)
    np.testing.assert_allclose(got["means"], mixture.means_, atol=1e-9)
    # the penalty is there to be seen
    assert abs(got["objective"] - mixture.score(points())) > 0.01


def test_a_component_left_without_points_keeps_its_place(tab):
    # so narrow that the two near the points take them all
    x = torch.tensor([[0.0, 0.0], [0.02, 0.0], [0.0, 0.02], [9.0, 9.0], [9.02, 9.0]] * 2)
    covariance = [[1e-3, 0.0], [0.0, 1e-3]]
    spec = {"x": x.double().tolist(), "covariance": covariance, "regularization": 1e-6}
    means = [[0.0, 0.0], [9.0, 9.0], [4.0, 5.0]]
    mixture = GaussianMixture(3, regularization=1e-6)
    mixture.initialize(
        x, means=means, covariances=torch.tensor(covariance).double().repeat(3, 1, 1)
    )
    for _ in range(4):
        mixture.m_step(mixture.e_step(x))
    found = tab.evaluate(script(EMStepper, CLIMB), {"spec": spec, "means": means, "steps": 8})[
        "trace"
    ][-1]
    assert found["weights"][2] == mixture.weights_[2] == 0
    assert found["means"][2] == [4.0, 5.0] and found["covariances"][2] == [1e-3, 0, 1e-3]
    np.testing.assert_allclose(found["means"], mixture.means_, atol=1e-9)
    assert found["objective"] == pytest.approx(mixture.objective(x), abs=1e-9)


PILES = [[0.0, 0.0]] * 4 + [[5.0, 1.0]] * 4 + [[1.0, 6.0]] * 4
ON_PILES = [[0.5, 0.0], [5.0, 1.5], [1.0, 5.5]]


def test_a_singular_component_stops_the_climb_where_python_stops(visit, tab):
    widget = EMStepper(PILES, means=ON_PILES, regularization=0)
    got = tab.evaluate(
        script(widget, CLIMB), {"spec": widget.spec, "means": widget.means, "steps": 400}
    )
    x = torch.tensor(PILES, dtype=torch.float64)
    mixture, taken = begin(x, ON_PILES, 0.0), 0
    with pytest.raises(ValueError, match="Component . has a singular covariance") as error:
        for _ in range(200):
            mixture.m_step(mixture.e_step(x))
            taken += 1
    # Python counts from zero, the page shows 1, 2, 3
    index = int(re.search(r"Component (\d)", str(error.value))[1])
    assert got["failure"] == f"Component {index + 1} has a singular covariance"
    assert len(got["trace"]) == 2 * taken + 2
    np.testing.assert_allclose(got["trace"][-1]["means"], mixture.means_, atol=1e-9)
    page = visit(static_page(widget))
    press_steps(page, 2 * taken + 2)
    assert page.locator(".vw-note").inner_text() == (
        f"{got['failure']}, and has no density. Move its centre to begin anew."
    )
    assert page.locator("[data-step]:disabled").count() == 2
    page.locator(".vw-reset").click()
    settle(page)
    assert page.locator("[data-step]:disabled").all_inner_texts() == ["M"]
    np.testing.assert_allclose(centres(page), ON_PILES, atol=0.0051)
    with pytest.raises(ValueError, match="singular covariance"):
        EMStepper(PILES, means=ON_PILES, regularization=0, steps=2 * taken + 2)


def test_the_kernel_has_the_mixture_that_the_page_shows():
    stepper = EMStepper(steps=7)
    wanted = half_steps(points(), START, 7)[-1]
    assert torch.equal(stepper.mixture.means_, wanted[1])
    stepper.means, stepper.steps = [[1, 1], [2, 2], [3, 3]], 2
    wanted = half_steps(points(), [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], 2)[-1]
    assert torch.equal(stepper.mixture.covariances_, wanted[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"x": "points"},
            "x is a str that cannot be read as numbers; it must be a torch tensor, a numpy array, "
            "nested lists or a pandas frame of them.",
        ),
        ({"x": torch.zeros(20, 3)}, "x has shape [20, 3]; it must be [N, 2]."),
        ({"x": torch.eye(2)}, "x has 2 rows; it must have from 10 to 2000."),
        ({"x": torch.full((20, 2), math.nan)}, "x has NaN or infinite values; it must be finite."),
        ({"x": torch.ones(20, 2)}, "x is constant in column 1; every column must vary."),
        ({"means": [[0, 0]]}, "means has 1 rows; it must have 3."),
        ({"means": [1, 2, 3]}, "means has shape [3]; it must be [N, 2]."),
        (
            {"means": [[0, 0], [1, 1], [math.nan, 0]]},
            "means has NaN or infinite values; it must be finite.",
        ),
        ({"regularization": -1}, "regularization is -1; it must be a number from 0 to 100."),
        ({"steps": 401}, "steps is 401; it must be an integer from 0 to 400."),
        ({"steps": True}, "steps is True; it must be an integer from 0 to 400."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(arguments, message):
    assert refused(EMStepper, **arguments) == message


def test_means_outside_the_picture_are_refused_and_change_nothing():
    stepper = EMStepper()
    with pytest.raises(ValueError, match=r"^means\[1\]\[0\] is 50.0; it must be a number from -8"):
        stepper.means = [[0, 0], [50, 0], [1, 1]]
    assert stepper.means == START
    with pytest.raises(ValueError, match="Component 0 has a singular covariance"):
        EMStepper([[k, k] for k in range(10)], regularization=0)


# ------------------------------------------------------------------ hands


def test_e_and_m_take_turns_and_reset_begins_anew(page):
    before = pixels(page, POINTS)
    assert_shown(page, START, 0)
    assert page.locator("[data-step]:disabled").all_inner_texts() == ["M"]
    press_steps(page, 1)
    assert_shown(page, START, 1)
    assert shown(page)["gap"] == 0
    assert page.locator("[data-step]:disabled").all_inner_texts() == ["E"]
    press_steps(page, 1)
    assert_shown(page, START, 2)
    assert shown(page)["gap"] > 0.05
    press_steps(page, 5)
    assert_shown(page, START, 7)
    press_steps(page, 20)
    assert_shown(page, START, 27)
    assert "has come to rest" in page.locator(".vw-note").inner_text()
    page.locator(".vw-reset").click()
    page.mouse.move(0, 0)
    settle(page)
    assert_shown(page, START, 0)
    assert (pixels(page, POINTS) == before).all()


def test_the_mouse_places_a_component_and_the_climb_begins_anew(page):
    press_steps(page, 4)
    before = centres(page)
    drag(page, page.locator(".vw-handle").nth(1), -60, up=-40)
    after = centres(page)
    assert after[0] == before[0] and after[2] == before[2]
    assert after[1][0] < before[1][0] - 1 and after[1][1] < before[1][1] - 1
    assert set(shown(page)) == {"objective"}
    press_steps(page, 1)
    assert shown(page)["gap"] == 0


def test_a_pointer_beside_all_centres_moves_nothing(page):
    box = page.locator(POINTS).bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 60, steps=3)
    page.mouse.up()
    settle(page)
    assert centres(page) == START


def test_the_keyboard_places_components_and_climbs(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    label = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(label) == "Centre of component 2"
    press(page, "ArrowLeft", 3)
    press(page, "Shift+ArrowDown", 2)
    moved = [START[0], [1.7, 3.0], START[2]]
    assert_shown(page, moved, 0)
    press(page, "Shift+ArrowUp", 20)
    assert 8 < centres(page)[1][1] < 9  # the edge of the picture
    press(page, "Shift+ArrowDown", 20)
    start = centres(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(label) == "E step"
    # the focus follows the turn, so that Enter goes on
    press(page, "Enter", 5)
    assert page.evaluate(label) == "M step"
    assert_shown(page, start, 5)


def test_a_finger_drags_a_centre_and_scrolls_beside_it(visit):
    page = visit(static_page(EMStepper()), **PHONE)
    swipe(page, page.locator(".vw-handle").nth(2), 50, up=-40)
    moved = centres(page)
    assert moved[2][0] > 0.5 and moved[2][1] < -4 and moved[:2] == START[:2]
    assert page.evaluate("scrollY") == 0
    client, box = page.context.new_cdp_session(page), page.locator(POINTS).bounding_box()
    x, y = box["x"] + 20, box["y"] + 250
    for kind, up in [("touchStart", 0), *(("touchMove", 15 * k) for k in range(1, 11))]:
        client.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y - up}]}
        )
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(100)
    assert page.evaluate("scrollY") > 50 and centres(page) == moved
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator(".vw-figure :is(button, .vw-handle)").all():
        size = target.bounding_box()
        assert size["width"] >= 32 and size["height"] >= 32


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_points_wear_the_colours_of_their_components_once_they_are_settled(visit, theme):
    page = visit(static_page(EMStepper(steps=31), theme=theme))
    x, (_, means, _, r, *_) = points(), half_steps(points(), START, 31)[-1]
    colours = [rgb(colour) for colour in EMStepper().spec["colours"][theme]]
    picture = pixels(page, POINTS)
    low, high = x.min(0).values - x.std(0) / 2, x.max(0).values + x.std(0) / 2
    size = np.array([picture.shape[1] - 4, picture.shape[0] - 4])
    scale = (torch.from_numpy(size) / (high - low)).min()
    # clear of the centres and their numbers
    clear = (torch.cdist(x, means).min(1).values * scale > 20).nonzero()[:, 0]
    near = 0
    for n in clear.tolist():
        offset = (x[n] - (low + high) / 2) * scale * torch.tensor([1, -1])
        px, py = (offset.numpy() + size / 2 + 2).round().astype(int)
        wanted = colours[r[n].argmax()]
        near += np.abs(picture[py, px, :3].astype(int) - wanted).max() < 45
    # some points lie beneath an ellipse or another point
    assert len(clear) > 150 and near > 0.85 * len(clear)


def test_the_readout_speaks_once_the_hand_rests(page):
    press_steps(page, 2)
    page.wait_for_timeout(900)
    _, means, _, _, objective, bound = half_steps(points(), START, 2)[-1]
    text = page.locator(".vw-live").inner_text().replace("−", "-")
    where = "; ".join(f"{k} at {u:.2f}, {v:.2f}" for k, (u, v) in enumerate(means.tolist(), 1))
    assert text == (
        f"M step. Bound {bound:.4f}, log-likelihood {objective:.4f} nats per point. "
        f"Components: {where}."
    )
