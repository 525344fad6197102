"""Closed forms: whole numbers as arithmetic on named dims, `"2*N*(H/2)**2"`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cache
from operator import add, mul, sub

from uol.ir.errors import UolError

OPERATIONS: Mapping[type[ast.operator], Callable[[int, int], int]] = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Pow: pow}
FUNCTIONS: Mapping[str, Callable[..., int]] = {"min": min, "max": max}


def value_of(form: str, dims: Mapping[str, int]) -> int:
    """The value of a form at dims. `/` divides without rest; `min` and `max` are known.

    >>> value_of("2*N*(H/2)**2", {"N": 3, "H": 8})
    96

    Raises UolError for what is not such arithmetic, an unknown dim, and a division that leaves a rest.
    """
    return _value(_parsed(form), form, dims)


def sizes_of(forms: str, dims: Mapping[str, int]) -> tuple[int, ...]:
    """A shape: forms between commas.

    >>> sizes_of("N, 2*C", {"N": 3, "C": 4})
    (3, 8)
    """
    return tuple(value_of(form, dims) for form in forms.split(",")) if forms.strip() else ()


@cache
def _parsed(form: str) -> ast.expr:
    try:
        return ast.parse(form.strip(), mode="eval").body
    except SyntaxError as error:
        raise UolError(
            f"{form!r} is no closed form: {error.msg}", hint="write arithmetic on dims, for example 2*N*C"
        ) from error


def _value(node: ast.expr, form: str, dims: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name) if name in dims:
            return dims[name]
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _quotient(_value(left, form, dims), _value(right, form, dims), form)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            return OPERATIONS[type(op)](_value(left, form, dims), _value(right, form, dims))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(each, form, dims) for each in args))
        case ast.Name(id=name):
            raise UolError(f"{form!r} names {name}, which is no dim", hint=f"the dims are {', '.join(dims)}")
    raise UolError(
        f"{form!r} is no closed form: {ast.unparse(node)}", hint="write + - * / ** min max on dims and whole numbers"
    )


def _quotient(a: int, b: int, form: str) -> int:
    if not b or a % b:
        raise UolError(f"{form!r} divides {a} by {b}, which leaves a rest", hint="closed forms are whole numbers")
    return a // b
