"""The correlation explorer, Python side: where to start, and the numbers of the page."""

import traitlets

from vaecourse.inference.mean_field import GaussianMeanField
from vaecourse.widgets.shared import Explorer, Hand, check_number, check_numbers, page_files

MOST = 0.99  # |rho|: a ridge that can still be seen
RANGES = {"z1": (-2.5, 2.5), "z2": (-2.5, 2.5)}
START = {"rho": 0.8, "means": [1.8, -1.8]}


class CorrelationExplorer(Explorer):
    """A Gaussian with variances 1 and correlation rho, and its best product q by mean field.

    title: the line above the picture.
    rho, means: where to start: the correlation, -0.99 to 0.99, and where the ascent of the means
        begins, two numbers from -2.5 to 2.5. While a kernel runs, they follow the hand, and
        `explorer.values` holds the numbers on the page.

    The ascent sets each mean in turn to its best value, rho times the other. Raises ValueError
    for anything else. Source: chapter 06; [Bis06] section 10.1.2.
    """

    _esm, _css = page_files("correlation_explorer")
    spec = traitlets.Dict().tag(sync=True)
    rho = Hand(START["rho"], check_number, -MOST, MOST)
    means = Hand(START["means"], check_numbers, RANGES)

    def __init__(self, *, title="What independence costs", **traits):
        super().__init__(**traits)
        start = {name: getattr(self, name) for name in START}
        self.spec = {"title": title, "start": start, "ranges": list(RANGES.values()), "most": MOST}

    @property
    def values(self):
        """A dict: variance of each factor, and kl, KL(q ‖ p) in nats."""
        # from the centre, where every ascent ends
        fitted = GaussianMeanField([0, 0], [[1, self.rho], [self.rho, 1]]).fit(start=[0.0, 0.0])
        return {"variance": float(fitted.variances_[0]), "kl": float(fitted.kl())}
