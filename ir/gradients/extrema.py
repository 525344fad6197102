"""Where an extremum is taken: the place to which its cotangent goes.

max[r](u)                the place is argmax[r](u)
max[r, s <= r](u)        the row of the extremum, then its place in that row
max[r < i](u)            argmax[r](select(r < i, u, -inf)), for a window that may be empty has no argmax
max[r](u), R >= 0        select(R > 0, argmax[r](u), 0), where nothing says that there is something
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from uol.ir.gradients.cotangent import Index, conjunction
from uol.ir.gradients.maps.guards import with_else
from uol.ir.gradients.maps.transposed_index import bind
from uol.ir.gradients.text.forms import linear_position
from uol.ir.gradients.text.inference import Types
from uol.ir.gradients.text.integer_text import minus, plus
from uol.ir.gradients.text.substitution import Item, binder_key, free_keys, substitute
from uol.ir.syntax.surface import Access, Apply, Binary, Expr, Name, Number, Pack, Reduction, Unary


@dataclass(frozen=True, slots=True)
class Extremum:
    """A maximum or minimum, the indices that it binds and those around it; `place` gives the place of one as a value, where a
    condition holds."""

    node: Reduction
    own: tuple[Index, ...]
    scope: tuple[Index, ...]
    types: Types
    place: Callable[[Reduction, str, Expr | None], Expr]

    def here(self) -> Expr:
        """The condition on the bound indices that the extremum stands there."""
        if len(self.own) > 1 and any(i.conditions for i in self.own):
            return self.one_by_one()
        at = self.placed(self.node, "at")
        return Binary("==", at, linear_position(self.node, {i.key: i.extent for i in self.own}))

    def one_by_one(self) -> Expr:
        """The linear place in a window with bounds of its own would depend on how wide a bound is found to be."""
        (body,) = self.node.args
        found: list[Expr] = []
        binders = self.node.binders
        for name in dict.fromkeys(b.name for b in self.node.binders):
            first = tuple(b for b in binders if b.name == name)
            rest = tuple(b for b in binders if b.name != name)
            row = replace(self.node, binders=rest, args=(body,)) if rest else body
            whole = replace(self.node, binders=first, args=(row,))
            at = self.placed(whole, f"at_{name}")
            if not isinstance(at, Access) or self.some(whole) is not None:  # the place of a local is known to lie inside
                body = with_else(body, frozenset((name,)), self.types)
            body = substitute(body, {name: at})
            binders = tuple(replace(b, bound=None if b.bound is None else substitute(b.bound, {name: at})) for b in rest)
            found.append(Binary("==", at, Name(name)))
        return conjunction(found)

    def placed(self, node: Reduction, wish: str) -> Expr:
        """The place as the read of a local, or as a value: that may be evaluated where the indices around it do not run."""
        some = self.some(node)
        at = self.place(self.never_empty(node, certain=False), wish, some)
        return at if isinstance(at, Access) else self.place(self.never_empty(node, certain=True), wish, some)

    def some(self, node: Reduction) -> Expr | None:
        """The condition that the indices of a reduction run over something at all; None where that is known: of sizes, or
        because the place is over an index of the same range."""
        keys = {binder_key(b) for b in node.binders}
        around = {i.extent for i in self.scope if i.key in free_keys(node)}
        own = (i.extent for i in self.own if i.key in keys and i.extent is not None and i.extent not in around)
        extents = dict.fromkeys(own)
        sizes = (Apply("count", (extent,)) if isinstance(extent, Pack) else extent for extent in extents)
        unknown = [Binary(">", size, Number(0)) for size in sizes if not self.types.signs.is_positive(size, {})]
        return conjunction(unknown) if unknown else None

    def never_empty(self, node: Reduction, *, certain: bool) -> Reduction:
        """The reduction, over all of its range and with the identity outside of its bounds, unless these are known to hold
        an index for all values of the indices around it; or, where `certain`, whatever is known."""
        index = next(i for i in self.own if i.key == node.binders[0].name or i.key == f"*{node.binders[0].name}")
        bounds = [(b.relation, b.bound) for b in node.binders if b.relation is not None and b.bound is not None]
        if index.extent is None or isinstance(index.item, Pack) or isinstance(index.extent, Pack):
            return node
        if not bounds or (len(bounds) == len(node.binders) == 1 and bounds[0] == ("<", index.extent)):
            return node
        if not certain and self.holds_an_index(bounds, index.extent):
            return node
        (body,) = node.args
        identity: Expr = Unary("neg", Number(inf)) if node.op == "max" else Number(inf)
        inside = conjunction([Binary(r, index.item, b) for r, b in bounds])
        masked = Apply("select", (inside, body, identity))
        positive = self.types.signs.is_positive(index.extent, {})
        extent = index.extent if positive else Apply("max", (index.extent, Number(1)))
        return replace(node, binders=bind(Index(index.key, extent, True), masked, self.types), args=(masked,))

    def holds_an_index(self, bounds: Sequence[tuple[str, Expr]], extent: Expr) -> bool:
        """Whether an end of the range or of a bound, or an outer index of the same range, always lies within the bounds."""
        extents: Mapping[str, Item | None] = {i.key: i.extent for i in self.scope if not isinstance(i.item, Pack)}
        steps = {"<": minus, ">": plus}
        ends = [steps[r](b, Number(1)) if r in steps else b for r, b in bounds]
        inner = [*ends, *(Name(k) for k, e in extents.items() if e == extent)]
        for place in (Number(0), minus(extent, Number(1)), *inner):
            claims = [Binary(r, place, b) for r, b in bounds]
            if place in inner:
                claims += [Binary(">=", place, Number(0)), Binary("<", place, extent)]
            if self.types.signs.hold(claims, extents):
                return True
        return False
