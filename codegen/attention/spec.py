"""From a group around an attention to its spec."""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.partition.group import Group
from uol.codegen.partition.step_writer import StepWriter
from uol.codegen.specs.head import SpecHead
from uol.codegen.specs.nodes import Attention, Fold, Let, Step


def attention_spec(group: Group, writer: StepWriter, head: SpecHead) -> Attention:
    """The spec. Its axes are those of the pattern, whatever the writer's space."""
    pattern = group.attention
    assert pattern is not None
    writer = replace(writer, space=pattern.axes)
    over = tuple(a.name for a in (*pattern.batch, *pattern.rows, *pattern.cols))

    def written(step: Let | Fold) -> Step:
        step = replace(step, name=writer.local(step.name), value=writer.value(step.value))
        return replace(step, axes=over) if isinstance(step, Let) else step

    return Attention(
        **head,
        batch=pattern.batch,
        rows=pattern.rows,
        cols=pattern.cols,
        dots=tuple(replace(d, name=writer.local(d.name), a=writer.value(d.a), b=writer.value(d.b)) for d in pattern.dots),
        steps=tuple(written(s) for s in pattern.steps),
        sums=tuple(
            replace(s, name=writer.local(s.name), weight=writer.local(s.weight), value=writer.value(s.value))
            for s in pattern.sums
        ),
        epilogue=writer.steps(),
    )
