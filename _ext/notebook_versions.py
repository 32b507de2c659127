"""Sphinx extension: from every chapter a student's, a solution and a Colab notebook.

They are made from the chapter when the pages are built, in `notebooks/` beside them, and each
page links to its own. Their text is plain Markdown, which shows everywhere; their code is that of
the chapter, cell by cell, except that the student's has stubs in place of the solutions and
Colab's begins with a cell that installs the package.
"""

import ast
import copy
import json
import re
import tomllib
from html import escape
from itertools import count
from pathlib import Path

import nbformat
from pybtex.database import parse_file
from pybtex.plugin import find_plugin
from sphinx.util import logging

logger = logging.getLogger(__name__)

VERSIONS = {
    "student": "for students",
    "solutions": "with solutions",
    "colab": "for Colab",
}

# --- MyST to plain Markdown ------------------------------------------------------------------

FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}|:{3,})(?:\{(?P<name>[\w:-]+)\} *(?P<title>.*))?")
OPTION = re.compile(r"^:([\w-]+): *(.*)$")
ROLE = re.compile(r"\{([\w:]+)\}`([^`]*)`")
TARGET = re.compile(r"^\(([\w-]+)\)=$", re.M)
NAMED = re.compile(r"^(.*?)\s*<(.*)>$", re.S)
FORMULA = re.compile(r"(?s)\$\$(.+?)(\s*)\$\$")
SOLUTION = re.compile(r"(?ms)(^(`{3,}|:{3,})\{solution\}.*?^\2 *$)")
NOTICES = ("note", "tip", "hint", "important", "warning", "caution", "seealso")


class Bibliography:
    """The references, as names in the text and as a list under it."""

    def __init__(self, path):
        self.entries = parse_file(path).entries
        self.style = find_plugin("pybtex.style.formatting", "unsrt")()
        self.backend = find_plugin("pybtex.backends", "markdown")()

    def names(self, key):
        entry = self.entries[key]
        people = ["".join(person.last_names) for person in entry.persons.get("author", [])]
        people = [re.sub("[{}]", "", name) for name in people]
        if len(people) > 2:
            return f"{people[0]} et al."
        return " and ".join(people) or entry.fields["key"]

    def cite(self, keys, in_the_text):
        cited = []
        for key in (key.strip() for key in keys.split(",")):
            if key not in self.entries:
                raise ValueError(f"{key} is not among the references.")
            year = self.entries[key].fields.get("year")
            name = self.names(key)
            if in_the_text:
                cited.append(f"{name} ({year})" if year else name)
            else:
                cited.append(f"{name}, {year}" if year else name)
        return " and ".join(cited) if in_the_text else f"({'; '.join(cited)})"

    def references(self, keys):
        entries = [self.entries[key] for key in sorted(keys, key=self.names)]
        lines = [entry.text.render(self.backend) for entry in self.style.format_entries(entries)]
        return "\n".join(f"- {' '.join(line.split())}" for line in lines)


