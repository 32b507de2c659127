"""The VRNN against models it contains: VAEs, and a Gaussian chain whose evidence is known."""

import math

import numpy as np
import pytest
import torch
from sentences import refused
from torch.distributions import MultivariateNormal

import vaecourse as vc
from vaecourse.distributions import DiagonalGaussian
from vaecourse.models import VAE, VRNN
from vaecourse.objectives import elbo_terms

CHAIN = torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64)[..., None]
LOG_EVIDENCE = -5.616213355


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(seed=0, **arguments):
    """D = 3, J = 2, H = 4, in float64, with a recurrence that matters."""
    model = VRNN(3, 2, 4, (5,), seed=seed, **arguments).double().requires_grad_(False)
    for layer in (model.from_input, model.from_state):
        layer.weight.mul_(3)
    return model


def pixels(batch, steps, dim=3, seed=1):
    shape = (batch, steps, dim)
    return torch.bernoulli(torch.full(shape, 0.5, dtype=torch.float64), generator=generator(seed))


# --- what each step may see ----------------------------------------------------------------------


def test_the_terms_of_a_step_do_not_depend_on_later_observations():
    model = small()
    x = pixels(2, 4).requires_grad_()
    terms = model.step_terms(x, 3, generator())
    for t in range(4):
        for term in terms:
            (slope,) = torch.autograd.grad(term[:, t].sum(), x, retain_graph=True)
            assert (slope[:, t + 1 :] == 0).all()
            assert slope[:, : t + 1].abs().amin(0).max() > 0
    # q sees x_t, so the divergence depends on it.
    (slope,) = torch.autograd.grad(terms.kl[:, 3].sum(), x)
    assert (slope[:, 3] != 0).all()


def test_the_prior_of_a_step_does_not_see_that_step_and_the_posterior_does():
    model = small()
    x = pixels(2, 4).requires_grad_()
    _, q, states = model.filter(x, generator())
    for t in range(4):
        prior = model.prior(states[:, t])
        (slope,) = torch.autograd.grad(
            prior.loc.sum() + prior.log_var.sum(), x, retain_graph=True, materialize_grads=True,
            allow_unused=True,
        )  # fmt: skip
        assert (slope[:, t:] == 0).all()
        (slope,) = torch.autograd.grad(q.loc[:, t].sum(), x, retain_graph=True)
        assert (slope[:, t + 1 :] == 0).all()
        assert (slope[:, t] != 0).all()


# --- the models it contains ----------------------------------------------------------------------


def same_weights(vrnn):
    """The VAE of one step of `vrnn` at h = 0, whose prior must be the standard normal."""
    vae = VAE(vrnn.data_dim, vrnn.latent_dim, (5,)).double().requires_grad_(False)
    pairs = ((vae.encoder, vrnn.encoder), (vae.decoder, vrnn.decoder))
    for mine, theirs in pairs:
        mine[0].weight.copy_(theirs[0].weight[:, : mine[0].in_features])
        mine[0].bias.copy_(theirs[0].bias)
        mine[2].load_state_dict(theirs[2].state_dict())
    vrnn.prior_net[2].weight.zero_()
    vrnn.prior_net[2].bias.zero_()
    return vae


def test_one_step_is_a_vae():
    vrnn = small()
    vae = same_weights(vrnn)
    x = pixels(6, 1)
    mine = vrnn.elbo_terms(x, 3, generator())
    theirs = elbo_terms(vae, x[:, 0], 3, generator())
    assert (mine.reconstruction - theirs.reconstruction).abs().max() < 1e-12
    assert (mine.kl - theirs.kl).abs().max() < 1e-12


def test_without_recurrence_it_is_a_vae_at_every_step():
    vrnn = small()
    vae = same_weights(vrnn)
    for layer in (vrnn.from_input, vrnn.from_state):
        layer.weight.zero_()
        layer.bias.zero_()
    x = pixels(6, 4)
    steps = vrnn.step_terms(x, 3, generator())
    # One generator serves the four VAEs in turn, as it serves the four steps.
    shared = generator()
    for t in range(4):
        terms = elbo_terms(vae, x[:, t], 3, shared)
        assert (steps.elbo[:, t] - terms.elbo).abs().max() < 1e-12
    assert (vrnn.elbo(x, 3, generator()) - steps.elbo.sum(1)).abs().max() < 1e-12


