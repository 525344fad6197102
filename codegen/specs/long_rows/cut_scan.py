"""A Scan with folds of what others come to as several: these are stored at every position, and read again.

    m[i] = max[j < i](x[j]); s[i] = sum[j < i](exp(x[j] - m[j])); y[i] = s[i] + m[i]
    ->   M[i] = max[j < i](x[j]);   s[i] = sum[j < i](exp(x[j] - M[j])); y[i] = s[i] + M[i]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from uol.codegen.specs.head import head_of
from uol.codegen.specs.long_rows.split_folds import loaded, stored, values_of
from uol.codegen.specs.nodes import Arg, Fold, Let, Scan, Step, Store
from uol.codegen.specs.rewrites import args_of, ordered, scalars_of, workspace_over
from uol.codegen.specs.scan_ends import within_row
from uol.codegen.specs.steps import names_behind, used_variables
from uol.codegen.specs.verify import verified


@verified
def cut_scan(spec: Scan) -> tuple[Scan, ...]:
    """The kernels of a Scan, in order; itself, where no fold needs another, or something is stored behind the last position."""
    levels = _levels(spec)
    if len(levels) < 2 or within_row(spec) != spec.steps:
        return (spec,)
    *earlier, last = levels
    arrays = {f.name: workspace_over(f"{spec.name}_{f.name}_all", f.dtype, spec.axes) for level in earlier for f in level}
    kernels = []
    for number, folds in enumerate(earlier):
        kept = [stored(fold, arrays[fold.name], spec.axes) for fold in folds]
        kernels.append(_kernel(spec, f"{spec.name}_pass{number}", [*_steps(spec, folds, arrays), *kept], arrays.values()))
    stores = [s for s in spec.steps if isinstance(s, Store)]
    return (*kernels, _kernel(spec, spec.name, _steps(spec, [*last, *stores], arrays), arrays.values()))


def _levels(spec: Scan) -> list[list[Fold]]:
    """The folds that need none, those that need these, and so on."""
    depth: dict[str, int] = {}
    levels: dict[int, list[Fold]] = {}
    for step in spec.steps:
        if isinstance(step, Store):
            continue
        needed = max((depth[name] for name in used_variables([step]) if name in depth), default=0)
        depth[step.name] = needed + isinstance(step, Fold)
        if isinstance(step, Fold):
            levels.setdefault(needed, []).append(step)
    return [levels[number] for number in sorted(levels)]


def _steps(spec: Scan, wanted: Sequence[Step], arrays: Mapping[str, Arg]) -> list[Step]:
    """What is wanted and what it is made of, where folds that are not wanted are read."""
    needed, chosen = names_behind(spec.steps, wanted), {id(step) for step in wanted}
    steps: list[Step] = []
    for step in spec.steps:
        if id(step) in chosen or (isinstance(step, Let) and step.name in needed):
            steps.append(step)
        elif isinstance(step, Fold) and step.name in needed:
            steps.append(loaded(step, arrays[step.name], spec.axes, spec.axes))
    return steps


def _kernel(spec: Scan, name: str, steps: Sequence[Step], arrays: Iterable[Arg]) -> Scan:
    values, head = values_of(steps), head_of(spec)
    whole = replace(spec, args=(*spec.args, *arrays))
    head["name"], head["args"], head["scalars"] = name, ordered(args_of(whole, values, steps)), scalars_of(spec, values)
    return Scan(**head, rows=spec.rows, along=spec.along, reverse=spec.reverse, exclusive=spec.exclusive, steps=tuple(steps))