class Plain:
    """Turns the MyST of one notebook into Markdown that Jupyter and Colab show.

    Raises ValueError for a directive or a role that it does not know.
    """

    def __init__(self, notebook, bibliography, chapter=""):
        texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        roles = [role for text in texts for role in ROLE.findall(text)]
        self.cited = {
            key.strip() for role, keys in roles if "cite" in role for key in keys.split(",")
        }
        self.targets = {target for text in texts for target in TARGET.findall(text)}
        self.titles = dict(
            (label, title)
            for text in texts
            for title, label in re.findall(r"\{exercise\} *(.*)\n:label: *(\S+)", text)
        )
        self.bibliography = bibliography
        self.chapter, self.exercises = chapter, 0

    def text(self, source):
        """The Markdown of a cell or of the body of a directive."""
        blocks = [
            block if kind == "code" else self.directive(*block) if kind else self.inline(block)
            for kind, block in split(source)
        ]
        return "\n".join(blocks).strip("\n")

    def inline(self, text):
        text = TARGET.sub(r'<a id="\1"></a>\n', text)
        return ROLE.sub(lambda role: self.role(*role.groups()), text)

    def role(self, name, content):
        named = NAMED.match(content)
        if name in ("cite", "cite:p", "cite:t"):
            return self.bibliography.cite(content, in_the_text=name == "cite:t")
        if name == "doc":
            return named[1] if named else re.sub(r".*?(\d+)_.*", r"chapter \1", content)
        if name == "term":
            return named[1] if named else content
        if name == "ref" and named and named[2] in self.targets:
            return f"[{named[1]}](#{named[2]})"
        if name == "ref":
            return named[1] if named else f"*{self.titles[content]}*"
        raise ValueError(f"{{{name}}} has no counterpart in plain Markdown.")

    def directive(self, name, title, options, body):
        title, classes = self.inline(title), options.get("class", "").split()
        if name == "bibliography":
            return self.bibliography.references(self.cited)
        body = self.text(body)
        if name == "exercise":
            self.exercises += 1
            number = f" {self.chapter}.{self.exercises}" if self.chapter else ""
            return f"**Exercise{number}: {title}**\n\n{body}"
        if name == "solution":
            return folded("Solution", body)
        if name == "dropdown" or "dropdown" in classes:
            return folded(title, body)
        if name == "admonition":
            return f"**{title}**\n\n{body}"
        if name in NOTICES:
            return f"**{name.capitalize()}**\n\n{body}"
        if name.startswith("prf:"):
            kind = name.removeprefix("prf:").capitalize()
            return f"**{kind}{f' ({title})' if title else ''}**\n\n{body}"
        if name == "math":
            return f"$$\n{body}\n$$"
        raise ValueError(f"{{{name}}} has no counterpart in plain Markdown.")


def folded(summary, body):
    return f"<details>\n<summary>{escape(summary)}</summary>\n\n{body}\n\n</details>"


def split(source):
    """(kind, block) of a text in order: "" text, "code" a listing, "directive" its four parts."""
    lines, text, blocks = source.split("\n"), [], []
    while lines:
        line = lines.pop(0)
        opening = FENCE.match(line)
        if opening is None:
            text.append(line)
            continue
        inside = []
        while lines and not re.fullmatch(rf"{opening['fence']}[`~:]*\s*", lines[0]):
            inside.append(lines.pop(0))
        if not lines and opening["name"]:
            raise ValueError(f"{line.strip()} is never closed by {opening['fence']}.")
        closing = lines.pop(0) if lines else ""
        blocks.append(("", "\n".join(text)))
        text = []
        if opening["name"] is None:
            blocks.append(("code", "\n".join([line, *inside, closing])))
            continue
        options = {}
        while inside and (option := OPTION.match(inside[0])):
            options[option[1]] = option[2].strip()
            inside.pop(0)
        blocks.append(
            ("directive", (opening["name"], opening["title"], options, "\n".join(inside)))
        )
    blocks.append(("", "\n".join(text)))
    return blocks


# --- the cells -------------------------------------------------------------------------------


def marked_cells(notebook):
    """The cells, each solution in cells of its own and marked: metadata.vaecourse.solution.

    A solution is the directive of that name, and the folded or hidden code that follows it. The
    mark is the title of its exercise.
    """
    cells, exercise, after_solution = [], "", False
    for cell in notebook.cells:
        cell = copy.deepcopy(cell)
        if cell.cell_type == "code":
            tags = set(cell.metadata.get("tags", []))
            after_solution = after_solution and bool(tags & {"hide-cell", "remove-cell"})
            if after_solution:
                cell.metadata["vaecourse"] = {"solution": exercise}
            cells.append(cell)
            continue
        after_solution = False
        for piece in SOLUTION.split(cell.source):
            if re.fullmatch(r"`*|:*|\s*", piece):
                continue
            part = copy.deepcopy(cell)
            part.source = piece.strip("\n")
            after_solution = bool(re.match(r"(`{3,}|:{3,})\{solution\}", piece))
            if after_solution:
                part.metadata["vaecourse"] = {"solution": exercise}
                part.id = f"{cell.id}-solution"
            elif title := re.findall(r"\{exercise\} *(.*)", piece):
                exercise = title[-1]
            cells.append(part)
    return unique_ids(cells)


