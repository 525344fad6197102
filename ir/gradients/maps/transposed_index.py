"""The term that a read receives, as a sum over the indices that the read does not fix.

    y[axes] = ... x[I(axes, r)] ...   gives   dx[j] += sum over all (axes, r) with I(axes, r) = j of the cotangent there

Where the solved indices may leave their ranges, the reads that they stand alone in vanish there (`else 0`), or the whole
term stands in a `select`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from uol.ir.gradients.cotangent import Cotangent, Index, chosen, conjunction
from uol.ir.gradients.maps.guards import data_with_else, divides_by, guarded, without_ranges
from uol.ir.gradients.maps.inverted_index import Inverse, Search, invert
from uol.ir.gradients.text.algebra import Product, Sum, add, product_expr, product_of, to_expr
from uol.ir.gradients.text.inference import Types, extent_in
from uol.ir.gradients.text.integer_text import minus, plus, shorter, simplified
from uol.ir.gradients.text.naming import Names
from uol.ir.gradients.text.substitution import Item, free_keys, index_key, substitute
from uol.ir.syntax.surface import Access, Apply, Binary, Binder, Bool, Expr, Name, Number, Pack, Reduction

FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Term:
    """A read, the cotangent of what it read, and the indices around it."""

    access: Access
    cotangent: Cotangent
    scope: tuple[Index, ...]


def gather(
    term: Term, element: Sequence[Item], dims: Sequence[Item], types: Types, names: Names, search: Search = "none"
) -> Cotangent | None:
    """The term over the indices of the element; None where its index map has no inverse. A `search` asks every index
    whether it reads the element. Strides beside dilations have two forms: the better one is for dilations of 1."""
    term = in_names_of(term, element, names)
    index = term.access.index
    inverse = invert(index, element, dims, term.scope, names, types.signs, search=search)
    bounds = (b for i in term.scope for _, b in i.conditions)
    factors = (f for p in term.cotangent.sum for f, _ in p.factors)
    if inverse is None or divides_by((*(i for i in index if not isinstance(i, Pack)), *bounds, *factors), inverse.doubtful):
        return None
    general = _over(inverse, term, element, dims, types)
    units = tuple(dict.fromkeys(s for s in inverse.steps if not free_keys(s) & {i.key for i in term.scope}))
    better = invert(index, element, dims, term.scope, names, types.signs, units, search=search) if units else None
    if better is None or better.steps:
        return general
    undilated = _over(better, term, element, dims, types)
    whole = conjunction([Binary("==", u, Number(1)) for u in units])
    arms = (types.cast(to_expr(c.sum), c.type, general.type) for c in (undilated, general))
    return Cotangent(general.type, (product_of(Apply("select", (whole, *arms))),))


def is_awkward(term: Term, element: Sequence[Item], dims: Sequence[Item], types: Types, names: Names) -> bool:
    """Whether the inverse would put the whole term under conditions, for want of a factor that vanishes by itself."""
    term = in_names_of(term, element, names)
    inverse = invert(term.access.index, element, dims, term.scope, names, types.signs)
    return inverse is not None and guarded(term.cotangent.sum, term.scope, inverse, types).whole


def _over(inverse: Inverse, term: Term, element: Sequence[Item], dims: Sequence[Item], types: Types) -> Cotangent:
    masks = _masks(term.scope, inverse)
    guard = guarded(term.cotangent.sum, term.scope, inverse, types)
    conditions = [*masks.conditions, *(data_with_else(c, types) for c in inverse.conditions), *guard.conditions]
    masks, conditions, products = _settled(masks, conditions, _placed(guard.products, inverse.values), element, dims)
    if guard.whole:
        pairs = zip(element, dims, strict=True)
        extents = {e.id: d for e, d in pairs if isinstance(e, Name)} | {i.key: i.extent for i in masks.free}
        products = tuple(p.mapped(lambda f: without_ranges(f, extents, types)) for p in products)
        conditions = [without_ranges(c, extents, types) for c in conditions]
    cotangent = replace(term.cotangent, sum=products)
    if not masks.free:
        return replace(cotangent, sum=_under(conditions, add(products)))
    wide = types.accumulator(cotangent.type)
    if wide != cotangent.type:
        products = (product_of(types.cast(to_expr(products), cotangent.type, wide)),)
    return Cotangent(wide, tuple(summed(p, masks.free, conditions, types) for p in products))


def in_names_of(term: Term, element: Sequence[Item], names: Names) -> Term:
    """The term with the element's names where its read has plain indices, and none of them elsewhere."""
    keys = [index_key(e) for e in element]
    known = {i.key for i in term.scope}
    moved: dict[str, Item] = {}
    for item, place in zip(term.access.index, element, strict=True):
        key = f"*{item.id}" if isinstance(item, Pack) else item.id if isinstance(item, Name) else ""
        if key in known and key not in moved:
            moved[key] = place
    freed = [k for k in moved if k not in keys]
    used = {k.lstrip("*") for k in (*keys, *known)}
    for index in term.scope:
        if index.key in moved or index.key not in keys:
            continue
        same_kind = [k for k in freed if k.startswith("*") == index.key.startswith("*")]
        if same_kind:
            freed.remove(same_kind[0])
            moved[index.key] = Index(same_kind[0], None, True).item
            continue
        name = names.index("ijklmabcdefg", used)
        used.add(name)
        moved[index.key] = Pack(name) if index.key.startswith("*") else Name(name)
    changed = {k: v for k, v in moved.items() if index_key(v) != k}
    return renamed(term, changed) if changed else term


