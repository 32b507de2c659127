"""The Fréchet explorer: its numbers against Python and closed forms, hands in a browser."""

import itertools
import math

import numpy as np
import pytest
import torch
from sentences import refused
from torch.distributions import MultivariateNormal, kl_divergence
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

from vaecourse.evaluation.frechet import frechet_distance, optimal_map
from vaecourse.palette import COLOURS
from vaecourse.widgets import FrechetExplorer

PLANE, BAR = ".fe-plane canvas", ".fe-bar canvas"
FIRST, SECOND = [-1.4, -0.5, 1.3, 0.45, 75.0], [1.1, 0.3, 1.3, 0.6, -20.0]
ALL = (
    "return arg.map(([one, two]) => ({ ...js.frechet(one, two), matrix: js.optimalMatrix(one, two),"
    " arrows: js.arrows(one, two), forward: js.kl(one, two), reverse: js.kl(two, one) }))"
)


def gaussian(numbers):
    """Mean and covariance, the sum over the axes of s² times their outer square."""
    x, y, s, t, angle = numbers
    a = math.radians(angle)
    along, across = np.array([math.cos(a), math.sin(a)]), np.array([-math.sin(a), math.cos(a)])
    cov = s**2 * np.outer(along, along) + t**2 * np.outer(across, across)
    return torch.tensor([x, y], dtype=torch.float64), torch.from_numpy(cov)


def random_pairs(count, least=0.1, seed=0):
    """Pairs of Gaussians, widths from `least` to 2 and as many small as large."""
    generator = np.random.default_rng(seed)

    def one():
        widths = np.exp(generator.uniform(np.log(least), np.log(2), 2))
        return [
            *generator.uniform([-4, -3], [4, 3]),
            *widths,
            generator.uniform(-180, 180),
        ]

    return [[one(), one()] for _ in range(count)]


def distances(first, second):
    """The three numbers of the distance by `frechet_distance`."""
    (m1, c1), (m2, c2) = gaussian(first), gaussian(second)
    distance, origin = frechet_distance(m1, c1, m2, c2), torch.zeros(2)
    return {
        "means": (m1 - m2).square().sum().item(),
        "covariances": frechet_distance(origin, c1, origin, c2),
        "distance": distance,
    }


def everything(first, second):
    one, two = MultivariateNormal(*gaussian(first)), MultivariateNormal(*gaussian(second))
    kl = {
        "forward": kl_divergence(one, two).item(),
        "reverse": kl_divergence(two, one).item(),
    }
    return distances(first, second) | kl


@pytest.fixture
def page(visit):
    return visit(static_page(FrechetExplorer()))


def shown(page):
    rows = page.locator(".vw-numbers tr:not([data-kind=matrix])").evaluate_all(
        "rows => rows.map(r => [r.dataset.kind, r.cells[1].textContent])"
    )
    return {kind: parse(text) for kind, text in rows}


def assert_shown(page, first, second):
    assert shown(page) == pytest.approx(everything(first, second), abs=0.0051)


def label(page):
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


# ------------------------------------------------------------------ numbers


def test_the_page_computes_what_python_does(tab):
    pairs = random_pairs(300)
    for (first, second), found in zip(pairs, tab.evaluate(script(FrechetExplorer, ALL), pairs)):
        matrix, arrows = np.array(found.pop("matrix")).reshape(2, 2), np.array(found.pop("arrows"))
        assert found == pytest.approx(everything(first, second), rel=1e-9, abs=1e-9)
        carry = optimal_map(*gaussian(first), *gaussian(second))
        np.testing.assert_allclose(matrix, carry.matrix, rtol=0, atol=1e-9 * matrix.max())
        np.testing.assert_allclose(arrows[:, 1], carry(torch.from_numpy(arrows[:, 0])), atol=1e-9)
        # the claim beneath the picture, which holds for a circle of radius √2 alone
        squares = np.square(arrows[:, 1] - arrows[:, 0]).sum(axis=1)
        assert squares.mean() == pytest.approx(found["distance"], rel=1e-12)


