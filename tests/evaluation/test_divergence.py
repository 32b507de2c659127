"""Estimates against closed forms, error bars against repetition, fits against moments."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from vaecourse.evaluation.divergence import (
    entropy_from_counts,
    fit_gaussian,
    gaussian_mixture,
    kl_by_quadrature,
    kl_samples,
    match_moments,
    monte_carlo,
    quadrature_grid,
)

F64 = torch.float64


def normal(loc, scale=1.0):
    return Normal(torch.tensor(loc, dtype=F64), torch.tensor(scale, dtype=F64))


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def log_ratio(shift, z):
    """log q − log p at z, for q = N(0, 1) and p = N(shift, 1)."""
    return normal(0.0).log_prob(z) - normal(shift).log_prob(z)


def coverage(values, truth):
    """Share of the columns of values [S, R] whose 95 % interval holds the truth."""
    estimate = monte_carlo(values)
    return ((estimate.value - truth).abs() < 1.96 * estimate.standard_error).double().mean().item()


# Monte Carlo


def test_mean_and_standard_error():
    estimate = monte_carlo(torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=F64))
    assert estimate.value == 3
    assert abs(estimate.standard_error.item() - math.sqrt(14 / 3) / 2) < 1e-15


def test_the_standard_error_falls_as_one_over_the_root():
    errors = [monte_carlo(draws(s, 2_000).square()).value.std() for s in (10, 1_000)]
    # 2,000 repetitions know a standard deviation to 1.6 %, a ratio to 2.2 %.
    assert abs(errors[0] / errors[1] - 10) < 4 * 0.022 * 10


def test_intervals_cover_the_truth_nineteen_times_in_twenty():
    repetitions = 4_000
    z = draws(200, repetitions, seed=1)
    tolerance = 4 * math.sqrt(0.05 * 0.95 / repetitions)  # 0.0138
    assert abs(coverage(z, 0.0) - 0.95) < tolerance
    # k1 at shift 0.5 is Gaussian too; k3 is skewed and loses a little.
    assert abs(coverage(kl_samples(log_ratio(0.5, z), "k1"), 0.125) - 0.95) < tolerance
    assert abs(coverage(kl_samples(log_ratio(0.5, z), "k3"), 0.125) - 0.94) < tolerance + 0.01


def test_far_apart_the_error_bar_of_k3_is_not_to_be_trusted():
    # The weight e^(3z − 4.5) has variance e⁹ − 1; two hundred draws rarely meet what matters.
    z = draws(200, 4_000, seed=2)
    assert coverage(kl_samples(log_ratio(3.0, z), "k3"), 4.5) < 0.6
    assert abs(coverage(kl_samples(log_ratio(3.0, z), "k1"), 4.5) - 0.95) < 0.0138


def test_one_draw_has_no_error_bar():
    with pytest.raises(ValueError, match=r"values has 1 draws; a standard error needs at least 2."):
        monte_carlo(draws(1, 3))


# Estimators of KL


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.0])
def test_mean_and_variance_of_the_three_estimators(shift):
    # With ℓ = −m z + m²/2 all moments are known in closed form.
    m2 = shift**2
    ratio = log_ratio(shift, draws(2_000_000, seed=3))
    means = {"k1": m2 / 2, "k2": m2 / 2 + m2**2 / 8, "k3": m2 / 2}
    variances = {"k1": m2, "k2": m2**2 / 2 + m2**3 / 4, "k3": math.expm1(m2) - m2}
    for estimator in ("k1", "k2", "k3"):
        values = kl_samples(ratio, estimator)
        estimate = monte_carlo(values)
        assert abs(estimate.value - means[estimator]) < 4 * estimate.standard_error
        square = monte_carlo((values - means[estimator]).square())
        assert abs(square.value - variances[estimator]) < 4 * square.standard_error


def test_k2_and_k3_are_never_negative_and_k1_is():
    ratio = log_ratio(0.3, draws(10_000))
    assert kl_samples(ratio, "k1").min() < 0
    assert kl_samples(ratio, "k2").min() >= 0
    assert kl_samples(ratio, "k3").min() >= 0


def test_k3_keeps_its_digits_near_equality():
    ratio = torch.tensor([1e-6], dtype=F64)
    assert abs(kl_samples(ratio, "k3").item() / 0.5e-12 - 1) < 1e-4


def test_k3_is_biased_where_p_has_mass_that_q_lacks():
    # q uniform on {0, 1}, p uniform on {0, 1, 2, 3}: E_q[p/q] = ½, so the control is off by ½.
    ratio = torch.full((10,), math.log(0.5) - math.log(0.25), dtype=F64)
    assert abs(kl_samples(ratio, "k1").mean().item() - math.log(2)) < 1e-12
    assert abs(kl_samples(ratio, "k3").mean().item() - (math.log(2) - 0.5)) < 1e-12


def test_unknown_estimators_are_refused():
    with pytest.raises(ValueError, match="estimator is 'k4'"):
        kl_samples(draws(3), "k4")


# Entropy


def test_entropy_of_counts():
    assert abs(entropy_from_counts(torch.tensor([2, 2, 2, 2])).item() - math.log(4)) < 1e-6
    assert entropy_from_counts(torch.tensor([5.0, 0.0])) == 0
    with pytest.raises(ValueError, match="counts must be non-negative"):
        entropy_from_counts(torch.tensor([0.0, 0.0]))


def test_the_plug_in_entropy_is_too_low_by_what_theory_says():
    p = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=F64)
    truth = Categorical(p).entropy().item()
    n, repetitions = 100, 40_000
    picks = torch.multinomial(
        p.repeat(repetitions, 1), n, True, generator=torch.Generator().manual_seed(0)
    )
    counts = torch.nn.functional.one_hot(picks, 4).sum(1).double()
    plug_in = monte_carlo(entropy_from_counts(counts))
    corrected = monte_carlo(entropy_from_counts(counts, corrected=True))
    assert abs(plug_in.value - truth - -3 / (2 * n)) < 4 * plug_in.standard_error + 1e-4
    assert plug_in.value < truth - 10 * plug_in.standard_error
    assert abs(corrected.value - truth) < 4 * corrected.standard_error + 1e-4
    # The shortfall is, draw by draw, a divergence: Gibbs' inequality for the empirical law.
    empirical = counts / n
    kl = (torch.xlogy(empirical, empirical) - empirical * p.log()).sum(1)
    cross = -(empirical * p.log()).sum(1)
    assert (cross - entropy_from_counts(counts) - kl).abs().max() < 1e-12
    assert kl.min() >= 0


# Quadrature


@pytest.mark.parametrize(("loc", "scale"), [(0.0, 1.0), (1.3, 0.2), (-4.0, 7.0), (0.5, 0.01)])
def test_quadrature_gives_the_closed_form_between_gaussians(loc, scale):
    q, p = normal(loc, scale), normal(0.2, 1.5)
    assert abs(kl_by_quadrature(q, p) - kl_divergence(q, p)) < 1e-10
    assert abs(kl_by_quadrature(q, q)) < 1e-12


def test_quadrature_between_mixtures_agrees_with_samples():
    q = gaussian_mixture([0.3, 0.7], [-1.0, 2.0], [0.5, 1.0])
    p = gaussian_mixture([0.6, 0.4], [0.0, 3.0], [1.0, 0.7])
    label = torch.multinomial(
        q.mixture_distribution.probs, 400_000, True, generator=torch.Generator().manual_seed(1)
    )
    component = q.component_distribution
    z = component.loc[label] + component.scale[label] * draws(400_000)
    for estimator in ("k1", "k3"):
        estimate = monte_carlo(kl_samples(q.log_prob(z) - p.log_prob(z), estimator))
        assert abs(estimate.value - kl_by_quadrature(q, p)) < 4 * estimate.standard_error
    assert kl_by_quadrature(q, p) > 0 and kl_by_quadrature(p, q) > 0
    assert abs(kl_by_quadrature(q, p) - kl_by_quadrature(p, q)) > 0.01


def test_a_grid_that_misses_mass_is_refused():
    with pytest.raises(ValueError, match=r"grid holds a mass of 0\.5000"):
        kl_by_quadrature(normal(0.0), normal(1.0), torch.linspace(0, 20, 20_001, dtype=F64))


def test_the_grid_holds_the_mass():
    p = gaussian_mixture([0.5, 0.5], [-20.0, 3.0], [0.01, 4.0])
    grid = quadrature_grid(p)
    assert abs(torch.trapezoid(p.log_prob(grid).exp(), grid).item() - 1) < 1e-12


# Fits

TARGETS = {
    "two equal": gaussian_mixture([0.5, 0.5], [-2.0, 2.0], [0.5, 0.5]),
    "uneven": gaussian_mixture([0.7, 0.3], [-2.0, 2.0], [0.5, 1.0]),
    "three": gaussian_mixture([0.2, 0.5, 0.3], [-3.0, 0.0, 2.5], [0.4, 0.8, 0.3]),
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_forward_fit_by_optimization_is_moment_matching(name):
    target = TARGETS[name]
    (found,) = fit_gaussian(target, "forward")  # every start arrives at the one minimum
    exact = match_moments(target)
    assert abs(found.loc - exact.loc) < 1e-6
    assert abs(found.scale - exact.scale) < 1e-6
    assert abs(found.kl - exact.kl) < 1e-10
    w, component = target.mixture_distribution.probs, target.component_distribution
    mean = (w * component.loc).sum()
    variance = (w * (component.scale**2 + component.loc**2)).sum() - mean**2
    assert abs(exact.loc - mean) < 1e-12 and abs(exact.scale - variance.sqrt()) < 1e-12


@pytest.mark.parametrize("name", TARGETS)
def test_the_reverse_fits_are_minima_of_the_divergence(name):
    target = TARGETS[name]
    fits = fit_gaussian(target, "reverse")
    assert [fit.kl for fit in fits] == sorted(fit.kl for fit in fits)
    for fit in fits:
        assert abs(kl_by_quadrature(normal(fit.loc, fit.scale), target).item() - fit.kl) < 1e-9
        for step in (-0.02, 0.02):
            for q in (normal(fit.loc + step, fit.scale), normal(fit.loc, fit.scale + step)):
                assert kl_by_quadrature(q, target).item() > fit.kl


def test_reverse_picks_a_mode_where_forward_covers_both():
    forward = match_moments(TARGETS["two equal"])
    assert forward.loc == 0 and abs(forward.scale - math.sqrt(4.25)) < 1e-12
    fits = fit_gaussian(TARGETS["two equal"], "reverse")
    assert sorted(round(fit.loc, 2) for fit in fits) == [-2.0, 0.0, 2.0]
    # On one mode half of p is missed: log 2. The third minimum straddles both, and is far worse.
    assert abs(fits[0].kl - math.log(2)) < 2e-4 and abs(fits[1].kl - math.log(2)) < 2e-4
    assert abs(fits[0].scale - 0.5) < 1e-3
    assert fits[2].kl > 1.8 and fits[2].scale > 1.7


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_far_apart_a_reverse_fit_pays_minus_log_of_the_weight(weight):
    target = gaussian_mixture([weight, 1 - weight], [-10.0, 10.0], [1.0, 1.0])
    at_mode = min(fit_gaussian(target, "reverse"), key=lambda fit: abs(fit.loc + 10))
    assert abs(at_mode.kl + math.log(weight)) < 1e-9
    assert abs(at_mode.loc + 10) < 1e-6 and abs(at_mode.scale - 1) < 1e-6


def test_close_together_the_reverse_fit_covers_too():
    (only,) = fit_gaussian(gaussian_mixture([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0]), "reverse")
    assert abs(only.loc) < 1e-6 and 1.39 < only.scale < 1.40


def test_a_gaussian_target_is_found_exactly_both_ways():
    target = gaussian_mixture([1.0], [0.7], [0.3])
    for direction in ("forward", "reverse"):
        (fit,) = fit_gaussian(target, direction, starts=[(3.0, 2.0)])
        assert abs(fit.loc - 0.7) < 1e-6 and abs(fit.scale - 0.3) < 1e-6 and abs(fit.kl) < 1e-10


def test_unknown_directions_are_refused():
    with pytest.raises(ValueError, match="direction is 'backward'"):
        fit_gaussian(TARGETS["three"], "backward")
