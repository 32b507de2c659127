"""Build the book in the folder that this is started in, strictly: any warning is an error."""

import gc
import sys

# The tree of a page is full of circles, which are looked through again and again for what could
# be freed: a fifth of the time of a build, which ends before memory does.
gc.disable()

# Where it finds this package, jsonschema compiles 38 grammars of address formats at import: half
# the time of a build that finds nothing changed. No schema of a book or a notebook uses them.
sys.modules["rfc3987_syntax"] = None

from jupyter_book.cli.main import main  # noqa: E402
from sphinx.util.console import nocolor  # noqa: E402

if not sys.stdout.isatty():
    nocolor()
try:
    main(["build", "-W", "-n", "--keep-going", "."], standalone_mode=False)
except RuntimeError:
    # Sphinx has said what is wrong; Jupyter Book's own traceback would only bury it.
    sys.exit(1)
