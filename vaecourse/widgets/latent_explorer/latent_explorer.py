"""The latent explorer, Python side: encode the points, pack the decoder, hand both to the page."""

import copy
import math

import numpy as np
import torch
import traitlets
from torch import nn

from vaecourse._arguments import (
    as_tensor,
    bytes_hint,
    check_axes,
    check_classes,
    check_finite_rows,
    check_image_shape,
    first_column,
)
from vaecourse.likelihoods import PoissonLikelihood
from vaecourse.models.base import evaluating
from vaecourse.palette import DIGIT_COLOURS, DIGIT_LETTERS
from vaecourse.widgets.networks import check_prior, points_of, read_network, same_logits
from vaecourse.widgets.packing import pack
from vaecourse.widgets.shared import Explorer, Hand, check_numbers, page_files

MAX_POINTS = 2000
MAX_IMAGES = 500
MAX_Z = 1e6
IMAGES_PER_LABEL = 10
GRID_STEP = 0.03


class LatentExplorer(Explorer):
    """A latent plane to move through by hand; the decoder runs in the page, kernel or not.

    model: a model with two latents and a `decoder` that is an nn.Sequential of Linear layers
        and activations (ReLU, Tanh, Softplus, Sigmoid): a VAE or an Autoencoder.
    x: test data [N, D] in [0, 1], or images [N, H, W] or [N, 3, H, W]; at most 2,000 rows,
        evenly spaced, are drawn on the plane.
    labels: [N] integers from 0 to 9, or None for data without classes.
    images: rows of x that can be picked, at most 500; by default the first ten of each label
        whose posterior lies on the plane, two standard deviations to either side.
    image_shape: (height, width), for images that are not square, or (3, height, width) for images
        in colour, all of whose red comes before green and blue.
    title: the line above the picture.
    z: where to start, [z1, z2]; while a kernel runs, `explorer.z` follows the hand.

    A picked image of a VAE shows q(z|x), as the ellipses of one and two standard deviations,
    and a sample z = μ + σ ⊙ ε of it (μ + L ε for a full covariance) with three numbers in nats:
    log p(x|z), KL(q(z|x) ‖ p(z)), and their difference, the ELBO of one sample
    ([KW14] eq. 7, chapter 09). A z that was moved by hand is not a sample of q, so no ELBO is
    shown for it; in its place stands log p(x, z) − log q(z|x) at that z, the integrand whose
    mean under q is the ELBO. Both are compared with log p(x), which in two dimensions is a sum
    over a grid; it is left out for an image whose posterior is too narrow for the grid or
    leaves the plane. The grey contours are the exact posterior p(z|x), drawn to hold as
    much of its mass as the ellipses hold of q: 39 and 86 per cent. The model's prior is N(0, I).

    An autoencoder has no posterior: its image is picked with its code and its squared error.

    The page holds weights rounded to float16, or to two bits more, and images in 256 grey
    levels; all numbers but log p(x) are computed there, from these. Binarize x for a Bernoulli
    likelihood: for grey levels log p(x|z) is a cross entropy (chapter 14).

    Raises ValueError for a model or data that the page cannot show.
    """

    _esm, _css = page_files(
        "latent_explorer", "networks.js", "latent_explorer/posterior.js", "latent_explorer/parts.js"
    )
    spec = traitlets.Dict().tag(sync=True)
    arrays = traitlets.Bytes().tag(sync=True)
    z = Hand([0.0, 0.0], check_numbers, dict.fromkeys(["z1", "z2"], (-MAX_Z, MAX_Z)))

    def __init__(
        self,
        model,
        x,
        labels=None,
        *,
        images=None,
        image_shape=None,
        title="The latent plane",
        **traits,
    ):
        check_prior(model)
        layers, weights = read_decoder(model)
        _check_likelihood(model)
        x, shape = _check_x(model, x, image_shape)
        labels = None if labels is None else check_classes("labels", labels, len(x))
        picks = _check_images(images, len(x))
        rows = np.linspace(0, len(x) - 1, min(len(x), MAX_POINTS)).round().astype(int)
        with torch.no_grad(), evaluating(model):
            means, scale_tril = _encode(model, x)
            # the rows of L give the standard deviations; a code has none
            reach = 0 if scale_tril is None else 2 * np.sqrt((scale_tril**2).sum(axis=2))
            low, high = means - reach, means + reach
            held = slice(0) if picks is None else picks
            plane = plane_range(means[rows], low[held], high[held], scale_tril is not None)
            output = _output(model, x.shape[1], plane, layers)
            if picks is None:
                first, last = np.array(plane).T
                picks = default_images(labels, ((low >= first) & (high <= last)).all(axis=1))
            arrays = {
                "weights": shorten(weights, model, plane),
                "points": means[rows].astype(np.float16),
                "images": (x[picks] * 255).round().byte().cpu().numpy(),
                "means": means[picks],
            }
            kind = None
            if scale_tril is not None:
                arrays["scale_tril"] = scale_tril[picks][:, [0, 1, 1], [0, 0, 1]]
                kind = "full" if scale_tril[:, 1, 0].any() else "diagonal"
                arrays |= exact_posterior(model, x[picks], plane[0][1] + 0.5)
        if labels is not None:
            arrays |= {"labels": labels[rows], "image_labels": labels[picks]}
        data, table = pack(arrays)
        spec = {
            "title": title,
            "layers": layers,
            "output": output,
            "posterior": kind,
            "image_shape": shape[-2:],
            "channels": shape[0] if len(shape) == 3 else 1,
            "range": plane,
            "digit_colours": list(DIGIT_COLOURS),
            "letters": DIGIT_LETTERS,
            "table": table,
        }
        super().__init__(arrays=data, **traits)
        self.spec = spec | {"start": {"z": self.z}}


