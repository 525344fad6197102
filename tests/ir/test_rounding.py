"""Rounding to narrow types, against numpy and PyTorch bit by bit."""

import numpy as np
import pytest

from uol.ir.program.rounding import round_to
from uol.ir.types import DTYPES, held_by_every_float, integer_range, is_float

torch = pytest.importorskip("torch", reason="the references for bf16 and f8 are PyTorch's")

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 448.0, 449.0, 464.0, 465.0, 480.0, 57344.0, 61440.0, 61439.0, 65504.0, 65519.0,
           65520.0, 1e30, 3.3e38, 3.4e38, 3.5e38, -1e300, 1e-45, 1e-8, 2.0**-24, 2.0**-25, 1.5 * 2.0**-25,
           2.0**-9, 2.0**-10, 2.0**-16,
           2.0**-17, 2.0**-133, 2.0**-134, np.inf, -np.inf, np.nan]  # fmt: skip


def samples() -> np.ndarray:
    rng = np.random.default_rng(0)
    spread = rng.standard_normal(4000) * 2.0 ** rng.integers(-30, 20, 4000)
    halves = (rng.integers(0, 2048, 1000) + 0.5) * 2.0 ** rng.integers(-20, 5, 1000)  # ties
    with np.errstate(over="ignore"):
        return np.concatenate([SPECIAL, spread, halves]).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize(
    ("dtype", "reference"),
    [("f32", "float32"), ("f16", "float16"), ("bf16", "bfloat16"), ("f8e4m3", "float8_e4m3fn"), ("f8e5m2", "float8_e5m2")],
)
def test_floats(dtype: str, reference: str) -> None:
    values = samples()
    expected = torch.tensor(values, dtype=torch.float32).to(getattr(torch, reference)).to(torch.float64).numpy()
    if dtype == "f8e4m3":  # it saturates, where PyTorch gives NaN
        over = np.abs(values) > 448
        expected = np.where(over, np.copysign(448.0, values), expected)
    found = round_to(values, dtype)
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(expected)[numbers])


def test_what_every_float_holds_is_rounded_by_none() -> None:
    values = [s * m * 2.0**e for s in (1, -1) for m in range(16) for e in range(-12, 9)] + SPECIAL
    held = [v for v in values if held_by_every_float(v)]
    assert {0.0, 1.0, -1.0, 0.5, 0.25, 3.0, 7.0, 8.0} <= set(held)
    for dtype in filter(is_float, DTYPES):
        np.testing.assert_array_equal(round_to(held, dtype), held)


def test_f16_from_f64_rounds_once() -> None:
    value = 1 + 2.0**-11 + 2.0**-40  # by way of f32 it would be a tie, and go down
    assert round_to(value, "f16") == 1 + 2.0**-10
    assert round_to(np.float64(0.1), "f32") == np.float32(0.1)
    assert round_to(0.1, "f64") == 0.1


@pytest.mark.parametrize("dtype", ["i8", "u8", "i16", "i32", "i64"])
def test_floats_to_integers(dtype: str) -> None:
    low, high = integer_range(dtype)
    values = [0.9, -0.9, 1.5, -1.5, np.nan, np.inf, -np.inf, 1e30, -1e30, float(high), float(low)]
    found = round_to(np.array(values), dtype).tolist()
    whole = [0, 0, 1, max(-1, low), 0, high, low, high, low, high, low]
    assert found == whole
    assert round_to(np.array(values), dtype).dtype == np.int64


def test_integers_wrap() -> None:
    assert round_to(np.array([127, 128, 255, 256, -129]), "i8").tolist() == [127, -128, -1, 0, 127]
    assert round_to(np.array([-1, 256, 300]), "u8").tolist() == [255, 0, 44]
    assert round_to(np.array([2**31, -(2**31) - 1]), "i32").tolist() == [-(2**31), 2**31 - 1]
    assert round_to(np.array([True, False]), "i32").tolist() == [1, 0]


def test_shapes_are_kept() -> None:
    assert round_to(np.zeros((2, 0, 3)), "f16").shape == (2, 0, 3)
    assert round_to(1.0, "bf16").shape == ()
    assert round_to([True], "bool").dtype == np.bool_
