"""A row times a matrix that lies in rows: every row of the matrix is read as it lies, and added to all results.

Tiles of columns would read short pieces of rows that lie a page apart, each of which memory is asked for anew. Where there are
fewer rows than cores, each core takes its own stretch of the matrix, and the sums of the stretches are added.
"""

from __future__ import annotations

from uol.backends.cpu.host import core_count
from uol.backends.cpu.operands.factors import accumulator_bytes, the_read
from uol.backends.cpu.operands.panels import KEPT_BYTES
from uol.backends.cpu.operands.terms import divided
from uol.backends.cpu.schedules.cost import size
from uol.codegen.contractions.split_terms import split_terms
from uol.codegen.indexing.affine import coefficient
from uol.codegen.specs.nodes import Contract, Reduce
from uol.codegen.specs.rewrites import as_reduce

FEWEST_TERMS = 64
"""Of a sum; fewer are a window's."""
STRETCHES_PER_CORE = 2


def row_product(spec: Contract) -> tuple[Reduce, ...] | None:
    """The kernels of a product with one row, whose matrix no cache of a core keeps (`KEPT_BYTES`); None for others."""
    columns, terms, batch = size(spec.n), size(spec.k), size(spec.batch)
    if spec.m or not spec.n or spec.segments is not None or columns is None or terms is None or batch is None:
        return None
    matrix, row = (the_read(factor) for factor in (spec.b, spec.a))
    inner = spec.n[-1].name
    if coefficient(matrix.offset, inner) != 1 or any(coefficient(row.offset, n.name) != 0 for n in spec.n):
        return None
    is_small = terms < FEWEST_TERMS or columns * terms * accumulator_bytes(spec) <= KEPT_BYTES
    if matrix.guard or is_small:
        return None
    divisions = divided(spec, -(-STRETCHES_PER_CORE * core_count() // max(batch, 1)))
    if not divisions:
        return (as_reduce(spec),)
    product, total = split_terms(spec, divisions)
    return as_reduce(product), total
