"""A sum over what another one goes over for each of its rows is made beside it, for every row alike, and one of them is read.

    s[e] = sum[n](x[n, e] * v[n]);  z[] = sum[n](v[n] * v[n]);  y[] = z[] / 2
    ->  s[e] = ...;  z_each[e] = sum[n](v[n] * v[n]);  y[] = z_each[0] / 2

What it is made of is at hand there, and a kernel of its own takes longer to launch than it adds.
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.arithmetic import static
from uol.codegen.names import taken_names, unused
from uol.codegen.program.unify_axes import rename_axes
from uol.ir.program.nodes import Const, Expr, Load, Program, Put, Reduce, Scatter, Stage, Tensor
from uol.ir.program.walk import loads, map_stage, rewrite

MOST_ROWS = 1 << 8
"""For which a sum is made alike."""


def sums_beside_rows(program: Program) -> Program:
    """The same program with the sums over everything that is read for a sum over rows beside that, where its rows are few."""
    stages, tensors, taken = list(program.stages), dict(program.tensors), set(taken_names(program))
    for stage in program.stages:
        rows = next((s for s in stages if _goes_along(stage, s)), None)
        if rows is None or program.tensors[stage.name].role != "local":
            continue
        name = unused(f"{stage.name}_each", taken)
        taken.add(name)
        tensors[name] = Tensor(name, stage.dtype, tuple(axis.extent for axis in rows.axes), "local")
        first = Load(name, tuple(Const(0) for _ in rows.axes), (), None, stage.dtype)
        own = replace(_over(stage, rows), name=name, axes=rows.axes)
        at = max(stages.index(rows), stages.index(stage))
        stages[at + 1 : at + 1] = [own]
        stages.remove(stage)
        stages = [each if each is own else _reading(each, stage.name, first) for each in stages]
    return program if stages == list(program.stages) else replace(program, stages=tuple(stages), tensors=tensors)


def _goes_along(stage: Stage, rows: Stage) -> bool:
    """Is a stage one sum, of what another stage reads over the same extent for each of a few rows?"""
    total, other = stage.value, rows.value
    if stage.axes or stage is rows or isinstance(stage, Scatter | Put) or isinstance(rows, Scatter | Put):
        return False
    if not isinstance(total, Reduce) or not isinstance(other, Reduce) or total.where or total.op != "sum" or other.op != "sum":
        return False
    is_as_long = [a.extent for a in total.axes] == [a.extent for a in other.axes] and len(total.axes) == 1
    are_few = len(rows.axes) == 1 and 1 < (static(rows.axes[0].extent) or 0) <= MOST_ROWS
    read = {load.tensor for load in loads(stage)}
    return is_as_long and are_few and bool(read) and read < {load.tensor for load in loads(rows)}


def _over(stage: Stage, rows: Stage) -> Stage:
    """The sum along the axis of the other one."""
    assert isinstance(stage.value, Reduce) and isinstance(rows.value, Reduce)
    (own,), (other,) = stage.value.axes, rows.value.axes
    return rename_axes(stage, {own.name: other.name})


def _reading(stage: Stage, name: str, first: Load) -> Stage:
    """A stage that reads the first of the sums in the place of the one."""

    def rule(node: Expr) -> Expr | None:
        return first if isinstance(node, Load) and node.tensor == name else None

    return map_stage(stage, lambda expr: rewrite(expr, rule))
