"""Self-checks of chapter 02: the reconstruction loss and the corruption by a mask."""

import math

import torch

from vaecourse.checks.answers import (
    Mistake,
    SideEffect,
    Trial,
    check,
    normal,
    read_alone,
    seeded,
    uniform,
    watched,
)

# --- the loss --------------------------------------------------------------------------------


def _pairs():
    yield uniform(5, 3), uniform(5, 3, seed=1)
    yield 3 * uniform(2, 6, seed=2), -uniform(2, 6, seed=3)
    yield Trial((uniform(1, 3), uniform(1, 3, seed=1)), "For a batch of one image")
    yield Trial((uniform(4, 1), uniform(4, 1, seed=1)), "For images of one pixel")
    yield Trial((uniform(4, 4, seed=4), uniform(4, 4, seed=5)), "For as many images as pixels")
    small = 1e-3 * uniform(3, 4, seed=6), 1e-3 * uniform(3, 4, seed=7)
    yield Trial(small, "For values near 0.001", atol=1e-10)
    column = torch.linspace(-30, 30, 25, dtype=torch.float64)[:, None]
    where, along = "For one pixel and differences from −30 to 30", ("x − x_hat", column)
    shift = 40 * normal(25, 1, seed=8)  # so that no range of x or x_hat looks like one of these
    yield Trial((shift + column, shift), where, along=along)
    yield Trial((uniform(3, 784), uniform(3, 784, seed=1)), "For 784 pixels")
    apart = torch.tensor([0.0, 1e4, -1e4], dtype=torch.float64)
    moved = apart + uniform(5, 3, seed=9), apart + uniform(5, 3, seed=10)
    yield Trial(moved, "With columns 10,000 apart")


_CROSS_ENTROPY = (
    "This is a cross-entropy; the squared error (x − x̂)², summed over the pixels, is asked for."
)


def _wrong_losses(x, x_hat):
    """(what a mistake gives, the sentence that names it), …"""
    difference = x - x_hat
    squares, pixels = difference.square(), x.shape[1]
    right = squares.sum(-1)
    return [
        (
            squares.mean(),
            "You took the mean over images and pixels at once, as many library losses do unless "
            "told otherwise: sum over the pixels, and keep one number for each image.",
        ),
        (
            right / pixels,
            "You took the mean over pixels: sum over them, else the weight of the error against "
            "other terms depends on how many pixels there are.",
        ),
        (
            squares.sum(0),
            "You reduced over the wrong axis: the result has one entry for each pixel, and "
            "should have one for each image, so the sum runs over dim=-1.",
        ),
        (squares, "The pixels are not summed yet: the result is [B, D] and should be [B]."),
        (-right, "The sign is wrong: a squared error is positive, and training makes it small."),
        (right.sqrt(), "You took the square root: the loss is ‖x − x̂‖², not the norm ‖x − x̂‖."),
        (
            (right / pixels).sqrt(),
            "You took the root of the mean square: the loss is the sum of the squares.",
        ),
        (difference.sum(-1), "The square is missing: plain differences x − x̂ cancel."),
        (-difference.sum(-1), "The square is missing: plain differences x̂ − x cancel."),
        (difference.abs().sum(-1), "The square is missing: you summed absolute values."),
        (
            difference.sum(-1).square(),
            "You squared after the sum: square each pixel's difference first.",
        ),
        (
            right / len(x),
            "You divided by the number of images: each image keeps its own error.",
        ),
        (right / 2, "There is a factor ½ too much: the loss is ‖x − x̂‖² as it stands."),
        (x.square().sum(-1) - x_hat.square().sum(-1), "You squared before you subtracted."),
        *(
            (reduced, _CROSS_ENTROPY)
            for p in (x_hat, x_hat.sigmoid())
            for value in [-(x * p.log() + (1 - x) * (1 - p).log())]
            for reduced in (value.sum(-1), value.mean(-1), value.mean(), value.sum())
        ),
    ]


