"""`vaecourse grade`: a submission gets what it has earned, and nothing of it reaches the next."""

import csv

import nbformat
import pytest

from vaecourse import cli, grading

ASSIGNMENT = """\
import vaecourse as vc

def kl(loc, log_var):
    return ...

def total(terms, num_data):
    return ...

print(vc.checks.kl(kl))
print(vc.checks.minibatch_total(total))
"""
RIGHT_KL = """\
def kl(loc, log_var):
    return 0.5 * (log_var.exp() + loc**2 - 1 - log_var).sum(1)
"""
RIGHT_TOTAL = """\
def total(terms, num_data):
    return num_data * terms.mean()
"""
WRONG = "def kl(loc, log_var):\n    return loc.sum(1)\n"
BOTH = RIGHT_KL + RIGHT_TOTAL

# What a class hands in: (a file, (points for kl, points for total), what the table says of it).
CLASS = {
    "a_overwrites_the_checks.py": (
        "import vaecourse as vc\nvc.checks.kl = lambda fn: 'Right: all.'\n"
        "vc.checks.kl.__code__ = (lambda fn: 'Right: all.').__code__\n" + WRONG,
        (0, 0),
        "There is no function total.",
    ),
    "b_patches_torch.py": (
        "import torch, builtins\n"
        "torch.isclose = torch.allclose = torch.equal = lambda *a, **k: True\n"
        "torch.Tensor.all = lambda *a, **k: True\nbuiltins.abs = lambda x: 0\n" + WRONG,
        (0, 0),
        "kl: ",
    ),
    "c_takes_the_answer.py": (
        "import vaecourse as vc\ndef kl(a, b):\n    return vc.checks.kl.right(a, b)\n"
        + RIGHT_TOTAL,
        (0, 1),
        "kl: Something is asked for what it does not have",
    ),
    "d_syntax.py": (BOTH + "def (", (0, 0), "There is no function kl (SyntaxError"),
    "e_exits.py": (BOTH + "import sys\nsys.exit(3)\n", (1, 1), ""),
    "f_ends_its_process.py": (
        BOTH + "import os\nos._exit(0)\n",
        (0, 0),
        "The submission ended its process with status 0.",
    ),
    "g_ends_it_when_asked.py": (
        "import os\ndef kl(a, b):\n    os._exit(5)\n" + RIGHT_TOTAL,
        (0, 1),
        "kl: Your function ended its process with status 5.",
    ),
    "h_prints_a_report.py": (
        "import os\nfor k in range(3, 12):\n    try:\n"
        "        os.write(k, b'[true, \"Right\"]\\n' * 3)\n"
        "    except OSError:\n        pass\n" + WRONG,
        (0, 0),
        "kl: ",
    ),
    "i_raises_at_its_end.py": (BOTH + "1 / 0\n", (1, 1), ""),
    "z_is_right.py": (BOTH, (1, 1), ""),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The marks of the class by file."""
    place = tmp_path_factory.mktemp("class")
    (place / "submitted").mkdir()
    (place / "assignment.py").write_text(ASSIGNMENT)
    for name, (source, *_) in CLASS.items():
        (place / "submitted" / name).write_text(source)
    asked = grading.asked_in(place / "assignment.py")
    marks = list(grading.grade(place / "submitted", asked))
    return {of_one[0].file: of_one for of_one in marks}, grading.table(marks, asked)


@pytest.mark.parametrize("name", CLASS)
def test_what_a_submission_does_gives_the_points_it_has_earned(name, graded):
    _, points, said = CLASS[name]
    marks, table = graded
    assert tuple(mark.points for mark in marks[name]) == points, marks[name]
    about = [line for line in table.splitlines() if line.startswith(f"{name}, ")]
    assert len(about) == points.count(0)
    assert said in "\n".join(about)


def test_the_table_has_a_line_a_submission_with_its_sum(graded):
    lines = graded[1].splitlines()
    assert lines[0].split() == ["submission", "kl", "/1", "total", "/1", "sum", "/2"]
    assert lines[len(CLASS)].split() == ["z_is_right.py", "1", "1", "2"]
    assert lines[len(CLASS) + 1] == ""


def test_a_submission_that_does_not_end_is_ended(tmp_path):
    (tmp_path / "endless.py").write_text(BOTH + "while True: pass\n")
    ((mark,),) = grading.grade(tmp_path, [grading.Asked("kl", "kl", 2)], seconds=1)
    assert (mark.points, mark.reason) == (0, "The submission is still running after 1 seconds.")


def notebook(path, *cells):
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(source, metadata={"nbgrader": marks} if marks else {})
            for source, marks in cells
        ]
    )
    nbformat.write(made, path)


def test_notebooks_are_graded_with_the_points_of_nbgrader(tmp_path, capsys):
    test = {"grade": True, "points": 3}
    (tmp_path / "class" / "ada").mkdir(parents=True)
    notebook(
        tmp_path / "09.ipynb", ("def kl(a, b):\n    return ...", {}), ("vc.checks.kl(kl)", test)
    )
    notebook(
        tmp_path / "class" / "ada" / "09.ipynb",
        ("%matplotlib inline\nimport vaecourse as vc", {}),
        ("def (", {}),  # this cell is lost, and no other
        ("import sys\nsys.exit()", {}),
        (RIGHT_KL, {}),
        ("vc.checks.kl(kl)", test),
    )
    (tmp_path / "class" / "bob.ipynb").write_text("{}")
    table = tmp_path / "table.csv"
    arguments = [str(tmp_path / "class"), str(tmp_path / "09.ipynb"), "--csv", str(table)]
    assert cli.main(["grade", *arguments]) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["submission", "kl", "/3", "sum", "/3"],
        ["ada/09.ipynb", "3", "3"],
        ["bob.ipynb", "0", "0"],
    ]
    assert "bob.ipynb, kl: " in out and "is not a notebook of format 4." in out
    rows = list(csv.reader(table.read_text().splitlines()))
    assert rows[1][:4] == ["ada/09.ipynb", "kl", "3", "3"] and rows[1][4].startswith("Right: ")


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("x = 1", "calls no check"),
        ("def f(): ...\nvc.checks.f(f)", "asks for vc.checks.f, which does not exist"),
        ("def (", "is not Python"),
    ],
)
def test_an_assignment_that_asks_for_nothing_is_refused(assignment, said, tmp_path, capsys):
    (tmp_path / "assignment.py").write_text(assignment)
    assert cli.main(["grade", str(tmp_path), str(tmp_path / "assignment.py")]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_submissions_is_refused(tmp_path):
    for folder, said in ((tmp_path, "no .ipynb and no .py"), (tmp_path / "none", "not a folder")):
        with pytest.raises(ValueError, match=said):
            next(grading.grade(folder, []))


def test_a_cell_of_the_table_is_no_formula():
    mark = grading.Mark("=1+1.py", grading.Asked("kl", "kl"), 0, "-x")
    line = grading.csv_text([[mark]]).splitlines()[1]
    assert line == "'=1+1.py,kl,0,1,'-x"
