"""The term that a read receives, as a sum over the indices that the read does not fix.

y[axes] = ... x[I(axes, r)] ...   gives   dx[j] += sum over all (axes, r) with I(axes, r) = j of the cotangent there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from uol.ir.gradients.algebra import Product, add, product_expr, product_of, to_expr
from uol.ir.gradients.cotangent import Cotangent, Index
from uol.ir.gradients.inference import Types, extent_in
from uol.ir.gradients.substitution import Item, free_keys, index_key, substitute
from uol.ir.syntax import Access, Binder, Expr, Name, Pack, Reduction


def gather(access: Access, cotangent: Cotangent, scope: Sequence[Index], target: Sequence[Item], types: Types) -> Cotangent:
    """The cotangent as a function of the target's indices."""
    values: dict[str, Item] = {}
    for item, place in zip(access.index, target, strict=True):
        values[index_key(item)] = place
    products = tuple(Product(p.coefficient, tuple((substitute(f, values), q) for f, q in p.factors)) for p in cotangent.sum)
    free = [i for i in scope if i.key not in values]
    if not free:
        return replace(cotangent, sum=add(products))
    wide = types.accumulator(cotangent.type)
    if wide != cotangent.type:
        products = (product_of(types.cast(to_expr(products), cotangent.type, wide)),)
    return Cotangent(wide, tuple(summed(p, free, types) for p in products))


def summed(product: Product, free: Sequence[Index], types: Types) -> Product:
    """sum[free](product), the factors that do not depend on the indices outside."""
    keys = {i.key for i in free}
    inside = tuple((f, p) for f, p in product.factors if free_keys(f) & keys)
    outside = tuple((f, p) for f, p in product.factors if not free_keys(f) & keys)
    body = product_expr(Product(Fraction(1), inside))
    binders = tuple(b for i in free for b in bind(i, body, types))
    total = Reduction("sum", binders, (body,))
    return Product(product.coefficient, outside).times(product_of(total))


def bind(index: Index, body: Expr, types: Types) -> tuple[Binder, ...]:
    """The binders of an index: bare where the body says how far it runs."""
    item = index.item
    if isinstance(item, Pack):
        return (Binder(item.id, pack=True),)
    assert isinstance(item, Name)
    bounds = tuple(Binder(item.id, relation, bound) for relation, bound in index.conditions)
    if extent_in(types, (body,), item, firm=True) == index.extent:
        return bounds or (Binder(item.id),)
    assert index.extent is not None and not isinstance(index.extent, Pack)
    return (Binder(item.id, "<", index.extent), *bounds)
