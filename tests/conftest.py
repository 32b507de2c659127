"""Fixtures shared by all tests."""

import pytest
from browser import FLAGS, find_chromium

# What its asserts compared is told, as in a test.
pytest.register_assert_rewrite("page_looks")

# Milliseconds before a step is given up; playwright's half minute is too short on a busy machine.
PATIENCE = 600_000


def patient(opened):
    """`opened`, whose context or page gives nothing up before ten minutes."""

    def open_it(**options):
        made = opened(**options)
        made.set_default_timeout(PATIENCE)
        return made

    return open_it


@pytest.fixture(scope="session")
def chromium():
    """A running headless Chromium, as a playwright Browser; open contexts of your own on it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=FLAGS, timeout=PATIENCE
        )
        for name in ("new_context", "new_page"):
            setattr(browser, name, patient(getattr(browser, name)))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def new_tab(chromium):
    """A function: options to a new tab, in the one context of all tabs that have these options.

    A context of its own costs more than twice what a tab does; who sets a clock or stores
    anything needs one all the same.
    """
    contexts = {}

    def new_tab(**options):
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = chromium.new_context(**options)
        return contexts[key].new_page()

    yield new_tab
    for context in contexts.values():
        context.close()
