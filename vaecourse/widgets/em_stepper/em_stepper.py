"""The EM stepper, Python side: the points, and where the components start."""

import torch
import traitlets

from vaecourse._arguments import check_whole
from vaecourse.data import synthetic
from vaecourse.inference.em import GaussianMixture
from vaecourse.palette import DIGIT_COLOURS, DIGIT_LETTERS
from vaecourse.widgets.shared import (
    Explorer,
    Hand,
    check_number,
    check_points,
    page_files,
)

COMPONENTS = 3
MEANS = [[0.0, 0.0], [2.0, 4.0], [-1.0, -3.0]]
MOST_POINTS, MOST_STEPS = 2000, 400
# blue, red and green, dark enough for a white page and light enough for a dark one
COLOURS = {
    theme: [DIGIT_COLOURS[k] for k in digits]
    for theme, digits in {"light": (0, 1, 8), "dark": (0, 6, 7)}.items()
}


class EMStepper(Explorer):
    """Points in the plane, three Gaussians to place by hand, and E and M steps one at a time.

    x: points [N, 2] from 10 to 2000 of them; by default 240 of the synthetic set
        "gaussian_mixture". means: where the three components start, [[x, y], ...]; by default
        spread over the points, unevenly. Weights start equal, and covariances at a third of that
        of the points. regularization: as for `vc.inference.GaussianMixture`.
    title: the line above the picture.
    means, steps: where the components start and how many half steps have been taken, E, M, E and
        so on; while a kernel runs, both follow the hand, and `stepper.mixture` is the
        `GaussianMixture` they lead to. A component moved by hand starts the climb anew.

    After an E step the points take the colours of their responsibilities and the bound touches
    the log-likelihood; an M step moves the components, here with their one and two standard
    deviations, and raises the bound. Values are in nats per point; with regularization r > 0 the
    log-likelihood includes its penalty, as `GaussianMixture.objective` does. A component that
    turns singular stops the M step, and the page says so.

    Raises ValueError for other shapes, for numbers that are not finite, for points on a line
    along an axis, for means outside the picture, and for a negative regularization. Source:
    chapter 04; [Bis06] section 9.2.
    """

    _esm, _css = page_files("em_stepper")
    spec = traitlets.Dict().tag(sync=True)
    means = Hand()
    steps = Hand(0, check_whole, MOST_STEPS)

    def __init__(
        self,
        x=None,
        *,
        means=None,
        regularization=1e-6,
        title="EM, half a step at a time",
        **traits,
    ):
        self._x = synthetic("gaussian_mixture", 240).x.double() if x is None else _points(x)
        middle, spread = self._x.mean(0), self._x.std(0)
        low, high = self._x.min(0).values - spread / 2, self._x.max(0).values + spread / 2
        if means is None and x is None:
            means = MEANS
        elif means is None:
            means = (middle + spread * torch.tensor(MEANS) / 4).clamp(low, high).tolist()
        self._range = list(zip(low.tolist(), high.tolist()))
        covariance = self._x.T.cov(correction=0)
        self._start = covariance.repeat(COMPONENTS, 1, 1) / COMPONENTS
        self._regularization = check_number("regularization", regularization, 0, 100)
        means = self._checked(means)
        spec = {
            "title": title,
            "x": self._x.tolist(),
            "start": {"means": means, "steps": 0},
            "covariance": self._start[0].tolist(),
            "regularization": self._regularization,
            "range": [list(pair) for pair in self._range],
            "most": MOST_STEPS,
            "colours": COLOURS,
            "letters": DIGIT_LETTERS,
        }
        super().__init__(spec=spec, means=means, **traits)
        self._climb()  # refuses a start without density

    def _checked(self, means):
        means = check_points("means", means)
        if len(means) != COMPONENTS:
            raise ValueError(f"means has {len(means)} rows; it must have {COMPONENTS}.")
        for k, mean in enumerate(means.tolist()):
            for d, (value, (low, high)) in enumerate(zip(mean, self._range, strict=True)):
                check_number(f"means[{k}][{d}]", value, low, high)
        return means.tolist()

    @traitlets.validate("means")
    def _check_means(self, proposal):
        return self._checked(proposal["value"])

    @property
    def mixture(self):
        """The `GaussianMixture` after the steps taken; an E step at the end leaves it as it was.

        Raises ValueError, as its `m_step` does, if a component turns singular on the way.
        """
        return self._climb()

    def _climb(self):
        mixture = GaussianMixture(COMPONENTS, regularization=self._regularization)
        mixture.initialize(self._x, means=self.means, covariances=self._start)
        for _ in range(self.steps // 2):
            mixture.m_step(mixture.e_step(self._x))
        return mixture


def _points(x):
    x = check_points("x", x)
    if not 10 <= len(x) <= MOST_POINTS:
        raise ValueError(f"x has {len(x)} rows; it must have from 10 to {MOST_POINTS}.")
    for d in range(2):
        if (x[:, d] == x[0, d]).all():
            raise ValueError(f"x is constant in column {d + 1}; every column must vary.")
    return x
