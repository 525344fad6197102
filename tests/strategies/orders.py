"""Sums in f32 in four orders that a kernel may take, and rounding to fewer bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]


def sequential(terms: Single) -> Single:
    return np.asarray(np.add.accumulate(terms, axis=-1, dtype=np.float32)[..., -1])


def backwards(terms: Single) -> Single:
    return sequential(terms[..., ::-1])


def pairwise(terms: Single) -> Single:
    while terms.shape[-1] > 1:
        half = (terms.shape[-1] + 1) // 2
        left = terms[..., :half].copy()
        left[..., : terms.shape[-1] - half] += terms[..., half:]
        terms = left
    return terms[..., 0]


def by_lanes(terms: Single, lanes: int) -> Single:
    """Each lane adds every `lanes`-th term; then the lanes are added as a tree."""
    parts = [sequential(terms[..., lane::lanes]) for lane in range(min(lanes, terms.shape[-1]))]
    return pairwise(np.stack(parts, axis=-1))


ORDERS: dict[str, Callable[[Single], Single]] = {
    "sequential": sequential,
    "backwards": backwards,
    "pairwise": pairwise,
    "32 lanes": partial(by_lanes, lanes=32),
    "64 lanes": partial(by_lanes, lanes=64),
}


def narrowed(values: NDArray[Any], bits: int) -> Single:
    """Rounded to nearest even, to a significand of so many bits."""
    word = np.ascontiguousarray(values, np.float32).view(np.uint32)
    off = np.uint32(24 - bits)
    one = np.uint32(1)
    rounded = (word + ((one << (off - one)) - one) + (word >> off & one)) & ~((one << off) - one)
    return np.asarray(rounded, np.uint32).view(np.float32)
