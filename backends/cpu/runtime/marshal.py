"""Numpy arrays as the flat buffers of kernels, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uol.backends.cpu.operands.buffer_span import span_of
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import STORAGE

Array = NDArray[np.generic]


def flat_buffer(name: str, array: Array, dtype: str, shape: Sequence[int], strides: Sequence[int]) -> Array:
    """The array's elements where a kernel expects them. An array of the right type that lies so already is not copied;
    a one-dimensional one of the buffer's length is taken as the memory itself."""
    expected = np.dtype(STORAGE[dtype])
    span = span_of(shape, strides)
    if array.dtype != expected:
        raise ShapeError(f"{name} must be {expected} to hold {dtype}, not {array.dtype}")
    if array.shape != tuple(shape):
        if array.ndim == 1 and array.size == span and array.flags.c_contiguous:
            return array
        raise ShapeError(f"{name} must have the shape {tuple(shape)}, not {array.shape}")
    if span == 0:
        return np.zeros(1, expected)
    if all(d == 1 or s * expected.itemsize == have for d, s, have in zip(shape, strides, array.strides, strict=True)):
        return np.lib.stride_tricks.as_strided(array, (span,), (expected.itemsize,))
    buffer = np.zeros(span, expected)
    strided(buffer, shape, strides)[...] = array
    return buffer


def strided(buffer: Array, shape: Sequence[int], strides: Sequence[int]) -> Array:
    """A view of a flat buffer as an array of a shape and element strides."""
    return np.lib.stride_tricks.as_strided(buffer, tuple(shape), tuple(s * buffer.itemsize for s in strides))
