"""Which attributes a kernel is compiled for, and which it takes as arguments."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from uol.ir.checker.messages import mismatch
from uol.ir.integers.terms import COMPARISONS
from uol.ir.program.nodes import Expr
from uol.ir.syntax import surface
from uol.ir.syntax.surface import Access, Apply, Attribute, Binary, Name, Node, Op, Reduction
from uol.ir.types import DTYPES

if TYPE_CHECKING:
    from uol.ir.checker.environment import Environment


@lru_cache(maxsize=1024)
def compile_time(op: Op) -> frozenset[str]:
    """The integer attributes that stand in a dim, an index, a bound, a condition on indices, or an operator's call.

    Every other attribute is used as a value only, and is an argument at run time.
    """
    integers = {a.name for a in op.attributes if a.type == "int"}
    places = [n for p in (*op.params, *op.results) for n in p.dims]
    places += op.where
    places += [a.default for a in op.attributes if a.type == "int" and a.default is not None]
    for statement in op.body:
        places += [i for t in statement.targets for i in t.index]
        places += _structural(statement.value, VALUED | {t.variable for t in op.domain})
    return frozenset(n.id for place in places for n in _names(place) if n.id in integers)


def default(env: Environment, attribute: Attribute, dtype: str) -> Expr | None:
    """The value of an attribute that a call leaves out, over the attributes before it (those that `env` holds); None
    where it has no default."""
    from uol.ir.checker import constants

    if attribute.type not in ("int", "float"):
        raise mismatch(env.op, attribute, f"an attribute is `int` or `float`, not `{attribute.type}`")
    if attribute.default is None:
        return None
    if any(n.id not in env.attributes for n in _names(attribute.default)):
        what = f"the default of `{attribute.name}` is not made of literals and earlier attributes"
        raise mismatch(env.op, attribute.default, what)
    return constants.constant(env, attribute.default, dtype)


VALUED = frozenset({"acc", "random_bits", *DTYPES})
"""Functions, beside the casts to a type variable, that make a value of what stands in them."""


def _structural(node: Node, valued: frozenset[str]) -> Iterator[surface.Expr | surface.Pack]:
    match node:
        case Access(tensor=tensor, index=index):
            yield from index
            if isinstance(tensor, Apply):
                yield from (k.value for k in tensor.keywords)
        case Reduction(binders=binders, args=args):
            yield from (b.bound for b in binders if b.bound is not None)
            yield from args[1:]
        case Binary(op=op) if op in COMPARISONS and not any(_is_value(n, valued) for n in surface.below(node)):
            yield node
    for operand in surface.operands(node):
        yield from _structural(operand, valued)


def _is_value(node: Node, valued: frozenset[str]) -> bool:
    return isinstance(node, Access | Reduction) or (isinstance(node, Apply) and node.fn in valued)


def _names(node: Node) -> Iterator[Name]:
    return (n for n in surface.below(node) if isinstance(n, Name))
