"""Random words of elements side by side: a block of Threefry is two words, which a thread makes once for two elements."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.elements.multiples import is_multiple_of
from uol.backends.simt.elements.vectors import Vectors, steps_by_one
from uol.backends.simt.kernel.scope import Scope
from uol.codegen.indexing.arithmetic import ZERO, dense_strides, flat_offset, substituted
from uol.codegen.specs.nodes import Read, Step
from uol.codegen.specs.traverse import map_step, reads
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import rewrite, variables

BLOCK = 2
"""Words of a block of Threefry-2x32."""


@dataclass(slots=True)
class RandomWords:
    """What a thread has of the random words of its elements, whose numbers follow each other from a whole block on: calls of
    `random_bits` at its first element, by the names of the vectors of words. `late`: names of values that each element has for
    itself."""

    vectors: Vectors
    counter: Counter
    late: frozenset[str]
    calls: dict[str, Call] = field(default_factory=dict)

    def taken(self, step: Step) -> Step:
        """The step of one element, with elements of vectors in place of calls."""
        return map_step(step, lambda value: rewrite(value, self._rule))

    def _rule(self, node: Expr) -> Expr | None:
        match node:
            case Call(fn="random_bits", args=(seed, Call(fn="cast", args=(number,)) as wide)) if self._are_whole(seed, number):
                call = replace(node, args=(seed, replace(wide, args=(self._short(number),))))
                name = next((n for n, found in self.calls.items() if found == call), f"$words{len(self.calls) or ''}")
                self.calls[name] = call
                return Read(name, self.vectors.element, (), (), None, node.dtype)
        return None

    def _are_whole(self, seed: Expr, number: Expr) -> bool:
        """Are the words of all elements those of whole blocks, whose numbers a thread has before its first element?"""
        axis = self.vectors.axis
        if any(True for each in (seed, number) for _ in reads(each)) or (variables(seed) | variables(number)) & self.late:
            return False
        first = substituted(number, {axis.name: ZERO})
        whole = self.vectors.width % BLOCK == 0 and is_multiple_of(first, BLOCK, self.vectors.multiples)
        return whole and axis.name not in variables(seed) and steps_by_one(number, axis)

    def _short(self, number: Expr) -> Expr:
        """The counter over all axes, where that is the number."""
        axes = self.counter.axes
        extents = [axis.extent for axis in axes]
        flat = flat_offset([Var(axis.name) for axis in axes], extents, dense_strides(extents))
        return Var(self.counter.name) if number == flat else number

    def known(self, printer: Printer) -> Printer:
        """A printer that knows the vectors."""
        names = printer.names.with_locals(self.calls)
        words = {name: f"{names.variables[name]}.at" for name in self.calls}
        return replace(printer, names=replace(names, tensors={**names.tensors, **words}))

    def declare(self, scope: Scope) -> None:
        """`const uol::Vector<int, 4> words = uol::random_words<4>(seed, (long long)(i));`"""
        width = self.vectors.width
        for name, call in self.calls.items():
            seed, number = map(scope.expression, call.args)
            words = f"const uol::Vector<int, {width}> {scope.printer.names.variables[name]}"
            scope.add(f"{words} = uol::random_words<{width}>({seed}, {number});")
