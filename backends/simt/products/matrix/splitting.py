"""Split-K on matrix units: as many parts of the terms as cores have blocks for, whatever the number of terms is.

Parts are of a multiple of what a tile has of them. The last may be shorter: a kernel on matrix units takes any number of terms.
"""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.simt.products.matrix.legality import FACTORS
from uol.backends.simt.products.matrix.operand import operands_of
from uol.backends.simt.products.splitting import BLOCKS_A_CORE, LEAST_TERMS, SIDE, with_terms_joined
from uol.codegen.backend import Device
from uol.codegen.contractions.row_sums import split_with_sums
from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.specs.nodes import Contract, KernelSpec
from uol.ir.types import NARROW

TERMS = 32
"""Of a tile, of the fewest that tiles have."""


def uneven_products(spec: Contract, device: Device) -> Iterator[tuple[KernelSpec, ...]]:
    """The kernels of a product of known sizes in parts of which the last is shorter, as many as cores have blocks for of tiles
    of three sizes; none where an even cut has as many, or where it is no product of two matrices."""
    counts = tuple(static(size(axes)) for axes in (spec.m, spec.n, spec.batch, spec.k))
    m, n, batch, terms = (count or 0 for count in counts)
    if not m * n * batch or spec.dims or spec.segments is not None or spec.acc_dtype in NARROW:
        return
    joined = with_terms_joined(spec)
    found = operands_of(joined)
    if found is None or any(operand.read.dtype not in FACTORS or operand.window is not None for operand in found):
        return
    axis, *inner = joined.k
    extent, multiple = static(axis.extent) or 0, TERMS if not inner else 1
    tiles = -(-m // SIDE) * -(-n // SIDE) * batch
    most = min(terms // LEAST_TERMS, extent // multiple)
    wanted = {min(BLOCKS_A_CORE * device.cores * half // (2 * tiles), most) for half in (1, 2, 4)}
    for number in sorted(each for each in wanted if each > 1 and (extent % each or extent // each % multiple)):
        yield split_with_sums(joined, [(axis, number)], multiple)
