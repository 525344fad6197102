"""Closed intervals of integers, either end of which may be open to infinity (None)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Interval:
    """low <= value <= high; None is no bound. Every operation gives an interval that holds all results."""

    low: int | None
    high: int | None

    @property
    def bounded(self) -> bool:
        """Whether both ends are known."""
        return self.low is not None and self.high is not None

    @property
    def empty(self) -> bool:
        """Whether no value lies in it."""
        return self.low is not None and self.high is not None and self.low > self.high

    def meet(self, other: Interval) -> Interval:
        """What lies in both."""
        lows = [x for x in (self.low, other.low) if x is not None]
        highs = [x for x in (self.high, other.high) if x is not None]
        return Interval(max(lows, default=None), min(highs, default=None))

    def union(self, other: Interval) -> Interval:
        """The least interval that holds both."""
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        return Interval(low, high)

    def __add__(self, other: Interval) -> Interval:
        low = None if self.low is None or other.low is None else self.low + other.low
        high = None if self.high is None or other.high is None else self.high + other.high
        return Interval(low, high)

    def __mul__(self, other: Interval) -> Interval:
        products = [_product(a, b) for a in _ends(self) for b in _ends(other)]
        return _interval(min(products), max(products))

    def floor_divide(self, other: Interval) -> Interval:
        """Floored quotients by a positive divisor; anything for a divisor that may be zero or negative."""
        if other.low is None or other.low <= 0:
            return EVERYTHING
        quotients = [_quotient(a, b) for a in _ends(self) for b in _ends(other)]
        return _interval(min(quotients), max(quotients))

    def modulo(self, other: Interval) -> Interval:
        """Floored remainders by a positive divisor: in [0, divisor), and the value itself where it is smaller."""
        if other.low is None or other.low <= 0:
            return EVERYTHING
        if self.low is not None and self.low >= 0 and self.high is not None and self.high < other.low:
            return self
        highs = [x for x in (None if other.high is None else other.high - 1,) if x is not None]
        if self.low is not None and self.low >= 0 and self.high is not None:
            highs.append(self.high)
        return Interval(0, min(highs, default=None))

    def minimum(self, other: Interval) -> Interval:
        """Of the smaller of two values."""
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        highs = [x for x in (self.high, other.high) if x is not None]
        return Interval(low, min(highs, default=None))

    def maximum(self, other: Interval) -> Interval:
        """Of the larger of two values."""
        lows = [x for x in (self.low, other.low) if x is not None]
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        return Interval(max(lows, default=None), high)


EVERYTHING = Interval(None, None)


def _ends(x: Interval) -> tuple[int | float, int | float]:
    return (-inf if x.low is None else x.low, inf if x.high is None else x.high)


def _product(a: int | float, b: int | float) -> int | float:
    return 0 if a == 0 or b == 0 else a * b


def _quotient(a: int | float, b: int | float) -> int | float:
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    if isinstance(b, float):  # an endless divisor leaves 0, or -1 for a negative value
        return -inf if a == -inf else (inf if a == inf else (0 if a >= 0 else -1))
    return a


def _interval(low: int | float, high: int | float) -> Interval:
    return Interval(low if isinstance(low, int) else None, high if isinstance(high, int) else None)
