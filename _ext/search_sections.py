"""Sphinx extension: the search finds sections, not pages, in the words of the field, offline.

The text of every section lies in one script, `_static/sections.js`, which the search's page alone
loads; `assets/search.js` ranks them and shows what they say.
"""

import json
import re
import unicodedata
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

# Pieces of TeX: a command, a number (\frac12 takes its digits one by one), or one letter or sign.
PIECE = re.compile(r"\\[a-zA-Z]+\s*|\\.|\s+|.", re.S)
SIZES = {
    "left",
    "right",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "displaystyle",
    "limits",
    "!",
}
SPACES = {",", ";", ":", "", "\\", "quad", "qquad"}
SIGNS = {
    "mid": " | ", "|": "‖", "Vert": "‖", "lVert": "‖", "rVert": "‖", "lvert": "|", "rvert": "|",
    "partial": "∂", "nabla": "∇", "sum": "Σ", "prod": "Π", "int": "∫", "infty": "∞", "ell": "ℓ",
    "sim": " ~ ", "approx": " ≈ ", "le": " ≤ ", "ge": " ≥ ", "ne": " ≠ ", "ll": " ≪ ", "to": " → ",
    "propto": " ∝ ", "in": " ∈ ", "pm": "±", "mp": "∓", "cdot": "·", "times": "×", "odot": "⊙",
    "circ": "°", "top": "ᵀ", "prime": "′", "dots": "…", "ldots": "…", "cdots": "…",
    "leftarrow": " ← ", "mapsto": " ↦ ", "longrightarrow": " → ", "Rightarrow": " ⇒ ",
    "Longrightarrow": " ⇒ ", "iff": " ⇔ ", "varepsilon": "ε", "varphi": "φ",
}  # fmt: skip
ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304"}
DRESS = {
    "text",
    "mathrm",
    "operatorname",
    "mathcal",
    "mathbb",
    "mathbf",
    "texttt",
    "textit",
    "boxed",
}
RAISED = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
SKIPPED = (nodes.section, nodes.title, nodes.literal_block, nodes.raw, nodes.image, nodes.comment)


def plain(tex):
    r"""A formula in one line of text: \frac{\partial f}{\partial w} as ∂f/∂w, \log as log."""
    text = _group(iter(PIECE.findall(tex)), None)
    text = re.sub(r"\0(?=[(\s]|$)", "", text).replace("\0", " ")  # log p, but exp(−x)
    text = re.sub(r"\s*([−+=])\s*", r" \1 ", text.replace("-", "−"))
    text = re.sub(r"([(\[{^_]) *−\s+|^ *−\s+", r"\1−", text)
    text = re.sub(r"\s+([,.;)\]}])|([(\[])\s+", r"\1\2", text)
    return " ".join(text.split())


def _group(pieces, end):
    """The text of the pieces before `end`."""
    text = ""
    for piece in pieces:
        if piece == end:
            break
        text += _read(piece, pieces, text)
    return text


def _argument(pieces):
    piece = next((piece for piece in pieces if piece.strip()), "")
    return _read(piece, pieces, "").strip()


def _whole(text):
    """In brackets, unless it is one thing: a number, or a name with what it is of."""
    return text if re.fullmatch(r"∂?[\w.√ᵀ′\u0302-\u0304]*(\([^()]*\))?", text) else f"({text})"


def _read(piece, pieces, before):
    """The text of a piece, with the arguments that it takes from the pieces that follow."""
    name = piece[1:].strip() if piece[0] == "\\" else ""
    if piece == "{":
        return _group(pieces, "}")
    if piece == "^":
        above = _argument(pieces)
        return RAISED.get(above) or (above if above in "ᵀ′°" else f"^{_whole(above)}")
    if piece == "_":
        return f"_{_whole(_argument(pieces).replace(' ', ''))}"
    if piece[0] != "\\":
        return {"~": " ", "&": " ", "'": "′"}.get(piece, piece)
    if name in SIZES:
        return ""
    if name in SPACES:
        return " "
    if name in ("begin", "end", "tag", "label"):
        _argument(pieces)
        return " "
    if name in ("frac", "tfrac", "dfrac"):
        parts = f"{_whole(_argument(pieces))}/{_whole(_argument(pieces))}"
        return f"({parts})" if before.endswith("\0") else f"{parts}\0"  # a function of it
    if name == "sqrt":
        return f"√{_whole(_argument(pieces))}"
    if name == "underbrace":
        above, _ = _argument(pieces), next(pieces, "")
        return f"{above} ({_argument(pieces)}) "
    if name in ACCENTS:
        return _argument(pieces) + ACCENTS[name]
    if name in DRESS:
        return _argument(pieces)
    if name in SIGNS:
        return SIGNS[name]
    if name in ("{", "}", "_", "%", "$", "#"):
        return name
    size = "SMALL" if name[0].islower() else "CAPITAL"
    spelt = {"lambda": "LAMDA"}.get(name.lower(), name.upper())
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {spelt}")
    except KeyError:  # a function: \log
        return f"{' ' if before[-1:].isalnum() else ''}{name}\0"


def words(node, labels):
    """The text of a section without that of its subsections, of listings and of scripts.

    labels: what stands in the text for the key of a reference.
    """
    if isinstance(node, nodes.Text):
        return node.astext()  # str() has a NUL for every backslash that was written
    if isinstance(node, nodes.math):
        return plain(node.astext())
    if isinstance(node, nodes.math_block):
        return f" {plain(node.astext())} "
    if isinstance(node, addnodes.pending_xref) and node["refdomain"] == "cite":
        keys = node["reftarget"].split(",")
        return f"[{', '.join(labels[key.strip()] for key in keys)}]"
    if isinstance(node, (*SKIPPED, addnodes.toctree)):
        return ""
    inner = "".join(words(child, labels) for child in node.children)
    return inner if isinstance(node, nodes.Inline) else f"{inner} "


def sections(doctree, docname, labels):
    """[address, title of the page, title of the section, text] of every section of a page."""
    found = []
    for section in doctree.findall(nodes.section):
        title = section.next_node(nodes.title)
        if title is None:
            continue
        name = " ".join("".join(words(child, labels) for child in title).split())
        page = found[0][1] if found else name
        text = " ".join("".join(words(child, labels) for child in section).split())
        anchor = f"#{section['ids'][0]}" if found and section["ids"] else ""
        found.append([f"{docname}.html{anchor}", page, name, text])
    return found


def write_sections(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    found = []
    labels = {each.key: each.formatted_entry.label for each in app.env.get_domain("cite").citations}
    for docname in sorted(app.env.found_docs):
        found += sections(app.env.get_doctree(docname), docname, labels)
    path = Path(app.outdir) / "_static" / "sections.js"
    path.write_text(f"window.SECTIONS = {json.dumps(found, ensure_ascii=False)};\n", "utf-8")
    page = Path(app.outdir) / "search.html"
    html = page.read_text(encoding="utf-8")
    ours = (
        '<script src="_static/sections.js"></script>\n<script src="_static/search.js"></script>\n'
    )
    if ours not in html:
        html = html.replace("</body>", f"{ours}</body>")
    page.write_text(html, encoding="utf-8")


def setup(app):
    app.connect("build-finished", write_sections, priority=650)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
