"""Ranges of a profiler that carry the name of the operator: NVTX for NVIDIA's Nsight, roctx for AMD's rocprof.

They are pushed where `UOL_RANGES=1` is set when an operator is loaded. Where it is not, a call has no step more.
"""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from uol.backends.toolchain.shared_library import open_first

if TYPE_CHECKING:
    from uol.backends.loading.loaded import Enqueue

VARIABLE = "UOL_RANGES"


@dataclass(frozen=True, slots=True)
class RangeSource:
    """A vendor's library of ranges: names to try, in order, and its calls."""

    libraries: tuple[str, ...]
    push: str
    pop: str


def with_ranges(op: str, enqueue: Enqueue, source: RangeSource) -> Enqueue:
    """What enqueues an operator, each time in a range with its name, where that is asked for and the library is there."""
    asked = os.environ.get(VARIABLE, "") not in ("", "0")
    library = _found(source) if asked else None
    if library is None:
        return enqueue
    name, push, pop = op.encode(), library[source.push], library[source.pop]

    def enqueue_in_range(addresses: Sequence[int], scalars: Sequence[object], workspace: int, stream: int) -> None:
        push(name)
        try:
            enqueue(addresses, scalars, workspace, stream)
        finally:
            pop()

    return enqueue_in_range


@cache
def _found(source: RangeSource) -> ctypes.CDLL | None:
    """The first library that is loaded or installed; where none is, a warning, once."""
    if (library := open_first(source.libraries)) is not None:
        return library
    warnings.warn(f"{VARIABLE} is set, and there is none of {', '.join(source.libraries)}: no ranges", stacklevel=2)
    return None
