"""Operations on golden values that do not round: comparisons, truth values, integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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


def _shifted_left(value: int, by: int) -> int:
    """value * 2**by, by its last 64 bits; nothing is left of it by less than 0 and by more."""
    places = int(by)
    return (int(value) * pow(2, places) + 2**63) % 2**64 - 2**63 if 0 <= places < 64 else 0


def _shifted_right(value: int, by: int) -> int:
    """value / 2**by, rounded down; the sign is left of it by less than 0 and by more."""
    places = int(by)
    return int(value) >> (places if 0 <= places < 64 else 64)


_ON_INTEGERS: Mapping[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda a, b: np.where(b == 0, 0, np.floor_divide(a, np.where(b == 0, 1, b))),
    "%": lambda a, b: np.where(b == 0, 0, np.mod(a, np.where(b == 0, 1, b))),
    "neg": lambda a, _: -a,
    "abs": lambda a, _: np.abs(a),
    "pow": np.vectorize(_integer_power, otypes=[np.int64]),
    "bit_and": np.bitwise_and,
    "bit_or": np.bitwise_or,
    "bit_xor": np.bitwise_xor,
    "bit_not": lambda a, _: ~a,
    "shift_left": np.vectorize(_shifted_left, otypes=[np.int64]),
    "shift_right": np.vectorize(_shifted_right, otypes=[np.int64]),
}
"""Functions of two int64 arrays; one of a single array is given it twice. What is not within 64 bits wraps."""


def on_integers(fn: str, args: tuple[Array, ...], dtype: str) -> Array:
    """Integers and indices, exact; values wrap to their type, indices do not."""
    if fn not in _ON_INTEGERS:
        raise UolError(f"no integer form of {fn!r}")
    result = _ON_INTEGERS[fn](args[0].astype(np.int64), args[-1].astype(np.int64))
    return result if dtype not in DTYPES else np.asarray(round_to(result, dtype))
