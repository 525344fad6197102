"""Every spec as an unscheduled PrimFunc: plain loops in the spec's order, one scalar at a time.

This is the meaning of a spec in TensorIR. The oracle runs it; the scheduled kernels and every other target are
compared with it. Sums of f32 are held in f64 and rounded once, so that their error is not that of the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from tvm import tirx

from uol.backends.cpu.builder import Builder, index
from uol.backends.cpu.casts import cast
from uol.backends.cpu.dtypes import Term, representation
from uol.backends.cpu.exact_functions import EXACT, Function
from uol.backends.cpu.expressions import Scope, conjunction, evaluate, is_total, store
from uol.backends.cpu.folds import State
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.plan import plan_row
from uol.codegen.spec import Contract, Fold, KernelSpec, Let, Map, Pack, Reduce, Scan, Scatter, Select, Step, Store
from uol.ir.nodes import Axis

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
                _reduce_row(frame, spec, enter(frame, loops, spec.rows, frame.scope))
        case Contract():
            _contract(frame, spec)
        case Scan() | Scatter() | Select():
            from uol.backends.cpu.index_loops import write_loops

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


def _reduce_row(frame: Frame, spec: Reduce, scope: Scope) -> None:
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
    code = frame.code
    held = "f64" if spec.acc_dtype == "f32" else spec.acc_dtype
    compute = representation(held).compute
    with ExitStack() as loops:
        scope = enter(frame, loops, spec.batch + spec.m + spec.n, frame.scope)
        total = code.local(spec.acc, 1, compute)
        code.add(tirx.BufferStore(total, tirx.const(0, compute), [ZERO]))
        if spec.segments is not None and spec.segments.over == "rows":
            scope = scope.with_values({spec.segments.of: code.hold(spec.segments.of, evaluate(spec.segments.key, scope))})
        with ExitStack() as inner:
            point = enter(frame, inner, spec.k, scope)
            if spec.segments is not None and spec.segments.over == "terms":
                own = tirx.EQ(evaluate(spec.segments.key, point), point.values[spec.segments.of])
                inner.enter_context(code.when(own))
            product = tirx.Mul(*(cast(code.share, evaluate(e, point), spec.acc_dtype, held) for e in (spec.a, spec.b)))
            code.add(tirx.BufferStore(total, tirx.Add(tirx.BufferLoad(total, [ZERO]), product), [ZERO]))
        scope = scope.with_values(
            {spec.acc: code.hold(spec.acc, cast(code.share, tirx.BufferLoad(total, [ZERO]), held, spec.acc_dtype))}
        )
        run_steps(code, spec.epilogue, scope)
