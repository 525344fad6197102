"""Arrays of the operator's signature and the flat buffers that kernels see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

import numpy as np

from uol.backends.twin.record import Array
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import STORAGE
from uol.ir.program.walk import variables


def element_type(dtype: str) -> np.dtype[np.generic]:
    """The numpy type of an element."""
    return np.dtype(STORAGE[dtype])


@dataclass(frozen=True, slots=True)
class Placed:
    """A buffer with its dims evaluated. `span`: elements from its first to its last, 0 where a dim is 0."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    role: str

    @property
    def span(self) -> int:
        if 0 in self.shape:
            return 0
        return 1 + sum((d - 1) * s for d, s in zip(self.shape, self.strides, strict=True))

    @property
    def is_dense(self) -> bool:
        """Row-major, without gaps."""
        if not self.shape or 0 in self.shape:
            return not self.shape
        dense = accumulate(reversed(self.shape[1:]), mul, initial=1)
        steps = zip(self.shape[::-1], self.strides[::-1], dense, strict=True)
        return all(size == 1 or stride == step for size, stride, step in steps)

    @property
    def bytes(self) -> int:
        return self.span * element_type(self.dtype).itemsize


def place(arg: Arg, values: Mapping[str, float | int]) -> Placed:
    """An argument with its dims evaluated; `values` holds the symbolic ones. Raises ShapeError where one is missing."""
    unknown = sorted({name for expr in (*arg.shape, *arg.strides) for name in variables(expr)} - values.keys())
    if unknown:
        raise ShapeError(f"the dim {unknown[0]!r} has no value", hint="give it in `scalars`")
    shape = tuple(value_at(d, values) for d in arg.shape)
    strides = tuple(value_at(s, values) for s in arg.strides)
    return Placed(arg.name, arg.dtype, shape, strides, arg.role)


def flatten(array: Array, placed: Placed) -> Array:
    """The buffer of an input: its elements at their strides, 0xff in the gaps. Raises ShapeError."""
    array = np.asarray(array)
    if array.shape != placed.shape or array.dtype != element_type(placed.dtype):
        raise ShapeError(
            f"the input {placed.name!r} is {array.dtype}{list(array.shape)}, "
            f"the module wants {element_type(placed.dtype)}{list(placed.shape)}"
        )
    if array.flags.c_contiguous and placed.is_dense:
        return array.reshape(-1)
    flat = np.full(placed.bytes, 0xFF, np.uint8).view(element_type(placed.dtype))
    if placed.span:
        view_of(flat, placed, writeable=True)[...] = array
    return flat


def unflatten(data: Array, placed: Placed) -> Array:
    """The logical array of a result's bytes."""
    flat = np.ascontiguousarray(data).view(element_type(placed.dtype))
    return np.array(view_of(flat, placed, writeable=False))


def view_of(flat: Array, placed: Placed, *, writeable: bool) -> Array:
    if not placed.span:
        return np.zeros(placed.shape, flat.dtype)
    strides = [s * flat.itemsize for s in placed.strides]
    return np.lib.stride_tricks.as_strided(flat, placed.shape, strides, writeable=writeable)
