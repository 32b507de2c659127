"""Checks at the door that the data functions share."""

import difflib
import operator


def check_choice(argument, value, accepted):
    """Raise ValueError, naming the nearest, unless `value` is one of `accepted`."""
    if any(value is choice or value == choice for choice in accepted):
        return
    names = [choice for choice in accepted if isinstance(choice, str)]
    nearest = difflib.get_close_matches(str(value), names, n=1)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    listed = ", ".join(repr(choice) for choice in accepted)
    raise ValueError(f"{argument} is {value!r}{hint}; it must be one of {listed}.")


def check_count(argument, value):
    """`value` as an int; ValueError unless it is an integer above zero."""
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"{argument} is {value!r}; it must be an integer of at least 1.")
    return count


def seeded(seed):
    """A torch.Generator started from `seed`; ValueError unless 0 <= seed < 2**63."""
    import torch

    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise ValueError(f"seed is {seed!r}; it must be an integer from 0 to 2**63 - 1.")
    return torch.Generator().manual_seed(number)