def read_decoder(model):
    """As `read_network`, of `model.decoder`, whose inputs must be two latents."""
    if getattr(model, "decoder", None) is None:
        raise ValueError(
            "model has no network `decoder`, which the page runs: give it that name, or make the "
            "model by vc.models.wrap(encoder, decoder, …)."
        )
    layers, weights = read_network("model.decoder", model.decoder)
    if not layers or layers[0][0] != 2:
        width = layers[0][0] if layers else 0
        raise ValueError(f"model has {width} latent dimensions; the plane needs exactly 2.")
    return layers, weights


@torch.no_grad()
def shorten(weights, model, plane):
    """The weights with as few bits as the picture allows.

    float16 will do for most decoders. Where z is large, as the codes of an autoencoder can be,
    it moves pixels by more than a grey level; then two more bits of each mantissa are kept, and
    the rest of the float32 is zeros, which take no room when packed.
    """
    z = points_of(model, plane)
    rough = copy.deepcopy(model)
    for parameter in rough.decoder.parameters():
        parameter.copy_(parameter.half())
    grey_levels = 255 * (_mean(rough, z) - _mean(model, z)).abs().max()
    if grey_levels < 0.8:  # below 1 no rounded pixel moves by two
        return weights.astype(np.float16)
    bits = weights.view(np.int32)
    return ((bits + (1 << 10)) & ~((1 << 11) - 1)).view(np.float32)


def _mean(model, z):
    p = model.decode(z)
    return p if isinstance(p, torch.Tensor) else p.mean


def _check_x(model, x, image_shape):
    """x [N, D] as the model's tensor, and the shape of its images."""
    weight = model.decoder[0].weight
    x = as_tensor(x, like=weight)
    if image_shape is None and x.ndim == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        height, width, channels = x.shape[1:]
        check_axes("x", x.shape[1:], (channels, height, width))
    if x.ndim in (3, 4):
        image_shape, x = x.shape[1:] if image_shape is None else image_shape, x.flatten(1)
    dim = getattr(model, "data_dim", x.shape[-1] if x.ndim else "D")
    if x.ndim != 2 or x.shape[1] != dim or len(x) == 0:
        raise ValueError(f"x has shape {list(x.shape)}; it must be [N, {dim}] with N at least 1.")
    check_finite_rows("x", x)
    if x.min() < 0 or x.max() > 1:
        column = first_column((x < 0) | (x > 1))
        low, high = x[:, column - 1].min().item(), x[:, column - 1].max().item()
        raise ValueError(
            f"column {column} of x has values from {low:g} to {high:g}; the page shows values "
            f"from 0 to 1{bytes_hint(x)}."
        )
    return x, _check_shape(image_shape, x.shape[1])


def _check_images(images, count):
    if images is None:
        return None
    picks = np.asarray(images)
    if picks.ndim != 1 or picks.dtype.kind not in "iu" or len(picks) == 0:
        raise ValueError("images must be a list of one or more rows of x, as integers.")
    if len(picks) > MAX_IMAGES:
        raise ValueError(f"images has {len(picks)} rows; at most {MAX_IMAGES} can be picked from.")
    if picks.min() < 0 or picks.max() >= count:
        raise ValueError(f"images has rows outside x, which has rows 0 to {count - 1}.")
    return picks


