"""The playground's chart: what is drawn of a history where log p(x) is known, and where not."""

import json

import numpy as np
import pytest
from widget_page import pixels, rgb, script, settle, static_page

from vaecourse.palette import COLOURS
from vaecourse.widgets import Playground

# in place of the worker, a session in the page whose frames have the history `window.story(frame)`;
# what is written on a canvas is kept
STAGE = """<script>
window.written = [];
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  window.written.push([text, x, y]);
  return fillText.call(this, text, x, y);
};
const clearRect = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...box) {
  if (this.canvas.closest(".pg-chart")) window.written = [];
  return clearRect.apply(this, box);
};
window.Worker = class {
  constructor(url) { this.program = import(url); }
  async postMessage(message) {
    const js = await this.program;
    const tell = (frame) => this.onmessage({ data: { ...frame, ...window.story() } });
    this.session ??= new js.Session(tell, message.digits);
    this.session.hear(message);
  }
  terminate() {}
};
window.story = () => ({ ceiling: -2, history: STORY });
</script>"""
LEFT, RIGHT, TOP, HIGH = 46, 62, 8, 190  # margins of the chart, and its height


def moment(done, elbo, evidence=None, trusted=True):
    """A moment of a history; without `evidence` log p(x) was not looked at."""
    look = {} if evidence is None else {"evidence": evidence, "trusted": trusted}
    return {
        "done": done,
        "epoch": 0,
        "beta": 1,
        "reconstruction": elbo,
        "kl": 0,
        "elbo": elbo,
    } | look


def told(known, elbo, last=1000):
    """A moment every ten steps, a look at log p(x) = −2.5 every twenty, trusted where `known`."""
    looks = {done: {"evidence": -2.5, "trusted": known(done)} for done in range(0, last + 1, 20)}
    return [moment(done, elbo(done), **looks.get(done, {})) for done in range(0, last + 1, 10)]


@pytest.fixture
def chart(visit):
    """Open a page whose chart tells a history: rows of a colour, words, width, and the page."""

    def open_page(history, broken=None):
        last, what = broken or (history[-1]["done"], "")
        more = {"broken": what, "brokenRate": 0.001, "done": last} if broken else {}
        stage = STAGE.replace("STORY", f"{json.dumps(history)}, ...{json.dumps(more)}")
        html = static_page(Playground()).replace("<head>", "<head>" + stage)
        page = visit(html, viewport={"width": 1000, "height": 1200})
        page.wait_for_function("() => window.written.some(([text]) => text === 'ELBO')")
        settle(page)
        picture = pixels(page, ".pg-plot-chart canvas")
        wide = picture.shape[1] - LEFT - RIGHT

        def rows(colour, done):
            column = picture[TOP : TOP + HIGH, LEFT + round(done / last * wide)]
            return np.nonzero(
                (np.abs(column[:, :3].astype(int) - rgb(COLOURS[colour])) < 40).all(1)
            )[0]

        words = {text: (x, y) for text, x, y in page.evaluate("window.written")}
        return rows, words, wide, page

    return open_page


def test_where_log_p_is_not_known_the_bound_goes_on_and_nothing_else(chart):
    dip = told(lambda done: not 400 < done < 800, lambda done: -6 if 400 < done < 800 else -3)
    rows, words, wide, _ = chart(dip)
    low, high = -6 - 0.08 * 4, -2 + 0.08 * 4

    def row(value):
        return HIGH * (high - value) / (high - low)

    for done in (150, 250, 350, 850, 950):
        assert abs(rows("inference", done).mean() - row(-3)) < 2
        assert abs(rows("generative", done).mean() - row(-2.5)) < 2
    for done in (450, 550, 650, 750):
        assert abs(rows("inference", done).mean() - row(-6)) < 2
        assert not len(rows("generative", done))
    assert words["log p(x)"][0] > wide  # where its line ends, beside the plot


def test_the_name_of_a_line_stands_where_it_ends_and_covers_none(chart):
    fall = told(lambda done: done <= 400, lambda done: -3 if done <= 400 else -6)
    rows, words, wide, page = chart(fall)
    assert abs(words["log p(x)"][0] - 0.4 * wide - 6) < 1
    assert words["ELBO"][0] > wide and words["ceiling"][0] > wide
    assert "log p(x) is not known now" in page.locator(".pg-said").inner_text()
    assert page.locator('[data-kind="evidence"] td').inner_text() == "–"
    assert all(len(rows("inference", done)) for done in range(500, 1000, 10))


