"""The computations behind errata.md: one test an entry, named there."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import gamma, kstest, norm
from torch.distributions import Normal

from vaecourse.data import log_density, synthetic
from vaecourse.inference.elbo_identities import (
    Gaussian,
    LinearGaussianModel,
    elbo_fit_and_regularizer,
    elbo_joint_and_entropy,
)
from vaecourse.inference.gradients import (
    gamma_rsample_by_sums,
    sigmoid_linear_bound,
    sigmoid_linear_gradients,
)
from vaecourse.inference.mean_field import GaussianMeanField
from vaecourse.inference.posteriors import linear_posterior

PAGE = Path(__file__).parents[1] / "errata.md"


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tensor(value):
    return torch.tensor(value, dtype=torch.float64)


@pytest.fixture
def line():
    """z ~ N(0, 1), x|z ~ N(1.5 z, 0.5²), at x = 2: evidence −2.177, posterior N(1.2, 0.1)."""
    return LinearGaussianModel([2.0], [[1.5]], alpha=1.0, beta=4.0)


# S0


def test_s0_the_isotropic_gaussian_is_axis_aligned():
    covariance = torch.cov(synthetic("axis_aligned_gaussian", 200_000).x.double().T)
    assert abs(float(covariance[0, 0]) - 9.2) < 0.12
    assert abs(float(covariance[1, 1]) - (1 / 9 + 0.2)) < 0.005
    assert abs(float(covariance[0, 1])) < 0.02
    # The same from the exact density: a Gaussian's slopes of second order are −1/variance.
    x = torch.zeros(1, 2, dtype=torch.float64)
    steps = torch.eye(2, dtype=torch.float64)
    curvature = [
        float(log_density("axis_aligned_gaussian", x + e) - log_density("axis_aligned_gaussian", x))
        for e in steps
    ]
    assert abs(curvature[0] + 0.5 / 9.2) < 1e-12
    assert abs(curvature[1] + 0.5 / (1 / 9 + 0.2)) < 1e-12


def test_s0_the_likelihood_counts_data_dimensions():
    # D = 2 data dimensions and J = 1 latent one: with J in its constant p(x|z) is no density.
    axis = torch.linspace(-10, 10, 801, dtype=torch.float64)
    square = 0.5 * (axis[:, None].square() + axis.square())
    cell = float(axis[1] - axis[0]) ** 2
    total = {count: float(((2 * math.pi) ** (-count / 2) * (-square).exp()).sum()) * cell
             for count in (1, 2)}  # fmt: skip
    assert abs(total[2] - 1) < 1e-12
    assert abs(total[1] - math.sqrt(2 * math.pi)) < 1e-11


def eight(u):
    """The curve of the figure eight at u: [n, 2]."""
    x = np.stack([math.sqrt(0.5) * np.cos(u), math.sqrt(2) * np.cos(u) * np.sin(u)], axis=1)
    return x / (np.sin(u) ** 2 + 1)[:, None]


def arc_length(low, high):
    return np.linalg.norm(np.diff(eight(np.linspace(low, high, 20_001)), axis=0), axis=1).sum()


def test_s0_the_figure_eight_lacks_a_factor_of_pi():
    whole = arc_length(0, 2 * math.pi)
    assert abs(arc_length(0.6, 2.4) / whole - 0.2498) < 1e-4
    assert abs(arc_length(0.6 * math.pi, 2.4 * math.pi) / whole - 0.9060) < 1e-4
    # The samples of both variants lie on their curve, up to noise of variance 0.02.
    for variant, factor in (("printed", 1.0), ("meant", math.pi)):
        sample = synthetic("figure_eight", 20_000, variant=variant)
        curve = eight(factor * (0.6 + 1.8 * norm.cdf(sample.z[:, 0].double().numpy())))
        noise = sample.x.numpy() - curve
        assert abs(noise.var() - 0.02) < 0.001


def staircase(u):
    """The slides' t(u)."""
    k = np.floor(u / 2)
    return 2 * np.tanh(10 * u - 20 * k - 10) + 4 * k + 2


