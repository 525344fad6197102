"""Surface tree to text: `parse(print_op(op))[0] == op`, one statement a line, no parenthesis that is not needed. Long lines are
broken where little stands open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from uol.ir.syntax import surface

LINE_WIDTH = 100
"""Columns of a printed line."""

_COST = {"+": 1, "-": 1, "and": 1, "or": 1} | dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), 2) | dict.fromkeys("*/%", 3)
"""How much a break before an operator hurts; behind a comma it does not. An open bracket counts 2."""


def broken(line: str, indent: int) -> list[str]:
    """The line in pieces of at most `LINE_WIDTH` columns where it has places to break; later pieces are indented.

    A place is a space behind a comma or semicolon, or before an operator. Of those in the right half the cheapest is
    taken, of several the last.

    >>> broken("y[i] = " + "a[i] + " * 30 + "b[i]", 6)[0][-4:]
    'a[i]'
    """
    pieces = []
    while len(line) > LINE_WIDTH:
        at = _break(line, len(line) - len(line.lstrip()))
        if at is None:
            break
        pieces.append(line[:at].rstrip())
        line = " " * indent + line[at:].lstrip()
    return [*pieces, line]


def _break(line: str, start: int) -> int | None:
    """Where to break, or None where there is no place before the width is reached."""
    places: list[tuple[int, int]] = []
    depth = 0
    for at, char in enumerate(line[: LINE_WIDTH + 1]):
        depth += (char in "([{") - (char in ")]}")
        if char == " " and at > start:
            cost = 0 if line[at - 1] in ",;" else _COST.get(line[at + 1 :].partition(" ")[0])
            if cost is not None:
                places.append((2 * depth + cost, -at))
    late = [place for place in places if -place[1] > LINE_WIDTH // 2] or places
    return -min(late)[1] if late else None


_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _UNARY, _ATOM = range(8)
_LEVEL = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT} | dict.fromkeys(
    ("<", "<=", ">", ">=", "==", "!="), _COMPARE
)


def print_op(op: surface.Op) -> str:
    """The text of one operator. Line 1 is its `op` line; `statement_lines` says where each statement stands.

    >>> from uol.ir.syntax.parser import parse
    >>> print(print_op(parse("op relu(x: f32[N])->(y: f32[N]) {y[i]=max(x[i],0)}")[0]))
    op relu(x: f32[N]) -> (y: f32[N]) {
      y[i] = max(x[i], 0)
    }
    """
    return "\n".join((*_header(op), *(line for lines in _statements(op) for line in lines), "}"))


def print_ops(ops: Iterable[surface.Op]) -> str:
    """A whole text: the version line, then the operators."""
    return "\n\n".join(("uol 1", *map(print_op, ops))) + "\n"


def statement_lines(op: surface.Op) -> tuple[int, ...]:
    """The line of each statement in `print_op(op)`."""
    lengths = [len(lines) for lines in _statements(op)]
    first = len(_header(op)) + 1
    return tuple(first + sum(lengths[:number]) for number in range(len(lengths)))


def print_expr(expr: surface.Expr | surface.Pack) -> str:
    """One expression, as it would stand on its own."""
    return _expr(expr, _OR)


def _header(op: surface.Op) -> list[str]:
    attributes = ", ".join(map(_attribute, op.attributes))
    signature = ", ".join(map(_param, op.params)) + (f"; {attributes}" if attributes else "")
    parts = [f"op {op.name}({signature})", f"-> ({', '.join(map(_param, op.results))})"]
    if op.domain:
        parts.append("for " + ", ".join(f"{d.variable} in ({', '.join(d.types)})" for d in op.domain))
    if op.where:
        parts.append("where " + ", ".join(map(print_expr, op.where)))
    parts[-1] += " {"
    one_line = " ".join(parts)
    if len(one_line) <= LINE_WIDTH:
        return [one_line]
    first, *others = parts
    clauses = [broken("    " + part, 10) for part in others]
    return [*broken(first, len(f"op {op.name}(")), *(line for clause in clauses for line in clause)]


def _statements(op: surface.Op) -> list[list[str]]:
    """The lines of each statement."""
    lines = [f"  {_statement(s)}" for s in op.body]
    for number, (statement, following) in enumerate(zip(op.body, op.body[1:], strict=False)):
        # `y[i] = N` before `(a[i], b[i]) = ...` would read as a call of N
        if len(following.targets) > 1 and _ends_in_name(statement.value):
            lines[number] += ";"
    return [broken(line, 6) for line in lines]


def _ends_in_name(expr: surface.Expr) -> bool:
    match expr:
        case surface.Name() | surface.Bool():
            return True
        case surface.Number(value=value):
            return value == math.inf
        case surface.Unary(arg=arg):
            return _ends_in_name(arg)
        case surface.Binary(right=right):
            return _ends_in_name(right)
        case surface.Access(fill=fill):
            return fill is not None and _ends_in_name(fill)
    return False


def _param(param: surface.Param) -> str:
    return f"{param.name}: {param.type}[{_list(param.dims)}]"


def _attribute(attribute: surface.Attribute) -> str:
    default = "" if attribute.default is None else f" = {print_expr(attribute.default)}"
    return f"{attribute.name}: {attribute.type}{default}"


def _statement(statement: surface.Statement) -> str:
    targets = [f"{t.tensor}[{_list(t.index)}]" for t in statement.targets]
    left = targets[0] if len(targets) == 1 else f"({', '.join(targets)})"
    return f"{left} {statement.op} {print_expr(statement.value)}"


def _list(items: Iterable[surface.Expr | surface.Pack]) -> str:
    return ", ".join(map(print_expr, items))


def _expr(expr: surface.Expr | surface.Pack, level: int) -> str:
    """`expr` where the grammar wants something that binds at least as tightly as `level`."""
    text, own = _at_own_level(expr)
    return text if own >= level else f"({text})"


def _at_own_level(expr: surface.Expr | surface.Pack) -> tuple[str, int]:
    match expr:
        case surface.Number(value=value):
            return _number(value), _ATOM
        case surface.Bool(value=value):
            return "true" if value else "false", _ATOM
        case surface.Name(id=name):
            return name, _ATOM
        case surface.Pack(id=name):
            return f"*{name}", _ATOM
        case surface.Unary(op="neg", arg=arg):
            return f"-{_expr(arg, _UNARY)}", _UNARY
        case surface.Unary(op="not", arg=arg):
            return f"not {_expr(arg, _NOT)}", _NOT
        case surface.Binary(op=op, left=left, right=right):
            level = _LEVEL[op]
            first = level + 1 if level == _COMPARE else level  # comparisons do not chain, the others associate to the left
            return f"{_expr(left, first)} {op} {_expr(right, level + 1)}", level
        case surface.Apply():
            return _apply(expr), _ATOM
        case surface.Access(tensor=tensor, index=index, fill=fill):
            base = tensor.id if isinstance(tensor, surface.Name) else _apply(tensor)
            tail = "" if fill is None else f" else {_expr(fill, _UNARY)}"
            return f"{base}[{_list(index)}]{tail}", _ATOM
        case surface.Reduction(op=op, binders=binders, args=args):
            return f"{op}[{', '.join(map(_binder, binders))}]({_list(args)})", _ATOM
    raise AssertionError(f"no rule for {type(expr).__name__}")


def _apply(call: surface.Apply) -> str:
    keywords = ", ".join(f"{k.name}={print_expr(k.value)}" for k in call.keywords)
    return f"{call.fn}({_list(call.args)}{'; ' + keywords if keywords else ''})"


def _binder(binder: surface.Binder) -> str:
    if binder.pack:
        return f"*{binder.name}"
    return binder.name if binder.bound is None else f"{binder.name} {binder.relation} {_expr(binder.bound, _SUM)}"


def _number(value: int | float) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "inf"
    return repr(value)
