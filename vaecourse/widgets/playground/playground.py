"""The playground, Python side: the knobs with their choices, and the digits as bits."""

import numpy as np
import traitlets

from vaecourse import data
from vaecourse._arguments import check_choice
from vaecourse.palette import DIGIT_COLOURS
from vaecourse.widgets.packing import pack
from vaecourse.widgets.playground.lessons import LESSONS
from vaecourse.widgets.shared import Explorer, Hand, page_files

WIDTHS = (8, 16, 32, 64, 128)
# For each setting its name on the page and its choices, a value and its name; the first value of
# START is where a run begins.
KNOBS = {
    "data": (
        "Data set",
        {
            "rotated_gaussian": "rotated Gaussian",
            "axis_aligned_gaussian": "axis-aligned Gaussian",
            "figure_eight": "figure eight",
            "three_blobs": "three blobs",
            "gaussian_mixture": "Gaussian mixture",
            "digits": "8 × 8 digits",
            "mnist": "MNIST, 10,000 digits",
            "own": "your own points",
        },
    ),
    "points": ("Points", {n: f"{n:,}" for n in (20, 100, 500, 2_000, 20_000)}),
    "seed": ("Seed", {n: str(n) for n in range(10)}),
    "latents": ("Latents", {1: "1", 2: "2"}),
    "noise": ("Variance of x", {"from_z": "given by z", "shared": "one for all z"}),
    "layers": ("Hidden layers", {1: "1", 2: "2"}),
    "width": ("Width of a layer", {n: str(n) for n in WIDTHS}),
    "full": ("Covariance of q", {False: "diagonal", True: "full"}),
    "beta": ("β", {b: f"{b:g}" for b in (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 20.0)}),
    "warmup": ("Warm-up, epochs", {n: str(n) for n in (0, 10, 20, 50, 100)}),
    "rate": (
        "Learning rate",
        {r: f"{r:g}" for r in (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.1, 1.0, 10.0)},
    ),
    "batch": ("Batch", {n: str(n) for n in (16, 32, 64, 128, 256)}),
    "epochs": ("Stop after, epochs", {0: "never", **{n: str(n) for n in (20, 50, 100, 150, 500)}}),
}
START = {
    "data": "rotated_gaussian",
    "points": 2_000,
    "seed": 0,
    "latents": 2,
    "noise": "from_z",
    "layers": 2,
    "width": 32,
    "full": False,
    "beta": 1.0,
    "warmup": 0,
    "rate": 0.001,
    "batch": 64,
    "epochs": 0,
}


def _choice(name, value):
    """The one of the knob's choices that `value` equals: True for 1."""
    choices = list(KNOBS[name][1])
    check_choice(name, value, choices)
    return next(choice for choice in choices if choice == value)


class Playground(Explorer):
    """A VAE that trains in the page: knobs, samples, codes, and the bound beside log p(x).

    title: the line above the picture.
    lesson: the name of one of `LESSONS` to start with.
    data, points, seed, latents, noise, layers, width, full, beta, warmup, rate, batch, epochs:
        where the knobs stand at first, each one of its choices in `KNOBS`; while a kernel runs,
        they follow the hand. The training itself stays in the page.

    The chart shows, in nats a point and on 256 test points: the mean of the data's own log p*(x),
    where it is known, which no model can exceed on average; log p(x) of the model, by quadrature
    over z; and the ELBO. Weights, noise and gradients are float64, and the arithmetic equals
    torch's (`tests/widgets/test_playground.py`).

    Raises ValueError for an unknown lesson or a setting that is none of its choices.
    """

    _esm, _css = page_files(
        "playground",
        "networks.js",
        "playground/engine.js",
        "playground/data.js",
        "playground/session.js",
        "playground/chart.js",
        "playground/words.js",
    )
    spec = traitlets.Dict().tag(sync=True)
    digits = traitlets.Bytes().tag(sync=True)
    mnist = traitlets.Bytes().tag(sync=True)
    data = Hand(START["data"], _choice)
    points = Hand(START["points"], _choice)
    seed = Hand(START["seed"], _choice)
    latents = Hand(START["latents"], _choice)
    noise = Hand(START["noise"], _choice)
    layers = Hand(START["layers"], _choice)
    width = Hand(START["width"], _choice)
    full = Hand(START["full"], _choice)
    beta = Hand(START["beta"], _choice)
    warmup = Hand(START["warmup"], _choice)
    rate = Hand(START["rate"], _choice)
    batch = Hand(START["batch"], _choice)
    epochs = Hand(START["epochs"], _choice)

    def __init__(self, *, title="A variational autoencoder, trained by you", lesson="", **settings):
        if lesson:
            check_choice("lesson", lesson, list(LESSONS))
        start = START | (LESSONS[lesson]["settings"] if lesson else {}) | settings
        for name, value in settings.items():
            check_choice("setting", name, list(KNOBS))
            check_choice(name, value, list(KNOBS[name][1]))
        spec = {
            "title": title,
            "start": start,
            "lessons": LESSONS,
            "order": list(LESSONS),  # of the menu: a page may sort keys
            "colours": DIGIT_COLOURS,
            "knobs": {
                name: {"label": label, "choices": [list(choice) for choice in choices.items()]}
                for name, (label, choices) in KNOBS.items()
            },
        }
        super().__init__(spec=spec, digits=packed_digits(), **start)
        self.on_msg(self._send_mnist)

    def _send_mnist(self, *_):
        self.mnist = packed_mnist()


def packed_mnist():
    """10,000 training images of MNIST and 256 test images, sampled to zeros and ones, as `pack`
    packs their bits and the labels of the test images: 0.3 MB, sent only to who asks for them."""
    train, test = (data.mnist(split, binarize="sample") for split in ("train", "test"))
    x = np.concatenate([train.x[:10_000].numpy(), test.x[:256].numpy()]).astype(np.uint8)
    arrays = {"bits": np.packbits(x), "labels": test.label[:256].numpy().astype(np.uint8)}
    return pack(arrays)[0]


def packed_digits():
    """scikit-learn's 1,797 images of 8 × 8, cut at half of the grey, as bits; then their labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.packbits(digits.data >= 8).tobytes() + digits.target.astype(np.uint8).tobytes()
