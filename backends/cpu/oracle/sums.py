"""Reductions in plain loops, one term after another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.casts import cast
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.folds import State
from uol.backends.cpu.expressions.spec_expressions import Scope, conjunction, evaluate
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.statements import add_to_column, enter, linear_index, run_steps, take
from uol.codegen.specs.nodes import Fold, Reduce
from uol.codegen.specs.steps import passes_of
from uol.ir.program.nodes import Axis, Expr

ZERO = index(0)


def reduce_row(frame: Frame, spec: Reduce, scope: Scope) -> Scope:
    """The steps at one row; the scope with its lets and folds."""
    code = frame.code
    passes = passes_of(spec)
    scope = run_steps(code, passes.before, scope)
    for run in passes.passes:
        states = {f.name: State.declare(code, f, 1, wide=True) for f in run.folds}
        for state in states.values():
            state.clear(code, ZERO)
        with ExitStack() as loops:
            inner = enter(frame, loops, spec.cols, scope)
            position = linear_index(frame, spec.cols, inner)
            for step in run.steps:
                if isinstance(step, Fold):
                    take(code, states[step.name], ZERO, position, inner)
                elif step in spec.columns:
                    add_to_column(code, spec, step, inner)
                else:
                    inner = run_steps(code, (step,), inner)
        scope = scope.with_values({name: code.hold(name, s.result(code.share, ZERO)) for name, s in states.items()})
        scope = run_steps(code, run.row_steps, scope)
    return scope


def sum_of_products(
    frame: Frame,
    total: tuple[str, str],
    axes: tuple[Axis, ...],
    products: Sequence[tuple[Expr, Expr]],
    scope: Scope,
    where: tuple[Expr, ...] = (),
) -> Term:
    """`total` (its name and type) = sum over the axes of all products, of the terms for which all of `where` hold."""
    code, (name, dtype) = frame.code, total
    held = "f64" if dtype == "f32" else dtype
    compute = representation(held).compute
    sums = code.local(name, 1, compute)
    code.add(tirx.BufferStore(sums, tirx.const(0, compute), [ZERO]))
    with ExitStack() as loops:
        point = enter(frame, loops, axes, scope)
        if where:
            loops.enter_context(code.when(conjunction([evaluate(w, point) for w in where])))
        for product in products:
            term = tirx.Mul(*(cast(code.share, evaluate(e, point), dtype, held) for e in product))
            code.add(tirx.BufferStore(sums, tirx.Add(tirx.BufferLoad(sums, [ZERO]), term), [ZERO]))
    return code.hold(name, cast(code.share, tirx.BufferLoad(sums, [ZERO]), held, dtype))
