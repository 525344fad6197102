"""What an attention reads, copied first: the operands of its products as those of contractions are. Nothing here needs TVM.

dots   rows x depth times depth x cols
sums   rows x cols times cols x width
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from uol.backends.cpu.host import core_count
from uol.backends.cpu.operands.attention_buffers import workspace_type
from uol.backends.cpu.operands.packing import copied, dims_to_copy
from uol.backends.cpu.schedules.cost import size
from uol.codegen.attention.parts import dot_product, weighted_product, weights_of
from uol.codegen.attention.reach import Reach, reach
from uol.codegen.indexing.arithmetic import ZERO, add, ceil_div, dense_strides, mul, product, static
from uol.codegen.specs.nodes import Arg, Attention, Contract, Dot, KernelSpec, Pack, Read, Store, Weighted
from uol.codegen.specs.traverse import accesses, main_read
from uol.ir.program.nodes import Const, Expr
from uol.ir.program.walk import rewrite, walk
from uol.ir.types import DTYPES

FEW_ROWS = 8
"""Below, a transposed copy of the cols' operand does not pay, and dot products of a contraction's kernel are the better way."""
MOST_SHARED_BYTES = 1 << 26
"""What the scores of a gradient may take in memory, so that its three sums share them: five products instead of seven. With 16
heads of 256 and with 8 of 1024 rows and cols, 64 wide, that took 0.78 and 0.74 of the time (AVX2, two threads)."""
STRIP_BYTES = 512 * 1024
"""What a strip may take of a thread's stack of 4 MB."""
STRIP_ROWS, PITCH_STEP = 56, 16
"""Rows of a strip in a workspace, at the most, and what the pitch of its rows is a multiple of: one more than the cols need, so
that rows do not all fall into one set of a cache."""
PARTS_A_CORE = 2
"""Of the strips in a workspace, so that a core that is done has a part of the other's to take: 8 heads of 128 rows and cols on
two cores without a common cache took 0.134 ms in one part each, 0.106 in two (AVX-512); in four no less."""


def takes_strips(spec: Attention) -> bool:
    """Does a row with all its cols fit on the stack, are there rows enough, and is it better than the products one by one? Cols
    whose number is an argument are in a workspace; one col is no axis, and has no strip there."""
    rows, cols = size(spec.rows), size(spec.cols)
    if (rows is not None and rows < FEW_ROWS) or not _has_known_widths(spec) or _is_looked_up(spec):
        return False
    if rows is None or cols is None:
        return len(spec.rows) == len(spec.cols) == 1 and cols != 1 and not _shares_products(spec)
    if row_bytes(spec, cols) > STRIP_BYTES:
        return False
    batches = prod(static(a.extent) or 1 for a in spec.batch)  # one of those whose number is an argument
    return not _shares_products(spec) or batches * row_bytes(spec, rows * cols) > MOST_SHARED_BYTES


def _is_looked_up(spec: Attention) -> bool:
    """Do keys or values lie where data says?"""
    factors = (*(factor for dot in spec.dots for factor in (dot.a, dot.b)), *(each.value for each in spec.sums))
    return any(isinstance(node, Read) for factor in factors for node in walk(main_read(factor).offset))


def _has_known_widths(spec: Attention) -> bool:
    """Are depths and widths numbers?"""
    return all(size(axes) is not None for axes in (*(d.depth for d in spec.dots), *(s.width for s in spec.sums)))


def _shares_products(spec: Attention) -> bool:
    """Is it of a gradient, whose other sums are of the same dots? In strips each kernel makes them again. Beyond a diagonal
    they are not made at all, which is worth more."""
    return spec.hi is None and reach(spec) == Reach(None, None)


def row_bytes(spec: Attention, pitch: int) -> int:
    """Bytes of the dots and weights of a row. A weight takes the place of a dot."""
    types = [d.dtype for d in spec.dots] + [w.dtype for w in weights_of(spec)][len(spec.dots) :]
    return pitch * sum(DTYPES[t].bytes for t in types)


def with_strips(spec: KernelSpec) -> KernelSpec:
    """An attention with a workspace for the strips of all parts, where a number of rows or cols is an argument; any other
    kernel as it is."""
    if not isinstance(spec, Attention) or size((*spec.rows, *spec.cols)) is not None:
        return spec
    cols = ceil_div(product([a.extent for a in spec.cols]), PITCH_STEP)
    cores = core_count()
    shape = (Const(cores * PARTS_A_CORE if cores > 1 else 1), Const(STRIP_ROWS), mul(add(cols, Const(1)), Const(PITCH_STEP)))
    types = {name: workspace_type(dtype) for name, dtype in strip_types(spec).items()}
    strips = (Arg(strip_name(spec, n), dtype, shape, dense_strides(shape), "workspace") for n, dtype in types.items())
    return replace(spec, args=(*spec.args, *strips))


def strip_name(spec: Attention, value: str) -> str:
    """The workspace of a dot's strips, or of a weight's."""
    return f"{spec.name}_{value}_strip"


def strip_types(spec: Attention) -> dict[str, str]:
    """The types of the values that have strips: dots, and weights for which no dot leaves its place."""
    types = {d.name: d.dtype for d in spec.dots}
    weights = {w.name: w.dtype for number, w in enumerate(weights_of(spec)) if not leaves_place(spec, number)}
    return types | weights


def leaves_place(spec: Attention, number: int) -> bool:
    """Is there a dot whose place the weight of that number takes?"""
    return number < len(spec.dots) and spec.dots[number].dtype == weights_of(spec)[number].dtype


def packed_attention(spec: Attention) -> tuple[KernelSpec, ...]:
    """The attention, after the copies of its operands that pay."""
    packs: list[Pack] = []
    dots = tuple(_dot(spec, d, packs) for d in spec.dots)
    sums = tuple(_sum(spec, s, packs) for s in spec.sums)
    packed = replace(spec, dots=dots, sums=sums)
    copies = [p.arg(s.tensor) for p in packs for s in p.steps if isinstance(s, Store)]
    used = {node.tensor for node in accesses(packed)}
    args = (*(a for a in spec.args if a.name in used), *copies)
    return (*packs, replace(packed, args=args))


def _dot(spec: Attention, dot: Dot, packs: list[Pack]) -> Dot:
    product = dot_product(spec, dot)
    for side in ("a", "b"):
        product = _copied(product, side, packs)
    return replace(dot, a=_over(spec, product.a), b=_over(spec, product.b))


def _sum(spec: Attention, total: Weighted, packs: list[Pack]) -> Weighted:
    return replace(total, value=_over(spec, _copied(weighted_product(spec, total), "b", packs).b))


def _copied(factors: Contract, side: str, packs: list[Pack]) -> Contract:
    dims = dims_to_copy(factors, side)
    if dims is None:
        return factors
    pack, after = copied(factors, side, dims)
    packs.append(pack)
    return after


def _over(spec: Attention, factor: Expr) -> Expr:
    """The factor with the strides of its read along all axes of the spec."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        known = dict(node.strides)
        return replace(node, strides=tuple((a.name, known.get(a.name, ZERO)) for a in spec.axes))

    return rewrite(factor, rule)
