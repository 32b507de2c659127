"""Network bodies: multilayer perceptrons, initialized from a generator that is passed in."""

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


def linear(inputs, outputs, generator):
    """A linear layer with torch's default initialization, drawn from `generator`."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    bound = 1 / math.sqrt(inputs)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def mlp(sizes, activation="relu", *, generator):
    """A multilayer perceptron: linear layers with an activation between them, none at the end.

    `sizes` lists the widths from input to output, `[784, 256, 4]` say; with two widths the
    network is a single linear map. Raises ValueError for an unknown activation or a width
    below one. Taught in chapter 02.
    """
    if activation not in ACTIVATIONS:
        accepted = ", ".join(ACTIVATIONS)
        raise ValueError(f"activation is {activation!r}; it must be one of {accepted}.")
    if len(sizes) < 2 or any(int(size) != size or size < 1 for size in sizes):
        raise ValueError(f"sizes is {list(sizes)}; it must be two or more positive integers.")
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers += [linear(inputs, outputs, generator), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])
