"""What a contraction reads: the operands in its factors, the rows in its epilogue."""

from __future__ import annotations

from collections.abc import Sequence

from uol.backends.cpu.expressions.dtypes import representation
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Read, Store
from uol.ir.program.nodes import Axis, Expr
from uol.ir.program.walk import walk

CACHE_LINE_BYTES = 64
MOST_TAPS = 16
"""Of a window, along the axis whose steps are written out."""


def the_read(factor: Expr) -> Read:
    """The read of a factor."""
    return next(node for node in walk(factor) if isinstance(node, Read))


def epilogue_rows(spec: Contract) -> tuple[Read | Store, ...]:
    """What the epilogue reads and writes for every row and column, contiguous along the columns."""
    if not spec.m or not spec.n:
        return ()
    m, n = spec.m[-1].name, spec.n[-1].name
    found: list[Read | Store] = [
        node for step in spec.epilogue for node in walk(step.value) if isinstance(node, Read) and not node.guard
    ]
    found += [step for step in spec.epilogue if isinstance(step, Store)]
    steps = [(a, coefficient(a.offset, m)) for a in found if coefficient(a.offset, n) == 1]
    return tuple(a for a, step in steps if step is None or step > 0)


def is_in_parts(spec: Contract) -> bool:
    """Does an axis of the batch continue one of k, in both operands: is it of sums over parts of a long k?"""
    offsets = [the_read(factor).offset for factor in (spec.a, spec.b)]
    return any(_continues(part, axis, offsets) for part in spec.batch for axis in spec.k)


def _continues(part: Axis, axis: Axis, offsets: Sequence[Expr]) -> bool:
    steps = [(coefficient(o, part.name) or 0, coefficient(o, axis.name) or 0) for o in offsets]
    return all(outer and outer == inner * (static(axis.extent) or 0) for outer, inner in steps)


def accumulator_bytes(spec: Contract) -> int:
    compute = representation(spec.acc_dtype).compute
    return 8 if "64" in compute else 4


def rows_are_far(spec: Contract) -> bool:
    """Does each step along k read another line of a?"""
    step = coefficient(the_read(spec.a).offset, spec.k[-1].name)
    return step is None or abs(step) * accumulator_bytes(spec) >= CACHE_LINE_BYTES


def sliding_axis(spec: Contract) -> Axis | None:
    """Of columns in lines that no rows share: the axis of k along which b moves as it does from line to line, so that what one
    line reads the next one reads, too, some steps before or after. None where there is none."""
    if spec.m or len(spec.n) < 2 or the_read(spec.b).guard:
        return None
    offset, found = the_read(spec.b).offset, None
    line = coefficient(offset, spec.n[-2].name) or 0
    for axis in spec.k:
        step, extent = abs(coefficient(offset, axis.name) or 0), static(axis.extent) or 0
        if 0 < step <= line and line % step == 0 and line < step * extent <= step * MOST_TAPS:
            found = axis
    return found
