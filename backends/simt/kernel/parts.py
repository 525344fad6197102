"""Parts of the sizes that the dims of a spec may have: each has a kernel of its own, and a size is in one part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from uol.codegen.indexing.arithmetic import size, static
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Axis, Call, Const, Expr

Where = tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Sizes for which all conditions hold, and what their kernel is called behind the spec's name."""

    name: str = ""
    where: Where = ()

    def narrowed(self, name: str, where: Where) -> Part:
        """The sizes of this part for which more conditions hold."""
        return Part("_".join(filter(None, (self.name, name))), (*self.where, *where))


ALL = Part()


def up_to(bounds: Mapping[str, int], *counts: Expr) -> Iterator[Part]:
    """All counts up to one bound after another, and beyond the last."""
    beyond: Where = ()
    for name, most in bounds.items():
        within = tuple(compare("<=", count, Const(most)) for count in counts)
        yield Part(name, (*within, *beyond))
        beyond = (not_all(within),)
    yield Part("", beyond)


def not_all(conditions: Sequence[Expr]) -> Expr:
    """Does one of these not hold?"""
    first, *others = map(negate, conditions)
    return reduce(lambda found, each: Call("or", (found, each), "bool"), others, first)


def is_open(axes: Iterable[Axis]) -> bool:
    """Is the number of points an argument of the kernel?"""
    return static(size(axes)) is None
