"""The order of few long rows as orders of many short ones: of tiles, and of what their first places hold.

    at[r, k] = the c of the k-th smallest x[r, c]
    ->  K[r, t, k], P[r, t, k] = the k-th smallest x[r, c] with c in tile t, and its c
        at[r, k] = P at the (t, k) of the k-th smallest K[r, t, k]

As long as few places of a tile are wanted, what they hold is a row that is cut in the same way. Else it is runs that are in
order already, and these are merged two by two. Where a dim says how long rows are, there are kernels for all lengths up to
one: the launch takes those that a row needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import ZERO, add, ceil_div, flat_offset, mul, static
from uol.codegen.names import unused
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.long_rows.split_folds import values_of
from uol.codegen.specs.nodes import Arg, Let, Read, Select, Step, Store
from uol.codegen.specs.rewrites import args_of, ordered, over_axes, read_of, scalars_of, workspace_over
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import map_step, map_strides, names_of, without_strides
from uol.codegen.specs.verify import verified
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, substitute
from uol.ir.types import INDEX, integer_range, is_float

PLACE = "i32"
"""The type of places in a workspace: they are below 2^31."""
WITHOUT_INFINITY = frozenset({"f8e4m3"})
LONGEST = 1 << 23
"""Of rows whose length is open, for which there are kernels of several blocks."""


def may_be_cut(spec: Select) -> bool:
    """Is any place wanted, of rows that are not cut, and has the type of keys one that stands last?"""
    is_known = static(spec.place.extent) != 0 and (static(spec.col.extent) or 0) < 1 << 31
    return is_known and not spec.run and spec.key.type not in WITHOUT_INFINITY


@verified
def split_select(spec: Select, tile: int) -> tuple[Select, ...]:
    """The kernels of a Select that may be cut: their rows are at most a tile long, or two runs in order. Where a dim says how
    long rows are, runs hold `LONGEST` elements at most, and tiles may leave more than one behind."""
    cuts, is_open = _cuts(spec, tile), static(spec.col.extent) is None
    place = Var(spec.col.name) if spec.at in used_variables(_with_key(spec, ZERO)) else None
    left, run, where = _Left(spec, spec.col, spec.key, place, (), _room(cuts)), 0, spec.where
    made: list[Select] = []
    for number, cut in enumerate(cuts, 1):
        if is_open:
            short = compare("<=", left.col.extent, Const(cut.beyond))
            made.append(replace(left.rest(run, tile), name=f"{spec.name}_rest{number - 1}", where=(*where, short)))
            where = (*spec.where, negate(short))
        first, left = left.cut(cut, number)
        made.append(replace(first, where=where))
        run = cut.run
    return (*made, replace(left.rest(run, tile), where=where))


@dataclass(frozen=True, slots=True)
class _Cut:
    """A row in parts of a length, each of two runs in order, the first of `merged` elements, or not; of each part the first
    `run` elements may be wanted. Rows that are not longer than `beyond` are put in order without it."""

    parts: Expr
    length: int
    merged: int | None
    run: int
    beyond: int


def _cuts(spec: Select, tile: int) -> list[_Cut]:
    """Until what is left is at most a tile long, or two runs."""
    found: list[_Cut] = []
    run, wanted = 0, static(spec.place.extent)
    left, most = spec.col.extent, static(spec.col.extent) or LONGEST
    while most > _at_once(run, tile):
        length, merged = (2 * run, run) if 2 * run > tile else (tile, None)
        kept = length if wanted is None else min(wanted, length)
        found.append(_Cut(ceil_div(left, length), length, merged, kept, _at_once(run, tile)))
        if kept < length:
            left, most = mul(found[-1].parts, Const(kept)), -(-most // length) * kept
        run = kept
    return found


def _at_once(run: int, tile: int) -> int:
    """How long a row of runs may be that one kernel puts in order."""
    return max(tile, 2 * run)


def _room(cuts: Sequence[_Cut]) -> Expr:
    """Elements of a row that arrays have room for: what is left of it, with what the last part lacks, whichever cut it is."""
    room = [mul(cut.parts, Const(cut.run)) for cut in cuts]
    known = [static(each) for each in room]
    if not room or None not in known:
        return Const(max((each or 0 for each in known), default=0))
    return mul(room[0], Const(2)) if any(cut.merged and cut.run == cut.length for cut in cuts) else room[0]


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left to put in order: `col`, with a key over rows and col, and with its place in the first row, where that is
    asked for. `arrays` hold both, but for the first row; they have room for so many elements of a row."""

    spec: Select
    col: Axis
    key: Expr
    place: Expr | None
    arrays: tuple[Arg, ...]
    room: Expr

    def cut(self, by: _Cut, number: int) -> tuple[Select, _Left]:
        """What puts every part in order, and what is left then: the places of all parts that may be wanted."""
        spec = self.spec
        cut = AxisParts.of_length(replace(spec, col=self.col), self.col, by.length)
        rows, kept = (*spec.rows, cut.part), Axis(spec.place.name, Const(by.run))
        axes = (*rows, cut.within, kept)
        key = _key_of_part(self.key, cut, last_key(spec))
        held = {self._array("keys", spec.key.type, number): key}
        if self.place is not None:
            held[self._array("places", PLACE, number)] = _cast(cut.value(self.place), PLACE)
        arrays = tuple(held)
        steps = tuple(
            over_axes(_stored(array, _at(value, cut.within, spec.at, PLACE), (*rows, kept), spec.line), axes)
            for array, value in held.items()
        )
        name = f"{spec.name}_{'merge' if by.merged else 'tiles'}{number}"
        head = replace(spec, name=name, rows=rows, col=cut.within, place=kept, key=key, run=by.merged)
        made = _select(head, (*self.arrays, *arrays), spec.at, steps)
        col = self.col if by.run == by.length else Axis(self.col.name, mul(by.parts, Const(by.run)))
        read, *place = (read_of(array, (*spec.rows, col), (*spec.rows, col, spec.place)) for array in arrays)
        return made, _Left(spec, col, read, place[0] if place else None, arrays, self.room)

    def _array(self, what: str, dtype: str, number: int) -> Arg:
        """One of two of a kind, which kernels write by turns."""
        name = f"{self.spec.name}_{what}{(number + 1) % 2 + 1}"
        return workspace_over(name, dtype, (*self.spec.rows, Axis("", self.room)))

    def rest(self, run: int, tile: int) -> Select:
        """The order of what is left, of runs of a length, and all that was done with that of the first row."""
        if not self.arrays:
            return self.spec
        spec, known = self.spec, static(self.col.extent)
        merged = run if 2 * run > tile and (known is None or known > tile) else None
        taken = (*names_of(spec), *(a.name for a in spec.axes), *(a.name for a in spec.args), *(s.name for s in spec.scalars))
        here = unused(f"{spec.at}_here", taken)
        steps = _with_key(spec, _at(self.key, self.col, here, PLACE))
        if self.place is not None:
            place = _cast(_at(self.place, self.col, here, PLACE), spec.at_dtype)
            over = tuple(axis.name for axis in spec.axes if axis is not spec.col)
            steps = [Let(spec.at, place, spec.at_dtype, over, spec.line), *steps]
        axes = (*spec.rows, self.col, spec.place)
        head = replace(spec, col=self.col, key=self.key, run=merged)
        return _select(head, self.arrays, here, tuple(over_axes(s, axes) for s in steps))