def test_the_arrows_start_on_the_ellipse_at_root_two(tab):
    pairs = random_pairs(20, seed=1)
    for (first, second), found in zip(pairs, tab.evaluate(script(FrechetExplorer, ALL), pairs)):
        for end, numbers in enumerate((first, second)):
            mean, cov = gaussian(numbers)
            offset = torch.tensor(found["arrows"], dtype=torch.float64)[:, end] - mean
            squares = (offset * torch.linalg.solve(cov, offset.T).T).sum(1)
            np.testing.assert_allclose(squares, 2.0, rtol=1e-9)


def test_nearly_singular_and_singular_covariances_have_a_distance(tab):
    pairs = random_pairs(100, least=1e-7, seed=2)
    for k, (first, second) in enumerate(pairs[:40]):  # a line, two lines, a point, two points
        if k % 4 in (0, 1):
            first[3] = 0.0
        if k % 4 in (1, 2):
            second[2] = 0.0
        if k % 4 in (2, 3):
            second[3] = 0.0
        if k % 8 == 3:
            first[2] = first[3] = second[2] = 0.0
    distance = "return arg.map(([one, two]) => [js.frechet(one, two), js.frechet(two, one)])"
    for (first, second), found in zip(
        pairs, tab.evaluate(script(FrechetExplorer, distance), pairs)
    ):
        wanted = distances(first, second)
        for one in found:
            # Python's root of a nearly singular product is right to some 2e-10 of its trace
            assert one == pytest.approx(wanted, rel=1e-8, abs=1e-8)
            assert min(one.values()) >= 0


def test_equal_gaussians_are_at_no_distance(tab):
    pairs = []
    for first, _ in random_pairs(100, least=1e-6, seed=3):
        x, y, s, t, angle = first
        # the same one, by its other axis, and by the other end of the axis
        pairs += [
            [first, first],
            [first, [x, y, t, s, angle - 90]],
            [first, [x, y, s, t, angle + 180]],
        ]
    for found in tab.evaluate(script(FrechetExplorer, ALL), pairs):
        assert found["means"] == 0
        # squares of rounding errors: what a difference of traces would leave is 1e16 times larger
        assert 0 <= found["covariances"] < 1e-28
        assert 0 <= found["forward"] < 1e-7 and 0 <= found["reverse"] < 1e-7
    closest = tab.evaluate(
        script(FrechetExplorer, ALL), [[[0, 0, 1, 0.5, 20], [0, 0, 1 + 1e-9, 0.5, 20]]]
    )[0]
    assert closest["covariances"] == pytest.approx(1e-18, rel=1e-6)


def test_parallel_axes_have_the_sum_of_squared_differences(tab):
    settings = itertools.product((0.2, 1.9), (0.0, 0.7), (20, 110, 200))
    pairs = [[[0, 0, 1.4, 0.3, 20], [0, 0, p, q, angle]] for p, q, angle in settings]
    for (_, (*_, p, q, angle)), found in zip(
        pairs, tab.evaluate(script(FrechetExplorer, ALL), pairs)
    ):
        along, across = (q, p) if angle == 110 else (p, q)
        assert found["covariances"] == pytest.approx((1.4 - along) ** 2 + (0.3 - across) ** 2)


def test_the_distance_is_symmetric_and_does_not_see_a_turn_of_the_plane(tab):
    pairs = random_pairs(50, seed=4)
    turned = []
    for pair in pairs:
        c, s = math.cos(1), math.sin(1)
        turned.append(
            [[c * x - s * y, s * x + c * y, *widths, angle + math.degrees(1)]
             for x, y, *widths, angle in reversed(pair)]
        )  # fmt: skip
    one, two = (tab.evaluate(script(FrechetExplorer, ALL), p) for p in (pairs, turned))
    for a, b in zip(one, two):
        for name in ("means", "covariances", "distance"):
            assert a[name] == pytest.approx(b[name], rel=1e-10)
        assert a["forward"] == pytest.approx(b["reverse"], rel=1e-10)


@pytest.mark.parametrize(
    ("before", "angle", "after"),
    [(0, 30, 30), (0, 170, -10), (170, -175, -175), (170, 5, -175), (-100, 90, -90), (35, 214, 34)],
)
def test_an_axis_turns_to_the_nearer_of_its_two_ends(tab, before, angle, after):
    assert tab.evaluate(script(FrechetExplorer, f"return js.turn({before}, {angle})")) == after


