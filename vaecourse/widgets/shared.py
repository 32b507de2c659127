"""What the widgets share: a class, one program and one style put before each's own, and checks."""

import base64
import inspect
import json
import re
from numbers import Real
from pathlib import Path

import anywidget
import traitlets

from vaecourse._arguments import as_tensor, check_choice
from vaecourse.palette import COLOURS, COLOURS_DARK, COLOURS_OF_TEXT

HERE = Path(__file__).parent


class Hand(traitlets.Any):
    """A traitlet that the hand changes, sent to the page; None is for its check to refuse.

    check: `check(name, value, *limits)` gives the value to keep, or raises ValueError; without
    one, the explorer has a method that does so.
    """

    allow_none = False

    def __init__(self, default=traitlets.Undefined, check=None, *limits):
        super().__init__(default)
        self.check, self.limits = check, limits
        self.tag(sync=True)

    def validate(self, obj, value):
        return self.check(self.name, value, *self.limits) if self.check else value


class Explorer(anywidget.AnyWidget):
    """A widget that refuses, by a ValueError, a keyword that it has not; traitlets lets it pass."""

    def __init__(self, **traits):
        for name in traits:
            if not self.has_trait(name):
                check_choice(f"keyword of {type(self).__name__}", name, self._keywords())
        super().__init__(**traits)

    def _keywords(self):
        parameters = inspect.signature(type(self).__init__).parameters.values()
        named = [one.name for one in parameters if one.kind != one.VAR_KEYWORD][1:]
        return [*named, *(name for name, trait in self.traits().items() if isinstance(trait, Hand))]


def page_files(folder, *more):
    """The program and the style of the widget in `folder`, each one text that needs no other.

    The widget's files carry the folder's name; shared.js, geometry.js and shared.css come before
    them, and the colours of the course as the CSS variables --vw-generative and so on.
    more: further programs to put before the widget's own, "networks.js" say.
    """
    palette = [
        _variables(".vw-figure", COLOURS),
        _variables('.vw-figure[data-theme="dark"]', COLOURS_DARK),
        # what is drawn takes its colours from the figure, what is written from the figure's parts
        _variables('.vw-figure:not([data-theme="dark"]) > *', COLOURS_OF_TEXT),
    ]
    program = read_files("shared.js", "geometry.js", *more, f"{folder}/{folder}.js")
    # what an explorer says of its parts outweighs shared.css, whichever comes last on a page
    name = folder.replace("_", "-")
    own = read_files(f"{folder}/{folder}.css").replace(f".{name}", f".vw-figure.{name}")
    return program, "\n".join([*palette, read_files("shared.css"), own])


def read_files(*names):
    """Files of this folder, one after another, as one text, without comments and indentation:
    every page carries it."""
    text = "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)
    return re.sub(r"^\s*(//.*|/\*(?:[^*]|\*(?!/))*\*/)?\s*", "", text, flags=re.MULTILINE)


def static_script(name, packed):
    """A script for the book's static files, of which `bytesOfScript` in shared.js has the bytes."""
    text = base64.b64encode(packed).decode()
    return f"(window.vaecourseBytes ??= {{}})[{json.dumps(name)}] = {json.dumps(text)};\n"


def check_number(name, value, low, high):
    """`value` as a float; raises ValueError unless it is a number from `low` to `high`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}.")
    return float(value)


def check_numbers(name, value, ranges):
    """`value` as a list of floats, each in its range; `ranges` is {part: (low, high)}."""
    if not isinstance(value, (list, tuple)) or len(value) != len(ranges):
        raise ValueError(f"{name} is {value!r}; it must be [{', '.join(ranges)}].")
    return [check_number(f"{name}[{k}]", value[k], *ends) for k, ends in enumerate(ranges.values())]


def check_points(name, value, shape=("N", 2)):
    """`value` as a finite float64 tensor of that shape, in which a letter is any length above 0.

    Raises ValueError for anything else.
    """
    wanted = f"[{', '.join(map(str, shape))}]"
    points = as_tensor(value, argument=name).double()
    fits = [size == length or isinstance(size, str) for size, length in zip(shape, points.shape)]
    if points.ndim != len(shape) or not all(fits) or not points.numel():
        raise ValueError(f"{name} has shape {list(points.shape)}; it must be {wanted}.")
    if not points.isfinite().all():
        raise ValueError(f"{name} has NaN or infinite values; it must be finite.")
    return points


def _variables(selector, colours):
    lines = "".join(f"  --vw-{name}: {value};\n" for name, value in colours.items())
    return f"{selector} {{\n{lines}}}"
