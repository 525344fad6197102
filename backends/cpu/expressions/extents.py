"""Arithmetic on extents: numbers where both operands are, else terms over the sizes of a call. Nothing is negative."""

from __future__ import annotations

from tvm import tirx

from uol.backends.cpu.expressions.builder import Extent, index


def quotient(a: Extent, b: Extent) -> Extent:
    """a / b, rounded down. TVM sees that nothing is negative of numbers alone: an argument would be rounded down by conditions
    that take LLVM ten times as long as all else."""
    return a // b if isinstance(a, int) and isinstance(b, int) else tirx.Div(index(a), index(b))


def remainder(a: Extent, b: Extent) -> Extent:
    """What that leaves over of a."""
    if isinstance(b, int):
        return a % b if isinstance(a, int) else tirx.FloorMod(a, index(b))
    return tirx.Mod(index(a), b)


def ceil_div(a: Extent, b: Extent) -> Extent:
    """a / b, rounded up."""
    return quotient(a + b - 1, b)


def least(a: Extent, b: Extent) -> Extent:
    """The lesser of two."""
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else tirx.Min(index(a), index(b))


def greatest(a: Extent, b: Extent) -> Extent:
    """The greater of two."""
    return max(a, b) if isinstance(a, int) and isinstance(b, int) else tirx.Max(index(a), index(b))
