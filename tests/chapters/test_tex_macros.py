"""Every TeX command of the course is one of MathJax's, and a misspelt one is found."""

import re
from pathlib import Path

import nbformat
import pytest
from docutils import nodes
from docutils.utils import new_document
from sphinx.testing.util import SphinxTestApp
from tex_macros import check_formulas, known, unknown

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "chapters").glob("*.ipynb"), *ROOT.glob("*.md")])


def text_of(path):
    if path.suffix == ".md":
        text = path.read_text(encoding="utf-8")
    else:
        cells = nbformat.read(path, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"(?s)```python.*?```|`[^`]*`", "", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_command_is_known(path):
    assert unknown(text_of(path)) == []


def test_a_misspelt_command_is_unknown():
    assert unknown(r"\mathbff x + \fra12 + \epsilonn + \operatornam{KL}") == [
        "epsilonn",
        "fra",
        "mathbff",
        "operatornam",
    ]
    assert unknown(r"\tfrac12 \lVert x \rVert \in \mathcal N") == []
    assert len(known()) > 1_000


def test_the_build_is_warned(tmp_path):
    (tmp_path / "conf.py").touch()
    app = SphinxTestApp("dummy", srcdir=tmp_path)
    document = new_document("page")
    document += nodes.math_block("", r"\lgo p(x)")
    check_formulas(app, document)
    assert r"MathJax knows no \lgo: \lgo p(x)" in app.warning.getvalue()
    app.cleanup()
