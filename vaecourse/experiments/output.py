"""What a training run leaves beside its weights: figures, and a log for TensorBoard."""

import os
import shutil

import matplotlib.pyplot as plt
import torch

from vaecourse import checkpoint
from vaecourse import figures as plots
from vaecourse._files import replacing
from vaecourse.experiments import datasets

SHOWN = 2_000  # test rows on a latent map
PICTURES = 8  # images that are reconstructed


@torch.no_grad()
def figures(path, params):
    """Draw the model saved under `path` (no suffix); `params` is the section `data` it was given.

    Writes PNG files: `path`_loss, `path`_latent where there are two latents, and
    `path`_reconstructions where the data are images. Returns their paths.
    """
    model, record = checkpoint.load(path)
    test = datasets.test_data(params)
    drawn = {"loss": _loss(record["epoch_loss"], model.loss_unit)}
    if "latent" in model.shows and model.latent_dim == 2:
        drawn["latent"] = _latent(model, test)
    if "reconstructions" in model.shows and test.shape is not None:
        drawn["reconstructions"] = _reconstructions(model, test)
    return [_save(fig, path.with_name(f"{path.name}_{name}.png")) for name, fig in drawn.items()]


def _loss(epoch_loss, unit):
    with plots.style():
        fig, ax = plt.subplots()
        ax.plot(range(1, len(epoch_loss) + 1), epoch_loss, marker="o", markersize=3)
        ax.set(title="Training loss", xlabel="epoch", ylabel=unit)
    return fig


def _latent(model, test):
    x = test.x[:SHOWN]
    z = model.codes(x)
    with plots.style():
        fig, ax = plt.subplots(figsize=(6, 6))
        if test.label is not None:
            plots.latent_map(ax, z, test.label[:SHOWN], names=test.kinds)
        else:
            ax.scatter(*z.T.numpy(), s=4, linewidths=0, alpha=0.6)
            ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
        ax.set_adjustable("datalim")  # no strip where one latent is idle
        ax.set_title("Codes of test data")
    return fig


def _reconstructions(model, test):
    x = test.x[:PICTURES]
    white = x.max().clamp(min=1e-12)
    rows = {"data": x, "decoded": model.reconstruct(x)}
    return plots.image_rows({name: (r / white).clamp(0, 1) for name, r in rows.items()}, test.shape)


def _save(fig, path):
    with replacing(path) as temporary:
        fig.savefig(temporary, format="png")
    plt.close(fig)
    return path


def check_tensorboard():
    """Raise ValueError unless TensorBoard is installed."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise ValueError(
            "TensorBoard is not installed: install it (`pip install tensorboard`), or leave "
            "--tensorboard out."
        ) from None


def tensorboard(path, record):
    """Write the loss of every epoch and the final metrics to the folder `path`_tensorboard."""
    from torch.utils.tensorboard import SummaryWriter

    folder = path.with_name(f"{path.name}_tensorboard")
    temporary = path.with_name(f".{folder.name}.{os.getpid()}.part")
    with SummaryWriter(temporary) as writer:
        for epoch, loss in enumerate(record["epoch_loss"], start=1):
            writer.add_scalar("loss", loss, epoch)
        for name, value in record["metrics"].items():
            writer.add_scalar(f"test/{name}", value, len(record["epoch_loss"]))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return folder
