"""Sphinx extension: a figure is a drawing, for light and dark pages, and larger at a tap.

`draw_figures.py` makes SVGs of the figures while the chapters run; most carry a narrow drawing of
the same for a phone. The dark one is the same drawing in other colours. Each lies in a link to
itself, which `assets/enlarge.js` opens over the page.
"""

import base64
import colorsys
import gzip
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from vaecourse.palette import COLOURS, COLOURS_DARK, contrast

PAGE = "#121212"  # the theme's dark page
INK = (0xF3, 0xF4, 0xF6)
CONTRAST = 3  # of lines against the page, as WCAG asks
NEUTRAL = 0.16  # colours below this chroma are greys
NEAR = 16  # of 255: of a mark that lies over another
MARKS = 0.9  # of a cloud's pixels, at least: grey or a colour of the course; the rest are blends
BAR = 30  # pixels across, at most: the bar that tells what the greys of a map mean
LARGER = 150 / 72  # of a point of the drawing: as wide as the pictures of 150 dots an inch
KNOWN = {COLOURS[idea].lower(): COLOURS_DARK[idea] for idea in COLOURS}

COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
KEPT = re.compile(r'<g id="keep-\d+">.*?</g>\s*</g>|<image\b.*?/>', re.S)
PATCH_OF_PAGE = re.compile(r'(<g id="patch_1">\s*<path[^>]*style=")fill: #ffffff')
PICTURE = re.compile(r"(?<=base64,)[\s\w+/=]+")
IMAGE = re.compile(r"<image\b.*?/>", re.S)
WIDTH = re.compile(r'\bwidth="([\d.]+)')  # in points; of an image, its pixels
PHONE = re.compile(r'<metadata id="phone">([\w+/=]+)</metadata>')
ON_PHONES = "screen and (max-width: 600px)"
SIZE = re.compile(r'<svg [^>]*viewBox="0 0 ([\d.]+) ([\d.]+)"')
FIGURE = re.compile(
    r'(?:<a class="reference internal image-reference"[^>]*>)?'
    r'<img (alt="[^"]*") src="([^"]*/)([0-9a-f]+)\.svg"(?: style="width: (\d+)px;")? />(?:\s*</a>)?'
)


def dark(svg):
    """The drawing for a dark page; images, and letters on them, keep their colours."""
    svg = PATCH_OF_PAGE.sub(r"\1fill: none", svg, count=1)
    shows_images = any(not _is_drawn(kept[0]) for kept in IMAGE.finditer(svg))
    parts, last = [], 0
    for kept in KEPT.finditer(svg):
        same = kept[0]
        if IMAGE.match(same):
            picture = PICTURE.search(same)[0]
            same = same.replace(picture, _dark_picture(picture, _is_drawn(same), shows_images))
        parts += [COLOUR.sub(_dark, svg[last : kept.start()]), same]
        last = kept.end()
    text = "".join([*parts, COLOUR.sub(_dark, svg[last:])])
    return text.replace("<svg ", f'<svg fill="{_hex(INK)}" ', 1)  # letters without a colour


def _is_drawn(image):
    """Whether a picture was drawn (a cloud, contours, cells); an image has pixels of its own."""
    head = base64.b64decode(PICTURE.search(image)[0].strip()[:32])
    return float(WIDTH.search(image)[1]) < 0.99 * int.from_bytes(head[16:20], "big")


def _dark_picture(picture, drawn, shows_images):
    """Marks in grey or in the course's colours, and a map of greys, in dark colours; others stay.

    A map keeps its order: in one of greys none is taken for a colour of the course, and marks that
    a map colours keep what it gave them.
    """
    if not drawn:
        return picture
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA"))
    rgb, alpha = pixels[..., :3].astype(float), pixels[..., 3]
    seen = alpha > 0
    grey = np.ptp(rgb, -1) < NEUTRAL * 255
    near = {lifted: np.abs(rgb - _parts(colour)).max(-1) < NEAR for colour, lifted in KNOWN.items()}
    if (alpha == 255).mean() > 0.5:
        # The bar beside an image tells the greys of the image, which stay.
        if not grey[seen].all() or (shows_images and min(alpha.shape) < BAR):
            return picture
        near = {}
    elif (grey | np.any(list(near.values()), 0))[seen].mean() < MARKS:
        return picture
    ink, paper = np.array(INK), np.array(_parts(PAGE))
    light = rgb.mean(-1, keepdims=True) / 255
    new = np.where(grey[..., None], ink + light * (paper - ink), rgb)
    for lifted, where in near.items():
        new[where] = _parts(lifted)
    pixels[..., :3] = new.round()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _dark(found):
    colour = found[0].lower()
    if colour in KNOWN:
        return KNOWN[colour]
    red, green, blue = _parts(colour)
    if max(red, green, blue) - min(red, green, blue) < NEUTRAL * 255:
        light = (red + green + blue) / 3 / 255
        return _hex(round(ink + light * (paper - ink)) for ink, paper in zip(INK, _parts(PAGE)))
    hue, light, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    while contrast(colour, PAGE) < CONTRAST:
        light = min(1, light + 0.02)
        colour = _hex(round(255 * part) for part in colorsys.hls_to_rgb(hue, light, saturation))
    return colour


def _parts(colour):
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _hex(parts):
    return "#" + "".join(f"{part:02x}" for part in parts)


def show_both(app, pagename, templatename, context, doctree):
    """Put the dark drawing beside the light one, with their size, in a link that enlarges."""
    sources = {name: path for path, name in app.builder.images.items()}

    def both(figure):
        alt, folder, name, wanted = figure.groups()
        svg = (Path(app.srcdir) / sources[f"{name}.svg"]).read_text(encoding="utf-8")
        phone = PHONE.search(svg)
        size = _size(svg, wanted)
        narrow = phone and f'media="{ON_PHONES}" {_size(_unpacked(phone))}'
        # The dark one is fetched when it is shown; paper wants the light one from either page.
        return "".join(
            f'<a class="drawing only-{theme}" href="{folder}{name}{ending}.svg"><picture>'
            + (f'<source {narrow} srcset="{folder}{name}-narrow{ending}.svg" />' if phone else "")
            + f'<img {alt} src="{folder}{name}{ending}.svg" {size}{when} /></picture></a>'
            for theme, ending, when in (("light", "", ""), ("dark", "-dark", ' loading="lazy"'))
        )

    if "body" in context:
        context["body"] = FIGURE.sub(both, context["body"])


def _unpacked(phone):
    return gzip.decompress(base64.b64decode(phone[1])).decode()


def _size(svg, wanted=None):
    width, height = map(float, SIZE.search(svg).groups())
    shown = int(wanted or round(LARGER * width))
    return f'width="{shown}" height="{round(shown * height / width)}"'


def write_all(app, exception):
    """Write the dark drawing of every figure that the pages show, and both for a phone."""
    if exception is not None:
        return
    images = Path(app.outdir) / "_images"
    for path in images.glob("*[0-9a-f].svg"):
        svg = path.read_text(encoding="utf-8")
        drawings = {"": PHONE.sub("", svg)}
        if phone := PHONE.search(svg):
            drawings["-narrow"] = _unpacked(phone)
        for ending, drawing in drawings.items():
            if svg != drawing:
                path.with_stem(path.stem + ending).write_text(drawing, encoding="utf-8")
            path.with_stem(f"{path.stem}{ending}-dark").write_text(dark(drawing), encoding="utf-8")


def setup(app):
    app.connect("html-page-context", show_both)
    app.connect("build-finished", write_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
