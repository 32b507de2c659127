"""Every page in Chromium: from disk and over http, on a desktop and a phone, light and dark."""

import pytest
from book_page import DEVICES, READY, set_theme

LOOK = """() => ({
  theme: document.documentElement.dataset.theme,
  background: getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number),
  ink: getComputedStyle(document.querySelector("main h1")).color.match(/\\d+/g).map(Number),
  width: document.documentElement.scrollWidth,
  room: document.documentElement.clientWidth,
  formulas: [...document.querySelectorAll("mjx-merror")].map((formula) => formula.textContent),
  alerts: [...document.querySelectorAll(".anywidget-static[role=alert]")].map((e) => e.textContent),
})"""


def watch(page, address):
    """Collect what the page says to the console and each request that leaves or fails."""
    news = []

    def on_request(request):
        if not request.url.startswith((address, "data:", "blob:")):
            news.append(f"foreign request: {request.url}")

    def on_response(response):
        if response.status >= 400:
            news.append(f"{response.status}: {response.url}")

    page.on("console", lambda message: news.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: news.append(f"uncaught: {error}"))
    page.on("request", on_request)
    page.on("requestfailed", lambda request: news.append(f"failed request: {request.url}"))
    page.on("response", on_response)
    return news


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scheme", ["file", "http"])
def test_page_is_whole_and_silent(chromium, addresses, page, scheme, device):
    address = addresses[scheme]
    context = chromium.new_context(color_scheme="light", **DEVICES[device])
    tab = context.new_page()
    news = watch(tab, address)
    tab.goto(f"{address}/{page}")
    tab.evaluate(READY)
    for theme in ("light", "dark"):
        set_theme(tab, theme)
        look = tab.evaluate(LOOK)
        dark = theme == "dark"
        assert (sum(look["background"][:3]) < 200, sum(look["ink"][:3]) > 500) == (dark, dark)
        assert look["width"] <= look["room"]
        assert look["formulas"] == []
        assert look["alerts"] == []
    assert news == []
    context.close()


def test_search_finds_a_chapter_from_disk(chromium, addresses):
    context = chromium.new_context()
    tab = context.new_page()
    news = watch(tab, addresses["file"])
    tab.goto(f"{addresses['file']}/search.html?q=autoencoder")
    tab.wait_for_selector("#search-results li a")
    assert tab.locator("#search-results li a").count() >= 1
    tab.wait_for_timeout(250)
    assert news == []
    context.close()
