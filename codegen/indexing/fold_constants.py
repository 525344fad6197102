"""Index expressions with constants folded: what substituting 0 for an axis of extent 1 leaves behind is tidied up."""

from __future__ import annotations

from collections.abc import Mapping

from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX


def substituted(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables exchanged by name and index constants folded."""

    def go(e: Expr) -> Expr:
        return substituted(e, values)

    if isinstance(expr, Var):
        return values.get(expr.name, expr)
    exchanged = expr.map_children(go)
    return folded(exchanged) if isinstance(exchanged, Call) else exchanged


def folded(call: Call) -> Expr:
    """One index operation on constants, or with a neutral operand, as what it comes to."""
    if call.dtype != INDEX or len(call.args) != 2:
        return call
    a, b = call.args
    if call.fn == "+":
        return add(a, b)
    if call.fn == "*":
        return _scaled(a, b)
    if call.fn == "-" and b == ZERO:
        return a
    if call.fn == "/" and (b == ONE or a == ZERO):
        return a
    if call.fn == "%" and (b == ONE or a == ZERO):
        return ZERO
    if isinstance(a, Const) and isinstance(b, Const):
        return _constant(call.fn, int(a.value), int(b.value)) or call
    return call


def _scaled(a: Expr, b: Expr) -> Expr:
    """a * b; (x * 3) * 3 is x * 9."""
    if isinstance(b, Const) and isinstance(a, Call) and a.fn == "*" and isinstance(a.args[1], Const):
        return mul(a.args[0], Const(a.args[1].value * b.value))
    return mul(a, b)


def _constant(fn: str, a: int, b: int) -> Const | None:
    match fn:
        case "-":
            return Const(a - b)
        case "/" if b:
            return Const(a // b)
        case "%" if b:
            return Const(a % b)
        case "min":
            return Const(min(a, b))
        case "max":
            return Const(max(a, b))
    return None
