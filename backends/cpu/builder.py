"""Statements of a kernel, written top to bottom.

with code.loop("i", 64, PARALLEL) as i:
    value = code.bind("v", x[i])
    code.add(tirx.BufferStore(y, value, [i]))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tvm
from tvm import tirx
from tvm.ir import PointerType, PrimType

from uol.backends.cpu.dtypes import INDEX_TYPE, Term
from uol.backends.cpu.sharing import named

SERIAL, PARALLEL, VECTORIZED, UNROLLED = (
    tirx.ForKind.SERIAL,
    tirx.ForKind.PARALLEL,
    tirx.ForKind.VECTORIZED,
    tirx.ForKind.UNROLLED,
)
Extent = int | Term

STACK_ALIGNMENT_BYTES = 64
ON_STACK = "disable_lower_builtin"
"""TVM turns an allocation into a call of its runtime unless it carries this annotation."""


def index(value: Extent) -> Term:
    """An index as a term."""
    return tirx.const(value, INDEX_TYPE) if isinstance(value, int) else value


class Builder:
    """A stack of statement lists: one for every loop or condition that is open."""

    def __init__(self) -> None:
        self._open: list[list[Term]] = [[]]

    def add(self, statement: Term) -> None:
        self._open[-1].append(statement)

    def body(self) -> Term:
        """Everything written so far, as one statement."""
        return _sequence(self._open[0])

    def bind(self, name: str, value: Term) -> Term:
        """Names a value; gives the term that stands for it."""
        variable, carrier, term = named(name, value)
        if variable is not None:
            self.add(tirx.Bind(variable, carrier))
        return term

    def local(self, name: str, length: int, compute: str) -> Term:
        """An array on the stack; one that is only indexed by constants ends up in registers."""
        buffer = tirx.decl_buffer((length,), compute, name, scope="local", data_alignment=STACK_ALIGNMENT_BYTES)
        self.add(tirx.AllocBuffer(buffer, {ON_STACK: tirx.const(True, "bool")}))
        return buffer

    @contextmanager
    def loop(self, name: str, extent: Extent, kind: Term = SERIAL, start: Extent = 0) -> Iterator[Term]:
        """`for name in start .. start + extent`. A loop of one step (of a known start) is its body."""
        if isinstance(extent, int) and extent == 1:
            yield index(start)
            return
        variable = tirx.Var(name, INDEX_TYPE)
        with self._nested() as statements:
            yield variable
        self.add(tirx.For(variable, index(start), index(extent), kind, _sequence(statements)))

    @contextmanager
    def when(self, condition: Term) -> Iterator[None]:
        """`if condition:`"""
        with self._nested() as statements:
            yield
        self.add(tirx.IfThenElse(condition, _sequence(statements), None))

    @contextmanager
    def _nested(self) -> Iterator[list[Term]]:
        statements: list[Term] = []
        self._open.append(statements)
        yield statements
        self._open.pop()


def _sequence(statements: list[Term]) -> Term:
    if not statements:
        return tirx.Evaluate(tirx.const(0, "int32"))
    return statements[0] if len(statements) == 1 else tirx.SeqStmt(statements)


def pointer(name: str, storage: str) -> Term:
    """A pointer parameter."""
    return tirx.Var(name, PointerType(PrimType(storage)))


def function(name: str, params: list[Term], body: Term) -> Term:
    """A C function `int32 name(params)` that returns 0."""
    for attribute, value in (("device_id", 0), ("device_type", 1)):
        body = tirx.AttrStmt(tvm.ir.StringImm("default"), attribute, tirx.const(value, "int32"), body)
    attrs = tvm.ir.make_node("ir.DictAttrs", **{"global_symbol": name, "tirx.noalias": True})
    return tirx.PrimFunc(params, body, ret_type=PrimType("int32"), attrs=attrs)
