"""Multilayer perceptrons, whose weights are drawn from a generator that is passed in."""

import math
from itertools import pairwise

import torch
from torch import nn

from vaecourse._arguments import chosen

ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
}


def linear(inputs, outputs, generator):
    """A linear layer with torch's default initialization, drawn from `generator`."""
    return initialized(nn.Linear, inputs, outputs, fan_in=inputs, generator=generator)


def initialized(kind, *sizes, fan_in, generator):
    """A layer with weights and biases uniform within ±1/√fan_in, the inputs to one output."""
    layer = nn.utils.skip_init(kind, *sizes, device=torch.get_default_device())
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
    nonlinear = chosen("activation", activation, ACTIVATIONS)
    if len(sizes) < 2 or any(not hasattr(size, "__index__") or size < 1 for size in sizes):
        raise ValueError(f"sizes is {list(sizes)}; it must be two or more positive integers.")
    if heads is not None and len(sizes) < 3:
        raise ValueError(f"sizes is {list(sizes)}; separate heads need a hidden layer.")
    *body, outputs = sizes
    if heads is not None:
        body[-1] *= len(heads)
    layers = []
    for inputs, width in pairwise(body):
        layers += [linear(inputs, width, generator), nonlinear()]
    if heads is None:
        layers.append(linear(body[-1], outputs, generator))
    else:
        layers.append(BranchLinear(sizes[-2], heads, generator))
    return nn.Sequential(*layers)
