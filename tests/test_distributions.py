"""Draws, their gradients, divergences, sums that are one, and which prior goes with which."""

import math

import pytest
import torch
from scipy import integrate, stats
from torch.distributions import kl_divergence

import vaecourse as vc
from vaecourse import distributions
from vaecourse.distributions import (
    DiagonalGaussian,
    DiagonalPosterior,
    FullPosterior,
    PoissonCounts,
    at_least,
)
from vaecourse.models.vae import POSTERIORS
from vaecourse.positive_latents import (
    SHAPE_FLOOR,
    ExponentialLatents,
    ExponentialPosterior,
    GammaLatents,
    GammaPosterior,
)

SHAPES, RATES = [0.4, 1.0, 2.5, 8.0], [0.5, 1.0, 3.0, 2.0]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def log(values):
    return torch.tensor(values, dtype=torch.float64).log()


def families():
    """Each with its scipy twin, one frozen distribution a dimension."""
    gamma = [stats.gamma(a, scale=1 / b) for a, b in zip(SHAPES, RATES)]
    exponential = [stats.expon(scale=1 / b) for b in RATES]
    poisson = [stats.poisson(b) for b in RATES]
    normal = [stats.norm(math.log(a), math.sqrt(b)) for a, b in zip(SHAPES, RATES)]
    return {
        "normal": (DiagonalGaussian(log(SHAPES), log(RATES)), normal),
        "gamma": (GammaLatents(log(SHAPES), log(RATES)), gamma),
        "exponential": (ExponentialLatents(log(RATES)), exponential),
        "poisson": (PoissonCounts(log(RATES)), poisson),
    }


@pytest.mark.parametrize("name", families())
def test_log_densities_are_those_of_scipy(name):
    mine, theirs = families()[name]
    x = mine.sample((50,), seeded())
    log_density = theirs[0].logpmf if name == "poisson" else theirs[0].logpdf
    assert log_density is not None
    expected = sum(
        torch.as_tensor((one.logpmf if name == "poisson" else one.logpdf)(x[:, j].numpy()))
        for j, one in enumerate(theirs)
    )
    assert (mine.log_prob(x) - expected).abs().max() < 1e-12


@pytest.mark.parametrize("count", [1, 1e3, 1e5, 1e7])
def test_large_counts_lose_no_nats_in_single_precision(count):
    log_rate = (count * torch.tensor([0.5, 1.0, 2.0])).log().repeat(70).requires_grad_()
    counts = PoissonCounts(log_rate)
    x = counts.sample((20,), seeded())
    rate = log_rate.detach().double().exp().numpy()
    expected = torch.tensor(stats.poisson(rate).logpmf(x.numpy()).sum(1))
    found = counts.log_prob(x)
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 2e-4  # float32 has a value every 1.2e-4 near 1,700
    found.sum().backward()
    pull = torch.tensor(x.double().numpy() - rate).sum(0)
    torch.testing.assert_close(log_rate.grad.double(), pull, rtol=1e-6, atol=1e-5)


def test_a_mac_widens_counts_on_the_cpu():
    class OnMac:
        device = torch.device("mps")

        def cpu(self):
            return torch.tensor([1e7, 3.0])

    wide = distributions._double(OnMac())  # stands in for a tensor: mps has no float64
    assert wide.dtype == torch.float64 and wide.tolist() == [1e7, 3]


@pytest.mark.parametrize("name", families())
def test_samples_have_the_moments_of_the_family(name):
    mine, theirs = families()[name]
    n = 100_000
    x = mine.sample((n,), seeded(1))
    for j, one in enumerate(theirs):
        mean, variance, kurtosis = (float(m) for m in one.stats(moments="mvk"))
        # 4 standard errors of a mean, and of a variance with that excess kurtosis.
        assert abs(x[:, j].mean().item() - mean) < 4 * math.sqrt(variance / n)
        error = variance * math.sqrt((kurtosis + 2) / n)
        assert abs(x[:, j].var().item() - variance) < 4 * error
        assert mine.mean[j].item() == pytest.approx(mean)


@pytest.mark.parametrize("name", ["gamma", "exponential"])
def test_positive_draws_follow_the_distribution_function(name):
    mine, theirs = families()[name]
    x = mine.sample((20_000,), seeded(2))
    for j, one in enumerate(theirs):
        assert stats.kstest(x[:, j].numpy(), one.cdf).pvalue > 1e-3


def test_the_generator_decides_the_draw_and_global_state_is_left_alone():
    before = torch.get_rng_state()
    for mine, _ in families().values():
        assert torch.equal(mine.sample((3,), seeded()), mine.sample((3,), seeded()))
        assert not torch.equal(mine.sample((3,), seeded()), mine.sample((3,), seeded(1)))
        mine.sample((3,))
    assert torch.equal(before, torch.get_rng_state())


def test_gradients_of_an_exponential_draw_are_finite_differences():
    log_rate = log(RATES).requires_grad_()
    (slope,) = torch.autograd.grad(
        ExponentialLatents(log_rate).rsample((), seeded()).sum(), log_rate
    )
    up, down = (ExponentialLatents(log(RATES) + h).sample((), seeded()) for h in (1e-6, -1e-6))
    assert (slope - (up - down) / 2e-6).abs().max() < 1e-8


