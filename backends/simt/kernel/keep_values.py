"""A pass: what a loop has computed at some expense, and a later loop computes again, is kept in registers.

    for turn: e = exp(x_row[turn] - hi); z += e                 for turn: e = exp(x_row[turn] - hi); e_row[turn] = e; z += e
    for turn: e = exp(x_row[turn] - hi); y[...] = e / z    ──▶  for turn: e = e_row[turn]; y[...] = e / z

It is the same value, so no result changes. Both loops must be unrolled, of the same turns, and come to the value under the same
conditions; and nothing that the value, or a condition, is made of may change from the one to the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from uol.backends.simt.c_text.terms import Element, Known, Local, Scalar, plus, times
from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES
from uol.backends.simt.kernel.nodes import (
    Assign,
    Block,
    Body,
    Declare,
    If,
    Kernel,
    Leave,
    Loop,
    Statement,
    Store,
    inner_bodies,
    statements_of,
    values_of,
)
from uol.backends.simt.kernel.uses import accesses_in, array_of, used_names
from uol.codegen.work import SPECIAL
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.program.walk import walk
from uol.ir.types import is_float


@dataclass(frozen=True, slots=True)
class Around:
    """What a statement is within, from statement `place` of a kernel on: `frames` in words, `turns` of the loops, outer ones
    first, `conditions` under which one comes there, and `constants` that are declared on the way."""

    place: int
    frames: tuple[str, ...] = ()
    turns: tuple[tuple[str, int], ...] = ()
    conditions: tuple[Expr, ...] = ()
    constants: tuple[Declare, ...] = ()

    def within(self, frame: str, *conditions: Expr) -> Around:
        """A step further in."""
        return replace(self, frames=(*self.frames, frame), conditions=(*self.conditions, *conditions))


@dataclass(frozen=True, slots=True)
class Site:
    """A value that is declared somewhere. `parts`: the constants on the way that it, or a condition, is made of."""

    around: Around
    declared: Declare
    value: Expr
    parts: tuple[Declare, ...]

    @property
    def place(self) -> int:
        return self.around.place

    @property
    def kind(self) -> Scalar:
        assert isinstance(self.declared.kind, Scalar)
        return self.declared.kind

    @property
    def values(self) -> tuple[Expr, ...]:
        """The expressions that its value is made of, and the conditions under which it is computed."""
        return (*(part.value for part in self.parts if part.value is not None), *self.around.conditions, self.value)

    @property
    def key(self) -> tuple[object, ...]:
        """Sites of one key have one value in each turn, if nothing has changed between them."""
        names = (*(part.name for part in self.parts), self.declared.name)
        return (self.around.frames, self.around.turns, names, self.kind, tuple(map(meaning, self.values)))

    @property
    def used(self) -> frozenset[str]:
        """The names of what must not change."""
        own = {part.name for part in self.parts} | {name for name, _ in self.around.turns}
        return frozenset(name for value in self.values for name in used_names(value)) - own

    @property
    def elements(self) -> int:
        return prod(count for _, count in self.around.turns)

    @property
    def bytes(self) -> int:
        """That a thread needs to keep the value of every turn."""
        return self.elements * COMPUTE_BYTES[COMPUTE[self.kind.dtype]]


def with_kept_values(kernel: Kernel, most_bytes: int) -> Kernel:
    """The kernel with values in registers instead of computed again; `most_bytes` of them a thread."""
    while (sites := next(_repeated(kernel, most_bytes), None)) is not None:
        kernel, most_bytes = _kept(kernel, sites), most_bytes - sites[0].bytes
    return kernel


def _repeated(kernel: Kernel, most_bytes: int) -> Iterator[list[Site]]:
    """The sites of each value that several loops compute, and that may be kept."""
    by_key: dict[tuple[object, ...], list[Site]] = {}
    for site in sites_of(kernel):
        by_key.setdefault(site.key, []).append(site)
    for sites in by_key.values():
        are_apart = len({site.place for site in sites}) == len(sites)
        if len(sites) > 1 and are_apart and sites[0].bytes <= most_bytes and _is_constant(kernel, sites):
            yield sites


def sites_of(kernel: Kernel) -> Iterator[Site]:
    """The values in unrolled loops that are worth keeping: what memory says, or a loop changes, is in none."""
    buffers = {buffer.name for buffer in kernel.buffers}
    for place, statement in enumerate(kernel.body):
        inside = {s.name for s in statements_of((statement,)) if isinstance(s, Declare)}
        for site in _within(statement, Around(place)):
            read = {access.array for value in site.values for access in accesses_in(value)}
            if _is_special(site.value) and not (inside & site.used or buffers & read):
                yield site


def _within(statement: Statement, around: Around) -> Iterator[Site]:
    """The numbers that are declared within a statement."""
    match statement:
        case Loop(variable=name, first=Const(value=0), extent=extent, step=1, unrolled=True):
            count = extent.expr if isinstance(extent, Known) else extent
            if not isinstance(count, Const):
                return
            around = replace(around.within("loop"), turns=(*around.turns, (name, int(count.value))))
        case If(condition=condition):
            around = around.within("if", condition)
        case Block():
            around = around.within("block")
        case _:
            return
    for inner in (each for body in inner_bodies(statement) for each in body):
        match inner:
            case Leave(what=what, when=when):
                around = around.within(what, when)
            case Declare(value=value, kind=Scalar(dtype=dtype), extent=None, constant=True) if value is not None:
                if is_float(dtype):
                    yield Site(around, inner, value, _parts(around, value))
                around = replace(around, constants=(*around.constants, inner))
            case _:
                yield from _within(inner, around)


def _parts(around: Around, value: Expr) -> tuple[Declare, ...]:
    """The constants that a value and its conditions are made of, and those that these are."""
    needed = {name for each in (value, *around.conditions) for name in used_names(each)}
    for constant in reversed(around.constants):
        if constant.name in needed and constant.value is not None:
            needed |= set(used_names(constant.value))
    return tuple(constant for constant in around.constants if constant.name in needed)


def meaning(expr: Expr) -> tuple[Expr, tuple[str, ...]]:
    """What an expression is, whatever is known where it stands: itself, and the C names in it."""
    return (expr.expr if isinstance(expr, Known) else expr), tuple(used_names(expr))


def _is_special(value: Expr) -> bool:
    return any(isinstance(node, Call) and node.fn in SPECIAL and is_float(node.dtype) for node in walk(value))


def _is_constant(kernel: Kernel, sites: list[Site]) -> bool:
    """Does nothing change from the first of its loops to the last?"""
    between = kernel.body[sites[0].place : sites[-1].place + 1]
    changed = {array_of(s.target) for s in statements_of(between) if isinstance(s, Assign | Store)}
    return changed.isdisjoint(sites[0].used)


def _kept(kernel: Kernel, sites: list[Site]) -> Kernel:
    """The kernel with the value of the first site in registers, and taken from there at the others."""
    first = sites[0]
    array = Local(_unused(kernel, f"{first.declared.name}_row"), first.kind)
    kept = Element(array, _index(first), first.kind) if first.around.turns else array
    body = list(kernel.body)
    for site in sites:
        found = site.declared
        if site is first:
            new: Body = (found, Assign(kept, Local(found.name, first.kind)))
            body[site.place] = _exchanged(body[site.place], found, new)
        else:
            taken = _exchanged(body[site.place], found, (replace(found, value=kept),))
            body[site.place] = _without_unused(taken, {part.name for part in site.parts})
    body.insert(first.place, Declare(array.name, first.kind, extent=first.elements if first.around.turns else None))
    return replace(kernel, body=tuple(body))


def _index(site: Site) -> Expr:
    """The number of a turn among all of them."""
    (name, _), *inner = site.around.turns
    index: Expr = Local(name)
    for each, count in inner:
        index = plus(times(index, count), Local(each))
    return index


def _exchanged(statement: Statement, old: Declare, new: Body) -> Statement:
    """A statement with others in place of one that is within it."""
    match statement:
        case Loop(body=body) | If(body=body) | Block(body=body):
            inner = (new if each is old else (_exchanged(each, old, new),) for each in body)
            return replace(statement, body=tuple(s for each in inner for s in each))
    return statement


def _without_unused(statement: Statement, names: set[str]) -> Statement:
    """A statement without those declarations of these names that nothing in it uses any more."""
    while True:
        inside = list(statements_of((statement,)))
        used = {name for s in inside for value in values_of(s) for name in used_names(value)}
        unused = next((s for s in inside if isinstance(s, Declare) and s.name in names - used), None)
        if unused is None:
            return statement
        statement = _exchanged(statement, unused, ())


def _unused(kernel: Kernel, name: str) -> str:
    """A name that nothing in the kernel has."""
    taken = {s.name for s in statements_of(kernel.body) if isinstance(s, Declare)}
    taken |= {s.variable for s in statements_of(kernel.body) if isinstance(s, Loop)}
    taken |= {buffer.name for buffer in kernel.buffers} | {scalar for scalar, _ in kernel.scalars}
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}{number}", number + 1
    return candidate
