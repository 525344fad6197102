"""A Reduce that goes over its rows several times as several kernels: each fold is stored, and read again by what needs it. What
is stored of elements is stored by the last, if that stores any.

    hi[r] = max[c](x); s[r] = sum[c](exp(x - hi)); y[r, c] = exp(x - hi) / s
    ->   HI[r] = max[c](x);   S[r] = sum[c](exp(x - HI[r]));   y[r, c] = exp(x - HI[r]) / S[r]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.split_folds import loaded, stored, values_of
from uol.codegen.specs.nodes import Arg, Fold, KernelSpec, Let, Map, Reduce, Step, Store
from uol.codegen.specs.rewrites import args_of, in_physical_order, ordered, over_axes, scalars_of, workspace_over
from uol.codegen.specs.steps import Pass, names_behind, passes_of
from uol.codegen.specs.verify import verified


@verified
def cut_passes(spec: Reduce) -> tuple[KernelSpec, ...]:
    """The kernels of a Reduce, in order; itself, where its rows are gone over once."""
    found = passes_of(spec)
    if len(found.passes) < 2:
        return (spec,)
    arrays = {f.name: workspace_over(f"{spec.name}_{f.name}_rows", f.dtype, spec.rows) for p in found.passes for f in p.folds}
    wanted = _later_stores([_wanted(part, () if number else found.before) for number, part in enumerate(found.passes)], spec)
    kernels: list[KernelSpec] = []
    for number, part in enumerate(found.passes):
        later = frozenset().union(*(names_behind(spec.steps, each) for each in wanted[number + 1 :]))
        steps = _steps(spec, part, wanted[number], later, arrays)
        name = spec.name if number == len(wanted) - 1 else f"{spec.name}_pass{number}"
        kernels.append(_kernel(spec, name, steps, arrays.values()))
    return tuple(kernels)


@verified
def stores_apart(spec: Reduce) -> tuple[KernelSpec, ...]:
    """What is stored of elements in one pass as a kernel behind its folds, which may then be split; itself, where there are not
    both.

        y[r, c] = f(x[r, c]);  s[r] = sum[c](x[r, c])   ->   s[r] = sum[c](x[r, c]);   y[r, c] = f(x[r, c])
    """
    found = passes_of(spec)
    if len(found.passes) != 1 or spec.columns:
        return (spec,)
    (part,) = found.passes
    stores = [s for s in part.elements if isinstance(s, Store)]
    if not stores or not part.folds:
        return (spec,)
    rest: list[Step] = [*_wanted(replace(part, steps=part.folds), found.before)]
    folds, elements = (_steps(spec, part, wanted, frozenset(), {}) for wanted in (rest, stores))
    return _kernel(spec, spec.name, folds, ()), _kernel(spec, f"{spec.name}_elements", elements, ())


def _wanted(part: Pass, before: Sequence[Step]) -> list[Step]:
    """What a pass is for: folds and stores."""
    return [s for s in (*before, *part.elements, *part.row_steps) if not isinstance(s, Let)]


def _later_stores(wanted: list[list[Step]], spec: Reduce) -> list[list[Step]]:
    """What each pass is for, where the last one takes the stores of elements of all."""
    every = {a.name for a in spec.axes}
    *earlier, last = wanted
    if not any(isinstance(s, Store) and set(s.axes) == every for s in last):
        return wanted
    late = [s for steps in earlier for s in steps if isinstance(s, Store) and set(s.axes) == every]
    moved = {id(s) for s in late}
    return [*([s for s in steps if id(s) not in moved] for steps in earlier), [*late, *last]]


def _steps(
    spec: Reduce, part: Pass, wanted: Sequence[Step], later: frozenset[str], arrays: Mapping[str, Arg]
) -> tuple[Step, ...]:
    """Folds of earlier passes as they were stored, the steps of this one, and those of its folds that later ones need."""
    own = {fold.name for fold in part.folds}
    needed, chosen = names_behind(spec.steps, wanted), {id(s) for s in wanted}
    steps: list[Step] = []
    for step in spec.steps:
        if id(step) in chosen or (isinstance(step, Let) and step.name in needed):
            steps.append(step)
        elif isinstance(step, Fold) and step.name in needed - own:
            steps.append(loaded(step, arrays[step.name], spec.rows, spec.axes))
    return (*steps, *(stored(fold, arrays[fold.name], spec.rows) for fold in part.folds if fold.name in later))


def _kernel(spec: Reduce, name: str, steps: tuple[Step, ...], arrays: Iterable[Arg]) -> KernelSpec:
    """A Reduce; where there is nothing to fold, and every store is over all axes, a Map."""
    values = values_of(steps)
    whole = replace(spec, args=(*spec.args, *arrays))
    head = head_of(spec)
    head["name"], head["args"], head["scalars"] = name, ordered(args_of(whole, values, steps)), scalars_of(spec, values)
    every = {a.name for a in spec.axes}
    if any(isinstance(s, Fold) or (isinstance(s, Store) and set(s.axes) != every) for s in steps):
        return Reduce(**head, rows=spec.rows, cols=spec.cols, steps=steps)
    index = in_physical_order(spec.axes, steps)
    return Map(**head, index=index, steps=tuple(over_axes(s, index) for s in steps))
