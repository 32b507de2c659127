"""The figures again for a phone: fewer panels side by side, and titles in lines.

Panels keep about the size that they were drawn in, so letters of 9 points are 9 pixels tall, or 7.5
where they need the room, on a page 358 pixels wide. A figure whose letters would touch is left as
it is.
"""

import math
import pickle
import textwrap

from matplotlib.text import Text

# inches across, at most; times as tall
SIZES = [(4.8, 1), (4.8, 1.3), (5.8, 1), (5.8, 1.3), (7, 1), (7, 1.3)]
PHONE = 358  # pixels: a text of the course on a screen of 390
SMALLEST = 7.5  # pixels, of letters; of 8 points at 5.3 inches
TOUCH = 5  # of 150 dots an inch, by which texts may overlap
SIDES = {2: ("left", "right"), 3: ("left", "middle", "right")}
SIDE_SIZE, SIDE_COLOUR = 9, "#6B7280"
LEAST, TALLEST = 3.6, 4.5  # inches across; times as tall as wide
ROOM = 1.25  # a panel alone in its row may be wider than it was drawn by this


def narrow(figure):
    """Return the figure [matplotlib Figure] as a phone shows it, or None where it stays as it is.

    The figure itself is not touched.
    """
    if figure.get_figwidth() <= SIZES[0][0] or figure.subfigs:
        return None
    manager, figure.canvas.manager = figure.canvas.manager, None  # else pyplot shows the copy too
    try:
        packed = pickle.dumps(figure)
    except (pickle.PicklingError, AttributeError, TypeError):  # an axis with a scale of its own
        return None
    finally:
        figure.canvas.manager = manager
    before = _collisions(figure)
    for size in SIZES:
        phone = pickle.loads(packed)
        if not _stack(phone, *size):
            return None
        _break_lines(phone)
        if _collisions(phone) <= before and _smallest(phone) >= SMALLEST:
            return phone
    return None


def _stack(figure, across, taller):
    """Put the panels into fewer columns; False where they stand in no single grid.

    Panels that all have a title are read line by line. Else a column is one thing, such as an
    image and what is said of it, and stays together.
    """
    placed = [a for a in figure.axes if a.get_subplotspec() is not None and a.get_visible()]
    grids = {id(axes.get_subplotspec().get_gridspec()) for axes in placed}
    if len(grids) != 1:
        return False
    grid = placed[0].get_subplotspec().get_gridspec()
    rows, columns = grid.get_geometry()
    if any(_place(axes)[2] != (1, 1) for axes in placed):  # small ones, and one as wide as all
        figure.set_size_inches(across, taller * figure.get_figheight())
        return all(_place(axes)[2] in ((1, 1), (1, columns)) for axes in placed)
    wide, tall = figure.get_size_inches() / (columns, rows)
    places = sorted({_place(axes)[:2] for axes in placed})
    fits = max(1, int(across / wide))
    if rows == 1:
        fewer = min(columns, fits)
    elif all(axes.get_title(loc="left") or axes.get_title() for axes in placed):
        fewer = next(n for n in range(min(columns, fits), 0, -1) if columns % n == 0)
    else:
        fewer = columns if columns <= fits else rows if rows <= fits else 1
        if fewer < columns:
            places.sort(key=lambda place: place[::-1])
    lines = math.ceil(len(places) / fewer)
    heights = [1] * lines
    if fewer in (1, columns) and grid.get_height_ratios():
        heights = [grid.get_height_ratios()[row] for row, _ in places[::fewer]]
    new = figure.add_gridspec(lines, fewer, height_ratios=heights)
    top = {_place(axes)[1]: axes for axes in reversed(placed) if _place(axes)[0] == 0}
    for axes in placed if fewer < columns else []:
        _say_for_itself(axes, placed, top.get(_place(axes)[1]) if fewer == 1 else None)
    sides = SIDES.get(columns, []) if fewer == 1 else []
    for column, side in enumerate(sides):  # which the prose may name
        if column in top and not top[column].get_title(loc="right"):
            top[column].set_title(side, loc="right", fontsize=SIDE_SIZE, color=SIDE_COLOUR)
    specs = [new[places.index(_place(axes)[:2])] for axes in placed]
    for axes, spec in zip(placed, specs):
        axes.set_subplotspec(spec)
    width, height = min(across, max(LEAST, ROOM * wide * fewer)), taller * tall * lines
    figure.set_size_inches(width, height)
    return height < TALLEST * width


