"""The checks of chapter 02: right answers pass in any style, and each wrong one is named."""

import pytest
import torch
from torch.nn import functional

import vaecourse as vc
from vaecourse.models.autoencoder import corrupt

# --- the reconstruction loss -----------------------------------------------------------------


def row_by_row(x, x_hat):
    rows = []
    for image, copy in zip(x, x_hat, strict=True):
        total = 0.0
        for pixel, other in zip(image, copy, strict=True):
            total = total + (other - pixel) ** 2
        rows.append(total)
    return torch.stack(rows)


def loss_without_graph(x, x_hat):
    return torch.tensor([((a - b) ** 2).sum().item() for a, b in zip(x, x_hat, strict=True)])


RIGHT_LOSSES = {
    "textbook": lambda x, x_hat: ((x - x_hat) ** 2).sum(dim=1),
    "einsum": lambda x, x_hat: torch.einsum("bd,bd->b", x - x_hat, x - x_hat),
    "norm": lambda x, x_hat: torch.linalg.vector_norm(x_hat - x, dim=-1) ** 2,
    "library": lambda x, x_hat: functional.mse_loss(x_hat, x, reduction="none").sum(-1),
    "mean times D": lambda x, x_hat: x.shape[1] * (x - x_hat).square().mean(1),
    "expanded": lambda x, x_hat: (x * x - 2 * x * x_hat + x_hat * x_hat).sum(1),
    "row by row": row_by_row,
    "single precision": lambda x, x_hat: (x.float() - x_hat.float()).square().sum(1),
    "no gradient": loss_without_graph,
}


@pytest.mark.parametrize("fn", RIGHT_LOSSES.values(), ids=RIGHT_LOSSES)
def test_a_right_reconstruction_loss_passes_in_any_style(fn):
    assert vc.checks.reconstruction_loss(fn).startswith("Right:")


def in_place_loss(x, x_hat):
    x -= x_hat
    return x.square().sum(-1)


def loss_with_half_a_graph(x, x_hat):
    return ((x - x_hat) * (x - x_hat.detach())).sum(-1)


WRONG_LOSSES = {
    "mean over pixels": (lambda a, b: (a - b).square().mean(-1), "You took the mean over pixels"),
    "sum over images": (lambda a, b: (a - b).square().sum(), "reduced over the batch as well"),
    "mean of sums": (lambda a, b: (a - b).square().sum(-1).mean(), "reduced over the batch"),
    "mean over both": (functional.mse_loss, "the mean over images and pixels at once"),
    "cancelling": (lambda a, b: (a - b).sum(-1), "The square is missing: plain differences x − x̂"),
    "cancelling, swapped": (lambda a, b: (b - a).sum(-1), "plain differences x̂ − x cancel"),
    "absolute": (lambda a, b: (a - b).abs().sum(-1), "you summed absolute values"),
    "norm": (lambda a, b: (a - b).norm(dim=-1), "You took the square root"),
    "root of the mean": (lambda a, b: (a - b).square().mean(-1).sqrt(), "root of the mean square"),
    "square of the sum": (lambda a, b: (a - b).sum(-1).square(), "You squared after the sum"),
    "sign": (lambda a, b: -(a - b).square().sum(-1), "The sign is wrong"),
    "axis": (lambda a, b: (a - b).square().sum(0), "You reduced over the wrong axis"),
    "not summed": (lambda a, b: (a - b).square(), "The pixels are not summed yet"),
    "kept axis": (lambda a, b: (a - b).square().sum(-1, keepdim=True), "sum without keepdim"),
    "half": (lambda a, b: 0.5 * (a - b).square().sum(-1), "a factor ½ too much"),
    "per image": (lambda a, b: (a - b).square().sum(-1) / len(a), "by the number of images"),
    "squeezed": (lambda a, b: (a - b).square().sum(-1).squeeze(), "a number without axes"),
    "in place": (in_place_loss, "You change x in place"),
    "half a gradient": (loss_with_half_a_graph, "not the gradient by x_hat"),
    "nothing returned": (lambda a, b: None, "is the return statement missing"),
    "a number": (lambda a, b: (a - b).square().sum().item(), "reduced over the batch"),
    "norm of x": (lambda a, b: a.square().sum(-1), "This is right for x_hat = 0"),
    "one of D": (lambda a, b: (a - b)[:, :2].square().sum(-1), "Only the first 2 columns"),
    "stacked twice": (lambda a, b: (a - b).square().sum(-1).repeat(2), r"shape \[10\]"),
}


@pytest.mark.parametrize(("fn", "sentence"), WRONG_LOSSES.values(), ids=WRONG_LOSSES)
def test_a_wrong_reconstruction_loss_is_named(fn, sentence):
    with pytest.raises(vc.checks.Mistake, match=sentence):
        vc.checks.reconstruction_loss(fn)


