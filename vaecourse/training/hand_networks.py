"""Multilayer perceptrons with forward and backward passes written out, for R models at once.

What `hand_gradients` and `bernoulli_gradients` share. Every tensor is [R, B, ·] and is allocated
once; the weights of all layers are views of flat tensors, which an optimizer takes as one.
"""

import math

import torch
from torch import nn

from vaecourse.networks import BranchLinear

_relu_backward = torch.ops.aten.threshold_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def _tanh_(y):
    """tanh in place; of a bfloat16 by way of float32, which takes a third of the time."""
    return y.tanh_() if y.dtype != torch.bfloat16 else y.copy_(y.float().tanh_())


# What is done to y in place, and to the gradient dy of what came out as y.
ACTIVATIONS = {
    "relu": (torch.relu_, lambda dy, y: _relu_backward(dy, y, 0, grad_input=dy)),
    "tanh": (_tanh_, lambda dy, y: _tanh_backward(dy, y, grad_input=dy)),
}


def count_weights(models):
    """The number of entries of both networks of all models, which are of one shape."""
    first = models[0]
    layers = linear_layers(first.encoder) + linear_layers(first.decoder)
    return len(models) * sum((inputs + 1) * outputs for inputs, outputs in map(shape, layers))


def linear_layers(network):
    return [layer for layer in network if isinstance(layer, nn.Linear | BranchLinear)]


def shape(layer):
    """(inputs, outputs) of the layer as one matrix."""
    if isinstance(layer, BranchLinear):
        return len(layer.heads) * layer.width, sum(layer.heads)
    return layer.in_features, layer.out_features


class Take:
    """Hands out consecutive views of flat tensors of one length: a tuple of one of each."""

    def __init__(self, *flats):
        self.flats, self.at = flats, 0

    def __call__(self, *shape):
        size = math.prod(shape)
        self.at += size
        return [flat[self.at - size : self.at].view(shape) for flat in self.flats]


class Layer:
    """R linear maps: y [R, B, out] = x [R, B, in] w + b.

    take: gives the weights that are multiplied and the gradients, both of the type of x, and
    the weights and gradients that an optimizer works with; they may be the same.
    """

    def __init__(self, modules, x, take):
        R, B, (inputs, outputs) = x.shape[0], x.shape[1], shape(modules[0])
        self.x, self.y, self.dy = x, x.new_empty(R, B, outputs), x.new_empty(R, B, outputs)
        self.w, self.dw, self.master_w, self.master_dw = take(R, inputs, outputs)
        self.b, self.db, self.master_b, self.master_db = take(R, 1, outputs)
        self.mask = None
        if isinstance(modules[0], BranchLinear):
            blocks = [x.new_ones(modules[0].width, head) for head in modules[0].heads]
            self.mask = torch.block_diag(*blocks)
        self.read(modules)

    def read(self, modules):
        for r, module in enumerate(modules):
            weight = module.weight.detach().T
            if self.mask is not None:
                weight = weight.repeat(len(module.heads), 1) * self.mask
            self.master_w[r].copy_(weight)
            self.master_b[r].copy_(module.bias.detach())

    def write_back(self, modules):
        for r, module in enumerate(modules):
            weight = self.master_w[r]
            if self.mask is not None:  # what lies outside the blocks is zero
                weight = weight.unflatten(0, (len(module.heads), module.width)).sum(0)
            module.weight.copy_(weight.T)
            module.bias.copy_(self.master_b[r, 0])

    def parameters(self):
        """Matrix and bias of each model, their gradients in their `grad`."""
        if self.mask is not None:
            raise ValueError(
                "optimizer is 'muon', which fills a matrix of separate heads; use adam."
            )
        pairs = [(self.master_w.mT, self.master_dw.mT), (self.master_b, self.master_db)]
        for values, gradients in pairs:
            for value, value.grad in zip(values.squeeze(1), gradients.squeeze(1)):
                yield value

    def forward(self):
        torch.bmm(self.x, self.w, out=self.y)
        self.y.add_(self.b)

    def backward(self, dx=None):
        """dw and db from dy, and dx where it is asked for."""
        torch.bmm(self.x.mT, self.dy, out=self.dw)
        torch.sum(self.dy, 1, keepdim=True, out=self.db)
        if self.mask is not None:
            self.dw.mul_(self.mask)
        if dx is not None:
            torch.bmm(self.dy, self.w.mT, out=dx)


class ByHand:
    """What the gradients of every kind of model have: `models`, and the networks that train."""

    @torch.no_grad()
    def write_back(self):
        """Copy the weights into the models."""
        self._encoder.write_back([model.encoder for model in self.models])
        self._decoder.write_back([model.decoder for model in self.models])


def check_covered(models, covered, what):
    """Raise ValueError unless the models agree but for their seeds, and are `covered`.

    covered: {name of a parameter: whether formulas are there for it}; what: those that are.
    """
    params = [{**model.params, "seed": None} for model in models]
    if any(each != params[0] for each in params):
        raise ValueError("The models differ in their parameters; all but the seed must agree.")
    for name, fits in covered.items():
        if not fits:
            raise ValueError(
                f"{name} is {params[0][name]!r}; gradients by hand are there for {what}. "
                "Use autograd."
            )


class Networks:
    """R multilayer perceptrons of one shape on shared buffers."""

    def __init__(self, modules, x, take, activation="relu"):
        self.activate, self.activation_backward = ACTIVATIONS[activation]
        self.layers = []
        for layers in zip(*map(linear_layers, modules)):
            self.layers.append(Layer(layers, x, take))
            x = self.layers[-1].y
        self.outputs, self.d_outputs = self.layers[-1].y, self.layers[-1].dy

    def read(self, modules):
        for layer, parts in zip(self.layers, zip(*map(linear_layers, modules))):
            layer.read(parts)

    def write_back(self, modules):
        for layer, parts in zip(self.layers, zip(*map(linear_layers, modules))):
            layer.write_back(parts)

    def parameters(self):
        for layer in self.layers:
            yield from layer.parameters()

    def forward(self):
        for layer in self.layers[:-1]:
            layer.forward()
            self.activate(layer.y)
        self.layers[-1].forward()

    def backward(self, dx=None):
        for before, layer in zip(self.layers[-2::-1], self.layers[:0:-1]):
            layer.backward(before.dy)
            self.activation_backward(before.dy, before.y)
        self.layers[0].backward(dx)
