"""What the prose states is what was computed, digit for digit."""

import math

import pytest
import torch

from vaecourse import budget, says


@pytest.mark.parametrize(
    ("text", "value", "beyond"),
    [
        ("0.73", 0.7349, 0.7351),
        ("0.73", torch.tensor(0.7251), torch.tensor(0.7249)),
        ("0.20", 0.2, 0.206),
        ("−1.5", -1.5499, -1.5501),
        ("-1.5", -1.4501, -1.4499),
        ("+2", 1.6, 1.4),
        ("4,344", 4343.7, 4344.6),
        ("12 %", 0.1249, 0.1251),
        ("98.0%", 0.97951, 0.97949),
        ("1,400", 1372, 1340),
        ("800", 796, 794),
        ("0.44", torch.tensor([0.4449], dtype=torch.float64), torch.tensor([0.4451])),
        ("0.44", torch.tensor(0.4351, requires_grad=True), torch.tensor(0.4349)),
    ],
)
def test_a_value_passes_up_to_the_last_digit_of_the_text_and_no_further(text, value, beyond):
    assert says(text, value) is None
    with pytest.raises(AssertionError, match=f"The text says .*{text[-1]}, the computation "):
        says(text, beyond)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.73", -0.73),
        ("1.5", -1.5),
        ("12 %", 12.0),
        ("80", 83),  # a zero beside a single digit is a digit
        ("3", math.nan),
        ("3", math.inf),
    ],
)
def test_another_value_is_named(text, value):
    with pytest.raises(AssertionError, match=f"The text says .*{text[-1]}, the computation "):
        says(text, value)


def test_about_is_as_wide_as_the_cell_says():
    says("43", 44.9, within=2)
    with pytest.raises(AssertionError, match="The text says 43, the computation 45.1"):
        says("43", 45.1, within=2)


@pytest.mark.parametrize("text", ["", "about 3", "3 nats", "1e-3", "0.1 0.2", ".5"])
def test_text_that_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="it must be one number as the prose shows it"):
        says(text, 3.0)


@pytest.mark.parametrize(("level", "value"), [("smoke", 1), ("reader", 2), ("full", 3)])
def test_the_environment_picks_the_budget(monkeypatch, level, value):
    monkeypatch.setenv("VAECOURSE_BUDGET", level)
    assert budget(1, 2, 3) == value


def test_the_reader_budget_is_the_default(monkeypatch):
    monkeypatch.delenv("VAECOURSE_BUDGET", raising=False)
    assert budget(1, 2, 3) == 2


def test_another_budget_is_refused(monkeypatch):
    monkeypatch.setenv("VAECOURSE_BUDGET", "huge")
    with pytest.raises(ValueError, match="VAECOURSE_BUDGET is 'huge'; it must be one of smoke"):
        budget(1, 2, 3)
