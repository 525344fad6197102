"""What a contraction reads, copied first into a layout that its tiles can use.

    padding   an operand with guards is copied with its padding, so that the inner loop has none
    order     a b that is not contiguous along n is transposed
    sparse    an a of which few elements are read where it lies is copied together
    type      f16, bf16, f8 and small integers are widened once rather than at every use

The copy is a Pack of its own, joined by a workspace. It is made where every element serves enough products.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from uol.backends.cpu.operands.factors import rows_are_far, the_read
from uol.backends.cpu.operands.panels import takes_panels
from uol.backends.cpu.operands.source_dims import SourceDim, source_dims
from uol.backends.cpu.operands.typical import typical, typical_size, typical_span
from uol.backends.cpu.schedules.contraction import prefers_dot
from uol.backends.cpu.schedules.cost import size
from uol.codegen.indexing.affine import affine, magnitude
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, dense_strides, mul, static
from uol.codegen.specs.nodes import Arg, Contract, KernelSpec, Pack, Read, Store, Within
from uol.codegen.specs.rewrites import Side, pack_operand
from uol.codegen.specs.traverse import accesses
from uol.ir.integers import polynomials
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import rewrite, walk

MOST_GROWTH = 4
"""A packed operand may be so many times as large as what it is read from; beyond that it is read where it lies."""
ALIASED, APART = 256, 16
"""Columns of f32 that make a pitch of 1 KiB, of which the sets of a first-level cache of 32 KiB hold 32; those of a line."""
SPARSE, SPARSE_USES, SHORTEST_RUN = 2, 128, 8
"""A sparse operand reaches over so many elements for each that is read, the columns that its copy pays for, and the length of
runs (half a cache line of f32) that keep it where it lies."""
FEW_USES = 8
"""Products that an element must serve for a copy to pay."""


def packed(spec: Contract) -> tuple[KernelSpec, ...]:
    """The contraction, after the copies of its operands that pay."""
    if any(static(a.extent) == 0 for a in spec.axes):
        return (spec,)
    packs: list[KernelSpec] = []
    contract = spec
    sides: tuple[Side, Side] = ("a", "b")
    for side in sides:
        if side == "b" and takes_panels(contract) and not the_read(contract.b).guard:
            continue
        if _is_gathered(contract, side):
            pack, contract = pack_operand(contract, side, k_last=side == "a", dtype=contract.acc_dtype)
            packs.append(pack)
            continue
        dims = dims_to_copy(contract, side)
        if dims is not None:
            pack, contract = copied(contract, side, dims)
            packs.append(pack)
    return (*packs, contract)


def _is_gathered(spec: Contract, side: Side) -> bool:
    """Is an operand, of a size that is known, read at places that are data, more than a few times?"""
    read = the_read(spec.a if side == "a" else spec.b)
    data = any(isinstance(node, Read) and node != read for node in walk(read))
    return data and size(spec.axes) is not None and (size(spec.n if side == "a" else spec.m) or 1) >= FEW_USES


def dims_to_copy(spec: Contract, side: str) -> tuple[SourceDim, ...] | None:
    """The dims of the copy of an operand, outermost first; None where it stays."""
    operand: Expr = spec.a if side == "a" else spec.b
    read = the_read(operand)
    is_sparse = _is_sparse(spec, side, read)
    if not (read.guard or is_sparse or _is_out_of_order(spec, side, read) or read.dtype != operand.type):
        return None
    dims = source_dims(read, spec.axes, spec.dims)
    if dims is None or _grows(spec, read, dims) or _serves_few(spec, dims):
        return None
    if is_sparse:
        return _in_order_of_sum(spec, dims)
    ordered = tuple(sorted(dims, key=lambda d: _place(spec, side, d)))
    return (*ordered[:-1], _apart(ordered[-1])) if ordered and side == "b" and len(spec.n) == 1 else ordered


def _apart(columns: SourceDim) -> SourceDim:
    """The columns of a copy, with some more where the steps along k would else share a few sets of the first-level cache."""
    extent = static(columns.extent)
    if extent is None or extent % ALIASED or columns.low is not None or columns.high is not None:
        return columns
    return replace(columns, extent=Const(extent + APART), high=Const(extent))


def _in_order_of_sum(spec: Contract, dims: tuple[SourceDim, ...]) -> tuple[SourceDim, ...]:
    """The dims of a sparse a as they lie, so that a tile's rows are beside each other; those within a row in the order in which
    they are summed, since LLVM keeps fewer sums in registers where a run goes to and fro."""
    rows, terms = {a.name for a in spec.m}, [a.name for a in spec.k]
    within = min(magnitude(d.stride) for d in dims if d.axes & rows)
    outer = sorted((d for d in dims if magnitude(d.stride) >= within), key=lambda d: magnitude(d.stride), reverse=True)
    inner = (d for d in dims if magnitude(d.stride) < within)
    return (*outer, *sorted(inner, key=lambda d: min((terms.index(n) for n in d.axes if n in terms), default=-1)))


def _serves_few(spec: Contract, dims: tuple[SourceDim, ...]) -> bool:
    """Does an element of the copy serve few products: rows, and the taps of a window?"""
    products, elements = size(spec.axes), [static(d.extent) for d in dims]
    return products is not None and None not in elements and products < FEW_USES * prod(e for e in elements if e is not None)


def _grows(spec: Contract, read: Read, dims: tuple[SourceDim, ...]) -> bool:
    """Is the copy much larger than what it is of?"""
    elements = prod(typical(spec, d.extent) for d in dims)
    return elements > MOST_GROWTH * max(1, typical_span(spec, spec.arg(read.tensor)))


def _is_sparse(spec: Contract, side: str, read: Read) -> bool:
    """Is most of what lies between the elements of a left out, as of a filter of which a residue of a strided convolution's
    gradient has a few taps? Each of them is in a line of its own then, which all rows of a tile read again and again. Rows
    whose steps along k are far apart are copied tile by tile, as slivers."""
    if side == "b" or not (spec.m and spec.k) or typical_size(spec, spec.n) < SPARSE_USES:
        return False
    if rows_are_far(spec) or size((*spec.m, *spec.k)) is None:
        return False
    offset = affine(read.offset, [a.name for a in spec.axes])
    if offset is None:
        return False
    walks = [(static(a.extent) or 0, abs(static(offset.factor(a.name)) or 0)) for a in (*spec.m, *spec.k)]
    elements = prod(extent for extent, step in walks if step)
    reach = 1 + sum((extent - 1) * step for extent, step in walks)
    is_in_runs = any(step == 1 and extent >= SHORTEST_RUN for extent, step in walks)
    return SPARSE * elements <= reach and not is_in_runs


def _is_out_of_order(spec: Contract, side: str, read: Read) -> bool:
    if side == "a" or not spec.n or prefers_dot(spec):
        return False
    offset = affine(read.offset, [a.name for a in spec.axes])
    return offset is not None and offset.factor(spec.n[-1].name) != ONE


def _place(spec: Contract, side: str, dim: SourceDim) -> tuple[int, int, int]:
    """a keeps the order that it has; b goes by batch, k, n, with the innermost n last; outermost are dims of any size, which no
    stride depends on then, but for one that tiles run along."""
    degree, factor = magnitude(dim.stride)
    along = spec.k if side == "a" else spec.n
    kept = 2 if side == "b" and along and static(along[-1].extent) is None else 1
    if static(dim.extent) is None and not any(a.name in dim.axes for a in along[-kept:]):
        return (-1, -degree, -factor)
    if side == "a":
        return (0, -degree, -factor)
    groups = (spec.batch, spec.k, spec.n)
    group = max(i for i, axes in enumerate(groups) for a in axes if a.name in dim.axes)
    if group < 2:
        return (group, -degree, -factor)
    return (2, max(i for i, a in enumerate(spec.n) if a.name in dim.axes), 0)


def copied(spec: Contract, side: str, dims: tuple[SourceDim, ...]) -> tuple[Pack, Contract]:
    """The copy of an operand, and the contraction that reads it."""
    operand: Expr = spec.a if side == "a" else spec.b
    read = the_read(operand)
    name = f"{spec.name}_{side}"
    shape = tuple(d.extent for d in dims)
    workspace = Arg(name, operand.type, shape, dense_strides(shape), "workspace")
    index = tuple(Axis(f"{read.tensor}_{i}", e) for i, e in enumerate(shape))
    pack = _pack(spec, operand, read, dims, index, workspace)
    offset: Expr = ZERO
    for dim, stride in zip(dims, workspace.strides, strict=True):
        offset = add(offset, mul(dim.index, stride))
    form = affine(offset, [a.name for a in spec.axes])
    assert form is not None
    strides = tuple((a.name, form.factor(a.name)) for a in spec.axes)
    fresh = Read(name, offset, strides, (), None, operand.type)
    contract = replace(spec, a=fresh) if side == "a" else replace(spec, b=fresh)
    used = {node.tensor for node in accesses(contract)}
    return pack, replace(contract, args=(*(a for a in spec.args if a.name in used), workspace))


def _pack(
    spec: Contract, operand: Expr, read: Read, dims: tuple[SourceDim, ...], index: tuple[Axis, ...], workspace: Arg
) -> Pack:
    """workspace[index] = the operand, its guards on the dims that they are about."""
    form = affine(read.offset, [a.name for a in spec.axes])
    assert form is not None
    first = form.constant
    for dim in dims:
        moved_by = polynomials.to_poly(mul(dim.stride, dim.constant), {})
        first = polynomials.add(first, polynomials.scale(moved_by, -1))
    source: Expr = polynomials.from_poly(first)
    guards: list[Within] = []
    for dim, axis in zip(dims, index, strict=True):
        value = add(Var(axis.name), dim.least)
        source = add(source, mul(value, dim.stride))
        if dim.low is not None or dim.high is not None:
            guards.append(Within(value, dim.low, dim.high))
    strides = tuple((a.name, d.stride) for a, d in zip(index, dims, strict=True))
    fill = read.fill or Const(0, read.dtype)  # of columns that are there for the pitch alone
    moved = Read(read.tensor, source, strides, tuple(guards), fill if guards else None, read.dtype)
    target: Expr = ZERO
    for axis, stride in zip(index, workspace.strides, strict=True):
        target = add(target, mul(Var(axis.name), stride))
    value = rewrite(operand, lambda node: moved if isinstance(node, Read) else None)
    names = tuple(a.name for a in index)
    store = Store(
        workspace.name, target, tuple(zip(names, workspace.strides, strict=True)), value, operand.type, names, spec.line
    )
    return Pack(
        name=f"{workspace.name}_pack",
        args=(spec.arg(read.tensor), workspace),
        scalars=(),
        dims=spec.dims,
        facts=spec.facts,
        source=spec.source,
        index=index,
        steps=(store,),
    )
