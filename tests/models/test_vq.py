"""The VAE of words: its sum, its bound, what its gradient is, and k-means as its limit."""

import math

import pytest
import torch
from sentences import refused
from sklearn.cluster import KMeans

import vaecourse as vc
from vaecourse.models.vq import nearest, straight_through


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def model():
    return vc.models.VQVAE(6, 2, 5, (4,), seed=1).double().requires_grad_(False)


@pytest.fixture
def x():
    return (normal(30, 6) > 0).double()


def test_p_of_x_sums_to_one_over_all_images(model):
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 6)
    assert model.log_evidence(images).exp().sum() == pytest.approx(1, abs=1e-12)


def test_the_bound_lacks_the_surprise_of_the_word(model, x):
    bound, evidence = model.elbo(x), model.log_evidence(x)
    posterior = model.log_joint(x).log_softmax(1)
    chosen = posterior.gather(1, model.encode(x)[:, None])[:, 0]
    # KL(q ‖ p(k|x)) of a q that lies on one word
    assert torch.allclose(evidence - bound, -chosen, rtol=0, atol=1e-12)
    assert (bound <= evidence).all()
    terms = model.elbo_terms(x)
    assert torch.equal(terms.kl, torch.full_like(terms.kl, math.log(5)))


def test_with_one_word_the_bound_is_tight(x):
    model = vc.models.VQVAE(6, 2, 1, (4,)).double().requires_grad_(False)
    assert torch.allclose(model.elbo(x), model.log_evidence(x), rtol=0, atol=1e-12)


def test_the_gradient_passes_the_words_by():
    codes, words = normal(7, 2).requires_grad_(), normal(4, 2, seed=1).requires_grad_()
    chosen = words[nearest(codes, words)]
    rounded = straight_through(codes, chosen)
    assert torch.allclose(rounded, chosen, rtol=0, atol=1e-15)
    by_codes, by_words = torch.autograd.grad(
        rounded.square().sum(), [codes, words], allow_unused=True
    )
    assert torch.allclose(by_codes, 2 * chosen.detach(), rtol=0, atol=1e-14)
    assert by_words is None


def test_the_true_gradient_of_the_bound_by_the_codes_is_zero(model, x):
    codes = model.codes(x)
    words = model.words[nearest(codes, model.words)]
    moved = model.words[nearest(codes + 1e-9 * normal(30, 2, seed=2), model.words)]
    assert torch.equal(model.decode(words).logits, model.decode(moved).logits)
    model.requires_grad_()
    codes = model.codes(x).detach().requires_grad_()
    through = straight_through(codes, words)
    slope = torch.autograd.grad(-model.decode(through).log_prob(x).sum(), codes)[0]
    assert (slope.abs().sum(1) > 1e-3).all()


def smoothed(codes, words, values, temperature):
    """Σ_k q(k) values_k with q ∝ exp(−|e − w_k|² / 2 temperature²); values [K]."""
    logits = -torch.cdist(codes, words).square() / (2 * temperature**2)
    return logits.softmax(1) @ values


def test_over_a_cell_of_even_words_the_bias_averages_out_up_to_cubes():
    # The staircase between two words rises by f(b) − f(a), straight-through by (f'(a) + f'(b))/2.
    line = torch.linspace(-3, 3, 7, dtype=torch.float64)
    for f, exact in (
        (lambda w: 2 * w - 1, True),
        (lambda w: (w - 0.7).square(), True),
        (lambda w: w**3, False),
    ):
        w = line.clone().requires_grad_()
        slopes = torch.autograd.grad(f(w).sum(), w)[0]
        rise = f(line).diff()
        off = (0.5 * (slopes[1:] + slopes[:-1]) - rise).abs().max()
        # for a cubic of third derivative 6 the trapezoid is off by 6/12
        assert off < 1e-12 if exact else off == pytest.approx(0.5, abs=1e-12)


def test_the_bias_of_straight_through_by_enumeration():
    words = torch.tensor([[-1.0], [0.2], [1.5]], dtype=torch.float64)
    codes = torch.tensor([[0.4]], dtype=torch.float64, requires_grad=True)
    values = (words[:, 0] - 0.7).square()
    exact = torch.autograd.grad(smoothed(codes, words, values, 0.5).sum(), codes)[0].item()
    step = 1e-6
    ends = [smoothed(codes.detach() + s, words, values, 0.5).item() for s in (step, -step)]
    assert exact == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-8)
    q = (-(codes - words.T).square() / 0.5).softmax(1).detach()
    expected = (q * 2 * (words.T - 0.7)).sum().item()
    k = torch.multinomial(
        q[0], 40_000, replacement=True, generator=torch.Generator().manual_seed(0)
    )
    drawn = 2 * (words[k, 0] - 0.7)
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / 200
    assert abs(expected - exact) > 0.1 * abs(exact)


def test_k_means_is_the_limit_of_small_noise():
    x = torch.cat([normal(60, 2), normal(60, 2, seed=1) + 4, normal(60, 2, seed=2) - 4])
    words = x[[0, 60, 120]].clone()
    for _ in range(30):
        chosen = nearest(x, words)
        words = torch.stack([x[chosen == k].mean(0) for k in range(3)])
    fitted = KMeans(3, init=x[[0, 60, 120]].numpy(), n_init=1).fit(x.numpy())
    assert torch.cdist(words, words.new_tensor(fitted.cluster_centers_)).min(1).values.max() < 1e-8
    # one step of EM for even Gaussians of variance s² tends to one of k-means
    start = x[[5, 70, 130]]
    lloyd = torch.stack([x[nearest(x, start) == k].mean(0) for k in range(3)])
    for s2, close in ((1e-4, 1e-12), (4.0, None)):
        r = (-torch.cdist(x, start).square() / (2 * s2)).softmax(1)
        em = (r.T @ x) / r.sum(0)[:, None]
        off = (em - lloyd).abs().max().item()
        assert off < close if close else off > 0.01


def test_its_loss_trains_it():
    x = (normal(300, 6, seed=5) + 2 * normal(1, 6, seed=6) > 0).float()
    model = vc.models.VQVAE(6, 2, 8, (16,), seed=0)
    before = model.log_evidence(x).mean().item()
    vc.training.fit(model, x, epochs=30, batch_size=50, learning_rate=1e-2, progress=False)
    assert model.log_evidence(x).mean().item() > before + 0.5
    assert set(model.sample(50, torch.Generator().manual_seed(0)).unique().tolist()) <= {0, 1}
    assert vc.models.build(model.params).params == model.params


def test_the_cure_of_a_far_column_is_there_and_trains_it():
    x = 1e5 * normal(60, 6, seed=7)
    plain = vc.models.VQVAE(6, 2, 4, (8,), likelihood="gaussian")
    assert refused(vc.training.fit, plain, x, epochs=1, progress=False).endswith(
        ", of which training breaks: use standardize."
    )
    model = vc.models.VQVAE(6, 2, 4, (8,), likelihood="gaussian", standardize=True)
    before = model.elbo(x).mean().item()
    vc.training.fit(model, x, epochs=20, batch_size=20, learning_rate=1e-2, progress=False)
    assert model.elbo(x).mean().item() > before
    assert model.reconstruct(x).std().item() > 1e4  # in the units of the data
    torch.testing.assert_close(
        model.likelihood.scaled(x.float()).double().std(0, correction=0),
        torch.ones(6, dtype=torch.float64),
    )
    assert refused(vc.models.VQVAE, 6, 2, 4, standardize=True) == (
        "standardize is True; a bernoulli likelihood has none."
    )
