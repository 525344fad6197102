"""Bit patterns of narrow floats against PyTorch's types."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from uol.ir.program.dtype_encoding import STORAGE, decode, encode

TORCH = {"bf16": torch.bfloat16, "f8e4m3": torch.float8_e4m3fn, "f8e5m2": torch.float8_e5m2}
SIGNED = {"bf16": torch.int16, "f8e4m3": torch.uint8, "f8e5m2": torch.uint8}


@pytest.mark.parametrize("dtype", TORCH)
def test_every_bit_pattern_decodes_as_pytorch_reads_it(dtype: str) -> None:
    patterns = np.arange(2**16 if dtype == "bf16" else 2**8).astype(STORAGE[dtype])
    signed = patterns.view(np.int16) if dtype == "bf16" else patterns
    expected = torch.from_numpy(signed).view(TORCH[dtype]).to(torch.float64).numpy()
    np.testing.assert_array_equal(decode(patterns, dtype), expected)


@pytest.mark.parametrize("dtype", TORCH)
def test_values_round_as_in_pytorch(dtype: str) -> None:
    generator = np.random.default_rng(0)
    values = generator.standard_normal(20_000) * 2.0 ** generator.integers(-20, 9, 20_000)
    values = values[np.abs(values) < 440].astype(np.float32).astype(np.float64)  # PyTorch's e4m3 overflows to NaN
    expected = torch.from_numpy(values.astype(np.float32)).to(TORCH[dtype]).to(torch.float64).numpy()
    np.testing.assert_array_equal(decode(encode(values, dtype), dtype), expected)


@pytest.mark.parametrize(("dtype", "greatest"), [("f8e4m3", 448.0), ("f8e5m2", np.inf)])
def test_overflow_saturates_only_in_e4m3(dtype: str, greatest: float) -> None:
    values = np.array([1e6, -1e6, np.inf, -np.inf, np.nan, -0.0])
    got = decode(encode(values, dtype), dtype)
    np.testing.assert_array_equal(got, [greatest, -greatest, greatest, -greatest, np.nan, 0.0])
    assert np.signbit(got[-1])
