"""Memory with a fence on either side, for kernels that run on this machine: what they do beside a buffer is found.

    results, findings = run_fenced(compiled, {"x": x})

A write into a fence is a finding. With `trap`, the fence behind is memory that nobody may touch: a read beyond the end stops
the process as well, which a test can afford and a command cannot.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uol.binding.arrays import buffers_of, by_name
from uol.conformance.accuracy.interval import Array

if TYPE_CHECKING:
    from uol.compiler import Compiled

WIDTH = mmap.PAGESIZE
"""Bytes of a fence: a task of a kernel that is one too many writes as much as its neighbour, not a byte or two."""
PATTERN = 0xA5


@dataclass(frozen=True, slots=True)
class Fenced:
    """An array between two fences."""

    array: Array
    fences: tuple[NDArray[np.uint8], ...]

    @property
    def whole(self) -> bool:
        """Has nothing been written into the fences?"""
        return all(bool((fence == PATTERN).all()) for fence in self.fences)


def fenced(array: Array, trap: bool = False) -> Fenced:
    """A copy of the array, elements between its strides included."""
    flat = _memory_of(array)
    before = WIDTH if not trap else WIDTH + -flat.nbytes % WIDTH
    memory = _trapped(before + flat.nbytes) if trap else np.empty(before + flat.nbytes + WIDTH, np.uint8)
    memory[:] = PATTERN
    own = memory[before : before + flat.nbytes].view(flat.dtype)
    own[:] = flat
    if not flat.size:  # between the fences: a slice of nothing would be where its memory begins
        return Fenced(np.ndarray(array.shape, array.dtype, memory, before), (memory,))
    view = np.lib.stride_tricks.as_strided(own, array.shape, array.strides)
    return Fenced(view, (memory[:before], memory[before + flat.nbytes :]))


def run_fenced(compiled: Compiled, buffers: Mapping[str, Array]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """The results by name, and what the kernels wrote where they must not."""
    graph = compiled.module.graph
    named = by_name(graph.name, compiled.inputs, buffers)
    found = buffers_of(compiled.request.instance, graph, named)
    inputs = {name: fenced(array) for name, array in zip(named, found.inputs, strict=True)}
    results = {name: fenced(array) for name, array in found.results.items()}
    given = [_memory_of(f.array).tobytes() for f in inputs.values()]
    compiled.loaded(*(f.array for f in (*inputs.values(), *results.values())), *compiled.scalars({}), *found.sizes)
    beside = [f"wild-write: beside {name}" for name, f in (*inputs.items(), *results.items()) if not f.whole]
    changed = [
        f"wild-write: into the input {name}"
        for (name, f), before in zip(inputs.items(), given, strict=True)
        if _memory_of(f.array).tobytes() != before
    ]
    return {name: f.array for name, f in results.items()}, (*beside, *changed)


def _memory_of(array: Array) -> Array:
    """All elements from the first to the last in memory, those between its strides included."""
    if not array.size:
        return array.reshape(-1)
    reach = sum((size - 1) * stride for size, stride in zip(array.shape, array.strides, strict=True))
    return np.lib.stride_tricks.as_strided(array, (1 + reach // array.itemsize,), (array.itemsize,))


def _trapped(size: int) -> NDArray[np.uint8]:
    """Whole pages, behind which lies one that must not be touched."""
    pages = mmap.mmap(-1, size + WIDTH)
    behind = ctypes.addressof(ctypes.c_char.from_buffer(pages, size))
    if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(behind), ctypes.c_size_t(WIDTH), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    return np.frombuffer(pages, np.uint8, size)
