"""`random_bits(seed, counter)`: the words of Threefry-2x32-20, a random function of two integers.

A block is two words, of a key and a block's number, each of 64 bits, low word first. The seed is the key, and the bits are
word `counter % 2` of block `counter / 2` (rounded down), as i32: words are numbered one after another, and who needs neighbours
makes a block once. The same seed and counter give the same bits on every machine. Source: Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3" (SC 2011); constants and known answers are those of the authors' Random123.

>>> import numpy as np
>>> [hex(int(word) & 0xffffffff) for word in random_bits(np.array(0), np.arange(2))]
['0x6b200159', '0x99ba4efe']
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
    counter = np.asarray(counter, np.int64)
    first, second = threefry(seed, counter >> 1)
    return np.where(counter & 1, second, first).astype(np.int32).astype(np.int64)


def threefry(key: Array, block: Array) -> tuple[Array, Array]:
    """Both words of a block, as uint32."""
    keys = _words(key)
    schedule = (*keys, keys[0] ^ keys[1] ^ np.uint32(PARITY))
    first, second = _words(block)
    with np.errstate(over="ignore"):
        first, second = first + schedule[0], second + schedule[1]
        for number in range(ROUNDS):
            first = first + second
            second = _rotated(second, ROTATIONS[number % len(ROTATIONS)]) ^ first
            if number % 4 == 3:
                injection = number // 4 + 1
                first = first + schedule[injection % 3]
                second = second + schedule[(injection + 1) % 3] + np.uint32(injection)
    return np.asarray(first), np.asarray(second)


def _words(value: Array) -> tuple[Array, Array]:
    """The low and the high half of 64 bits."""
    bits = np.asarray(value, np.int64).view(np.uint64) if np.ndim(value) else np.asarray(value, np.int64).astype(np.uint64)
    return (bits & np.uint64(0xFFFFFFFF)).astype(np.uint32), (bits >> np.uint64(32)).astype(np.uint32)


def _rotated(value: Array, bits: int) -> Array:
    return (value << np.uint32(bits)) | (value >> np.uint32(32 - bits))
