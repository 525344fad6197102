"""From one flat counter to the axes it runs over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from uol.backends.abi.interface import static_extent
from uol.backends.simt.c_text.printer import Printer
from uol.codegen.backend import Count
from uol.codegen.indexing.arithmetic import ZERO, add, ceil_div, dense_strides, folded, mul, size, static, substituted, value_at
from uol.codegen.specs.nodes import Fold, Let, Read, Step, Store
from uol.codegen.specs.sizes import known_bound, known_least
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables, walk
from uol.ir.types import INDEX


def count_of(axes: Iterable[Axis]) -> int:
    """How many points the axes span. Raises ResourceError where that is no number."""
    return prod(static_extent(a.extent) for a in axes)


TYPICAL_SIZE = 2048
"""What dims that are arguments are taken to be where a kernel is chosen by sizes. What is written is right for all of them."""


TYPICAL_WINDOW = 5
"""The same of a dim by which another extent is the shorter, the longer it is: of a filter, or a window."""


def windows(axes: Iterable[Axis]) -> dict[str, int]:
    """The dims by which an axis is the shorter, and what they are taken to be."""
    extents = [axis.extent for axis in axes]
    large = dict.fromkeys(set().union(*map(variables, extents)), TYPICAL_SIZE)
    small = {name: large | {name: TYPICAL_WINDOW} for name in large}
    shorter = (name for name, sizes in small.items() if any(value_at(e, large) < value_at(e, sizes) for e in extents))
    return dict.fromkeys(shorter, TYPICAL_WINDOW)


def typical(count: Expr, where: Iterable[Expr] = (), sizes: Mapping[str, int] | None = None) -> int:
    """A count: the number that it is, or what it is at typical sizes, the largest for which the conditions hold; dims that
    `sizes` has are of these."""
    bounds = {each: most for each in walk(count) if (most := known_bound(where, each)) is not None}
    count = rewrite(count, lambda node: Const(bounds[node]) if node in bounds else None)
    return value_at(count, dict.fromkeys(variables(count), TYPICAL_SIZE) | dict(sizes or {}))


def smallest(count: Expr, where: Iterable[Expr]) -> int:
    """A count, which grows with the sizes, at the smallest of them for which the conditions hold."""
    bounds = {each: least for each in walk(count) if (least := known_least(where, each))}
    count = rewrite(count, lambda node: Const(bounds[node]) if node in bounds else None)
    return value_at(count, dict.fromkeys(variables(count), 0))


def is_multiple(count: Expr, of: int) -> bool:
    """Is a count, whatever the sizes, a multiple of a number?"""
    known = static(count)
    return of == 1 or (known is not None and known % of == 0)


def parts_of(count: Expr, of: int) -> Expr:
    """How many parts of a size make a count, the last perhaps not full."""
    return count if of == 1 else ceil_div(count, of)


def at_most(count: Expr, most: int) -> Expr:
    """The smaller of both."""
    known = static(count)
    return idx("min", count, Const(most)) if known is None else Const(min(known, most))


def as_count(count: Expr) -> Count:
    """What a launch has for a count."""
    known = static(count)
    return count if known is None else known


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter `name` over `axes`, the last of them fastest. With one axis the counter is that axis."""

    name: str
    axes: tuple[Axis, ...]

    @staticmethod
    def over(axes: Sequence[Axis], name: str) -> Counter:
        return Counter(axes[0].name if len(axes) == 1 else name, tuple(axes))

    @property
    def count(self) -> Expr:
        """How many points: a number, or an expression over dims that are arguments."""
        return size(self.axes)

    def known(self, printer: Printer) -> Printer:
        """A printer that knows the counter and its range."""
        ranges, count = printer.ranges, static(self.count)
        bounds = {**ranges.variables, self.name: Interval(0, None if count is None else max(count - 1, 0))}
        return replace(
            printer,
            names=printer.names.with_locals([self.name]),
            proofs=replace(printer.proofs, ranges=replace(ranges, variables=bounds)),
        )

    def values(self, needed: frozenset[str]) -> Iterator[tuple[str, Expr]]:
        """What every axis is that is needed and is not the counter itself."""
        if len(self.axes) > 1:
            yield from ((axis.name, self.axis_value(place)) for place, axis in enumerate(self.axes) if axis.name in needed)

    def axis_value(self, place: int) -> Expr:
        """counter / (product of the inner extents) % extent; the outermost axis needs no remainder."""
        inner = size(self.axes[place + 1 :])
        value = folded(Call("/", (Var(self.name), inner), INDEX))
        return value if place == 0 else folded(Call("%", (value, self.axes[place].extent), INDEX))

    def shortened(self, step: Step) -> Step:
        """The step with the axes' part of every offset replaced by the counter, where it is dense over them: `x[i]`."""
        if len(self.axes) <= 1:
            return step
        match step:
            case Let(value=value):
                return replace(step, value=self.shorter(value))
            case Fold(value=value, where=where):
                return replace(step, value=self.shorter(value), where=tuple(self.shorter(w) for w in where))
            case Store(value=value):
                return replace(step, offset=self.offset(step), value=self.shorter(value))

    def shorter(self, expr: Expr) -> Expr:
        """The same for the reads of an expression. A guarded read needs its axes anyway."""

        def rule(node: Expr) -> Expr | None:
            if isinstance(node, Read) and not node.guard:
                return replace(node, offset=self.offset(node))
            return None

        return rewrite(expr, rule) if len(self.axes) > 1 else expr

    def offset(self, access: Read | Store) -> Expr:
        """(offset at axes 0) + counter * step, if the strides are those of a dense tensor times step; else as it is."""
        step = self.step(access)
        if step is None:
            return access.offset
        base = substituted(access.offset, {a.name: ZERO for a in self.axes})
        return add(base, mul(Var(self.name), step))

    def step(self, access: Read | Store) -> Expr | None:
        """Elements for each step of the counter; None where the access is not dense over the axes."""
        if not self.axes:
            return None
        found = dict(access.strides)
        step = found.get(self.axes[-1].name)
        if step is None or step == ZERO:
            return None
        dense = dense_strides([a.extent for a in self.axes])
        if any(found.get(a.name) != mul(d, step) for a, d in zip(self.axes, dense, strict=True)):
            return None
        return step
