"""Factor analysis: exact against dense Gaussians, EM against the bound and scikit-learn."""

import math
import warnings

import pytest
import sklearn.decomposition
import sklearn.exceptions
import torch
from sklearn.datasets import load_digits, load_iris
from torch.distributions import LowRankMultivariateNormal, MultivariateNormal, kl_divergence

import vaecourse as vc
from vaecourse.models import FactorAnalysis
from vaecourse.objectives import elbo_terms, importance_weighted_bound, log_weights


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def iris():
    return torch.as_tensor(load_iris().data)


def random_model(noise="diagonal", data_dim=7, latent_dim=3, seed=0):
    """Every parameter of θ and φ away from its start, in float64."""
    model = FactorAnalysis(data_dim, latent_dim, noise=noise, seed=seed).double()
    with torch.no_grad():
        for parameter in model.parameters():
            eps = torch.randn(parameter.shape, generator=generator(seed), dtype=torch.float64)
            parameter.add_(0.5 * eps)
    return model


def rows(model, n=20, seed=1):
    eps = torch.randn(n, model.data_dim, generator=generator(seed), dtype=torch.float64)
    return 2 * eps + 1


def dense(model):
    covariance = model.weight @ model.weight.T + torch.diag(model.noise_variance)
    return MultivariateNormal(model.mean, covariance)


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
def test_evidence_in_woodbury_form_is_the_dense_gaussian(noise):
    model = random_model(noise).requires_grad_(False)
    x = rows(model)
    low_rank = LowRankMultivariateNormal(model.mean, model.weight, model.noise_variance)
    assert (model.log_evidence(x) - dense(model).log_prob(x)).abs().max() < 1e-9
    assert (model.log_evidence(x) - low_rank.log_prob(x)).abs().max() < 1e-9


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
def test_posterior_is_the_conditional_of_the_joint_gaussian(noise):
    model = random_model(noise).requires_grad_(False)
    x = rows(model)
    q = model.exact_posterior(x)
    gain = torch.linalg.solve(dense(model).covariance_matrix, model.weight).T
    identity = torch.eye(3, dtype=torch.float64)
    assert (q.mean - (x - model.mean) @ gain.T).abs().max() < 1e-9
    assert (q.covariance_matrix - (identity - gain @ model.weight)).abs().max() < 1e-9


def test_the_bound_falls_short_by_the_divergence_from_the_posterior():
    model = random_model().requires_grad_(False)
    x = rows(model)
    gap = kl_divergence(model.encode(x), model.exact_posterior(x))
    assert (model.log_evidence(x) - model.expected_elbo(x) - gap).abs().max() < 1e-9
    assert gap.min() > 0.1


def test_at_the_exact_posterior_every_weight_is_the_evidence():
    model = random_model().requires_grad_(False).set_exact_posterior()
    x = rows(model)
    evidence = model.log_evidence(x)
    assert (log_weights(model, x, 5, generator()) - evidence).abs().max() < 1e-9
    assert (importance_weighted_bound(model, x, 5, generator()) - evidence).abs().max() < 1e-9
    assert (model.expected_elbo(x) - evidence).abs().max() < 1e-9


def test_drawn_bound_and_its_gradient_average_to_the_closed_form():
    model = random_model()
    x = rows(model, 4)
    parameters = list(model.parameters())

    def flat(loss):
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])

    draws = torch.stack([flat(-model.elbo(x, 1, generator(s)).mean()) for s in range(2000)])
    error = draws.mean(0) - flat(model.loss(x))
    # About 45 parameters: 4 standard errors leave each a chance of 6e-5.
    assert (error.abs() <= 4 * draws.std(0) / math.sqrt(len(draws)) + 1e-12).all()
    terms = elbo_terms(model, x, 20_000, generator())
    assert (terms.elbo - model.expected_elbo(x)).abs().max() < 0.3


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
def test_em_never_lowers_the_likelihood_it_reports(noise):
    x = iris()
    model = FactorAnalysis(4, 2, noise=noise).double()
    trace = model.em(x, max_steps=300, tol=0)
    assert (trace.diff() >= -1e-12).all()
    assert trace[-1].item() == pytest.approx(model.log_evidence(x).mean().item(), abs=1e-10)
    assert (model.expected_elbo(x) - model.log_evidence(x)).abs().max() < 1e-9


def test_ppca_of_iris_in_closed_form_and_by_em():
    x = iris()
    exact = FactorAnalysis(4, 2, noise="isotropic").double().fit_ppca(x)
    assert exact.log_evidence(x).mean().item() == pytest.approx(-2.6997519, abs=5e-8)
    assert exact.noise_variance[0].item() == pytest.approx(0.0506821, abs=5e-8)
    climbed = FactorAnalysis(4, 2, noise="isotropic").double()
    trace = climbed.em(x, max_steps=5000, tol=1e-14)
    assert trace[-1].item() == pytest.approx(-2.6997519, abs=5e-8)
    # W is known up to a rotation only; W Wᵀ is not.
    difference = climbed.weight @ climbed.weight.T - exact.weight @ exact.weight.T
    assert difference.abs().max() < 1e-4


