"""Sphinx extension: what chapters promise, what was measured, and what no chapter covers yet.

The directives `chapters-status` and `syllabus-status` become tables when their page is read. By
then every chapter has run (see notebook_execution), so that nothing generated lies among the
sources. The page is read anew when a chapter, the table of contents or this file changes.
"""

import os
import platform
import re

from jupyter_cache import get_cache
from notebook_execution import PARALLEL, read_notebook
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

EXERCISE = re.compile(r"^(?:`{3,}|:{3,})\{exercise(?:-start)?\}", re.M)
CHECK = re.compile(r"\bchecks\.(\w+)\(")

logger = logging.getLogger(__name__)


class ChaptersStatus(SphinxDirective):
    """The chapters with their promises, kept or not."""

    def run(self):
        chapters = read_chapters(self.env)
        return self.parse_text_to_nodes(f"{summary(chapters)}\n\n{chapters_table(chapters)}")


class SyllabusStatus(SphinxDirective):
    """The items of the sources, one a line as `S0.1 text`, and the chapters that cover them."""

    has_content = True

    def run(self):
        items = dict(line.split(maxsplit=1) for line in self.content if line.strip())
        chapters = read_chapters(self.env)
        for docname, chapter in chapters.items():
            if unknown := set(chapter["sources"]) - items.keys():
                names = ", ".join(sorted(unknown))
                logger.warning("no item of the syllabus: %s", names, location=docname)
        return self.parse_text_to_nodes(syllabus_table(items, chapters))


def read_chapters(env):
    """Return what each chapter holds, promises and took: {docname: facts}, in the book's order.

    A chapter is a notebook with `vaecourse` in its metadata. The page that is being read comes to
    depend on all of them.
    """
    cache = get_cache(env.config.nb_execution_cache_path)
    for path in (__file__, os.path.join(env.srcdir, "_toc.yml")):
        env.note_dependency(path)
    chapters = {}
    for docname in sorted(env.found_docs):
        notebook = read_notebook(env, docname)
        if notebook is None or "vaecourse" not in notebook.metadata:
            continue
        env.note_dependency(env.doc2path(docname))
        promise = notebook.metadata["vaecourse"]
        seconds, date = execution(cache, notebook)
        chapters[docname] = {
            "minutes_to_read": promise["minutes_to_read"],
            "seconds_to_run": promise["seconds_to_run"],
            "sources": sorted(promise["sources"], key=item_order),
            "exercises": len(EXERCISE.findall(text_of(notebook, "markdown"))),
            "checks": len(set(CHECK.findall(text_of(notebook, "code")))),
            "seconds": seconds,
            "date": date,
        }
    return chapters


def item_order(item):
    """Return what puts S0.2 before S0.10 and both before S1.1."""
    return [int(part) for part in item[1:].split(".")]


def execution(cache, notebook):
    """Return the seconds that the notebook took and the day, or twice None where it did not run."""
    try:
        record = cache.match_cache_notebook(notebook)
    except KeyError:
        return None, None
    return round(record.data["execution_seconds"], 1), record.created.date()


def text_of(notebook, cell_type):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == cell_type)


def is_late(chapter):
    return chapter["seconds"] is not None and chapter["seconds"] > chapter["seconds_to_run"]


def summary(chapters):
    """Return the sentences above the table: when, on what kind of machine, and with what result."""
    import joblib  # slow, and not needed where nothing changed

    days = sorted({chapter["date"] for chapter in chapters.values()} - {None})
    if not days:
        return "No chapter was run for these pages."
    when = " to ".join(f"{day.day} {day:%B %Y}" for day in dict.fromkeys([days[0], days[-1]]))
    late = sum(map(is_late, chapters.values()))
    return (
        f"Measured {when} with the budget `{os.environ.get('VAECOURSE_BUDGET', 'reader')}`, "
        f"{PARALLEL} chapters at a time and one thread each, on a machine with "
        f"{joblib.cpu_count()} cores ({platform.system()}, {platform.machine()}, "
        f"Python {platform.python_version()}). "
        f"**Chapters that took longer than they promise: {late} of {len(chapters)}.**"
    )


def chapters_table(chapters):
    """Return the table of chapters, in Markdown."""
    lines = [
        "| Chapter | Minutes to read | Seconds to run, promised | measured | Exercises | Checks "
        "| Items of the sources |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for docname, chapter in chapters.items():
        measured = "not run" if chapter["seconds"] is None else f"{chapter['seconds']:.1f}"
        if is_late(chapter):
            measured = f"**{measured}, missed**"
        cells = [
            f"{number(docname)} {{doc}}`/{docname}`",
            chapter["minutes_to_read"],
            chapter["seconds_to_run"],
            measured,
            chapter["exercises"],
            chapter["checks"],
            in_runs(chapter["sources"]),
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def in_runs(items):
    """Return items of the sources as text, neighbours as one: S0.1, S0.12–20."""
    runs = []
    for item in items:
        source, place = item.split(".")
        if runs and runs[-1][0] == source and runs[-1][-1] == int(place) - 1:
            runs[-1].append(int(place))
        else:
            runs.append([source, int(place)])
    return ", ".join(
        f"{source}.{first}" + (f"–{rest[-1]}" if rest else "") for source, first, *rest in runs
    )


def syllabus_table(items, chapters):
    """Return what is owed and the table of items, in Markdown."""
    covered = {
        item: [name for name in chapters if item in chapters[name]["sources"]] for item in items
    }
    owed = [item for item in items if not covered[item]]
    lines = [
        f"**Owed by no chapter yet: {', '.join(owed) or 'none'}.**",
        "",
        "| Item | What it is | Chapters |",
        "|---|---|---|",
    ]
    for item, text in items.items():
        links = [f"{{doc}}`{number(name)} </{name}>`" for name in covered[item]]
        lines.append(f"| {item} | {text} | {', '.join(links) or 'owed'} |")
    return "\n".join(lines)


def number(docname):
    """Return the number that a chapter's file name begins with."""
    return docname.rpartition("/")[2].partition("_")[0]


def setup(app):
    app.add_directive("chapters-status", ChaptersStatus)
    app.add_directive("syllabus-status", SyllabusStatus)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
