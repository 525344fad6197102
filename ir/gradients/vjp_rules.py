"""One statement in reverse: from the cotangent of its value to those of the tensors that it reads.

y = f(u, v)        du += dy * df/du        (products and quotients keep their factors, for the algebra to meet)
select(c, a, b)    da += select(c, dy, 0): the other arm's cotangent is absent
sum[r](u)          du[r] += dy             prod[r](u)   du[r] += dy * the product of the others
max[r](u)          du[r] += dy where r is the first extremum, as argmax says
cast               the cotangent is cast to the argument's type
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial, reduce
from typing import Protocol

from uol.ir.functions import FUNCTIONS
from uol.ir.gradients.cotangent import Choice, Cotangent, Index, inside_of_choices
from uol.ir.gradients.derivatives import derivative, is_flat
from uol.ir.gradients.extrema import Extremum
from uol.ir.gradients.recurrences import Fading, fading_in, own_factor_apart
from uol.ir.gradients.text.algebra import Product, multiply, product_of, sum_of, to_expr
from uol.ir.gradients.text.forms import compared, is_long, is_plain_read, is_tame, position, reads_data
from uol.ir.gradients.text.inference import Types, extent_in
from uol.ir.gradients.text.integer_text import greatest, plus, shorter
from uol.ir.gradients.text.rewriting import Known, Rewriting
from uol.ir.gradients.text.substitution import binder_key, free_keys, fresh_name, key_item, substitute
from uol.ir.syntax.surface import (
    Access,
    Apply,
    Binary,
    Binder,
    Expr,
    Name,
    Node,
    Number,
    Pack,
    Reduction,
    Unary,
    below,
    exchange,
)
from uol.ir.types import DTYPES

Scope = tuple[Index, ...]


class Sink(Protocol):
    """Takes what the rules give."""

    types: Types

    def contribute(self, access: Access, cotangent: Cotangent, scope: Scope) -> None:
        """A term of the cotangent of the tensor that is read."""

    def is_active(self, tensor: str) -> bool:
        """Whether anybody asks for this tensor's cotangent."""

    def named(self, wish: str, cotangent: Cotangent, scope: Scope, near: Expr) -> Cotangent:
        """The same, as the read of a local that a statement of its own defines; `near` has the indices of the scope."""

    def place(self, scope: Scope, extremum: Reduction, wish: str, some: Expr | None) -> Expr:
        """The place of an extremum, as the read of a tensor; 0 where the condition `some` does not hold."""


