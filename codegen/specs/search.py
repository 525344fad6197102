"""How many of ascending keys come before a value: a bisection in memory, at one place of an expression.

    Reached   of a program, the whole value of a stage or an operand in it    Search   of a spec, in its place
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

from uol.codegen.indexing.arithmetic import static
from uol.ir.program.nodes import Expr, Load
from uol.ir.program.walk import walk

LONGEST = 48
"""Steps among as many keys as an address space holds: where their number is an argument."""


@dataclass(frozen=True, slots=True)
class Reached(Expr):
    """How many of the first `count` elements of a tensor, whose first is `first` and whose elements ascend, are less than
    `value`, or with `equal` no more than it: of none where it is NaN, and never those that are NaN, which come last."""

    first: Load
    count: Expr
    value: Expr
    equal: bool
    dtype: str

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.first, self.count, self.value

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        first = go(self.first)
        assert isinstance(first, Load), f"{first!r} stands where keys begin"
        return replace(self, first=first, count=go(self.count), value=go(self.value))


@dataclass(frozen=True, slots=True)
class Search(Expr):
    """`Reached` of a buffer: of the elements `tensor[0]`, `tensor[stride]`, ..., `count` of them, which may be none. It is no
    `Read`, since what it reads is at no one place: reads are kept, moved and made vectors of, a search is not. `value` is of
    the type of the elements."""

    tensor: str
    stride: Expr
    count: Expr
    value: Expr
    equal: bool
    dtype: str

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.stride, self.count, self.value

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, stride=go(self.stride), count=go(self.count), value=go(self.value))

    @property
    def steps(self) -> int:
        """How often the keys are halved, at most."""
        count = static(self.count)
        return LONGEST if count is None else count.bit_length()


def searches(expr: Expr) -> Iterator[Search]:
    """The searches of an expression, those for the values of others included."""
    return (node for node in walk(expr) if isinstance(node, Search))
