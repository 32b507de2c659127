"""The five synthetic sets: samples against the formulas of S0, densities against other routes."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

import vaecourse as vc
from vaecourse.data import synthetic_sets

CURVES = ["figure_eight", "three_blobs"]
VARIANTS = ["meant", "printed"]
N = 100_000


def figure_eight(z, variant):
    factor = math.pi if variant == "meant" else 1
    u = factor * (0.6 + 1.8 * stats.norm.cdf(z))
    scale = np.sin(u) ** 2 + 1
    x = [math.sqrt(2) / 2 * np.cos(u) / scale, math.sqrt(2) * np.cos(u) * np.sin(u) / scale]
    return np.stack(x, axis=-1)


def three_blobs(z, variant):
    u = 2 * np.pi / (1 + np.exp(-np.pi * z / 2))
    if variant == "printed":
        t = 2 * np.tanh(10 * u - 20 * np.floor(u / 2) - 10) + 4 * np.floor(u / 2) + 2
    else:
        third = 2 * np.pi / 3
        k = np.floor(u / third)
        t = third * (np.tanh(10 * (u - (k + 0.5) * third)) + 2 * k + 1)
    return np.stack([np.cos(t), np.sin(t)], axis=-1)


FORMULA = {"figure_eight": figure_eight, "three_blobs": three_blobs}
NOISE = {"figure_eight": 0.02, "three_blobs": 0.2}
TOP, DOWN = 3 * math.sqrt(3), -1.5 * math.sqrt(3)
CENTRES = {
    "printed": [[0, TOP], [-TOP, DOWN], [TOP, DOWN]],
    "meant": [[0, TOP], [-4.5, DOWN], [4.5, DOWN]],
}


def assert_covariance(residual, expected):
    """Mean 0 and the expected covariance, each entry within five standard errors."""
    expected = torch.as_tensor(expected, dtype=torch.float64)
    n = len(residual)
    variance = expected.diagonal()
    assert ((residual.mean(0)).abs() < 5 * (variance / n).sqrt()).all()
    error = ((variance[:, None] * variance + expected**2) / n).sqrt()
    assert ((residual.T @ residual / n - expected).abs() < 5 * error).all()


def test_axis_aligned_gaussian_has_the_covariance_of_its_formula():
    x = vc.data.synthetic("axis_aligned_gaussian", N, seed=1).x.double()
    assert_covariance(x, [[9.2, 0], [0, 1 / 9 + 0.2]])


def test_rotated_gaussian_has_the_covariance_of_its_formula():
    x = vc.data.synthetic("rotated_gaussian", N, seed=2).x.double()
    cos, sin = 0.5, math.sqrt(3) / 2
    a, b = 9.2, 1 / 9 + 0.2
    expected = [
        [cos**2 * a + sin**2 * b, cos * sin * (a - b)],
        [cos * sin * (a - b), sin**2 * a + cos**2 * b],
    ]
    assert_covariance(x, expected)


@pytest.mark.parametrize("name", ["axis_aligned_gaussian", "rotated_gaussian"])
def test_gaussians_are_their_matrix_times_z_plus_noise(name):
    sample = vc.data.synthetic(name, N, seed=3)
    matrix = np.diag([3, 1 / 3])
    if name == "rotated_gaussian":
        matrix = np.array([[0.5, -math.sqrt(0.75)], [math.sqrt(0.75), 0.5]]) @ matrix
    noise = sample.x.double() - sample.z.double() @ torch.from_numpy(matrix).T
    assert_covariance(noise, 0.2 * np.eye(2))
    assert_covariance(sample.z.double(), np.eye(2))
    assert sample.label.count_nonzero() == 0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CURVES)
def test_curves_follow_their_formula_with_noise_of_the_stated_variance(name, variant):
    sample = vc.data.synthetic(name, N, seed=4, variant=variant)
    assert_covariance(sample.z.double(), [[1.0]])
    mean = FORMULA[name](sample.z[:, 0].double().numpy(), variant)
    assert_covariance(sample.x.double() - torch.from_numpy(mean), NOISE[name] * np.eye(2))


def test_only_the_factor_pi_closes_both_lobes_of_the_eight():
    z = np.linspace(-8, 8, 20001)
    printed, meant = figure_eight(z, "printed"), figure_eight(z, "meant")
    # As printed u stays within 0.6 and 2.4, where sin u > 0: one arc, crossing the centre once.
    assert (np.diff(np.sign(printed[:, 0])) != 0).sum() == 1
    assert np.abs(printed[:, 0]).max() < 0.45
    # With π each lobe reaches its tip, at √2/2.
    assert meant[:, 0].min() == pytest.approx(-math.sqrt(0.5), abs=1e-6)
    assert meant[:, 0].max() == pytest.approx(math.sqrt(0.5), abs=1e-6)
    label = vc.data.synthetic("figure_eight", N, seed=5).label
    assert abs(label.double().mean().item() - 0.5) < 5 * 0.5 / math.sqrt(N)


@pytest.mark.parametrize(
    ("variant", "steps", "degrees"),
    [
        ("printed", [1, 3, 5], [0, 229.183, 98.366, 327.549]),
        ("meant", [math.pi / 3, math.pi, 5 * math.pi / 3], [0, 240, 120]),
    ],
)
def test_blobs_rest_on_the_stated_plateaus_with_the_stated_weights(variant, steps, degrees):
    u = np.array(steps)
    cdf = [0, *stats.norm.cdf(2 / np.pi * np.log(u / (2 * np.pi - u))), 1]
    weight = np.diff(cdf)
    if variant == "meant":  # the last plateau is the first, two full turns on
        weight = np.array([weight[0] + weight[3], weight[1], weight[2]])
    sample = vc.data.synthetic("three_blobs", N, seed=6, variant=variant)
    share = torch.bincount(sample.label).numpy() / N
    assert np.abs(share - weight).max() < 5 * 0.5 / math.sqrt(N)
    # Without its noise, half of each group lies within .001 of its plateau.
    mean = three_blobs(sample.z[:, 0].double().numpy(), variant)
    for label, angle in enumerate(np.radians(degrees)):
        distance = np.hypot(*(mean[sample.label == label] - [np.cos(angle), np.sin(angle)]).T)
        assert np.median(distance) < 1e-3


def test_printed_blobs_have_four_plateaus_but_three_modes():
    x, y = three_blobs(stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000), "printed").T
    share = np.histogram(np.degrees(np.arctan2(y, x)) % 360, bins=72, range=(-2.5, 357.5))[0]
    assert (share > 0.1 * 100_000).sum() == 4
    grid = torch.linspace(-2, 2, 401, dtype=torch.float64)
    density = vc.data.log_density("three_blobs", torch.cartesian_prod(grid, grid), "printed")
    density = density.view(401, 401)
    higher = torch.ones(399, 399, dtype=torch.bool)
    for i in (0, 1, 2):
        for j in (0, 1, 2):
            if (i, j) != (1, 1):
                higher &= density[1:-1, 1:-1] > density[i : i + 399, j : j + 399]
    assert higher.sum() == 3


@pytest.mark.parametrize("variant", VARIANTS)
def test_mixture_components_follow_their_formula(variant):
    sample = vc.data.synthetic("gaussian_mixture", N, seed=7, variant=variant)
    z = sample.z[:, 0].double()
    assert torch.equal(sample.label, (z >= 1 / 3).long() + (z >= 2 / 3).long())
    uniform = torch.special.ndtr(z) if variant == "printed" else z
    assert stats.kstest(uniform.numpy(), "uniform").pvalue > 1e-4
    s, centres = math.sqrt(0.75), CENTRES[variant]
    corner = math.sin(2 / 3) if variant == "printed" else s
    maps = [[[1, 0], [0, 1]], [[-0.5, -s], [s, -0.5]], [[0.5, -corner], [s, 0.5]]]
    for label in range(3):
        x = sample.x[sample.label == label].double() - torch.tensor(centres[label])
        y = torch.linalg.solve(torch.tensor(maps[label], dtype=torch.float64), x.T).T
        assert_covariance(y, np.diag([3, 1 / 3]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_log_density_of_the_gaussians_is_the_closed_form(variant):
    x = np.random.default_rng(0).uniform(-12, 12, (200, 2))
    rotation = np.array([[0.5, -math.sqrt(0.75)], [math.sqrt(0.75), 0.5]])
    straight = np.diag([9.2, 1 / 9 + 0.2])
    for name, covariance in [
        ("axis_aligned_gaussian", straight),
        ("rotated_gaussian", rotation @ straight @ rotation.T),
    ]:
        expected = stats.multivariate_normal([0, 0], covariance).logpdf(x)
        assert np.abs(vc.data.log_density(name, x, variant).numpy() - expected).max() < 1e-10


@pytest.mark.parametrize(
    ("variant", "weights", "corner"),
    [
        ("meant", [1 / 3, 1 / 3, 1 / 3], math.sqrt(0.75)),
        ("printed", np.diff([0, *stats.norm.cdf([1 / 3, 2 / 3]), 1]), math.sin(2 / 3)),
    ],
)
def test_log_density_of_the_mixture_is_the_closed_form(variant, weights, corner):
    x = np.random.default_rng(1).uniform(-8, 8, (200, 2))
    s = math.sqrt(0.75)
    maps = np.array([[[1, 0], [0, 1]], [[-0.5, -s], [s, -0.5]], [[0.5, -corner], [s, 0.5]]])
    density = sum(
        w * stats.multivariate_normal(m, a @ np.diag([3, 1 / 3]) @ a.T).pdf(x)
        for w, a, m in zip(weights, maps, CENTRES[variant], strict=True)
    )
    found = vc.data.log_density("gaussian_mixture", x, variant).numpy()
    assert np.abs(found - np.log(density)).max() < 1e-8


def test_the_mixture_as_meant_is_unchanged_by_a_third_of_a_turn_and_as_printed_is_not():
    x = np.random.default_rng(1).uniform(-8, 8, (200, 2))
    cos, sin = -0.5, math.sqrt(0.75)
    turned = x @ np.array([[cos, sin], [-sin, cos]])
    change = {
        variant: vc.data.log_density("gaussian_mixture", x, variant)
        - vc.data.log_density("gaussian_mixture", turned, variant)
        for variant in VARIANTS
    }
    assert change["meant"].abs().max() < 1e-9
    assert change["printed"].abs().max() > 1


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CURVES)
def test_log_density_of_the_curves_agrees_with_adaptive_quadrature(name, variant):
    x = np.random.default_rng(2).uniform(-1.2, 1.2, (12, 2))
    variance = NOISE[name]
    p = 2.0 if variant == "printed" else 2 * np.pi / 3
    u = np.concatenate([p * k + np.array([-0.3, -0.1, 0, 0.1, 0.3]) for k in (0.5, 1.5, 2.5)])
    cuts = np.sort(2 / np.pi * np.log(u / (2 * np.pi - u)))
    edges = np.concatenate([[-9, -4, -2], cuts, [2, 4, 9]])

    def integrand(z, point):
        square = ((point - FORMULA[name](z, variant)) ** 2).sum()
        return stats.norm._pdf(z) * np.exp(-square / (2 * variance)) / (2 * np.pi * variance)

    for point, found in zip(x, vc.data.log_density(name, x, variant), strict=True):
        pieces = [
            integrate.quad(integrand, a, b, args=(point,), epsabs=1e-13, epsrel=1e-11)[0]
            for a, b in zip(np.sort(edges)[:-1], np.sort(edges)[1:], strict=True)
        ]
        assert found.item() == pytest.approx(math.log(sum(pieces)), abs=1e-8)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CURVES)
def test_twice_the_nodes_change_the_log_density_by_less_than_1e_8(name, variant):
    generator = torch.Generator().manual_seed(0)
    x = 40 * torch.rand(2000, 2, generator=generator, dtype=torch.float64) - 20
    finer = synthetic_sets._curve_nodes(name, variant, per_piece=32)
    expected = synthetic_sets._log_blurred(x, *finer, NOISE[name])
    assert (vc.data.log_density(name, x, variant) - expected).abs().max() < 1e-8


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("name", "reach", "step"),
    [
        ("axis_aligned_gaussian", 20, 0.1),
        ("rotated_gaussian", 20, 0.1),
        ("figure_eight", 2.5, 0.04),
        ("three_blobs", 5, 0.05),
        ("gaussian_mixture", 16, 0.08),
    ],
)
def test_density_integrates_to_one_and_its_entropy_is_that_of_the_samples(
    name, reach, step, variant
):
    axis = torch.arange(-reach, reach + step, step, dtype=torch.float64)
    log_p = vc.data.log_density(name, torch.cartesian_prod(axis, axis), variant)
    assert log_p.exp().sum().item() * step**2 == pytest.approx(1, abs=1e-6)
    entropy = -(log_p.exp() * log_p).sum().item() * step**2
    found = vc.data.log_density(name, vc.data.synthetic(name, 20_000, 8, variant).x, variant)
    assert abs(-found.mean().item() - entropy) < 5 * found.std().item() / math.sqrt(20_000)


def test_entropy_of_the_axis_aligned_gaussian_is_exact():
    x = vc.data.synthetic("axis_aligned_gaussian", N, seed=9).x
    entropy = math.log(2 * math.pi * math.e) + 0.5 * math.log(9.2 * (1 / 9 + 0.2))
    found = vc.data.log_density("axis_aligned_gaussian", x)
    assert abs(-found.mean().item() - entropy) < 5 / math.sqrt(N)  # log p has variance 1


@pytest.mark.parametrize("name", vc.data.SYNTHETIC)
def test_a_seed_fixes_the_sample_and_leaves_the_global_generator_alone(name):
    before = torch.get_rng_state()
    first, again, other = (vc.data.synthetic(name, 50, seed=s) for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.x, other.x)


def test_the_function_survives_the_import_of_its_module():
    import vaecourse.data.synthetic_sets  # noqa: F401

    assert vc.data.synthetic("figure_eight", 3).x.shape == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("figure_eigth", 5), r"name is 'figure_eigth' \(did you mean 'figure_eight'\?\); it must"),
        (("figure_eight", 0), "n is 0; it must be an integer of at least 1"),
        (("figure_eight", 2.5), "n is 2.5; it must be an integer of at least 1"),
        (("figure_eight", 5, -1), "seed is -1; it must be an integer from 0"),
        (("figure_eight", 5, "x"), "seed is 'x'; it must be an integer from 0"),
        (("figure_eight", 5, 0, "mean"), r"variant is 'mean' \(did you mean 'meant'\?\)"),
    ],
)
def test_synthetic_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        vc.data.synthetic(*arguments)


@pytest.mark.parametrize(
    ("name", "x", "message"),
    [
        ("blobs", [[0.0, 0.0]], "name is 'blobs'"),
        ("three_blobs", [0.0, 0.0], r"x has shape \[2\]; it must be \[n, 2\]"),
        ("three_blobs", [[0.0, 0.0, 0.0]], r"x has shape \[1, 3\]; it must be \[n, 2\]"),
        ("three_blobs", [[0.0, math.nan]], "x holds a number that is not finite"),
        ("three_blobs", "points", "x is a str that cannot be read as numbers"),
    ],
)
def test_log_density_refuses_bad_arguments(name, x, message):
    with pytest.raises(ValueError, match=message):
        vc.data.log_density(name, x)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CURVES)
def test_noiseless_points_lie_on_the_curve_of_the_formula(name, variant):
    z = torch.linspace(-2, 2, 41)[:, None]
    expected = torch.from_numpy(FORMULA[name](z[:, 0].double().numpy(), variant)).float()
    points = vc.data.noiseless(name, z, variant)
    torch.testing.assert_close(points, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["rotated_gaussian", "figure_eight"])
def test_what_noise_adds_to_noiseless_points_has_its_variance(name):
    sample = vc.data.synthetic(name, N, seed=3)
    noise = (sample.x - vc.data.noiseless(name, sample.z)).double()
    assert_covariance(noise, (0.02 if name == "figure_eight" else 0.2) * np.eye(2))


@pytest.mark.parametrize(
    ("name", "z", "sentence"),
    [
        ("gaussian_mixture", torch.zeros(3, 1), "name is 'gaussian_mixture'"),
        ("three_blobs", torch.zeros(3, 2), r"z has shape \[3, 2\]; .* it must be \[n, 1\]"),
        ("rotated_gaussian", torch.zeros(3), r"z has shape \[3\]; .* it must be \[n, 2\]"),
    ],
)
def test_what_has_no_noiseless_points_is_refused(name, z, sentence):
    with pytest.raises(ValueError, match=sentence):
        vc.data.noiseless(name, z)
