"""Sphinx extension: displayed formulas and exercises are numbered by chapter, each with a link.

Where a sentence says "chapter 07", the number leads there.

Formula (7.3) and exercise 7.2 are those of the seventh chapter; `notebook_versions` gives them the
same numbers, so that a class can speak of them whatever it has open.
"""

import re

from docutils import nodes

CHAPTER = re.compile(r"chapters/0?(\d+)_")
MENTIONED = re.compile(r"(?<=[Cc]hapter )\d\d|(?<=[Cc]hapters )\d\d(?:(?:, | and |–| to )\d\d\b)*")
NO_PROSE = (nodes.reference, nodes.literal, nodes.title, nodes.raw, nodes.literal_block)
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


def link_chapters(app, doctree, docname):
    """Make the number of a chapter that a sentence names a link, where it is none yet."""
    chapters = {name[9:11]: name for name in app.env.found_docs if CHAPTER.match(name)}
    for text in list(doctree.findall(nodes.Text)):
        if not MENTIONED.search(text) or within(text, NO_PROSE) or in_output(text.parent):
            continue
        parts = []
        for words, number in pieces(str(text)):
            parts.append(nodes.Text(words))
            there = chapters.get(number)
            if there in (None, docname):
                parts.append(nodes.Text(number))
            else:
                to = app.builder.get_relative_uri(docname, there)
                parts.append(nodes.reference("", number, refuri=to, internal=True))
        text.parent.replace(text, parts)


def pieces(text):
    """(words, number of a chapter that they lead up to), the last number empty."""
    end = 0
    for found in MENTIONED.finditer(text):
        for number in re.finditer(r"\d\d", found[0]):
            start = found.start() + number.start()
            yield text[end:start], number[0]
            end = start + 2
    yield text[end:], ""


def within(node, kinds):
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def setup(app):
    app.connect("doctree-resolved", link_chapters)
    app.connect("doctree-read", number_formulas)
    app.connect("html-page-context", number_exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
