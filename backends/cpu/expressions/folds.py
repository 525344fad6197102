"""Folds: `name = op over the cols of value`, one running state per lane.

The state of argmax and argmin is a value and its index: an empty one holds index -1. All others hold a value, from
what the language gives for a fold over nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tvm import tirx

from uol.backends.cpu.expressions import arithmetic
from uol.backends.cpu.expressions.arithmetic import constant, is_nan
from uol.backends.cpu.expressions.builder import Builder, index
from uol.backends.cpu.expressions.casts import cast
from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import INDEX_TYPE, Term, integer_range, representation
from uol.backends.cpu.expressions.transposes import put_vector, shuffled, vector_at
from uol.backends.cpu.expressions.wrapping import wrapping
from uol.codegen.specs.nodes import Fold
from uol.codegen.specs.steps import RECURRENCE
from uol.ir.types import is_float

NO_INDEX = -1


def is_positional(fold: Fold) -> bool:
    """argmax and argmin: the result is an index."""
    return fold.op in ("argmax", "argmin")


def identity(op: str, dtype: str) -> int | float | bool:
    """What an empty reduction gives."""
    match op:
        case "sum" | "recurrence":
            return 0
        case "prod":
            return 1
        case "any" | "all":
            return op == "all"
    greatest = op in ("min", "argmin")
    if is_float(dtype):
        return math.inf if greatest else -math.inf
    return integer_range(dtype)[1 if greatest else 0]


def combine(share: Share, op: str, x: Term, y: Term, dtype: str) -> Term:
    """Two partial results as one."""
    match op:
        case "sum":
            return tirx.Add(x, y) if is_float(dtype) else wrapping(share, "+", x, y, dtype)
        case "prod":
            return tirx.Mul(x, y) if is_float(dtype) else wrapping(share, "*", x, y, dtype)
        case "max" | "min":
            return arithmetic.extremum_so_far(share, op, x, y, dtype)
        case "any":
            return tirx.Or(x, y)
        case "all":
            return tirx.And(x, y)
    raise ValueError(f"{op} has no partial results of one value")


def precedes(share: Share, op: str, x: Term, x_index: Term, y: Term, y_index: Term, dtype: str) -> Term:
    """Does candidate x come before y in an argmax or argmin? NaN before numbers, else the extremum, then the lower index."""
    better: Callable[[Term, Term], Term] = tirx.GT if op == "argmax" else tirx.LT
    first = tirx.LT(x_index, y_index)
    if not is_float(dtype):
        return tirx.Or(better(x, y), tirx.And(tirx.EQ(x, y), first))
    tie = tirx.Or(tirx.EQ(x, y), tirx.And(is_nan(share, x), is_nan(share, y)))
    wins = tirx.Or(better(x, y), tirx.And(is_nan(share, x), tirx.EQ(y, y)))
    return tirx.Or(wins, tirx.And(tie, first))


def follows(op: str, x: Term, held: Term, dtype: str) -> Term:
    """Does a later candidate take the place of what is held? Where it is greater (argmin: less), or the first NaN."""
    if not is_float(dtype):
        return tirx.GT(x, held) if op == "argmax" else tirx.LT(x, held)
    no_better = tirx.LE(x, held) if op == "argmax" else tirx.GE(x, held)
    return tirx.And(tirx.Not(no_better), tirx.EQ(held, held))


@dataclass(frozen=True, slots=True)
class State:
    """The running state of one fold: an array of lanes, and one of indices for argmax and argmin. With `in_order`, every
    position is taken by some lane, each lane's in order: of two equal values the first is held already. An empty state needs no
    index then but has that of position 0, which is the result where nothing comes before the identity."""

    fold: Fold
    dtype: str
    value: Term
    index: Term | None
    in_order: bool = False

    @staticmethod
    def declare(code: Builder, fold: Fold, lanes: int, *, wide: bool = False, positions: int = 0) -> State:
        """Arrays on the stack. Bools are held as i32; with `wide`, sums, products and recurrences of f32 as
        f64. `positions`: how many are
        taken in all, in order by every lane; 0 where that is not known."""
        dtype = fold.value.type if is_positional(fold) else fold.dtype
        if wide and dtype == "f32" and fold.op in ("sum", "prod", RECURRENCE):
            dtype = "f64"
        compute = representation(dtype).compute
        value = code.local(fold.name, lanes, "int32" if compute == "bool" else compute)
        in_order = 0 < positions < 2**31 and not fold.where
        index_type = "int32" if in_order and compute in ("float32", "int32") else INDEX_TYPE  # lanes as wide as the values'
        index = code.local(f"{fold.name}_index", lanes, index_type) if is_positional(fold) else None
        return State(fold, dtype, value, index, in_order)

    def clear(self, code: Builder, lane: Term) -> None:
        """The empty state."""
        for array, empty in self._empty():
            code.add(tirx.BufferStore(array, empty, [lane]))

    def copy(self, code: Builder, lane: Term, other: State, place: Term) -> None:
        """What a lane holds, to a place of another state of the fold."""
        for (array, _), (target, _) in zip(self._empty(), other._empty(), strict=True):
            code.add(tirx.BufferStore(target, tirx.BufferLoad(array, [lane]), [place]))

    def _empty(self) -> Iterator[tuple[Term, Term]]:
        """The arrays, and what a lane that has taken nothing holds in each."""
        nothing = identity(self.fold.op, self.dtype)
        yield self.value, tirx.const(int(nothing), "int32") if self.dtype == "bool" else constant(nothing, self.dtype)
        if self.index is not None:
            yield self.index, tirx.const(0 if self.in_order else NO_INDEX, str(self.index.dtype))

    def shifted(self, code: Builder, distance: int) -> State:
        """A state whose lane i has what lane i - distance of this one has: an empty one where there is none."""
        lanes, arrays = int(self.value.shape[0]), list[Term]()
        places = [lane - distance if 0 <= lane - distance < lanes else lanes for lane in range(lanes)]
        for array, empty in self._empty():
            arrays.append(code.local(self.fold.name, lanes, str(array.dtype)))
            nothing = tirx.Broadcast(empty, lanes) if lanes > 1 else empty
            vector = shuffled((vector_at(array, index(0), lanes), nothing), places)
            put_vector(code, arrays[-1], index(0), vector, lanes)
        return replace(self, value=arrays[0], index=arrays[1] if self.index is not None else None)

    def take(self, code: Builder, lane: Term, value: Term, position: Term, counts: Term | None = None) -> None:
        """One more term, at a position (row-major over the cols), where it counts."""
        if self.index is None:
            value = cast(code.share, value, self.fold.dtype, self.dtype)
            taken = combine(code.share, self.fold.op, self._get(lane), value, self.dtype)
            self._put(code, lane, taken if counts is None else tirx.Select(counts, taken, self._get(lane)))
            return
        held, held_index = self._held(code, lane)
        value = code.hold("value", value)
        if self.in_order:
            wins = follows(self.fold.op, value, held, self.dtype)
            self._replace(code, lane, wins, (value, tirx.Cast(str(self.index.dtype), position)), (held, held_index))
            return
        empty = tirx.EQ(held_index, tirx.const(NO_INDEX, INDEX_TYPE))
        wins = tirx.Or(empty, precedes(code.share, self.fold.op, value, position, held, held_index, self.dtype))
        wins = wins if counts is None else tirx.And(counts, wins)
        self._replace(code, lane, wins, (value, position), (held, held_index))

    def follow(self, code: Builder, lane: Term, by: Term, plus: Term) -> None:
        """One more map of a recurrence, behind the others."""
        by, plus = (cast(code.share, part, self.fold.dtype, self.dtype) for part in (by, plus))
        self._put(code, lane, tirx.Add(tirx.Mul(by, self._get(lane)), plus))

    def merge(self, code: Builder, lane: Term, other: Term, source: State | None = None) -> None:
        """The state of another lane (of `source`, a state of the same fold) joins this one."""
        source = source or self
        if self.index is None:
            self._put(code, lane, combine(code.share, self.fold.op, self._get(lane), source._get(other), self.dtype))
            return
        held, held_index = self._held(code, lane)
        value, position = source._held(code, other)
        wins = precedes(code.share, self.fold.op, value, position, held, held_index, self.dtype)
        if not self.in_order:
            none = tirx.const(NO_INDEX, INDEX_TYPE)
            wins = tirx.And(tirx.Not(tirx.EQ(position, none)), tirx.Or(tirx.EQ(held_index, none), wins))
        self._replace(code, lane, wins, (value, position), (held, held_index))

    def result(self, share: Share, lane: Term) -> Term:
        """The fold's value: the index for argmax and argmin."""
        if self.index is not None:
            held = "i32" if str(self.index.dtype) == "int32" else "i64"
            return cast(share, tirx.BufferLoad(self.index, [lane]), held, self.fold.dtype)
        return cast(share, self._get(lane), self.dtype, self.fold.dtype)

    def _held(self, code: Builder, lane: Term) -> tuple[Term, Term]:
        assert self.index is not None
        return code.hold("held", self._get(lane)), code.hold("held_index", tirx.BufferLoad(self.index, [lane]))

    def _replace(self, code: Builder, lane: Term, wins: Term, new: tuple[Term, Term], held: tuple[Term, Term]) -> None:
        wins = code.hold("wins", wins)
        code.add(tirx.BufferStore(self.value, tirx.Select(wins, new[0], held[0]), [lane]))
        code.add(tirx.BufferStore(self.index, tirx.Select(wins, new[1], held[1]), [lane]))

    def _get(self, lane: Term) -> Term:
        held = tirx.BufferLoad(self.value, [lane])
        return tirx.Not(tirx.EQ(held, tirx.const(0, "int32"))) if self.dtype == "bool" else held

    def _put(self, code: Builder, lane: Term, value: Term) -> None:
        if self.dtype == "bool":
            value = tirx.Select(value, tirx.const(1, "int32"), tirx.const(0, "int32"))
        code.add(tirx.BufferStore(self.value, value, [lane]))
