"""What latents tell of factors: against closed forms, bounds and counts."""

import math

import pytest
import torch

from vaecourse.evaluation.disentanglement import (
    binned_information,
    factor_information,
    mutual_information_gap,
)


def test_far_apart_the_factor_is_known():
    loc = torch.tensor([0.0, 100.0, 200.0])
    assert factor_information(loc, torch.ones(3), torch.arange(3)) == pytest.approx(
        math.log(3), abs=1e-9
    )


def test_together_nothing_is_known():
    factor = torch.tensor([0, 1, 0, 1])
    loc = torch.tensor([0.0, 0.0, 2.0, 2.0])  # the same mixture for both values
    assert factor_information(loc, torch.full((4,), 0.3), factor) == pytest.approx(0, abs=1e-12)


def test_two_near_gaussians_are_worth_half_the_squared_distance_over_four():
    # I = d²/8 + O(d⁴) for two even values whose Gaussians of deviation one lie d apart
    for apart in (0.02, 0.05):
        loc = torch.tensor([0.0, apart], dtype=torch.float64)
        found = factor_information(loc, torch.ones(2), torch.arange(2))
        assert found == pytest.approx(apart**2 / 8, rel=1e-3)


def test_it_is_the_channel_of_two_signs():
    # I(z; v) = log 2 − E log(1 + exp(−2m(m + ε))) for v = ±1, z = m v + ε
    m = 0.8
    nodes = torch.linspace(-10, 10, 4001, dtype=torch.float64)
    density = torch.exp(-0.5 * nodes**2) / math.sqrt(2 * math.pi)
    lost = torch.trapezoid(density * torch.log1p(torch.exp(-2 * m * (m + nodes))), nodes)
    found = factor_information(torch.tensor([m, -m]), torch.ones(2), torch.arange(2))
    assert found == pytest.approx(math.log(2) - lost.item(), abs=1e-7)  # m in single precision


def test_counts_approach_it_from_above_where_nothing_is_told():
    generator = torch.Generator().manual_seed(0)
    for n in (1_000, 10_000):
        values = [
            binned_information(
                torch.randn(n, generator=generator), torch.randint(5, (n,), generator=generator)
            )
            for _ in range(20)
        ]
        mean, error = torch.tensor(values).mean(), torch.tensor(values).std() / 20**0.5
        # 4 of the 20 bins are nearly empty in the tails
        assert 10 * 4 / (2 * n) < mean + 4 * error and mean - 4 * error < 19 * 4 / (2 * n)


def test_counts_agree_with_the_quadrature_where_much_is_told():
    generator = torch.Generator().manual_seed(1)
    loc, factor = torch.tensor([-1.0, 0.0, 1.5]), torch.arange(3)
    rows = torch.randint(3, (200_000,), generator=generator)
    z = loc[rows] + 0.5 * torch.randn(len(rows), generator=generator)
    exact = factor_information(loc, torch.full((3,), 0.5), factor)
    assert binned_information(z, rows, bins=200) == pytest.approx(exact, abs=0.005)


def factors(*sizes):
    return torch.cartesian_prod(*map(torch.arange, sizes))


def test_the_gap_of_aligned_latents_and_of_turned_ones():
    v = factors(5, 3)
    loc = 40 * v.double()
    told = mutual_information_gap(loc, torch.ones(15, 2), v)
    assert told.score == pytest.approx(1, abs=1e-9)
    assert told.information.diagonal().tolist() == pytest.approx(
        [math.log(5), math.log(3)], abs=1e-9
    )
    assert told.entropy.tolist() == pytest.approx([math.log(5), math.log(3)])
    same = mutual_information_gap(loc[:, :1].expand(-1, 2), torch.ones(15, 2), v)
    assert same.score == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: factor_information([0.0], [1.0], [0.5]), "whole numbers"),
        (lambda: factor_information([0.0, 1.0], [1.0, 0.0], torch.arange(2)), "scale positive"),
        (lambda: mutual_information_gap(torch.zeros(4, 1), torch.ones(4, 1), factors(2, 2)), "two"),
        (lambda: mutual_information_gap(torch.zeros(4, 2), torch.ones(4, 2), factors(4)), "shape"),
        (
            lambda: mutual_information_gap(torch.zeros(4, 2), torch.ones(4, 2), factors(4, 1)),
            "single value",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
