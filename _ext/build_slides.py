"""Make slides of the chapters: `_build/slides/NN_name.html`, each whole in one file, offline.

A chapter is one source for the page and for the lecture. What goes onto a slide follows from a
rule, not from marks in its cells; each of these makes one:

- the title, with what one will be able to do;
- a displayed formula, a table or a quotation, between the sentence that leads to it and the one
  that reads it; a long table makes several;
- a figure with alt text, and the first sentence of the prose below it;
- a prediction, and another its answer; "The mistake everybody makes once"; the explorers of a
  section; an exercise, unsolved;
- "What to take away" and "What goes wrong";
- a section that has none of these, by its first two sentences.

What folds away on the page (derivations, solutions, code) stays off the slides. The explorer itself
is shown on its slide, alone, out of the built page, `../html/chapters`. The paragraphs of a section
are the speaker's notes of the slide that they follow, or, before its first, of that.
"""

import re
import struct
import sys
from base64 import b64decode
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import distribution
from itertools import dropwhile, takewhile
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from notebook_execution import cache_key
from notebook_versions import Bibliography, Plain

ASSETS = Path(__file__).resolve().parent / "assets"
TEMPLATE = Path(__file__).resolve().parent / "slides"
BESIDE = 1.5  # a figure narrower than this, width over height, has its text at its side
TALL = 6  # a table of more rows goes on on the next slide
SHORT = 12  # fewer words than these are shown with the sentence after them
LEFT_OUT = {"Where next", "References"}
ONCE = "The mistake everybody makes once"
CITED = re.compile(r"\s*\{cite(?::p)?\}`[^`]*`")
TARGET = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
LINK = re.compile(r"\[([^\]\n]+)\]\((?!http)[^)]*\)")
# A sentence that begins with what only the one before it names, or that is a single word.
BACK = r"(They|Both|These|Those|It|Its|This|So|Then|Here)\b"
REFERS = re.compile(rf"{BACK}|(\w+ ){{0,5}}(them|these|those|their)\b|\w+:?$")
BETWEEN = {"formula", "table", "quote"}
LIVE = """<p class="live"><button type="button" data-frame="{}">Show the explorer here</button>
<a href="{}" target="_blank">Open it in the chapter</a></p>
"""
LISTS = {"": "title", "What to take away": "list", "What goes wrong": "list"}


@dataclass
class Block:
    """A piece of a chapter: what it is, its words in MyST, and as HTML."""

    kind: str
    words: str = ""
    html: str = ""
    cell: int = 0


@dataclass
class Slide:
    kind: str
    heading: str
    parts: list = field(default_factory=list)
    over: str = ""  # the section, where the heading is that of a part of it
    explorer: str = ""  # what its page calls it in the address
    notes: list = field(default_factory=list)


def blocks(notebook, markdown, bibliography):
    """The pieces of an executed chapter, in order."""
    plain = Plain(notebook, bibliography)
    found, widgets = [], 0
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            source = TARGET.sub("", CITED.sub("", cell.source))
            source = LINK.sub(r"\1", plain.inline(source))
            nodes = SyntaxTreeNode(markdown.parse(source)).children
            pieces = [piece for node in nodes for piece in _prose(node, markdown)]
        elif "vc.widgets." in cell.source:
            widgets += 1
            pieces = [Block("explorer", address(cell, widgets))]
        elif alt := cell.metadata.get("mystnb", {}).get("image", {}).get("alt"):
            pieces = [_figure(cell, alt)]
        else:
            continue
        for piece in pieces:
            piece.cell = number
        found += pieces
    return found


def address(cell, number):
    """What the page calls the explorer of a cell, its `number`-th, in the address."""
    name = re.search(r"vc\.widgets\.(\w+)", cell.source)[1]
    words = re.findall("[A-Z]+(?![a-z])|[A-Z][a-z]+", name)
    return "-".join([word.lower() for word in words] + [str(number)] * (number > 1))


