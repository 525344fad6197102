"""The rules of the language for an operator as a whole: all dims and attributes symbolic, every type of its domain."""

from __future__ import annotations

from itertools import product

from uol.ir.checker.instantiation import instantiate
from uol.ir.checker.variadic_dims import pack_names
from uol.ir.integers.facts import Facts
from uol.ir.library import Library
from uol.ir.syntax.surface import Op

RANKS = (1, 0, 2)
"""Packs are checked at these ranks: one dim is the general case, none and two are its edges."""


def check(op: Op, library: Library) -> None:
    """Raises TypeCheckError or BoundsError, at its position, where the operator is wrong for some types, ranks, dims or
    attributes that its `where` clause admits."""
    facts = Facts()  # shared, so that a proof is made once for all types
    packs = pack_names(op)
    for number, types in enumerate(product(*(t.types for t in op.domain))):
        bound = dict(zip((t.variable for t in op.domain), types, strict=True))
        for rank in RANKS if packs and number == 0 else RANKS[:1]:
            instantiate(op, library, types=bound, ranks=dict.fromkeys(packs, rank), defaults=False, facts=facts)
