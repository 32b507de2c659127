"""Every check of an argument, and the one way from data to a tensor.

A check raises ValueError with one sentence: the argument's name, what was given, what is accepted.

The rule for numbers: with a model, data take its type. Elsewhere float32 and float64 stay what
they are (numpy's floats and Python's are float64), half precision becomes float32, and whole
numbers and truth values become float64.
"""

import difflib
import inspect
import math
import operator
import re
import sys
from collections.abc import Mapping, Reversible
from contextlib import contextmanager
from numbers import Real

import numpy as np

CONSTANT = 1e-12  # of its size: a column that varies less counts as constant
LARGEST = 1_000  # beyond it a VAE of one hidden layer overflows in its first epoch
UNEQUAL = (
    "cut sequences to one length, or pad them (a padded step counts as data, except in the bounds "
    "of a VRNN that are given lengths)"
)


def check_choice(argument, value, accepted):
    """`value`; raises ValueError, naming the nearest, unless it is one of `accepted`."""
    if getattr(value, "ndim", 0):  # an array or a frame, which compares entry by entry
        value = type(value)
    if any(value is choice or value == choice for choice in accepted):
        return value
    names = [choice for choice in accepted if isinstance(choice, str)]
    nearest = difflib.get_close_matches(str(value), names, n=1)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    listed = ", ".join(repr(choice) for choice in accepted)
    raise ValueError(f"{argument} is {value!r}{hint}; it must be one of {listed}.")


def chosen(argument, value, families):
    """What stands under that name in the dict `families`; ValueError, as above, if nothing does."""
    check_choice(argument, value, tuple(families))
    return families[value]


def check_count(argument, value, smallest=1):
    """`value` as an int; ValueError unless it is an integer of at least `smallest`."""
    count = _integer(value)
    if count is None or count < smallest:
        raise ValueError(f"{argument} is {value!r}; it must be an integer of at least {smallest}.")
    if count >= 2**63:
        raise ValueError(f"{argument} must be less than 2**63.")
    return count


def check_whole(argument, value, high, low=0):
    """`value` as an int; ValueError unless it is an integer from `low` to `high`."""
    number = _integer(value)
    if number is None or not low <= number <= high:
        raise ValueError(f"{argument} is {value!r}; it must be an integer from {low} to {high}.")
    return number


def check_counts(**counts):
    """`check_count` of several arguments."""
    for argument, value in counts.items():
        check_count(argument, value)


def seeded(seed):
    """A torch.Generator started from `seed`; ValueError unless 0 <= seed < 2**63."""
    import torch

    number = _integer(seed)
    if number is None or not 0 <= number < 2**63:
        raise ValueError(f"seed is {seed!r}; it must be an integer from 0 to 2**63 - 1.")
    return torch.Generator().manual_seed(number)


def check_positive(argument, value):
    """Raise ValueError unless every entry of `value` is a finite number above zero."""
    if isinstance(value, str) or value is None:
        raise ValueError(f"{argument} is {value!r}; it must be a finite number greater than 0.")
    array = as_array(value, argument)
    if not np.all(np.isfinite(array) & (array > 0)):
        shown = f"is {float(array):g}" if array.ndim == 0 else f"has an entry of {array.min():g}"
        raise ValueError(f"{argument} {shown}; it must be finite and greater than 0.")


def check_not_negative(argument, value):
    """`value` as a float; ValueError unless it is a finite number of at least zero."""
    if not (isinstance(value, Real) and 0 <= value < math.inf):
        raise ValueError(f"{argument} is {value!r}; it must be a finite number of at least 0.")
    return float(value)


def check_finite(argument, value):
    """Raise ValueError unless `value` has entries and all of them are finite numbers."""
    array = as_array(value, argument)
    if array.size == 0 or not np.all(np.isfinite(array)):
        what = "is empty" if array.size == 0 else "holds a NaN or an infinity"
        raise ValueError(f"{argument} {what}; it must hold finite numbers.")


