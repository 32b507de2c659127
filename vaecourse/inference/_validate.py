"""Checks at the door that the inference modules share; each raises one sentence."""

import numpy as np


def check_positive(argument, value):
    """Raise ValueError unless every entry of `value` is a finite number above zero."""
    array = _array(value)
    if not np.all(np.isfinite(array) & (array > 0)):
        shown = f"is {float(array):g}" if array.ndim == 0 else f"has an entry of {array.min():g}"
        raise ValueError(f"{argument} {shown}; it must be finite and greater than 0.")


def check_count(argument, value, smallest=1):
    """Raise ValueError unless `value` is an integer of at least `smallest`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < smallest:
        raise ValueError(f"{argument} is {value!r}; it must be an integer of at least {smallest}.")


def check_finite(argument, value):
    """Raise ValueError unless `value` has entries and all of them are finite numbers."""
    array = _array(value)
    if array.size == 0 or not np.all(np.isfinite(array)):
        what = "is empty" if array.size == 0 else "holds a NaN or an infinity"
        raise ValueError(f"{argument} {what}; it must hold finite numbers.")


def check_shape(argument, value, shape):
    """Raise ValueError unless `value` has `shape`; None in `shape` stands for any length."""
    found = list(value.shape)
    fits = len(found) == len(shape) and all(
        want is None or want == have for want, have in zip(shape, found)
    )
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{argument} has shape {found}; it must be [{wanted}].")


def check_covariance(argument, matrix, dim):
    """Raise ValueError unless `matrix` is a symmetric positive definite [dim, dim]."""
    array = _array(matrix)
    check_shape(argument, array, (dim, dim))
    check_finite(argument, array)
    if not np.allclose(array, array.T, rtol=1e-10, atol=1e-12):
        raise ValueError(f"{argument} is not equal to its transpose; it must be symmetric.")
    smallest = np.linalg.eigvalsh(array)[0]
    if not smallest > 0:
        raise ValueError(
            f"{argument} has an eigenvalue of {smallest:g}; it must be positive definite."
        )


def _array(value):
    """A float64 numpy view of a number, list, array or tensor."""
    return np.asarray(value.detach() if hasattr(value, "detach") else value, dtype=float)