def test_s0_the_three_blobs_are_four():
    t = staircase(np.array([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.2]))
    assert np.allclose(t, [0, 4, 4, 8, 8, 12, 12], atol=2e-4)
    # u = 1, 3, 5 separate the plateaus; u(z) turned round gives their share of p(z) = N(0, 1).
    odd = np.array([1.0, 3.0, 5.0])
    edges = 2 / math.pi * np.log(odd / (2 * math.pi - odd))
    weights = np.diff(norm.cdf(np.concatenate([[-np.inf], edges, [np.inf]])))
    assert np.allclose(weights, [0.1447, 0.3325, 0.3296, 0.1933], atol=1e-4)
    centres = np.exp(1j * np.array([0, 4, 8, 12]))
    assert abs(abs(centres[0] - centres[3]) - 0.5588) < 1e-4
    distances = sorted(abs(a - b) for a, b in itertools.combinations(centres, 2))
    assert distances[1] > 1.5
    sample = synthetic("three_blobs", 20_000, variant="printed")
    shares = np.bincount(sample.label.numpy()) / 20_000
    assert np.abs(shares - weights).max() < 0.015
    assert len(synthetic("three_blobs", 20_000, variant="meant").label.unique()) == 3


def test_s0_the_third_rotation_of_the_mixture_is_none():
    angle = math.pi / 3
    printed = np.array([[math.cos(angle), -math.sin(2 / 3)], [math.sin(angle), math.cos(angle)]])
    assert abs(np.linalg.det(printed) - 0.7855) < 1e-4
    assert abs(printed[0] @ printed[1] - 0.1239) < 1e-4
    meant = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    assert np.allclose(meant @ meant.T, np.eye(2), atol=1e-15)
    # The third component, as printed and as meant, in samples.
    for variant, matrix in (("printed", printed), ("meant", meant)):
        sample = synthetic("gaussian_mixture", 100_000, variant=variant)
        covariance = np.cov(sample.x[sample.label == 2].double().numpy().T)
        assert np.abs(covariance - matrix @ np.diag([3, 1 / 3]) @ matrix.T).max() < 0.06


def test_s0_the_thirds_of_the_mixture_need_a_uniform_z():
    edges = np.array([-np.inf, 1 / 3, 2 / 3, np.inf])
    weights = np.diff(norm.cdf(edges))
    assert np.allclose(weights, [0.6306, 0.1169, 0.2525], atol=1e-4)
    for variant, expected in (("printed", weights), ("meant", [1 / 3] * 3)):
        label = synthetic("gaussian_mixture", 100_000, variant=variant).label.numpy()
        assert np.abs(np.bincount(label) / 100_000 - expected).max() < 0.006


def test_s0_the_centres_of_the_mixture_are_not_equidistant():
    def sides(across):
        far, half = 3 * math.sqrt(3), 1.5 * math.sqrt(3)
        centres = np.array([[0, far], [-across, -half], [across, -half]])
        return [np.linalg.norm(a - b) for a, b in itertools.combinations(centres, 2)]

    assert np.allclose(sides(3 * math.sqrt(3)), [9.367, 9.367, 10.392], atol=1e-3)
    assert np.allclose(sides(4.5), 9.0, atol=1e-12)


def test_s0_what_is_approximated_is_the_posterior(line):
    prior, posterior = Gaussian([0.0], [[1.0]]), Gaussian([1.2], [[0.1]])
    assert abs(float(line.kl_to_prior(prior))) < 1e-14
    assert abs(float(line.kl_to_posterior(prior)) - 10.5487) < 1e-4
    assert abs(float(line.kl_to_posterior(posterior))) < 1e-13


def test_s0_variational_inference_minimizes_the_other_divergence():
    # The product of Gaussians nearest to p = N(0, [[1, .8], [.8, 1]]), both ways round.
    p = Gaussian([0.0, 0.0], [[1, 0.8], [0.8, 1]])
    variances = torch.linspace(0.2, 1.5, 131, dtype=torch.float64)
    candidates = [Gaussian([0.0, 0.0], v * torch.eye(2).double()) for v in variances]
    reverse = min(candidates, key=lambda q: float(q.kl_to(p)))
    forward = min(candidates, key=lambda q: float(p.kl_to(q)))
    assert abs(float(reverse.covariance[0, 0]) - 0.36) < 1e-9
    assert abs(float(forward.covariance[0, 0]) - 1.0) < 1e-9
    assert abs(GaussianMeanField(p.mean, p.covariance).fit().variances_[0] - 0.36) < 1e-14


