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
