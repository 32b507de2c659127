"""Importance sampling on linear models, whose evidence is known."""

import math

import pytest
import torch
from linear_vae import NOISE, data, exact_linear_vae
from sentences import refused

import vaecourse as vc
from vaecourse.evaluation import (
    active_units,
    aggregate_kl,
    bits_per_dimension,
    importance_estimate,
    importance_log_likelihood,
    kl_per_dimension,
)
from vaecourse.evaluation.likelihood import log_mixture
from vaecourse.objectives import log_weights


def widened(amount):
    """The linear VAE with the best diagonal posterior, its log variances raised by `amount`."""
    vae, evidence, _ = exact_linear_vae(posterior="diagonal")
    vae.encoder[0].bias[3:] += amount
    return vae, evidence


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# The estimate


def test_with_the_exact_posterior_every_weight_is_the_evidence():
    vae, evidence, _ = exact_linear_vae()
    x = data(evidence, 20)
    estimate = importance_estimate(vae, x, 30, generator(), rows=64)
    assert (estimate.log_likelihood - evidence.log_prob(x)).abs().max() < 1e-10
    assert estimate.standard_error.max() < 1e-7
    assert (estimate.effective_sample_size - 30).abs().max() < 1e-10


def test_the_standard_error_is_that_of_the_estimate():
    vae, evidence = widened(0.7)
    x = data(evidence, 400)
    estimate = importance_estimate(vae, x, 2_000, generator())
    score = (estimate.log_likelihood - evidence.log_prob(x)) / estimate.standard_error
    # 400 scores of a standard normal: mean within 4 / √400, variance within 4 √(2 / 400).
    assert abs(score.mean()) < 0.2
    assert abs(score.var() - 1) < 0.29
    assert estimate.standard_error.max() < 0.1


def test_more_draws_raise_the_estimate_towards_the_evidence():
    vae, evidence = widened(1.5)
    x = data(evidence, 2_000)
    means = [
        importance_log_likelihood(vae, x, s, generator(s)).mean().item() for s in (1, 5, 50, 500)
    ]
    truth = evidence.log_prob(x).mean().item()
    # Between neighbours the rise is many standard errors, of 0.03 at most.
    assert means[0] + 0.2 < means[1] and means[1] + 0.05 < means[2] < means[3] < truth + 0.01


def test_chunks_change_nothing_but_the_memory():
    vae, evidence = widened(1.0)
    x = data(evidence, 3)
    whole = log_weights(vae, x[:1], 160, generator())
    # Rows of 16 draws with 3 latents: torch fills them in the same order as all at once.
    chunked = importance_estimate(vae, x[:1], 160, generator(), rows=16)
    expected = whole.logsumexp(0) - math.log(160)
    assert (chunked.log_likelihood - expected).abs().max() < 1e-10
    weights = (whole - expected).exp()
    effective = weights.sum(0).square() / weights.square().sum(0)
    assert (chunked.effective_sample_size - effective).abs().max() < 1e-8
    error = weights.std(0) / math.sqrt(160)
    assert (chunked.standard_error - error).abs().max() < 1e-10


@pytest.mark.parametrize("rows", [1, 7, 40, 1_000])
def test_any_chunk_gives_every_image_its_own_estimate(rows):
    vae, evidence, _ = exact_linear_vae()
    x = data(evidence, 5)
    found = importance_log_likelihood(vae, x, 13, rows=rows)
    assert (found - evidence.log_prob(x)).abs().max() < 1e-10


def test_one_draw_is_an_elbo_and_has_no_standard_error():
    vae, evidence, _ = exact_linear_vae(posterior="diagonal")
    x = data(evidence, 4)
    estimate = importance_estimate(vae, x, 1, generator())
    torch.testing.assert_close(estimate.log_likelihood, log_weights(vae, x, 1, generator())[0])
    assert estimate.standard_error.isnan().all()
    assert torch.equal(estimate.effective_sample_size, torch.ones(4, dtype=torch.float64))


def test_bernoulli_pixels_match_a_loop_over_images():
    vae = vc.models.VAE(20, 2, (5,), activation="tanh").requires_grad_(False)
    x = (torch.rand(3, 20, generator=generator(2)) > 0.5).float()
    found = importance_log_likelihood(vae, x, 50, generator(), rows=50)
    noise = generator()
    for i in range(3):
        loc, log_var = vae.encoder(x[i]).chunk(2)
        eps = torch.randn(50, 1, 2, generator=noise)[:, 0]
        z = loc + (log_var / 2).exp() * eps
        p = vae.decoder(z).sigmoid()
        log_w = (x[i] * p.log() + (1 - x[i]) * (1 - p).log()).sum(1)
        log_w += 0.5 * (eps.square() - z.square()).sum(1) + 0.5 * log_var.sum()
        assert abs(log_w.logsumexp(0) - math.log(50) - found[i]) < 1e-4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_samples": 0}, "num_samples is 0; it must be an integer of at least 1"),
        ({"num_samples": 5, "rows": 0}, "rows is 0; it must be an integer of at least 1"),
    ],
)
def test_counts_that_are_none_are_refused(arguments, sentence):
    vae, evidence, _ = exact_linear_vae(posterior="diagonal")
    with pytest.raises(ValueError, match=sentence):
        importance_log_likelihood(vae, data(evidence, 2), **arguments)


