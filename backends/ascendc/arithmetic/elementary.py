"""Built-in functions of f32 from what the vector unit has: Exp, Ln, Div, Sqrt, rounding casts, and polynomials.

Errors are those of the formulas in f32 arithmetic without fused multiply-add, found by comparison with float64 over the
whole domain, where Exp is off by one ulp at most: tanh 1.5 ulp, erf 1.6 ulp. Rsqrt and Reciprocal of the machine are not
used (2e-4 relative error). Coefficients: least-squares fits on Chebyshev nodes, reweighted to equal extremes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uol.backends.ascendc.arithmetic.exponentials import exp2, expm1
from uol.backends.ascendc.arithmetic.logarithms import log1p, log2
from uol.backends.ascendc.arithmetic.polynomials import polynomial
from uol.backends.ascendc.arithmetic.trigonometry import cos, sin
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, real

TANH_SMALL = 0.625
TANH_ODD = (-0.33333331, 0.1333321, -0.053947203, 0.021702968, -0.0081826737, 0.0021475369)
"""(tanh(x)/x - 1) / x**2 in x**2, for |x| < 0.625: 0.8 ulp."""

ERF_SMALL = 0.92
ERF_ODD = (0.12837917, -0.37612635, 0.11283703, -0.0268598, 0.0052019604, -0.00081526278, 8.4099207e-05)
"""erf(x)/x - 1 in x**2, for |x| < 0.92: 1.1 ulp."""
ERF_TAIL = (0.0002070085, 1.1276274, 0.63726574, 0.10385638, -0.022189777, 0.0030336925, -0.00019494676)
"""-log(erfc(x)) in x, for 0.92 <= x <= 4: erf off by 1.3 ulp."""
ERF_ONE = 4.0
"""From here on erf is 1 in f32."""


def reciprocal(unit: VectorUnit, x: Lanes) -> Lanes:
    """1 / x, correctly to the accuracy of Div."""
    one = unit.duplicate(real(1.0), x.span, "f32", "one")
    return unit.binary("Div", one, x)


def rsqrt(unit: VectorUnit, x: Lanes) -> Lanes:
    """1 / sqrt(x)."""
    return reciprocal(unit, unit.unary("Sqrt", x))


def signed(unit: VectorUnit, magnitude: Lanes, x: Lanes) -> Lanes:
    """magnitude with the sign of x; NaN where x is NaN comes from the magnitude."""
    negative = unit.compare("LT", x, real(0.0))
    opposite = unit.unary("Muls", magnitude.kept(), "-1.0f")
    return unit.select(negative, opposite, magnitude)


def tanh(unit: VectorUnit, x: Lanes) -> Lanes:
    """x + x**3 * P(x**2) near zero, sign(x) * (1 - 2 / (exp(2|x|) + 1)) elsewhere."""
    x = x.kept()
    size = unit.unary("Abs", x)
    small = unit.compare("LT", size, real(TANH_SMALL))
    exponential = unit.unary("Adds", unit.unary("Exp", unit.unary("Muls", size, "2.0f")), "1.0f")
    two = unit.duplicate(real(2.0), x.span, "f32", "two")
    ratio = unit.binary("Div", two, exponential)
    large = signed(unit, unit.unary("Adds", unit.unary("Muls", ratio, "-1.0f"), "1.0f"), x)
    square = unit.binary("Mul", x, x).kept()
    odd = unit.binary("Mul", unit.binary("Mul", polynomial(unit, TANH_ODD, square), square), x)
    return unit.select(small, unit.binary("Add", odd, x), large)


def erf(unit: VectorUnit, x: Lanes) -> Lanes:
    """x + x * P(x**2) near zero, sign(x) * (1 - exp(-Q(|x|))) elsewhere."""
    x = x.kept()
    size = unit.unary("Abs", x)
    small = unit.compare("LT", size, real(ERF_SMALL))
    beyond = unit.bits("Not", unit.compare("GT", size, real(ERF_ONE)))
    clamped = unit.select(beyond, size, real(ERF_ONE))
    tail = unit.unary("Exp", unit.unary("Muls", polynomial(unit, ERF_TAIL, clamped), "-1.0f"))
    large = signed(unit, unit.unary("Adds", unit.unary("Muls", tail, "-1.0f"), "1.0f"), x)
    square = unit.binary("Mul", x, x)
    odd = unit.binary("Mul", polynomial(unit, ERF_ODD, square), x)
    return unit.select(small, unit.binary("Add", odd, x), large)


FUNCTIONS: Mapping[str, Callable[[VectorUnit, Lanes], Lanes]] = {
    "exp": lambda unit, x: unit.unary("Exp", x),
    "log": lambda unit, x: unit.unary("Ln", x),
    "sqrt": lambda unit, x: unit.unary("Sqrt", x),
    "abs": lambda unit, x: unit.unary("Abs", x),
    "floor": lambda unit, x: unit.round(x, "FLOOR"),
    "ceil": lambda unit, x: unit.round(x, "CEIL"),
    "round": lambda unit, x: unit.round(x, "RINT"),
    "rsqrt": rsqrt,
    "tanh": tanh,
    "erf": erf,
    "expm1": expm1,
    "exp2": exp2,
    "log1p": log1p,
    "log2": log2,
    "sin": sin,
    "cos": cos,
}
"""By name of the language's built-in; those of two arguments are `powers` and `min_max`."""

COMPARING = frozenset({"tanh", "erf", "expm1", "exp2", "log1p", "log2", "sin", "cos", "pow"})
"""Functions whose sequences compare."""
