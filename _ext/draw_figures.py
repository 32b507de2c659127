"""Run in every kernel of a build: a matplotlib figure is shown as SVG too, not as PNG alone.

What is many marks, or cells, is drawn as a picture inside the SVG. Letters on a picture, or on a
coloured patch or cell, are named `keep-…`: `vector_figures.py` leaves their colour on a dark page.
"""

import base64
import gzip
import io
import re
import runpy
from itertools import chain, count
from pathlib import Path

import matplotlib as mpl
import numpy as np
from IPython import get_ipython
from matplotlib.collections import Collection, PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

MARKS, VERTICES = 150, 2_000
RASTER_DPI = 130  # of clouds and cells; a figure is shown at some hundred
DECIMALS = re.compile(r' d="[^"]*"')  # a hundredth of a point is enough of a path
SETTINGS = {"svg.hashsalt": "vaecourse"}  # else the names inside differ in every build
narrow = runpy.run_path(Path(__file__).with_name("narrow_figures.py"))["narrow"]


def as_svg(figure):
    """The figure as the text of an SVG, which carries the one for a phone where there is one."""
    phone, svg = narrow(figure), drawing(figure)
    if phone is None:
        return svg
    packed = base64.b64encode(gzip.compress(drawing(phone).encode(), mtime=0)).decode()
    return svg.replace("</svg>", f'<metadata id="phone">{packed}</metadata></svg>')


def drawing(figure):
    for artist in figure.findobj(is_crowd):
        artist.set_rasterized(True)
    for image in figure.findobj(AxesImage):
        if image.get_interpolation() == "nearest":
            image.set_interpolation("none")  # its own pixels, which the browser makes larger
    names = count()
    figure.draw_without_rendering()  # where the texts are, only the layout knows
    for text in figure.findobj(Text):
        if lies_on_colour(text, figure):
            text.set_gid(f"keep-{next(names)}")
    file = io.StringIO()
    with mpl.rc_context(SETTINGS):
        figure.savefig(
            file, format="svg", bbox_inches="tight", dpi=RASTER_DPI, metadata={"Date": None}
        )
    return DECIMALS.sub(lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), file.getvalue())


def is_crowd(artist):
    """Whether an artist takes more room as shapes than as a picture."""
    if isinstance(artist, PathCollection):
        return len(artist.get_offsets()) > MARKS
    if isinstance(artist, Line2D):
        marked = artist.get_marker() not in ("None", None, "", " ")
        return len(artist.get_xdata()) > (MARKS if marked else VERTICES)
    if isinstance(artist, QuadMesh):
        return True
    if isinstance(artist, Collection):
        return sum(len(path.vertices) for path in artist.get_paths()) > VERTICES
    return False


def lies_on_colour(text, figure):
    """Whether the middle of a text is on a picture, or on a patch that has a colour."""
    if not text.get_visible() or not text.get_text().strip():
        return False
    if (disc := text.get_bbox_patch()) is not None and has_colour(disc):
        return True
    box = text.get_window_extent()
    middle = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    grounds = {id(figure.patch), *(id(axes.patch) for axes in figure.axes)}
    below = chain(
        figure.findobj(lambda artist: isinstance(artist, AxesImage | QuadMesh)),
        figure.findobj(lambda artist: isinstance(artist, Patch) and id(artist) not in grounds),
    )
    return any(
        artist.get_visible() and artist.get_window_extent().contains(*middle) and has_colour(artist)
        for artist in below
    )


def has_colour(artist):
    if isinstance(artist, AxesImage):
        return True
    # A dark page turns greys over, and the letters on them.
    if isinstance(artist, QuadMesh):
        artist.update_scalarmappable()  # its colours are else known once it is drawn
    colours = np.atleast_2d(artist.get_facecolor())
    return bool(((colours[:, 3] > 0.5) & (np.ptp(colours[:, :3], axis=1) > 0.1)).any())


# The inline backend forgets all formats when it starts, so it starts here.
get_ipython().run_line_magic("matplotlib", "inline")
get_ipython().display_formatter.formatters["image/svg+xml"].for_type(Figure, as_svg)