# --- the mask --------------------------------------------------------------------------------


def with_where(x, level, generator):
    hidden = torch.rand(x.shape, generator=generator) < level
    return torch.where(hidden, torch.zeros_like(x), x)


def with_bernoulli(x, level, generator):
    return x * torch.bernoulli(torch.full_like(x, 1 - level), generator=generator)


def with_fill(x, level, generator):
    return x.masked_fill(torch.rand(x.shape, generator=generator) < level, 0)


def with_a_copy(x, level, generator):
    x = x.clone()
    x[torch.rand(x.shape, generator=generator) < level] = 0
    return x


def a_fixed_number_in_each_image(x, level, generator):
    hidden = torch.rand(x.shape, generator=generator).argsort(1) < round(level * x.shape[1])
    return x * ~hidden


def row_by_row_mask(x, level, generator):
    return torch.stack([with_where(row, level, generator) for row in x])


def as_the_package_does(x, level, generator):
    return corrupt(x, "mask", level, generator)


@pytest.mark.parametrize(
    "fn",
    [
        with_where,
        with_bernoulli,
        with_fill,
        with_a_copy,
        a_fixed_number_in_each_image,
        row_by_row_mask,
        as_the_package_does,
    ],
)
def test_a_right_mask_passes_in_any_style(fn):
    assert vc.checks.mask_corruption(fn).startswith("Right:")


def uniform(x, generator):
    return torch.rand(x.shape, generator=generator, dtype=x.dtype)


def in_place_mask(x, level, generator):
    x[uniform(x, generator) < level] = 0
    return x


def from_a_seed_of_its_own(x, level, generator):
    return with_where(x, level, torch.Generator().manual_seed(7))


def from_the_seed_of_the_generator(x, level, generator):
    return with_where(x, level, torch.Generator().manual_seed(generator.initial_seed()))


def from_the_global_state(x, level, generator):
    return x * (torch.rand_like(x) >= level)


WRONG_MASKS = {
    "keeps with level": (
        lambda x, level, g: x * (uniform(x, g) < level),
        "You keep a pixel with probability level",
    ),
    "whole images": (
        lambda x, level, g: x * (torch.rand(len(x), 1, generator=g) >= level),
        "You mask whole images",
    ),
    "the same pixels": (
        lambda x, level, g: x * (torch.rand(x.shape[1], generator=g) >= level),
        "Every image loses the same pixels",
    ),
    "rescaled": (
        lambda x, level, g: x * (uniform(x, g) >= level) / (1 - level),
        r"You rescale what is kept by 1/\(1 − level\), as dropout does",
    ),
    "dropout": (lambda x, level, g: functional.dropout(x, level), "must come from the generator"),
    "rescaled by level": (
        lambda x, level, g: x * (uniform(x, g) >= level) / level,
        r"You rescale what is kept by 1/\(level\)",
    ),
    "in place": (in_place_mask, "You change x in place"),
    "global state": (from_the_global_state, "must come from the generator"),
    "own seed": (from_a_seed_of_its_own, "the same mask"),
    "reseeded": (from_the_seed_of_the_generator, "the same mask"),
    "the mask alone": (
        lambda x, level, g: (uniform(x, g) >= level).to(x.dtype),
        "What is kept becomes 1: multiply x by the mask",
    ),
    "to one half": (
        lambda x, level, g: torch.where(uniform(x, g) < level, 0.25, x),
        "A masked pixel becomes 0.25",
    ),
    "noise": (
        lambda x, level, g: x + level * torch.randn(x.shape, generator=g, dtype=x.dtype),
        "leaves it as it is",
    ),
    "half the level": (
        lambda x, level, g: x * (uniform(x, g) >= level / 2),
        "At level 0.3 a share of 0.15",
    ),
    "nothing": (lambda x, level, g: x.clone(), "Nothing is masked"),
    "everything": (lambda x, level, g: 0 * x, "Everything is masked"),
    "another level": (
        lambda x, level, g: x * (uniform(x, g) >= 0.3),
        "At level 0.85 a share of 0.3 of",
    ),
    "shape": (lambda x, level, g: with_where(x, level, g)[:, :-1], r"has shape \[200, 499\]"),
    "nothing returned": (lambda x, level, g: None, "is the return statement missing"),
}


@pytest.mark.parametrize(("fn", "sentence"), WRONG_MASKS.values(), ids=WRONG_MASKS)
def test_a_wrong_mask_is_named(fn, sentence):
    with pytest.raises(vc.checks.Mistake, match=sentence):
        vc.checks.mask_corruption(fn)


# --- what both do with what is no answer -----------------------------------------------------


def test_a_right_answer_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    vc.checks.reconstruction_loss(RIGHT_LOSSES["textbook"])
    vc.checks.mask_corruption(with_where)
    assert torch.equal(torch.get_rng_state(), before)
