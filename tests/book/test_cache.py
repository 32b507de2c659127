"""When chapters run again, and when a build fails: on a small book of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from notebook_execution import CACHES_KEPT, cache_key, drop_old_caches

ROOT = Path(__file__).parents[2]
PARTS = [
    "_config.yml",
    "references.bib",
    "logo.svg",
    "favicon.svg",
    "requirements.lock",
    "pyproject.toml",
]
COUNT = "with open('runs.txt', 'a') as file:\n    file.write('run ')"


class Book:
    """A book of one chapter, which counts its runs in a file."""

    def __init__(self, root):
        self.root = root
        for part in PARTS:
            shutil.copy(ROOT / part, root / part)
        shutil.copytree(ROOT / "_ext", root / "_ext")
        for folder in ("chapters", "vaecourse", "data"):
            (root / folder).mkdir()
        (root / "vaecourse" / "answer.py").write_text("ANSWER = 42\n")
        (root / "data" / "numbers.csv").write_text("1,2\n")
        (root / "index.md").write_text("# A book\n")
        (root / "_toc.yml").write_text(
            "format: jb-book\nroot: index\nchapters: [{file: chapters/one}, {file: status}]\n"
        )
        (root / "status.md").write_text("# Status\n\n```{chapters-status}\n```\n")
        self.write("First words.", COUNT)

    def write(self, prose, code):
        cells = [
            nbformat.v4.new_markdown_cell(f"# One\n\n{prose}", id="prose"),
            nbformat.v4.new_code_cell(code, id="code"),
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        promise = {"minutes_to_read": 5, "seconds_to_run": 60, "sources": ["S0.1"]}
        metadata = {"kernelspec": kernel, "vaecourse": promise}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
        nbformat.write(notebook, self.root / "chapters" / "one.ipynb")

    def build(self):
        """Build; the exit status and everything that was printed."""
        done = subprocess.run(
            [sys.executable, "_ext/build_book.py"],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    def runs(self):
        return (self.root / "chapters" / "runs.txt").read_text().count("run")

    def page(self, name="chapters/one"):
        return (self.root / "_build" / "html" / f"{name}.html").read_text()

    def seconds(self):
        """The run times as the build wrote them."""
        return json.loads((self.root / "_build" / "timings.json").read_text())


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book that was built once. Each test leaves it in order."""
    book = Book(tmp_path_factory.mktemp("book"))
    status, printed = book.build()
    assert status == 0, printed
    assert book.runs() == 1
    return book


def test_prose_is_read_again_and_not_run(book):
    runs = book.runs()
    book.write("Second thoughts.", COUNT)
    assert book.build()[0] == 0
    assert "Second thoughts." in book.page()
    assert book.runs() == runs


def test_package_change_runs_again(book):
    runs, module = book.runs(), book.root / "vaecourse" / "answer.py"
    module.write_text("ANSWER = 43\n")
    assert book.build()[0] == 0
    assert book.runs() == runs + 1
    module.write_text("ANSWER = 42\n")
    assert book.build()[0] == 0
    assert book.runs() == runs + 1  # what was known before is still known


def test_failing_cell_fails_every_build_and_shows_why(book):
    book.write("A slip.", "distance = 1\ndistance / 0")
    for _ in range(2):
        status, printed = book.build()
        assert status != 0
        assert "chapters/one failed" in printed
        assert "distance / 0" in printed
        assert "ZeroDivisionError: division by zero" in printed
    book.write("First words.", COUNT)


def test_warning_fails_every_build_until_it_is_mended(book):
    book.write("A library complains.", "import warnings\nwarnings.warn('old name')")
    for _ in range(2):
        status, printed = book.build()
        assert status != 0
        assert "stderr was found" in printed
    book.write("First words.", COUNT)
    assert book.build()[0] == 0


def test_number_that_no_cell_computes_fails_every_build_and_is_named(book):
    book.write("The answer is 42.5.", COUNT)
    for _ in range(2):
        status, printed = book.build()
        assert status != 0
        assert "cell prose states 42.5, and no cell computes it: The answer is 42.5." in printed
    book.write("First words.", COUNT)


