"""What can be read off the built pages without a browser."""

import json
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from notebook_versions import VERSIONS
from search_sections import plain

ROOT = Path(__file__).parents[2]

# Everything that makes a browser load something. Links that a reader follows are free.
LOADING = {
    "script": ["src"],
    "link": ["href"],
    "img": ["src", "srcset"],
    "source": ["src", "srcset"],
    "iframe": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "track": ["src"],
    "input": ["src"],
    "image": ["href", "xlink:href"],
    "use": ["href", "xlink:href"],
}
FOREIGN = re.compile(r"(?i)(?:^|[\s,])(?:https?:)?//")
FOREIGN_STYLE = re.compile(r"""(?i)(?:url\(|@import)\s*["']?\s*(?:https?:)?//[^)"']*""")
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def test_page_loads_only_local_files(site, page, soup):
    foreign = [
        f"{tag.name} {tag[name]}"
        for tag in soup.find_all(list(LOADING))
        for name in LOADING[tag.name]
        if FOREIGN.search(tag.get(name, ""))
    ]
    styles = [tag.get_text() for tag in soup.find_all("style")]
    styles += [tag["style"] for tag in soup.find_all(style=True)]
    foreign += [found for style in styles for found in FOREIGN_STYLE.findall(style)]
    assert foreign == []


def test_style_sheets_load_only_local_files(site):
    sheets = list((site / "_static").rglob("*.css"))
    assert len(sheets) > 3
    foreign = {
        sheet.name: found
        for sheet in sheets
        if (found := FOREIGN_STYLE.findall(sheet.read_text(encoding="utf-8")))
    }
    assert foreign == {}


def test_files_that_the_page_loads_exist(site, page, soup):
    missing = []
    for tag in soup.find_all(["script", "link", "img"]):
        address = tag.get("src") or tag.get("href") or ""
        path = re.sub(r"[?#].*", "", address)
        if path and not path.startswith("data:") and not ((site / page).parent / path).is_file():
            missing.append(address)
    assert missing == []


def test_no_output_shows_a_warning_or_a_traceback(soup):
    outputs = "\n".join(tag.get_text() for tag in soup.select(".cell_output"))
    assert re.findall(r"^.*\b\w*Warning\b: .*$|^Traceback .*$", outputs, re.M) == []
    assert soup.select(".cell_output .stderr, .cell_output .traceback") == []


def test_every_plotted_figure_says_what_it_shows(soup):
    """Without a text of its own, an image is named after its file."""
    bare = [
        image["src"]
        for image in soup.select(".cell_output img")
        if len(image.get("alt", "").split()) < 3 or image["alt"].startswith(("..", "_images"))
    ]
    assert bare == []


