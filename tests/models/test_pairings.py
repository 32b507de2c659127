"""Every likelihood with every posterior and prior: bounds, samples, and what trains."""

import math

import pytest
import torch
from torch.distributions import Normal

import vaecourse as vc
from vaecourse.objectives import log_weights

LIKELIHOODS = {
    "bernoulli": {"likelihood": "bernoulli"},
    "poisson": {"likelihood": "poisson"},
    "gaussian fixed": {"likelihood": "gaussian", "noise_variance": 0.3},
    "gaussian shared": {"likelihood": "gaussian", "noise_variance": "shared"},
    "gaussian per_dimension": {"likelihood": "gaussian", "noise_variance": "per_dimension"},
    "gaussian from_z": {"likelihood": "gaussian", "noise_variance": "from_z"},
}
POSTERIORS = {
    "diagonal": {"posterior": "diagonal"},
    "full": {"posterior": "full", "prior": "normal"},
    "exponential": {"posterior": "exponential"},
    "exponential with a gamma prior": {"posterior": "exponential", "prior": "gamma"},
    "gamma": {"posterior": "gamma"},
    "gamma with an exponential prior": {"posterior": "gamma", "prior": "exponential"},
}
PAIRINGS = [(x, z) for x in LIKELIHOODS for z in POSTERIORS]


def model(likelihood, posterior, latent_dim=1):
    return vc.models.VAE(
        3, latent_dim, (4,), activation="tanh", **LIKELIHOODS[likelihood], **POSTERIORS[posterior]
    ).double()


def exact_log_likelihood(vae, x):
    """log ∫ p(z) p(x|z) dz for one latent, by the trapezoidal rule on a fine grid: [B]."""
    if vae.params["posterior"] in ("diagonal", "full"):
        z = torch.linspace(-9, 9, 2_001, dtype=torch.float64)
        slope = torch.zeros_like(z)
    else:  # z = e^t: what is steep near zero is spread out
        t = torch.linspace(-25, 4, 2_001, dtype=torch.float64)
        z, slope = t.exp(), t
    step = (slope if slope.any() else z).diff()[0].log()
    log_prior = vae.prior.log_prob(z[:, None]) + slope
    log_joint = log_prior[:, None] + vae.decode(z[:, None, None]).log_prob(x)
    return torch.logsumexp(log_joint, 0) + step


@pytest.mark.parametrize(("likelihood", "posterior"), PAIRINGS)
def test_the_bound_lies_below_the_exact_likelihood_and_importance_weights_reach_it(
    likelihood, posterior
):
    vae = model(likelihood, posterior).requires_grad_(False)
    x = vae.sample(6, torch.Generator().manual_seed(0))
    exact = exact_log_likelihood(vae, x)
    draws = torch.stack(
        [vae.elbo(x, 50, torch.Generator().manual_seed(seed)) for seed in range(20)]
    )
    error = draws.std(0) / math.sqrt(20)
    assert (draws.mean(0) < exact + 4 * error).all()
    assert (draws.mean(0) < exact - 4 * error).any()
    weights = (log_weights(vae, x, 5_000, torch.Generator().manual_seed(9)) - exact).exp()
    assert ((weights.mean(0) - 1).abs() < 4.5 * weights.std(0) / math.sqrt(5_000)).all()


@pytest.mark.parametrize(("likelihood", "posterior"), PAIRINGS)
def test_samples_have_the_moments_of_the_mixture_over_the_prior(likelihood, posterior):
    vae = model(likelihood, posterior, latent_dim=2).requires_grad_(False)
    n = 20_000
    x = vae.sample(n, torch.Generator().manual_seed(1))
    given_z = vae.decode(vae.prior.sample((n,), torch.Generator().manual_seed(2)))
    # E[x] = E[E[x|z]] and E[x²] = E[Var x|z + (E[x|z])²]: both sides are estimates here.
    second = given_z.variance + given_z.mean.square()
    for mine, expected in ((x, given_z.mean), (x.square(), second)):
        error = ((mine.var(0) + expected.var(0)) / n).sqrt()
        assert ((mine.mean(0) - expected.mean(0)).abs() < 4.5 * error).all()


@pytest.mark.parametrize(("likelihood", "posterior"), PAIRINGS)
def test_the_gradient_of_the_bound_is_a_finite_difference(likelihood, posterior):
    # A gamma draw jumps with its shape, by rejection, so there the decoder is moved; how a
    # gamma draw itself moves is tested with the distributions.
    vae = model(likelihood, posterior)
    x = vae.sample(4, torch.Generator().manual_seed(0))
    weight = (vae.decoder if vae.params["posterior"] == "gamma" else vae.encoder)[0].weight

    def loss():
        return -vae.elbo(x, 5, torch.Generator().manual_seed(3)).mean()

    (slope,) = torch.autograd.grad(loss(), weight)
    values = []
    with torch.no_grad():
        for shift in (1e-6, -2e-6):
            weight[0, 0] += shift
            values.append(loss().item())
    difference = (values[0] - values[1]) / 2e-6
    assert slope[0, 0].item() == pytest.approx(difference, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(("likelihood", "posterior"), PAIRINGS)
def test_training_improves_the_bound(likelihood, posterior):
    vae = vc.models.VAE(3, 1, (8,), **LIKELIHOODS[likelihood], **POSTERIORS[posterior])
    # Two kinds of rows, in data that every likelihood can give.
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]).repeat(15, 1)
    before = vae.elbo(x, 50, torch.Generator().manual_seed(0)).mean()
    vc.training.fit(vae, x, epochs=20, batch_size=30, learning_rate=0.01, progress=False)
    assert vae.elbo(x, 50, torch.Generator().manual_seed(0)).mean() > before + 0.02


def test_encoder_and_decoder_have_their_own_depth_width_and_activation():
    vae = vc.models.VAE(
        6, 2, (5, 4), activation="tanh", decoder_hidden=(7,), decoder_activation="relu"
    )
    widths = [
        [m.out_features for m in net if hasattr(m, "out_features")]
        for net in (vae.encoder, vae.decoder)
    ]
    assert widths == [[5, 4, 4], [7, 6]]
    x, z = torch.rand(3, 6), torch.rand(3, 2)
    first, second, third = (vae.encoder[i] for i in (0, 2, 4))
    assert torch.equal(vae.encoder(x), third(second(first(x).tanh()).tanh()))
    assert torch.equal(vae.decoder(z), vae.decoder[2](vae.decoder[0](z).relu()))
    assert vc.models.build(vae.params).params == vae.params


def test_no_decoder_layers_is_a_linear_decoder_and_not_the_mirror():
    vae = vc.models.VAE(6, 2, (5,), decoder_hidden=())
    assert torch.equal(vae.decode(torch.ones(2)).logits, vae.decoder[0](torch.ones(2)))


def test_the_exact_evidence_of_one_latent_is_right_where_it_is_known():
    # A linear decoder with a normal prior: x is Gaussian.
    vae = vc.models.VAE(1, 1, (), likelihood="gaussian", noise_variance=0.3).double()
    vae.requires_grad_(False)
    x = torch.tensor([[0.2], [1.5]], dtype=torch.float64)
    weight, bias = vae.decoder[0].weight[0, 0], vae.decoder[0].bias[0]
    known = Normal(bias, (weight.square() + 0.3).sqrt()).log_prob(x[:, 0])
    assert (exact_log_likelihood(vae, x) - known).abs().max() < 1e-10
