"""How indices depend on axes: forms whose factors are polynomials over dims, and finite differences."""

from __future__ import annotations

import pytest

from uol.codegen.indexing.affine import affine, coefficient, constant_stride, magnitude, stride
from uol.codegen.indexing.arithmetic import add, mul
from uol.codegen.specs.nodes import Read
from uol.codegen.specs.search import Search
from uol.ir.integers.facts import Facts
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Call, Const, Expr, Load, Var
from uol.ir.program.render import show

ROW, COL, N, W = (Var(name) for name in "ijNW")
GATHERED = Read("x", ROW, (("i", Const(1)),), (), None, "i32")


def quotient(a: Expr, b: Expr) -> Expr:
    return idx("/", a, b)


def test_factors_are_products_of_dims() -> None:
    found = affine(add(mul(add(mul(ROW, N), add(COL, Const(2))), W), COL), ["i", "j"])
    assert found is not None
    assert found.factor("i") == mul(N, W)
    assert found.factor("j") == add(W, Const(1))
    assert found.factor("k") == Const(0)
    assert found.constant == {(W,): 2}


def test_a_quotient_of_dims_is_a_factor_and_one_of_an_axis_is_none() -> None:
    half = quotient(W, Const(2))
    found = affine(mul(ROW, half), ["i"])
    assert found is not None
    assert found.factor("i") == half
    assert affine(quotient(ROW, Const(2)), ["i"]) is None
    assert affine(mul(ROW, COL), ["i", "j"]) is None


def test_a_coefficient_is_a_number_whatever_the_others_are() -> None:
    offset = add(mul(add(mul(ROW, Const(5)), COL), Const(3)), Const(7))
    assert [coefficient(offset, name) for name in "ijk"] == [15, 3, 0]
    assert [coefficient(add(mul(ROW, N), COL), name) for name in "ij"] == [None, 1]
    assert coefficient(add(mul(ROW, COL), N), "j") is None
    assert coefficient(add(GATHERED, COL), "j") is None
    assert coefficient(add(Search("keys", Const(1), Const(9), ROW, True, "idx"), COL), "j") is None


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (quotient(add(mul(ROW, Const(6)), Const(1)), Const(2)), 3),
        (quotient(ROW, Const(2)), None),
        (idx("%", ROW, Const(9)), 1),
        (idx("%", ROW, Const(8)), None),  # the step from 7 is back to 0
        (COL, 0),
        (GATHERED, None),
        (Search("keys", Const(1), Const(9), ROW, True, "idx"), None),
        (Call("cast", (ROW,), "idx"), None),
        (mul(ROW, ROW), None),
    ],
)
def test_a_stride_is_a_finite_difference_within_ranges(expr: Expr, expected: int | None) -> None:
    assert constant_stride(expr, "i", {"i": Interval(0, 7)}) == expected


def test_a_stride_under_facts_may_be_a_dim() -> None:
    facts = Facts([compare(">=", COL, Const(0)), compare("<", COL, N)])
    offset = idx("+", idx("*", idx("*", ROW, N), Const(3)), idx("/", COL, Const(2)))
    assert show(stride(offset, "i", facts)) == "N * 3"
    assert stride(offset, "j", facts) is None
    assert stride(offset, "k", facts) == Const(0)
    assert stride(idx("%", COL, N), "j", facts) is None  # the last step is one to N, which is 0 again
    gather = idx("+", Call("cast", (Load("x", (ROW,), (), None, "i32"),), "idx"), COL)
    assert stride(gather, "i", facts) is None
    assert stride(gather, "j", facts) == Const(1)


def test_more_dims_are_a_larger_stride() -> None:
    strides = [Const(1), Const(300), W, add(mul(W, Const(2)), Const(-5)), mul(mul(N, W), Const(1))]
    assert sorted(strides, key=magnitude) == strides
    assert magnitude(None) == magnitude(Const(0)) < magnitude(Const(1))