def test_the_kernel_has_the_numbers_of_the_page(tab):
    explorer = FrechetExplorer()
    assert (explorer.first, explorer.second) == (FIRST, SECOND)
    for first, second in random_pairs(20, seed=5):
        explorer.first, explorer.second = first, second
        assert explorer.values == pytest.approx(everything(first, second), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": [1, 2]}, "first is [1, 2]; it must be [x, y, width 1, width 2, angle]."),
        ({"second": 3}, "second is 3; it must be [x, y, width 1, width 2, angle]."),
        ({"first": [5, 0, 1, 1, 0]}, "first[0] is 5; it must be a number from -4 to 4."),
        ({"second": [0, 0, 0, 1, 0]}, "second[2] is 0; it must be a number from 0.1 to 2."),
        (
            {"first": [0, 0, 1, 1, math.nan]},
            "first[4] is nan; it must be a number from -180 to 180.",
        ),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(arguments, message):
    assert refused(FrechetExplorer, **arguments) == message


def test_a_wrong_gaussian_changes_nothing():
    explorer = FrechetExplorer()
    with pytest.raises(ValueError, match="from 0.1 to 2"):
        explorer.second = [0, 0, 1, 9, 0]
    assert explorer.second == SECOND


# ------------------------------------------------------------------ hands


def unit(page):
    """Pixels to a unit of the plane."""
    height, width = pixels(page, PLANE).shape[:2]
    return min((width - 28 - 8) / 10, (height - 4 - 26) / 8)


def test_the_mouse_moves_stretches_and_turns(page):
    handles, before = page.locator(".vw-handle"), pixels(page, PLANE)
    assert handles.count() == 6
    assert_shown(page, FIRST, SECOND)
    drag(page, handles.nth(0), -unit(page), up=0.5 * unit(page))
    x, y = FIRST[0] - 1, FIRST[1] + 0.5
    assert handle_value(page, 0) == pytest.approx(x, abs=0.02)
    mean = handles.nth(0).get_attribute("aria-valuetext")
    assert [parse(v) for v in mean.split(", ")] == pytest.approx([x, y], abs=0.02)
    x, y = map(parse, mean.split(", "))
    assert_shown(page, [x, y, *FIRST[2:]], SECOND)
    # outwards along its axis a lozenge stretches, and the angle stays
    c, s = (f(math.radians(SECOND[4])) for f in (math.cos, math.sin))
    drag(page, handles.nth(4), 0.6 * unit(page) * c, up=0.6 * unit(page) * s)
    width = handle_value(page, 4)
    assert width == pytest.approx(1.3 + 0.6 / math.sqrt(2), abs=0.02)
    assert handles.nth(4).get_attribute("aria-valuetext") == f"{width:.2f}, at 160°"
    assert_shown(page, [x, y, *FIRST[2:]], [*SECOND[:2], width, *SECOND[3:]])
    # across it, it turns
    drag(page, handles.nth(4), 0.8 * unit(page) * -s, up=0.8 * unit(page) * c)
    text = handles.nth(4).get_attribute("aria-valuetext")
    angle = float(text.partition("at ")[2].rstrip("°"))
    assert 168 <= angle < 180
    assert handles.nth(5).get_attribute("aria-valuetext") == f"0.60, at {angle - 90:.0f}°"
    assert_shown(page, [x, y, *FIRST[2:]], [*SECOND[:2], handle_value(page, 4), 0.6, angle])
    assert (pixels(page, PLANE) != before).any()


def test_nothing_leaves_the_picture(page):
    handles, box = page.locator(".vw-handle"), page.locator(PLANE).bounding_box()
    drag(page, handles.nth(3), 900, up=900)
    assert handles.nth(3).get_attribute("aria-valuetext") == "4.00, 3.00"
    for k in (4, 5):
        drag(page, handles.nth(k), -900, up=-900)
    assert handle_value(page, 4) == handle_value(page, 5) == 2
    for k in range(6):
        at = handles.nth(k).bounding_box()
        x, y = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
        assert box["x"] < x < box["x"] + box["width"] and box["y"] < y < box["y"] + box["height"]


def test_a_pointer_beside_all_handles_moves_nothing(page):
    box = page.locator(PLANE).bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 90, steps=3)
    page.mouse.up()
    settle(page)
    assert_shown(page, FIRST, SECOND)