def test_the_ends_of_the_lines_are_to_be_seen(chart):
    rows, words, wide, _ = chart(told(lambda done: True, lambda done: -3))
    for done in range(900, 1000, 10):
        assert len(rows("inference", done)) and len(rows("generative", done))
    names = [words[name] for name in ("ceiling", "log p(x)", "ELBO")]
    assert all(abs(x - wide - 6) < 1 for x, _ in names)  # they begin beside the plot
    heights = sorted(y for _, y in names)
    assert min(np.diff(heights)) >= 17


def test_a_line_that_comes_from_below_says_from_where(chart):
    climb = told(lambda done: True, lambda done: -44 + done if done < 40 else -3)
    rows, words, wide, _ = chart(climb)
    x, y = words["↑ from −44.0"]
    assert x > 0.04 * wide  # right of the climb, and below what comes later
    assert all(rows("inference", done)[0] <= y - 7 for done in range(50, 1000, 10))
    assert not any(
        word.startswith("↑") for word in chart(told(lambda done: True, lambda done: -3))[1]
    )


def test_chart_and_table_tell_of_the_same_moment(chart):
    """The bound climbs past log p(x) as it was at the last look: neither shows it yet."""
    climb = [moment(done, -2.44) for done in range(1010, 1700, 10)]
    _, words, wide, page = chart(told(lambda done: True, lambda done: -2.7) + climb)
    assert words["ELBO"][1] > words["log p(x)"][1] > words["ceiling"][1]  # from below
    assert page.locator('[data-kind="done"] td').inner_text() == "1,000"
    assert page.locator('[data-kind="elbo"] td').inner_text() == "−2.700"
    assert max(float(x) for x in words if x.isdigit()) == 1000  # the axis of the steps
    assert words["ELBO"][0] > wide


def test_before_the_first_step_the_names_stand_beside_the_plot_apart(chart):
    _, words, wide, _ = chart([moment(0, -2.9, -2.8)])
    names = [words[name] for name in ("ceiling", "log p(x)", "ELBO")]
    assert all(x > wide for x, _ in names)
    assert min(np.diff([y for _, y in names])) >= 17


def test_numbers_that_went_wrong_without_a_break_are_short_and_have_a_word(chart):
    wrong = moment(10, -2.05e16, -2.5, trusted=False) | {"worse": True}
    *_, page = chart([moment(0, -3, -2.5), wrong])
    assert page.locator('[data-kind="elbo"] td').inner_text() == "−2.05e16"
    assert page.locator(".pg-said").inner_text() == (
        "The reconstruction is worse than before training: the steps are too long. "
        "Lower the learning rate, then start again."
    )


@pytest.mark.parametrize("low", [-3.5, -0.4, 1.1, 2.4])
def test_the_bound_can_be_read_off_at_three_heights(chart, low):
    """Also where a climb by several nats lies behind, as with a variance that goes to zero."""
    story = told(lambda done: False, lambda done: -3.5 if done < 80 else low + done / 150)
    _, words, _, _ = chart(story)
    assert sum(x == -8 for x, _ in words.values()) >= 3


def test_the_step_at_which_a_run_broke_is_marked(chart):
    rows, words, wide, _ = chart([moment(0, -3, -2.5), moment(7, -3, -2.5)], broken=(1302, "KL"))
    assert words["broke at step 1,302"][0] == wide - 6
    assert words["ceiling"][0] > wide > words["1000"][0]
    mark = rows("gap", 1299)  # dashes from top to bottom
    assert mark[0] < 4 and mark[-1] > HIGH - 5 and len(mark) > 60


@pytest.fixture(scope="module")
def run(tab):
    widget = Playground()
    return lambda body, arg=None: tab.evaluate(script(widget, body), arg)


def test_the_bound_is_drawn_at_the_moments_of_log_p_and_elsewhere_at_all(run):
    got = run(
        """const { bound, stretches, open } = js.linesOf(arg);
        const at = (all) => all.map(({ done }) => done);
        return [at(bound), stretches.map(at), open];""",
        [
            moment(0, -3, -2.5),
            moment(1, -3),
            moment(2, -3, -2.5),
            moment(3, -3),
            moment(4, -3, -9, trusted=False),
            moment(5, -3),
            moment(6, -3, -2.5),
            moment(7, -3),
        ],
    )
    assert got == [[0, 2, 3, 4, 5, 6], [[0, 2], [6]], True]  # to the last look


def test_a_history_that_is_thinned_joins_nothing_and_keeps_looks(run):
    history = told(lambda done: done != 440, lambda done: -3)
    for moments in (history, history[1:]):  # looks at even places, and at odd ones
        rest = run("return js.thin(js.thin(arg, 100), 50)", moments)
        assert len(rest) in (25, 26) and all("evidence" in one for one in rest)
        stretches = run("return js.linesOf(arg).stretches.length", rest)
        assert stretches == 2
