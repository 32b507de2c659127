"""The diffusion explorer: its numbers against the exact mixture in torch, and the hand."""

import math

import numpy as np
import pytest
import torch
from widget_page import drag, handle_value, parse, press, script, settle, static_page

from vaecourse.inference import NoisedMixture
from vaecourse.widgets import DiffusionExplorer

MIXTURE = NoisedMixture.of("gaussian_mixture", 4.0)
LEVELS = [-6.0, -1.3, 0.0, 2.0, 5.55, 8.0]
POINTS = [[0.3, -0.6], [-2.4, 2.4], [0.0, 1.3]]


@pytest.fixture
def page(visit):
    """The explorer as it opens."""
    return visit(static_page(DiffusionExplorer()))


def shown(page, kind):
    return parse(page.locator(f'[data-kind="{kind}"] td').inner_text())


def test_the_page_computes_what_torch_does(tab):
    widget = DiffusionExplorer()
    got = tab.evaluate(
        script(
            DiffusionExplorer,
            "return arg.levels.map(l => [js.loss(arg.spec.loss, arg.spec.log_snr, l),"
            " arg.points.map(p => { const h = js.at(js.noised(arg.spec, l), p);"
            " return [h.logDensity, ...h.score, ...js.denoised(p, h.score, l)]; })])",
        ),
        {"levels": LEVELS, "points": POINTS, "spec": widget.spec},
    )
    at = torch.tensor(POINTS, dtype=torch.float64)
    for level, (loss, rows) in zip(LEVELS, got):
        assert loss == pytest.approx(math.exp(level) * MIXTURE.error(level, 24), rel=2e-4)
        exact = torch.cat(
            [
                MIXTURE.log_density(at, level)[:, None],
                MIXTURE.score(at, level),
                MIXTURE.denoise(at, level),
            ],
            1,
        )
        np.testing.assert_allclose(rows, exact, rtol=1e-9, atol=1e-9)


def test_what_the_bound_lacks_is_that_of_the_exact_errors(tab):
    got = tab.evaluate(
        script(DiffusionExplorer, "return arg.levels.map(n => js.lacks(arg.spec, n))"),
        {"levels": [2, 15, 100, 1000], "spec": DiffusionExplorer().spec},
    )
    for levels, lacks in zip((2, 15, 100), got):
        exact = DiffusionExplorer(levels=levels).values["lacks"]
        assert lacks == pytest.approx(exact, rel=2e-3)
    # the numbers of chapter 17
    assert got[2] == pytest.approx(0.3945, abs=1e-3) and got[3] == pytest.approx(0.0376, abs=5e-4)
    assert DiffusionExplorer().spec["law"] == pytest.approx(37.4, abs=0.1)


def test_the_noise_and_the_levels_are_moved_and_all_follows(page):
    values = DiffusionExplorer().values
    assert shown(page, "density") == pytest.approx(values["log_density"], abs=0.0051)
    assert shown(page, "score") == pytest.approx(math.hypot(*values["score"]), abs=0.0051)
    assert shown(page, "lacks") == pytest.approx(values["lacks"], rel=2e-3)
    assert shown(page, "law") == pytest.approx(37.4 / 14, abs=0.01)
    drag(page, page.locator(".de-curve .vw-handle"), 60)
    noise = handle_value(page, 1)
    assert noise > 1.5
    moved = DiffusionExplorer(log_snr=noise).values["log_density"]
    assert shown(page, "density") == pytest.approx(moved, abs=0.0051)
    page.locator(".de-gap .vw-handle").focus()
    press(page, "End")
    assert handle_value(page, 2) == 1000
    assert shown(page, "lacks") == pytest.approx(0.038, abs=0.0011)
    press(page, "ArrowDown")
    assert handle_value(page, 2) == 909
    page.locator(".vw-reset").click()
    settle(page)
    assert [handle_value(page, k) for k in range(3)] == [0.3, 1, 15]


def test_the_point_goes_where_the_hand_puts_it(page):
    drag(page, page.locator(".de-plane .vw-handle"), -60, up=40)
    assert handle_value(page) < 0.3
    page.locator(".de-plane .vw-handle").focus()
    press(page, "ArrowUp")
    text = page.locator(".de-plane .vw-handle").get_attribute("aria-valuetext")
    point = [parse(part) for part in text.split(", ")]
    exact = DiffusionExplorer(point=point).values["log_density"]
    assert shown(page, "density") == pytest.approx(exact, abs=0.0051)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_snr": 9}, "log_snr is 9; it must be a number from -6 to 8."),
        ({"levels": 1}, "levels is 1; it must be an integer from 2 to 1000."),
        ({"levels": 2.5}, "levels is 2.5; it must be an integer from 2 to 1000."),
        ({"point": [1]}, r"point is \[1\]; it must be \[y1, y2\]."),
        ({"point": [3, 0]}, r"point\[0\] is 3; it must be a number from -2.4 to 2.4."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        DiffusionExplorer(**arguments)
