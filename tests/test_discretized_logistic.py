"""The likelihood of 8-bit pixels: probabilities, digits far out, draws, and what is refused."""

import math

import pytest
import torch

from vaecourse.discretized_logistic import DiscretizedLogistic, DiscretizedLogisticLikelihood

LEVELS = torch.arange(256, dtype=torch.float64) / 255


def pmf(loc, log_scale):
    """The 256 probabilities of one pixel."""
    loc, log_scale = (torch.tensor([value], dtype=torch.float64) for value in (loc, log_scale))
    return DiscretizedLogistic(loc, log_scale).log_prob(LEVELS[:, None]).exp()


@pytest.mark.parametrize("loc", [-0.3, 0.0, 0.2513, 0.5, 1.0, 1.4])
@pytest.mark.parametrize("log_scale", [-7.0, -4.0, -1.0, 2.0])
def test_the_probabilities_of_a_pixel_sum_to_one(loc, log_scale):
    assert abs(pmf(loc, log_scale).sum() - 1) < 1e-12


def test_a_probability_is_a_difference_of_the_cumulative_function():
    loc, scale = 0.4, math.exp(-3)
    edges = (torch.arange(257, dtype=torch.float64) - 0.5) / 255
    cumulative = torch.sigmoid((edges - loc) / scale)
    cumulative[0], cumulative[-1] = 0, 1  # the outer bins reach to infinity
    assert (pmf(loc, -3.0) - cumulative.diff()).abs().max() < 1e-14


def test_far_from_the_location_the_logarithm_keeps_its_digits():
    # e^−|x − m| / s, where the probability itself is below the smallest double.
    loc, log_scale = torch.zeros(1, dtype=torch.float64), torch.full((1,), -7.0).double()
    far = DiscretizedLogistic(loc, log_scale).log_prob(LEVELS[200:202, None])
    slope = math.exp(7) / 255
    assert far[0] < -750
    assert (far[0] - far[1]).item() == pytest.approx(slope, rel=1e-12)


def test_pixels_add_up_and_broadcast_over_samples():
    generator = torch.Generator().manual_seed(0)
    loc, log_scale = torch.rand(2, 4, 3, 6, generator=generator, dtype=torch.float64)
    log_scale = log_scale - 3
    x = (255 * torch.rand(3, 6, generator=generator).double()).round() / 255
    found = DiscretizedLogistic(loc, log_scale).log_prob(x)
    assert found.shape == (4, 3)
    one = DiscretizedLogistic(loc[2, 1], log_scale[2, 1]).log_prob(x[1])
    each = [pmf(loc[2, 1, d].item(), log_scale[2, 1, d].item()) for d in range(6)]
    level = (255 * x[1]).round().long()
    expected = sum(p[k].log() for p, k in zip(each, level))
    assert found[2, 1] == one and abs(one - expected) < 1e-12


def test_gradients_agree_with_finite_differences():
    parameters = torch.tensor([[0.3, 0.9], [-2.0, -5.0]], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([[0.0, 1.0], [80 / 255, 230 / 255]], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p: DiscretizedLogistic(p[0], p[1]).log_prob(x), parameters
    )


def test_draws_have_the_probabilities():
    loc, log_scale = torch.full((1,), 0.02), torch.full((1,), -4.0)
    draws = DiscretizedLogistic(loc, log_scale).sample((40_000,), torch.Generator().manual_seed(0))
    counts = torch.bincount((255 * draws).round().long().flatten(), minlength=256)
    expected = 40_000 * pmf(0.02, -4.0)
    # Chi-square over the bins that hold ten or more: mean k, standard deviation √(2 k).
    kept = expected > 10
    statistic = ((counts[kept] - expected[kept]).square() / expected[kept]).sum()
    bins = int(kept.sum())
    assert bins > 15 and statistic < bins + 4 * math.sqrt(2 * bins)


def test_a_network_that_says_nothing_gives_about_eight_bits():
    likelihood = DiscretizedLogisticLikelihood(5)
    bits = -likelihood(torch.zeros(10)).log_prob(torch.arange(100, 105) / 255) / (5 * math.log(2))
    assert 7 < bits < 8.5


def test_values_between_the_grey_levels_are_refused():
    likelihood = DiscretizedLogisticLikelihood(3)
    likelihood.check(torch.tensor([[0.0, 17 / 255, 1.0]]))
    with pytest.raises(ValueError, match=r"has values that are 0\.5 grey levels from the near"):
        likelihood.check(torch.tensor([[0.0, 17.5 / 255, 1.0]]))
    with pytest.raises(ValueError, match="45 grey levels from the nearest of 0, 1/255"):
        likelihood.check(torch.tensor([[300 / 255, 0.0, 0.0]]))
