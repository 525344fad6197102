"""The conditions of a `where` clause hold together: in which order they are written says nothing.

    where H % G == 0, G > 0      the divisor of the first is positive by the second
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from uol.ir.checker.promises import is_promise
from uol.ir.errors import BoundsError
from uol.ir.integers.facts import Facts
from uol.ir.program.nodes import Expr
from uol.ir.syntax import surface
from uol.ir.syntax.surface import Op, conjuncts

Found = TypeVar("Found")


def conditions(op: Op, facts: Facts, evaluate: Callable[[surface.Expr], tuple[Found, tuple[Expr, ...]]]) -> list[Found]:
    """What `evaluate` gives for each condition of an operator's `where`, in the order of the text, promises about data left
    out; with it goes what is known where the condition holds. One with a divisor that is not known to be positive comes behind
    the others. Raises BoundsError for the first of those whose divisors only they themselves say to be positive."""
    found: list[Found] = []
    known: list[Expr] = []
    waiting = [part for clause in op.where if not is_promise(clause) for part in conjuncts(clause)]
    while waiting:
        refused: list[tuple[surface.Expr, BoundsError]] = []
        for clause in waiting:
            try:
                with facts.scope(*known):
                    value, learnt = evaluate(clause)
            except BoundsError as error:
                refused.append((clause, error))
            else:
                found.append(value)
                known += learnt
        if len(refused) == len(waiting):
            raise refused[0][1]
        waiting = [clause for clause, _ in refused]
    return found