def _select(spec: Select, arrays: Sequence[Arg], at: str, steps: tuple[Step, ...]) -> Select:
    """One of the kernels: a Select with other steps, and the arguments and numbers that these need."""
    values = (spec.key, *values_of(steps))
    args = ordered(args_of(replace(spec, args=(*spec.args, *arrays)), values, steps))
    return replace(spec, args=args, scalars=scalars_of(spec, values), at=at, at_dtype=PLACE, steps=steps)


def _with_key(spec: Select, key: Expr) -> list[Step]:
    """The steps of a Select with another value for the key of the element at `at`."""
    before = without_strides(_at(spec.key, spec.col, spec.at, spec.at_dtype))

    def with_key(node: Expr) -> Expr | None:
        return key if type(node) is type(before) and without_strides(node) == before else None

    return [map_step(step, lambda expr: rewrite(expr, with_key)) for step in spec.steps]


def _key_of_part(key: Expr, cut: AxisParts, last: Const) -> Expr:
    """The key over parts. What a part lacks stands last: behind all that is alike, for it is behind all."""
    value = cut.value(key)
    if cut.are_even:
        return value
    if isinstance(key, Read) and isinstance(value, Read) and not key.guard:
        return replace(value, fill=last)
    return Call("select", (compare("<", cut.place, cut.axis.extent), value, last), key.type)


def last_key(spec: Select) -> Const:
    """A key that no other one stands behind. `f8e4m3` has none for descending orders, but for where it is held as a float."""
    dtype = spec.key.type
    if is_float(dtype):
        return Const(-math.inf if spec.descending else math.nan, dtype)
    if dtype == "bool":
        return Const(not spec.descending, dtype)
    low, high = integer_range(dtype)
    return Const(low if spec.descending else high, dtype)


def _at(value: Expr, col: Axis, at: str, dtype: str) -> Expr:
    """A value over the elements of a row at the one that an order gives."""
    found = substitute(value, {col.name: Call("cast", (Var(at, dtype),), INDEX)})
    return map_strides(found, lambda given: tuple((name, stride) for name, stride in given if name != col.name))


def _cast(value: Expr, dtype: str) -> Expr:
    return value if value.type == dtype else Call("cast", (value,), dtype)


def _stored(array: Arg, value: Expr, axes: Sequence[Axis], line: int) -> Store:
    """A value over rows, part and place, in an array over rows and what all parts have."""
    *rows, part, place = axes
    behind = add(mul(Var(part.name), place.extent), Var(place.name))
    offset = flat_offset([*(Var(a.name) for a in rows), behind], array.shape, array.strides)
    strides = dict(zip((a.name for a in rows), array.strides, strict=False))
    strides |= {part.name: place.extent, place.name: Const(1)}
    return Store(array.name, offset, tuple(strides.items()), value, array.dtype, tuple(a.name for a in axes), line)
