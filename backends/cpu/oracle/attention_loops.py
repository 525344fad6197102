"""Attention as plain loops: what it means in TensorIR. For each row all dots, then what becomes of them, then the sums."""

from __future__ import annotations

from contextlib import ExitStack

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.operands.attention_buffers import held, read_of, row_of
from uol.backends.cpu.oracle.sums import reduce_row, sum_of_products
from uol.backends.cpu.schedules.nest import product
from uol.backends.cpu.statements import enter, linear_index, run_steps
from uol.codegen.attention.parts import row_steps, weights_of, width_parts
from uol.codegen.specs.nodes import Attention
from uol.ir.program.nodes import Var


def write_attention(frame: Frame, spec: Attention) -> None:
    """The body of the kernel."""
    with ExitStack() as loops:
        scope = enter(frame, loops, spec.batch + spec.rows, frame.scope)
        types = {d.name: d.dtype for d in spec.dots} | {w.name: w.dtype for w in weights_of(spec)}
        scope = held(scope, {name: _array(frame, spec, name, dtype) for name, dtype in types.items()})
        _dots(frame, spec, scope)
        scope = reduce_row(frame, row_of(spec), scope)
        scope = run_steps(frame.code, row_steps(spec), scope)
        _sums(frame, spec, scope)


def _array(frame: Frame, spec: Attention, name: str, dtype: str) -> Term:
    count = product([frame.extent(a.extent) for a in spec.cols])
    assert isinstance(count, int), "an attention's cols are static"
    return frame.code.local(f"{name}_row", count, representation(dtype).compute)


def _dots(frame: Frame, spec: Attention, scope: Scope) -> None:
    with ExitStack() as loops:
        point = enter(frame, loops, spec.cols, scope)
        position = linear_index(frame, spec.cols, point)
        for dot in spec.dots:
            value = sum_of_products(frame, (dot.name, dot.dtype), dot.depth, (dot.a, dot.b), point)
            frame.code.add(tirx.BufferStore(scope.buffers[dot.name], value, [index(position)]))


def _sums(frame: Frame, spec: Attention, scope: Scope) -> None:
    for part in width_parts(spec):
        with ExitStack() as loops:
            point = enter(frame, loops, part.width, scope)
            for total in part.sums:
                weight = read_of(Var(total.weight, total.dtype), spec.cols)
                value = sum_of_products(frame, (total.name, total.dtype), spec.cols, (weight, total.value), point)
                point = point.with_values({total.name: value})
            run_steps(frame.code, part.steps, point)
