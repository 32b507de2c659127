"""Print the built pages: one PDF a page of the book, and the whole book, in `_build/pdf`.

What stands where on paper, `assets/print.js` says, for the browser's own print too. An explorer is
the picture that it opens with. Links between pages lead within the PDF. The reference, which is to
be searched, stays on the screen.
"""

import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

from browser import COMPUTED, FLAGS, READY, find_chromium
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, FloatObject, NameObject, NullObject
from sphinx_external_toc.parsing import parse_toc_yaml
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("reference/", "status", "administrator")
FORMAT = {
    "format": "A4",
    "margin": {"top": "18mm", "bottom": "20mm", "left": "17mm", "right": "17mm"},
}

WIDTH, HEIGHT = 782, 1151  # CSS pixels of what a sheet holds, at the scale of 0.85
LEAST = 0.6  # of its size: so small may an explorer or a figure become for the room that is left

# Laid out in columns as high as a sheet, the page breaks where it will in print. What then begins a
# sheet while the one before has room for it, made smaller, becomes smaller. One that would have to
# be too small, or that something else keeps from moving, stays as it was.
SHRINK = """([height, least]) => {
  const article = document.querySelector(".bd-article"), columns = document.createElement("style");
  const { paddingLeft, paddingRight } = getComputedStyle(article);
  const width = article.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  const above = article.getBoundingClientRect().top + scrollY; // the title, on the first sheet
  columns.textContent = `.bd-article { columns: ${width}px; column-gap: 0; column-fill: auto;
    width: ${width}px; height: ${height}px; padding: 0 !important; }
    .bd-article::before { content: ""; display: block; height: ${above}px; }`;
  document.head.append(columns);
  const { left, top } = article.getBoundingClientRect();
  const sheet = (box) => Math.floor((box.left - left + 1) / width);
  const inks = () => { // of lines and pictures: a box that goes on overleaf fills its sheet
    const found = [...article.querySelectorAll("img, svg, canvas, mjx-container")];
    const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT), range = new Range();
    const boxes = found.flatMap((one) => [...one.getClientRects()]);
    while (texts.nextNode()) {
      range.selectNode(texts.currentNode);
      boxes.push(...range.getClientRects());
    }
    return boxes.filter((box) => box.height);
  };
  const used = (number) => inks().reduce((most, box) =>
    sheet(box) === number ? Math.max(most, box.bottom - top) : most, 0);
  const change = (style, look) => { // Chromium keeps columns as they broke: it has to see none
    columns.disabled = true;
    Object.assign(style, look);
    article.getBoundingClientRect();
    columns.disabled = false;
  };
  const blocks = ".explorer-room, :is(.cell_output, figure) img:not(.explorer-room *)";
  for (const block of article.querySelectorAll(blocks)) {
    const box = block.getBoundingClientRect(), number = sheet(box), { style } = block;
    if (!number || !box.height) continue;
    const room = height - used(number - 1) - 24; // for margins that are not at the head of a sheet
    const share = (room - (box.top - top)) / box.height; // with what stands above it there
    if (share >= 1 || share < least) continue;
    const look = block.matches("img") ? { height: `${share * box.height}px` }
      : { zoom: share, width: `${100 * share}%`, marginInline: "auto" };
    change(style, look);
    if (sheet(block.getBoundingClientRect()) === number)
      change(style, { height: "", zoom: "", width: "", marginInline: "" });
  }
  columns.remove();
}"""

NUMBERS = """<style>@page {{ margin: 0 }} body {{ margin: 0 }}
div {{ height: 296mm; position: relative; break-after: page; font: 9pt sans-serif; color: #555 }}
p {{ position: absolute; bottom: 6mm; left: 17mm; right: 17mm; margin: 0; display: flex;
justify-content: space-between }}</style>{}"""


def documents(root):
    """The pages of the book that are printed, in its order."""
    return [name for name in parse_toc_yaml(root / "_toc.yml") if not name.startswith(LEFT_OUT)]


