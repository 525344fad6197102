"""The owed interval moves with the value that it is owed around."""

from __future__ import annotations

import numpy as np
import pytest

from uol.conformance.accuracy.comparison import compare
from uol.conformance.accuracy.interval import Enclosure
from uol.conformance.accuracy.interval_shift import around

GOLDEN = np.array([1.0, 2.0, np.inf, np.nan])
OWED = Enclosure(GOLDEN, np.array([0.999, 2.0, np.inf, np.nan]), np.array([1.001, 2.0, np.inf, np.nan]))
ACTUAL = np.array([1.0005, 2.0, np.inf, np.nan], np.float32)


def test_around_the_golden_value_it_is_the_owed_interval() -> None:
    moved = around(GOLDEN, OWED, "f32")
    np.testing.assert_allclose(moved.low, OWED.low, rtol=1e-14)
    np.testing.assert_allclose(moved.high, OWED.high, rtol=1e-14)
    assert compare(ACTUAL, moved, "f32").ok


@pytest.mark.parametrize(
    "reference",
    [[1.1, 2.0, np.inf, np.nan], [1.0, 2.5, np.inf, np.nan], [1.0, 2.0, 7.0, np.nan], [1.0, 2.0, -np.inf, np.nan],
     [1.0, 2.0, np.inf, 0.0], [np.nan, 2.0, np.inf, np.nan]],
)  # fmt: skip
def test_a_result_beside_another_reference_is_a_breach(reference: list[float]) -> None:
    assert not compare(ACTUAL, around(np.array(reference), OWED, "f32"), "f32").ok


def test_float64_owes_the_reference_its_own_error() -> None:
    owed = Enclosure(np.array([1.0]), np.array([1.0 - 2e-16]), np.array([1.0 + 2e-16]))
    moved = around(np.array([1.0 + 3e-16]), owed, "f64")
    assert compare(np.array([1.0]), moved, "f64").ok
    assert not compare(np.array([1.0 - 1e-14]), moved, "f64").ok


def test_integers_are_those_of_the_reference() -> None:
    owed = Enclosure(np.array([3]), np.array([3]), np.array([3]))
    assert not compare(np.array([3], np.int32), around(np.array([4]), owed, "i32"), "i32").ok


def test_integers_that_come_of_inexact_floats_may_be_the_golden_values_too() -> None:
    """i32(f32(k)) of a k that f32 has not: the reference keeps f32 values as they are, the golden value has an interval."""
    owed = Enclosure(np.array([1886389030, 3]), np.array([1886388992, 3]), np.array([1886389030, 3]))
    moved = around(np.array([1886389030, 3]), owed, "i32")
    assert compare(np.array([1886388992, 3], np.int32), moved, "i32").ok
    assert not compare(np.array([1886388991, 3], np.int32), moved, "i32").ok
    assert not compare(np.array([1886388992, 2], np.int32), moved, "i32").ok


def test_what_cancellation_leaves_in_place_of_an_exact_zero_is_no_value() -> None:
    golden = np.array([0.0, 1.0, 0.0])
    owed = Enclosure(golden, golden.copy(), golden.copy())
    moved = around(np.array([1e-17, 1.0, 1e-12]), owed, "f32")
    assert moved.low[0] <= 0.0 <= moved.high[0]
    assert not moved.low[2] <= 0.0 <= moved.high[2]


def test_a_reference_beside_an_exact_value_by_its_own_rounding_admits_that_value() -> None:
    """1000.25 is halfway between two numbers of f16: what lies a little above it is nearer to the next."""
    golden = np.array([1000.25])
    actual = np.array([1000.0], np.float16)
    owed = Enclosure(golden, golden.copy(), golden.copy())
    assert compare(actual, around(golden + 1.1e-13, owed, "f16"), "f16").ok
    assert not compare(actual, around(golden + 1e-11, owed, "f16"), "f16").ok


def test_zero_is_admitted_where_the_golden_interval_holds_it_and_the_reference() -> None:
    """A unit that flushes subnormal factors gives 0, though the reference, of factors that are not rounded, lies higher."""
    golden = np.array([3.43e-6])
    owed = Enclosure(golden, np.zeros(1), golden * 1.001)
    assert compare(np.zeros(1, np.float32), around(golden * 1.0005, owed, "f32"), "f32").ok
    assert not compare(np.zeros(1, np.float32), around(golden * 1.1, owed, "f32"), "f32").ok
    lost = Enclosure(np.zeros(1), np.full(1, -1e-6), np.full(1, 1e-6))
    assert not compare(np.zeros(1, np.float32), around(np.array([5.0]), lost, "f32"), "f32").ok
