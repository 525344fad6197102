"""A contraction whose packed operands are copied in runs: the axis along which an operand lies without gaps comes last.

    dw[o, c, r, s] = sum[p](dy[p, o] * x[p at r, s, c])     rows of b in the order r, s, c, not c, r, s

A copy with three lanes would take a burst, and instructions, for three elements. The result, whose order is another then, goes
through a workspace: it must be smaller than what is packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from uol.backends.ascendc.transfers.indices import Indices, extent, stride_of
from uol.codegen.specs.nodes import Contract, Map, Read
from uol.codegen.specs.rewrites import over_axes, split_epilogue, strides_over
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Axis, Expr

FEW = 16
"""Elements in a row from which on they are copied as they lie: half a block of f16."""


def with_runs_last(contract: Contract) -> tuple[Contract, *tuple[Map, ...]]:
    """The contraction with the rows of its operands in such an order, and the kernel that stores its result in the other one;
    the contraction alone, where they are."""
    terms = _points(contract.k)
    m = _order(contract.a, contract.m, contract) if _points(contract.n) <= terms else contract.m
    n = _order(contract.b, contract.n, contract) if _points(contract.m) <= terms else contract.n
    if contract.segments is not None or (m, n) == (contract.m, contract.n):
        return (contract,)
    return split_epilogue(_reordered(contract, m, n))


def _points(axes: Sequence[Axis]) -> int:
    return prod(extent(a) for a in axes)


def _order(factor: Expr, rows: tuple[Axis, ...], contract: Contract) -> tuple[Axis, ...]:
    """The rows of an operand, the run last, where it is not, and the last of them is short."""
    found = list(reads(factor))
    if len(rows) < 2 or extent(rows[-1]) >= FEW or len(found) != 1:
        return rows
    run = next((a for a in rows if extent(a) >= FEW and _is_run(found[0], a, contract)), None)
    return rows if run is None else (*(a for a in rows if a != run), run)


def _is_run(read: Read, axis: Axis, contract: Contract) -> bool:
    return stride_of(read, axis.name, Indices.over(contract.axes, {})) == 1


def _reordered(contract: Contract, m: Sequence[Axis], n: Sequence[Axis]) -> Contract:
    """Its result is not contiguous along the last of n: it is no kernel until it stores another one."""
    new = replace(contract, m=tuple(m), n=tuple(n))
    names = [a.name for a in new.axes]
    epilogue = tuple(over_axes(step, new.axes) for step in contract.epilogue)
    return replace(new, a=strides_over(contract.a, names), b=strides_over(contract.b, names), epilogue=epilogue)
