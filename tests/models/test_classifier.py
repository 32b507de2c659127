"""The classifier: its loss by hand, and what it refuses."""

import numpy as np
import pytest
import torch
from sentences import refused

import vaecourse as vc
from vaecourse.models import Classifier, labelled
from vaecourse.models.base import CHUNK


@pytest.fixture
def classifier():
    return Classifier((1, 8, 12), channels=(3, 4), feature_dim=5, num_classes=3).double()


class Column:
    """What numpy sees of a column of a frame that has a type of its own."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=object)


class Missing:
    """A value that is not there, of which no comparison is true or false: as pandas.NA."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError

    __hash__ = None


def images(n=6):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, 96, generator=generator, dtype=torch.float64)
    return x, torch.arange(n) % 3


def test_the_loss_is_minus_the_log_probability_of_the_label(classifier):
    x, label = images()
    probability = classifier(x).softmax(1)[torch.arange(6), label]
    assert (classifier.loss(labelled(x, label)) + probability.log().mean()).abs() < 1e-14
    x, label = images(CHUNK + 100)
    expected = (classifier(x).argmax(1) == label).double().mean()
    assert classifier.accuracy(x, label) == pytest.approx(expected.item(), abs=1e-12)


def test_it_learns_where_the_bright_half_is():
    x = torch.rand(64, 96, generator=torch.Generator().manual_seed(1))
    label = torch.arange(64) % 2
    x.view(64, 8, 12)[label == 1, :4] += 1
    x.view(64, 8, 12)[label == 0, 4:] += 1
    classifier = Classifier((1, 8, 12), channels=(3, 4), feature_dim=5, num_classes=2)
    vc.training.fit(classifier, labelled(x, label), epochs=30, batch_size=16, progress=False)
    assert classifier.accuracy(x, label) == 1


def test_it_is_built_again_from_its_parameters(classifier):
    again = vc.models.build(classifier.params).double()
    x, _ = images()
    assert torch.equal(again(x), classifier(x))


def test_labels_and_images_that_do_not_fit_are_refused(classifier):
    x, label = images()
    with pytest.raises(
        ValueError, match="values from 0 to 3; it must hold whole numbers from 0 to 2"
    ):
        classifier.check(labelled(x, torch.tensor([0, 1, 2, 3, 0, 1])))
    with pytest.raises(ValueError, match=r"rows has shape \[6, 96\]; it must be \[N, 97\]"):
        classifier.check(x)
    with pytest.raises(ValueError, match=r"x has shape \[6, 97\]; it must be \[N, 96\]"):
        classifier.features(labelled(x, label))
    with pytest.raises(ValueError, match="num_classes is 0; it must be an integer of at least 1"):
        Classifier((1, 8, 8), num_classes=0)


def test_labels_may_be_what_data_may_be(classifier):
    x, label = images(9)
    expected = classifier.accuracy(x, label)
    for given in (label.tolist(), label.numpy(), label.double(), Column(label.tolist())):
        assert classifier.accuracy(x.numpy(), given) == expected
        assert torch.equal(labelled(x, given), labelled(x, label))


ONE_HOT = torch.eye(3)[torch.arange(9) % 3]
MISSING = "label has no value in 1 of 9 rows; leave them out, or give them a kind of their own."
NUMBERS = "numbers by np.unique(label, return_inverse=True)[1], of all the data at once."
WHOLE = "it must hold whole numbers of at least 0, or −1 for none."


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        (0, "label has shape []; it must be [9], as x has."),
        ([0], "label has shape [1]; it must be [9], as x has."),
        ([[0, 1], [2]], "label is a list that cannot be read as labels; it must hold one for each"),
        ([0.0] * 8 + [np.nan], MISSING),
        ([0] * 8 + [None], MISSING),
        (Column([0] * 8 + [Missing()]), MISSING),
        (np.ma.array([0] * 9, mask=[0] * 8 + [1]), MISSING),
        (ONE_HOT, "label has shape [9, 3]; it must be [9], as x has: label.int().argmax(1) makes"),
        (ONE_HOT.numpy(), "label has shape [9, 3]; it must be [9], as x has: label.argmax(1) make"),
        (ONE_HOT.tolist(), "label has shape [9, 3]; it must be [9], as x has: np.argmax(label, 1"),
        (2 * ONE_HOT, "label has shape [9, 3]; it must be [9], as x has."),
        (ONE_HOT[:, :1], "label has shape [9, 1]; it must be [9], as x has: label.flatten() make"),
        ([["a"]] * 9, "label has shape [9, 1]; it must be [9], as x has: np.ravel(label) makes it"),
    ],
)
def test_labels_of_another_shape_are_refused_wherever_they_are_given(classifier, label, sentence):
    x, _ = images(9)
    assert refused(labelled, x, label).startswith(sentence)
    assert refused(classifier.accuracy, x, label).startswith(sentence)
    cure = sentence.partition("has: ")[2].partition(" make")[0]
    if cure.endswith(")"):
        made = eval(cure, {"np": np, "label": label})
        assert list(made.shape) == [9]


def test_labels_that_are_no_classes_are_refused(classifier):
    x, label = images(9)
    words = [["a", "b", "c"][kind] for kind in label]
    told = "label has values that are no whole numbers; it must hold whole numbers from 0 to 2; "
    assert (
        refused(classifier.accuracy, x, words) == f"{told}kinds, words say, become such {NUMBERS}"
    )
    assert refused(classifier.accuracy, x, label + 1) == (
        "label has values from 1 to 3; it must hold whole numbers from 0 to 2; kinds, words say, "
        f"become such {NUMBERS}"
    )
    made = np.unique(words, return_inverse=True)[1]
    assert classifier.accuracy(x, made) == classifier.accuracy(x, label)
    fault = "label has values that are no whole numbers"
    assert refused(labelled, x, words) == f"{fault}; {WHOLE}"
    assert refused(labelled, x, label + 0.5) == f"{fault}; {WHOLE}"
    assert refused(labelled, x, label - 2) == f"label has values from -2 to 0; {WHOLE}"
    infinite = label.double().index_fill(0, torch.tensor([0]), torch.inf)
    assert refused(labelled, x, infinite) == f"label has values from 0 to inf; {WHOLE}"
    assert refused(labelled, x.view(9, 1, 8, 12), label) == (
        "x has shape [9, 1, 8, 12]; it must be [N, D]: x.reshape(len(x), -1) makes an array so."
    )
