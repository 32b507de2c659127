"""Between which values what a network gives must lie, whatever its weights: by its last steps.

A sigmoid, a softplus or an exponential has a range, and steps behind it move or stretch that. What
a step before them can give is not asked. So a range that is found is certain, and one that is not
may be there all the same.
"""

import math
import warnings

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
POSITIVE = ("exp", "softplus")  # whose use is to give rates, variances or deviations
CLAMPS = ("clamp", "clamp_min", "clamp_max", "hardtanh")
COPIES = ("_to_copy", "cat", "clone", "flip", "index", "stack")


@torch.no_grad()
def range_of(call, steps=None):
    """(lowest, highest) that the tensor which `call()` gives can have: ±∞ where nobody knows.

    steps: those of `ENDS` that count, where not all do; then nothing else bounds a value that they
    do not, no clamp and no square.
    """
    try:
        with _Ranges(steps) as ranges:
            values = call()
        low, high = ranges.of(values)
    except Exception:  # a module that is compiled, say, cannot be watched
        return ANY
    inside = bool(((values >= low) & (values <= high)).all())
    return (low, high) if inside else ANY


@torch.no_grad()
def never_negative(call, x, weights):
    """Whether no trial makes `call(x)` go below 0: other x, near and far, and other `weights`.

    Each weight may change its sign, so that what a last layer gives may. Of what no trial moves
    nobody knows.
    """
    weights = [weight for weight in weights if weight.is_floating_point()]
    kept, generator = [weight.data for weight in weights], torch.Generator().manual_seed(0)
    sizes = [weight.square().mean().sqrt().item() or 0.1 for weight in kept]
    low, high = math.inf, -math.inf
    try:
        with warnings.catch_warnings(action="ignore"):
            for trial in range(20):
                for weight, value, size in zip(weights, kept, sizes):
                    sign = _noise(value.new_zeros(()), generator).sign()
                    weight.data = sign * value + size * _noise(value, generator)
                values = call(10 * _noise(x, generator) if trial % 2 else x.clone())
                values = values[~values.isnan()].tolist()
                low, high = min([low, *values]), max([high, *values])
                if low < 0:
                    return False
    except Exception:  # whatever a strange module does with other weights
        return False
    finally:
        for weight, value in zip(weights, kept):
            weight.data = value
    return low < high


def _noise(like, generator):
    return torch.randn(like.shape, generator=generator).to(like)


class _Ranges(TorchDispatchMode):
    """Sees every step, and keeps the range of what it gives by the memory where that lies."""

    def __init__(self, steps):
        super().__init__()
        self.known, self.steps = {}, steps

    def of(self, value):
        """The range of a number or a tensor."""
        if isinstance(value, int | float):
            return value, value
        return self.known.get(_place(value), (ANY, None))[0]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = args[0] if args and isinstance(args[0], list | tuple) else args[:1]
        seen = {_place(one) for one in given}  # what is but seen otherwise stays what it was
        found = self._range(func.overloadpacket.__name__.removesuffix("_"), args, kwargs)
        results = func(*args, **kwargs)
        written = _written(func, args, kwargs)
        for one in written:
            ends = found if len(written) == 1 else ANY
            if one.nbytes < one.untyped_storage().nbytes():  # what else lies there keeps its range
                ends = _both(ends, self.of(one))
            self.known[_place(one)] = ends, one  # held, so that its memory is not used again
            seen.add(_place(one))
        for result in results if isinstance(results, list | tuple) else [results]:
            if isinstance(result, torch.Tensor) and _place(result) not in seen:
                self.known[_place(result)] = found, result
        return results

    def _range(self, name, args, kwargs):
        if name in ENDS:
            return ENDS[name] if self.steps is None or name in self.steps else ANY
        if name in COPIES:
            several = args[0] if isinstance(args[0], list | tuple) else args[:1]
            low, high = zip(*map(self.of, several))
            return min(low), max(high)
        if name in CLAMPS and (self.steps is None or self.of(args[0]) != ANY):
            return self._clamped(name, *args)
        if name == "pow" and self.steps is None:
            even = isinstance(args[1], int | float) and args[1] % 2 == 0
            return (0, math.inf) if even else ANY
        if name in ("add", "sub", "rsub", "mul", "div", "neg") and not kwargs:
            return _computed(name, *map(self.of, args[:2]))
        return ANY

    def _clamped(self, name, x, low=None, high=None):
        if name == "clamp_max":
            low, high = None, low
        if name == "hardtanh":
            low, high = -1 if low is None else low, 1 if high is None else high
        if not all(end is None or isinstance(end, int | float) for end in (low, high)):
            return ANY
        ends = [-math.inf if low is None else low, math.inf if high is None else high]
        return tuple(min(max(end, ends[0]), ends[1]) for end in self.of(x))


def _place(value):
    return value.untyped_storage().data_ptr() if isinstance(value, torch.Tensor) else None


def _written(func, args, kwargs):
    """The tensors that a step writes into: in place, or as its `out`."""
    arguments = func._schema.arguments
    given = dict(zip([argument.name for argument in arguments], args)) | kwargs
    found = []
    for argument in arguments:
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = given.get(argument.name)
            found += value if isinstance(value, list | tuple) else [value]
    return [one for one in found if isinstance(one, torch.Tensor)]


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