def gaussian_chain():
    """z_t ~ N(z_{t−1}, 1), x_t ~ N(z_t, 1); q filters: p(z_t | z_{t−1}, x_t)."""
    model = VRNN(
        1, 1, 1, (), recurrence="linear", likelihood="gaussian", noise_variance=1.0
    ).double()
    model.requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    model.from_input.weight[0, 1] = 1.0  # h_{t+1} = z_t
    model.prior_net[0].weight[0, 0] = 1.0  # the prior's mean is h_t
    model.decoder[0].weight[0, 0] = 1.0  # the mean of x_t is z_t
    model.encoder[0].weight[0] = 0.5  # (x_t + h_t) / 2
    model.encoder[0].bias[1] = math.log(0.5)
    return model


def chain_covariances():
    """Cov(z) and Cov(x) of three steps."""
    steps = torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 1, 1]], dtype=torch.float64)
    of_z = steps @ steps.T
    return of_z, of_z + torch.eye(3, dtype=torch.float64)


def smoother(x):
    """p(z_t | z_{t−1}, x_t, …, x_T), by the precision of the z that are still to come."""

    def propose(t, x_t, state):
        left = 3 - t
        # Given z_{t−1} = h: z = h + cumulative noise, x = z + noise.
        of_z, of_x = (c[:left, :left] for c in chain_covariances())
        gain = of_z[0] @ torch.linalg.inv(of_x)
        loc = state + (x[..., t:, 0] - state) @ gain[:, None]
        variance = of_z[0, 0] - gain @ of_z[:, 0]
        return DiagonalGaussian(loc, variance.log().expand_as(loc))

    return propose


def test_evidence_of_the_gaussian_chain():
    _, of_x = chain_covariances()
    dense = MultivariateNormal(torch.zeros(3, dtype=torch.float64), of_x)
    assert dense.log_prob(CHAIN[0, :, 0]).item() == pytest.approx(LOG_EVIDENCE, abs=1e-9)


def test_with_a_smoothing_proposal_every_weight_is_the_evidence():
    weights = gaussian_chain().log_weights(CHAIN, 100, generator(), proposal=smoother(CHAIN))
    assert weights.shape == (100, 1)
    assert (weights - LOG_EVIDENCE).abs().max() < 1e-9


def test_the_exact_filter_leaves_the_gap_that_theory_gives():
    model = gaussian_chain()
    # Each weight is Π_t N(x_t; z_{t−1}, 2), with z_1 ~ N(¼, ½) and z_2 ~ N(−⅜, ⅝) under q.
    squares = 0.5**2 + ((-1 - 0.25) ** 2 + 0.5) + ((2 + 0.375) ** 2 + 0.625)
    bound = -0.5 * (3 * math.log(4 * math.pi) + squares / 2)
    assert LOG_EVIDENCE - bound == pytest.approx(0.32485427, abs=1e-8)
    weights = model.log_weights(CHAIN, 200_000, generator())
    assert weights.std() > 0.5
    standard_error = (weights.std() / math.sqrt(200_000)).item()
    assert weights.mean().item() == pytest.approx(bound, abs=4 * standard_error)
    drawn = model.elbo(CHAIN, 200_000, generator(1)).item()
    assert drawn == pytest.approx(bound, abs=0.02)  # less spread than the weights have
    # They are unbiased for p(x), so the bound with many samples closes the gap.
    many = torch.logsumexp(weights, 0) - math.log(200_000)
    assert many.item() == pytest.approx(LOG_EVIDENCE, abs=0.01)


def test_weights_average_to_the_bound():
    model = small()
    x = pixels(2, 4)
    weights = model.log_weights(x, 20_000, generator())
    bound = model.elbo(x, 20_000, generator(1))
    # The bound's own error is no larger than that of the weights.
    assert (weights.mean(0) - bound).abs().max() < 4 * math.sqrt(2 / 20_000) * weights.std(0).max()


# --- unequal lengths -----------------------------------------------------------------------------


def test_padding_counts_for_nothing():
    model = small()
    x = pixels(3, 5)
    lengths = torch.tensor([2, 5, 3])
    padded = model.elbo(x, 2, generator(), lengths)
    other = x.clone()
    for row, length in enumerate(lengths):
        other[row, length:] = 1 - other[row, length:]
    assert torch.equal(model.elbo(other, 2, generator(), lengths), padded)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(model.elbo(x, 2, generator(), lengths).sum(), x)
    for row, length in enumerate(lengths):
        assert (slope[row, length:] == 0).all()
        assert (slope[row, :length] != 0).any(1).all()
    weights = model.log_weights(other, 2, generator(), lengths)
    assert torch.equal(model.log_weights(x.detach(), 2, generator(), lengths), weights)


