"""What indices are multiples of: where an access of several elements may begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import gcd

from uol.ir.program.nodes import Call, Const, Expr

Multiples = Mapping[Expr, int]
"""What sizes that are arguments are multiples of."""
NONE: Multiples = {}


def is_multiple_of(expr: Expr, of: int, multiples: Multiples) -> bool:
    """Is an index a multiple of a number, whatever its variables are?"""
    if of == 1:
        return True
    if expr in multiples:
        return multiples[expr] % of == 0
    match expr:
        case Const(value=value):
            return int(value) % of == 0
        case Call(fn="+" | "-" | "min" | "max", args=args):
            return all(is_multiple_of(a, of, multiples) for a in args)
        case Call(fn="*") if any(number % of == 0 and _divides(size, expr) for size, number in multiples.items()):
            return True
        case Call(fn="*", args=(a, Const(value=factor))) if gcd(int(factor), of) > 1:
            return is_multiple_of(a, of // gcd(int(factor), of), multiples)
        case Call(fn="*", args=args):
            return any(is_multiple_of(a, of, multiples) for a in args)
        case Call(fn="/", args=(a, Const(value=by))) if int(by) > 0:
            return is_multiple_of(a, of * int(by), multiples)
        case Call(fn="%", args=args):
            return all(is_multiple_of(a, of, multiples) for a in args)
    return False


def _divides(size: Expr, product: Expr) -> bool:
    """Are all factors of a size those of a product?"""
    return not Counter(_factors(size)) - Counter(_factors(product))


def _factors(expr: Expr) -> Iterator[Expr]:
    match expr:
        case Call(fn="*", args=args):
            for each in args:
                yield from _factors(each)
        case _:
            yield expr
