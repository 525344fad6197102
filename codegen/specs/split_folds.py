"""Few long rows as many short ones: folds over parts of an axis, and folds over what the parts have given.

    y[r] = sum[c](x[r, c])   ->   W[p, r] = sum[c in part p](x[r, c]);  y[r] = sum[p](W[p, r])
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uol.codegen.indexing.arithmetic import add, ceil_div, dense_strides, flat_offset, mul, static
from uol.codegen.names import unused
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import Arg, Fold, Let, Read, Reduce, Step, Store, Strides, Within
from uol.codegen.specs.rewrites import args_of, ordered, scalars_of
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import map_step, map_strides, names_of, step_expressions
from uol.codegen.specs.verify import verified
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Const, Expr, Var, zero_of
from uol.ir.program.walk import rewrite, substitute, variables
from uol.ir.types import NARROW

ANY_ORDER = frozenset({"sum", "prod", "max", "min", "any", "all"})
"""Folds whose terms may be grouped. (An argmax would need the places of all parts.)"""


def may_be_split(spec: Reduce) -> bool:
    """Is every row folded in one pass, nothing stored of an element, and no sum rounded to a narrow type?"""
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    names = {f.name for f in folds}
    if not folds or any(f.op not in ANY_ORDER or (f.dtype in NARROW and f.op in ("sum", "prod")) for f in folds):
        return False
    rows = {a.name for a in spec.rows}
    if any(isinstance(s, Store) and not set(s.axes) <= rows for s in spec.steps):
        return False
    known = set(names)  # folds, and what is made of them
    for step in spec.steps:
        if isinstance(step, Fold) and used_variables([step]) & known:
            return False
        if isinstance(step, Let) and used_variables([step]) & known:
            known.add(step.name)
    return True


@verified
def split_folds(spec: Reduce, axis: Axis, parts: int) -> tuple[Reduce, Reduce]:
    """The kernels of a Reduce that may be split, with `axis`, one of its cols, in so many parts. The last part may be shorter:
    what would be beyond the axis is not folded."""
    extent = static(axis.extent)
    assert extent is not None
    part = Axis(unused("part", _taken(spec)), Const(parts))
    shorter = Axis(axis.name, ceil_div(axis.extent, parts))
    rows, cols = (part, *spec.rows), tuple(shorter if a == axis else a for a in spec.cols)
    place = add(mul(Var(part.name), shorter.extent), Var(axis.name))
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    beyond = () if extent % parts == 0 else (compare("<", place, axis.extent),)
    inside = Within(Var(axis.name), None, axis.extent) if beyond else None

    def moved(expr: Expr) -> Expr:
        within = _guarded(expr, axis.name, inside) if inside else expr
        return map_strides(substitute(within, {axis.name: place}), lambda given: _with_part(given, part, axis, shorter))

    made: list[Step] = []
    for step in _needed(spec.steps, folds):
        new = map_step(step, moved)
        made.append(replace(new, where=(*beyond, *new.where)) if isinstance(new, Fold) else _over_part(new, part, axis))
    shape = tuple(a.extent for a in rows)
    arrays = {f.name: Arg(f"{spec.name}_{f.name}_parts", f.dtype, shape, dense_strides(shape), "workspace") for f in folds}
    offset = flat_offset([Var(a.name) for a in rows], shape, dense_strides(shape))
    strides = dict(zip((a.name for a in rows), dense_strides(shape), strict=True))
    names = tuple(a.name for a in rows)
    for fold in folds:
        value = Var(fold.name, fold.dtype)
        made.append(Store(arrays[fold.name].name, offset, tuple(strides.items()), value, fold.dtype, names, fold.line))
    first = replace(
        spec,
        name=f"{spec.name}_parts",
        args=(*args_of(spec, _values(made), made), *arrays.values()),
        scalars=scalars_of(spec, _values(made)),
        rows=rows,
        cols=cols,
        steps=tuple(made),
    )
    after = tuple((a.name, strides[a.name]) for a in (*spec.rows, part))
    whole: list[Step] = [
        replace(f, value=Read(arrays[f.name].name, offset, after, (), None, f.dtype), where=()) for f in folds
    ]
    own = {a.name for a in spec.rows}
    rest = [s for s in spec.steps if not isinstance(s, Fold) and set(s.axes) <= own]
    whole += [map_step(s, lambda e: map_strides(e, lambda given: _without(given, spec.cols))) for s in rest]
    head = head_of(spec)
    values = _values(whole)
    head["args"], head["scalars"] = ordered((*args_of(spec, values, whole), *arrays.values())), scalars_of(spec, values)
    return first, Reduce(**head, rows=spec.rows, cols=(part,), steps=tuple(whole))


def _values(steps: Iterable[Step]) -> list[Expr]:
    return [e for s in steps for e in step_expressions(s)]


def _taken(spec: Reduce) -> set[str]:
    buffers, numbers = (a.name for a in spec.args), (s.name for s in spec.scalars)
    return {*names_of(spec), *(a.name for a in spec.axes), *buffers, *numbers, *spec.dims}


def _with_part(given: Strides, part: Axis, axis: Axis, shorter: Axis) -> Strides:
    """The strides of an access that goes along the axis, which is in parts now."""
    strides = dict(given)
    if axis.name not in strides:
        return given
    own = strides[axis.name]
    return ((part.name, None if own is None else mul(own, shorter.extent)), *given)


def _guarded(expr: Expr, axis: str, inside: Within) -> Expr:
    """The expression with reads that vary along the axis at 0 beyond it."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read) or axis not in variables(node.offset):
            return None
        fill = zero_of(node.dtype) if node.fill is None else node.fill
        return replace(node, guard=(inside, *node.guard), fill=fill)

    return rewrite(expr, rule)


def _over_part(step: Step, part: Axis, axis: Axis) -> Step:
    """A value of an element is one of its part."""
    assert isinstance(step, Let)
    return replace(step, axes=(part.name, *step.axes)) if axis.name in step.axes else step


def _without(given: Strides, cols: tuple[Axis, ...]) -> Strides:
    gone = {a.name for a in cols}
    return tuple((name, stride) for name, stride in given if name not in gone)


def _needed(steps: tuple[Step, ...], folds: Iterable[Fold]) -> list[Step]:
    """Folds, and the values that they are made of, in order."""
    lets = {s.name: s for s in steps if isinstance(s, Let)}
    found: set[str] = set()
    wanted = set(used_variables(folds))
    while wanted:
        name = wanted.pop()
        if name in lets and name not in found:
            found.add(name)
            wanted |= variables(lets[name].value)
    return [s for s in steps if isinstance(s, Fold) or (isinstance(s, Let) and s.name in found)]
