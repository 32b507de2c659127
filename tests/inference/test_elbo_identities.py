"""The ELBO's three forms agree, its gap is the divergence, its forces balance at the optimum."""

import math

import pytest
import torch
from sentences import refused
from torch.distributions import MultivariateNormal, Normal

from vaecourse.inference.elbo_identities import (
    Gaussian,
    LinearGaussianModel,
    OneDimensionalModel,
    elbo_evidence_and_gap,
    elbo_fit_and_regularizer,
    elbo_joint_and_entropy,
    three_forces,
)
from vaecourse.inference.posteriors import grid_posterior

FORMS = (elbo_joint_and_entropy, elbo_fit_and_regularizer, elbo_evidence_and_gap)
WEIGHT = torch.tensor([[1.0, 0.5], [-0.3, 2.0], [0.8, -1.1]], dtype=torch.float64)


def tensor(value):
    return torch.tensor(value, dtype=torch.float64)


def random_gaussian(dim, seed):
    noise = torch.Generator().manual_seed(seed)
    mean = torch.randn(dim, generator=noise, dtype=torch.float64)
    root = torch.randn(dim, dim, generator=noise, dtype=torch.float64)
    return Gaussian(mean, root @ root.T + 0.1 * torch.eye(dim, dtype=torch.float64))


def linear_model():
    return LinearGaussianModel([0.4, -1.2, 0.9], WEIGHT, alpha=0.7, beta=3.0)


def sigmoid_likelihood(z):
    """x = 0.8 seen through a sigmoid with noise of deviation 0.2."""
    return Normal(tensor(0.8), tensor(0.2)).log_prob(torch.sigmoid(2 * z[..., 0] - 0.5))


def straight_likelihood(z):
    """x = 2 through a line of slope 1.5 with noise of deviation 0.5."""
    return Normal(tensor(2.0), tensor(0.5)).log_prob(1.5 * z[..., 0])


@pytest.mark.parametrize("seed", range(5))
def test_three_forms_agree_on_a_linear_gaussian_model(seed):
    model, q = linear_model(), random_gaussian(2, seed)
    values = [float(form(model, q)) for form in FORMS]
    assert max(values) - min(values) < 1e-12 * max(1, abs(values[0]))
    gap = float(model.log_evidence()) - values[0]
    assert abs(gap - float(model.kl_to_posterior(q))) < 1e-10


@pytest.mark.parametrize("likelihood", [straight_likelihood, sigmoid_likelihood])
@pytest.mark.parametrize("loc, scale", [(1.2, 0.316), (0.5, 0.8), (-1.0, 0.3), (0.0, 1.0)])
def test_three_forms_agree_on_a_one_dimensional_model(likelihood, loc, scale):
    model, q = OneDimensionalModel(likelihood), Gaussian(tensor([loc]), tensor([[scale**2]]))
    values = [float(form(model, q)) for form in FORMS]
    assert max(values) - min(values) < 1e-12 * max(1, abs(values[0]))
    gap = float(model.log_evidence()) - values[0]
    assert abs(gap - float(model.kl_to_posterior(q))) < 1e-10


def test_quadrature_agrees_with_the_closed_forms_where_both_exist():
    by_grid = OneDimensionalModel(straight_likelihood)
    closed = LinearGaussianModel([2.0], [[1.5]], alpha=1.0, beta=4.0)
    q = Gaussian(tensor([0.5]), tensor([[0.64]]))
    for name in ("expected_log_likelihood", "expected_log_prior", "kl_to_prior", "kl_to_posterior"):
        assert abs(float(getattr(by_grid, name)(q)) - float(getattr(closed, name)(q))) < 1e-11
    assert abs(float(by_grid.log_evidence()) - float(closed.log_evidence())) < 1e-12
    # At x = 2 the evidence is N(2; 0, 1.5² + 0.5²).
    exact = Normal(tensor(0.0), tensor(2.5).sqrt()).log_prob(tensor(2.0))
    assert abs(float(closed.log_evidence()) - float(exact)) < 1e-12
    assert abs(float(exact) + 2.177) < 5e-4
    assert abs(float(closed.kl_to_posterior(q)) - 4.22) < 5e-3


def test_elbo_by_sampling_agrees_with_the_closed_form():
    model, q = linear_model(), random_gaussian(2, seed=7)
    eps = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = q.mean + eps @ torch.linalg.cholesky(q.covariance).T
    log_q = MultivariateNormal(q.mean, q.covariance).log_prob(z)
    samples = model.log_likelihood(z) + model.log_prior(z) - log_q
    error = float(samples.std()) / math.sqrt(len(samples))
    assert abs(float(samples.mean() - elbo_joint_and_entropy(model, q))) < 4 * error


def test_at_the_exact_posterior_the_elbo_is_the_evidence():
    model = linear_model()
    q = Gaussian(model.posterior.mean, model.posterior.covariance)
    for form in FORMS:
        assert abs(float(form(model, q) - model.log_evidence())) < 1e-12


