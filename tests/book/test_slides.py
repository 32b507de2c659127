"""The slides of all chapters: what the rule asks for is there, and nothing overflows."""

import json
import math
import re
from pathlib import Path

import pytest
from book_page import DEVICES
from browser import READY
from bs4 import BeautifulSoup
from build_slides import LEFT_OUT, build

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("[0-9]*.ipynb"))

# What sticks out of its slide, or into its footer; and letters too small for the last row.
LOOK = """() => {
  const found = [];
  for (const slide of document.querySelectorAll(".slide")) {
    const frame = slide.getBoundingClientRect();
    const floor = slide.querySelector("footer").getBoundingClientRect().top;
    const parts = "h2, .over, p, li, table, img, mjx-container > svg";
    slide.querySelector(".notes").remove(); // hidden, but in the speaker's window
    for (const part of slide.querySelectorAll(parts)) {
      const { left, right, top, bottom, width } = part.getBoundingClientRect();
      const out = left < frame.left || right > frame.right || top < frame.top || bottom > floor;
      if (out || width === 0) found.push(`${slide.id}: ${part.tagName} out of its place`);
    }
    for (const part of slide.querySelectorAll("h2, .body p, li, td, th, code, mjx-container")) {
      const size = parseFloat(getComputedStyle(part).fontSize);
      if (size < 16) found.push(`${slide.id}: ${part.tagName} of ${size} px`);
    }
    for (const image of slide.querySelectorAll("img")) {
      const { width, height } = image.getBoundingClientRect();
      if (Math.max(width / 1280, height / 720) < 0.4) found.push(`${slide.id}: a small figure`);
    }
  }
  const broken = [...document.querySelectorAll("mjx-merror, [data-mjx-error]")];
  return [...found, ...broken.map((formula) => formula.textContent)];
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("slides")


@pytest.fixture(scope="module")
def decks(folder):
    return build(ROOT, folder)


@pytest.fixture
def cells(chapter):
    path = ROOT / "chapters" / f"{chapter}.ipynb"
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def prose(cells):
    """The Markdown of a chapter as far as slides use it: nothing folded, no section left out."""
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    text = re.sub(r"^(```|::::)\{.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return "".join(part for part in parts if part[3:].split("\n")[0] not in LEFT_OUT)


def count(deck, kind):
    return sum(slide.kind.startswith(kind) for slide in deck)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_there_are_the_slides_that_the_rule_asks_for(decks, cells, chapter):
    deck, text = decks[chapter], prose(cells)
    everything = "\n".join("".join(cell["source"]) for cell in cells)
    assert count(deck, "title") == 1 and deck[0].kind == "title"
    assert count(deck, "list") == 2
    assert count(deck, "formula") == text.count("$$") / 2
    rows = [
        len(found.splitlines()) for found in re.findall(r"^\|[-|]+\|\n((?:\|.*\n?)+)", text, re.M)
    ]
    assert count(deck, "table") == sum(math.ceil(number / 6) for number in rows)
    assert count(deck, "exercise") == everything.count("```{exercise}")
    assert count(deck, "predict") == count(deck, "answer") == everything.count(":class: predict")
    assert count(deck, "mistake") == everything.count("The mistake everybody makes once")
    headings = re.findall(r"^## (.*)", text, re.MULTILINE)
    shown = [slide.over or slide.heading for slide in deck]
    parser_free = [re.sub(r"[^a-zA-Z ]", "", heading) for heading in headings]
    plain = {re.sub(r"[^a-zA-Z ]", "", BeautifulSoup(words, "html.parser").text) for words in shown}
    assert [words for words in parser_free if words not in plain | {"Exercises"}] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_is_there_with_its_alt_text(decks, folder, cells, chapter):
    expected = [
        cell["metadata"]["mystnb"]["image"]["alt"]
        for cell in cells
        if "alt" in cell["metadata"].get("mystnb", {}).get("image", {})
    ]
    html = (folder / f"{chapter}.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(html[: html.index("<script>")], "html.parser")
    assert [image["alt"] for image in soup.select("img")] == expected
    assert all(image["src"].startswith("data:image/png;base64,") for image in soup.select("img"))
    assert len(soup.select("section.slide")) == len(decks[chapter])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nothing_overflows_and_nothing_is_fetched(new_tab, decks, folder, chapter):
    assert chapter in decks
    tab = new_tab(viewport={"width": 1280, "height": 720}, offline=True)
    requests, news = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: news.append(message.text))
    tab.on("pageerror", lambda error: news.append(str(error)))
    address = (folder / f"{chapter}.html").as_uri()
    tab.goto(address)
    tab.evaluate("MathJax.startup.promise")
    assert tab.evaluate(LOOK) == []
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert news == []
    tab.close()


def test_keys_buttons_and_the_address_turn_the_slides(chromium, decks, folder):
    chapter = "07_elbo"
    last = len(decks[chapter])
    context = chromium.new_context(viewport={"width": 1000, "height": 900})
    tab = context.new_page()
    tab.goto((folder / f"{chapter}.html").as_uri() + "#3")
    tab.evaluate("MathJax.startup.promise")

    def shown():
        slides = "[...document.querySelectorAll('.slide')]"
        visible = f"{slides}.filter((s) => getComputedStyle(s).visibility === 'visible')"
        (number,) = tab.evaluate(f"{visible}.map((s) => +s.id)")
        assert tab.evaluate("+location.hash.slice(1)") == number
        return number

    assert shown() == 3
    for key, number in [
        ("ArrowRight", 4),
        ("Space", 5),
        ("Shift+Space", 4),
        ("PageUp", 3),
        ("End", last),
        ("ArrowRight", last),
        ("Home", 1),
        ("ArrowLeft", 1),
    ]:
        tab.keyboard.press(key)
        assert shown() == number, key
    tab.get_by_role("button", name="Next slide").click()
    assert shown() == 2
    tab.keyboard.press("Space")  # the button has the focus, and is pressed once
    assert shown() == 3
    tab.evaluate("location.hash = '#7'")
    tab.wait_for_function("document.querySelector('.shown').id === '7'")
    # A window that is not 16:9 shows the whole slide.
    box = tab.locator(".shown").bounding_box()
    assert box["width"] == pytest.approx(1000, abs=1)
    assert box["height"] == pytest.approx(562.5, abs=1)
    context.close()


def test_the_speaker_has_notes_and_both_windows_turn(chromium, decks, folder):
    chapter = "08_gradient_estimators"
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    tab = context.new_page()
    tab.goto((folder / f"{chapter}.html").as_uri() + "#5")
    tab.evaluate("MathJax.startup.promise")
    assert not tab.locator(".shown .notes").is_visible()
    with context.expect_page() as opened:
        tab.keyboard.press("n")
    speaker = opened.value
    speaker.evaluate("MathJax.startup.promise")
    both = "document.querySelector('.shown')?.id === '{}'"
    speaker.wait_for_function(both.format(5))
    notes = speaker.locator(".shown .notes")
    assert notes.is_visible()
    raw = BeautifulSoup("".join(decks[chapter][4].notes), "html.parser")
    assert notes.locator("p").count() == len(raw.select("p")) > 0
    slide, below = speaker.locator(".shown").bounding_box(), notes.bounding_box()
    assert below["y"] == pytest.approx(slide["y"] + slide["height"], abs=1)
    speaker.keyboard.press("ArrowRight")
    tab.wait_for_function(both.format(6))
    tab.keyboard.press("Home")
    speaker.wait_for_function(both.format(1))
    context.close()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_an_explorer_opens_on_its_slide(new_tab, decks, folder, chapter):
    tab = new_tab(viewport={"width": 1280, "height": 720})
    numbers = [number for number, slide in enumerate(decks[chapter], start=1) if slide.explorer]
    assert numbers
    for number in numbers:
        live = decks[chapter][number - 1].explorer
        page = f"../html/chapters/{chapter}.html"
        place = int((re.search(r"-(\d+)$", live) or [0, 1])[1])
        tab.goto((folder / f"{chapter}.html").as_uri() + f"#{number}")
        assert tab.locator(".shown .live a").get_attribute("href") == f"{page}#{live}=%7B%7D"
        tab.get_by_role("button", name="Show the explorer here").click()
        frame = tab.locator(".shown iframe")
        shown = f"{folder.parent.as_uri()}/{page[3:]}?alone={place}"
        assert frame.evaluate("frame => frame.src") == shown
    tab.close()


@pytest.fixture
def alive(new_tab, decks, folder):
    """A function: a chapter to a tab that shows its last explorer on its slide, and the frame."""
    tabs = []
    if not (folder.parent / "html").exists():
        (folder.parent / "html").symlink_to(ROOT / "_build" / "html")

    def open_slide(chapter):
        tab = new_tab(viewport={"width": 1440, "height": 900})
        tabs.append(tab)
        number = max(n for n, slide in enumerate(decks[chapter], start=1) if slide.explorer)
        tab.goto((folder / f"{chapter}.html").as_uri() + f"#{number}")
        tab.get_by_role("button", name="Show the explorer here").click()
        tab.frame_locator(".shown iframe").locator(".vw-figure[data-done]").wait_for()
        return tab, number, tab.frames[1]

    yield open_slide
    for tab in tabs:
        tab.close()


# The title of the one figure of the page; its edges in shares of the window; what else is visible.
ALONE = """() => {
  const [figure, more] = document.querySelectorAll(".vw-figure");
  const { left, right, top, bottom } = figure.getBoundingClientRect();
  const parts = [...document.querySelectorAll("header, nav, h1, p, #pst-back-to-top")];
  const seen = (part) => part.checkVisibility({ visibilityProperty: true });
  const others = parts.filter((part) => !figure.contains(part) && seen(part)).length;
  const edges = [left / innerWidth, right / innerWidth, top / innerHeight, bottom / innerHeight];
  return [figure.querySelector(".vw-title").textContent, more === undefined, edges, others];
}"""


@pytest.mark.parametrize("chapter", ["09_variational_autoencoder", "12_model_family"])
def test_an_explorer_on_its_slide_is_alone_and_whole(alive, new_tab, chapter):
    _, _, frame = alive(chapter)
    title, single, edges, others = frame.evaluate(ALONE)
    page = new_tab(viewport={"width": 1440, "height": 900})
    page.goto((ROOT / "_build" / "html" / "chapters" / f"{chapter}.html").as_uri())
    page.evaluate(READY)
    assert title == page.locator(".vw-title").last.text_content()
    page.close()
    assert single and others == 0
    assert all(0 <= edge <= 1 for edge in edges)
    assert max(edges[1] - edges[0], edges[3] - edges[2]) > 0.9  # of the frame, one way or the other


def test_keys_turn_the_slides_from_within_an_explorer_too(alive):
    tab, number, frame = alive("09_variational_autoencoder")

    def at(slide):
        tab.wait_for_function("number => location.hash === `#${number}`", arg=slide)
        assert tab.evaluate("location.hash") == f"#{slide}"

    frame.locator(".vw-title").click()
    tab.keyboard.press("ArrowRight")  # nothing in the explorer has a use for it
    at(number + 1)
    tab.keyboard.press("ArrowLeft")
    at(number)
    handle = frame.locator(".vw-handle").first
    handle.focus()
    before = handle.get_attribute("aria-valuetext")
    tab.keyboard.press("ArrowRight")  # the handle moves, and the slide stays
    frame.wait_for_function(
        "text => document.querySelector('.vw-handle').ariaValueText !== text", arg=before
    )
    at(number)
    tab.keyboard.press("PageDown")
    at(number + 1)
    tab.keyboard.press("PageUp")
    at(number)
    tab.keyboard.press("Escape")
    tab.wait_for_function("document.activeElement === document.body")
    tab.keyboard.press("ArrowRight")
    at(number + 1)


def test_a_phone_shows_the_whole_slide(chromium, decks, folder):
    context = chromium.new_context(**DEVICES["phone"])
    tab = context.new_page()
    tab.goto((folder / "15_rate_and_distortion.html").as_uri() + "#5")
    tab.evaluate("MathJax.startup.promise")
    assert tab.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [390, 390]
    box = tab.locator(".shown").bounding_box()
    assert [box["x"], box["width"]] == pytest.approx([0, 390], abs=0.5)
    on = tab.get_by_role("button", name="Next slide").bounding_box()
    assert on["x"] > 0 and on["x"] + on["width"] < 390 and on["y"] + on["height"] < 844
    context.close()


def test_on_paper_each_slide_is_a_page(chromium, decks, folder, tmp_path):
    context = chromium.new_context()
    tab = context.new_page()
    tab.goto((folder / "11_experiments.html").as_uri())
    tab.evaluate("MathJax.startup.promise")
    tab.pdf(path=tmp_path / "slides.pdf", prefer_css_page_size=True)
    pdf = (tmp_path / "slides.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(decks["11_experiments"])
    context.close()
