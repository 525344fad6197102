"""Gradients as cases: the comparison with autograd bites, and a gradient that is wrong is a breach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from uol.conformance.cases.case_matrix import cases_of
from uol.conformance.cases.truth import Truth
from uol.conformance.cases.twin_check import check, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.gradients.cases import compare_with_autograd, fitting, gradient_inputs, with_stored_results
from uol.ir import instantiate, parse
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Const, Tensor
from uol.ir.syntax.surface import Op
from uol.operators.registry import catalogue
from uol.ops.references.gradients import forward_of
from uol.ops.workloads import Workload, workloads_of

DX = Tensor("dx", "f32", (Const(3),), "out")
OWED = np.array([1.0, -2.0, 0.5])


def ok(actual: object, owed: object = OWED) -> bool:
    return compare_with_autograd({"dx": np.asarray(actual, np.float32)}, {"dx": np.asarray(owed)}, (DX,)).ok


def test_what_autograd_gives_passes() -> None:
    assert ok(OWED)
    assert ok(OWED + 2e-6)  # 1.3e-6 of the largest


@pytest.mark.parametrize(
    "actual",
    [OWED + [0, 0, 1e-5], -OWED, OWED[:2], [1.0, np.nan, 0.5], [1.0, np.inf, 0.5], np.zeros(3)],
    ids=["beyond the tolerance", "other sign", "other shape", "NaN", "infinite", "nothing"],
)
def test_anything_else_is_a_breach(actual: object) -> None:
    assert not ok(actual)


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_a_gradient_of_zeros_is_zero(dtype: str) -> None:
    """The tolerance is relative to what autograd gives, not to 1."""
    tensor = replace(DX, dtype=dtype)
    for value, passes in ((0.0, True), (1e-6, False), (1e-2, False)):
        actual = {"dx": encode(np.array([0.0, value, 0.0]), dtype)}
        assert compare_with_autograd(actual, {"dx": np.zeros(3)}, (tensor,)).ok == passes


def test_what_cancels_is_right_to_the_roundings_of_autograd() -> None:
    """Of terms of 4, not of what is left of them; a fault of f32 is still one."""
    owed = {"dx": np.array([0.0, -4.4e-16, 2.2e-16])}
    for value, passes in ((0.0, True), (1e-14, True), (1e-7, False)):
        actual = {"dx": np.array([0.0, value, 0.0], np.float32)}
        assert compare_with_autograd(actual, owed, (DX,), [np.array([4.0, -1.0, np.inf])]).ok == passes


def test_where_autograd_has_no_number_the_golden_value_judges() -> None:
    assert ok([1.0, 7.0, 0.5], [1.0, np.nan, 0.5])
    assert not ok([1.0, 7.0, 0.6], [1.0, np.nan, 0.5])


def test_beyond_the_type_the_golden_value_judges() -> None:
    """Autograd computes in f64: what f16 cannot hold is no number of its to compare with."""
    half = Tensor("dx", "f16", (Const(2),), "out")

    def passes(value: float, owed: float) -> bool:
        actual, expected = np.array([1.0, value], np.float16), np.array([1.0, owed])
        return compare_with_autograd({"dx": actual}, {"dx": expected}, (half,)).ok

    assert passes(-np.inf, -66545.5)
    assert not passes(-np.inf, -65000.0)


@pytest.mark.parametrize(("dtype", "unit"), [("f8e4m3", 0.125), ("f8e5m2", 0.25)])
def test_types_of_eight_bits_have_a_unit_in_the_last_place(dtype: str, unit: float) -> None:
    tensor = replace(DX, dtype=dtype)

    def passes(value: float, owed: float) -> bool:
        actual = {"dx": encode(np.array([1.0, value, 0.0]), dtype)}
        return compare_with_autograd(actual, {"dx": np.array([1.0, owed, 0.0])}, (tensor,)).ok

    assert passes(1.0, 1.0 + unit / 2)
    assert passes(1.0 + unit, 1.0 + unit / 2)
    assert not passes(1.0 + 2 * unit, 1.0 + unit / 2)
    assert not passes(np.nan, 1.0)
    if dtype == "f8e4m3":  # has no infinity: what lies beyond it is held at 448, and the golden value judges
        assert passes(448.0, 1000.0)
        assert not passes(448.0, 250.0)
    else:
        assert passes(np.inf, 70000.0)
        assert not passes(np.inf, 50000.0)


def test_what_the_rounding_of_a_stored_result_moves_is_admitted() -> None:
    """1 - y*y of a tanh of -3, of which f32 keeps 5 digits; and nothing that autograd would not give of that y."""
    case = next(c for c in cases_of("tanh_grad", "cuda", "f32") if c.workload.dims == {"S": (1,)} and c.inputs == "exact")
    op, forward = catalogue().get("tanh_grad"), forward_of("tanh_grad")
    assert op is not None and forward is not None
    at = fitting(op, case)
    program = instantiate(op, catalogue(), types=at.types, ranks=at.ranks, dims=at.flat_dims)
    values = gradient_inputs(case, forward, program)
    owed = {"dx": values["dy"] * (1 - np.tanh(values["x"]) ** 2)}
    stored = with_stored_results(owed, case, forward, program, values, {})
    honest, dx = (values["dy"] * (1 - values["y"] ** 2)).astype(np.float32), (program.tensors["dx"],)
    assert not compare_with_autograd({"dx": honest}, owed, dx).ok
    assert compare_with_autograd({"dx": honest}, stored, dx).ok
    for share in (1 - 2e-6, 1 + 2e-6):
        assert not compare_with_autograd({"dx": honest * np.float32(share)}, stored, dx).ok


def test_what_autograd_itself_loses_is_admitted() -> None:
    """Of rows of one element a norm's gradient is 0; the terms that cancel are 1 / sqrt(eps) times the inputs."""
    workload = Workload("layer_norm_grad", {"S": (129,), "C": 1})
    case = Case("layer_norm_grad", "cuda", "f32", workload)
    prepared, truth = prepare(case), Truth()
    autograd = truth.reference(prepared)
    assert autograd is not None and 0 < np.abs(autograd["dx"]).max() < 1e-10
    results = prepared.program.by_role("out")
    zeros = np.zeros((129, 1), np.float32)
    exact = {name: cotangent.astype(np.float32) for name, cotangent in autograd.items()} | {"dx": zeros}
    lost = truth.lost_by_reference(prepared)
    assert 0 < lost < 1e-10
    assert not compare_with_autograd(exact, autograd, results, prepared.values.values()).ok
    assert compare_with_autograd(exact, autograd, results, prepared.values.values(), lost).ok
    wrong = exact | {"dx": np.full((129, 1), 1e-7, np.float32)}
    assert not compare_with_autograd(wrong, autograd, results, prepared.values.values(), lost).ok


