"""Refusals of the library: those that refusals.toml gives a reason for, and no others."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from uol.conformance.cases.refusals import Documented, documented, is_of_library, refused
from uol.conformance.cases.twin_check import prepare
from uol.conformance.cases.verdict import Case
from uol.ir.errors import RefusalError
from uol.ops.workloads import Workload, workloads_of

NAMED = [(d, op) for d in documented() for op in d.ops if "*" not in op]
RELU = Workload("relu", {"S": (3,)})


@pytest.mark.parametrize(("kind", "op"), NAMED, ids=[op for _, op in NAMED])
def test_what_is_named_is_refused_so(kind: Documented, op: str) -> None:
    """Where a kernel comes to be, its line goes."""
    dtype = next(dtype for dtype in ("i64", "i32") if any(fnmatchcase(dtype, pattern) for pattern in kind.types))
    case = Case(op, kind.target, dtype, workloads_of(op)[0])
    with pytest.raises(RefusalError) as caught:
        prepare(case)
    assert kind.covers(case, caught.value.message)
    assert refused(case, caught.value.message).state == "refused"


def test_a_type_that_a_machine_does_not_have() -> None:
    case = Case("relu", "ascendc", "f64", RELU)
    with pytest.raises(RefusalError) as caught:
        prepare(case)
    assert refused(case, caught.value.message).state == "refused"


@pytest.mark.parametrize(
    "case",
    [
        Case("relu", "ascendc", "f32", RELU),
        Case("relu_grad", "ascendc:910b2", "f16", RELU),
        Case("relu", "cuda", "f64", RELU),
        Case("softmax", "ascendc", "i64", RELU),
    ],
    ids=str,
)
def test_any_other_refusal_fails_and_says_so(case: Case) -> None:
    verdict = refused(case, "no f64 on this machine" if case.target == "cuda" else "no tile fits")
    assert verdict.state == "failed" and verdict.reason.startswith("refused, and refusals.toml says nothing of it: no ")


def test_an_operator_of_a_user_may_be_refused_for_any_reason() -> None:
    assert refused(Case("mine", "ascendc", "f32", RELU), "no tile fits").state == "refused"
    assert is_of_library("softmax_grad") and not is_of_library("my_softmax")


def test_every_entry_says_why() -> None:
    assert all(d.why.strip() and d.reason for d in documented())
