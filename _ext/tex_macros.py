"""Sphinx extension: a TeX command that MathJax does not know fails the build, not the reader."""

import re
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)
MACRO = re.compile(r"\\([A-Za-z]+)")


@cache
def known():
    """The names in MathJax's tables of commands, with other names of its program."""
    package = distribution("sphinx-mathjax-offline")
    program = next(file for file in package.files if file.name == "tex-mml-chtml.js")
    text = Path(package.locate_file(program)).read_text(encoding="utf-8")
    return frozenset(re.findall(r'[{,]"?(?:\\\\)?([A-Za-z]+)"?:', text))


def unknown(formula):
    """The commands of a formula that MathJax would show in red."""
    return sorted(set(MACRO.findall(formula)) - known())


def check_formulas(app, doctree):
    """Warn, which fails the build, of the unknown commands on a page."""
    for kind in (nodes.math, nodes.math_block):
        for node in doctree.findall(kind):
            for name in unknown(node.astext()):
                text = " ".join(node.astext().split())
                logger.warning("MathJax knows no \\%s: %s", name, text[:80], location=node)


def setup(app):
    app.connect("doctree-read", check_formulas)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
