"""The precision explorer: its numbers against torch and a long walk, and the hand."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from widget_page import drag, handle_value, parse, press, script, settle, static_page

from vaecourse.inference.posteriors import effective_sample_size, random_walk_metropolis
from vaecourse.widgets import PrecisionExplorer

STEPS = [0.05, 0.3, 1.7, 2.4, 8.0, 20.0]


@pytest.fixture
def page(visit):
    """The explorer as it opens."""
    return visit(static_page(PrecisionExplorer()))


def shown(page):
    """The table: accepted, exact and counted; correlation, exact and counted."""
    return [parse(text) for text in page.locator(".vw-numbers td[data-kind]").all_inner_texts()]


@pytest.mark.parametrize("step", STEPS)
def test_what_is_exact_is_the_integral_over_the_steps(step):
    values = PrecisionExplorer(step=step).values
    # of a step of length |d| from a draw of N(0, 1), 2 Phi(-|d| / 2) are accepted
    share = quad(lambda d: 4 * norm.pdf(d) * norm.cdf(-step * d / 2), 0, 40)[0]
    jump = quad(lambda d: 4 * norm.pdf(d) * norm.cdf(-step * d / 2) * (step * d) ** 2, 0, 40)[0]
    assert values["accepted"] == pytest.approx(share, abs=1e-7)
    assert values["correlation"] == pytest.approx(1 - jump / 2, abs=1e-7)


def test_the_page_computes_what_python_does(tab):
    got = tab.evaluate(
        script(
            PrecisionExplorer,
            "return arg.map(s => [...js.posterior(2, 1.5, 0.5), js.acceptance(s),"
            " js.correlation(s)])",
        ),
        STEPS,
    )
    for step, values in zip(STEPS, got):
        explorer = PrecisionExplorer(alpha=1.5, beta=0.5, step=step)
        assert values == pytest.approx(list(explorer.values.values()), abs=1e-12)


def test_the_walk_of_the_page_is_metropolis(tab):
    got = tab.evaluate(
        script(
            PrecisionExplorer,
            "return arg.map(s => { const {states, accepted} = js.walk(s, 200000, 3), mean = f =>"
            " states.reduce((sum, z) => sum + f(z), 0) / states.length;"
            " return [mean(z => z), mean(z => z * z), accepted, js.neighbours(states)]; })",
        ),
        STEPS[2:5],
    )
    walkers = torch.randn(100, 1, generator=torch.Generator().manual_seed(0)).double()
    for step, (mean, square, accepted, neighbours) in zip(STEPS[2:5], got):
        chains, share = random_walk_metropolis(
            lambda z: -0.5 * z.square().sum(-1),
            walkers,
            2_000,
            step * torch.eye(1).double(),
            torch.Generator().manual_seed(1),
        )
        error = effective_sample_size(chains).item() ** -0.5  # of as many states
        assert abs(mean) < 4 * error and abs(square - 1) < 6 * error
        values = PrecisionExplorer(step=step).values
        assert accepted == pytest.approx(values["accepted"], abs=0.01)
        assert share == pytest.approx(values["accepted"], abs=0.01)
        assert neighbours == pytest.approx(values["correlation"], abs=0.01)


def test_neighbours_are_least_alike_near_two_deviations_and_a_half():
    explorer, found = PrecisionExplorer(), {}
    for step in np.geomspace(0.05, 20, 400).tolist():
        explorer.step = step
        found[step] = explorer.values["correlation"]
    assert min(found, key=found.get) == pytest.approx(2.43, rel=0.015)


def test_precisions_are_dragged_and_add(page):
    alpha, beta = (page.locator(".pe-precisions .vw-handle").nth(k) for k in (0, 1))
    alpha.focus()
    press(page, "End")
    assert handle_value(page, 1) == 4 and handle_value(page, 2) == 1
    note = page.locator(".vw-note")
    assert f"N(0.40, {1 / math.sqrt(5):.2f}²); its precision is 4.00 + 1.00" in note.inner_text()
    drag(page, beta, 60)  # its end moves, and alpha stays
    assert handle_value(page, 1) == 4 and handle_value(page, 2) > 1.5
    page.locator(".vw-reset").click()
    settle(page)
    assert "N(1.00, 0.71²); its precision is 1.00 + 1.00" in note.inner_text()


def test_the_step_is_dragged_and_counted_beside_what_is_exact(page):
    page.locator(".pe-step .vw-handle").focus()
    for key in ("Home", "PageUp", "PageUp", "PageUp", "PageUp", "End"):
        press(page, key)
        step = handle_value(page, 3)
        values = PrecisionExplorer(step=step).values
        accepted, counted, correlation, neighbours = shown(page)
        assert accepted == pytest.approx(values["accepted"], abs=0.00051)
        assert correlation == pytest.approx(values["correlation"], abs=0.00051)
        assert counted == pytest.approx(accepted, abs=0.02)
        assert neighbours == pytest.approx(correlation, abs=0.03)
    assert step == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": 4}, "x is 4; it must be a number from -3 to 3."),
        ({"alpha": 0}, "alpha is 0; it must be a number from 0.2 to 4."),
        ({"beta": None}, "beta is None; it must be a number from 0.2 to 4."),
        ({"step": "1"}, "step is '1'; it must be a number from 0.05 to 20."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        PrecisionExplorer(**arguments)
