"""The GMVAE against a VAE, sums written out, and integrals on a grid."""

import math

import pytest
import torch
from torch.distributions import kl_divergence

import vaecourse as vc
from vaecourse.evaluation.clustering import hungarian_accuracy
from vaecourse.models import GMVAE, VAE
from vaecourse.models.gmvae import LabelledGaussian
from vaecourse.objectives import elbo_terms, importance_weighted_bound, log_weights


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(num_components=3, seed=0, **arguments):
    """D = 4, J = 2, every parameter away from its start, in float64."""
    model = GMVAE(4, 2, num_components, (5,), seed=seed, **arguments).double()
    model.requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(
            0.4 * torch.randn(parameter.shape, generator=generator(seed), dtype=torch.float64)
        )
    return model


def pixels(n=6, dim=4, seed=1):
    half = torch.full((n, dim), 0.5, dtype=torch.float64)
    return torch.bernoulli(half, generator=generator(seed))


def one_component_and_its_vae():
    model = small(1)
    model.prior_loc.zero_()
    model.prior_log_var.zero_()
    vae = VAE(4, 2, (5,)).double().requires_grad_(False)
    vae.encoder[0].load_state_dict(model.body[0].state_dict())
    vae.encoder[2].weight.copy_(model.to_latent.weight)
    vae.encoder[2].bias.copy_(model.to_latent.bias + model.shift[0])
    vae.decoder.load_state_dict(model.decoder.state_dict())
    return model, vae


def test_one_component_is_the_vae():
    model, vae = one_component_and_its_vae()
    x = pixels()
    mine = model.elbo_terms(x, 3, generator())
    theirs = elbo_terms(vae, x, 3, generator())
    assert (mine.reconstruction - theirs.reconstruction).abs().max() < 1e-10
    assert (mine.kl_z - theirs.kl).abs().max() < 1e-10
    assert mine.kl_y.abs().max() < 1e-12
    assert model.loss(x, generator()).item() == pytest.approx(
        vae.loss(x, generator()).item(), abs=1e-10
    )


def test_components_that_are_alike_are_the_vae_whatever_q_says_of_them():
    one, vae = one_component_and_its_vae()
    x = pixels()
    model = small(3)
    shared = {k: v for k, v in one.state_dict().items() if k.startswith(("body", "to_lat", "dec"))}
    model.load_state_dict(shared, strict=False)
    model.shift.copy_(one.shift.expand(3, -1))
    model.prior_loc.zero_()
    model.prior_log_var.zero_()
    terms = model.elbo_terms(x, 4000, generator())
    vae_terms = elbo_terms(vae, x, 4000, generator())
    assert (terms.kl_z - vae_terms.kl).abs().max() < 1e-10
    assert (terms.reconstruction - vae_terms.reconstruction).abs().max() < 0.1
    uneven = (model.encode(x).label.probs * (3 * model.encode(x).label.probs).log()).sum(1)
    assert (terms.kl_y - uneven).abs().max() < 1e-10


def test_the_bound_is_the_sum_written_out():
    model = small()
    x = pixels()
    q, source = model.encode(x), generator()
    z = q.latent.rsample((2,), source)
    expected = torch.zeros(len(x), dtype=torch.float64)
    for y in range(3):
        weight = q.label.probs[:, y]
        posterior = torch.distributions.Normal(q.latent.loc[:, y], q.latent.scale[:, y])
        prior = torch.distributions.Normal(model.prior_loc[y], (0.5 * model.prior_log_var[y]).exp())
        recon = model.decode(z[:, :, y]).log_prob(x).mean(0)
        kl = kl_divergence(posterior, prior).sum(1)
        expected += weight * (recon - kl + math.log(1 / 3) - weight.log())
    assert (model.elbo(x, 2, generator()) - expected).abs().max() < 1e-10


