"""What a run leaves beside its weights: the figures say what the record says."""

import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

import vaecourse as vc
from vaecourse.experiments import datasets, output
from vaecourse.palette import DIGIT_COLOURS

matplotlib.use("Agg")


@pytest.fixture
def images():
    x = torch.rand(12, 6, generator=torch.Generator().manual_seed(0))
    return datasets.TestData(2 * x, shape=(2, 3))


def test_the_loss_curve_has_the_loss_of_every_epoch():
    fig = output._loss([5.0, 3.0, 2.5], vc.models.VAE.loss_unit)
    (line,) = fig.axes[0].lines
    assert line.get_xydata().tolist() == [[1, 5], [2, 3], [3, 2.5]]
    assert "nats" in fig.axes[0].get_ylabel()
    plt.close(fig)


def test_the_latent_map_of_data_without_labels_shows_the_codes_of_test_data(images):
    vae = vc.models.VAE(6, 2, (4,), posterior="exponential", likelihood="gaussian")
    with torch.no_grad():
        fig = output._latent(vae, images)
    points = fig.axes[0].collections[0].get_offsets()
    assert np.allclose(points, vae.encode(images.x).mean.detach().numpy())
    plt.close(fig)


def test_the_latent_map_of_an_idle_latent_is_no_strip(images):
    vae = vc.models.VAE(6, 2, (4,), likelihood="gaussian")
    with torch.no_grad():
        vae.encoder[-1].weight[1], vae.encoder[-1].bias[1] = 0, 0
        fig = output._latent(vae, images)
    fig.canvas.draw()
    box = fig.axes[0].get_window_extent()
    assert box.height / box.width == pytest.approx(1, rel=0.15)
    plt.close(fig)


def test_reconstructions_stand_under_the_data_on_the_same_scale(images):
    vae = vc.models.VAE(6, 2, (4,), likelihood="gaussian", noise_variance=0.1)
    with torch.no_grad():
        fig = output._reconstructions(vae, images)
    canvases = [ax.images[0].get_array()[:2, :3] for ax in fig.axes]
    decoded = vae.reconstruct(images.x[:8])[0].view(2, 3)
    white = images.x[:8].max()
    assert np.allclose(canvases[0], images.x[0].view(2, 3) / white)
    assert np.allclose(canvases[1], (decoded / white).clamp(0, 1))
    plt.close(fig)


def test_tensorboard_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match="TensorBoard is not installed: install it .*pip install"):
        output.check_tensorboard()


@pytest.mark.parametrize("kinds", [["ash", "fig", "pear"], ["8", "9", "10"]])
def test_the_latent_map_names_kinds_of_ones_own_and_gives_each_its_colour(kinds):
    vae = vc.models.VAE(6, 2, (4,))
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(0))
    test = datasets.TestData(x, torch.tensor([2, 1, 2, 2]), kinds=kinds)
    with torch.no_grad():
        fig = output._latent(vae, test)
    texts = [(t.get_text(), t.get_bbox_patch().get_facecolor()) for t in fig.axes[0].texts]
    assert texts == [(kinds[k], to_rgba(DIGIT_COLOURS[k])) for k in (1, 2)]
    plt.close(fig)