def test_the_keyboard_does_all_that_the_mouse_does(page):
    for _ in range(4):
        page.keyboard.press("Tab")
    assert label(page) == "Mean of 2"
    press(page, "ArrowLeft", 4)
    press(page, "Shift+ArrowUp", 1)
    page.keyboard.press("Tab")
    assert label(page) == "Width of 2 along axis 1; left and right turn it"
    press(page, "ArrowUp", 3)
    press(page, "ArrowLeft", 3)
    page.keyboard.press("Tab")
    press(page, "Shift+ArrowDown", 1)
    press(page, "ArrowRight", 1)
    moved = [0.7, 0.8, 1.45, 0.35, -10.0]
    assert_shown(page, FIRST, moved)
    press(page, "Shift+ArrowDown", 9)
    assert handle_value(page, 5) == 0.1
    assert_shown(page, FIRST, [*moved[:3], 0.1, moved[4]])
    assert "stays finite" in page.locator(".vw-note").inner_text()
    press(page, "Shift+ArrowRight", 50)
    assert_shown(page, FIRST, [*moved[:3], 0.1, moved[4] - 1250 + 1260])
    page.keyboard.press("Tab")
    press(page, "Enter", 1)
    assert_shown(page, [*moved[:3], 0.1, moved[4] + 10], FIRST)


def test_buttons_swap_equal_and_reset(page):
    before = pixels(page, PLANE)
    page.locator(".fe-swap").click()
    settle(page)
    assert_shown(page, SECOND, FIRST)
    assert page.locator(".vw-note").inner_text().startswith("Swap 1 and 2: d² stays")
    page.locator(".fe-same").click()
    settle(page)
    assert_shown(page, SECOND, [*FIRST[:2], *SECOND[2:]])
    assert shown(page)["covariances"] == 0
    assert page.locator(".fe-matrix").inner_text().split() == ["1.00", "0.00", "0.00", "1.00"]
    assert page.locator(".vw-note").inner_text().startswith("Equal covariances: A is the identity")
    page.locator(".vw-reset").click()
    page.mouse.move(0, 0)
    settle(page)
    assert_shown(page, FIRST, SECOND)
    assert (pixels(page, PLANE) == before).all()


def test_special_cases_are_named(visit):
    page = visit(
        static_page(FrechetExplorer(first=[0, 0, 1.5, 0.5, 10], second=[1, 1, 0.4, 0.8, 100]))
    )
    assert page.locator(".vw-note").inner_text() == (
        "Parallel axes: the covariances' part is (1.50 − 0.80)² + (0.50 − 0.40)²."
    )
    assert shown(page)["covariances"] == 0.5
    page = visit(static_page(FrechetExplorer(first=FIRST, second=FIRST)))
    assert page.locator(".vw-note").inner_text() == (
        "Equal Gaussians: d² and both KL are 0, and nothing moves."
    )
    assert set(shown(page).values()) == {0}


def test_a_finger_drags_a_mean_and_scrolls_beside_it(visit):
    page = visit(static_page(FrechetExplorer()), **PHONE)
    swipe(page, page.locator(".vw-handle").first, -40, up=30)
    mean = [
        parse(v)
        for v in page.locator(".vw-handle").first.get_attribute("aria-valuetext").split(", ")
    ]
    assert mean[0] < -2 and mean[1] > -0.3 and page.evaluate("scrollY") == 0
    assert_shown(page, [*mean, *FIRST[2:]], SECOND)
    swipe(page, page.locator(".vw-note"), 0, up=150)
    assert page.evaluate("scrollY") > 50
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator(".vw-figure :is(button, .vw-handle)").all():
        size = target.bounding_box()
        assert size["width"] >= 32 and size["height"] >= 32


def test_the_bar_is_as_long_as_the_distance(page):
    picture, wanted = pixels(page, BAR), distances(FIRST, SECOND)
    colour = [int(COLOURS["gap"][k : k + 2], 16) for k in (1, 3, 5)]
    end = (picture[28, :, :3] == colour).all(axis=1).nonzero()[0].mean()
    assert end == pytest.approx(5 + (picture.shape[1] - 35) * wanted["distance"] / 10, abs=1.5)
