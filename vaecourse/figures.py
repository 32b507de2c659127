"""The plots that chapters share, in one visual language. Nothing changes a style at import.

    with vc.figures.style():
        fig, ax = plt.subplots()

Colours come from `vaecourse.palette`: one colour for one idea, in formulas, figures and widgets.
"""

import math
from collections.abc import Mapping
from contextlib import contextmanager

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.text import Annotation
from scipy.stats import norm

from vaecourse._arguments import (
    as_array,
    bytes_hint,
    check_axes,
    check_classes,
    check_count,
    check_image_shape,
    check_last_axis,
    check_shape,
)
from vaecourse.palette import COLOURS, DIGIT_COLOURS, DIGIT_LETTERS

_STYLE = {
    "figure.dpi": 150,
    "figure.figsize": (8, 4),
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6B7280",
    "axes.labelcolor": "#374151",
    "axes.titlecolor": "#111827",
    "xtick.color": "#6B7280",
    "ytick.color": "#6B7280",
    "grid.color": "#E5E7EB",
    "lines.linewidth": 2,
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
}


@contextmanager
def style():
    """The course's matplotlib style, inside the `with` block only; gives the colours by idea."""
    with mpl.rc_context(_STYLE):
        yield COLOURS


def image_grid(ax, images, columns, shape=(28, 28), gap=2):
    """Draw images [N, D] with values in [0, 1] on one axes, row by row.

    All digits of the course are drawn like this, in figures and widgets: light ink on black.
    Images in colour have the shape (3, height, width), plane after plane. Images may also have
    these axes, [N, *shape]. The page shows in the gaps, whatever its colour. Raises ValueError for
    images of other axes, and for grey levels that want to be divided.
    """
    check_count("columns", columns)
    images, shape = _images(images, check_image_shape("shape", shape))
    rows = -(-len(images) // columns)
    height, width = shape[-2:]
    if len(shape) == 3:
        images = np.moveaxis(images, 1, -1)
        images = np.concatenate([images, np.ones_like(images[..., :1])], -1)  # opaque
    empty = np.nan if len(shape) == 2 else 0.0  # either is see-through
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap)
    canvas = np.full(size + images.shape[3:], empty)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        canvas[top : top + height, left : left + width] = image
    if len(shape) == 3:
        canvas = (255 * canvas.clip(0, 1)).round().astype(np.uint8)  # as drawings hold colours
    ax.imshow(canvas, cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()


def _images(images, shape):
    """Images as an array [N, *shape], and their shape, without the axis of a single plane."""
    images = as_array(images, "images")
    axes = list(images.shape)
    if axes != shape and axes[-1:] != [math.prod(shape)]:
        if len(axes) < 3:
            check_last_axis("images", images, math.prod(shape))
        elif [n for n in axes[1:] if n > 1] != [n for n in shape if n > 1]:
            check_axes("images", axes[1:], shape)
    if "divide" in (hint := bytes_hint(images) if images.size else ""):
        raise ValueError(f"images has values up to {images.max():g}{hint}.")
    shape = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    return images.reshape(-1, *shape), shape


def image_rows(named_images, shape=(28, 28)):
    """A figure with one labelled row of images for each entry of a dict name → images [N, D]."""
    if not isinstance(named_images, Mapping) or not named_images:
        kind = type(named_images).__name__
        raise ValueError(f"named_images is a {kind}; it must be a dict of names and images.")
    columns = len(next(iter(named_images.values())))
    with style():
        fig, axes = plt.subplots(
            len(named_images), 1, figsize=(8, 8 / columns * len(named_images)), squeeze=False
        )
        for ax, (name, images) in zip(axes[:, 0], named_images.items(), strict=True):
            image_grid(ax, images, columns, shape)
            ax.text(-2, shape[-2] / 2, name, ha="right", va="center", fontsize=10)
    return fig


def latent_map(ax, z, label, size=4, names=None):
    """Codes z [N, 2] coloured by label [N], each cloud named at its median, or with a line to it.

    A label is a whole number from 0 to 9, a digit say, or a word of at most ten. names: what the
    labels 0, 1, … are called, by default as they are; words have none but their own.
    """
    z = as_array(z, "z")
    check_shape("z", z, (None, 2))
    if not hasattr(label, "detach") and np.asarray(label).dtype.kind in "USO":
        if names is not None:
            raise ValueError("label has words; names is for labels that are whole numbers.")
        names, label = np.unique(np.asarray(label).astype(str), return_inverse=True)
    label, names = check_classes("label", label, len(z)), range(10) if names is None else names
    if len(label) and label.max() >= len(names):
        raise ValueError(f"names has {len(names)} entries; label has values up to {label.max()}.")
    order = np.random.default_rng(0).permutation(len(z))
    colours = np.array(DIGIT_COLOURS)[label[order]]
    ax.scatter(*z[order].T, s=size, c=colours, linewidths=0, alpha=0.6, rasterized=True)
    together = []
    for digit in np.unique(label):
        median = np.median(z[label == digit], axis=0)
        name = _Name(str(names[digit]), median, DIGIT_COLOURS[digit], together)
        together.append(ax.add_artist(name))
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")


class _Name(Annotation):
    """The name of a cloud on its median, or beside it where the names `together` would overlap."""

    start = (0.0, 0.0)  # points from the median, before the others push

    def __init__(self, name, median, colour, together):
        self.together = together
        self.half = np.array([9.5 + 3.6 * (len(name) - 1), 9.5])  # points: across and up
        super().__init__(
            name,
            median,
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=11,
            fontweight="bold",
            color=DIGIT_LETTERS[colour],
            bbox={
                "boxstyle": f"{'circle' if len(name) < 2 else 'round'},pad=0.25",
                "fc": colour,
                "ec": "white",
            },
            arrowprops={"arrowstyle": "-", "color": "#111827", "lw": 0.8, "shrinkB": 0},
        )

    def set_position(self, xy):
        self.start = xy
        super().set_position(xy)

    def update_positions(self, renderer):
        """Find a place among the others: the axes may change until they are drawn."""
        points = 72 / self.figure.dpi
        medians = self.axes.transData.transform([name.xy for name in self.together]) * points
        starts = medians + [name.start for name in self.together]
        places = _separate(starts, np.array([name.half for name in self.together]))
        mine = self.together.index(self)
        offset = places[mine] - medians[mine]
        super().set_position(offset)
        self.arrow_patch.set_visible(np.hypot(*(offset / self.half)) > 0.2)
        super().update_positions(renderer)


def _separate(places, half):
    """Places [N, 2] pushed apart until the ellipses around them, half axes [N, 2], do not meet."""
    places, room = places.copy(), half[:, None] + half
    turn = np.arange(len(places))
    for _ in range(200):
        apart = (places[:, None] - places) / room
        far = np.hypot(*apart.T)
        np.fill_diagonal(far, np.inf)
        if far.min() >= 0.999:
            break
        same = far < 1e-9  # two in one place part in a direction of their own
        apart[same] = np.sign(turn[:, None] - turn)[same][:, None] * [1.0, 0.0]
        lack = np.clip(1 - far, 0, None) / 2
        places += (room * apart * (lack / np.where(same, 1, far))[..., None]).sum(1)
    return places


def cloud(ax, points, colour, title=None, size=1.5):
    """Points [N, 2] of the plane as small dots, both axes in the same units."""
    points = as_array(points, "points")
    ax.scatter(*points.T, s=size, c=colour, linewidths=0, alpha=0.4, rasterized=True)
    ax.set(aspect="equal", title=title)


def quantile_grid(n, low=0.02):
    """n × n points of the plane at equal steps of probability under N(0, I): [n², 2].

    The inverse of the normal distribution function turns equal steps in (0, 1) into points
    that are dense where the prior is. Row by row from the top left, as an image is read.
    """
    axis = torch.as_tensor(norm.ppf(np.linspace(low, 1 - low, n)), dtype=torch.float32)
    up = axis.flip(0)
    return torch.stack([axis.repeat(n), up.repeat_interleave(n)], dim=1)


def loss_curve(ax, history, label, colour):
    """The loss of every epoch against its number, in the units of the model's loss.

    history: what `fit` returns, or its `epoch_loss`, a list.
    """
    history = getattr(history, "epoch_loss", history)
    epochs = np.arange(1, len(history) + 1)
    ax.plot(epochs, history, color=colour)
    ax.annotate(
        label,
        (epochs[-1], history[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=colour,
    )
    ax.set(xlabel="epoch")


def reparameterization_graphs():
    """A figure of the way from x to the loss: z drawn on the left, z computed from ε on the right.

    Squares are computed, circles drawn; arrows back show how far the gradient comes [S0.10].
    Taught in chapters 08 and 09.
    """
    with style() as colour:
        fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharex=True, sharey=True)
        _graph(axes[0], colour, "z drawn from q", computed=False)
        _graph(axes[1], colour, "z computed from ε", computed=True)
    return fig


def _graph(ax, colour, title, computed):
    nodes = {
        "$x$": (0, 0, "square", colour["data"]),
        r"$\mu,\,\sigma$": (1.4, 0, "square", colour["inference"]),
        "$z$": (2.8, 0, "square" if computed else "circle", colour["latent"]),
        r"$-\mathcal{L}$": (4.2, 0, "square", colour["generative"]),
    }
    if computed:
        nodes[r"$\epsilon$"] = (2.8, 1.3, "circle", colour["exact"])
        _arrow(ax, (2.8, 1.3), (2.8, 0), "#6B7280")
    for start in (0, 1.4, 2.8):
        _arrow(ax, (start, 0), (start + 1.4, 0), "#6B7280")
    for label, (x, y, shape, edge) in nodes.items():
        box = {"boxstyle": f"{shape},pad=0.5", "fc": "white", "ec": edge, "lw": 2}
        ax.text(x, y, label, ha="center", va="center", fontsize=13, color=edge, bbox=box, zorder=3)
    names = [(0.7, r"encoder $\phi$", "inference"), (3.5, r"decoder $\theta$", "generative")]
    for x, name, idea in names:
        ax.text(x, 0.45, name, ha="center", fontsize=9, color=colour[idea])
    reaches = 0.6 if computed else 2.8
    ax.annotate(
        "",
        (reaches, -0.85),
        (4.2, -0.85),
        arrowprops={"arrowstyle": "-|>" if computed else "-[, widthB=0.6", "color": colour["gap"]},
    )
    message = "the gradient reaches φ" if computed else "the gradient stops at the draw"
    ax.text(4.2, -1.25, message, ha="right", fontsize=10, color=colour["gap"])
    ax.set(xlim=(-0.6, 4.9), ylim=(-1.6, 1.9), title=title, aspect="equal")
    ax.set_axis_off()


def _arrow(ax, start, end, colour):
    """An arrow between two nodes, from edge to edge."""
    arrow = {"arrowstyle": "-|>", "color": colour, "shrinkA": 20, "shrinkB": 20}
    ax.annotate("", end, start, arrowprops=arrow)


_INFERENCE_MAP = {
    "exact": {
        "completing the square": "the posterior is Gaussian",
        "grid": "add up over a table",
    },
    "optimization": {
        "EM": "posteriors and parameters in turn: chapter 04",
        "variational inference": "the nearest of a family",
        "variational Bayes": "the parameters are latent too: chapter 06",
        "message passing": "sums in a clever order",
        "Laplace": "a Gaussian at the peak",
    },
    "simulation": {
        "Monte Carlo": "independent draws, weighted",
        "MCMC": "a walk: Metropolis, Gibbs",
    },
}


def inference_map(measured):
    """A figure of the ways to a posterior as a tree; `measured` adds a line to the leaves it names.

    measured is a dict from the name of a leaf to a short text. Raises ValueError for a name that
    is not on the map. [S0] approximate inference; chapter 05.
    """
    leaves = [name for branch in _INFERENCE_MAP.values() for name in branch]
    unknown = set(measured) - set(leaves)
    if unknown:
        raise ValueError(f"measured names {min(unknown)!r}; the map has {', '.join(leaves)}.")
    heights, y = {}, 0.0
    for branch in _INFERENCE_MAP.values():
        for name in branch:
            heights[name], y = y, y - 1.0
        y -= 0.3  # some air between branches
    with style() as colour:
        inks = dict(zip(_INFERENCE_MAP, (colour["exact"], colour["inference"], colour["latent"])))
        fig, ax = plt.subplots(figsize=(8.5, 5))
        middle = sum(heights.values()) / len(heights)
        for branch, names in _INFERENCE_MAP.items():
            height = sum(heights[name] for name in names) / len(names)
            _branch(ax, (0.4, 0.9, 1.5, 2.2), middle, height, inks[branch])
            _map_box(ax, 2.2, height, branch, inks[branch])
            for name, what in names.items():
                _branch(ax, (2.2, 2.9, 3.2, 3.4), height, heights[name], inks[branch])
                _leaf(ax, heights[name], name, what, measured.get(name), inks[branch])
        _map_box(ax, 0.4, middle, "$p(z \\mid x)$ ?", colour["data"])
        ax.set(xlim=(-0.2, 9.4), ylim=(y, 0.6), title="Ways to a posterior")
        ax.set_axis_off()
    return fig


def _branch(ax, x, start, end, ink):
    """Level at `start` from x[0] to x[1], level at `end` from x[2] to x[3], smooth between."""
    t = np.linspace(0, 1, 40)
    ease = start + (end - start) * t * t * (3 - 2 * t)
    across = x[1] + (x[2] - x[1]) * t
    ax.plot([x[0], *across, x[3]], [start, *ease, end], color=ink, linewidth=1.2)


def _map_box(ax, x, y, label, ink):
    box = {"boxstyle": "round,pad=0.45", "fc": "white", "ec": ink, "lw": 1.6}
    ax.text(x, y, label, ha="center", va="center", fontsize=11, color=ink, bbox=box, zorder=3)


def _leaf(ax, y, name, what, measured, ink):
    ax.text(3.5, y, name, ha="left", va="center", fontsize=11, color=ink)
    lift = 0.16 if measured else 0.0
    ax.text(5.75, y + lift, what, ha="left", va="center", fontsize=9, color="#374151")
    if measured:
        ax.text(5.75, y - 0.2, measured, ha="left", va="center", fontsize=9, color="#6B7280")
