"""Gradients by hand are those of automatic differentiation."""

import pytest
import torch

import vaecourse as vc
from vaecourse.training.hand_gradients import HandGradients


def models(posterior, latent_dim, separate_heads, hidden=(7, 5), seeds=(0, 1, 2), **arguments):
    arguments = {"likelihood": "gaussian", **arguments}
    return [
        vc.models.VAE(
            3, latent_dim, hidden, posterior=posterior, separate_heads=separate_heads, seed=seed,
            **arguments,
        ).double()
        for seed in seeds
    ]  # fmt: skip


def loss(model, x, eps, kl_weight):
    """The loss with given noise, by the package's distributions and autograd."""
    q = model.encode(x)
    z = q.loc + (
        q.scale * eps if hasattr(q, "log_var") else (q.scale_tril @ eps[..., None])[..., 0]
    )
    kl = torch.distributions.kl_divergence(q, model.prior)
    return (kl_weight * kl - model.decode(z).log_prob(x)).mean()


@pytest.mark.parametrize("kl_weight", [1, 0.3])
@pytest.mark.parametrize("separate_heads", [False, True])
@pytest.mark.parametrize(
    ("posterior", "latent_dim"),
    [("diagonal", 1), ("diagonal", 2), ("full", 1), ("full", 2), ("full", 4)],
)
def test_loss_and_gradients_are_those_of_autograd(posterior, latent_dim, separate_heads, kl_weight):
    batch = models(posterior, latent_dim, separate_heads)
    generator = torch.Generator().manual_seed(0)
    by_hand = HandGradients(batch, 6)
    by_hand.x.normal_(generator=generator)
    by_hand.eps.normal_(generator=generator)
    by_hand.kl_weight.fill_(kl_weight)
    by_hand.step()
    losses = [loss(m, x, eps, kl_weight) for m, x, eps in zip(batch, by_hand.x, by_hand.eps)]
    torch.testing.assert_close(by_hand.losses, torch.stack(losses), rtol=1e-12, atol=0)
    sum(losses).backward()
    expected = [[p.grad.clone() for p in m.parameters()] for m in batch]
    # What autograd would find, laid out as weights and read back as gradients.
    by_hand.weights.copy_(by_hand.gradients)
    by_hand.write_back()
    for model, gradients in zip(batch, expected):
        for mine, theirs in zip(model.parameters(), gradients):
            torch.testing.assert_close(mine.detach(), theirs, rtol=0, atol=1e-12)


def test_a_bound_of_several_draws_is_refused():
    model = vc.models.VAE(2, 1, [4], likelihood="gaussian", importance_samples=5)
    with pytest.raises(ValueError, match="importance_samples is 5; gradients by hand are there"):
        HandGradients([model], 6)
