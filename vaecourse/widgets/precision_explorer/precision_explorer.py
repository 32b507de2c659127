"""The precision explorer, Python side: where to start, and the numbers of the page."""

import math

import traitlets

from vaecourse.inference.posteriors import identity_posterior
from vaecourse.widgets.shared import Explorer, Hand, check_number, page_files

RANGES = {"x": (-3.0, 3.0), "alpha": (0.2, 4.0), "beta": (0.2, 4.0), "step": (0.05, 20.0)}
START = {"x": 2.0, "alpha": 1.0, "beta": 1.0, "step": 0.1}


def numbers(x, alpha, beta, step):
    """A dict: mean and sd of the posterior; of the walk once it has settled, accepted, the share
    of accepted steps, and correlation, that of neighbouring states.

    A step δ from a draw of N(0, 1) is accepted with probability 2Φ(−|δ|/2) on average over the
    draws; both numbers are its integrals over δ ~ N(0, step²).
    """
    posterior = identity_posterior([x], alpha, beta)
    half = step / 2
    angle = math.atan(1 / half)
    jump = step**2 * 2 / math.pi * (angle - half / (1 + half**2))  # its mean square
    return {
        "mean": posterior.mean.item(),
        "sd": posterior.covariance.sqrt().item(),
        "accepted": 2 / math.pi * angle,
        "correlation": 1 - jump / 2,
    }


class PrecisionExplorer(Explorer):
    """One latent under a Gaussian prior, seen once through Gaussian noise, and a walk on it.

    title: the line above the picture.
    x, alpha, beta, step: where to start: the observation, -3 to 3; the precisions of the prior
        N(0, 1/alpha) and of the noise, 0.2 to 4; and the length of the steps that the Metropolis
        algorithm proposes, 0.05 to 20 standard deviations of the posterior. While a kernel runs,
        they follow the hand, and `explorer.values` holds the numbers on the page.

    Raises ValueError for anything else. Source: chapter 05; [S3] section 1.2.
    """

    _esm, _css = page_files("precision_explorer", "log_axis.js")
    spec = traitlets.Dict().tag(sync=True)
    x = Hand(START["x"], check_number, *RANGES["x"])
    alpha = Hand(START["alpha"], check_number, *RANGES["alpha"])
    beta = Hand(START["beta"], check_number, *RANGES["beta"])
    step = Hand(START["step"], check_number, *RANGES["step"])

    def __init__(self, *, title="How sure, and how far to step?", **traits):
        super().__init__(**traits)
        start = {name: getattr(self, name) for name in START}
        ranges = {name: list(ends) for name, ends in RANGES.items()}
        self.spec = {"title": title, "start": start, "ranges": ranges}

    @property
    def values(self):
        """A dict: what `numbers` says of the place where the explorer stands."""
        return numbers(**{name: getattr(self, name) for name in START})
