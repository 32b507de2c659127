"""EM against closed forms, scikit-learn, and its own proof."""

import math

import numpy as np
import pytest
import torch
from sentences import refused
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture as Reference
from torch.distributions import Bernoulli, Categorical, MultivariateNormal
from torch.utils._python_dispatch import TorchDispatchMode

from vaecourse.inference.em import BernoulliMixture, GaussianMixture

F64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def iris():
    return torch.tensor(load_iris().data)


def start(k, d, seed=0):
    """A start with nothing special about it: weights, means, covariances."""
    g = generator(seed)
    weights = torch.rand(k, generator=g, dtype=F64) + 0.5
    means = torch.randn(k, d, generator=g, dtype=F64)
    factors = torch.randn(k, d, d, generator=g, dtype=F64)
    return weights / weights.sum(), means, factors @ factors.mT + torch.eye(d, dtype=F64)


def three_clouds(n=300, d=3, seed=0):
    g = generator(seed)
    centres = 3 * torch.randn(3, d, generator=g, dtype=F64)
    return centres.repeat(n // 3, 1) + torch.randn(n, d, generator=g, dtype=F64)


def stripes(n=400, d=12, seed=0):
    """Binary rows from three patterns with one pixel in ten flipped, float64."""
    g = generator(seed)
    patterns = torch.bernoulli(torch.full((3, d), 0.5, dtype=F64), generator=g)
    label = torch.randint(3, (n,), generator=g)
    flips = torch.bernoulli(torch.full((n, d), 0.1, dtype=F64), generator=g)
    return (patterns[label] - flips).abs()


def assert_proof_holds(mixture):
    """objective = bound after E ≤ bound after M ≤ next objective, every step, to 1e-10."""
    objective, bound = mixture.objective_trace_, mixture.bound_trace_
    assert (bound[:, 0] - objective[:-1]).abs().max() < 1e-10
    assert (bound[:, 1] - bound[:, 0]).min() > -1e-10
    assert (objective[1:] - bound[:, 1]).min() > -1e-10


# Gaussian mixtures: values


def test_iris_reaches_the_known_likelihood_and_bic(iris):
    mixture = GaussianMixture(3, seed=1, tol=np.float32(1e-12), max_steps=500).fit(iris)
    assert abs(mixture.score(iris) * 150 - -180.18548) < 5e-6
    assert abs(mixture.bic(iris) - 580.839) < 5e-4
    assert (
        mixture.weights_.sort().values - torch.tensor([0.2992, 0.3333, 0.3675])
    ).abs().max() < 1e-4
    assert mixture.num_parameters == 44
    assert mixture.converged_


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_agrees_with_scikit_learn_after_a_fixed_number_of_steps(iris, steps):
    weights, means, covariances = start(3, 4)
    means = means + iris.mean(0)
    ours = GaussianMixture(3, regularization=0, tol=0, max_steps=steps).fit(
        iris, weights=weights, means=means, covariances=covariances
    )
    reference = Reference(
        3,
        reg_covar=0,
        tol=0,
        max_iter=steps,
        weights_init=weights.numpy(),
        means_init=means.numpy(),
        precisions_init=torch.linalg.inv(covariances).numpy(),
    )
    with pytest.warns(UserWarning, match="did not converge"):
        reference.fit(iris.numpy())
    assert len(ours.bound_trace_) == steps
    for mine, theirs in (
        (ours.weights_, reference.weights_),
        (ours.means_, reference.means_),
        (ours.covariances_, reference.covariances_),
        (ours.score_samples(iris), reference.score_samples(iris.numpy())),
        (ours.responsibilities(iris), reference.predict_proba(iris.numpy())),
    ):
        assert (mine - torch.as_tensor(theirs)).abs().max() < 1e-8
    # scikit-learn's lower bound is the likelihood before its last M step.
    assert abs(ours.log_likelihood_trace_[-2].item() - reference.lower_bound_) < 1e-10


def test_one_component_is_the_gaussian_with_the_moments_of_the_data(iris):
    mixture = GaussianMixture(1, regularization=0).fit(iris)
    covariance = torch.cov(iris.T, correction=0)
    assert (mixture.means_[0] - iris.mean(0)).abs().max() < 1e-12
    assert (mixture.covariances_[0] - covariance).abs().max() < 1e-12
    entropy = 0.5 * torch.logdet(2 * math.pi * math.e * covariance).item()
    assert abs(mixture.score(iris) + entropy) < 1e-12


def test_log_density_and_responsibilities_are_those_of_torch():
    weights, means, covariances = start(4, 3)
    x = three_clouds()
    mixture = GaussianMixture(4)
    mixture.initialize(x, weights=weights, means=means, covariances=covariances)
    joint = weights.log() + MultivariateNormal(means, covariances).log_prob(x[:, None])
    assert (mixture.score_samples(x) - torch.logsumexp(joint, 1)).abs().max() < 1e-10
    assert (mixture.responsibilities(x) - torch.softmax(joint, 1)).abs().max() < 1e-12


def test_far_from_every_component_the_log_density_is_still_finite():
    x = three_clouds()
    mixture = GaussianMixture(3).fit(x)
    far = torch.full((1, 3), 1e6, dtype=F64)
    assert torch.isfinite(mixture.score_samples(far)).all()
    assert mixture.score(far) < -1e9
    assert abs(mixture.responsibilities(far).sum().item() - 1) < 1e-12


# Gaussian mixtures: the proof


@pytest.mark.parametrize("regularization", [0, 1e-6, 0.1, 10.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_half_step_lowers_the_bound(regularization, seed):
    weights, means, covariances = start(4, 3, seed)
    mixture = GaussianMixture(4, regularization=regularization, tol=0, max_steps=40)
    mixture.fit(three_clouds(seed=seed), weights=weights, means=means, covariances=covariances)
    assert_proof_holds(mixture)
    assert mixture.objective_trace_[-1] > mixture.objective_trace_[0] + 0.1


def test_without_regularization_the_objective_is_the_likelihood():
    mixture = GaussianMixture(3, regularization=0).fit(three_clouds())
    assert (mixture.objective_trace_ == mixture.log_likelihood_trace_).all()


def test_the_steps_taken_by_hand_are_those_of_fit():
    x = three_clouds()
    fitted = GaussianMixture(3, tol=0, max_steps=5).fit(x)
    by_hand = GaussianMixture(3)
    by_hand.initialize(x)
    for after_e, after_m in fitted.bound_trace_.tolist():
        statistics = by_hand.e_step(x)
        assert abs(by_hand.bound(statistics) - by_hand.objective(x)) < 1e-12
        assert abs(by_hand.bound(statistics) - after_e) < 1e-12
        by_hand.m_step(statistics)
        assert abs(by_hand.bound(statistics) - after_m) < 1e-12
    assert (by_hand.means_ - fitted.means_).abs().max() < 1e-12


def test_the_bound_lies_below_the_likelihood_by_the_divergence_from_the_posterior():
    x = three_clouds()
    mixture = GaussianMixture(3, regularization=0)
    mixture.initialize(x)
    q = mixture.responsibilities(x)
    statistics = mixture.e_step(x)
    mixture.m_step(statistics)
    posterior = mixture.responsibilities(x)
    kl = (torch.xlogy(q, q) - torch.xlogy(q, posterior)).sum(1).mean().item()
    assert kl > 1e-3
    assert abs(mixture.score(x) - kl - mixture.bound(statistics)) < 1e-12


def test_no_other_parameters_beat_the_m_step():
    x = three_clouds()
    mixture = GaussianMixture(2, regularization=0.5)
    mixture.initialize(x)
    statistics = mixture.e_step(x)
    mixture.m_step(statistics)
    best = mixture.bound(statistics)
    weights, means, covariances = mixture.weights_, mixture.means_, mixture.covariances_
    g = generator()
    for _ in range(50):
        tilt = 0.05 * torch.randn(2, generator=g, dtype=F64)
        mixture.weights_ = torch.softmax(weights.log() + tilt, 0)
        mixture.means_ = means + 0.05 * torch.randn(2, 3, generator=g, dtype=F64)
        stretch = torch.eye(3, dtype=F64) + 0.05 * torch.randn(2, 3, 3, generator=g, dtype=F64)
        mixture.covariances_ = stretch @ covariances @ stretch.mT
        assert mixture.bound(statistics) < best


# Gaussian mixtures: awkward cases


def one_point_apart():
    """Forty points in the plane and one far away, on which a component can collapse."""
    x = torch.randn(41, 2, generator=generator(), dtype=F64)
    x[40] = torch.tensor([40.0, 40.0])
    means = torch.tensor([[0.0, 0.0], [40.0, 40.0]], dtype=F64)
    return x, means


def test_a_component_that_collapses_on_a_point_is_named():
    x, means = one_point_apart()
    mixture = GaussianMixture(2, regularization=0)
    with pytest.raises(ValueError, match="Component 1 has a singular covariance"):
        mixture.fit(x, means=means, covariances=torch.eye(2, dtype=F64).repeat(2, 1, 1))
    assert (mixture.covariances_[1] == torch.eye(2)).all()  # the last that had a density


def test_regularization_stops_the_collapse_at_its_floor():
    x, means = one_point_apart()
    mixture = GaussianMixture(2, regularization=1e-3)
    mixture.fit(x, means=means, covariances=torch.eye(2, dtype=F64).repeat(2, 1, 1))
    # The component owns one point: its variance is regularization / 1.
    assert (mixture.covariances_[1] - 1e-3 * torch.eye(2, dtype=F64)).abs().max() < 1e-12
    assert abs(mixture.weights_[1].item() - 1 / 41) < 1e-12
    assert_proof_holds(mixture)


def test_columns_that_repeat_each_other_are_singular_without_regularization():
    x = torch.randn(50, 1, generator=generator(), dtype=F64).repeat(1, 2)
    with pytest.raises(ValueError, match="singular covariance"):
        GaussianMixture(1, regularization=0).fit(x)
    mixture = GaussianMixture(1, regularization=0.1).fit(x)
    assert abs(torch.linalg.eigvalsh(mixture.covariances_[0])[0].item() - 0.1 / 50) < 1e-12


def test_an_empty_component_gets_no_weight_and_stays_where_it_is():
    x = three_clouds()
    means = torch.cat([x[:2], torch.full((1, 3), 1e4, dtype=F64)])
    covariances = torch.eye(3, dtype=F64).repeat(3, 1, 1)
    mixture = GaussianMixture(3, tol=0, max_steps=20)
    mixture.fit(x, means=means, covariances=covariances)
    assert mixture.weights_[2] == 0
    assert (mixture.means_[2] == 1e4).all()
    assert (mixture.covariances_[2] == torch.eye(3)).all()
    assert abs(mixture.weights_.sum().item() - 1) < 1e-12
    assert_proof_holds(mixture)
    # What is left is a mixture of two.
    two = GaussianMixture(2, tol=0, max_steps=20)
    two.fit(x, means=means[:2], covariances=covariances[:2])
    assert (two.means_ - mixture.means_[:2]).abs().max() < 1e-10


def test_a_symmetric_start_is_refused_because_em_cannot_leave_it():
    x = three_clouds()
    same = x.mean(0).repeat(2, 1)
    with pytest.raises(ValueError, match="Two components start with the same parameters"):
        GaussianMixture(2).fit(x, means=same)
    mixture = GaussianMixture(2)
    mixture.initialize(x, means=same)
    for _ in range(10):  # few, because a difference of rounding grows with every step
        mixture.m_step(mixture.e_step(x))
    assert (mixture.means_[0] - mixture.means_[1]).abs().max() < 1e-9
    assert (mixture.covariances_[0] - mixture.covariances_[1]).abs().max() < 1e-9
    single = GaussianMixture(1, regularization=0).fit(x)
    assert abs(mixture.score(x) - single.score(x)) < 1e-6
    # With unequal weights the copies part only by rounding, which then grows: a saddle.
    mixture.initialize(x, means=same, weights=[0.3, 0.7])
    mixture.m_step(mixture.e_step(x))
    assert (mixture.means_[0] - mixture.means_[1]).abs().max() < 1e-12
    assert (mixture.weights_ - torch.tensor([0.3, 0.7], dtype=F64)).abs().max() < 1e-12
    # A nudge is enough to leave the saddle, given patience: at first a step gains almost nothing.
    nudged = same + torch.tensor([[1e-3], [-1e-3]], dtype=F64)
    assert GaussianMixture(2, tol=1e-6).fit(x, means=nudged).score(x) < single.score(x) + 1e-3
    free = GaussianMixture(2, tol=0, max_steps=300).fit(x, means=nudged)
    assert free.score(x) > single.score(x) + 0.1


def test_samples_follow_the_mixture():
    weights, means, covariances = start(3, 2)
    mixture = GaussianMixture(3)
    mixture.initialize(three_clouds(d=2), weights=weights, means=means, covariances=covariances)
    x = mixture.sample(200_000, generator(1))
    mean = weights @ means
    second = (weights[:, None, None] * (covariances + means[:, :, None] * means[:, None])).sum(0)
    covariance = second - mean[:, None] * mean
    error = x.std(0) / len(x) ** 0.5
    assert ((x.mean(0) - mean).abs() < 4 * error).all()
    assert (torch.cov(x.T) - covariance).abs().max() < 0.02 * covariance.diagonal().max()
    assert (mixture.sample(5, generator(1)) == mixture.sample(5, generator(1))).all()


def test_the_same_seed_gives_the_same_fit_and_touches_no_global_state():
    x = three_clouds()
    before = torch.get_rng_state()
    first, second = (GaussianMixture(4, seed=3).fit(x) for _ in range(2))
    assert (first.means_ == second.means_).all()
    assert (torch.get_rng_state() == before).all()


# Bernoulli mixtures


def test_bernoulli_log_density_and_responsibilities_are_those_of_torch():
    x = stripes()
    p = torch.rand(4, 12, generator=generator(), dtype=F64)
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=F64)
    mixture = BernoulliMixture(4, chunk=37)
    mixture.initialize(x, weights=weights, probabilities=p)
    joint = Categorical(weights).logits + Bernoulli(p).log_prob(x[:, None]).sum(2)
    assert (mixture.score_samples(x) - torch.logsumexp(joint, 1)).abs().max() < 1e-10
    assert (mixture.responsibilities(x) - torch.softmax(joint, 1)).abs().max() < 1e-12


@pytest.mark.parametrize("smoothing", [0, 0.05, 2.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_half_step_lowers_the_bernoulli_bound(smoothing, seed):
    x = stripes(seed=seed)
    mixture = BernoulliMixture(4, smoothing=smoothing, tol=0, max_steps=40, seed=seed).fit(x)
    assert_proof_holds(mixture)
    assert mixture.objective_trace_[-1] > mixture.objective_trace_[0] + 0.1


def test_smoothing_may_lower_the_likelihood_but_not_the_penalized_objective():
    # Start at the maximum of the likelihood: with smoothing, the first step must leave it.
    x = stripes()
    best = BernoulliMixture(3, smoothing=0, tol=1e-12, max_steps=500).fit(x)
    p = best.probabilities_.clamp(1e-6, 1 - 1e-6)
    mixture = BernoulliMixture(3, smoothing=5.0, tol=0, max_steps=10)
    mixture.fit(x, weights=best.weights_, probabilities=p)
    assert mixture.log_likelihood_trace_[-1] < mixture.log_likelihood_trace_[0] - 1e-3
    assert_proof_holds(mixture)


def test_one_bernoulli_component_counts_pixels():
    x = stripes()
    mixture = BernoulliMixture(1, smoothing=0.5).fit(x)
    p = (x.sum(0) + 0.5) / (len(x) + 1)
    assert (mixture.probabilities_[0] - p).abs().max() < 1e-12
    closed_form = (x.mean(0) * p.log() + (1 - x.mean(0)) * (1 - p).log()).sum()
    assert abs(mixture.score(x) - closed_form.item()) < 1e-12


def test_all_binary_words_have_total_probability_one():
    x = stripes(d=8)
    words = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=F64)] * 8)
    for smoothing in (0, 0.05):
        mixture = BernoulliMixture(3, smoothing=smoothing).fit(x)
        assert abs(mixture.score_samples(words).exp().sum().item() - 1) < 1e-12


def test_without_smoothing_an_unseen_pixel_has_probability_zero():
    x = stripes()
    x[:, 0], x[:, 1] = 0, 1
    mixture = BernoulliMixture(2, smoothing=0).fit(x)
    assert (mixture.probabilities_[:, 0] == 0).all() and (mixture.probabilities_[:, 1] == 1).all()
    assert math.isfinite(mixture.score(x))
    odd = x[:2].clone()
    odd[0, 0] = 1
    odd[1, 1] = 0
    assert (mixture.score_samples(odd) == -math.inf).all()
    with pytest.raises(ValueError, match="No component gives row 0"):
        mixture.responsibilities(odd)
    smoothed = BernoulliMixture(2, smoothing=0.05).fit(x)
    assert torch.isfinite(smoothed.score_samples(odd)).all()


def test_an_empty_bernoulli_component_gets_no_weight_and_stays_where_it_is():
    x = stripes()
    p = torch.rand(3, 12, generator=generator(), dtype=F64)
    x[:, 0] = 1
    p[2, 0] = 0  # rules out every row
    mixture = BernoulliMixture(3, smoothing=0, tol=0, max_steps=10).fit(x, probabilities=p)
    assert mixture.weights_[2] == 0
    assert (mixture.probabilities_[2] == p[2]).all()
    assert_proof_holds(mixture)


def test_a_symmetric_bernoulli_start_is_refused():
    x = stripes()
    mixture = BernoulliMixture(2).fit(x)
    before = mixture.probabilities_
    with pytest.raises(ValueError, match="Two components start with the same parameters"):
        mixture.fit(x, probabilities=x.mean(0).repeat(2, 1))
    assert mixture.probabilities_ is before


def test_chunks_change_nothing_but_memory():
    x = stripes()
    whole = BernoulliMixture(3, chunk=10_000, tol=0, max_steps=10).fit(x)
    parts = BernoulliMixture(3, chunk=7, tol=0, max_steps=10).fit(x)
    assert (whole.probabilities_ - parts.probabilities_).abs().max() < 1e-12
    assert (whole.bound_trace_ - parts.bound_trace_).abs().max() < 1e-12


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation returns, in elements."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.elements = max(self.elements, result.numel())
        return result


@pytest.mark.parametrize("chunk", [1_000, 2_000])
def test_the_chunk_bounds_the_memory(chunk):
    x = (torch.arange(20_000)[:, None] >> torch.arange(16) & 1).byte()
    with Largest() as largest:
        BernoulliMixture(50, chunk=chunk, max_steps=2).fit(x)
    assert largest.elements == chunk * 50  # all responsibilities would be a million


def test_float32_and_bytes_agree_with_float64():
    x = stripes()
    double = BernoulliMixture(3, tol=0, max_steps=10).fit(x)
    for cheap in (x.float(), x.byte(), x.bool()):
        single = BernoulliMixture(3, tol=0, max_steps=10).fit(cheap)
        assert (single.probabilities_ - double.probabilities_).abs().max() < 1e-5
        assert (single.bound_trace_ - double.bound_trace_).abs().max() < 1e-5


def test_bernoulli_samples_follow_the_mixture():
    mixture = BernoulliMixture(3).fit(stripes())
    x = mixture.sample(100_000, generator(1))
    mean = mixture.weights_ @ mixture.probabilities_
    assert ((x.mean(0) - mean).abs() < 4 * (mean * (1 - mean) / len(x)).sqrt()).all()
    pair = (mixture.weights_ * mixture.probabilities_[:, 0] * mixture.probabilities_[:, 1]).sum()
    assert abs((x[:, 0] * x[:, 1]).mean() - pair) < 4 * 0.5 / len(x) ** 0.5


# Bad input


X = torch.randn(10, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
BITS = (X > 0).double()


@pytest.mark.parametrize("kind", [GaussianMixture, BernoulliMixture])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n_components": 0}, "n_components is 0; it must be an integer of at least 1."),
        ({"n_components": 2.5}, "n_components is 2.5; it must be an integer of at least 1."),
        ({"n_components": 2, "tol": -1}, "tol is -1; it must be a finite number of at least 0."),
        ({"n_components": 2, "tol": math.nan}, "tol is nan; it must be"),
        ({"n_components": 2, "max_steps": 0}, "max_steps is 0; it must be"),
        ({"n_components": 2, "seed": "a"}, "seed is 'a'; it must be"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(kind, arguments, sentence):
    with pytest.raises(ValueError) as error:
        kind(**arguments)
    assert str(error.value).startswith(sentence)
    assert str(error.value).count(".") <= 2 and str(error.value).endswith(".")


def with_value(x, value):
    x = x.clone()
    x[3, 1] = value
    return x


@pytest.mark.parametrize(
    ("kind", "x", "sentence"),
    [
        (GaussianMixture, X[:2], "x has 2 rows; n_components = 3 needs at least as many."),
        (BernoulliMixture, BITS[:2], "x has 2 rows; n_components = 3 needs at least as many."),
        (GaussianMixture, X[:2].repeat(5, 1), "x has 2 distinct rows to start from; n_components"),
        (BernoulliMixture, BITS[:1].repeat(5, 1), "x has 1 distinct rows to start from;"),
        (GaussianMixture, X * torch.tensor([1.0, 0.0]), "x is constant in column 2; every"),
        (GaussianMixture, with_value(X, math.nan), "x has NaN or infinite values in 1 of "),
        (BernoulliMixture, with_value(BITS, math.nan), "x has NaN or infinite values in 1 of"),
        (
            BernoulliMixture,
            with_value(BITS, 0.5),
            "x contains 0.5, in column 2; a Bernoulli mixture takes only",
        ),
        (GaussianMixture, X[0], "x has shape [2]; it must be [N, D]."),
        (BernoulliMixture, BITS[None], "x has shape [1, 10, 2]; it must be [N, D]: x.reshape("),
        (GaussianMixture, None, "x is a NoneType that cannot be read as numbers; it must be a"),
        (
            GaussianMixture,
            X.to(torch.complex128),
            "x is of torch.complex128; it must hold real",
        ),
    ],
)
def test_bad_data_are_refused_in_a_sentence_and_change_nothing(kind, x, sentence):
    mixture = kind(3).fit(
        torch.bernoulli(torch.full((50, 2), 0.5, dtype=F64), generator=generator())
        if kind is BernoulliMixture
        else torch.cat([X, -X, 2 * X])
    )
    before = mixture.weights_.clone()
    assert refused(mixture.fit, x).startswith(sentence)
    assert (mixture.weights_ == before).all()


@pytest.mark.parametrize(
    ("begin", "sentence"),
    [
        ({"weights": [0.5, 0.6]}, "weights are [0.5, 0.6]; they must be non-negative and sum"),
        ({"weights": [1.5, -0.5]}, "weights are [1.5, -0.5]; they must be"),
        ({"means": [[0.0, 0.0]]}, "means has shape [1, 2]; it must be [2, 2]."),
        ({"means": [[0.0, math.nan], [0, 1]]}, "means has NaN or infinite values;"),
        ({"covariances": [[[1.0, 0.5], [0.0, 1.0]]] * 2}, "covariances has a matrix that is not"),
        ({"covariances": [[[1.0, 2.0], [2.0, 1.0]]] * 2}, "Component 0 has a singular covariance"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(begin, sentence):
    assert refused(GaussianMixture(2).fit, X, **begin).startswith(sentence)


def test_probabilities_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match="probabilities has values outside"):
        BernoulliMixture(2).fit(BITS, probabilities=[[0.5, 1.1], [0.2, 0.2]])


def test_data_of_another_width_are_refused_after_the_fit():
    with pytest.raises(ValueError, match=r"x has shape \[10, 1\]; it must be \[N, 2\]."):
        GaussianMixture(2).fit(X).score(X[:, :1])
    with pytest.raises(ValueError, match="x contains 2, in column 2; a Bernoulli mixture"):
        BernoulliMixture(2).fit(BITS).score(2 * BITS)
