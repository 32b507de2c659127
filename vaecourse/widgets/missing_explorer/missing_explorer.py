"""The missing explorer, Python side: images to pick, the decoder, and the numbers of the page."""

import numpy as np
import torch
import traitlets

from vaecourse._arguments import check_whole
from vaecourse.evaluation.grid import LatentGrid
from vaecourse.widgets.networks import SIDE, check_digits, check_logits, check_prior, read_network
from vaecourse.widgets.packing import pack
from vaecourse.widgets.shared import Explorer, Hand, check_numbers, page_files

POINTS, REACH = 81, 4.0  # of the grid of z


class MissingExplorer(Explorer):
    """A digit of which only a window is seen, p(z | seen), and the mean of what is missing.

    model: a VAE with a Bernoulli likelihood, the prior N(0, I) and two latents, whose decoder is an
        nn.Sequential of Linear layers and activations.
    images: [N, 784] of zeros and ones to pick from, at most 20.
    labels: [N] digits, by which the images are named to those who do not see them, or None.
    title: the line above the picture.
    picked, corner: the picked image, and the window's lower right corner [columns, height]: seen
        are so many columns from the left, and the rows above that height, 0 to 28 from below. While
        a kernel runs, they follow the hand, and `explorer.values` holds the numbers on the page.

    Everything is a sum over 81 × 81 points of z, a tenth apart; log p of a posterior that is
    narrower than that is off by a few tenths of a nat. Raises ValueError for a model or images that
    the page cannot show. Source: chapter 16.
    """

    _esm, _css = page_files("missing_explorer", "networks.js", "latent_explorer/posterior.js")
    spec = traitlets.Dict().tag(sync=True)
    arrays = traitlets.Bytes().tag(sync=True)
    picked = Hand(0)
    corner = Hand([28, 14], check_numbers, dict.fromkeys(["column", "height"], (0, SIDE)))

    def __init__(
        self, model, images, labels=None, *, title="What the missing pixels may be", **traits
    ):
        check_prior(model)
        decoder, weights = read_network("model.decoder", getattr(model, "decoder", None))
        bernoulli = getattr(model, "params", {}).get("likelihood", "bernoulli") == "bernoulli"
        if decoder[0][0] != 2 or decoder[-1][1] != SIDE**2 or not bernoulli:
            raise ValueError("model must have two latents and 784 Bernoulli pixels.")
        check_logits(model, REACH)
        images, labels = check_digits(model, images, labels)
        self._model, self._images = model, images
        data, table = pack(
            {"decoder": weights.astype(np.float16), "images": images.byte().cpu().numpy()}
        )
        spec = {"title": title, "decoder": decoder, "table": table, "grid": [POINTS, REACH]}
        super().__init__(spec=spec | {"labels": labels}, arrays=data, **traits)
        self.spec = self.spec | {"start": {"picked": self.picked, "corner": self.corner}}

    @traitlets.validate("picked")
    def _check_picked(self, proposal):
        return check_whole("picked", proposal["value"], len(self._images) - 1)

    @property
    def values(self):
        """A dict of nats: `seen`, `missing` given what is seen, and `whole`, their sum log p(x)."""
        columns, height = self.corner
        seen = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        seen[: SIDE - round(height), : round(columns)] = True
        grid, x = LatentGrid(self._model, POINTS, REACH), self._images[[self.picked]]
        whole, part = grid.log_evidence(x).item(), grid.log_evidence(x, seen.flatten()).item()
        return {"seen": part, "missing": whole - part, "whole": whole}
