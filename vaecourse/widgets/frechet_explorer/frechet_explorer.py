"""The Fréchet explorer, Python side: where the two Gaussians start, and the numbers of the page."""

import math

import torch
import traitlets
from torch.distributions import MultivariateNormal, kl_divergence

from vaecourse.evaluation.frechet import frechet_distance
from vaecourse.widgets.shared import Explorer, Hand, check_numbers, page_files

# of a Gaussian: the mean, two standard deviations, and the angle of the first of their axes
RANGES = {
    "x": (-4, 4),
    "y": (-3, 3),
    "width 1": (0.1, 2),
    "width 2": (0.1, 2),
    "angle": (-180, 180),
}
START = {"first": (-1.4, -0.5, 1.3, 0.45, 75.0), "second": (1.1, 0.3, 1.3, 0.6, -20.0)}


class FrechetExplorer(Explorer):
    """Two Gaussians in the plane to drag and turn, and their Fréchet distance in its two parts.

    The squared distance |m1 − m2|² + tr(C1 + C2 − 2 (C1^½ C2 C1^½)^½) is in the square of the
    axes' unit. The arrows are the optimal map x ↦ m2 + A (x − m1) at twelve points of the ellipse
    at √2 standard deviations, where the mean of their squared lengths is that distance exactly.
    KL in both directions stands below, in nats.

    title: the line above the picture.
    first, second: where to start: [x, y, standard deviation along axis 1 and along axis 2, angle
        of axis 1 in degrees]; x from −4 to 4, y from −3 to 3, deviations from 0.1 to 2. While a
        kernel runs, both follow the hand, and `explorer.values` holds the numbers on the page.

    Raises ValueError for anything else. Source: chapter 13; [DL82].
    """

    _esm, _css = page_files("frechet_explorer")
    spec = traitlets.Dict().tag(sync=True)
    first = Hand(list(START["first"]), check_numbers, RANGES)
    second = Hand(list(START["second"]), check_numbers, RANGES)

    def __init__(self, *, title="How far apart are two Gaussians?", **traits):
        super().__init__(**traits)
        start = {name: getattr(self, name) for name in START}
        self.spec = {"title": title, "start": start, "ranges": list(RANGES.values())}

    @property
    def values(self):
        """A dict of numbers: means and covariances, the parts of distance, the squared distance;
        forward and reverse, KL(first ‖ second) and KL(second ‖ first) in nats."""
        one, two = _gaussian(self.first), _gaussian(self.second)
        origin = torch.zeros(2)
        return {
            "means": (one.mean - two.mean).square().sum().item(),
            "covariances": frechet_distance(
                origin, one.covariance_matrix, origin, two.covariance_matrix
            ),
            "distance": frechet_distance(
                one.mean, one.covariance_matrix, two.mean, two.covariance_matrix
            ),
            "forward": kl_divergence(one, two).item(),
            "reverse": kl_divergence(two, one).item(),
        }


def _gaussian(numbers):
    x, y, width1, width2, angle = numbers
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    factor = torch.tensor([[c * width1, -s * width2], [s * width1, c * width2]], dtype=torch.double)
    return MultivariateNormal(torch.tensor([x, y], dtype=torch.double), factor @ factor.T)
