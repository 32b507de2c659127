"""What all explorers do alike: theme, keys, reset, read-out, kernel, history, address, phone."""

import base64
import json
from urllib.parse import quote, unquote

import pytest
from explorers import MAKERS
from widget_page import PHONE, colour_count, pixels, press, script, settle, static_page, swipe

from vaecourse import widgets
from vaecourse.palette import COLOURS, COLOURS_DARK

NAMES = sorted(MAKERS)
# a colour that each draws with, and the canvas that has it
INK = {
    "BandwidthExplorer": ("generative", 0),
    "CorrelationExplorer": ("inference", 0),
    "DiffusionExplorer": ("latent", 0),
    "ElboExplorer": ("inference", 0),
    "EMStepper": ("exact", 1),
    "FamilyExplorer": ("latent", 0),
    "FrechetExplorer": ("generative", 0),
    "GradientExplorer": ("inference", 0),
    "KLExplorer": ("inference", 0),
    "LatentExplorer": ("latent", 0),
    "MissingExplorer": ("latent", 0),
    "PipelineExplorer": ("latent", 1),
    "PrecisionExplorer": ("latent", 1),
    "TrainingExplorer": ("inference", 3),
}
# what is said after one step up
SPEECH = {
    "BandwidthExplorer": "Bandwidth 1.7: own points −",
    "CorrelationExplorer": "Correlation 0.80: KL 0.51 nats, variance 0.36 for 1.00. "
    "From 1.80, −1.70 the means need 13 sweeps.",
    "DiffusionExplorer": "Log SNR 1.0: log density −",
    "ElboExplorer": "q = N(0.55, 0.80²). ELBO −6.06, gap 3.88, log p(x) −2.18 nats.",
    "EMStepper": "Log-likelihood −",
    "FamilyExplorer": "Component 0, z₁ = ",
    "FrechetExplorer": "d² 7.94: means 6.74, covariances 1.20. ",
    "GradientExplorer": "μ = 1.60, 100 samples. Score function ",
    "KLExplorer": "q = N(0.55, 1.00²). KL(p ‖ q) ",
    "LatentExplorer": "z = (0.00, 0.07), test points nearby are ",
    "MissingExplorer": "Seen: 28 columns of 13 rows. log p(seen) −",
    "PipelineExplorer": "Distortion ",
    "PrecisionExplorer": "The posterior is N(1.05, 0.71²). Step 0.1: 97 % accepted, "
    "correlation of neighbours 0.995.",
    "TrainingExplorer": "Three blobs, full covariance, epoch 1 of 1, loss 2.000 nats.",
}
STAGES = ".vw-stage > canvas"


@pytest.fixture(scope="module")
def pages():
    """The page of each explorer."""
    return {name: static_page(make()) for name, make in MAKERS.items()}


def pictures(page):
    """All that is painted on the page."""
    return page.locator(".vw-figure canvas:visible").evaluate_all(
        "all => all.map(c => c.toDataURL())"
    )


def text(page):
    """What the first handle reads out."""
    return page.locator(".vw-handle").first.get_attribute("aria-valuetext")


def step(page, times=1):
    """So many steps up with the first handle."""
    page.locator(".vw-handle").first.focus()
    press(page, "ArrowUp", times)


def finish(page):
    """Wait until every explorer is painted whole: some compute before they paint."""
    page.wait_for_function(
        "[...document.querySelectorAll('.vw-figure')].every((one) => one.matches('[data-done]'))"
    )


def rest(page):
    """Wait until the hand is known to rest."""
    page.wait_for_function("document.querySelector('.vw-live').textContent")


def test_none_is_forgotten():
    # the playground has knobs in place of handles, and tests of its own
    assert set(MAKERS) == set(INK) == set(SPEECH) == set(widgets.__all__) - {"Playground"}


@pytest.mark.parametrize("name", NAMES)
def test_the_page_wears_the_colours_of_the_course(name):
    light, dark = MAKERS[name]()._css.split('[data-theme="dark"]')[:2]
    for colours, block in ((COLOURS, light), (COLOURS_DARK, dark)):
        for colour, value in colours.items():
            assert f"--vw-{colour}: {value};" in block