@check(
    _pairs,
    "squared differences, summed over the pixels, one number for each image.",
    _wrong_losses,
    gradients=("x_hat",),
    parts=lambda x, x_hat: {
        "The term x²": x.square().sum(-1),
        "The term −2 x x̂": -2 * (x * x_hat).sum(-1),
        "The term x̂²": x_hat.square().sum(-1),
    },
)
def reconstruction_loss(x, x_hat):
    """Check `fn(x, x_hat) -> [B]`, the squared error of each row of x [B, D]. Chapter 02."""
    return (x - x_hat).square().sum(-1)


# --- the mask --------------------------------------------------------------------------------


_LEVELS = (0.3, 0.85, 0.0149)  # the last tells it from any in hundredths


@watched("x", "level", "generator")
def mask_corruption(student):
    """Check `fn(x, level, generator) -> x̃`, each pixel of x [B, D] set to 0 with chance `level`.

    A fixed number of pixels in each image, as in [VLBM08], passes too. Chapter 02.
    """
    x = _images()
    masks = [_like(x, student(x, level, seeded(0))) for level in _LEVELS]
    for masked, level in zip(masks[:2], _LEVELS):
        _check_what_is_kept(masked, x, level)
        _check_draws(masked == 0)
    _name_shares([masked == 0 for masked in masks])
    for masked, level in zip(masks, _LEVELS):
        _check_share(masked == 0, level)
        if level > 0.1:  # else counts of pixels are too small
            _check_pattern(masked == 0)
    few = x[:20]  # a loop over pixels takes long
    _check_source_of_chance(student, few, 0.85)
    if not torch.equal(_like(few, student(few, 0.0, seeded(0))), few):
        raise Mistake("At level 0 nothing may change: the result should equal x.")
    if _like(few, student(few, 1.0, seeded(0))).any():
        raise Mistake("At level 1 nothing may be left: the result should be zero everywhere.")
    others = {
        "For pixels of both signs": x[:75, :400] - 1,
        "For one image alone": x[:4].reshape(1, 2000),
        "For images of 10 pixels": x[:4].reshape(200, 10),
        "For 21 images of 333 pixels": x[:21, :333],
    }
    for where, images in others.items():
        try:
            masked = _like(images, student(images, 0.3, seeded(0)))
            _check_what_is_kept(masked, images, 0.3)
            _check_share(masked == 0, 0.3)
            if len(images) == 21:
                _check_pattern(masked == 0)
        except SideEffect:
            raise
        except Mistake as mistake:
            raise Mistake(f"{where}: {mistake}") from None
    return "each pixel is zero with the chance you gave, and is left as it was otherwise."


def _images():
    """[200, 500] from 0.5 to 3.5, exact in single precision too."""
    return (0.5 + 3 * uniform(200, 500, seed=3)).float().double()


def _like(x, answer):
    masked = read_alone(answer, x.shape)
    if masked.shape != x.shape:
        raise Mistake(f"The result has shape {list(masked.shape)} for x of {list(x.shape)}.")
    if not masked.isfinite().all():
        raise Mistake("The result has NaN or infinite values.")
    return torch.where((masked - x).abs() < 1e-6, x, masked)


def _check_what_is_kept(masked, x, level):
    changed = masked != x
    hidden = masked == 0
    if not changed.any():
        raise Mistake("Nothing is masked: the result equals x.")
    if hidden.all():
        raise Mistake("Everything is masked: the result is zero everywhere.")
    if torch.equal(changed, hidden):
        return
    kept, original = masked[~hidden], x[~hidden]
    for factor, name in ((1 - level, "1 − level"), (level, "level")):
        if torch.allclose(kept * factor, original):
            raise Mistake(
                f"You rescale what is kept by 1/({name}), as dropout does: a mask leaves the other "
                "pixels exactly as they are."
            )
    if (kept == 1).all():
        raise Mistake("What is kept becomes 1: multiply x by the mask, so that it stays as it is.")
    if any(torch.equal(kept, whole(original)) for whole in (torch.round, torch.trunc)):
        raise Mistake("What is kept is made a whole number; leave it as it is.")
    values = masked[changed].unique()
    if len(values) == 1:
        raise Mistake(f"A masked pixel becomes {values.item():.4g}, and should become 0.")
    raise Mistake(
        "Pixels take new values other than 0: a mask sets a pixel to zero or leaves it as it is."
    )


