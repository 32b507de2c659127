"""What the widgets share: one program and one style put before each widget's own, and checks."""

from numbers import Real
from pathlib import Path

from vaecourse.palette import COLOURS, COLOURS_DARK

HERE = Path(__file__).parent


def page_files(folder):
    """The program and the style of the widget in `folder`, each one text that needs no other.

    The widget's files carry the folder's name; shared.js and shared.css come before them, and
    the colours of the course as the CSS variables --vw-generative, --vw-inference and so on.
    """
    folder = HERE / folder
    program = [HERE / "shared.js", folder / f"{folder.name}.js"]
    style = [HERE / "shared.css", folder / f"{folder.name}.css"]
    palette = [
        _variables(".vw-figure", COLOURS),
        _variables('.vw-figure[data-theme="dark"]', COLOURS_DARK),
    ]
    return "\n".join(map(_text, program)), "\n".join(palette + [_text(path) for path in style])


def check_number(name, value, low, high):
    """`value` as a float; raises ValueError unless it is a number from `low` to `high`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}.")
    return float(value)


def _variables(selector, colours):
    lines = "".join(f"  --vw-{name}: {value};\n" for name, value in colours.items())
    return f"{selector} {{\n{lines}}}"


def _text(path):
    return path.read_text(encoding="utf-8")
