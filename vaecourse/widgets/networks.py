"""Networks to layers and weights: what networks.js needs to run them in the page."""

import numpy as np
import torch
from torch import nn

from vaecourse._arguments import as_rows, check_classes, check_methods
from vaecourse.models.base import LabelledModel, LatentModel, Model, check_latent, judging

SIDE, MOST_IMAGES = 28, 20  # of digits to pick from
ACTIVATIONS = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Softplus: "softplus", nn.Sigmoid: "sigmoid"}


def read_network(name, network):
    """The layers of `network` as [inputs, outputs, activation], and its weights, float32.

    The weights are one flat array: for each layer the matrix, column by column, then the bias.
    Raises ValueError, which names the network, for anything but an nn.Sequential of Linear layers
    and activations (ReLU, Tanh, Softplus, Sigmoid) with weights that float16 can hold.
    """
    if not isinstance(network, nn.Sequential):
        raise ValueError(
            f"{name} is a {type(network).__name__}; it must be an nn.Sequential of Linear "
            "layers and activations."
        )
    layers, blocks = [], []
    for module in network:
        if isinstance(module, nn.Linear):
            bias = module.bias if module.bias is not None else torch.zeros(module.out_features)
            layers.append([module.in_features, module.out_features, "linear"])
            blocks += [module.weight.T.flatten().detach().cpu(), bias.detach().cpu()]
        elif type(module) in ACTIVATIONS and layers and layers[-1][2] == "linear":
            layers[-1][2] = ACTIVATIONS[type(module)]
        else:
            raise ValueError(
                f"{name} has a {type(module).__name__} where the page can run only Linear "
                "layers, each followed by at most one of ReLU, Tanh, Softplus and Sigmoid."
            )
    weights = np.concatenate([np.zeros(0), *blocks]).astype(np.float32)
    if not (np.abs(weights) <= np.finfo(np.float16).max).all():
        raise ValueError(f"{name} has weights that are NaN or beyond ±65504, float16's end.")
    return layers, weights


def check_digits(model, images, labels):
    """Images [N, 784] to pick from, as the model's tensor, and their labels, a list or None.

    Raises ValueError unless they are at most 20 rows of zeros and ones.
    """
    images = as_rows(images, SIDE**2, like=model.decoder[0].weight, argument="images")
    if not ((images == 0) | (images == 1)).all():
        raise ValueError("images has grey levels; a Bernoulli likelihood needs zeros and ones.")
    if not 1 <= len(images) <= MOST_IMAGES:
        raise ValueError(f"images has {len(images)} rows; it must have 1 to {MOST_IMAGES}.")
    if labels is not None:
        labels = check_classes("labels", labels, len(images), of="images").tolist()
    return images, labels


def points_of(model, plane):
    """7 × 7 points z [49, 2] over [[low, high], [low, high]], as the model's decoder takes them."""
    axes = [torch.linspace(*side, 7) for side in plane]
    return torch.cartesian_prod(*axes).to(model.decoder[0].weight)


def same_logits(logits, raw):
    """Whether `logits` are `raw`, but for what rounding leaves of them where probabilities, kept
    in float32, stood between: up to 2e-4 at ±8, and nothing to compare far beyond."""
    near = (one.clamp(-8, 8) for one in (logits, raw))
    return logits.shape == raw.shape and torch.allclose(*near, rtol=0, atol=1e-3)


def check_prior(model):
    """Raise ValueError unless the model codes and decodes, and has the page's prior, N(0, I), if
    any."""
    if isinstance(model, (LatentModel, LabelledModel)):
        check_latent(model)
    if isinstance(model, Model) and model.kind != "own" and not hasattr(model, "decoder"):
        raise ValueError(
            f"model is a {type(model).__name__}, which has no network `decoder` for the page to "
            "run; VAE and Autoencoder have one."
        )
    check_methods(model, encode="(x)", decode="(z)")
    prior = getattr(model, "prior", None)
    if prior is not None and not ((prior.mean == 0).all() and (prior.stddev == 1).all()):
        raise ValueError("model.prior is not N(0, I), the only prior that the page knows.")


@judging
def check_logits(model, reach):
    """Raise ValueError unless `model.decode` gives what `model.decoder`, which the page runs, gives
    on the square of the plane from −reach to reach."""
    z = points_of(model, [[-reach, reach]] * 2)
    logits = getattr(model.decode(z), "logits", None)
    if logits is None or not same_logits(logits, model.decoder(z)):
        raise ValueError(
            "model.decode gives other logits than model.decoder, which is what the page runs; let "
            "decode do nothing else."
        )
