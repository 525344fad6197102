"""One name for one axis: a stage that is read at plain indices takes the reader's index names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from uol.codegen.names import bound_axes, taken_names, unused
from uol.ir.program.nodes import Axis, Expr, Load, Order, Program, Reduce, Scatter, Stage, Var
from uol.ir.program.walk import map_stage, rewrite, stage_expressions, walk


def align_axes(program: Program) -> Program:
    """The same program with producers renamed after a reader, the earliest last, so that kernels can join by name. Indices
    that are called as a tensor is (a called operator's may be) are renamed first."""
    taken = taken_names(program)
    stages = [_apart(stage, program.tensors, taken) for stage in program.stages]
    place = {stage.name: i for i, stage in enumerate(stages) if not isinstance(stage, Scatter)}
    for reader in range(len(stages) - 1, -1, -1):
        indices = {a.name for a in (*stages[reader].axes, *bound_axes(stages[reader]))}
        for load in (node for part in stage_expressions(stages[reader]) for node in walk(part) if isinstance(node, Load)):
            producer = place.get(load.tensor, reader)
            names = plain_indices(load)
            if producer < reader and names is not None and indices.issuperset(names):
                wanted = dict(zip((a.name for a in stages[producer].axes), names, strict=True))
                stages[producer] = rename_axes(stages[producer], wanted, taken)
    return replace(program, stages=tuple(stages))


def _apart(stage: Stage, tensors: Iterable[str], taken: Iterable[str]) -> Stage:
    names: dict[str, str] = {}
    for axis in (*stage.axes, *bound_axes(stage)):
        if axis.name in tensors and axis.name not in names:
            names[axis.name] = unused(axis.name, (*taken, *names.values()))
    return rename_axes(stage, names)


def plain_indices(load: Load) -> tuple[str, ...] | None:
    """The names of an access whose every index is a variable of its own."""
    names = [i.name for i in load.index if isinstance(i, Var)]
    return tuple(names) if len(names) == len(load.index) == len(set(names)) else None


def rename_axes(stage: Stage, names: Mapping[str, str], avoid: Iterable[str] = ()) -> Stage:
    """The stage with axes (its own and reduced ones) renamed; whatever would be captured steps aside, to a name that is
    none of `avoid`."""
    wanted = {old: new for old, new in names.items() if old != new}
    if not wanted:
        return stage
    taken = {a.name for a in (*stage.axes, *bound_axes(stage))}
    mapping = dict(wanted)
    for name in sorted(taken - set(wanted)):
        if name in wanted.values():
            mapping[name] = unused(name, (*taken, *mapping.values(), *avoid))
    axes = tuple(Axis(mapping.get(a.name, a.name), a.extent) for a in stage.axes)
    return replace(map_stage(stage, lambda expr: _renamed(expr, mapping)), axes=axes)


def _renamed(expr: Expr, mapping: Mapping[str, str]) -> Expr:
    def rule(node: Expr) -> Expr | None:
        match node:
            case Var(name=name) if name in mapping:
                return replace(node, name=mapping[name])
            case Reduce(axes=axes):
                inner = replace(node, axes=tuple(Axis(mapping.get(a.name, a.name), a.extent) for a in axes))
                return replace(
                    inner,
                    body=_renamed(node.body, mapping),
                    where=tuple(_renamed(w, mapping) for w in node.where),
                )
            case Order(axis=axis):
                inner_order = replace(node, axis=Axis(mapping.get(axis.name, axis.name), axis.extent))
                place = replace(node.place, name=mapping.get(node.place.name, node.place.name))
                return replace(inner_order, body=_renamed(node.body, mapping), place=place)
        return None

    return rewrite(expr, rule)
