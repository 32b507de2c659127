"""Sphinx extension: a reference is formatted when it is new or changed, not at every build.

sphinxcontrib-bibtex formats all references of all pages whenever it is asked for the book, which
took half of a build with nothing changed. What it made at the last build lies in Sphinx's memory.
"""

from pybtex.style.formatting import BaseStyle


def reuse_references(app, env):
    """Have the style give back what it gave at the last build for the same label and entry."""
    known = {}
    for old in env.get_domain("cite").citations:
        for made in (old.formatted_entry, old.tooltip_entry):
            if made is not None:
                known[made.key, made.label] = old.entry, made

    def format_entry(self, label, entry, bib_data=None):
        if (entry.key, label) not in known or known[entry.key, label][0] != entry:
            known[entry.key, label] = entry, plain(self, label, entry, bib_data)
        return known[entry.key, label][1]

    plain, BaseStyle.format_entry = BaseStyle.format_entry, format_entry


def setup(app):
    app.connect("env-updated", reuse_references, priority=400)  # before bibtex forgets them
    return {"parallel_read_safe": True, "parallel_write_safe": True}
