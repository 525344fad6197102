"""Sorts and scatters under rounding: what a kernel may pick, and what it may not."""

from __future__ import annotations

import numpy as np
import pytest

from uol.conformance.accuracy.comparison import compare_order
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.accuracy.interval import Enclosure, point
from uol.conformance.accuracy.sorts_under_rounding import Ordered
from uol.ir import Library, instantiate, parse

ROW = np.array([[2.0, 5.0, 5.0, np.nan, -1.0]])


def picks(*places: int) -> np.ndarray:
    return np.array([places], np.int32)


def order(body: Enclosure, chosen: np.ndarray, descending: bool = True) -> bool:
    ordered = Ordered(body, descending, 1)
    return compare_order(chosen, ordered.places(chosen.shape[1]), ordered, "i32").ok


def test_exact_values_have_one_order() -> None:
    assert order(point(ROW), picks(3, 1, 2, 0))
    assert not order(point(ROW), picks(3, 2, 1, 0))  # not stable
    assert not order(point(ROW), picks(1, 2, 0, 4))  # NaN is greatest
    assert order(point(ROW), picks(4, 0, 1, 2, 3), descending=False)


def test_values_that_rounding_may_exchange_may_be_exchanged() -> None:
    value = np.array([[1.0, 1.1, 3.0]])
    body = Enclosure(value, value - 0.2, value + 0.2)
    assert order(body, picks(2, 0, 1)) and order(body, picks(2, 1, 0))
    assert not order(body, picks(0, 1, 2))


@pytest.mark.parametrize("chosen", [picks(2, 2, 1), picks(2, 1, 3), picks(2, -1, 1)])
def test_a_place_twice_or_outside_is_wrong(chosen: np.ndarray) -> None:
    value = np.array([[1.0, 1.1, 3.0]])
    assert not order(Enclosure(value, value - 5.0, value + 5.0), chosen)


def enclosed(text: str, inputs: dict[str, np.ndarray], **attrs: int) -> Enclosed:
    (op,) = parse(text)
    dims = {d.id: n for p in op.params for d, n in zip(p.dims, inputs[p.name].shape, strict=True)}  # type: ignore[union-attr]
    return enclose(instantiate(op, Library(), types={}, dims=dims, attrs=attrs), inputs, {}, contract("cuda"))


def test_the_values_of_a_sort_are_enclosed_whatever_the_places() -> None:
    text = "op f(x: f32[N], w: f32[N]) -> (y: f32[N], at: i32[N]) { (y[i], at[i]) = sort[k](x[k] * w[k] * w[k]) }"
    x, w = np.array([3.0, 1.0, 2.0, 1.0]), np.full(4, 1.1)
    found = enclosed(text, {"x": x, "w": w})
    np.testing.assert_allclose(found["y"].value, np.sort(x) * 1.21)
    assert (found["y"].low < found["y"].high).all()
    assert found.orders["at"].place == 0


def test_the_error_of_a_scatter_grows_with_its_own_terms() -> None:
    text = "op f(x: f32[N], at: i32[N]; S: int) -> (y: f32[S]) where S > 0 { y[at[n]] += x[n] }"
    x = np.full(101, 0.1)
    at = np.array([0] + [1] * 100)
    y = enclosed(text, {"x": x, "at": at}, S=3)["y"]
    width = y.high - y.low
    assert width[2] == 0 and 0 < width[0] < width[1] / 50
