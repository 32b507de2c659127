"""The playground in a browser: hands, points, addresses, and what arrives late."""

import json
from urllib.parse import quote, unquote

import numpy as np
import pytest
from explorers import unpack
from widget_page import PHONE, rgb, settle, static_page

import vaecourse as vc
from vaecourse.palette import DIGIT_COLOURS
from vaecourse.widgets import Playground
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


# a worker that hears nothing until the test says so; `look` lets it hear the first message
SLOW = """<script>
window.Worker = class {
  constructor(url) { window.worker = Object.assign(this, { program: import(url), mail: [] }); }
  postMessage(message) { this.mail.push(message); }
  async look(count) {
    const js = await this.program, tell = (frame) => this.onmessage({ data: frame });
    this.session ??= new js.Session(tell, this.mail[0].digits);
    for (const message of this.mail.splice(0, count)) this.session.hear(message);
    return this.session.running;
  }
  terminate() {}
};
</script>"""


@pytest.fixture
def slow(visit):
    """A page whose worker has not yet heard anything."""
    html = static_page(Playground()).replace("<head>", "<head>" + SLOW)
    return visit(html, alone=True, viewport={"width": 1000, "height": 1200})


def test_a_press_while_the_worker_looks_is_not_undone_by_what_it_saw(slow):
    play = slow.locator(".pg-play")
    play.click()
    assert slow.evaluate("worker.look(1)") is False  # a frame from before the press
    slow.wait_for_function(
        "() => document.querySelector('[data-kind=done] td').textContent === '0'"
    )
    assert play.inner_text() == "Pause"
    assert slow.evaluate("worker.look(9)") is True
    play.click()
    settle(slow)
    assert play.inner_text() == "Play"
    slow.evaluate("worker.session.report()")  # a frame from before Pause
    settle(slow)
    assert play.inner_text() == "Play"
    assert slow.evaluate("worker.look(9)") is False
    settle(slow)
    assert play.inner_text() == "Play"


def test_a_worker_that_fails_after_play_leaves_the_training_to_the_page(slow):
    slow.click(".pg-play")
    slow.evaluate("worker.onerror()")
    trained(slow, 10)
    assert slow.locator(".pg-play").inner_text() == "Pause"


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


@pytest.mark.parametrize("looked", [False, True])
def test_back_from_the_first_lesson_is_back_to_the_bare_page(slow, looked):
    """Whether or not the worker's first look is over when the lesson's link is followed."""
    if looked:
        slow.evaluate("worker.look(1)")
        kept(slow, "true")
    assert slow.evaluate("location.hash") == ""
    slow.evaluate("() => (location.hash = '#preset=collapse')")
    slow.wait_for_function("() => location.hash.startsWith('#playground=')")
    menu = "name => document.querySelector('.pg-lessons select').value === name"
    slow.wait_for_function(menu, arg="collapse")
    slow.go_back()
    slow.wait_for_function(menu, arg="")
    assert slow.locator('select[data-setting="beta"]').input_value() == "1"
    kept(slow, "s.lesson === undefined")
    assert slow.evaluate("location.hash") == ""
    slow.go_forward()
    slow.wait_for_function(menu, arg="collapse")
    slow.go_back()
    slow.wait_for_function(menu, arg="")
    slow.reload()
    slow.locator(".vw-figure canvas:visible").first.wait_for()
    settle(slow)
    assert slow.locator(".pg-lessons select").input_value() == ""
    slow.evaluate("() => (location.hash = 'a-section')")  # leaves the figure as it is
    slow.locator(".pg-lessons select").select_option("slope")
    kept(slow, "s.lesson === 'slope'")
    slow.evaluate("() => (location.hash = 'another')")
    settle(slow)
    assert slow.locator(".pg-lessons select").input_value() == "slope"


def test_the_menu_has_the_lessons_in_their_order(page):
    values = "options => options.map((option) => option.value)"
    menu = page.locator(".pg-lessons option").evaluate_all(values)
    assert menu == ["", *LESSONS]
    assert list(LESSONS).index("warm-up") == list(LESSONS).index("lost-blob") + 1


def own(page):
    page.locator('select[data-setting="data"]').select_option('"own"')
    settle(page)


def points(page):
    """How many points are in use."""
    settle(page)
    label = page.locator(".pg-plot-data").get_attribute("aria-label")
    return int(label.removeprefix("Your points, ").split(" of")[0])


def put(page, count, down=60):
    box = page.locator(".pg-plot-data").bounding_box()
    for k in range(count):
        page.mouse.click(box["x"] + 60 + 20 * k, box["y"] + down)


def kept(page, condition):
    """Wait until the page's entry in the history has such a state of the playground, `s`."""
    page.wait_for_function(
        f"() => {{ const s = history.state?.explorers?.playground; return s && ({condition}); }}"
    )


