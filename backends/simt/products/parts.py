"""Parts of the sizes of products: few rows, few columns, and any; for matrix units, where rows are whole accesses.

At most six kernels are for one product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from uol.backends.simt.kernel.parts import ALL, Part, Where, is_open, not_all, up_to
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.legality import sizes_of_whole_accesses
from uol.backends.simt.products.segments import TYPICAL_SEGMENTS, has_segments
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Contract
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Const

FEW = (1, 4, 16, 64)
"""Rows of a product, or columns where rows are known: so few that each weight is read once; as many as small tiles have."""
MOST_FEW = 16
"""Of those the last that reads each weight once; columns where rows are open, too."""
FEW_IN_SEGMENTS = (MOST_FEW, 32 * TYPICAL_SEGMENTS)
"""The same of rows in segments: as many as small tiles have in each of a typical number of them."""


def parts_of_products(spec: Contract, machine: Machine) -> Iterator[Part]:
    """By the number of rows and columns. Of rows in segments none are so few that kernels of their own pay."""
    conditions = sizes_of_whole_accesses(spec)
    return _on_threads(spec) if conditions is None else _on_matrix_units(spec, conditions)


def _few(spec: Contract) -> tuple[int, ...]:
    """Numbers of rows up to which a product has kernels of its own."""
    if has_segments(spec, "rows"):
        return FEW_IN_SEGMENTS
    return tuple(most for most in FEW if most >= MOST_FEW) if spec.segments else FEW


def _on_threads(spec: Contract) -> Iterator[Part]:
    beyond: Where = ()
    few = _few(spec)
    for name, axes in (("rows", spec.m), ("columns", spec.n)):
        if is_open(axes):
            *parts, rest = up_to({f"{most}_{name}": most for most in few}, size(axes))
            yield from (replace(part, where=(*part.where, *beyond)) for part in parts)
            beyond, few = (*beyond, *rest.where), (MOST_FEW,)
    yield Part("", beyond)


def _on_matrix_units(spec: Contract, conditions: Where) -> Iterator[Part]:
    """Few rows; some, and any, where rows are whole accesses; any where they are not."""
    few: list[Part] = []
    several: list[Part] = [ALL]
    beyond: Where = ()
    if is_open(spec.m):
        counts = _few(spec)
        parts = list(up_to({f"{most}_rows": most for most in counts}, size(spec.m)))
        number = counts.index(MOST_FEW) + 1
        few, several = parts[:number], parts[number:]
        beyond = (negate(compare("<=", size(spec.m), Const(MOST_FEW))),)
    yield from few
    if not conditions:
        yield from several
        return
    yield from (part.narrowed("whole", conditions) for part in several)
    yield Part("", (*beyond, not_all(conditions)))
