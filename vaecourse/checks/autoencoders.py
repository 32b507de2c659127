"""Self-checks of chapter 02: the reconstruction loss and the corruption by a mask.

Each takes the student's function, looks at what it does to data drawn here, and returns a
sentence that begins "Right:" or raises `Mistake` with the likely mistake. What the student's
function itself raises passes through, with its own traceback.
"""

import torch

from vaecourse.checks.answers import check_function, seeded
from vaecourse.checks.mistakes import Mistake

_ROWS, _PIXELS = 5, 3  # different, so that a shape gives away the axis


def reconstruction_loss(fn):
    """Check `fn(x, x_hat) -> [B]`, the squared error of each row of x [B, D].

    Raises Mistake where the values, the shape or the gradient are not those of
    Σ_d (x_d − x̂_d)², and TypeError when fn is not a function. Chapter 02.
    """
    check_function(fn)
    x, x_hat = _pair()
    got = fn(x, x_hat)
    for name, after, before in zip(("x", "x_hat"), (x, x_hat), _pair()):
        _check_unchanged(name, after, before)
    _check_one_number_an_image(got, x - x_hat)
    _check_squared_error(got, x - x_hat)
    _check_single_image(fn(x[:1], x_hat[:1]))
    _check_gradient(fn, x, x_hat)
    return "Right: squared differences, summed over the pixels, one number for each image."


def _pair():
    return torch.rand(2, _ROWS, _PIXELS, generator=seeded(2), dtype=torch.float64)


def _check_one_number_an_image(got, difference):
    _check_tensor(got)
    shape = tuple(got.shape)
    if shape == () and torch.allclose(got.double(), difference.square().mean(), rtol=1e-5):
        raise Mistake(
            "You took the mean over images and pixels at once, as many library losses do unless "
            "told otherwise: sum over the pixels, and keep one number for each image."
        )
    if shape == ():
        raise Mistake(
            "The result is a single number: you reduced over the batch as well, where each image "
            "keeps its own error until the training loss averages them."
        )
    if shape == (_PIXELS,):
        raise Mistake(
            "You reduced over the wrong axis: the result has one entry for each pixel, and "
            "should have one for each image, so the sum runs over dim=-1."
        )
    if shape == (_ROWS, _PIXELS):
        raise Mistake("The pixels are not summed yet: the result is [B, D] and should be [B].")
    if shape == (_ROWS, 1):
        raise Mistake("The result is [B, 1] and should be [B]: the sum kept its dimension.")
    if shape != (_ROWS,):
        raise Mistake(f"The result has shape {list(shape)} for x of [5, 3] and should be [5].")


def _check_squared_error(got, difference):
    right = difference.square().sum(-1)
    if torch.allclose(got.to(right.dtype), right, rtol=1e-5):
        return
    for sentence, wrong in _wrong_losses(difference).items():
        if torch.allclose(got.to(right.dtype), wrong, rtol=1e-5):
            raise Mistake(sentence)
    raise Mistake(
        f"The values are not those of ‖x − x̂‖²: for a first image with differences "
        f"{_listed(difference[0])} the result is {got[0].item():.4f} and should be "
        f"{right[0].item():.4f}."
    )


def _wrong_losses(difference):
    """Sentence → what that mistake gives, [B]."""
    right = difference.square().sum(-1)
    return {
        "You took the mean over pixels: sum over them, else the weight of the error against "
        "other terms depends on how many pixels there are.": right / _PIXELS,
        "The sign is wrong: a squared error is positive, and training makes it small.": -right,
        "You took the square root: the loss is ‖x − x̂‖², not the norm ‖x − x̂‖.": right.sqrt(),
        "You took the root of the mean square: the loss is the sum of the squares as it stands.": (
            right / _PIXELS
        ).sqrt(),
        "The square is missing: plain differences x − x̂ cancel.": difference.sum(-1),
        "The square is missing: plain differences x̂ − x cancel.": -difference.sum(-1),
        "The square is missing: you summed absolute values.": difference.abs().sum(-1),
        "You squared after the sum: square each pixel's difference first.": difference.sum(
            -1
        ).square(),
        "You divided by the number of images: each image keeps its own error.": right / _ROWS,
        "There is a factor ½ too much: the loss is ‖x − x̂‖² as it stands.": right / 2,
    }


def _check_single_image(got):
    _check_tensor(got)
    if tuple(got.shape) != (1,):
        raise Mistake(
            f"For a batch of one image the result has shape {list(got.shape)} and should be [1]: "
            "a squeeze() removes the batch axis when it has length one."
        )