def first_case(name: str, target: str = "cpu") -> Case:
    return next(c for c in cases_of(name, target, "f64") if c.inputs == "random")


def test_the_inputs_of_a_gradient_belong_together() -> None:
    case = first_case("softmax_grad")
    op, forward = catalogue().get("softmax_grad"), forward_of("softmax_grad")
    assert op is not None and forward is not None
    at = fitting(op, case)
    made = gradient_inputs(case, forward, instantiate(op, catalogue(), types=at.types, ranks=at.ranks, dims=at.flat_dims))
    np.testing.assert_allclose(made["y"].sum(-1), 1.0)
    np.testing.assert_allclose(made["y"], np.exp(made["x"]) / np.exp(made["x"]).sum(-1, keepdims=True))


def test_a_gradient_takes_from_its_forwards_workload_what_it_has() -> None:
    (gradient,) = parse("op linear_grad(w: T[N, K], dy: T[*S, N]) -> (dx: T[*S, K]) for T in (f64, f32) "
                        "{ dx[*s, k] = sum[n](acc(dy[*s, n]) * acc(w[n, k])) }")  # fmt: skip
    case = replace(first_case("linear_grad"), workload=workloads_of("linear_grad")[0])
    assert set(fitting(gradient, case).dims) == {"N", "K"}


def test_a_wrong_gradient_is_a_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    (wrong,) = parse("op tanh_grad(y: T[*S], dy: T[*S]) -> (dx: T[*S]) for T in (f64, f32, f16, bf16) "
                     "{ dx[*s] = T(acc(dy[*s]) * (1 - acc(y[*s]))) }")  # fmt: skip
    library = type(catalogue())
    real = library.written_gradient

    def written(self: object, name: str) -> Op | None:
        return wrong if name == "tanh_grad" else real(self, name)  # type: ignore[arg-type]  # it is a library

    monkeypatch.setattr(library, "written_gradient", written)
    (verdict,) = check([first_case("tanh_grad")])
    assert verdict.status == "breach" and verdict.reason.startswith("reference: dx")
    assert verdict.golden is not None and verdict.golden.ok  # the kernel does what the wrong text says
