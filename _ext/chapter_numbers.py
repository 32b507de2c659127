"""Sphinx extension: displayed formulas and exercises are numbered by chapter, each with a link.

Formula (7.3) and exercise 7.2 are those of the seventh chapter; `notebook_versions` gives them the
same numbers, so that a class can speak of them whatever it has open.
"""

import re

from docutils import nodes

CHAPTER = re.compile(r"chapters/0?(\d+)_")
EXERCISE = re.compile(
    r'(<span class="caption-number">Exercise |<a class="reference internal" href="[^"]*">'
    r'(?:<span class="std std-(?:numref|ref)">)?\s*Exercise )(\d+)'
)


def number_formulas(app, doctree):
    """Give the formulas of a chapter, in order, a number and an anchor."""
    chapter = CHAPTER.match(app.env.docname)
    if chapter is None:
        return
    formulas = [
        formula
        for formula in doctree.findall(nodes.math_block)
        if not formula.get("nowrap") and not in_output(formula)
    ]
    for place, formula in enumerate(formulas, 1):
        formula["number"] = f"{chapter[1]}.{place}"
        formula["ids"] = [f"equation-{place}"]


def in_output(node):
    while node is not None:
        if "cell_output" in node.get("classes", ()):
            return True
        node = node.parent
    return False


def number_exercises(app, pagename, templatename, context, doctree):
    """Write the number within the chapter for the number within the book."""
    if "body" not in context:
        return
    names = {}
    for docname, kinds in app.env.toc_fignumbers.items():
        if chapter := CHAPTER.match(docname):
            numbers = sorted(number[-1] for number in kinds.get("exercise", {}).values())
            names |= {number: f"{chapter[1]}.{place}" for place, number in enumerate(numbers, 1)}
    context["body"] = EXERCISE.sub(
        lambda found: found[1] + names.get(int(found[2]), found[2]), context["body"]
    )


def setup(app):
    app.connect("doctree-read", number_formulas)
    app.connect("html-page-context", number_exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