def renamed(term: Term, values: Mapping[str, Item]) -> Term:
    scope = tuple(
        replace(
            i,
            key=index_key(values[i.key]) if i.key in values else i.key,
            conditions=_bounds_at(i, values).conditions,
        )
        for i in term.scope
    )
    products = _placed(term.cotangent.sum, values)
    index = tuple(values.get(f"*{i.id}", i) if isinstance(i, Pack) else substitute(i, values) for i in term.access.index)
    return Term(replace(term.access, index=index), replace(term.cotangent, sum=products), scope)


@dataclass(frozen=True, slots=True)
class _Masks:
    free: list[Index]
    conditions: list[Expr]


def _masks(scope: Sequence[Index], inverse: Inverse) -> _Masks:
    """What the bounds of the scope's indices say of the free ones: a bound of such an index where it can be one."""
    free = {i.key: replace(i, conditions=()) for i in inverse.free}
    conditions: list[Expr] = []
    for index in scope:
        for relation, bound in index.conditions:
            here: Item = inverse.values.get(index.key, index.item)
            there = substitute(bound, inverse.values)
            assert not isinstance(here, Pack)
            if index.key in free:
                free[index.key] = _bounded(free[index.key], relation, there)
            elif isinstance(bound, Name) and bound.id in free and relation in FLIPPED:
                free[bound.id] = _bounded(free[bound.id], FLIPPED[relation], here)
            elif (moved := _shifted(there, here, free)) is not None and relation in FLIPPED:
                free[moved[0]] = _bounded(free[moved[0]], FLIPPED[relation], moved[1])
            else:
                conditions.append(Binary(relation, here, there))
    return _Masks(list(free.values()), conditions)


def _shifted(bound: Expr, here: Expr, free: Mapping[str, Index]) -> tuple[str, Expr] | None:
    """`here rel i + k` as a bound of i: here - k."""
    match bound:
        case Binary(op="+", left=Name(id=name), right=rest) if name in free and not free_keys(rest) & set(free):
            return name, minus(here, rest)
        case Binary(op="-", left=Name(id=name), right=rest) if name in free and not free_keys(rest) & set(free):
            return name, plus(here, rest)
    return None


def _bounded(index: Index, relation: str, bound: Expr) -> Index:
    return replace(index, conditions=(*index.conditions, (relation, bound)))


def _settled(
    masks: _Masks, conditions: Sequence[Expr], products: Sum, element: Sequence[Item], dims: Sequence[Item]
) -> tuple[_Masks, list[Expr], Sum]:
    """Indices and conditions shortened; an index that a condition makes 0 is 0 everywhere."""
    pairs = [(i, d) for i, d in zip(element, dims, strict=True) if isinstance(i, Name)]
    pairs += [(i.item, i.extent) for i in masks.free if isinstance(i.item, Name) and i.extent is not None]
    extents = {i.id: d for i, d in pairs if not isinstance(d, Pack)}
    masks, loose = _bounds(masks, extents)
    conditions = [simplified(c, extents) for c in (*conditions, *loose)]
    products = add(tuple(p.mapped(lambda f: simplified(f, extents)) for p in products))
    keys = {i.key for i in masks.free}
    for index in masks.free:
        value = _fixed(index, keys, conditions, products, extents)
        if value is not None:
            at: dict[str, Item] = {index.key: value}
            rest = _Masks([_bounds_at(i, at) for i in masks.free if i is not index], masks.conditions)
            return _settled(rest, [substitute(c, at) for c in conditions], _placed(products, at), element, dims)
    return masks, [c for c in conditions if c != Bool(True)], products


def _bounds_at(index: Index, values: Mapping[str, Item]) -> Index:
    return replace(index, conditions=tuple((r, substitute(b, values)) for r, b in index.conditions))


