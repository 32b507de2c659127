"""What the convolutional VAE scores on CIFAR-10, for a page that cannot show the photographs.

    vaecourse reproduce cifar10_scores

writes `data/results/cifar10_scores.json`: bits per dimension against the number of draws, and
Fréchet distances from test images at several sample sizes, in pixels and in the features of
Inception. Beside it, `cifar10_scores.safetensors` holds the few test images that chapter 13 shows.
It needs the photographs (`vaecourse data fetch cifar10`) and the extra `inception`, and takes about
half an hour on one core. Shown in chapter 13.
"""

import json
import time

import torch

from vaecourse import checkpoint, data
from vaecourse._files import check_writable, read_tensors, write_tensors, write_text
from vaecourse.evaluation import (
    bits_per_dimension,
    extrapolated_frechet_distance,
    importance_log_likelihood,
    inception_features,
)
from vaecourse.models.base import error_of_mean

NAME = "cifar10_scores"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"
MODEL = "cifar10_conv_vae"
DRAWS, IMAGES = (1, 10, 100), 500  # of the bits per dimension
SIZES, REPEATS = (500, 1_000, 2_000), 2  # of the Fréchet distances
SHOWN = 16
FEATURES = {"pixels": lambda x: x, "inception": inception_features}
SOURCE = "The first test images of CIFAR-10: A. Krizhevsky, 2009; no licence was found."


def run(
    path=PATH,
    draws=DRAWS,
    images=IMAGES,
    sizes=SIZES,
    features=None,
    command=f"vaecourse reproduce {NAME}",
):
    """Score the shipped model, write the record and the images beside it; returns the record.

    features: a dict of functions of images [N, 3072]; by default, pixels and Inception.
    """
    check_writable(path)
    model, trained = checkpoint.pretrained(MODEL)
    train, test = (data.cifar10(split).x[: max(sizes)] for split in ("train", "test"))
    start = time.perf_counter()
    sets = compared(model, train, test)
    metrics = {
        "bits_per_dimension": [bits(model, test[:images], count) for count in draws],
        "frechet": [
            row
            for name, function in (features or FEATURES).items()
            for row in distances(name, function, test, sets, sizes)
        ],
    }
    record = {
        "model": MODEL,
        "weights_sha256": trained["weights_sha256"],
        "setting": {"images": images, "sizes": list(sizes), "repeats": REPEATS},
        **checkpoint.provenance(command, time.perf_counter() - start, metrics),
    }
    write_text(path, json.dumps(record) + "\n")
    shown = (255 * test[:SHOWN]).round().to(torch.uint8)
    write_tensors(path.with_suffix(".safetensors"), {"test_images": shown}, {"source": SOURCE})
    return record


def bits(model, x, draws):
    """−log p(x) of the rows of x by `draws` importance-weighted draws, in bits per dimension.

    standard_error: over images. shown: the values of the images that ship, drawn first, so that
    anybody can find them again.
    """
    generator = torch.Generator().manual_seed(draws)
    parts = [rows for rows in (x[:SHOWN], x[SHOWN:]) if len(rows)]
    estimates = [importance_log_likelihood(model, rows, draws, generator) for rows in parts]
    values = bits_per_dimension(torch.cat(estimates), x.shape[1])
    return {
        "draws": draws,
        "mean": values.mean().item(),
        "standard_error": error_of_mean(values),
        "shown": values[:SHOWN].tolist(),
    }


@torch.no_grad()
def compared(model, train, test):
    """What is held against the test images [N, D]: a dict of as many images, by name."""
    generator = torch.Generator().manual_seed(0)
    z = model.prior.sample((len(test),), generator)
    samples = [model.decode(rows).sample((), generator) for rows in z.split(500)]
    return {
        "train": train,
        "samples": torch.cat(samples),
        "reconstructions": torch.cat([model.reconstruct(rows) for rows in test.split(500)]),
    }


def distances(name, function, test, others, sizes):
    """A row for each of `others`: its Fréchet distance from `test` at every size, and the limit."""
    reference = function(test)
    rows = []
    for other, images in others.items():
        curve = extrapolated_frechet_distance(function(images), reference, sizes, REPEATS)
        rows.append(
            {
                "features": name,
                "images": other,
                "distances": curve.distances.mean(1).tolist(),
                "limit": curve.limit,
            }
        )
    return rows


def shown_images(path=PATH):
    """The test images that ship, as rows [16, 3072] in [0, 1]."""
    tensors, _ = read_tensors(path.with_suffix(".safetensors"))
    return tensors["test_images"].float() / 255
