"""The script that runs anywidgets on a page without a kernel."""

import base64
import json
from pathlib import Path

import pytest

HOST = Path(__file__).parents[2] / "_ext" / "assets" / "anywidget-static.js"

COUNTER = """
export default {
  initialize({ model }) { model.set("count", model.get("count") + 10); },
  render({ model, el }) {
    const button = document.createElement("button");
    const total = model.get("data").getUint8(1);
    const show = () => (button.textContent = `${model.get("count")} of ${total}`);
    button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
    model.on("change:count", show);
    show();
    el.append(button);
  },
};
"""


@pytest.fixture
def open_page(new_tab, tmp_path):
    """A function: widget models and the ids to show, to a tab with that page."""
    tabs = []

    def open_page(models, views, policy=""):
        def script(kind, content):
            return f'<script type="application/vnd.jupyter.widget-{kind}+json">{content}</script>'

        html = "<!doctype html><meta charset='utf-8'>"
        html += f"<meta http-equiv='Content-Security-Policy' content=\"{policy}\">"
        html += script("state", json.dumps({"state": models}))
        html += f"<script src='{HOST.as_uri()}'></script>"
        html += "".join(
            f"<div id='view{k}'>{script('view', json.dumps({'model_id': view}))}</div>"
            for k, view in enumerate(views)
        )
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        tab = new_tab()
        tabs.append(tab)
        tab.goto((tmp_path / "page.html").as_uri())
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


def anywidget(esm, css=""):
    data = {"path": ["data"], "encoding": "base64", "data": base64.b64encode(b"\x01\x63").decode()}
    state = {"_esm": esm, "_css": css, "count": 1}
    return {"model_name": "AnyModel", "state": state, "buffers": [data]}


def test_views_of_one_model_move_together_and_models_do_not(open_page):
    tab = open_page({"a": anywidget(COUNTER), "b": anywidget(COUNTER)}, ["a", "a", "b"])
    tab.wait_for_selector("#view2 button")
    tab.click("#view0 button")
    texts = [tab.text_content(f"#view{k} button") for k in range(3)]
    assert texts == ["12 of 99", "12 of 99", "11 of 99"]


def test_style_comes_once(open_page):
    css = ".anywidget-static { color: rgb(1, 2, 3); }"
    tab = open_page({"a": anywidget(COUNTER, css), "b": anywidget(COUNTER, css)}, ["a", "b"])
    tab.wait_for_selector("#view1 button")
    colour = "getComputedStyle(document.querySelector('.anywidget-static')).color"
    assert tab.evaluate(colour) == "rgb(1, 2, 3)"
    assert tab.locator("style").count() == 1


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ({"a": anywidget("throw new Error('no such luck')")}, "no such luck"),
        ({"a": anywidget("export default { render() { nothing() } }")}, "nothing is not defined"),
        ({"a": anywidget("export default {")}, "Unexpected end of input"),
        ({}, "its state is missing from the page"),
    ],
)
def test_widget_that_cannot_start_says_so_in_its_place(open_page, models, reason):
    tab = open_page({**models, "good": anywidget(COUNTER)}, ["a", "good"])
    tab.wait_for_selector("#view0 [role=alert]")
    assert tab.text_content("#view0 [role=alert]") == f"This figure could not start: {reason}"
    tab.wait_for_selector("#view1 button")


def test_a_policy_without_blobs_or_with_only_them_shows_the_figures(open_page):
    for allowed in ("'unsafe-inline'", "blob:"):
        models = {"a": anywidget(COUNTER), "b": anywidget(COUNTER)}
        tab = open_page(models, ["a", "b"], f"script-src file: {allowed}")
        tab.wait_for_selector("#view1 button")
        tab.click("#view0 button")
        assert [tab.text_content(f"#view{k} button") for k in range(2)] == ["12 of 99", "11 of 99"]


def test_a_policy_that_allows_no_program_is_named_in_the_figure_s_place(open_page):
    tab = open_page({"a": anywidget(COUNTER)}, ["a"], "script-src file:")
    tab.wait_for_selector("#view0 [role=alert]")
    assert tab.text_content("#view0 [role=alert]") == (
        "This figure could not start: a policy of this page forbids its script"
    )
