"""An explorer says when it has computed all that it shows, and paper does not wait for it."""

import pytest
from explorers import MAKERS
from widget_page import static_page

from vaecourse.widgets import Playground

# What is to be read in the table at the moment that the explorer says that it is done.
WATCH = """
window.seen = [];
new MutationObserver(() => {
  const done = document.querySelector('.vw-figure[data-done]');
  if (done) seen.push([...done.querySelectorAll('.vw-numbers td')].map((td) => td.textContent));
}).observe(document, { attributes: true, attributeFilter: ['data-done'], subtree: true });
"""

# Pick the second image; look when that is painted, before any timer; print.
PRINT = """async () => {
  const figure = document.querySelector('.vw-figure'), last = '[data-kind="evidence"] td';
  const read = () => [figure.hasAttribute('data-done'), figure.querySelector(last)?.textContent];
  figure.querySelector('[data-trait="picked"][data-value="1"]').click();
  await new Promise(requestAnimationFrame);
  const before = read();
  dispatchEvent(new Event('beforeprint'));
  return [before, read()];
}"""


@pytest.mark.parametrize("name", ["MissingExplorer", "PipelineExplorer", "Playground"])
def test_no_number_is_missing_when_an_explorer_says_that_it_is_done(new_tab, tmp_path, name):
    path = tmp_path / "page.html"
    path.write_text(static_page((MAKERS | {"Playground": Playground})[name]()), encoding="utf-8")
    tab = new_tab(reduced_motion="reduce")
    tab.add_init_script(WATCH)
    tab.goto(path.as_uri())
    tab.wait_for_function("seen.length")
    first = tab.evaluate("seen[0]")
    assert len(first) >= 3
    assert [text for text in first if text in ("", "–")] == []
    tab.close()


def test_what_is_being_computed_when_the_page_is_printed_is_on_paper(visit):
    before, printed = visit(static_page(MAKERS["PipelineExplorer"]())).evaluate(PRINT)
    assert before == [False, "–"]
    done, evidence = printed
    assert done and float(evidence.replace("−", "-")) < 0