def print_page(tab, site, document, path):
    """Print a page of the book; returns its title."""
    tab.emulate_media(media="screen")
    tab.goto((site / f"{document}.html").as_uri())
    tab.evaluate(READY)
    tab.evaluate(COMPUTED)
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")  # print.js arranges the page
    tab.evaluate(SHRINK, [HEIGHT, LEAST])
    sheets(tab, path)
    number = re.match(r"chapters/(\d\d)_", document)
    title = tab.locator("h1").first.text_content().rstrip("#").strip()
    return f"{number[1]} {title}" if number else title


def sheets(tab, path):
    """Print what a tab shows."""
    tab.pdf(path=path, outline=True, tagged=True, print_background=True, scale=0.85, **FORMAT)


def stamp(tab, writer, lines):
    """Write a line, (left, right), at the foot of every page."""
    feet = "".join(
        f"<div><p><span>{left}</span><span>{right}</span></p></div>" for left, right in lines
    )
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        tab.set_content(NUMBERS.format(feet))
        tab.pdf(path=file.name, format="A4")
        for page, foot in zip(writer.pages, PdfReader(file.name).pages):
            page.merge_page(foot)


def lead_within(writer, site, first):
    """Let links lead to places of this PDF; those to pages that it does not have go.

    `first`: {document: the index of its first page here}. Chromium names places of a page; the same
    name is used on many pages, so that a link must say the page itself.
    """
    for page in writer.pages:
        links = ArrayObject()
        for link in page.get("/Annots", []):
            note = link.get_object()
            address = note.get("/A", {}).get("/URI", "")
            if address.startswith(site):
                document = unquote(address[len(site) + 1 :]).partition("#")[0]
                start = first.get(document.removesuffix(".html"))
                if start is None:
                    continue
                del note["/A"]
                note[NameObject("/Dest")] = place(writer.pages[start])
            links.append(link)
        page[NameObject("/Annots")] = links


def place(page, top=None):
    """Where a link leads: a page, and a height on it in points."""
    height = NullObject() if top is None else FloatObject(top)
    return ArrayObject(
        [page.indirect_reference, NameObject("/XYZ"), NullObject(), height, NullObject()]
    )


def append(writer, path, title):
    """Put a printed page of the book at the end; what it names, its own links find by page."""
    reader, start = PdfReader(path), len(writer.pages)
    names = {
        name: (reader.get_destination_page_number(found), found.get("/Top"))
        for name, found in reader.named_destinations.items()
    }
    writer.append(reader, outline_item=title)
    for page in writer.pages[start:]:
        for link in page.get("/Annots", []):
            note = link.get_object()
            if note.get("/Dest") in names:
                number, top = names[note["/Dest"]]
                note[NameObject("/Dest")] = place(writer.pages[start + number], top)
    return start


def build(chromium, root, target, names=None):
    """Write the PDFs into the folder `target`, of the pages `names` or all of the book.

    Returns the path of the one that has them all.
    """
    site = root / "_build" / "html"
    if not (site / "index.html").is_file():
        raise FileNotFoundError("There are no pages yet: run `make book` first.")
    target.mkdir(parents=True, exist_ok=True)
    book, first, titles = PdfWriter(), {}, []
    tab = chromium.new_page(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", reduced_motion="reduce"
    )
    for document in tqdm(names or documents(root), unit="page"):
        path = target / f"{Path(document).name}.pdf"
        title = print_page(tab, site, document, path)
        first[document] = append(book, path, title)
        titles.append(title)
        alone = PdfWriter()
        lead_within(alone, site.as_uri(), {document: append(alone, path, title)})
        stamp(tab, alone, [(title, f"{n}") for n in range(1, len(alone.pages) + 1)])
        alone.write(path)
    lead_within(book, site.as_uri(), first)
    stamp(tab, book, feet(first, titles, len(book.pages)))
    tab.close()
    book.write(target / "book.pdf")
    return target / "book.pdf"


def feet(first, titles, pages):
    """(title, number) for every page of the whole book."""
    starts = [*first.values(), pages]
    names = [name for name, a, b in zip(titles, starts, starts[1:]) for _ in range(b - a)]
    return [(name, f"{number}") for number, name in enumerate(names, 1)]


if __name__ == "__main__":
    try:
        with sync_playwright() as tools:
            browser = tools.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            path = build(browser, ROOT, ROOT / "_build" / "pdf")
    except FileNotFoundError as error:
        sys.exit(str(error))
    print(f"The book is {path.relative_to(ROOT)}.")
