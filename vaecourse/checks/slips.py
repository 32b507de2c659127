"""What a right answer becomes by one common slip: with other arguments, or with one step altered.

A check that has no sentence for a wrong answer looks here for one change that explains it. The
slips are the same for all checks, since the right answer itself is run with them.
"""

import contextlib
import math
import re
import sys
import warnings
from itertools import combinations

import torch
from torch.overrides import TorchFunctionMode

# What arguments that were never meant to be asked may raise.
UNUSABLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

FUNCTIONS = [
    ("exponential", torch.exp),
    ("logarithm", torch.log),
    ("square", torch.square),
    ("root", torch.sqrt),
    ("absolute value", torch.abs),
    ("reciprocal", torch.reciprocal),
]
_SMALL = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
_ENDS = (1e4, 1e3, 700, 500, 255, 100, 80, 50, 30, 25, 20, 15, *range(10, 0, -1), 0.5)
_COUNTS = (2, 3, 4, 5, 8, 10, 16, 20, 28, 32, 50, 64, 100, 128, 200, 256, 500, 512, 784, 1000)


class _Ends:
    """Where numbers are cut off; `times` moves all ends, to see whether an answer tells them."""

    times = 1.0


def _cut(low=None, high=None):
    def cut(value):
        low_, high_ = (end and end * _Ends.times for end in (low, high))
        return value.clamp(low_, high_)

    return cut


def _plus(small):
    return lambda value: value + small


def _raised_exponential(small):
    return lambda value: (value.exp() + small).log()


def _plus_diagonal(small):
    return lambda value: value + small * torch.eye(value.shape[-1], dtype=value.dtype)


def in_words(number):
    """A number as it stands in a sentence, a small one as a power of ten."""
    if 0 < number < 1e-3:
        return "10" + f"{math.log10(number):.0f}".translate(
            str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
        )
    return f"{number:,.10g}".replace("-", "−")


_CUTS = [  # the mildest first: of two that cannot be told apart the milder is meant
    *(
        (f"{{}} cut off below {in_words(low)}", _cut(low))
        for low in (*(-end for end in _ENDS), 0, *reversed(_SMALL))
    ),
    *((f"{{}} cut off above {in_words(high)}", _cut(None, high)) for high in (*_ENDS, 0)),
    *((f"{{}} cut off at −{in_words(end)} and {in_words(end)}", _cut(-end, end)) for end in _ENDS),
    ("{} cut off at 0 and 1", _cut(0, 1)),
]
_RAISED = [(f"{{}} with {in_words(small)} added", _plus(small)) for small in (1, *_SMALL)]
_CHANGES = [
    *((f"the {word} of {{}}", change) for word, change in FUNCTIONS),
    ("minus {}", torch.neg),
    ("half of {}", lambda value: value / 2),
    ("twice {}", lambda value: value * 2),
    ("the mean of {}", lambda value: value.mean().expand_as(value)),
    ("the sigmoid of {}", torch.sigmoid),
    ("{} = 0", torch.zeros_like),
    ("{} = 1", torch.ones_like),
    ("{} rounded", torch.round),
    *_CUTS,
    *_RAISED,
    *(
        (f"the logarithm of exp({{}}) + {in_words(small)}", _raised_exponential(small))
        for small in _SMALL
    ),
]
_STEPS = [("one less than {}", lambda value: value - 1), ("one more than {}", _plus(1))]
_WIDE = [
    ("{} transposed", lambda value: value.mT),
    ("the softmax of {}", lambda value: value.softmax(-1)),
    ("the softmax of {} over rows", lambda value: value.softmax(0)),
    *((f"{{}} with {in_words(e)} added to the diagonal", _plus_diagonal(e)) for e in _SMALL),
]
_SORTED = [("{} sorted", lambda value: value.sort(0).values)]
_PARTS = [
    ("The first {} of {} is left out", slice(1, None)),
    ("The last {} of {} is left out", slice(None, -1)),
    ("Only the first {} of {} counts", slice(0, 1)),
    ("Only the last {} of {} counts", slice(-1, None)),
    ("Only every second {} of {} counts", slice(None, None, 2)),
    ("Only the first half of the {}s of {} counts", "half"),
    *((f"Only the first {n} {{}}s of {{}} count", slice(0, n)) for n in _COUNTS),
]


