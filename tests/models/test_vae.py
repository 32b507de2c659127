"""The variational autoencoder against models whose evidence and posterior are known exactly."""

import math

import pytest
import torch
from linear_vae import NOISE, data, exact_linear_vae
from torch.distributions import MultivariateNormal, kl_divergence

import vaecourse as vc
from vaecourse.objectives import elbo_terms, importance_weighted_bound, log_weights


def test_elbo_at_the_exact_posterior_is_the_evidence():
    vae, evidence, _ = exact_linear_vae()
    x = data(evidence)
    weights = log_weights(vae, x, 5, torch.Generator().manual_seed(0))
    assert (weights - evidence.log_prob(x)).abs().max() < 1e-10
    bound = importance_weighted_bound(vae, x, 5, torch.Generator().manual_seed(0))
    assert (bound - evidence.log_prob(x)).abs().max() < 1e-10


def test_elbo_with_closed_form_kl_equals_the_evidence_on_average():
    vae, evidence, _ = exact_linear_vae()
    x = data(evidence)
    q = vae.encode(x)
    # E_q[log p(x|z)] in closed form for a linear decoder: no sampling error is left.
    weight = vae.decoder[0].weight
    residual = (x - vae.decode(q.mean).mean).square().sum(1)
    spread = torch.einsum("di,bij,dj->b", weight, q.covariance_matrix, weight)
    reconstruction = -0.5 * ((residual + spread) / NOISE + 8 * math.log(2 * math.pi * NOISE))
    elbo = reconstruction - kl_divergence(q, vae.prior)
    assert (elbo - evidence.log_prob(x)).abs().max() < 1e-10
    estimate = vae.elbo(x, 4_000, torch.Generator().manual_seed(2))
    assert (estimate - elbo).mean().abs() < 4 * 0.02


def test_gap_of_the_best_diagonal_posterior_is_what_theory_says():
    vae, evidence, m = exact_linear_vae(posterior="diagonal")
    x = data(evidence)
    exact = MultivariateNormal(vae.encode(x).mean, precision_matrix=m / NOISE)
    q = vae.encode(x)
    diagonal = MultivariateNormal(q.mean, torch.diag_embed(q.variance))
    gap = 0.5 * (m.diagonal().log().sum() - torch.logdet(m))
    assert (kl_divergence(diagonal, exact) - gap).abs().max() < 1e-12
    elbo = log_weights(vae, x, 20_000, torch.Generator().manual_seed(3)).mean(0)
    assert ((evidence.log_prob(x) - elbo).mean() - gap).abs() < 2e-3


def test_more_samples_never_lower_the_importance_weighted_bound():
    vae, evidence, _ = exact_linear_vae(posterior="diagonal")
    x = data(evidence)
    with torch.no_grad():
        vae.encoder[0].bias[3:] += 1.0  # a worse posterior, so that there is a gap to close
    means = [
        importance_weighted_bound(vae, x.repeat(200, 1), k, torch.Generator().manual_seed(k)).mean()
        for k in (1, 5, 50)
    ]
    assert means[0] < means[1] < means[2] < evidence.log_prob(x).mean() + 0.01


