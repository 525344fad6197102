"""Arrays of the operator's signature and the flat buffers that kernels see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from uol.backends.twin.record import Array
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import STORAGE
from uol.ir.program.nodes import Call, Const, Expr, Var


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
    def bytes(self) -> int:
        return self.span * element_type(self.dtype).itemsize


def place(arg: Arg, values: Mapping[str, float | int]) -> Placed:
    """An argument with its dims evaluated; `values` holds the symbolic ones."""
    shape = tuple(evaluate(d, values) for d in arg.shape)
    strides = tuple(evaluate(s, values) for s in arg.strides)
    return Placed(arg.name, arg.dtype, shape, strides, arg.role)


def evaluate(expr: Expr, values: Mapping[str, float | int]) -> int:
    """An integer expression of dims."""
    match expr:
        case Const(value=value):
            return int(value)
        case Var(name=name):
            if name not in values:
                raise ShapeError(f"the dim {name!r} has no value", hint="give it in `scalars`")
            return int(values[name])
        case Call(fn=fn, args=args):
            a, *rest = (evaluate(arg, values) for arg in args)
            return combine(fn, a, rest[0] if rest else 0)
    raise ShapeError(f"a dim may not hold {type(expr).__name__}")


def combine(fn: str, a: int, b: int) -> int:
    match fn:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a // b if b else 0
        case "%":
            return a % b if b else 0
        case "min":
            return min(a, b)
        case "max":
            return max(a, b)
        case "neg":
            return -a
    raise ShapeError(f"a dim may not hold the function {fn!r}")


def flatten(array: Array, placed: Placed) -> Array:
    """The buffer of an input: its elements at their strides, 0xff in the gaps. Raises ShapeError."""
    array = np.asarray(array)
    if array.shape != placed.shape or array.dtype != element_type(placed.dtype):
        raise ShapeError(
            f"the input {placed.name!r} is {array.dtype}{list(array.shape)}, "
            f"the module wants {element_type(placed.dtype)}{list(placed.shape)}"
        )
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
