"""The bandwidth explorer, Python side: the points, the truth, and the numbers of the page."""

import math
from functools import cache

import torch
import traitlets

from vaecourse._arguments import check_choice
from vaecourse.evaluation.density import Histogram, kernel_log_density
from vaecourse.widgets.shared import Explorer, Hand, check_number, page_files

# weight, mean and standard deviation of the parts of the truth: wide and narrow ones
TRUTH = [[0.3, -2.0, 0.2], [0.5, 0.3, 0.7], [0.2, 2.4, 0.25]]
EDGE = 6.0  # boxes cover −EDGE to EDGE
WIDTHS = (0.02, 4.0)
KINDS = ("kernels", "boxes")
COUNTS = ("20", "60", "200")
START = {"width": 1.5, "kind": "kernels", "points": "60"}


def draw(count, generator):
    """`count` points of the truth, to four decimals, as they stand on the page."""
    weight, mean, sd = torch.tensor(TRUTH, dtype=torch.float64).T
    part = torch.multinomial(weight, count, replacement=True, generator=generator)
    noise = torch.randn(count, generator=generator, dtype=torch.float64)
    return (mean[part] + sd[part] * noise).round(decimals=4)


@cache
def samples():
    """200 points to learn from, of which fewer are the first, and 200 new ones."""
    generator = torch.Generator().manual_seed(0)
    return draw(200, generator), draw(200, generator)


def scores(width, kind, points):
    """A dict of mean log-densities, nats: own, on the points themselves; fresh, on new ones;
    truth, of the true density on the new ones."""
    learned, fresh = samples()
    learned, fresh = learned[: int(points), None], fresh[:, None]
    if kind == "kernels":
        own, new = (kernel_log_density(x, learned, width) for x in (learned, fresh))
    else:
        bins = round(2 * EDGE / width)
        boxes = Histogram(bins, -EDGE, EDGE, pseudo_count=1 / bins).fit(learned)
        own, new = (boxes.score_samples(x) for x in (learned, fresh))
    weight, mean, sd = torch.tensor(TRUTH, dtype=torch.float64).T
    terms = weight.log() - sd.log() - 0.5 * ((fresh - mean) / sd).square()
    truth = terms.logsumexp(1) - 0.5 * math.log(2 * math.pi)
    found = {"own": own, "fresh": new, "truth": truth}
    return {name: values.mean().item() for name, values in found.items()}


class BandwidthExplorer(Explorer):
    """Points of a known density, an estimate of it by kernels or boxes, and its scores.

    title: the line above the picture.
    width, kind, points: where to start: the width of a kernel (its standard deviation) or of a
        box, 0.02 to 4; "kernels" or "boxes"; and how many points are learned from, "20", "60" or
        "200". While a kernel runs, they follow the hand, and `explorer.values` holds the scores.

    Boxes cut −6 to 6 into a whole number of cells, and count one more point, spread evenly. The
    score on new points is that on 200 others. Raises ValueError for anything else. Source:
    chapter 01.
    """

    _esm, _css = page_files("bandwidth_explorer", "log_axis.js")
    spec = traitlets.Dict().tag(sync=True)
    width = Hand(START["width"], check_number, *WIDTHS)
    kind = Hand(START["kind"], check_choice, KINDS)
    points = Hand(START["points"], check_choice, COUNTS)

    def __init__(self, *, title="How wide?", **traits):
        super().__init__(**traits)
        learned, fresh = samples()
        self.spec = {
            "title": title,
            "start": {name: getattr(self, name) for name in START},
            "truth": TRUTH,
            "edge": EDGE,
            "widths": list(WIDTHS),
            "counts": list(COUNTS),
            "learned": learned.tolist(),
            "fresh": fresh.tolist(),
        }

    @property
    def values(self):
        """A dict: what `scores` says of the place where the explorer stands."""
        return scores(**{name: getattr(self, name) for name in START})
