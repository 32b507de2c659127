"""The student's, the solution and the Colab notebook of every chapter, from one source."""

import ast
import builtins
import copy
import importlib.metadata
import importlib.util
import re
import site
import subprocess
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from notebook_versions import VERSIONS, Bibliography, Plain, install_cell, stub, versions
from packaging.requirements import Requirement

import vaecourse as vc

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
MYST = re.compile(r"^(?:`{3,}|:{3,})\{|^:{3,}|\{[\w:-]+\}`|^:[\w-]+:|^\([\w-]+\)=", re.M)


@pytest.fixture(scope="module")
def bibliography():
    return Bibliography(str(ROOT / "references.bib"))


@pytest.fixture(scope="module")
def make(bibliography):
    """A function: the path of a chapter to its source and its versions, made once."""

    @cache
    def make(path):
        source = nbformat.read(path, as_version=4)
        return source, versions(source, bibliography, install_cell(ROOT))

    return make


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request, make):
    return make(request.param)


def solution_of(cell):
    return cell.metadata.get("vaecourse", {}).get("solution")


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_versions_are_valid_and_carry_no_outputs(chapter):
    for name, notebook in chapter[1].items():
        assert name in VERSIONS
        nbformat.validate(notebook)
        assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")


def test_links_within_a_chapter_find_their_place(make):
    (chapter,) = (path for path in CHAPTERS if path.stem.startswith("14_"))
    for notebook in make(chapter)[1].values():
        text = "\n".join(cell.source for cell in notebook.cells)
        links = re.findall(r"\]\(#([\w-]+)\)", text)
        assert len(links) == 9 and sorted(links) == sorted(re.findall(r'<a id="([\w-]+)">', text))


def test_no_directive_and_no_role_is_left(chapter):
    for notebook in chapter[1].values():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                assert MYST.findall(cell.source) == [], cell.id


def test_student_and_solution_differ_in_the_solutions_only(chapter):
    student, solutions = (chapter[1][name].cells for name in ("student", "solutions"))
    assert [cell for cell in student if solution_of(cell) is None] == [
        cell for cell in solutions if solution_of(cell) is None
    ]
    whole = {cell.id: cell for cell in solutions}
    for cell in student:
        if solution_of(cell) is not None:
            assert cell.source != whole[cell.id].source
            assert cell.source.startswith(f"# Exercise: {solution_of(cell)}\n")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_what_the_page_hides_is_folded_in_jupyterlab_too(path):
    for cell in nbformat.read(path, as_version=4).cells:
        hidden = {"remove-cell", "hide-input", "hide-cell"} & set(cell.metadata.get("tags", []))
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == bool(hidden), cell.id


def test_every_exercise_has_a_solution_and_nothing_else_is_one(chapter):
    source, made = chapter
    texts = [cell.source for cell in source.cells if cell.cell_type == "markdown"]
    titles = [title for text in texts for title in re.findall(r"\{exercise\} *(.*)", text)]
    cells = [cell for cell in made["solutions"].cells if solution_of(cell) is not None]
    assert [solution_of(cell) for cell in cells if cell.cell_type == "markdown"] == titles
    for cell in cells:
        if cell.cell_type == "code":
            assert set(cell.metadata["tags"]) & {"hide-cell", "remove-cell"}
        else:
            assert cell.source.startswith("<details>\n<summary>Solution</summary>")


def test_code_is_that_of_the_chapter(chapter):
    """So what the tests run of the chapter, they run of its versions too."""
    source, made = chapter
    assert code(made["solutions"]) == code(source)
    assert code(made["colab"])[1:] == code(source)
    assert code(made["colab"])[0] == install_cell(ROOT).source


