"""Rows whose keys are of a few numbers are put in order by counting them, and what counts them is made with the order."""

from __future__ import annotations

import numpy as np
import pytest
from before_after import agree
from middle import program_of

from uol.backends import registry
from uol.codegen.lowering import lower
from uol.codegen.program.counted_orders import counted_orders
from uol.codegen.specs.nodes import Select
from uol.conformance.cases.twin_check import check
from uol.conformance.cases.verdict import Case
from uol.ir.program.nodes import Program
from uol.ops.workloads import Workload

TEXT = """op f(at: i64[M]) -> (order: i64[M], counts: i64[8]) {
  of[m] = i32(at[m])
  order[i] = argsort[m](max(min(of[m], 8), -1))
  counts[of[m]] += 1
}"""
UNCUT = TEXT.replace("max(min(of[m], 8), -1)", "of[m]")
NARROW = TEXT.replace("min(of[m], 8)", "min(of[m], 7)")
WEIGHTED = TEXT.replace("counts[of[m]] += 1", "counts[of[m]] += 2")


def program(text: str, rows: int = 40) -> Program:
    return program_of(text, types={}, dims={"M": rows})


def test_an_order_knows_its_keys_and_counts_them() -> None:
    agree(
        counted_orders(program(TEXT), 16, 64),
        """
        line 2   of[m]: i32 = i32(at[m])
        line 3   order_key[m]: i32 = max(min(of[m], 8), -1)
        line 3   order[i]: i64 = the m of the i-th smallest max(min(i32(at[m]), 8), -1)
        line 4   counts[counts_key]: i64 = 1
        """,
    )


@pytest.mark.parametrize(("text", "keys", "rows"), [(UNCUT, 16, 64), (TEXT, 9, 64), (TEXT, 16, 39)])
def test_keys_of_any_number_and_longer_rows_are_compared(text: str, keys: int, rows: int) -> None:
    assert counted_orders(program(text), keys, rows) == program(text)


@pytest.mark.parametrize("text", [NARROW, WEIGHTED])
def test_what_is_no_number_of_keys_stays_a_scatter(text: str) -> None:
    assert [type(s).__name__ for s in counted_orders(program(text), 16, 64).stages if s.name == "counts"] == ["Scatter"]


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_one_kernel_makes_both(target: str) -> None:
    (spec,) = lower(program(TEXT), registry.get(target)).specs
    assert isinstance(spec, Select) and spec.tally is not None
    assert np.prod([axis.extent.value for axis in spec.keys]) == 8  # type: ignore[attr-defined]  # sizes are fixed


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_values(target: str) -> None:
    """As many keys as smaller blocks have counters for, some of them no expert; more blocks have the golden kernel."""
    case = Case("moe_dispatch", target, "f32", Workload("moe_dispatch", {"M": 31}, {"experts": 500, "top": 4}))
    (verdict,) = check([case])
    assert verdict.ok, verdict.reason
