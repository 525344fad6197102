"""Values and layouts of random cases."""

from __future__ import annotations

from random import Random

import numpy as np

from uol.ir.program.rounding import round_to
from uol.ir.types import integer_range, is_float

SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 65504.0, 2.0**-20, 3e4)
"""Values that a kernel may get wrong where a tame one hides it."""

Strides = tuple[int, ...]


def values_of(
    numbers: np.random.Generator, dtype: str, shape: tuple[int, ...], strides: Strides | None, special: bool
) -> np.ndarray:
    """Values of a type as float64, int64 or bool; equal along dims of stride 0."""
    values = _floats(numbers, dtype, shape, special) if is_float(dtype) else _others(numbers, dtype, shape)
    if strides is not None and values.size:
        first = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in strides)
        values = np.ascontiguousarray(np.broadcast_to(values[first], shape))
    return values


def _floats(numbers: np.random.Generator, dtype: str, shape: tuple[int, ...], special: bool) -> np.ndarray:
    values = numbers.uniform(-2, 2, shape)
    if numbers.random() < 0.3:
        values = np.round(values * 2) / 2  # many equal ones
    if special:
        values = np.where(numbers.random(shape) < 0.15, numbers.choice(SPECIAL[: numbers.integers(3, 11)], shape), values)
    return np.asarray(round_to(values, dtype))


def _others(numbers: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if dtype == "bool":
        return numbers.random(shape) < 0.5
    low, high = integer_range(dtype)
    if numbers.random() < 0.3:  # the whole range, its ends among it
        values = numbers.integers(low, high, shape, endpoint=True)
        return np.where(numbers.random(shape) < 0.2, numbers.choice([low, high, 0], shape), values)
    return numbers.integers(max(low, -2), 9, shape)  # indices, some of them outside of any dim


def layout_of(rng: Random, shape: tuple[int, ...]) -> Strides | None:
    """Strides of an input: dims in any order, gaps between elements, dims of stride 0; None for row-major."""
    if not shape or 0 in shape or rng.random() < 0.45:
        return None
    gaps = rng.random() < 0.5
    strides = [0] * len(shape)
    step = rng.choice((1, 1, 2, 3)) if gaps else 1
    for dim in rng.sample(range(len(shape)), len(shape)):
        strides[dim] = step
        step = step * shape[dim] + (rng.choice((0, 1, 3)) if gaps else 0)
    if rng.random() < 0.35:
        strides[rng.randrange(len(shape))] = 0
    return tuple(strides)


def result_layout_of(rng: Random, shape: tuple[int, ...]) -> Strides | None:
    """Strides of a result: dense, its dims in any order; None for row-major."""
    if len(shape) < 2 or 0 in shape or rng.random() < 0.6:
        return None
    strides, step = [0] * len(shape), 1
    for dim in rng.sample(range(len(shape)), len(shape)):
        strides[dim] = step
        step *= shape[dim]
    return tuple(strides)
