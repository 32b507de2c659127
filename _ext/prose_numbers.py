"""Sphinx extension: a number that the prose states stands in a cell too, or the build fails."""

import ast
import re

from notebook_execution import read_notebook
from sphinx.util import logging

logger = logging.getLogger(__name__)

# What is not prose, in the order in which it is removed.
NOT_PROSE = [
    r"(?ms)^(`{3,})(?:\{bibliography\}|\w*\n).*?^\1",  # references, listings
    r"(?ms)^\s*\$\$.*?\$\$",  # displayed formulas
    r"(?m)^:[\w-]+:.*$",  # options of directives
    r"\{(?!cite)[\w:]+\}`[^`]*`",  # roles
    r"\]\([^)]*\)",  # where links go
]
# The answers to choose from, of which all but one are wrong.
PREDICTION = re.compile(r"(?ms)^:class: predict\n.*?^:{3,}\{dropdown\}")
CHOICE = re.compile(r"(?m)^\d+\. .*$")
EXERCISE = re.compile(r"(?ms)^(`{3,}|:{3,})\{exercise\}.*?^\1 *$")
CITED = re.compile(r"\{cite")
CODE = re.compile(r"`[^`]*`")
SENTENCE_END = re.compile(r"(?<=[.!?:;])[\s*]+(?=[A-Z*`$({])|\n\n|\n[-*|]")
# Indices, exponents and powers of ten are mathematics, not results.
INDEX = re.compile(r"10\^\{?-?\d+\}?|[\^_]\{[^{}]*\}|[\^_]\w")
REFERENCE = re.compile(
    r"(?i)\b(?:chapter|equation|eq\.|figure|table|section|page|model|experiment|seed|exercise)s?"
    r"\s+\d{1,2}(?:(?:, | and | or | to |–)\d{1,2})*\b(?!\.\d| ?%)"
)
YEAR = re.compile(r"(?<![\d,.])(?:19|20)\d\d(?![\d,%]|\.\d)")
HUNDRED = re.compile(r"%|\bper cent\b|\b(?:in|of) (?:a hundred|100)\b")
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?: ?%)?")
TEXT = re.compile(rf"(?:[-−+]?{NUMBER.pattern}\s*)+")


def stated_numbers(text):
    """Yield the (number, sentence) pairs that a page states in digits: "0.73", "4,344", "12 %".

    A number is one with a decimal point, with a percent sign or with two digits or more. Numbers
    in code, in displayed formulas, in indices and exponents and in references ("chapter 09") are
    none; nor are years, nor those in the answers of a question to predict; and a sentence that
    cites a source quotes its numbers from there.
    """
    text = PREDICTION.sub(lambda question: CHOICE.sub(" ", question.group()), text)
    for pattern in NOT_PROSE:
        text = re.sub(pattern, " ", text)
    for sentence in SENTENCE_END.split(text):
        if CITED.search(sentence):
            continue
        plain = CODE.sub(" ", sentence).replace("{,}", ",").replace(r"\,", "").replace(r"\%", "%")
        for pattern in (INDEX, REFERENCE, YEAR):
            plain = pattern.sub(" ", plain)
        for match in NUMBER.finditer(plain):
            if len(match.group()) > 1:
                yield match.group(), " ".join(sentence.split())


class KnownNumbers(ast.NodeVisitor):
    """Collects the numbers of code: constants, and texts of nothing but numbers ("0.73 1.20")."""

    def __init__(self):
        self.texts = set()
        self.constants = set()

    def visit_With(self, node):
        # Where a label stands in a figure proves nothing.
        if "figures.style" not in ast.unparse(node.items[0]):
            self.generic_visit(node)

    def visit_Constant(self, node):
        if type(node.value) in (int, float):
            self.constants.add(float(node.value))
        elif isinstance(node.value, str) and TEXT.fullmatch(node.value):
            self.texts |= {digits(number) for number in NUMBER.findall(node.value)}


def digits(number):
    """The number as it is looked up: "12 %" and "12" alike, "0.20" and "0.2" not."""
    return number.rstrip(" %").replace(",", "")


def unaccounted(notebook):
    """Return (cell id, number, sentence) for each number that no cell of the notebook knows.

    A cell knows a number as a text, which it gives to `vc.says` or compares with what it printed
    (`f"{x:.2f}" == "0.73"`), or as a constant: a setting, or part of an assert. The minutes and
    seconds in the metadata of the notebook are known too, and to its solution, in the same cell,
    what an exercise gives.
    """
    known = KnownNumbers()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            known.visit(ast.parse(cell.source))
    front = notebook.metadata.get("vaecourse", {}).values()
    known.constants |= {float(value) for value in front if isinstance(value, int | float)}
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        exercises = (match.group() for match in EXERCISE.finditer(cell.source))
        given = {digits(number) for text in exercises for number, _ in stated_numbers(text)}
        for number, sentence in stated_numbers(cell.source):
            value = float(digits(number))
            same = {value, round(value / 100, 9)} if HUNDRED.search(sentence) else {value}
            if digits(number) not in known.texts | given and not same & known.constants:
                found.append((cell.id, number, sentence))
    return found


def check_pages(app, env, docnames):
    """Warn, which fails the build, of each unaccounted number on the pages about to be read."""
    for docname in docnames:
        notebook = read_notebook(env, docname)
        if notebook is None:
            continue
        for cell, number, sentence in unaccounted(notebook):
            logger.warning(
                "cell %s states %s, and no cell computes it: %s  (Hold it in a hidden cell, "
                'vc.says("%s", value); write what nothing computes, as a count of students, in '
                "words or as `code`.)",
                *(cell, number, sentence, number),
                location=docname,
            )


def setup(app):
    app.connect("env-before-read-docs", check_pages, priority=400)  # before they are run
    return {"parallel_read_safe": True, "parallel_write_safe": True}
