"""Is `int` wide enough for the indices of a kernel?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from uol.backends.c_text.index_intervals import Ranges, fits_int, join
from uol.codegen.specs.nodes import KernelSpec, Read, guard_operands
from uol.codegen.specs.traverse import expressions
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Expr
from uol.ir.types import INDEX

NARROW, WIDE = "int", "long long"


def index_type(spec: KernelSpec, counts: Iterable[int]) -> str:
    """`int` where every offset, every step on the way to it, and every one of `counts` fits 32 bits; else `long long`."""
    ranges = Ranges.over(spec.axes, spec.dims)
    reach = [i for expr in expressions(spec) for i in _intervals(expr, ranges)]
    return NARROW if fits_int(join([*reach, *(Interval(0, c) for c in counts)])) else WIDE


def _intervals(expr: Expr, ranges: Ranges) -> Iterator[Interval]:
    """The interval of every index that is computed for an expression. Within a read its guards hold."""
    if isinstance(expr, Read):
        inside = ranges.where(expr.guard)
        yield from _index(expr.offset, inside)
        for operand in guard_operands(expr.guard):
            yield from _index(operand, ranges)
        if expr.fill is not None:
            yield from _intervals(expr.fill, ranges)
        return
    if expr.type == INDEX:
        yield ranges.of(expr)
    for child in expr.children:
        yield from _intervals(child, ranges)


def _index(expr: Expr, ranges: Ranges) -> Iterator[Interval]:
    """The same for an expression that is used as an index: data that is read for it counts, whatever its type."""
    if expr.type != "bool":
        yield ranges.of(expr)
    if isinstance(expr, Read):
        yield from _intervals(expr, ranges)
        return
    for child in expr.children:
        yield from _index(child, ranges)
