"""Places of extrema over parts: the best of every part and where in it, then the best of those.

    a[r] = argmax[c](x[r, c])   ->   V[p, r] = max[c in part p](x[r, c]);  I[p, r] = argmax[c in part p](x[r, c])
                                     q[r] = argmax[p](V[p, r]);            a[r] = q[r] * length + I[q[r], r]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from uol.codegen.indexing.arithmetic import ONE, add, mul, size, sub
from uol.codegen.names import unused
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.nodes import Arg, Fold, Let, Read, Reduce, Step
from uol.codegen.specs.rewrites import place_in
from uol.codegen.specs.steps import PICKS
from uol.codegen.specs.traverse import names_of
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Axis, Call, Expr, Var
from uol.ir.program.walk import substitute
from uol.ir.types import INDEX


def with_best(spec: Reduce) -> tuple[Reduce, Mapping[str, str]]:
    """The spec with the extremum itself beside each fold that gives its place; what folds the extremum, by that one's name."""
    found: dict[str, str] = {}
    steps: list[Step] = []
    for step in spec.steps:
        steps.append(step)
        if isinstance(step, Fold) and step.op in PICKS:
            found[step.name] = unused(f"{step.name}_best", names_of(spec))
            steps.append(replace(step, name=found[step.name], op=PICKS[step.op], dtype=step.value.type))
    return replace(spec, steps=tuple(steps)), found


def picked(fold: Fold, cut: AxisParts, places: Arg, best: Arg, spec: Reduce) -> Iterator[Step]:
    """Which part a place is in, and the place among all columns, the first of which are cut. A part in which no column meets a
    condition has the worst value, as another may, and no place."""
    part, columns = f"{fold.name}_part", mul(cut.within.extent, size(spec.cols[1:]))
    value, held = (_over_parts(array, cut.part, spec.rows) for array in (best, places))
    has_place = (compare("<", Call("cast", (held,), INDEX), columns),) if fold.where else ()
    yield replace(fold, name=part, value=value, where=has_place)
    chosen: Expr = Call("cast", (Var(part, fold.dtype),), INDEX)
    if fold.where:  # without a place at all nothing is promised, but that what is read is there
        chosen = idx("min", chosen, sub(cut.part.extent, ONE))
    within = Call("cast", (_at(places, cut.part, chosen, spec.rows),), INDEX)
    place = add(mul(chosen, columns), within)
    yield Let(fold.name, Call("cast", (place,), fold.dtype), fold.dtype, tuple(a.name for a in spec.rows), fold.line)


def _over_parts(array: Arg, part: Axis, rows: Sequence[Axis]) -> Read:
    """What each part of a row holds."""
    offset, strides = place_in(array, (part, *rows), (*rows, part))
    return Read(array.name, offset, strides, (), None, array.dtype)


def _at(places: Arg, part: Axis, chosen: Expr, rows: Sequence[Axis]) -> Expr:
    """The place that a part holds."""
    offset, strides = place_in(places, (part, *rows), rows)
    return Read(places.name, substitute(offset, {part.name: chosen}), (*strides, (part.name, None)), (), None, places.dtype)
