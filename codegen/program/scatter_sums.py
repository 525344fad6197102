"""A scatter adds once for every place: y[at[n], d] += a[n, f] * b[f, d] becomes v[n, d] = sum[f](a[n, f] * b[f, d]) and
y[at[n], d] += v[n, d]. The sum is a contraction, and fewer terms meet in one element.
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.arithmetic import static
from uol.ir.program.nodes import Program, Reduce, Scatter, Stage
from uol.ir.program.walk import variables


def sum_before_scatters(program: Program) -> Program:
    """The same program with a sum in every scatter over those of its indices that say nothing about the place, and are known
    to run over something: of what runs over nothing, no place has been proven."""
    return replace(program, stages=tuple(_summed(s) if isinstance(s, Scatter) else s for s in program.stages))


def _summed(stage: Scatter) -> Stage:
    used = frozenset().union(*(variables(e) for e in (*stage.target, *stage.guard)))
    free = tuple(a for a in stage.axes if a.name not in used and (static(a.extent) or 0) > 0)
    if not free or any(static(a.extent) == 0 for a in stage.axes):
        return stage
    value = Reduce("sum", free, stage.value, stage.dtype, (), stage.span)
    return replace(stage, axes=tuple(a for a in stage.axes if a not in free), value=value)
