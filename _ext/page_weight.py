"""Sphinx extension: a page loads what it uses, and nothing else.

The theme sends every page a program of all icons (1.5 MB), fonts of 1,700 of them, an index for
the search and MathJax. Icons are drawn here from a font of those that occur, and MathJax goes to
the pages that have formulas.
"""

import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

NAMED_ICON = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+) ?"\}')
CODE = re.compile(r'"\\([ef][0-9a-f]{3}) ?"')
FONT_FACE = re.compile(r"@font-face\{[^}]*fontawesome[^}]*\}")
FACE = (
    "@font-face{font-display:block;font-family:Font Awesome\\ 6 Free;font-style:normal;"
    'font-weight:900;src:url(../vendor/fontawesome/icons.woff) format("woff")}'
)

ALL_ICONS = re.compile(r'\s*<script defer src="[^"]*/fontawesome\.js[^"]*"></script>')
ICON = re.compile(r'<i class="(fa-[^"]*)"></i>')
SEARCH = re.compile(
    r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
)
MATHJAX = re.compile(
    r"\s*<script>window\.MathJax = .*?</script>"
    r'|\s*<script defer="defer" src="[^"]*(?:mathjax/tex-mml-chtml|formulas)\.js[^"]*"></script>'
)
CARDS = re.compile(
    r'\s*<link [^>]*href="[^"]*sphinx-design[^"]*" ?/>'
    r'|\s*<script [^>]*src="[^"]*design-tabs\.js[^"]*"></script>'
)
CARD = re.compile(r'class="(?:[\w-]+ )*sd-')
SCRIPT = re.compile(r"<script\b.*?</script>", re.S)
FORMULA = re.compile(r'class="(?:[\w-]+ )*math\b|\\\(|\\\[|\$\$')


def lighten(html):
    """The page without the scripts that it does not use."""
    html = ICON.sub(r'<i class="\1" aria-hidden="true"></i>', ALL_ICONS.sub("", html))
    html = SEARCH.sub("", html)  # search_sections.py has its own
    shown = SCRIPT.sub("", html)
    if not CARD.search(shown):
        html = CARDS.sub("", html)
    return html if FORMULA.search(shown) else MATHJAX.sub("", html)


def keep_icons(static, texts):
    """Leave of the icons those that the pages, the scripts and the other styles name."""
    style = static / "styles" / "pydata-sphinx-theme.css"
    css = style.read_text(encoding="utf-8")
    if FACE in css:  # Sphinx copies it anew when it changed
        css = (Path(theme_folder()) / style.name).read_text(encoding="utf-8")
    used = set(re.findall(r"\bfa-[\w-]+", " ".join(texts)))
    codes = set(CODE.findall(NAMED_ICON.sub("", css) + " ".join(texts)))

    def keep(rule):
        names = [name for name in re.findall(r"\.(fa-[\w-]+):before", rule[1]) if name in used]
        if names:
            codes.add(rule[2])
        return rule[0] if names else ""

    css = FACE + FONT_FACE.sub("", NAMED_ICON.sub(keep, css))
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    font = TTFont(Path(theme_folder()).parent / fonts.relative_to(static) / "fa-solid-900.ttf")
    chosen = subset.Subsetter()
    chosen.populate(unicodes=[int(code, 16) for code in codes])
    chosen.subset(font)
    font.flavor = "woff"
    font.save(fonts.parent / "icons.woff")
    for path in fonts.glob("*"):
        path.unlink()
    style.write_text(css, encoding="utf-8")


def theme_folder():
    import pydata_sphinx_theme

    root = Path(pydata_sphinx_theme.__file__).parent
    return root / "theme" / "pydata_sphinx_theme" / "static" / "styles"


def lighten_pages(app, exception):
    """Rewrite the pages and the styles that were written."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static, texts = out / "_static", []
    for path in sorted(out.rglob("*.html")):
        if static in path.parents:
            continue
        html = path.read_text(encoding="utf-8")
        light = lighten(html)
        if light != html:
            path.write_text(light, encoding="utf-8")
        texts.append(SCRIPT.sub("", light))
    ours = static / "styles" / "pydata-sphinx-theme.css"
    for path in [*static.rglob("*.css"), *static.glob("*.js"), *static.glob("scripts/*theme.js")]:
        if path != ours:
            texts.append(path.read_text(encoding="utf-8"))
    keep_icons(static, texts)


def setup(app):
    app.connect("build-finished", lighten_pages, priority=700)  # after all files lie there
    return {"parallel_read_safe": True, "parallel_write_safe": True}
