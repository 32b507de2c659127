"""The gradient explorer: its estimators against numpy, torch and exact values, in a browser."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sentences import refused
from widget_page import (
    PHONE,
    drag,
    handle_value,
    noise,
    parse,
    pixels,
    press,
    rgb,
    script,
    settle,
    static_page,
    swipe,
)

from vaecourse.inference.gradients import square_gradient_variances
from vaecourse.palette import COLOURS
from vaecourse.widgets import GradientExplorer

BASELINES = ("none", "mean", "optimal")


def baseline_value(name, mu):
    return {"none": 0.0, "mean": mu**2 + 1, "optimal": mu**2 + 3}[name]


def gradients(eps, mu, b):
    """The two estimators' gradients by autograd: f(z) − b times the score, and f through z."""
    eps = torch.from_numpy(eps)
    loc = torch.full_like(eps, mu).requires_grad_()
    z = loc + eps
    (path,) = torch.autograd.grad(z.square().sum(), loc)
    log_q = torch.distributions.Normal(loc, 1.0).log_prob(z.detach())
    (score,) = torch.autograd.grad(log_q.sum(), loc)
    return ((z.detach() ** 2 - b) * score).numpy(), path.numpy()


@pytest.fixture
def page(visit):
    return visit(static_page(GradientExplorer()))


def shown(page):
    """The table: {row: [score function, pathwise]}, each a number or (number, error)."""
    rows = page.locator("tbody tr").evaluate_all(
        "rows => rows.map(r => [r.dataset.row, r.cells[1].textContent, r.cells[2].textContent])"
    )
    return {
        row: [[parse(part) for part in text.split("±")] for text in cells] for row, *cells in rows
    }


def assert_shown(page, mu, baseline, samples, seed=0):
    """Every number of the table is what numpy makes of the same noise, to the digits shown."""
    got, b = shown(page), baseline_value(baseline, mu)
    exact = square_gradient_variances(mu, 1.0)
    sides = gradients(noise(seed, samples), mu, b)
    for k, (g, name) in enumerate(zip(sides, (baseline, "pathwise"))):
        error = g.std(ddof=1) / samples**0.5
        assert got["mean"][k] == pytest.approx([g.mean(), error], abs=0.0051)
        assert got["exact"][k] == [pytest.approx(2 * mu, abs=0.0051)]
        assert got["variance"][k] == [pytest.approx(g.var(ddof=1), abs=0.0051)]
        assert got["exact-variance"][k] == [pytest.approx(float(exact[name]), abs=0.0051)]


# ------------------------------------------------------------------ numbers


def test_the_variances_are_the_exact_ones(tab):
    means = [-3.0, -0.4, 0.0, 1.5, 2.7]
    got = tab.evaluate(
        script(
            GradientExplorer,
            "return arg.means.map(mu => arg.baselines.map(name =>"
            " js.exactVariances(mu, js.baselineValue(name, mu))))",
        ),
        {"means": means, "baselines": BASELINES},
    )
    for mu, row in zip(means, got):
        exact = square_gradient_variances(mu, 1.0)
        for name, found in zip(BASELINES, row):
            assert found["score"] == pytest.approx(exact[name], abs=1e-9)
            assert found["path"] == exact["pathwise"] == 4
    assert [found["score"] for found in got[3]] == [51.5625, 28, 24]


def test_the_noise_is_normal_and_pythons(tab):
    got = tab.evaluate(
        script(
            GradientExplorer,
            "const normal = js.makeNormal(arg); return Array.from({length: 20001}, normal)",
        ),
        7,
    )
    np.testing.assert_allclose(got, noise(7, 20001), rtol=1e-12, atol=1e-12)
    # four standard errors of the first, second and fourth moment
    eps = np.array(got)
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (4, 3, 96)]:
        assert abs((eps**power).mean() - moment) < 4 * (variance / len(eps)) ** 0.5


@pytest.mark.parametrize("mu", [1.5, -2.2])
@pytest.mark.parametrize("baseline", BASELINES)
def test_estimates_and_bins_agree_with_autograd_and_numpy(tab, mu, baseline):
    eps, b, reach = noise(3, 5000), baseline_value(baseline, mu), 20
    got = tab.evaluate(
        script(
            GradientExplorer,
            "const {eps, mu, b, reach} = arg;"
            "const all = js.estimate(eps, eps.length, mu, b, reach);"
            "return [all.score, all.path].map(({mean, variance, error, counts, trace}) =>"
            " ({mean, variance, error, counts: [...counts], trace}))",
        ),
        {"eps": eps.tolist(), "mu": mu, "b": b, "reach": reach},
    )
    edges = [-np.inf, *range(-reach, reach + 1), np.inf]
    for found, g in zip(got, gradients(eps, mu, b)):
        assert found["mean"] == pytest.approx(g.mean(), abs=1e-9)
        assert found["variance"] == pytest.approx(g.var(ddof=1), abs=1e-9)
        assert found["error"] == pytest.approx((g.var(ddof=1) / len(g)) ** 0.5, abs=1e-9)
        assert found["counts"] == np.histogram(g, edges)[0].tolist()
        assert found["trace"][0][0] == 10 and found["trace"][-1][0] == len(g)
        for n, mean, error in found["trace"]:
            assert mean == pytest.approx(g[:n].mean(), abs=1e-9)
            assert error == pytest.approx(g[:n].std(ddof=1) / n**0.5, abs=1e-9)


