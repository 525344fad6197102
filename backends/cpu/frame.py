"""What every kernel has: parameters, buffers and the scope in which its expressions are evaluated.

A kernel is a C function: a pointer for every arg of the spec in order, then run-time attributes, then symbolic dims
(int64). Buffers are flat, aligned to their element alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tvm import tirx

from uol.backends.cpu.expressions.builder import Builder, function, pointer
from uol.backends.cpu.expressions.dtypes import INDEX_TYPE, Term, representation
from uol.backends.cpu.expressions.exact_functions import Function
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.operands.buffer_span import static_span
from uol.codegen.indexing.arithmetic import add, mul
from uol.codegen.specs.nodes import Arg, KernelSpec
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import DTYPES, INDEX


@dataclass(frozen=True, slots=True)
class Frame:
    """An open kernel: write its body with `code`, evaluate in `scope`, then `close`."""

    spec: KernelSpec
    code: Builder
    scope: Scope
    params: tuple[Term, ...]

    def close(self) -> Term:
        """The kernel as a PrimFunc."""
        return function(self.spec.name, list(self.params), self.code.body())

    def extent(self, expr: Expr) -> int | Term:
        """An extent: a number where it is static."""
        return int(expr.value) if isinstance(expr, Const) else evaluate(expr, self.scope)

    def size(self, name: str, value: int | Term) -> int | Term:
        """A size that is worked out once, and about which TVM does not reason in all that it stands in."""
        return value if isinstance(value, int) else self.code.bind(name, self.code.hold(name, value))


def open_frame(spec: KernelSpec, functions: Mapping[str, Function]) -> Frame:
    """The beginning of a kernel for a spec."""
    code = Builder()
    pointers = {a.name: pointer(f"{a.name}_data", representation(a.dtype).storage) for a in spec.args}
    scalars = {s.name: tirx.Var(s.name, representation(s.dtype).compute) for s in spec.scalars}
    dims = {d: tirx.Var(d, INDEX_TYPE) for d in spec.dims}
    spans = {a.name: span(a) for a in spec.args}
    scope = Scope({**scalars, **dims}, {}, functions, Facts(_bounds(spec)), code.share, spans)
    scope = replace(scope, buffers={a.name: _declare(code, a, pointers[a.name], scope) for a in spec.args})
    return Frame(spec, code, scope, (*pointers.values(), *scalars.values(), *dims.values()))


def _declare(code: Builder, arg: Arg, data: Term, scope: Scope) -> Term:
    length = span(arg)
    extent: int | Term = max(int(length.value), 1) if isinstance(length, Const) else evaluate(length, scope)
    storage = representation(arg.dtype).storage
    buffer = tirx.decl_buffer((extent,), storage, arg.name, data=data, data_alignment=DTYPES[arg.dtype].bytes)
    code.add(tirx.DeclBuffer(buffer, data=data))
    return buffer


def span(arg: Arg) -> Expr:
    """1 + sum of (dim - 1) * stride; 0 for an empty tensor of known size."""
    if (known := static_span(arg)) is not None:
        return Const(known)
    total: Expr = Const(1)
    for dim, stride in zip(arg.shape, arg.strides, strict=True):
        total = add(total, mul(Call("-", (dim, Const(1)), INDEX), stride))
    return total


def _bounds(spec: KernelSpec) -> tuple[Expr, ...]:
    """What is known of the dims, and 0 <= axis < extent for every axis."""
    return spec.facts + tuple(bound for axis in spec.axes for bound in in_range(axis))
