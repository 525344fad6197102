"""Integer expressions of dims and indices: as sums of products of names, in which equal terms meet.

(l*stride + t - pad + k + pad - k) % stride == 0      becomes      t == 0, where t runs over stride

These are expressions of a text: packs, calls and reductions stand in them, names have no types yet, and what comes out is
printed and read. Typed expressions, where every name is an index or a dim, are folded by `uol.ir.integers.polynomials`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from uol.ir.gradients.text.forms import reads_data
from uol.ir.syntax.surface import Access, Apply, Binary, Bool, Expr, Name, Node, Number, Pack, Reduction, Unary, below, exchange

COMPARED = ("==", "<", "<=", ">", ">=")

Poly = dict[tuple[Expr, ...], int]
"""Products of factors, sorted by how they print, with their coefficients."""


def plus(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=x), Number(value=y):
            return _number(x + y)
        case Number(value=0), _:
            return b
        case _, Number(value=0):
            return a
        case _, Unary(op="neg", arg=arg):
            return Binary("-", a, arg)
    return Binary("+", a, b)


def minus(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=x), Number(value=y):
            return _number(x - y)
        case Number(value=0), _:
            return Unary("neg", b)
        case _, Number(value=0):
            return a
    return Binary("-", a, b)


def times(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=x), Number(value=y):
            return _number(x * y)
        case Number(value=1), _:
            return b
        case _, Number(value=1):
            return a
    return Binary("*", a, b)


def quotient(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=int(x)), Number(value=int(y)):
            return _number(x // y)
        case _, Number(value=1):
            return a
    return Binary("/", a, b)


def remainder(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=int(x)), Number(value=int(y)):
            return _number(x % y)
        case _, Number(value=1):
            return Number(0)
    return Binary("%", a, b)


def _number(value: int | float) -> Expr:
    return Number(value) if value >= 0 else Unary("neg", Number(-value))


def greatest(expr: Expr, extents: Mapping[str, Expr]) -> Expr | None:
    """An upper bound of an integer expression over indices that run from 0 up to their extents; None where it is not seen."""
    return _end(expr, extents, upper=True)


def _end(expr: Expr, extents: Mapping[str, Expr], *, upper: bool) -> Expr | None:
    if not any(isinstance(n, Name) and n.id in extents for n in below(expr)):
        return expr
    match expr:
        case Name(id=name):
            return minus(extents[name], Number(1)) if upper else Number(0)
        case Binary(op="+" | "-" as op, left=left, right=right):
            a = _end(left, extents, upper=upper)
            b = _end(right, extents, upper=upper == (op == "+"))
            return None if a is None or b is None else plus(a, b) if op == "+" else minus(a, b)
        case Binary(op="*" | "/" as op, left=left, right=Number(value=int(value)) as right) if value > 0:
            a = _end(left, extents, upper=upper)
            return None if a is None else times(a, right) if op == "*" else quotient(a, right)
        case Binary(op="*", left=Number(value=int(value)) as left, right=right) if value > 0:
            b = _end(right, extents, upper=upper)
            return None if b is None else times(left, b)
        case Apply(fn="max" | "min" as fn, args=(left, right)) if not isinstance(left, Pack) and not isinstance(right, Pack):
            a, b = _end(left, extents, upper=upper), _end(right, extents, upper=upper)
            return None if a is None or b is None else Apply(fn, (a, b))
        case Binary(op="%", right=right) if upper:
            return minus(right, Number(1)) if _end(right, extents, upper=True) == right else None
        case Binary(op="%"):
            return Number(0)
    return None


def simplified(expr: Expr, extents: Mapping[str, Expr]) -> Expr:
    """The indices and conditions in an expression, shortened where terms cancel; `extents` are those of the indices."""

    def rule(node: Node) -> Expr | None:
        match node:
            case Access(tensor=tensor, index=index, fill=fill):
                moved = tuple(i if isinstance(i, Pack) else _index(i, extents) for i in index)
                return Access(tensor, moved, fill, span=node.span)
            case Binary(op=op, left=left, right=right) if op in COMPARED and is_integer(left) and is_integer(right):
                return _comparison(op, shorter(left, extents), shorter(right, extents), extents)
            case Reduction(binders=binders) if not extents.keys().isdisjoint(b.name for b in binders):
                own = {b.name for b in binders}  # an index of its own, whatever an outer one of that name runs over
                return simplified(node, {k: e for k, e in extents.items() if k not in own})
            case Binary(op="and", left=left, right=right):
                return _both(simplified(left, extents), simplified(right, extents))
            case Apply(fn="max" | "min", args=args):
                return replace(node, args=tuple(a if isinstance(a, Pack) else _operand(a, extents) for a in args))
            case Apply(fn="select", args=args):
                condition, a, b = (simplified(x, extents) for x in args if not isinstance(x, Pack))
                return _select(condition, a, b)
        return None

    return exchange(expr, rule)


def _index(expr: Expr, extents: Mapping[str, Expr]) -> Expr:
    """Of a read: shortened, unless an index that a reduction binds would come to stand alone, and run over another dim."""
    short = shorter(expr, extents)
    return expr if isinstance(short, Name) and short.id not in extents else short


def _operand(expr: Expr, extents: Mapping[str, Expr]) -> Expr:
    """Of a maximum: simplified, unless a value would become a number, which has ties of its own."""
    short = simplified(expr, extents)
    return expr if reads_data(expr) and not reads_data(short) else short


def is_integer(expr: Expr) -> bool:
    """Whether an expression is made of names, integers and integer arithmetic: an index, by its form."""
    return all(
        isinstance(n, Name | Binary | Unary) or (isinstance(n, Number) and isinstance(n.value, int)) for n in below(expr)
    )


def shorter(expr: Expr, extents: Mapping[str, Expr]) -> Expr:
    """An integer expression with equal terms taken together, where that makes it shorter."""
    match expr:
        case Binary(op="%", left=left, right=right):
            return _remainder(shorter(left, extents), shorter(right, extents), extents)
        case Binary(op="/", left=left, right=right):
            return _quotient(shorter(left, extents), shorter(right, extents), extents)
    if any(isinstance(n, Apply | Reduction | Access) for n in below(expr)):
        return expr
    flat = from_poly(_whole(poly_of(expr, extents), extents))
    return flat if _size(flat) < _size(expr) else expr


def _whole(poly: Poly, extents: Mapping[str, Expr]) -> Poly:
    """x/m*m + x%m as x."""
    for monomial, c in poly.items():
        for factor in monomial:
            if not isinstance(factor, Binary) or factor.op != "/":
                continue
            rest = list(monomial)
            rest.remove(factor)
            left = (Binary("%", factor.left, factor.right),)
            if poly_of(factor.right, extents) == {tuple(rest): 1} and poly.get(left) == c:
                others = {m: k for m, k in poly.items() if m not in (monomial, left)}
                for m, k in poly_of(factor.left, extents).items():
                    others[m] = others.get(m, 0) + c * k
                return _whole({m: k for m, k in others.items() if k}, extents)
    return poly


def _size(expr: Expr) -> int:
    return sum(1 for _ in below(expr))


def poly_of(expr: Expr, extents: Mapping[str, Expr]) -> Poly:
    match expr:
        case Number(value=int(value)):
            return {(): value} if value else {}
        case Unary(op="neg", arg=arg):
            return {m: -c for m, c in poly_of(arg, extents).items()}
        case Binary(op="+" | "-" as op, left=left, right=right):
            out = dict(poly_of(left, extents))
            for monomial, c in poly_of(right, extents).items():
                out[monomial] = out.get(monomial, 0) + (c if op == "+" else -c)
            return {m: c for m, c in out.items() if c}
        case Binary(op="*", left=left, right=right):
            product: Poly = {}
            for (a, x), (b, y) in _pairs(poly_of(left, extents), poly_of(right, extents)):
                key = tuple(sorted((*a, *b), key=repr))
                product[key] = product.get(key, 0) + x * y
            return {m: c for m, c in product.items() if c}
        case Binary(op="/" | "%"):
            short = shorter(expr, extents)
            return poly_of(short, extents) if short != expr else {(expr,): 1}
    return {(expr,): 1}


def _pairs(a: Poly, b: Poly) -> Iterator[tuple[tuple[tuple[Expr, ...], int], tuple[tuple[Expr, ...], int]]]:
    return ((x, y) for x in a.items() for y in b.items())


def from_poly(poly: Poly) -> Expr:
    out: Expr = Number(0)
    for monomial, c in sorted(poly.items(), key=lambda item: (item[1] < 0, not item[0])):
        term: Expr = Number(abs(c))
        for factor in monomial:
            term = times(factor, term) if isinstance(term, Number) else times(term, factor)
        out = plus(out, term) if c > 0 else minus(out, term)
    return out


def _split(left: Expr, right: Expr, extents: Mapping[str, Expr]) -> tuple[Poly, Poly]:
    """What a divisor divides, divided by it, and the rest."""
    divisor = poly_of(right, extents)
    whole: Poly = {}
    rest: Poly = {}
    (single,) = divisor.items() if len(divisor) == 1 else ((None, 0),)
    for monomial, c in poly_of(left, extents).items():
        own, given = Counter(monomial), Counter(single[0] or ())
        if single[0] is not None and c % single[1] == 0 and given <= own:
            whole[tuple((own - given).elements())] = c // single[1]
        else:
            rest[monomial] = c
    return whole, rest


def _remainder(left: Expr, right: Expr, extents: Mapping[str, Expr]) -> Expr:
    whole, rest = _split(left, right, extents)
    if _lies_below(rest, right, extents):
        return from_poly(rest)
    return remainder(from_poly(rest) if whole else left, right)


def _quotient(left: Expr, right: Expr, extents: Mapping[str, Expr]) -> Expr:
    whole, rest = _split(left, right, extents)
    if whole and _lies_below(rest, right, extents):
        return from_poly(whole)
    return quotient(left, right)


def _lies_below(poly: Poly, bound: Expr, extents: Mapping[str, Expr]) -> bool:
    """Whether it is 0, or an index that runs up to the bound."""
    if not poly:
        return True
    (monomial, c), *others = poly.items()
    single = not others and c == 1 and len(monomial) == 1 and isinstance(monomial[0], Name)
    return single and extents.get(getattr(monomial[0], "id", "")) == bound


def _comparison(op: str, left: Expr, right: Expr, extents: Mapping[str, Expr]) -> Expr:
    """Decided where the sides differ by an index, which is never below 0, or by less."""
    gap = poly_of(minus(left, right), extents)
    never_below = all(c > 0 and all(isinstance(f, Name) and f.id in extents for f in m) for m, c in gap.items() if m)
    if not gap and op in ("==", "<=", ">="):
        return Bool(True)
    if op == "<" and isinstance(left, Name) and extents.get(left.id) == right:
        return Bool(True)
    if isinstance(left, Binary) and left.op == "%" and (op, right) in ((">=", Number(0)), ("<", left.right)):
        return Bool(True)
    if never_below and gap.get((), 0) >= 0 and op in ("<", ">="):
        return Bool(op == ">=")
    return Binary(op, left, right)


def _both(left: Expr, right: Expr) -> Expr:
    if Bool(False) in (left, right):
        return Bool(False)
    return right if left == Bool(True) else left if right == Bool(True) else Binary("and", left, right)


def _select(condition: Expr, a: Expr, b: Expr) -> Expr:
    if isinstance(condition, Bool):
        return a if condition.value else b
    if a == b == Number(0):
        return a
    return Apply("select", (condition, a, b))
