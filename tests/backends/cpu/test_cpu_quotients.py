"""Indices with quotients of remainders: TVM's simplifier of flat indices divides by zero in them, and is left out."""

from __future__ import annotations

import numpy as np

import uol
from uol.ir import Library, instantiate, interpret, parse

TEXT = "op nested_quotients(x: f32[N]) -> (y: f32[N]) { y[s] = sum[u < 2](x[u + ((s % 3 + 2) % 3 + 1) / 3 - s / 3] else 0) }"


def test_a_quotient_of_a_remainder_of_a_remainder() -> None:
    x = np.arange(4, dtype=np.float32)
    expected = interpret(instantiate(parse(TEXT)[0], Library(), types={}, dims={"N": 4}), {"x": x})["y"]
    np.testing.assert_array_equal(uol.compile(uol.op(TEXT), target="cpu", dims={"N": 4})(x), expected)
