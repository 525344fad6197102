"""The term of a read whose index map has no inverse: every element that was read is added to where it stood:

y[m, d] = x[src[m], d]      gives      dx_sum[src[m], d] += dy[m, d]
"""

from __future__ import annotations

from collections.abc import Sequence

from uol.ir.gradients.cotangent import Cotangent, chosen
from uol.ir.gradients.cotangent_accumulator import Accumulator
from uol.ir.gradients.maps.guards import data_with_else
from uol.ir.gradients.maps.transposed_index import Term
from uol.ir.gradients.text.algebra import product_of, to_expr
from uol.ir.gradients.text.substitution import Item
from uol.ir.syntax.surface import Access, Apply, Binary, Bool, Expr, Name, Number, Pack, Statement, Target


def scattered(
    term: Term, element: Sequence[Item], accumulator: Accumulator, wish: str, *, begun: bool
) -> tuple[Statement, Cotangent] | None:
    """The statement that adds the terms up, and the read of its sum at the element. `begun`: `wish` is the name of a sum
    that is added to already. None where the statement would not say how far one of its indices runs."""
    cotangent, access, types = term.cotangent, term.access, accumulator.types
    wide = types.accumulator(cotangent.type)
    value = to_expr(cotangent.sum)
    if wide != cotangent.type:
        value = types.cast(value, cotangent.type, wide)
    conditions: list[Expr] = [
        Binary(relation, i.item, bound) for i in term.scope for relation, bound in i.conditions if not isinstance(i.item, Pack)
    ]
    if conditions:
        value = chosen(conditions, value)
    missing = accumulator.missing((value, Access(access.tensor, access.index)), term.scope)
    if missing:
        other = accumulator.standing_in(missing, wide)
        if other is None:
            return None
        value = Apply("select", (Bool(True), value, other))
    assert isinstance(access.tensor, Name)
    name = wish if begun else accumulator.names.fresh(wish)
    types.tensors[name], types.dims[name] = wide, types.dims[access.tensor.id]
    extents = {i.item: i.extent for i in term.scope}
    index: list[Item] = []
    for item, dim in zip(access.index, types.dims[access.tensor.id], strict=True):
        if isinstance(item, Name) and extents.get(item, dim) != dim:
            index.append(Binary("+", item, Number(0)))  # alone it would run over this dim
        else:
            index.append(item if isinstance(item, Pack) else data_with_else(item, accumulator.types))
    statement = Statement((Target(name, tuple(index)),), "+=", value)
    return statement, Cotangent(wide, (product_of(Access(Name(name), tuple(element))),))
