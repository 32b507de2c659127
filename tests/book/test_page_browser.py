"""Every page in Chromium: from disk on a desktop and over http on a phone, light and dark."""

import json
from pathlib import Path

import pytest
from book_page import DEVICES, STILL, set_theme
from browser import READY
from page_looks import look_as_axe, look_whether_it_fits

# How far what is in sight has moved, as browsers count it: the sum of "layout shifts". The page may
# take all its time before it shows its text; a reader sees it unset after a while.
MOVED = """window.moved = 0;
new PerformanceObserver((list) => {
  for (const { hadRecentInput, value } of list.getEntries()) if (!hadRecentInput) moved += value;
}).observe({ type: "layout-shift", buffered: true });"""
WAITING = """document.addEventListener("readystatechange", () =>
  document.documentElement.style.setProperty("--vc-wait", "3600s"), { once: true });"""

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


def open_whole(tab, address, page):
    """Open a page that is whole in both themes, light in the end; what it says meanwhile."""
    news = watch(tab, address)
    tab.add_init_script(MOVED + WAITING)
    tab.goto(f"{address}/{page}")
    tab.evaluate(READY)
    tab.evaluate(STILL)
    assert tab.evaluate("moved") <= 0.05
    for theme in ("dark", "light"):
        set_theme(tab, theme)
        look = tab.evaluate(LOOK)
        dark = theme == "dark"
        assert (sum(look["background"][:3]) < 200, sum(look["ink"][:3]) > 500) == (dark, dark)
        assert look["width"] <= look["room"]
        assert look["formulas"] == []
        assert look["alerts"] == []
    return news


def test_page_is_whole_and_silent_on_a_desktop(new_tab, addresses, page):
    tab = new_tab(color_scheme="light", **DEVICES["desktop"])
    news = open_whole(tab, addresses["file"], page)
    assert news == []
    tab.close()


# Opened once for all of it, since the formulas of a page take their time.
def test_page_is_whole_and_silent_and_fits_a_phone_and_axe_finds_nothing(new_tab, addresses, page):
    tab = new_tab(color_scheme="light", **DEVICES["phone"])
    news = open_whole(tab, addresses["http"], page)
    look_whether_it_fits(tab)
    assert news == []
    tab.emulate_media(media="screen")
    tab.set_viewport_size(DEVICES["phone"]["viewport"])
    tab.evaluate(STILL)
    look_as_axe(tab)
    tab.close()


@pytest.fixture
def search(new_tab, addresses):
    """A function: a query to what the search finds from disk, best first."""
    tab = new_tab()
    news = watch(tab, addresses["file"])

    def search(query):
        tab.goto(f"{addresses['file']}/search.html?q={query}")
        tab.wait_for_selector("#search-results ul", state="attached")
        links = tab.locator("#search-results li a")
        return list(
            zip(
                links.evaluate_all("links => links.map((link) => link.getAttribute('href'))"),
                links.all_text_contents(),
                tab.locator("#search-results li p").all_text_contents(),
                strict=True,
            )
        )

    yield search
    assert news == []
    tab.close()


def test_search_finds_the_section_by_any_of_its_names(search, site):
    collapse = [address for address, _, _ in search("posterior collapse")]
    assert any("14_when_vaes_fail" in address for address in collapse[:2])
    for name in ("ELBO", "evidence lower bound", "variational bound"):
        assert search(name)[0][0].startswith("chapters/07_elbo.html"), name
    found = search("reparameterization")
    for name in ("reparametrization", "reparametrisation", "Reparameterisation"):
        assert search(name) == found
    assert len(found) > 2
    for address, _, text in found:
        page, _, anchor = address.partition("#")
        assert f'id="{anchor}"' in (site / page).read_text(encoding="utf-8") or not anchor
        assert text.strip()
    assert search("qqqq") == []


def test_search_knows_a_name_within_a_query_and_forgives_a_word_that_is_nowhere(search):
    for query in ("log-derivative trick", "the score function", "score function qqqq"):
        assert (
            search(query)[0][0]
            == "chapters/08_gradient_estimators.html#first-way-the-score-function"
        )
    assert [address for address, _, _ in search("reparameterization trick")] == [
        address for address, _, _ in search("reparameterization")
    ]
    for query in ("missing data", "missing values", "missing pixels"):
        assert search(query)[0][0].endswith("priors.html#pixels-that-nobody-saw"), query
    assert search("function qqqq rrrr") == []


def test_search_knows_the_short_and_the_other_names(search):
    for query in ("NELBO", "ELBO"):
        assert search(query)[0][0].startswith("chapters/07_elbo.html"), query
    assert search("KLD")[0][0].startswith("chapters/03_kl_and_monte_carlo.html")
    chapters = [address[9:11] for address, _, _ in search("beta vae")[:4]]
    assert {"14", "15"} <= set(chapters)
    assert search("β-VAE") == search("beta vae")
    found = [address for address, _, _ in search("free energy")[:5]]
    assert any(address.startswith("chapters/07_elbo.html") for address in found)