@pytest.mark.parametrize("name", NAMES)
def test_the_theme_is_followed(visit, pages, name):
    page, (colour, canvas) = visit(pages[name]), INK[name]

    def ink(colours):
        return colour_count(page, colours[colour], STAGES, canvas)

    assert ink(COLOURS) > 20 and ink(COLOURS_DARK) == 0
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    settle(page)
    assert ink(COLOURS_DARK) > 20 and ink(COLOURS) == 0
    background = "getComputedStyle(document.querySelector('.vw-figure')).backgroundColor"
    assert page.evaluate(background) == "rgb(20, 24, 30)"
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    settle(page)
    assert ink(COLOURS) > 20
    page.evaluate("delete document.documentElement.dataset.theme")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    settle(page)
    assert ink(COLOURS_DARK) > 20


@pytest.mark.parametrize("name", NAMES)
def test_the_style_of_an_explorer_that_comes_later_changes_nothing(visit, pages, name):
    page = visit(pages[name])
    places = (
        "() => [...document.querySelectorAll('.vw-figure *')].map(e => {"
        " const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })"
    )
    before = page.evaluate(places)
    page.add_style_tag(content="".join(MAKERS[other]()._css for other in NAMES if other != name))
    settle(page)
    assert page.evaluate(places) == before


@pytest.mark.parametrize(("scheme", "colours"), [("dark", COLOURS_DARK), ("light", COLOURS)])
def test_without_a_theme_the_system_decides(visit, pages, scheme, colours):
    html = pages["ElboExplorer"].replace(' data-theme="light"', "")
    assert colour_count(visit(html, color_scheme=scheme), colours["inference"], STAGES) > 50


@pytest.mark.parametrize("name", NAMES)
def test_home_end_and_page_keys_reach_all_of_a_handle(visit, pages, name):
    page = visit(pages[name])
    for handle in page.locator(".vw-handle:visible").all():

        def value(which="now", handle=handle):
            return float(handle.get_attribute(f"aria-value{which}"))

        handle.focus()
        press(page, "Home")
        assert value() == value("min") < value("max")
        press(page, "End")
        assert value() == pytest.approx(value("max"), abs=1e-6)
        before = handle.get_attribute("aria-valuetext")
        press(page, "PageDown")
        down = handle.get_attribute("aria-valuetext")
        assert down != before
        press(page, "PageUp")
        assert handle.get_attribute("aria-valuetext") != down


