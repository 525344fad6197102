"""Solved indices that may lie out of range: what keeps the reads at them in bounds and their terms out of the sum."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from uol.ir.gradients.cotangent import Index
from uol.ir.gradients.maps.inverted_index import Inverse
from uol.ir.gradients.text.algebra import Sum
from uol.ir.gradients.text.inference import Types, extent_in
from uol.ir.gradients.text.integer_text import is_integer
from uol.ir.gradients.text.substitution import Item, free_keys
from uol.ir.syntax.surface import Access, Apply, Binary, Binder, Expr, Name, Node, Number, Pack, Reduction, below, exchange


@dataclass(frozen=True, slots=True)
class Guarded:
    """Products before the substitution, with `else 0` where a read may lie outside; conditions after it. `whole` says
    that the term as a whole stands under them, because no factor of it vanishes by itself."""

    products: Sum
    conditions: tuple[Expr, ...]
    whole: bool = False


def guarded(products: Sum, scope: Sequence[Index], inverse: Inverse, types: Types) -> Guarded:
    """Every doubtful index is covered in each product by a factor that vanishes outside, or by conditions."""
    doubtful = frozenset(inverse.doubtful)
    if not doubtful:
        return Guarded(products, ())
    extents = {i.key: i.extent for i in scope}
    covered = doubtful
    vanishing = True
    for product in products:
        own: set[str] = set()
        for factor, power in product.factors:
            if not free_keys(factor) & doubtful:
                continue
            found = _covered(factor, doubtful, extents, types)
            vanishing = vanishing and found is not None and power > 0
            own |= found or set()
        covered = covered & own
    if not vanishing:
        return Guarded(products, _ranges(doubtful, extents, inverse), whole=True)
    safe = tuple(p.mapped(lambda f: with_else(f, doubtful, types)) for p in products)
    return Guarded(safe, _ranges(doubtful - covered, extents, inverse))


def _covered(factor: Expr, doubtful: frozenset[str], extents: Mapping[str, Item | None], types: Types) -> set[str] | None:
    """The indices outside of whose range the factor is 0 once its reads have an `else 0`; None where it may be no number."""
    match factor:
        case Access(tensor=Name(id=name), index=index, fill=fill):
            if fill is not None and fill != Number(0):
                return None
            dims = types.dims.get(name, ())
            pairs = zip(index, dims, strict=False)
            return {i.id for i, d in pairs if isinstance(i, Name) and i.id in doubtful and d == extents[i.id]}
        case Apply(fn="select", args=(_, a, b)) if not isinstance(a, Pack) and not isinstance(b, Pack):
            arms = [_covered(x, doubtful, extents, types) for x in (a, b) if x != Number(0)]
            return None if None in arms or not arms else set.intersection(*(x for x in arms if x is not None))
        case Apply(fn=fn, args=(arg,)) if not isinstance(arg, Pack) and (fn == "acc" or fn in types.sets):
            return _covered(arg, doubtful, extents, types)
        case Binary(op="*", left=left, right=right):
            sides = [_covered(x, doubtful, extents, types) for x in (left, right) if free_keys(x) & doubtful]
            return None if None in sides else set().union(*(x for x in sides if x is not None))
    return None


def with_else(expr: Expr, doubtful: frozenset[str], types: Types) -> Expr:
    """Every read at a doubtful index, in conditions too, with an `else 0`."""
    return _filled(expr, types, lambda read: any(free_keys(i) & doubtful for i in read.index))


def without_ranges(expr: Expr, extents: Mapping[str, Item | None], types: Types) -> Expr:
    """With an `else 0` at every read of a dim that is not the range of the plain index there: a condition around the read says
    that it lies inside, but without an `else` it would say how far the index runs."""

    def is_elsewhere(read: Access) -> bool:
        pairs = zip(read.index, types.dims.get(read.tensor.id, ()) if isinstance(read.tensor, Name) else (), strict=False)
        return any(isinstance(i, Name) and extents.get(i.id, d) != d for i, d in pairs)

    return _filled(expr, types, is_elsewhere)


def data_with_else(expr: Expr, types: Types) -> Expr:
    """An index that is data, read where the term may be absent: 0 outside, where nothing but 0 is added."""
    return _filled(expr, types, lambda read: not all(isinstance(i, Name | Pack) for i in read.index))


def _filled(expr: Expr, types: Types, is_doubtful: Callable[[Access], bool]) -> Expr:
    """Doubtful reads without an `else` with an `else 0`, those within an index of another read, too."""

    def rule(node: Node) -> Expr | None:
        if isinstance(node, Reduction) and any(b.bound is not None for b in node.binders):
            (body, *rest) = node.args
            return _as_far(replace(node, args=(_filled(body, types, is_doubtful), *rest)), body, types)
        if not isinstance(node, Access) or node.fill is not None or not is_doubtful(node):
            return None
        inner = tuple(i if isinstance(i, Pack) else exchange(i, rule) for i in node.index)
        return replace(node, index=inner, fill=Number(0))

    return exchange(expr, rule)


def _as_far(node: Reduction, body: Expr, types: Types) -> Reduction:
    """A reduction whose indices run as far as they did over `body`: where an index is bounded, a read with an `else` does not
    say how far it runs, and the bound may reach further.

    max[l <= i](x[i, l] * x[0, M - 1 - l])      becomes      max[l < M, l <= i](x[i, l] else 0 * x[0, M - 1 - l])
    """
    binders: list[Binder] = []
    for binder in node.binders:
        item = Name(binder.name)
        dim = extent_in(types, (body,), item, firm=True)
        lost = dim is not None and extent_in(types, node.args, item, firm=True) is None
        if lost and binder.bound is not None and not isinstance(dim, Pack) and all(b.name != binder.name for b in binders):
            binders.append(Binder(binder.name, "<", dim))
        binders.append(binder)
    return replace(node, binders=tuple(binders))


def divides_by(exprs: Iterable[Expr], doubtful: Collection[str]) -> bool:
    """Whether an index or a comparison divides by an index that may lie outside of its range: that has no sign there."""
    return any(
        isinstance(n, Binary) and n.op in ("/", "%") and is_integer(n.right) and not free_keys(n.right).isdisjoint(doubtful)
        for e in exprs
        for n in below(e)
    )


def _ranges(keys: frozenset[str], extents: Mapping[str, Item | None], inverse: Inverse) -> tuple[Expr, ...]:
    out: list[Expr] = []
    for key in sorted(keys):
        value, extent = inverse.values[key], extents[key]
        assert not isinstance(value, Pack) and not isinstance(extent, Pack)
        if key not in inverse.not_below:
            out.append(Binary(">=", value, Number(0)))
        if extent is not None:  # else a condition of the index bounds it
            out.append(Binary("<", value, extent))
    return tuple(out)
