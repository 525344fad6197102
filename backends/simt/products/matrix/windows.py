"""Operands of which some elements are not there: `x[n, p + r - 1, q + s - 1, c]`, the pixels that a filter sees, zeros beside
the picture.

Along k a chunk of channels is of one place of the window, its tap. A thread has a word for each of its rows, with a bit for
each line and each column of the window, set where that is beside the picture: it finds out once. Where k goes from row to row,
a row is a pixel, asked each time.
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

BITS = 32
"""How many a word has."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Conditions that ask of one axis of k, or of none, `axis`; `first`: the bit of its first place."""

    axis: Axis | None
    conditions: tuple[Expr, ...]
    first: int

    @property
    def places(self) -> int:
        return 1 if self.axis is None else static(self.axis.extent) or 0


@dataclass(frozen=True, slots=True)
class Window:
    """`bounds`: where there is an element, of axes of its row, of k, and of the batch. `of_a_tap`: how many terms beside each
    other have the axes of k in common of which they ask. `alike`: elements side by side that are there together or not at
    all."""

    bounds: tuple[Bounds, ...]
    of_a_tap: Expr
    alike: Expr

    @property
    def conditions(self) -> tuple[Expr, ...]:
        return tuple(condition for each in self.bounds for condition in each.conditions)

    @property
    def asked(self) -> frozenset[str]:
        """The axes of which the conditions ask."""
        return frozenset().union(*map(variables, self.conditions))


def window_of(spec: Contract, read: Read, outer: Counter, k: Counter, *, along_k: bool) -> Window | None:
    """The window that a read's guards describe; None of others: those which ask of data, of elements side by side, of several
    axes of k at once, or of more places than a word has bits."""
    axes = {axis.name for axis in (*spec.batch, *outer.axes, *k.axes)}
    guards = [guard for guard in read.guard if isinstance(guard, Within) and _is_of_places(guard, axes)]
    fills = read.fill is None or isinstance(read.fill, Const) and read.fill.value == 0
    if len(guards) < len(read.guard) or not fills:
        return None
    asked = frozenset().union(*(variables(guard.value) for guard in guards))
    inner = k if along_k else outer
    bounds = _bounds(guards, k)
    alike, of_a_tap = (axes[_behind(axes, asked) :] for axes in (inner.axes, k.axes))
    if not alike or bounds is None or along_k and bounds[-1].first + bounds[-1].places > BITS:
        return None
    return Window(bounds, size(of_a_tap), size(alike))


def _behind(axes: Collection[Axis], asked: Collection[str]) -> int:
    """The place behind the last axis that is asked of."""
    return max((place + 1 for place, axis in enumerate(axes) if axis.name in asked), default=0)


def _bounds(guards: Collection[Within], k: Counter) -> tuple[Bounds, ...] | None:
    """Guards by the axis of k of which they ask; None where one asks of several."""
    found: dict[Axis | None, tuple[Expr, ...]] = {}
    for guard in guards:
        axes = [axis for axis in k.axes if axis.name in variables(guard.value)]
        if len(axes) > 1:
            return None
        axis = axes[0] if axes else None
        found[axis] = (*found.get(axis, ()), *guard.conditions)
    bounds: tuple[Bounds, ...] = ()
    for axis, conditions in found.items():
        first = bounds[-1].first + bounds[-1].places if bounds else 0
        bounds = (*bounds, Bounds(axis, conditions, first))
    return bounds


def _is_of_places(guard: Within, axes: Collection[str]) -> bool:
    """Does a guard hold a sum of axes, each a number of times, between numbers?"""
    bounds = [each for each in (guard.low, guard.high) if each is not None]
    is_sum = variables(guard.value) <= set(axes) and affine(guard.value) is not None
    return is_sum and all(static(each) is not None for each in bounds)