@pytest.mark.parametrize("name", NAMES)
def test_reset_brings_back_the_start(visit, pages, name):
    page = visit(pages[name])
    finish(page)
    before = pictures(page), text(page)
    step(page)
    for button in page.locator(".vw-body [data-trait]:enabled:visible").all():
        button.click()
    settle(page)
    assert pictures(page) != before[0]
    page.locator(".vw-reset").click()
    if name == "FamilyExplorer":  # which keeps the model that is looked at
        page.locator("[data-value=gmvae]").click()
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    settle(page)
    assert text(page) == before[1]
    finish(page)
    settle(page)
    assert pictures(page) == before[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_readout_speaks_once_the_hand_rests_and_not_before_it_moved(visit, pages, name):
    page = visit(pages[name], alone=True)
    page.clock.install(time=0)
    page.clock.pause_at(1)
    live = page.locator(".vw-live")
    page.clock.run_for(2000)
    assert live.get_attribute("aria-live") == "polite" and live.inner_text() == ""
    page.locator(".vw-handle").first.focus()
    for key in ("ArrowUp", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
        page.clock.run_for(400)
        assert live.text_content() == ""
    page.clock.run_for(700)
    assert live.text_content().startswith(SPEECH[name])


@pytest.mark.parametrize("name", NAMES)
def test_two_views_agree(visit, name):
    page = visit(static_page(MAKERS[name](), copies=2))
    step(page, 2)
    page.evaluate("document.activeElement.blur()")
    settle(page)
    finish(page)
    settle(page)
    found = pictures(page)
    assert found[: len(found) // 2] == found[len(found) // 2 :]


def test_two_explorers_do_not_meddle(visit):
    page = visit(static_page(widgets.ElboExplorer(), widgets.ElboExplorer(q=[-1.0, 0.3])))
    step(page, 2)
    texts = page.locator(".vw-handle").evaluate_all("all => all.map(h => h.ariaValueText)")
    assert texts == ["0.60", "0.80", "−1.00", "0.30"]


# a model as a notebook has it, with the state that `live` gives
KERNEL = """
    const bytes = t => new DataView(Uint8Array.from(atob(t), c => c.charCodeAt(0)).buffer);
    const state = {...arg.state}, listeners = new Map();
    for (const k in arg.data) state[k] = bytes(arg.data[k]);
    const model = {get: k => state[k], set(k, v) { state[k] = v; }, save_changes() {}, send() {},
      on: (e, f) => listeners.set(e, f), off: (e, f) => listeners.delete(e)};
"""


def live(widget):
    """The synchronized state of a widget: `state`, and the bytes of it in base64 as `data`."""
    state = {name: getattr(widget, name) for name in widget.traits(sync=True)}
    other = ("layout", "tabbable", "tooltip")
    state = {k: v for k, v in state.items() if not k.startswith("_") and k not in other}
    data = {k: base64.b64encode(v).decode() for k, v in state.items() if isinstance(v, bytes)}
    return {"state": {k: v for k, v in state.items() if k not in data}, "data": data}


@pytest.mark.parametrize("name", NAMES)
def test_a_live_kernel_hears_the_hand_and_moves_it_and_a_view_taken_away_is_silent(tab, name):
    widget = MAKERS[name]()
    got = tab.evaluate(
        script(
            widget,
            KERNEL + "const first = JSON.stringify(arg.state);"
            "const now = () => JSON.stringify(Object.fromEntries("
            "  Object.keys(arg.state).map(k => [k, state[k]])));"
            "const el = document.createElement('div'); document.body.append(el);"
            "const stop = await js.default.render({model, el});"
            "const rest = () => new Promise(r => setTimeout(r, 60));"
            "const until = async done => { for (let k = 0; k < 60 && !done(); k++) await rest(); };"
            "const handle = el.querySelector('.vw-handle'), said = () => handle.ariaValueText;"
            "const key = k => handle.dispatchEvent(new KeyboardEvent('keydown', {key: k}));"
            "await until(said); const start = said();"
            "key('ArrowUp'); await until(() => now() !== first); const told = now() !== first;"
            "Object.assign(state, arg.state); for (const f of listeners.values()) f();"
            "await until(() => said() === start); const arrived = said() === start;"
            "const before = listeners.size; stop(); const last = now();"
            "key('ArrowUp'); document.documentElement.dataset.theme = 'dark'; await rest();"
            "const theme = el.firstChild.dataset.theme; el.remove();"
            "delete document.documentElement.dataset.theme;"
            "return [told, arrived, before > 0, listeners.size, now() === last, theme]",
        ),
        live(widget),
    )
    assert got == [True, True, True, 0, True, "light"]


@pytest.mark.parametrize("name", [*NAMES, "Playground"])
def test_what_is_rendered_before_it_is_on_the_page_has_its_colours(new_tab, name):
    # as JupyterLab does it; a plot without them is black
    widget, page = MAKERS.get(name, widgets.Playground)(), new_tab(reduced_motion="reduce")
    page.add_style_tag(content=widget._css)
    before, after = page.evaluate(
        script(
            widget,
            KERNEL
            + """
            const frame = () =>
              new Promise(done => requestAnimationFrame(() => setTimeout(done, 30)));
            async function show(first) {
              const el = document.createElement("div");
              if (first) document.body.append(el);
              const stop = await js.default.render({model, el});
              await frame();
              document.body.append(el);
              while (!el.querySelector("[data-done]")) await frame();
              for (let k = 0; k < 3; k++) await frame();
              let coloured = 0;
              for (const c of el.querySelectorAll("canvas")) {
                if (!c.width) continue;
                const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
                for (let k = 0; k < data.length; k += 4) {
                  const rgb = data.slice(k, k + 3);
                  coloured += data[k + 3] && Math.max(...rgb) - Math.min(...rgb) > 40;
                }
              }
              stop();
              el.remove();
              return coloured;
            }
            return [await show(true), await show(false)];""",
        ),
        live(widget),
    )
    page.close()
    assert before == after > 100


@pytest.mark.parametrize("name", NAMES)
def test_painting_is_measured_and_leaves_no_entries(visit, pages, name):
    page = visit(pages[name])
    measure = page.locator(".vw-figure").evaluate("f => `${f.classList[1]}:paint`")
    page.evaluate(
        "name => { window.times = []; new PerformanceObserver(list => times.push("
        "...list.getEntriesByName(name).map(e => e.duration)))"
        ".observe({entryTypes: ['measure']}) }",
        measure,
    )
    page.locator(".vw-handle").first.focus()
    for k in range(6):
        press(page, "ArrowDown" if k % 2 else "ArrowUp")
    assert len(page.evaluate("times")) >= 6
    assert page.evaluate("name => performance.getEntriesByName(name).length", measure) == 0


# ------------------------------------------------------------------ history and address


@pytest.mark.parametrize("name", NAMES)
def test_what_the_hand_did_is_there_on_back_and_by_link(visit, pages, name):
    page = visit(pages[name])
    before = text(page)
    step(page)
    moved = text(page)
    assert moved != before
    rest(page)
    link = page.url
    page.goto("about:blank")
    page.go_back()
    page.wait_for_selector(".vw-handle")
    page.wait_for_function(
        "was => document.querySelector('.vw-handle').ariaValueText === was", arg=moved
    )
    # in a page of its own, with no history
    other = page.context.new_page()
    other.goto(link)
    other.wait_for_function(
        "was => document.querySelector('.vw-handle')?.ariaValueText === was", arg=moved
    )
    other.locator(".vw-reset").click()
    rest(other)
    assert text(other) == before
    other.close()


def test_what_was_moved_a_moment_before_leaving_is_there_on_back(visit, pages):
    page = visit(pages["KLExplorer"])
    step(page)
    moved = text(page)
    page.goto("about:blank")  # before the hand's rest is over
    page.go_back()
    page.wait_for_selector(".vw-handle[aria-valuetext]")
    settle(page)
    assert text(page) == moved


def test_what_was_moved_a_moment_before_a_reload_is_there_after_it(visit, pages):
    page = visit(pages["KLExplorer"])
    step(page)
    rest(page)  # the address has it
    before = text(page)
    step(page)
    moved = text(page)
    assert moved != before
    for _ in range(2):
        page.reload()  # before the hand's rest is over
        page.wait_for_function(
            "was => document.querySelector('.vw-handle')?.ariaValueText === was", arg=moved
        )


def test_an_address_that_names_a_section_stays_and_the_link_can_be_copied(visit, pages):
    page = visit(pages["ElboExplorer"])
    page.evaluate("location.hash = 'move-it'")
    step(page)
    rest(page)
    assert page.url.endswith("#move-it")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".vw-link").click()
    page.wait_for_function("document.querySelector('.vw-link').textContent !== 'Copy link'")
    key, _, state = page.url.partition("#")[2].partition("=")
    assert key == "elbo-explorer" and json.loads(unquote(state)) == {"q": [0.55, 0.8]}


def test_a_link_followed_on_the_page_moves_the_explorer(visit, pages):
    page = visit(pages["KLExplorer"])
    state = quote(json.dumps({"q": [-2, 0.5], "direction": "reverse", "best": True}))
    page.evaluate(f"location.hash = 'kl-explorer={state}'")
    settle(page)
    assert text(page) == "−2.00"
    pressed = page.locator("[aria-pressed=true]").evaluate_all("all => all.map(b => b.innerText)")
    assert pressed == ["KL(q ‖ p)", "Show best"]


HOSTILE = [
    {"q": "<img src=x onerror='window.ran=1'>", "direction": "__proto__", "best": "yes"},
    {"q": [1], "direction": ["forward"], "best": {"a": 1}},
    {"q": [None, None], "direction": None, "best": None},
    ["q"],
    7,
    None,
]


def test_a_link_that_says_nonsense_changes_nothing(visit, pages):
    for hash in [*[quote(json.dumps(state)) for state in HOSTILE], "%", "{", ""]:
        page = visit(pages["KLExplorer"], hash=f"#kl-explorer={hash}")
        assert text(page) == "0.50"
        assert page.locator("[aria-pressed=true]").all_inner_texts() == ["KL(p ‖ q)"]
        assert page.evaluate("window.ran") is None
    far = quote(json.dumps({"q": [1e9, -5]}))
    page = visit(pages["KLExplorer"], hash=f"#kl-explorer={far}")
    handle = page.locator(".vw-handle").first
    assert handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")


# ------------------------------------------------------------------ invitation, phone, full screen


@pytest.mark.parametrize("name", NAMES)
def test_it_invites_until_it_is_touched_and_keeps_still_where_motion_is_not_wanted(
    visit, pages, name
):
    for motion, animation in [("no-preference", "vw-take-me"), ("reduce", "none")]:
        page = visit(pages[name], reduced_motion=motion)
        page.locator(".vw-inviting").wait_for()
        ring = page.locator(".vw-handle").first.evaluate(
            "handle => { const s = getComputedStyle(handle, '::before');"
            " return [s.animationName, s.animationIterationCount, s.content]; }"
        )
        assert ring[0] == animation and ring[2] == '""'
        if motion == "no-preference":
            assert ring[1] == "3"  # some five seconds, then no more
        else:
            finish(page)
            still = pictures(page)
            settle(page)
            assert pictures(page) == still
        step(page)
        assert page.locator(".vw-inviting").count() == 0
        finish(page)
        moved = pictures(page)
        settle(page)
        if name not in ("TrainingExplorer", "FamilyExplorer"):  # which go on for some frames
            assert pictures(page) == moved


@pytest.mark.parametrize("name", NAMES)
def test_a_phone_shows_all_of_it_and_every_target_can_be_hit(visit, pages, name):
    page = visit(pages[name], **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator(".vw-figure :is(button, input, .vw-handle):visible").all():
        size = target.bounding_box()
        assert size["width"] >= 32 and size["height"] >= 32
    # on one line, whatever stands above
    tools = [tool.bounding_box()["y"] for tool in page.locator(".vw-tools button:visible").all()]
    assert len(tools) == 3 and len(set(tools)) == 1


@pytest.mark.parametrize(
    ("name", "picture"), [("LatentExplorer", ".lx-decoded"), ("FamilyExplorer", ".fx-decoded")]
)
def test_a_phone_shows_picture_and_handle_in_one_screen(visit, pages, name, picture):
    page = visit(pages[name], **PHONE)
    for box in (page.locator(picture).first, page.locator(".vw-handle").first):
        size = box.bounding_box()
        assert size["y"] >= 0 and size["y"] + size["height"] <= 700  # of 844; bars take some
    if name == "LatentExplorer":
        page.mouse.wheel(0, 300)
        page.wait_for_function("scrollY > 100")
        assert page.locator(picture).bounding_box()["y"] >= 0


def test_full_screen_enlarges_the_picture_and_the_hand_still_meets_it(visit, pages):
    page = visit(pages["ElboExplorer"], viewport={"width": 1600, "height": 1000})
    before = pixels(page, STAGES).shape
    page.locator(".vw-large").click()
    page.wait_for_function("document.fullscreenElement")
    settle(page)
    settle(page)
    assert page.locator(".vw-large").inner_text() == "Leave full screen"
    assert pixels(page, STAGES).shape[0] > 1.2 * before[0]
    box = page.locator(".vw-handle").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100, y, steps=3)
    page.mouse.up()
    settle(page)
    after = page.locator(".vw-handle").first.bounding_box()
    assert after["x"] + after["width"] / 2 == pytest.approx(x + 100, abs=2)
    page.locator(".vw-large").click()
    page.wait_for_function("!document.fullscreenElement")
    settle(page)
    assert pixels(page, STAGES).shape == before


@pytest.mark.parametrize("name", [*NAMES, "Playground"])
def test_full_screen_has_all_in_sight_on_one_left_edge(visit, name):
    html = static_page(MAKERS.get(name, widgets.Playground)())
    page = visit(html, viewport={"width": 1440, "height": 900})
    # a page of the book holds its paragraphs to so many letters
    page.add_style_tag(content=".bd-article :is(p, section > .proof) { max-width: 40ch; }")
    page.evaluate("document.body.className = 'bd-article'")
    page.locator(".vw-large").click()
    page.wait_for_function("document.fullscreenElement")
    settle(page)
    settle(page)
    edges, inside, leave = page.locator(".vw-figure").evaluate(
        "f => { const box = name => f.querySelector(name).getBoundingClientRect();"
        " return [['.vw-title', '.vw-hint', '.vw-body'].map(name => box(name).left),"
        " f.scrollHeight <= f.clientHeight, box('.vw-large').bottom]; }"
    )
    assert len(set(edges)) == 1
    assert leave <= 900
    assert inside or name == "Playground"  # which is longer than a screen
    page.locator(".vw-note").last.evaluate("note => note.style.minHeight = '1000px'")
    assert page.locator(".vw-large").bounding_box()["y"] < 900


def test_a_finger_beside_a_free_handle_scrolls_the_page(visit, pages):
    page = visit(pages["FrechetExplorer"], **PHONE)
    before = text(page)
    swipe(page, page.locator(".fe-caption"), 0, up=150)
    assert page.evaluate("scrollY") > 50 and text(page) == before


# of all words that are painted, those that an edge of the canvas cuts, and those on a line
WORDS = """
    window.found = new Set();
    for (const name of ["fillText", "strokeText"]) {
      const paint = CanvasRenderingContext2D.prototype[name];
      CanvasRenderingContext2D.prototype[name] = function (text, x, y) {
        const m = this.measureText(text), to = this.getTransform();
        const [left, top] = [x - m.actualBoundingBoxLeft, y - m.actualBoundingBoxAscent];
        const [right, bottom] = [x + m.actualBoundingBoxRight, y + m.actualBoundingBoxDescent];
        const a = to.transformPoint({x: left, y: top});
        const b = to.transformPoint({x: right, y: bottom});
        const wide = Math.round(b.x - a.x), high = Math.round(b.y - a.y);
        const { width, height } = this.canvas;
        if (wide > 0 && (a.x < -0.5 || a.y < -0.5 || b.x > width + 0.5 || b.y > height + 0.5))
          found.add(`cut: ${text}`);
        if (wide > 0 && name === "strokeText") { // `say`, before its halo
          const { data } = this.getImageData(Math.round(a.x), Math.round(a.y), wide, high);
          const lines = data.filter((alpha, k) => k % 4 === 3 && alpha > 128).length;
          if (lines > 0.02 * wide * high) found.add(`on a line: ${text}`);
        }
        paint.call(this, text, x, y);
      };
    }
"""


@pytest.mark.parametrize("options", [{"viewport": {"width": 716, "height": 900}}, PHONE])
@pytest.mark.parametrize("name", NAMES)
def test_no_word_is_cut_by_an_edge_or_crossed_by_a_line(new_tab, tmp_path, pages, name, options):
    path = tmp_path / "page.html"
    path.write_text(pages[name], encoding="utf-8")
    page = new_tab(reduced_motion="reduce", **options)
    page.add_init_script(WORDS)
    page.goto(path.as_uri())
    page.locator(".vw-figure canvas:visible").first.wait_for()
    settle(page)
    for handle in page.locator(".vw-handle:visible").all():
        handle.focus()
        for key in ("End", "Home", "PageUp"):
            press(page, key)
    page.locator(".vw-reset").click()
    for button in page.locator(".vw-body [data-trait]:enabled:visible").all():
        button.click()
        settle(page)
    found = set(page.evaluate("[...found]"))
    page.close()
    if name == "LatentExplorer":  # a circle of the prior carries its name
        found -= {f"on a line: {sd} sd" for sd in (1, 2, 3)} | {"on a line: z₂"}
    assert found == set()


def test_the_latent_point_wanders_until_it_is_touched_and_comes_home_if_it_is_not(visit, pages):
    page = visit(pages["LatentExplorer"], reduced_motion="no-preference")
    page.wait_for_function("document.querySelector('.vw-handle').ariaValueText !== '(0.00, 0.00)'")
    page.mouse.move(5, 5)  # over it, but no touch
    page.wait_for_function("document.querySelector('.vw-handle').ariaValueText === '(0.00, 0.00)'")
    assert page.locator(".vw-live").text_content() == "" and "#" not in page.url
    page = visit(pages["LatentExplorer"], reduced_motion="no-preference")
    page.wait_for_function("document.querySelector('.vw-handle').ariaValueText !== '(0.00, 0.00)'")
    page.locator(".vw-handle").focus()
    press(page, "Home")
    stays = text(page)
    settle(page)
    settle(page)
    assert text(page) == stays and "−" in stays
