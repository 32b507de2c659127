"""MNIST as shipped, value for value; the other image sets by their parsers and their refusals."""

import gzip
import math
import shutil
import struct
from pathlib import Path

import pytest
import torch

import vaecourse as vc
from vaecourse.data import files, images

SHIPPED = Path(vc.__file__).parents[1] / "data" / "mnist"


@pytest.fixture(autouse=True)
def shipped_data_only(monkeypatch):
    monkeypatch.delenv("VAECOURSE_DATA", raising=False)


@pytest.mark.parametrize(
    ("split", "n", "total", "first", "counts"),
    [
        (
            "train",
            60_000,
            1_567_298_545,
            [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        ),
        (
            "test",
            10_000,
            264_923_200,
            [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        ),
    ],
)
def test_mnist_has_its_known_digits(split, n, total, first, counts):
    x, label = vc.data.mnist(split)
    assert x.shape == (n, 784)
    assert (x.double() * 255).round().sum().item() == total
    assert (x.min(), x.max()) == (0, 1)
    assert label[:10].tolist() == first
    assert label.bincount().tolist() == counts


def test_grey_levels_are_the_bytes_of_the_file_over_255():
    raw = gzip.decompress((SHIPPED / "t10k-images-idx3-ubyte.gz").read_bytes())
    pixels = torch.tensor(list(raw[16 : 16 + 50 * 784])).view(50, 784)
    assert torch.equal(vc.data.mnist("test").x[:50], pixels.float() / 255)


def test_threshold_is_one_above_a_half():
    grey, binary = vc.data.mnist("test"), vc.data.mnist("test", binarize="threshold")
    assert torch.equal(binary.x, (grey.x > 0.5).float())
    assert torch.equal(binary.label, grey.label)


def test_sampled_pixels_are_bernoulli_with_the_grey_level_and_fixed_by_the_seed():
    before = torch.get_rng_state()
    grey = vc.data.mnist("test").x.double()
    first, again, other = (vc.data.mnist("test", "sample", seed=s).x for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert first.unique().tolist() == [0, 1]
    deviation = (grey * (1 - grey)).sum().sqrt().item()
    assert abs((first.double() - grey).sum().item()) < 5 * deviation
    # Two seeds are independent: they differ in a pixel with probability 2 p (1 - p).
    differ = 2 * grey * (1 - grey)
    deviation = (differ * (1 - differ)).sum().sqrt().item()
    assert abs(((first != other).double() - differ).sum().item()) < 5 * deviation


def test_callers_cannot_spoil_what_the_next_one_gets():
    first = vc.data.mnist("test")
    total, labels = first.x.double().sum().item(), first.label.sum().item()
    first.x.zero_()
    first.label.zero_()
    second = vc.data.mnist("test")
    assert (second.x.double().sum().item(), second.label.sum().item()) == (total, labels)


def test_a_file_is_read_once_in_a_process(monkeypatch):
    expected = vc.data.mnist("test")
    monkeypatch.setattr(files, "load", lambda *_: pytest.fail("the file was read again"))
    assert torch.equal(vc.data.mnist("test").x, expected.x)


def test_binarize_draws_each_pixel_with_its_grey_level():
    generator = torch.Generator().manual_seed(0)
    batch = torch.tensor([0.0, 0.25, 0.5, 1.0]).repeat(20_000, 1)
    draw, another = vc.data.binarize(batch, generator), vc.data.binarize(batch, generator)
    assert draw[:, 0].count_nonzero() == 0
    assert draw[:, 3].count_nonzero() == 20_000
    for column, p in ((1, 0.25), (2, 0.5)):
        error = math.sqrt(p * (1 - p) / 20_000)
        assert abs(draw[:, column].mean().item() - p) < 5 * error
    assert not torch.equal(draw, another)
    assert torch.equal(vc.data.binarize(batch, torch.Generator().manual_seed(0)), draw)


@pytest.mark.parametrize("bad", [-0.1, 1.5, math.nan])
def test_binarize_refuses_what_is_no_grey_level(bad):
    batch = torch.tensor([[0.5, bad]])
    with pytest.raises(ValueError, match=r"x spans .*; grey levels must lie in \[0, 1\]\."):
        vc.data.binarize(batch, torch.Generator())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vc.data.mnist("tset"), r"split is 'tset' \(did you mean 'test'\?\)"),
        (lambda: vc.data.mnist("valid"), "it must be one of 'train', 'test'."),
        (
            lambda: vc.data.mnist("test", binarize="bernoulli"),
            "binarize is 'bernoulli'; it must be one of None, 'threshold', 'sample'.",
        ),
        (lambda: vc.data.mnist("test", "sample", seed=1.5), "seed is 1.5; it must be an integer"),
        (lambda: vc.data.static_mnist("all"), "it must be one of 'train', 'valid', 'test'."),
        (lambda: vc.data.frey_faces("valid"), "it must be one of 'train', 'test'."),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "name", "dataset"),
    [
        (lambda: vc.data.mnist("train"), "train-images-idx3-ubyte.gz", "mnist"),
        (lambda: vc.data.static_mnist("valid"), "binarized_mnist_valid.amat", "static_mnist"),
        (lambda: vc.data.frey_faces("train"), "frey_rawface.mat", "frey_faces"),
    ],
)
def test_a_missing_file_is_named_with_the_folder_and_the_remedy(
    call, name, dataset, monkeypatch, tmp_path
):
    monkeypatch.setattr(files, "folders", lambda: [tmp_path])
    with pytest.raises(vc.data.DataError) as caught:
        call()
    assert str(caught.value) == (
        f"{name} was not found in any of {tmp_path}: run `vaecourse data fetch {dataset}`, "
        "or name the folder that holds it in VAECOURSE_DATA."
    )


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda raw: raw[:1000], "is cut short or altered (1,000 bytes instead of 1,648,877)"),
        (
            lambda raw: raw[:5000] + bytes([raw[5000] ^ 1]) + raw[5001:],
            "is altered (its SHA-256 is not the published one)",
        ),
    ],
)
def test_a_damaged_file_is_refused_with_the_remedy(damage, complaint, monkeypatch, tmp_path):
    folder = tmp_path / "mnist"
    shutil.copytree(SHIPPED, folder)
    file = folder / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(damage(file.read_bytes()))
    monkeypatch.setattr(vc.data.files, "folders", lambda: [tmp_path])
    with pytest.raises(vc.data.DataError) as caught:
        vc.data.mnist("test")
    assert str(caught.value) == (
        f"{file.name} in {folder} {complaint}: run `vaecourse data fetch mnist` to replace it."
    )


