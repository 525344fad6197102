"""Operands of which some elements are not there: `x[n, p + r - 1, q + s - 1, c]`, the pixels that a filter sees, zeros beside
the picture.

Along k a chunk of channels is of one place of the window, a tap: a thread has a word for each of its rows, a bit of which says
whether the row's pixel has that tap, and finds out once. Where k goes from row to row, a row is a pixel, asked each time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from uol.backends.simt.c_text.counters import Counter
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.specs.nodes import Contract, Read, Within
from uol.ir.program.nodes import Axis, Const, Expr
from uol.ir.program.walk import variables

MOST_TAPS = 32
"""Bits of a word."""


@dataclass(frozen=True, slots=True)
class Window:
    """`conditions`: where there is an element, of axes of its row, of k, and of the batch. `taps`: the axes of
    k of which they ask, the outermost of them; `of_a_tap`: how many terms have these in common. `alike`: elements side by side
    that are there together or not at all."""

    conditions: tuple[Expr, ...]
    taps: tuple[Axis, ...]
    of_a_tap: Expr
    alike: Expr

    @property
    def asked(self) -> frozenset[str]:
        """Of which axes."""
        return frozenset().union(*map(variables, self.conditions))


def window_of(spec: Contract, read: Read, outer: Counter, k: Counter, *, along_k: bool) -> Window | None:
    """The window that a read's guards describe; None of others: those which ask of data, of elements side by side, or of more
    taps than a word has bits."""
    axes = {axis.name for axis in (*spec.batch, *outer.axes, *k.axes)}
    guards = [guard for guard in read.guard if isinstance(guard, Within) and _is_of_places(guard, axes)]
    fills = read.fill is None or isinstance(read.fill, Const) and read.fill.value == 0
    if len(guards) < len(read.guard) or not fills:
        return None
    asked = frozenset().union(*(variables(guard.value) for guard in guards))
    number = max((place + 1 for place, axis in enumerate(k.axes) if axis.name in asked), default=0)
    taps, inner = k.axes[:number], k if along_k else outer
    alike = inner.axes[max((place + 1 for place, axis in enumerate(inner.axes) if axis.name in asked), default=0) :]
    if not alike or along_k and (static(size(taps)) or MOST_TAPS + 1) > MOST_TAPS:
        return None
    conditions = tuple(condition for guard in guards for condition in guard.conditions)
    return Window(conditions, taps, size(k.axes[number:]), size(alike))


def _is_of_places(guard: Within, axes: Collection[str]) -> bool:
    """Does a guard hold a sum of axes, each a number of times, between numbers?"""
    bounds = [each for each in (guard.low, guard.high) if each is not None]
    is_sum = variables(guard.value) <= set(axes) and affine(guard.value) is not None
    return is_sum and all(static(each) is not None for each in bounds)
