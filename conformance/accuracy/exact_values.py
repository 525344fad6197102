"""Operations on golden values that do not round: comparisons, truth values, integers."""

from __future__ import annotations

import numpy as np

from uol.conformance.accuracy import interval
from uol.conformance.accuracy.interval import Array, Enclosure
from uol.ir.errors import UolError
from uol.ir.program.rounding import round_to
from uol.ir.types import DTYPES

LOGIC = frozenset(("<", "<=", ">", ">=", "==", "!=", "and", "or", "not"))


def on_truths(fn: str, args: tuple[Enclosure, ...]) -> Enclosure:
    """Comparisons, and operations on what they give."""
    match fn:
        case "<" | "<=":
            return interval.less(*args, or_equal=fn == "<=")
        case ">" | ">=":
            return interval.less(args[1], args[0], or_equal=fn == ">=")
        case "==":
            return interval.equal(*args)
        case "!=":
            return _not(interval.equal(*args))
        case "not":
            return _not(args[0])
        case "and":
            return Enclosure(*(getattr(args[0], s) & getattr(args[1], s) for s in ("value", "low", "high")))
    return Enclosure(*(getattr(args[0], s) | getattr(args[1], s) for s in ("value", "low", "high")))


def _not(x: Enclosure) -> Enclosure:
    return Enclosure(~x.value, ~x.high, ~x.low)


def _integer_power(base: int, power: int) -> int:
    """base ** power, by its last 32 bits; a reciprocal is truncated."""
    if power >= 0:
        return pow(int(base), int(power), 2**32)
    return int(base) ** (power % 2) if abs(base) == 1 else 0


def on_integers(fn: str, args: tuple[Array, ...], dtype: str) -> Array:
    """Integers and indices, exact; values wrap to their type, indices do not."""
    a, b = args[0].astype(np.int64), args[-1].astype(np.int64)
    match fn:
        case "+":
            result = a + b
        case "-":
            result = a - b
        case "*":
            result = a * b
        case "/":
            result = np.where(b == 0, 0, np.floor_divide(a, np.where(b == 0, 1, b)))
        case "%":
            result = np.where(b == 0, 0, np.mod(a, np.where(b == 0, 1, b)))
        case "neg":
            result = -a
        case "abs":
            result = np.abs(a)
        case "pow":
            result = np.vectorize(_integer_power, otypes=[np.int64])(a, b)
        case _:
            raise UolError(f"no integer form of {fn!r}")
    return result if dtype not in DTYPES else np.asarray(round_to(result, dtype))
