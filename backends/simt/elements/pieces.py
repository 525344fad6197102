"""More elements side by side than one access has: they are loaded and stored in pieces, which each are an access."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from uol.backends.simt.c_text.terms import Element, Local, Pointer, Primitive, Scalar, Vector, plus, times
from uol.backends.simt.kernel.nodes import Assign, Declare, Do, Loop
from uol.backends.simt.kernel.scope import Scope
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Guard
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Const, Expr, Var

PART, PIECE, ELEMENT = "$part", "$piece", "$v"
"""Local variables: the number of a piece, itself, and which of its elements is moved."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """`count` of them, of `width` elements each, as they lie in memory. `array` is where a thread has them, a vector or
    (`in_array`) an array of registers."""

    kind: Scalar
    width: int
    count: int
    array: Expr
    in_array: bool = False

    def load(self, tensor: str, offset: Expr, guards: Iterable[Guard], aligned: Expr, scope: Scope) -> None:
        """`array[k] = tensor[offset + k]`, where guards hold. `aligned`: may accesses of 16 bytes begin there?"""
        self._named(scope)
        place = plus(offset, times(Var(PART), self.width))
        loaded = Primitive("load_vector", (self.width,), (Pointer(tensor), place, aligned), self._piece)
        value = replace(scope.known(loaded), printer=scope.printer.where(guards))
        self.fill(lambda _: value, scope)

    def fill(self, loaded: Callable[[Scope], Expr], scope: Scope) -> None:
        """`array[k] = piece.at[k % width]`, of pieces that are each loaded so, by the number of it."""
        piece = self._named(scope)
        inner = scope.inner()
        value = loaded(inner)
        inner.put(Declare(piece.name, self._piece, value))
        self._move(inner, loads=True)
        self._loop(PART, self.count, inner, scope)

    def store(self, tensor: str, offset: Expr, aligned: Expr, scope: Scope) -> None:
        """`tensor[offset + k] = array[k]`"""
        piece = self._named(scope)
        inner = scope.inner()
        inner.put(Declare(piece.name, self._piece))
        self._move(inner, loads=False)
        place = plus(offset, times(Var(PART), self.width))
        inner.put(Do(inner.known(Primitive("store_vector", (), (Pointer(tensor), place, piece, aligned)))))
        self._loop(PART, self.count, inner, scope)

    @property
    def _piece(self) -> Vector:
        return Vector(self.kind, self.width)

    def _named(self, scope: Scope) -> Local:
        """The variable of a piece, in a scope that knows it and the number of it."""
        printer = scope.printer
        names, ranges = printer.names.with_locals([PART, PIECE, ELEMENT]), printer.ranges
        known = replace(ranges, variables={**ranges.variables, PART: Interval(0, self.count - 1)})
        scope.printer = replace(printer, names=names, proofs=replace(printer.proofs, ranges=known))
        return Local(names.variable(PIECE), self._piece)

    def _move(self, inner: Scope, *, loads: bool) -> None:
        """A piece, element by element, in registers."""
        own = Element(self._named(inner), Var(ELEMENT), self.kind, vector=True)
        place = plus(times(Var(PART), self.width), Var(ELEMENT))
        whole = Element(self.array, place, self.kind, vector=not self.in_array)
        move = inner.inner()
        target, value = (whole, own) if loads else (own, whole)
        move.put(Assign(move.known(target), move.known(value)))
        self._loop(ELEMENT, self.width, move, inner)

    def _loop(self, variable: str, count: int, inner: Scope, outer: Scope) -> None:
        name = inner.printer.names.variable(variable)
        outer.put(Loop(name, ZERO, Const(count), tuple(inner.body), unrolled=True))
