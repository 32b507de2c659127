"""The bandwidth explorer: its scores against Python's kernels and histogram, and the hand."""

import pytest
import torch
from widget_page import drag, handle_value, parse, press, script, static_page

from vaecourse.widgets import BandwidthExplorer
from vaecourse.widgets.bandwidth_explorer.bandwidth_explorer import EDGE, TRUTH, draw

CASES = [
    ("kernels", 0.02, "20"),
    ("kernels", 0.3, "60"),
    ("kernels", 4.0, "200"),
    ("boxes", 0.02, "200"),
    ("boxes", 0.7, "60"),
    ("boxes", 4.0, "20"),
]


@pytest.fixture
def page(visit):
    """The explorer as it opens."""
    return visit(static_page(BandwidthExplorer()))


def shown(page):
    """The three scores."""
    return [parse(text) for text in page.locator(".vw-numbers td").all_inner_texts()]


def test_the_points_are_of_the_truth():
    x = draw(100_000, torch.Generator().manual_seed(1))
    weight, mean, sd = torch.tensor(TRUTH, dtype=torch.float64).T
    expected = (weight * mean).sum()
    variance = (weight * (sd.square() + mean.square())).sum() - expected.square()
    assert abs(x.mean() - expected) < 4 * (variance / len(x)).sqrt()
    assert x.var().item() == pytest.approx(variance.item(), rel=0.02)
    assert weight.sum().item() == pytest.approx(1)


def test_the_page_scores_as_python_does(tab):
    spec = BandwidthExplorer().spec
    got = tab.evaluate(
        script(
            BandwidthExplorer,
            "const {learned, fresh, truth, edge} = arg.spec, log = js.mixture(truth);"
            "const mean = v => v.reduce((a, b) => a + b, 0) / v.length;"
            "return arg.cases.map(([kind, width, n]) => { const points = learned.slice(0, +n);"
            " return [js.score(kind, points, width, edge, points),"
            " js.score(kind, points, width, edge, fresh), mean(fresh.map(x => Math.log(log(x))))];"
            "})",
        ),
        {"spec": spec, "cases": CASES},
    )
    for (kind, width, points), scores in zip(CASES, got):
        values = BandwidthExplorer(kind=kind, width=width, points=points).values
        assert scores == pytest.approx(list(values.values()), abs=1e-9)


@pytest.mark.parametrize(("kind", "width"), [("kernels", 0.3), ("boxes", 0.7)])
def test_what_is_drawn_is_a_density(tab, kind, width):
    area = tab.evaluate(
        script(
            BandwidthExplorer,
            "const {learned, edge} = arg.spec, step = 1e-3; let sum = 0;"
            "const f = js[arg.kind](learned, arg.width, edge);"
            "for (let x = -edge + step / 2; x < edge; x += step) sum += f(x) * step;"
            "return sum",
        ),
        {"spec": BandwidthExplorer().spec, "kind": kind, "width": width},
    )
    assert area == pytest.approx(1, abs=1e-3) and EDGE == 6


def test_the_width_follows_the_hand_and_new_points_can_tell(page):
    own, fresh, truth = shown(page)
    assert [own, fresh, truth] == pytest.approx(
        list(BandwidthExplorer().values.values()), abs=0.00051
    )
    drag(page, page.locator(".be-score .vw-handle"), -60)
    assert handle_value(page) < 1
    assert shown(page)[1] > fresh and shown(page)[2] == truth
    press(page, "Home")
    assert handle_value(page) == 0.02
    assert shown(page)[0] > truth + 0.5 and shown(page)[1] < truth - 1
    page.get_by_role("button", name="boxes").click()
    page.get_by_role("button", name="200").click()
    press(page, "End")
    expected = BandwidthExplorer(kind="boxes", width=0.02, points="200").values
    assert shown(page) == pytest.approx(list(expected.values()), abs=0.00051)


def test_what_the_page_cannot_show_is_refused():
    with pytest.raises(ValueError, match="width is 5; it must be a number from 0.02 to 4"):
        BandwidthExplorer(width=5)
    with pytest.raises(ValueError, match="kind is 'bumps'; it must be one of 'kernels', 'boxes'"):
        BandwidthExplorer(kind="bumps")
    with pytest.raises(ValueError, match="points is 20 .* must be one of '20', '60', '200'"):
        BandwidthExplorer(points=20)
