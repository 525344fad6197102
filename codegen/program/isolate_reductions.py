"""One reduction a stage, at its root: y = T(sum(..)) becomes y_sum = sum(..); y = T(y_sum). Equal ones are one stage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from uol.codegen.indexing.arithmetic import static
from uol.codegen.names import taken_names, unused
from uol.codegen.partition.grouped_value import Segmented
from uol.codegen.program.scans import widened_scan
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Const, Expr, Load, Program, Reduce, Scatter, Stage, Tensor, Var
from uol.ir.program.walk import map_stage, rewrite, substitute, variables, walk


def hoist_reductions(program: Program) -> Program:
    """The same program with every inner reduction in a stage of its own, over the indices that it depends on, and those
    that run over nothing: what is inside of them is proven of no element, and must not run. Where an open dim may turn out
    to be 0, the reduction has that condition."""
    isolation = Isolation(taken_names(program), dict(program.tensors))
    for stage in program.stages:
        isolation.take(stage)
    return replace(program, tensors=isolation.tensors, stages=tuple(isolation.stages))


@dataclass(slots=True)
class Isolation:
    """The stages so far, and the tensors that they make; `taken` are names that nothing new may have, `made_of` says which
    tensor has a value over some axes: an equal one is not computed again."""

    taken: Collection[str]
    tensors: dict[str, Tensor]
    stages: list[Stage] = field(default_factory=list)
    made_of: dict[tuple[tuple[Axis, ...], Expr], str] = field(default_factory=dict)

    def take(self, stage: Stage) -> None:
        """Adds a stage, after those of the reductions within it."""
        root = stage.value
        if isinstance(root, Segmented):  # a reduction at its root, and nothing within
            self.stages.append(stage)
        elif isinstance(root, Reduce) and not isinstance(stage, Scatter):
            self.stages.append(replace(stage, value=self.without_nested(stage, root, stage.axes)))
        else:
            self.stages.append(map_stage(stage, lambda expr: self.extract(stage, expr, stage.axes)))

    def extract(self, stage: Stage, expr: Expr, scope: tuple[Axis, ...]) -> Expr:
        """The expression with reads in the place of its reductions."""
        return rewrite(expr, lambda node: self.stored(stage, node, scope) if isinstance(node, Reduce) else None)

    def stored(self, stage: Stage, node: Reduce, scope: tuple[Axis, ...]) -> Load:
        """The read of a reduction that is a stage from now on."""
        inner = self.without_nested(stage, node, scope)
        free = variables(inner) - {a.name for a in inner.axes}
        axes = tuple(a for a in widened_scan(inner, scope) if a.name in free or static(a.extent) == 0)
        outside = (a for a in scope if a not in axes and static(a.extent) is None and relies_on(inner, a, self.tensors))
        some = tuple(compare(">", a.extent, Const(0)) for a in outside)
        inner = replace(inner, where=(*some, *inner.where))
        return self.made(f"{stage.name}_{node.op}", axes, inner, stage)

    def made(self, stem: str, axes: tuple[Axis, ...], value: Expr, stage: Stage) -> Load:
        """The read of a value that is a stage of its own from now on."""
        key = axes, _by_number(value)
        name = self.made_of.get(key)
        if name is None:
            name = self.made_of[key] = unused(stem, (*self.taken, *self.tensors))
            self.tensors[name] = Tensor(name, value.type, tuple(a.extent for a in axes), "local")
            self.stages.append(Stage(name, axes, value, value.type, stage.line, stage.span))
        return Load(name, tuple(Var(a.name) for a in axes), (), None, value.type)

    def without_nested(self, stage: Stage, node: Reduce, scope: tuple[Axis, ...]) -> Reduce:
        inner_scope = scope + node.axes
        where = tuple(self.extract(stage, w, inner_scope) for w in node.where)
        return replace(node, body=self.extract(stage, node.body, inner_scope), where=where)


def _by_number(value: Expr) -> Expr:
    """A value that is equal to another one with other names for the indices of its reduction."""
    if not isinstance(value, Reduce):
        return value
    names = {a.name: Var(f"#{number}") for number, a in enumerate(value.axes)}
    axes = tuple(Axis(f"#{number}", a.extent) for number, a in enumerate(value.axes))
    where = tuple(substitute(w, names) for w in value.where)
    return replace(value, axes=axes, body=substitute(value.body, names), where=where)


def relies_on(expr: Expr, axis: Axis, tensors: Mapping[str, Tensor]) -> bool:
    """Is an access in range only where there is some element along an axis outside?"""
    sizes = variables(axis.extent)
    return any(
        not isinstance(place, Var) and sizes & variables(size)
        for load in walk(expr)
        if isinstance(load, Load)
        for place, size in zip(load.index, tensors[load.tensor].shape, strict=True)
    )


def axes_relied_on(expr: Expr, scope: Iterable[Axis], tensors: Mapping[str, Tensor]) -> tuple[Axis, ...]:
    """The axes around an expression that a stage of its own has to have: those of its indices, and those along which there may
    be nothing, where what is read is then out of range."""
    free = variables(expr)
    return tuple(
        a
        for a in scope
        if a.name in free or static(a.extent) == 0 or (static(a.extent) is None and relies_on(expr, a, tensors))
    )
