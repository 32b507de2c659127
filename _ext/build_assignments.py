"""`make assignments`: of every chapter a notebook that nbgrader takes as it is.

They are the students' notebooks with nbgrader's metadata, in its own folders:
`_build/assignments/source/CHAPTER/CHAPTER.ipynb`. What a check judges is graded by itself; the
other exercises have a cell for an answer that somebody reads.
"""

import ast
import copy
import re
import textwrap
from pathlib import Path

import nbformat
from notebook_versions import Bibliography, Plain, asked, judged, marked_cells

READ = 2  # points of an answer that somebody reads
MOST = 4  # points of one function, which has a point for each statement of its solution
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "vaecourse"
c.ExecutePreprocessor.timeout = 600
"""


def mark(cell, grade_id, points=None, solution=False):
    """Give a cell nbgrader's metadata, of its schema's version 3."""
    graded = points is not None
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": grade_id,
        "grade": graded,
        "solution": solution,
        "task": False,
        "locked": not solution,
        **({"points": points, "cell_type": cell.cell_type} if graded else {}),
    }
    return cell


def assignment(notebook, bibliography):
    """The notebook of one chapter for nbgrader's folder `source`, with solutions in it."""
    plain = Plain(notebook, bibliography)
    cells = marked_cells(notebook)
    made, group = [], []
    for place, cell in enumerate(cells):
        exercise = exercise_of(cell)
        if exercise is None:
            kept = copy.deepcopy(cell)
            if kept.cell_type == "markdown":
                kept.source = plain.text(kept.source)
            made.append(kept)
            continue
        group.append(cell)
        ahead = cells[place + 1 : place + 2]
        if ahead and exercise_of(ahead[0]) == exercise and ahead[0].cell_type == "code":
            continue
        # What follows may lean on what is asked for; what precedes may already define it.
        before, after = (unsolved(cells[:place]), unsolved(cells[place + 1 :]))
        made += answers(group, exercise, plain, before, after)
        group = []
    for cell in made:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.v4.new_notebook(cells=made, metadata=copy.deepcopy(notebook.metadata))


def exercise_of(cell):
    return cell.metadata.get("vaecourse", {}).get("solution")


def unsolved(cells):
    return "\n".join(c.source for c in cells if c.cell_type == "code" and exercise_of(c) is None)


def answers(group, exercise, plain, before, after):
    """The cells for one exercise in place of the `group` of cells that is its solution."""
    code = [cell for cell in group if cell.cell_type == "code"]
    stem = re.sub(r"[^\w-]", "-", (code or group)[0].id)
    calls, functions = asked(code[0].source, before) if code else ([], [])
    if not calls:
        return [answer_to_read(group, exercise, stem, plain)]
    texts = [code[0].source, before]
    source = next(
        text for text in texts if {node.name for node in functions} <= defined(text).keys()
    )
    lines = [f"# Exercise: {exercise}"]
    lines += [with_region(node, source, functions) for node in functions]
    cells = [mark(nbformat.v4.new_code_cell("\n".join(lines), id=stem), stem, solution=True)]
    nodes, seen = {node.name: node for node in functions}, set()
    for call in calls:
        check, name = ast.unparse(call.func), ast.unparse(call.args[0])
        if name in nodes and (check, name) not in seen:
            seen.add((check, name))
            test_id = f"{stem}-{name}"
            test = nbformat.v4.new_code_cell(judged(check, name, after), id=test_id)
            cells.append(mark(test, test_id, min(MOST, len(body(nodes[name])))))
    return cells


def answer_to_read(group, exercise, stem, plain):
    """One cell for an exercise without a check, with its solution for whoever reads the answers."""
    code = "\n\n".join(cell.source for cell in group if cell.cell_type == "code")
    if not code:
        text = plain.text(group[0].source)
        return mark(nbformat.v4.new_markdown_cell(text, id=stem), stem, READ, solution=True)
    lines = [f"# Exercise: {exercise}", "### BEGIN SOLUTION", code, "### END SOLUTION"]
    cell = nbformat.v4.new_code_cell("\n".join(lines), id=stem)
    cell.metadata["tags"] = ["raises-exception"]  # so that "Run all" goes on past the empty cell
    return mark(cell, stem, READ, solution=True)


def defined(source):
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def body(node):
    """The statements of a function without its docstring."""
    return node.body[ast.get_docstring(node) is not None :]


def with_region(node, source, asked_for):
    """A function of `source` with its body as nbgrader's solution.

    Functions beside it that it calls go into it, since they are part of the solution.
    """
    lines = source.split("\n")
    start = min([node.lineno, *(part.lineno for part in node.decorator_list)]) - 1
    first = body(node)[0].lineno - 1
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    apart = {part.name for part in asked_for}
    helpers = [
        textwrap.indent("\n".join(lines[part.lineno - 1 : part.end_lineno]), "    ")
        for name, part in defined(source).items()
        if name in names - apart and source.count("vc.checks")
    ]
    region = ["    ### BEGIN SOLUTION", *helpers, *lines[first : node.end_lineno]]
    return "\n".join([*lines[start:first], *region, "    ### END SOLUTION\n\n"])


def main():
    root = Path(__file__).parents[1]
    place = root / "_build" / "assignments"
    bibliography = Bibliography(str(root / "references.bib"))
    for path in sorted((root / "chapters").glob("[0-9]*.ipynb")):
        made = assignment(nbformat.read(path, as_version=4), bibliography)
        folder = place / "source" / path.stem
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(made, folder / path.name)
        marks = [cell.metadata.get("nbgrader", {}) for cell in made.cells]
        points = sum(found.get("points", 0) for found in marks)
        print(f"{folder.relative_to(root)}: {points} points")
    (place / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")


if __name__ == "__main__":
    main()
