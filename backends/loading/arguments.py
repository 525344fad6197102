"""What a caller hands to a loaded operator: where its buffers lie, and how many bytes they span."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from uol.backends.abi.interface import static_extent
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ShapeError
from uol.ir.types import DTYPES


class Place(Protocol):
    """A device: its name as errors say it ("CUDA device 1"), and PyTorch's index of it."""

    @property
    def where(self) -> str: ...

    @property
    def index(self) -> int: ...


def device_address(name: str, argument: object, place: Place) -> int | None:
    """The address of device memory; None for an array of the host. Raises ShapeError for a tensor that lies elsewhere."""
    if isinstance(argument, int):
        return argument
    pointer = getattr(argument, "data_ptr", None)
    if pointer is not None:
        index = getattr(argument, "get_device", None)
        if index is not None and index() != place.index:
            there = getattr(argument, "device", "another device")
            hint = "move it there first: tensors are not copied, only numpy arrays are"
            raise ShapeError(f"{name} is a tensor on {there}; the kernel runs on {place.where}", hint=hint)
        return int(pointer())
    interface = getattr(argument, "__cuda_array_interface__", None)
    return int(interface["data"][0]) if interface is not None else None


def host_address(name: str, argument: object) -> int:
    """The address of a numpy array's first element. Raises ShapeError for anything else."""
    if not isinstance(argument, np.ndarray):
        kinds = "device memory (an address, or an object with data_ptr()) or a numpy array"
        raise ShapeError(f"{name} is a {type(argument).__name__}, which has no address", hint=f"pass {kinds}")
    return int(argument.ctypes.data)


def number(name: str, argument: object) -> int | float:
    """A run-time attribute: a number of Python or numpy. Raises ShapeError for anything else."""
    value: object = argument.item() if isinstance(argument, np.generic) else argument
    if not isinstance(value, int | float):
        raise ShapeError(f"{name} is a {type(argument).__name__}, not a number", hint="pass an int or a float")
    return value


def span_bytes(arg: Arg) -> int:
    """Bytes from the first element of a buffer to its last."""
    shape = [static_extent(d) for d in arg.shape]
    if 0 in shape:
        return 0
    last = sum((d - 1) * static_extent(s) for d, s in zip(shape, arg.strides, strict=True))
    return (last + 1) * DTYPES[arg.dtype].bytes