def _prose(node, markdown):
    """The block or blocks that a piece of Markdown makes."""
    html = markdown.renderer.render(node.to_tokens(), markdown.options, {})
    if node.type == "heading":
        return [Block(node.tag, node.children[0].content, html)]
    if node.type == "paragraph":
        return [Block("words", node.children[0].content, html)]
    if node.type == "blockquote":
        words = node.children[0].children[0].content
        if words.startswith(f"**{ONCE}.**"):
            words = words.removeprefix(f"**{ONCE}.**")
            return [Block("mistake", html=f"<p>{markdown.renderInline(words.strip())}</p>")]
        return [Block("quote", html=html)]
    fenced = node.type in ("fence", "colon_fence")
    if fenced and (directive := re.match(r"\{(\w+)\}\s*(.*)", node.info)):
        return _directive(*directive.groups(), node.content, markdown)
    if node.type == "table":
        return [Block("table", html=part) for part in _parts_of_table(html)]
    kinds = {"math_block": "formula", "bullet_list": "list"}
    return [Block(kinds.get(node.type, "folded"), html=html)]


def _parts_of_table(html):
    """The table, in parts of nearly equal length where it has more rows than a slide can hold."""
    head, body = html.split("<tbody>")
    rows = re.findall(r"<tr>.*?</tr>\n", body, flags=re.DOTALL)
    parts = -(-len(rows) // TALL)
    length = -(-len(rows) // parts)
    starts = range(0, len(rows), length)
    return [
        f"{head}<tbody>\n{''.join(rows[start : start + length])}</tbody>\n</table>\n"
        for start in starts
    ]


def _directive(name, title, body, markdown):
    options = re.findall(r"^:(\w+): *(.*)\n", body, flags=re.MULTILINE)
    body = re.sub(r"^:\w+:.*\n", "", body, flags=re.MULTILINE).strip()
    if name == "exercise":
        return [Block("exercise", title, markdown.render(body))]
    if name == "admonition" and title == ONCE:
        return [Block("mistake", html=markdown.render(body))]
    if ("class", "predict") in options:
        question, answer = re.split(r"^:::\{dropdown\}.*\n", body, maxsplit=1, flags=re.MULTILINE)
        answer = answer.rstrip().removesuffix(":::")
        return [
            Block("predict", html=markdown.render(question)),
            Block("answer", html=markdown.render(answer)),
        ]
    return [Block("folded")]


def _figure(cell, alt):
    """The figure that the cell has drawn; ValueError where it has drawn none or several."""
    images = [
        output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    if len(images) != 1:
        raise ValueError(f"the cell {cell.id} has alt text and {len(images)} images.")
    data = images[0].replace("\n", "")
    width, height = struct.unpack(">II", b64decode(data[:44])[16:24])
    kind = "figure beside" if width < BESIDE * height else "figure"
    return Block(kind, html=f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}">')


def slides(found, markdown):
    """The slides of a chapter's blocks, by the rule at the head of this file."""
    deck, section, heading, first, bare, start = [], "", "", "", False, 0
    waiting = []  # notes of a section that has no slide yet

    def add(kind, *parts, title=None):
        over = section if not title and heading != section else ""
        texts = [markdown.renderInline(text) for text in (title or heading, over)]
        deck.append(Slide(kind, texts[0], [part for part in parts if part], texts[1]))
        deck[-1].notes, waiting[:] = waiting[:], []

    def note(html):
        (deck[-1].notes if len(deck) > start else waiting).append(html)

    def line(words):
        return f"<p>{markdown.renderInline(words)}</p>" if words else ""

    for index, block in enumerate([*found, Block("h2")]):
        kind = block.kind
        if kind == "h2":
            if bare and first:
                add("words", line(two(first)))
                deck.insert(start, deck.pop())  # before the section's exercises
            section = heading = block.words
            start = len(deck)
            first, bare = "", section not in LEFT_OUT | {"Exercises"}
            waiting.clear()
        elif kind in ("h1", "h3"):
            heading = block.words
        elif kind == "words":
            first = first or block.words
            note(line(block.words))
        elif kind == "exercise":
            add(kind, block.html, title=f"Exercise: {block.words}")
        elif kind == "mistake":
            add(kind, block.html, title=ONCE)
        elif kind in ("predict", "answer"):
            add(kind, block.html, title=kind.capitalize())
        elif kind == "list" and section in LISTS:
            add(LISTS[section], block.html)
            bare = False
        elif kind == "list":
            note(block.html)
        elif kind in BETWEEN and section not in LEFT_OUT:
            add(kind, line(lead(found, index)), block.html, line(reading(found, index)))
            bare = False
        elif kind.startswith("figure"):
            add(kind, block.html, line(caption(found, index)))
            bare = False
        elif kind == "explorer" and not (deck and deck[-1].kind == kind):
            add(kind, line(" ".join(sentences(words_before(found, index))[:3])))
            deck[-1].explorer = block.words
            bare = False
    return deck


def lead(found, index):
    """The sentence that leads to a formula or a table, from where it can be understood."""
    before = found[index - 1]
    if before.kind != "words" or before.cell != found[index].cell:
        return ""
    said = sentences(before.words)
    start = len(said) - 1
    while start and REFERS.match(said[start]):
        start -= 1
    return " ".join(said[start:])


def reading(found, index):
    """The sentence that reads a formula or a table, unless it leads to the next one."""
    after, beyond = [*found, Block("h2"), Block("h2")][index + 1 : index + 3]
    if after.kind != "words" or after.cell != found[index].cell:
        return ""
    said = sentences(after.words)
    leads_on = beyond.kind in BETWEEN and len(said) == 1
    opens_anew = said[0].startswith("**")
    return said[0] if said[0].endswith(".") and not leads_on and not opens_anew else ""


def caption(found, index):
    """What the prose below a figure opens with; empty where another thing comes first.

    A short paragraph before others announces them, and says nothing alone.
    """
    prose = list(dropwhile(lambda block: block.kind == "folded", found[index + 1 :]))
    paragraphs = [block.words for block in takewhile(lambda block: block.kind == "words", prose)]
    if len(paragraphs) > 1 and len(paragraphs[0].split()) < SHORT:
        del paragraphs[0]
    return opening(" ".join(paragraphs))


def words_before(found, index):
    return next((block.words for block in reversed(found[:index]) if block.kind == "words"), "")


def sentences(words):
    """The sentences of a paragraph; formulas, code and what stands in brackets stay whole."""
    kept = []

    def keep(match):
        kept.append(match[0])
        return f"\0{len(kept) - 1}\1"

    hidden = " ".join(re.sub(r"\$[^$]+\$|`[^`]+`", keep, words).split())
    hidden = re.sub(r"(?<!\w)\([^()]*[.?] [^()]*\)", keep, hidden)  # several sentences
    parts = re.split(r"(?<=[.?:])\s+(?=[A-Z\0*(\"“])|(?<=[.?]\*)\s+(?=[A-Z\0])", hidden)
    mark = re.compile("\0(\\d+)\1")
    while any(mark.search(part) for part in parts):  # a bracket may hold a formula
        parts = [mark.sub(lambda match: kept[int(match[1])], part) for part in parts]
    return parts


def two(words):
    """The first two sentences of a paragraph; what a colon ends goes on, and is half of one."""
    said = sentences(words)
    ends = [k for k, sentence in enumerate(said, start=1) if not sentence.endswith(":")]
    return " ".join(said[: [*ends, len(said), len(said)][1]])


def opening(words):
    """The first sentence of a paragraph, with the next while that is short."""
    chosen = []
    for sentence in sentences(words):
        chosen.append(sentence)
        if sum(len(one.split()) for one in chosen) >= SHORT:
            break
    return " ".join(chosen)


def markdown_parser():
    """MyST's Markdown as far as slides need it; formulas come out as MathJax reads them."""
    parser = MarkdownIt("commonmark", {"typographer": True}).enable(["table", "smartquotes"])

    def formula(content, options):
        opened, closed = (r"\[", r"\]") if options["display_mode"] else (r"\(", r"\)")
        return opened + escape(content.strip()) + closed

    return parser.use(dollarmath_plugin, renderer=formula).use(colon_fence_plugin)


def unbroken(html):
    """The same with every formula in the text kept on one line with the mark that follows it."""
    return re.sub(
        r'<span class="math inline">([^<]+</span>[.,;:?)]+)',
        r'<span class="unbroken"><span class="math inline">\1</span>',
        html,
    )


def page(name, title, deck):
    """The slides as one HTML file: styles, programs, fonts and figures are all inside."""
    sections = []
    for number, slide in enumerate(deck, start=1):
        over = f'<p class="over">{slide.over}</p>' if slide.over else ""
        live = ""
        if slide.explorer:
            path, place = (
                f"../html/chapters/{name}.html",
                re.search(r"\d*$", slide.explorer)[0] or 1,
            )
            live = LIVE.format(f"{path}?alone={place}", f"{path}#{slide.explorer}=%7B%7D")
        sections.append(
            f'<section class="slide {slide.kind}" id="{number}"'
            f' aria-label="Slide {number} of {len(deck)}">\n'
            f"<header>{over}<h2>{slide.heading}</h2></header>\n"
            '<div class="body"><div class="content">\n'
            f"{unbroken(''.join(slide.parts))}\n{live}</div></div>\n"
            f'<aside class="notes" aria-label="Notes">{"".join(slide.notes)}</aside>\n'
            f"<footer><span>{name[:2]} {title}</span>"
            f"<span>{number} / {len(deck)}</span></footer>\n</section>"
        )
    programs = [(ASSETS / "formulas.js").read_text(encoding="utf-8"), mathjax()]
    own = (TEMPLATE / "slides.js").read_text(encoding="utf-8")
    return (
        (TEMPLATE / "slides.html")
        .read_text(encoding="utf-8")
        .format(
            title=title,
            style=(TEMPLATE / "slides.css").read_text(encoding="utf-8"),
            slides="\n".join(sections),
            programs="\n".join(f"<script>{script(code)}</script>" for code in (own, *programs)),
        )
    )


def script(code):
    """JavaScript that may stand within <script>."""
    return re.sub(r"</(?=script)", r"<\\/", code, flags=re.IGNORECASE)


def mathjax():
    """MathJax with SVG output, which brings its fonts along as outlines."""
    package = distribution("sphinx-mathjax-offline")
    program = next(file for file in package.files if file.name == "tex-svg.js")
    return Path(package.locate_file(program)).read_text(encoding="utf-8")


def deck_of(notebook, bibliography):
    """Title and slides of an executed chapter."""
    parser = markdown_parser()
    found = blocks(notebook, parser, bibliography)
    return next(block.words for block in found if block.kind == "h1"), slides(found, parser)


def executed(root):
    """{name: notebook with outputs} of all chapters; FileNotFoundError where one was not run."""
    cache = get_cache(root / "_build" / ".jupyter_cache" / cache_key(root))
    found = {}
    for path in sorted((root / "chapters").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        try:
            _, found[path.stem] = cache.merge_match_into_notebook(notebook)
        except KeyError:
            raise FileNotFoundError(
                f"{path.stem} has not been executed as it is now: run `make book` first."
            ) from None
    return found


def build(root, target):
    """Write the slides of all chapters into the folder `target`; returns {name: slides}."""
    bibliography = Bibliography(str(root / "references.bib"))
    target.mkdir(parents=True, exist_ok=True)
    decks = {}
    for name, notebook in executed(root).items():
        title, decks[name] = deck_of(notebook, bibliography)
        (target / f"{name}.html").write_text(page(name, title, decks[name]), encoding="utf-8")
    return decks


if __name__ == "__main__":
    try:
        decks = build(Path.cwd(), Path.cwd() / "_build" / "slides")
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    for name, deck in decks.items():
        print(f"_build/slides/{name}.html  {len(deck)} slides")
