"""One reduction a stage, at its root: y = T(sum(..)) becomes y_sum = sum(..); y = T(y_sum)."""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.arithmetic import static
from uol.codegen.names import taken_names, unused
from uol.codegen.partition.grouped_value import Segmented
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Const, Expr, Load, Program, Reduce, Scatter, Stage, Tensor, Var
from uol.ir.program.walk import rewrite, variables, walk


def hoist_reductions(program: Program) -> Program:
    """The same program with every inner reduction in a stage of its own, over the indices that it depends on, and those
    that run over nothing: what is inside of them is proven of no element, and must not run. Where an open dim may turn out
    to be 0, the reduction has that condition."""
    tensors = dict(program.tensors)
    stages: list[Stage] = []
    taken = taken_names(program)

    def extract(stage: Stage, expr: Expr, scope: tuple[Axis, ...]) -> Expr:
        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Reduce):
                return None
            inner = node_without_nested(stage, node, scope)
            free = variables(inner) - {a.name for a in inner.axes}
            axes = tuple(a for a in scope if a.name in free or static(a.extent) == 0)
            outside = (a for a in scope if a not in axes and static(a.extent) is None and relies_on(inner, a))
            some = tuple(compare(">", a.extent, Const(0)) for a in outside)
            inner = replace(inner, where=(*some, *inner.where))
            name = unused(f"{stage.name}_{node.op}", (*taken, *tensors))
            tensors[name] = Tensor(name, node.dtype, tuple(a.extent for a in axes), "local")
            stages.append(Stage(name, axes, inner, node.dtype, stage.line, stage.span))
            return Load(name, tuple(Var(a.name) for a in axes), (), None, node.dtype)

        return rewrite(expr, rule)

    def relies_on(node: Reduce, axis: Axis) -> bool:
        """Is an access in range only where there is some element along an axis outside?"""
        sizes = variables(axis.extent)
        return any(
            not isinstance(place, Var) and sizes & variables(size)
            for load in walk(node)
            if isinstance(load, Load)
            for place, size in zip(load.index, tensors[load.tensor].shape, strict=True)
        )

    def node_without_nested(stage: Stage, node: Reduce, scope: tuple[Axis, ...]) -> Reduce:
        inner_scope = scope + node.axes
        where = tuple(extract(stage, w, inner_scope) for w in node.where)
        return replace(node, body=extract(stage, node.body, inner_scope), where=where)

    for stage in program.stages:
        root = stage.value
        if isinstance(root, Segmented):  # a reduction at its root, and nothing within
            stages.append(stage)
            continue
        if isinstance(stage, Scatter):
            target, guard = (tuple(extract(stage, e, stage.axes) for e in part) for part in (stage.target, stage.guard))
            stages.append(replace(stage, value=extract(stage, root, stage.axes), target=target, guard=guard))
            continue
        if isinstance(root, Reduce):
            value: Expr = node_without_nested(stage, root, stage.axes)
        else:
            value = extract(stage, root, stage.axes)
        stages.append(replace(stage, value=value))
    return replace(program, tensors=tensors, stages=tuple(stages))
