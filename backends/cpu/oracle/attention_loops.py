"""Attention as plain loops: what it means in TensorIR. For each row all dots, then what becomes of them, then the sums.
Dots and weights of a row lie on the stack; in workspaces, where their number is an argument."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.operands.attention_buffers import held, read_of, row_of, workspace_type
from uol.backends.cpu.oracle.sums import reduce_row, sum_of_products
from uol.backends.cpu.statements import enter, linear_index, run_steps
from uol.codegen.attention.parts import row_steps, weights_of, width_parts
from uol.codegen.indexing.arithmetic import ONE, size, static
from uol.codegen.specs.nodes import Arg, Attention, KernelSpec
from uol.ir.program.nodes import Var


def write_attention(frame: Frame, spec: Attention) -> None:
    """The body of the kernel."""
    with ExitStack() as loops:
        scope = enter(frame, loops, spec.batch + spec.rows, frame.scope)
        arrays = {name: _array(frame, spec, name, dtype) for name, dtype in _types(spec).items()}
        scope = held(scope, arrays, size(spec.cols))
        _dots(frame, spec, scope)
        scope = reduce_row(frame, row_of(spec), scope)
        scope = run_steps(frame.code, row_steps(spec), scope)
        _sums(frame, spec, scope)


def with_row_workspaces(spec: KernelSpec) -> KernelSpec:
    """An attention with a workspace for each of a row's dots and weights, where its number of cols is an argument; any other
    kernel as it is."""
    if not isinstance(spec, Attention) or static(count := size(spec.cols)) is not None:
        return spec
    types = {name: workspace_type(dtype) for name, dtype in _types(spec).items()}
    rows = (Arg(_row_name(spec, name), dtype, (count,), (ONE,), "workspace") for name, dtype in types.items())
    return replace(spec, args=(*spec.args, *rows))


def _row_name(spec: Attention, value: str) -> str:
    return f"{spec.name}_{value}_row"


def _types(spec: Attention) -> dict[str, str]:
    return {d.name: d.dtype for d in spec.dots} | {w.name: w.dtype for w in weights_of(spec)}


def _array(frame: Frame, spec: Attention, name: str, dtype: str) -> Term:
    count = static(size(spec.cols))
    if count is None:
        return frame.scope.buffers[_row_name(spec, name)]
    return frame.code.local(f"{name}_row", count, representation(dtype).compute)


def _dots(frame: Frame, spec: Attention, scope: Scope) -> None:
    with ExitStack() as loops:
        point = enter(frame, loops, spec.cols, scope)
        position = linear_index(frame, spec.cols, point)
        for dot in spec.dots:
            value = sum_of_products(frame, (dot.name, dot.dtype), dot.depth, ((dot.a, dot.b),), point)
            frame.code.add(tirx.BufferStore(scope.buffers[dot.name], value, [index(position)]))


def _sums(frame: Frame, spec: Attention, scope: Scope) -> None:
    for part in width_parts(spec):
        with ExitStack() as loops:
            point = enter(frame, loops, part.width, scope)
            for total in part.sums:
                weight = read_of(Var(total.weight, total.dtype), spec.cols)
                value = sum_of_products(frame, (total.name, total.dtype), spec.cols, ((weight, total.value),), point)
                point = point.with_values({total.name: value})
            run_steps(frame.code, part.steps, point)
