"""The Fréchet distance on Gaussians whose distance is known, and the coupling that attains it."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment

from vaecourse.evaluation import (
    extrapolated_frechet_distance,
    feature_statistics,
    frechet_distance,
    optimal_map,
)

RNG = np.random.default_rng(0)


def covariance(dim, rank=None, rng=RNG):
    factor = rng.standard_normal((dim, rank or 2 * dim))
    return factor @ factor.T / factor.shape[1]


def rotation(dim, rng=RNG):
    return np.linalg.qr(rng.standard_normal((dim, dim)))[0]


def normal(n, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dim, generator=generator, dtype=torch.float64)


def gaussian(dim, rank=None):
    return RNG.standard_normal(dim), covariance(dim, rank)


# The distance


def test_two_gaussians_on_the_line():
    assert frechet_distance([0.0], [[1.0]], [3.0], [[4.0]]) == pytest.approx(10, abs=1e-13)


def test_commuting_covariances_have_a_closed_form():
    frame = rotation(6)
    one, two = RNG.uniform(0.1, 4, 6), RNG.uniform(0.1, 4, 6)
    mean1, mean2 = RNG.standard_normal((2, 6))
    distance = frechet_distance(mean1, frame * one @ frame.T, mean2, frame * two @ frame.T)
    expected = np.sum((mean1 - mean2) ** 2) + np.sum((np.sqrt(one) - np.sqrt(two)) ** 2)
    assert distance == pytest.approx(expected, rel=1e-13)


def test_two_by_two_covariances_have_a_closed_form():
    # tr √M = √(tr M + 2 √det M) for a 2 × 2 matrix M, here C₁ C₂.
    one, two = covariance(2), covariance(2)
    root = math.sqrt(np.trace(one @ two) + 2 * math.sqrt(np.linalg.det(one) * np.linalg.det(two)))
    expected = np.trace(one) + np.trace(two) - 2 * root
    assert frechet_distance([0, 0], one, [0, 0], two) == pytest.approx(expected, rel=1e-12)


def test_it_agrees_with_the_matrix_square_root():
    (mean1, one), (mean2, two) = gaussian(40), gaussian(40)
    root = np.trace(sqrtm(one @ two)).real
    expected = np.sum((mean1 - mean2) ** 2) + np.trace(one) + np.trace(two) - 2 * root
    assert frechet_distance(mean1, one, mean2, two) == pytest.approx(expected, rel=1e-11)


def test_symmetry_and_invariance_under_turns_and_shifts():
    (mean1, one), (mean2, two) = gaussian(7), gaussian(7, rank=3)
    distance = frechet_distance(mean1, one, mean2, two)
    turn, shift = rotation(7), RNG.standard_normal(7)
    moved = [turn @ mean1 + shift, turn @ one @ turn.T, turn @ mean2 + shift, turn @ two @ turn.T]
    assert frechet_distance(mean2, two, mean1, one) == pytest.approx(distance, rel=1e-12)
    assert frechet_distance(*moved) == pytest.approx(distance, rel=1e-12)


def test_the_root_of_the_distance_obeys_the_triangle_inequality():
    for _ in range(20):
        a, b, c = (gaussian(4, rank=RNG.integers(1, 5)) for _ in range(3))
        ab, bc, ac = (math.sqrt(frechet_distance(*p, *q)) for p, q in ((a, b), (b, c), (a, c)))
        assert ac <= ab + bc + 1e-9


# Singular and badly scaled covariances


def test_gaussians_on_two_lines():
    # N(0, u uᵀ) and N(0, v vᵀ): the root's trace is |u · v|.
    u, v = np.array([2.0, 0, 0]), np.array([1.0, 1.0, 0])
    distance = frechet_distance(np.zeros(3), np.outer(u, u), np.zeros(3), np.outer(v, v))
    assert distance == pytest.approx(4 + 2 - 2 * 2, abs=1e-13)


def test_gaussians_on_lines_that_are_orthogonal_and_a_point():
    x, y, point = np.diag([1.0, 0]), np.diag([0, 4.0]), np.zeros((2, 2))
    zero = np.zeros(2)
    assert frechet_distance(zero, x, zero, y) == pytest.approx(5, abs=1e-13)
    assert frechet_distance(zero, x, zero, point) == pytest.approx(1, abs=1e-13)
    assert frechet_distance([3, 4], point, zero, point) == 25


@pytest.mark.parametrize("rank", [1, 20, 199, 200])
def test_a_gaussian_is_at_no_distance_from_itself(rank):
    mean, cov = gaussian(200, rank)
    assert 0 <= frechet_distance(mean, cov, mean, cov) < 1e-9 * np.trace(cov)


def test_eigenvalues_over_twelve_orders_of_magnitude():
    frame = rotation(50)
    one, two = np.logspace(0, -12, 50), np.logspace(-12, 0, 50)
    zero = np.zeros(50)
    expected = np.sum((np.sqrt(one) - np.sqrt(two)) ** 2)
    distance = frechet_distance(zero, frame * one @ frame.T, zero, frame * two @ frame.T)
    # An eigenvalue of 1e-12 is known to 1e-16, its root to 1e-10.
    assert distance == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(zero, frame * one @ frame.T, zero, frame * one @ frame.T) < 1e-9


def test_single_precision_statistics_of_few_samples_are_taken():
    x = normal(30, 64, seed=0).float()
    mean, cov = x.mean(0), torch.cov(x.T)
    shifted = frechet_distance(mean, cov, mean + 2, cov)
    assert shifted == pytest.approx(4 * 64, rel=1e-5)


# The coupling


def test_the_map_carries_one_gaussian_onto_the_other():
    (mean1, one), (mean2, two) = gaussian(5), gaussian(5, rank=3)
    carry = optimal_map(mean1, one, mean2, two)
    matrix = carry.matrix.numpy()
    assert np.allclose(matrix @ one @ matrix.T, two, atol=1e-12)
    assert np.allclose(carry(torch.tensor(mean1)), mean2, atol=1e-12)
    # Symmetric and positive semi-definite: the gradient of a convex function.
    assert np.allclose(matrix, matrix.T, atol=1e-12) and np.linalg.eigvalsh(matrix)[0] > -1e-12


def test_an_optimal_transport_solver_finds_the_same_coupling_and_the_same_cost():
    (mean1, one), (mean2, two) = gaussian(3), gaussian(3)
    noise = normal(200, 3, seed=1)
    noise = noise - noise.mean(0)
    # Of these points mean and covariance are exactly those of N(mean1, one).
    factor = torch.linalg.cholesky(torch.cov(noise.T, correction=0))
    white = torch.linalg.solve_triangular(factor, noise.T, upper=False)
    x = (torch.linalg.cholesky(torch.tensor(one)) @ white).T + torch.tensor(mean1)
    y = optimal_map(mean1, one, mean2, two)(x)
    cost = torch.cdist(x, y).square().numpy()
    rows, columns = linear_sum_assignment(cost)
    assert np.array_equal(rows, columns)
    distance = frechet_distance(mean1, one, mean2, two)
    assert cost[rows, columns].mean() == pytest.approx(distance, rel=1e-10)
    # Another linear map onto the same Gaussian costs more.
    other = np.linalg.cholesky(two) @ np.linalg.inv(np.linalg.cholesky(one))
    z = (x.numpy() - mean1) @ other.T + mean2
    assert np.allclose(np.cov(z.T, ddof=0), two)
    assert ((x.numpy() - z) ** 2).sum(1).mean() > distance * 1.001


def test_a_map_needs_a_covariance_of_full_rank_to_start_from():
    with pytest.raises(ValueError, match="cov1 is not positive definite; a map starts from one"):
        optimal_map([0, 0], np.diag([1.0, 0]), [0, 0], np.eye(2))


# Statistics and bias


def test_statistics_are_those_of_numpy():
    x = RNG.standard_normal((50, 4))
    mean, cov = feature_statistics(x)
    assert np.allclose(mean, x.mean(0), atol=1e-14) and np.allclose(cov, np.cov(x.T), atol=1e-14)
    mean, cov = feature_statistics(x[:, :1])
    assert cov.shape == (1, 1) and cov.item() == pytest.approx(x[:, 0].var(ddof=1))


@pytest.mark.parametrize(("n", "expected"), [(100, 21.9), (1_000, 2.16), (10_000, 0.223)])
def test_two_samples_of_one_gaussian_seem_apart(n, expected):
    one, two = (feature_statistics(normal(n, 64, seed)) for seed in (1, 2))
    # Over seeds the standard deviation is about 2 % of the value.
    assert frechet_distance(*one, *two) == pytest.approx(expected, rel=0.08)


def test_extrapolation_takes_the_bias_away():
    one, two = normal(4_000, 16, seed=3), normal(4_000, 16, seed=4)
    curve = extrapolated_frechet_distance(one, two, sizes=[500, 1_000, 2_000], repeats=5)
    bias = curve.distances.mean(1)
    # 1/n: half the rows, twice the bias. The 4,000 rows themselves leave a noise of about 0.02.
    assert bias[0] / bias[1] == pytest.approx(2, rel=0.2)
    assert bias[2] > 0.08 and abs(curve.limit) < 0.03
    shifted = extrapolated_frechet_distance(one, 2 * two + 1, [500, 1_000, 2_000], repeats=5)
    # The truth is 16 (1 + 1) = 32. The sample mean of each of 16 columns has deviation 0.035.
    assert abs(shifted.limit - 32) < 4 * 2 * 2 * math.sqrt(16 / 4_000)
    assert 0 < shifted.standard_error < 0.2


def test_extrapolation_is_reproducible_and_runs_through_a_line():
    one, two = normal(200, 3, seed=5), normal(200, 3, seed=6)
    first = extrapolated_frechet_distance(one, two, [50, 100], repeats=2, seed=7)
    again = extrapolated_frechet_distance(one, two, [50, 100], repeats=2, seed=7)
    assert torch.equal(first.distances, again.distances)
    # Through two points, d(n) = a + b / n has a = 2 d(100) − d(50).
    assert first.limit == pytest.approx((2 * first.distances[1] - first.distances[0]).mean().item())
    assert not torch.equal(
        first.distances,
        extrapolated_frechet_distance(one, two, [50, 100], repeats=2, seed=8).distances,
    )


# Bad input


def test_fewer_rows_than_dimensions_get_a_warning_and_a_singular_covariance():
    with pytest.warns(UserWarning, match="features has 10 rows for 20 dimensions"):
        statistics = feature_statistics(normal(10, 20, seed=0))
    assert np.linalg.matrix_rank(statistics.cov) == 9
    assert frechet_distance(*statistics, *statistics) < 1e-9


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (np.ones((1, 3)), "features has 1 row; a covariance needs at least 2"),
        (np.array([[1.0, 2], [np.nan, 1], [0, 1]]), "features holds a NaN or an infinity"),
        (np.ones(5), r"features has shape \[5\]; it must be \[any, any\]"),
    ],
)
def test_features_that_have_no_covariance_are_refused(features, sentence):
    with pytest.raises(ValueError, match=sentence):
        feature_statistics(features)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mean2": np.zeros(4)}, r"mean2 has shape \[4\]; it must be \[3\]"),
        ({"cov2": np.eye(4)}, r"cov2 has shape \[4, 4\]; it must be \[3, 3\]"),
        ({"mean1": np.eye(3)}, r"mean1 has shape \[3, 3\]; it must be \[any\]"),
        ({"cov1": np.full((3, 3), np.nan)}, "cov1 holds a NaN or an infinity"),
        ({"cov1": np.eye(3) + np.eye(3, k=1)}, "cov1 is not equal to its transpose"),
        ({"cov2": np.diag([1.0, 1, -1])}, "cov2 has an eigenvalue of -1; it must be positive"),
    ],
)
def test_what_is_no_pair_of_gaussians_is_refused(change, sentence):
    given = {"mean1": np.zeros(3), "cov1": np.eye(3), "mean2": np.zeros(3), "cov2": np.eye(3)}
    with pytest.raises(ValueError, match=sentence):
        frechet_distance(**{**given, **change})


@pytest.mark.parametrize("sizes", [[10], [10, 10], [1, 10], [10, 21]])
def test_sizes_that_give_no_line_are_refused(sizes):
    x = normal(20, 2, seed=0)
    with pytest.raises(ValueError, match="two or more different numbers from 2 to 20"):
        extrapolated_frechet_distance(x, x, sizes)
    with pytest.raises(ValueError, match=r"features2 has shape \[20, 1\]; it must be \[any, 2\]"):
        extrapolated_frechet_distance(x, x[:, :1], [5, 10])
