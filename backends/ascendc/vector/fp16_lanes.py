"""Which values of f16 stay in f16: those that comparisons and selections make of what is read. They are exact there, take half
the room and twice the lanes, and need no conversion. Arithmetic goes through f32.
"""

from __future__ import annotations

from uol.codegen.specs.nodes import Read
from uol.ir.program.nodes import Call, Const, Expr

CHOOSING = frozenset({"max", "min"})


def stays_half(expr: Expr) -> bool:
    """Is the value chosen from what is read (and constants), never computed?"""
    if expr.type != "f16":
        return False
    match expr:
        case Read():
            return True
        case Const():
            return True
        case Call(fn=fn, args=args) if fn in CHOOSING:
            return all(stays_half(a) for a in args) and any(not isinstance(a, Const) for a in args)
        case Call(fn="select", args=(_, a, b)):
            return stays_half(a) and stays_half(b) and not (isinstance(a, Const) and isinstance(b, Const))
    return False
