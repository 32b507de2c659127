"""Questions to predict the answer of: in every chapter, kept by the browser, whole without it."""

import pytest
from book_page import DEVICES
from bs4 import BeautifulSoup

# Storage that is refused, as some browsers do to pages from disk.
REFUSE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("The operation is insecure.", "SecurityError"); },
});"""

FOCUSED = "document.activeElement"


@pytest.fixture(scope="module")
def questions(site, pages):
    """The questions of each chapter, parsed: {page: [tag, ...]}."""
    chapters = [page for page in pages if page.startswith("chapters/")]
    assert chapters
    parsed = {
        page: BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser")
        for page in chapters
    }
    return {page: soup.select(".admonition.predict") for page, soup in parsed.items()}


@pytest.fixture(scope="module")
def asked(site, questions):
    """The lightest page with questions, how many answers its first has, the right one's number."""
    page = min(questions, key=lambda page: (site / page).stat().st_size)
    box = questions[page][0]
    return page, len(box.select("ol > li")), int(float(box.select_one("details strong").get_text()))


@pytest.fixture
def open_box(chromium, addresses, asked):
    """A function to the first question of a page in a fresh browser context."""
    contexts = []

    def open_box(scheme="file", script=None, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        if script:
            context.add_init_script(script)
        tab = context.new_page()
        tab.goto(f"{addresses[scheme]}/{asked[0]}", wait_until="domcontentloaded")
        return tab.locator(".admonition.predict").first

    yield open_box
    for context in contexts:
        context.close()


def reload(box):
    """Load the page again; its scripts have run then, though formulas may not be set yet."""
    box.page.reload(wait_until="domcontentloaded")


def button(box, name):
    return box.get_by_role("button", name=name)


LOOK = """box => ({
  checked: [...box.querySelectorAll("input")].flatMap((radio, k) => (radio.checked ? [k + 1] : [])),
  marks: [...box.querySelectorAll(".predict-mark")].map((mark) => mark.textContent),
})"""


def checked(box):
    """The numbers of the radio buttons that are pressed, from 1."""
    return box.evaluate(LOOK)["checked"]


# The sign before each mark, and the colour of both.
SIGNS = """(marks) => marks.map((mark) => [
  getComputedStyle(mark, "::before").content.slice(1, 2).replace("o", ""),
  getComputedStyle(mark).color])"""


def marks(box):
    return box.evaluate(LOOK)["marks"]


def expected_marks(count, right, chosen):
    texts = {
        k: ["the answer"] * (k == right) + ["your prediction"] * (k == chosen)
        for k in range(1, count + 1)
    }
    return [", ".join(texts[k]) for k in texts]


# ------------------------------------------------------------------ sources


def test_every_chapter_asks_in_the_form_that_the_script_reads(questions):
    for page, boxes in questions.items():
        assert boxes, page
        for box in boxes:
            assert box.select_one(".admonition-title").get_text() == "Predict"
            lists, answers = (box.find_all(tag, recursive=False) for tag in ("ol", "details"))
            assert len(lists) == len(answers) == 1, page
            options = [item.get_text().strip() for item in lists[0].find_all("li", recursive=False)]
            assert 2 <= len(options) <= 4 and len(set(options)) == len(options), page
            assert answers[0].summary.get_text().strip() == "Answer"
            assert not answers[0].has_attr("open")
            first = answers[0].select_one(".sd-summary-content strong").get_text()
            assert first in [f"{k}." for k in range(1, len(options) + 1)], page
            assert len(answers[0].get_text().split()) > 15, page
        texts = [box.get_text() for box in boxes]
        assert len(set(texts)) == len(texts), page


# ------------------------------------------------------------------ the page


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_a_prediction_is_revealed_kept_and_forgotten(open_box, asked, scheme):
    _, count, right = asked
    wrong = right % count + 1
    box = open_box(scheme)

    def assert_waiting():
        box.get_by_role("radio").first.wait_for()
        assert box.get_by_role("radio", disabled=False).count() == count
        assert box.evaluate(LOOK) == {"checked": [], "marks": [""] * count}
        assert not box.locator("details").is_visible()

    def assert_revealed():
        assert box.get_by_role("radio", disabled=True).count() == count
        shown = expected_marks(count, right, wrong)
        assert box.evaluate(LOOK) == {"checked": [wrong], "marks": shown}
        signs = box.locator(".predict-mark").evaluate_all(SIGNS)
        assert [sign for sign, _ in signs if sign] == ["✓", "✗"][:: 1 if right < wrong else -1]
        assert len({colour for _, colour in signs}) == min(3, count)
        verdict = box.get_by_role("status").inner_text()
        assert verdict == f"You predicted {wrong}; the answer is {right}."
        assert box.locator(".sd-summary-content").is_visible()
        assert not button(box, "Reveal").is_visible()

    assert_waiting()
    box.get_by_role("radio").nth(wrong - 1).check()
    assert not box.locator("details").is_visible() and marks(box) == [""] * count
    button(box, "Reveal the answer").click()
    assert_revealed()
    reload(box)
    assert_revealed()
    button(box, "Forget my prediction").click()
    assert_waiting()
    reload(box)
    assert_waiting()
    assert box.page.evaluate("Object.keys(localStorage).filter(k => /^predict/.test(k))") == []


def test_the_keyboard_does_it_all(open_box, asked):
    _, count, right = asked
    box = open_box()
    tab = box.page
    box.get_by_role("radio").first.focus()
    tab.keyboard.press("Space")
    for _ in range(right - 1):
        tab.keyboard.press("ArrowDown")
    assert checked(box) == [right] and not box.locator("details").is_visible()
    assert tab.evaluate(f"getComputedStyle({FOCUSED}).outlineStyle") == "solid"
    for _ in range(20):  # a formula in an answer is a stop, too
        tab.keyboard.press("Tab")
        if tab.evaluate(f"{FOCUSED}.tagName") == "BUTTON":
            break
    assert tab.evaluate(f"getComputedStyle({FOCUSED}).outlineStyle") == "solid"
    tab.keyboard.press("Enter")
    assert box.get_by_role("status").inner_text() == f"You predicted {right}, and so it is."
    assert marks(box) == expected_marks(count, right, right)
    # the answer is what is read next
    assert tab.evaluate(f"{FOCUSED}.tagName") == "SUMMARY"
    button(box, "Forget my prediction").press("Enter")
    assert tab.evaluate(f"{FOCUSED}.type") == "radio" and checked(box) == []


def test_a_group_is_named_and_opens_without_a_prediction_on_request(open_box, asked):
    _, count, right = asked
    box = open_box()
    group = box.get_by_role("group").first
    question = box.locator(".predict-question")
    assert group.get_attribute("aria-labelledby") == question.get_attribute("id")
    assert question.inner_text().strip().endswith("?")
    for radio in box.get_by_role("radio").all():
        assert radio.evaluate("radio => radio.labels.length") == 1
    button(box, "Reveal without predicting").click()
    assert box.get_by_role("status").inner_text() == f"The answer is {right}."
    assert marks(box) == expected_marks(count, right, None) and checked(box) == []


def test_questions_are_kept_apart(chromium, addresses, questions):
    several = next(page for page, boxes in questions.items() if len(boxes) > 1)
    tab = chromium.new_page()
    tab.goto(f"{addresses['file']}/{several}", wait_until="domcontentloaded")
    boxes = tab.locator(".admonition.predict")
    boxes.nth(0).get_by_role("radio").nth(0).check()
    boxes.nth(1).get_by_role("radio").nth(1).check()
    button(boxes.nth(1), "Reveal the answer").click()
    reload(boxes)
    assert checked(boxes.nth(0)) == [1] and checked(boxes.nth(1)) == [2]
    assert [boxes.nth(k).locator("details").is_visible() for k in (0, 1)] == [False, True]
    tab.close()


# ------------------------------------------------------------------ without what it likes to have


def test_refused_storage_costs_the_memory_alone(open_box, asked):
    _, _, right = asked
    box = open_box(script=REFUSE)
    box.get_by_role("radio").nth(right - 1).check()
    button(box, "Reveal the answer").click()
    assert box.get_by_role("status").inner_text() == f"You predicted {right}, and so it is."
    button(box, "Forget my prediction").click()
    assert checked(box) == []
    box.get_by_role("radio").first.check()
    reload(box)
    assert checked(box) == []


def test_spoilt_storage_counts_as_none(open_box):
    box = open_box()
    box.get_by_role("radio").first.check()
    box.page.evaluate("Object.keys(localStorage).forEach(k => localStorage.setItem(k, '{'))")
    reload(box)
    assert checked(box) == [] and button(box, "Reveal without predicting").is_visible()


def test_without_scripts_the_list_and_the_closed_answer_remain(open_box, asked):
    box = open_box(java_script_enabled=False)
    assert box.get_by_role("listitem").count() == asked[1]
    assert box.get_by_role("radio").count() == 0
    assert not box.locator(".sd-summary-content").is_visible()
    box.locator("summary").click()
    assert box.locator(".sd-summary-content").is_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off_and_paper_has_the_answer(open_box, width):
    box = open_box(viewport={"width": width, "height": 844})
    box.page.emulate_media(media="print")
    assert box.locator(".sd-summary-content").is_visible()
    assert [one.is_visible() for one in box.locator(".predict-button").all()] == [False, False]
    box.page.emulate_media(media="screen")
    box.get_by_role("radio").first.check()
    button(box, "Reveal the answer").click()
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    for label in box.locator(".predict-answer").all():
        assert label.bounding_box()["height"] >= 30


def test_a_finger_has_44_pixels_for_each_button(open_box):
    box = open_box(**DEVICES["phone"])
    assert button(box, "Reveal without predicting").bounding_box()["height"] >= 44
    box.get_by_role("radio").first.check()
    assert button(box, "Reveal the answer").bounding_box()["height"] >= 44
