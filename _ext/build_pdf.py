"""Print the built pages: one PDF a page of the book, and the whole book, in `_build/pdf`.

On paper solutions and answers stand at the end, the code of plots is left out, and an explorer is
the picture that it opens with. Links between pages lead within the PDF. The reference, which is to
be searched, stays on the screen.
"""

import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

from browser import FLAGS, READY, find_chromium
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

ARRANGE = """async () => {
  const article = document.querySelector(".bd-article");
  const home = article.querySelector(":scope > section") || article;
  const end = document.createElement("section");
  end.className = "at-the-end";
  let told = "";
  const move = (part, name) => { // a solution says itself whose it is, and its code follows it
    if (name && name !== told && !end.lastChild?.matches(".solution")) {
      const line = document.createElement("p");
      line.append(Object.assign(document.createElement("strong"), { textContent: name }));
      end.append(line);
    }
    told = name;
    end.append(part);
  };
  const text = (part, selector) => part.querySelector(selector)?.textContent.trim() || "";
  [...article.querySelectorAll(".predict details")].forEach((answer, k) => {
    const title = answer.closest(".predict").querySelector(".admonition-title");
    title.append(` (${k + 1})`);
    move(answer, `${title.textContent.trim()}`);
  });
  for (const exercise of article.querySelectorAll(".exercise")) {
    const name = text(exercise, ".admonition-title").replace(/\\s*#$/, "");
    let next = exercise.nextElementSibling;
    while (next && next.matches(".solution, .tag_hide-cell, .admonition.dropdown, details")) {
      const part = next;
      next = part.nextElementSibling;
      move(part, part.matches(".solution") ? "" : `Solution of ${name}`);
    }
  }
  if (end.childNodes.length) {
    const title = document.createElement("h2");
    title.textContent = "Answers and solutions";
    end.prepend(title);
    home.append(end);
  }
  for (const cell of article.querySelectorAll(".cell.tag_hide-input")) {
    const code = [...cell.querySelectorAll("details.hide, .cell_input")];
    if (code.some((part) => /plt\\.|\\bax\\./.test(part.textContent))) {
      code.forEach((part) => part.remove());
    }
  }
  document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  document.querySelectorAll(".toggle-hidden").forEach((fold) => {
    fold.classList.remove("toggle-hidden");
  });
  for (const view of document.querySelectorAll(".explorer-room, .widget-view, figure")) {
    view.scrollIntoView();
    await new Promise(requestAnimationFrame);
  }
  await new Promise((done) => setTimeout(done, 300));
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
    tab.goto((site / f"{document}.html").as_uri())
    tab.evaluate(READY)
    tab.evaluate(ARRANGE)
    tab.pdf(path=path, outline=True, tagged=True, print_background=True, scale=0.85, **FORMAT)
    number = re.match(r"chapters/(\d\d)_", document)
    title = tab.locator("h1").first.text_content().rstrip("#").strip()
    return f"{number[1]} {title}" if number else title


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
    tab = chromium.new_page(viewport={"width": 820, "height": 1160}, color_scheme="light")
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