def test_evidence_agrees_with_a_grid_over_the_latents():
    model = linear_model()
    grid = grid_posterior(
        lambda z: model.log_likelihood(z) + model.log_prior(z), [-4, -4], [4, 4], 201
    )
    assert abs(float(grid.log_evidence - model.log_evidence())) < 1e-12


def test_entropy_of_a_gaussian():
    q = random_gaussian(3, seed=1)
    assert abs(float(q.entropy() - MultivariateNormal(q.mean, q.covariance).entropy())) < 1e-13


# Forces


def test_forces_cancel_everywhere_when_q_is_the_posterior():
    model = linear_model()
    q = Gaussian(model.posterior.mean, model.posterior.covariance)
    z = random_points(50)
    total = sum(three_forces(model, q, z))
    assert float(total.abs().max()) < 1e-12


def test_forces_are_the_textbook_slopes():
    model, q, z = linear_model(), random_gaussian(2, seed=2), random_points(20)
    forces = three_forces(model, q, z)
    assert torch.allclose(forces.likelihood, 3.0 * (model.x - z @ WEIGHT.T) @ WEIGHT, atol=1e-12)
    assert torch.allclose(forces.prior, -0.7 * z, atol=1e-14)
    pushed_apart = (z - q.mean) @ torch.linalg.inv(q.covariance)
    assert torch.allclose(forces.entropy, pushed_apart, atol=1e-10)


@pytest.mark.parametrize("likelihood", [straight_likelihood, sigmoid_likelihood])
def test_mean_force_is_the_slope_of_the_elbo(likelihood):
    model = OneDimensionalModel(likelihood)
    q = Gaussian(tensor([0.4]), tensor([[0.25]]))
    weight = q.log_prob(model.z).exp() * model.step
    mean_force = float(weight @ sum(three_forces(model, q, model.z))[:, 0])
    h = 1e-4
    ends = [elbo_joint_and_entropy(model, Gaussian(q.mean + s * h, q.covariance)) for s in (-1, 1)]
    assert abs(mean_force - float(ends[1] - ends[0]) / (2 * h)) < 1e-6


def test_without_the_entropy_force_the_samples_collapse_on_the_mode():
    # Ascent of the ELBO for q = N(m, s²), with and without the force that pushes apart.
    model = LinearGaussianModel([2.0], [[1.5]], alpha=1.0, beta=4.0)
    eps = torch.randn(512, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    eps = (eps - eps.mean()) / eps.std(correction=0)
    scales = {}
    for with_entropy in (True, False):
        m, s = tensor([0.0]), tensor([1.0])
        for _ in range(400):
            forces = three_forces(model, Gaussian(m, torch.diag(s**2)), m + s * eps)
            push = forces.likelihood + forces.prior + with_entropy * forces.entropy
            m, s = m + 0.02 * push.mean(0), s + 0.02 * (push * eps).mean(0)
            s = s.clamp(min=1e-3)
        scales[with_entropy] = float(s)
        assert abs(float(m) - 1.2) < 1e-6
    assert abs(scales[True] - 0.1**0.5) < 1e-6
    assert scales[False] == 1e-3


def random_points(n):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


# Bad input

BAD = {
    "beta is 0; it must be finite and greater than 0.": lambda: LinearGaussianModel(
        [1.0], [[1.0]], 1, 0
    ),
    "x has shape [2]; it must be [3].": lambda: LinearGaussianModel([1.0, 2.0], WEIGHT, 1, 1),
    "covariance has an eigenvalue of -1; it must be positive definite.": lambda: Gaussian(
        [0, 0], [[1, 2], [2, 1]]
    ),
    "covariance has shape [3, 3]; it must be [2, 2].": lambda: Gaussian([0, 0], torch.eye(3)),
    "other.mean has shape [3]; it must be [2].": lambda: random_gaussian(2, 0).kl_to(
        random_gaussian(3, 0)
    ),
    "q.mean has shape [3]; it must be [2].": lambda: elbo_joint_and_entropy(
        linear_model(), random_gaussian(3, 0)
    ),
    "q.mean has shape [2]; it must be [1].": lambda: elbo_joint_and_entropy(
        OneDimensionalModel(straight_likelihood), random_gaussian(2, 0)
    ),
    "z has shape [5, 3]; it must be [any, 2].": lambda: three_forces(
        linear_model(), random_gaussian(2, 0), torch.zeros(5, 3)
    ),
    "log_likelihood(z) has shape [4001, 1]; it must be [4001].": lambda: OneDimensionalModel(
        lambda z: Normal(0.0, 1.0).log_prob(z)
    ),
    "log_likelihood(z) holds a NaN or an infinity; it must hold finite numbers.": lambda: (
        OneDimensionalModel(lambda z: z[:, 0].log())
    ),
    "half_width is -1; it must be finite and greater than 0.": lambda: OneDimensionalModel(
        straight_likelihood, half_width=-1
    ),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_input_is_refused_in_one_sentence(sentence):
    assert refused(BAD[sentence]) == sentence