def test_gradients_of_a_gamma_draw_hold_its_distribution_function_fixed():
    # A draw by rejection jumps with the shape, but its CDF value must not: differentiate
    # z(α, β) = F⁻¹(u; α, β) at the u of the draw, by finite differences of scipy's inverse.
    log_shape, log_rate = log(SHAPES).requires_grad_(), log(RATES).requires_grad_()
    z = GammaLatents(log_shape, log_rate).rsample((), seeded())
    by_shape, by_rate = torch.autograd.grad(z.sum(), [log_shape, log_rate])
    for j, (a, b) in enumerate(zip(SHAPES, RATES)):
        u, h = stats.gamma.cdf(z[j].item(), a, scale=1 / b), 1e-5

        def inverse(log_shift, log_scale, u=u, a=a, b=b):
            return stats.gamma.ppf(u, a * math.exp(log_shift), scale=math.exp(-log_scale) / b)

        assert by_shape[j] == pytest.approx((inverse(h, 0) - inverse(-h, 0)) / (2 * h), rel=1e-4)
        assert by_rate[j] == pytest.approx((inverse(0, h) - inverse(0, -h)) / (2 * h), rel=1e-6)


def test_the_pathwise_gradient_of_a_second_moment_is_exact_on_average():
    # d/dα E[z²] = 2α + 1 = 6 at Gamma(2.5, 1); with log α it is 2.5 times that.
    log_shape = log([2.5]).requires_grad_()
    z = GammaLatents(log_shape.expand(200_000, 1), torch.zeros(1).double()).rsample((), seeded())
    (slope,) = torch.autograd.grad(z.square().mean(), log_shape)
    assert abs(slope.item() / 2.5 - 6) < 0.15  # 4 standard errors


PAIRS = [
    (ExponentialPosterior, "exponential"),
    (ExponentialPosterior, "gamma"),
    (GammaPosterior, "exponential"),
    (GammaPosterior, "gamma"),
]


@pytest.mark.parametrize(("family", "prior"), PAIRS)
def test_kl_of_positive_latents_is_the_quadrature(family, prior):
    posterior = family(1, prior)
    outputs = torch.tensor([0.4, -0.7][: posterior.num_outputs], dtype=torch.float64)
    q, p = posterior(outputs), posterior.prior(outputs)

    def integrand(z):
        z = torch.tensor([z], dtype=torch.float64)
        return (q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z))).item()

    # Two pieces: the logarithm at zero, and the tail.
    exact = sum(integrate.quad(integrand, a, b, epsabs=1e-10)[0] for a, b in ((0, 1), (1, 60)))
    assert kl_divergence(q, p).item() == pytest.approx(exact, abs=1e-8)
    assert exact > 0.01


@pytest.mark.parametrize("family", [DiagonalPosterior, FullPosterior])
def test_kl_of_normal_latents_is_the_monte_carlo_average(family):
    posterior = family(3)
    outputs = torch.randn(posterior.num_outputs, generator=seeded(3), dtype=torch.float64)
    q, p = posterior(outputs), posterior.prior(outputs)
    z = q.sample((40_000,), seeded(4))
    ratio = q.log_prob(z) - p.log_prob(z)
    # 4 standard errors.
    assert abs(kl_divergence(q, p) - ratio.mean()) < 4 * ratio.std() / 200


@pytest.mark.parametrize("name", POSTERIORS)
def test_a_posterior_that_is_the_prior_has_no_kl(name):
    posterior = POSTERIORS[name](2)
    outputs = torch.zeros(posterior.num_outputs, dtype=torch.float64)
    if name == "gamma":
        outputs[:2] = math.log(2)
    assert kl_divergence(posterior(outputs), posterior.prior(outputs)).abs() < 1e-14


def test_the_shape_of_a_gamma_posterior_stays_at_its_floor_or_above():
    q = GammaPosterior(2)(torch.tensor([-50.0, 1.0, 0.0, 0.0]))
    assert q.concentration[0].item() == pytest.approx(SHAPE_FLOOR)
    assert q.concentration[1].item() == pytest.approx(math.e)
    z = q.sample((100_000,), seeded())
    assert (z > 0).all() and torch.isfinite(q.log_prob(z)).all()


def test_a_value_below_its_floor_can_rise_but_not_sink():
    values = torch.tensor([-1.0, -1.0, 2.0, 2.0], requires_grad=True)
    held = at_least(values, 0.0)
    assert held.tolist() == [0, 0, 2, 2]
    (slope,) = torch.autograd.grad((held * torch.tensor([3.0, -3.0, 3.0, -3.0])).sum(), values)
    # A minimization steps against the slope: 3 would lower the first, which is below already.
    assert slope.tolist() == [0, -3, 3, -3]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"prior": "exponential"}, "takes normal: the posterior reaches negative z, where expon"),
        ({"posterior": "full", "prior": "gamma"}, "'full', which takes normal"),
        (
            {"posterior": "exponential", "prior": "normal"},
            "takes exponential or gamma: the normal prior draws negative z too",
        ),
        ({"posterior": "gamma", "prior": "normal"}, "'gamma', which takes exponential or gamma"),
        ({"prior": "cauchy"}, "prior is 'cauchy'; it must be one of 'normal', 'exp"),
    ],
)
def test_a_prior_that_does_not_go_with_the_posterior_is_refused_with_the_reason(
    arguments, sentence
):
    with pytest.raises(ValueError, match=sentence):
        vc.models.VAE(5, 2, **arguments)
