"""Sphinx extension: the pages of `reference/` from the docstrings, and links to them from chapters.

Docstrings are plain text with `code` in single backticks and lists of `name: what it is`; here they
become what autodoc reads. The first `vc.` name of its kind on a page leads to its entry.
"""

import re
from itertools import groupby

from sphinx.util.osutil import relative_uri

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
ARGUMENT = re.compile(r"(\w+(?:, \w+)*): (.*)")
# A name in a cell or in a sentence; not one that is a link already.
NAME = re.compile(
    r'<span class="n">vc</span>(?:<span class="o">\.</span><span class="n">\w+</span>)+'
    r'|(?<!">)<code class="docutils literal notranslate">'
    r'<span class="pre">vc\.[\w.]+[^<]*</span></code>'
)
MARKUP = re.compile(r"<[^>]*>")


def read_docstring(app, what, name, thing, options, lines):
    """Write the lines of a docstring in reStructuredText, in place."""
    written = []
    for block in blocks(lines):
        arguments = is_arguments(block)
        shown = False  # as it stands: an indented formula or table
        for line in block:
            argument = arguments and ARGUMENT.fullmatch(line)
            if argument:
                line = f"* ``{argument[1]}``: {escaped(argument[2])}"
            elif arguments:
                line = f"  {escaped(line.strip())}"
            else:
                if line.startswith(" ") != shown:
                    shown = not shown
                    written += ["", "::", ""] if shown else [""]
                line = line if shown else escaped(line)
            written.append(line)
        written.append("")
    lines[:] = written


def blocks(lines):
    """The paragraphs of a docstring, each a list of lines."""
    return [
        list(block)
        for filled, block in groupby(lines, key=lambda line: bool(line.strip()))
        if filled
    ]


def is_arguments(block):
    """Whether every line of a paragraph names something, or goes on with what was named."""
    return bool(ARGUMENT.fullmatch(block[0])) and all(
        line.startswith(" ") or ARGUMENT.fullmatch(line) for line in block
    )


def escaped(line):
    """Code in double backticks, and nothing else that reStructuredText would read as markup."""
    parts = CODE.split(line)
    parts[::2] = [re.sub(r"([*|\\]|(?<=\w)_(?!\w))", r"\\\1", text) for text in parts[::2]]
    parts[1::2] = [f"``{code}``" for code in parts[1::2]]
    return "".join(parts)


def link_names(app, pagename, templatename, context, doctree):
    """Let the first use of every `vc.` name on a page lead to its entry in the reference."""
    if doctree is None or pagename.startswith("reference/"):
        return
    entries, seen = app.env.get_domain("py").objects, set()
    here = app.builder.get_target_uri(pagename)

    def linked(found):
        name = re.match(r"vc((?:\.\w+)+)", MARKUP.sub("", found[0]))[1]
        entry = entries.get(f"vaecourse{name}")
        if entry is None or name in seen:
            return found[0]
        seen.add(name)
        page = relative_uri(here, app.builder.get_target_uri(entry.docname))
        return f'<a class="vc-name" href="{page}#{entry.node_id}">{found[0]}</a>'

    context["body"] = NAME.sub(linked, context["body"])


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("html-page-context", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
