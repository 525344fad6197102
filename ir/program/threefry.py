"""`random_bits(seed, counter)`: Threefry-2x32-20, a random function of two integers.

The key is the 64 bits of the seed and the counter block the 64 bits of the counter, low word first; the value is the first
word of the result, as i32. The same seed and counter give the same bits on every machine. Source: Salmon et al., "Parallel
random numbers: as easy as 1, 2, 3" (SC 2011); constants and known answers are those of the authors' Random123.

>>> import numpy as np
>>> hex(int(random_bits(np.array(0), np.array(0))) & 0xffffffff)
'0x6b200159'
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ROUNDS = 20
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
"""Bits by which the second word is rotated, round by round, again and again."""
PARITY = 0x1BD11BDA
"""Xor of it and the key's words is the third word of the key schedule, which is added every fourth round."""


def random_bits(seed: Array, counter: Array) -> Array:
    """int64 arrays that broadcast; the result holds values of i32 in int64."""
    keys = _words(seed)
    schedule = (*keys, keys[0] ^ keys[1] ^ np.uint32(PARITY))
    first, second = _words(counter)
    with np.errstate(over="ignore"):
        first, second = first + schedule[0], second + schedule[1]
        for number in range(ROUNDS):
            first = first + second
            second = _rotated(second, ROTATIONS[number % len(ROTATIONS)]) ^ first
            if number % 4 == 3:
                injection = number // 4 + 1
                first = first + schedule[injection % 3]
                second = second + schedule[(injection + 1) % 3] + np.uint32(injection)
    return np.asarray(first).astype(np.int32).astype(np.int64)


def _words(value: Array) -> tuple[Array, Array]:
    """The low and the high half of 64 bits."""
    bits = np.asarray(value, np.int64).view(np.uint64) if np.ndim(value) else np.asarray(value, np.int64).astype(np.uint64)
    return (bits & np.uint64(0xFFFFFFFF)).astype(np.uint32), (bits >> np.uint64(32)).astype(np.uint32)


def _rotated(value: Array, bits: int) -> Array:
    return (value << np.uint32(bits)) | (value >> np.uint32(32 - bits))