def as_labels(argument, label, rows=None, low=0, high=None, of="x"):
    """`label` as an array [N] of whole numbers from `low` to `high`, one for each row of `of`.

    label: a tensor, an array, a list or a column of a frame. rows: how many there are of the
    argument `of`; None for any number. low: 0, or -1 where that stands for no label. Raises
    ValueError for anything else, with what makes it so where that is known.
    """
    array = _label_array(argument, label, rows, of)
    number = array.dtype.kind in "biuf"
    top = 2**63 - 1 if high is None else high
    if not number or (array.dtype.kind == "f" and (array != array.round()).any()):
        found = "has values that are no whole numbers"
    elif len(array) and not (array.min() >= low and array.max() <= top):
        found = f"has values from {array.min():.15g} to {array.max():.15g}"
    else:
        return array.astype(np.int64)
    wanted = "of at least 0" if high is None else f"from 0 to {high}"
    none = ", or −1 for none" if low < 0 else ""
    cure = ""
    if low == 0 and (high is None or len(np.unique(array)) <= high + 1):
        cure = (
            f"; kinds, words say, become such numbers by np.unique({argument}, "
            "return_inverse=True)[1], of all the data at once"
        )
    raise ValueError(f"{argument} {found}; it must hold whole numbers {wanted}{none}{cure}.")


def check_classes(argument, label, rows, of="x"):
    """`as_labels` from 0 to 9, for each of which there is a colour, as bytes."""
    array = _label_array(argument, label, rows, of)
    if array.dtype.kind in "biuf" and np.isin(array, range(10)).all():
        return array.astype(np.uint8)
    if (kinds := len(np.unique(array))) > 10:
        raise ValueError(
            f"{argument} has {kinds} different values, and colours are there for ten: join some "
            "of them."
        )
    raise ValueError(
        f"{argument} has values other than the integers 0 to 9; at most ten kinds, words say, "
        f"become such numbers by np.unique({argument}, return_inverse=True)[1]."
    )


def _label_array(argument, label, rows, of):
    """Labels as an array [N] of numbers or words, with a value in each; N is `rows` if given."""
    try:
        array = np.asarray(label.detach().cpu() if hasattr(label, "detach") else label)
    except (TypeError, ValueError, RuntimeError):  # its parts differ in length, say
        raise ValueError(
            f"{argument} is a {type(label).__name__} that cannot be read as labels; it must hold "
            "one for each row."
        ) from None
    if array.ndim != 1 or (len(array) == 0 if rows is None else len(array) != rows):
        wanted = "[N] with N > 0" if rows is None else f"[{rows}], as {of} has"
        cure = _flat_labels(argument, label, array) if rows in (None, *array.shape[:1]) else ""
        raise ValueError(f"{argument} has shape {list(array.shape)}; it must be {wanted}{cure}.")
    missing = np.ma.count_masked(label) if np.ma.isMaskedArray(label) else 0
    if array.dtype.kind in "fOMm":
        missing = missing or sum(map(_is_missing, array))
    if missing:
        raise ValueError(
            f"{argument} has no value in {missing} of {len(array)} rows; leave them out, or give "
            "them a kind of their own."
        )
    return np.array(array.tolist()) if array.dtype.kind == "O" else array


def _flat_labels(argument, label, array):
    """What makes labels [N] of a column [N, 1] or of one-hot rows [N, K]; else an empty text."""
    if array.ndim != 2:
        return ""
    tensor, own = hasattr(label, "detach"), hasattr(label, "argmax")
    if array.shape[1] == 1:
        cure = f"{argument}.flatten()" if own else f"np.ravel({argument})"
    elif array.dtype.kind in "biuf" and (np.isin(array, (0, 1)).all(1) & (array.sum(1) == 1)).all():
        cure = f"{argument}.argmax(1)" if own else f"np.argmax({argument}, 1)"
        cure = cure.replace(".argmax", ".int().argmax") if tensor else cure
    else:
        return ""
    return f": {cure} makes it so"