# S1


def test_s1_the_marginal_needs_the_likelihood(line):
    z = torch.linspace(-12, 12, 1201, dtype=torch.float64)
    x = torch.linspace(-30, 30, 1201, dtype=torch.float64)
    step_z, step_x = float(z[1] - z[0]), float(x[1] - x[0])
    prior = Normal(tensor(0.0), tensor(1.0)).log_prob(z).exp()
    posterior = Normal(0.6 * x[:, None], tensor(0.1).sqrt()).log_prob(z).exp()
    likelihood = Normal(1.5 * z, tensor(0.5)).log_prob(x[:, None]).exp()
    printed, meant = (posterior @ prior) * step_z, (likelihood @ prior) * step_z
    assert abs(float(meant.sum()) * step_x - 1) < 1e-10
    assert abs(float(printed.sum()) * step_x - 1 / 0.6) < 1e-10
    at_two = Normal(0.6 * tensor(2.0), tensor(0.1).sqrt()).log_prob(z).exp() @ prior * step_z
    assert abs(float(at_two) - 0.1977) < 1e-4
    assert abs(math.exp(line.log_evidence()) - 0.1134) < 1e-4


def test_s1_a_density_is_not_a_probability():
    assert abs(norm.pdf(0, scale=0.01) - 39.894) < 1e-3
    # In 784 dimensions the same x has any density you like, by the choice of a unit.
    log_at_mode = [784 * norm.logpdf(0, scale=scale) for scale in (0.1, 1.0)]
    assert log_at_mode[0] > 1000 and log_at_mode[1] < -700
    # The truth itself can put its highest density where no datum is.
    data = torch.randn(2_000, 784, generator=generator(), dtype=torch.float64)
    log_p = Normal(tensor(0.0), tensor(1.0)).log_prob
    origin = log_p(torch.zeros(784).double()).sum()
    assert abs(float(origin - log_p(data).sum(1).mean()) - 392) < 2
    assert float(log_p(data).sum(1).max()) < float(origin) - 200


def test_s1_the_minibatch_factor_is_upside_down():
    terms, size = np.array([-3.0, 1.5, 0.2, -0.7, 4.1]), 2
    sums = [terms[list(batch)].sum() for batch in itertools.combinations(range(5), size)]
    assert abs(np.mean(sums) * len(terms) / size - terms.sum()) < 1e-12
    assert abs(np.mean(sums) * size / len(terms) - terms.sum() * (size / 5) ** 2) < 1e-12


def test_s1_and_s2_a_multiple_of_the_identity_has_one_variance():
    prior = Gaussian([0.0, 0.0], torch.eye(2))
    variances, loc = tensor([0.2, 1.5]), tensor([0.3, -0.4])
    printed = 0.5 * (1 + variances.log() - loc.square() - variances).sum()
    diagonal = Gaussian(loc, torch.diag(variances))
    assert abs(float(printed + diagonal.kl_to(prior))) < 1e-13
    for variance in (0.2, 0.85, 1.5):
        isotropic = Gaussian(loc, variance * torch.eye(2).double())
        assert abs(float(printed + isotropic.kl_to(prior))) > 0.01


# S2

TABLE = np.log([[0.30, 0.10, 0.05], [0.05, 0.20, 0.30]])  # log p(x, z1, z2) for one x
Q2 = np.array([0.2, 0.3, 0.5])


def bound(q1, table=TABLE, q2=Q2):
    """E_q[log p(x, z) − log q(z)] for q = q1 q2."""
    return q1 @ table @ q2 - q1 @ np.log(q1) - q2 @ np.log(q2)


def softmax(logits):
    return np.exp(logits - np.logaddexp.reduce(logits))


