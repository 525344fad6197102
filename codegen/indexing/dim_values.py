"""Index expressions and conditions over symbolic dims: which they are, and as numbers, once the dims are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uol.ir.integers.terms import ON_NUMBERS
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import variables


def over_dims(conditions: Iterable[Expr], dims: Iterable[str]) -> tuple[Expr, ...]:
    """The conditions that name nothing but dims (others are over run-time attributes, too), each once."""
    known = frozenset(dims)
    return tuple(c for c in dict.fromkeys(conditions) if variables(c) <= known)


def value_at(expr: Expr, dims: Mapping[str, float]) -> int:
    """The number that an expression is at these dims; 1 or 0 for a condition. Division floors, and by 0 gives 0.

    >>> value_at(Call("/", (Var("N"), Const(2)), "idx"), {"N": 7})
    3
    """
    match expr:
        case Const(value=value):
            return int(value)
        case Var(name=name):
            return int(dims[name])
        case Call(fn=fn, args=args) if fn in ON_NUMBERS:
            return int(ON_NUMBERS[fn](*(value_at(a, dims) for a in args)))
    raise TypeError(f"{expr!r} is no expression over dims")
