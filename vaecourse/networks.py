"""Network bodies: multilayer perceptrons and small convolutional nets.

Their weights are drawn from a generator that is passed in.
"""

import math
from itertools import pairwise

import torch
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
}


def check_activation(activation):
    """Raise ValueError for a name that is not in ACTIVATIONS."""
    if activation not in ACTIVATIONS:
        accepted = ", ".join(ACTIVATIONS)
        raise ValueError(f"activation is {activation!r}; it must be one of {accepted}.")


def linear(inputs, outputs, generator):
    """A linear layer with torch's default initialization, drawn from `generator`."""
    layer = _empty(nn.Linear, inputs, outputs)
    return _initialized(layer, inputs, generator)


def _empty(kind, *sizes, **options):
    """A layer without values, on the default device."""
    return nn.utils.skip_init(kind, *sizes, **options, device=torch.get_default_device())


def _initialized(layer, fan_in, generator):
    """Weights and biases uniform within ±1/√fan_in, the number of inputs to one output."""
    bound = 1 / math.sqrt(fan_in)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


class BranchLinear(nn.Module):
    """A last layer in which every head reads hidden units of its own.

    heads: the number of outputs of each head, (2, 2) say for a mean and a log variance.
    The input is [..., len(heads) · width], one block of `width` hidden units a head; the
    output is [..., sum(heads)].
    """

    def __init__(self, width, heads, generator):
        super().__init__()
        self.width, self.heads = width, tuple(heads)
        layer = linear(width, sum(heads), generator)
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, hidden):
        blocks = hidden.unflatten(-1, (len(self.heads), self.width)).unbind(-2)
        parts = zip(blocks, self.weight.split(self.heads), self.bias.split(self.heads))
        return torch.cat([nn.functional.linear(*part) for part in parts], dim=-1)


def mlp(sizes, activation="relu", *, heads=None, generator):
    """A multilayer perceptron: linear layers with an activation between them, none at the end.

    `sizes` lists the widths from input to output, `[784, 256, 4]` say; with two widths the
    network is a single linear map. With `heads`, output widths that sum to the last size, the
    last hidden layer is there once for each head, and the layers before it are shared.
    Raises ValueError for an unknown activation or a width below one. Taught in chapter 02.
    """
    check_activation(activation)
    if len(sizes) < 2 or any(int(size) != size or size < 1 for size in sizes):
        raise ValueError(f"sizes is {list(sizes)}; it must be two or more positive integers.")
    if heads is not None and len(sizes) < 3:
        raise ValueError(f"sizes is {list(sizes)}; separate heads need a hidden layer.")
    *body, outputs = sizes
    if heads is not None:
        body[-1] *= len(heads)
    layers = []
    for inputs, width in pairwise(body):
        layers += [linear(inputs, width, generator), ACTIVATIONS[activation]()]
    if heads is None:
        layers.append(linear(body[-1], outputs, generator))
    else:
        layers.append(BranchLinear(sizes[-2], heads, generator))
    return nn.Sequential(*layers)


class FoldedSequential(nn.Sequential):
    """Layers for a batch of items: leading axes are folded into one, the rest of an item flattened.

    Input [..., D] with D the product of `item_shape`, output [..., D'].
    """

    def __init__(self, item_shape, *layers):
        super().__init__(*layers)
        self.item_shape = item_shape

    def forward(self, x):
        outputs = super().forward(x.reshape(-1, *self.item_shape))
        return outputs.reshape(*x.shape[:-1], -1)


def conv_encoder(image_shape, channels, num_outputs, activation="relu", *, generator):
    """Convolutions that halve the image, one for each of `channels`, then a linear map.

    image_shape: (C, H, W); rows of data [..., C·H·W] go in, [..., num_outputs] comes out. Raises
    ValueError for an image that cannot be halved so often. Taught in chapter 13.
    """
    check_activation(activation)
    height, width = _halved(image_shape, channels)
    layers = []
    for inputs, outputs in pairwise([image_shape[0], *channels]):
        layer = _empty(nn.Conv2d, inputs, outputs, 4, stride=2, padding=1)
        layers += [_initialized(layer, 16 * inputs, generator), ACTIVATIONS[activation]()]
    last = linear(channels[-1] * height * width, num_outputs, generator)
    return FoldedSequential(tuple(image_shape), *layers, nn.Flatten(), last)


def conv_decoder(latent_dim, channels, image_shape, activation="relu", *, generator):
    """The mirror of `conv_encoder`: a linear map, then transposed convolutions that double.

    channels: as the encoder's, from the image inwards. image_shape: (C', H, W) of what comes out,
    as rows [..., C'·H·W], for z [..., J].
    """
    check_activation(activation)
    height, width = _halved(image_shape, channels)
    first = linear(latent_dim, channels[-1] * height * width, generator)
    layers = [first, ACTIVATIONS[activation](), nn.Unflatten(1, (channels[-1], height, width))]
    for outputs, inputs in reversed(list(pairwise([image_shape[0], *channels]))):
        layer = _empty(nn.ConvTranspose2d, inputs, outputs, 4, stride=2, padding=1)
        # With stride 2 a quarter of the 16 taps meet in one output.
        layers += [_initialized(layer, 4 * inputs, generator), ACTIVATIONS[activation]()]
    return FoldedSequential((latent_dim,), *layers[:-1])


def _halved(image_shape, channels):
    """Height and width after a halving for each of `channels`."""
    if len(channels) < 1 or any(not isinstance(c, int) or c < 1 for c in channels):
        raise ValueError(f"channels is {list(channels)}; it must be one or more positive integers.")
    step = 2 ** len(channels)
    if len(image_shape) != 3 or any(side % step for side in image_shape[1:]):
        raise ValueError(
            f"image_shape is {list(image_shape)}; it must be [C, H, W] with H and W multiples of "
            f"{step}, to be halved {len(channels)} times."
        )
    return image_shape[1] // step, image_shape[2] // step
