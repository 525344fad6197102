"""A Reduce of few long rows: its passes as kernels, and each of those over parts of the rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from before_after import agree
from middle import lowered, run
from middle_texts import NORM, SOFTMAX

from uol.codegen.indexing.arithmetic import static, value_at
from uol.codegen.specs.long_rows import split_select as module
from uol.codegen.specs.long_rows.cut_passes import cut_passes, stores_apart
from uol.codegen.specs.long_rows.split_folds import may_be_split, split_folds
from uol.codegen.specs.long_rows.split_scan import may_be_parted, split_open_scan, split_scan
from uol.codegen.specs.long_rows.split_select import may_be_cut, split_select
from uol.codegen.specs.nodes import Fold, KernelSpec, Map, Read, Reduce, Scan, Select, Store
from uol.codegen.specs.traverse import accesses, steps_of
from uol.ir.program.nodes import Axis, Const, Var

TOTAL = "op total(x: f32[R, C], w: f32[R]) -> (y: f32[R]) { y[r] = sum[c](exp(x[r, c])) * w[r] }"
MASKED = "op masked(x: f32[R, B, C]) -> (y: f32[R]) where C > R { y[r] = max[b, c <= r](x[r, b, c] - x[r, 0, c] else 0) }"
STATISTICS = """op statistics(x: f32[R, C]; eps: float = 0.5) -> (y: f32[R], z: f32[R]) where C > 0 {
  s[r] = sum[c](x[r, c])
  q[r] = sum[c](x[r, c] * x[r, c])
  y[r] = q[r] / sqrt(s[r] * s[r] + eps)
  z[r] = s[r]
}"""
BESIDE = """op beside(x: f32[R, C], w: f32[R, K]) -> (y: f32[R, C], z: f32[R]) {
  u[r]    = sum[k](w[r, k])
  e[r, c] = x[r, c] * u[r]
  z[r]    = sum[c](e[r, c])
  y[r, c] = e[r, c] - u[r]
}"""
TWICE_STORED = """op twice(x: f32[R, C]) -> (early: f32[R, C], m: f32[R], late: f32[R, C]) {
  early[r, c] = x[r, c] * 2
  s[r]        = sum[c](early[r, c])
  m[r]        = s[r] / 2
  late[r, c]  = early[r, c] - s[r]
}"""
PICK = "op pick(x: f32[R, C]) -> (y: i64[R]) where C > 0 { y[r] = argmax[c](x[r, c]) }"


BOTH = """op both(x: f32[R, B, C]) -> (y: f32[R], a: i64[R], z: i32[R]) where B > 0, C > 0 {
  y[r] = min[b, c](x[r, b, c])
  a[r] = argmin[b, c](x[r, b, c])
  z[r] = i32(argmax[b, c](x[r, b, c]) + a[r])
}"""


def types_of(text: str) -> dict[str, str]:
    return {"T": "f32"} if " for T " in text else {}


RUNNING = """op running(x: f32[R, C, D], w: f32[C]) -> (y: f32[R, C, D], z: f32[R, C, D]) {
  y[r, i, d] = sum[j <= i](select(true, x[r, j, d] * x[r, j, d], x[r, i, d])) + w[i]
  z[r, i, d] = max[j <= i](select(true, x[r, j, d], x[r, i, d]))
}"""
BACKWARDS = "op backwards(x: f32[R, C]) -> (y: f32[R, C]) { y[r, i] = sum[j >= i](x[r, j]) * x[r, i] }"
EXCLUSIVE = "op exclusive(x: f32[R, C]) -> (y: f32[R, C]) { y[r, i] = sum[j < i](x[r, j]) }"
RUNNING_PICK = "op running_pick(x: f32[R, C]) -> (y: i64[R, C]) { y[r, i] = argmax[j <= i](x[r, j]) }"


def reduce_of(text: str, **dims: int) -> Reduce:
    (spec,) = lowered(text, dims=dims, types=types_of(text)).specs
    assert isinstance(spec, Reduce)
    return spec


def in_pieces(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    """Every pass, in three parts of its last axis."""
    if not isinstance(spec, Reduce):
        return (spec,)
    passes: tuple[KernelSpec, ...] = (spec,)
    if not may_be_split(spec):
        passes = tuple(p for each in cut_passes(spec) for p in (stores_apart(each) if isinstance(each, Reduce) else (each,)))
    pieces: list[KernelSpec] = []
    for each in passes:
        is_split = isinstance(each, Reduce) and may_be_split(each)
        pieces += split_folds(each, each.cols[-1], 3) if is_split and isinstance(each, Reduce) else (each,)
    return tuple(pieces)


def test_a_sum_in_parts() -> None:
    first, whole = split_folds(spec := reduce_of(TOTAL, R=2, C=8), spec.cols[0], 4)
    agree(
        first,
        """
        Reduce total_parts: rows part < 4, r < 2; cols c < 2
          line 2   y_sum = sum over c of exp(x[r * 8 + (part * 2 + c)])
          line 2   total_y_sum_parts[part * 2 + r] = y_sum
        """,
    )
    agree(
        whole,
        """
        Reduce total: rows r < 2; cols part < 4
          line 2   y_sum = sum over part of total_y_sum_parts[part * 2 + r]
          line 2   y_value = y_sum * w[r]
          line 2   y[r] = y_value
        """,
    )


def test_the_last_part_may_be_shorter() -> None:
    first, _ = split_folds(spec := reduce_of(TOTAL, R=2, C=8), spec.cols[0], 3)
    agree(
        first,
        """
        Reduce total_parts: rows part < 3, r < 2; cols c < 3
          line 2   y_sum = sum over c of exp(x[r * 8 + (part * 3 + c)] if part * 3 + c < 8 else 0) where part * 3 + c < 8
          line 2   total_y_sum_parts[part * 2 + r] = y_sum
        """,
    )


def test_a_place_in_parts() -> None:
    first, whole = split_folds(spec := reduce_of(PICK, R=2, C=8), spec.cols[0], 4)
    agree(
        first,
        """
        Reduce pick_parts: rows part < 4, r < 2; cols c < 2
          line 2   y_value = argmax over c of x[r * 8 + (part * 2 + c)]
          line 2   y_value_best = max over c of x[r * 8 + (part * 2 + c)]
          line 2   pick_y_value_parts[part * 2 + r] = y_value
          line 2   pick_y_value_best_parts[part * 2 + r] = y_value_best
        """,
    )
    agree(
        whole,
        """
        Reduce pick: rows r < 2; cols part < 4
          line 2   y_value_part = argmax over part of pick_y_value_best_parts[part * 2 + r]
          line 2   y_value = i64(idx(y_value_part) * 2 + idx(pick_y_value_parts[idx(y_value_part) * 2 + r]))
          line 2   y[r] = y_value
        """,
    )


@pytest.mark.parametrize("parts", [2, 3, 4])
@pytest.mark.parametrize("special", [0.0, np.nan, np.inf, -np.inf])
def test_the_place_is_the_first_of_the_best(special: float, parts: int) -> None:
    x = np.full((2, 5, 3), special)
    x[0, 1:, ::2], x[1, 2, 1] = [[1, 2], [2, 2], [1, 1], [2, 1]], np.nan
    spec = reduce_of(BOTH, R=2, B=5, C=3)
    assert [s.op for s in spec.steps if isinstance(s, Fold)] == ["min", "argmin", "argmax"]
    run(BOTH, {"x": x}, legalise=lambda each: split_folds(each, each.cols[0], parts), dims={"R": 2, "B": 5, "C": 3}, types={})


def test_passes_are_kernels() -> None:
    first, second, third = cut_passes(reduce_of(SOFTMAX, R=2, C=4))
    agree(
        first,
        """
        Reduce softmax_pass0: rows r < 2; cols c < 4
          line 2   hi = max over c of x[r * 4 + c]
          line 2   softmax_hi_rows[r] = hi
        """,
    )
    agree(
        second,
        """
        Reduce softmax_pass1: rows r < 2; cols c < 4
          line 2   hi = softmax_hi_rows[r]
          line 3   e = exp(x[r * 4 + c] - hi)
          line 4   z = sum over c of e
          line 4   softmax_z_rows[r] = z
        """,
    )
    agree(
        third,
        """
        Map softmax: r < 2, c < 4
          line 2   hi = softmax_hi_rows[r]
          line 3   e = exp(x[r * 4 + c] - hi)
          line 4   z = softmax_z_rows[r]
          line 5   y_value = e / z
          line 5   y[r * 4 + c] = y_value
        """,
    )


def test_what_is_computed_of_folds_is_stored_in_their_place() -> None:
    """Each element would divide again else."""
    first, second, last = cut_passes(reduce_of(NORM, R=2, C=4))
    agree(
        first,
        """
        Reduce norm_pass0: rows r < 2; cols c < 4
          line 2   mu_sum = sum over c of x[r * 4 + c]
          line 2   mu = mu_sum / 4
          line 2   norm_mu_rows[r] = mu
        """,
    )
    agree(
        second,
        """
        Reduce norm_pass1: rows r < 2; cols c < 4
          line 2   mu = norm_mu_rows[r]
          line 3   var_sum = sum over c of (x[r * 4 + c] - mu) * (x[r * 4 + c] - mu)
          line 3   var = var_sum / 4
          line 3   norm_var_rows[r] = var
        """,
    )
    agree(
        last,
        """
        Map norm: r < 2, c < 4
          line 2   mu = norm_mu_rows[r]
          line 3   var = norm_var_rows[r]
          line 4   y_value = (x[r * 4 + c] - mu) / sqrt(var + eps) * w[c]
          line 4   y[r * 4 + c] = y_value
        """,
    )


def test_elements_of_an_early_pass_are_stored_by_the_last() -> None:
    spec = reduce_of(TWICE_STORED, R=2, C=4)
    first, second = cut_passes(spec)
    stored = [[s.tensor for s in steps_of(each) if isinstance(s, Store)] for each in (first, second)]
    assert stored == [["m", "twice_s_rows"], ["early", "late"]]
    run(TWICE_STORED, legalise=in_pieces, dims={"R": 2, "C": 7}, types={})


def test_a_row_that_is_gone_over_once_is_one_kernel() -> None:
    spec = reduce_of(TOTAL, R=2, C=8)
    assert cut_passes(spec) == (spec,)


def test_what_is_stored_of_elements_is_a_kernel_behind_the_folds() -> None:
    _, spec = lowered(BESIDE, dims={"R": 2, "C": 4, "K": 3}, types={}).specs
    assert isinstance(spec, Reduce)
    folds, elements = stores_apart(spec)
    agree(
        folds,
        """
        Reduce beside_z: rows r < 2; cols c < 4
          line 3   e = x[r * 4 + c] * u[r]
          line 4   z_value = sum over c of e
          line 4   z[r] = z_value
        """,
    )
    agree(
        elements,
        """
        Map beside_z_elements: r < 2, c < 4
          line 3   e = x[r * 4 + c] * u[r]
          line 5   y_value = e - u[r]
          line 5   y[r * 4 + c] = y_value
        """,
    )
    assert isinstance(folds, Reduce) and may_be_split(folds)


@pytest.mark.parametrize("text", [TOTAL, SOFTMAX])
def test_what_has_no_folds_beside_its_stores_stays(text: str) -> None:
    assert stores_apart(spec := reduce_of(text, R=2, C=8)) == (spec,)


@pytest.mark.parametrize(
    ("text", "expected"), [(TOTAL, True), (STATISTICS, True), (MASKED, True), (SOFTMAX, False), (NORM, False), (PICK, True)]
)
def test_what_may_be_split(text: str, expected: bool) -> None:
    dims = {"R": 2, "C": 8, **({"B": 3} if text == MASKED else {})}
    assert may_be_split(reduce_of(text, **dims)) == expected


@pytest.mark.parametrize("columns", [6, 7])
@pytest.mark.parametrize("text", [TOTAL, STATISTICS, MASKED, SOFTMAX, NORM, PICK, BESIDE])
def test_the_kernels_mean_what_the_text_means(text: str, columns: int) -> None:
    dims = {"R": 2, "C": columns, **({"B": 3} if text == MASKED else {"K": 3} if text == BESIDE else {})}
    run(text, scalars={"eps": 0.5}, legalise=in_pieces, dims=dims, types=types_of(text))


def parted(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    return split_scan(spec, 3) if isinstance(spec, Scan) else (spec,)


def test_a_scan_in_parts() -> None:
    (spec,) = lowered(BACKWARDS, kinds=frozenset({Scan}), dims={"R": 2, "C": 6}, types={}).specs
    assert isinstance(spec, Scan)
    totals, begin, rest = split_scan(spec, 2)
    agree(
        totals,
        """
        Reduce backwards_parts: rows r < 2, part < 2; cols i < 3
          line 2   y_sum = sum over i of x[r * 6 + (part * 3 + i)]
          line 2   backwards_y_sum_parts[r * 2 + part] = y_sum
        """,
    )
    agree(
        begin,
        """
        Scan backwards_begin: rows r < 2; backwards, itself excluded along part < 2
          line 2   y_sum = sum over part of backwards_y_sum_parts[r * 2 + part]
          line 2   backwards_y_sum_begin[r * 2 + part] = y_sum
        """,
    )
    agree(
        rest,
        """
        Scan backwards: rows r < 2, part < 2; backwards along i < 3
          line 2   y_sum_part = sum over i of x[r * 6 + (part * 3 + i)]
          line 2   y_sum = backwards_y_sum_begin[r * 2 + part] + y_sum_part
          line 2   y_value = y_sum * x[r * 6 + (part * 3 + i)]
          line 2   y[r * 6 + (part * 3 + i)] = y_value
        """,
    )


@pytest.mark.parametrize("text", [RUNNING, BACKWARDS, EXCLUSIVE])
def test_the_scans_mean_what_the_text_means(text: str) -> None:
    dims = {"R": 2, "C": 6, **({"D": 2} if text == RUNNING else {})}
    run(text, legalise=parted, kinds=frozenset({Scan}), dims=dims, types={})


@pytest.mark.parametrize("columns", [0, 5, 6, 12, 13])
@pytest.mark.parametrize("text", [RUNNING, BACKWARDS, EXCLUSIVE])
def test_scans_of_any_length_mean_what_the_text_means(text: str, columns: int) -> None:
    """Parts of an even length, and what is left behind the last: nothing, all, and some."""
    dims = {"R": 2, "C": columns, **({"D": 2} if text == RUNNING else {})}
    run(text, legalise=parted_evenly, kinds=frozenset({Scan}), dims=dims, types={})


def parted_evenly(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    return split_open_scan(spec, 3, 2) if isinstance(spec, Scan) else (spec,)


def test_a_backward_scan_begins_with_what_is_left_behind_the_parts() -> None:
    (spec,) = lowered(BACKWARDS, kinds=frozenset({Scan}), dims={"R": 2, "C": 13}, types={}).specs
    assert isinstance(spec, Scan)
    total, left, _, _, main = split_open_scan(spec, 3, 2)
    agree(
        total,
        """
        Reduce backwards_left: rows r < 2, part < 1; cols i < 1
          line 2   y_sum = sum over i of x[r * 13 + (12 + (part + i))]
          line 2   backwards_rest_y_sum_parts[r + part] = y_sum
        """,
    )
    agree(
        left,
        """
        Scan backwards_rest: rows r < 2; backwards along i < 1
          line 2   y_sum = sum over i of x[r * 13 + (12 + i)]
          line 2   y_value = y_sum * x[r * 13 + (12 + i)]
          line 2   y[r * 13 + (12 + i)] = y_value
        """,
    )
    agree(
        main,
        """
        Scan backwards: rows r < 2, part < 3; backwards along i < 4
          line 2   y_sum_part = sum over i of x[r * 13 + (part * 4 + i)]
          line 2   y_sum = backwards_rest_y_sum_parts[r] + backwards_y_sum_begin[r * 3 + part] + y_sum_part
          line 2   y_value = y_sum * x[r * 13 + (part * 4 + i)]
          line 2   y[r * 13 + (part * 4 + i)] = y_value
        """,
    )


@pytest.mark.parametrize(("text", "expected"), [(BACKWARDS, True), (EXCLUSIVE, True), (RUNNING_PICK, False)])
def test_which_scans_may_be_parted(text: str, expected: bool) -> None:
    (spec,) = lowered(text, kinds=frozenset({Scan}), dims={"R": 2, "C": 6}, types={}).specs
    assert isinstance(spec, Scan)
    assert may_be_parted(spec) == expected


def test_the_last_kernel_of_a_norm_is_a_map() -> None:
    *_, last = in_pieces(reduce_of(NORM, R=2, C=6))
    assert isinstance(last, Map)


SORT = "op f(x: f32[R, C]) -> (y: f32[R, C], a: i32[R, C]) { (y[r, i], a[r, i]) = sort[c](x[r, c]) }"
VALUES = "op values(x: f32[R, C]) -> (y: f32[R, C]) { y[r, i] = sort[c](x[r, c]) }"
FIRST = """op first(x: f32[R, C], w: f32[C]) -> (y: f32[R, 3], at: i64[R, 3]) where C >= 3 {
  (z[r, k], at[r, k]) = topk[c](x[r, c] * w[c], 3)
  y[r, k] = z[r, k] + w[at[r, k]]
}"""
SPREAD = """op spread(x: i32[R, C]) -> (y: i32[R, C]) {
  at[r, i] = argsort[c](x[r, c])
  y[r, i] = i32(at[r, i]) - x[r, i]
}"""


def select_of(text: str, **dims: int) -> Select:
    *_, spec = lowered(text, kinds=frozenset({Select}), dims=dims, types={}).specs
    assert isinstance(spec, Select)
    return spec


def in_tiles(tile: int) -> Callable[[KernelSpec], tuple[KernelSpec, ...]]:
    return lambda spec: split_select(spec, tile) if isinstance(spec, Select) else (spec,)


OF_TILES = """
Select f_tiles1: r < 2, part < 2, c < 4, i < 4
  line 2   a_value = the c of the i-th smallest x[r * 7 + (part * 4 + c)] if part * 4 + c < 7 else nan
  line 2   f_keys1[r * 8 + (part * 4 + i)] = x[r * 7 + (part * 4 + idx(a_value))] if part * 4 + idx(a_value) < 7 else nan
  line 2   f_places1[r * 8 + (part * 4 + i)] = i32(part * 4 + idx(a_value))
