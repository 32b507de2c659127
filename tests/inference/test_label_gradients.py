"""Three gradients of one bound, against the exact one of a model that can be summed over."""

import math

import pytest
import torch

from vaecourse.inference import label_gradients as labels
from vaecourse.models import GMVAE

NUM_SAMPLES = 600


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny(seed=0):
    """D = 3, J = 1, K = 3, smooth: every x can be listed and z integrated."""
    model = GMVAE(3, 1, 3, (4,), activation="tanh", seed=seed).double()
    with torch.no_grad():
        for parameter in model.parameters():
            eps = torch.randn(parameter.shape, generator=generator(seed), dtype=torch.float64)
            parameter.add_(0.3 * eps)
    return model


X = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


@pytest.fixture(scope="module")
def compared():
    """The exact gradient by φ and the samples of every estimator."""
    model = tiny()
    phi = labels.inference_parameters(model)
    source = generator(1)
    surrogates = {
        "enumerated": lambda: labels.enumerated_bound(model, X, source),
        "score": lambda: labels.score_function_bound(model, X, source),
        "score, 4 draws": lambda: labels.score_function_bound(model, X, source, 4),
        "leave one out": lambda: labels.score_function_bound(
            model, X, source, 4, baseline="leave_one_out"
        ),
        "relaxed, hot": lambda: labels.relaxed_bound(model, X, 2.0, source),
        "relaxed, cool": lambda: labels.relaxed_bound(model, X, 0.5, source),
    }
    samples = {
        name: labels.gradient_samples(surrogate, phi, NUM_SAMPLES)
        for name, surrogate in surrogates.items()
    }
    return labels.gradient(labels.quadrature_bound(model, X, 100), phi), samples


def test_the_bound_by_quadrature_is_below_the_evidence_by_quadrature():
    model = tiny().requires_grad_(False)
    every_x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)
    # p(x) = Σ_y p(y) ∫ p(x|z) p(z|y) dz on a grid.
    z = torch.linspace(-30, 30, 6001, dtype=torch.float64)[:, None]
    log_joint = model.prior.log_prob(z)[:, None] + model.decode(z[:, None]).log_prob(every_x)
    evidence = torch.trapezoid(log_joint.exp(), z[:, 0], dim=0)
    assert evidence.sum().item() == pytest.approx(1, abs=1e-9)
    bound = labels.quadrature_bound(model, every_x, 100)
    assert (bound < evidence.log()).all()
    # More nodes change nothing: the quadrature is exact to what the checks below need.
    assert (labels.quadrature_bound(model, every_x, 140) - bound).abs().max() < 1e-5


def test_the_drawn_bounds_average_to_the_exact_one():
    model = tiny().requires_grad_(False)
    exact = labels.quadrature_bound(model, X)
    many = X.repeat(20_000, 1)
    drawn = {
        "enumerated": labels.enumerated_bound(model, many, generator()),
        "score": labels.score_function_bound(model, many, generator()),
    }
    for values in drawn.values():
        values = values.view(-1, 2)
        error = (values.mean(0) - exact).abs()
        assert (error < 4 * values.std(0) / math.sqrt(20_000)).all()


@pytest.mark.parametrize("name", ["enumerated", "score", "score, 4 draws", "leave one out"])
def test_estimators_without_bias(compared, name):
    exact, samples = compared
    error = samples[name].mean(0) - exact
    standard_error = samples[name].std(0) / math.sqrt(NUM_SAMPLES)
    # 46 parameters: 4.5 standard errors leave all of them a chance of .0003.
    assert (error.abs() <= 4.5 * standard_error + 1e-12).all()


def test_the_relaxed_gradient_is_biased_and_less_so_when_cooler(compared):
    exact, samples = compared
    standardized, bias = {}, {}
    for name in ("relaxed, hot", "relaxed, cool"):
        error = samples[name].mean(0) - exact
        standard_error = samples[name].std(0) / math.sqrt(NUM_SAMPLES)
        standardized[name] = (error.abs() / standard_error.clamp(min=1e-12)).max()
        bias[name] = error.norm() / exact.norm()
    assert standardized["relaxed, hot"] > 10
    assert bias["relaxed, cool"] < bias["relaxed, hot"]


def test_the_order_of_the_variances(compared):
    _, samples = compared
    total = {name: values.var(0).sum().item() for name, values in samples.items()}
    assert total["enumerated"] < total["leave one out"] < total["score, 4 draws"] < total["score"]
    # Four independent draws divide the variance by four.
    assert total["score, 4 draws"] == pytest.approx(total["score"] / 4, rel=0.1)
    assert total["relaxed, hot"] < total["relaxed, cool"]


def test_at_a_corner_the_relaxed_pieces_are_those_of_the_label():
    model = tiny().requires_grad_(False)
    q, prior = model.encode(X), model.prior
    for y in range(3):
        corner = torch.eye(3, dtype=torch.float64)[y].expand(2, -1)
        assert torch.allclose(model.latent_at(X, corner).loc, q.latent.loc[:, y], atol=1e-12)
        assert torch.allclose(model.latent_at(X, corner).scale, q.latent.scale[:, y], atol=1e-12)
        assert torch.allclose(model.prior_at(corner).loc[0], prior.latent.loc[y], atol=1e-12)


def test_the_extra_term_of_the_score_function_leaves_the_value_alone():
    model = tiny()
    plain = labels.score_function_bound(model, X, generator(3), 4)
    other = labels.score_function_bound(model, X, generator(3), 4, baseline="leave_one_out")
    assert torch.equal(plain, other)


def test_bad_arguments_are_refused_in_a_sentence():
    model = tiny()
    with pytest.raises(ValueError, match="temperature is 0; it must be finite and greater than 0"):
        labels.relaxed_bound(model, X, 0)
    with pytest.raises(ValueError, match="baseline is 'mean'.*'leave_one_out'"):
        labels.score_function_bound(model, X, baseline="mean")
    with pytest.raises(ValueError, match="num_samples is 1; leaving one out needs at least 2"):
        labels.score_function_bound(model, X, baseline="leave_one_out")
    with pytest.raises(ValueError, match="num_samples is 0"):
        labels.gradient_samples(lambda: None, [], 0)
    for bound in (labels.quadrature_bound, labels.enumerated_bound, labels.score_function_bound):
        with pytest.raises(ValueError, match=r"pixels in \[0, 1\]"):
            bound(model, 2 * X)
