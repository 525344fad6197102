"""A running extremum beside the one that stops before each position is made of it: max[j <= i] = max(max[j < i], x_i).

    m[i] = max[j < i](x[j])          m[i] = max[j < i](x[j])
    h[i] = max[j <= i](x[j])    ->   h[i] = max(m[i], x[i])

Extrema do not round, so that both say the same. A text has the left one for the sake of its gradient: where values are equal,
h's falls on them as m's does one position later, while `max` of two gives a half to either.
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.program.scans import Running, running_of
from uol.ir.program.nodes import Call, Load, Program, Stage, Var

EXTREMA = frozenset({"max", "min"})


def nested_extrema(program: Program) -> Program:
    """The same program with one scan in the place of two that differ by their last position alone."""
    earlier: dict[tuple[object, ...], str] = {}
    stages = []
    for stage in program.stages:
        running = running_of(stage)
        if running is None or running.op not in EXTREMA:
            stages.append(stage)
            continue
        key = (stage.axes, replace(running, exclusive=True))
        if running.exclusive:
            earlier.setdefault(key, stage.name)
        with_last = key in earlier and not running.exclusive
        stages.append(_with_last(stage, running, earlier[key]) if with_last else stage)
    return replace(program, stages=tuple(stages))


def _with_last(stage: Stage, running: Running, before: str) -> Stage:
    load = Load(before, tuple(Var(axis.name) for axis in stage.axes), (), None, running.dtype)
    return replace(stage, value=Call(running.op, (load, running.body), running.dtype))
