"""One operand of a product on matrix units: how it lies in memory, and how threads bring a tile of it to shared memory.

An operand is a matrix of rows of memory, `pitch` elements apart, each of elements side by side: along k (`along_k`), with m or
n from row to row; or along m or n, with k from row to row. Of several axes that no one step goes over, as tokens [n, p] of
pictures [n, c, p], rows are in pieces: where an element lies is made of what each of its axes is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from uol.backends.simt.c_text.address import scaled
from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.elements.multiples import Multiples, is_multiple_of
from uol.backends.simt.kernel.layouts import CHUNK_BYTES
from uol.backends.simt.products.matrix.gathered import Lookup, looked_up
from uol.backends.simt.products.matrix.windows import Window, window_of
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, size, static, sub, substituted
from uol.codegen.specs.nodes import Contract, Guard, Read, Within
from uol.codegen.specs.traverse import main_read, products_in, reads
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Const, Expr
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import DTYPES

ACCESS_BYTES = (16, 8, 4)
"""Of an access, of a copy, of a load of a buffer (PTX ISA, cp.async; CDNA2 ISA, 8.1.8)."""


@dataclass(frozen=True, slots=True)
class Operand:
    """`first`: the offset of its first element, which the batch may decide. `outer` counts m or n. `steps`: elements from one
    m or n to the next, and from one k; None where they lie in pieces. `lookup`: where its rows lie, if data says it; the step
    from row to row then is that of the tensor. `window`: which of its elements there are, where others are zeros; its terms
    count as lying in pieces. `elements_of_tensor`: None where that is no number."""

    read: Read
    factor: Expr
    outer: Counter
    k: Counter
    along_k: bool
    steps: tuple[Expr | None, Expr | None]
    first: Expr
    lookup: Lookup | None = None
    window: Window | None = None
    elements_of_tensor: int | None = None

    @property
    def bytes(self) -> int:
        """Of an element."""
        return DTYPES[self.read.dtype].bytes

    @property
    def is_wide(self) -> bool:
        """Is an element a register?"""
        return self.bytes == 4

    @property
    def each(self) -> int:
        """Elements of an access of 16 bytes."""
        return CHUNK_BYTES // self.bytes

    @property
    def inner(self) -> Counter:
        """What counts the elements of a row."""
        return self.k if self.along_k else self.outer

    @property
    def rows(self) -> Counter:
        """What counts the rows."""
        return self.outer if self.along_k else self.k

    @property
    def pitch(self) -> Expr | None:
        """None where rows are in pieces."""
        return self.steps[0] if self.along_k else self.steps[1]

    @property
    def looks_up_k(self) -> bool:
        """Does data name the rows of k?"""
        return self.lookup is not None and not self.along_k

    @property
    def is_in_pieces(self) -> bool:
        return None in self.steps

    @property
    def outer_is_in_pieces(self) -> bool:
        return self.steps[0] is None

    @property
    def k_is_in_pieces(self) -> bool:
        return self.steps[1] is None

    def place(self, counter: Counter) -> Expr:
        """How far from the first element that of a counter lies, whose axes have steps of their own."""
        steps = _steps(counter.axes, dict(self.read.strides))
        return reduce(add, (mul(counter.axis_value(n), step) for n, step in enumerate(steps)))

    @property
    def may_go_back(self) -> bool:
        """May elements lie in front of that of the first row and term: where that is none of the tensor, or rows or terms go
        backwards?"""
        steps = _steps((*self.outer.axes, *self.k.axes), dict(self.read.strides))
        return self.window is not None or any((static(step) or 0) < 0 for step in steps)

    @property
    def elements_in_all(self) -> int | None:
        """The number of elements from the operand's first to its last, or of the whole tensor where it may go back; None where
        that is no number."""
        if self.may_go_back:
            return self.elements_of_tensor
        axes = (*self.outer.axes, *self.k.axes)
        return _reach([axis.extent for axis in axes], _steps(axes, dict(self.read.strides)))

    def bytes_at_once(self, multiples: Multiples) -> int:
        """Of an access: rows, and pieces of them, consist of whole ones, in a tensor that begins with one; 0 where there is
        none of 4 bytes or more."""
        strides = dict(self.read.strides)
        rows = (self.pitch,) if self.pitch is not None else _steps(self.rows.axes, strides)
        inner = (self.inner.count,) if self.steps[self.along_k] is not None else _pieces(self.inner.axes, strides)
        widths = (width for width in ACCESS_BYTES if width >= self.bytes)
        alike = () if self.window is None else (self.window.alike,)
        parts = (self.first, *rows, *inner, *alike)
        return next((w for w in widths if all(is_multiple_of(part, w // self.bytes, multiples) for part in parts)), 0)


def _steps(axes: Iterable[Axis], strides: Mapping[str, Expr | None]) -> tuple[Expr, ...]:
    return tuple(strides.get(axis.name) or ZERO for axis in axes)


def _pieces(axes: Sequence[Axis], strides: Mapping[str, Expr | None]) -> tuple[Expr, ...]:
    """Elements side by side, along the last axes; and how far apart pieces of so many lie."""
    piece, outer = axes[-1].extent, list(axes[:-1])
    while outer and strides.get(outer[-1].name) == piece:
        piece = mul(outer.pop().extent, piece)
    return (piece, *_steps(outer, strides))


def operand_of(
    spec: Contract, factor: Expr, outer: Counter, k: Counter, known: frozenset[str] = frozenset()
) -> Operand | None:
    """None where it is no such matrix. `known`: what guards may ask of, where the operand is that of a segment, which is one
    that there is then: the segment, and sizes that are arguments."""
    read = main_read(factor)
    looked = _looked_up(spec, read, outer, k)
    plain, lookup = (read, None) if looked is None else looked
    strides = dict(plain.strides)
    side_by_side = [bool(each.axes) and strides.get(each.axes[-1].name) == ONE for each in (outer, k)]
    steps = outer.step(plain), k.step(plain)
    window = None
    if looked is None and any(not variables_of(guard) <= known for guard in read.guard):
        window = window_of(spec, read, outer, k, along_k=side_by_side[1])
        if window is None or not all(_has_known_steps(each, strides) for each in (outer, k)):
            return None
        steps = steps[0], None
    found = zip((outer, k), steps, strict=True)
    may_be = (step is not None or window is not None or _may_be_in_pieces(each, strides) for each, step in found)
    if not any(side_by_side) or not all(may_be):
        return None
    axes = {axis.name: ZERO for axis in (*outer.axes, *k.axes)}
    if lookup is not None:
        if None in steps or lookup.axis != (outer if side_by_side[1] else k).name:
            return None
        axes[lookup.row.name] = ZERO
    tensor = spec.arg(read.tensor)
    first, elements = substituted(plain.offset, axes), _reach(tensor.shape, tensor.strides)
    return Operand(read, factor, outer, k, side_by_side[1], steps, first, lookup, window, elements)


def _reach(extents: Sequence[Expr], steps: Sequence[Expr]) -> int | None:
    """How many elements lie from the first to the last, of so many steps along each axis; None where that is no number."""
    counts, lengths = ([static(each) for each in found] for found in (extents, steps))
    if None in counts or None in lengths:
        return None
    return 1 + sum((count - 1) * length for count, length in zip(counts, lengths, strict=True) if count and length)


def _looked_up(spec: Contract, read: Read, outer: Counter, k: Counter) -> tuple[Read, Lookup] | None:
    """A read of rows that data names, as one of rows in their order."""
    axes = (each.axes[0].name for each in (outer, k) if len(each.axes) == 1)
    found = (looked_up(read, axis, spec.arg(read.tensor), spec.dims) for axis in axes)
    return next((each for each in found if each is not None), None)


def products_of(spec: Contract) -> tuple[Contract, ...]:
    """A contraction of one product each, of those that are summed."""
    return tuple(replace(spec, a=a, b=b, more=()) for a, b in products_in(spec))


def with_rows_in_order(spec: Contract) -> Contract:
    """The contraction as indices are computed for it: the number of a row that is read is one of a row that there is."""
    for operand in operands_of(spec) or ():
        if operand.lookup is not None:
            exchange: dict[Expr, Expr] = {operand.read: operand.lookup.in_order(operand.read)}
            a, b = (rewrite(factor, exchange.get) for factor in (spec.a, spec.b))
            spec = replace(spec, a=a, b=b, batch=(*spec.batch, operand.lookup.row))
    return spec


def _may_be_in_pieces(counter: Counter, strides: Mapping[str, Expr | None]) -> bool:
    """Are its axes several, of known extents, each with a known step, of which one is not 0?"""
    return len(counter.axes) > 1 and _has_known_steps(counter, strides)


def _has_known_steps(counter: Counter, strides: Mapping[str, Expr | None]) -> bool:
    """Are its axes of known extents, each with a known step, of which one is not 0?"""
    steps = [strides.get(axis.name) for axis in counter.axes]
    known = [None if step is None else static(step) for step in steps]
    return None not in known and any(known) and all(static(axis.extent) for axis in counter.axes)


def variables_of(guard: Guard) -> frozenset[str]:
    """What a guard asks about."""
    return frozenset().union(*map(variables, guard.children))


def terms_of_part(spec: Contract) -> Expr | None:
    """How many terms a point of batch sums where they are parts of an axis, the outermost, of which the last is shorter: so the
    one guard of both factors says. None where all sum as many."""
    guards = {read.guard for factor in (spec.a, spec.b) for read in reads(factor)}
    match list(guards):
        case [(Within(value=value, low=None, high=Const() as end),)] if spec.k and spec.segments is None:
            form = affine(value, [spec.k[0].name])
            if form is None or form.factor(spec.k[0].name) != ONE:
                return None
            left = sub(end, substituted(value, {spec.k[0].name: ZERO}))
            return mul(idx("min", left, spec.k[0].extent), size(spec.k[1:]))
    return None


def with_whole_parts(spec: Contract) -> Contract:
    """The contraction as indices are computed for it: a kernel sums the terms that a part has, and asks for none beyond."""
    if terms_of_part(spec) is None:
        return spec

    def rule(node: Expr) -> Expr | None:
        return replace(node, guard=(), fill=None) if isinstance(node, Read) else None

    return replace(spec, a=rewrite(spec.a, rule), b=rewrite(spec.b, rule))


def operands_of(spec: Contract) -> tuple[Operand, Operand] | None:
    """Both operands of a contraction; None where one is no matrix."""
    spec = with_whole_parts(spec)
    m, n, k = (Counter.over(axes, name) for axes, name in ((spec.m, "$at_m"), (spec.n, "$at_n"), (spec.k, "$at_k")))
    of_rows = spec.segments is not None and spec.segments.over == "rows"
    known = frozenset({spec.segments.of, *spec.dims} if spec.segments is not None and of_rows else ())
    a, b = operand_of(spec, spec.a, m, k), operand_of(spec, spec.b, n, k, known)
    return None if a is None or b is None else (a, b)


@dataclass(frozen=True, slots=True)
class Side:
    """An operand in a kernel: `tile` of its m or n are a block's, from `origin` on, `within_warp` a warp's, of the number
    `warp`; `called`: what its variables are called by, the tensor, so that a reader knows what is in them."""

    operand: Operand
    tile: int
    origin: Expr
    warp: Expr
    within_warp: int
    called: str

    def name(self, what: str) -> str:
        return f"${self.called}_{what}"

    def names(self, what: Iterable[str]) -> tuple[str, ...]:
        """Of its variables."""
        return tuple(map(self.name, what))

    @property
    def first_of_warp(self) -> Expr:
        """Of the tile's m or n."""
        return scaled(self.warp, self.within_warp)
