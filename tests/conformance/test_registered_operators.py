"""Operators of a user: checked on indices in and out of range, and against the reference that came with the text."""

from __future__ import annotations

import pytest
import torch

import uol
from uol.conformance.twin_check import check
from uol.conformance.verdict import Case
from uol.ir import Library, instantiate, parse
from uol.ops.inputs import make_inputs
from uol.ops.workloads import Workload

GATHER = """op {name}(x: T[N, D], at: i32[M]) -> (y: T[M, D]) for T in (f32, f16) {{ y[m, d] = x[at[m], d] else 1 }}"""


def gather(x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    inside = (at >= 0) & (at < x.shape[0])
    return torch.where(inside[:, None], x[at.clamp(0, x.shape[0] - 1).long()], torch.ones((), dtype=x.dtype))


def test_inputs_that_index_are_mostly_in_range() -> None:
    op = parse(GATHER.format(name="gather_range"))[0]
    program = instantiate(op, Library([op]), types={"T": "f32"}, dims={"N": 9, "D": 2, "M": 200})
    at = make_inputs(program, "random")["at"]
    inside = (at >= 0) & (at < 9)
    assert 0.6 < inside.mean() < 0.95
    assert {-1, 9} <= set(at.tolist())
    assert set(range(9)) <= set(at.tolist())


@pytest.mark.parametrize(("reference", "status"), [(gather, "pass"), (lambda x, at: gather(x, at) + 0.5, "breach")])
def test_a_registered_reference_is_compared_with(reference: object, status: str) -> None:
    name = f"gather_{status}"
    uol.op(GATHER.format(name=name), reference=reference)
    (verdict,) = check([Case(name, "cuda", "f32", Workload(name, {"N": 5, "D": 3, "M": 40}))])
    assert verdict.status == status, verdict
    assert verdict.reference is not None


def test_a_reference_of_another_form_is_an_error() -> None:
    uol.op(GATHER.format(name="gather_none"), reference=lambda x, at: None)
    (verdict,) = check([Case("gather_none", "cuda", "f32", Workload("gather_none", {"N": 5, "D": 3, "M": 4}))])
    assert verdict.status == "failed"
    assert "must give a tensor for each of: y" in verdict.reason
