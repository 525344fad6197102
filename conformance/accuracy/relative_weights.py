"""Weights that a text rounds relative to their greatest, p = T(exp(t - max of t)): a kernel that meets the terms in parts
rounds them relative to the greatest so far, or to a number near it, and multiplies what it has summed by what that has grown.

    p' = T(f * exp(t - max)) / f,  f >= 1/2     differs from exp(t - max) by u of it at most, or the least number of T
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from uol.conformance.accuracy.contracts import unit_roundoff
from uol.conformance.accuracy.interval import Enclosure, nearest, ulp
from uol.ir.program.nodes import Call, Const, Expr, Load, Reduce

Values = Mapping[str, Expr]
"""What a program's tensors are, by name."""


def is_relative(value: Expr, values: Values) -> bool:
    """Is a value exp(t - hi), hi the greatest of all t, or 0, by the statements of the text?"""
    match value:
        case Load(tensor=name) if name in values:
            return is_relative(values[name], values)
        case Call(fn="select", args=(_, a, b)):
            parts = [each for each in (a, b) if not (isinstance(each, Const) and each.value == 0)]
            return bool(parts) and all(is_relative(each, values) for each in parts)
        case Call(fn="exp", args=(Call(fn="-", args=(Load(tensor=score), Load(tensor=hi))),)):
            greatest = values.get(hi)
            return isinstance(greatest, Reduce) and greatest.op == "max" and _is_of(greatest.body, score)
    return False


def _is_of(body: Expr, score: str) -> bool:
    return isinstance(body, Load) and body.tensor == score


def rounded_relatively(x: Enclosure, dtype: str) -> Enclosure:
    """The weights that kernels may have, and as far from the golden one, which is rounded itself, as from what it is before."""
    golden, low, high = (nearest(np.asarray(each, np.float64), dtype) for each in (x.value, x.low, x.high))
    u, least = unit_roundoff(dtype), float(ulp(np.zeros(()), dtype))
    margin = u * np.maximum(np.abs(x.low), np.abs(x.high)) + least
    is_none = (np.asarray(x.low) == 0) & (np.asarray(x.high) == 0)
    margin = np.where(is_none, 0.0, margin)
    return Enclosure(golden, np.minimum(x.low, low) - margin, np.maximum(x.high, high) + margin)
