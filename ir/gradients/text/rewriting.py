"""What the algebra may replace: a product whose value a tensor holds, an exponential over one plus itself, and the sum of
the distances from a mean.

e / z          ->  y              where the statement said y = e / z
e / (1 + e)    ->  1 - 1/(1 + e)  which has a value where e overflows
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from uol.ir.gradients.text.algebra import Product, Sum, add, product_of, to_expr
from uol.ir.gradients.text.inference import Types, extent_in
from uol.ir.gradients.text.substitution import free_keys
from uol.ir.syntax.surface import Access, Apply, Binary, Binder, Expr, Name, Number, Op, Pack, Reduction, Statement
from uol.ir.types import DTYPES


@dataclass(frozen=True, slots=True)
class Known:
    """What a statement's value is called once it has run: `read`, as a `dtype`."""

    value: Expr
    read: Expr


def known_values(statement: Statement, types: Types, is_result: bool) -> tuple[Known, ...]:
    """The value of a statement, and what stands in its last cast, as the read of its target. A result is read as it was
    rounded: that is what is saved."""
    target = statement.targets[0]
    read = Access(Name(target.tensor), target.index)
    value, dtype = statement.value, types.tensors[target.tensor]
    found = [Known(value, read)]
    if is_result and isinstance(value, Apply) and (value.fn in DTYPES or value.fn in types.sets):
        (inner,) = value.args
        inner_type = types.of(inner)
        wide = inner_type is not None and types.is_float(inner_type) and types.accumulator(dtype) == inner_type
        if wide and inner_type is not None and not isinstance(inner, Pack):
            found.append(Known(inner, types.cast(read, dtype, inner_type)))
    return tuple(k for k in found if not isinstance(k.value, Access | Number))


@dataclass(frozen=True, slots=True)
class Rewriting:
    """`saved` are the products that results hold, with their reads; `centred` the sums that are 0."""

    saved: tuple[tuple[Product, Expr], ...]
    centred: frozenset[Expr] = frozenset()

    def held(self, products: Sum) -> Sum:
        """With every product that a result holds as a read of it. The last step: before it, quotients must meet."""
        kept = (p for p in products if not any(f in self.centred for f, q in p.factors if q > 0))
        return add(tuple(self._held(p) for p in kept))

    def _held(self, product: Product) -> Product:
        for whole, read in self.saved:
            while product.holds(whole):
                product = product.times(whole.inverse()).times(product_of(read))
        return product

    def bounded(self, product: Product) -> Product:
        """e**k * (c + e)**-n with the quotients e/(c + e) as 1 - c/(c + e)."""
        for factor, power in product.factors:
            parts = _constant_and_power(factor) if power < 0 else None
            if parts is None:
                continue
            quotient = product_of(Binary("/", parts[1], factor))
            rest = self.held((product_of(Binary("/", parts[0], factor)),))
            complement = Binary("-", Number(1), to_expr(rest))
            while product.holds(quotient):
                product = product.times(quotient.inverse()).times(product_of(complement))
        return product


def _constant_and_power(expr: Expr) -> tuple[Expr, Expr] | None:
    match expr:
        case Binary(op="+", left=Number() as constant, right=Apply(fn="exp" | "exp2") as power):
            return constant, power
        case Binary(op="+", left=Apply(fn="exp" | "exp2") as power, right=Number() as constant):
            return constant, power
    return None


def saved_products(op: Op, types: Types) -> tuple[tuple[Product, Expr], ...]:
    """The results that are products or quotients, so that their value may be read where those factors meet."""
    found = []
    for statement in op.body:
        if any(t.tensor == r.name for t in statement.targets for r in op.results) and len(statement.targets) == 1:
            for known in known_values(statement, types, True)[-1:]:
                whole = product_of(known.value)
                spread = free_keys(known.read) - free_keys(known.value)  # the same for all of an index: which one to read?
                if whole.factors and whole.factors != ((known.value, 1),) and statement.op == "=" and not spread:
                    found.append((whole, known.read))
    return tuple(found)


def centred_sums(op: Op, types: Types) -> frozenset[Expr]:
    """sum[c](x[s, c] - m[s]) for every statement m[s] = sum[c](x[s, c]) / C."""
    found: set[Expr] = set()
    for statement in op.body:
        match statement:
            case Statement(
                targets=(target,), op="=", value=Binary(op="/", left=Reduction(op="sum", binders=binders, args=(x,)), right=n)
            ):
                size, given = _size(binders, x, types), product_of(n)
                if size is not None and (size.coefficient, {*size.factors}) == (given.coefficient, {*given.factors}):
                    distance = Binary("-", x, Access(Name(target.tensor), target.index))
                    found.add(Reduction("sum", binders, (distance,)))
    return frozenset(found)


def _size(binders: tuple[Binder, ...], body: Expr, types: Types) -> Product | None:
    """How many terms a reduction has, where its indices run over whole dims."""
    out = Product(Fraction(1), ())
    for binder in binders:
        whole = extent_in(types, (body,), Pack(binder.name) if binder.pack else Name(binder.name), firm=True)
        if binder.bound is not None or whole is None:
            return None
        out = out.times(product_of(Apply("count", (whole,)) if isinstance(whole, Pack) else whole))
    return out