def test_ppca_spans_the_subspace_of_pca_and_shrinks_its_scores():
    x = iris()
    model = FactorAnalysis(4, 2, noise="isotropic").double().fit_ppca(x).requires_grad_(False)
    pca = sklearn.decomposition.PCA(2).fit(x.numpy())
    axes = torch.as_tensor(pca.components_)
    outside = model.weight - axes.T @ (axes @ model.weight)
    assert outside.abs().max() < 1e-10
    # PCA divides by N − 1: its variances, and the noise among them, are N / (N − 1) times ours.
    assert pca.noise_variance_ * 149 / 150 == pytest.approx(model.noise_variance[0].item())
    # With the noise of N − 1, and so another W, the likelihood falls to scikit-learn's.
    assert pca.score(x.numpy()) == pytest.approx(-2.6997965, abs=5e-8)
    # In the limit of no noise the posterior mean is the projection; with noise it is shrunk.
    scores = torch.as_tensor(pca.transform(x.numpy())) @ (axes @ model.weight)
    squares = model.weight.square().sum(0)
    shrunk = scores / squares * (squares / (squares + model.noise_variance[0]))
    assert (model.encode(x).mean - shrunk).abs().max() < 1e-10


def sklearn_factor_analysis(x, n_components, max_iter):
    """The reference, near its maximum; on iris it still climbs at its 20,000th step."""
    reference = sklearn.decomposition.FactorAnalysis(
        n_components, tol=1e-12, max_iter=max_iter, svd_method="lapack"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        return reference.fit(x.numpy())


def test_iris_has_two_heywood_cases_and_scikit_learn_stops_at_the_lower():
    x = iris()
    reference = sklearn_factor_analysis(x, 2, 20_000)
    model = FactorAnalysis(4, 2).double()
    with torch.no_grad():
        model.weight.copy_(torch.as_tensor(reference.components_.T))
        model.mean.copy_(torch.as_tensor(reference.mean_))
        model._set_noise(torch.as_tensor(reference.noise_variance_))
        total = model.log_evidence(x).sum().item()
        assert total == pytest.approx(-389.8808, abs=5e-5)
        assert total == pytest.approx(150 * reference.score(x.numpy()), abs=1e-7)
        posterior_mean = torch.as_tensor(reference.transform(x.numpy()))
        assert (model.exact_posterior(x).mean - posterior_mean).abs().max() < 1e-9
    # EM goes on from there but gains next to nothing: sepal and petal length are the factors.
    trace = 150 * model.em(x, max_steps=500, tol=0)
    assert 0 <= trace[-1] - total < 2e-3
    # From the variances of the data and random loadings it ends higher, at another corner:
    # sepal width and petal length are the factors there.
    other = FactorAnalysis(4, 2, floor=1e-3).double()
    with torch.no_grad():
        other.weight.copy_(torch.randn(4, 2, generator=generator(8), dtype=torch.float64))
        other._set_noise(x.var(0))
    assert 150 * other.em(x, max_steps=3000, tol=0)[-1] == pytest.approx(-389.307, abs=1e-3)
    assert other.noise_variance[[1, 2]].max() < 2e-3 < other.noise_variance[[0, 3]].min()


def maximize_bound(model, x):
    """Train by the bound alone, to the end."""
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=1000,
        tolerance_grad=1e-9,
        tolerance_change=0,
        history_size=30,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        loss = model.loss(x)
        loss.backward()
        return loss

    optimizer.step(closure)
    return model.requires_grad_(False)


def five_hundred_rows():
    """x [500, 8] from a factor analysis with two factors."""
    true = FactorAnalysis(8, 2, seed=1).double()
    with torch.no_grad():
        for parameter in (true.weight, true.log_excess):
            parameter.copy_(torch.randn(parameter.shape, generator=generator(2)))
    return true.sample(500, generator(3))


def test_em_the_bound_and_scikit_learn_agree():
    x = five_hundred_rows()
    by_em = FactorAnalysis(8, 2).double()
    best = by_em.em(x, max_steps=5000, tol=1e-15)[-1].item()
    by_bound = maximize_bound(FactorAnalysis(8, 2).double(), x)
    reference = sklearn_factor_analysis(x, 2, 5000)
    assert reference.score(x.numpy()) == pytest.approx(best, abs=1e-9)
    assert by_bound.log_evidence(x).mean().item() == pytest.approx(best, abs=1e-7)
    # The bound has found the posterior as well: its gap has closed.
    assert by_bound.expected_elbo(x).mean().item() == pytest.approx(best, abs=1e-7)
    covariance = dense(by_em).covariance_matrix
    assert (dense(by_bound).covariance_matrix - covariance).abs().max() < 1e-3
    assert (torch.as_tensor(reference.get_covariance()) - covariance).abs().max() < 1e-5


def test_adam_on_the_bound_agrees_with_em_too():
    x = five_hundred_rows()
    best = FactorAnalysis(8, 2).double().em(x, max_steps=5000, tol=1e-13)[-1].item()
    model = FactorAnalysis(8, 2).double()
    for learning_rate in (5e-2, 5e-3):
        vc.training.fit(
            model, x, epochs=400, batch_size=500, learning_rate=learning_rate, progress=False
        )
    assert model.log_evidence(x).mean().item() == pytest.approx(best, abs=1e-4)


def test_em_and_the_bound_share_the_maxima_that_the_floor_makes_on_iris():
    # There are several, and the last bit decides which of them an optimizer comes to: from where
    # the bound ends, its gap closed, EM has nothing to gain, whichever end that is.
    x = iris()
    by_em = FactorAnalysis(4, 2, floor=1e-2).double().em(x, max_steps=4000, tol=1e-13)
    assert by_em[-1].item() == pytest.approx(-391.56933 / 150, abs=1e-7)
    by_bound = maximize_bound(FactorAnalysis(4, 2, floor=1e-2).double(), x)
    reached = by_bound.log_evidence(x).mean().item()
    assert by_bound.expected_elbo(x).mean().item() == pytest.approx(reached, abs=1e-4)
    trace = by_bound.em(x, max_steps=4000, tol=1e-13)
    assert (trace.diff() >= -1e-12).all()
    assert trace[-1].item() == pytest.approx(reached, abs=1e-4)


def test_factor_analysis_beats_ppca_on_binarized_digits_and_the_floor_holds():
    x = torch.as_tensor((load_digits().data > 7.5).astype(float))
    floor = 1e-2
    ppca = FactorAnalysis(64, 8, noise="isotropic", floor=floor).double().fit_ppca(x)
    model = FactorAnalysis(64, 8, floor=floor).double()
    trace = model.em(x, max_steps=300, tol=1e-6)
    assert (trace.diff() >= -1e-12).all()
    assert trace[-1] > ppca.log_evidence(x).mean() + 1
    constant = x.std(0) == 0
    assert constant.any()
    assert (model.noise_variance[constant] - floor).abs().max() < 1e-12
    assert model.noise_variance.min() >= floor


def test_other_units_leave_factor_analysis_as_it_is_but_not_ppca():
    x = five_hundred_rows()
    other_units = x.clone()
    other_units[:, 2] *= 10

    def best(noise, data):
        model = FactorAnalysis(8, 2, noise=noise, floor=1e-9).double()
        return model.em(data, max_steps=3000, tol=1e-13)[-1].item()

    # A density in other units is lower by log 10; the fit is otherwise the same.
    shift = math.log(10)
    assert best("diagonal", x) - best("diagonal", other_units) == pytest.approx(shift, abs=1e-6)
    assert abs(best("isotropic", x) - best("isotropic", other_units) - shift) > 0.01


def test_samples_have_the_moments_of_the_evidence():
    model = random_model().requires_grad_(False)
    x = model.sample(200_000, generator(5))
    scale = dense(model).variance.max()
    # Standard errors are about scale / 450 for a covariance, less for a mean.
    assert (x.mean(0) - model.mean).abs().max() < 0.02 * scale
    assert (torch.cov(x.T) - dense(model).covariance_matrix).abs().max() < 0.02 * scale


def test_reconstruction_at_the_posterior_mean():
    model = random_model().requires_grad_(False).set_exact_posterior()
    x = rows(model)
    explained = model.exact_posterior(x).mean @ model.weight.T + model.mean
    assert (model.reconstruct(x) - explained).abs().max() < 1e-9


def test_build_gives_back_the_model():
    model = FactorAnalysis(5, 2, noise="isotropic", floor=0.1, seed=3)
    again = vc.models.build(model.params)
    assert again.params == model.params
    assert torch.equal(again.weight, model.weight)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"data_dim": 0, "latent_dim": 2}, "data_dim is 0"),
        ({"data_dim": 5, "latent_dim": 2, "noise": "full"}, "noise is 'full'.*'diagonal'"),
        ({"data_dim": 5, "latent_dim": 2, "floor": 0.0}, "floor is 0; it must be finite"),
    ],
)
def test_arguments_out_of_range_are_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        FactorAnalysis(**arguments)


def test_data_and_steps_it_cannot_take_are_refused_in_a_sentence():
    model = FactorAnalysis(4, 2)
    for method in (model.elbo, model.em, model.log_evidence, model.exact_posterior):
        with pytest.raises(ValueError, match=r"shape \[2, 5\]; it must be \[N, 4\]"):
            method(torch.ones(2, 5))
    with pytest.raises(ValueError, match="max_steps is 0"):
        model.em(torch.ones(2, 4), max_steps=0)
    with pytest.raises(ValueError, match="closed form needs 'isotropic'"):
        model.fit_ppca(torch.ones(2, 4))
    with pytest.raises(ValueError, match="4 factors of 4 variables"):
        FactorAnalysis(4, 4, noise="isotropic").fit_ppca(torch.ones(2, 4))
