"""The correlation explorer: its numbers against torch and the fitted mean field, and the hand."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence
from widget_page import drag, handle_value, parse, pixels, press, script, settle, static_page

from vaecourse.inference.mean_field import GaussianMeanField
from vaecourse.widgets import CorrelationExplorer

RHOS = [-0.99, -0.5, 0.0, 0.3, 0.8, 0.95]
START = [1.8, -1.8]


def torch_price(rho):
    """KL of the product of the best factors from the Gaussian, by torch."""
    p = torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64)
    q = torch.eye(2, dtype=torch.float64) * (1 - rho**2)
    zero = torch.zeros(2, dtype=torch.float64)
    return kl_divergence(MultivariateNormal(zero, q), MultivariateNormal(zero, p)).item()


@pytest.fixture
def page(visit):
    """The explorer as it opens."""
    return visit(static_page(CorrelationExplorer()))


def shown(page):
    """The numbers of both tables."""
    return page.locator(".vw-numbers tbody td").all_inner_texts()


def test_the_page_computes_what_torch_and_the_fitted_mean_field_do(tab):
    got = tab.evaluate(
        script(
            CorrelationExplorer,
            "return arg.rhos.map(r => [js.factorVariance(r), js.price(r),"
            " js.ascend(r, arg.start, 4), js.sweepsNeeded(r, arg.start)])",
        ),
        {"rhos": RHOS, "start": START},
    )
    for rho, (variance, price, path, sweeps) in zip(RHOS, got):
        fitted = GaussianMeanField([0, 0], [[1, rho], [rho, 1]]).fit(start=START)
        assert variance == pytest.approx(fitted.variances_[0], rel=1e-9)
        assert price == pytest.approx(torch_price(rho), abs=1e-9)
        assert CorrelationExplorer(rho=rho).values == pytest.approx(
            {"variance": variance, "kl": price}, abs=1e-9
        )
        # after k sweeps the second mean is rho^(2k) of where it was
        np.testing.assert_allclose([m[1] for m in path[::2]], -1.8 * rho ** (2 * np.arange(5)))
        # and the first lags by one power
        wanted = 1
        while 1.8 * abs(rho) ** (2 * wanted - 1) >= 0.01:
            wanted += 1
        assert sweeps == wanted


def test_the_correlation_is_dragged_and_typed_and_all_follows(page):
    assert shown(page) == ["1.00", "0.36", "3.60", "0.72", "0.40", "0.72", "0.51", "13"]
    handle = page.locator(".ce-price .vw-handle")
    width = pixels(page, ".ce-price canvas").shape[1] - 34 - 20
    drag(page, handle, -0.3 * width / 2)
    assert handle_value(page, 1) == pytest.approx(0.5, abs=0.011)
    assert parse(shown(page)[-2]) == pytest.approx(-0.5 * math.log(1 - 0.25), abs=0.012)
    handle.focus()
    press(page, "Home")
    assert handle_value(page, 1) == -0.99
    assert parse(shown(page)[-2]) == pytest.approx(torch_price(-0.99), abs=0.0051)


def test_the_means_begin_where_the_hand_puts_them(page):
    drag(page, page.locator(".ce-plane .vw-handle"), -60, up=40)
    assert handle_value(page) < 1.8
    page.locator(".ce-plane .vw-handle").focus()
    press(page, "ArrowUp")
    assert shown(page)[:6] == ["1.00", "0.36", "3.60", "0.72", "0.40", "0.72"]
    page.locator(".vw-reset").click()
    settle(page)
    assert handle_value(page) == 1.8 and shown(page)[-1] == "13"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rho": 1}, "rho is 1; it must be a number from -0.99 to 0.99."),
        ({"rho": None}, "rho is None; it must be a number from -0.99 to 0.99."),
        ({"means": [1]}, r"means is \[1\]; it must be \[z1, z2\]."),
        ({"means": [3, 0]}, r"means\[0\] is 3; it must be a number from -2.5 to 2.5."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        CorrelationExplorer(**arguments)
