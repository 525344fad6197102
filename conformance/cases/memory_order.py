"""How the tensors of a check lie in memory: row-major, channels-last, with gaps, or broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from uol.binding.layouts import channels_last, row_major
from uol.conformance.accuracy.interval import Array
from uol.ir.errors import UolError
from uol.ir.program.nodes import Program
from uol.ir.syntax.surface import Op
from uol.ops.inputs import static_shape

Arrangement = Literal["row-major", "channels-last", "gaps", "broadcast"]
Strides = tuple[int, ...]


def strides_of(program: Program, arrangement: Arrangement, op: Op) -> dict[str, Strides]:
    """Element strides of the tensors that do not lie row-major. `op` is what the program was made of.

    channels-last   every activation of four dims [N, C, H, W] has contiguous channels, every filter [O, C, R, S] (an input
                    whose first dim is not that of the first result, the batch) contiguous O
    gaps            inputs have other elements between theirs, and rows further apart than they are long
    broadcast       the last input repeats along its first dim (stride 0)
    """
    inputs = {t.name: static_shape(t) for t in program.by_role("in")}
    results = {t.name: static_shape(t) for t in program.by_role("out")}
    match arrangement:
        case "row-major":
            return {}
        case "channels-last":
            four = {n: s for n, s in (inputs | results).items() if len(s) == 4}
            return {n: filter_last(s) if n in filters(op) else channels_last(s) for n, s in four.items()}
        case "gaps":
            return {name: _with_gaps(shape) for name, shape in inputs.items() if shape}
        case "broadcast":
            name, shape = list(inputs.items())[-1]
            return {name: (0, *row_major(shape)[1:])} if shape else {}
    raise UolError(f"no arrangement {arrangement!r}")


def filters(op: Op) -> frozenset[str]:
    """The inputs of four dims whose first is not that of the first result, which is the batch.

    >>> from uol.operators.registry import find_operator
    >>> sorted(filters(find_operator("conv2d_bn_add_relu")))
    ['w']
    """
    batch = op.results[0].dims[:1]
    return frozenset(p.name for p in op.params if len(p.dims) == 4 and p.dims[:1] != batch)


def filter_last(shape: tuple[int, ...]) -> Strides:
    """Strides of a filter [O, C, R, S] that lies as [R, S, C, O]."""
    o, c, _, s = (max(size, 1) for size in shape)
    return (1, o, s * c * o, c * o)


def _with_gaps(shape: tuple[int, ...]) -> Strides:
    strides = [2]
    for size in reversed(shape[1:]):
        strides.append(strides[-1] * max(size, 1) + 3)
    return tuple(reversed(strides))


def repeated(values: Array, strides: Strides | None) -> Array:
    """The values that a tensor with these strides can hold: equal along dims of stride 0."""
    if strides is None or values.size == 0:
        return values
    first = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in strides)
    return np.broadcast_to(values[first], values.shape)


def laid_out(array: Array, strides: Strides | None) -> Array:
    """The array in memory with these element strides; what lies between is a pattern that no result should hold."""
    if strides is None or array.size == 0:
        return np.array(array, order="C")  # ascontiguousarray would give a 0-dimensional array a dim
    span = 1 + sum((size - 1) * stride for size, stride in zip(array.shape, strides, strict=True))
    memory = np.frombuffer(b"\x7b" * (span * array.itemsize), dtype=array.dtype).copy()
    view = np.lib.stride_tricks.as_strided(memory, array.shape, tuple(s * array.itemsize for s in strides))
    view[...] = array
    return view


def all_laid_out(arrays: Mapping[str, Array], strides: Mapping[str, Strides]) -> dict[str, Array]:
    """Every array in memory as `strides` says, row-major where it says nothing."""
    return {name: laid_out(array, strides.get(name)) for name, array in arrays.items()}
