"""The rule that makes slides of a chapter, on a chapter of a few cells."""

import re
import struct
from base64 import b64encode
from pathlib import Path

import pytest
from build_slides import (
    address,
    blocks,
    deck_of,
    markdown_parser,
    opening,
    script,
    sentences,
    two,
    unbroken,
)
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_versions import Bibliography

BIBLIOGRAPHY = Bibliography(str(Path(__file__).parents[1] / "references.bib"))


def png(width, height):
    """The head of a PNG file of that size, as a notebook holds it."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return b64encode(head + bytes(40)).decode()


def figure(alt, width, height, images=1):
    outputs = [new_output("display_data", {"image/png": png(width, height)})] * images
    metadata = {"mystnb": {"image": {"alt": alt}}}
    return new_code_cell("plt.show()", metadata=metadata, outputs=outputs)


CHAPTER = new_notebook(
    cells=[
        new_markdown_cell(
            "# A title\n\n**You will be able to**\n\n- say $x$;\n- count.\n\nAbout it."
        ),
        new_markdown_cell(
            "## A question?\n\nIt is asked. {cite:t}`kingma2014` answer {cite}`s0_guo`:\n\n"
            "$$\n\\boxed{a < b}\n$$\n\nThis is **the answer**. More follows.\n\n"
            "For us,\n\n$$\nc\n$$\n\nor not.\n\n```{dropdown} The algebra\n$$\nfolded\n$$\n```"
        ),
        figure('It says "more".', 800, 300),
        new_code_cell("assert True", metadata={"tags": ["remove-cell"]}),
        new_markdown_cell("It is flat. And so on, as one can see from the picture above. Third."),
        new_markdown_cell(
            "### A part of it\n\nHere is a table:\n\n| a | b |\n|---|---|\n| 1 | 2 |"
        ),
        figure("Square.", 600, 600),
        new_markdown_cell("(place)=\n## Nothing to see\n\nOne, see {doc}`02 <02_b>`. Two. Three."),
        new_markdown_cell("> **The mistake everybody makes once.** Do it.\n\n> A recipe."),
        new_markdown_cell(
            "::::{admonition} Predict\n:class: predict\n\nUp or down?\n\n1. Up.\n2. Down.\n\n"
            ":::{dropdown} Answer\n**2.** As $x$ is.\n:::\n::::"
        ),
        new_markdown_cell("## Move it\n\nDrag the point."),
        new_code_cell("vc.widgets.LatentExplorer(vae)"),
        new_code_cell("vc.widgets.LatentExplorer(vae)"),
        new_markdown_cell(
            "## Exercises\n\n```{exercise} The first\n:label: ex-one\n\nWrite $f$.\n```\n\n"
            "```{solution} ex-one\n:class: dropdown\n\n$$\nsecret\n$$\n```"
        ),
        new_markdown_cell(
            "## What to take away\n\n- All.\n\n## What goes wrong\n\n- Much.\n\n"
            "## Where next\n\nThere.\n\n- a list\n\n## References\n\n$$\nnot here\n$$"
        ),
    ]
)


@pytest.fixture
def deck():
    title, slides = deck_of(CHAPTER, BIBLIOGRAPHY)
    assert title == "A title"
    return slides


def test_the_rule_says_which_slides_there_are(deck):
    assert [(slide.kind, slide.heading, slide.over) for slide in deck] == [
        ("title", "A title", ""),
        ("formula", "A question?", ""),
        ("formula", "A question?", ""),
        ("figure", "A question?", ""),
        ("table", "A part of it", "A question?"),
        ("figure beside", "A part of it", "A question?"),
        ("mistake", "The mistake everybody makes once", ""),
        ("quote", "Nothing to see", ""),
        ("predict", "Predict", ""),
        ("answer", "Answer", ""),
        ("explorer", "Move it", ""),
        ("exercise", "Exercise: The first", ""),
        ("list", "What to take away", ""),
        ("list", "What goes wrong", ""),
    ]


def test_an_explorer_is_named_as_its_page_names_it(deck):
    assert {slide.explorer for slide in deck if slide.kind != "explorer"} == {""}
    (shown,) = [slide for slide in deck if slide.kind == "explorer"]
    assert shown.explorer == "latent-explorer"
    cells = [new_code_cell(f"vc.widgets.{name}(x)") for name in ("EMStepper", "KLExplorer")]
    names = [address(cell, number) for number, cell in enumerate(cells, start=1)]
    assert names == ["em-stepper", "kl-explorer-2"]


def test_notes_are_the_paragraphs_of_the_section(deck):
    assert deck[3].notes == [
        "<p>It is flat. And so on, as one can see from the picture above. Third.</p>",
        "<p>Here is a table:</p>",
    ]
    assert deck[1].notes[0].startswith("<p>It is asked. Kingma and Welling (2014) answer:")
    assert deck[1].notes[1:] == [
        "<p>This is <strong>the answer</strong>. More follows.</p>",
        "<p>For us,</p>",
    ]
    assert deck[2].notes == ["<p>or not.</p>"]
    assert deck[6].notes == ["<p>One, see 02. Two. Three.</p>"]
    assert deck[10].notes == ["<p>Drag the point.</p>"]


def test_a_formula_stands_between_its_sentences(deck):
    assert deck[1].parts[0] == "<p>Kingma and Welling (2014) answer:</p>"
    assert "\\[\\boxed{a &lt; b}\\]" in deck[1].parts[1]
    assert deck[1].parts[2] == "<p>This is <strong>the answer</strong>.</p>"
    assert deck[2].parts[0] == "<p>For us,</p>"
    assert deck[2].parts[2] == "<p>or not.</p>"


def test_a_figure_has_its_alt_text_and_what_is_read_in_it(deck):
    assert 'alt="It says &quot;more&quot;."' in deck[3].parts[0]
    assert deck[3].parts[1] == (
        "<p>It is flat. And so on, as one can see from the picture above.</p>"
    )
    assert len(deck[5].parts) == 1


def test_a_sentence_that_refers_back_brings_what_it_refers_to():
    for words, expected in [
        (
            "Left out. Take a and b. Both are ours. Two more things follow from them:",
            "Take a and b. Both are ours. Two more things follow from them:",
        ),
        ("Left out. Take a. So", "Take a. So"),
        ("Take a. Its root is", "Take a. Its root is"),
    ]:
        text = new_markdown_cell(f"# T\n\n## S\n\n{words}\n\n$$\nc\n$$")
        (slide,) = deck_of(new_notebook(cells=[text]), BIBLIOGRAPHY)[1]
        assert slide.parts[0] == f"<p>{expected}</p>"


def test_a_paragraph_that_announces_others_is_no_caption():
    words = "Two things to see.\n\n*It is flat*, and so on, as one can see from the picture.\n\nB."
    cells = [new_markdown_cell("# T\n\n## S"), figure("F.", 800, 300), new_markdown_cell(words)]
    (slide,) = deck_of(new_notebook(cells=cells), BIBLIOGRAPHY)[1]
    assert (
        slide.parts[1] == "<p><em>It is flat</em>, and so on, as one can see from the picture.</p>"
    )


def test_a_prediction_comes_before_its_answer(deck):
    assert deck[8].parts == ["<p>Up or down?</p>\n<ol>\n<li>Up.</li>\n<li>Down.</li>\n</ol>\n"]
    assert deck[9].parts == [
        '<p><strong>2.</strong> As <span class="math inline">\\(x\\)</span> is.</p>\n'
    ]


def test_solutions_and_what_folds_away_stay_off_the_slides(deck):
    everything = "".join(part for slide in deck for part in slide.parts)
    assert "secret" not in everything and "folded" not in everything
    assert "not here" not in everything


def test_a_long_table_goes_on_on_the_next_slide():
    rows = "".join(f"| {row} |\n" for row in range(9))
    long = new_notebook(cells=[new_markdown_cell(f"# T\n\n## S\n\nHere:\n\n| n |\n|---|\n{rows}")])
    first, second = deck_of(long, BIBLIOGRAPHY)[1]
    assert first.parts[0] == "<p>Here:</p>"
    assert len(second.parts) == 1
    shown = [re.findall(r"<td>(\d)</td>", slide.parts[-1]) for slide in (first, second)]
    assert shown == [list("01234"), list("5678")]
    assert all(slide.parts[-1].count("<th>n</th>") == 1 for slide in (first, second))


def test_a_section_without_anything_is_shown_by_two_sentences():
    drag = new_markdown_cell("## Move it\n\nDrag the point.\n\n```{exercise} Do\nDo it.\n```")
    bare = new_notebook(cells=[*CHAPTER.cells[:1], CHAPTER.cells[7], drag])
    words = deck_of(bare, BIBLIOGRAPHY)[1]
    assert words.pop().kind == "exercise"
    assert [(slide.kind, slide.parts) for slide in words[1:]] == [
        ("words", ["<p>One, see 02. Two.</p>"]),
        ("words", ["<p>Drag the point.</p>"]),
    ]


def test_a_cell_with_alt_text_and_two_images_is_refused():
    twice = new_notebook(cells=[figure("Two.", 10, 10, images=2)])
    with pytest.raises(ValueError, match=r"has alt text and 2 images\."):
        blocks(twice, markdown_parser(), BIBLIOGRAPHY)


def test_sentences_end_where_they_end():
    words = "It is $a. B$ or `x. Y`. So 0.79 it is: 3.2 at most? (Yes.) *Done.* End"
    assert sentences(words) == [
        "It is $a. B$ or `x. Y`.",
        "So 0.79 it is: 3.2 at most?",
        "(Yes.) *Done.*",
        "End",
    ]
    several = "(Half $a. B$ of it is. The whole is not.) Take it. (A single one.) So."
    assert sentences(several) == [
        "(Half $a. B$ of it is. The whole is not.) Take it.",
        "(A single one.) So.",
    ]
    assert two("Say it: $x$ is. Then go: on. Stop.") == "Say it: $x$ is. Then go: on."
    assert two("One.") == "One."
    assert opening("Short. " + "word " * 11 + "end. Left out.") == "Short. " + "word " * 11 + "end."


def test_a_mark_after_a_formula_stays_on_its_line():
    x, y = (f'<span class="math inline">\\({letter}\\)</span>' for letter in "xy")
    assert unbroken(f"so {y} and {x}, and {y} too") == (
        f'so {y} and <span class="unbroken">{x},</span> and {y} too'
    )


def test_a_program_cannot_end_its_element():
    assert script("a = '</script>'; b = '</SCRIPT>'") == r"a = '<\/script>'; b = '<\/SCRIPT>'"