"""


def test_an_order_in_tiles_and_a_merge() -> None:
    tiles, whole = split_select(select_of(SORT, R=2, C=7), 4)
    agree(tiles, OF_TILES)
    agree(
        whole,
        """
        Select f: r < 2, c < 7, i < 7
          line 2   a_value_here = the c of the i-th smallest f_keys1[r * 8 + c], of two runs in order, the first of 4
          line 2   a_value = f_places1[r * 8 + idx(a_value_here)]
          line 2   a[r * 7 + i] = a_value
          line 2   y_value = f_keys1[r * 8 + idx(a_value_here)]
          line 2   y[r * 7 + i] = y_value
        """,
    )


def test_as_few_kernels_as_the_places_that_are_wanted_allow() -> None:
    """Runs are merged where more than half of a tile is wanted; else what tiles keep is cut again."""
    kernels = {
        "order": [None, 4, 8, 16],
        "one merge": [None, 4],
        "first": [None, None, None, None],
        "pairs": [None, 3, 3, 3],
    }
    texts = {"order": (SORT, 17, 4), "one merge": (SORT, 8, 4), "first": (FIRST, 500, 16), "pairs": (FIRST, 24, 4)}
    for name, (text, columns, tile) in texts.items():
        found = split_select(select_of(text, R=2, C=columns), tile)
        assert [spec.run for spec in found] == kernels[name], name
        assert all((static(spec.col.extent) or 0) <= (2 * spec.run if spec.run else tile) for spec in found)


@pytest.mark.parametrize("tile", [2, 4, 6])
@pytest.mark.parametrize("columns", [3, 4, 9, 16, 17])
@pytest.mark.parametrize("text", [SORT, VALUES, FIRST, SPREAD])
def test_the_orders_mean_what_the_text_means(text: str, columns: int, tile: int) -> None:
    run(text, legalise=in_tiles(tile), kinds=frozenset({Select}), dims={"R": 2, "C": columns}, types={})


def test_two_arrays_are_enough_for_any_number_of_merges() -> None:
    found = split_select(select_of(SORT, R=2, C=100), 4)
    workspaces = {arg.name: arg for spec in found for arg in spec.args if arg.role == "workspace"}
    assert [spec.run for spec in found] == [None, 4, 8, 16, 32, 64]
    assert set(workspaces) == {"f_keys1", "f_keys2", "f_places1", "f_places2"}
    for before, after in itertools.pairwise(found):
        written = {step.tensor for step in steps_of(after) if isinstance(step, Store)}
        assert not written & {access.tensor for access in accesses(after) if isinstance(access, Read)}
        assert {a.name for a in before.args if a.role == "workspace"} & {a.name for a in after.args}


def test_places_that_nobody_asks_for_are_not_kept() -> None:
    for spec in split_select(select_of(VALUES, R=2, C=17), 4):
        assert not any(arg.name.endswith("places") for arg in spec.args)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_what_a_part_lacks_stands_behind_what_is_alike(special: float) -> None:
    x = np.full((2, 7), special)
    x[0, ::2] = 1
    for text in (SORT, "op down(x: f32[R, C]) -> (y: f32[R, C], at: i32[R, C]) { (y[r, i], at[r, i]) = topk[c](x[r, c], C) }"):
        run(text, {"x": x}, legalise=in_tiles(4), kinds=frozenset({Select}), dims={"R": 2, "C": 7}, types={})


def test_which_orders_may_be_cut() -> None:
    spec = select_of(SORT, R=2, C=7)
    assert may_be_cut(spec)
    assert may_be_cut(replace(spec, col=Axis("c", Var("C"))))
    assert not any(may_be_cut(each) for each in (replace(spec, run=4), replace(spec, place=Axis("i", Const(0)))))


@pytest.mark.parametrize("text", [SORT, FIRST])
@pytest.mark.parametrize("length", [3, 4, 5, 16, 17, 63, 64, 65, 255, 256])
def test_of_rows_of_any_length_those_kernels_are_launched_that_a_length_needs(
    text: str, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many merges, of runs as long, as for a row that is known to be so long."""
    monkeypatch.setattr(module, "LONGEST", 256)
    spec = select_of(text, R=2)
    found = [each for each in split_select(spec, 4) if all(value_at(condition, {"C": length}) for condition in each.where)]
    fixed = split_select(select_of(text, R=2, C=length), 4)
    assert [each.run for each in found] == [each.run for each in fixed]
    assert [arg.name for arg in found[-1].args if arg.role == "out"] == [a.name for a in fixed[-1].args if a.role == "out"]
