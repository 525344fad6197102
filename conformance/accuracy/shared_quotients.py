"""Quotients that a target may compute as products with a reciprocal: `shared_division` of contracts.toml."""

from __future__ import annotations

import numpy as np

from uol.conformance.accuracy import interval
from uol.conformance.accuracy.contracts import Contract
from uol.conformance.accuracy.interval import Enclosure, rounded
from uol.ir.program.nodes import Expr, Load
from uol.ir.program.walk import variables, walk

LEAST = 0.5
"""A divisor from this on counts as 1 at least: a sum of exponentials less their greatest is, but for rounding."""


def is_shared(dividend: Expr, divisor: Expr) -> bool:
    """Is a value of the text the divisor of several dividends?"""
    return variables(divisor) < variables(dividend) and any(isinstance(each, Load) for each in walk(divisor))


def with_reciprocals(args: tuple[Enclosure, ...], found: Enclosure, dtype: str, owed: Contract) -> Enclosure:
    """`found`, what quotients may be, and where the divisor is 1 at least what the products may be, too."""
    dividend, divisor = args
    wider = rounded(interval.divide(dividend, divisor), dtype, owed.shared_division, flush=owed.flushed_arithmetic)
    is_permitted = divisor.low >= LEAST
    low, high = (np.where(is_permitted, a, b) for a, b in ((wider.low, found.low), (wider.high, found.high)))
    return Enclosure(found.value, low, high)