def _check_shape(shape, dim):
    if shape is None:
        side = math.isqrt(dim)
        if side * side != dim:
            raise ValueError(f"image_shape is None and {dim} pixels make no square; give it.")
        return [side, side]
    sides = check_image_shape("image_shape", shape)
    if math.prod(sides) != dim:
        raise ValueError(f"image_shape is {' × '.join(map(str, sides))}; x has {dim} pixels.")
    return sides


def _encode(model, x):
    """Means [N, 2] and Cholesky factors [N, 2, 2] of q(z|x); without a q, codes and None."""
    q = model.encode(x)
    plain = isinstance(q, torch.Tensor)
    if not plain and not hasattr(q, "mean"):
        raise ValueError(
            f"model.encode gives a {type(q).__name__}; it must give codes [N, 2] or a distribution "
            "over them: `vc.models.wrap` makes a model of a module that gives a pair."
        )
    means = q if plain else q.mean
    if means.shape != (len(x), 2):
        raise ValueError(f"model.encode gives {list(means.shape)}; the plane needs [N, 2].")
    if not torch.isfinite(means).all():
        raise ValueError("model.encode gives NaN or infinite latents for x.")
    means = means.float().cpu().numpy()
    if plain:
        return means, None
    scale_tril = getattr(q, "scale_tril", None)
    if scale_tril is None:
        scale_tril = torch.diag_embed(q.stddev)
    return means, scale_tril.float().cpu().numpy()


def _output(model, dim, plane, layers):
    """What the decoder's last layer means: a kind, and the fixed log-variance if it has one.

    Where it gives the probabilities of pixels, its sigmoid is taken out of `layers`.
    """
    z = points_of(model, plane)
    raw, p = model.decoder(z), model.decode(z)
    if isinstance(p, torch.Tensor):
        kind = "linear" if torch.equal(p, raw) else "sigmoid"
        if p.shape == raw.shape and torch.allclose(p, raw if kind == "linear" else raw.sigmoid()):
            return {"kind": kind}
    elif hasattr(p, "logits"):
        if layers[-1][2] == "sigmoid" and same_logits(p.logits, raw.logit()):
            layers[-1][2] = "linear"
            return {"kind": "bernoulli"}
        if same_logits(p.logits, raw):
            return {"kind": "bernoulli"}
    elif torch.equal(p.mean, raw[:, :dim]):
        return {"kind": "gaussian", **_log_variance(model, p.variance.log(), raw[:, dim:])}
    raise ValueError(
        "model.decode gives neither logits of pixels, nor a Gaussian, nor the sigmoid of what "
        "model.decoder gives; the page knows only these."
    )


def _log_variance(model, log_var, from_z):
    if from_z.shape == log_var.shape:
        floor = getattr(getattr(model, "likelihood", None), "variance_floor", None)
        floor = None if floor is None else math.log(floor)
        wanted = from_z if floor is None else from_z.clamp(min=floor)
        if torch.allclose(log_var, wanted, atol=1e-4):  # of the logarithm of an exponential
            return {"log_var": None, "log_var_floor": floor}
    if from_z.shape[1] or (log_var != log_var[0]).any():
        raise ValueError(
            "model.decode gives variances that change with z and are not the exponential of what "
            "model.decoder gives beside the means; the page knows only such, or one for all."
        )
    if (log_var != log_var[0, 0]).any():
        raise ValueError(
            "model.decode gives every dimension a variance of its own that no z changes; the page "
            "knows one variance for all, or variances from z."
        )
    return {"log_var": log_var[0, 0].item()}


def _check_likelihood(model):
    likelihood = getattr(model, "likelihood", None)
    if isinstance(likelihood, PoissonLikelihood):
        raise ValueError(
            "model has a Poisson likelihood; the page knows none of counts, but pixels and a "
            "Gaussian, of values from 0 to 1."
        )
    if getattr(likelihood, "standardize", False):
        raise ValueError(
            "model has standardize: what it decodes to is in the units of its data, and the page "
            "shows values from 0 to 1; train one without standardize on x scaled to them."
        )