def explained(tried, again, names):
    """The sentence of the one slip with which again(*arguments) gives every answer, or None.

    tried holds (answer, right, trial) for each trial.
    """
    off = [(a, r, t) for a, r, t in tried if not torch.allclose(a, r, t.rtol, t.atol)]
    first, others = off[0], [item for item in tried if item[2] is not off[0][2]]
    if not first[0].isfinite().all():
        return None  # any slip may lead there
    wrong = sum(int((~torch.isclose(a, r, t.rtol, t.atol)).sum()) for a, r, t in off)
    tight = wrong < 2  # one number may agree with a slip by chance, but not in nine digits
    for slips in (_other_arguments, _altered_steps):
        for sentence, run in slips(again, names, first[2].arguments):
            if _gives(run, *first, tight) and all(_gives(run, *item) for item in others):
                return _without_ends(sentence) if _ends_may_move(sentence, run, tried) else sentence
    return None


def _ends_may_move(sentence, run, tried):
    """Whether a slip that cuts off gives all answers as well where it cuts a little elsewhere."""
    if " cut off " not in sentence or re.search(r"off (below|above) 0(?!\.\d)", sentence):
        return False
    try:
        for _Ends.times in (0.95, 1.05):
            if all(_gives(run, *item) for item in tried):
                return True
    finally:
        _Ends.times = 1.0
    return False


def _without_ends(sentence):
    """A sentence about what is cut off, without the numbers, where others would do as well."""
    number = r"(−?\d[\d,.⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*)(?<![.,])"
    for pattern, words in (
        (rf"off below {number}", "off from below"),
        (rf"off above {number}", "off from above"),
        (rf"off at {number} and {number}", "off on both sides"),
    ):
        sentence = re.sub(pattern, words, sentence)
    return sentence


_AS_IT_IS = object()