@dataclass(frozen=True, slots=True)
class Vjp:
    """`known` are expressions of the statement whose value a tensor holds."""

    sink: Sink
    wish: str
    known: tuple[Known, ...]
    rewriting: Rewriting

    def visit(self, node: Expr, cotangent: Cotangent, scope: Scope) -> None:
        """Hands every float read below the node its term."""
        if not cotangent.sum or not self.is_active(node):
            return
        if not isinstance(node, Access) and is_long(f for p in cotangent.sum for f, _ in p.factors):
            cotangent = self.read_as_local(node, cotangent, scope)
        match node:
            case Access():
                self.sink.contribute(node, self.finished(cotangent, scope), scope)
                if node.fill is not None and self.is_active(node.fill):
                    self.visit(node.fill, self.only(cotangent, self.inside(node), taken=False), scope)
            case Unary(op="neg", arg=arg):
                self.visit(arg, replace(cotangent, sum=multiply(cotangent.sum, Product(Fraction(-1), ()))), scope)
            case Binary(op="+" | "-" as op, left=left, right=right):
                if self.is_active(left) and self.is_active(right):
                    cotangent = self.read_once(node, cotangent, scope)
                self.visit(left, cotangent, scope)
                self.visit(right if op == "+" else Unary("neg", right), cotangent, scope)
            case Binary(op="*", left=left, right=right):
                self.visit(left, self.times(cotangent, self.value(right)), scope)
                self.visit(right, self.times(cotangent, self.value(left)), scope)
            case Binary(op="/", left=left, right=right):
                self.visit(left, self.times(cotangent, Binary("/", Number(1), self.value(right))), scope)
                below_ = self.value(right)
                slope = Binary("/", Unary("neg", self.value(left)), Binary("*", below_, below_))
                self.visit(right, self.times(cotangent, slope), scope)
            case Apply():
                self.apply(node, cotangent, scope)
            case Reduction():
                self.reduction(node, cotangent, scope)

    def inside(self, node: Access) -> Expr:
        """Whether a read with an `else` lies within its tensor."""
        assert isinstance(node.tensor, Name)
        pairs = zip(node.index, self.sink.types.dims[node.tensor.id], strict=True)
        ends = [(compared(i), d) for i, d in pairs if not isinstance(i, Pack) and not isinstance(d, Pack)]
        sides = [side for i, d in ends for side in (Binary(">=", i, Number(0)), Binary("<", i, d))]
        return reduce(lambda a, b: Binary("and", a, b), sides)

    def lies_inside(self, read: Access, scope: Scope) -> bool:
        """Whether a read is known to lie inside for all values of the indices of a scope, whatever is chosen around it."""
        if not isinstance(read.tensor, Name):
            return False
        pairs = zip(read.index, self.sink.types.dims.get(read.tensor.id, ()), strict=False)
        ends = [(i, d) for i, d in pairs if not isinstance(i, Pack) and not isinstance(d, Pack)]
        extents = {i.key: i.extent for i in scope if not isinstance(i.item, Pack)}
        sides = (side for i, d in ends for side in (Binary(">=", i, Number(0)), Binary("<", i, d)))
        return self.sink.types.signs.hold(sides, extents)

    def is_active(self, node: Node) -> bool:
        """Whether a float that is asked for is read below, outside of indices and conditions."""
        return any(
            isinstance(n, Access) and isinstance(n.tensor, Name) and self.sink.is_active(n.tensor.id) for n in below(node)
        )

    def value(self, node: Expr) -> Expr:
        """The value of a node; a tensor that holds it is read instead."""

        def rule(n: Node) -> Expr | None:
            return next((k.read for k in self.known if k.value == n), None)

        return exchange(node, rule)

    def times(self, cotangent: Cotangent, factor: Expr) -> Cotangent:
        if isinstance(factor, Apply) and factor.fn == "select":
            return self.chosen(cotangent, factor)
        factors = sum_of(factor)
        if not factors:
            return replace(cotangent, sum=())
        by = factors[0]
        return replace(cotangent, sum=tuple(self.rewriting.bounded(p) for p in multiply(cotangent.sum, by)))

    def chosen(self, cotangent: Cotangent, factor: Apply) -> Cotangent:
        """The cotangent times a choice, as a choice of products: a choice of numbers alone has no type."""
        condition, *arms = factor.args
        values = [self.expr(self.times(cotangent, a)) for a in arms if not isinstance(a, Pack)]
        return replace(cotangent, sum=(product_of(Apply("select", (condition, *values))),))

    def apply(self, node: Apply, cotangent: Cotangent, scope: Scope) -> None:
        types = self.sink.types
        args = [a for a in node.args if not isinstance(a, Pack)]
        if node.fn == "select":
            condition, a, b = args
            chosen = self.value(condition)
            self.visit(a, self.only(cotangent, chosen), scope)
            self.visit(b, self.only(cotangent, chosen, taken=False), scope)
        elif node.fn in FUNCTIONS:
            self.function(node, args, cotangent, scope)
        elif node.fn == "acc" or node.fn in DTYPES or node.fn in types.sets:
            source = types.of(args[0])
            if source is None or not types.is_float(source):
                return
            # what a read adds to its tensor's cotangent stays in the accumulator: that is rounded once, when it is complete
            wide = isinstance(args[0], Access) and cotangent.type == types.accumulator(source)
            self.visit(args[0], cotangent if wide else self.cast(cotangent, source), scope)

    def cast(self, cotangent: Cotangent, target: str) -> Cotangent:
        if cotangent.type == target:
            return cotangent
        cast = self.sink.types.cast(self.expr(cotangent), cotangent.type, target)
        return replace(cotangent, type=target, sum=(product_of(cast),))

    def expr(self, cotangent: Cotangent) -> Expr:
        return to_expr(self.rewriting.held(cotangent.sum))

    def only(self, cotangent: Cotangent, condition: Expr, *, taken: bool = True) -> Cotangent:
        """The cotangent where a condition holds, or where it does not."""
        return replace(cotangent, path=(*cotangent.path, Choice(condition, taken)))

    def function(self, node: Apply, args: list[Expr], cotangent: Cotangent, scope: Scope) -> None:
        if is_flat(node.fn):
            return
        if node.fn in ("max", "min"):
            self.choice(node, args, cotangent, scope)
            return
        values = {"y": self.value(node), **{n: self.value(a) for n, a in zip("ab", args, strict=False)}}
        for number, arg in enumerate(args):
            if self.is_active(arg):
                self.visit(arg, self.times(cotangent, substitute(derivative(node.fn, number), values)), scope)

    def choice(self, node: Apply, args: list[Expr], cotangent: Cotangent, scope: Scope) -> None:
        """max and min: a constant, made of literals, dims and attributes alone, keeps the cotangent of a value beside it where
        they are equal."""
        *others, last = args
        if len(others) > 1:
            node = replace(node, args=(replace(node, args=tuple(others)), last))
        first = node.args[0]
        assert not isinstance(first, Pack)
        above = ">" if node.fn == "max" else "<"
        held = self.value(node)
        for arg, other, relation in ((first, last, above), (last, first, above)):
            if not self.is_active(arg):
                continue
            if not free_keys(other) & {i.key for i in scope} and not reads_data(other):
                chosen = held if held != node else self.value(arg)
                self.visit(arg, self.only(cotangent, Binary(relation, chosen, other)), scope)
                continue
            a, b = self.value(arg), self.value(other)
            whole, half = self.expr(cotangent), self.expr(self.times(cotangent, Number(0.5)))
            share = Apply("select", (Binary(relation, a, b), whole, half))
            shared = replace(cotangent, sum=(product_of(share),))
            self.visit(arg, self.only(shared, Binary(f"{relation}=", a, b)), scope)

    def reduction(self, node: Reduction, cotangent: Cotangent, scope: Scope) -> None:
        body = node.args[0]
        inner = (*scope, *self.indices(node, scope))
        along = {i.key for i in scope if not i.bound}
        fading = fading_in(node, along) if node.op in ("sum", "prod") else None
        apart = self.with_own_factor(node, scope) if fading is None and node.op == "sum" else None
        if fading is not None and self.is_active(fading.product):
            self.recurrence(node, fading, cotangent, scope)
        elif apart is not None:
            self.visit(apart, cotangent, scope)
        elif node.op == "sum":
            self.visit(body, self.at_reduction(body, cotangent, scope), inner)
        elif node.op == "prod":
            others = product_of(self.other_factors(node))
            self.visit(body, replace(cotangent, sum=multiply(cotangent.sum, others)), inner)
        elif node.op in ("max", "min"):
            self.extremum(node, cotangent, scope, inner)

    def with_own_factor(self, node: Reduction, scope: Scope) -> Expr | None:
        """The sum times the factor that the result's own index has, where that is one for every result."""
        along = {i.key: i for i in scope if not i.bound}
        match own_factor_apart(node, along), node.binders:
            case Binary(left=factor) as apart, (Binder(bound=Name(id=name) as at),):
                over = extent_in(self.sink.types, (factor,), at, firm=True)
                return apart if over in (None, along[name].extent) else None
        return None

    def recurrence(self, node: Reduction, fading: Fading, cotangent: Cotangent, scope: Scope) -> None:
        """A running product, or a sum of terms that fade: its terms as those of any sum, and the factors by which they do."""
        cotangent = self.read_as_local(node, cotangent, scope)
        if fading.faded is not None:
            product = self.value(fading.product)
            self.visit(fading.faded.term, self.times(cotangent, product), (*scope, *self.indices(node, scope)))
        taken = {k.lstrip("*") for k in free_keys(node)} | {fading.factor} | {binder_key(b) for b in node.binders}
        name = fresh_name(f"{fading.factor}_other", taken | set(self.sink.types.tensors))
        (reached,) = fading.product.args
        own = extent_in(self.sink.types, fading.product.args, Name(fading.factor), firm=True)
        along = next(i for i in scope if i.key == fading.along)
        factor = Index(fading.factor, own or along.extent, False)
        at = tuple(factor if i is along else i for i in scope)
        parts = {"before": self.value(fading.before(name)), "behind": fading.behind(self.expr(cotangent), name)}
        whole = {what: Cotangent(cotangent.type, (product_of(part),)) for what, part in parts.items()}
        before, behind = (self.sink.named(f"{self.wish}_{what}", value, at, reached) for what, value in whole.items())
        places = () if along.extent is None or isinstance(along.extent, Pack) else fading.places(along.extent)
        path = tuple(Choice(place, True) for place in places)
        self.visit(reached, Cotangent(cotangent.type, multiply(before.sum, behind.sum[0]), path), at)

    def at_reduction(self, body: Expr, cotangent: Cotangent, scope: Scope) -> Cotangent:
        """The terms of a contraction read its cotangent as one factor."""
        indexed = [f for p in cotangent.sum for f, _ in p.factors if free_keys(f) & {i.key for i in scope}]
        plain = len(cotangent.sum) == 1 and all(map(is_plain_read, indexed))
        product = isinstance(body, Binary) and body.op == "*"
        if plain and not product or plain and len(indexed) <= 1 and cotangent.applied == len(cotangent.path):
            return cotangent
        return self.read_as_local(body, cotangent, scope)

    def read_once(self, node: Expr, cotangent: Cotangent, scope: Scope) -> Cotangent:
        """The cotangent with a name, where it is a choice that two terms would make anew."""
        return self.read_as_local(node, cotangent, scope) if cotangent.applied < len(cotangent.path) else cotangent

    def read_as_local(self, node: Expr, cotangent: Cotangent, scope: Scope) -> Cotangent:
        named = self.sink.named(self.wish, self.finished(cotangent, scope), scope, self.value(node))
        return replace(named, path=cotangent.path, applied=len(cotangent.path))

    def finished(self, cotangent: Cotangent, scope: Scope) -> Cotangent:
        """The cotangent with all its choices around it. One that was made before is not made again around mere reads."""
        products = self.rewriting.held(cotangent.sum)
        applied = cotangent.applied == len(cotangent.path)
        factors = [f for p in products for f in p.factors] if applied else []
        tame = all(power > 0 and is_tame(factor, lambda read: self.lies_inside(read, scope)) for factor, power in factors)
        if cotangent.path and not (applied and tame):
            value = to_expr(products)
            for choice in reversed(cotangent.path):
                value = choice.around(value)
            products = (product_of(value),)
        return Cotangent(cotangent.type, products)

    def indices(self, node: Reduction, scope: Scope) -> tuple[Index, ...]:
        """The indices that a reduction binds. A constant upper bound is the extent where the index stands nowhere alone; one
        that depends on other indices is a condition."""
        found: dict[str, Index] = {}
        bound = {binder_key(b) for b in node.binders} | {i.key for i in scope}
        for binder in node.binders:
            key = binder_key(binder)
            item = Index(key, None, True).item
            if key not in found:
                found[key] = Index(key, extent_in(self.sink.types, node.args, item, firm=True), True)
            if binder.bound is None or binder.relation is None:
                continue
            index = found[key]
            if index.extent is None and binder.relation in ("<", "<=") and not free_keys(binder.bound) & bound:
                one_more = binder.bound if binder.relation == "<" else Binary("+", binder.bound, Number(1))
                found[key] = replace(index, extent=one_more)
            else:
                found[key] = replace(index, conditions=(*index.conditions, (binder.relation, binder.bound)))
        for key, index in found.items():
            if index.extent is None and any(r in ("<", "<=") for r, _ in index.conditions):
                found[key] = self.widest(index, (*scope, *found.values()))  # a bound counts before a read with an `else`
            elif index.extent is None:
                found[key] = replace(index, extent=extent_in(self.sink.types, node.args, index.item))
        return tuple(found.values())

    def widest(self, index: Index, around: Scope) -> Index:
        """The index with the greatest value that its bounds admit as its extent: what runs up to outer indices alone."""
        extents = {i.key: i.extent for i in around if i.extent is not None and not isinstance(i.extent, Pack)}
        for relation, bound in index.conditions:
            end = greatest(bound, extents) if relation in ("<", "<=") else None
            if end is not None:
                end = shorter(end if relation == "<" else plus(end, Number(1)), extents)
                never_below = self.sink.types.signs.hold((Binary(">=", end, Number(0)),), {})
                return replace(index, extent=end if never_below else Apply("max", (end, Number(0))))
        return index

    def other_factors(self, node: Reduction) -> Expr:
        """prod over the others: no division, so that one factor may be 0."""
        taken = set(free_keys(node)) | {k for b in node.binders for k in (binder_key(b),)}
        names = {k.lstrip("*") for k in taken} | set(self.sink.types.tensors)
        fresh: dict[str, Name | Pack] = {}
        same: Expr | None = None
        for binder in node.binders:
            other = fresh_name(f"{binder.name}_other", names)
            fresh[binder_key(binder)] = Pack(other) if binder.pack else Name(other)
            here = position(key_item(binder_key(binder)))
            there = position(fresh[binder_key(binder)])
            equal = Binary("==", there, here)
            same = equal if same is None else Binary("and", same, equal)
        assert same is not None
        body = substitute(self.value(node.args[0]), fresh)
        binders = tuple(
            replace(b, name=fresh[binder_key(b)].id, bound=None if b.bound is None else substitute(b.bound, fresh))
            for b in node.binders
        )
        return replace(node, binders=binders, args=(Apply("select", (same, Number(1), body)),))

    def extremum(self, node: Reduction, cotangent: Cotangent, scope: Scope, inner: Scope) -> None:
        """The cotangent goes to the first extremum."""
        whole = replace(node, args=(inside_of_choices(self.value(node.args[0]), cotangent.path),))
        found = Extremum(whole, inner[len(scope) :], scope, self.sink.types, partial(self.sink.place, scope))
        self.visit(node.args[0], self.only(cotangent, found.here()), inner)
