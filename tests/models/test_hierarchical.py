"""Two layers against one, against a linear model whose evidence is known, and against a grid."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

import vaecourse as vc
from vaecourse.distributions import DiagonalGaussian
from vaecourse.models import VAE, HierarchicalVAE
from vaecourse.models.hierarchical import ORDERS, product
from vaecourse.objectives import elbo_terms


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(order="bottom_up", seed=0, **arguments):
    """D = 4, J = 2, K = 1, every weight away from its start, in float64."""
    model = HierarchicalVAE(4, 2, 1, (5,), (3,), order=order, seed=seed, **arguments).double()
    model.requires_grad_(False)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator(seed), dtype=torch.float64)
        parameter.add_(0.25 * noise)
    return model


def pixels(n=6, dim=4, seed=1):
    half = torch.full((n, dim), 0.5, dtype=torch.float64)
    return torch.bernoulli(half, generator=generator(seed))


def silent(model):
    """Let the upper layer say nothing: p(z|u) = N(0, I), and q(u|…) = p(u)."""
    for network in (model.upper_encoder, model.upper_decoder):
        network[-1].weight.zero_()
        network[-1].bias.zero_()
    return model


def test_with_a_silent_upper_layer_it_is_the_vae():
    model = silent(small())
    vae = VAE(4, 2, (5,)).double().requires_grad_(False)
    vae.encoder.load_state_dict(model.encoder.state_dict())
    vae.decoder.load_state_dict(model.decoder.state_dict())
    x = pixels()
    mine, theirs = (of(x, 40_000) for of in (model.elbo_terms, vae.elbo_terms))
    assert mine.kl_upper.abs().max() < 1e-12
    assert (mine.elbo - theirs.elbo).abs().max() < 0.05
    # with the same draws the likelihoods are the same
    one, other = model.elbo_terms(x, 1, generator()), elbo_terms(vae, x, 1, generator())
    assert (one.reconstruction - other.reconstruction).abs().max() < 1e-12


@pytest.mark.parametrize("order", ORDERS)
def test_the_terms_are_the_mean_of_the_log_weights(order):
    model, x = small(order), pixels()
    elbo = model.elbo(x, 40_000, generator())
    log_w = model.log_weights(x, 40_000, generator(1))
    error = 5 * 2**0.5 * log_w.std(0) / 40_000**0.5
    assert ((log_w.mean(0) - elbo).abs() < error).all()


def evidence(model, x, reach=7, points=141):
    """log p(x) by integrating over both layers on a grid, [B]."""
    axis = torch.linspace(-reach, reach, points, dtype=torch.float64)
    u = axis[:, None]
    z = torch.cartesian_prod(axis, axis)
    step = axis[1] - axis[0]
    log_u = model.upper_prior.log_prob(u) + step.log()
    log_z = (log_u + model.lower_prior(u).log_prob(z[:, None])).logsumexp(1) + 2 * step.log()
    return (log_z[:, None] + model.decode(z[:, None]).log_prob(x)).logsumexp(0)


@pytest.mark.parametrize("order", ORDERS)
def test_many_draws_reach_the_evidence_and_one_stays_below(order):
    model, x = small(order), pixels()
    exact = evidence(model, x)
    log_w = model.log_weights(x, 200_000, generator())
    many = log_w.logsumexp(0) - math.log(200_000)
    assert (many - exact).abs().max() < 0.1
    assert (log_w.mean(0) < exact).all()


def test_a_gaussian_chain_with_its_exact_posterior_has_no_gap():
    """u ~ N(0, 1), z ~ N(u, 1), x ~ N(z, 1): x ~ N(0, 3), and every weight is the evidence."""
    model = (
        HierarchicalVAE(1, 1, 1, (), (), likelihood="gaussian", noise_variance=1.0)
        .double()
        .requires_grad_(False)
    )
    for parameter in model.parameters():
        parameter.zero_()
    model.upper_decoder[0].weight[0, 0] = 1.0
    model.decoder[0].weight[0, 0] = 1.0
    model.encoder[0].weight[0, 0] = 2 / 3  # q(z|x) = N(2x/3, 2/3)
    model.encoder[0].bias[1] = math.log(2 / 3)
    model.upper_encoder[0].weight[0, 0] = 1 / 2  # q(u|z) = N(z/2, 1/2)
    model.upper_encoder[0].bias[1] = math.log(1 / 2)
    x = torch.tensor([[0.5], [-2.0]], dtype=torch.float64)
    exact = -0.5 * (math.log(6 * math.pi) + x[:, 0].square() / 3)
    assert (model.log_weights(x, 50, generator()) - exact).abs().max() < 1e-9
    drawn = model.elbo(x, 100_000, generator())
    assert (drawn - exact).abs().max() < 0.02


def test_a_ladder_whose_image_says_nothing_leaves_z_to_its_prior():
    model, u = small("ladder"), torch.tensor([[0.3], [-1.0]], dtype=torch.float64)
    flat = DiagonalGaussian(torch.zeros(2, 2).double(), torch.full((2, 2), 60.0).double())
    assert kl_divergence(model.encode_lower(flat, u), model.lower_prior(u)).max() < 1e-12


def test_the_product_of_two_gaussians_is_the_posterior_of_one_seen_through_the_other():
    first, second = (
        DiagonalGaussian(*torch.randn(2, 5, 3, generator=generator(seed)).double())
        for seed in (0, 1)
    )
    together = product(first, second)
    z = torch.randn(5, 3, generator=generator(2)).double()
    # the same up to a constant: differences of log densities agree
    at_z = first.log_prob(z) + second.log_prob(z) - together.log_prob(z)
    at_0 = first.log_prob(0 * z) + second.log_prob(0 * z) - together.log_prob(0 * z)
    assert (at_z - at_0).abs().max() < 1e-9
    # and the constant is N(m₁; m₂, v₁ + v₂)
    overlap = MultivariateNormal(
        second.loc, torch.diag_embed(first.log_var.exp() + second.log_var.exp())
    ).log_prob(first.loc)
    assert (at_z - overlap).abs().max() < 1e-9


def test_both_orders_have_the_same_weights():
    sizes = {order: [p.shape for p in small(order).parameters()] for order in ORDERS}
    assert sizes["bottom_up"] == sizes["ladder"]


@pytest.mark.parametrize("order", ORDERS)
def test_use(order):
    model, x = small(order), pixels()
    drawn = model.sample(50, generator())
    assert drawn.shape == (50, 4) and ((drawn == 0) | (drawn == 1)).all()
    assert torch.equal(model.sample(50, generator()), drawn)
    assert model.reconstruct(x).shape == (6, 4)
    loss = model.loss(x, generator())
    assert loss.item() == pytest.approx(-model.elbo(x, 1, generator()).mean().item())
    assert vc.models.build(model.params).params == model.params


@pytest.mark.parametrize("order", ORDERS)
def test_training_raises_the_bound(order):
    x = torch.eye(4).repeat(50, 4)
    model = HierarchicalVAE(16, 2, 1, (16,), (8,), order=order)
    vc.training.fit(model, x, epochs=60, batch_size=50, learning_rate=1e-2, progress=False)
    after = model.elbo(x[:4], 500, generator()).mean().item()
    # four images, so log 4 = 1.39 nats at best; without z sixteen pixels cost 9.0
    assert -6 < after < -math.log(4) + 0.02


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="order is 'top_down'"):
        HierarchicalVAE(4, 2, 1, order="top_down")
    with pytest.raises(ValueError, match="upper_dim is 0"):
        HierarchicalVAE(4, 2, 0)
    with pytest.raises(ValueError, match=r"x has shape \[1, 3\]; it must be \[N, 4\]"):
        small().elbo(torch.zeros(1, 3))
