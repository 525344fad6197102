"""From a group around an attention to its spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uol.codegen.partition.group import Group
from uol.codegen.partition.step_writer import StepWriter
from uol.codegen.specs.head import SpecHead
from uol.codegen.specs.nodes import Attention, Fold, Let, Weighted
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import rewrite


def attention_spec(group: Group, writer: StepWriter, head: SpecHead) -> Attention:
    """The spec. Its axes are those of the pattern, whatever the writer's space."""
    pattern = group.attention
    assert pattern is not None
    writer = replace(writer, space=pattern.axes)
    over = tuple(a.name for a in (*pattern.batch, *pattern.rows, *pattern.cols))

    def written(step: Let | Fold) -> Let | Fold:
        step = replace(step, name=writer.local(step.name), value=writer.value(step.value))
        return replace(step, axes=over) if isinstance(step, Let) else step

    sums = tuple(
        replace(s, name=writer.local(s.name), weight=writer.local(s.weight), value=writer.value(s.value)) for s in pattern.sums
    )
    return Attention(
        **head,
        batch=pattern.batch,
        rows=pattern.rows,
        cols=pattern.cols,
        dots=tuple(replace(d, name=writer.local(d.name), a=writer.value(d.a), b=writer.value(d.b)) for d in pattern.dots),
        steps=_with_wide_weights([written(s) for s in pattern.steps], sums),
        sums=sums,
        epilogue=writer.steps(),
    )


def _with_wide_weights(steps: Sequence[Let | Fold], sums: Sequence[Weighted]) -> tuple[Let | Fold, ...]:
    """The steps, with weights of a narrower type than their sums as the same values of the sum's type."""
    narrow = {s.name: s.dtype for s in steps}
    wide = {s.weight: s.dtype for s in sums if narrow[s.weight] != s.dtype}

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Var) and node.name in wide:
            return Call("cast", (Var(node.name, wide[node.name]),), narrow[node.name])
        return None

    found: list[Let | Fold] = []
    for step in steps:
        step = replace(step, value=rewrite(step.value, rule))
        if step.name in wide:
            step = replace(step, value=Call("cast", (step.value,), wide[step.name]), dtype=wide[step.name])
        found.append(step)
    return tuple(found)
