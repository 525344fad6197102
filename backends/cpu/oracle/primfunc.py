"""Every spec as an unscheduled PrimFunc: plain loops in the spec's order, one scalar at a time.

This is the meaning of a spec in TensorIR. The oracle runs it; the scheduled kernels and every other target are
compared with it. Sums of f32 are held in f64 and rounded once, so that their error is not that of the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.exact_functions import EXACT, Function
from uol.backends.cpu.expressions.spec_expressions import evaluate
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.oracle.attention_loops import write_attention
from uol.backends.cpu.oracle.index_loops import write_loops
from uol.backends.cpu.oracle.sums import reduce_row, sum_of_products
from uol.backends.cpu.statements import enter, run_steps
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Pack, Reduce, Scan, Scatter, Segments, Select
from uol.codegen.specs.traverse import own_segment, products_in
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Const, Expr


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
            write_attention(frame, spec)
        case Scan() | Scatter() | Select():
            write_loops(frame, spec)
        case _:
            raise TypeError(f"{type(spec).__name__} has no PrimFunc")
    return frame.close()


def _contract(frame: Frame, spec: Contract) -> None:
    with ExitStack() as loops:
        scope = enter(frame, loops, spec.batch + spec.m + spec.n, frame.scope)
        where: tuple[Expr, ...] = ()
        match spec.segments:
            case Segments(over="rows", of=of, key=key):
                scope = scope.with_values({of: frame.code.hold(of, evaluate(key, scope))})
            case Segments(key=key):
                where = (compare("==", key, own_segment(spec)),)
        acc = sum_of_products(frame, (spec.acc, spec.acc_dtype), spec.k, products_in(spec), scope, where)
        run_steps(frame.code, spec.epilogue, scope.with_values({spec.acc: acc}))
    if not spec.sums:
        return
    with ExitStack() as loops:
        scope = enter(frame, loops, spec.batch + spec.m, frame.scope)
        row = ((spec.a, Const(1, spec.acc_dtype)),)
        total = sum_of_products(frame, (spec.sum_of_a, spec.acc_dtype), spec.k, row, scope)
        run_steps(frame.code, spec.sums, scope.with_values({spec.sum_of_a: total}))
