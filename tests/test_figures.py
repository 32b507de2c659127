"""The shared plots: what they draw, and that the style stays inside its block."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sentences import refused
from torch.distributions import Normal

import vaecourse as vc

matplotlib.use("Agg")


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_style_ends_with_its_block():
    before = dict(matplotlib.rcParams)
    with vc.figures.style() as colours:
        assert matplotlib.rcParams["figure.dpi"] == 150
        assert colours["generative"] == "#0072B2"
    assert dict(matplotlib.rcParams) == before


def test_image_grid_puts_images_where_they_are_read(ax):
    images = torch.stack([torch.full((4,), level) for level in (0.1, 0.2, 0.3)])
    vc.figures.image_grid(ax, images, columns=2, shape=(2, 2), gap=1)
    canvas = ax.images[0].get_array()
    assert canvas.shape == (5, 5)
    assert canvas[0, 0] == pytest.approx(0.1)
    assert canvas[0, 3] == pytest.approx(0.2)
    assert canvas[3, 0] == pytest.approx(0.3)
    assert canvas.mask[2].all() and canvas.mask[3:, 3:].all()  # the page shows
    assert ax.images[0].cmap(canvas)[2, 0, 3] == 0


def test_images_in_colour_are_given_plane_after_plane(ax):
    planes = torch.arange(12.0) / 15
    vc.figures.image_grid(ax, planes[None], columns=1, shape=(3, 2, 2))
    canvas = ax.images[0].get_array()
    assert canvas.shape == (2, 2, 4)
    assert canvas.dtype == np.uint8  # of floats with alpha, matplotlib warns in an SVG
    assert canvas[0, 1].tolist() == [17, 85, 153, 255]  # fifteenths of 255
    vc.figures.image_grid(ax, planes[None].repeat(2, 1), columns=2, shape=(3, 2, 2), gap=1)
    assert ax.images[1].get_array()[0, :, 3].tolist() == [255, 255, 0, 255, 255]


def test_quantile_grid_takes_equal_steps_of_probability_row_by_row_from_the_top():
    points = vc.figures.quantile_grid(5, low=0.1)
    probability = Normal(0.0, 1.0).cdf(points)
    steps = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])
    assert (probability[:5, 0] - steps).abs().max() < 1e-6
    assert (probability[:5, 1] - 0.9).abs().max() < 1e-6
    assert (probability[-5:, 1] - 0.1).abs().max() < 1e-6


def test_latent_map_names_each_digit_at_its_median(ax):
    z = torch.tensor([[0.0, 0.0], [2.0, 2.0], [1.0, 1.0], [5.0, -5.0]])
    vc.figures.latent_map(ax, z, torch.tensor([3, 3, 3, 8]))
    places = {text.get_text(): tuple(text.xy) for text in ax.texts}
    assert places == {"3": (1.0, 1.0), "8": (5.0, -5.0)}


def test_names_that_would_hide_each_other_stand_apart_with_a_line_to_their_medians(ax):
    """However the axes change after the map is drawn; a name with room stays on its median."""
    centre = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [9.0, 9.0]])
    vc.figures.latent_map(ax, centre, [0, 1, 2, 3, 4])
    for left in (-1, -40):
        ax.set(xlim=(left, 10), ylim=(left, 10))
        ax.figure.canvas.draw()
        points = 72 / ax.figure.dpi
        medians = ax.transData.transform(centre) * points
        offsets = torch.tensor([text.get_position() for text in ax.texts])
        places = torch.tensor(medians) + offsets
        assert torch.pdist(places).min() >= 2 * 9.5 * 0.99
        assert offsets[:4].norm(dim=1).max() < 2 * 2 * 9.5
        assert offsets[4].tolist() == [0, 0]
        shown = [text.arrow_patch.get_visible() for text in ax.texts]
        assert shown == [True, True, True, True, False]
        for text, median in zip(ax.texts[:4], medians):
            end = text.arrow_patch.get_path().vertices[-1] * points
            assert end == pytest.approx(median, abs=0.01)


def test_latent_map_takes_words_and_lists_and_refuses_what_has_no_colour(ax):
    z = [[0.0, 0.0], [2.0, 2.0], [5.0, -5.0]]
    vc.figures.latent_map(ax, z, ["pear", "pear", "fig"])
    places = {text.get_text(): tuple(text.xy) for text in ax.texts}
    assert places == {"pear": (1.0, 1.0), "fig": (5.0, -5.0)}
    with pytest.raises(ValueError, match=r"^names has 1 entries; label has values up to 1\.$"):
        vc.figures.latent_map(ax, z, [0, 1, 1], names=["fig"])
    assert refused(vc.figures.latent_map, ax, z, ["pear", "pear", "fig"], names=["a", "b"]) == (
        "label has words; names is for labels that are whole numbers."
    )
    vc.figures.latent_map(ax, z, [0, 0, 1], names=["plum", "lime"])
    assert [text.get_text() for text in ax.texts][2:] == ["plum", "lime"]
    assert refused(vc.figures.latent_map, ax, z, [1, 2, 10]) == (
        "label has values other than the integers 0 to 9; at most ten kinds, words say, become "
        "such numbers by np.unique(label, return_inverse=True)[1]."
    )


@pytest.mark.parametrize(
    ("images", "shape", "sentence"),
    [
        (
            np.full((4, 192), 255, np.uint8),
            (3, 8, 8),
            "images has values up to 255; these look like grey levels, whole numbers from 0 to "
            "255: divide by 255.",
        ),
        (
            torch.full((4, 64), 254.5),
            (8, 8),
            "images has values up to 254.5; these look like grey levels, numbers from 0 to 255: "
            "divide by 255.",
        ),
        (
            np.full((4, 64), 4000.0),
            (8, 8),
            "images has values up to 4000; if these are levels from 0 to 4095, divide by 4095.",
        ),
        (
            np.zeros((4, 8, 8, 3)),
            (3, 8, 8),
            "each row of images has the axes [8, 8, 3]; it must have [3, 8, 8] (move the channel "
            "axis first: numpy.moveaxis(x, -1, 1)).",
        ),
        (
            np.zeros((4, 3, 8, 8)),
            (8, 8),
            "each row of images has the axes [3, 8, 8]; it must have [8, 8].",
        ),
        (np.zeros((4, 191)), (3, 8, 8), "images has shape [4, 191]; it must be [..., 192]."),
        (
            np.zeros((4, 8, 8, 3)),
            (8, 8, 3),
            "shape is (8, 8, 3); it must be (height, width) or (3, height, width), whole numbers.",
        ),
        (
            np.zeros((4, 64)),
            64,
            "shape is 64; it must be (height, width) or (3, height, width), whole numbers.",
        ),
    ],
)
def test_images_that_would_be_drawn_wrong_are_refused(ax, images, shape, sentence):
    assert refused(vc.figures.image_grid, ax, images, 2, shape) == sentence
    assert not ax.images


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ((4, 4), (2, 2)),
        ((2, 2, 4), (2, 2)),
        ((4, 2, 2), (2, 2)),
        ((4, 1, 2, 2), (2, 2)),
        ((4, 2, 2), (1, 2, 2)),
        ((4, 1, 2, 2), (1, 2, 2)),
    ],
)
def test_images_may_have_their_axes(ax, axes, shape):
    images = (np.arange(16) / 15).reshape(axes)
    vc.figures.image_grid(ax, images, 2, shape, gap=0)
    canvas = 15 * np.asarray(ax.images[0].get_array())
    assert canvas.round().tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_one_image_may_have_its_axes_and_what_is_outside_0_to_1_is_cut(ax):
    vc.figures.image_grid(ax, [[-0.7, 0.5], [1.5, 15.0]], 1, (2, 2))
    assert ax.images[0].get_array().tolist() == [[-0.7, 0.5], [1.5, 15.0]]
    assert ax.images[0].get_clim() == (0, 1)


def test_counts_of_columns_and_rows_without_names_are_refused(ax):
    assert refused(vc.figures.image_grid, ax, torch.zeros(4, 4), 0, (2, 2)) == (
        "columns is 0; it must be an integer of at least 1."
    )
    assert refused(vc.figures.image_rows, [torch.zeros(4, 4)]) == (
        "named_images is a list; it must be a dict of names and images."
    )


def test_a_history_of_fit_is_drawn_as_its_losses(ax):
    history = vc.training.fit(
        vc.models.VAE(4, 2, [3]), torch.eye(4), epochs=3, batch_size=4, progress=False
    )
    for given in (history, history.epoch_loss):
        vc.figures.loss_curve(ax, given, "VAE", "black")
    for line in ax.lines:
        assert line.get_xdata().tolist() == [1, 2, 3]
        assert list(line.get_ydata()) == history.epoch_loss