def _gives(run, answer, right, trial, tight=False):
    """Whether a slip gives the answer to a trial, and NaN where that has it."""
    with contextlib.suppress(*UNUSABLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = run(trial.arguments)
        value = right if value is _AS_IT_IS else value
        if value is None:
            return False
        value = torch.as_tensor(value).detach().double()
        rtol, atol = (1e-9, 1e-12) if tight else (trial.rtol, trial.atol)
        return value.shape == answer.shape and torch.allclose(
            answer, value, rtol, atol, equal_nan=True
        )
    return False


# --- other arguments -------------------------------------------------------------------------


def _other_arguments(again, names, arguments):
    """Pairs of a sentence and what the right answer gives for arguments so changed."""

    def changed(places, change):
        def run(values):
            values, moved = list(values), False
            for k in places:
                number = torch.as_tensor(values[k], dtype=torch.float64)
                new = change(number)
                moved = moved or not torch.equal(new, number)
                if not new.isfinite().all() or _is_covariance(number) > _is_covariance(new):
                    return None
                values[k] = new if isinstance(values[k], torch.Tensor) else new.item()
            return again(*values) if moved else _AS_IT_IS

        return run

    def swapped(j, k):
        def run(values):
            values = list(values)
            values[j], values[k] = values[k], values[j]
            return again(*values)

        return run

    moving = [k for k, value in enumerate(arguments) if _is_number(value)]
    alike = {}
    for k in moving:
        alike.setdefault(names[k].rstrip("0123456789").rstrip("_"), []).append(k)
    groups = [[k] for k in moving] + [group for group in alike.values() if len(group) > 1]
    for group in groups:
        name = " and ".join(names[k] for k in group)
        itself = "itself" if len(group) == 1 else "themselves"
        value = arguments[group[0]]
        kinds = _CHANGES + (_STEPS if isinstance(value, int) else [])
        ndim = getattr(value, "ndim", 0)
        for words, change in kinds + (_WIDE if ndim > 1 else _SORTED if ndim else []):
            sentence = f"This is right for {words.format(name)}, not for {name} {itself}."
            yield sentence, changed(group, change)
    for j, k in combinations(moving, 2):
        if getattr(arguments[j], "shape", ()) == getattr(arguments[k], "shape", ()):
            yield f"This is right with {names[j]} and {names[k]} exchanged.", swapped(j, k)
    yield from _fewer(again, names, arguments)


def _fewer(again, names, arguments):
    """The same for a part of the rows, or of the columns."""
    for dim, unit in ((0, "row"), (-1, "column")):
        size = arguments[0].shape[dim] if _has_axes(arguments[0], 1 - dim) else 0
        places = [
            k
            for k, value in enumerate(arguments)
            if _has_axes(value, 1 + (dim < 0)) and value.shape[dim] == size
        ]
        name = " and ".join(names[k] for k in places)

        def run(values, part, dim=dim, places=places):
            values = list(values)
            for k in places:
                n = values[k].shape[dim]
                kept = range(n)[slice(0, n // 2) if part == "half" else part]
                values[k] = values[k].index_select(dim, torch.tensor(kept))
            return again(*values)

        if size < 2:
            continue
        unit = "entry" if arguments[0].ndim == 1 else unit
        for words, part in _PARTS:
            words = words.format(unit, name).replace("entrys", "entries")
            yield (
                f"{words}; every {unit} counts.",
                lambda values, part=part, run=run: run(values, part),
            )


def _is_number(value):
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return floating or isinstance(value, (float, int))


def _has_axes(value, number):
    return isinstance(value, torch.Tensor) and value.ndim >= number


def _is_covariance(value):
    square = value.ndim == 2 and value.shape[0] == value.shape[1]
    square = square and torch.allclose(value, value.mT, 1e-5, 1e-5)
    return square and bool((torch.linalg.eigvalsh(value) > -1e-9).all())


# --- one step altered ------------------------------------------------------------------------


class _Steps(TorchFunctionMode):
    """Counts the operations of torch, and does that at `place` by change(function, args, kwargs).

    `seen` keeps name, operands, what they are called and what comes out, of every operation.
    """

    def __init__(self, called, place=None, change=None):
        self.place, self.change, self.seen, self.called = place, change, [], dict(called)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if "distributions" in sys._getframe(1).f_code.co_filename:
            return function(*args, **kwargs)  # steps of the library, which nobody writes
        change = self.change if len(self.seen) == self.place else None
        self.seen.append(None)
        value = change(function, args, kwargs) if change else function(*args, **kwargs)
        name = _name_of(function)
        self.seen[-1] = (
            name,
            [self._called(a) for a in args],
            self._named(name, args, value),
            value,
        )
        return value

    def _called(self, operand):
        if isinstance(operand, torch.Tensor):
            return self.called.get(id(operand))
        return f"{operand:.4g}" if isinstance(operand, (int, float)) else None

    def _named(self, name, args, value):
        """What the outcome is called: exp(log_var), x − x_hat, or the kind of step that it is."""
        texts = [self._called(a) for a in args[:2]]
        sign = _SIGNS.get(name)
        if sign and len(texts) == 2 and all(texts):
            text = f"{texts[0]} {sign} {texts[1]}"
        elif name in _UNARY and texts[0]:
            text = f"{_UNARY[name]}({texts[0]})"
        else:
            text = None
        if not text or len(text) > 30:
            return _KINDS.get(name, f"the {name}")
        if isinstance(value, torch.Tensor):
            self.called[id(value)] = text
        return text


_SIGNS = {"sub": "−", "add": "+", "mul": "·", "div": "/", "matmul": "@", "pow": "^"}
_UNARY = {
    name: name
    for name in ("exp", "log", "softmax", "log_softmax", "sigmoid", "sqrt", "lgamma", "tanh")
} | {"square": "square", "sum": "sum", "mean": "mean", "logsumexp": "logsumexp"}
_KINDS = {
    "sub": "a difference",
    "add": "a sum of terms",
    "mul": "a product",
    "div": "a quotient",
    "matmul": "a product of matrices",
    "sum": "the sum",
    "exp": "the exponential",
    "log": "the logarithm",
    "square": "the square",
    "linalg_inv": "the inverse",
    "neg": "a change of sign",
    "pow": "the power",
    "std": "the deviation",
}


def _name_of(function):
    name = getattr(function, "__name__", "")
    if name == "__get__":
        return "shape" if getattr(function, "__self__", None) is torch.Tensor.shape else ""
    return {"__rsub__": "rsub", "__rdiv__": "rdiv", "__len__": "len"}.get(name, name)


def _by(other):
    return lambda function, args, kwargs: other(*args, **kwargs)


def _after(other):
    return lambda function, args, kwargs: other(function(*args, **kwargs))


def _before(other):
    return lambda function, args, kwargs: function(other(args[0]), *args[1:], **kwargs)


def _operand(k):
    return lambda function, args, kwargs: args[k]


def _along(other):
    """other(values, dim, keepdim) for a step along an axis."""

    def change(function, args, kwargs):
        value, (dim, *_) = args[0], (*args[1:], kwargs.get("dim"))
        return other(value, dim, kwargs.get("keepdim", False))

    return change


def _divided(function, args, kwargs):
    numbers = [a for a in args[:2] if not isinstance(a, torch.Tensor)]
    # v / 0.5 in place of v · 0.5 is no slip that anyone makes: 2 v is 4 times what is right
    return None if numbers else args[0] / args[1]


def _all_alike(value):
    return bool((value == value.flatten()[:1]).all())


def _norm(value, dim, keepdim):
    return torch.linalg.vector_norm(value, dim=dim, keepdim=keepdim)


_INSTEAD = {
    "sum": [
        ("a mean in place of {}", _by(torch.mean)),
        ("the largest alone in place of {}", _along(lambda v, d, k: v.amax(d, k))),
        ("the smallest alone in place of {}", _along(lambda v, d, k: v.amin(d, k))),
        ("a norm in place of {}", _along(_norm)),
        ("the median in place of {}", _along(lambda v, d, k: v.median(d, k).values)),
        *(
            (f"the mean times {n} in place of {{}}", _after_mean)
            for n in _COUNTS
            for _after_mean in [lambda f, a, k, n=n: n * torch.mean(*a, **k)]
        ),
    ],
    "mean": [
        ("a sum in place of {}", _by(torch.sum)),
        ("the median in place of {}", _along(lambda v, d, k: v.median(d, k).values)),
        ("the largest alone in place of {}", _along(lambda v, d, k: v.amax(d, k))),
        ("the deviation in place of {}", _along(lambda v, d, k: v.std(d, keepdim=k))),
        ("the mean of absolute values in place of {}", _before(torch.abs)),
    ],
    "softmax": [
        ("a sigmoid in place of {}", lambda f, a, k: a[0].sigmoid()),
        ("the exponential in place of {}", lambda f, a, k: a[0].exp()),
        (
            "one for the largest, else 0, in place of {}",
            _after(lambda q: (q == q.amax(-1, True)).double()),
        ),
        ("a softmax over rows in place of {}", lambda f, a, k: a[0].softmax(0)),
    ],
    "log_softmax": [
        ("the softmax in place of {}", lambda f, a, k: a[0].softmax(-1)),
        (
            "the logarithm of a sigmoid in place of {}",
            lambda f, a, k: torch.nn.functional.logsigmoid(a[0]),
        ),
        *(
            (
                f"{in_words(e)} added to the softmax in {{}}",
                lambda f, a, k, e=e: (a[0].softmax(-1) + e).log(),
            )
            for e in _SMALL
        ),
        ("a log_softmax over rows in place of {}", lambda f, a, k: a[0].log_softmax(0)),
    ],
    "logsumexp": [
        ("a mean in place of {}", _by(torch.mean)),
        ("a sum in place of {}", _by(torch.sum)),
        ("the largest alone in place of {}", _along(lambda v, d, k: v.amax(d, k))),
    ],
    "exp": [
        ("softplus in place of {}", _by(torch.nn.functional.softplus)),
        ("half of the exponent in {}", _before(lambda v: v / 2)),
        ("twice the exponent in {}", _before(lambda v: v * 2)),
        ("minus the exponent in {}", _before(torch.neg)),
    ],
    "log": [
        ("log2 in place of {}", _by(torch.log2)),
        ("log10 in place of {}", _by(torch.log10)),
        ("log1p in place of {}", _by(torch.log1p)),
    ],
    "square": [
        ("the absolute value in place of {}", _by(torch.abs)),
        ("the fourth power in place of {}", _after(torch.square)),
        ("the third power in place of {}", lambda f, a, k: a[0] ** 3),
        ("a Huber loss in place of {}", lambda f, a, k: _huber(a[0])),
        ("half a Huber loss in place of {}", lambda f, a, k: 0.5 * _huber(a[0])),
    ],
    "add": [("minus in place of plus, in {}", lambda f, a, k: a[0] - a[1])],
    "sub": [("plus in place of minus, in {}", lambda f, a, k: a[0] + a[1])],
    "rsub": [("plus in place of minus, in {}", lambda f, a, k: a[0] + a[1])],
    "mul": [("a division in place of {}", _divided)],
    "div": [
        ("a product in place of {}", lambda f, a, k: a[0] * a[1]),
        ("{} upside down", lambda f, a, k: a[1] / a[0]),
        ("the root of the divisor, in {}", lambda f, a, k: a[0] / a[1] ** 0.5),
        ("the square of the divisor, in {}", lambda f, a, k: a[0] / a[1] ** 2),
        *(
            (f"{in_words(e)} added to the divisor, in {{}}", lambda f, a, k, e=e: a[0] / (a[1] + e))
            for e in _SMALL
        ),
    ],
    "matmul": [
        ("the first factor transposed, in {}", lambda f, a, k: a[0].mT @ a[1]),
        ("the second factor transposed, in {}", lambda f, a, k: a[0] @ a[1].mT),
        ("a product of entries in place of {}", lambda f, a, k: a[0] * a[1]),
    ],
    "linalg_inv": [
        ("no inverse taken", _operand(0)),
        ("one over every entry in place of {}", _by(torch.reciprocal)),
    ],
}
# exp(v) + 0.01, log(p + 1e-8), softmax cut off below 0.01: a guard that is large enough to be seen
_GUARDED = {"exp", "log", "softmax", "square", "sigmoid", "sqrt", "sum", "mean", "diagonal"}
_GUARDS = [
    *((f"{in_words(e)} added to {{}}", _after(_plus(e))) for e in _SMALL),
    *((f"{{}} cut off below {in_words(e)}", _after(_cut(e))) for e in (1, *_SMALL)),
    *((f"{{}} cut off above {in_words(e)}", _after(_cut(None, e))) for e in (*_ENDS, 1e6)),
]
_ANY = [
    ("twice {0} in place of {0}", _after(lambda value: 2 * value)),
    ("half of {0} in place of {0}", _after(lambda value: value / 2)),
    ("minus {0} in place of {0}", _after(torch.neg)),
    *((f"the {word} of {{0}} in place of {{0}}", _after(f)) for word, f in FUNCTIONS[:5]),
]
_SIZES = {"shape", "len", "size", "numel"}


def _huber(value):
    return 2 * torch.nn.functional.huber_loss(value, 0 * value, reduction="none")


def _altered_steps(again, names, arguments):
    """Pairs of a sentence and what the right answer gives with one of its steps so altered."""

    def runs(place, change):
        def run(values):
            with _Steps({}, place, change):
                return again(*values)

        return run

    called = {id(v): name for name, v in zip(names, arguments) if isinstance(v, torch.Tensor)}
    with _Steps(called) as steps:
        again(*arguments)
    for place, (name, operands, text, value) in enumerate(steps.seen):
        if name in _SIZES:
            for words, change in _other_sizes(name, operands, value):
                yield f"Right but for one step: {words}.", runs(place, change)
        if not (isinstance(value, torch.Tensor) and value.is_floating_point()):
            continue
        found = [(words.format(text), change) for words, change in _INSTEAD.get(name, [])]
        for k in range(len(operands[:2])):
            other = operands[1 - k] if name in _LEFT_OUT and len(operands) > 1 else None
            if name in _LEFT_OUT:
                words = f"{other or 'a ' + _LEFT_OUT[name]} left out of {text}"
                found.append((words, _operand(k)))
                if name == "sub" and k == 1:
                    found.append((f"{words}, and its sign", lambda f, a, kw: -a[1]))
        if name in _UNARY and operands[0]:
            found.append((f"{operands[0]} in place of {text}", _operand(0)))
        elif name in _UNARY:
            found.append((f"{text} left out", _operand(0)))
        if name == "sub":
            found += [(words.format(text), _after(change)) for words, change in _CUTS]
        if name in _GUARDED:
            found += [
                (words.format(text), change)
                for words, change in _GUARDS
                if not _all_alike(change(torch.clone, (value,), {})) or _all_alike(value)
            ]
        if name not in ("__getitem__", ""):
            found += [(words.format(text), change) for words, change in _ANY]
        for words, change in found:
            yield f"Right but for one step: {words}.", runs(place, change)
        for k, operand in enumerate(operands[:2]):
            if operand in steps.called.values():
                for words, change in _GUARDED_USE:
                    words = words.format(operand)
                    yield (
                        f"Right but for one step: {words}, in {text}.",
                        runs(place, _use(k, change)),
                    )


_LEFT_OUT = {"add": "term", "sub": "term", "rsub": "term", "mul": "factor", "div": "divisor"}
_GUARDED_USE = [
    *(
        (f"log(exp({{0}}) + {in_words(e)}) in place of {{0}}", lambda v, e=e: (v.exp() + e).log())
        for e in _SMALL
    ),
    ("exp({0}) in place of {0}", torch.exp),
    ("log({0}) in place of {0}", torch.log),
    ("square({0}) in place of {0}", torch.square),
    ("sigmoid({0}) in place of {0}", torch.sigmoid),
    ("half of {0} in place of {0}", lambda value: value / 2),
    *((words.replace("{}", "{0}"), change) for words, change in _CUTS),
]


def _use(k, change):
    def altered(function, args, kwargs):
        args = list(args)
        args[k] = change(args[k])
        return function(*args, **kwargs)

    return altered


def _other_sizes(name, operands, value):
    """A number in the place of a size, or a size mistaken for another."""
    of = operands[0] or "a tensor"
    axes = range(len(value)) if name == "shape" else [None]
    for axis in axes:
        words = f"the length of {of}" if axis in (None, 0) else f"{of}.shape[{axis}]"
        others = [
            *((f"{n} is written in for {words}", lambda s, n=n: n) for n in (1, *_COUNTS)),
            (f"the square of {words}", lambda s: s * s),
            (f"1 too few where {words} is counted", lambda s: s - 1),
            (f"1 too many where {words} is counted", lambda s: s + 1),
        ]
        for text, change in others:

            def altered(function, args, kwargs, axis=axis, change=change):
                size = function(*args, **kwargs)
                if axis is None:
                    return change(size)
                return torch.Size(change(s) if k == axis else s for k, s in enumerate(size))

            yield text, altered
        for other in axes:
            if other not in (axis, None):

                def turned(function, args, kwargs, axis=axis, other=other):
                    size = list(function(*args, **kwargs))
                    size[axis] = size[other]
                    return torch.Size(size)

                yield f"{of}.shape[{other}] in place of {words}", turned