def test_no_other_cell_needs_a_solution(chapter):
    """A student's notebook runs on past a stub, or needs just the function that it asks for."""
    asked = {cell.id: functions(cell.source) for cell in chapter[1]["student"].cells}
    known, solved = set(dir(builtins)), set()
    for cell in chapter[1]["solutions"].cells:
        if cell.cell_type != "code":
            continue
        names = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)]
        bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        bound |= functions(cell.source)
        if solution_of(cell) is None:
            used = {node.id for node in names if isinstance(node.ctx, ast.Load)}
            assert used & solved - bound == set(), cell.id
            known |= bound
            solved -= bound
        else:
            solved |= bound - known - asked.get(cell.id, set())


def functions(source):
    return set(re.findall(r"(?m)^def (\w+)", source))


def executed(notebook, monkeypatch, **options):
    monkeypatch.setenv("VAECOURSE_BUDGET", "smoke")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    resources = {"metadata": {"path": str(ROOT / "chapters")}}
    notebook = copy.deepcopy(notebook)
    NotebookClient(notebook, timeout=None, resources=resources, **options).execute()
    return notebook


def test_the_colab_notebook_begins_to_run(make, monkeypatch):
    """What comes after the cell that installs is the code of the chapter."""
    notebook = make(ROOT / "chapters" / "06_mean_field.ipynb")[1]["colab"]
    notebook = nbformat.v4.new_notebook(cells=notebook.cells[:12], metadata=notebook.metadata)
    cells = [cell for cell in executed(notebook, monkeypatch).cells if cell.cell_type == "code"]
    assert len(cells) > 2
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def test_a_students_notebook_runs_to_its_end(make, monkeypatch):
    """Of every chapter: `make students`."""
    monkeypatch.delenv("VAECOURSE_STRICT", raising=False)
    path = ROOT / "chapters" / "06_mean_field.ipynb"
    notebook = executed(make(path)[1]["student"], monkeypatch)
    said = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code" and "vc.checks" in cell.source
        for output in cell.outputs
    ]
    assert said and set(said) == {"Still open: your function returns nothing yet.\n"}


# --- the parts -------------------------------------------------------------------------------


def plain(text, bibliography):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    return Plain(notebook, bibliography).text(text)


FOLDED = "<details>\n<summary>{}</summary>\n\n{}\n\n</details>"


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("Words, $x^2$ and `code`.\n\n$$\ny\n$$", "Words, $x^2$ and `code`.\n\n$$\ny\n$$"),
        ("```python\nx = {1}\n```", "```python\nx = {1}\n```"),
        ("```{admonition} Mind\nthe gap\n```", "**Mind**\n\nthe gap"),
        ("```{admonition} Why\n:class: dropdown\n\nSo.\n```", FOLDED.format("Why", "So.")),
        (":::{dropdown} p < q\nSo.\n:::", FOLDED.format("p &lt; q", "So.")),
        (
            "::::{admonition} Predict\n:class: x\n\n1. a\n:::{dropdown} Answer\n**1.**\n:::\n::::",
            "**Predict**\n\n1. a\n" + FOLDED.format("Answer", "**1.**"),
        ),
        ("```{exercise} One\n:label: ex\n\nDo.\n```\nSee {ref}`ex`.",
         "**Exercise: One**\n\nDo.\nSee *One*."),
        ("```{tip}\nA hint.\n```", "**Tip**\n\nA hint."),
        ("````{note}\n```\nx\n```\n````", "**Note**\n\n```\nx\n```"),
        ("See {doc}`chapter 03 <03_kl>` and {doc}`07_elbo`.", "See chapter 03 and chapter 07."),
        ("Bound {cite}`kingma2014,burda2016`.",
         "Bound (Kingma and Welling, 2014; Burda et al., 2016)."),
        ("{cite:t}`s0_guo` and {cite:t}`bishop2006`", "Guo et al. and Bishop (2006)"),
        ("{cite}`s4_notes`", "(Models)"),
        ("A **{term}`logit`**, {term}`priors <prior>`.", "A **logit**, priors."),
    ],
)  # fmt: skip
def test_myst_becomes_plain_markdown(myst, markdown, bibliography):
    assert plain(myst, bibliography) == markdown