def test_s2_the_expected_log_joint_must_keep_z_j():
    best = softmax(TABLE @ Q2)
    without_z1 = np.log(np.exp(TABLE).sum(0)) @ Q2  # E[log p(x, z2)]: one number for all z1
    printed = softmax(np.full(2, without_z1))
    assert np.allclose(printed, 0.5)
    assert abs(best[0] - 0.3218) < 1e-4
    assert abs(bound(best) - bound(printed) - 0.0679) < 1e-4
    grid = np.linspace(0.001, 0.999, 999)
    values = [bound(np.array([first, 1 - first])) for first in grid]
    assert abs(grid[np.argmax(values)] - best[0]) < 1e-3


def test_s2_the_normalizer_multiplies():
    # exp{…} + exp(λ) can be made to sum to one here, but it is not the optimum.
    unnormalized = np.exp(TABLE @ Q2)
    product = unnormalized / unnormalized.sum()
    added = unnormalized + (1 - unnormalized.sum()) / 2
    assert abs(added.sum() - 1) < 1e-15
    assert abs(bound(product) - bound(added) - 0.0363) < 1e-4
    # And over all real z no positive constant can be added: the sum has no finite integral.
    half_widths = np.array([10.0, 1000.0])
    mass = [np.trapezoid(norm.pdf(np.linspace(-w, w, 10_001)) + 0.01, dx=w / 5000)
            for w in half_widths]  # fmt: skip
    assert np.allclose(mass, 1 + 0.02 * half_widths, atol=1e-6)


def test_s2_the_lost_minus_one_is_harmless():
    expected = TABLE @ Q2
    with_it, without = np.exp(expected - 1), np.exp(expected)
    assert np.allclose(without / with_it, math.e, rtol=1e-14)
    assert np.allclose(with_it / with_it.sum(), without / without.sum(), rtol=1e-14)

    # Without the constraint the derivative, log p − log q − 1, vanishes at the first.
    def functional(q):
        return (q * expected - q * np.log(q)).sum()

    for candidate, slope in ((with_it, 0.0), (without, -1.0)):
        for k in range(2):
            step = 1e-5 * np.eye(2)[k]
            rise = functional(candidate + step) - functional(candidate - step)
            assert abs(rise / 2e-5 - slope) < 1e-6


def test_s2_the_entropy_is_counted_once():
    # Σ_i E_j[log q_j] over m = 2 factors, taken literally, would temper the optimum.
    literal = softmax(TABLE @ Q2 / 2)
    assert abs(literal[0] - 0.4079) < 1e-4
    assert abs(bound(softmax(TABLE @ Q2)) - bound(literal) - 0.0163) < 1e-4


def test_s2_the_score_is_a_gradient_by_phi():
    f, logits = np.array([1.0, -2.0, 0.5]), np.array([0.2, -0.4, 0.9])
    q = softmax(logits)
    # ∇_φ log q_k = e_k − q for a softmax.
    right = q @ (f[:, None] * (np.eye(3) - q))
    h = 1e-6
    by_difference = [
        (softmax(logits + h * e) @ f - softmax(logits - h * e) @ f) / (2 * h) for e in np.eye(3)
    ]
    assert np.abs(right - by_difference).max() < 1e-9
    # ∇_q log q = 1/q leaves Σ f: it does not depend on φ, nor vanish for a constant f.
    printed = q @ (f / q)
    assert abs(printed - f.sum()) < 1e-14
    assert abs(q @ (np.ones(3)[:, None] * (np.eye(3) - q))).max() < 1e-15


def test_s2_what_stable_covmean_must_return():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, 4, 4))
    first, second = roots @ np.swapaxes(roots, 1, 2) + 0.1 * np.eye(4)
    half = sqrtm(first)
    symmetric = sqrtm(half @ second @ half)
    # Its trace is that of (Σ₁Σ₂)^½, and both are sums of roots of the same eigenvalues.
    eigenvalues = np.linalg.eigvalsh(half @ second @ half)
    assert abs(np.trace(symmetric) - np.trace(sqrtm(first @ second))) < 1e-10
    assert abs(np.trace(symmetric) - np.sqrt(eigenvalues).sum()) < 1e-10
    # One dimension, N(0, 1) to N(3, 2²): 9 + (1 − 2)² = 10.
    assert 3**2 + 1 + 4 - 2 * math.sqrt(1 * 4) == 10


