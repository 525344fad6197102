"""`random_bits` of the device header against the language's."""

from __future__ import annotations

import numpy as np
from device_maps import Mapped, run_all

from uol.ir.program.threefry import random_bits


def test_random_bits_are_those_of_the_language() -> None:
    rng = np.random.default_rng(2)
    seeds, counters = rng.integers(-(2**63), 2**63, (2, 3000))
    edges = np.array([0, -1, 1, 2**31, 2**32 - 1, 2**32, -(2**32), 2**63 - 1, -(2**63)])
    seeds, counters = np.concatenate([seeds, edges]), np.concatenate([counters, edges[::-1]])
    (bits,) = run_all([Mapped("uol::random_bits(a, b)", "i64", "i32", seeds, counters)])
    np.testing.assert_array_equal(bits, random_bits(seeds, counters))
