"""A VAE with a label: conditional where it is known, summed over where it is not. Chapter 16."""

import math
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch.distributions import kl_divergence
from torch.nn.functional import one_hot

from vaecourse._arguments import as_labels, as_rows, check_counts
from vaecourse.distributions import BernoulliPixels, DiagonalPosterior
from vaecourse.models.base import CHUNK, Dimension, LabelledModel, Seed, Widths
from vaecourse.networks import mlp

UNKNOWN = -1  # the label of a row without one


class M2(LabelledModel):
    """p(y) p(z) p(x|y, z) of binary pixels, with q(y|x) q(z|x, y) [KRMW14].

    A row is an image with its label as one more column, −1 where nobody knows it.

    data_dim: D, the number of pixels.
    latent_dim: J, the number of latents beside the label.
    hidden: widths of the hidden layers of the encoder and, reversed, of the decoder.
    classifier_hidden: widths of the hidden layers of q(y|x).
    num_classes: K; labels are 0 to K − 1, each as probable as the others.
    label_weight: of −log q(y|x) in the loss of a labelled row; without it q(y|x) learns from
        rows without labels alone.
    seed: of the initial weights.
    """

    kind = "m2"
    lowest_label = UNKNOWN
    loss_unit = "loss (nats per data point)"

    def __init__(
        self,
        data_dim: Dimension,
        latent_dim: Dimension,
        hidden: Widths = (128,),
        classifier_hidden: Widths = (128,),
        num_classes: Annotated[int, Ge(2), Le(10_000)] = 10,
        *,
        label_weight: Annotated[float, Ge(0)] = 1.0,
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(data_dim=data_dim, latent_dim=latent_dim, num_classes=num_classes)
        self.data_dim, self.latent_dim, self.num_classes = data_dim, latent_dim, num_classes
        self.label_weight = label_weight
        generator = torch.Generator().manual_seed(seed)
        back = tuple(reversed(hidden))
        self.posterior = DiagonalPosterior(latent_dim)
        sizes = [data_dim + num_classes, *hidden, self.posterior.num_outputs]
        self.encoder = mlp(sizes, generator=generator)
        self.decoder = mlp([latent_dim + num_classes, *back, data_dim], generator=generator)
        self.classifier = mlp([data_dim, *classifier_hidden, num_classes], generator=generator)

    @property
    def prior(self):
        """p(z) = N(0, I)."""
        return self.posterior.prior(like=self.decoder[0].weight)

    def classify(self, x):
        """log q(y|x) of x [B, D]: [B, K]. ValueError for other x, as below."""
        return self._classify(as_rows(self.tensor(x), self.data_dim))

    def _classify(self, x):
        return self.classifier(x).log_softmax(-1)

    def encode(self, x, y):
        """q(z|x, y) for x [..., D] and one-hot y [..., K]."""
        x, y = self.tensor(x, self.data_dim), self.tensor(y, self.num_classes, "y")
        return self.posterior(_joined(self.encoder, x, y))

    def decode(self, z, y):
        """p(x|y, z) for z [..., J] and one-hot y [..., K]."""
        z, y = self.tensor(z, self.latent_dim, "z"), self.tensor(y, self.num_classes, "y")
        return BernoulliPixels(_joined(self.decoder, z, y))

    def bounds(self, x, generator=None):
        """The bound on log p(x, y) for x [B, D] and each label, by one draw of z: [K, B]."""
        return self._bounds(as_rows(self.tensor(x), self.data_dim), generator)

    def _bounds(self, x, generator):
        labels = torch.eye(self.num_classes).to(x)[:, None]
        return self._bound(x, labels, generator)

    def labelled_bound(self, x, label, generator=None):
        """The bound on log p(x, y) for x [B, D] and labels [B], by one draw of z: [B]."""
        x = as_rows(self.tensor(x), self.data_dim)
        label = as_labels("label", label, len(x), high=self.num_classes - 1)
        return self._labelled_bound(x, torch.from_numpy(label).to(x.device), generator)

    def _labelled_bound(self, x, label, generator):
        return self._bound(x, one_hot(label, self.num_classes).to(x), generator)

    def unlabelled_bound(self, x, generator=None):
        """The bound on log p(x), its sum over y exact: Σ q(y|x) (L(x, y) − log q(y|x)), [B]."""
        return self._unlabelled_bound(as_rows(self.tensor(x), self.data_dim), generator)

    def _unlabelled_bound(self, x, generator):
        log_q = self._classify(x).T
        return (log_q.exp() * (self._bounds(x, generator) - log_q)).sum(0)

    def _bound(self, x, y, generator):
        q = self.encode(x, y)
        z = q.rsample((), generator)
        rate = kl_divergence(q, self.prior)
        return self.decode(z, y).log_prob(x) - rate - math.log(self.num_classes)

    def loss(self, rows, generator=None):
        """Minus the mean bound, each row's own kind, and the labelled rows' cross entropy."""
        x, label = rows[:, :-1], rows[:, -1]
        known = label != UNKNOWN
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        if not known.all():
            total = -self._unlabelled_bound(x[~known], generator).sum()
        if known.any():
            label = label[known].long()
            total = total - self._labelled_bound(x[known], label, generator).sum()
            right = self._classify(x[known]).gather(1, label[:, None])
            total = total - self.label_weight * right.sum()
        return total / len(rows)

    def metrics(self, rows, importance_samples, importance_rows, seed):
        """`accuracy`, and the mean bounds on log p(x, y) and log p(x), in nats."""
        rows = self.check(rows)
        generator = torch.Generator(device=rows.device).manual_seed(seed)
        rows = rows[rows[:, -1] != UNKNOWN]
        if len(rows) == 0:
            raise ValueError("rows has no label but −1, for none, and these metrics need one.")
        both = [
            (
                self.labelled_bound(part[:, :-1], part[:, -1], generator),
                self.unlabelled_bound(part[:, :-1], generator),
            )
            for part in rows.split(CHUNK)
        ]
        labelled, unlabelled = (torch.cat(values).mean().item() for values in zip(*both))
        accuracy = self.accuracy(rows[:, :-1], rows[:, -1])
        return {"accuracy": accuracy, "labelled_bound": labelled, "unlabelled_bound": unlabelled}

    def check(self, rows):
        """`rows` [B, D + 1] as a tensor; ValueError where they are not such data for it."""
        rows = super().check(rows)
        x = rows[:, :-1]
        if not ((x >= 0) & (x <= 1)).all():
            low, high = x.min().item(), x.max().item()
            raise ValueError(
                f"rows hold pixels from {low:g} to {high:g}; they must lie between 0 and 1."
            )
        return rows


def _joined(network, one, y):
    """network([one, y]); the first layer is applied to `one` once, not once for each label."""
    first, rest = network[0], network[1:]
    own, labels = first.weight.split([one.shape[-1], y.shape[-1]], dim=1)
    return rest(one @ own.T + (y @ labels.T + first.bias))
