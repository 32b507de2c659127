"""The autoencoder against its linear case, whose optimum is known."""

import pytest
import torch
from sentences import refused

import vaecourse as vc
from vaecourse.models.autoencoder import corrupt


def correlated_data(n=500, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(6, 6, generator=generator)
    return torch.randn(n, 6, generator=generator) @ mixing


def test_a_trained_linear_autoencoder_reaches_the_error_of_pca_and_its_subspace():
    x = correlated_data()
    x = x - x.mean(0)
    model = vc.models.Autoencoder(6, 2, hidden=(), output="linear")
    vc.training.fit(model, x, epochs=400, batch_size=100, learning_rate=0.01, progress=False)
    _, singular, right = torch.linalg.svd(x, full_matrices=False)
    pca_error = singular[2:].square().sum() / len(x)
    error = model.squared_error(x).mean()
    # PCA is the optimum, so from above; Adam with a constant step size ends a little over it.
    assert pca_error - 1e-3 < error < 1.02 * pca_error
    basis = torch.linalg.qr(model.decoder[0].weight.detach()).Q
    cosines = torch.linalg.svdvals(basis.T @ right[:2].T)
    assert cosines.min() > 0.99


def test_squared_error_sums_over_dimensions_and_averages_over_nothing():
    model = vc.models.Autoencoder(6, 2)
    x = torch.rand(3, 6, generator=torch.Generator().manual_seed(0))
    by_hand = ((x - model.decode(model.encode(x))) ** 2).sum(1)
    torch.testing.assert_close(model.squared_error(x), by_hand)
    torch.testing.assert_close(model.loss(x), by_hand.mean())


def test_the_denoising_loss_compares_with_the_clean_data():
    model = vc.models.Autoencoder(6, 2, corruption="mask", level=0.5)
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(0))
    shown = corrupt(x, "mask", 0.5, torch.Generator().manual_seed(1))
    by_hand = ((x - model.decode(model.encode(shown))) ** 2).sum(1).mean()
    torch.testing.assert_close(model.loss(x, torch.Generator().manual_seed(1)), by_hand)
    assert abs(model.squared_error(x).mean() - by_hand) > 1e-3


def test_corruptions_do_what_their_level_says():
    x = torch.ones(200, 500)
    generator = torch.Generator().manual_seed(0)
    masked = corrupt(x, "mask", 0.3, generator)
    assert set(masked.unique().tolist()) == {0.0, 1.0}
    assert abs(masked.mean().item() - 0.7) < 4 * (0.21 / x.numel()) ** 0.5
    noisy = corrupt(x, "gaussian", 0.3, generator)
    assert abs((noisy - x).std().item() - 0.3) < 4 * 0.3 / (2 * x.numel()) ** 0.5


def test_a_linear_denoising_autoencoder_learns_the_wiener_filter():
    # x ~ N(0, diag(4, 1)), x̃ = x + N(0, 1): the best linear map shrinks by 4/5 and 1/2.
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 2, generator=generator) * torch.tensor([2.0, 1.0])
    model = vc.models.Autoencoder(2, 2, (), output="linear", corruption="gaussian", level=1.0)
    vc.training.fit(model, x, epochs=12, batch_size=200, learning_rate=0.01, progress=False)
    with torch.no_grad():
        learned = model.decoder[0].weight @ model.encoder[0].weight
    assert (learned - torch.diag(torch.tensor([0.8, 0.5]))).abs().max() < 0.04


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"output": "relu"}, "output is 'relu'; it must be one of 'sigmoid', 'linear'"),
        ({"corruption": "blur"}, "corruption is 'blur'; it must be one of None, 'mask', "),
        ({"corruption": "mask", "level": 1.0}, "level is 1.0"),
        ({"level": -0.1}, "level is -0.1"),
    ],
)
def test_arguments_out_of_range_are_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        vc.models.Autoencoder(6, 2, **arguments)


def test_data_of_the_wrong_width_is_refused():
    with pytest.raises(ValueError, match=r"shape \[2, 5\]; it must be \[N, 6\]"):
        vc.models.Autoencoder(6, 2).squared_error(torch.ones(2, 5))


@pytest.mark.parametrize(
    ("x", "values", "hint"),
    [
        ([[0.5, 0.1], [1, 6]], "0.1 to 6, first outside in column 2", ""),
        ([[-8, 0.5], [1, 0]], "-8 to 1, first outside in column 1", ""),
        (
            [[0, 255], [7, 30]],
            "0 to 255, first outside in column 2",
            "; these look like grey levels, whole numbers from 0 to 255: divide by 255",
        ),
    ],
)
def test_data_that_a_sigmoid_cannot_give_are_refused_until_the_output_is_linear(x, values, hint):
    model = vc.models.Autoencoder(2, 1)
    for judge in ("squared_error", "check"):
        assert refused(getattr(model, judge), torch.tensor(x)) == (
            f"x has values from {values}; output 'sigmoid' gives values from 0 to 1: take output "
            f"'linear'{hint}."
        )
    # What is only shown to it may be brighter, as chapter 02 shows images divided by ½.
    shown = model.decode(model.encode(torch.tensor(x)))
    assert torch.equal(model.reconstruct(torch.tensor(x)), shown)
    linear = vc.models.Autoencoder(2, 1, output="linear")
    assert linear.check(torch.tensor(x)).tolist() == torch.tensor(x).tolist()
    inside = torch.tensor([[0.0, 1.0]])
    assert torch.equal(vc.models.Autoencoder(2, 1).check(inside), inside)


@pytest.mark.parametrize("noise", ["from_z", "shared", 0.2, None])
def test_the_means_of_a_vae_make_an_autoencoder(noise):
    vae = vc.models.VAE(
        6, 2, (5, 4), likelihood="gaussian", noise_variance=noise, activation="tanh"
    )
    x = torch.rand(7, 6, generator=torch.Generator().manual_seed(0))
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    means = vc.models.mean_autoencoder(vae)
    assert torch.allclose(means.encode(x), vae.encode(x).mean, atol=1e-6)
    assert torch.allclose(means.decode(z), vae.decode(z).mean, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"likelihood": "bernoulli"},
        {"posterior": "full"},
        {"separate_heads": True},
        {"decoder_hidden": (3,)},
        {"decoder_activation": "tanh"},
    ],
)
def test_a_vae_whose_means_make_no_autoencoder_is_refused(changes):
    vae = vc.models.VAE(6, 2, (5,), **{"likelihood": "gaussian", **changes})
    with pytest.raises(ValueError, match="vae must have a diagonal posterior"):
        vc.models.mean_autoencoder(vae)
