"""How far apart elements lie that are next to each other along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from uol.codegen.indexing.arithmetic import ZERO, static
from uol.codegen.specs.nodes import Read
from uol.ir.program.nodes import Axis

UNKNOWN_STRIDE = 1 << 16
"""What a stride is taken for that is an argument: it is that of something long."""


def smallest_stride(read: Read, axes: Sequence[Axis]) -> float:
    """The smallest step in memory along one of the axes; infinite where there is none."""
    strides = [s for a in axes if (s := read.stride(a.name)) is not None]
    return min((abs(known) if (known := static(s)) is not None else UNKNOWN_STRIDE for s in strides if s != ZERO), default=inf)
