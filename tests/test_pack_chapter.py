"""`make archive CHAPTER=NN`: what the chapter reads goes in."""

import nbformat
import pytest
from pack_chapter import ROOT, opened, pack, tracked


def test_what_a_notebook_reads_is_heard_of():
    code = 'import vaecourse as vc\nvc.checkpoint.pretrained("figure_eight_diagonal", 1)'
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    stem = ROOT / "data" / "pretrained" / "figure_eight_diagonal_seed1"
    found = [path for path in opened(notebook, ROOT / "data") if path.suffix != ".csv"]
    assert set(found) == {stem.with_suffix(".json"), stem.with_suffix(".safetensors")}


def test_the_package_goes_in_with_what_is_no_python():
    names = {path.name for path in tracked("vaecourse")}
    assert {"cli.py", "shared.js", "shared.css"} <= names


def test_a_chapter_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="names no chapter"):
        pack("9")
