"""Flows: densities that integrate to one, Jacobians against autograd, inverses, and known fits."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from vaecourse.distributions import DiagonalGaussian
from vaecourse.flows import (
    FAMILIES,
    Autoregressive,
    FreePosterior,
    NormalizingFlow,
    Planar,
    refine,
)

AXIS = torch.linspace(-12, 12, 401, dtype=torch.float64)
GRID = torch.cartesian_prod(AXIS, AXIS)
LOG_CELL = 2 * math.log(AXIS[1] - AXIS[0])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def layer(kind, dim=2, seed=0, batch=(), **arguments):
    """A layer of that kind whose weights are all far from the identity, in float64."""
    made = kind(dim, batch, seeded(seed), **arguments).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(std=0.7, generator=seeded(seed + 1))
    return made.requires_grad_(False)


LAYERS = {
    "planar": lambda dim=2, seed=0, batch=(): layer(Planar, dim, seed, batch),
    "autoregressive": lambda dim=2, seed=0, batch=(): layer(Autoregressive, dim, seed, batch),
    "backwards": lambda dim=2, seed=0, batch=(): layer(
        Autoregressive, dim, seed, batch, backwards=True
    ),
}


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("name", LAYERS)
def test_the_log_determinant_is_autograds(name, dim):
    made = LAYERS[name](dim)
    for z in torch.randn(6, dim, generator=seeded(3), dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(lambda z: made(z)[0], z)
        assert made(z)[1].item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item(), 1e-10)


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("name", LAYERS)
def test_the_inverse_undoes_the_layer(name, dim):
    made = LAYERS[name](dim, batch=(3,))
    z = 2 * torch.randn(50, 3, dim, generator=seeded(2), dtype=torch.float64)
    assert (made.inverse(made(z)[0]) - z).abs().max() < 1e-9


@pytest.mark.parametrize("names", [["planar"] * 3, ["autoregressive", "backwards"]])
def test_a_flow_integrates_to_one_and_knows_its_draws(names):
    zeros = torch.zeros(2, dtype=torch.float64)
    made = [LAYERS[name](seed=k) for k, name in enumerate(names)]
    with torch.no_grad():
        for each in made:  # gentle enough for the grid to hold
            for weight in each.parameters():
                weight.mul_(0.6)
    q = NormalizingFlow(DiagonalGaussian(zeros, zeros), made)
    log_q = q.log_prob(GRID)
    assert (log_q + LOG_CELL).exp().sum().item() == pytest.approx(1, abs=1e-6)
    z, there = q.rsample_with_log_prob((2_000,), seeded())
    assert (q.log_prob(z) - there).abs().max() < 1e-9
    mean = (log_q + LOG_CELL).exp() @ GRID
    assert (z.mean(0) - mean).abs().max() < 4 * z.std(0).max() / 2_000**0.5


def test_a_planar_layer_cannot_fold_the_plane():
    """u = −100 w would; the layer keeps 1 + ûᵀw above zero."""
    made = layer(Planar)
    with torch.no_grad():
        made.u.copy_(-100 * made.w)
    z = torch.randn(1_000, 2, generator=seeded(), dtype=torch.float64)
    assert made(z)[1].isfinite().all()
    assert (made.inverse(made(z)[0]) - z).abs().max() < 1e-6


def test_an_autoregressive_coordinate_sees_only_those_before_it():
    made = layer(Autoregressive, 4)
    z = torch.randn(4, generator=seeded(), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda z: made(z)[0], z)
    assert torch.equal(jacobian.triu(1), torch.zeros_like(jacobian))
    assert (jacobian.tril(-1) != 0).sum() == 6


def test_one_layer_that_is_one_dimensional_is_an_affine_map():
    made = layer(Autoregressive, 1)
    a, b, c = made(torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64))[0][:, 0]
    assert (c - b).item() == pytest.approx((b - a).item(), rel=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_search_starts_at_the_gaussian_it_is_given(family):
    loc, log_var = torch.randn(2, 3, 2, generator=seeded(), dtype=torch.float64)
    q = FreePosterior(loc, log_var, family).double()()
    z = torch.randn(7, 3, 2, generator=seeded(1), dtype=torch.float64)
    right = DiagonalGaussian(loc, log_var).log_prob(z)
    assert (q.log_prob(z) - right).abs().max() < 1e-10
    assert q.rsample((5,), seeded()).shape == (5, 3, 2)
    assert q.batch_shape == (3,)


CORRELATED = MultivariateNormal(torch.tensor([1.0, -1.0]), torch.tensor([[1.0, 0.8], [0.8, 1.0]]))


@pytest.mark.parametrize(
    ("family", "gap"), [("diagonal", 0.5108256), ("full", 0.0), ("autoregressive", 0.0)]
)
def test_a_search_ends_at_the_best_of_its_family(family, gap):
    """For a Gaussian of correlation 0.8 the best product is ½ log 1/0.36 = 0.5108 nats away."""
    posterior = FreePosterior(torch.zeros(2, 2), torch.zeros(2, 2), family, seed=1)
    trace = refine(posterior, CORRELATED.log_prob, 400, seeded(), learning_rate=0.1, draws=32)
    with torch.no_grad():
        q = posterior()
        z = q.rsample((20_000,), seeded(5))
        kl = (q.log_prob(z) - CORRELATED.log_prob(z)).mean(0)
    assert kl == pytest.approx(torch.full((2,), gap), abs=0.03)
    assert len(trace) == 400 and trace[-1] > trace[0]


def test_a_planar_flow_follows_a_posterior_with_two_tops_and_a_gaussian_does_not():
    """½ N((−2, 0), I) + ½ N((2, 0), I): the best Gaussian is 0.23 nats away."""

    def log_joint(z):
        side = torch.tensor([2.0, 0.0])
        both = [DiagonalGaussian(s * side, torch.zeros(2)).log_prob(z) for s in (-1, 1)]
        return torch.stack(both).logsumexp(0) - math.log(2)

    left = {}
    for family in ("full", "planar"):
        posterior = FreePosterior(torch.zeros(1, 2), torch.zeros(1, 2), family, layers=4)
        refine(posterior, log_joint, 300, seeded(), learning_rate=0.1, draws=32)
        with torch.no_grad():
            z = posterior().rsample((20_000,), seeded(1))
            left[family] = (posterior().log_prob(z) - log_joint(z)).mean().item()
    assert left["planar"] < 0.1 < 0.2 < left["full"]


def test_what_does_not_fit_is_refused():
    zeros = torch.zeros(1, 2)
    with pytest.raises(ValueError, match="did you mean 'planar'"):
        FreePosterior(zeros, zeros, "planer")
    with pytest.raises(ValueError, match="layers is -1"):
        FreePosterior(zeros, zeros, "planar", layers=-1)
    with pytest.raises(ValueError, match="steps is 0"):
        refine(FreePosterior(zeros, zeros), CORRELATED.log_prob, 0, seeded())
