"""Which cases a run takes, and what it leaves out."""

from __future__ import annotations

import pytest

import uol
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.selection import QUICK, Selection, plan
from uol.ir.errors import TypeCheckError, UolError
from uol.ops.texts import names


def test_the_first_case_of_every_operator_on_every_target() -> None:
    found = plan(Selection(names(), ("cpu", "cuda"), ("f32",), first=True))
    assert {case.op for case in found.cases} == set(names())
    assert all([case.target for case in group] == ["cpu", "cuda"] for group in found.groups)
    for target in ("cpu", "cuda"):
        own = [case for case in found.cases if case.target == target]
        assert [case.inputs for case in own[::2]] == ["random"] * (len(own) // 2)
        assert [(c.op, c.dtype) for c in own[::2]] == [(c.op, c.dtype) for c in own[1::2]]
    assert {case.inputs for case in found.cases} == {"random", "mixed", "ties", "infinite", "lone"}


def test_the_adversarial_case_may_be_left_out() -> None:
    found = plan(Selection(("softmax",), ("cpu",), first=True, adversarial=False)).cases
    assert [(case.inputs, case.workload.note) for case in found] == [("random", "representative")]


def test_the_adversarial_case_has_sizes_with_a_tail() -> None:
    _, adversarial = plan(Selection(("softmax",), ("cpu",), first=True)).cases
    assert (adversarial.inputs, adversarial.workload.flat_dims) == ("mixed", {"S": 33, "C": 37})


def test_a_type_that_is_not_admitted_is_left_out_and_named() -> None:
    found = plan(Selection(("neg", "isnan"), ("cpu",), ("f32", "i32"), first=True))
    assert {(case.op, case.dtype) for case in found.cases} == {("neg", "f32"), ("neg", "i32"), ("isnan", "f32")}
    assert [(each.op, each.dtype, each.reason) for each in found.left_out] == [("isnan", "i32", "isnan does not admit i32")]


def test_operators_on_integers_alone_are_checked_in_those() -> None:
    assert types_of("bitwise_and", ("f32",)) == ("i32", "i8", "u8", "i64")
    assert types_of("bitwise_and", ("f32", "i64")) == ("i64",)
    assert types_of("relu", ("bool",)) == ()


def test_casts_are_those_that_concern_a_type() -> None:
    assert {"T=f64,U=f32", "T=f32,U=f64"} == set(types_of("cast", ("f64",))) - {"T=i64,U=i8"}


def test_several_variables_take_each_type_where_they_admit_it() -> None:
    uol.op("op own_taken(x: A[N], at: I[M]) -> (y: A[M]) for A in (f32, f16), I in (i32, i64) { y[m] = x[at[m]] else 0 }")
    assert types_of("own_taken", ("f16", "f32", "bf16")) == ("A=f16,I=i32", "A=f32,I=i32")
    assert types_of("own_taken", ("i64",)) == ("A=f32,I=i64",)


def test_gradients_in_their_operators_place() -> None:
    found = plan(Selection(("softmax", "argmax", "sgd"), ("cpu",), ("f32",), first=True, gradients=True))
    assert {case.op for case in found.cases} == {"softmax_grad"}
    assert [each.reason for each in found.left_out] == [
        "argmax has no gradient",
        "sgd is a step of an optimiser, which is not differentiated",
    ]


def test_types_have_the_names_of_numpy_and_pytorch() -> None:
    found = plan(Selection(("relu",), ("cpu",), ("float16", "f16", "float32"), first=True))
    assert [case.dtype for case in found.cases] == ["f16", "f16", "f32", "f32"]


def test_a_seed_is_every_cases() -> None:
    assert {case.seed for case in plan(Selection(("relu",), ("cpu",), seed=7)).cases} == {7}


def test_nothing_to_check_is_an_error() -> None:
    with pytest.raises(UolError, match="there is nothing to check: relu does not admit bool"):
        plan(Selection(("relu",), ("cpu",), ("bool",)))
    with pytest.raises(UolError, match="there is nothing to check: argmax has no gradient"):
        plan(Selection(("argmax",), ("cpu",), gradients=True))
    with pytest.raises(TypeCheckError, match="unknown type 'f31'"):
        plan(Selection(("relu",), ("cpu",), ("f31",)))


def test_the_quick_operators_are_of_the_library() -> None:
    assert set(QUICK) <= set(names())
