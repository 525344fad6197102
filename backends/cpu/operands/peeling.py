"""Guards that hold on a known stretch of an axis, decided once for the stretch instead of at every point.

0 <= w - 1 < 56 on an axis w of 58:   w = 0: the fill;   w = 1 .. 56: the read alone;   w = 57: the fill

Where a bound is known at run time alone, as with a width that is an argument, the guards that share one range are decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ONE, ZERO, folded, static, sub
from uol.codegen.specs.nodes import Guard, Let, Read, Step, Store, Within
from uol.ir.integers.polynomials import from_poly
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Const, Expr
from uol.ir.program.walk import rewrite, substitute, variables, walk

Range = tuple[Expr, Expr]
"""first <= axis < last, both within the axis."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """first <= axis < last, with the steps that are left there."""

    first: Expr
    last: Expr
    steps: tuple[Step, ...]


def stretches(steps: tuple[Step, ...], axis: str, extent: Expr) -> tuple[Stretch, ...]:
    """The axis cut where a guard on it alone changes; one stretch where there is no such guard."""
    guards = [guard for step in steps for read in _reads(step) for guard in read.guard]
    ranges = dict.fromkeys(r for guard in guards if (r := holding(guard, axis, extent)) is not None)
    ends = [static(end) for end in (ZERO, extent, *(end for r in ranges for end in r))]
    if None not in ends:
        cuts = [Const(end) for end in sorted({end for end in ends if end is not None})]
        pairs = zip(cuts, cuts[1:], strict=False)
        return tuple(Stretch(a, b, _decided(steps, axis, extent, _stands_in(a))) for a, b in pairs)
    if len(ranges) != 1:
        return (Stretch(ZERO, extent, steps),)
    ((first, last),) = ranges
    within, beyond = (_decided(steps, axis, extent, lambda _, holds=holds: holds) for holds in (True, False))  # type: ignore[misc]  # mypy infers no type of the default
    return (Stretch(ZERO, first, beyond), Stretch(first, last, within), Stretch(last, extent, beyond))


def _stands_in(point: Const) -> Callable[[Range], bool]:
    return lambda range_: (static(range_[0]) or 0) <= int(point.value) < (static(range_[1]) or 0)


def _reads(step: Step) -> Iterator[Read]:
    return (node for node in walk(step.value) if isinstance(node, Read))


def holding(guard: Guard, axis: str, extent: Expr) -> Range | None:
    """Where a guard of the form low <= axis + something < high holds, within the axis; nothing in it but the axis varies."""
    if not isinstance(guard, Within):
        return None
    form = affine(guard.value)
    bounds = [bound for bound in (guard.low, guard.high) if bound is not None]
    if form is None or form.factor(axis) != ONE or any(axis in variables(bound) for bound in bounds):
        return None
    offset = from_poly(form.constant) if len(form.factors) == 1 else substitute(guard.value, {axis: ZERO})
    first = ZERO if guard.low is None else _clamped(sub(guard.low, offset), ZERO, extent)
    last = extent if guard.high is None else _clamped(sub(guard.high, offset), first, extent)
    return first, last


def _clamped(value: Expr, low: Expr, high: Expr) -> Expr:
    """min(max(value, low), high); low <= high."""
    return folded(idx("min", folded(idx("max", value, low)), high))


def _decided(steps: tuple[Step, ...], axis: str, extent: Expr, holds: Callable[[Range], bool]) -> tuple[Step, ...]:
    """The steps where those guards hold whose range `holds` says so of."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read) or node.fill is None:
            return None
        kept = []
        for guard in node.guard:
            range_ = holding(guard, axis, extent)
            if range_ is None:
                kept.append(guard)
            elif not holds(range_):
                return node.fill
        return replace(node, guard=tuple(kept), fill=node.fill if kept else None)

    return tuple(replace(s, value=rewrite(s.value, rule)) if isinstance(s, Let | Store) else s for s in steps)