def _check_draws(hidden):
    if (hidden == hidden[:, :1]).all():
        raise Mistake(
            "You mask whole images: there is one draw a row, and every pixel needs a draw of its "
            "own, so the mask has the shape of x."
        )
    if (hidden == hidden[:1]).all():
        raise Mistake(
            "Every image loses the same pixels: every pixel of every image needs a draw of its "
            "own, so the mask has the shape of x."
        )


def _check_images(hidden):
    rows, share = hidden.double().mean(1), hidden.double().mean()
    if (rows - share).abs().max() > 6 * (share * (1 - share) / hidden.shape[1]).sqrt():
        raise Mistake("Some images lose more pixels than others: every pixel has the same chance.")


def _check_pattern(hidden):
    share = hidden.double().mean()
    deviations = hidden.double() - share
    related = (deviations[:, 1:] * deviations[:, :-1]).mean() / (share * (1 - share))
    by_neighbour = Mistake(
        "What happens to a pixel depends on its neighbour; every pixel needs a draw of its own."
    )
    if related > 0.3:  # more than shares that differ, or copies, bring about
        raise by_neighbour
    if len(hidden.unique(dim=0)) < len(hidden):
        raise Mistake("Some images lose the same pixels; every image needs draws of its own.")
    if len(hidden) > 100 and hidden.unique(dim=1).shape != hidden.shape:
        raise Mistake("Some pixels are always lost together; every pixel needs a draw of its own.")
    columns = hidden.double().mean(0)
    if (columns - share).abs().max() > 6 * (share * (1 - share) / len(hidden)).sqrt():
        raise Mistake("Some places of an image are set to zero more often than others.")
    _check_images(hidden)
    if related.abs() > 7 / hidden.numel() ** 0.5:
        raise by_neighbour
    turned = (deviations * deviations.flip(0, 1)).mean() / (share * (1 - share))
    if turned.abs() > 10 / hidden.numel() ** 0.5:  # each pair is counted twice
        raise Mistake(
            "The mask of the last image is that of the first, turned round; every image needs "
            "draws of its own."
        )


_WRONG_SHARES = [
    (
        lambda level: 1 - level,
        "You keep a pixel with probability level: level is the chance that it is set to zero, "
        "so keep where the uniform draw is at least level.",
    ),
    (
        lambda level: 0.5 * (1 + math.erf(level / math.sqrt(2))),
        "A pixel is set to zero as often as a normal draw lies below level; draw from rand, not "
        "randn.",
    ),
    (
        lambda level: 1 - (1 - level) ** 2,
        "A pixel is set to zero as often as by two masks, one after the other.",
    ),
    (lambda level: 0.5, "Half of the pixels are set to zero, whatever the level is."),
]


def _fits(hidden, chance):
    """Whether the share that is set to zero is within five standard errors of the chance."""
    share = hidden.double().mean().item()
    return abs(share - chance) < 5 * (chance * (1 - chance) / hidden.numel()) ** 0.5


def _name_shares(masks):
    """A mistake must fit at every level."""
    for wrong, sentence in _WRONG_SHARES:
        if all(_fits(hidden, wrong(level)) for hidden, level in zip(masks, _LEVELS)):
            raise Mistake(sentence)


def _check_share(hidden, level):
    if not _fits(hidden, level):
        share = hidden.double().mean().item()
        if share > 0.1:
            _check_images(hidden)
        raise Mistake(f"At level {level} a share of {share:.3g} of the pixels is set to zero.")


def _check_source_of_chance(student, x, level):
    def mask(generator):
        return _like(x, student(x, level, generator))

    masked = mask(seeded(0))
    if not torch.equal(mask(seeded(0)), masked):
        raise Mistake(
            "You ignore the generator: with the same seed the mask differs from call to call, so "
            "hand generator=generator to the function that draws."
        )
    one = seeded(0)
    if torch.equal(mask(one), mask(one)):
        raise Mistake(
            "Two calls with one generator give the same mask; each must take new draws from it."
        )
    if torch.equal(mask(seeded(1)), masked):
        raise Mistake("You ignore the generator: another seed gives the same mask.")
