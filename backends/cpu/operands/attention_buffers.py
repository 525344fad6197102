"""Dots and weights of an attention in arrays on the stack, under their own names as if they were tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tvm import tirx

from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.codegen.attention.parts import as_row, weights_of
from uol.codegen.indexing.arithmetic import ZERO, add, dense_strides, mul
from uol.codegen.specs.nodes import Attention, Dot, Fold, Let, Read, Reduce, Step, Store
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import substitute
from uol.ir.types import is_float


def held(scope: Scope, arrays: Mapping[str, Term], workspace: Expr = ZERO) -> Scope:
    """The scope with the arrays among its buffers. Those whose length is no number are workspaces, so long."""
    lengths = {name: array.shape[0] for name, array in arrays.items()}
    spans = {name: Const(int(n)) if isinstance(n, tirx.IntImm) else workspace for name, n in lengths.items()}
    return replace(scope, buffers={**scope.buffers, **arrays}, spans={**scope.spans, **spans})


def workspace_type(dtype: str) -> str:
    """Of a dot or weight that lies in a workspace: narrow floats lie there as they are computed."""
    return "f32" if is_float(dtype) and dtype != "f64" else dtype


def place(axes: Sequence[Axis]) -> Expr:
    """The row-major position within the axes."""
    total: Expr = ZERO
    for axis, stride in zip(axes, dense_strides([a.extent for a in axes]), strict=True):
        total = add(total, mul(Var(axis.name), stride))
    return total


def read_of(value: Var, axes: Sequence[Axis], first: Expr = ZERO) -> Read:
    """The element of a value's array at the axes, counted from `first`."""
    return Read(value.name, add(first, place(axes)), _strides(axes), (), None, value.dtype)


def store_of(value: Var, axes: Sequence[Axis], line: int, first: Expr = ZERO) -> Store:
    """The value, written to its array at the axes, counted from `first`."""
    names = tuple(a.name for a in axes)
    return Store(value.name, add(first, place(axes)), _strides(axes), value, value.dtype, names, line)


def row_of(spec: Attention, first: Expr = ZERO, known: Sequence[Dot | Let] = ()) -> Reduce:
    """The steps of a row, dots and weights in arrays over the cols, counted from `first`; `known`: what is in such arrays
    beside the dots."""
    arrays: dict[str, Expr] = {v.name: read_of(Var(v.name, v.dtype), spec.cols, first) for v in (*spec.dots, *known)}

    def step(old: Step) -> Step:
        assert isinstance(old, Let | Fold)
        return replace(old, value=substitute(old.value, arrays))

    stores = [store_of(Var(w.name, w.dtype), spec.cols, w.line, first) for w in weights_of(spec)]
    steps = tuple(step(s) for s in spec.steps if isinstance(s, Let | Fold) and s.name not in arrays)
    return as_row(replace(spec, steps=steps), stores)


def row_value(value: Var, row: Expr) -> Read:
    """A value of the row in an array with an element a row."""
    return Read(value.name, row, (), (), None, value.dtype)


def _strides(axes: Sequence[Axis]) -> tuple[tuple[str, Expr], ...]:
    return tuple(zip((a.name for a in axes), dense_strides([a.extent for a in axes]), strict=True))