def test_rows_of_one_length_give_what_the_cut_sequence_gives():
    model = small()
    x = pixels(3, 5)
    lengths = torch.full((3,), 2)
    for method in (model.elbo, model.log_weights):
        cut = method(x[:, :2], 2, generator())
        assert (method(x, 2, generator(), lengths) - cut).abs().max() < 1e-12
        assert torch.equal(
            method(x, 2, generator(), torch.full((3,), 5)), method(x, 2, generator())
        )


# --- use -----------------------------------------------------------------------------------------


def test_loss_is_minus_the_mean_bound_with_the_same_draws():
    model = small()
    x = pixels(3, 5)
    assert model.loss(x, generator()) == pytest.approx(-model.elbo(x, 1, generator()).mean().item())


def test_completion_keeps_what_it_was_given_and_draws_the_rest():
    model = small()
    x = pixels(4, 2)
    whole = model.complete(x, 6, generator())
    assert torch.equal(whole[:, :2], x)
    assert ((whole == 0) | (whole == 1)).all()
    again, other = model.complete(x, 6, generator()), model.complete(x, 6, generator(1))
    assert torch.equal(again, whole)
    assert not torch.equal(other, whole)
    assert torch.equal(model.complete(x, 2, generator()), x)


def test_completions_of_the_chain_have_the_moments_of_the_conditional():
    model = gaussian_chain()
    n = 100_000
    x = model.complete(CHAIN[:, :1].expand(n, -1, -1), 3, generator())[..., 0]
    # q(z_1 | x_1) is exact for a first step, so the future has its exact mean and covariance.
    _, of_x = chain_covariances()
    mean = of_x[1:, 0] / of_x[0, 0] * 0.5
    covariance = of_x[1:, 1:] - torch.outer(of_x[1:, 0], of_x[0, 1:]) / of_x[0, 0]
    # Standard errors: √(3.5 / n) = .006 for a mean, about .016 for a variance.
    assert (x[:, 1:].mean(0) - mean).abs().max() < 0.025
    assert (torch.cov(x[:, 1:].T) - covariance).abs().max() < 0.065


def test_samples_of_the_chain_have_the_covariance_of_the_evidence():
    x = gaussian_chain().sample(100_000, 3, generator())[..., 0]
    _, of_x = chain_covariances()
    assert x.mean(0).abs().max() < 4 * math.sqrt(4 / 100_000)
    assert (torch.cov(x.T) - of_x).abs().max() < 4 * 4 * math.sqrt(2 / 100_000)


def test_reconstruction_is_the_mean_of_the_likelihood_at_a_draw():
    model = small()
    x = pixels(2, 3)
    z, _, states = model.filter(x, generator())
    expected = torch.sigmoid(model.decoder(torch.cat([z, states], -1)))
    torch.testing.assert_close(model.reconstruct(x, generator()), expected)


def test_the_gated_recurrence_is_that_of_torch():
    model = small()
    cell = torch.nn.GRUCell(5, 4, dtype=torch.float64)
    # torch orders the gates reset, update, candidate.
    order = torch.cat([torch.arange(4, 8), torch.arange(4), torch.arange(8, 12)])
    with torch.no_grad():
        cell.weight_ih.copy_(model.from_input.weight[order])
        cell.bias_ih.copy_(model.from_input.bias[order])
        cell.weight_hh.copy_(model.from_state.weight[order])
        cell.bias_hh.copy_(model.from_state.bias[order])
        x, z, state = (torch.randn(6, d, generator=generator(d)).double() for d in (3, 2, 4))
        assert (
            model.next_state(x, z, state) - cell(torch.cat([x, z], 1), state)
        ).abs().max() < 1e-12


def test_training_raises_the_bound():
    # Every row of a sequence repeats its first: worth learning, and only through the state.
    first = torch.bernoulli(torch.full((200, 1, 3), 0.5), generator=generator())
    x = first.expand(-1, 4, -1).contiguous()
    model = VRNN(3, 2, 8, (8,))
    before = model.elbo(x, 10, generator()).mean()
    vc.training.fit(model, x, epochs=60, batch_size=50, learning_rate=1e-2, progress=False)
    after = model.elbo(x, 10, generator()).mean()
    # The entropy of the data is 3 log 2 = 2.08 nats; four independent rows would cost 8.3.
    assert before < -7.5
    assert -3.5 < after <= -3 * math.log(2) + 0.1


