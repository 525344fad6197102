"""Vector instructions of the 910B's twin against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_bench import FLOATS, LANES, NUMPY_TYPES, bench, results, results_and_findings, values

from uol.backends.twin.record import Array

NUMBERS = ("f16", "f32", "i16", "i32")


def rounded(array: Array, dtype: str) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(NUMPY_TYPES[dtype])


def wide(array: Array) -> Array:
    """f16 computes in f32 and rounds once; integers wrap in their own type."""
    return array.astype("f4") if array.dtype == np.float16 else array


BINARY = {
    "Add": (NUMBERS, lambda x, y: x + y),
    "Sub": (NUMBERS, lambda x, y: x - y),
    "Mul": (NUMBERS, lambda x, y: x * y),
    "Div": (FLOATS, lambda x, y: x / y),
    "Max": (NUMBERS, np.maximum),
    "Min": (NUMBERS, np.minimum),
}


def test_two_operands() -> None:
    cases = [(name, dtype) for name, (dtypes, _) in BINARY.items() for dtype in dtypes]
    made = [bench(dtype, f"{name}(r, a, b, 256)", values(dtype, 1), values(dtype, 2)) for name, dtype in cases]
    with np.errstate(over="ignore"):
        for (name, dtype), b, got in zip(cases, made, results(made), strict=True):
            np.testing.assert_array_equal(got, rounded(BINARY[name][1](wide(b.p), wide(b.q)), dtype), err_msg=f"{name} {dtype}")


SCALAR = {
    "Adds": (NUMBERS, lambda x, s: x + s),
    "Muls": (NUMBERS, lambda x, s: x * s),
    "Maxs": (NUMBERS, np.maximum),
    "Mins": (NUMBERS, np.minimum),
    "LeakyRelu": (FLOATS, lambda x, s: np.where(x >= 0, x, x * s)),
    "ShiftLeft": (("i16", "i32"), lambda x, s: x << s),
    "ShiftRight": (("i16", "i32"), lambda x, s: x >> s),
}


def test_a_tensor_and_a_scalar() -> None:
    cases = [(name, dtype) for name, (dtypes, _) in SCALAR.items() for dtype in dtypes]
    made = [
        bench(dtype, f"{name}(r, a, In({'0.75f' if dtype in FLOATS else '5'}), 256)", values(dtype, 3)) for name, dtype in cases
    ]
    with np.errstate(over="ignore"):
        for (name, dtype), b, got in zip(cases, made, results(made), strict=True):
            scalar = wide(np.array(0.75 if dtype in FLOATS else 5, NUMPY_TYPES[dtype]))
            np.testing.assert_array_equal(got, rounded(SCALAR[name][1](wide(b.p), scalar), dtype), err_msg=f"{name} {dtype}")


UNARY = {"Exp": np.exp, "Ln": np.log, "Sqrt": np.sqrt, "Abs": np.abs, "Relu": lambda x: np.maximum(x, 0)}


def test_functions_are_within_an_ulp() -> None:
    cases = [(name, dtype) for name in UNARY for dtype in FLOATS]
    made = [
        bench(dtype, f"{name}(r, a, 256)", np.abs(values(dtype, 4)) / 4 + NUMPY_NUMBER[dtype](0.01)) for name, dtype in cases
    ]
    for (name, dtype), b, got in zip(cases, made, results(made), strict=True):
        golden = UNARY[name](b.p.astype("f8"))
        ulp = np.spacing(np.abs(rounded(golden, dtype))).astype("f8")
        assert np.all(np.abs(got.astype("f8") - golden) <= ulp), (name, dtype)


NUMPY_NUMBER = {"f16": np.float16, "f32": np.float32}


def test_rsqrt_and_reciprocal_are_coarse_on_purpose() -> None:
    cases = [(name, dtype) for name in ("Rsqrt", "Reciprocal") for dtype in FLOATS]
    made = [bench(dtype, f"{name}(r, a, 256)", np.abs(values(dtype, 5)) + NUMPY_NUMBER[dtype](1)) for name, dtype in cases]
    for (name, dtype), b, got in zip(cases, made, results(made), strict=True):
        x = b.p.astype("f8")
        golden = 1 / np.sqrt(x) if name == "Rsqrt" else 1 / x
        error = np.max(np.abs(got.astype("f8") / golden - 1))
        low, high = (1e-4, 2.0**-12) if dtype == "f32" else (1e-3, 2.0**-9)
        assert low < error <= high * 1.01, (name, dtype, error)


def test_nan_is_lost_in_max_and_min_and_relu() -> None:
    x = np.full(LANES, 2.0, "f4")
    x[::2] = np.nan
    y = np.full(LANES, -3.0, "f4")
    y[::3] = np.nan
    bodies = ["Max(r, a, b, 256)", "Min(r, a, b, 256)", "Relu(r, a, 256)", "Maxs(r, a, -7.0f, 256)", "Mins(r, a, 7.0f, 256)"]
    high, low, relu, maxs, mins = results([bench("f32", body, x, y) for body in bodies])
    np.testing.assert_array_equal(high, np.fmax(x, y))
    np.testing.assert_array_equal(low, np.fmin(x, y))
    np.testing.assert_array_equal(relu, np.fmax(x, 0))
    np.testing.assert_array_equal(maxs, np.fmax(x, -7))
    np.testing.assert_array_equal(mins, np.fmin(x, 7))


def test_accumulating_products() -> None:
    h, f = values("f16", 6), values("f32", 6)
    start = values("f32", 7)
    made = [
        bench("f16", "MulAddDst(r, a, b, 256)", h, values("f16", 8), "f32", start),
        bench("f32", "MulAddDst(r, a, b, 256)", f, values("f32", 8), "f32", start),
        bench("f16", "Axpy(r, a, half(0.5f), 256)", h, None, "f32", start),
        bench("f16", "Axpy(r, a, half(3), 256)", h, None, "f16", values("f16", 9)),
    ]
    got = results(made)
    np.testing.assert_array_equal(got[0], start + h.astype("f4") * made[0].q.astype("f4"))
    np.testing.assert_array_equal(got[1], start + f * made[1].q)
    np.testing.assert_array_equal(got[2], start + h.astype("f4") * np.float32(0.5))
    np.testing.assert_array_equal(got[3], rounded(made[3].start.astype("f4") + h.astype("f4") * 3, "f16"))


def test_bits() -> None:
    x, y = values("i16", 10), values("i16", 11)
    i, j = values("i32", 10), values("i32", 11)
    made = [bench("i16", f"{op}(r, a, b, 256)", x, y) for op in ("And", "Or")]
    made += [bench("i16", "Not(r, a, 256)", x)]
    words = "r.ReinterpretCast<uint16_t>(), a.ReinterpretCast<uint16_t>(), b.ReinterpretCast<uint16_t>(), 512"
    made += [bench("i32", f"And({words})", i, j)]
    got = results(made)
    for array, expected in zip(got, (x & y, x | y, ~x, i & j), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_bits_of_words_in_the_count_form() -> None:
    """The library casts to int16_t and keeps the count: the upper half of the elements stays as it was."""
    i, j, before = values("i32", 10), values("i32", 11), values("i32", 12)
    calls = {"And": np.bitwise_and, "Or": np.bitwise_or}
    made = [bench("i32", f"{call}(r, a, b, 256)", i, j, start=before) for call in calls]
    for (got, findings), function in zip(results_and_findings(made), calls.values(), strict=True):
        np.testing.assert_array_equal(got, np.concatenate([function(i, j)[:128], before[128:]]))
        assert [f.kind for f in findings] == ["bit-width"]


COMPARISONS = {"LT": np.less, "GT": np.greater, "EQ": np.equal, "LE": np.less_equal, "GE": np.greater_equal, "NE": np.not_equal}


@pytest.mark.parametrize("dtype", FLOATS)
def test_compare_and_select(dtype: str) -> None:
    x, y = values(dtype, 18), values(dtype, 19)
    x[:5], y[:5] = [np.nan, 1, np.nan, 2, np.inf], [1, np.nan, np.nan, 2, np.inf]
    select = "PipeBarrier<PIPE_V>(); Select(r, m, a, b, SELMODE::VSEL_TENSOR_TENSOR_MODE, 256)"
    against = "PipeBarrier<PIPE_V>(); Select(r, m, a, In(5.0f), SELMODE::VSEL_TENSOR_SCALAR_MODE, 256)"
    made = [bench(dtype, f"Compare(m, a, b, CMPMODE::{mode}, 256); {select}", x, y) for mode in COMPARISONS]
    made += [bench(dtype, f"CompareScalar(m, a, In(0.5f), CMPMODE::{mode}, 256); {against}", x, y) for mode in COMPARISONS]
    got = results(made)
    for i, compare in enumerate(COMPARISONS.values()):
        np.testing.assert_array_equal(got[i], np.where(compare(x, y), x, y))
        np.testing.assert_array_equal(got[i + 6], np.where(compare(x, x.dtype.type(0.5)), x, x.dtype.type(5)))


def pairwise(x: Array) -> np.generic:
    while x.size > 1:
        x = x[0::2] + x[1::2]
    return x[0]


@pytest.mark.parametrize("dtype", FLOATS)
def test_reductions_of_a_tensor(dtype: str) -> None:
    x = values(dtype, 20)
    x[7], x[200] = np.nan, x.dtype.type(100)
    x[201], x[3] = x[200], x.dtype.type(-100)
    clean = np.where(np.isnan(x), x.dtype.type(0), x)
    index = "u2" if dtype == "f16" else "u4"
    made = [bench(dtype, f"Reduce{kind}(r, a, t, 256, true)", x) for kind in ("Max", "Min")]
    made += [bench(dtype, "ReduceSum(r, a, t, 256)", clean), bench(dtype, "ReduceMax(r, a, t, 200)", x)]
    high, low, total, part = results(made)
    assert high[0] == 100
    assert high.view(index)[1] == 200
    assert low[0] == -100
    assert low.view(index)[1] == 3
    assert total[0] == pairwise(clean)
    assert part[0] == np.nanmax(x[:200])


@pytest.mark.parametrize("dtype", FLOATS)
def test_reductions_of_repeats_blocks_and_pairs(dtype: str) -> None:
    x = values(dtype, 21)
    lanes = 64 if dtype == "f32" else 128
    repeats, block = 256 // lanes, lanes // 8
    made = [
        bench(dtype, f"WholeReduceSum(r, a, {lanes}, {repeats}, 1, 1, 8)", x),
        bench(dtype, f"WholeReduceMax(r, a, {lanes}, {repeats}, 2, 1, 8, ReduceOrder::ORDER_ONLY_VALUE)", x),
        bench(dtype, f"WholeReduceMin(r, a, {lanes - 5}, {repeats}, 1, 1, 8)", x),
        bench(dtype, f"BlockReduceMax(r, a, {repeats}, {lanes}, 1, 1, 8)", x),
        bench(dtype, f"PairReduceSum(r, a, {repeats}, {lanes}, 1, 1, 8)", x),
    ]
    sums, high, low, blocks, pairs = results(made)
    rows = x.reshape(repeats, lanes)
    np.testing.assert_array_equal(sums[:repeats], [pairwise(row) for row in rows])
    np.testing.assert_array_equal(high[0 : 2 * repeats : 2], rows.max(axis=1))
    np.testing.assert_array_equal(low[0 : 2 * repeats : 2], rows[:, : lanes - 5].min(axis=1))
    np.testing.assert_array_equal(
        low.view("u2" if dtype == "f16" else "u4")[1 : 2 * repeats : 2], rows[:, : lanes - 5].argmin(axis=1)
    )
    np.testing.assert_array_equal(blocks[: 8 * repeats], x.reshape(-1, block).max(axis=1))
    np.testing.assert_array_equal(pairs[:128], x[0::2] + x[1::2])


def test_moves() -> None:
    x = values("f32", 22)
    offsets = "for (int i = 0; i < 16; ++i) t.ReinterpretCast<uint32_t>().SetValue(i, (i * 37 % 256) * 4)"
    order = "SetFlag<HardEvent::S_V>(0); WaitFlag<HardEvent::S_V>(0)"
    after = "SetFlag<HardEvent::V_S>(0); WaitFlag<HardEvent::V_S>(0)"
    made = [
        bench("f32", f"{offsets}; {order}; Gather(r, a, t.ReinterpretCast<uint32_t>(), 0, 16)", x),
        bench("f32", "Brcb(r, a, 2, BrcbRepeatParams(1, 8))", x),
        bench("f32", "Copy(r, a, 64, 2, CopyRepeatParams(1, 1, 8, 16))", x),
        bench("f32", "Duplicate(r, 2.5f, 100)", x),
        bench(
            "i32",
            f"Duplicate(r, int32_t{{-1}}, 256); {after}; CreateVecIndex(r, int32_t{{7}}, 100)",
            values("i32"),
        ),
    ]
    gathered, spread, copied, filled, index = results(made)
    np.testing.assert_array_equal(gathered[:16], x[np.arange(16) * 37 % 256])
    np.testing.assert_array_equal(spread[:128], np.repeat(x[:16], 8))
    np.testing.assert_array_equal(copied[:128], np.concatenate([x[:64], x[128:192]]))
    np.testing.assert_array_equal(filled, np.where(np.arange(256) < 100, np.float32(2.5), 0))
    np.testing.assert_array_equal(index, np.where(np.arange(256) < 100, np.arange(256) + 7, -1))


def test_repeats_strides_and_masks() -> None:
    x, y = values("f32", 23), values("f32", 24)
    mask = "uint64_t bits[2] = {0xf0f0f0f0f0f0f0f0ull, 0}"
    made = [
        bench("f32", "Mul(r, a, b, 64, 4, BinaryRepeatParams(1, 1, 0, 8, 8, 1))", x, y),
        bench("f32", f"{mask}; Adds(r, a, 1.0f, bits, 4, UnaryRepeatParams(1, 1, 8, 8))", x),
        bench("f32", "Max(r, a, r, 64, 4, BinaryRepeatParams(1, 1, 1, 0, 8, 0))", x),
        bench("f16", "Cast(r, a, RoundMode::CAST_NONE, 64, 4, UnaryRepeatParams(1, 1, 8, 4))", values("f16", 25), None, "f32"),
    ]
    broadcast, masked, folded, cast = results(made)
    np.testing.assert_array_equal(broadcast, x * np.concatenate([np.tile(y[8 * i : 8 * i + 8], 8) for i in range(4)]))
    np.testing.assert_array_equal(masked, np.where(np.arange(256) % 8 >= 4, x + 1, 0))
    np.testing.assert_array_equal(folded[:64], np.maximum(x.reshape(4, 64).max(axis=0), 0))
    np.testing.assert_array_equal(cast, values("f16", 25).astype("f4"))