def _bounds(masks: _Masks, extents: Mapping[str, Expr]) -> tuple[_Masks, list[Expr]]:
    """The bounds of the free indices shortened, those that do not bound one by the others as conditions; indices that
    bound others come first."""
    free: list[Index] = []
    loose: list[Expr] = []
    for index in masks.free:
        kept: list[tuple[str, Expr]] = []
        for relation, bound in index.conditions:
            short = simplified(shorter(bound, extents), extents)
            if index.key in free_keys(short) and isinstance(index.item, Name):
                loose.append(Binary(relation, index.item, short))
            else:
                kept.append((relation, short))
        free.append(replace(index, conditions=tuple(kept)))
    ordered: list[Index] = []
    while free:
        keys = {i.key for i in free}
        ready = [i for i in free if not any(free_keys(b) & keys for _, b in i.conditions)]
        if not ready:  # they bound each other: one of them runs freely
            loose += [Binary(r, free[0].item, b) for r, b in free[0].conditions if not isinstance(free[0].item, Pack)]
            ready, free = [replace(free[0], conditions=())], free[1:]
        ordered += ready
        free = [i for i in free if i not in ready]
    return _Masks(ordered, masks.conditions), loose


def _fixed(index: Index, keys: set[str], conditions: Sequence[Expr], products: Sum, extents: Mapping[str, Expr]) -> Expr | None:
    """The one value of a free index at which anything is added, where a condition says so: 0, or an index of its range."""
    item = index.item
    if index.conditions or isinstance(item, Pack):
        return None
    values: list[Expr] = [Number(0), *(Name(k) for k, e in extents.items() if e == index.extent and k not in keys)]
    for value in values:
        for equation in (Binary("==", item, value), Binary("==", value, item)):
            added_there = all(any(_vanishes_unless(f, equation) for f, q in p.factors if q > 0) for p in products)
            if equation in conditions or (added_there and products):
                return value
    return None


def _vanishes_unless(factor: Expr, condition: Expr) -> bool:
    match factor:
        case Apply(fn="select", args=(whole, _, Number(value=0))) if not isinstance(whole, Pack):
            return condition in _parts(whole)
        case Apply(fn="acc", args=(inner,)) if not isinstance(inner, Pack):
            return _vanishes_unless(inner, condition)
    return False


def _parts(condition: Expr) -> tuple[Expr, ...]:
    match condition:
        case Binary(op="and", left=left, right=right):
            return _parts(left) + _parts(right)
    return (condition,)


def _placed(products: Sum, values: Mapping[str, Item]) -> Sum:
    return tuple(p.mapped(lambda f: substitute(f, values)) for p in products)


def _under(conditions: Sequence[Expr], products: Sum) -> Sum:
    if not conditions or not products:
        return products
    return (product_of(chosen(conditions, to_expr(products))),)


def summed(product: Product, free: Sequence[Index], conditions: Sequence[Expr], types: Types) -> Product:
    """sum[free](product), the factors that do not depend on the free indices outside. Where conditions do not either,
    nothing is added in vain: the sum as a whole stands under them."""
    keys = {i.key for i in free}
    within = [c for c in conditions if free_keys(c) & keys]
    without = [c for c in conditions if not free_keys(c) & keys]
    inside = tuple((f, p) for f, p in product.factors if free_keys(f) & keys)
    outside = Product(product.coefficient, tuple((f, p) for f, p in product.factors if not free_keys(f) & keys))
    idle = [i for i in free if _is_idle(i, free, (*(f for f, _ in inside), *within))]
    for index in idle:  # the same term, as often as the index runs
        outside = outside.times(product_of(_size(index.extent)))
    free = [i for i in free if i not in idle]
    body = product_expr(Product(Fraction(1), inside))
    if within:
        body = chosen(within, body)
    if not free:
        return _under(without, (outside,))[0]
    binders = tuple(b for i in free for b in bind(i, body, types))
    total = outside.times(product_of(Reduction("sum", binders, (body,))))
    return _under(without, (total,))[0]


def _is_idle(index: Index, free: Sequence[Index], parts: Sequence[Expr]) -> bool:
    """Whether nothing depends on an index, and its range is known."""
    used = {k for p in parts for k in free_keys(p)} | {k for i in free for _, b in i.conditions for k in free_keys(b)}
    whole = all(c == ("<", index.extent) for c in index.conditions)
    return index.extent is not None and whole and index.key not in used


def _size(extent: Item | None) -> Expr:
    assert extent is not None
    return Apply("count", (extent,)) if isinstance(extent, Pack) else extent


def bind(index: Index, body: Expr, types: Types) -> tuple[Binder, ...]:
    """The binders of an index: bare where the body says how far it runs."""
    item = index.item
    if isinstance(item, Pack):
        return (Binder(item.id, pack=True),)
    bounds = tuple(Binder(item.id, relation, bound) for relation, bound in index.conditions if bound != index.extent)
    if index.extent is None or extent_in(types, (body,), item, firm=True) == index.extent:
        return bounds or (Binder(item.id),)
    assert not isinstance(index.extent, Pack)
    return (Binder(item.id, "<", index.extent), *bounds)
