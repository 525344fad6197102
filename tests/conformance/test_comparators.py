"""The comparators have teeth: each way in which a result can be wrong is refused, and a right one is not."""

from __future__ import annotations

import numpy as np
import pytest

from uol.conformance.accuracy.comparison import Comparison, compare, compare_picks, same
from uol.conformance.accuracy.interval import Enclosure, point
from uol.ir.program.dtype_encoding import decode, encode

GOLDEN = np.array([1.0, -2.0, 0.0, 3.0e-3])


def check(actual: object, admitted: Enclosure, dtype: str = "f32") -> Comparison:
    return compare(actual, admitted, dtype)  # type: ignore[arg-type]


def test_the_golden_value_passes_in_every_float_type() -> None:
    for dtype in ("f64", "f32", "f16", "bf16"):
        result = check(encode(GOLDEN, dtype), point(GOLDEN), dtype)
        assert result.ok, result.reason
        assert result.max_ulp <= 0.5


def test_nan_where_a_number_is_owed_fails() -> None:
    actual = encode(GOLDEN, "f32").copy()
    actual[2] = np.nan
    result = check(actual, Enclosure(GOLDEN, np.full(4, -np.inf), np.full(4, 1e9)))
    assert not result.ok
    assert result.reason == "NaN at [2]: nan, golden 0.0 (1 of 4)"


def test_a_number_where_nan_is_owed_fails() -> None:
    golden = np.array([np.nan, 1.0])
    assert check(np.array([np.nan, 1.0], np.float32), point(golden)).ok
    assert "no NaN where NaN is owed" in check(np.array([0.0, 1.0], np.float32), point(golden)).reason


@pytest.mark.parametrize("owed_by", ["golden", "reference", "PyTorch"])
def test_the_words_name_who_owes_what(owed_by: str) -> None:
    """The result stands first; beside it what it is held to, by the name of whoever gave that."""
    golden, result = np.array([0.5, np.nan, 2.0]), np.array([0.5, 3.0, np.nan])

    def said(values: np.ndarray, owed: np.ndarray) -> str:
        return compare(np.asarray(values, np.float32), point(owed), "f32", owed_by).reason

    assert said(result, golden) == f"NaN at [2]: nan, {owed_by} 2.0 (1 of 3)"
    assert said(golden, result) == f"NaN at [1]: nan, {owed_by} 3.0 (1 of 3)"
    assert said(np.array([0.5, 3.0, 2.0]), golden) == f"no NaN where NaN is owed at [1]: 3.0, {owed_by} nan (1 of 3)"
    assert said(np.array([1.5, np.nan, 2.0]), golden) == f"beyond the contract at [0]: 1.5, {owed_by} 0.5 (1 of 3)"
    picks = compare_picks(np.array([2]), np.array([0]), point(np.array([[3.0, 1.0, 2.0]])), "i64", owed_by)
    assert picks.reason == f"not the first of the largest scores at [0]: 2, {owed_by} 0 (1 of 1)"


def test_infinities_must_agree() -> None:
    golden = np.array([np.inf, 1.0, -np.inf])
    assert check(np.array([np.inf, 1.0, -np.inf], np.float32), point(golden)).ok
    for wrong in ([np.inf, np.inf, -np.inf], [3e38, 1.0, -np.inf], [-np.inf, 1.0, -np.inf]):
        result = check(np.array(wrong, np.float32), point(golden))
        assert not result.ok
        assert "infinity" in result.reason or "beyond" in result.reason


def test_overflow_of_the_last_cast_is_no_error() -> None:
    golden = np.array([70000.0])
    assert check(np.array([np.inf], np.float16), point(golden), "f16").ok
    assert not check(np.array([65504.0], np.float16), point(golden), "f16").ok


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16"])
def test_one_unit_in_the_last_place_off_fails(dtype: str) -> None:
    golden = decode(encode(GOLDEN, dtype), dtype)
    exact = encode(GOLDEN, dtype)
    off = exact.copy()
    bits = off.view({8: np.uint64, 4: np.uint32, 2: np.uint16}[off.itemsize])
    bits[0] += 1
    assert check(exact, point(golden), dtype).ok
    result = check(off, point(golden), dtype)
    assert not result.ok
    assert result.max_ulp == 1.0
    assert result.worst == (0,)


