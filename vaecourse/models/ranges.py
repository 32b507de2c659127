"""Between which values what a network gives must lie, whatever its weights: by its last steps.

A sigmoid, a softplus or an exponential has a range, and steps behind it move or stretch that. What
a step before them can give is not asked. So a range that is found is certain, and one that is not
may be there all the same.
"""

import math

import torch
from torch.utils._python_dispatch import TorchDispatchMode

ANY = (-math.inf, math.inf)
ENDS = {
    "_log_softmax": (-math.inf, 0),
    "_softmax": (0, 1),
    "abs": (0, math.inf),
    "exp": (0, math.inf),
    "hardsigmoid": (0, 1),
    "log_sigmoid_forward": (-math.inf, 0),
    "relu": (0, math.inf),
    "sigmoid": (0, 1),
    "softplus": (0, math.inf),
    "sqrt": (0, math.inf),
    "tanh": (-1, 1),
}
COPIES = ("_to_copy", "cat", "clone", "flip", "index", "stack")


@torch.no_grad()
def range_of(call):
    """(lowest, highest) that the tensor which `call()` gives can have: ±∞ where nobody knows."""
    try:
        with _Ranges() as ranges:
            values = call()
        low, high = ranges.of(values)
    except Exception:  # a module that is compiled, say, cannot be watched
        return ANY
    inside = bool(((values >= low) & (values <= high)).all())
    return (low, high) if inside else ANY


class _Ranges(TorchDispatchMode):
    """Sees every step, and keeps the range of what it gives by the memory where that lies."""

    def __init__(self):
        super().__init__()
        self.known = {}

    def of(self, value):
        """The range of a number or a tensor."""
        if isinstance(value, int | float):
            return value, value
        return self.known.get(_place(value), (ANY, None))[0]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        in_place = name.endswith("_") and not name.endswith("__")
        given = args[0] if args and isinstance(args[0], list | tuple) else args[:1]
        before = {_place(one) for one in given if isinstance(one, torch.Tensor)}
        found = self._range(name.removesuffix("_") if in_place else name, args, kwargs)
        results = func(*args, **kwargs)
        for result in results if isinstance(results, list | tuple) else [results]:
            if not isinstance(result, torch.Tensor):
                continue
            place, memory = _place(result), result.untyped_storage().nbytes()
            if in_place and result.nbytes < memory:  # what else lies there keeps its range
                found = _both(found, self.of(result))
            if in_place or place not in before:  # what is but seen otherwise stays what it was
                self.known[place] = found, result  # held, so that its memory is not used again
        return results

    def _range(self, name, args, kwargs):
        if name in ENDS:
            return ENDS[name]
        if name in COPIES:
            several = args[0] if isinstance(args[0], list | tuple) else args[:1]
            low, high = zip(*map(self.of, several))
            return min(low), max(high)
        if name in ("clamp", "clamp_min", "clamp_max", "hardtanh"):
            return self._clamped(name, *args, **kwargs)
        if name == "pow":
            even = isinstance(args[1], int | float) and args[1] % 2 == 0
            return (0, math.inf) if even else ANY
        if name in ("add", "sub", "rsub", "mul", "div", "neg") and not kwargs:
            return _computed(name, *map(self.of, args[:2]))
        return ANY

    def _clamped(self, name, x, low=None, high=None, **kwargs):
        if name == "clamp_max":
            low, high = None, low
        if name == "hardtanh":
            low, high = -1 if low is None else low, 1 if high is None else high
        low, high = kwargs.get("min", low), kwargs.get("max", high)
        if not all(end is None or isinstance(end, int | float) for end in (low, high)):
            return ANY
        ends = [-math.inf if low is None else low, math.inf if high is None else high]
        return tuple(min(max(end, ends[0]), ends[1]) for end in self.of(x))


def _place(value):
    return value.untyped_storage().data_ptr() if isinstance(value, torch.Tensor) else None


def _both(one, other):
    return min(one[0], other[0]), max(one[1], other[1])


def _computed(name, one, other=(-1, -1)):
    """The range of a sum, a difference, a product or a quotient of values in two ranges."""
    if name == "rsub":
        one, other = other, one
    if name in ("sub", "rsub"):
        other = -other[1], -other[0]
    if name in ("add", "sub", "rsub"):
        return one[0] + other[0], one[1] + other[1]
    if name == "div":
        other = (1 / other[0],) * 2 if other[0] == other[1] != 0 else ANY
    products = [a * b for a in one for b in other]
    return ANY if any(map(math.isnan, products)) else (min(products), max(products))
