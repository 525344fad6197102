"""numpy arrays as the buffers of a compiled operator: checks, and results to be filled."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from uol.binding.static_sizes import static_sizes
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import STORAGE
from uol.ir.types import is_float
from uol.operators.did_you_mean import nearest

Array = NDArray[np.generic]


def by_position(op: str, args: tuple[Arg, ...], arrays: tuple[Array, ...]) -> dict[str, Array]:
    """Arrays by the names of `args`, in order. Raises ShapeError for one too many."""
    names = [a.name for a in args]
    if len(arrays) > len(names):
        raise ShapeError(f"{op} takes {len(names)} arrays, not {len(arrays)}", hint=f"they are {', '.join(names)}")
    return dict(zip(names, arrays, strict=False))


def by_name(op: str, args: tuple[Arg, ...], given: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays in the order of `args`, each one present. Raises ShapeError for one that is unknown or missing."""
    names = [a.name for a in args]
    for name in given:
        if name not in names:
            raise ShapeError(f"{op} has no input {name!r}", hint=nearest(name, names) or f"its inputs are {', '.join(names)}")
    missing = [n for n in names if n not in given]
    if missing:
        raise ShapeError(f"{op} needs {', '.join(missing)}", hint=f"its inputs are {', '.join(names)}")
    return {name: given[name] for name in names}


def require_type(op: str, arg: Arg, array: Array) -> None:
    """Raises ShapeError where an array is none, or not of the type that the kernel was made for."""
    wanted = np.dtype(STORAGE[arg.dtype])
    if not isinstance(array, np.ndarray):
        raise ShapeError(f"{op}: {arg.name} is a {type(array).__name__}, not a numpy array", hint="write np.asarray(...)")
    if array.dtype != wanted:
        patterns = is_float(arg.dtype) and wanted.kind == "u"
        hint = f"uol.ir.encode({arg.name}, {arg.dtype!r})" if patterns else f"{arg.name}.astype({str(wanted)!r})"
        kind = f"bit patterns of {arg.dtype}, {wanted}" if patterns else str(wanted)
        raise ShapeError(f"{op}: {arg.name} is {array.dtype}, the kernel takes {kind}", hint=f"write {hint}")


def require_fit(op: str, arg: Arg, array: Array) -> None:
    """Raises ShapeError where an array is not of the shape or strides that the kernel was made for."""
    shape = static_sizes(arg.shape)
    if array.shape != shape:
        hint = "compile for these dims"
        raise ShapeError(f"{op}: {arg.name} has the shape {array.shape}, the kernel takes {shape}", hint=hint)
    if array.size and not _strides_fit(array, arg, shape):
        strides = tuple(s // array.itemsize for s in array.strides)
        raise ShapeError(
            f"{op}: {arg.name} has the strides {strides}, the kernel takes {static_sizes(arg.strides)}",
            hint=f"write np.ascontiguousarray({arg.name}), or compile with these strides",
        )


def empty_result(arg: Arg) -> Array:
    """An array for a result, in the layout that the kernel writes."""
    shape, strides = static_sizes(arg.shape), static_sizes(arg.strides)
    dtype = np.dtype(STORAGE[arg.dtype])
    flat = np.empty(prod(shape), dtype)
    if not flat.size:
        return flat.reshape(shape)
    return np.lib.stride_tricks.as_strided(flat, shape, tuple(s * dtype.itemsize for s in strides))


def _strides_fit(array: Array, arg: Arg, shape: tuple[int, ...]) -> bool:
    """Strides count only along dims of two or more."""
    strides = zip(array.strides, static_sizes(arg.strides), shape, strict=True)
    return all(have == want * array.itemsize for have, want, size in strides if size > 1)
