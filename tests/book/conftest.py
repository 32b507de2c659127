"""The built book: its pages, and the two ways to open them."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"

# What the table of contents promises, and what Sphinx adds; a page that was not built fails.
PAGES = [f"{document}.html" for document in parse_toc_yaml(ROOT / "_toc.yml")]
GENERATED = ["genindex.html", "search.html"]


def pytest_generate_tests(metafunc):
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES + GENERATED)


@pytest.fixture(scope="session")
def site():
    """The folder of the built pages."""
    missing = [page for page in PAGES if not (SITE / page).is_file()]
    if missing:
        pytest.fail(f"Not built: {', '.join(missing)}. Run `make book` first.")
    return SITE


@pytest.fixture(scope="session")
def pages():
    """The names of the pages of the book, in its order."""
    return PAGES


@pytest.fixture
def soup(site, page):
    """The parsed page."""
    return BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Say nothing: what a request did, the browser tells."""


@pytest.fixture(scope="session")
def addresses(site):
    """Where the book can be opened: from disk, and from a server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"file": site.as_uri(), "http": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
