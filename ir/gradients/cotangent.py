"""A cotangent on its way through a statement, and the indices that it stands under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uol.ir.gradients.text.algebra import Sum
from uol.ir.gradients.text.forms import reads_data, stands_alone
from uol.ir.gradients.text.substitution import Item
from uol.ir.syntax.surface import Apply, Binary, Expr, Name, Number, Pack


@dataclass(frozen=True, slots=True)
class Choice:
    """An arm of a `select`, around what is differentiated: the first where `taken`, else the second."""

    condition: Expr
    taken: bool

    def around(self, value: Expr) -> Expr:
        """The value where the arm was taken, else 0. Conditions join, where the inner one needs none of the outer."""
        if self.taken:
            return chosen((self.condition,), value)
        return Apply("select", (self.condition, Number(0), value))


def chosen(conditions: Sequence[Expr], value: Expr) -> Expr:
    """`select(all conditions, value, 0)`; a choice within joins them, where its condition needs none of the others."""
    match value:
        case Apply(fn="select", args=(inner, arm, Number(value=0))) if stands_alone(inner):
            if not isinstance(inner, Pack) and not isinstance(arm, Pack):
                return chosen((*conditions, inner), arm)
    return Apply("select", (conjunction(conditions), value, Number(0)))


def inside_of_choices(value: Expr, path: Sequence[Choice]) -> Expr:
    """The value of a statement of its own, where the choices between indices were taken that its reads need to lie inside."""
    if stands_alone(value):
        return value
    for choice in reversed(path):
        if not reads_data(choice.condition):
            value = choice.around(value)
    return value


def conjunction(conditions: Sequence[Expr]) -> Expr:
    whole = conditions[0]
    for condition in conditions[1:]:
        whole = Binary("and", whole, condition)
    return whole


@dataclass(frozen=True, slots=True)
class Cotangent:
    """A sum of products of one type, under the choices of `path`, outermost first.

    The choices go around the finished term, so that no factor of an arm that was not taken is ever multiplied. The first
    `applied` of them are in the sum already: a local has been made of it.
    """

    type: str
    sum: Sum
    path: tuple[Choice, ...] = ()
    applied: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a statement, or one that a reduction around the expression binds (`bound`).

    extent      how far it runs, from 0: a dim, or the pack of dims
    conditions  further ones, of a bound index: (relation, bound)
    """

    key: str
    extent: Item | None
    bound: bool
    conditions: tuple[tuple[str, Expr], ...] = ()

    @property
    def item(self) -> Name | Pack:
        return Pack(self.key[1:]) if self.key.startswith("*") else Name(self.key)
