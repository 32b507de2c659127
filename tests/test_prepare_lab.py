"""JupyterLab opens notebooks that are ready to work in, and keeps what was written in them."""

import shutil
from importlib.metadata import distribution

import nbformat
from ipykernel.ipkernel import IPythonKernel
from prepare_lab import ROOT, prepare


def test_notebooks_are_prepared_once(tmp_path):
    (tmp_path / "chapters").mkdir()
    for name in ("references.bib", "pyproject.toml", "chapters/07_elbo.ipynb"):
        shutil.copy(ROOT / name, tmp_path / name)
    lab = tmp_path / "lab"
    assert prepare(lab, tmp_path) == ["07_elbo.ipynb", "solutions/07_elbo.ipynb"]
    names = ("07_elbo.ipynb", "solutions/07_elbo.ipynb")
    notebooks = [nbformat.read(lab / name, as_version=4) for name in names]
    student, solved = ("\n".join(cell.source for cell in book.cells) for book in notebooks)
    for book in notebooks:  # else the kernel writes it, and the notebook is changed once opened
        assert book.metadata["language_info"] == IPythonKernel.language_info
        assert book.metadata["kernelspec"]["display_name"] == "Python 3 (ipykernel)"
    for text in (student, solved):
        assert "{cite}" not in text and "{bibliography}" not in text
        assert "**Exercise 7.1: " in text and r"\tag{7.1}" in text
    assert "<summary>Solution</summary>" in solved and "<summary>Solution</summary>" not in student
    assert "the check says what it thinks" in student

    (lab / "07_elbo.ipynb").write_text("mine")
    (lab / "solutions" / "07_elbo.ipynb").unlink()
    assert prepare(lab, tmp_path) == ["solutions/07_elbo.ipynb"]
    assert (lab / "07_elbo.ipynb").read_text() == "mine"
    assert list(lab.rglob("*.part")) == []


def test_jupyterlab_has_no_markdown_but_its_own():
    """One that draws MyST too leaves formulas in folds as TeX and numbers the numbered anew."""
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    extensions = [
        name
        for name, _, _ in (line.partition("==") for line in locked)
        if any("labextensions" in file.parts for file in distribution(name).files)
    ]
    assert extensions == ["anywidget", "jupyterlab_pygments", "jupyterlab_widgets"]
