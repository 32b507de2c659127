"""Packing: arrays to bytes and back."""

import numpy as np
import pytest
from explorers import unpack

from vaecourse.widgets.packing import pack


def test_packing_loses_nothing():
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.normal(size=(5, 3)).astype(np.float16),
        "b": rng.normal(size=7).astype(np.float32),
        "c": rng.integers(0, 256, (4, 2, 3)).astype(np.uint8),
    }
    back = unpack(*pack(arrays))
    assert list(back) == ["a", "b", "c"]
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_packing_refuses_what_the_page_cannot_read():
    with pytest.raises(ValueError, match="float64; it must be of float16, float32, uint8"):
        pack({"a": np.zeros(3)})