def unique_ids(cells):
    seen = set()
    for cell in cells:
        stem, count = cell.id, 2
        while cell.id in seen:
            cell.id, count = f"{stem}-{count}", count + 1
        seen.add(cell.id)
    return cells


def asked(code, before=""):
    """The calls of checks in the code of a solution, and the functions that they look at."""
    tree = ast.parse(code)
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and re.fullmatch(r"vc\.checks\.\w+", ast.unparse(node.func))
    ]
    wanted = {argument.id for call in calls for argument in call.args if hasattr(argument, "id")}
    functions = [
        [node for node in part.body if isinstance(node, ast.FunctionDef) and node.name in wanted]
        for part in (tree, ast.parse(before if calls else ""))
    ]
    return sorted(calls, key=lambda call: call.lineno), functions[0] or functions[1]


def judged(check, name, after):
    """The lines that ask a check, and lend its own function where the code `after` needs one."""
    if not re.search(rf"\b{name}\(", after):
        return f"print({check}({name}))"
    return (
        f'verdict = {check}({name})\nprint(verdict)\nif not verdict.startswith("Right:"):\n'
        f"    {name} = {check}.right  # until yours is, so that the cells below run"
    )


def stub(code, exercise, before="", after=""):
    """What a student finds where a solution stands: what to write, and the check that judges it.

    The function may stand in the code `before`; where the code `after` needs it, the check's own
    takes its place until it is right.
    """
    calls, functions = asked(code, before)
    if not calls:
        return f"# Exercise: {exercise}\n# Your lines go here."
    parts = [f"# Exercise: {exercise}\n# Write what is missing; the check says what it thinks."]
    for node in functions:
        described = ast.get_docstring(node) is not None
        node.body = [*node.body[:described], ast.Return(ast.Constant(...))]
        parts.append(ast.unparse(node) + "\n\n")
    names = {node.name for node in functions}
    for call in calls:
        check, name = ast.unparse(call.func), ast.unparse(call.args[0])
        if name in names and judged(check, name, after) not in parts:
            parts.append(judged(check, name, after))
    return "\n".join(parts)


INSTALL = """\
# {how}
import importlib.util
import site
import subprocess
import sys
from importlib.metadata import requires, version

if importlib.util.find_spec("vaecourse") is None:
    !{get} && pip install --quiet --no-deps --editable course
    site.main()  # what was installed just now is found without a restart
    from packaging.requirements import Requirement

    needs = [Requirement(need) for need in requires("vaecourse") if "extra ==" not in need]
    if importlib.util.find_spec("torch") is not None:  # it stays, whichever it is
        (tested,) = (need for need in needs if need.name == "torch")
        needs.remove(tested)
        if version("torch") not in tested.specifier:
            print(f"This torch, {{version('torch')}}, was not tested ({{tested}} was).")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *map(str, needs)], check=True)
if "google.colab" in sys.modules:
    from google.colab import output

    output.enable_custom_widget_manager()  # for the figures that move"""


