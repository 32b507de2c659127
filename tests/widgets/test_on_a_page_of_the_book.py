"""Explorers as the book's own extension puts them onto a page: escaped, and with room kept free."""

import nbformat
import pytest
from explorers import MAKERS
from ipywidgets.embed import dependency_state
from offline_assets import ROOM
from sphinx.application import Sphinx
from widget_page import PHONE, settle

from vaecourse import widgets

HOSTILE = "</SCRIPT><img src=x onerror=ran()><!--<script>"
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
CONFIGURATION = """
extensions = ["myst_nb", "offline_assets"]
nb_execution_mode = "off"
nb_ipywidgets_js = {"anywidget-static.js": {}}
html_theme = "basic"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A book of one page, with one explorer of each kind and a paragraph after it."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "conf.py").write_text(CONFIGURATION, encoding="utf-8")
    makers = MAKERS | {"Playground": widgets.Playground}
    explorers = [makers[name](title=HOSTILE) for name in ROOM]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Explorers")])
    for explorer in explorers:
        output = nbformat.v4.new_output(
            "display_data", {VIEW: {"version_major": 2, "model_id": explorer.model_id}}
        )
        notebook.cells += [
            nbformat.v4.new_code_cell("explorer", outputs=[output]),
            nbformat.v4.new_markdown_cell("What follows."),
        ]
    state = dependency_state(explorers, drop_defaults=False)
    notebook.metadata.widgets = {STATE: {"version_major": 2, "version_minor": 0, "state": state}}
    nbformat.write(notebook, folder / "index.ipynb")
    site = folder / "site"
    Sphinx(folder, folder, site, folder / "trees", "html", status=None, warning=None).build()
    return site / "index.html"


def test_a_hostile_title_is_shown_as_it_is_written(new_tab, built):
    page, errors = new_tab(), []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(built.as_uri())
    page.wait_for_function(
        "n => document.querySelectorAll('.vw-title').length === n", arg=len(ROOM)
    )
    assert page.locator(".vw-title").all_text_contents() == [HOSTILE] * len(ROOM)
    assert page.get_by_text("What follows.").count() == len(ROOM)
    assert not [error for error in errors if "ran is not defined" in str(error)]
    page.close()


@pytest.mark.parametrize("options", [{"viewport": {"width": 900, "height": 1000}}, PHONE])
def test_nothing_moves_when_the_explorers_start(chromium, built, options):
    context = chromium.new_context(**options)
    page = context.new_page()
    page.goto(built.as_uri())
    page.wait_for_function(
        "n => document.querySelectorAll('.vw-title').length === n", arg=len(ROOM)
    )
    settle(page)
    shift = page.evaluate(
        "() => new Promise(done => new PerformanceObserver(list => done("
        "list.getEntries().reduce((sum, e) => sum + e.value, 0)))"
        ".observe({type: 'layout-shift', buffered: true})"
        " || setTimeout(() => done(0), 500))"
    )
    assert shift <= 0.05
    for room in page.locator(".explorer-room").all():
        kept, taken = room.evaluate(
            "room => [parseFloat(getComputedStyle(room).minHeight), room.clientHeight]"
        )
        assert taken <= 1.15 * kept
    context.close()


@pytest.mark.parametrize(("options", "shown"), [({}, True), (PHONE, False)])
def test_on_a_phone_no_button_of_the_theme_lies_on_an_explorer(new_tab, built, options, shown):
    page = new_tab(**options)
    page.goto(built.as_uri())
    page.locator(".vw-title").first.wait_for()
    page.evaluate(  # as the theme writes it, and shows it while one scrolls up
        "document.body.insertAdjacentHTML('beforeend', `<button id='pst-back-to-top'"
        " style='position: fixed; top: 90vh; display: block'>Back to top</button>`)"
    )
    assert page.locator("#pst-back-to-top").is_visible() == shown
    page.close()
