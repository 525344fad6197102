"""What statements over more axes need comes first.

    hi[n] = max[c](x[n, c]); total[] = sum[n](v[n]); y[n, c] = (x[n, c] - hi[n]) / total[]
    ->  total[] = sum[n](v[n]); hi[n] = max[c](x[n, c]); y[n, c] = (x[n, c] - hi[n]) / total[]

A kernel takes what follows from what it makes as long as nothing else has to be there first. Where a small sum is made before
the rows are gone over, one kernel goes over them to the end.
"""

from __future__ import annotations

from dataclasses import replace

from uol.ir.program.nodes import Program, Reduce, Stage, Tally
from uol.ir.program.walk import loads, stage_expressions, stored, walk


def small_first(program: Program) -> Program:
    """The same stages: those that one over more axes comes from as soon as their operands are there, of the fewest axes first;
    the others in the order that they had."""
    axes = {stage.name: _axes(stage) for stage in program.stages}
    makers: dict[str, set[str]] = {}
    for stage in program.stages:
        makers.setdefault(stage.name, set()).add(stage.name)
        makers.setdefault(stored(stage), set()).add(stage.name)
    read = {stage.name: {load.tensor for load in loads(stage)} & makers.keys() for stage in program.stages}
    operands = {name: set().union(*(makers[tensor] for tensor in tensors)) - {name} for name, tensors in read.items()}
    for stage in program.stages:
        if isinstance(stage, Tally):
            operands[stage.name] |= {stage.of}
    widest = dict(axes)
    for stage in reversed(program.stages):
        for name in operands[stage.name]:
            widest[name] = max(widest[name], widest[stage.name])

    def urgency(name: str) -> tuple[bool, int]:
        is_needed = widest[name] > axes[name]
        return not is_needed, axes[name] if is_needed else 0

    waiting = {stage.name: stage for stage in program.stages}
    ordered: list[Stage] = []
    while waiting:
        ready = (name for name in waiting if operands[name].isdisjoint(waiting))
        ordered.append(waiting.pop(min(ready, key=urgency)))
    return replace(program, stages=tuple(ordered))


def _axes(stage: Stage) -> int:
    """How many axes a stage goes over."""
    folded = (node.axes for part in stage_expressions(stage) for node in walk(part) if isinstance(node, Reduce))
    return len({axis.name for axes in (stage.axes, *folded) for axis in axes})
