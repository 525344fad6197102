"""Guards that hold on a known stretch of an axis, decided once for the stretch instead of at every point.

0 <= w - 1 < 56 on an axis w of 58:   w = 0: the fill;   w = 1 .. 56: the read alone;   w = 57: the fill
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from uol.codegen.index import affine, static
from uol.codegen.spec import Let, Read, Step, Store, Within
from uol.codegen.traverse import rewrite, walk
from uol.ir.nodes import Expr


@dataclass(frozen=True, slots=True)
class Stretch:
    """first <= axis < last, with the steps that are left there."""

    first: int
    last: int
    steps: tuple[Step, ...]


def stretches(steps: tuple[Step, ...], axis: str, extent: int) -> tuple[Stretch, ...]:
    """The axis cut where a guard on it alone changes; one stretch where there is no such guard."""
    ranges = [r for step in steps for read in _reads(step) for guard in read.guard if (r := _holds(guard, axis, extent))]
    cuts = sorted({0, extent, *(end for r in ranges for end in r)})
    return tuple(
        Stretch(a, b, tuple(_decided(s, axis, extent, a) for s in steps)) for a, b in zip(cuts, cuts[1:], strict=False)
    )


def _reads(step: Step) -> Iterator[Read]:
    return (node for node in walk(step.value) if isinstance(node, Read))


def _holds(guard: object, axis: str, extent: int) -> tuple[int, int] | None:
    """Where a guard of the form low <= axis + constant < high holds, within the axis."""
    if not isinstance(guard, Within):
        return None
    form = affine(guard.value)
    if form is None or form.coefficients != ((axis, 1),):
        return None
    low, high = (None if b is None else static(b) for b in (guard.low, guard.high))
    if (guard.low is not None and low is None) or (guard.high is not None and high is None):
        return None
    first = 0 if low is None else min(max(low - form.constant, 0), extent)
    last = extent if high is None else min(max(high - form.constant, first), extent)
    return first, last


def _decided(step: Step, axis: str, extent: int, at: int) -> Step:
    """The step on the stretch that begins at `at`."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read) or node.fill is None:
            return None
        kept = []
        for guard in node.guard:
            held = _holds(guard, axis, extent)
            if held is None:
                kept.append(guard)
            elif not held[0] <= at < held[1]:
                return node.fill
        return replace(node, guard=tuple(kept), fill=node.fill if kept else None)

    if isinstance(step, Let | Store):
        return replace(step, value=rewrite(step.value, rule))
    return step
