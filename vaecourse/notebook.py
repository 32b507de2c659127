"""What notebooks use: how much to compute, and whether the prose says what was computed."""

import os
import re

LEVELS = ("smoke", "reader", "full")
NUMBER = re.compile(r"[-−+]?\d[\d,]*(?:\.(\d+))?( ?%)?")


def budget(smoke, reader, full):
    """Return the value that belongs to the budget in force.

    `smoke` is for tests (seconds), `reader` is the default (a chapter in under a minute),
    `full` spends what the sources spent. Raises ValueError for any other budget.
    """
    level = os.environ.get("VAECOURSE_BUDGET", "reader")
    if level not in LEVELS:
        raise ValueError(f"VAECOURSE_BUDGET is {level!r}; it must be one of {', '.join(LEVELS)}.")
    return {"smoke": smoke, "reader": reader, "full": full}[level]


def says(text, value, within=None):
    """Assert that `value`, rounded to the digits that `text` shows, is `text`.

    `text` is the number as the prose shows it: "0.73", "−1.5", "4,344" or "12 %", which is a
    `value` of 0.12. Zeros that end a whole number may come from rounding as long as two other
    digits stand before them: "1,400" is said of 1,372 too. Of a trained network, whose digits
    depend on the machine, the prose says "about"; then `within` is how far `value` may lie
    from `text`.

    The build fails where the prose states a number that no cell says, so a chapter calls this
    in a hidden cell beside the text (chapter 01). Raises AssertionError where the two differ,
    ValueError where `text` is no number.
    """
    match = NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"text is {text!r}; it must be one number as the prose shows it.")
    decimals, percent = match.groups()
    stated = float(text.replace("−", "-").replace(",", "").rstrip(" %"))
    value = float(value.detach() if hasattr(value, "detach") else value) * (100 if percent else 1)
    if within is None:
        within = 0.5 * 10.0 ** -len(decimals or "") * (1 + 1e-9)
        if not decimals:
            digits = re.sub(r"\D", "", text)
            zeros = min(len(digits) - len(digits.rstrip("0")), len(digits) - 2)
            within *= 10 ** max(zeros, 0)
    if not abs(value - stated) <= within:
        raise AssertionError(f"The text says {text}, the computation {value:.6g}.")