def test_kl_of_diagonal_posterior_is_the_textbook_sum():
    vae = vc.models.VAE(5, 4, (7,)).double()
    x = torch.rand(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    q = vae.encode(x)
    textbook = -0.5 * (1 + q.log_var - q.loc.square() - q.log_var.exp()).sum(1)
    terms = elbo_terms(vae, x, 1, torch.Generator().manual_seed(0))
    assert (terms.kl - textbook).abs().max() < 1e-12
    assert (vc.evaluation.kl_per_dimension(vae, x).sum() - terms.kl.mean()).abs() < 1e-12


def test_full_posterior_with_nothing_below_the_diagonal_is_the_diagonal_one():
    full = vc.models.VAE(5, 3, (7,), posterior="full").double()
    diagonal = vc.models.VAE(5, 3, (7,), posterior="diagonal").double()
    with torch.no_grad():
        for mine, theirs in zip(diagonal.parameters(), full.parameters(), strict=True):
            mine.copy_(theirs[: mine.shape[0]])
        full.encoder[-1].weight[6:] = 0
        full.encoder[-1].bias[6:] = 0
    x = torch.rand(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seeds = [torch.Generator().manual_seed(4) for _ in range(2)]
    assert (full.elbo(x, 3, seeds[0]) - diagonal.elbo(x, 3, seeds[1])).abs().max() < 1e-12


def test_elbo_of_a_row_does_not_depend_on_the_rows_beside_it():
    vae = vc.models.VAE(5, 2, (7,), likelihood="gaussian", noise_variance=1.0).double()
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        vae.encoder[-1].bias[2:] = -60.0  # z all but certain, so the draw does not matter
        vae.encoder[-1].weight[2:] = 0
    together, alone = vae.elbo(x), torch.cat([vae.elbo(row[None]) for row in x])
    assert (together - alone).abs().max() < 1e-9


def test_the_bound_samples_in_evaluation_mode_too():
    vae = vc.models.VAE(5, 2, (7,)).eval()
    x = torch.ones(1, 5)
    draws = torch.stack([vae.elbo(x, 1, torch.Generator().manual_seed(s)) for s in range(20)])
    assert draws.std() > 1e-3


def test_samples_have_the_moments_of_the_evidence():
    vae, evidence, _ = exact_linear_vae()
    x = vae.sample(200_000, torch.Generator().manual_seed(5))
    assert (x.mean(0) - evidence.loc).abs().max() < 0.02
    assert (torch.cov(x.T) - evidence.covariance_matrix).abs().max() < 0.03


def test_same_seed_same_model_and_no_global_randomness():
    before = torch.get_rng_state()
    one, two = vc.models.VAE(5, 2, seed=3), vc.models.VAE(5, 2, seed=3)
    other = vc.models.VAE(5, 2, seed=4)
    one.elbo(torch.ones(2, 5))
    assert torch.equal(one.encoder[0].weight, two.encoder[0].weight)
    assert not torch.equal(one.encoder[0].weight, other.encoder[0].weight)
    assert torch.equal(before, torch.get_rng_state())


def test_build_gives_back_the_model():
    vae = vc.models.VAE(5, 2, (7, 6), likelihood="gaussian", posterior="full", activation="tanh")
    again = vc.models.build(vae.params)
    assert again.params == vae.params
    x = torch.ones(2, 5)
    assert torch.equal(vae.encode(x).mean, again.encode(x).mean)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (torch.full((2, 5), 1.5), r"from 1.5 to 1.5.*pixels in \[0, 1\]"),
        (torch.full((2, 5), float("nan")), "NaN or infinite values in 2 of 2 rows"),
        (torch.ones(2, 6), r"shape \[2, 6\]; it must be \[N, 5\]"),
        (torch.ones(5), r"shape \[5\]"),
        (torch.full((2, 5), 255, dtype=torch.uint8), "values from 255 to 255"),
        (torch.full((2, 5), 1e300, dtype=torch.float64), "NaN or infinite values in 2 of 2 rows"),
        ([["one"] * 5], "x is a list that cannot be read as numbers; it must be a torch tensor"),
    ],
)
def test_data_it_cannot_take_is_refused_in_a_sentence(x, sentence):
    with pytest.raises(ValueError, match=sentence):
        vc.models.VAE(5, 2).elbo(x)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"data_dim": 0, "latent_dim": 2}, "data_dim is 0"),
        ({"data_dim": 5, "latent_dim": 2.0}, "latent_dim is 2.0"),
        ({"data_dim": 5, "latent_dim": 2, "likelihood": "beta"}, "likelihood is 'beta'.*bernoulli"),
        ({"data_dim": 5, "latent_dim": 2, "posterior": "block"}, "posterior is 'block'.*diagonal"),
        ({"data_dim": 5, "latent_dim": 2, "activation": "gelu"}, "activation is 'gelu'.*relu"),
        ({"data_dim": 5, "latent_dim": 2, "hidden": (0,)}, r"sizes is \[5, 0, 4\]"),
        (
            {"data_dim": 5, "latent_dim": 2, "noise_variance": 1.0},
            "a bernoulli likelihood has none",
        ),
        (
            {"data_dim": 5, "latent_dim": 2, "likelihood": "gaussian", "noise_variance": 0.0},
            "noise_variance is 0; it must be finite and greater",
        ),
    ],
)
def test_arguments_out_of_range_are_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        vc.models.VAE(**arguments)
    with pytest.raises(ValueError, match=sentence):
        vc.models.build({"kind": "vae", **arguments})


def test_build_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="kind is 'gan'; it must be one of 'vae', 'conv_vae', "):
        vc.models.build({"kind": "gan"})
    with pytest.raises(ValueError, match="unexpected keyword argument 'depth'"):
        vc.models.build({"kind": "vae", "data_dim": 5, "latent_dim": 2, "depth": 3})


def test_with_several_draws_the_loss_is_minus_the_importance_weighted_bound():
    x = (torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) > 0.5).double()
    vae = vc.models.VAE(5, 2, (7,), importance_samples=9).double()
    loss = vae.loss(x, torch.Generator().manual_seed(1))
    weights = log_weights(vae, x, 9, torch.Generator().manual_seed(1))
    assert abs(loss + weights.exp().mean(0).log().mean()) < 1e-12
    # Its gradient weighs the draws by their share of the sum [BGS16] eq. 14.
    loss.backward()
    gradient = vae.decoder[0].weight.grad.clone()
    vae.zero_grad()
    weights = log_weights(vae, x, 9, torch.Generator().manual_seed(1))
    (weights.softmax(0).detach() * weights).sum(0).mean().backward()
    assert (gradient + vae.decoder[0].weight.grad).abs().max() < 1e-12


@pytest.mark.parametrize("scale", [0.1, 1, 30])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dim", [1, 7, 48, 784])
def test_bernoulli_log_likelihood_is_the_same_with_and_without_gradients(dim, dtype, scale):
    generator = torch.Generator().manual_seed(0)
    logits = (scale * torch.randn(50, dim, generator=generator, dtype=torch.float64)).to(dtype)
    logits[0, 0], logits[1, 0] = 1e4, -1e4
    x = (torch.rand(50, dim, generator=generator) > 0.5).to(dtype)
    exact = torch.distributions.Bernoulli(logits=logits.double()).log_prob(x.double()).sum(1)
    # What rounding is relative to: two sums over the pixels, of x l and of log(1 + exp l).
    size = logits.double().abs().sum(1) + dim * math.log(2)
    for leaf in (logits, logits.clone().requires_grad_()):
        value = vc.distributions.BernoulliPixels(leaf).log_prob(x).detach()
        assert ((value - exact) / size).abs().max() < 8 * torch.finfo(dtype).eps
