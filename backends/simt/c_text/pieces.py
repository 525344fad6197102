"""More elements side by side than one access has: they are loaded and stored in pieces, which each are an access."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from uol.backends.simt.c_text.scope import Scope
from uol.ir.integers.intervals import Interval

PART, PIECE, ELEMENT = "$part", "$piece", "$v"
"""Local variables: the number of a piece, itself, and which of its elements is moved."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """`count` of them, of `width` elements of a C type each, of a tensor from an offset on. `array` is where a thread has them,
    `aligned` the variable that says whether accesses of 16 bytes may begin there."""

    ctype: str
    width: int
    count: int
    tensor: str
    array: str
    aligned: str

    def load(self, offset: str, scope: Scope) -> None:
        """`array[k] = tensor[offset + k]`"""
        part, _, _ = self._named(scope)
        value = f"uol::load_vector<{self.width}>({self.tensor}, {offset} + {part} * {self.width}, {self.aligned})"
        self.fill(lambda _: value, scope)

    def fill(self, loaded: Callable[[Scope], str], scope: Scope) -> None:
        """`array[k] = piece.at[k % width]`, of pieces that are each loaded so, by the number of it."""
        part, piece, _ = self._named(scope)
        inner = scope.inner()
        value = loaded(inner)
        inner.add(f"const uol::Vector<{self.ctype}, {self.width}> {piece} = {value};")
        self._move(scope, inner, loads=True)
        self._loop(scope, part, self.count, inner, scope)

    def store(self, offset: str, scope: Scope) -> None:
        """`tensor[offset + k] = array[k]`"""
        part, piece, _ = self._named(scope)
        inner = scope.inner()
        inner.add(f"uol::Vector<{self.ctype}, {self.width}> {piece};")
        self._move(scope, inner, loads=False)
        inner.add(f"uol::store_vector({self.tensor}, {offset} + {part} * {self.width}, {piece}, {self.aligned});")
        self._loop(scope, part, self.count, inner, scope)

    def _named(self, scope: Scope) -> tuple[str, str, str]:
        printer = scope.printer
        names, ranges = printer.names.with_locals([PART, PIECE, ELEMENT]), printer.ranges
        known = replace(ranges, variables={**ranges.variables, PART: Interval(0, self.count - 1)})
        scope.printer = replace(printer, names=names, proofs=replace(printer.proofs, ranges=known))
        return names.variable(PART), names.variable(PIECE), names.variable(ELEMENT)

    def _move(self, scope: Scope, inner: Scope, *, loads: bool) -> None:
        """A piece, element by element, in registers."""
        part, piece, element = self._named(scope)
        own, whole = f"{piece}.at[{element}]", f"{self.array}[{part} * {self.width} + {element}]"
        move = inner.inner()
        move.add(f"{whole} = {own};" if loads else f"{own} = {whole};")
        self._loop(scope, element, self.width, move, inner)

    def _loop(self, scope: Scope, variable: str, count: int, inner: Scope, outer: Scope) -> None:
        outer.lines.append("#pragma unroll")
        outer.block(f"for ({scope.printer.index_type} {variable} = 0; {variable} < {count}; ++{variable})", inner.lines)
