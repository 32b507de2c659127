"""List the sentences of the book that claim a cause, a law or a preference, each with its code.

A list for whoever reviews the book next, not a gate: `make claims`, or `make claims PAGES=03`.
Under the list stand the length of the sentences of each page, and the minutes that a chapter takes
by the rule of status.md.
"""

import re
import sys
from pathlib import Path

import nbformat
from prose_numbers import NOT_PROSE

WORDS = "because reason always never everywhere only best most proves"
CLAIM = re.compile(rf"(?i)\b({'|'.join(WORDS.split())})\b")
SENTENCE_END = re.compile(
    r"(?<=[.!?])[)*\"”]*\s+(?=[A-Z0-9*`$({\[“\"])|\n\s*\n|\n(?=[-*|#>]|\d\. )"
)
HEADINGS_AND_FENCES = re.compile(r"(?m)^(?:#.*|\s*[:`]{3,}.*|\|[-|: ]+\|)$")
NO_PROSE = ("CHANGELOG", "CONTRIBUTING", "README", "glossary", "status")
ROOT = Path(__file__).parents[1]


def sentences(text):
    """The sentences of a Markdown text, without formulas that are displayed, code and options."""
    for pattern in NOT_PROSE[:3]:
        text = re.sub(pattern, " ", text)
    text = HEADINGS_AND_FENCES.sub("\n\n", text)
    for sentence in SENTENCE_END.split(text):
        words = " ".join(sentence.split()).lstrip("-*>| ")
        if len(re.findall(r"\w+", words)) > 2:
            yield words


def cells_of(path):
    """(id, text, code beside it) of each text: of a notebook's cells, or of a page as a whole.

    The code beside a text is the code cell before it and the one after it.
    """
    if path.suffix == ".md":
        return [(path.stem, path.read_text(encoding="utf-8"), "")]
    cells = nbformat.read(path, as_version=4).cells
    found = []
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            around = cells[max(index - 1, 0) : index + 2]
            beside = [near for near in around if near.cell_type == "code"]
            code = ", ".join(f"{near.id} ({near.source.splitlines()[-1][:60]})" for near in beside)
            found.append((cell.id, cell.source, code))
    return found


EXERCISE = re.compile(r"(?ms)^(`{3,}|:{3,})\{(?:exercise|solution)\}.*?^\1 *$")
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def minutes(notebook):
    """(to read, with code and exercises) by the rule of status.md, in minutes, to the next five."""
    words = figures = lines = exercises = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            exercises += len(re.findall(r"\{exercise\}", cell.source))
            text = EXERCISE.sub(" ", cell.source)
            words += sum(len(sentence.split()) for sentence in sentences(text))
            continue
        figures += "mystnb" in cell.metadata
        if not HIDDEN & set(cell.metadata.get("tags", [])):
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    reading = words / 100 + figures + lines / 20
    return tuple(5 * round(time / 5) for time in (reading, reading + lines / 10 + 10 * exercises))


def main(pattern=""):
    pages = [*sorted((ROOT / "chapters").glob("*.ipynb")), *sorted(ROOT.glob("*.md"))]
    table = []
    for path in pages:
        if pattern not in path.name or path.stem in NO_PROSE:
            continue
        lengths, claims = [], 0
        for cell, text, code in cells_of(path):
            for sentence in sentences(text):
                lengths.append(len(sentence.split()))
                if words := sorted({word.lower() for word in CLAIM.findall(sentence)}):
                    claims += 1
                    print(f"{path.stem} {cell} [{', '.join(words)}] {sentence}")
                    if code:
                        print(f"    beside it: {code}")
        if lengths:
            long = sum(length > 25 for length in lengths) / len(lengths)
            mean = sum(lengths) / len(lengths)
            row = f"{path.stem:32}{len(lengths):10}{mean:8.1f}{long:10.0%}{claims:8}"
            if path.suffix == ".ipynb":
                row += "{:9}{:8}".format(*minutes(nbformat.read(path, as_version=4)))
            table.append(row)
    columns = ("sentences", 10), ("words", 8), ("over 25", 10), ("claims", 8), ("to read", 9)
    print(f"\n{'page':32}" + "".join(f"{name:>{width}}" for name, width in columns) + "  in all")
    print(*table, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
