"""The metrics of each kind of model, against what can be known of them."""

import pytest
import torch

from vaecourse.evaluation import evaluate
from vaecourse.evaluation.clustering import hungarian_accuracy
from vaecourse.models import GMVAE, VRNN, FactorAnalysis


def pixels(*shape):
    return torch.bernoulli(torch.full(shape, 0.5), generator=torch.Generator().manual_seed(0))


def test_of_factor_analysis_with_the_exact_posterior_the_likelihood_is_exact():
    model = FactorAnalysis(5, 2).double().set_exact_posterior()
    x = pixels(300, 5).double()
    metrics = evaluate(model, x, importance_samples=3, importance_rows=300)
    assert list(metrics) == ["elbo", "elbo_se", "reconstruction", "kl", "log_likelihood"]
    exact = model.log_evidence(x).mean().item()
    assert metrics["log_likelihood"] == pytest.approx(exact, abs=1e-9)
    assert metrics["elbo"] == pytest.approx(exact, abs=4 * 0.1)


def test_of_a_gmvae_the_clusters_too():
    model, x = GMVAE(5, 2, 3, (4,)), pixels(700, 5)
    label = torch.arange(700) % 3
    metrics = evaluate(model, x, label=label)
    parts = metrics["reconstruction"] - metrics["kl_z"] - metrics["kl_y"]
    assert metrics["elbo"] == pytest.approx(parts, abs=1e-5)
    assert metrics["accuracy"] == hungarian_accuracy(model.classify(x), label)
    assert metrics["smallest_component"] <= 1 / 3 <= metrics["largest_component"]
    assert metrics["elbo"] < metrics["log_likelihood"]
    assert evaluate(model, x, label=label.numpy()) == metrics
    without = evaluate(model, x)
    assert without == {key: metrics[key] for key in without}
    assert metrics.keys() - without.keys() == {
        "accuracy",
        "purity",
        "smallest_component",
        "largest_component",
    }


def test_of_a_vrnn_per_sequence():
    model, x = VRNN(3, 2, 4, (4,)), pixels(700, 5, 3)
    metrics = evaluate(model, x)
    expected = model.elbo(x, 200, torch.Generator().manual_seed(1)).mean().item()
    assert metrics["elbo"] == pytest.approx(expected, abs=4 * metrics["elbo_se"])
    assert metrics["elbo"] < metrics["log_likelihood"] < 0


def test_labels_of_a_gmvae_are_any_ids_and_what_is_wrong_with_them_is_said_of_label():
    model, x = GMVAE(5, 2, 3, (4,)), pixels(40, 5)
    label = torch.arange(40) % 3
    assert evaluate(model, x, label=label * 10**9) == evaluate(model, x, label=label)
    assert evaluate(model, x.numpy(), label=label.tolist()) == evaluate(model, x, label=label)
    with pytest.raises(ValueError, match=r"^label has shape \[39\]; it must be \[40\], as x has\."):
        evaluate(model, x, label=label[1:])
    words = ["no", "yes"] * 20
    with pytest.raises(
        ValueError, match=r"become such numbers by np.unique\(label, return_inverse"
    ):
        evaluate(model, x, label=words)
