"""The one switch for how much work a page does."""

import pytest

from vaecourse import budget


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
