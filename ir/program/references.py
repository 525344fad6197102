"""The built-in functions of float64 arrays, by numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BITS = 64
"""Of the integers that all of the language are evaluated in: what is shifted out of a narrower one is lost where it wraps."""


def _within(by: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((by >= 0) & (by < _BITS))


def _shift_left(a: NDArray[Any], by: NDArray[Any]) -> NDArray[Any]:
    return np.where(_within(by), np.left_shift(a, np.where(_within(by), by, 0)), 0)


def _shift_right(a: NDArray[Any], by: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.right_shift(a, np.where(_within(by), by, _BITS - 1)))


REFERENCES: Mapping[str, Callable[..., NDArray[Any]]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "pow": np.power,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "max": np.maximum,
    "min": np.minimum,
    "bit_and": np.bitwise_and,
    "bit_or": np.bitwise_or,
    "bit_xor": np.bitwise_xor,
    "bit_not": np.invert,
    "shift_left": _shift_left,
    "shift_right": _shift_right,
}
"""Of each of `FUNCTIONS` by name."""
