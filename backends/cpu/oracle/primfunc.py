"""Every spec as an unscheduled PrimFunc: plain loops in the spec's order, one scalar at a time.

This is the meaning of a spec in TensorIR. The oracle runs it; the scheduled kernels and every other target are
compared with it. Sums of f32 are held in f64 and rounded once, so that their error is not that of the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from tvm import tirx

from uol.backends.cpu.expressions.builder import Builder, index
from uol.backends.cpu.expressions.casts import cast
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.exact_functions import EXACT, Function
from uol.backends.cpu.expressions.folds import State
from uol.backends.cpu.expressions.spec_expressions import Scope, conjunction, evaluate, is_total, store
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.reduction_passes import plan_row
from uol.codegen.specs.nodes import (
    Attention,
    Contract,
    Fold,
    KernelSpec,
    Let,
    Map,
    Pack,
    Reduce,
    Scan,
    Scatter,
    Segments,
    Select,
    Step,
    Store,
)
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Expr, Var

ZERO = index(0)


def unscheduled(spec: KernelSpec, functions: Mapping[str, Function] = EXACT) -> Term:
    """The spec as a PrimFunc. Raises TypeError for a kind of spec that has no meaning here."""
    frame = open_frame(spec, functions)
    match spec:
        case Map(index=axes, steps=steps) | Pack(index=axes, steps=steps):
            with ExitStack() as loops:
                run_steps(frame.code, steps, enter(frame, loops, axes, frame.scope))
        case Reduce():
            with ExitStack() as loops:
                reduce_row(frame, spec, enter(frame, loops, spec.rows, frame.scope))
        case Contract():
            _contract(frame, spec)
        case Attention():
            from uol.backends.cpu.oracle.attention_loops import write_attention

            write_attention(frame, spec)
        case Scan() | Scatter() | Select():
            from uol.backends.cpu.oracle.index_loops import write_loops

            write_loops(frame, spec)
        case _:
            raise TypeError(f"{type(spec).__name__} has no PrimFunc")
    return frame.close()


def enter(frame: Frame, loops: ExitStack, axes: tuple[Axis, ...], scope: Scope) -> Scope:
    """Opens a serial loop for every axis; the scope within."""
    for axis in axes:
        variable = loops.enter_context(frame.code.loop(axis.name, frame.extent(axis.extent)))
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
                raise TypeError("a fold stands only in a Reduce")
    return scope


def reduce_row(frame: Frame, spec: Reduce, scope: Scope) -> Scope:
    """The steps at one row; the scope with its lets and folds."""
    code = frame.code
    for stage in plan_row(spec):
        scope = run_steps(code, stage.row_steps, scope)
        if not stage.steps:
            continue
        states = {f.name: State.declare(code, f, 1, wide=True) for f in stage.folds}
        for state in states.values():
            state.clear(code, ZERO)
        with ExitStack() as loops:
            inner = enter(frame, loops, spec.cols, scope)
            position = linear_index(frame, spec.cols, inner)
            for step in stage.steps:
                if isinstance(step, Fold):
                    take(code, states[step.name], ZERO, position, inner)
                else:
                    inner = run_steps(code, (step,), inner)
        scope = scope.with_values({name: code.hold(name, s.result(code.share, ZERO)) for name, s in states.items()})
    return scope


def take(code: Builder, state: State, lane: Term, position: Term, scope: Scope) -> None:
    """One more term of a fold, where its conditions hold. A term that is only in range where they do is evaluated
    lazily."""
    fold = state.fold
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


def _contract(frame: Frame, spec: Contract) -> None:
    with ExitStack() as loops:
        scope = enter(frame, loops, spec.batch + spec.m + spec.n, frame.scope)
        where: tuple[Expr, ...] = ()
        match spec.segments:
            case Segments(over="rows", of=of, key=key):
                scope = scope.with_values({of: frame.code.hold(of, evaluate(key, scope))})
            case Segments(of=of, key=key):
                where = (compare("==", key, Var(of)),)
        acc = sum_of_products(frame, (spec.acc, spec.acc_dtype), spec.k, (spec.a, spec.b), scope, where)
        run_steps(frame.code, spec.epilogue, scope.with_values({spec.acc: acc}))


def sum_of_products(
    frame: Frame,
    total: tuple[str, str],
    axes: tuple[Axis, ...],
    product: tuple[Expr, Expr],
    scope: Scope,
    where: tuple[Expr, ...] = (),
) -> Term:
    """`total` (its name and type) = sum over the axes of a product, of the terms for which all of `where` hold."""
    code, (name, dtype) = frame.code, total
    held = "f64" if dtype == "f32" else dtype
    compute = representation(held).compute
    sums = code.local(name, 1, compute)
    code.add(tirx.BufferStore(sums, tirx.const(0, compute), [ZERO]))
    with ExitStack() as loops:
        point = enter(frame, loops, axes, scope)
        if where:
            loops.enter_context(code.when(conjunction([evaluate(w, point) for w in where])))
        term = tirx.Mul(*(cast(code.share, evaluate(e, point), dtype, held) for e in product))
        code.add(tirx.BufferStore(sums, tirx.Add(tirx.BufferLoad(sums, [ZERO]), term), [ZERO]))
    return code.hold(name, cast(code.share, tirx.BufferLoad(sums, [ZERO]), held, dtype))
