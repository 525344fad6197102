"""A sum of terms that fade by a product over what lies between is a recurrence, whichever ends the product has."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from before_after import agree
from middle import lowered, program_of, run
from spec_interpreter import EVERY_KIND

from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.program.recurrences import as_recurrences
from uol.codegen.specs.long_rows.split_recurrence import is_split_by_maps, split_open_recurrences, split_recurrences
from uol.codegen.specs.nodes import Fold, KernelSpec, Map, Scan
from uol.codegen.specs.steps import RECURRENCE
from uol.codegen.work import work_of

TEXT = """op state(a: T[R, N], b: T[R, N]) -> (y: T[R, N], z: T[R, N]) for T in (f32) {
  y[r, i] = sum[j <= i](b[r, j] * prod[k > j, k <= i](a[r, k]))
  z[r, j] = sum[i >= j](b[r, i] * prod[k > j, k <= i](a[r, k]))
}"""
ENDS = [
    (sum_, term, result)
    for forward, after, before in ((("<=", "<"), (">", ">="), ("<=", "<")), ((">=", ">"), ("<", "<="), (">=", ">")))
    for sum_, term, result in itertools.product(forward, after, before)
]
"""How the sum is bounded by the position of the result, and the product by that of the term and of the result."""


def text_of(ends: tuple[str, str, str], body: str = "b[r, j] * {}", factor: str = "a[r, k]") -> str:
    of_sum, of_term, of_result = ends
    product = f"prod[k {of_term} j, k {of_result} i]({factor})"
    value = f"sum[j {of_sum} i]({body.format(product)})"
    return f"op f(a: T[R, N], b: T[R, N]) -> (y: T[R, N]) for T in (f64, f32) {{ y[r, i] = {value} }}"


def test_both_directions() -> None:
    agree(
        as_recurrences(program_of(TEXT, dims={"R": 2, "N": 3})),
        """
        line 2   y_before[r, i]: f32 = recurrence[< i](affine(select(i == 0, 1, a[r, i]), b[r, i]))
        line 2   y[r, i]: f32 = select(i == 0, 1, a[r, i]) * y_before[r, i] + b[r, i]
        line 3   z_before[r, j]: f32 = recurrence[> j](affine(select(j == 2, 1, a[r, j]), a[r, j] * b[r, j]))
        line 3   z[r, j]: f32 = z_before[r, j] + b[r, j]
        """,
    )


@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("ends", ENDS)
def test_every_pair_of_ends_means_what_the_text_does(ends: tuple[str, str, str], length: int) -> None:
    text, dims = text_of(ends), {"R": 2, "N": length}
    run(text, dims=dims, types={"T": "f64"}, kinds=EVERY_KIND)
    graph = lowered(text, dims=dims, types={"T": "f64"}, kinds=EVERY_KIND)
    if length > 2:  # of two positions some bounds hold anyway
        (spec,) = graph.specs
        assert isinstance(spec, Scan)
        assert [step.op for step in spec.steps if isinstance(step, Fold)] == [RECURRENCE]


@pytest.mark.parametrize("length", [0, 1, 2, 5, 8])
@pytest.mark.parametrize("ends", ENDS)
def test_without_scans_maps_are_composed_at_twice_the_distance(ends: tuple[str, str, str], length: int) -> None:
    text, dims = text_of(ends), {"R": 2, "N": length}
    run(text, dims=dims, types={"T": "f64"})
    if length == 8:
        specs = lowered(text, dims=dims, types={"T": "f64"}).specs
        assert len(specs) <= 8
        assert all(isinstance(spec, Map) for spec in specs)


BETWEEN = ENDS[0]
FOUND = {
    "a factor beside the term": text_of(BETWEEN, "2 * {} * b[r, j] / a[r, j]"),
    "a factor that is negative": text_of(BETWEEN, "-{}"),
    "nothing but the product": text_of(BETWEEN, "{}"),
    "a factor of neighbours": text_of(BETWEEN, factor="a[r, k - 1] - a[r, k]"),
    "a factor of neighbours behind": text_of(("<=", ">=", "<"), factor="a[r, k + 1] * b[r, k]"),
    "a factor of another row": text_of(BETWEEN, factor="a[R - 1 - r, k]"),
    "tensors of one element less": """op f(a: T[R, N - 1], b: T[R, N - 1]) -> (y: T[R, N]) for T in (f64, f32) where N > 0 {
  y[r, i] = sum[j < i](b[r, j] * prod[k > j, k < i](a[r, k]))
}""",
    "factors of one element less": """op f(a: T[R, N - 1], b: T[R, N]) -> (y: T[R, N]) for T in (f64, f32) where N > 0 {
  y[r, i] = sum[j >= i](b[r, j] * prod[k < j, k >= i](a[r, k]))
}""",
    "within a value": """op f(a: T[R, N], b: T[R, N]) -> (y: T[R, N]) for T in (f64, f32) {
  y[r, i] = a[r, i] / (1 + exp(sum[j <= i](b[r, j] * prod[k > j, k <= i](a[r, k]))))
          + sum[j > i](b[r, j] * prod[k <= j, k > i](b[r, k]))
}""",
}


@pytest.mark.parametrize("kinds", [EVERY_KIND, frozenset()], ids=["scans", "maps"])
@pytest.mark.parametrize("what", FOUND)
def test_what_is_a_recurrence(what: str, kinds: frozenset[type[KernelSpec]]) -> None:
    given = {"dims": {"R": 3, "N": 6}, "types": {"T": "f64"}, "kinds": kinds}
    run(FOUND[what], **given)
    assert all(isinstance(spec, Scan | Map) for spec in lowered(FOUND[what], **given).specs)


STATE = "sum[j <= {0}](b[r, j] * prod[k > j, k <= {0}](a[r, k]))"
BACK = "sum[j > {0}](b[r, j] * prod[k <= j, k > {0}](a[r, k]))"
NESTED = {
    "a sum of states": f"y[r] = sum[i]({STATE.format('i')})",
    "the largest of a running sum": "y[r] = max[i](sum[j <= i](b[r, j]))",
    "a local": f"x[r, i] = {STATE.format('i')}  y[r] = sum[i](a[r, i] * x[r, i])",
    "a local that runs back": "x[r, i] = max[j >= i](b[r, j])  y[r] = sum[i](x[r, i])",
    "a running sum of states": f"z[r, m] = sum[i <= m](a[r, i] * {STATE.format('i')})  y[r] = max[m](z[r, m])",
    "a state of states": f"y[r] = sum[i](sum[m < i]({STATE.format('m')} * prod[l > m, l < i](b[r, l])))",
    "a state of running sums": "y[r] = sum[i](sum[m < i](sum[j <= m](b[r, j]) * prod[k > m, k <= i](a[r, k])))",
    "what runs back within what runs on": f"y[r] = max[i](sum[m < i](a[r, m] * {BACK.format('m')}))",
    "a maximum from here on, before an index": "y[r] = sum[i](sum[m < i](max[j >= m](b[r, j])))",
    "states that are added by place": f"y[(r + 1) % 3] += {STATE.format('i')} * a[r, i]",
}


@pytest.mark.parametrize("kinds", [EVERY_KIND, frozenset()], ids=["scans", "maps"])
@pytest.mark.parametrize("what", NESTED)
def test_within_another_reduction_it_is_one_for_all_of_its_places(what: str, kinds: frozenset[type[KernelSpec]]) -> None:
    """The work grows as the row does, where by the definition it would as its third power."""
    text = f"op f(a: T[R, N], b: T[R, N]) -> (y: T[R]) for T in (f64, f32) {{ {NESTED[what]} }}"
    for length in (0, 1, 2, 7):
        run(text, dims={"R": 3, "N": length}, types={"T": "f64"}, kinds=kinds)
    operations = []
    for length in (64, 256) if kinds else ():
        specs = lowered(text, dims={"R": 2, "N": length}, kinds=kinds).specs
        operations.append(sum(value_at(n, {}) for spec in specs for n in work_of(spec).operations.values()))
    assert not kinds or operations[1] < 4.2 * operations[0]


NOT = {
    "a term of the result's place": text_of(BETWEEN, "b[r, i] * b[r, j] * {}"),
    "a factor of the result's place": text_of(BETWEEN, factor="a[r, k] + b[r, i]"),
    "a factor of the term's place": text_of(BETWEEN, factor="a[r, k] + b[r, j]"),
    "a product over what lies behind": text_of(("<=", "<", "<=")),
    "a product that is not bounded by the term": text_of(BETWEEN).replace("k > j, ", ""),
    "one more condition": text_of(BETWEEN).replace("k > j,", "k > j, k > r,"),
    "a sum of sums": text_of(BETWEEN, "b[r, j] + {}"),
    "a divisor": text_of(BETWEEN, "b[r, j] / {}"),
    "integers": text_of(BETWEEN).replace("(f64, f32)", "(i32, i64)"),
}


@pytest.mark.parametrize("what", NOT)
def test_what_is_none(what: str) -> None:
    dtype = "i32" if what == "integers" else "f64"
    program = program_of(NOT[what], dims={"R": 3, "N": 6}, types={"T": dtype})
    assert as_recurrences(program).stages == program.stages
    run(NOT[what], inputs={"a": [[1, 2, -1, 1, 3, 1]] * 3}, dims={"R": 3, "N": 6}, types={"T": dtype}, kinds=EVERY_KIND)


def test_its_work_grows_as_its_length() -> None:
    for text in (text_of(ends) for ends in ENDS):
        operations = []
        for length in (64, 256):
            specs = lowered(text, dims={"R": 2, "N": length}, kinds=EVERY_KIND).specs
            operations.append(sum(value_at(n, {}) for spec in specs for n in work_of(spec).operations.values()))
        assert operations[1] == 4 * operations[0], text


@pytest.mark.parametrize("parts", [2, 3, 6])
@pytest.mark.parametrize("ends", ENDS)
def test_a_long_row_in_parts(ends: tuple[str, str, str], parts: int) -> None:
    split: list[Scan] = []

    def in_parts(spec: KernelSpec) -> tuple[KernelSpec, ...]:
        assert isinstance(spec, Scan) and is_split_by_maps(spec)
        split.append(spec)
        return split_recurrences(spec, parts)

    run(text_of(ends), dims={"R": 2, "N": 6}, types={"T": "f64"}, kinds=EVERY_KIND, legalise=in_parts)
    assert split


@pytest.mark.parametrize("length", [7, 12, 13, 23])
@pytest.mark.parametrize("ends", ENDS)
def test_a_row_of_any_length_in_parts(ends: tuple[str, str, str], length: int) -> None:
    """Three parts of an even length, and what is left behind them. The first factor may be infinite: nothing is before it."""
    split: list[Scan] = []

    def in_parts(spec: KernelSpec) -> tuple[KernelSpec, ...]:
        if not isinstance(spec, Scan):
            return (spec,)
        split.append(spec)
        return split_open_recurrences(spec, 3, 2)

    given = {"dims": {"R": 2, "N": length}, "types": {"T": "f64"}, "kinds": EVERY_KIND, "legalise": in_parts}
    run(text_of(ends), **given)
    factors = np.ones((2, length))
    factors[0, :1] = factors[1, -1:] = np.inf
    run(text_of(ends), inputs={"a": factors, "b": np.ones((2, length))}, **given)
    assert split


def test_parts_of_a_row() -> None:
    (spec,) = lowered(text_of(BETWEEN, "{}").replace("R, ", "").replace("r, ", ""), dims={"N": 6}, kinds=EVERY_KIND).specs
    assert isinstance(spec, Scan)
    maps, begin, parts = split_recurrences(spec, 3)
    agree(
        maps,
        """
        Scan f_maps: rows part < 3; forwards along i < 2
          line 2   y_before = recurrence over i of affine(select(i == 0, 1, select(part * 2 + i == 0, 1, a[part * 2 + i])), 1)
          line 2   y_before_by = prod over i of select(part * 2 + i == 0, 1, a[part * 2 + i])
          line 2   f_y_before_by[part] = y_before_by
          line 2   f_y_before_plus[part] = y_before
        """,
    )
    agree(
        begin,
        """
        Scan f_begin: rows none; forwards, itself excluded along part < 3
          line 2   y_before = recurrence over part of affine(select(part == 0, 1, f_y_before_by[part]), f_y_before_plus[part])
          line 2   f_y_before_begin[part] = y_before
        """,
    )
    assert parts.exclusive
    assert [step.op for step in parts.steps if isinstance(step, Fold)] == [RECURRENCE, "prod"]
