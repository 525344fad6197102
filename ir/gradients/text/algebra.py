"""Sums of products of opaque factors: cotangents, in a form in which equal terms meet and units vanish.

    Sum = products;  Product = coefficient * factor**power * ...

A factor is any surface expression that is not itself a product, a quotient, a negation or a number. Coefficients are
exact fractions. The order of factors is that in which they came, so that a text reads as it was derived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import isinf

from uol.ir.syntax.surface import Apply, Binary, Expr, Number, Pack, Unary

Factors = tuple[tuple[Expr, int], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """coefficient * factors, each of them once, with a power that is not 0."""

    coefficient: Fraction
    factors: Factors

    def times(self, other: Product) -> Product:
        return Product(self.coefficient * other.coefficient, _collected((*self.factors, *other.factors)))

    def mapped(self, rule: Callable[[Expr], Expr]) -> Product:
        """The product of what `rule` makes of the factors: those that it makes equal are one, with their powers added."""
        factors = tuple((rule(f), p) for f, p in self.factors)
        vanishes = any(is_zero(f) and p > 0 for f, p in factors)
        return Product(Fraction(0), ()) if vanishes else Product(self.coefficient, _collected(factors))

    def inverse(self) -> Product:
        return Product(1 / self.coefficient, tuple((f, -p) for f, p in self.factors))

    def scaled(self, by: Fraction) -> Product:
        return Product(self.coefficient * by, self.factors)

    def holds(self, other: Product) -> bool:
        """Whether `other` divides this product without a sign of a power changing."""
        powers = dict(self.factors)
        return all(powers.get(f, 0) * p >= p * p for f, p in other.factors)


def _collected(factors: Factors) -> Factors:
    powers: dict[Expr, int] = {}
    for factor, power in factors:
        powers[factor] = powers.get(factor, 0) + power
    return tuple((f, p) for f, p in powers.items() if p)


Sum = tuple[Product, ...]


def product_of(expr: Expr) -> Product:
    """An expression of floats as one product."""
    match expr:
        case Number(value=value) if not isinf(value) and value:
            return Product(Fraction(str(value)), ())
        case Unary(op="neg", arg=arg):
            return product_of(arg).scaled(Fraction(-1))
        case Binary(op="*", left=left, right=right):
            return product_of(left).times(product_of(right))
        case Binary(op="/", left=left, right=right):
            return product_of(left).times(product_of(right).inverse())
    return Product(Fraction(1), ((expr, 1),))


def sum_of(expr: Expr) -> Sum:
    """An expression as a sum of one product; nothing where it is 0."""
    return () if is_zero(expr) else (product_of(expr),)


def is_zero(expr: Expr) -> bool:
    return isinstance(expr, Number) and expr.value == 0


def add(*sums: Sum) -> Sum:
    """The products together; those of equal factors are one."""
    merged: dict[frozenset[tuple[Expr, int]], Product] = {}
    for product in (p for each in sums for p in each):
        key = frozenset(product.factors)
        known = merged.get(key)
        merged[key] = product if known is None else Product(known.coefficient + product.coefficient, known.factors)
    return tuple(p for p in merged.values() if p.coefficient)


def multiply(each: Sum, by: Product) -> Sum:
    return add(tuple(p.times(by) for p in each)) if by.coefficient else ()


def to_expr(products: Sum) -> Expr:
    """The sum as an expression, what its products have in common taken out."""
    products = with_choices_joined(products)
    if not products:
        return Number(0)
    if len(products) == 1:
        return product_expr(products[0])
    common = common_part(products)
    rest = sorted((p.times(common.inverse()) for p in products), key=lambda p: p.coefficient < 0)
    if rest[0].coefficient < 0:
        common, rest = common.scaled(Fraction(-1)), [p.scaled(Fraction(-1)) for p in rest]
    return product_expr(common, _plain_sum(rest))


def with_choices_joined(products: Sum) -> Sum:
    """select(c, a, 0) + select(c, 0, b) as select(c, a, b)."""
    for n, first in enumerate(products):
        for second in products[n + 1 :]:
            joined = _joined(first, second)
            if joined is not None:
                return with_choices_joined(tuple(joined if p is first else p for p in products if p is not second))
    return products


def _joined(first: Product, second: Product) -> Product | None:
    a, b = _choice(first), _choice(second)
    if a is None or b is None or a[0] != b[0]:
        return None
    for (_, x, y), (_, v, w) in ((a, b), (b, a)):
        if is_zero(y) and is_zero(v):
            return Product(Fraction(1), ((Apply("select", (a[0], x, w)), 1),))
    return None


def _choice(product: Product) -> tuple[Expr, Expr, Expr] | None:
    """Condition and arms of a product that is a choice, the coefficient in the arms."""
    if len(product.factors) != 1 or product.factors[0][1] != 1:
        return None
    match product.factors[0][0]:
        case Apply(fn="select", args=(condition, a, b)) if not (
            isinstance(condition, Pack) or isinstance(a, Pack) or isinstance(b, Pack)
        ):
            return condition, _scaled_arm(a, product.coefficient), _scaled_arm(b, product.coefficient)
    return None


def _scaled_arm(arm: Expr, by: Fraction) -> Expr:
    return arm if is_zero(arm) else to_expr((product_of(arm).scaled(by),))


def common_part(products: Sum) -> Product:
    """What divides every product; the coefficient, where all have the same but for its sign."""
    shared = [(f, _least(p, [dict(q.factors).get(f, 0) for q in products])) for f, p in products[0].factors]
    sizes = {abs(p.coefficient) for p in products}
    return Product(sizes.pop() if len(sizes) == 1 else Fraction(1), tuple((f, p) for f, p in shared if p))


def _least(power: int, powers: Iterable[int]) -> int:
    """The power that all have in common: of one sign, the least in size."""
    sign = 1 if power > 0 else -1
    return sign * max(0, min(sign * p for p in powers))


TERMS = 16
"""How many terms of a sum stand side by side; more are sums of sums, for a text is only so deep."""


def _plain_sum(products: list[Product]) -> Expr:
    if len(products) > TERMS:
        parts = [_plain_sum(products[n : n + TERMS]) for n in range(0, len(products), TERMS)]
        return reduce(lambda a, b: Binary("+", a, b), parts)
    out = product_expr(products[0])
    for product in products[1:]:
        negative = product.coefficient < 0
        out = Binary("-" if negative else "+", out, product_expr(product.scaled(Fraction(-1)) if negative else product))
    return out


def product_expr(product: Product, inner: Expr | None = None) -> Expr:
    """coefficient * numerators * inner / (denominators)."""
    size = abs(product.coefficient)
    above = [f for f, p in product.factors for _ in range(p)]
    below = [f for f, p in product.factors for _ in range(-p)]
    if inner is not None:
        above.append(inner)
    top, bottom = _number(size)
    above = ([Number(top)] if top != 1 or not above else []) + above
    below = ([Number(bottom)] if bottom != 1 else []) + below
    if product.coefficient < 0:
        above[0] = Unary("neg", above[0])
    out = _chain(above)
    return Binary("/", out, _chain(below)) if below else out


def _chain(factors: list[Expr]) -> Expr:
    return reduce(lambda a, b: Binary("*", a, b), factors)


def _number(size: Fraction) -> tuple[int | float, int]:
    """A fraction as a number over an integer: a decimal stays one, a third becomes 1 and 3."""
    if size.denominator == 1:
        return size.numerator, 1
    twos_and_fives = size.denominator
    for prime in (2, 5):
        while twos_and_fives % prime == 0:
            twos_and_fives //= prime
    return (float(size), 1) if twos_and_fives == 1 else (size.numerator, size.denominator)
