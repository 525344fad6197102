"""Built-in functions on intervals: the language's table of functions, with how each carries an interval over."""

from __future__ import annotations

import numpy as np

from uol.conformance.accuracy.interval import Enclosure, Floats, hull, point
from uol.ir.errors import UolError
from uol.ir.functions import FUNCTIONS

_MONOTONE = frozenset(
    ("exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "tanh", "erf", "floor", "ceil", "round")
)
_SLOPE_AT_MOST_ONE = frozenset(("sin", "cos"))


def on_intervals(name: str, args: tuple[Enclosure, ...]) -> Enclosure:
    """The exact function of intervals; rounding is the caller's."""
    if name not in FUNCTIONS:
        raise UolError(f"unknown function {name!r}", hint=f"the functions are {', '.join(FUNCTIONS)}")
    with np.errstate(all="ignore"):
        value = _apply(name, *(a.value for a in args))
        if all(a.low is a.high for a in args):
            return point(value)
        return hull(value, *_corners(name, value, args))


def _corners(name: str, value: Floats, args: tuple[Enclosure, ...]) -> tuple[Floats, ...]:
    """Values between which the function stays on the intervals."""
    x = args[0]
    if name in _MONOTONE:
        return _apply(name, x.low), _apply(name, x.high)
    if name in _SLOPE_AT_MOST_ONE:
        radius = np.maximum(x.value - x.low, x.high - x.value)
        return np.maximum(value - radius, -1.0), np.minimum(value + radius, 1.0)
    if name == "abs":
        across = (x.low < 0) & (x.high > 0)
        return np.where(across, 0.0, np.abs(x.low)), np.abs(x.low), np.abs(x.high)
    if name == "pow":
        return tuple(_apply(name, base, power) for base in (x.low, x.high) for power in (args[1].low, args[1].high))
    raise UolError(f"function {name!r} has no interval form", hint="add it to uol.conformance.accuracy.functions")


def _apply(name: str, *args: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Floats:
    result: Floats = np.asarray(FUNCTIONS[name].reference(*args), dtype=np.float64)
    return result
