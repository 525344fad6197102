"""What a kernel may take for granted of sizes that are arguments: the conditions under which it is launched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uol.codegen.indexing.arithmetic import ZERO, conjuncts
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Call, Const, Expr


def multiple_of(size: Expr, number: int) -> Call:
    """`size % number == 0`."""
    return compare("==", idx("%", size, Const(number)), ZERO)


def known_multiples(where: Iterable[Expr]) -> Mapping[Expr, int]:
    """What sizes are multiples of, where these conditions hold.

    >>> from uol.ir.program.nodes import Var
    >>> known_multiples([multiple_of(Var("C"), 4)])
    {Var(name='C', dtype='idx'): 4}
    """
    found: dict[Expr, int] = {}
    for condition in where:
        for part in conjuncts(condition):
            match part:
                case Call(fn="==", args=(Call(fn="%", args=(size, Const(value=number))), Const(value=0))):
                    found[size] = int(number)
    return found


def known_bound(where: Iterable[Expr], size: Expr) -> int | None:
    """The most that a size is, where these conditions hold; None where they do not say.

    >>> from uol.ir.program.nodes import Var
    >>> known_bound([compare("<=", Var("C"), Const(512))], Var("C"))
    512
    """
    parts = [part for condition in where for part in conjuncts(condition)]
    bounds = [part.args[1] for part in parts if isinstance(part, Call) and part.fn == "<=" and part.args[0] == size]
    return min((int(bound.value) for bound in bounds if isinstance(bound, Const)), default=None)


def known_least(where: Iterable[Expr], size: Expr) -> int:
    """The least that a size is, where these conditions hold.

    >>> from uol.ir.program.nodes import Var
    >>> known_least([compare(">", Var("C"), Const(512))], Var("C")), known_least([], Var("C"))
    (513, 0)
    """
    parts = [part for condition in where for part in conjuncts(condition)]
    bounds = [part.args[1] for part in parts if isinstance(part, Call) and part.fn == ">" and part.args[0] == size]
    return max((int(bound.value) + 1 for bound in bounds if isinstance(bound, Const)), default=0)