def test_names_of_the_components_do_not_matter():
    model, other, x = small(), small(), pixels()
    order = torch.tensor([2, 0, 1])
    for name in ("shift", "prior_loc", "prior_log_var"):
        getattr(other, name).copy_(getattr(model, name)[order])
    other.to_label.weight.copy_(model.to_label.weight[order])
    other.to_label.bias.copy_(model.to_label.bias[order])
    mine, theirs = model.elbo_terms(x), other.elbo_terms(x)
    assert (mine.kl_z - theirs.kl_z).abs().max() < 1e-12
    assert (mine.kl_y - theirs.kl_y).abs().max() < 1e-12
    z = torch.randn(5, 2, generator=generator(), dtype=torch.float64)
    assert (model.prior.log_prob(z) - other.prior.log_prob(z)).abs().max() < 1e-12
    assert torch.equal(order[other.classify(x)], model.classify(x))


def test_the_bounds_lie_below_the_evidence_of_a_grid():
    model, x = small(), pixels(4)
    model.to_latent.bias[2:] += 2  # a q wider than the posterior: the weights keep a small variance
    axis = torch.linspace(-14, 14, 701, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    log_joint = model.prior.log_prob(z)[:, None] + model.decode(z[:, None]).log_prob(x)
    evidence = torch.logsumexp(log_joint, 0) + 2 * (axis[1] - axis[0]).log()
    elbo = model.elbo(x, 5000, generator())
    assert (elbo < evidence).all()
    weights = log_weights(model, x, 40_000, generator())
    # With the label summed out of p and q, the mean log weight is between bound and evidence.
    assert (weights.mean(0) > elbo - 0.05).all()
    assert (weights.mean(0) < evidence).all()
    many = importance_weighted_bound(model, x, 40_000, generator())
    assert (many - evidence).abs().max() < 4 * 0.012  # its standard error, at most


# --- the loss ------------------------------------------------------------------------------------


def test_loss_is_minus_the_mean_bound_unless_told_otherwise():
    model, x = small(), pixels(50)
    # `elbo` draws [1, B, K, J] where the loss draws [B, K, J]: the same numbers.
    expected = -model.elbo(x, 1, generator()).mean().item()
    assert model.loss(x, generator()).item() == pytest.approx(expected, abs=1e-10)


def test_skip_leaves_out_what_hardly_counts():
    x = pixels(200)
    plain, short = small(), small(skip=0.05)
    for model in (plain, short):
        model.to_label.weight.mul_(6)
    weights = plain.encode(x).label.probs
    small_ones = weights < 0.05
    assert 0.2 < small_ones.double().mean() < 0.7
    q = short.encode(x)
    z = q.latent.rsample((), generator())
    values = short.decode(z).log_prob(x[:, None])
    kept = weights.masked_fill(small_ones, 0.0)
    expected = (kept * values).sum(1) / kept.sum(1)
    assert (short._reconstruction(x, q, generator()) - expected).abs().max() < 1e-10
    assert abs(short.loss(x, generator()) - plain.loss(x, generator())) < 0.05


# --- the mixture over z --------------------------------------------------------------------------


def mixture():
    logits = torch.tensor([0.2, 1.0], dtype=torch.float64)
    loc = torch.tensor([[-2.0, 0.0], [1.0, 3.0]], dtype=torch.float64)
    log_var = torch.tensor([[0.0, -1.0], [0.5, 0.0]], dtype=torch.float64)
    return LabelledGaussian(logits, loc, log_var)


def test_density_of_the_mixture_is_the_weighted_sum():
    p, z = mixture(), torch.randn(5, 2, generator=generator(), dtype=torch.float64)
    parts = [
        torch.distributions.Normal(m, (0.5 * v).exp()).log_prob(z).sum(1).exp()
        for m, v in zip(p.latent.loc, p.latent.log_var, strict=True)
    ]
    expected = sum(w * part for w, part in zip(p.label.probs, parts, strict=True)).log()
    assert (p.log_prob(z) - expected).abs().max() < 1e-12


def test_draws_of_the_mixture_have_its_weights_and_moments():
    p, n = mixture(), 100_000
    label = p.sample_label((n,), generator())
    share = p.label.probs[1].item()
    assert label.double().mean().item() == pytest.approx(share, abs=4 * 0.5 / math.sqrt(n))
    z = p.rsample((n,), generator(1))
    standard_error = p.variance.sqrt() / math.sqrt(n)
    assert ((z.mean(0) - p.mean).abs() < 4 * standard_error).all()
    assert (z.var(0) / p.variance - 1).abs().max() < 0.03


# --- use -----------------------------------------------------------------------------------------


def test_samples_of_a_label_come_from_its_component():
    model = small()
    model.prior_loc.mul_(5)
    n = 50_000
    for label in range(3):
        x = model.sample(n, generator(label), label=label)
        z = model.prior_loc[label] + (0.5 * model.prior_log_var[label]).exp() * torch.randn(
            n, 2, generator=generator(9), dtype=torch.float64
        )
        assert (x.mean(0) - model.decode(z).mean.mean(0)).abs().max() < 4 * math.sqrt(0.5 / n)
    together = model.sample(n, generator(5)).mean(0)
    apart = torch.stack([model.sample(n, generator(k), k).mean(0) for k in range(3)]).mean(0)
    assert (together - apart).abs().max() < 4 * math.sqrt(0.5 / n)


def test_reconstruction_is_that_of_the_likeliest_label():
    model, x = small(), pixels()
    q = model.encode(x)
    for row, picture in enumerate(model.reconstruct(x)):
        label = q.label.probs[row].argmax()
        expected = torch.sigmoid(model.decoder(q.latent.loc[row, label]))
        assert (picture - expected).abs().max() < 1e-12


def two_groups():
    """Rows of ones and rows of zeros, each pixel flipped with probability 1/20; and the groups."""
    label = torch.arange(400) % 2
    flip = torch.bernoulli(torch.full((400, 12), 0.05), generator=generator())
    return (label[:, None].float() - flip).abs(), label


def test_from_a_vae_and_a_mixture_training_keeps_the_groups():
    x, label = two_groups()
    settings = {"epochs": 40, "batch_size": 50, "learning_rate": 1e-2, "progress": False}
    vae = VAE(12, 1, (16,))
    vc.training.fit(vae, x, **settings)
    codes = vae.encode(x).loc.detach().double()
    mixture = vc.inference.GaussianMixture(2).fit(codes)
    model = GMVAE(12, 1, 2, (16,)).start_from(vae, mixture, x)
    q = model.encode(x)
    assert (q.label.probs - mixture.responsibilities(codes)).abs().mean() < 0.05
    torch.testing.assert_close(q.latent.loc[:, 1], vae.encode(x).loc)
    assert torch.allclose(model.prior_loc.double(), mixture.means_)
    vc.training.fit(model, x, **settings)
    assert hungarian_accuracy(model.classify(x), label) > 0.99
    # The entropy of the data is log 2 + 12 H(1/20) = 3.08 nats; a VAE with one latent needs more.
    bound = model.elbo(x, 10, generator()).mean()
    assert -3.5 < bound < -3.08 + 0.1
    assert bound > vae.elbo(x, 10, generator()).mean()


def test_a_vae_of_another_shape_is_refused():
    x, _ = two_groups()
    with pytest.raises(ValueError, match=r"hidden of the vae is \[8\]; it must be \[16\], as here"):
        GMVAE(12, 1, 2, (16,)).start_from(VAE(12, 1, (8,)), None, x)


def test_build_gives_back_the_model():
    model = GMVAE(5, 2, 3, (7, 6), activation="tanh", skip=0.1, seed=4)
    again = vc.models.build(model.params)
    assert again.params == model.params
    assert torch.equal(again.prior_loc, model.prior_loc)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_components": 0}, "num_components is 0"),
        ({"activation": "gelu"}, "activation is 'gelu'.*relu"),
        ({"skip": 1.0}, r"skip is 1.0; it must be at least 0 and less than 1 / 3"),
    ],
)
def test_arguments_out_of_range_are_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        GMVAE(**{"data_dim": 4, "latent_dim": 2, "num_components": 3, **arguments})


def test_data_and_labels_it_cannot_take_are_refused_in_a_sentence():
    model, x = small(), pixels()
    for method in (model.elbo, model.classify, model.reconstruct):
        with pytest.raises(ValueError, match=r"shape \[6, 3\]; it must be \[N, 4\]"):
            method(x[:, :3])
    with pytest.raises(ValueError, match=r"pixels in \[0, 1\]"):
        model.elbo(2 * x)
    for label in (3, -1, 1.0, True):
        with pytest.raises(
            ValueError, match=f"label is {label!r}; it must be an integer from 0 to"
        ):
            model.sample(2, label=label)
