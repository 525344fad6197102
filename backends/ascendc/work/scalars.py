"""The integers of a kernel's scalar unit, evaluated from their C text for many iterations at once.

    least[i] <= value of the expression at iteration i <= most[i]

Both ends are one where no data decide. What is read from memory may be anything, and so may what is no integer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from uol.backends.ascendc.transfers.indices import BINARY

Numbers = NDArray[np.float64]
"""Integers below 2**53, which f64 holds exactly."""

FAR = 2.0**62
"""Beyond every integer that a kernel computes."""

OPERATOR_OF = {"||": "or", "&&": "and"}
TOKEN = re.compile(r"\s*(\d+|[@\w.]+(?:<\w+>(?=\())?|&&|\|\||[<>=!]=|[-+*/%<>!?:(),])")


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most that an integer may be, one by one for the iterations."""

    least: Numbers
    most: Numbers

    @property
    def is_known(self) -> bool:
        return self.least is self.most

    def at(self, places: NDArray[np.intp]) -> Range:
        """Those of some iterations, by their numbers."""
        return exactly(self.least[places]) if self.is_known else Range(self.least[places], self.most[places])


def exactly(numbers: Numbers) -> Range:
    """Integers that are known."""
    return Range(numbers, numbers)


def anything(count: int) -> Range:
    """Integers of which nothing is known."""
    return Range(np.full(count, -FAR), np.full(count, FAR))


@dataclass(frozen=True, slots=True)
class Scalar:
    """An expression: `fn` of its operands; a number, a name, or what nothing is known of where there are none."""

    fn: str
    operands: tuple[Scalar, ...] = ()
    number: int | None = None
    names: frozenset[str] = field(default=frozenset())

    def range(self, values: Mapping[str, Range], count: int) -> Range:
        """What the expression is at `count` iterations, by what the names in it are there."""
        if self.number is not None:
            return exactly(np.full(count, float(self.number)))
        if not self.operands:
            return values.get(self.fn) or anything(count)
        return FUNCTIONS[self.fn](*(o.range(values, count) for o in self.operands))


def _monotonic(combine: Callable[[Numbers, Numbers], Numbers]) -> Callable[[Range, Range], Range]:
    """A function that takes its extremes at ends of its operands' ranges."""

    def function(a: Range, b: Range) -> Range:
        if a.is_known and b.is_known:
            return exactly(combine(a.least, b.least))
        corners = [combine(x, y) for x in (a.least, a.most) for y in (b.least, b.most)]
        return Range(np.minimum.reduce(corners), np.maximum.reduce(corners))

    return function


def _quotient(a: Numbers, b: Numbers) -> Numbers:
    return np.trunc(a / np.where(b == 0, 1, b))


def _remainder(a: Range, b: Range) -> Range:
    if a.is_known and b.is_known:
        return exactly(a.least - _quotient(a.least, b.least) * b.least)
    return Range(np.where(a.least >= 0, 0.0, 1 - b.most), np.where(a.most <= 0, 0.0, b.most - 1))


