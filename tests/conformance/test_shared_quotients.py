"""Quotients by what a row shares: a product with the reciprocal is admitted where a target may multiply by it, else not."""

from __future__ import annotations

import numpy as np
import pytest

from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.conformance.accuracy.interval import Enclosure
from uol.ir import Library, instantiate, parse

BY_ROW = "op f(e: f32[R, C], z: f32[R]) -> (y: f32[R, C]) { y[r, c] = e[r, c] / z[r] }"
BY_ELEMENT = "op f(e: f32[R, C], z: f32[R, C]) -> (y: f32[R, C]) { y[r, c] = e[r, c] / z[r, c] }"
BY_A_DIM = "op f(e: f32[R, C], z: f32[R]) -> (y: f32[R, C]) where C > 0 { y[r, c] = e[r, c] / C }"
ROWS, COLUMNS = 500, 400
RNG = np.random.default_rng(7)


def drawn(least: float, most: float) -> tuple[np.ndarray, np.ndarray]:
    e = np.exp2(RNG.uniform(-20, 20, (ROWS, COLUMNS))).astype(np.float32)
    return e, np.exp2(RNG.uniform(np.log2(least), np.log2(most), ROWS)).astype(np.float32)


def products(e: np.ndarray, z: np.ndarray) -> np.ndarray:
    """e times the rounded reciprocal of z, rounded."""
    return (e * (np.float32(1) / z)[:, None]).astype(np.float64)


def admitted(text: str, e: np.ndarray, z: np.ndarray, target: str) -> Enclosure:
    ops = parse(text)
    program = instantiate(ops[0], Library(ops), types={}, dims={"R": ROWS, "C": COLUMNS})
    return enclose(program, {"e": e.astype(np.float64), "z": z.astype(np.float64)}, {}, contract(target))["y"]


def outside(found: Enclosure, values: np.ndarray) -> int:
    return int(np.count_nonzero(~((found.low <= values) & (values <= found.high))))


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_products_with_the_reciprocal_are_admitted(target: str) -> None:
    e, z = drawn(1, 2.0**60)
    assert outside(admitted(BY_ROW, e, z, target), products(e, z)) == 0


def test_they_are_wrong_where_a_target_divides() -> None:
    e, z = drawn(1, 2.0**60)
    assert outside(admitted(BY_ROW, e, z, "cpu"), products(e, z)) > ROWS


def test_they_are_wrong_where_the_divisor_may_be_small() -> None:
    """Below 2^-126 the reciprocal would overflow: no divisor that is less than 1 is permitted."""
    e, z = drawn(2.0**-60, 0.49)
    assert outside(admitted(BY_ROW, e, z, "cuda"), products(e, z)) > ROWS


@pytest.mark.parametrize("text", [BY_ELEMENT, BY_A_DIM], ids=["by each element", "by a dim"])
def test_other_quotients_are_rounded_once(text: str) -> None:
    e, z = drawn(1, 2.0**20)
    by = np.full(ROWS, COLUMNS, np.float32) if text is BY_A_DIM else z
    wide = np.broadcast_to(z[:, None], e.shape) if text is BY_ELEMENT else z
    assert outside(admitted(text, e, wide, "cuda"), products(e, by)) > ROWS


def test_the_bound_is_met_and_not_much_too_wide() -> None:
    """1.5 units in the last place, of which drawn values come to more than 1.2."""
    e, z = drawn(1, 2.0**10)
    exact = e.astype(np.float64) / z.astype(np.float64)[:, None]
    ulps = np.abs(products(e, z) - exact) / np.spacing(exact.astype(np.float32)).astype(np.float64)
    assert 1.2 < ulps.max() <= 1.5 + 1e-9
