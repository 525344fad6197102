"""Folded index expressions: the value stays, and constants meet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uol.codegen.indexing.arithmetic import ONE, ZERO, add, ceil_div, folded, mul, product, sub, substituted, value_at
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.render import show

X, Y = Var("x"), Var("y")
OPERANDS = st.one_of(st.integers(-4, 4).map(Const), st.sampled_from([X, Y]))
EXPRESSIONS: st.SearchStrategy[Expr] = st.recursive(
    OPERANDS, lambda inner: st.builds(idx, st.sampled_from(["+", "-", "*", "/", "%", "min", "max"]), inner, inner), max_leaves=8
)


@given(EXPRESSIONS, st.integers(-5, 5), st.integers(-5, 5))
def test_folding_keeps_the_value(expr: Expr, x: int, y: int) -> None:
    dims = {"x": x, "y": y}
    assert value_at(substituted(expr, {}), dims) == value_at(expr, dims)
    assert substituted(expr, {name: Const(value) for name, value in dims.items()}) == Const(value_at(expr, dims))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (add(ZERO, X), "x"),
        (add(Const(2), Const(3)), "5"),
        (sub(X, Const(3)), "x + -3"),
        (sub(X, X), "x - x"),  # terms are collected by polynomials
        (mul(Const(3), X), "x * 3"),
        (mul(mul(X, Const(3)), Const(5)), "x * 15"),
        (mul(X, ZERO), "0"),
        (product([X, ONE, Y]), "x * y"),
        (ceil_div(X, 4), "(x + 3) / 4"),
        (ceil_div(Const(9), 4), "3"),
        (folded(idx("%", X, ONE)), "0"),
        (folded(idx("/", Const(7), ZERO)), "0"),  # by 0
    ],
)
def test_what_is_made(made: Expr, expected: str) -> None:
    assert show(made) == expected


def test_values_of_other_types_are_left_alone() -> None:
    wraps = Call("+", (Const(100, "i8"), Const(100, "i8")), "i8")
    assert folded(wraps) == wraps