def test_no_lesson_takes_the_readers_points(page):
    own(page)
    put(page, 4)
    assert points(page) == 4
    menu = page.locator(".pg-lessons select")
    menu.select_option("collapse")
    own(page)
    assert points(page) == 4
    menu.select_option("spikes")
    assert points(page) == 5
    page.click(".pg-undo")  # the lesson's points are not the reader's, whatever becomes of them
    assert points(page) == 4
    put(page, 2, down=100)
    assert points(page) == 6
    page.click(".pg-clear")
    assert points(page) == 0
    page.click(".pg-undo")
    assert points(page) == 6
    menu.select_option("")
    own(page)
    assert points(page) == 4
    page.locator(".vw-reset").click()
    own(page)
    assert points(page) == 0
    page.click(".pg-undo")
    assert points(page) == 4


@pytest.fixture
def three(visit):
    """A page whose reader drew three points, then chose the lesson with points of its own."""
    page = visit(static_page(Playground()), alone=True, viewport={"width": 1000, "height": 1200})
    own(page)
    put(page, 3)
    page.locator(".pg-lessons select").select_option("spikes")
    assert points(page) == 5
    return page


def test_a_reset_in_a_lesson_gives_the_readers_points_back(three):
    three.locator(".vw-reset").click()
    own(three)
    assert points(three) == 0
    assert three.locator(".pg-undo").inner_text() == "Undo clear"
    three.click(".pg-undo")
    assert points(three) == 3


@pytest.mark.parametrize("way", ["Back", "reload"])
def test_who_leaves_in_a_lesson_finds_the_points_again(three, way):
    kept(three, "s.lesson === 'spikes'")
    if way == "Back":
        three.goto("about:blank")
        three.go_back()
    else:
        three.reload()
    three.locator(".vw-figure canvas:visible").first.wait_for()
    settle(three)
    assert points(three) == 5
    three.locator(".pg-lessons select").select_option("")
    own(three)
    assert points(three) == 3


def test_points_that_were_cleared_outlive_a_reload_and_are_in_no_link(three):
    three.locator(".vw-reset").click()
    kept(three, "s.gone?.[0]?.length === 6")
    assert "gone" not in three.evaluate("location.hash")
    three.reload()
    three.locator(".vw-figure canvas:visible").first.wait_for()
    own(three)
    assert points(three) == 0
    three.click(".pg-undo")
    assert points(three) == 3


def test_points_drawn_in_a_lesson_outlive_other_lessons_and_a_reset(page):
    menu = page.locator(".pg-lessons select")
    menu.select_option("spikes")
    put(page, 6)
    assert points(page) == 11
    menu.select_option("good-fit")
    settle(page)
    menu.select_option("spikes")
    assert points(page) == 11
    page.locator(".vw-reset").click()
    settle(page)
    menu.select_option("spikes")
    assert points(page) == 5
    assert page.locator(".pg-undo").inner_text() == "My points back"
    page.click(".pg-undo")
    assert points(page) == 11
    assert page.locator(".pg-undo").inner_text() == "Undo point"
    page.evaluate("() => (location.hash = '#preset=spikes')")
    assert points(page) == 11
    page.click(".pg-clear")
    assert points(page) == 0
    menu.select_option("spikes")  # chosen already
    menu.select_option("good-fit")
    settle(page)
    menu.select_option("spikes")
    assert points(page) == 5  # no lesson begins with a bare plane
    page.click(".pg-undo")
    assert points(page) == 11


def test_each_clear_can_be_undone(page):
    own(page)
    put(page, 5)
    page.click(".pg-clear")
    assert points(page) == 0
    put(page, 1)
    page.click(".pg-clear")
    assert points(page) == 0
    put(page, 2)
    page.locator(".vw-reset").click()
    own(page)
    for count in (2, 1, 0, 1, 0, 5):
        page.click(".pg-undo")
        assert points(page) == count
    for _ in range(5):
        page.click(".pg-undo")
    settle(page)
    assert page.locator(".pg-undo").is_disabled()


def test_a_link_leaves_the_readers_points_or_lets_them_be_had_back(three):
    three.evaluate("() => (location.hash = '#preset=collapse')")
    own(three)
    assert points(three) == 3
    three.evaluate("""() => (location.hash = '#playground={"data":"own","drawn":[1,1]}')""")
    settle(three)
    assert points(three) == 1
    three.click(".pg-undo")
    assert points(three) == 0
    three.click(".pg-undo")
    assert points(three) == 3


