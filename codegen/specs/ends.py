"""Columns that count as far as a row says: where an axis is in parts, the last of them may be shorter."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import ZERO, sub, substituted
from uol.codegen.specs.nodes import Fold, Read, Reduce, Step, Store
from uol.codegen.specs.traverse import map_step, mapped, reads
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Call, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import INDEX


@dataclass(frozen=True, slots=True)
class End:
    """Of each row the columns with `first + axis < extent`, where `axis` is the outermost of the columns. `condition` says so
    in every fold, and may in reads."""

    axis: Axis
    first: Expr
    extent: Expr
    condition: Expr

    @property
    def count(self) -> Expr:
        """So many steps of the axis count; none, where it is less than one."""
        return idx("min", self.axis.extent, sub(self.extent, self.first))


def until_end(spec: Reduce) -> tuple[Reduce, End | None]:
    """The spec over the columns that count alone, and where they end: for a kernel whose loops go no further. As it is, and
    None, where folds do not agree on an end, or elements are stored."""
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    columns = {a.name for a in spec.cols}
    if not spec.cols or not folds or any(isinstance(s, Store) and columns & set(s.axes) for s in spec.steps):
        return spec, None
    ends = (end for condition in folds[0].where if (end := _end(condition, spec)) is not None)
    end = next((each for each in ends if all(each.condition in fold.where for fold in folds)), None)
    return (spec, None) if end is None else (_without(spec, end.condition), end)


def _end(condition: Expr, spec: Reduce) -> End | None:
    axis, of_row = spec.cols[0], {*(a.name for a in spec.rows), *spec.dims}
    match condition:
        case Call(fn="<", args=(place, extent)) if not any(reads(condition)):
            first = substituted(place, {axis.name: ZERO})
            is_own = place in (Var(axis.name), Call("+", (first, Var(axis.name)), INDEX))
            return End(axis, first, extent, condition) if is_own and variables(first) | variables(extent) <= of_row else None
    return None


def _without(spec: Reduce, condition: Expr) -> Reduce:
    """The spec with folds and reads that do not ask for the condition."""

    def bare(step: Step) -> Step:
        step = map_step(step, lambda expr: _unguarded(expr, condition))
        return replace(step, where=tuple(c for c in step.where if c != condition)) if isinstance(step, Fold) else step

    return mapped(spec, step=bare)


def _unguarded(expr: Expr, condition: Expr) -> Expr:
    """An expression that is evaluated where the condition holds."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read) or not any(guard.conditions == (condition,) for guard in node.guard):
            return None
        kept = tuple(guard for guard in node.guard if guard.conditions != (condition,))
        return rewrite(replace(node, guard=kept, fill=node.fill if kept else None), rule)

    return rewrite(expr, rule)
