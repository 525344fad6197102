"""Split-K: where a product has fewer tiles than cores want, its sums are over parts of the terms, and a second kernel adds
these up in one order: a result is the same from run to run.

    y[m, n] = sum[k](a[m, k] b[k, n])   ->   W[p, m, n] = sum[k in part p](a[m, k] b[k, n]);  y[m, n] = sum[p](W[p, m, n])
"""

from __future__ import annotations

from collections.abc import Iterator

from uol.codegen.backend import Device
from uol.codegen.contractions.row_sums import split_with_sums
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.specs.collapse_axes import are_joinable, joined
from uol.codegen.specs.nodes import Contract, KernelSpec, Within
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Axis
from uol.ir.program.walk import variables
from uol.ir.types import NARROW

BLOCKS_A_CORE = 2
"""As many are wanted: while one waits for memory, the other computes."""
SIDE = 64
"""Rows and columns of a tile that reads what it needs seldom enough; fewer where there are fewer."""
LEAST_TERMS = 256
"""Of a part: a further launch takes some microseconds, and each part of a tile is written, and read again."""
WHOLE_TERMS = 16
"""What terms of a part should be a multiple of: no step of a kernel then is a part of one."""


def split_products(
    spec: Contract, device: Device, columns: tuple[Axis, ...] | None = None
) -> Iterator[tuple[KernelSpec, ...]]:
    """The kernels of a product of known sizes, with about as many parts as are wanted, with twice and with half of them; none
    where its tiles are enough, or no axis of its terms may be cut. `columns`: the axes of n in the order of the parts' sums."""
    counts = tuple(static(size(axes)) for axes in (spec.m, spec.n, spec.batch))
    m, n, batch = (count or 0 for count in counts)
    if not m * n * batch or spec.dims or spec.segments is not None or spec.acc_dtype in NARROW:
        return
    spec = with_terms_joined(spec)
    tiles = -(-m // SIDE) * -(-n // SIDE) * batch
    wanted = -(-BLOCKS_A_CORE * device.cores // tiles)
    numbers = (2 * wanted, wanted, wanted // 2) if wanted > 1 else ()
    found = {cut for number in numbers if number > 1 and (cut := _cut(spec, number)) is not None}
    for axis, parts in sorted(found, key=lambda each: each[1]):
        yield split_with_sums(spec, [(axis, parts)], columns=columns)


def with_terms_joined(spec: Contract) -> Contract:
    """The contraction with terms along as few axes as its factors lie: then these may be cut anywhere."""
    place = 1
    while place < len(spec.k):
        if are_joinable(spec, spec.k[place - 1], spec.k[place]):
            spec = joined(spec, spec.k[place - 1], spec.k[place])
        else:
            place += 1
    return spec


def _cut(spec: Contract, wanted: int) -> tuple[Axis, int] | None:
    """The axis that goes into about as many parts of one length, each with terms enough, and their number: the first of those
    that come nearest. Along the last axis elements lie side by side: it stays whole where another one may be cut."""
    terms = static(size(spec.k)) or 0
    most = min(wanted * 4 // 3, terms // LEAST_TERMS)
    found = [
        (axis, number)
        for axis in spec.k
        if (extent := static(axis.extent)) and may_be_cut(spec, axis)
        for number in range(2, min(most, extent) + 1)
        if extent % number == 0
    ]

    def nearest(cut: tuple[Axis, int]) -> tuple[bool, bool, int]:
        axis, number = cut
        return terms // number % WHOLE_TERMS != 0, axis == spec.k[-1], abs(number - min(wanted, most))

    return min(found, key=nearest, default=None)


def may_be_cut(spec: Contract, axis: Axis) -> bool:
    """Do both factors go on by the same with each step along the axis, and does no guard ask where on it they are, but for
    bounds on sums of axes?"""
    names = [each.name for each in spec.axes]
    found = [read for factor in (spec.a, spec.b) for read in reads(factor)]
    asked = [guard for read in found for guard in read.guard if axis.name in frozenset().union(*map(variables, guard.children))]
    may_be = all(isinstance(guard, Within) and affine(guard.value, names) is not None for guard in asked)
    return may_be and all(affine(read.offset, names) is not None for read in found)
