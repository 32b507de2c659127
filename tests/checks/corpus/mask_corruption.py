"""Answers to `vc.checks.mask_corruption`, written before the check was read."""

import numpy as np
import torch
from torch.nn import functional


def rand(x, g):
    return torch.rand(x.shape, generator=g, dtype=x.dtype)


def first_pixels(x, level, g):
    x = x.clone()
    x[:, : round(level * x.shape[1])] = 0
    return x


def reseeded(x, level, generator):
    generator.manual_seed(0)
    return x * (rand(x, generator) >= level)


def one_mask_for_two_rows(x, level, g):
    half = torch.rand((len(x) + 1) // 2, x.shape[1], generator=g) >= level
    return x * torch.cat([half, half])[: len(x)]


def in_place(x, level, g):
    x[rand(x, g) < level] = 0
    return x


def mask_and_image(x, level, g):
    keep = rand(x, g) >= level
    return x * keep, keep


def from_numpy(x, level, generator):
    rng = np.random.default_rng(torch.randint(2**31, (1,), generator=generator).item())
    return x.numpy() * (rng.random(tuple(x.shape)) >= level)


def row_by_row(x, level, generator):
    out = x.clone()
    for row in out:
        row[torch.rand(len(row), generator=generator) < level] = 0.0
    return out


def by_waiting_times(x, level, generator):
    times = torch.empty_like(x).exponential_(generator=generator)
    return x.masked_fill(times < -torch.log1p(torch.tensor(-level)), 0.0)


def uniform(x, g):
    return torch.rand(x.shape, generator=g)


def float_mask(x, p, g):
    return x.float() * (uniform(x, g) >= p)


def numpy_mask(x, p, g):
    return np.where(uniform(x, g).numpy() < p, 0.0, x.numpy())


def half_and_half(x, p, g):
    keep = uniform(x[: len(x) // 2], g) >= p
    return x * torch.cat([keep, keep])


def column_heavy(x, p, g):
    weights = torch.linspace(0.5, 1.5, x.shape[1])
    return x * (uniform(x, g) >= p * weights)


def a_block_in_each(x, level, generator):
    length = round(level * x.shape[1])
    start = torch.randint(x.shape[1], (len(x), 1), generator=generator)
    return x * ((torch.arange(x.shape[1]) - start) % x.shape[1] >= length)


def bright_ones_alone(x, level, generator):
    return x * ((uniform(x, generator) >= level) | (x <= 0))


def kept(x, level, generator, masks={}):  # noqa: B006
    drawn = masks.setdefault(x.shape, rand(x, generator))
    return x * (drawn >= level)


def two_in_a_row(x, level, generator):
    drawn = torch.rand((len(x) + 1) // 2, x.shape[1], generator=generator)
    return x * (drawn.repeat_interleave(2, 0)[: len(x)] >= level)


def made_of(keep_of):
    """A mask [B, D] from keep_of(shape, level, generator), of a part of the draws or all."""
    return lambda x, p, g: x * keep_of(*x.shape, p, g)


def keep(rows, columns, p, g):
    return torch.rand(rows, columns, generator=g) >= p


def repeated_rows(rows, columns, p, g):
    return keep(16, columns, p, g).repeat(rows // 16 + 1, 1)[:rows]


def tiled_columns(rows, columns, p, g):
    return keep(rows, 32, p, g).repeat(1, columns // 32 + 1)[:, :columns]


def mirrored(rows, columns, p, g):
    half = keep(rows, (columns + 1) // 2, p, g)
    return torch.cat([half, half.flip(1)], 1)[:, -columns:]


def turned_round(rows, columns, p, g):
    half = keep((rows + 1) // 2, columns, p, g)
    return torch.cat([half, half.flip(0, 1)[rows % 2 :]])


def last_odd_image_whole(rows, columns, p, g):
    mask = keep(rows, columns, p, g)
    mask[max(1, rows - rows % 2) :] = True
    return mask


def one_image_whole(rows, columns, p, g):
    return keep(rows, columns, p, g) | (rows == 1 and p < 1)


def with_a_level_a_row(x, level, generator):
    levels = 2 * level * torch.rand(len(x), 1, generator=generator, dtype=x.dtype)
    return x * (rand(x, generator) >= levels)


def with_row_means(x, level, generator):
    return torch.where(rand(x, generator) < level, x.mean(1, keepdim=True), x)


def a_fixed_number_in_each_image(x, level, generator):
    return x * (uniform(x, generator).argsort(1) >= round(level * x.shape[1]))


WRONG = [
    (with_a_level_a_row, "Some images lose more pixels than others"),
    (with_row_means, "Pixels take new values other than 0"),
    (lambda x, p, g: (x * (rand(x, g) >= p)).clamp(0, 1), "Pixels take|What is kept becomes 1"),
    (
        lambda x, p, g: ((x > 0.5) & (rand(x, g) >= p)).double(),
        "What is kept becomes 1: multiply x by the mask",
    ),
    (lambda x, p, g: ((x > 1.5) & (rand(x, g) >= p)).double(), "What is kept becomes 1: multiply"),
    (lambda x, p, g: (x * (rand(x, g) >= p)).squeeze(), r"For one image alone: .*shape \[2000\]"),
    (made_of(repeated_rows), "Some images lose the same pixels"),
    (made_of(tiled_columns), "always lost together"),
    (made_of(mirrored), "always lost together"),
    (made_of(turned_round), "turned round"),
    (made_of(last_odd_image_whole), "For 21 images of 333 pixels: Some images lose more"),
    (made_of(one_image_whole), "For one image alone: Nothing is masked"),
    (lambda x, p, g: functional.dropout(x, p), "must come from the generator"),
    (lambda x, p, g: x * (torch.rand_like(x) >= p), "global random"),
    (lambda x, p, g: x * (rand(x, g) <= p), "You keep a pixel with probability level"),
    (
        lambda x, p, g: x * (rand(x, g) >= p) / (1 - p),
        r"You rescale what is kept by 1/\(1 − level\), as dropout does",
    ),
    (
        lambda x, p, g: x + p * torch.randn(x.shape, generator=g, dtype=x.dtype),
        "Pixels take new values other than 0: a",
    ),
    (lambda x, p, g: torch.where(rand(x, g) < p, 0.5, x), "A masked pixel becomes"),
    (
        lambda x, p, g: torch.where(rand(x, g) < p, 1 - x, x),
        "Pixels take new values other than 0: a",
    ),
    (lambda x, p, g: torch.where(rand(x, g) < p, torch.nan, x), "NaN"),
    (lambda x, p, g: torch.where(rand(x, g) < p, x, 0.0), "keep a pixel with"),
    (lambda x, p, g: x * (1 - p), "Pixels take new values other than 0: a"),
    (lambda x, p, g: x * (torch.randn(x.shape, generator=g) >= p), "normal draw"),
    (lambda x, p, g: (rand(x, g) >= p).double(), "What is kept becomes 1: multiply x"),
    (mask_and_image, "a tuple of 2 things; return the answer alone"),
    (in_place, "You change x in place"),
    (lambda x, p, g: x * (rand(x, g) >= 0.5), "Half of the pixels"),
    (first_pixels, "Every image loses the same pixels"),
    (reseeded, "Two calls with one generator give the same mask"),
    (one_mask_for_two_rows, "Some images lose the same pixels"),
    (lambda x, p, g: x * (torch.rand(len(x), 1, generator=g) >= p), "You mask whole images"),
    (lambda x, p, g: x * (rand(x, g) >= p * p), "At level"),
    (lambda x, p, g: x, "Nothing is masked"),
    (lambda x, p, g: 0 * x, "Everything is masked: the result is"),
    (half_and_half, "same pixels"),
    (lambda x, p, g: x * (uniform(x, g) >= round(p, 1)), "level 0.85 a share of 0.8"),
    (column_heavy, "more often"),
    (lambda x, p, g: x * (torch.rand(x.shape) >= p), "generator"),
    (lambda x, p, g: x * (uniform(x, g) > 1 - p), "probability level"),
    (lambda x, p, g: functional.dropout(x, p, training=True), "generator"),
    (lambda x, p, g: x * (uniform(x, g) >= p) / (1 - p), "dropout"),
    (lambda x, p, g: x * (torch.randn(x.shape, generator=g) >= p), "not randn"),
    (lambda x, p, g: x.mul_(uniform(x, g) >= p), "change x in place"),
    (lambda x, p, g: x * (uniform(x, g) >= p).round() * x, "take new values|new values"),
    (lambda x, p, g: uniform(x, g) >= p, "What is kept becomes 1"),
    (lambda x, p, g: x * (uniform(x, torch.Generator().manual_seed(0)) >= p), "the same mask"),
    (lambda x, p, g: x - p, "new values|becomes"),
    (lambda x, p, g: np.random.rand(*x.shape), "generator"),  # noqa: NPY002
    (a_block_in_each, "depends on its neighbour"),
    (lambda x, p, g: x * (torch.randn(x.shape, generator=g) >= p), "from rand, not randn"),
    (lambda x, p, g: x * (uniform(x, g) >= 0.5), "whatever the level is"),
    (lambda x, p, g: x * (1 - p), "leaves it as it is"),
    (bright_ones_alone, "For pixels of both signs"),
    (
        lambda x, p, g: x * (torch.randint(10, x.shape, generator=g) >= int(10 * p)),
        "share of 0.798",
    ),
    (
        lambda x, p, g: x * (torch.randint(100, x.shape, generator=g) >= int(100 * p)),
        "At level 0.0149 a share of 0.01",
    ),
    (lambda x, p, g: x * (torch.randint(20, x.shape, generator=g) >= int(20 * p)), "level 0.0149"),
    (lambda x, p, g: x * (rand(x, g) >= p / 100), "At level 0.3 a share of 0.003"),
    (lambda x, p, g: x * (rand(x, g) >= p / 10), "At level 0.3 a share of 0.0296"),
    (lambda x, p, g: (x * (rand(x, g) >= p)).int(), "made a whole number"),
    (lambda x, p, g: (x * (rand(x, g) >= p)).round(), "made a whole number"),
    (kept, "Two calls with one generator give the same mask"),
    (two_in_a_row, "Some images lose the same pixels"),
    (lambda x, p, g: x * (rand(x, g) >= p) * (rand(x, g) >= p), "by two masks, one after"),
    (
        lambda x, level, g: x * (rand(x, g) >= level) / level,
        r"You rescale what is kept by 1/\(level\)",
    ),
    (lambda x, level, g: (x * (rand(x, g) >= level))[:, :-1], r"has shape \[200, 499\]"),
]
RIGHT = [
    from_numpy,
    row_by_row,
    by_waiting_times,
    lambda x, p, g: x * torch.empty_like(x).bernoulli_(1 - p, generator=g),
    lambda x, p, g: torch.bernoulli(torch.full(x.shape, 1 - p), generator=g) * x,
    lambda x, p, g: x * (torch.randint(10**6, x.shape, generator=g) >= p * 10**6),
    lambda x, level, generator, fill=0.0: torch.where(rand(x, generator) > level, x, fill),
    lambda x, p, g: x - x * (torch.empty_like(x).uniform_(generator=g) < p),
    float_mask,
    numpy_mask,
    lambda x, p, g: x.masked_fill(uniform(x, g) < p, 0.0),
    lambda x, p, g: x * torch.bernoulli(torch.full(x.shape, 1.0 - p), generator=g),
    lambda x, p, g: torch.where(uniform(x, g) < p, 0.0, x),
    lambda x, p, g: x * (torch.randint(2**31, x.shape, generator=g) >= p * 2**31),
    a_fixed_number_in_each_image,
]