def test_run_times_are_written(book):
    assert book.build()[0] == 0
    seconds = book.seconds()
    assert list(seconds) == ["chapters/one"]
    assert 0 < seconds["chapters/one"] < 60


def test_status_follows_the_chapter(book):
    """It is read anew with the chapter, after the chapter has run."""
    book.write("First words.\n\n```{exercise}\nAdd.\n```", f"{COUNT}\n2")
    assert book.build()[0] == 0
    cells = BeautifulSoup(book.page("status"), "html.parser").select("main tbody td")
    shown = [cell.get_text(" ", strip=True) for cell in cells]
    assert shown == [
        "one One",
        "5",
        "60",
        f"{book.seconds()['chapters/one']:.1f}",
        "1",
        "0",
        "S0.1",
    ]
    book.write("First words.", COUNT)


@pytest.fixture
def tree(tmp_path):
    """What the key is made of, as files."""
    for path in (
        "vaecourse/models/vae.py",
        "data/mnist/labels.gz",
        "requirements.lock",
        "_ext/draw_figures.py",
        "_ext/narrow_figures.py",
        "index.md",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        "vaecourse/models/vae.py",
        "vaecourse/widgets/explorer.js",
        "vaecourse/widgets/explorer.css",
        "vaecourse/experiments/blobs.json",
        "data/mnist/labels.gz",
        "data/pretrained/vae.safetensors",
        "requirements.lock",
        "_ext/draw_figures.py",
        "_ext/narrow_figures.py",
    ],
)
def test_key_changes_with_content(tree, path):
    before = cache_key(tree)
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text("changed")
    assert cache_key(tree) != before


def test_key_changes_with_a_name(tree):
    before = cache_key(tree)
    (tree / "vaecourse/models/vae.py").rename(tree / "vaecourse/models/vea.py")
    assert cache_key(tree) != before


@pytest.mark.parametrize(
    "path", ["index.md", "chapters/one.ipynb", "vaecourse/vae.pyc", "_ext/x.py"]
)
def test_key_ignores_prose_and_what_python_writes(tree, path):
    before = cache_key(tree)
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text("changed")
    assert cache_key(tree) == before


def test_key_ignores_dates(tree):
    before = cache_key(tree)
    os.utime(tree / "vaecourse/models/vae.py", (0, 0))
    assert cache_key(tree) == before


def test_key_changes_with_the_budget(tree, monkeypatch):
    keys = set()
    for budget in ("smoke", "reader", "full"):
        monkeypatch.setenv("VAECOURSE_BUDGET", budget)
        keys.add(cache_key(tree))
    assert len(keys) == 3
    monkeypatch.delenv("VAECOURSE_BUDGET")
    assert cache_key(tree) in keys  # without the variable, the budget is the reader's


def test_key_changes_with_a_library_and_not_with_the_package_itself(tree, monkeypatch):
    installed = tree / "site-packages"
    (installed / "numpy-2.4.6.dist-info").mkdir(parents=True)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(installed))
    before = cache_key(tree)
    (installed / "vaecourse-0.1.0.dist-info").mkdir()
    assert cache_key(tree) == before
    (installed / "numpy-2.4.6.dist-info").rename(installed / "numpy-2.4.7.dist-info")
    assert cache_key(tree) != before


def test_caches_used_last_are_kept(tmp_path):
    for k in range(CACHES_KEPT + 2):
        (tmp_path / f"cache{k}").mkdir()
        os.utime(tmp_path / f"cache{k}", (k, k))
    drop_old_caches(tmp_path / "cache0")
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"cache0"} | {f"cache{k}" for k in range(3, CACHES_KEPT + 2)}


@pytest.mark.parametrize(
    ("prose", "said"),
    [
        (r"So $\lgo p(x)$.", r"MathJax knows no \lgo: \lgo p(x)"),
        ("```{exercise} One\n:label: ex\n\nDo.", "{exercise} One is never closed by ```"),
    ],
)
def test_a_slip_of_the_pen_fails_the_build_and_is_named(book, prose, said):
    book.write(prose, COUNT)
    status, printed = book.build()
    assert status != 0
    assert said in printed
