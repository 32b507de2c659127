"""Sphinx extension: the search finds sections, not pages, in the words of the field, offline.

The text of every section lies in one script, `_static/sections.js`, which the search's page alone
loads; `assets/search.js` ranks them and shows what they say.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

TEX = re.compile(r"\\(?:[a-zA-Z]+|.)|[{}$^_&]")
LETTERS = {"phi": "φ", "theta": "θ", "mu": "μ", "sigma": "σ", "beta": "β", "epsilon": "ε"}
SKIPPED = (nodes.section, nodes.title, nodes.literal_block, nodes.raw, nodes.image, nodes.comment)


def plain(tex):
    """The letters of a formula."""
    return TEX.sub(lambda found: LETTERS.get(found[0][1:], " "), tex)


def words(node):
    """The text of a section without that of its subsections, of listings and of scripts."""
    if isinstance(node, nodes.Text):
        return str(node)
    if isinstance(node, (nodes.math, nodes.math_block)):
        return f" {plain(node.astext())} "
    if isinstance(node, (*SKIPPED, addnodes.toctree)):
        return ""
    inner = "".join(words(child) for child in node.children)
    return inner if isinstance(node, nodes.Inline) else f"{inner} "


def sections(doctree, docname):
    """[address, title of the page, title of the section, text] of every section of a page."""
    found = []
    for section in doctree.findall(nodes.section):
        title = section.next_node(nodes.title)
        if title is None:
            continue
        name = " ".join(words_of_title(title).split())
        page = found[0][1] if found else name
        text = " ".join("".join(words(child) for child in section.children).split())
        anchor = f"#{section['ids'][0]}" if found and section["ids"] else ""
        found.append([f"{docname}.html{anchor}", page, name, text])
    return found


def words_of_title(title):
    return "".join(words(child) for child in title.children)


def write_sections(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    found = []
    for docname in sorted(app.env.found_docs):
        found += sections(app.env.get_doctree(docname), docname)
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
