"""Arrays to bytes: what a widget sends to the page, as small as it goes without loss."""

import zlib

import numpy as np

DTYPES = ("float16", "float32", "uint8")


def pack(arrays):
    """One deflated block of bytes for a dict of arrays, and the table that describes it.

    The table lists [name, dtype, shape] in order. Within an array the first bytes of all
    numbers come first, then the second bytes: signs and exponents compress well side by side,
    mantissas not at all. Raises ValueError for a dtype the page cannot read.
    """
    blocks, table = [], []
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise ValueError(
                f"arrays[{name!r}] is of {array.dtype.name}; it must be of {', '.join(DTYPES)}."
            )
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        planes = np.frombuffer(little.tobytes(), np.uint8).reshape(-1, array.dtype.itemsize).T
        blocks.append(planes.tobytes())
        table.append([name, array.dtype.name, list(array.shape)])
    return zlib.compress(b"".join(blocks), 9), table
