"""Gradients by hand for binary pixels are those of automatic differentiation."""

import math

import pytest
import torch

import vaecourse as vc
from vaecourse.training.bernoulli_gradients import BernoulliGradients


def models(draws=1, seeds=(0, 1, 2), hidden=(7, 5), activation="tanh", **arguments):
    return [
        vc.models.VAE(
            16, 3, hidden, importance_samples=draws, activation=activation, seed=seed, **arguments
        ).double()
        for seed in seeds
    ]


def filled(batch, rows, products=None):
    """Gradients of `batch` with drawn pixels and noise, after one step."""
    by_hand = BernoulliGradients(batch, rows, products)
    generator = torch.Generator().manual_seed(0)
    by_hand.x.copy_(torch.rand(by_hand.x.shape, generator=generator).round())
    by_hand.eps.normal_(generator=generator)
    by_hand.step()
    return by_hand


def loss(model, x, eps):
    """The loss with given noise [K, B, J], by the package's distributions and autograd."""
    q = model.encode(x)
    z = q.loc + q.scale * eps
    log_p = model.decode(z).log_prob(x)
    if len(eps) == 1:
        return (torch.distributions.kl_divergence(q, model.prior) - log_p[0]).mean()
    log_w = log_p + model.prior.log_prob(z) - q.log_prob(z)
    return (math.log(len(eps)) - log_w.logsumexp(0)).mean()


def as_parameters(by_hand, flat):
    """A flat tensor laid out as weights, as lists of each model's parameters."""
    by_hand.weights.copy_(flat)
    by_hand.write_back()
    return [[p.detach().clone() for p in model.parameters()] for model in by_hand.models]


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("draws", [1, 2, 5])
def test_loss_and_gradients_are_those_of_autograd(draws, activation):
    batch = models(draws, activation=activation)
    by_hand = filled(batch, 6)
    losses = [loss(m, x, eps) for m, x, eps in zip(batch, by_hand.x, by_hand.eps)]
    torch.testing.assert_close(by_hand.losses, torch.stack(losses), rtol=1e-12, atol=0)
    sum(losses).backward()
    expected = [[p.grad for p in model.parameters()] for model in batch]
    torch.testing.assert_close(
        as_parameters(by_hand, by_hand.gradients), expected, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("draws", [1, 5])
def test_short_products_give_the_gradient_to_their_precision(draws):
    exact = filled(models(draws, hidden=(64, 64)), 50)
    short = filled(models(draws, hidden=(64, 64)), 50, torch.bfloat16)
    torch.testing.assert_close(short.losses, exact.losses, rtol=2e-3, atol=0)
    # A bfloat16 has eight bits: each number is off by at most one part in 256.
    error = (short.gradients - exact.gradients).norm() / exact.gradients.norm()
    assert 0 < error < 0.03


def test_a_model_of_something_else_is_refused():
    for arguments, named in (
        ({"likelihood": "gaussian"}, "likelihood is 'gaussian'"),
        ({"posterior": "full"}, "posterior is 'full'"),
        ({"activation": "sigmoid"}, "activation is 'sigmoid'"),
        ({"decoder_activation": "relu"}, "decoder_activation is 'relu'"),
    ):
        with pytest.raises(ValueError, match=f"{named}; gradients by hand are there for binary"):
            BernoulliGradients(models(**arguments), 6)
    with pytest.raises(ValueError, match="The models differ"):
        BernoulliGradients([*models(seeds=[0]), *models(2, seeds=[1])], 6)