def test_search_quotes_formulas_and_references_as_the_page_shows_them(search):
    quotes = " ".join(text for _, _, text in search("NELBO"))
    assert "z) − log q(z)], never exceeds log p(x): it is the evidence" in quotes
    quotes = " ".join(text for _, _, text in search("straight-through"))
    assert "[BLC13] tell of, pretends" in quotes and "∂f/∂w" in quotes


def test_search_marks_the_words_of_the_query_and_no_empty_ones(new_tab, addresses):
    tab = new_tab()
    tab.goto(f"{addresses['file']}/search.html?q=posterior collapse")
    first = tab.locator("#search-results li").first
    first.wait_for()
    marked = {text.lower() for text in tab.locator("#search-results mark").all_inner_texts()}
    assert "is" not in marked
    assert {"posterior", "collapse"} <= marked
    assert {text.lower() for text in first.locator("mark").all_inner_texts()} == {
        "posterior", "collapse"
    }  # fmt: skip
    tab.close()


def test_search_shows_no_markup_of_a_query(search):
    assert search("<img src=x onerror=alert(1)>") == []


def test_notebooks_are_saved_from_disk(chromium, addresses, site):
    tab = chromium.new_page()
    tab.goto(f"{addresses['file']}/chapters/07_elbo.html")
    with tab.expect_download() as saving:
        tab.locator(".notebook-versions a").first.click()
    name = saving.value.suggested_filename
    assert name == "07_elbo_student.ipynb"
    saved = json.loads(Path(saving.value.path()).read_text(encoding="utf-8"))
    assert saved == json.loads((site / "notebooks" / name).read_text(encoding="utf-8"))
    tab.close()


def test_without_scripts_a_page_shows_a_picture_and_says_what_is_missing(chromium, addresses):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{addresses['file']}/index.html")
    assert tab.locator("noscript img").bounding_box()["height"] > 200
    note = tab.locator(".explorer-room noscript")
    assert note.inner_text().endswith(
        "This figure computes in the browser and needs JavaScript, which is switched off here. "
        "Without it formulas stand as they are written, in TeX; all else on this page reads."
    )
    hole = tab.locator(".explorer-room").bounding_box()["height"]
    assert hole < note.bounding_box()["height"] + 30
    tab.goto(f"{addresses['file']}/notation.html")
    assert tab.locator("td .math").first.is_visible()
    context.close()


def test_without_scripts_a_chapter_is_light_and_shows_each_drawing_once(chromium, addresses):
    context = chromium.new_context(java_script_enabled=False, color_scheme="dark")
    tab = context.new_page()
    tab.goto(f"{addresses['file']}/chapters/07_elbo.html")
    shown = [link.is_visible() for link in tab.locator("a.drawing").all()]
    assert shown == [True, False] * (len(shown) // 2) and len(shown) >= 8
    ground = "part => getComputedStyle(part).backgroundColor"
    assert tab.locator("body").evaluate(ground) == "rgb(255, 255, 255)"
    assert tab.locator(".bd-header-article").evaluate(ground) == "rgb(255, 255, 255)"
    context.close()


def test_without_mathjax_the_text_appears_all_the_same(new_tab, addresses):
    tab = new_tab()
    tab.add_init_script(WAITING)  # it is known not to come, so the page does not wait for it
    tab.route("**/mathjax/*", lambda route: route.abort())
    tab.goto(f"{addresses['http']}/notation.html")
    tab.locator("td .math").first.wait_for(state="visible")
    assert "\\(" in tab.locator("td .math").first.inner_text()  # as it is written, in TeX
    tab.close()


def test_paper_is_light_where_the_screen_is_dark(new_tab, addresses):
    tab = new_tab(color_scheme="dark")
    tab.goto(f"{addresses['file']}/chapters/07_elbo.html")
    set_theme(tab, "dark")
    papers = []
    for media, theme in (("print", "light"), ("screen", "dark")):
        tab.emulate_media(media=media)
        tab.wait_for_function(
            "theme => document.documentElement.dataset.theme === theme", arg=theme
        )
        papers.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert papers == ["rgb(255, 255, 255)", "rgb(18, 18, 18)"]
    tab.close()


def test_a_tap_on_a_section_closes_the_contents(new_tab, addresses):
    tab = new_tab(**DEVICES["phone"])
    tab.goto(f"{addresses['file']}/chapters/07_elbo.html")
    tab.evaluate(READY)
    tab.locator(".secondary-toggle").tap()
    contents = tab.locator("#pst-secondary-sidebar-modal")
    link = contents.locator("a[href^='#']").nth(4)
    section = tab.locator(link.get_attribute("href"))
    link.tap()
    contents.wait_for(state="hidden")
    tab.evaluate(STILL)
    assert 0 <= section.bounding_box()["y"] < 200
    tab.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_magnifier_lies_beside_what_is_searched(new_tab, addresses, width):
    tab = new_tab(viewport={"width": width, "height": 900})
    tab.goto(f"{addresses['file']}/search.html?q=elbo")
    form = tab.locator("main form.bd-search")
    icon = form.locator("i").bounding_box()
    field = form.locator("input")
    room = field.evaluate("field => parseFloat(getComputedStyle(field).paddingLeft)")
    assert field.bounding_box()["x"] + room >= icon["x"] + icon["width"] + 4
    tab.close()
