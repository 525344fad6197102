"""Operators of a user: checked on indices in and out of range, and against the reference that came with the text."""

from __future__ import annotations

import re

import pytest
import torch

import uol
from uol.conformance.accuracy.contracts import contract
from uol.conformance.cases.case_matrix import cases_of
from uol.conformance.cases.default_workloads import workloads_for
from uol.conformance.cases.twin_check import check
from uol.conformance.cases.verdict import Case
from uol.ir import Library, instantiate, parse
from uol.ir.errors import ShapeError, UolError
from uol.operators.registry import find_operator, is_known
from uol.ops.inputs import kinds, make_inputs
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
    if status == "breach":
        assert re.match(r"reference: beyond the contract at \[0, 0\]: \S+, reference \S+ \(120 of 120\)$", verdict.reason)


def test_a_reference_of_another_form_is_an_error() -> None:
    uol.op(GATHER.format(name="gather_none"), reference=lambda x, at: None)
    (verdict,) = check([Case("gather_none", "cuda", "f32", Workload("gather_none", {"N": 5, "D": 3, "M": 4}))])
    assert verdict.status == "failed"
    assert "must give a tensor for each of: y" in verdict.reason


POWER = "op {name}(x: T[N], y: T[N]) -> (z: T[N]) for T in (f32, f16) {{ z[n] = T(exp(acc(x[n])) / acc(y[n])) }}"


def test_cases_and_a_contract_come_with_a_registration() -> None:
    cases = {"cases": [{"N": 5}, {"N": 40}], "inputs": ["exact", "random"], "values": {"y": "positive"}}
    uol.op(POWER.format(name="power_of_own"), cases=cases, contract={"functions": {"exp": 9.0}, "rounding": {"division": 2}})
    assert [w.dims for w in workloads_for("power_of_own")] == [{"N": 5}, {"N": 40}]
    assert kinds("power_of_own") == ("exact", "random")
    program = instantiate(find_operator("power_of_own"), Library(), types={"T": "f32"}, dims={"N": 40})
    assert make_inputs(program, "random")["y"].min() > 0
    for target in ("cuda", "ascendc"):
        assert contract(target, "power_of_own").functions["exp"] == 9.0
        assert contract(target, "power_of_own").division == 2.0
        assert contract(target, "power_of_own_grad") == contract(target, "power_of_own")
        assert "exp" not in contract(target).functions


@pytest.mark.parametrize(("bound", "status"), [(1e5, "pass"), (None, "breach")])
def test_a_contract_of_ones_own_decides(bound: float | None, status: str) -> None:
    """The reference is off by 2^-10: beyond what f32 owes, within 1e5 ulp of the exponential."""
    name = f"power_{status}"
    owed = None if bound is None else {"functions": {"exp": bound}}
    cases = {"cases": [{"N": 40}], "values": {"y": "positive"}}
    uol.op(POWER.format(name=name), reference=lambda x, y: x.exp() / y * (1 + 2**-10), cases=cases, contract=owed)
    (case,) = (c for c in cases_of(name, "cpu", "f32") if c.inputs == "random" and c.arrangement == "row-major")
    assert check([case])[0].status == status


BAD = [
    ({"cases": [{"M": 3}]}, ShapeError, "has no dim 'M'"),
    ({"cases": [{"N": -1}]}, ShapeError, "the size of N is -1"),
    ({"cases": []}, UolError, "there are no cases"),
    ({"cases": [3]}, UolError, "a case is 3, not a dict"),
    ({"cases": {"cases": [{"N": 3}], "values": {"w": "positive"}}}, UolError, "has no input 'w'"),
    ({"cases": {"cases": [{"N": 3}], "values": {"y": "large"}}}, UolError, "no values 'large' for y"),
    ({"cases": {"cases": [{"N": 3}], "inputs": ["odd"]}}, UolError, "no kind of inputs 'odd'"),
    ({"contract": {"speed": {}}}, UolError, "no section 'speed'"),
    ({"contract": {"functions": {"gamma": 1.0}}}, UolError, "no entry 'gamma'"),
    ({"contract": {"functions": {"exp": -1.0}}}, UolError, "bounds no error"),
    ({"contract": {"rounding": {"division": float("nan")}}}, UolError, "bounds no error"),
    ({"contract": {"subnormals": {"functions": 1}}}, UolError, "write True or False"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_cases_and_contracts_that_cannot_be_register_nothing(given: dict, error: type[UolError], message: str) -> None:
    with pytest.raises(UolError) as caught:
        uol.op(POWER.format(name="power_of_none"), **given)
    assert isinstance(caught.value, error)
    assert message in f"{caught.value.message} {caught.value.hint}"
    assert not is_known("power_of_none")


def test_the_gradient_of_a_registered_operator_is_held_to_autograd() -> None:
    for name, factor, status in (("cubed_right", 1.0, "pass"), ("cubed_wrong", 1.01, "breach")):
        text = f"op {name}(x: T[N]) -> (y: T[N]) for T in (f64, f32) {{ y[n] = x[n] * x[n] * x[n] }}"
        uol.op(text, reference=lambda x, factor=factor: factor * x**3, cases=[{"N": 7}])
        (verdict, *_) = check([c for c in cases_of(f"{name}_grad", "cpu", "f32") if c.inputs == "random"])
        assert verdict.status == status, verdict.reason
        assert verdict.reference is not None


SCALED = """op {name}(x: T[M, K], w: W[N, K]) -> (y: T[M, N]) for T in (f32, f16), W in (f8e4m3, f8e5m2) {{
  y[m, n] = T(sum[k](acc(x[m, k]) * acc(w[n, k])))
}}"""


@pytest.mark.parametrize("narrow", ["f8e4m3", "f8e5m2"])
@pytest.mark.parametrize(("factor", "status"), [(1.0, "pass"), (1.5, "breach")])
def test_the_gradient_of_weights_of_eight_bits_is_held_against_autograd(narrow: str, factor: float, status: str) -> None:
    name = f"narrow_weights_{narrow}_{status}"
    uol.op(SCALED.format(name=name), reference=lambda x, w: factor * (x @ w.to(x.dtype).T))
    sizes = ({"M": 3, "N": 5, "K": 8}, {"M": 0, "N": 5, "K": 8})
    for dims in sizes if status == "pass" else sizes[:1]:
        (verdict,) = check([Case(f"{name}_grad", "cpu", f"T=f32,W={narrow}", Workload(name, dims))])
        assert verdict.status == status, verdict
        assert verdict.reference is not None
