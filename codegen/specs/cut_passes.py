"""A Reduce that goes over its rows several times as several kernels: each fold is stored, and read again by what needs it.

    hi[r] = max[c](x); s[r] = sum[c](exp(x - hi)); y[r, c] = exp(x - hi) / s
    ->   HI[r] = max[c](x);   S[r] = sum[c](exp(x - HI[r]));   y[r, c] = exp(x - HI[r]) / S[r]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from uol.codegen.indexing.arithmetic import flat_offset
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import Arg, Fold, KernelSpec, Let, Map, Read, Reduce, Step, Store
from uol.codegen.specs.rewrites import args_of, in_physical_order, ordered, over_axes, scalars_of, workspace_over
from uol.codegen.specs.steps import Pass, passes_of, used_variables
from uol.codegen.specs.traverse import step_expressions
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Const, Expr, Var


@verified
def cut_passes(spec: Reduce) -> tuple[KernelSpec, ...]:
    """The kernels of a Reduce, in order; itself, where its rows are gone over once."""
    found = passes_of(spec)
    if len(found.passes) < 2:
        return (spec,)
    arrays = {f.name: workspace_over(f"{spec.name}_{f.name}_rows", f.dtype, spec.rows) for p in found.passes for f in p.folds}
    wanted = [_wanted(part, found.before if number == 0 else ()) for number, part in enumerate(found.passes)]
    kernels: list[KernelSpec] = []
    for number, part in enumerate(found.passes):
        later = frozenset().union(*(_needed(spec, each) for each in wanted[number + 1 :]))
        steps = _steps(spec, part, wanted[number], later, arrays)
        name = spec.name if number == len(wanted) - 1 else f"{spec.name}_pass{number}"
        kernels.append(_kernel(spec, name, steps, arrays.values()))
    return tuple(kernels)


def _wanted(part: Pass, before: Sequence[Step]) -> list[Step]:
    """What a pass is for: folds and stores."""
    return [s for s in (*before, *part.elements, *part.row_steps) if not isinstance(s, Let)]


def _steps(
    spec: Reduce, part: Pass, wanted: Sequence[Step], later: frozenset[str], arrays: Mapping[str, Arg]
) -> tuple[Step, ...]:
    """Folds of earlier passes as they were stored, the steps of this one, and those of its folds that later ones need."""
    own = {fold.name for fold in part.folds}
    needed, chosen = _needed(spec, wanted), {id(s) for s in wanted}
    steps: list[Step] = []
    for step in spec.steps:
        if id(step) in chosen or (isinstance(step, Let) and step.name in needed):
            steps.append(step)
        elif isinstance(step, Fold) and step.name in needed - own:
            steps.append(_loaded(spec, step, arrays[step.name]))
    return (*steps, *(_stored(spec, fold, arrays[fold.name]) for fold in part.folds if fold.name in later))


def _needed(spec: Reduce, wanted: Sequence[Step]) -> frozenset[str]:
    """The names of the lets and folds behind steps, but for what folds are made of that are not among these."""
    lets = {s.name: s for s in spec.steps if isinstance(s, Let)}
    found: set[str] = set()
    rest = set(used_variables(wanted))
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest |= used_variables([lets[name]]) if name in lets else set()
    return frozenset(found)


def _loaded(spec: Reduce, fold: Fold, array: Arg) -> Let:
    rows = tuple(a.name for a in spec.rows)
    strides = (*zip(rows, array.strides, strict=True), *((a.name, Const(0)) for a in spec.cols))
    read = Read(array.name, _place(spec, array), strides, (), None, array.dtype)
    return Let(fold.name, read, fold.dtype, rows, fold.line)


def _stored(spec: Reduce, fold: Fold, array: Arg) -> Store:
    rows = tuple(a.name for a in spec.rows)
    strides = tuple(zip(rows, array.strides, strict=True))
    return Store(array.name, _place(spec, array), strides, Var(fold.name, fold.dtype), fold.dtype, rows, fold.line)


def _place(spec: Reduce, array: Arg) -> Expr:
    return flat_offset([Var(a.name) for a in spec.rows], array.shape, array.strides)


def _kernel(spec: Reduce, name: str, steps: tuple[Step, ...], arrays: Iterable[Arg]) -> KernelSpec:
    """A Reduce; where there is nothing to fold, and every store is over all axes, a Map."""
    values = [e for s in steps for e in step_expressions(s)]
    whole = replace(spec, args=(*spec.args, *arrays))
    head = head_of(spec)
    head["name"], head["args"], head["scalars"] = name, ordered(args_of(whole, values, steps)), scalars_of(spec, values)
    every = {a.name for a in spec.axes}
    if any(isinstance(s, Fold) or (isinstance(s, Store) and set(s.axes) != every) for s in steps):
        return Reduce(**head, rows=spec.rows, cols=spec.cols, steps=steps)
    index = in_physical_order(spec.axes, steps)
    return Map(**head, index=index, steps=tuple(over_axes(s, index) for s in steps))
