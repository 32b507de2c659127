"""Fixtures shared by all tests."""

import pytest
from browser import FLAGS, find_chromium

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