def test_headings_are_in_order(soup):
    for printed in soup.select("#jb-print-docs-body"):
        printed.decompose()  # the title once more, for paper alone
    levels = [int(tag.name[1]) for tag in soup.select("main :is(h1, h2, h3, h4, h5, h6)")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    steps = [(a, b) for a, b in pairwise(levels) if b > a + 1]
    assert steps == []


def test_ids_are_unique(soup):
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert {name for name in ids if ids.count(name) > 1} == set()


def test_every_widget_runs_without_a_kernel(soup):
    """Sliders, boxes and progress bars of ipywidgets would leave a hole in the page."""
    views = [json.loads(tag.get_text())["model_id"] for tag in soup.find_all(type=VIEW)]
    state = soup.find(type=STATE)
    models = json.loads(state.get_text())["state"] if state else {}
    assert [models[view]["model_name"] for view in views] == ["AnyModel"] * len(views)


def test_search_index_knows_every_chapter(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    documents = json.loads(index[index.index("(") + 1 : index.rindex(")")])["docnames"]
    built = {
        path.relative_to(site).with_suffix("").as_posix()
        for path in Path(site).rglob("*.html")
        if path.name not in ("genindex.html", "search.html") and "_static" not in path.parts
    }
    assert set(documents) == built


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\mathcal L = \mathbb E_q[\log p(x, z) - \log q(z)]", "L = E_q[log p(x, z) − log q(z)]"),
        (r"\frac{\partial f}{\partial w}", "∂f/∂w"),
        (r"\partial f/\partial w", "∂f/∂w"),
        (r"\log\frac{p_\theta(x, z)}{q(z)}", "log(p_θ(x, z)/q(z))"),
        (r"\mathrm{KL}\big(q \,\|\, p(z \mid x)\big)", "KL(q ‖ p(z | x))"),
        (r"\exp(-\lVert e - w_k\rVert^2/2\tau^2)", "exp(−‖e − w_k‖²/2τ²)"),
        (r"\tfrac12 x^\top A x", "1/2 xᵀA x"),
        (r"\underbrace{\hat\mu_{a + b}}_{\text{a name}} \le \sqrt2", "μ̂_(a + b) (a name) ≤ √2"),
        (r"\begin{aligned} a &= b \\ &\to \infty\end{aligned}", "a = b → ∞"),
    ],
)  # fmt: skip
def test_a_formula_is_one_line_of_text_in_the_search(tex, text):
    assert plain(tex) == text


def test_what_the_search_shows_has_no_keys_of_references_and_no_traces_of_tex(site):
    text = (site / "_static" / "sections.js").read_text(encoding="utf-8")
    entries = (ROOT / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{(\w+),", entries, re.M)
    assert len(keys) > 20
    assert [key for key in keys if re.search(rf"\b{key}\b", text)] == []
    sections = json.loads(text[text.index("[") : text.rindex("]") + 1])
    course = [said for address, *_, said in sections if not address.startswith("reference/")]
    trace = re.compile(r".{0,30}(?:\\[a-zA-Z]|\bmathcal\b|_\{).{0,30}")
    assert [found for said in course for found in trace.findall(said)] == []
    assert "\0" not in text


def test_every_chapter_links_to_its_notebooks(site, page, soup):
    links = soup.select(".notebook-versions a")
    stem = Path(page).stem
    names = [f"{stem}_{version}.ipynb" for version in VERSIONS] if "chapters/" in page else []
    assert [link["href"] for link in links] == [f"../notebooks/{name}" for name in names]
    for name in names:
        nbformat.validate(nbformat.read(site / "notebooks" / name, as_version=4))


def test_every_page_describes_itself(page, soup):
    if page in ("genindex.html", "search.html"):
        return
    about = soup.find("meta", attrs={"name": "description"})["content"]
    assert 20 < len(about) <= 300
    assert soup.find("meta", property="og:description")["content"] == about
    assert soup.find("meta", property="og:title")["content"]


def test_folded_code_of_a_solution_says_so(soup):
    for solution in soup.select(".solution"):
        cell = solution.find_next_sibling()
        if cell is not None and "tag_hide-cell" in cell["class"]:
            titles = [title.get_text() for title in cell.select("summary .admonition-title")]
            assert titles == ["Show the code of the solution", "Hide the code of the solution"]


def test_folded_code_of_a_figure_is_no_solution(soup):
    titles = soup.select(".cell.tag_hide-input > details summary .admonition-title")
    assert {title.get_text() for title in titles} <= {"Show the code", "Hide the code"}


def test_what_paper_shows_for_an_explorer_says_so(soup):
    """A sentence on the paper's figure is none on the screen's."""
    said = [part for part in soup.select("main p") if part.get_text().startswith("In print, ")]
    assert [part.get("class") for part in said] == [["in-print"]] * len(said)


def test_references_show_no_markup(soup):
    shown = [part.get_text() for part in soup.select("div.citation")]
    shown += [link.get("title", "") for link in soup.select("a.reference")]
    assert [text for text in shown if "$" in text or "\\" in text] == []