def plane_range(codes, low, high, centred):
    """The part of the plane to show, [[low, high], [low, high]], in half units or coarser.

    With a prior (`centred`) it is a square about the origin: three standard deviations at least,
    and the place of 99 per cent of the `codes` [P, 2]. Without one it follows the codes and holds
    the origin. In both it holds the boxes from `low` to `high` [K, 2].
    """
    if centred:
        far = np.quantile(np.abs(codes), 0.99)
        far = max(3.0, far, np.abs(low).max(initial=0), np.abs(high).max(initial=0))
        half = math.ceil(2 * far) / 2
        return [[-half, half], [-half, half]]
    first = np.minimum(np.quantile(codes, 0.002, axis=0), low.min(axis=0, initial=0))
    last = np.maximum(np.quantile(codes, 0.998, axis=0), high.max(axis=0, initial=0))
    unit = 10 ** math.floor(math.log10(max((last - first).max(), 1e-6))) / 2
    first, last = np.floor(first / unit), np.ceil(last / unit)
    return [[unit * a, unit * max(b, a + 1)] for a, b in zip(first.tolist(), last.tolist())]


def default_images(labels, on_plane):
    """The first rows of x to pick from: ten of each label, or a hundred without labels."""
    rows = np.flatnonzero(on_plane) if on_plane.any() else np.arange(len(on_plane))
    if labels is None:
        return rows[: 10 * IMAGES_PER_LABEL]
    groups = [rows[labels[rows] == label] for label in range(10)]
    # the first of each label, then the second of each: a strip that starts with every digit
    return np.array(
        [group[k] for k in range(IMAGES_PER_LABEL) for group in groups if k < len(group)]
    )


def exact_posterior(model, x, half):
    """log p(x) and where p(z|x) lies, by a sum over a grid of the plane [−half, half]².

    Returns `evidence` [M] in nats and `windows` [M, 3], the centre and half-width of the square
    about the nodes where p(z|x) is above a hundredth of its peak. Evidence is NaN where more than
    half of the mass sits on one node, or a thousandth of it on the rim: the grid does not resolve
    these.
    """
    nodes = round(2 * half / GRID_STEP) + 1
    axis = torch.linspace(-half, half, nodes).to(x)
    mass = x.new_empty((nodes, nodes, len(x)))  # [first axis, second axis, M]
    for row, value in zip(mass, axis):
        row.copy_(_log_joint(model, x, torch.stack([value.expand(nodes), axis], dim=1)))
    peak = mass.amax(dim=(0, 1))
    mass.sub_(peak).exp_()
    total, step = mass.sum(dim=(0, 1)), (axis[1] - axis[0]).item()
    evidence = peak + total.log() + 2 * math.log(step)
    inside = mass[1:-1, 1:-1].sum(dim=(0, 1))
    evidence[(total < 2) | (inside < 0.999 * total)] = torch.nan
    near = mass > 0.01  # of the peak: where a Gaussian has 99 per cent of its mass
    spans = [_span(near.any(dim=1), axis), _span(near.any(dim=0), axis)]
    half_width = torch.maximum(*[high - low for low, high in spans]) / 2 + step
    windows = torch.stack([(low + high) / 2 for low, high in spans] + [half_width], dim=1)
    return {
        "evidence": evidence.float().cpu().numpy(),
        "windows": windows.float().cpu().numpy(),
    }


def _span(hits, axis):
    """The first and the last value of the axis at which each column of `hits` is true."""
    hits = hits.int()
    return axis[hits.argmax(dim=0)], axis[len(axis) - 1 - hits.flip(0).argmax(dim=0)]


def _log_joint(model, x, z):
    """log p(x, z) for every z [G, 2] with every x [M, D]: [G, M]."""
    p = model.decode(z)
    if hasattr(p, "logits"):
        # x·l − Σ softplus(l): one product of matrices instead of G·M·D terms
        log_likelihood = p.logits @ x.T - nn.functional.softplus(p.logits).sum(1, keepdim=True)
    else:
        # the square is opened for the same reason; its terms cancel, hence float64
        mean, precision, data = p.mean.double(), 1 / p.variance.double(), x.double()
        square = precision @ (data * data).T - 2 * (mean * precision) @ data.T
        constant = (mean.square() * precision - precision.log() + math.log(2 * math.pi)).sum(1)
        log_likelihood = -0.5 * (square + constant[:, None]).to(x.dtype)
    return log_likelihood - 0.5 * z.square().sum(1, keepdim=True) - math.log(2 * math.pi)
