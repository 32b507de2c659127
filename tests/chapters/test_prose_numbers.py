"""The search for numbers that the prose states and no cell computes."""

from pathlib import Path

import nbformat
import pytest
from prose_numbers import stated_numbers, unaccounted

CHAPTERS = sorted((Path(__file__).parents[2] / "chapters").glob("*.ipynb"))

PREDICTION = """::::{admonition} Predict
:class: predict

The truth scores 0.26. And the model?

1. About 0.5.
2. About 0.7.

:::{dropdown} Answer
**2.** It gains 12 %.
:::
::::"""


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_number_of_a_chapter_stands_in_a_cell(path):
    assert unaccounted(nbformat.read(path, as_version=4)) == []


def test_the_numbers_of_the_chapters_are_found():
    """Were the search to find nothing, nothing would be checked."""
    for path in CHAPTERS:
        notebook = nbformat.read(path, as_version=4)
        texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        assert sum(len(list(stated_numbers(text))) for text in texts) > 20, path.stem


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It loses 0.73 nats, or $-1.5$, in 4,344 or $12{,}000$ steps.", "0.73 1.5 4,344 12,000"),
        ("Some 12 % of them, or 3%, or $7\\,\\%$.", "12% 3% 7%"),
        ("- 98 of 100\n- 0.5", "98 100 0.5"),
        ("| a | 42 |", "42"),
        ("```{solution} ex-one\n:class: dropdown\nIt is 9.21.\n```", "9.21"),
        ("It was 0.3. In {cite}`a2020`, table 2 has 0.4. Ours is 0.5", "0.3 0.5"),
        ("Three of 5 runs, `x[10]`, chapter 09, chapters 10 and 11, figure 3, in 2014.", ""),
        ("$x_{12} + e^{29} \\approx 10^{12}$", ""),
        ("$$\nx = 0.5\n$$\n\n```\n0.5\n```\n\n{doc}`0.5 <x>` [here](a-0.5.html)", ""),
        ("```{bibliography}\n:filter: 0.5\n```", ""),
        (PREDICTION, "0.26 12%"),
        ("2,000 images of 28 × 28 pixels", "2,000 28 28"),
    ],
)
def test_what_counts_as_a_number(text, numbers):
    assert [number.replace(" ", "") for number, _ in stated_numbers(text)] == numbers.split()


def notebook(prose, code):
    cells = [
        nbformat.v4.new_markdown_cell(prose, id="prose"),
        nbformat.v4.new_code_cell(code, id="code"),
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata={"vaecourse": {"minutes_to_read": 35}})


@pytest.mark.parametrize(
    "code",
    [
        'vc.says("0.20", x)',
        'assert f"{x:.2f}" == "0.20"',
        'assert f"{x:.2f} {y}" == "-0.20 17"',
        "assert round(x, 2) == 0.2",
        "rate = 0.2",
    ],
)
def test_a_cell_knows_a_number(code):
    assert unaccounted(notebook("It is 0.20, after 35 minutes.", code)) == []


def test_an_exercise_gives_its_numbers_to_its_solution():
    exercise = "```{exercise} One\nA loss of $-900$ nats?\n```\n"
    solution = "```{solution} one\nThat 900 is a density.\n```\n"
    assert unaccounted(notebook(exercise + solution, "x")) == []
    assert len(unaccounted(notebook(solution, "x"))) == 1


def test_a_count_that_nothing_computes_has_the_ways_out_that_the_message_names():
    assert len(unaccounted(notebook("Of 41 students 23 said so.", "x"))) == 2
    assert unaccounted(notebook("Of `41` students twenty-three said so.", "x")) == []
    assert unaccounted(notebook("Of 41 students 23 said so.", 'vc.says("41 23", x)')) == []


@pytest.mark.parametrize("prose", ["12 % of it", "12 per cent", "12 in a hundred", "12 of 100"])
def test_shares_may_be_stated_by_the_hundred(prose):
    assert unaccounted(notebook(prose, "assert x == 0.12 and y == 100")) == []
    assert unaccounted(notebook(prose, "assert x == 0.13 and y == 100")) != []


@pytest.mark.parametrize(
    "code",
    [
        "x = 0.21",
        'vc.says("0.2", x)',
        'print("it is 0.20")',
        "y  # 0.20",
        'print(f"{x:0.20f}")',
        "with vc.figures.style():\n    ax.text(0.2, 0.2, x)",
    ],
)
def test_a_cell_does_not_know_it(code):
    assert unaccounted(notebook("It is 0.20.", code)) == [("prose", "0.20", "It is 0.20.")]
