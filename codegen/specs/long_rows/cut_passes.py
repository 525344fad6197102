"""A Reduce that goes over its rows several times as several kernels: what later ones need of a row is stored by the pass that
has it, a fold or what is computed of folds, and read again. What is stored of elements is stored by the last, if that stores
any.

    s[r] = sum[c](x); v[r] = sum[c]((x - s / n)**2); y[r, c] = (x - s / n) / sqrt(v / n)
    ->   M[r] = sum[c](x) / n;   D[r] = sqrt(sum[c]((x - M[r])**2) / n);   y[r, c] = (x - M[r]) / D[r]
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.split_folds import loaded, stored, values_of
from uol.codegen.specs.nodes import Arg, Fold, KernelSpec, Let, Map, Reduce, Step, Store
from uol.codegen.specs.rewrites import args_of, in_physical_order, ordered, over_axes, scalars_of, workspace_over
from uol.codegen.specs.steps import Pass, names_behind, passes_of, used_variables
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Var
from uol.ir.types import DTYPES


@verified
def cut_passes(spec: Reduce, together: Collection[str] = ()) -> tuple[KernelSpec, ...]:
    """The kernels of a Reduce, in order; itself, where its rows are gone over once. A pass whose folds are all named by
    `together` is of one kernel with the pass before it."""
    found = passes_of(spec)
    passes = _joined(found.passes, together)
    if len(passes) < 2:
        return (spec,)
    wanted = _later_stores([_wanted(part, () if number else found.before) for number, part in enumerate(passes)], spec)
    known, of_rows = _first_known(spec, passes), [step for step in spec.steps if isinstance(step, Fold | Let)]
    loads = [frozenset[str]()] * len(wanted)
    for number in reversed(range(len(wanted))):
        kept = known[number] & frozenset[str]().union(*loads[number + 1 :])
        wanted[number] = [*wanted[number], *(_stored(step, spec) for step in of_rows if step.name in kept)]
        loads[number] = _loaded(spec, wanted[number], frozenset[str]().union(*known[:number]))
    arrays = [_array(step, spec) for step in of_rows if step.name in frozenset[str]().union(*loads)]
    kernels: list[KernelSpec] = []
    for number, steps in enumerate(wanted):
        name = spec.name if number == len(wanted) - 1 else f"{spec.name}_pass{number}"
        kernels.append(_kernel(spec, name, _steps(spec, steps, loads[number]), arrays))
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
    folds, elements = (_steps(spec, wanted, frozenset()) for wanted in (rest, stores))
    return _kernel(spec, spec.name, folds, ()), _kernel(spec, f"{spec.name}_elements", elements, ())


def _joined(passes: Sequence[Pass], together: Collection[str]) -> list[Pass]:
    """The passes, where some are one with the one before."""
    found: list[Pass] = []
    for part in passes:
        if found and part.folds and all(fold.name in together for fold in part.folds):
            before = found.pop()
            steps = (*before.steps, *(step for step in part.steps if step not in before.steps))
            part = Pass(steps, (*before.row_steps, *part.row_steps))
        found.append(part)
    return found


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


def _first_known(spec: Reduce, passes: Sequence[Pass]) -> list[frozenset[str]]:
    """What is known of a row behind each pass, and not before: its folds, and what is computed of them."""
    place = {fold.name: number for number, part in enumerate(passes) for fold in part.folds}
    rows = {axis.name for axis in spec.rows}
    for let in (step for step in spec.steps if isinstance(step, Let) and set(step.axes) <= rows):
        behind = [place[name] for name in names_behind(spec.steps, [let]) if name in place]
        if behind and let.dtype in DTYPES and DTYPES[let.dtype].kind == "float":
            place[let.name] = max(behind)
    return [frozenset(name for name, number in place.items() if number == each) for each in range(len(passes))]


def _loaded(spec: Reduce, wanted: Sequence[Step], known: frozenset[str]) -> frozenset[str]:
    """What a kernel reads of a row: of all that is known before, what its steps are next to."""
    lets = {step.name: step for step in spec.steps if isinstance(step, Let)}
    found, seen, rest = set[str](), set[str](), set(used_variables(wanted))
    while rest:
        name = rest.pop()
        if name in known:
            found.add(name)
        elif name in lets and name not in seen:
            seen.add(name)
            rest |= used_variables([lets[name]])
    return frozenset(found)


def _steps(spec: Reduce, wanted: Sequence[Step], loads: frozenset[str]) -> tuple[Step, ...]:
    """What a kernel reads of its rows, and the steps that it is for with the values behind them."""
    rest = [replace(s, value=Var(s.name, s.dtype)) if isinstance(s, Let) and s.name in loads else s for s in spec.steps]
    needed, chosen = names_behind(rest, wanted), {id(step) for step in wanted}
    steps: list[Step] = []
    for step in spec.steps:
        if isinstance(step, Fold | Let) and step.name in loads:
            steps.append(loaded(step, _array(step, spec), spec.rows, spec.axes))
        elif id(step) in chosen or (isinstance(step, Let) and step.name in needed):
            steps.append(step)
    return (*steps, *(step for step in wanted if isinstance(step, Store) and step not in spec.steps))


def _array(step: Fold | Let, spec: Reduce) -> Arg:
    """Where a value of rows is stored for later kernels."""
    return workspace_over(f"{spec.name}_{step.name}_rows", step.dtype, spec.rows)


def _stored(step: Fold | Let, spec: Reduce) -> Store:
    return stored(step, _array(step, spec), spec.rows)


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