def test_s2_the_closed_form_of_the_frechet_distance_needs_one_family():
    # N(0, 1) and a fair coin on ±1 share mean and variance, so the formula gives 0; in one
    # dimension the best coupling matches quantiles, at the cost E(|z| − 1)².
    z = np.linspace(-10, 10, 200_001)
    cost = (norm.pdf(z) * (np.abs(z) - 1) ** 2).sum() * (z[1] - z[0])
    assert abs(cost - (2 - 2 * math.sqrt(2 / math.pi))) < 1e-8
    assert abs(cost - 0.4042) < 1e-4
    # Of two laws of one family it holds: uniform on ±1, and on 1 to 7.
    u = (np.arange(100_000) + 0.5) / 100_000
    moved = (((2 * u - 1) - (1 + 6 * u)) ** 2).mean()
    assert abs(moved - (4**2 + (1 / math.sqrt(3) - math.sqrt(3)) ** 2)) < 1e-8


def test_s2_the_frechet_formula_needs_central_moments():
    # One coupling moves every point by 3, and no coupling beats the difference of the means.
    def formula(first, second):
        return 9 + first + second - 2 * math.sqrt(first * second)

    assert formula(1, 1) == 9
    raw = (norm(3).moment(2), norm(0).moment(2))
    assert abs(formula(*raw) - 13.68) < 5e-3


def test_s2_the_divergence_from_a_mixture_is_an_integral():
    z = np.linspace(-12, 12, 200_001)
    q, p = norm.pdf(z), (norm.pdf(z, -2) + norm.pdf(z, 2)) / 2
    exact = (q * np.log(q / p)).sum() * (z[1] - z[0])
    variance = (p * z**2).sum() * (z[1] - z[0])
    same_moments = (math.log(variance) + 1 / variance - 1) / 2
    assert abs(exact - 0.943) < 5e-4 and abs(same_moments - 0.405) < 5e-4


def test_s1_a_spectrum_is_not_a_density():
    noise = torch.randn(4_000, 64, generator=generator(), dtype=torch.float64)
    series = {"gaussian": noise, "coin": noise.sign()}
    for values in series.values():
        spectrum = torch.fft.fft(values).abs().square().mean(0) / 64
        # A periodogram ordinate has variance 1, or 2 at the ends; five standard errors.
        assert (spectrum - 1).abs().max() < 5 * math.sqrt(2 / 4_000)
    fourth = {name: float(values.pow(4).mean()) for name, values in series.items()}
    # E[z⁴] = 3 with variance 96 a draw.
    assert fourth["coin"] == 1 and abs(fourth["gaussian"] - 3) < 5 * math.sqrt(96 / 256_000)


def test_s2_and_s3_a_better_q_does_not_change_the_evidence(line):
    rough, better = Gaussian([0.5], [[0.64]]), Gaussian([1.1], [[0.12]])
    assert elbo_joint_and_entropy(line, better) > elbo_joint_and_entropy(line, rough)
    evidence = [
        float(elbo_joint_and_entropy(line, q) + line.kl_to_posterior(q)) for q in (rough, better)
    ]
    assert abs(evidence[0] - evidence[1]) < 1e-12
    # Nor does the best bound over θ give the best evidence, where q has a variance of ½ for good.
    weights = np.linspace(0.5, 3, 2501)
    models = [LinearGaussianModel([2.0], [[w]], alpha=1.0, beta=4.0) for w in weights]
    by_evidence = [float(m.log_evidence()) for m in models]
    by_bound = [
        float(elbo_joint_and_entropy(m, Gaussian(m.posterior.mean, [[0.5]]))) for m in models
    ]
    assert abs(weights[np.argmax(by_evidence)] - math.sqrt(4 - 0.25)) < 0.001
    assert abs(weights[np.argmax(by_bound)] - math.sqrt(math.sqrt(2) - 0.25)) < 0.001