def test_a_damaged_file_does_not_hide_a_whole_one(monkeypatch, tmp_path):
    name = "t10k-labels-idx1-ubyte.gz"
    (tmp_path / name).write_bytes(b"damaged")
    monkeypatch.setenv("VAECOURSE_DATA", str(tmp_path))
    assert vc.data.files.load("mnist", name) == (SHIPPED / name).read_bytes()


def test_idx_parser_reads_labels_and_images():
    label = gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 3) + bytes([7, 2, 255]))
    assert images._parse_idx(label).tolist() == [7, 2, 255]
    image = gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 2, 3) + bytes(range(12)))
    assert images._parse_idx(image).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_amat_parser_reads_rows_of_zeros_and_ones():
    assert images._parse_amat(b"0 1 1\n1 0 0\n", width=3).tolist() == [[0, 1, 1], [1, 0, 0]]


def test_static_mnist_hands_out_the_rows_of_its_split_without_labels(monkeypatch, tmp_path):
    rows = torch.bernoulli(torch.full((3, 784), 0.3), generator=torch.Generator().manual_seed(0))
    text = "".join(" ".join(str(int(v)) for v in row) + "\n" for row in rows)
    content = {"binarized_mnist_valid.amat": text.encode()}
    monkeypatch.setattr(files, "locate", lambda _, file_name: (None, tmp_path / file_name))
    monkeypatch.setattr(files, "load", lambda _, file_name: content[file_name])
    x, label = vc.data.static_mnist("valid")
    assert torch.equal(x, rows)
    assert label is None


def test_frey_faces_are_split_after_1800_frames_in_order(monkeypatch, tmp_path):
    frames = torch.arange(1965 * 560).remainder(251).to(torch.uint8).view(1965, 560)
    monkeypatch.setattr(files, "locate", lambda _, file_name: (None, tmp_path / file_name))
    monkeypatch.setattr(files, "load", lambda *_: frames.numpy().tobytes())
    train, test = vc.data.frey_faces("train"), vc.data.frey_faces("test")
    assert torch.equal(train.x, frames[:1800].float() / 255)
    assert torch.equal(test.x, frames[1800:].float() / 255)
    assert train.label is None
