"""The term of a read whose index map has no inverse: every element that was read is added to where it stood:

y[m, d] = x[src[m], d]      gives      dx_sum[src[m], d] += dy[m, d]
"""

from __future__ import annotations

from collections.abc import Sequence

from uol.ir.gradients.algebra import product_of, to_expr
from uol.ir.gradients.cotangent import Cotangent, chosen
from uol.ir.gradients.gathering import Term
from uol.ir.gradients.inference import Types, extent_in
from uol.ir.gradients.naming import Names
from uol.ir.gradients.substitution import Item
from uol.ir.syntax import Access, Binary, Expr, Name, Pack, Statement, Target


def scattered(
    term: Term, element: Sequence[Item], types: Types, names: Names, wish: str, *, begun: bool
) -> tuple[Statement, Cotangent] | None:
    """The statement that adds the terms up, and the read of its sum at the element. `begun`: `wish` is the name of a sum
    that is added to already. None where the statement would not say how far one of its indices runs."""
    cotangent, access = term.cotangent, term.access
    wide = types.accumulator(cotangent.type)
    value = to_expr(cotangent.sum)
    if wide != cotangent.type:
        value = types.cast(value, cotangent.type, wide)
    conditions: list[Expr] = [
        Binary(relation, i.item, bound) for i in term.scope for relation, bound in i.conditions if not isinstance(i.item, Pack)
    ]
    standing = (value, Access(access.tensor, access.index))
    for index in term.scope:
        stands = extent_in(types, standing, index.item) == index.extent
        if extent_in(types, standing, index.item) is None:
            return None
        if not stands and isinstance(index.item, Name) and index.extent is not None and not isinstance(index.extent, Pack):
            conditions.append(Binary("<", index.item, index.extent))
    if conditions:
        value = chosen(conditions, value)
    assert isinstance(access.tensor, Name)
    name = wish if begun else names.fresh(wish)
    types.tensors[name], types.dims[name] = wide, types.dims[access.tensor.id]
    statement = Statement((Target(name, access.index),), "+=", value)
    return statement, Cotangent(wide, (product_of(Access(Name(name), tuple(element))),))
