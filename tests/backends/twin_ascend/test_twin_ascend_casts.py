"""Conversions of the 910B's twin against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_bench import LANES, NUMPY_TYPES, bench, results, values

from uol.backends.twin.record import Array

MODES = {
    "RINT": np.rint,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "TRUNC": np.trunc,
    "ROUND": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
}


@pytest.mark.parametrize("target", ["i16", "i32", "i64"])
def test_float_to_integer_rounds_saturates_and_zeroes_nan(target: str) -> None:
    x = values("f32", 12)
    x[:8] = [0.5, 1.5, 2.5, -0.5, -1.5, np.nan, 3e38, -3e38]
    made = [bench("f32", f"Cast(r, a, RoundMode::CAST_{mode}, 256)", x, None, target) for mode in MODES]
    info = np.iinfo(NUMPY_TYPES[target])
    for mode, got in zip(MODES, results(made), strict=True):
        golden = np.nan_to_num(MODES[mode](x.astype("f8")), nan=0.0)
        inside = (golden > info.min) & (golden < info.max)
        np.testing.assert_array_equal(got[inside], golden[inside].astype(NUMPY_TYPES[target]), err_msg=mode)
        assert got[6] == info.max
        assert got[7] == info.min
        assert got[5] == 0


def neighbours(x: Array) -> tuple[Array, Array]:
    """The largest half not above and the smallest half not below."""
    near = x.astype("f2")
    low = np.where(near.astype("f8") > x, np.nextafter(near, np.float16(-np.inf)), near)
    high = np.where(near.astype("f8") < x, np.nextafter(near, np.float16(np.inf)), near)
    return low, high


def test_float_to_half_in_every_mode() -> None:
    x = (np.random.default_rng(13).normal(size=LANES) * 2.0 ** np.random.default_rng(14).integers(-26, 15, LANES)).astype("f4")
    modes = ("RINT", "FLOOR", "CEIL", "TRUNC", "ODD", "ROUND", "NONE")
    got = dict(
        zip(modes, results([bench("f32", f"Cast(r, a, RoundMode::CAST_{m}, 256)", x, None, "f16") for m in modes]), strict=True)
    )
    low, high = neighbours(x)
    np.testing.assert_array_equal(got["RINT"], x.astype("f2"))
    np.testing.assert_array_equal(got["NONE"], x.astype("f2"))
    np.testing.assert_array_equal(got["FLOOR"], low)
    np.testing.assert_array_equal(got["CEIL"], high)
    np.testing.assert_array_equal(got["TRUNC"], np.where(x > 0, low, high))
    odd = np.where(low.view("u2") & 1 == 1, low, high)
    np.testing.assert_array_equal(got["ODD"], np.where(low == high, low, odd))


def test_a_tie_rounds_away_or_to_even() -> None:
    x = np.full(LANES, 1 + 2.0**-11, "f4")
    away, even = results([bench("f32", f"Cast(r, a, RoundMode::CAST_{m}, 256)", x, None, "f16") for m in ("ROUND", "RINT")])
    assert away[0] == np.float16(1 + 2.0**-10)
    assert even[0] == np.float16(1)


def test_float_overflow_gives_inf() -> None:
    x = np.full(LANES, 1e30, "f4")
    (half_result,) = results([bench("f32", "Cast(r, a, RoundMode::CAST_RINT, 256)", x, None, "f16")])
    assert np.all(np.isposinf(half_result))
    product = results([bench("f16", "Mul(r, a, a, 256)", np.full(LANES, 300, "f2"))])[0]
    assert np.all(np.isposinf(product))


def test_bf16_to_and_from_float() -> None:
    bits = np.random.default_rng(15).integers(0, 0x7F80, LANES).astype("u2")
    (up,) = results([bench("bf16", "Cast(r, a, RoundMode::CAST_NONE, 256)", bits, None, "f32")])
    np.testing.assert_array_equal(up.view("u4"), bits.astype("u4") << 16)
    x = values("f32", 16)
    (down,) = results([bench("f32", "Cast(r, a, RoundMode::CAST_RINT, 256)", x, None, "bf16")])
    whole = x.view("u4").astype("u8")
    np.testing.assert_array_equal(down, ((whole + 0x7FFF + ((whole >> 16) & 1)) >> 16).astype("u2"))


def test_integers_to_float_and_between() -> None:
    i, s = values("i32", 17), values("i16", 17)
    got = results([
        bench("i32", "Cast(r, a, RoundMode::CAST_NONE, 256)", i, None, "f32"),
        bench("i16", "Cast(r, a, RoundMode::CAST_NONE, 256)", s, None, "f32"),
        bench("i32", "Cast(r, a, RoundMode::CAST_NONE, 256)", i, None, "i64"),
        bench("i32", "Cast(r, a, RoundMode::CAST_NONE, 256)", i, None, "i16"),
        bench("u8", "Cast(r, a, RoundMode::CAST_NONE, 256)", np.arange(256, dtype="u1"), None, "f16"),
    ])  # fmt: skip
    np.testing.assert_array_equal(got[0], i.astype("f4"))
    np.testing.assert_array_equal(got[1], s.astype("f4"))
    np.testing.assert_array_equal(got[2], i.astype("i8"))
    np.testing.assert_array_equal(got[3], np.clip(i, -(2**15), 2**15 - 1).astype("i2"))
    np.testing.assert_array_equal(got[4], np.arange(256).astype("f2"))
