"""How much work a page does: one switch, `VAECOURSE_BUDGET`, read here and nowhere else."""

import os

LEVELS = ("smoke", "reader", "full")


def budget(smoke, reader, full):
    """Return the value that belongs to the budget in force.

    `smoke` is for tests (seconds), `reader` is the default (a chapter in under a minute),
    `full` spends what the sources spent. Raises ValueError for any other budget.
    """
    level = os.environ.get("VAECOURSE_BUDGET", "reader")
    if level not in LEVELS:
        raise ValueError(f"VAECOURSE_BUDGET is {level!r}; it must be one of {', '.join(LEVELS)}.")
    return {"smoke": smoke, "reader": reader, "full": full}[level]
