"""Promises about data in `where`.

    sorted(i)         an input's values are in ascending order, NaN behind every number; a lowering may use it
    finite(x)         an input has no NaN and no infinity
    permutation(i)    the values of an input are the numbers from 0 to below how many there are, each once

Nothing that a text means depends on them.
"""

from __future__ import annotations

from uol.ir.checker.messages import closest, mismatch
from uol.ir.syntax.dim_arithmetic import PROMISES
from uol.ir.syntax.surface import Apply, Name, Node, Op
from uol.ir.types import DTYPES, is_float, is_integer


def is_promise(clause: Node) -> bool:
    """Whether a clause of `where` is a promise about data."""
    return isinstance(clause, Apply) and clause.fn in PROMISES


def promises(op: Op, promise: str) -> list[str]:
    """The inputs of which an operator promises `sorted`, `finite` or `permutation`. Raises TypeCheckError for anything but an
    input of one dim that is not of bool, a float input, or an input of integers."""
    named = {"sorted": _sorted, "finite": _finite, "permutation": _permutation}[promise]
    return [named(op, c) for c in op.where if isinstance(c, Apply) and c.fn == promise]


def _sorted(op: Op, clause: Apply) -> str:
    name = _promised(op, clause, "expert")
    (param,) = (p for p in op.params if p.name == name)
    if len(param.dims) != 1:
        raise mismatch(op, clause, f"`{name}` has {len(param.dims)} dims, `sorted` is for one")
    for dtype in op.types_of(param.type):
        if dtype in DTYPES and not is_integer(dtype) and not is_float(dtype):
            raise mismatch(op, clause, f"`sorted` is for numbers, `{name}` is {dtype}")
    return name


def _finite(op: Op, clause: Apply) -> str:
    name = _promised(op, clause, "score")
    (param,) = (p for p in op.params if p.name == name)
    for dtype in op.types_of(param.type):
        if dtype in DTYPES and not is_float(dtype):
            raise mismatch(op, clause, f"`finite` is for floats, `{name}` is {dtype}")
    return name


def _permutation(op: Op, clause: Apply) -> str:
    name = _promised(op, clause, "place")
    (param,) = (p for p in op.params if p.name == name)
    for dtype in op.types_of(param.type):
        if dtype in DTYPES and not is_integer(dtype):
            raise mismatch(op, clause, f"`permutation` is for integers, `{name}` is {dtype}")
    return name


def _promised(op: Op, clause: Apply, example: str) -> str:
    """The input that a promise names."""
    params = {p.name: p for p in op.params}
    match clause.args:
        case (Name(id=name),) if name in params and not clause.keywords:
            return name
        case (Name(id=name),):
            raise mismatch(op, clause, f"`{name}` is not an input", closest(name, params) or f"`{clause.fn}` takes an input")
        case _:
            raise mismatch(op, clause, f"`{clause.fn}` takes one input by its name", f"write `where {clause.fn}({example})`")
