"""Scatters to the places of a permutation become stores of what is made of each element."""

from __future__ import annotations

import numpy as np
import pytest
from before_after import agree
from middle import program_of, run

from uol.backends import registry
from uol.codegen.lowering import lower
from uol.codegen.program.permuted_puts import permuted_puts
from uol.codegen.specs.nodes import Map, Reduce, Scatter, Select, Store
from uol.codegen.specs.traverse import steps_of
from uol.ir.program.nodes import Put
from uol.ir.syntax.printer import print_op
from uol.operators.gradients import gradient_op
from uol.operators.registry import find_operator

ROWS = """op f(v: T[N, K, D], at: i32[N, K]; M: int) -> (y: T[M, D]) for T in (f32, f16) where M > 0, permutation(at) {
  s[at[n, k], d] += acc(v[n, k, d])
  y[m, d] = T(2 * s[m, d])
}"""
TWICE = ROWS.replace("y[m, d] = T(2 * s[m, d])", "y[m, d] = T(s[m, d] * sum[e](s[m, e]))")
BY_PLACE = ROWS.replace("T(2 * s[m, d])", "T(f32(m) * s[m, d])")
ORDER = """op f(x: f32[M]) -> (order: i64[M], place: i64[M]) {
  order[i] = argsort[m](x[m])
  place[order[i]] += i
}"""
KINDS = frozenset({Scatter, Select})
DIMS = {"N": 3, "K": 2, "D": 4}


def test_rows_are_stored_in_the_type_of_the_result() -> None:
    program = program_of(ROWS, types={"T": "f16"}, dims=DIMS, attrs={"M": 6})
    agree(
        permuted_puts(program),
        """
        line 6   y[max(min(idx(at[n, k]), 6 - 1), 0), d]: f16 = f16(2 * f32(v[n, k, d])) over n, k, d
        """,
    )


@pytest.mark.parametrize(("text", "rows"), [(ROWS, 7), (ROWS.replace("permutation(at)", "M > 1"), 6)])
def test_rows_that_are_not_all_there_or_may_meet_are_added_up(text: str, rows: int) -> None:
    program = program_of(text, types={"T": "f16"}, dims=DIMS, attrs={"M": rows})
    assert permuted_puts(program) == program


@pytest.mark.parametrize("text", [TWICE, BY_PLACE])
def test_what_is_made_of_more_than_the_element_is_made_after_it(text: str) -> None:
    program = permuted_puts(program_of(text, types={"T": "f16"}, dims=DIMS, attrs={"M": 6}))
    assert [type(stage).__name__ for stage in program.stages] == ["Put", "Stage"]
    assert isinstance(program.stages[0], Put) and program.stages[0].into == "s"


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_the_places_of_an_order_are_stored_with_it(target: str) -> None:
    graph = lower(program_of(ORDER, types={}, dims={"M": 9}), registry.get(target))
    (kernel,) = graph.specs
    assert isinstance(kernel, Select)
    assert [s.tensor for s in steps_of(kernel) if isinstance(s, Store)] == ["order", "place"]


def test_the_gradient_of_combined_rows_is_one_kernel() -> None:
    op = find_operator("moe_combine")
    found = gradient_op(op, op.float_inputs).op
    program = program_of(print_op(found), types={"T": "f16"}, dims={"M": 32, "D": 64, "N": 8, "K": 4})
    (kernel,) = lower(program, registry.get("cuda")).specs
    assert isinstance(kernel, Reduce)


def test_a_machine_without_such_stores_adds_up() -> None:
    graph = lower(program_of(ROWS, types={"T": "f16"}, dims=DIMS, attrs={"M": 6}), registry.get("cpu"))
    assert [type(spec) for spec in graph.specs] == [Scatter, Map]


@pytest.mark.parametrize("text", [ROWS, TWICE, BY_PLACE])
def test_values(text: str) -> None:
    """Every promise of a spec is checked, and what the kernels store is the golden value."""
    at = np.random.default_rng(0).permutation(6).reshape(3, 2)
    run(text, {"at": at}, kinds=KINDS, puts=True, dims=DIMS, attrs={"M": 6})


def test_values_of_an_order() -> None:
    run(ORDER, {"x": np.asarray([3, 1, 2, 1, 5, 0, 2])}, kinds=KINDS, puts=True, types={}, dims={"M": 7})
