"""`where sorted(i)`: a promise that an input's values are in ascending order (rule 14 of the language).

A lowering may use it; nothing that a text means depends on it.
"""

from __future__ import annotations

from uol.ir.checker.messages import closest, mismatch
from uol.ir.syntax.surface import Apply, Name, Node, Op
from uol.ir.types import DTYPES, is_integer


def is_promise(clause: Node) -> bool:
    """Whether a clause of `where` is a promise about data."""
    return isinstance(clause, Apply) and clause.fn == "sorted"


def promises(op: Op) -> list[str]:
    """The inputs that an operator promises to be sorted. Raises TypeCheckError for anything but an integer input of one
    dim."""
    return [_promised(op, clause) for clause in op.where if isinstance(clause, Apply) and is_promise(clause)]


def _promised(op: Op, clause: Apply) -> str:
    params = {p.name: p for p in op.params}
    match clause.args:
        case (Name(id=name),) if name in params and not clause.keywords:
            param = params[name]
        case (Name(id=name),):
            raise mismatch(op, clause, f"`{name}` is not an input", closest(name, params) or "`sorted` takes an input")
        case _:
            raise mismatch(op, clause, "`sorted` takes one input by its name", "write `where sorted(expert)`")
    if len(param.dims) != 1:
        raise mismatch(op, clause, f"`{name}` has {len(param.dims)} dims, `sorted` is for one")
    for dtype in op.types_of(param.type):
        if dtype in DTYPES and not is_integer(dtype):
            raise mismatch(op, clause, f"`sorted` is for integers, `{name}` is {dtype}")
    return name
