"""How two targets agree: figures that are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from uol.conformance.cases.agreement import Run, Subject, agreements, by_operator, by_type

SUBJECT = Subject("relu", "f32", "relu[S=2]")
GOLDEN = np.array([1.0, 2.0])


def between(golden: np.ndarray, dtype: str, *results: np.ndarray) -> list:
    runs = [Run(name, result) for name, result in zip(("cuda", "hip", "ascendc"), results, strict=False)]
    return list(agreements(SUBJECT, golden, dtype, runs))


def test_every_pair_is_compared() -> None:
    found = between(GOLDEN, "f32", *(np.float32([1, 2]) for _ in range(3)))
    assert [a.pair for a in found] == [("cuda", "hip"), ("cuda", "ascendc"), ("hip", "ascendc")]
    assert {a.said for a in found} == {"equal"}
    assert {a.ratio for a in found} == {1.0}


def test_the_ratio_is_of_the_larger_error_over_the_smaller() -> None:
    """Relative errors of 2^-10 and 2^-12: the first is four times the second, whichever target it is of."""
    near, far = np.float32([1, 2 * (1 + 2**-12)]), np.float32([1 + 2**-10, 2])
    for results, worse in (((far, near), "cuda"), ((near, far), "hip")):
        (found,) = between(GOLDEN, "f32", *results)
        assert found.ratio == pytest.approx(4.0)
        assert found.less_exact == worse
        assert found.difference == pytest.approx(2**-10)
        assert found.relative == pytest.approx(2**-11)
        assert found.differing == 2


def test_an_exact_partner_counts_as_half_an_ulp() -> None:
    (found,) = between(GOLDEN, "f32", np.float32([1, 2]), np.float32([1 + 2**-20, 2]))
    assert found.ratio == pytest.approx(2**-20 / 2**-24)


def test_what_is_not_finite_on_one_target_alone_is_apart() -> None:
    for other in (np.nan, np.inf):
        (found,) = between(GOLDEN, "f32", np.float32([1, 2]), np.float32([1, other]))
        assert found.difference == np.inf
        assert found.differing == 1
    (found,) = between(np.array([np.nan, 2.0]), "f32", np.float32([np.nan, 2]), np.float32([np.nan, 2]))
    assert found.said == "equal"


def test_discrete_results_have_no_ratio() -> None:
    (found,) = between(np.array([3, 4]), "i64", np.int64([3, 4]), np.int64([3, 5]))
    assert (found.ratio, found.discrete, found.said) == (1.0, True, "1 of 2 elements differ")


def test_the_table_has_the_worst_of_each_pair_and_type() -> None:
    same = between(GOLDEN, "f32", np.float32([1, 2]), np.float32([1, 2]))
    apart = between(GOLDEN, "f32", np.float32([1, 2]), np.float32([1, 2.5]))
    whole = between(np.array([3, 4]), "i64", np.int64([3, 4]), np.int64([3, 4]))
    (floats, integers) = by_type([*same, *apart, *whole])
    assert (floats.pair, floats.results, floats.equal) == (("cuda", "hip"), 2, 1)
    assert floats.difference.relative == 0.25
    assert floats.ratio.ratio == pytest.approx(0.25 / 2**-24)
    assert (integers.ratio.dtype, integers.equal) == ("i64", 1)
    assert str(integers) == "cuda and hip in i64: 1 of 1 results equal"
    said = "cuda and hip in f32: 1 of 2 results equal; the others up to 0.25 of the largest value, ratio of errors "
    assert str(floats).startswith(said)


def test_an_operator_has_its_worst_ratio_and_its_largest_difference() -> None:
    """Of two cases one has the larger ratio, the other the larger difference."""
    ratio = between(GOLDEN, "f32", np.float32([1, 2]), np.float32([1 + 2**-10, 2]))
    difference = between(GOLDEN, "f32", np.float32([1.5, 2]), np.float32([1, 2.5]))
    (found,) = by_operator([*ratio, *difference])
    assert found.ratio is ratio[0]
    assert found.difference is difference[0]
    assert found.record()["relative"] == 0.25
    assert found.said == "0.25 of the largest value, ratio of errors 1.6e+04"