def test_the_word_on_the_most_points_stays_while_training_runs(visit):
    state = json.dumps({"data": "own", "drawn": [1, -1] * 1000})
    page = visit(static_page(Playground()), f"#playground={quote(state)}")
    page.click(".pg-play")
    trained(page, 20)
    page.locator(".pg-plot-data").click()
    most = "1,000 points are the most"
    assert points(page) == 1000
    assert most in page.locator(".pg-said").inner_text()
    trained(page, steps(page) + 100)
    assert most in page.locator(".pg-said").inner_text()
    page.click(".pg-undo")
    settle(page)
    assert most not in page.locator(".pg-said").inner_text()


def test_a_lesson_waits_until_it_is_played(page):
    page.click(".pg-play")
    trained(page, 20)
    page.locator(".pg-lessons select").select_option("collapse")
    begun = """() => document.querySelector('[data-kind="done"] td').textContent === '0'"""
    page.wait_for_function(begun)
    settle(page)
    assert steps(page) == 0 and page.locator(".pg-play").inner_text() == "Play"


def test_a_lesson_that_a_link_opens_waits_too(page):
    page.click(".pg-play")
    trained(page, 20)
    page.evaluate("() => (location.hash = '#preset=collapse')")
    page.wait_for_function("() => document.querySelector('.pg-play').textContent === 'Play'")
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
    page.wait_for_function(said.format("Before training: ELBO −"))
    page.click(".pg-play")
    page.wait_for_function(said.format("Training."))
    assert page.locator(".vw-live").inner_text() == "Training."
    page.click(".pg-play")
    page.wait_for_function(said.format("Stopped after"))
    page.click(".pg-anew")
    page.wait_for_function(said.format("Before training: ELBO −"))
    page.click(".pg-step")
    page.wait_for_function(said.format("Stopped after 1 step: ELBO −"))


def test_a_rate_of_ten_ends_in_a_sentence(page):
    page.locator('select[data-setting="data"]').select_option('"three_blobs"')
    page.locator('select[data-setting="rate"]').select_option("10")
    page.click(".pg-play")
    page.wait_for_function(
        "() => document.querySelector('.pg-said').textContent.includes('no longer a number')"
    )
    assert "NaN" not in page.locator(".playground").inner_text()


def test_after_numbers_that_broke_play_begins_anew(page):
    page.locator('select[data-setting="data"]').select_option('"three_blobs"')
    page.locator('select[data-setting="rate"]').select_option("10")
    broken = """() => document.querySelector('.pg-said').textContent.includes('no longer a number')
        && document.querySelector('.pg-play').textContent === 'Play'"""
    page.click(".pg-play")
    page.wait_for_function(broken)
    page.click(".pg-play")  # and breaks again
    page.wait_for_function(broken)
    page.locator('select[data-setting="rate"]').select_option("0.001")
    page.click(".pg-play")
    trained(page, 20)
    assert "no longer a number" not in page.locator(".pg-said").inner_text()


def test_after_a_break_the_table_says_where_and_the_note_what_to_do_now(page):
    rate = page.locator('select[data-setting="rate"]')
    page.locator('select[data-setting="data"]').select_option('"three_blobs"')
    rate.select_option("10")
    page.click(".pg-play")
    said = "text => document.querySelector('.pg-said').textContent.includes(text)"
    lower = "Lower the learning rate to 0.1 or less, then start again."
    page.wait_for_function(said, arg=lower)
    value = {
        kind: page.locator(f'[data-kind="{kind}"] td').inner_text()
        for kind in ("epoch", "done", "ceiling", "elbo")
    }
    assert int(value["done"].replace(",", "")) >= 1 and float(value["epoch"]) >= 0
    assert value["ceiling"].startswith("−") and value["elbo"] == "–"
    rate.select_option("0.001")
    page.wait_for_function(said, arg="Press play: it begins anew.")
    assert "Lower the" not in page.locator(".pg-said").inner_text()
    rate.select_option("1")  # lower, and no cure
    page.wait_for_function(said, arg=lower)


def test_another_data_set_leaves_the_lesson(page):
    page.locator(".pg-lessons select").select_option("spikes")
    settle(page)
    assert page.locator(".pg-lesson").is_visible()
    page.locator('select[data-setting="noise"]').select_option('"shared"')
    settle(page)
    assert page.locator(".pg-lesson").is_visible()  # of other knobs a lesson may ask
    page.locator('select[data-setting="data"]').select_option('"three_blobs"')
    settle(page)
    assert page.locator(".pg-lesson").is_hidden()
    assert page.locator(".pg-lessons select").input_value() == ""


