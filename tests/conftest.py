"""Fixtures shared by all tests."""

import pytest
from browser import FLAGS, find_chromium


@pytest.fixture(scope="session")
def chromium():
    """A running headless Chromium, as a playwright Browser; open contexts of your own on it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()