def test_references_are_those_that_are_cited(bibliography):
    text = plain(
        "{cite}`burda2016` {cite:t}`bishop2006`\n\n```{bibliography}\n:list: bullet\n```",
        bibliography,
    )
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(lines) == 2
    assert "Pattern Recognition" in lines[0]
    assert "Importance weighted autoencoders" in lines[1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("```{figure} x.png\n```", "{figure} has no counterpart in plain Markdown"),
        ("{abbr}`x`", "{abbr} has no counterpart in plain Markdown"),
        ("```{exercise} One\n:label: ex\n\nDo.", "{exercise} One is never closed by ```"),
        ("{cite}`nobody1900`", "nobody1900 is not among the references"),
    ],
)
def test_what_cannot_be_turned_is_named(text, reason, bibliography):
    with pytest.raises(ValueError, match=reason):
        plain(text, bibliography)


def test_a_stub_keeps_the_signature_and_the_check_alone():
    solution = '''helper = 3


def kl(loc, log_var):
    """KL(q ‖ N(0, I)) for each row, [B], nats."""
    return 0.5 * (log_var.exp() + loc**2 - 1 - log_var).sum(-1)


verdict = vc.checks.kl(kl)
assert verdict.startswith("Right:")'''
    left = stub(solution, "The rate")
    assert (
        left
        == '''# Exercise: The rate
# Write what is missing; the check says what it thinks.
def kl(loc, log_var):
    """KL(q ‖ N(0, I)) for each row, [B], nats."""
    return ...


print(vc.checks.kl(kl))'''
    )


def test_a_stub_defines_what_stands_before_and_gives_what_is_needed_after():
    left = stub(
        "print(vc.checks.kl(kl))", "The rate", "def kl(loc, log_var):\n    return 1", "kl(x)"
    )
    assert left.endswith(
        "    kl = vc.checks.kl.right  # until yours is, so that the cells below run"
    )
    assert "def kl(loc, log_var):\n    return ...\n" in left


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_untouched_stub_is_still_open(path, make):
    for cell in make(path)[1]["student"].cells:
        if solution_of(cell) is None or "vc.checks" not in cell.source:
            continue
        start = cell.source.index("print(") if "verdict" not in cell.source else None
        names = {"vc": vc, "torch": torch}
        exec(cell.source[: cell.source.index("verdict =") if start is None else start], names)
        for check, name in re.findall(r"vc\.checks\.(\w+)\((\w+)\)", cell.source):
            with pytest.raises(vc.checks.Mistake, match="Still open: your function returns noth"):
                getattr(vc.checks, check)(names[name])


def test_a_stub_without_a_check_is_a_place_to_write():
    assert stub("assert 1 + 1 == 2", "How wide?") == "# Exercise: How wide?\n# Your lines go here."


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ("2.13.0+cpu", ""),
        ("2.15.1", "This torch, 2.15.1, was not tested (torch<2.14,>=2.6 was).\n"),
        (None, ""),
    ],
)
def test_an_installed_torch_stays(installed, said, monkeypatch, capsys):
    """Run the cell as where only torch is installed, or nothing, without its line for the shell."""
    ran = []
    there = {"torch"} if installed else set()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in there or None)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: installed)
    monkeypatch.setattr(site, "main", lambda: None)
    monkeypatch.setattr(subprocess, "run", lambda command, check: ran.append(command))
    exec(re.sub(r"(?m)^    !.*\n", "", install_cell(ROOT).source), {})
    assert capsys.readouterr().out == said
    names = {Requirement(need).name for need in ran[0][5:]}
    assert ("torch" in names) == (installed is None) and {"anywidget", "numpy"} <= names


def test_the_install_cell_uses_the_repository_where_one_is_named(tmp_path):
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "vaecourse"\n')
    assert "!tar -xzf course.tar.gz && pip install" in install_cell(tmp_path).source
    project.write_text('[project.urls]\nRepository = "https://example.org/course"\n')
    clone = "!git clone --depth 1 https://example.org/course course && pip install"
    assert clone in install_cell(tmp_path).source
