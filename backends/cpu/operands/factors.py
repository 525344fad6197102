"""What a contraction reads: the operands in its factors, the rows in its epilogue."""

from __future__ import annotations

from uol.backends.cpu.expressions.dtypes import representation
from uol.codegen.indexing.affine import coefficient
from uol.codegen.specs.nodes import Contract, Read, Store
from uol.ir.program.nodes import Expr
from uol.ir.program.walk import walk

CACHE_LINE_BYTES = 64


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
    return tuple(a for a in found if coefficient(a.offset, n) == 1 and (coefficient(a.offset, m) or 0) > 0)


def accumulator_bytes(spec: Contract) -> int:
    compute = representation(spec.acc_dtype).compute
    return 8 if "64" in compute else 4


def rows_are_far(spec: Contract) -> bool:
    """Does each step along k read another line of a?"""
    step = coefficient(the_read(spec.a).offset, spec.k[-1].name)
    return step is None or abs(step) * accumulator_bytes(spec) >= CACHE_LINE_BYTES
