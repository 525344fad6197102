"""Few long rows as many short ones: folds over parts of an axis, and folds over what the parts have given.

    y[r] = sum[c](x[r, c])   ->   W[p, r] = sum[c in part p](x[r, c]);  y[r] = sum[p](W[p, r])
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.axis_parts import AxisParts
from uol.codegen.specs.long_rows.split_picks import picked, with_best
from uol.codegen.specs.nodes import Arg, Fold, Let, Read, Reduce, Scan, Step, Store, Strides
from uol.codegen.specs.rewrites import args_of, ordered, over_axes, place_in, read_of, scalars_of, workspace_over
from uol.codegen.specs.steps import PICKS, names_behind, used_variables
from uol.codegen.specs.traverse import map_step, map_strides, step_expressions
from uol.codegen.specs.verify import verified
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Expr, Var
from uol.ir.types import NARROW

ANY_ORDER = frozenset({"sum", "prod", "max", "min", "any", "all"})
"""Folds whose terms may be grouped."""


def may_be_grouped(spec: Reduce | Scan, ops: Collection[str] = ANY_ORDER) -> bool:
    """Do all folds need one pass, and may their terms be grouped, no sum being rounded to a narrow type?"""
    folds = folds_of(spec)
    if not folds or any(f.op not in ops or (f.dtype in NARROW and f.op in ("sum", "prod")) for f in folds):
        return False
    known = {f.name for f in folds}  # folds, and what is made of them
    for step in spec.steps:
        if isinstance(step, Fold) and used_variables([step]) & known:
            return False
        if isinstance(step, Let) and used_variables([step]) & known:
            known.add(step.name)
    return True


def may_be_split(spec: Reduce) -> bool:
    """Is nothing stored of an element, besides?"""
    rows, ops = {a.name for a in spec.rows}, ANY_ORDER | PICKS.keys()
    return may_be_grouped(spec, ops) and all(not isinstance(s, Store) or set(s.axes) <= rows for s in spec.steps)


@verified
def split_folds(
    spec: Reduce, axis: Axis, parts: int, multiple: int = 1, order: tuple[Axis, ...] | None = None
) -> tuple[Reduce, Reduce]:
    """The kernels of a Reduce that may be split, with `axis`, one of its cols, in parts (see `AxisParts.of`). The last may be
    shorter: what would be beyond the axis is not folded. Where places are asked for, it is the first of the cols. `order`: of
    the rows in what parts give, where it is another one."""
    folds, order = folds_of(spec), order or spec.rows
    spec, best = with_best(spec)
    assert not best or axis == spec.cols[0]
    cut = AxisParts.of(spec, axis, parts, multiple)
    cols = tuple(cut.within if a == axis else a for a in spec.cols)
    first, arrays = totals(spec, cut, (cut.part, *order), cols)
    whole: list[Step] = []
    for fold in folds:
        if fold.name in best:
            whole += picked(fold, cut, arrays[fold.name], arrays[best[fold.name]], spec)
            continue
        offset, strides = place_in(arrays[fold.name], (cut.part, *order), (*spec.rows, cut.part))
        whole.append(replace(fold, value=Read(arrays[fold.name].name, offset, strides, (), None, fold.dtype), where=()))
    own, gone = {a.name for a in spec.rows}, {a.name for a in spec.cols}
    rest = [s for s in spec.steps if not isinstance(s, Fold) and set(s.axes) <= own]
    whole += [map_step(s, lambda e: map_strides(e, lambda given: over_parts(given, gone, cut.part.name))) for s in rest]
    head = head_of(spec)
    head["args"] = ordered((*args_of(spec, values_of(whole), whole), *arrays.values()))
    head["scalars"] = scalars_of(spec, values_of(whole))
    return first, Reduce(**head, rows=spec.rows, cols=(cut.part,), steps=tuple(whole))


def totals(
    spec: Reduce | Scan, cut: AxisParts, rows: tuple[Axis, ...], cols: tuple[Axis, ...]
) -> tuple[Reduce, dict[str, Arg]]:
    """What every part folds to, stored over `rows`, the part among them; and where, by the names of folds."""
    beyond = () if cut.are_even else (compare("<", cut.place, cut.axis.extent),)
    steps: list[Step] = []
    for step in _needed(spec.steps, folds_of(spec)):
        new = over_axes(cut.step(step), (*rows, *cols))
        steps.append(replace(new, where=(*beyond, *new.where)) if isinstance(new, Fold) else new)
    arrays = {f.name: workspace_over(f"{spec.name}_{f.name}_parts", f.dtype, rows) for f in folds_of(spec)}
    for fold in folds_of(spec):
        steps.append(stored(fold, arrays[fold.name], rows))
    head = head_of(spec)
    head["name"] = f"{spec.name}_parts"
    head["args"] = (*args_of(spec, values_of(steps), steps), *arrays.values())
    head["scalars"] = scalars_of(spec, values_of(steps))
    return Reduce(**head, rows=rows, cols=cols, steps=tuple(steps)), arrays


def stored(step: Fold | Let, array: Arg, rows: Sequence[Axis]) -> Store:
    """A value of rows in an array over these."""
    offset, strides = place_in(array, rows, rows)
    return Store(array.name, offset, strides, Var(step.name, step.dtype), step.dtype, tuple(a.name for a in rows), step.line)


def loaded(step: Fold | Let, array: Arg, own: Sequence[Axis], axes: Sequence[Axis]) -> Let:
    """A value out of an array over its own axes, in a kernel over `axes`."""
    return Let(step.name, read_of(array, own, axes), step.dtype, tuple(a.name for a in own), step.line)


def over_parts(given: Strides, gone: set[str], part: str) -> Strides:
    """Of an access that knows nothing of columns, where these are parts."""
    return (*((name, stride) for name, stride in given if name not in gone), (part, ZERO))


def folds_of(spec: Reduce | Scan) -> list[Fold]:
    return [s for s in spec.steps if isinstance(s, Fold)]


def values_of(steps: Iterable[Step]) -> list[Expr]:
    """Every expression of steps."""
    return [e for s in steps for e in step_expressions(s)]


def _needed(steps: tuple[Step, ...], folds: Iterable[Fold]) -> list[Step]:
    """Folds, and the values that they are made of, in order."""
    found = names_behind(steps, folds)
    return [s for s in steps if isinstance(s, Fold) or (isinstance(s, Let) and s.name in found)]
