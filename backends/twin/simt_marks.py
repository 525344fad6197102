"""What a text for threads calls where its statements are counted: a mark before each statement, so that the twin knows which
one a lane is at, and marks around loops and in their bodies, so that it knows in which turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from uol.backends.simt.reading.parse import read_kernels
from uol.backends.simt.reading.syntax import Branch, KernelText, Loop, Scope, Simple, Statement
from uol.backends.simt.reading.units import STATEMENT_UNITS, is_counted, memory_of, types_of, unit_of
from uol.backends.twin.kind import Marks
from uol.codegen.backend import Module

ENTER, TURN, LEAVE = ("::uol_twin::enter_loop()", "::uol_twin::next_turn()", "::uol_twin::leave_loop()")
Insertion = tuple[int, str]


def marks_of(module: Module) -> Marks:
    """The marks of all kernels of a module."""
    sites = count(1)
    kernels = read_kernels(module.device.text)
    return Marks(STATEMENT_UNITS, tuple(m for kernel in kernels for m in _Marker(kernel, sites).marks()))


class _Marker:
    """Of one kernel. Insertions at one offset come in the order in which they are to stand."""

    def __init__(self, kernel: KernelText, sites: Iterator[int]) -> None:
        self.kernel, self.sites = kernel, sites
        self.types, self.memory = types_of(kernel), memory_of(kernel)

    def marks(self) -> Iterator[Insertion]:
        return self.of_body(self.kernel.body)

    def of_body(self, body: Iterable[Statement]) -> Iterator[Insertion]:
        for statement in body:
            match statement:
                case Simple() if is_counted(statement):
                    unit = STATEMENT_UNITS.index(unit_of(statement, self.types, self.memory))
                    yield statement.start, f"{self.at(unit)}; "
                case Branch(body=inner, scope=scope, otherwise=True):
                    yield from self.of_scope(scope, inner, f"{self.at(-1)}; ")
                case Branch(body=inner, scope=scope, start=start):
                    yield start, f"{self.at(-1)}; "
                    yield from self.of_scope(scope, inner, "")
                case Loop():
                    yield from self.of_loop(statement)

    def at(self, unit: int) -> str:
        return f"::uol_twin::at_statement({next(self.sites)}, {unit})"

    def of_loop(self, loop: Loop) -> Iterator[Insertion]:
        """A `while` has its turns where its condition is."""
        yield loop.start, f"{ENTER}; "
        if loop.step is None:
            yield loop.head[0], f"{TURN}, {self.at(-1)}, ("
            yield loop.head[1], ")"
        yield from self.of_scope(loop.scope, loop.body, "" if loop.step is None else f"{TURN}; ")
        yield loop.scope.end + loop.scope.braces, f" {LEAVE};"

    def of_scope(self, scope: Scope, body: Iterable[Statement], first: str) -> Iterator[Insertion]:
        yield scope.start, first if scope.braces else "{ " + first
        yield from self.of_body(body)
        if not scope.braces:
            yield scope.end, " }"