def _relation(holds: Callable[[Range, Range], tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> Callable[[Range, Range], Range]:
    """1 or 0, by whether the relation holds for certain, and whether it may hold."""

    def function(a: Range, b: Range) -> Range:
        surely, maybe = (x.astype(np.float64) for x in holds(a, b))
        return exactly(surely) if a.is_known and b.is_known else Range(surely, maybe)

    return function


def _not(a: Range) -> Range:
    low, high = truth(a)
    return exactly(1 - low) if low is high else Range(1 - high, 1 - low)


def truth(a: Range) -> tuple[Numbers, Numbers]:
    """0 or 1: whether it is true for certain, and whether it may be."""
    surely = ((a.least > 0) | (a.most < 0)).astype(np.float64)
    return (surely, surely) if a.is_known else (surely, ((a.least != 0) | (a.most != 0)).astype(np.float64))


def _both(a: Range, b: Range) -> Range:
    (p, q), (r, s) = truth(a), truth(b)
    return exactly(p * r) if a.is_known and b.is_known else Range(p * r, q * s)


def _either(a: Range, b: Range) -> Range:
    return _not(_both(_not(a), _not(b)))


def _chosen(condition: Range, a: Range, b: Range) -> Range:
    surely, maybe = truth(condition)
    if condition.is_known and a.is_known and b.is_known:
        return exactly(np.where(surely > 0, a.least, b.least))
    least = np.where(surely > 0, a.least, np.where(maybe > 0, np.minimum(a.least, b.least), b.least))
    return Range(least, np.where(surely > 0, a.most, np.where(maybe > 0, np.maximum(a.most, b.most), b.most)))


FUNCTIONS: Mapping[str, Callable[..., Range]] = {
    "+": _monotonic(np.add),
    "*": _monotonic(np.multiply),
    "-": _monotonic(np.subtract),
    "/": _monotonic(_quotient),
    "%": _remainder,
    "lesser": _monotonic(np.minimum),
    "greater": _monotonic(np.maximum),
    "ceil_div": lambda a, b: FUNCTIONS["/"](_monotonic(lambda x, y: x + y - 1)(a, b), b),
    "<": _relation(lambda a, b: (a.most < b.least, a.least < b.most)),
    "<=": _relation(lambda a, b: (a.most <= b.least, a.least <= b.most)),
    ">": _relation(lambda a, b: (a.least > b.most, a.most > b.least)),
    ">=": _relation(lambda a, b: (a.least >= b.most, a.most >= b.least)),
    "==": _relation(lambda a, b: ((a.least == b.most) & (a.most == b.least), (a.least <= b.most) & (b.least <= a.most))),
    "!=": lambda a, b: _not(FUNCTIONS["=="](a, b)),
    "!": _not,
    "and": _both,
    "or": _either,
    "?": _chosen,
}
"""By the operator or the helper of the emitted text (`helpers`); floored quotients are of data."""


@lru_cache(maxsize=1 << 14)
def scalar(text: str) -> Scalar:
    """The expression of a C text. One that it does not know (floats, data) is one of which nothing is known."""
    try:
        return _Reader(text).whole()
    except _Unread:
        return Scalar("", names=frozenset(re.findall(r"[A-Za-z_]\w*", text)))


class _Unread(Exception):
    """No text of an integer."""


class _Reader:
    """A reader by precedence."""

    def __init__(self, text: str) -> None:
        self.tokens, self.place = list(_tokens(text)), 0

    def whole(self) -> Scalar:
        result = self.choice()
        if self.place < len(self.tokens):
            raise _Unread
        return result

    def next(self, *wanted: str) -> str:
        """The token that is read now, if it is one of those wanted, or whatever it is; empty where it is not."""
        token = self.tokens[self.place] if self.place < len(self.tokens) else ""
        if not token or (wanted and token not in wanted):
            return ""
        self.place += 1
        return token

    def choice(self) -> Scalar:
        condition = self.binary(1)
        if not self.next("?"):
            return condition
        yes = self.choice()
        self.require(":")
        return _call("?", condition, yes, self.choice())

    def binary(self, level: int) -> Scalar:
        left = self.unary()
        while True:
            token = self.next()
            name = OPERATOR_OF.get(token, token)
            if BINARY.get(name, 0) < level:
                self.place -= bool(token)
                return left
            left = _call(name, left, self.binary(BINARY[name] + 1))

    def unary(self) -> Scalar:
        if self.next("-"):
            return _call("-", Scalar("", number=0), self.unary())
        if self.next("!"):
            return _call("!", self.unary())
        return self.primary()

    def primary(self) -> Scalar:
        token = self.next()
        if token == "(":
            inner = self.choice()
            self.require(")")
            return inner
        if token.isdigit():
            return Scalar("", number=int(token))
        if not re.fullmatch(r"@?[A-Za-z_][\w.]*(<\w+>)?", token):
            raise _Unread
        return self.call(token.removeprefix("@")) if self.next("(") else Scalar(token, names=frozenset({token}))

    def call(self, name: str) -> Scalar:
        operands = []
        while not self.next(")"):
            operands.append(self.choice())
            self.next(",")
        if name.startswith("static_cast<int"):
            return operands[0]
        if not operands:
            return Scalar(name, names=frozenset({name}))
        return _call(name, *operands) if name in FUNCTIONS else Scalar("", names=frozenset())

    def require(self, token: str) -> None:
        if not self.next(token):
            raise _Unread


def _call(fn: str, *operands: Scalar) -> Scalar:
    return Scalar(fn, operands, names=frozenset().union(*(o.names for o in operands)))


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            raise _Unread
        yield found[1]
        place = found.end()
