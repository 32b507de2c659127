"""The family explorer, Python side: two models checked, and their weights packed for the page."""

import copy

import numpy as np
import torch
import traitlets
from torch import nn

from vaecourse._arguments import check_choice, check_whole
from vaecourse.models import GMVAE, VRNN
from vaecourse.widgets.networks import read_network
from vaecourse.widgets.packing import pack
from vaecourse.widgets.shared import Explorer, Hand, check_numbers, page_files

VIEWS = ("gmvae", "vrnn")
REACH = 3.0  # standard deviations that z can be moved from the mean of its component
MOST_IMAGES = 12
MOST_SEED = 2**20
GREY_LEVELS = 0.7  # by which shorter weights may move a pixel; between the points tried, more


class FamilyExplorer(Explorer):
    """A GMVAE and a VRNN, one at a time; the networks of both run in the page.

    gmvae: a `GMVAE` of images whose rows are the steps of `vrnn`; shown are the component chosen
        and a point z of a plane, with the mean of p(x|z) there. The plane is of the two latents
        that change the images most; the others rest at the mean of the component. Beside it
        stand all components at the same offset from their means, in standard deviations.
    vrnn: a `VRNN` with a GRU, of binary rows. The first rows are the reader's, to draw, and the
        model goes on: z_t is drawn from q for the rows that are there and from its prior after
        them, as in `VRNN.complete`. Grey is the probability of a pixel; what is fed back is a
        draw of it.
    x: one to twelve images [n, D] of zeros and ones to start from.
    title: the line above the picture.
    view, component, offset, pixels, seen, seed: where to start: "gmvae" or "vrnn"; a component
        from 0; two numbers of standard deviations, -3 to 3; the D pixels of the reader's image,
        how many of its rows the VRNN sees, and the seed of its draws. While a kernel runs, they
        follow the hand, and `explorer.rows` are the rows seen, for `vrnn.complete`.

    The page holds the weights rounded to float16 or less, which moves no pixel by a grey level of
    256; the numbers, in nats, are computed there from these.

    Raises ValueError for other models, for images that do not fit them, and for a start that is
    out of range. Source: chapter 12; [CKD+15].
    """

    _esm, _css = page_files("family_explorer", "networks.js", "family_explorer/models.js")
    spec = traitlets.Dict().tag(sync=True)
    arrays = traitlets.Bytes().tag(sync=True)
    view = Hand("gmvae", check_choice, VIEWS)
    component = Hand(0)
    offset = Hand([0.0, 0.0], check_numbers, dict.fromkeys(["z1", "z2"], (-REACH, REACH)))
    pixels = Hand()
    seen = Hand()
    seed = Hand(0)

    def __init__(
        self, gmvae, vrnn, x, *, title="A VAE with a label, and one with a memory", **traits
    ):
        _check_models(gmvae, vrnn)
        x = _checked_images(x, gmvae.data_dim)
        height, width = gmvae.data_dim // vrnn.data_dim, vrnn.data_dim
        self._most = {"component": gmvae.num_components - 1, "seen": height, "seed": MOST_SEED}
        self._width = width
        start = {"component": 0, "offset": [0.0, 0.0], "seen": height // 2, "seed": 0}
        start |= {"pixels": x[0].int().tolist()} | traits
        latents = style_latents(gmvae)
        layers, arrays = _networks(*rounded(gmvae, vrnn))
        prior = gmvae.prior.latent
        arrays |= {
            "loc": prior.loc.detach().float().numpy(),
            "scale": prior.scale.detach().float().numpy(),
            "images": x.byte().numpy(),
        }
        data, table = pack(arrays)
        spec = {
            "title": title,
            "layers": layers,
            "components": gmvae.num_components,
            "latents": latents,
            "latent_dim": [gmvae.latent_dim, vrnn.latent_dim],
            "state_dim": vrnn.state_dim,
            "reach": REACH,
            "seeds": MOST_SEED,
            "image_shape": [height, width],
            "start": {"view": "gmvae", **start},
            "table": table,
        }
        super().__init__(spec=spec, arrays=data, **start)

    @traitlets.validate("component", "seen", "seed")
    def _check_whole(self, proposal):
        name = proposal["trait"].name
        return check_whole(name, proposal["value"], self._most[name])

    @traitlets.validate("pixels")
    def _check_pixels(self, proposal):
        pixels, count = proposal["value"], self._most["seen"] * self._width
        if not isinstance(pixels, list) or len(pixels) != count or not {*pixels} <= {0, 1}:
            raise ValueError(f"pixels must be a list of {count} zeros and ones.")
        return pixels

    @property
    def rows(self):
        """The rows that the VRNN sees, [1, seen, width], for `vrnn.complete`."""
        return torch.tensor(self.pixels).float().reshape(1, -1, self._width)[:, : self.seen]


@torch.no_grad()
def style_latents(gmvae):
    """The two latents that change the images most, from 2 sd below the mean to 2 above it."""
    prior = gmvae.prior.latent
    change = []
    for axis in torch.eye(gmvae.latent_dim):
        high, low = (gmvae.decode(prior.loc + sd * axis * prior.scale).mean for sd in (2, -2))
        change.append((high - low).square().sum())
    return torch.stack(change).topk(2).indices.sort().values.tolist()


# ---------------------------------------------------------------- weights


@torch.no_grad()
def rounded(gmvae, vrnn):
    """Copies of both models with the weights that the page has, which float16 holds.

    Of the last layer of the GMVAE, which has most of them, each pixel's weights are multiples of
    the largest power of two that leaves the pixel as it is: zeros take no room when packed. A
    pixel that stays black needs next to nothing.
    """
    gmvae, vrnn = copy.deepcopy(gmvae).float(), copy.deepcopy(vrnn).half().float()
    z = _reachable(gmvae)
    exact = gmvae.decode(z).mean
    gmvae.decoder.half().float()
    last, h = gmvae.decoder[-1], gmvae.decoder[:-1](z)
    weight = last.weight.clone()
    for bits in range(15, -3, -1):
        coarse = torch.round(weight * 2.0**bits).div(2.0**bits).half().float()
        moved = 255 * (torch.sigmoid(h @ coarse.T + last.bias) - exact).abs()
        near = moved.amax(0) < GREY_LEVELS
        last.weight[near] = coarse[near]
    return gmvae, vrnn


def _reachable(gmvae):
    """Points z [P, J] that cover what the hand can reach."""
    prior, side = gmvae.prior.latent, torch.linspace(-REACH, REACH, 13)
    offsets = torch.zeros(len(side) ** 2, 1, gmvae.latent_dim)
    offsets[..., style_latents(gmvae)] = torch.cartesian_prod(side, side)[:, None]
    return (prior.loc + prior.scale * offsets).flatten(0, 1).detach()


def _networks(gmvae, vrnn):
    """The layers and the weights, float16, of the networks that run in the page, by name."""
    networks = {
        "gmvae.decoder": gmvae.decoder,
        "vrnn.encoder": vrnn.encoder,
        "vrnn.prior_net": vrnn.prior_net,
        "vrnn.decoder": vrnn.decoder,
        "vrnn.from_input": nn.Sequential(vrnn.from_input),
        "vrnn.from_state": nn.Sequential(vrnn.from_state),
    }
    read = {name: read_network(name, network) for name, network in networks.items()}
    layers = {name: layers for name, (layers, _) in read.items()}
    return layers, {name: weights.astype(np.float16) for name, (_, weights) in read.items()}


# ---------------------------------------------------------------- what is given


def _check_models(gmvae, vrnn):
    for name, model, kind in (("gmvae", gmvae, GMVAE), ("vrnn", vrnn, VRNN)):
        if not isinstance(model, kind):
            raise ValueError(f"{name} is a {type(model).__name__}; it must be a {kind.__name__}.")
    if gmvae.latent_dim < 2:
        raise ValueError(f"gmvae has {gmvae.latent_dim} latent; the plane needs two or more.")
    check_choice("The recurrence of vrnn", vrnn.recurrence, ["gru"])
    check_choice("The likelihood of vrnn", vrnn.params["likelihood"], ["bernoulli"])
    if gmvae.data_dim % vrnn.data_dim:
        raise ValueError(
            f"vrnn has rows of {vrnn.data_dim} pixels and gmvae images of {gmvae.data_dim}; an "
            "image must be a whole number of rows."
        )


def _checked_images(x, pixels):
    if not isinstance(x, torch.Tensor) or x.ndim != 2 or x.shape[1] != pixels:
        found = f"shape {list(x.shape)}" if isinstance(x, torch.Tensor) else "no shape"
        raise ValueError(f"x has {found}; it must be a tensor [n, {pixels}].")
    if not 1 <= len(x) <= MOST_IMAGES:
        raise ValueError(f"x has {len(x)} images; it must have from 1 to {MOST_IMAGES}.")
    if not ((x == 0) | (x == 1)).all():
        raise ValueError("x has values other than 0 and 1; binarize it.")
    return x.float()
