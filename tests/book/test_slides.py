"""The slides of all chapters: what the rule asks for is there, and nothing overflows."""

import json
import math
import re
from pathlib import Path

import pytest
from book_page import STILL
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
        address = f"../html/chapters/{chapter}.html#{live}=%7B%7D"
        tab.goto((folder / f"{chapter}.html").as_uri() + f"#{number}")
        assert tab.locator(".shown .live a").get_attribute("href") == address
        tab.get_by_role("button", name="Show the explorer here").click()
        frame = tab.locator(".shown iframe")
        assert frame.evaluate("frame => frame.src") == f"{folder.parent.as_uri()}/{address[3:]}"
    tab.close()


def test_an_explorer_on_its_slide_is_that_of_the_address(new_tab, decks, folder):
    chapter = "09_variational_autoencoder"
    (folder.parent / "html").symlink_to(ROOT / "_build" / "html")
    tab = new_tab(viewport={"width": 1280, "height": 720})
    number = max(n for n, slide in enumerate(decks[chapter], start=1) if slide.explorer)
    tab.goto((folder / f"{chapter}.html").as_uri() + f"#{number}")
    tab.get_by_role("button", name="Show the explorer here").click()
    hosts = tab.frame_locator(".shown iframe").locator(".anywidget-static")
    hosts.nth(1).locator(".vw-tools").wait_for()
    (_, page) = tab.frames
    page.evaluate(READY)
    page.evaluate(STILL)
    frame, shown = tab.locator(".shown iframe").bounding_box(), hosts.nth(1).bounding_box()
    assert frame["y"] <= shown["y"] < frame["y"] + frame["height"] / 2
    assert hosts.nth(0).bounding_box()["y"] < frame["y"]
    tab.close()


def test_on_paper_each_slide_is_a_page(chromium, decks, folder, tmp_path):
    context = chromium.new_context()
    tab = context.new_page()
    tab.goto((folder / "11_experiments.html").as_uri())
    tab.evaluate("MathJax.startup.promise")
    tab.pdf(path=tmp_path / "slides.pdf", prefer_css_page_size=True)
    pdf = (tmp_path / "slides.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(decks["11_experiments"])
    context.close()