def test_s2_only_the_average_posterior_is_the_prior(line):
    posterior = line.posterior
    assert abs(float(posterior.mean) - 1.2) < 1e-14
    assert abs(float(posterior.covariance) - 0.1) < 1e-14
    # Over x ~ N(0, 1.5² + 0.5²) the posteriors N(0.6 x, 0.1) average to N(0, 1).
    assert abs(0.6**2 * (1.5**2 + 0.5**2) + 0.1 - 1) < 1e-15
    # Were each of them the prior, x would tell nothing of z.
    assert abs(float(Gaussian([1.2], [[0.1]]).kl_to(Gaussian([0.0], [[1.0]]))) - 1.4213) < 1e-4


# S3


def sigmoid_state(var):
    noise = generator(3)
    normal = [torch.randn(*shape, generator=noise, dtype=torch.float64)
              for shape in ((1, 4), (4, 2), (4,), (1, 2), (1, 1, 2))]  # fmt: skip
    names = ("x", "weight", "bias", "loc", "eps")
    return {**dict(zip(names, normal)), "var": tensor([var]), "alpha": 0.6, "beta": 5.0}


def test_s3_the_gradient_by_the_variance():
    state = sigmoid_state([0.2, 0.5])
    by_hand = sigmoid_linear_gradients(**state).var
    state["var"].requires_grad_()
    (by_autograd,) = torch.autograd.grad(sigmoid_linear_bound(**state).sum(), state["var"])
    assert float((by_hand - by_autograd).abs().max()) < 1e-12
    # As printed, the part that comes through z is divided by σ² where σ belongs.
    var = state["var"].detach()
    closed = 0.5 / var - 0.5 * state["alpha"]
    printed = (by_hand - closed) / var.sqrt() + closed
    assert float((printed - by_autograd).abs().min()) > 0.05
    # With unit variances nobody would notice.
    unit = sigmoid_state([1.0, 1.0])
    through_z = sigmoid_linear_gradients(**unit).var - (0.5 - 0.3)
    assert torch.equal(through_z / unit["var"].sqrt(), through_z / unit["var"])


def test_s3_what_the_printed_gradient_would_train_to(line):
    # For a straight decoder the averages are exact: 1/σ² − α − βw² against 1/σ² − α − βw²/σ.
    curvature = 4.0 * 1.5**2
    right = 1 / (1 + curvature)
    wrong = ((curvature + math.sqrt(curvature**2 + 4)) / 2) ** -2
    assert abs(1 / wrong - 1 - curvature / math.sqrt(wrong)) < 1e-12
    assert abs(right - 0.1) < 1e-15 and abs(wrong - 0.01205) < 1e-5
    gap = [float(line.kl_to_posterior(Gaussian([1.2], [[v]]))) for v in (right, wrong)]
    assert gap[0] < 1e-12
    assert abs(gap[1] - 0.6183) < 1e-4


def test_s3_the_gamma_formula_scales_twice():
    rate, theta, shape = 4.0, 0.5, 3
    ones = torch.ones(shape, dtype=torch.float64)
    exponentials = gamma_rsample_by_sums(1, ones / rate, (50_000,), generator())
    e = exponentials.sum(1)  # already has scale 1/λ
    assert kstest(e.numpy(), gamma(shape, scale=1 / rate).cdf).pvalue > 0.01
    printed = theta * e
    assert kstest(printed.numpy(), gamma(shape, scale=theta).cdf).pvalue < 1e-9
    assert kstest(printed.numpy(), gamma(shape, scale=theta / rate).cdf).pvalue > 0.01
    right = gamma_rsample_by_sums(shape, tensor(theta), (50_000,), generator())
    assert kstest(right.numpy(), gamma(shape, scale=theta).cdf).pvalue > 0.01


def test_s3_an_exponential_is_gamma_1_1_only_at_rate_one():
    for rate in (1.0, 2.0):
        z = gamma_rsample_by_sums(1, tensor(1 / rate), (50_000,), generator()).numpy()
        is_unit_gamma = kstest(z, gamma(1, scale=1).cdf).pvalue > 0.01
        assert is_unit_gamma == (rate == 1.0)
        assert kstest(z, gamma(1, scale=1 / rate).cdf).pvalue > 0.01