def share_below(polynomial, t):
    """P(polynomial(ε) < t) for ε ~ N(0, 1), from its real roots."""
    roots = np.roots(np.polysub(polynomial, [t]))
    ends = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
    ends = np.concatenate([[-50.0], ends, [50.0]])
    middles = (ends[1:] + ends[:-1]) / 2
    inside = np.polyval(polynomial, middles) < t
    return (np.diff(norm.cdf(ends)) * inside).sum()


@pytest.mark.parametrize(("mu", "baseline"), [(1.5, "none"), (1.5, "optimal"), (-2.2, "mean")])
def test_the_outlines_are_exact(tab, mu, baseline):
    b, reach = baseline_value(baseline, mu), 20
    got = tab.evaluate(
        script(
            GradientExplorer,
            "const {mu, b, reach} = arg;"
            "return [e => js.scoreGradient(mu, e, b), e => js.pathGradient(mu, e)]"
            " .map(g => [...js.exactShares(g, reach)])",
        ),
        {"mu": mu, "b": b, "reach": reach},
    )
    # ((μ + ε)² − b) ε and 2 (μ + ε), as polynomials of ε
    for shares, polynomial in zip(got, ([1, 2 * mu, mu**2 - b, 0], [2, 2 * mu])):
        below = [share_below(polynomial, t) for t in range(-reach, reach + 1)]
        wanted = np.diff([0, *below, 1])
        np.testing.assert_allclose(shares, wanted, atol=0.003)  # less than a pixel
        assert sum(shares) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": math.nan}, "mean is nan; it must be a number from -3 to 3."),
        ({"mean": 3.5}, "mean is 3.5; it must be a number from -3 to 3."),
        ({"mean": "1"}, "mean is '1'; it must be a number from -3 to 3."),
        ({"baseline": "best"}, "baseline is 'best'; it must be one of 'none', 'mean', 'optimal'."),
        ({"samples": -1}, "samples is -1; it must be an integer from 0 to 100000."),
        ({"samples": 10**6}, "samples is 1000000; it must be an integer from 0 to 100000."),
        ({"samples": 1.5}, "samples is 1.5; it must be an integer from 0 to 100000."),
        ({"seed": -1}, "seed is -1; it must be an integer from 0 to 4294967295."),
        ({"seed": None}, "seed is None; it must be an integer from 0 to 4294967295."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(arguments, message):
    assert refused(GradientExplorer, **arguments) == message


def test_numbers_of_numpy_are_numbers():
    explorer = GradientExplorer(samples=np.int64(10), mean=np.float32(0.5), seed=np.int64(3))
    assert type(explorer.samples) is int and (explorer.samples, explorer.mean) == (10, 0.5)


def test_a_wrong_mean_changes_nothing():
    explorer = GradientExplorer(mean=1)
    with pytest.raises(ValueError, match="from -3 to 3"):
        explorer.mean = 4.0
    assert explorer.mean == 1.0


# ------------------------------------------------------------------ hands


def test_samples_grow_by_the_buttons_and_reset_begins_anew(page):
    assert_shown(page, 1.5, "none", 100)
    before = pixels(page, ".ge-score canvas")
    page.locator("[data-draw='100']").click()
    page.locator("[data-draw='10000']").click()
    settle(page)
    assert_shown(page, 1.5, "none", 10200)
    assert page.locator(".vw-note").inner_text().startswith("10,200 samples, the same for both")
    assert (pixels(page, ".ge-score canvas") != before).any()
    for _ in range(9):
        page.locator("[data-draw='10000']").click()
    settle(page)
    assert page.locator(".vw-note").inner_text().startswith("100,000 samples")
    assert page.locator("[data-draw]:disabled").count() == 2
    page.locator("[data-value=mean]").click()
    page.locator(".vw-handle").focus()
    press(page, "ArrowLeft")
    page.locator(".vw-reset").click()
    settle(page)
    assert handle_value(page) == 1.5 and page.locator("[data-draw]:disabled").count() == 0
    assert_shown(page, 1.5, "none", 100)
    assert (pixels(page, ".ge-score canvas") == before).all()


def test_a_baseline_lowers_the_variance_and_not_the_mean(page):
    page.locator("[data-draw='10000']").click()
    for baseline, times in [("mean", "7.0"), ("optimal", "6.0"), ("none", "12.9")]:
        page.locator(f"[data-value={baseline}]").click()
        settle(page)
        assert page.locator("[data-trait=baseline][aria-pressed=true]").inner_text() == baseline
        assert_shown(page, 1.5, baseline, 10100)
        assert f"needs {times} times as many" in page.locator(".vw-note").inner_text()


def test_mouse_and_keyboard_move_the_mean(page):
    handle = page.locator(".vw-handle")
    unit = (pixels(page, ".ge-q canvas").shape[1] - 34 - 24) / 12
    drag(page, handle, -2 * unit)
    mu = handle_value(page)
    assert mu == pytest.approx(-0.5, abs=0.011)
    assert_shown(page, mu, "none", 100)
    drag(page, handle, -500)
    assert handle_value(page) == -3
    handle.focus()
    press(page, "Shift+ArrowUp", 4)
    press(page, "ArrowRight")
    assert handle_value(page) == -0.9
    assert_shown(page, -0.9, "none", 100)
    assert page.locator(".ge-mu").inner_text() == "q(z) = N(−0.90, 1)"


def test_a_finger_drags_the_mean_and_a_phone_shows_all(visit):
    page = visit(static_page(GradientExplorer()), **PHONE)
    swipe(page, page.locator(".vw-handle"), -60)
    mu = handle_value(page)
    assert -1 < mu < 0.5 and page.evaluate("scrollY") == 0
    assert_shown(page, mu, "none", 100)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator(".vw-figure :is(button, .vw-handle)").all():
        size = target.bounding_box()
        assert size["width"] >= 32 and size["height"] >= 32


def test_bars_are_as_high_as_their_share(page):
    edges = np.arange(-20, 21)
    shares = [np.histogram(g, edges)[0] / 100 for g in gradients(noise(0, 100), 1.5, 0.0)]
    polynomials = ([1, 3, 2.25, 0], [2, 3])
    exact = [np.diff([share_below(polynomial, t) for t in edges]) for polynomial in polynomials]
    unit = 150 / (1.35 * np.max(exact))  # pixels to a share of one
    for k, (name, colour) in enumerate([("score", "inference"), ("path", "latent")]):
        picture = pixels(page, f".ge-{name} canvas").astype(float)
        wide = (picture.shape[1] - 34 - 24) / 40
        # bars whose top is clear of the outline; the line at 2μ = 3 is between two of them
        height, outline = shares[k] * unit, exact[k] * unit
        clear = np.flatnonzero((height > 8) & (np.abs(height - outline) > 4))
        assert len(clear) >= 2
        for one in clear:
            column = picture[8:158, round(34 + (one + 0.5) * wide)]
            near = np.abs(column[:, :3] - rgb(COLOURS[colour])).max(axis=1) < 8
            tinted = near & (column[:, 3] > 90) & (column[:, 3] < 140)
            # three in a row, for the rim of the outline has such pixels too
            tops = np.flatnonzero(tinted[:-2] & tinted[1:-1] & tinted[2:])
            found = 150 - tops[0] if len(tops) else 0
            assert found == pytest.approx(height[one], abs=1.5)


def test_the_same_seed_gives_the_same_picture(visit):
    page = visit(static_page(*(GradientExplorer(seed=seed) for seed in (5, 5, 6))))
    for name in ("q", "score", "path", "trace"):
        one, two, three = (pixels(page, f".ge-{name} canvas", k) for k in range(3))
        assert (one == two).all() and (one != three).any()


def test_no_samples_are_shown_as_none(visit):
    page = visit(static_page(GradientExplorer(samples=0)))
    cells = page.locator("[data-row=mean] td, [data-row=variance] td").all_inner_texts()
    assert cells == ["–"] * 4


def test_on_a_phone_no_two_numbers_touch_at_the_end_of_the_axis(visit):
    page = visit(static_page(GradientExplorer(mean=3.0, samples=10_100)), **PHONE)
    boxes = page.locator("[data-row=mean] td").evaluate_all(
        "cells => cells.map(c => { const r = document.createRange(); r.selectNodeContents(c);"
        " const b = r.getBoundingClientRect(); return [b.left, b.right]; })"
    )
    assert boxes[1][0] - boxes[0][1] >= 8 and boxes[1][1] <= 390
    # the samples drawn, the last sixty, are on the picture
    z = 3 + noise(0, 10_100)[-60:]
    assert np.abs(z).max() < 6 and (z**2).max() < 38
