"""The map of approximate inference: every way that S0 lists, and what was measured beside it."""

from itertools import pairwise

import matplotlib.pyplot as plt
import pytest

import vaecourse as vc

LISTED = {
    "EM",
    "variational inference",
    "variational Bayes",
    "message passing",
    "Laplace",
    "Monte Carlo",
    "MCMC",
}


def texts(fig):
    return {text.get_text(): text.get_position() for text in fig.axes[0].texts}


def test_the_map_names_every_way_and_puts_what_was_measured_on_its_line():
    fig = vc.figures.inference_map({"Laplace": "half a deviation", "grid": "no error"})
    found = texts(fig)
    plt.close(fig)
    assert found.keys() > LISTED | {"exact", "optimization", "simulation"}
    for name, measured in (("Laplace", "half a deviation"), ("grid", "no error")):
        assert abs(found[name][1] - found[measured][1]) < 0.3
    heights = sorted(found[name][1] for name in LISTED)
    assert min(later - earlier for earlier, later in pairwise(heights)) >= 1


def test_a_name_that_is_not_on_the_map_is_refused():
    with pytest.raises(ValueError, match="measured names 'Newton'; the map has"):
        vc.figures.inference_map({"Newton": "fast"})
