"""The KL explorer, Python side: the target, its best Gaussians, and the numbers of the page."""

import torch
import traitlets
from torch.distributions import Normal

from vaecourse._arguments import check_choice
from vaecourse.evaluation.divergence import (
    fit_gaussian,
    gaussian_mixture,
    kl_by_quadrature,
    match_moments,
)
from vaecourse.widgets.shared import Explorer, Hand, check_number, check_numbers, page_files

DIRECTIONS = ("forward", "reverse")
START = {"q": [0.5, 1.0], "direction": "forward"}
RANGES = {"mean": (-20, 20), "standard deviation": (0.05, 20)}


class KLExplorer(Explorer):
    """A Gaussian q to move by hand over a target p with two modes, and KL in both directions.

    The target is p = weight N(means[0], scales[0]²) + (1 − weight) N(means[1], scales[1]²).

    weight: number from 0.1 to 0.9. means: two numbers from −5 to 5. scales: two standard
        deviations from 0.3 to 2.
    title: the line above the picture.
    q, direction: where to start: [mean, standard deviation] of q, and whether the integrand drawn
        is that of KL(p ‖ q), "forward", or of KL(q ‖ p), "reverse"; while a kernel runs, they
        follow the hand, and `explorer.values` holds the numbers on the page.

    Divergences are by quadrature, in nats. The Gaussians of "Show best" are `match_moments` for
    the forward direction, and every local minimum that `fit_gaussian` finds for the reverse one.

    Raises ValueError for numbers out of these ranges, for a target with a single mode, for an
    unknown direction, and for a q whose deviation is not positive. Source: chapter 03;
    [Bis06] section 10.1.2.
    """

    _esm, _css = page_files("kl_explorer", "normal_plot.js")
    spec = traitlets.Dict().tag(sync=True)
    q = Hand(START["q"], check_numbers, RANGES)
    direction = Hand(START["direction"], check_choice, DIRECTIONS)

    def __init__(
        self,
        weight=0.6,
        means=(-2.0, 2.5),
        scales=(0.5, 0.8),
        *,
        title="Two ways to be far from p",
        **traits,
    ):
        weight = check_number("weight", weight, 0.1, 0.9)
        means = check_numbers("means", means, {"first": (-5, 5), "second": (-5, 5)})
        scales = check_numbers("scales", scales, {"first": (0.3, 2), "second": (0.3, 2)})
        self._target = gaussian_mixture([weight, 1 - weight], means, scales)
        _check_modes(self._target, means)
        best = {
            "forward": [list(match_moments(self._target))],
            "reverse": [list(fit) for fit in fit_gaussian(self._target, "reverse")],
        }
        target = [[weight, means[0], scales[0]], [1 - weight, means[1], scales[1]]]
        super().__init__(**traits)
        start = {name: getattr(self, name) for name in START}
        self.spec = {"title": title, "target": target, "best": best, "start": start}

    @property
    def values(self):
        """A dict of two numbers in nats: forward, KL(p ‖ q), and reverse, KL(q ‖ p)."""
        q = Normal(*torch.tensor(self.q, dtype=torch.float64))
        return {
            "forward": kl_by_quadrature(self._target, q).item(),
            "reverse": kl_by_quadrature(q, self._target).item(),
        }


def _check_modes(target, means):
    # the modes of a mixture of two Gaussians lie between its means
    z = torch.linspace(min(means), max(means), 2001, dtype=torch.float64)
    slope = target.log_prob(z).diff()
    if not ((slope[:-1] < 0) & (slope[1:] > 0)).any():
        raise ValueError(
            "The target has a single mode; its means must be farther apart, or its scales smaller."
        )
