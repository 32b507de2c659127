"""The sentence with which bad input is refused."""

import pytest


def refused(action, *arguments, **named):
    """What the ValueError says that `action` raises for these arguments."""
    with pytest.raises(ValueError) as caught:
        action(*arguments, **named)
    return str(caught.value)
