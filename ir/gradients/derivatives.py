"""The derivative of every built-in function, as text over its arguments `a`, `b` and its value `y`.

Where a derivative jumps it is 0 (floor, ceil, round; abs at 0), as is that of a function of integers. `max` and `min` give the
cotangent to the argument that was chosen: none of it to x in `max(x, 0)` at 0, a half to each of two equal values.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from uol.ir.syntax.parser import parse
from uol.ir.syntax.surface import Expr, Number

DERIVATIVES: Mapping[str, tuple[str, ...]] = {
    "exp": ("y",),
    "exp2": ("0.6931471805599453 * y",),
    "expm1": ("1 + y",),
    "log": ("1 / a",),
    "log2": ("1.4426950408889634 / a",),
    "log1p": ("1 / (1 + a)",),
    "sqrt": ("0.5 / y",),
    "rsqrt": ("-0.5 * y / a",),
    "sin": ("cos(a)",),
    "cos": ("-sin(a)",),
    "tanh": ("1 - y * y",),
    "erf": ("1.1283791670955126 * exp(-(a * a))",),
    "pow": ("select(b == 0, 0, b * pow(a, b - 1))", "select(a == 0 and b >= 0, 0, y * log(a))"),
    "abs": ("select(a > 0, 1, select(a < 0, -1, 0))",),
    "floor": ("0",),
    "ceil": ("0",),
    "round": ("0",),
    "max": ("select(a > b, 1, select(a == b, 0.5, 0))", "select(a < b, 1, select(a == b, 0.5, 0))"),
    "min": ("select(a < b, 1, select(a == b, 0.5, 0))", "select(a > b, 1, select(a == b, 0.5, 0))"),
    **dict.fromkeys(("bit_and", "bit_or", "bit_xor", "shift_left", "shift_right"), ("0", "0")),
    "bit_not": ("0",),
}


@cache
def derivative(function: str, argument: int) -> Expr:
    """d y / d argument, over the names `a`, `b` (the arguments) and `y` (the value).

    >>> derivative("exp", 0)
    Name(id='y')
    """
    text = DERIVATIVES[function][argument]
    (op,) = parse(f"op derivative(a: f64[], b: f64[]) -> (d: f64[]) {{ d[] = {text} }}")
    return op.body[0].value


def is_flat(function: str) -> bool:
    """Whether the derivative is 0 wherever it exists."""
    value = derivative(function, 0)
    return isinstance(value, Number) and value.value == 0