def _place(axes):
    spec = axes.get_subplotspec()
    rows, columns = spec.rowspan, spec.colspan
    return rows.start, columns.start, (len(rows), len(columns))


def _say_for_itself(axes, others, top):
    """What a panel leaves to its neighbours: its title, the numbers and the names of its axes."""
    row, column, _ = _place(axes)
    if top is not None and axes.has_data() and not axes.get_title(loc="left"):
        axes.set_title(top.get_title(loc="left"), loc="left", fontsize=top.title.get_fontsize())
    if not axes.axison:
        return
    for name, side, line in (("x", "bottom", column), ("y", "left", row)):
        siblings = getattr(axes, f"get_shared_{name}_axes")().get_siblings(axes)
        beside = [a for a in siblings if a in others and _place(a)[name == "x"] == line]
        names = [label for a in beside if (label := getattr(a, f"get_{name}label")())]
        if len(siblings) > 1:
            axes.tick_params(axis=name, **{f"label{side}": True})
            getattr(axes, f"set_{name}label")(names[0] if names else "")


def _break_lines(figure):
    """Break titles where the panel ends, and the figure's legends into fewer columns."""
    figure.draw_without_rendering()
    edge = figure.bbox.width
    boxes = {axes: axes.get_window_extent() for axes in figure.axes}
    for axes, box in boxes.items():
        beside = [b.x0 for b in boxes.values() if b.x0 > box.x1 and b.y0 < box.y1 and box.y0 < b.y1]
        end = min(beside, default=edge)
        gap = SIDE_SIZE * figure.dpi / 72
        titles = [t for t in axes.get_children() if isinstance(t, Text) and t not in axes.texts]
        for text in titles:
            after = [
                tag.get_window_extent().x0 - gap
                for tag in titles
                if tag.get_text() and tag.get_ha() == "right" and tag is not text
            ]
            _wrap(text, min([end, *after]) - text.get_window_extent().x0)
    for text in figure.texts:
        _wrap(text, edge - text.get_window_extent().x0)
    for legend in figure.legends:
        columns = len(legend.get_texts())
        while legend.get_window_extent().width > edge and columns > 1:
            columns -= 1
            legend.set_ncols(columns)
            figure.draw_without_rendering()


def _wrap(text, room):
    width, words = text.get_window_extent().width, text.get_text()
    if width > room > 0 and "\n" not in words and "$" not in words:
        text.set_text(textwrap.fill(words, max(8, int(0.95 * len(words) * room / width))))


def _texts(figure):
    """The texts that are seen."""
    hidden = {
        text
        for axes in figure.axes
        if not axes.axison
        for axis in (axes.xaxis, axes.yaxis)
        for text in axis.findobj(Text)
    }
    texts = set(figure.findobj(Text)) - hidden
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def _collisions(figure):
    """How many texts overlap another one, and how many lines run through texts of a panel."""
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in _texts(figure)]
    overlaps = sum(
        min(a.x1, b.x1) - max(a.x0, b.x0) > TOUCH and min(a.y1, b.y1) - max(a.y0, b.y0) > TOUCH
        for i, a in enumerate(boxes)
        for b in boxes[:i]
    )
    crossings = sum(
        line.get_path()
        .transformed(line.get_transform())
        .intersects_bbox(text.get_window_extent().padded(-TOUCH), filled=False)
        for axes in figure.axes
        for text in axes.texts
        for line in axes.lines
        if text.get_text().strip()
    )
    return overlaps + crossings


def _smallest(figure):
    """The height [pixels of a phone] of the smallest letters."""
    scale = PHONE / (72 * figure.get_tightbbox().width)  # of a point
    return min((text.get_fontsize() * scale for text in _texts(figure)), default=math.inf)
