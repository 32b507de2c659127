"""`make instructors`: the pages for examiners, in a book of their own in `_build/instructors`.

The students' book holds neither them nor their sources.
"""

import sys
from pathlib import Path

from offline_assets import copy_mathjax
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "project": "For examiners",
    "html_title": "For examiners",
    "root_doc": "examiner",
    "extensions": ["myst_parser", "sphinx_design"],
    "myst_enable_extensions": ["amsmath", "dollarmath"],
    "html_theme": "sphinx_book_theme",
    "mathjax_path": "mathjax/tex-mml-chtml.js",
    "html_show_search_summary": False,
}

if __name__ == "__main__":
    place = ROOT / "_build" / "instructors"
    app = Sphinx(
        srcdir=ROOT / "exam",
        confdir=None,
        outdir=place,
        doctreedir=place / ".doctrees",
        buildername="html",
        confoverrides=SETTINGS,
        status=None,
        freshenv=True,
        warningiserror=True,
    )
    app.connect("build-finished", copy_mathjax)
    app.build()
    print("Open _build/instructors/examiner.html in a browser.")
    sys.exit(app.statuscode)