def test_s3_the_second_kl_is_none():
    # −L(Q) is no divergence: it falls below zero wherever log p(x) is above.
    sharp = LinearGaussianModel([0.01], [[0.05]], alpha=1.0, beta=400.0)
    q = Gaussian(sharp.posterior.mean, sharp.posterior.covariance)
    assert abs(float(-elbo_joint_and_entropy(sharp, q)) + 1.7202) < 1e-4


def test_s3_logistic_regression_needs_its_sigmoid():
    # With f(z) = z and z ~ N(0, 1), z^x (1 − z)^(1 − x) is a probability for a third of all z.
    assert abs(norm.cdf(1) - norm.cdf(0) - 0.3413) < 1e-4
    z = tensor([-2.0, 0.5, 3.0])
    for x in (0, 1):
        printed = z**x * (1 - z) ** (1 - x)
        assert ((printed < 0) | (printed > 1)).any()
        sigmoid = torch.sigmoid(z)
        assert ((sigmoid**x * (1 - sigmoid) ** (1 - x) - 0.5).abs() < 0.5).all()


# S4


def test_s4_the_prior_of_the_vrnn_must_not_see_x_t():
    # One step of a linear model: p(x|z) p(z|x) with p(z|x) = N(ax, v) integrates to 1/|1 − aw|.
    w, s, v = 1.5, 0.5, 0.1
    z = torch.linspace(-30, 30, 1201, dtype=torch.float64)
    x = torch.linspace(-45, 45, 1201, dtype=torch.float64)[:, None]
    cell = float((z[1] - z[0]) * (x[1, 0] - x[0, 0]))
    for a, total in ((0.0, 1.0), (0.3, 1 / 0.55), (0.6, 10.0)):
        log_joint = Normal(w * z, s).log_prob(x) + Normal(a * x, v**0.5).log_prob(z)
        assert abs(float(log_joint.exp().sum()) * cell - total) < 1e-6


def test_s4_after_enumerating_y_no_expectation_is_left():
    logits = tensor([0.3, -0.5, 0.8]).requires_grad_()
    value = tensor([1.0, -2.0, 0.5])  # what the inner expectation gives for each y
    q = logits.softmax(0)
    enumerated = (q * value).sum()
    (exact,) = torch.autograd.grad(enumerated, logits, retain_graph=True)
    # Read as a mean of one number it is idle; read as a second weighting it is wrong.
    idle = (q.detach() * enumerated).sum()
    (same,) = torch.autograd.grad(idle, logits, retain_graph=True)
    assert float((same - exact).abs().max()) < 1e-15
    (twice,) = torch.autograd.grad((q * q * value).sum(), logits)
    assert float((twice - exact).abs().max()) > 0.05


def test_s4_the_divergence_is_subtracted(line):
    q = Gaussian([1.0], [[0.2]])
    evidence = float(line.log_evidence())
    assert float(elbo_fit_and_regularizer(line, q)) < evidence
    added = float(line.expected_log_likelihood(q) + line.kl_to_prior(q))
    assert added > evidence
    prior = Gaussian([0.0], [[1.0]])  # not for every q
    assert float(line.expected_log_likelihood(prior) + line.kl_to_prior(prior)) < evidence


def test_s4_the_covariance_of_a_factor_posterior_does_not_depend_on_x():
    weight = tensor([[1.0, 0.5], [-0.3, 2.0], [0.8, -1.1]])
    x = torch.randn(5, 3, generator=generator(), dtype=torch.float64)
    each = [linear_posterior(row, weight, 1.0, 3.0) for row in x]
    assert all(torch.equal(each[0].covariance, other.covariance) for other in each[1:])
    assert min(float((each[0].mean - other.mean).norm()) for other in each[1:]) > 0.1


# The page


def test_every_entry_names_its_test_and_every_test_has_an_entry():
    named = set(re.findall(r"`(test_s\d\w+)`", PAGE.read_text(encoding="utf-8")))
    here = {name for name in globals() if re.match(r"test_s\d", name)}
    assert named == here
