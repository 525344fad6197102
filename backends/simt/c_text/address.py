"""Arithmetic of addresses: numbers that are never negative, kept so that a thread's part, and what is known once loops are
unrolled, stay apart.

    total    a flat sum, the constant last               scaled      a multiple
    flipped  a flat exclusive or                         quotient, remainder   by a number

`value_of` computes with numbers, or with arrays of numpy, one for each thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from uol.backends.simt.c_text.printer import ADDITIVE, EXCLUSIVE_OR, MULTIPLICATIVE, UNARY, Printer
from uol.backends.simt.c_text.term import Term
from uol.backends.simt.c_text.terms import Local
from uol.ir.program.nodes import Const, Expr
from uol.ir.types import INDEX


@dataclass(frozen=True, slots=True)
class _Flat(Term):
    """Several terms that one operation joins, in any order."""

    terms: tuple[Expr, ...]
    dtype: str = INDEX

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.terms

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, terms=tuple(map(go, self.terms)))


@dataclass(frozen=True, slots=True)
class Total(_Flat):
    """A sum."""

    def c_text(self, printer: Printer, level: int) -> str:
        first, *rest = self.terms
        text = printer.value(first, ADDITIVE)
        for term in rest:
            is_negative = isinstance(term, Const) and term.value < 0
            value = Const(-term.value) if isinstance(term, Const) and is_negative else term
            text += f" {'-' if is_negative else '+'} {printer.value(value, MULTIPLICATIVE)}"
        return f"({text})" if level > ADDITIVE else text


@dataclass(frozen=True, slots=True)
class Flipped(_Flat):
    """An exclusive or."""

    def c_text(self, printer: Printer, level: int) -> str:
        text = " ^ ".join(printer.value(term, MULTIPLICATIVE) for term in self.terms)
        return f"({text})" if level > EXCLUSIVE_OR else text


@dataclass(frozen=True, slots=True)
class By(Term):
    """A multiple of a term, its quotient or its remainder by a number."""

    how: str
    of: Expr
    number: int
    dtype: str = INDEX

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.of,)

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, of=go(self.of))

    def c_text(self, printer: Printer, level: int) -> str:
        of = printer.value(self.of, UNARY if self.how == "*" and _divides(self.of) else MULTIPLICATIVE)
        text = f"{of} {self.how} {self.number}"
        return f"({text})" if level > MULTIPLICATIVE else text


def _divides(expr: Expr) -> bool:
    """`thread / 4 * 64` reads as if 4 * 64 were meant."""
    return isinstance(expr, By) and expr.how != "*"


def total(*terms: Expr | int) -> Expr:
    """The sum.

    >>> value_of(total(Local("i"), 3, Local("j"), 4), {"i": 10, "j": 100})
    117
    """
    flat = [part for term in map(_wrapped, terms) for part in (term.terms if isinstance(term, Total) else (term,))]
    constant = sum(int(part.value) for part in flat if isinstance(part, Const))
    rest = [part for part in flat if not isinstance(part, Const)]
    return _joined(Total, rest, constant)


def flipped(*terms: Expr | int) -> Expr:
    """The exclusive or."""
    flat = [part for term in map(_wrapped, terms) for part in (term.terms if isinstance(term, Flipped) else (term,))]
    constant = 0
    for part in flat:
        constant ^= int(part.value) if isinstance(part, Const) else 0
    return _joined(Flipped, [part for part in flat if not isinstance(part, Const)], constant)


def _joined(kind: type[Total | Flipped], rest: list[Expr], constant: int) -> Expr:
    if constant or not rest:
        rest.append(Const(constant))
    return rest[0] if len(rest) == 1 else kind(tuple(rest))


def scaled(term: Expr | int, number: int) -> Expr:
    """The product of a term and a number."""
    match _wrapped(term):
        case Const(value=value):
            return Const(int(value) * number)
        case _ if number in (0, 1):
            return _wrapped(term) if number else Const(0)
        case Total(terms=terms):
            return total(*(scaled(each, number) for each in terms))
        case By(how="*", of=of, number=before):
            return scaled(of, before * number)
        case Flipped(terms=terms) if _is_power(number):
            return flipped(*(scaled(each, number) for each in terms))
        case found:
            return By("*", found, number)


def quotient(term: Expr | int, number: int) -> Expr:
    """The term divided by the number, without what is left."""
    match _wrapped(term):
        case Const(value=value):
            return Const(int(value) // number)
        case found if number == 1:
            return found
        case found if (most := _limit(found)) is not None and most <= number:
            return Const(0)
        case By(how="/", of=of, number=before):
            return quotient(of, before * number)
        case By(how="*", of=of, number=before) if before % number == 0:
            return scaled(of, before // number)
        case By(how="*", of=of, number=before) if number % before == 0:
            return quotient(of, number // before)
        case Flipped(terms=terms) if _is_power(number):
            return flipped(*(quotient(each, number) for each in terms))
        case Total(terms=terms):
            return _quotient_of_sum(terms, number)
        case found:
            return By("/", found, number)


def _quotient_of_sum(terms: tuple[Expr, ...], number: int) -> Expr:
    """Multiples of the number leave the quotient; what is less than the step of all others has no part in it."""
    multiples = [each for each in terms if _is_multiple(each, number)]
    rest = [each for each in terms if each not in multiples]
    if multiples:
        return total(*(quotient(each, number) for each in multiples), quotient(total(*rest), number))
    for step in sorted({_step(each) for each in rest if number % _step(each) == 0}, reverse=True):
        small = [each for each in rest if _step(each) % step]
        limits = [_limit(each) for each in small]
        if small and None not in limits and sum(limit - 1 for limit in limits if limit) < step:
            return quotient(total(*(each for each in rest if each not in small)), number)
    return By("/", total(*rest), number)


def remainder(term: Expr | int, number: int) -> Expr:
    """What is left of the term divided by the number."""
    match _wrapped(term):
        case Const(value=value):
            return Const(int(value) % number)
        case _ if number == 1:
            return Const(0)
        case found if (most := _limit(found)) is not None and most <= number:
            return found
        case By(how="*", of=of, number=before) if before % number == 0:
            return Const(0)
        case By(how="*", of=of, number=before) if number % before == 0:
            return scaled(remainder(of, number // before), before)
        case By(how="%", of=of, number=before) if before % number == 0:
            return remainder(of, number)
        case Flipped(terms=terms) if _is_power(number):
            return flipped(*(remainder(each, number) for each in terms))
        case Total(terms=terms) if any(_is_multiple(each, number) for each in terms):
            return remainder(total(*(each for each in terms if not _is_multiple(each, number))), number)
        case found:
            return By("%", found, number)


def _limit(term: Expr) -> int | None:
    """What a term is less than; None where nothing is known."""
    match term:
        case Const(value=value):
            return int(value) + 1
        case Local(limit=limit):
            return limit
        case By(how="%", number=number):
            return number
        case By(how=how, of=of, number=number) if (of_it := _limit(of)) is not None:
            return (of_it - 1) * number + 1 if how == "*" else (of_it - 1) // number + 1
        case Total(terms=terms):
            limits = [_limit(each) for each in terms]
            return None if None in limits else 1 + sum(limit - 1 for limit in limits if limit)
    return None


def _step(term: Expr) -> int:
    """What a term is a multiple of."""
    return term.number if isinstance(term, By) and term.how == "*" else 1


def _is_power(number: int) -> bool:
    return number & (number - 1) == 0


def _is_multiple(term: Expr, number: int) -> bool:
    return isinstance(term, By) and term.how == "*" and term.number % number == 0


def _wrapped(term: Expr | int) -> Expr:
    return Const(term) if isinstance(term, int) else term


def value_of(expr: Expr, values: Mapping[str, Any]) -> Any:
    """What an address is where variables have these values."""
    match expr:
        case Const(value=value):
            return int(value)
        case Local(name=name):
            return values[name]
        case Total(terms=terms):
            return sum(value_of(term, values) for term in terms)
        case Flipped(terms=terms):
            found = 0
            for term in terms:
                found = found ^ value_of(term, values)
            return found
        case By(how=how, of=of, number=number):
            value = value_of(of, values)
            return value * number if how == "*" else value // number if how == "/" else value % number
    raise TypeError(f"no address: {expr}")
