"""The playground in a browser: hands, points, addresses, and what arrives late."""

import json
from urllib.parse import unquote

import numpy as np
import pytest
from widget_page import PHONE, settle, static_page

import vaecourse as vc
from vaecourse.widgets import Playground
from vaecourse.widgets.packing import unpack
from vaecourse.widgets.playground.lessons import LESSONS
from vaecourse.widgets.playground.playground import packed_mnist
from vaecourse.widgets.shared import static_script


@pytest.fixture
def page(visit):
    return visit(static_page(Playground()), viewport={"width": 1000, "height": 1200})


def steps(page):
    text = page.locator('[data-kind="done"] td').inner_text()
    return int(text.replace(",", "").replace("–", "0"))


def trained(page, least=1):
    page.wait_for_function(
        """least => +document.querySelector('[data-kind="done"] td')
        .textContent.replace(',', '') >= least""",
        arg=least,
    )


def test_play_trains_and_pause_rests(page):
    assert steps(page) == 0
    page.click(".pg-play")
    trained(page, 20)
    page.click(".pg-play")
    page.wait_for_function("() => document.querySelector('.pg-play').textContent === 'Play'")
    settle(page)
    before = steps(page)
    settle(page)
    assert steps(page) == before
    page.click(".pg-step")
    trained(page, before + 1)
    assert steps(page) == before + 1
    page.click(".pg-anew")
    page.wait_for_function(
        "() => document.querySelector('[data-kind=\"done\"] td').textContent === '0'"
    )


def test_numbers_of_one_moment_add_up(page):
    page.click(".pg-play")
    trained(page, 20)
    page.click(".pg-play")
    settle(page)
    rows = page.locator(".vw-numbers tr").evaluate_all(
        "rows => rows.map(r => [r.dataset.kind, r.cells[1].textContent])"
    )
    value = {kind: text.replace("−", "-") for kind, text in rows}
    value = {kind: float(text) for kind, text in value.items() if kind not in ("epoch", "done")}
    assert abs(value["ceiling"] - value["model"] - value["evidence"]) < 2e-3
    assert abs(value["evidence"] - value["inference"] - value["elbo"]) < 2e-3
    assert abs(value["reconstruction"] - value["kl"] - value["elbo"]) < 2e-3
    page.locator('select[data-setting="beta"]').select_option("20")
    settle(page)
    page.wait_for_function(
        """loss => Math.abs(document.querySelector('[data-kind="loss"] td').textContent
        .replace('−', '-') - loss) < 0.02""",
        arg=20 * value["kl"] - value["reconstruction"],
    )


def test_an_address_opens_a_lesson_and_a_state_makes_an_address(page):
    page.evaluate("() => (location.hash = '#preset=collapse')")
    settle(page)
    assert page.locator(".pg-lesson").inner_text().startswith("With β = 20")
    chosen = {
        setting: page.locator(f'select[data-setting="{setting}"]').input_value()
        for setting in ("beta", "data", "seed", "width")
    }
    assert chosen == {"beta": "20", "data": '"three_blobs"', "seed": "0", "width": "32"}
    page.locator('select[data-setting="rate"]').select_option("0.01")
    settle(page)
    page.click(".vw-link")
    key, text = unquote(page.evaluate("location.hash")).removeprefix("#").split("=", 1)
    settings = LESSONS["collapse"]["settings"]
    assert key == "playground"
    assert json.loads(text) == {**settings, "lesson": "collapse", "rate": 0.01}


def test_after_a_link_to_a_lesson_the_address_follows_the_knobs(visit):
    page = visit(static_page(Playground()), "#preset=collapse", alone=True)
    page.locator('select[data-setting="beta"]').select_option("4")
    page.wait_for_function("() => location.hash.includes('beta%22%3A4')")
    page.reload()
    page.locator(".vw-figure canvas:visible").first.wait_for()
    settle(page)
    assert page.locator(".pg-lessons select").input_value() == "collapse"
    assert page.locator('select[data-setting="beta"]').input_value() == "4"


def test_the_menu_has_the_lessons_in_their_order(page):
    values = "options => options.map((option) => option.value)"
    menu = page.locator(".pg-lessons option").evaluate_all(values)
    assert menu == ["", *LESSONS]
    assert list(LESSONS).index("warm-up") == list(LESSONS).index("lost-blob") + 1


