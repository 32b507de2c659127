"""The gradient explorer, Python side: where to start."""

import traitlets

from vaecourse._arguments import check_choice, check_whole
from vaecourse.widgets.shared import Explorer, Hand, check_number, page_files

BASELINES = ("none", "mean", "optimal")
FARTHEST = 3.0  # |mean| at which the axes of the picture end
MOST = 100_000  # samples
START = {"mean": 1.5, "baseline": "none", "samples": 100}


class GradientExplorer(Explorer):
    """Two estimators of d/dμ E[z²] under q = N(μ, 1), whose value is 2μ, sample by sample.

    The score function gives (z² − b)(z − μ) for a sample z, with the baseline b of 0 ("none"),
    E[z²] = μ² + 1 ("mean") or E[z² s²]/E[s²] = μ² + 3 for the score s = z − μ ("optimal"); the
    pathwise estimator gives 2z for z = μ + ε. Both see the same samples, and the outlines behind
    the histograms are exact. Variances: chapter 08, `square_gradient_variances`.

    seed: of the samples; the same seed gives the same picture.
    title: the line above the picture.
    mean, baseline, samples: where to start: μ, the baseline, and how many samples are drawn
        already; while a kernel runs, they follow the hand.

    Raises ValueError for a mean beyond ±3, an unknown baseline, a number of samples that is not
    from 0 to 100,000, or a seed that is no integer from 0 to 2³² − 1.
    """

    _esm, _css = page_files("gradient_explorer", "log_axis.js")
    spec = traitlets.Dict().tag(sync=True)
    mean = Hand(START["mean"], check_number, -FARTHEST, FARTHEST)
    baseline = Hand(START["baseline"], check_choice, BASELINES)
    samples = Hand(START["samples"], check_whole, MOST)

    def __init__(self, *, seed=0, title="Two ways to estimate one gradient", **traits):
        check_whole("seed", seed, 2**32 - 1)
        start = {name: traits.get(name, value) for name, value in START.items()}
        spec = {"title": title, "seed": seed, "most": MOST, "start": start}
        super().__init__(spec=spec, **traits)
