"""The list of sentences that claim something, for reviewers."""

from pathlib import Path

import pytest
from claims import cells_of, main, minutes, sentences
from nbformat import read, write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

CHAPTERS = sorted((Path(__file__).parents[2] / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "It falls. The reason is $x$: so it is.\n\n$$\na. B is c.\n$$\n\nThen it rises!",
            ["It falls.", "The reason is $x$: so it is.", "Then it rises!"][1:],
        ),
        ("## A best title\n\n- one of them;\n- two of them.", ["one of them;", "two of them."]),
        ("```python\nx is always y\n```\n\nNumbers 3.5 and 4.5 are it.",
         ["Numbers 3.5 and 4.5 are it."]),
    ],
)  # fmt: skip
def test_sentences_of_a_text(text, expected):
    assert list(sentences(text)) == expected


def test_a_claim_is_listed_with_the_code_beside_it(tmp_path, monkeypatch, capsys):
    cells = [
        new_code_cell("x = 1\nassert x == 1", id="before"),
        new_markdown_cell("It is one here. It is never two.", id="prose"),
        new_code_cell("x", id="after"),
        new_markdown_cell("Nothing more is said.", id="end"),
    ]
    (tmp_path / "chapters").mkdir()
    path = tmp_path / "chapters" / "01_one.ipynb"
    write(new_notebook(cells=cells), path)
    assert [cell for cell, _, _ in cells_of(path)] == ["prose", "end"]
    monkeypatch.setattr("claims.ROOT", tmp_path)
    main("01")
    listed = capsys.readouterr().out.splitlines()
    assert listed[0] == "01_one prose [never] It is never two."
    assert "before (assert x == 1), after (x)" in listed[1]
    assert listed[-1].split() == ["01_one", "3", "4.0", "0%", "1", "0", "0"]


def test_the_minutes_of_a_chapter():
    exercise = "```{exercise} One\n" + "word " * 500 + "\n```"
    figure = {"mystnb": {"image": {"alt": "a figure"}}}
    cells = [
        new_markdown_cell("A word. " * 1_000 + "\n\n" + exercise),
        new_markdown_cell("Three words here. " * 1_000),  # 30 minutes
        new_code_cell("x = 1\n" * 100, metadata=figure),  # one, and 5 to read, 10 to run and change
        new_code_cell("x = 1\n" * 900, metadata={"tags": ["remove-cell"]}),
    ]
    assert minutes(new_notebook(cells=cells)) == (35, 55)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_states_its_minutes_to_the_next_five(path):
    notebook = read(path, as_version=4)
    front = notebook.metadata["vaecourse"]
    stated = front["minutes_to_read"], front["minutes_with_exercises"]
    assert all(abs(a - b) <= 5 for a, b in zip(stated, minutes(notebook)))
    text = notebook.cells[0].source
    assert f"About {stated[0]} minutes to read" in text
    assert f"about {stated[1]} minutes with code" in text
