"""Small convolutional networks for images that come as rows. Taught in chapter 13."""

from itertools import pairwise
from numbers import Integral

from torch import nn

from vaecourse._arguments import chosen
from vaecourse.networks import ACTIVATIONS, initialized, linear

SHAPE = (4, 2, 1)  # of a kernel: its side, stride and padding, which halve an image


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
    nonlinear = chosen("activation", activation, ACTIVATIONS)
    height, width = _halved(image_shape, channels)
    layers = []
    for inputs, outputs in pairwise([image_shape[0], *channels]):
        sizes, fan_in = (inputs, outputs, *SHAPE), 16 * inputs
        halve = initialized(nn.Conv2d, *sizes, fan_in=fan_in, generator=generator)
        layers += [halve, nonlinear()]
    last = linear(channels[-1] * height * width, num_outputs, generator)
    return FoldedSequential(tuple(image_shape), *layers, nn.Flatten(), last)


def conv_decoder(latent_dim, channels, image_shape, activation="relu", *, generator):
    """The mirror of `conv_encoder`: a linear map, then transposed convolutions that double.

    channels: as the encoder's, from the image inwards. image_shape: (C', H, W) of what comes out,
    as rows [..., C'·H·W], for z [..., J].
    """
    nonlinear = chosen("activation", activation, ACTIVATIONS)
    height, width = _halved(image_shape, channels)
    first = linear(latent_dim, channels[-1] * height * width, generator)
    layers = [first, nonlinear(), nn.Unflatten(1, (channels[-1], height, width))]
    for outputs, inputs in reversed(list(pairwise([image_shape[0], *channels]))):
        # With stride 2 a quarter of the 16 taps meet in one output.
        sizes, fan_in = (inputs, outputs, *SHAPE), 4 * inputs
        double = initialized(nn.ConvTranspose2d, *sizes, fan_in=fan_in, generator=generator)
        layers += [double, nonlinear()]
    return FoldedSequential((latent_dim,), *layers[:-1])


def _halved(image_shape, channels):
    """Height and width after a halving for each of `channels`."""
    if len(channels) < 1 or any(not isinstance(c, Integral) or c < 1 for c in channels):
        raise ValueError(f"channels is {list(channels)}; it must be one or more positive integers.")
    step = 2 ** len(channels)
    if len(image_shape) != 3 or any(side % step for side in image_shape[1:]):
        raise ValueError(
            f"image_shape is {list(image_shape)}; it must be [C, H, W] with H and W multiples of "
            f"{step}, to be halved {len(channels)} times."
        )
    return image_shape[1] // step, image_shape[2] // step