def install_cell(root):
    """The first cell for Colab: the package from its repository, or from an archive of it."""
    project = tomllib.loads((Path(root) / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project.get("urls", {}).get("Repository")
    if address:
        how, get = "Installs the course, where it is not.", f"git clone --depth 1 {address} course"
    else:
        how = "Where the course is not installed: upload its archive, course.tar.gz, then run this."
        get = "tar -xzf course.tar.gz"
    return nbformat.v4.new_code_cell(INSTALL.format(how=how, get=get), id="install")


def numbered(notebook, chapter):
    """The notebook with the numbers that chapter_numbers.py gives the formulas of the page."""
    notebook, places = copy.deepcopy(notebook), count(1)

    def tag(found):
        return rf"$${found[1]} \tag{{{chapter}.{next(places)}}}{found[2]}$$"

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(tag, cell.source)
    return notebook


def chapter_number(path):
    """The 7 of 07_elbo.ipynb."""
    return Path(path).name[:2].lstrip("0")


def versions(notebook, bibliography, install, chapter=""):
    """The notebooks of one chapter by the names of `VERSIONS`."""
    if chapter:
        notebook = numbered(notebook, chapter)
    plain = Plain(notebook, bibliography, chapter)
    cells = marked_cells(notebook)
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = plain.text(cell.source)
        elif {"remove-cell", "hide-input", "hide-cell"} & set(cell.metadata.get("tags", [])):
            cell.metadata["cellView"] = "form"  # Colab's word for `jupyter.source_hidden`
    student, stubbed = [], False
    code = [
        "" if cell.cell_type != "code" or "solution" in cell.metadata.get("vaecourse", {})
        else cell.source
        for cell in cells
    ]  # fmt: skip
    for place, cell in enumerate(cells):
        exercise = cell.metadata.get("vaecourse", {}).get("solution")
        if exercise is None:
            student.append(cell)
            stubbed = False
        elif cell.cell_type == "code" and not stubbed:
            empty = copy.deepcopy(cell)
            before, after = "\n".join(code[:place]), "\n".join(code[place:])
            empty.source, stubbed = stub(cell.source, exercise, before, after), True
            empty.metadata = {"vaecourse": {"solution": exercise}}
            student.append(empty)
    chosen = {"student": student, "solutions": cells, "colab": [install, *cells]}
    return {
        name: nbformat.v4.new_notebook(cells=copy.deepcopy(part), metadata=notebook.metadata)
        for name, part in chosen.items()
    }


# --- the book --------------------------------------------------------------------------------


def file_name(docname, version):
    return f"notebooks/{docname.rpartition('/')[2]}_{version}.ipynb"


def chapters(env):
    """(docname, path) of the pages that are notebooks."""
    for docname in sorted(env.found_docs):
        path = env.doc2path(docname)
        if str(path).endswith(".ipynb"):
            yield docname, path


def changed(sources, made):
    """Whether a file that was made is missing, or older than one that it was made of."""
    newest = max(Path(path).stat().st_mtime_ns for path in sources)
    return any(not path.exists() or path.stat().st_mtime_ns < newest for path in made)


def write_versions(app, exception):
    """Write the notebooks of every chapter that is newer than they are into the built book."""
    if exception is not None or app.builder.format != "html":
        return
    root, out = Path(app.srcdir), Path(app.outdir)
    (out / "notebooks").mkdir(exist_ok=True)
    common = [root / "references.bib", root / "pyproject.toml", Path(__file__)]
    old = [
        (docname, path)
        for docname, path in chapters(app.env)
        if changed([path, *common], [out / file_name(docname, version) for version in VERSIONS])
    ]
    if not old:
        return
    bibliography = Bibliography(str(root / "references.bib"))
    install = install_cell(root)
    for docname, path in old:
        try:
            source = nbformat.read(path, as_version=4)
            made = versions(source, bibliography, install, chapter_number(path))
        except ValueError as error:
            logger.warning("its notebooks were not made: %s", error, location=docname)
            continue
        for version, notebook in made.items():
            path = out / file_name(docname, version)
            nbformat.write(notebook, path)
            words = f"saveNotebook({json.dumps(path.name)}, {nbformat.writes(notebook)})\n"
            path.with_name(f"{path.name}.js").write_text(words, encoding="utf-8")


def link_versions(app, pagename, templatename, context, doctree):
    """Put a line with the notebooks under the title of a chapter."""
    if pagename not in dict(chapters(app.env)) or "body" not in context:
        return
    address = context["pathto"]
    links = " · ".join(
        f'<a href="{address(file_name(pagename, version), 1)}" download>{words}</a>'
        for version, words in VERSIONS.items()
    )
    line = f'</h1>\n<p class="notebook-versions">This page as a notebook: {links}</p>'
    context["body"] = context["body"].replace("</h1>", line, 1)


def setup(app):
    app.connect("html-page-context", link_versions)
    # before `notebook_execution` counts the warnings
    app.connect("build-finished", write_versions, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
