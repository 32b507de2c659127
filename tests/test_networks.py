"""The bodies: what a network with a hidden layer for every head computes."""

import math

import pytest
import torch
from torch import nn

import vaecourse as vc
from vaecourse.convolutions import conv_decoder, conv_encoder
from vaecourse.networks import mlp


def test_separate_heads_share_all_but_the_last_hidden_layer():
    network = mlp([2, 5, 4, 3], heads=(1, 2), generator=torch.Generator().manual_seed(0))
    first, _, second, _, last = network
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(1))
    shared = first(x).relu()
    one = (shared @ second.weight[:4].T + second.bias[:4]).relu() @ last.weight[:1].T
    two = (shared @ second.weight[4:].T + second.bias[4:]).relu() @ last.weight[1:].T
    expected = torch.cat([one, two], dim=1) + last.bias
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-6)


def test_separate_heads_work_over_samples_and_data():
    network = mlp([2, 4, 3], heads=(1, 2), generator=torch.Generator().manual_seed(0))
    x = torch.randn(5, 7, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(x)[3], network(x[3]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("posterior", "weights"), [("diagonal", 67_848), ("full", 84_489)])
def test_the_network_of_the_slides_has_so_many_weights(posterior, weights):
    # Each side: 2·128 + 128, then for every head a layer 128·128 + 128 and 128·2 + 2 outputs;
    # the full covariance adds a head with one output to the encoder.
    model = vc.models.VAE(
        2, 2, (128, 128), likelihood="gaussian", posterior=posterior, separate_heads=True
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == weights


def test_heads_need_a_hidden_layer_to_separate():
    with pytest.raises(ValueError, match="separate heads need a hidden layer"):
        mlp([2, 3], heads=(1, 2), generator=torch.Generator())


# Convolutions


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_encoder_is_its_layers_on_images():
    encoder = conv_encoder((2, 8, 12), [3, 5], 7, generator=generator())
    x = torch.randn(4, 192, generator=generator(1))
    hidden = x.view(4, 2, 8, 12)
    for layer in list(encoder)[:4]:
        hidden = layer(hidden)
    assert hidden.shape == (4, 5, 2, 3)
    assert torch.equal(encoder(x), encoder[-1](hidden.flatten(1)))


def test_the_decoder_gives_rows_of_pixels_whatever_axes_lead():
    decoder = conv_decoder(3, [4, 6], (2, 8, 12), generator=generator())
    z = torch.randn(5, 2, 3, generator=generator(1))
    x = decoder(z)
    assert x.shape == (5, 2, 2 * 8 * 12)
    for row in range(5):
        assert (decoder(z[row]) - x[row]).abs().max() < 1e-6


def test_the_decoder_mirrors_the_encoder():
    encoder = conv_encoder((3, 16, 16), [8, 16], 10, generator=generator())
    decoder = conv_decoder(10, [8, 16], (3, 16, 16), generator=generator())
    down = [layer for layer in encoder if isinstance(layer, nn.Conv2d)]
    up = [layer for layer in decoder if isinstance(layer, nn.ConvTranspose2d)]
    assert [layer.weight.shape for layer in down] == [layer.weight.shape for layer in up[::-1]]


def test_weights_come_from_the_generator_within_the_bound_of_their_fan_in():
    encoder = conv_encoder((3, 16, 16), [8, 16], 10, generator=generator())
    again = conv_encoder((3, 16, 16), [8, 16], 10, generator=generator())
    for mine, theirs in zip(encoder.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    # 16 taps in each of 8 channels; the largest of 2,048 uniform draws comes close to the bound.
    largest = encoder[2].weight.abs().max().item()
    assert 0.99 / math.sqrt(128) < largest <= 1 / math.sqrt(128)


def test_every_output_of_a_transposed_convolution_sees_a_quarter_of_the_taps():
    decoder = conv_decoder(2, [4], (1, 8, 8), generator=generator())
    layer = decoder[-1]
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.zero_()
    inside = layer(torch.ones(1, 4, 4, 4))[0, 0, 1:-1, 1:-1]
    assert (inside == 4 * 4).all()  # channels times taps
    fresh = conv_decoder(2, [4], (1, 8, 8), generator=generator())[-1]
    assert fresh.weight.abs().max() <= 1 / math.sqrt(16)


@pytest.mark.parametrize("make", [conv_encoder, lambda s, c, n, **k: conv_decoder(n, c, s, **k)])
def test_images_that_cannot_be_halved_are_refused(make):
    with pytest.raises(ValueError, match=r"image_shape is \[1, 28, 30\].* multiples of 4, to be"):
        make((1, 28, 30), [4, 4], 3, generator=generator())
    with pytest.raises(ValueError, match=r"image_shape is \[28, 28\]; it must be \[C, H, W\]"):
        make((28, 28), [4], 3, generator=generator())
    with pytest.raises(ValueError, match=r"channels is \[\]; it must be one or more positive"):
        make((1, 28, 28), [], 3, generator=generator())
    with pytest.raises(ValueError, match=r"activation is 'gelu' \(did you mean 'relu'\?\)"):
        make((1, 28, 28), [4], 3, activation="gelu", generator=generator())
