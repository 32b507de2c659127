"""Sphinx extension: what each term of the glossary means, for the cards of `assets/cards.js`.

They lie in one script, `_static/glossary_cards.js`, which a page loads at the first card.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx import addnodes


def written(node):
    """The text of a definition, its formulas as MathJax reads them."""
    if isinstance(node, nodes.Text):
        return str(node)
    if isinstance(node, nodes.math):
        return rf"\({node.astext()}\)"
    return "".join(written(child) for child in node.children)


def definitions(doctree):
    """{id of a term: its definition} of the glossaries of a page."""
    return {
        name: written(item[-1])
        for glossary in doctree.findall(addnodes.glossary)
        for item in glossary.findall(nodes.definition_list_item)
        for term in item.findall(nodes.term)
        for name in term["ids"]
    }


def write_cards(app, exception):
    if (
        exception is not None
        or app.builder.format != "html"
        or "glossary" not in app.env.found_docs
    ):
        return
    text = json.dumps(definitions(app.env.get_and_resolve_doctree("glossary", app.builder)))
    path = Path(app.outdir) / "_static" / "glossary_cards.js"
    path.write_text(f"window.GLOSSARY = {text};\n", encoding="utf-8")


def setup(app):
    app.add_js_file("cards.js", loading_method="defer", priority=600)
    app.connect("build-finished", write_cards, priority=650)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
