"""Tabs for widgets: with a page of them, and empty."""

import pytest
from widget_page import settle


@pytest.fixture
def visit(chromium, new_tab, tmp_path):
    """Open a static page of widgets; at the end the page must have been silent and offline.

    With `alone`, in a context of its own, for a test that sets the clock.
    """
    tabs, messages, requests = [], [], []

    def open_page(html, hash="", alone=False, **options):
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        # an explorer that wanders until it is touched would move what a test looks at
        options = {"reduced_motion": "reduce"} | options
        page = chromium.new_page(**options) if alone else new_tab(**options)
        tabs.append(page)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + hash)
        page.locator(".vw-figure canvas:visible").first.wait_for()
        settle(page)
        return page

    yield open_page
    for page in tabs:
        page.close()
    assert messages == []
    assert [url for url in requests if not url.startswith(("file:", "blob:", "data:"))] == []


@pytest.fixture(scope="session")
def tab(chromium):
    """An empty tab, for a widget's functions without the widget."""
    page = chromium.new_page()
    yield page
    page.close()
