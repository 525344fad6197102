"""What divides a kernel's integers, whatever their iteration: where a copy starts within a sector.

    divisor(a + b) = gcd    divisor(a * b) = product    divisor(0) = 0, which everything divides
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd

from uol.backends.ascendc.instructions import Block, Branch, Declared, Loop
from uol.backends.ascendc.work.scalars import Scalar, scalar

COMMON = frozenset({"+", "-", "%", "lesser", "greater"})
"""What divides both operands divides the result."""


def divisor(expr: Scalar, known: Mapping[str, int]) -> int:
    """A number that divides every value of the expression, by what is known to divide the names in it.

    >>> divisor(scalar("task / 4 * 256 + i * 24"), {})
    8
    """
    if expr.number is not None:
        return expr.number
    of = [divisor(o, known) for o in expr.operands]
    match expr.fn:
        case "*":
            return of[0] * of[1]
        case "/" if expr.operands[1].number:
            return of[0] // of[1] if of[0] % of[1] == 0 else 1
        case "?":
            return gcd(of[1], of[2])
        case fn if fn in COMMON:
            return gcd(*of)
    return known.get(expr.fn, 1) if not of else 1


def divisors_of(program: Block) -> dict[str, int]:
    """What divides each integer that a program declares or counts with; of those with one name, all of them."""
    known: dict[str, int] = {}
    _gather(program, known)
    return known


def _gather(block: Block, known: dict[str, int]) -> None:
    for node in block.nodes:
        match node:
            case Declared(name=name, value=value):
                _add(known, name, divisor(scalar(value), known))
            case Loop(name=name):
                _add(known, name, gcd(*(divisor(scalar(text), known) for text in (node.first, node.step))))
                _gather(node.body, known)
            case Branch(body=body):
                _gather(body, known)


def _add(known: dict[str, int], name: str, number: int) -> None:
    known[name] = gcd(known.get(name, 0), number)