def test_the_edge_of_the_interval_passes_and_the_next_number_does_not() -> None:
    admitted = Enclosure(np.array([1.0]), np.array([1.0]), np.array([1.0 + 2.0**-22]))
    assert check(np.array([1.0 + 2.0**-22], np.float32), admitted).ok
    assert not check(np.array([1.0 + 3 * 2.0**-23], np.float32), admitted).ok
    assert not check(np.array([1.0 - 2.0**-24], np.float32), admitted).ok


@pytest.mark.parametrize(
    ("actual", "reason"),
    [
        (np.zeros((2, 2), np.float32), "shape (2, 2), expected (4,)"),
        (np.zeros((4, 1), np.float32), "shape (4, 1), expected (4,)"),
        (np.zeros(0, np.float32), "empty: shape (0,), expected (4,)"),
        (np.zeros(4, np.float64), "elements are float64, a buffer of f32 holds float32"),
        (np.zeros(4, np.float16), "elements are float16, a buffer of f32 holds float32"),
        ([0.0, 0.0, 0.0, 0.0], "no array but list"),
        (None, "no array but NoneType"),
    ],
)
def test_the_form_of_a_result_is_checked_first(actual: object, reason: str) -> None:
    result = check(actual, point(np.zeros(4)))
    assert not result.ok
    assert result.reason == reason


def test_empty_passes_only_where_empty_is_expected() -> None:
    assert check(np.zeros((0, 3), np.float32), point(np.zeros((0, 3)))).ok
    assert not check(np.zeros((0, 3), np.float32), point(np.zeros((3, 0)))).ok


def test_a_contract_that_says_nothing_fails() -> None:
    admitted = Enclosure(np.array([1.0]), np.array([-np.inf]), np.array([np.inf]))
    assert "says nothing" in check(np.array([1.0], np.float32), admitted).reason
    broken = Enclosure(np.array([1.0]), np.array([np.nan]), np.array([np.nan]))
    assert not check(np.array([1.0], np.float32), broken).ok


def test_integers_are_exact() -> None:
    golden = point(np.array([1, -5, 2**53 + 1]))
    assert check(np.array([1, -5, 2**53 + 1], np.int64), golden, "i64").ok
    assert not check(np.array([1, -5, 2**53], np.int64), golden, "i64").ok
    assert not check(np.array([1, -5, 1], np.int32), golden, "i32").ok


def test_picks_are_judged_by_the_score() -> None:
    scores = np.array([[1.0, 5.0, 5.0], [np.nan, 7.0, 1.0]])
    golden = np.array([1, 0])
    picks = lambda *p: compare_picks(np.array(p, np.int64), golden, point(scores), "i64")  # noqa: E731
    assert picks(1, 0).ok
    assert "not the first" in picks(2, 0).reason  # a tie goes to the first
    assert "not the first" in picks(1, 1).reason  # NaN wins
    assert "outside" in picks(3, 0).reason
    assert "outside" in picks(-1, 0).reason
    assert "shape" in compare_picks(np.array([1], np.int64), golden, point(scores), "i64").reason
    assert "elements" in compare_picks(np.array([1, 0], np.int32), golden, point(scores), "i64").reason


def test_picks_from_rounded_scores_may_be_any_that_rounding_makes_largest() -> None:
    value = np.array([[1.0, 1.0 - 1e-9, 0.5]])
    scores = Enclosure(value, value - 1e-7, value + 1e-7)
    golden = np.array([0])
    assert compare_picks(np.array([1], np.int64), golden, scores, "i64").ok
    assert not compare_picks(np.array([2], np.int64), golden, scores, "i64").ok


def test_same_takes_equal_buffers_and_counts_ulps() -> None:
    a = np.array([1.0, np.nan, np.inf], np.float32)
    assert same(a, a, "f32").ok
    near = np.array([np.nextafter(np.float32(1), np.float32(2)), np.nan, np.inf], np.float32)
    assert not same(near, a, "f32").ok
    assert same(near, a, "f32", ulps=1).ok
    assert not same(a.astype(np.float64), a, "f32").ok


def test_bf16_bit_patterns_survive_encoding() -> None:
    bits = np.arange(0, 2**16, 7, dtype=np.uint16)
    values = decode(bits, "bf16")
    numbers = ~np.isnan(values)
    assert np.array_equal(encode(values, "bf16")[numbers], bits[numbers])
