"""Statements of a kernel, written top to bottom.

with code.loop("i", 64, PARALLEL) as i:
    value = code.hold("v", x[i])
    code.add(tirx.BufferStore(y, value, [i]))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import tvm
from tvm import tirx
from tvm.ir import PointerType, PrimType, TensorLoad

from uol.backends.cpu.expressions.dtypes import INDEX_TYPE, Term
from uol.backends.cpu.host import core_count

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
IN_MEMORY = "tirx.volatile"
"""Loads and stores of an array with this annotation are made where they are written."""


PARTS_PER_THREAD = 32
"""`TASKS_PER_THREAD` of the thread pool (`runtime/uol_threads.c`)."""


def parts_dealt() -> int:
    """How many parts of a parallel loop the pool deals out, where it has the threads that kernels are made for."""
    return PARTS_PER_THREAD * core_count()


def _is_even(extent: Extent) -> bool:
    """Are all parts of one size?"""
    return isinstance(extent, int) and extent % parts_dealt() == 0


def _rounded_up(value: Term, by: int) -> Term:
    return tirx.Div(value + (by - 1), index(by))  # nothing is negative


def index(value: Extent) -> Term:
    """An index as a term."""
    return tirx.const(value, INDEX_TYPE) if isinstance(value, int) else value


@dataclass(frozen=True, slots=True)
class _Block:
    """The statements of an open loop or condition; `lane` is the loop's variable and extent where it is vectorised."""

    statements: list[Term] = field(default_factory=list)
    lane: tuple[Term, int] | None = None


class Builder:
    """A stack of open blocks."""

    def __init__(self) -> None:
        self._open = [_Block()]

    def add(self, statement: Term) -> None:
        self._open[-1].statements.append(statement)

    def body(self) -> Term:
        """Everything written so far, as one statement."""
        return _sequence(self._open[0].statements)

    def bind(self, name: str, value: Term) -> Term:
        """Names an index; gives the term that stands for it. Of anything else, `hold` does: TVM's simplifier is asked for each
        name, and writes out what it stands for, and the names within that."""
        if isinstance(value, tirx.Var | tirx.IntImm):
            return value
        assert str(value.ty) in ("int32", "int64"), value
        variable = tirx.Var(name, value.ty)
        self.add(tirx.Bind(variable, value))
        return variable

    def hold(self, name: str, value: Term) -> Term:
        """Names a value of any type; gives the term that stands for it in the open block (in each lane of its own)."""
        if isinstance(value, tirx.Var | tirx.IntImm | tirx.FloatImm):
            return value
        is_bool = str(value.ty) == "bool"
        depth = next((d for d in reversed(range(len(self._open))) if self._open[d].lane is not None), None)
        lane, lanes = (index(0), 1) if depth is None else self._open[depth].lane or (index(0), 1)
        array = _stack_array(name, lanes, "int32" if is_bool else str(value.ty))
        block = self._open[-1 if depth is None else depth - 1]
        block.statements.append(_allocation(array))
        zero = tirx.const(0, "int32")
        stored = tirx.Select(value, tirx.const(1, "int32"), zero) if is_bool else value
        self.add(tirx.BufferStore(array, stored, [lane]))
        held = tirx.BufferLoad(array, [lane])
        return tirx.Not(tirx.EQ(held, zero)) if is_bool else held

    def share(self, value: Term) -> Term:
        """Holds a value that is used more than once."""
        return value if isinstance(value, TensorLoad) else self.hold("t", value)

    def local(self, name: str, length: int, compute: str, *, stays: bool = False) -> Term:
        """An array on the stack; one that is only indexed by constants ends up in registers, unless it `stays` in memory."""
        array = _stack_array(name, length, compute)
        self.add(_allocation(array, (IN_MEMORY,) if stays else ()))
        return array

    @contextmanager
    def loop(self, name: str, extent: Extent, kind: Term = SERIAL, start: Extent = 0) -> Iterator[Term]:
        """`for name in start .. start + extent`. A loop of one step (of a known start) is its body."""
        if isinstance(extent, int) and extent == 1:
            yield index(start)
            return
        if kind == PARALLEL and not _is_even(extent):
            with self._even_parts(name, extent) as variable:
                yield variable
            return
        variable = tirx.Var(name, INDEX_TYPE)
        lane = (variable, extent) if kind == VECTORIZED and isinstance(extent, int) else None
        with self._nested(lane) as block:
            yield variable
        self.add(tirx.For(variable, index(start), index(extent), kind, _sequence(block.statements)))

    @contextmanager
    def _even_parts(self, name: str, extent: Extent) -> Iterator[Term]:
        """A parallel loop over as many parts as threads are dealt, and in each the steps that are its share. Parts would be of
        one size else, the last of them empty: of 32 steps all those of the first thread of two."""
        parts, steps = parts_dealt(), self.bind(f"{name}_steps", index(extent))
        with self.loop("part", parts, PARALLEL) as part:
            first, end = (self.bind(what, _rounded_up(steps * at, parts)) for what, at in (("first", part), ("end", part + 1)))
            with self.loop(name, end - first, start=first) as variable:
                yield variable

    @contextmanager
    def repeat(self, condition: Term) -> Iterator[None]:
        """`while condition:`"""
        with self._nested(None) as block:
            yield
        self.add(tirx.While(condition, _sequence(block.statements)))

    @contextmanager
    def when(self, condition: Term) -> Iterator[None]:
        """`if condition:`"""
        with self._nested(None) as block:
            yield
        self.add(tirx.IfThenElse(condition, _sequence(block.statements), None))

    @contextmanager
    def _nested(self, lane: tuple[Term, int] | None) -> Iterator[_Block]:
        block = _Block(lane=lane)
        self._open.append(block)
        yield block
        self._open.pop()


def _stack_array(name: str, length: int, compute: str) -> Term:
    return tirx.decl_buffer((length,), compute, name, scope="local", data_alignment=STACK_ALIGNMENT_BYTES)


def _allocation(array: Term, annotations: tuple[str, ...] = ()) -> Term:
    return tirx.AllocBuffer(array, {name: tirx.const(True, "bool") for name in (ON_STACK, *annotations)})


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


def with_llvm(function: Term, text: str) -> Term:
    """The function, with LLVM text that is compiled along with it."""
    body = tirx.AttrStmt(tvm.ir.StringImm("default"), "pragma_import_llvm", tvm.ir.StringImm(text), function.body)
    return function.with_body(body)
