"""References round what a text rounds on the way: once, as the type does."""

from __future__ import annotations

import numpy as np
import torch

from uol.ops.references import reference
from uol.ops.references.rounding import rounding_to

RNG = np.random.default_rng(7)


def every_size(lowest: int, highest: int) -> np.ndarray:
    """Numbers of all exponents, ties, zeros, infinities and NaN."""
    drawn = RNG.uniform(1, 2, 4096) * RNG.choice([-1.0, 1.0], 4096) * np.exp2(RNG.integers(lowest, highest, 4096))
    ties = np.arange(1.0, 65.0) * np.exp2(RNG.integers(lowest, highest - 8, 64))
    return np.concatenate([drawn, ties, [0.0, -0.0, np.inf, -np.inf, np.nan]])


def test_f16_is_rounded_as_numpy_rounds_it() -> None:
    x = np.concatenate([every_size(-27, 18), [65519.99, 65520.0, 2.0**-25, 1.5 * 2.0**-25]])
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16).astype(np.float64)
    np.testing.assert_array_equal(rounding_to("f16")(torch.from_numpy(x)).numpy(), expected)


def test_bf16_is_rounded_as_pytorch_rounds_float32() -> None:
    x = every_size(-140, 127).astype(np.float32)
    expected = torch.from_numpy(x).to(torch.bfloat16).to(torch.float32)
    np.testing.assert_array_equal(rounding_to("bf16")(torch.from_numpy(x)).numpy(), expected.numpy())
    between = 1 + 2.0**-8 + 2.0**-40  # a tie in float32, and above one in float64
    assert rounding_to("bf16")(torch.tensor([between], dtype=torch.float64)).item() == 1 + 2.0**-7


def test_a_reference_rounds_where_its_text_does() -> None:
    """A product of 1 + 2^-12 is 1 in f16, and itself in float64."""
    one = np.ones((1, 1))
    inputs = {"x": one, "src": np.zeros(1, np.int64), "expert": np.zeros(1, np.int64), "gate": one[None]}
    inputs["up"] = np.full((1, 1, 1), 1 + 2.0**-12)
    wide, narrow = (reference("moe_swiglu", inputs, {}, dtype=dtype)["y"] for dtype in ("f64", "f16"))
    np.testing.assert_allclose(wide, narrow * (1 + 2.0**-12), rtol=1e-15)
