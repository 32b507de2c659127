"""A small convolutional classifier, whose last hidden layer serves as features in chapter 13."""

import math
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch.nn.functional import cross_entropy

from vaecourse._arguments import as_labels, as_rows, as_tensor, check_counts
from vaecourse.convolutions import conv_encoder
from vaecourse.models.base import CHUNK, Channels, Dimension, ImageShape, LabelledModel, Seed
from vaecourse.networks import linear


def labelled(x, label):
    """x [N, D] with its labels [N] as one more column: what `fit` trains a classifier on.

    A label is a whole number from 0, or −1 for none. Raises ValueError for what is not so.
    """
    x = as_rows(x)
    label = torch.from_numpy(as_labels("label", label, len(x), low=-1))
    return torch.cat([x, as_tensor(label, x)[:, None]], dim=1)


class Classifier(LabelledModel):
    """log p(label|x) from convolutions that halve the image, a hidden layer and a linear map.

    image_shape: (C, H, W), so that D = C·H·W; H and W are halved once for each of `channels`.
    channels: of each convolution.
    feature_dim: F, the width of the hidden layer.
    num_classes: K; labels are 0 to K − 1.
    seed: of the initial weights.
    """

    kind = "classifier"
    loss_unit = "cross-entropy (nats per data point)"

    def __init__(
        self,
        image_shape: ImageShape,
        channels: Channels = (16, 32),
        feature_dim: Dimension = 64,
        num_classes: Annotated[int, Ge(2), Le(10_000)] = 10,
        *,
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(feature_dim=feature_dim, num_classes=num_classes)
        generator = torch.Generator().manual_seed(seed)
        self.body = conv_encoder(image_shape, channels, feature_dim, generator=generator)
        self.head = linear(feature_dim, num_classes, generator)
        self.data_dim, self.num_classes = math.prod(image_shape), num_classes

    def features(self, x):
        """The last hidden layer, never negative: x [B, D] to [B, F]. ValueError for other x."""
        return self.body(as_rows(self.tensor(x), self.data_dim)).relu()

    def forward(self, x):
        """Logits of the classes, [B, K]."""
        return self.head(self.features(x))

    def classify(self, x):
        """log p(label|x) of x [B, D]: [B, K]."""
        return self(x).log_softmax(-1)

    def loss(self, rows, generator=None):
        """−log p(label|x) averaged over `labelled` rows [B, D + 1], nats: for training."""
        return cross_entropy(self.head(self.body(rows[:, :-1]).relu()), rows[:, -1].long())

    def metrics(self, rows, importance_samples, importance_rows, seed):
        """`accuracy`, and `cross_entropy` in nats, of `labelled` rows; nothing is drawn."""
        rows = self.check(rows)
        losses = [self.loss(part).item() * len(part) for part in rows.split(CHUNK)]
        accuracy = self.accuracy(rows[:, :-1], rows[:, -1])
        return {"accuracy": accuracy, "cross_entropy": sum(losses) / len(rows)}
