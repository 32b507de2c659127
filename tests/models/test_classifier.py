"""The classifier: its loss by hand, and what it refuses."""

import pytest
import torch

import vaecourse as vc
from vaecourse.models import Classifier, labelled
from vaecourse.models.base import CHUNK


@pytest.fixture
def classifier():
    return Classifier((1, 8, 12), channels=(3, 4), feature_dim=5, num_classes=3).double()


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
    with pytest.raises(ValueError, match="holds values from 0 to 3; it must hold labels from 0 to"):
        classifier.check(labelled(x, torch.tensor([0, 1, 2, 3, 0, 1])))
    with pytest.raises(ValueError, match=r"rows has shape \[6, 96\]; it must be \[N, 97\]"):
        classifier.check(x)
    with pytest.raises(ValueError, match=r"x has shape \[6, 97\]; it must be \[N, 96\]"):
        classifier.features(labelled(x, label))
    with pytest.raises(ValueError, match="num_classes is 0; it must be an integer of at least 1"):
        Classifier((1, 8, 8), num_classes=0)