def test_no_lesson_takes_the_readers_points(page):
    def points():
        settle(page)
        return page.locator(".pg-plot-data").get_attribute("aria-label").split(" of")[0]

    def own():
        page.locator('select[data-setting="data"]').select_option('"own"')

    own()
    settle(page)
    box = page.locator(".pg-plot-data").bounding_box()
    for k in range(4):
        page.mouse.click(box["x"] + 60 + 20 * k, box["y"] + 60)
    assert points() == "Your points, 4"
    menu = page.locator(".pg-lessons select")
    menu.select_option("collapse")
    own()
    assert points() == "Your points, 4"
    menu.select_option("spikes")
    assert points() == "Your points, 5"
    page.click(".pg-undo")  # the lesson's points are not the reader's, whatever becomes of them
    assert points() == "Your points, 4"
    page.mouse.click(box["x"] + 100, box["y"] + 100)
    page.mouse.click(box["x"] + 130, box["y"] + 100)
    assert points() == "Your points, 6"
    menu.select_option("")
    own()
    assert points() == "Your points, 4"
    page.locator(".vw-reset").click()
    own()
    assert points() == "Your points, 0"
    page.click(".pg-undo")
    assert points() == "Your points, 4"


def test_a_lesson_waits_until_it_is_played(page):
    page.click(".pg-play")
    trained(page, 20)
    page.locator(".pg-lessons select").select_option("collapse")
    begun = """() => document.querySelector('[data-kind="done"] td').textContent === '0'"""
    page.wait_for_function(begun)
    settle(page)
    assert steps(page) == 0 and page.locator(".pg-play").inner_text() == "Play"


def test_points_are_drawn_by_mouse_and_by_keys(page):
    page.locator('select[data-setting="data"]').select_option('"own"')
    settle(page)
    assert "no points yet" in page.locator(".pg-said").inner_text()
    page.click(".pg-play")  # with nothing to train on
    settle(page)
    assert page.locator(".pg-play").inner_text() == "Play"
    box = page.locator(".pg-plot-data").bounding_box()
    for k in range(6):
        page.mouse.click(box["x"] + 60 + 20 * k, box["y"] + 60 + 10 * (k % 3))
    page.locator(".pg-plot-data").focus()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    settle(page)
    assert "7 of them" in page.locator(".pg-plot-data").get_attribute("aria-label")
    page.click(".pg-undo")
    settle(page)
    assert "6 of them" in page.locator(".pg-plot-data").get_attribute("aria-label")
    page.click(".pg-play")
    trained(page, 20)
    page.click(".pg-clear")
    settle(page)
    assert "no points yet" in page.locator(".pg-said").inner_text()
    page.click(".pg-undo")
    settle(page)
    assert "6 of them" in page.locator(".pg-plot-data").get_attribute("aria-label")
    for _ in range(6):
        page.click(".pg-undo")
        settle(page)
    assert page.locator(".pg-undo").is_disabled()


def test_who_listens_hears_that_it_trains_and_how_it_ended(page):
    said = "() => document.querySelector('.vw-live').textContent.startsWith('{}')"
    page.click(".pg-play")
    page.wait_for_function(said.format("Training after"))
    page.click(".pg-play")
    page.wait_for_function(said.format("Stopped after"))
    assert "after 0 steps" not in page.locator(".vw-live").inner_text()


def test_a_rate_of_ten_ends_in_a_sentence(page):
    page.locator('select[data-setting="data"]').select_option('"three_blobs"')
    page.locator('select[data-setting="rate"]').select_option("10")
    page.click(".pg-play")
    page.wait_for_function(
        "() => document.querySelector('.pg-said').textContent.includes('no longer a number')"
    )
    assert "NaN" not in page.locator(".playground").inner_text()


def test_mnist_comes_as_a_script_when_it_is_asked_for(visit, tmp_path):
    (tmp_path / "_static").mkdir()
    packed = packed_mnist()
    (tmp_path / "_static" / "playground_mnist.js").write_text(
        static_script("playground_mnist", packed)
    )
    page = visit(static_page(Playground()))
    assert page.evaluate("window.vaecourseBytes === undefined")
    page.locator('select[data-setting="data"]').select_option('"mnist"')
    page.wait_for_function("() => window.vaecourseBytes !== undefined")
    page.locator('select[data-setting="width"]').select_option("8")
    page.wait_for_function(
        "() => document.querySelector('[data-kind=elbo] td').textContent.startsWith('−5')"
    )  # of 784 pixels before training: 784 log 2 = 543 nats
    page.click(".pg-play")
    trained(page, 2)
    x = vc.data.mnist("train", binarize="sample").x[:10_000]
    table = [["bits", "uint8", [10_256 * 98]], ["labels", "uint8", [256]]]
    bits = np.unpackbits(unpack(packed, table)["bits"]).reshape(-1, 784)
    assert (bits[:10_000] == x.numpy()).all()


def test_where_workers_are_forbidden_the_page_trains_itself(visit):
    html = static_page(Playground()).replace(
        "<head>", "<head><script>window.Worker = class { constructor() { throw 1 } }</script>"
    )
    page = visit(html)
    assert steps(page) == 0
    page.click(".pg-play")
    trained(page, 10)
    assert steps(page) >= 10


def test_on_a_phone_nothing_is_wider_than_the_page(visit):
    page = visit(static_page(Playground()), **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(".pg-plot-latent").bounding_box()
    assert box["y"] + box["height"] < 844
