"""The order of work for one row of a Reduce: row steps, and passes over the cols.

A fold's value is known after the pass that makes it. Folds that need the same passes before them share one; element
steps run in the first pass in which their operands are known.

    softmax:  pass 0: fold max    pass 1: let e, fold sum    pass 2: let e, store e / sum
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.codegen.specs.nodes import Fold, Let, Reduce, Step, Store
from uol.codegen.specs.traverse import step_expressions
from uol.ir.program.walk import variables


@dataclass(frozen=True, slots=True)
class Stage:
    """Row steps that are due, then one pass over the cols (none where `steps` is empty). `steps` are element lets,
    folds and element stores, in the spec's order; a let that several passes need occurs in each."""

    row_steps: tuple[Let | Store, ...]
    steps: tuple[Step, ...]

    @property
    def folds(self) -> tuple[Fold, ...]:
        return tuple(s for s in self.steps if isinstance(s, Fold))


def plan_row(spec: Reduce) -> tuple[Stage, ...]:
    """The stages of one row, in order."""
    rows = {a.name for a in spec.rows}
    level: dict[str, int] = {}  # how many passes must be over before a name is known
    due: list[list[Step]] = []
    for step in spec.steps:
        passes = max((level.get(name, 0) for e in step_expressions(step) for name in variables(e)), default=0)
        while len(due) <= passes:
            due.append([])
        due[passes].append(step)
        if not isinstance(step, Store):
            level[step.name] = passes + isinstance(step, Fold)
    lets = {s.name: s for s in spec.steps if isinstance(s, Let) and _is_element(s, rows)}
    return tuple(_stage(steps, lets, rows, spec.steps) for steps in due)


def _stage(steps: list[Step], lets: dict[str, Let], rows: set[str], order: tuple[Step, ...]) -> Stage:
    row_steps = tuple(s for s in steps if not isinstance(s, Fold) and not _is_element(s, rows))
    wanted: list[Step] = [s for s in steps if isinstance(s, Fold) or (isinstance(s, Store) and _is_element(s, rows))]
    return Stage(row_steps, _with_lets(wanted, lets, order))


def _is_element(step: Step, rows: set[str]) -> bool:
    return not isinstance(step, Fold) and not set(step.axes) <= rows


def _with_lets(wanted: list[Step], lets: dict[str, Let], order: tuple[Step, ...]) -> tuple[Step, ...]:
    """The wanted steps with the element lets that they need, directly or through others, in the spec's order."""
    needed: dict[str, Let] = {}
    pending: list[Step] = list(wanted)
    while pending:
        step = pending.pop()
        for name in {n for e in step_expressions(step) for n in variables(e)} & lets.keys() - needed.keys():
            needed[name] = lets[name]
            pending.append(lets[name])
    chosen = {id(s) for s in (*wanted, *needed.values())}
    return tuple(s for s in order if id(s) in chosen)


def split_lets(steps: tuple[Step, ...], varying: set[str]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The lets that depend on none of the varying axes, and all other steps."""
    hoisted: list[Step] = []
    rest: list[Step] = []
    late = set(varying)
    for step in steps:
        if isinstance(step, Let) and not (set(step.axes) | variables(step.value)) & late:
            hoisted.append(step)
            continue
        rest.append(step)
        if isinstance(step, Let):
            late.add(step.name)
    return tuple(hoisted), tuple(rest)
