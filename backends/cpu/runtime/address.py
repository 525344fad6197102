"""Where the elements of torch tensors and numpy arrays lie.

numpy tells by building a dict (2 us an array). An array object holds the address in its first field after Python's own
(`PyArrayObject_fields.data`, part of numpy's C ABI since 1.7); it is read from there where a trial shows that it is so.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

_HEADER_BYTES = object.__basicsize__


def _told(array: Any) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _read(array: Any) -> int:
    return ctypes.c_void_p.from_address(id(array) + _HEADER_BYTES).value or 0


_TRIALS = (np.zeros(3), np.zeros((4, 5), np.uint8)[1:, 2:], np.zeros(()))
_FROM_NUMPY = _read if all(_read(t) == _told(t) for t in _TRIALS) else _told


def addresses(values: Sequence[Any]) -> list[int]:
    """The addresses of the first elements of torch tensors, or of numpy arrays and whatever else tells its own."""
    try:
        return [v.data_ptr() for v in values]
    except AttributeError:
        return [_address(v) for v in values]


def _address(value: Any) -> int:
    if type(value) is np.ndarray:
        return _FROM_NUMPY(value)
    pointer = getattr(value, "data_ptr", None)
    found: int = _told(value) if pointer is None else pointer()
    return found
