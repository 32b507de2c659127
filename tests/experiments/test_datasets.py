"""What the section `data` of a parameter file stands for."""

import numpy as np
import pytest
import torch

import vaecourse as vc
from vaecourse.experiments import datasets
from vaecourse.experiments.parameters import DATA


def section(**keys):
    """The section `data` of a parameter file, validated."""
    return DATA[keys["name"]](**keys)


def test_mnist_counts_are_grey_levels_in_whole_steps():
    grey = vc.data.mnist("test").x
    assert torch.equal(
        datasets.test_data(section(name="mnist", counts=255)).x, (grey * 255).round()
    )
    coarse = datasets.test_data(section(name="mnist", counts=3)).x
    assert coarse.unique().tolist() == [0, 1, 2, 3]
    assert (coarse / 3 - grey).abs().max() <= 1 / 6 + 1e-6


def test_sampled_mnist_is_grey_until_each_batch():
    sampled = section(name="mnist", binarize="sample")
    x, transform = datasets.train_data(sampled, 0)
    assert torch.equal(x, vc.data.mnist("train").x)
    assert transform is vc.data.binarize
    test = datasets.test_data(sampled)
    assert test.x.unique().tolist() == [0, 1]
    assert test.label[:4].tolist() == [7, 2, 1, 0]
    assert datasets.train_data(section(name="mnist"), 0)[1] is None


def test_synthetic_rows_to_train_on_are_drawn_with_the_seed_of_the_run():
    blobs = section(name="three_blobs", n_train=5, n_test=2)
    assert torch.equal(datasets.train_data(blobs, 3)[0], vc.data.synthetic("three_blobs", 5, 3).x)
    expected = vc.data.synthetic("three_blobs", 2, datasets.TEST_SEED).x
    assert torch.equal(datasets.test_data(blobs).x, expected)


def test_a_file_is_split_at_random_but_always_alike(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(40.0).reshape(10, 2, 2))
    own = section(name="file", path=str(tmp_path / "a.npy"), test_fraction=0.3)
    train, test = datasets.train_data(own, 0)[0], datasets.test_data(own)
    assert (train.shape, test.x.shape, test.shape) == ((7, 4), (3, 4), (2, 2))
    assert sorted(torch.cat([train, test.x]).flatten().tolist()) == list(range(40))
    assert torch.equal(datasets.train_data(own, 5)[0], train)


def test_a_file_needs_rows_for_both_parts(tmp_path):
    own = section(name="file", path=str(tmp_path / "a.npy"), test_fraction=0.9)
    for rows, words in (
        (1, "a.npy has 1 row; a run needs 3, for two are kept for testing."),
        (2, "a.npy has 2 rows; a run needs 3, for two are kept for testing."),
        (4, "data.test_fraction is 0.9; of 4 rows 4 for testing leave none to train on."),
    ):
        np.save(tmp_path / "a.npy", np.ones((rows, 2)))
        with pytest.raises(ValueError) as caught:
            datasets.train_data(own, 0)
        assert str(caught.value) == words


@pytest.mark.parametrize("kinds", [["-1", "2", "10"], ["-1", "no", "yes"], ["(a)", "-1", "b"]])
def test_labels_that_are_learned_go_with_their_rows_and_none_stays_none(tmp_path, kinds):
    lines = [f"{row},{kinds[row % 3]}" for row in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3)]
    (tmp_path / "a.csv").write_text("\n".join(["a,kind", *lines]))
    own = section(name="file", path=str(tmp_path / "a.csv"), label="kind", test_fraction=0.3)
    train, test = datasets.train_data(own, 0, True)[0], datasets.test_data(own, True)
    classes = [kind for kind in kinds if kind != "-1"]
    number = {kind: float(classes.index(kind)) if kind in classes else -1.0 for kind in kinds}
    rows = torch.cat([train, test.x]).tolist()
    assert sorted(a for a, _ in rows) == [1, 1, 2, 3, 3, 4, 5, 5, 6, 9]
    assert all(label == number[kinds[int(a) % 3]] for a, label in rows)
    assert datasets.own_data(own, True).kinds == test.kinds == classes
    assert torch.equal(test.label.float(), test.x[:, 1])
    assert datasets.train_data(own, 0)[0].shape == (7, 1)  # where labels only colour a figure
    assert datasets.test_data(own).kinds == kinds


def test_more_kinds_are_learned_than_there_are_colours(tmp_path):
    (tmp_path / "a.csv").write_text(
        "\n".join(["a,kind", *(f"{row * row},k{row}" for row in range(30))])
    )
    own = section(name="file", path=str(tmp_path / "a.csv"), label="kind")
    assert datasets.train_data(own, 0, True)[0][:, 1].unique().numel() == 27
    with pytest.raises(ValueError, match="has 30 different values; a label has at most 10"):
        datasets.train_data(own, 0)


def test_frey_faces_are_split_in_the_order_of_time(monkeypatch, tmp_path):
    frames = torch.arange(1965 * 560).remainder(256).to(torch.uint8)
    monkeypatch.setattr(vc.data.files, "locate", lambda _, name: (None, tmp_path / name))
    monkeypatch.setattr(vc.data.files, "load", lambda *_: frames.numpy().tobytes())
    faces = section(name="frey_faces")
    test = datasets.test_data(faces)
    assert (len(datasets.train_data(faces, 0)[0]), len(test.x), test.shape) == (1800, 165, (28, 20))
    assert torch.equal(test.x[0], frames.view(-1, 560)[1800].float() / 255)