def test_build_gives_back_the_model():
    model = small(recurrence="linear", activation="tanh")
    again = vc.models.build(model.params).double()
    assert again.params == model.params
    assert torch.equal(again.decoder[0].weight, model.decoder[0].weight)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"state_dim": 0}, "state_dim is 0"),
        ({"recurrence": "lstm"}, "recurrence is 'lstm'.*'gru', 'linear'"),
        ({"likelihood": "beta"}, "likelihood is 'beta'.*bernoulli"),
        ({"noise_variance": 1.0}, "a bernoulli likelihood has none"),
    ],
)
def test_arguments_out_of_range_are_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        VRNN(**{"data_dim": 3, "latent_dim": 2, "state_dim": 4, **arguments})


def test_data_it_cannot_take_is_refused_in_a_sentence():
    model = small()
    x = pixels(2, 3)
    for wrong, sentence in [
        (x[0], r"shape \[3, 3\]; it must be \[B, T, 3\]"),
        (x[..., :2], r"shape \[2, 3, 2\]; it must be"),
        (x * 2, r"pixels in \[0, 1\]"),
        ("rows", "x is a str that cannot be read as numbers"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.elbo(wrong)
    with pytest.raises(ValueError, match="length is 2; x has 3 steps already"):
        model.complete(x, 2)


@pytest.mark.parametrize(
    ("lengths", "found"),
    [
        ([0, 1], "has values from 0 to 1"),
        ([1, 4], "has values from 1 to 4"),
        ([1, 2, 3], "has shape [3]"),
        (3, "has shape []"),
        ([], "has shape [0]"),
        ([[1], [1, 2]], "has shape [0]"),
        ([1.5, 2], "has values that are no whole numbers"),
        ([math.nan, 2], "has values that are no whole numbers"),
        (["one", "two"], "has values that are no whole numbers"),
        ([True, True], "has values that are no whole numbers"),
        ([None, 2], "has values that are no whole numbers"),
    ],
)
def test_lengths_that_are_none_are_refused_in_a_sentence(lengths, found):
    model, x = small(), pixels(2, 3)
    for method in (model.elbo, model.log_weights):
        told = refused(method, x, 1, lengths=lengths)
        assert told == f"lengths {found}; it must be 2 whole numbers from 1 to 3."
        assert refused(method, x[:0], 1, lengths=lengths) == "x has no rows."


class Series:
    """What torch makes of one of pandas: it asks for the names 0 and 1, of which one is another."""

    def __array__(self, dtype=None, copy=None):
        return np.array([1, 3], dtype)

    def __len__(self):
        return 2

    def __getitem__(self, name):
        return {7: 1, 0: 3}[name]


def test_lengths_are_taken_by_position_from_what_holds_whole_numbers():
    model, x = small(), pixels(2, 3)
    wanted = model.elbo(x, 1, generator(), torch.tensor([1, 3]))
    for lengths in (
        [1, 3],
        np.array([1.0, 3.0]),
        Series(),
        torch.tensor([1, 3], dtype=torch.int32),
    ):
        assert torch.equal(model.elbo(x, 1, generator(), lengths), wanted)


def test_a_value_that_is_no_number_is_named_by_its_sequence_step_and_column():
    x = pixels(40, 20)
    x[3, 7, 1] = math.nan
    sentence = "x has NaN or infinite values in 1 of 40 rows, first in x[3, 7, 1]."
    model = small().requires_grad_()
    for action in (model.elbo, lambda x: vc.training.fit(model, x, epochs=1, progress=False)):
        assert refused(action, x) == sentence
    assert refused(model.elbo, x, lengths=[8] * 40) == sentence


def test_padding_may_be_anything():
    model, x, lengths = small(), pixels(2, 4), [2, 4]
    for padding in (math.nan, math.inf, 99.0):
        padded = x.clone()
        padded[0, 2:] = padding
        for method in (model.elbo, model.log_weights):
            found = method(padded, 1, generator(), lengths=lengths)
            assert torch.equal(found, method(x, 1, generator(), lengths=lengths))
