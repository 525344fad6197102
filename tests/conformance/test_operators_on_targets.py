"""Every operator on every target, f32 and f16: two awkward workloads each, inputs and memory orders by turns.

`make soak` takes all workloads, all kinds of inputs and all memory orders.
"""

from __future__ import annotations

import pytest

from uol.backends import registry
from uol.conformance.support import Cell, support_matrix
from uol.conformance.sweep import CAST_PAIRS, cases_of, quick_cases, types_of
from uol.conformance.twin_check import check, has_twin
from uol.conformance.verdict import Case, Verdict
from uol.ops.texts import names
from uol.ops.workloads import Workload

OPERATORS = tuple(n for n in names() if n != "cast")


@pytest.mark.parametrize("dtype", ["f32", "f16"])
@pytest.mark.parametrize("target", registry.names())
def test_operators_keep_their_contract(target: str, dtype: str) -> None:
    turn = registry.names().index(target) + (dtype == "f16")
    cases = [case for number, op in enumerate(OPERATORS) for case in quick_cases(op, target, dtype, turn + number)]
    wrong = [f"{v.case}: {v.status}: {v.reason}" for v in check(cases) if not v.ok]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("target", registry.names())
def test_casts_keep_their_contract(target: str) -> None:
    workload = Workload("cast", {"S": (7, 33)})
    pairs = [p for p in CAST_PAIRS if "64" not in p]
    verdicts = check([Case("cast", target, pair, workload, "special") for pair in pairs])
    wrong = [f"{v.case}: {v.status}: {v.reason}" for v in verdicts if not v.ok]
    assert not wrong, "\n".join(wrong)


@pytest.mark.soak
@pytest.mark.parametrize("op", names())
@pytest.mark.parametrize("target", registry.names())
def test_every_case_of_every_operator(target: str, op: str) -> None:
    cases = [case for dtype in types_of(op, ("f32", "f16", "bf16")) for case in cases_of(op, target, dtype)]
    wrong = [c for c in support_matrix(check(cases)) if c.state == "wrong"]
    assert not wrong


def test_a_check_goes_through_twin_reference_and_oracle() -> None:
    (verdict,) = check([Case("softmax", "cuda", "f16", Workload("softmax", {"S": (3,), "C": 33}), "exact")])
    assert verdict.ok, verdict.reason
    assert has_twin("cuda")
    assert not has_twin("cpu")
    for comparison in (verdict.golden, verdict.reference, verdict.oracle):
        assert comparison is not None
        assert comparison.ok
        assert comparison.elements == 99
    assert verdict.counts["global_load_bytes"] > 0
    record = verdict.record()
    assert record["workload"] == "softmax[S=3, C=33]"
    assert record["status"] == "pass"


def test_what_cannot_be_is_a_verdict_with_its_reason() -> None:
    (verdict,) = check([Case("softmax", "cuda", "i32", Workload("softmax", {"S": (3,), "C": 33}))])
    assert verdict.status == "failed"
    assert "does not admit 'i32'" in verdict.reason


def test_the_matrix_follows_from_verdicts() -> None:
    case = Case("relu", "cuda", "f32", Workload("relu", {"S": (1,)}))
    states = {
        ("pass", "pass"): "supported",
        ("pass", "refused"): "partly",
        ("refused", "refused"): "refused",
        ("pass", "breach"): "wrong",
        ("refused", "findings"): "wrong",
        ("failed", "failed"): "wrong",
    }
    for statuses, state in states.items():
        (cell,) = support_matrix([Verdict(case, s, "why") for s in statuses])  # type: ignore[arg-type]
        assert isinstance(cell, Cell)
        assert cell.state == state
        assert cell.cases == 2