def test_data_of_another_width_are_refused():
    vae, _, _ = exact_linear_vae()
    with pytest.raises(ValueError, match=r"x has shape \[2, 7\]; it must be \[N, 8\]"):
        importance_log_likelihood(vae, torch.zeros(2, 7, dtype=torch.float64), 5)


def test_bits_per_dimension_of_the_uniform_distribution_over_bytes_are_eight():
    nats = torch.tensor([-3_072 * math.log(256)])
    assert bits_per_dimension(nats, 3_072).item() == pytest.approx(8)


# The aggregate posterior


def test_the_mixture_is_the_mean_of_its_components():
    loc = torch.randn(6, 2, generator=generator(), dtype=torch.float64)
    log_var = torch.randn(6, 2, generator=generator(1), dtype=torch.float64)
    z = torch.randn(9, 2, generator=generator(2), dtype=torch.float64)
    components = vc.distributions.DiagonalGaussian(loc, log_var).log_prob(z[:, None])
    expected = components.logsumexp(1) - math.log(6)
    assert (log_mixture(z, loc, log_var) - expected).abs().max() < 1e-12


def test_posteriors_that_are_all_alike_aggregate_to_one_of_them():
    vae, evidence, _ = exact_linear_vae(posterior="diagonal")
    vae.encoder[0].weight.zero_()
    vae.encoder[0].bias[:] = torch.tensor([1.0, 0, 0, math.log(0.25), 0, 0])
    x = data(evidence, 1_000)
    estimate = aggregate_kl(vae, x, 4, generator())
    exact = kl_per_dimension(vae, x).sum()
    assert abs(estimate.value - exact) < 4 * estimate.standard_error < 0.1


def test_posteriors_of_the_true_model_aggregate_to_the_prior():
    # Averaged over p(x), the exact posterior is the prior. Of 2,000 rows the mixture still lies
    # a little off it.
    vae, _, _ = exact_linear_vae(posterior="diagonal")
    vae.decoder[0].weight[:] = torch.linalg.qr(vae.decoder[0].weight)[0]  # no correlations left
    m = (1 + NOISE) * torch.eye(3, dtype=torch.float64)
    vae.encoder[0].weight[:3] = torch.linalg.solve(m, vae.decoder[0].weight.T)
    vae.encoder[0].bias[:3] = -vae.encoder[0].weight[:3] @ vae.decoder[0].bias
    vae.encoder[0].bias[3:] = math.log(NOISE / (1 + NOISE))
    x = vae.sample(2_000, generator(3))
    estimate = aggregate_kl(vae, x, 1, generator())
    rate = kl_per_dimension(vae, x).sum().item()
    assert rate > 2
    assert abs(estimate.value.item()) < 0.05


def test_an_aggregate_of_full_covariances_is_refused():
    vae, evidence, _ = exact_linear_vae()
    with pytest.raises(ValueError, match="not diagonal; its mixture needs that"):
        aggregate_kl(vae, data(evidence, 5))


class Bare:
    """What the docstring asks for, and no more: the parts of a linear VAE."""

    def __init__(self, vae):
        self.encode, self.decode, self.prior = vae.encode, vae.decode, vae.prior


class Weighed(torch.nn.Module):
    """The same by `log_weights` alone."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def log_weights(self, x, num_samples, generator=None):
        assert x.dtype == torch.float64  # that of the weights
        return self.vae.log_weights(x, num_samples, generator)


def test_a_model_of_ones_own_needs_no_check():
    vae, evidence = widened(0.2)
    vae.requires_grad_(False)
    x = data(evidence, 20)
    wanted = importance_log_likelihood(vae, x, 30, generator())
    assert torch.equal(importance_log_likelihood(Bare(vae), x, 30, generator()), wanted)
    assert torch.equal(importance_log_likelihood(Bare(vae), x.numpy(), 30, generator()), wanted)
    single = x.float()  # what is whole of float32 stays itself
    assert torch.equal(
        importance_log_likelihood(Weighed(vae), single, 30, generator()),
        importance_log_likelihood(vae, single, 30, generator()),
    )
    assert torch.equal(kl_per_dimension(Bare(vae), x), kl_per_dimension(vae, x))
    assert torch.equal(active_units(Bare(vae), x), active_units(vae, x))
    assert aggregate_kl(Bare(vae), x, 2, generator()) == aggregate_kl(vae, x, 2, generator())
    assert refused(importance_estimate, Bare(vae), x[0], 3).startswith("x has shape [")
