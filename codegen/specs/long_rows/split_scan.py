"""Few long scans as many short ones: what every part folds to, what stands before each, and the scans of the parts behind it.

    y[r, i] = sum[j <= i](x[r, j])
    ->  W[r, p] = sum[c in part p](x[r, c]);  S[r, p] = sum[q < p](W[r, q]);
        y[r, p, c] = S[r, p] + sum[d <= c in part p](x[r, d])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from uol.codegen.indexing.arithmetic import ONE, ZERO, add, folded, mul, sub, substituted
from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.long_rows.split_folds import folds_of, may_be_grouped, stored, totals, values_of
from uol.codegen.specs.nodes import Arg, Fold, KernelSpec, Let, Read, Reduce, Scan, Step
from uol.codegen.specs.rewrites import args_of, ordered, over_axes, place_in, scalars_of, workspace_over
from uol.codegen.specs.scan_ends import may_evaluate_all, within_row
from uol.codegen.specs.steps import BINARY_OF
from uol.codegen.specs.traverse import mapped
from uol.codegen.specs.verify import verified
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import substitute


def may_be_parted(spec: Scan) -> bool:
    """May the terms be grouped, and what counts for no position be evaluated at the last of a part?"""
    return may_be_grouped(spec) and (not spec.exclusive or (within_row(spec) == spec.steps and may_evaluate_all(spec)))


@verified
def split_scan(spec: Scan, parts: int) -> tuple[Reduce, Scan, Scan]:
    """The kernels of a Scan that may be parted, in so many parts, which divide its extent."""
    cut = AxisParts.of(spec, spec.along, parts)
    assert cut.are_even, f"{parts} parts do not divide {spec.along.extent}"
    first, between, last, _ = _in_parts(spec, cut, {})
    return first, between, last


@verified
def split_open_scan(spec: Scan, parts: int, multiple: int) -> tuple[KernelSpec, ...]:
    """The kernels of a Scan that may be parted, whatever its extent is: so many parts of one size, a multiple of a length, and
    what is left behind the last of them."""
    rows = spec.rows
    main, cut, left = even_parts(spec, parts, multiple)
    if not spec.reverse:
        first, between, last, held = _in_parts(main, cut, {})
        before = {fold.name: _behind_last(fold, cut, held, (*rows, left.along)) for fold in folds_of(spec)}
        return first, between, last, _scan_behind(left, before, rows, left.along)
    one = AxisParts.of(left, left.along, 1)
    total, arrays = totals(left, one, (*rows, one.part), (one.within,))
    ends = {name: _at_part(array, (*rows, one.part), (*rows, cut.part, spec.along), ZERO) for name, array in arrays.items()}
    first, between, last, _ = _in_parts(main, cut, ends)
    return replace(total, name=f"{spec.name}_left"), left, first, between, last


def even_parts(spec: Scan, parts: int, multiple: int, least: Expr = ZERO) -> tuple[Scan, AxisParts, Scan]:
    """A Scan of as many positions as so many parts have, whose length is a multiple of another; the parts; and what is left, so
    many positions at least."""
    along = spec.along
    length = mul(folded(idx("/", sub(along.extent, least), Const(parts * multiple))), Const(multiple))
    whole = Axis(along.name, mul(length, Const(parts)))
    left = _behind_place(spec, Axis(along.name, sub(along.extent, whole.extent)), whole.extent)
    return replace(spec, along=whole), AxisParts.even(spec, whole, parts, length), left


Value = tuple[Expr, tuple[Arg, ...]]
"""What a fold comes to, of each row, and what that is read from."""
Arrays = Mapping[str, Arg]
"""Workspaces by the names of folds."""


def _in_parts(spec: Scan, cut: AxisParts, ends: Mapping[str, Value]) -> tuple[Reduce, Scan, Scan, tuple[Arrays, Arrays]]:
    """What parts fold to, what stands before each, and the scans of the parts, where `ends` stand before all of them. Last,
    the arrays of what stands before each, and of what each folds to."""
    rows = (*spec.rows, cut.part)
    first, arrays = totals(spec, cut, rows, (cut.within,))
    begins = {f.name: workspace_over(f"{spec.name}_{f.name}_begin", f.dtype, rows) for f in folds_of(spec)}
    between = _between(spec, cut, rows, arrays, begins)
    axes = (*rows, cut.within)
    before: dict[str, Value] = {}
    for fold in folds_of(spec):
        offset, strides = place_in(begins[fold.name], rows, axes)
        value: Expr = Read(begins[fold.name].name, offset, strides, (), None, fold.dtype)
        end, read = ends.get(fold.name, (None, ()))
        before[fold.name] = value if end is None else _both(fold, end, value), (begins[fold.name], *read)
    parted = replace(spec, steps=tuple(over_axes(cut.step(step), axes) for step in spec.steps))
    return first, between, _scan_behind(parted, before, rows, cut.within), (begins, arrays)


def _behind_last(fold: Fold, cut: AxisParts, held: tuple[Arrays, Arrays], axes: tuple[Axis, ...]) -> Value:
    """What stands behind the last part, for a spec over these axes: what is before it, and what it folds to."""
    last = sub(cut.part.extent, ONE)
    own = (*axes[:-1], cut.part)
    (begin, of_begin), (total, of_total) = (_at_part(arrays[fold.name], own, axes, last) for arrays in held)
    return _both(fold, begin, total), (*of_begin, *of_total)


def _scan_behind(spec: Scan, before: Mapping[str, Value], rows: tuple[Axis, ...], along: Axis) -> Scan:
    """A scan of what has something before it."""
    steps: list[Step] = []
    for step in spec.steps:
        if not isinstance(step, Fold):
            steps.append(step)
            continue
        inner = replace(step, name=f"{step.name}_part")
        value = _both(step, before[step.name][0], Var(inner.name, step.dtype))
        steps += [inner, Let(step.name, value, step.dtype, tuple(a.name for a in (*rows, along)), step.line)]
    head = head_of(spec)
    arrays = dict.fromkeys(array for _, read in before.values() for array in read)
    head["args"] = ordered((*args_of(spec, values_of(spec.steps), spec.steps), *arrays))
    head["scalars"] = scalars_of(spec, values_of(steps))
    return Scan(**head, rows=rows, along=along, reverse=spec.reverse, exclusive=spec.exclusive, steps=tuple(steps))


def _both(fold: Fold, before: Expr, value: Expr) -> Expr:
    """What a fold of two comes to."""
    return Call(BINARY_OF[fold.op], (before, value), fold.dtype)


def _at_part(array: Arg, own: Sequence[Axis], axes: Sequence[Axis], part: Expr) -> Value:
    return at_part(array, own, axes, part), (array,)


def at_part(array: Arg, own: Sequence[Axis], axes: Sequence[Axis], part: Expr) -> Read:
    """What an array over rows and parts holds of a row at one of the parts, for a spec over these axes."""
    offset, strides = place_in(array, own, axes)
    strides = tuple((name, ZERO if name == own[-1].name else stride) for name, stride in strides)
    return Read(array.name, substituted(offset, {own[-1].name: part}), strides, (), None, array.dtype)


def _behind_place(spec: Scan, along: Axis, place: Expr) -> Scan:
    """The scan of what lies behind a place."""
    behind = {along.name: add(place, Var(along.name))}
    return replace(mapped(spec, expr=lambda expr: substitute(expr, behind)), name=f"{spec.name}_rest", along=along)


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

