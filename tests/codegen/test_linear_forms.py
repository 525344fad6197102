"""Indices as sums of axis * factor where dims are arguments."""

from __future__ import annotations

from uol.codegen.indexing.arithmetic import add, mul
from uol.codegen.indexing.linear_forms import linear, magnitude
from uol.ir.program.nodes import Call, Const, Expr, Var

ROW, COL, N, W = (Var(name) for name in "ijNW")


def quotient(a: Expr, b: Expr) -> Expr:
    return Call("/", (a, b), "idx")


def test_factors_are_products_of_dims() -> None:
    found = linear(add(mul(add(mul(ROW, N), add(COL, Const(2))), W), COL), ["i", "j"])
    assert found is not None
    assert found.factor("i") == mul(N, W)
    assert found.factor("j") == add(W, Const(1))
    assert found.factor("k") == Const(0)
    assert found.constant == {(W,): 2}


def test_a_quotient_of_dims_is_a_factor_and_one_of_an_axis_is_none() -> None:
    half = quotient(W, Const(2))
    found = linear(mul(ROW, half), ["i"])
    assert found is not None
    assert found.factor("i") == half
    assert linear(quotient(ROW, Const(2)), ["i"]) is None
    assert linear(mul(ROW, COL), ["i", "j"]) is None


def test_more_dims_are_a_larger_stride() -> None:
    strides = [Const(1), Const(300), W, add(mul(W, Const(2)), Const(-5)), mul(mul(N, W), Const(1))]
    assert sorted(strides, key=magnitude) == strides
    assert magnitude(None) == magnitude(Const(0)) < magnitude(Const(1))
