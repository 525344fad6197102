"""Squares about a value of the row, which parts of it have about their own: both from one reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from before_after import agree
from middle import lowered, run

from uol.codegen.specs.long_rows.cut_passes import cut_passes
from uol.codegen.specs.long_rows.split_squares import are_enough, split_squares
from uol.codegen.specs.long_rows.squares import are_of_one_reading, squares_in
from uol.codegen.specs.nodes import Fold, KernelSpec, Map, Reduce
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Const, Var

MOMENTS = """op moments(x: f32[R, C]) -> (mu: f32[R], q: f32[R]) where C > 0 {
  mu[r] = sum[c](x[r, c]) / C
  q[r]  = sum[c]((x[r, c] - mu[r]) * (x[r, c] - mu[r]))
}"""
NORM = """op norm(x: f32[R, B, C], w: f32[C]; eps: float = 0.5) -> (y: f32[R, B, C], v: f32[R]) where B*C > 1 {
  mu[r]      = sum[b, c](x[r, b, c] * w[c]) / (B*C)
  v[r]       = sum[b, c]((x[r, b, c] * w[c] - mu[r]) * (x[r, b, c] * w[c] - mu[r])) / (B*C - 1)
  y[r, b, c] = (x[r, b, c] * w[c] - mu[r]) / sqrt(v[r] + eps)
}"""
ABOUT_THE_GREATEST = """op spread(x: f32[R, C], w: f32[R]) -> (a: f32[R], b: f32[R], s: f32[R]) {
  hi[r] = max[c](x[r, c])
  a[r]  = sum[c]((x[r, c] - hi[r] * w[r]) * (x[r, c] - hi[r] * w[r]))
  b[r]  = sum[c]((x[r, c] * 2 - hi[r]) * (x[r, c] * 2 - hi[r]))
  s[r]  = sum[c](x[r, c])
}"""
SHIFTED = """op shifted(x: f32[R, C], k: f32[R]) -> (q: f32[R]) { q[r] = sum[c]((x[r, c] - k[r]) * (x[r, c] - k[r])) }"""
OF_A_FOLD = """op of_a_fold(x: f32[R, C]) -> (q: f32[R]) {
  m[r] = sum[c](x[r, c])
  q[r] = sum[c]((x[r, c] * m[r] - m[r]) * (x[r, c] * m[r] - m[r]))
}"""
PRODUCTS = """op products(x: f32[R, C]) -> (q: f32[R]) {
  m[r] = sum[c](x[r, c])
  q[r] = sum[c]((x[r, c] - m[r]) * (x[r, c] + m[r]))
}"""
STORED = """op stored(x: f32[R, C]) -> (d: f32[R, C], q: f32[R]) {
  m[r]    = sum[c](x[r, c])
  d[r, c] = x[r, c] - m[r]
  q[r]    = sum[c](d[r, c] * d[r, c])
}"""


BELOW = compare("<", Var("c"), Const(5))


def reduce_of(text: str, **dims: int) -> Reduce:
    (spec,) = lowered(text, dims=dims, types={}).specs
    assert isinstance(spec, Reduce)
    return spec


def joined_of(text: str, **dims: int) -> Reduce:
    spec = reduce_of(text, **dims)
    first, *_ = cut_passes(spec, squares_in(spec))
    assert isinstance(first, Reduce)
    return first


def test_a_part_that_is_kept_is_gone_over_for_its_mean() -> None:
    first, whole = split_squares(spec := joined_of(MOMENTS, R=2, C=8), spec.cols[0], 4, kept=True)
    agree(
        first,
        """
        Reduce moments_parts: rows part < 4, r < 2; cols c < 2
          line 2   mu_sum = sum over c of x[r * 8 + (part * 2 + c)]
          line 3   q_value_mean = mu_sum / 2
          line 3   q_value_apart = x[r * 8 + (part * 2 + c)] - q_value_mean
          line 3   q_value = sum over c of q_value_apart * q_value_apart
          line 2   moments_mu_sum_parts[part * 2 + r] = mu_sum
          line 3   moments_q_value_parts[part * 2 + r] = q_value
        """,
    )
    agree(
        whole,
        """
        Reduce moments: rows r < 2; cols part < 4
          line 2   mu_sum = sum over part of moments_mu_sum_parts[part * 2 + r]
          line 2   mu_value = mu_sum / 8
          line 2   mu[r] = mu_value
          line 3   q_value_apart = moments_mu_sum_parts[part * 2 + r] / 2 - mu_value
          line 3   q_value = sum over part of moments_q_value_parts[part * 2 + r] + 2 * (q_value_apart * q_value_apart)
          line 3   q[r] = q_value
        """,
    )


def test_a_part_that_is_gone_over_once_has_its_first_element_taken_off() -> None:
    """The last of them is shorter."""
    first, _ = split_squares(spec := joined_of(MOMENTS, R=2, C=8), spec.cols[0], 3, kept=False)
    agree(
        first,
        """
        Reduce moments_parts: rows part < 3, r < 2; cols c < 3
          line 2   mu_sum = sum over c of x[r * 8 + (part * 3 + c)] if part * 3 + c < 8 else 0 where part * 3 + c < 8
          line 3   q_value_first = x[r * 8 + part * 3] if part * 3 < 8 else 0
          line 3   q_value_apart = (x[r * 8 + (part * 3 + c)] if part * 3 + c < 8 else 0) - q_value_first
          line 3   q_value_moved = sum over c of q_value_apart where part * 3 + c < 8
          line 3   q_value_raw = sum over c of q_value_apart * q_value_apart where part * 3 + c < 8
          line 3   q_value_mean = q_value_moved / f32(max(min(3, 8 - part * 3), 1))
          line 3   q_value = select(q_value_raw < inf, max(q_value_raw - q_value_moved * q_value_mean, 0), MOVED)
          line 2   moments_mu_sum_parts[part * 2 + r] = mu_sum
          line 3   moments_q_value_parts[part * 2 + r] = q_value
        """.replace("MOVED", "q_value_moved - q_value_moved + q_value_raw"),
    )


def pieces(parts: int, kept: bool) -> Callable[[KernelSpec], tuple[KernelSpec, ...]]:
    def cut(spec: KernelSpec) -> tuple[KernelSpec, ...]:
        if not isinstance(spec, Reduce):
            return (spec,)
        found = cut_passes(spec, squares_in(spec))
        of_squares = [each for each in found if isinstance(each, Reduce) and squares_in(each)]
        assert of_squares
        made: list[KernelSpec] = []
        for each in found:
            is_cut = isinstance(each, Reduce) and each in of_squares
            made += split_squares(each, each.cols[0], parts, kept=kept) if is_cut and isinstance(each, Reduce) else (each,)
        return tuple(made)

    return cut


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("text", [MOMENTS, NORM, ABOUT_THE_GREATEST])
def test_the_kernels_mean_what_the_text_means(text: str, parts: int, kept: bool) -> None:
    dims = {"R": 2, "C": 7} | ({"B": 5} if text == NORM else {})
    scalars = {"eps": 0.5} if text == NORM else {}
    run(text, scalars=scalars, legalise=pieces(parts, kept), dims=dims, types={})


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("place", [0, 3, 6])
def test_what_is_no_number_makes_what_it_makes_of_the_text(special: float, place: int, kept: bool) -> None:
    """The first of a part, or another: the mean stays infinite."""
    x = np.ones((2, 7))
    x[0, place] = special
    with np.errstate(invalid="ignore"):
        run(MOMENTS, {"x": x}, legalise=pieces(3, kept), dims={"R": 2, "C": 7}, types={})


def test_the_last_kernel_is_a_map_and_the_first_has_both_folds() -> None:
    spec = reduce_of(NORM, R=2, B=3, C=4)
    statistics, last = cut_passes(spec, squares_in(spec))
    assert isinstance(statistics, Reduce) and isinstance(last, Map)
    assert [s.op for s in statistics.steps if isinstance(s, Fold)] == ["sum", "sum"]


@pytest.mark.parametrize(
    ("text", "names"),
    [(MOMENTS, {"q_value"}), (ABOUT_THE_GREATEST, {"a_value", "b_value"}), (SHIFTED, set()), (OF_A_FOLD, set()),
     (PRODUCTS, set()), (STORED, {"q_value"})],
)  # fmt: skip
def test_which_folds_are_squares_about_what_folds_give(text: str, names: set[str]) -> None:
    """Those about what is known before are sums as any, and others may not be moved."""
    spec = reduce_of(text, R=2, C=8)
    assert squares_in(spec).keys() == names
    assert are_of_one_reading(spec) == (bool(names) and text != STORED)


def test_a_condition_on_terms_is_none_of_it() -> None:
    spec = reduce_of(MOMENTS, R=2, C=8)
    under = replace(spec, steps=tuple(replace(s, where=(BELOW,)) if isinstance(s, Fold) else s for s in spec.steps))
    assert under.steps != spec.steps and not squares_in(under)


@pytest.mark.parametrize("length", [2, 16, 49, 448])
def test_parts_are_enough_where_what_is_taken_off_is_within_what_a_sum_is_owed(length: int) -> None:
    """Of the worst: all elements but the first are alike, whose squares about it are n times those about the mean."""
    least = next(parts for parts in range(1, 4000) if are_enough(parts, length))
    assert 3 * length <= least <= 3 * length + 40
    x = [Fraction(0), *[Fraction(1)] * (length - 1)]
    mean = sum(x) / length
    about_mean, about_first = sum((e - mean) ** 2 for e in x), sum(e**2 for e in x)
    assert about_first / about_mean == length
