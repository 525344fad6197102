"""Expressions as text, for people: `uol explain`, `UOL_DUMP`, the comments and messages of a C interface."""

from __future__ import annotations

from collections.abc import Iterable

from uol.codegen.partition.grouped_value import Segmented
from uol.codegen.program.scans import Running
from uol.codegen.specs.nodes import Guard, Read, Within
from uol.codegen.specs.search import Reached, Search
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Order, Var
from uol.ir.program.nodes import Reduce as ReduceExpr

_LEVEL = {"or": 1, "and": 2, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
_ATOM = 9


def expr_text(expr: Expr) -> str:
    """One expression, as the language would write it."""
    return _at_level(expr)[0]


def axes_text(axes: Iterable[Axis]) -> str:
    """`"n < 4, c < 64"`."""
    return ", ".join(f"{a.name} < {expr_text(a.extent)}" for a in axes) or "none"


def guard_text(guard: Guard) -> str:
    """`"0 <= h + r - 1 < 56"`, or the condition."""
    if not isinstance(guard, Within):
        return expr_text(guard.condition)
    low = f"{expr_text(guard.low)} <= " if guard.low is not None else ""
    high = f" < {expr_text(guard.high)}" if guard.high is not None else ""
    return f"{low}{expr_text(guard.value)}{high}"


def _at_level(expr: Expr) -> tuple[str, int]:
    match expr:
        case Const(value=value):
            return _literal(value), _ATOM
        case Var(name=name):
            return name, _ATOM
        case Call(fn=fn, args=(left, right)) if fn in _LEVEL:
            level = _LEVEL[fn]
            return f"{_wrapped(left, level)} {fn} {_wrapped(right, level + 1)}", level
        case Call(fn="neg", args=(arg,)):
            return f"-{_wrapped(arg, 7)}", 7
        case Call(fn="not", args=(arg,)):
            return f"not {_wrapped(arg, 3)}", 3
        case Call(fn=fn, args=args, dtype=dtype):
            return f"{dtype if fn == 'cast' else fn}({', '.join(map(expr_text, args))})", _ATOM
        case Load(tensor=tensor, index=index, guard=guard, fill=fill):
            return f"{tensor}[{', '.join(map(expr_text, index))}]{_guarded([expr_text(g) for g in guard], fill)}", _reach(fill)
        case Read(tensor=tensor, offset=offset, guard=guards, fill=fill):
            return f"{tensor}[{expr_text(offset)}]{_guarded([guard_text(g) for g in guards], fill)}", _reach(fill)
        case ReduceExpr(op=op, axes=axes, body=body, where=where):
            binders = ", ".join([*(a.name for a in axes), *map(expr_text, where)])
            return f"{op}[{binders}]({expr_text(body)})", _ATOM
        case Reached(first=Load(tensor=tensor)) | Search(tensor=tensor):
            relation = "<=" if expr.equal else "<"
            return f"count({tensor}[< {expr_text(expr.count)}] {relation} {expr_text(expr.value)})", _ATOM
    return _of_stage(expr), 0


def _of_stage(expr: Expr) -> str:
    """What is only ever the whole value of a stage."""
    match expr:
        case Order(axis=axis, body=body, place=place, descending=descending):
            order = "largest" if descending else "smallest"
            return f"the {axis.name} of the {place.name}-th {order} {expr_text(body)}"
        case Running(op=op, along=along, body=body, reverse=reverse, exclusive=exclusive):
            side = f"{'>' if reverse else '<'}{'' if exclusive else '='}"
            return f"{op}[{side} {along.name}]({expr_text(body)})"
        case Segmented(over=over, key=key, of=of, value=value):
            segment = f"{of.name} = {expr_text(key)}" if over == "rows" else f"{expr_text(key)} == {of.name}"
            return f"{expr_text(value)} where {segment}"
    return repr(expr)


def _wrapped(expr: Expr, level: int) -> str:
    text, own = _at_level(expr)
    return text if own >= level else f"({text})"


def _literal(value: int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.9g}" if isinstance(value, float) else str(value)


def _reach(fill: Expr | None) -> int:
    """What comes after `else` takes all that follows."""
    return _ATOM if fill is None else 0


def _guarded(conditions: list[str], fill: Expr | None) -> str:
    return "" if fill is None else f" if {' and '.join(conditions)} else {expr_text(fill)}"


def size_json(size: int | Expr) -> int | str:
    """A number, or the text of an expression over dims that are arguments."""
    if isinstance(size, int):
        return size
    return int(size.value) if isinstance(size, Const) else expr_text(size)


def size_text(size: int | Expr) -> str:
    """`"4,096"`, or the text of an expression over dims that are arguments."""
    found = size_json(size)
    return f"{found:,}" if isinstance(found, int) else found
