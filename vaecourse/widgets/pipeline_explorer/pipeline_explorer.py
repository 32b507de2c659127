"""The pipeline explorer, Python side: images to pick, the decoder, and the encoder on demand."""

import numpy as np
import torch
import traitlets

from vaecourse._arguments import check_whole
from vaecourse.distributions import DiagonalGaussian
from vaecourse.models.base import evaluating
from vaecourse.widgets.networks import SIDE, check_digits, check_logits, check_prior, read_network
from vaecourse.widgets.packing import pack
from vaecourse.widgets.shared import Explorer, Hand, check_numbers, page_files, static_script

REACH = 4.5  # of the grid of z in pipeline_explorer.js


class PipelineExplorer(Explorer):
    """A VAE of 28 × 28 binary pixels and two latents, whole: x, q(z|x), ε, z, p(x|z), and the bill.

    model: a VAE with a Bernoulli likelihood, a diagonal q and two latents, whose encoder and
        decoder are nn.Sequential of Linear layers and activations.
    images: [N, 784] of zeros and ones to pick from, at most 20; a reader may draw one instead.
    labels: [N] digits, by which the images are named to those who do not see them, or None.
    weights: the name of a script in the book's static files that holds the encoder
        (`encoder_script`), so that it travels only to those who draw; None puts it into the page.
    title: the line above the picture.
    picked, eps: the picked image, and the noise ε = [ε1, ε2] of z = μ + σ ⊙ ε; while a kernel
        runs, they follow the hand.

    The numbers are nats: the distortion −log p(x|z), the rate KL(q(z|x) ‖ p(z)), the ELBO of that
    one z, and log p(x), a sum over a grid of z that is refined where the posterior is. A drawing
    is scaled and centred as MNIST's digits were, and cut at half of the ink. Source: chapter 09.

    Raises ValueError for a model or images that the page cannot show.
    """

    _esm, _css = page_files("pipeline_explorer", "networks.js", "latent_explorer/posterior.js")
    spec = traitlets.Dict().tag(sync=True)
    arrays = traitlets.Bytes().tag(sync=True)
    encoder = traitlets.Bytes().tag(sync=True)
    picked = Hand(0)
    eps = Hand([0.5, -0.5], check_numbers, dict.fromkeys(["ε1", "ε2"], (-3, 3)))

    def __init__(
        self, model, images, labels=None, *, weights=None, title="One digit through a VAE", **traits
    ):
        check_prior(model)
        decoder, decoder_weights = read_network("model.decoder", getattr(model, "decoder", None))
        encoder, self._encoder = _encoder(model)
        if decoder[0][0] != 2 or decoder[-1][1] != SIDE**2 or encoder[0][0] != SIDE**2:
            raise ValueError("model must have two latents and 784 pixels.")
        images, labels = check_digits(model, images, labels)
        with torch.no_grad(), evaluating(model):
            q = model.encode(images)
            if not isinstance(q, DiagonalGaussian) or model.params["likelihood"] != "bernoulli":
                raise ValueError("model must have a diagonal posterior and a Bernoulli likelihood.")
            check_logits(model, REACH)
            codes = torch.cat([q.loc, q.log_var], 1)
            if not torch.equal(codes, model.encoder(images)):
                raise ValueError(
                    "model.encode gives other means and log variances than model.encoder, which is "
                    "what the page runs; let encode do nothing else."
                )
        self._count = len(images)
        data, table = pack(
            {
                "decoder": decoder_weights.astype(np.float16),
                "images": images.byte().cpu().numpy(),
                "codes": codes.float().cpu().numpy(),
            }
        )
        spec = {"title": title, "decoder": decoder, "encoder": encoder, "weights": weights or ""}
        spec["labels"] = labels
        inline = b"" if weights else self._encoder
        super().__init__(spec=spec | {"table": table}, arrays=data, encoder=inline, **traits)
        self.spec = self.spec | {"start": {"picked": self.picked, "eps": self.eps}}
        self.on_msg(self._send_encoder)

    def _send_encoder(self, *_):
        self.encoder = self._encoder

    @traitlets.validate("picked")
    def _check_picked(self, proposal):
        return check_whole("picked", proposal["value"], self._count - 1)


def encoder_script(model, name):
    """A script for the book's static files, which `PipelineExplorer(weights=name)` loads."""
    return static_script(name, _encoder(model)[1])


def _encoder(model):
    """The encoder's layers, and its weights as bytes that `pack` made of one float16 array."""
    layers, weights = read_network("model.encoder", getattr(model, "encoder", None))
    return layers, pack({"encoder": weights.astype(np.float16)})[0]