def _check_gradient(fn, x, x_hat):
    """∂/∂x̂ of the sum must be −2(x − x̂), or the loss cannot train anything."""
    x_hat = x_hat.clone().requires_grad_(True)
    total = fn(x, x_hat).sum()
    if not total.requires_grad:
        raise Mistake(
            "No gradient reaches x_hat: item(), detach(), torch.tensor() and numpy cut the graph."
        )
    (gradient,) = torch.autograd.grad(total, x_hat)
    if not torch.allclose(gradient, -2 * (x - x_hat.detach()), rtol=1e-5, atol=1e-5):
        raise Mistake("The gradient with respect to x_hat is not −2(x − x̂): part of it is cut off.")


def mask_corruption(fn):
    """Check `fn(x, level, generator) -> x̃`, each pixel of x [B, D] set to 0 with chance `level`.

    A fixed number of pixels in each image, as in [VLBM08], passes too. Raises Mistake where
    what is kept, how much is kept, or where the chance comes from is wrong, and TypeError when
    fn is not a function. Chapter 02.
    """
    check_function(fn)
    level = 0.3
    x, same_x = _images(), _images()
    masked = fn(x, level, seeded(0))
    _check_unchanged("x", x, same_x)
    _check_tensor(masked)
    if masked.shape != x.shape:
        raise Mistake(f"The result has shape {list(masked.shape)} for x of {list(x.shape)}.")
    _check_what_is_kept(masked, x, level)
    _check_pattern(masked == 0)
    _check_share((masked == 0).double().mean().item(), level)
    _check_source_of_chance(fn, x, level, masked)
    if not torch.equal(fn(x, 0.0, seeded(0)), x):
        raise Mistake("At level 0 nothing may change: the result should equal x.")
    return "Right: each pixel is zero with the chance you gave, and is left as it was otherwise."


def _images():
    """[200, 500] with no zero among them, so that a zero has been put there."""
    return 0.5 + torch.rand(200, 500, generator=seeded(3), dtype=torch.float64)


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
    if ((masked == 0) | (masked == 1)).all():
        raise Mistake("You return the mask itself: multiply x by it.")
    values = masked[changed].unique()
    if len(values) == 1:
        raise Mistake(f"A masked pixel becomes {values.item():.4g}, and should become 0.")
    raise Mistake(
        "Pixels take new values other than 0: a mask sets a pixel to zero or leaves it alone, "
        "and adding noise is another corruption."
    )


def _check_pattern(hidden):
    if (hidden == hidden[:, :1]).all():
        raise Mistake(
            "You mask whole images: there is one draw a row, and every pixel needs a draw of its "
            "own, so the mask has the shape of x."
        )
    if (hidden == hidden[:1]).all():
        raise Mistake(
            "Every image loses the same pixels: there is one draw a column, and every pixel of "
            "every image needs a draw of its own, so the mask has the shape of x."
        )


def _check_share(share, level):
    """Within five standard errors of 100,000 independent draws."""
    tolerance = 5 * (level * (1 - level) / _images().numel()) ** 0.5
    if abs(share - level) < tolerance:
        return
    if abs(share - (1 - level)) < tolerance:
        raise Mistake(
            "You keep a pixel with probability level: level is the chance that it is set to zero, "
            "so keep where the uniform draw is at least level."
        )
    raise Mistake(f"At level {level} a share of {share:.3f} of the pixels is set to zero.")


def _check_source_of_chance(fn, x, level, masked):
    if not torch.equal(fn(x, level, seeded(0)), masked):
        raise Mistake(
            "You ignore the generator: with the same seed the mask differs from call to call, so "
            "hand generator=generator to the function that draws."
        )
    one = seeded(0)
    if torch.equal(fn(x, level, one), fn(x, level, one)):
        raise Mistake(
            "The mask is the same in every call: a seed is set inside the function, where the "
            "draws should come from the generator as it is."
        )
    if torch.equal(fn(x, level, seeded(1)), masked):
        raise Mistake("You ignore the generator: another seed gives the same mask.")


def _check_tensor(got):
    if got is None:
        raise Mistake("Your function returns nothing; is the return statement missing?")
    if not isinstance(got, torch.Tensor):
        raise Mistake(f"The result is a {type(got).__name__}, and should be a torch tensor.")


def _check_unchanged(name, after, before):
    if not torch.equal(after, before):
        raise Mistake(
            f"You change {name} in place: the caller still needs it, so work on a new tensor "
            "(methods that end in an underscore, and -= or *=, write into their argument)."
        )


def _listed(values):
    return "(" + ", ".join(f"{value:.3f}" for value in values.tolist()) + ")"
