"""The steps of a spec as statements, at the indices of a scope; loops around them."""

from __future__ import annotations

from contextlib import ExitStack

from tvm import tirx

from uol.backends.cpu.expressions.arithmetic import constant
from uol.backends.cpu.expressions.builder import SERIAL, Builder, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.folds import State
from uol.backends.cpu.expressions.spec_expressions import Scope, conjunction, evaluate, is_total, store
from uol.backends.cpu.frame import Frame
from uol.codegen.specs.nodes import Fold, Let, Reduce, Step, Store
from uol.codegen.specs.steps import RECURRENCE
from uol.ir.program.nodes import Axis


def enter(frame: Frame, loops: ExitStack, axes: tuple[Axis, ...], scope: Scope, kind: Term = SERIAL) -> Scope:
    """Opens a loop for every axis; the scope within."""
    for axis in axes:
        variable = loops.enter_context(frame.code.loop(axis.name, frame.extent(axis.extent), kind))
        scope = scope.with_values({axis.name: variable})
    return scope


def run_steps(code: Builder, steps: tuple[Step, ...], scope: Scope) -> Scope:
    """Lets and stores at the indices of the scope; the scope with the lets."""
    for step in steps:
        match step:
            case Let(name=name, value=value):
                scope = scope.with_values({name: code.hold(name, evaluate(value, scope))})
            case Store(tensor=tensor, offset=offset, value=value, dtype=dtype):
                code.add(store(scope.share, scope.buffers[tensor], evaluate(offset, scope), evaluate(value, scope), dtype))
            case Fold():
                raise TypeError("a reduction stands only in a Reduce")
    return scope


def add_to_column(code: Builder, spec: Reduce, step: Step, scope: Scope) -> None:
    """A row's term of a sum over rows (`Reduce.columns`), which the first of them begins."""
    assert isinstance(step, Store)
    buffer, place = scope.buffers[step.tensor], evaluate(step.offset, scope)
    begins = conjunction([tirx.EQ(scope.values[axis.name], index(0)) for axis in spec.rows[1:]])
    before = tirx.Select(begins, constant(0, step.dtype), tirx.BufferLoad(buffer, [place]))
    total = tirx.Add(before, evaluate(step.value, scope))
    code.add(store(scope.share, buffer, place, total, step.dtype))


def take(code: Builder, state: State, lane: Term, position: Term, scope: Scope) -> None:
    """One more term of a fold, where its conditions hold. A term that is only in range where they do is evaluated
    lazily."""
    fold = state.fold
    if fold.op == RECURRENCE:
        by, plus = (evaluate(part, scope) for part in fold.value.children)
        state.follow(code, lane, by, plus)
        return
    if not fold.where:
        state.take(code, lane, evaluate(fold.value, scope), position)
        return
    counts = conjunction([evaluate(w, scope) for w in fold.where])
    if is_total(fold.value, scope):
        state.take(code, lane, evaluate(fold.value, scope), position, code.hold("counts", counts))
        return
    with code.when(counts):
        state.take(code, lane, evaluate(fold.value, scope), position)


def linear_index(frame: Frame, axes: tuple[Axis, ...], scope: Scope) -> Term:
    """The row-major position within the axes."""
    total = index(0)
    for axis in axes:
        total = total * index(frame.extent(axis.extent)) + scope.values[axis.name]
    return total
