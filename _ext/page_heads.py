"""Sphinx extension: what a page shows to those who do not open it, or open it without scripts.

A description and, where the book knows its address (html_baseurl), a picture for whoever is sent
a link. Names of the folds say what lies in them.
"""

import re
from html import escape
from textwrap import shorten

from docutils import nodes

PARTS = re.compile(
    r'(class="(?:exercise|solution) |<section(?! id="(?:exercise|solution)-content)'
    r'|class="cell [^"]*"|code cell (?:source|content))'
)
# sphinx-exercise and sphinx-proof name the body of each of theirs alike; nothing links there.
REPEATED = re.compile(r' id="(?:exercise|solution|proof)-content"')
IN_PRINT = re.compile(r"<p>(?=In print, )")


def description(doctree):
    """The first paragraph, or what a reader will be able to do: some three hundred letters."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            words = paragraph.astext()
            goals = paragraph.next_node(siblings=True, descend=False)
            if isinstance(goals, nodes.bullet_list):
                words += " " + " ".join(goal.astext() for goal in goals)
            return shorten(words, 300, placeholder=" …")
    return ""


def name_folds(body):
    """Call the folded code after a solution what it is; every fold by a word less."""
    after_solution, hidden, parts = False, False, []
    for part in PARTS.split(body):
        if part.startswith(('class="exercise', "<section")):
            after_solution = hidden = False
        elif part.startswith('class="solution'):
            after_solution = True
        elif part.startswith('class="cell'):
            hidden = "tag_hide-cell" in part  # of other cells the input alone is folded: figures
        elif part.startswith("code cell") and after_solution and hidden:
            part = "the code of the solution"
        parts.append(part)
    text = "".join(parts)
    return re.sub(r"\b(Show|Hide) code cell (source|content)s?", r"\1 the code", text)


def add_heads(app, pagename, templatename, context, doctree):
    if "body" in context:
        body = REPEATED.sub("", name_folds(context["body"]))
        # What stands on paper in the place of an explorer, which the screen has.
        context["body"] = IN_PRINT.sub('<p class="in-print">', body)
    if doctree is None:
        return
    title = re.sub(r"<[^>]*>", "", context.get("title", ""))
    about = description(doctree) or f"{title}. {app.config.html_title}"
    home = app.config.html_baseurl
    picture = (
        home and f"{home.rstrip('/')}/_static/explorer.png"
    )  # previews ask for a whole address
    context["metatags"] = context.get("metatags", "") + "".join(
        f'\n    <meta {key}="{name}" content="{escape(words, quote=True)}" />'
        for key, name, words in [
            ("name", "description", about),
            ("property", "og:title", title),
            ("property", "og:description", about),
            ("property", "og:image", picture),
            ("name", "twitter:card", "summary_large_image"),
        ]
        if words
    )


def setup(app):
    app.connect("html-page-context", add_heads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
