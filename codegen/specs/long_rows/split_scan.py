"""Few long scans as many short ones: what every part folds to, what stands before each, and the scans of the parts behind it.

    y[r, i] = sum[j <= i](x[r, j])
    ->  W[r, p] = sum[c in part p](x[r, c]);  S[r, p] = sum[q < p](W[r, q]);
        y[r, p, c] = S[r, p] + sum[d <= c in part p](x[r, d])
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.long_rows.split_folds import folds_of, may_be_grouped, stored, totals, values_of
from uol.codegen.specs.nodes import Arg, Fold, Let, Read, Reduce, Scan, Step
from uol.codegen.specs.rewrites import args_of, ordered, over_axes, place_in, scalars_of, workspace_over
from uol.codegen.specs.steps import BINARY_OF
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Call, Var


def may_be_parted(spec: Scan) -> bool:
    """Does the position itself count, and may the terms be grouped?"""
    return not spec.exclusive and may_be_grouped(spec)


@verified
def split_scan(spec: Scan, parts: int) -> tuple[Reduce, Scan, Scan]:
    """The kernels of a Scan that may be parted, in so many parts, which divide its extent."""
    cut = AxisParts.of(spec, spec.along, parts)
    assert cut.are_even, f"{parts} parts do not divide {spec.along.extent}"
    rows = (*spec.rows, cut.part)
    first, arrays = totals(spec, cut, rows, (cut.within,))
    begins = {f.name: workspace_over(f"{spec.name}_{f.name}_begin", f.dtype, rows) for f in folds_of(spec)}
    between = _between(spec, cut, rows, arrays, begins)
    steps: list[Step] = []
    axes = (*rows, cut.within)
    for step in spec.steps:
        new = over_axes(cut.step(step), axes)
        steps += _behind(new, begins[new.name], rows, axes) if isinstance(new, Fold) else [new]
    head = head_of(spec)
    head["args"] = ordered((*args_of(spec, values_of(steps), steps), *begins.values()))
    head["scalars"] = scalars_of(spec, values_of(steps))
    return first, between, Scan(**head, rows=rows, along=cut.within, reverse=spec.reverse, exclusive=False, steps=tuple(steps))


def _between(spec: Scan, cut: AxisParts, rows: tuple[Axis, ...], arrays: dict[str, Arg], begins: dict[str, Arg]) -> Scan:
    """What stands before each part."""
    steps: list[Step] = []
    for fold in folds_of(spec):
        offset, strides = place_in(arrays[fold.name], rows, rows)
        steps.append(replace(fold, value=Read(arrays[fold.name].name, offset, strides, (), None, fold.dtype)))
        steps.append(stored(fold, begins[fold.name], rows))
    head = head_of(spec)
    head["name"], head["args"], head["scalars"] = f"{spec.name}_begin", (*arrays.values(), *begins.values()), ()
    return Scan(**head, rows=spec.rows, along=cut.part, reverse=spec.reverse, exclusive=True, steps=tuple(steps))


def _behind(fold: Fold, begin: Arg, rows: tuple[Axis, ...], axes: tuple[Axis, ...]) -> list[Step]:
    """The fold within a part, and from it the fold over the whole row up to here."""
    offset, strides = place_in(begin, rows, axes)
    before = Read(begin.name, offset, strides, (), None, fold.dtype)
    inner = replace(fold, name=f"{fold.name}_part")
    value = Call(BINARY_OF[fold.op], (before, Var(inner.name, fold.dtype)), fold.dtype)
    return [inner, Let(fold.name, value, fold.dtype, tuple(a.name for a in axes), fold.line)]
