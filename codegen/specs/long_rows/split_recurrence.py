"""Recurrences along few long rows as many short ones: the map that each part is, what stands before each, and the parts.

    S_i = a_i * S_{i-1} + b_i
    ->  A[p], B[p] = what part p multiplies what stands before it by, and adds;  S[p + 1] = A[p] * S[p] + B[p]
        S_i = (the product of a up to i in part p) * S[p] + the recurrence within part p, from 0 on
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.arithmetic import ONE, ZERO, sub
from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.long_rows.split_folds import folds_of, values_of
from uol.codegen.specs.nodes import Arg, Fold, Let, Read, Scan, Step, Store
from uol.codegen.specs.rewrites import args_of, ordered, over_axes, place_in, scalars_of, workspace_over
from uol.codegen.specs.scan_ends import may_evaluate_all, within_row
from uol.codegen.specs.steps import AFFINE, RECURRENCE, names_behind
from uol.codegen.specs.traverse import reads, step_expressions
from uol.codegen.specs.verify import verified
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var

Axes = tuple[Axis, ...]


def is_split_by_maps(spec: Scan) -> bool:
    """Are all folds recurrences, none of what another leaves, that may be evaluated at the end of a part?"""
    folds = folds_of(spec)
    if not folds or any(fold.op != RECURRENCE for fold in folds) or within_row(spec) != spec.steps:
        return False
    return names_behind(spec.steps, folds).isdisjoint(fold.name for fold in folds) and may_evaluate_all(spec)


@verified
def split_recurrences(spec: Scan, parts: int) -> tuple[Scan, Scan, Scan]:
    """The kernels of such a Scan, in so many parts, which divide its extent."""
    cut = AxisParts.of(spec, spec.along, parts)
    assert cut.are_even, f"{parts} parts do not divide {spec.along.extent}"
    rows = (*spec.rows, cut.part)
    arrays = {
        (fold.name, what): workspace_over(f"{spec.name}_{fold.name}_{what}", fold.dtype, rows)
        for fold in folds_of(spec)
        for what in ("by", "plus", "begin")
    }
    return _maps(spec, cut, arrays), _begins(spec, cut, arrays), _parts(spec, cut, arrays)


Arrays = dict[tuple[str, str], Arg]


def _product(fold: Fold) -> Fold:
    """The product of what a recurrence multiplies by."""
    return replace(fold, name=f"{fold.name}_by", op="prod", value=fold.value.children[0])


def _maps(spec: Scan, cut: AxisParts, arrays: Arrays) -> Scan:
    """What every part is a map by."""
    rows, steps = (*spec.rows, cut.part), list[Step]()
    needed = names_behind(spec.steps, folds_of(spec))
    for step in (over_axes(cut.step(step), (*rows, cut.within)) for step in spec.steps):
        if isinstance(step, Fold):
            steps += [_within(spec, step, cut), _product(step)]
        elif isinstance(step, Let) and step.name in needed:
            steps.append(step)
    for fold in folds_of(spec):
        steps += [_stored(fold, _product(fold).name, arrays[fold.name, "by"], rows)]
        steps += [_stored(fold, fold.name, arrays[fold.name, "plus"], rows)]
    return _scan(spec, "_maps", (rows, cut.within), steps, arrays, exclusive=False)


def _begins(spec: Scan, cut: AxisParts, arrays: Arrays) -> Scan:
    """What stands before each part."""
    axes, steps = (*spec.rows, cut.part), list[Step]()
    for fold in folds_of(spec):
        by, plus, begin = (arrays[fold.name, what] for what in ("by", "plus", "begin"))
        whole = _but_first(_is_first(spec, cut.part), _read(by, axes, axes))
        steps.append(replace(fold, value=Call(AFFINE, (whole, _read(plus, axes, axes)), fold.dtype)))
        steps.append(_stored(fold, fold.name, begin, axes))
    return _scan(spec, "_begin", (spec.rows, cut.part), steps, arrays, exclusive=True)


def _parts(spec: Scan, cut: AxisParts, arrays: Arrays) -> Scan:
    """The parts, each behind what stands before it; before the first nothing does."""
    rows = (*spec.rows, cut.part)
    axes, steps = (*rows, cut.within), list[Step]()
    for step in (over_axes(cut.step(step), (*rows, cut.within)) for step in spec.steps):
        if not isinstance(step, Fold):
            steps.append(step)
            continue
        inner, product, dtype = _within(spec, step, cut), _product(step), step.dtype
        inner = replace(inner, name=f"{step.name}_part")
        before = Call("*", (Var(product.name, dtype), _read(arrays[step.name, "begin"], rows, axes)), dtype)
        behind = Call("+", (before, Var(inner.name, dtype)), dtype)
        value = Call("select", (_is_first(spec, cut.part), Var(inner.name, dtype), behind), dtype)
        steps += [inner, product, Let(step.name, value, dtype, tuple(a.name for a in axes), step.line)]
    return _scan(spec, "", (rows, cut.within), steps, arrays, exclusive=spec.exclusive)


def _within(spec: Scan, fold: Fold, cut: AxisParts) -> Fold:
    """A recurrence within a part: what its first position multiplies by is none of it."""
    by, plus = fold.value.children
    return replace(fold, value=Call(AFFINE, (_but_first(_is_first(spec, cut.within), by), plus), fold.dtype))


def _is_first(spec: Scan, axis: Axis) -> Expr:
    return compare("==", Var(axis.name), sub(axis.extent, ONE) if spec.reverse else ZERO)


def _but_first(is_first: Expr, by: Expr) -> Expr:
    return Call("select", (is_first, Const(1.0, by.type), by), by.type)


def _read(array: Arg, own: Axes, axes: Axes) -> Read:
    offset, strides = place_in(array, own, axes)
    return Read(array.name, offset, strides, (), None, array.dtype)


def _stored(fold: Fold, name: str, array: Arg, axes: Axes) -> Store:
    offset, strides = place_in(array, axes, axes)
    return Store(array.name, offset, strides, Var(name, fold.dtype), fold.dtype, tuple(a.name for a in axes), fold.line)


def _scan(spec: Scan, suffix: str, over: tuple[Axes, Axis], steps: list[Step], arrays: Arrays, *, exclusive: bool) -> Scan:
    """A scan in the direction of the whole one, with the arrays that it reads and writes."""
    rows, along = over
    used = {access for step in steps for access in _tensors(step)}
    head = head_of(spec)
    head["name"] = f"{spec.name}{suffix}"
    own = args_of(spec, values_of(steps), steps)
    head["args"] = ordered((*own, *(array for array in arrays.values() if array.name in used)))
    head["scalars"] = scalars_of(spec, values_of(steps))
    return Scan(**head, rows=rows, along=along, reverse=spec.reverse, exclusive=exclusive, steps=tuple(steps))


def _tensors(step: Step) -> set[str]:
    found = {read.tensor for expr in step_expressions(step) for read in reads(expr)}
    return found | {step.tensor} if isinstance(step, Store) else found
