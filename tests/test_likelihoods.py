"""The likelihoods p(x|z): densities, variances of every kind, floors, and what is refused."""

import math

import pytest
import torch
from torch.distributions import Normal

import vaecourse as vc
from vaecourse.likelihoods import GaussianLikelihood, PoissonLikelihood

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
X = X * torch.tensor([0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("noise_variance", "outputs", "variance"),
    [
        (0.3, 3, [0.3, 0.3, 0.3]),
        ("shared", 3, [0.2, 0.2, 0.2]),
        ("per_dimension", 3, [0.2, 0.5, 3.0]),
        ("from_z", 6, [0.2, 0.5, 3.0]),
        (None, 6, [0.2, 0.5, 3.0]),
    ],
)
def test_each_kind_of_variance_enters_the_density(noise_variance, outputs, variance):
    likelihood = GaussianLikelihood(3, noise_variance).double()
    assert likelihood.num_outputs == outputs
    log_var = torch.tensor(variance, dtype=torch.float64).log()
    if noise_variance in ("shared", "per_dimension"):
        with torch.no_grad():
            likelihood.log_var.copy_(log_var[: len(likelihood.log_var)])
    given = torch.zeros(40, outputs, dtype=torch.float64)
    if outputs == 6:
        given[:, 3:] = log_var
    expected = Normal(torch.zeros(3).double(), log_var.exp().sqrt()).log_prob(X).sum(1)
    assert (likelihood(given).log_prob(X) - expected).abs().max() < 1e-12


@pytest.mark.parametrize("noise_variance", ["shared", "per_dimension"])
def test_a_learned_variance_ends_at_the_maximum_of_the_likelihood(noise_variance):
    likelihood = GaussianLikelihood(3, noise_variance).double()
    optimizer = torch.optim.LBFGS(likelihood.parameters(), max_iter=200)
    means = torch.zeros(40, 3, dtype=torch.float64)

    def loss():
        optimizer.zero_grad()
        value = -likelihood(means).log_prob(X).mean()
        value.backward()
        return value

    optimizer.step(loss)
    squares = X.square().mean(0)  # the variance about a mean of zero
    expected = squares.mean() if noise_variance == "shared" else squares
    assert (
        likelihood.log_var.exp() - expected
    ).abs().max() < 1e-4  # L-BFGS stops at a slope of 1e-5


def test_a_constant_dimension_drives_the_density_up_without_a_floor_and_to_a_limit_with_one():
    x = torch.zeros(1, 1, dtype=torch.float64)
    free, held = GaussianLikelihood(1), GaussianLikelihood(1, "from_z", variance_floor=0.01)
    densities = {}
    for log_var in (-10.0, -100.0, -600.0):
        outputs = torch.tensor([[0.0, log_var]], dtype=torch.float64)
        densities[log_var] = free(outputs).log_prob(x).item()
        limit = -0.5 * math.log(2 * math.pi * 0.01)
        assert held(outputs).log_prob(x).item() == pytest.approx(limit)
    # Half a nat for every nat that log σ² falls: no bound.
    assert densities[-600.0] - densities[-100.0] == pytest.approx(250)


def test_the_named_variances_have_a_floor_and_the_unnamed_one_keeps_its_bits():
    outputs = torch.tensor([[0.0, -20.0]])
    assert GaussianLikelihood(1, "from_z")(outputs).variance.item() == pytest.approx(1e-6)
    assert torch.equal(GaussianLikelihood(1)(outputs).log_var, outputs[:, 1:])
    for noise_variance in ("shared", "per_dimension"):
        likelihood = GaussianLikelihood(1, noise_variance)
        with torch.no_grad():
            likelihood.log_var.fill_(-20.0)
        assert likelihood(outputs[:, :1]).variance.item() == pytest.approx(1e-6)


def test_learned_variances_are_saved_and_loaded_with_the_model(tmp_path):
    vae = vc.models.VAE(3, 2, likelihood="gaussian", noise_variance="per_dimension")
    vc.training.fit(vae, X.float(), epochs=2, learning_rate=0.1, progress=False)
    vc.checkpoint.save(tmp_path / "model", vae, {})
    again, _ = vc.checkpoint.load(tmp_path / "model")
    assert torch.equal(again.likelihood.log_var, vae.likelihood.log_var)
    assert vae.likelihood.log_var.abs().min() > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"noise_variance": -1.0}, "noise_variance is -1; it must be finite"),
        ({"noise_variance": math.nan}, "noise_variance is nan; it must be finite"),
        ({"noise_variance": "per_pixel"}, "'per_pixel'; .* one of shared, per_dimension, from_z"),
        ({"noise_variance": 0.1, "variance_floor": 0.01}, "a fixed noise_variance, 0.1 here"),
        ({"variance_floor": 0.0}, "variance_floor is 0; it must be finite"),
        ({"likelihood": "poisson", "noise_variance": "shared"}, "a poisson likelihood has none"),
        ({"likelihood": "bernoulli", "variance_floor": 0.1}, "a bernoulli likelihood has none"),
    ],
)
def test_variances_that_make_no_sense_are_refused_with_the_reason(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        vc.models.VAE(3, 2, **{"likelihood": "gaussian", **arguments})


@pytest.mark.parametrize(("value", "shown"), [(0.5, "0.5"), (-1.0, "-1")])
def test_what_is_no_count_is_refused(value, shown):
    with pytest.raises(
        ValueError, match=f"x has a value of {shown} in column 2; a Poisson .* counts 0, 1, 2"
    ):
        PoissonLikelihood(2).check(torch.tensor([[3.0, value]]))