def test_points_are_as_many_as_there_are(page):
    shown = page.locator('select[data-setting="points"]')
    text = "select => select.selectedOptions[0].textContent"
    page.locator('select[data-setting="data"]').select_option('"digits"')
    settle(page)
    assert shown.evaluate(text) == "1,500" and shown.is_disabled()
    own(page)
    put(page, 7)
    assert points(page) == 7 and shown.evaluate(text) == "7"
    page.locator('select[data-setting="data"]').select_option('"three_blobs"')
    settle(page)
    assert shown.evaluate(text) == "2,000" and shown.is_enabled()


def test_the_colours_of_the_codes_have_their_digits_beside_them(page):
    key = page.locator(".pg-key")
    assert key.is_hidden()
    for lesson, shown in (("digits", True), ("collapse", False)):
        page.locator(".pg-lessons select").select_option(lesson)
        settle(page)
        assert key.is_visible() == shown
        if shown:
            got = key.locator("span").evaluate_all(
                "all => all.map((one) =>"
                " [one.textContent, getComputedStyle(one, '::before').backgroundColor])"
            )
            colours = [f"rgb({', '.join(map(str, rgb(colour)))})" for colour in DIGIT_COLOURS]
            assert got == [[str(digit), colour] for digit, colour in enumerate(colours)]
            page.locator('select[data-setting="latents"]').select_option("1")
            settle(page)
            assert key.is_hidden()  # nothing is coloured


def test_one_latent_decodes_a_line_of_digits(page):
    page.locator('select[data-setting="data"]').select_option('"digits"')
    page.locator('select[data-setting="latents"]').select_option("1")
    settle(page)
    assert page.locator(".pg-model .pg-head").inner_text() == "decoded line"


def late(what):
    """A page to which a script of the book does not come: `what` becomes of its element."""
    held = f"<script>document.head.append = (script) => {{ {what} }};</script>"
    return static_page(Playground()).replace("</head>", held + "</head>")


def test_mnist_comes_as_a_script_when_it_is_asked_for(visit, tmp_path):
    (tmp_path / "_static").mkdir()
    packed = packed_mnist()
    (tmp_path / "_static" / "playground_mnist.js").write_text(
        static_script("playground_mnist", packed)
    )
    page = visit(late("window.held = script"))
    page.click(".pg-play")
    trained(page, 20)
    data = page.locator('select[data-setting="data"]')
    data.select_option('"mnist"')
    page.wait_for_function("() => window.held")
    settle(page)
    # until the images are there nothing trains, and no number stands under their name
    assert page.locator(".pg-said").inner_text() == "MNIST is being loaded."
    numbers = page.locator(".vw-numbers td").all_inner_texts()
    assert set(numbers) == {"–"}
    assert page.locator(".pg-play").inner_text() == "Play"
    assert page.locator(".pg-play").is_disabled() and page.locator(".pg-step").is_disabled()
    data.select_option('"rotated_gaussian"')
    settle(page)
    before = steps(page)
    assert before >= 20
    settle(page)
    assert steps(page) == before
    page.locator('select[data-setting="width"]').select_option("8")
    data.select_option('"mnist"')
    assert page.evaluate("window.vaecourseBytes === undefined")
    page.evaluate("() => Element.prototype.append.call(document.head, window.held)")
    page.wait_for_function(
        "() => document.querySelector('[data-kind=elbo] td').textContent.startsWith('−5')"
    )  # of 784 pixels before training: 784 log 2 = 543 nats
    assert steps(page) == 0
    page.click(".pg-play")
    trained(page, 2)
    x = vc.data.mnist("train", binarize="sample").x[:10_000]
    table = [["bits", "uint8", [10_256 * 98]], ["labels", "uint8", [256]]]
    bits = np.unpackbits(unpack(packed, table)["bits"]).reshape(-1, 784)
    assert (bits[:10_000] == x.numpy()).all()


@pytest.mark.parametrize("way", ["knob", "lesson", "link"])
def test_where_mnist_does_not_come_the_page_says_so_until_the_next_choice(visit, way):
    page = visit(late("setTimeout(script.onerror)"))
    if way == "knob":
        page.locator('select[data-setting="data"]').select_option('"mnist"')
    elif way == "lesson":
        page.locator(".pg-lessons select").select_option("mnist")
    else:
        page.evaluate("() => (location.hash = '#preset=mnist')")
    said = "MNIST could not be loaded; these are the 8 × 8 digits."
    heard = "said => document.querySelector('.vw-live').textContent === said"
    page.wait_for_function(heard, arg=said)
    assert page.locator(".pg-said").inner_text() == said
    data = page.locator('select[data-setting="data"]')
    assert data.input_value() == '"digits"'
    assert page.locator(".pg-lessons select").input_value() == ""
    assert page.locator(".pg-lesson").is_hidden()
    assert page.locator('[data-kind="elbo"] td').inner_text() != "–"
    data.select_option('"three_blobs"')
    settle(page)
    assert page.locator(".pg-said").inner_text() == ""


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