def _is_missing(value):
    """Whether that is None, NaN, or pandas' own NA, of which no comparison is true or false."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def check_shape(argument, value, shape):
    """Raise ValueError unless `value` has `shape`; None in `shape` stands for any length."""
    found = list(value.shape)
    fits = len(found) == len(shape) and all(
        want is None or want == have for want, have in zip(shape, found)
    )
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{argument} has shape {found}; it must be [{wanted}].")


def check_axes(argument, axes, wanted):
    """Raise ValueError, naming the permutation that fits if one does, unless the axes agree."""
    axes, wanted = list(axes), list(wanted)
    if axes == wanted:
        return
    hint = ""
    if len(axes) == 3 and axes[2:] + axes[:2] == wanted:
        hint = " (move the channel axis first: numpy.moveaxis(x, -1, 1))"
    elif axes[2:] == [4] and [3, *axes[:2]] == wanted:
        hint = (
            " (leave out the fourth channel, and move the axis: numpy.moveaxis(x[..., :3], -1, 1))"
        )
    elif [1, *axes] == wanted:
        hint = " (the axis of one is missing: x[:, None])"
    elif sorted(axes) == sorted(wanted):
        hint = " (the axes are there in another order: numpy.transpose)"
    raise ValueError(f"each row of {argument} has the axes {axes}; it must have {wanted}{hint}.")


def check_covariance(argument, matrix, dim):
    """Raise ValueError unless `matrix` is a symmetric positive definite [dim, dim]."""
    array = as_array(matrix, argument)
    check_shape(argument, array, (dim, dim))
    check_finite(argument, array)
    if not np.allclose(array, array.T, rtol=1e-10, atol=1e-12):
        raise ValueError(f"{argument} is not equal to its transpose; it must be symmetric.")
    smallest = np.linalg.eigvalsh(array)[0]
    if not smallest > 0:
        raise ValueError(
            f"{argument} has an eigenvalue of {smallest:g}; it must be positive definite."
        )


def check_settings(epochs, batch_size, learning_rate, seed=0):
    """Raise ValueError for a setting that no run can have."""
    check_counts(epochs=epochs, batch_size=batch_size)
    check_positive("learning_rate", learning_rate)
    seeded(seed)


def check_lengths(argument, lengths, rows, steps):
    """`lengths` as an array [rows] of whole numbers from 1 to `steps`; ValueError for others."""
    try:
        array = np.asarray(lengths.detach().cpu() if hasattr(lengths, "detach") else lengths)
        whole = array.dtype.kind in "iuf" and bool((array % 1 == 0).all())
    except (TypeError, ValueError):  # lists in it differ in length, say
        array, whole = np.zeros(0), False
    if array.shape != (rows,):
        found = f"has shape {list(array.shape)}"
    elif not whole:
        found = "has values that are no whole numbers"
    elif array.min() < 1 or array.max() > steps:
        found = f"has values from {array.min():g} to {array.max():g}"
    else:
        return array.astype(np.int64)
    raise ValueError(f"{argument} {found}; it must be {rows} whole numbers from 1 to {steps}.")


def check_list(argument, value):
    """Raise ValueError for what is no list: a number, a text, or what has no order or no end."""
    ordered = isinstance(value, Reversible) and not isinstance(value, str | Mapping)
    if not ordered and not hasattr(value, "tolist"):
        raise ValueError(f"{argument} is {value!r}; it must be a list of whole numbers.")


@contextmanager
def said_of(argument):
    """Let what a check within refuses of `x` be said of `argument`."""
    try:
        yield
    except ValueError as error:
        sentence = re.sub(r"(?<!')\bx\b(?!')", argument, str(error))  # not a column's name
        raise ValueError(sentence if sentence != str(error) else f"{argument}: {error}") from None


def check_device(device, model):
    """Raise ValueError unless `device`, "cuda" or "cuda:1" say, is here and takes `model`."""
    import torch

    kind, _, number = str(device).partition(":")
    if kind == "gpu":
        raise ValueError(f"device is {device!r}; it must be 'cuda', or 'mps' on a Mac.")
    if ":" in str(device) and not re.fullmatch("0|[1-9][0-9]*", number):
        raise ValueError(f"device is {device!r}; behind the colon stands a number, 'cuda:1' say.")
    check_choice("device", kind, ("cpu", "cuda", "mps"))
    here = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if not here.get(kind, lambda: True)() or not int(f"0{number}") < count:
        raise ValueError(f"device is {str(device)!r}, which is not there: torch finds none.")
    if kind == "mps" and any(weight.dtype == torch.float64 for weight in model.parameters()):
        raise ValueError("device is 'mps', which has no float64; call model.float() first.")


def check_autocast(kind):
    """Raise ValueError where torch.autocast is on, on devices of that kind, for all of a run."""
    import torch

    if torch.is_autocast_enabled(kind) and torch.is_autocast_cache_enabled():
        raise ValueError(
            "fit is called within torch.autocast, which would keep the first step's weights for "
            "every step; call fit outside of it."
        )


def check_trainable(model):
    """Raise ValueError, naming what is missing, unless `model` can be trained."""
    import torch
    from torch import nn

    if not torch.is_grad_enabled():
        raise ValueError(
            "fit is called where torch takes no gradients, as in torch.no_grad; call it outside."
        )
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is a {type(model).__name__}; it must be a torch.nn.Module.")
    check_methods(model, loss="(x, generator)", check="(x)")
    check_takes(f"loss of {type(model).__name__}", model.loss, "x", "generator")
    check_sized("model", model)
    weights = list(model.parameters())
    if not weights:
        raise ValueError("model has no weights to train.")
    if not any(weight.requires_grad for weight in weights):
        raise ValueError(
            "every weight of model is frozen, as those of a loaded model are; call "
            "model.requires_grad_().train() first."
        )


def check_methods(model, **methods):
    """Raise ValueError unless `model` has the methods, which are told with their arguments."""
    for method, takes in methods.items():
        if not callable(getattr(model, method, None)):
            raise ValueError(
                f"model is a {type(model).__name__} without {method}{takes}; `vc.models.wrap` "
                "makes a model of a module with encode and decode."
            )


def check_takes(argument, function, *names):
    """Raise ValueError unless `function` can be called with arguments such as `names`."""
    try:
        inspect.signature(function).bind(*names)
    except TypeError:  # of what is no function as well
        wanted = ", ".join(names)
        raise ValueError(f"{argument} must be a function of ({wanted}).") from None
    except ValueError:  # of some that are not written in Python nobody can tell
        return


def check_is_tensor(argument, value, numbers=None):
    """`value`; ValueError unless it is a tensor, of so many numbers if they are told."""
    import torch

    found = f"a {type(value).__name__}"
    if isinstance(value, torch.Tensor):
        if numbers in (None, value.numel()):
            return value
        found = f"a tensor of shape {list(value.shape)}"
    wanted = "a tensor" if numbers is None else "a tensor of one number"
    raise ValueError(f"{argument} gives {found}; it must give {wanted}.")


def check_sized(argument, module):
    """Raise ValueError, naming the first, for weights without values: lazy, or on no memory."""
    from torch.nn.parameter import is_lazy

    for name, weight in [*module.named_parameters(), *module.named_buffers()]:
        if is_lazy(weight):
            raise ValueError(
                f"{name} of {argument} has no size yet, as in a lazy layer; send rows through it "
                "once first."
            )
        if weight.is_meta:
            raise ValueError(f"{name} of {argument} is on the device meta and has no values.")


def check_prior(prior, accepted, posterior):
    """Raise ValueError unless q and the prior can reach the same z."""
    if prior in accepted:
        return
    reason = (
        "the normal prior draws negative z too, which such a posterior never shows the decoder"
        if prior == "normal"
        else f"the posterior reaches negative z, where {prior} density is 0 and the KL infinite"
    )
    raise ValueError(
        f"prior is {prior!r} beside the posterior {posterior!r}, which takes "
        f"{' or '.join(sorted(accepted))}: {reason}."
    )


def bytes_hint(x):
    """What to do about images whose levels are not yet from 0 to 1; else an empty text."""
    low, high = x.min().item(), x.max().item()
    whole = "whole numbers" if bool((x == x.round()).all()) else "numbers"
    if -1 <= low < -0.5 and 0 < high <= 1:
        return "; if these are levels from -1 to 1, give (x + 1) / 2"
    if low >= 0 and 255 < high <= 65_535 and whole == "whole numbers":
        top = next(top for top in (1_023, 4_095, 16_383, 65_535) if high <= top)
        return f"; if these are levels from 0 to {top}, divide by {top}"
    if low < 0 or not 16 < high <= 255:
        return ""
    if high <= 100:
        return "; divide per cent by 100, grey levels from 0 to 255 by 255"
    return f"; these look like grey levels, {whole} from 0 to 255: divide by 255"


def check_levels(argument, x):
    """Raise ValueError for images whose levels are not from 0 to 1, but for rounding."""
    low, high = x.min().item(), x.max().item()
    if low < -0.01 or high > 1.01:
        raise ValueError(
            f"{argument} has values from {low:g} to {high:g}; it must hold levels from 0 to 1"
            f"{bytes_hint(x)}."
        )


def check_image_shape(argument, shape):
    """`shape` as a list, [H, W] or [3, H, W]; ValueError for others. A single plane may be told."""
    try:
        sides = [operator.index(side) for side in shape]
    except TypeError:
        sides = []
    if len(sides) not in (2, 3) or min(sides) < 1 or (len(sides) == 3 and sides[0] not in (1, 3)):
        raise ValueError(
            f"{argument} is {shape!r}; it must be (height, width) or (3, height, width), whole "
            "numbers."
        )
    return sides


def first_column(wrong):
    """The number, from 1, of the column of the first true entry of `wrong` [..., D]."""
    return int(wrong.nonzero()[0, -1]) + 1


def check_range(x):
    """Raise ValueError, naming the column, for values that no Gaussian model here can learn."""
    high = x.abs().amax(dim=0)
    column = int(high.argmax())
    if high[column] > LARGEST:
        raise ValueError(
            f"column {column + 1} of x has values from {x[:, column].min():g} to "
            f"{x[:, column].max():g}, of which training breaks: use standardize."
        )
    hint = bytes_hint(x)
    if hint.endswith("divide by 255") and "whole" in hint and high[column] > 127:
        raise ValueError(f"x has values up to {high[column]:g}{hint}, or use standardize.")


def check_deviations(x, scale):
    """Raise ValueError for standard deviations [D] of x [N, D] whose squares the type hardly
    holds.

    With a margin: noise may be learned a thousand times smaller than the data.
    """
    import torch

    most, high = torch.finfo(scale.dtype).max ** 0.4, x.abs().amax(dim=0)
    wrong = (scale > most) | (scale < 1 / most)
    wrong &= scale > CONSTANT * high
    if wrong.any():
        column, kind = first_column(wrong), str(scale.dtype).removeprefix("torch.")
        size = f"{high[column - 1]:.3g}"
        raise ValueError(
            f"column {column} of x has values up to {size} in size, whose squares {kind} hardly "
            f"holds: divide the column by {size} first."
        )


def check_units(scaled):
    """Raise ValueError for x in units of the data of a first fit that is far from such data."""
    high = scaled.abs().amax(dim=0)
    column = int(high.argmax())
    if high[column] > max(LARGEST, len(scaled) ** 0.5):  # which no data are in units of their own
        raise ValueError(
            f"column {column + 1} of x lies {high[column]:.3g} standard deviations from the data "
            "of the model's first fit, by which it standardizes: train a new model on x."
        )


def as_tensor(x, like=None, argument="x", *, keep_whole=False):
    """Data as a tensor: a torch tensor, a numpy array, nested lists, or a pandas frame.

    like: a tensor whose type and device to take; without it, see the rule above. keep_whole: leave
    bytes bytes, for who turns them to floats bit by bit. What is so already is returned as it is.
    Raises ValueError for what cannot be read as real numbers.
    """
    import torch

    if not isinstance(x, torch.Tensor):
        x = torch.as_tensor(_readable(argument, x))
    _check_tensor(argument, x)
    if x.is_complex():
        raise ValueError(f"{argument} is of {x.dtype}; it must hold real numbers.")
    if like is not None and like.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"The model is of {like.dtype}; it must be of float32 or float64.")
    kind = "" if like is None else like.device.type
    if kind and torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        raise ValueError(
            "torch.autocast is on, by which a model computes in half precision; call it outside of "
            "torch.autocast."
        )
    x = x.resolve_neg()  # numpy reads no tensor whose sign waits to be turned
    if like is not None:
        return x.to(like.dtype).to(like.device)  # in this order: mps has no float64
    if x.dtype in (torch.float32, torch.float64) or (keep_whole and not x.is_floating_point()):
        return x
    return x.float() if x.is_floating_point() else x.double()


def _check_tensor(argument, x):
    """Raise ValueError for a tensor that is no plain array of values, with what makes one of it."""
    if x.is_nested:
        raise ValueError(
            f"{argument} is a nested tensor; give torch.nested.to_padded_tensor({argument}, 0.0), "
            "in which a padded step counts as data, except in the bounds of a VRNN that are given "
            "lengths."
        )
    if str(x.layout) != "torch.strided":
        raise ValueError(f"{argument} is a sparse tensor; give {argument}.to_dense().")
    if x.is_quantized:
        raise ValueError(f"{argument} is a quantized tensor; give {argument}.dequantize().")
    if x.is_meta:
        raise ValueError(f"{argument} is on the device meta, where nothing has a value.")


def check_precision(argument, x, column_name=None, beside=None):
    """Raise ValueError where float32 blurs a column of data `x` [N, ...], or makes it 0.

    It blurs one of values beyond 1 if it moves some by more than a hundredth of what they span:
    pixels and probabilities near 1 lose nothing that they mean.
    beside: data that x is to be like; what is small in what they span is no loss.
    """
    _refuse_closed(argument, x)
    if getattr(getattr(x, "dtype", None), "itemsize", 8) < 8:  # float32 already, or less
        return
    columns = _columns(argument, x)
    if columns is None:
        return
    low, high = columns.min(0), columns.max(0)
    size = np.maximum(abs(low), abs(high))
    with np.errstate(invalid="ignore"):
        span = high - low
    single = np.finfo(np.float32)
    small = (size > 0) & (size < single.tiny)
    near = (size > 1) & (size <= single.max)  # what lies beyond is refused elsewhere
    near &= (span > CONSTANT * size) & (span < 100 * 2.0**-24 * size)
    if not (small | near).any():
        return
    others = _columns("x", beside)
    if others is not None and others.shape[1] == len(size):
        span = np.maximum(span, np.ptp(others, 0))
        size = np.maximum(size, abs(others).max(0))
    both = "" if beside is None else f"x and {argument}"
    for column in np.flatnonzero(small | near):
        values = columns[:, column]
        if small[column] and size[column] < single.tiny:
            fault = (
                f"has no value beyond {abs(values).max():g}, and float32 makes 0 of such: divide "
                f"it by {size[column]:g}{both and f' in {both}'}"
            )
        elif near[column] and abs(values.astype(np.float32) - values).max() > span[column] / 100:
            fault = (
                f"has values from {low[column]:.15g} to {high[column]:.15g}, whose differences "
                f"float32 does not keep: subtract the smallest{both and ' of x'} from "
                f"{both or 'all'}"
            )
        else:
            continue
        name = column_name(column) if column_name else _name_of(x, column)
        raise ValueError(f"{name} of {argument} {fault}.")


def _columns(argument, x):
    """Data as an array of floats [N, D]; None where they are none, or no rows of any."""
    try:
        if hasattr(x, "is_nested"):
            _check_tensor(argument, x)
            x = x.detach().cpu()  # before it is made float64, which mps has not
        x = as_tensor(x, argument=argument).numpy()
    except ValueError:  # what cannot be read is for the model to refuse
        return None
    return x.reshape(len(x), -1) if x.ndim > 1 and x.size else None


def _name_of(x, column):
    """A column as a message calls it: by its name in a frame, else by its number from 1."""
    name = list(getattr(x, "columns", ()))[column : column + 1]
    return f"column {name[0]!r}" if name and isinstance(name[0], str) else f"column {column + 1}"


def as_array(x, argument="x"):
    """`as_tensor` for those who compute in numpy: a float64 array."""
    if hasattr(x, "detach"):
        return as_tensor(x, argument=argument).detach().double().cpu().numpy()
    return _readable(argument, x).astype(float)


def as_rows(x, columns=None, like=None, argument="x", *, keep_whole=False):
    """`as_tensor`, finite and of shape [N, columns]; None stands for any number of columns."""
    x = as_tensor(x, like, argument, keep_whole=keep_whole)
    if x.ndim != 2 or columns not in (None, x.shape[1]):
        _refuse_shape(argument, x, "N", "D" if columns is None else columns)
    return check_finite_rows(argument, x)


def check_last_axis(argument, x, length):
    """The tensor `x` [..., length]; ValueError for another shape."""
    if x.ndim == 0 or x.shape[-1] != length:
        _refuse_shape(argument, x, "...", length)
    return x


def _refuse_shape(argument, x, lead, columns):
    flat = x.ndim > 2 and columns in ("D", math.prod(x.shape[1:]))
    hint = f": {argument}.reshape(len({argument}), -1) makes an array so" if flat else ""
    raise ValueError(f"{argument} has shape {list(x.shape)}; it must be [{lead}, {columns}]{hint}.")


def check_several(argument, x, what):
    """The tensor `x` [N, ...]; ValueError unless it has two rows, which `what` needs."""
    if len(x) < 2:
        rows = "1 row" if len(x) else "no rows"
        raise ValueError(f"{argument} has {rows}; {what} needs at least 2.")
    return x


def check_finite_rows(argument, x):
    """The tensor `x` [N, ...]; ValueError, naming the place, unless it has rows, all finite."""
    if len(x) == 0:
        raise ValueError(f"{argument} has no rows.")
    # A thousand rows at a time, so that a check needs no copy of x.
    wrong = sum(int((~part.isfinite()).flatten(1).any(1).sum()) for part in x.split(1_000))
    if wrong:
        place = (~x.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"{argument} has NaN or infinite values in {wrong} of {len(x)} rows, first in "
            f"{argument}{place}."
        )
    return x


def _readable(argument, x):
    """A numpy array of numbers that torch knows."""
    if np.ma.is_masked(x):
        raise ValueError(
            f"{argument} is an array with {np.ma.count_masked(x)} of {x.size} values masked; fill "
            "them in, or leave their rows out."
        )
    _refuse_closed(argument, x)
    _refuse_dataset(argument, x)
    try:
        array = np.asarray(x)
        # polars makes numbers of days and hours
        if x is None or not all(map(_are_numbers, getattr(x, "get_columns", tuple)())):
            raise TypeError
        if array.dtype.kind == "O":  # a frame of several types, or of pandas' own
            array = np.asarray(x, dtype=np.float64)
        if array.dtype.kind not in "biufc":
            raise TypeError
    except (TypeError, ValueError, RuntimeError) as error:
        if "inhomogeneous" in str(error) and not _beside_labels(x):
            if _are_images(x):
                raise ValueError(
                    f"{argument} has images of different size; make them one size, by PIL's "
                    "image.resize((width, height)) say."
                ) from None
            raise ValueError(f"{argument} has rows of different length; {UNEQUAL}.") from None
        raise ValueError(_obstacle(argument, x)) from None
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 8  # what torch has no type for
    dtype = np.float64 if wide else array.dtype.newbyteorder("=")
    array = np.array(array, dtype=dtype, order="C", copy=None)
    return array if array.flags.writeable else array.copy()


def _obstacle(argument, x):
    """Why x cannot be read as numbers, and what to give in its place where that is known."""
    kind = type(x).__name__
    if hasattr(x, "toarray"):
        return f"{argument} is a sparse {kind}; give {argument}.toarray()."
    if kind == "LazyFrame":
        return f"{argument} is a LazyFrame; give {argument}.collect()."
    if _beside_labels(x):
        return f"{argument} is a {kind} of two arrays; give the data alone, {argument}[0]."
    if isinstance(x, list | tuple) and x and _has_gradient(x[0]):
        return f"{argument} is a {kind} of tensors with gradients; give torch.stack({argument})."
    given = getattr(x, "dtype", None)
    if getattr(given, "names", None):
        return (
            f"{argument} is an array of named fields; give "
            f"numpy.lib.recfunctions.structured_to_unstructured({argument})."
        )
    if getattr(given, "kind", "") in ("M", "m"):
        return f"{argument} holds dates or times; it must hold numbers."
    named = hasattr(x, "columns") and not hasattr(x, "column_names")  # pyarrow's are no names
    for place, name in enumerate(x.columns if named else []):
        column = x.iloc[:, place] if hasattr(x, "iloc") else x[name]  # names may be there twice
        missing = int((column.isna() if hasattr(column, "isna") else column.is_null()).sum())
        if missing or not _are_numbers(column):
            what = f"has {missing} missing values" if missing else f"is of type {column.dtype}"
            return f"column {name!r} of {argument} {what}; it must hold numbers."
    if isinstance(x, Mapping) and len(x):
        return f"{argument} is a {kind}; give one array of it, {argument}[{next(iter(x))!r}] say."
    if given is not None and np.asarray(x).dtype.kind in "US":
        return f"{argument} holds text; it must hold numbers."
    return (
        f"{argument} is a {kind} that cannot be read as numbers; it must be a torch tensor, "
        "a numpy array, nested lists or a pandas frame of them."
    )


def _refuse_dataset(argument, x):
    """Refuse the data sets and loaders of torch, with the line that makes an array of one.

    They are not read here: one that is made as it is asked for may have no end.
    """
    kind = type(x).__name__
    if hasattr(x, "tensors"):
        raise ValueError(f"{argument} is a {kind}; give {argument}.{_tensors(x)}.")
    data = sys.modules.get("torch.utils.data")
    if data is None or not isinstance(x, (data.Dataset, data.DataLoader)):
        return
    loaded = isinstance(x, data.DataLoader)  # it may shuffle, drop rows and put them otherwise
    rows, name = (x.dataset, f"{argument}.dataset") if loaded else (x, argument)
    if hasattr(rows, "tensors"):
        joined = f"{name}.{_tensors(rows)}"
    elif hasattr(rows, "__len__"):
        stack, part, which = _part(rows)
        joined = f"{stack}([{name}[i]{part} for i in range(len({name}))]){which}"
    else:
        joined = (
            f"np.stack([row for row in {name}]), or np.stack([row[key] for row in {name}]) where a "
            "row stands among other things, under the key 0, say"
        )
    whose = "the rows of its data set" if loaded else "its rows"
    raise ValueError(f"{argument} is a {kind}; give {whose} as one array, {joined}.")


def _part(dataset):
    """What stacks the items of a data set of torch, what stands behind each for its data alone, and
    what to say of it.

    An item that is several is data in its only part that has axes, or parts; of more of them it is
    the first in a tuple, and in a dict the reader's choice.
    """
    path = ""
    try:
        item = dataset[0]
        while isinstance(item, (dict, tuple, list)):
            parts = item if isinstance(item, dict) else dict(enumerate(item))
            keys = [key for key, part in parts.items() if _is_wide(part)]
            if isinstance(item, dict) and len(keys) != 1:
                which = f", where key is {' or '.join(map(repr, keys or parts))}"
                return "np.stack", f"{path}[key]", which
            keys = [key for key in keys if not _is_one_hot(parts[key])] or keys
            if not keys:
                break
            path, item = f"{path}[{keys[0]!r}]", parts[keys[0]]
    except Exception:  # whatever a strange data set does
        return "np.stack", "", ""
    return "torch.stack" if _has_gradient(item) else "np.stack", path, ""


def _has_gradient(value):
    return getattr(value, "requires_grad", False)


def _is_wide(part):
    """Whether a part of an item has axes, or parts of its own."""
    return isinstance(part, dict | tuple | list) or _ndim(part) > 0


def _ndim(part):
    return part.ndim if hasattr(part, "ndim") else np.ndim(part)


def _is_one_hot(part):
    """Whether a part of an item looks like a label of one 1 among 0s."""
    if getattr(part, "ndim", 0) != 1:
        return False
    return bool(((part == 0) | (part == 1)).all() and part.sum() == 1)


def _tensors(dataset):
    """The first of the tensors of a data set that has rows of values: labels may stand before."""
    wide = [index for index, tensor in enumerate(dataset.tensors) if tensor.ndim > 1]
    wide = [k for k in wide if not _is_one_hot(dataset.tensors[k][:1].flatten())] or wide
    return f"tensors[{(wide or [0])[0]}]"


def _refuse_closed(argument, x):
    if type(x).__module__.startswith("h5py") and not x:
        raise ValueError(f"{argument} is of a file that is closed; read it before, {argument}[:].")


def _are_images(x):
    """Whether rows of different shape differ as images do: in two axes, or in one of three."""
    try:
        shapes = {np.shape(row) for row in x}
    except ValueError:
        return False
    return (
        all(map(len, shapes))
        and {len(shape) for shape in shapes} <= {2, 3}
        and (any(len(shape) == 3 for shape in shapes) or len({shape[1] for shape in shapes}) > 1)
    )


def _are_numbers(column):
    values = np.asarray(column)
    try:
        values.astype(float, copy=False)
    except (TypeError, ValueError):
        return False
    return values.dtype.kind not in "Mm"  # dates and times


def _beside_labels(x):
    """Whether x is a pair of data and one number for each row, as scikit-learn gives them."""
    try:
        data, labels = (
            map(np.shape, x) if isinstance(x, (tuple, list)) and len(x) == 2 else ((), ())
        )
    except ValueError:  # rows of different length
        return False
    return len(data) > 1 and tuple(labels) in ((data[0],), (data[0], 1))


def _integer(value):
    """`value` as an int, or None where it is no whole number; truth values are none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
