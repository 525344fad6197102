"""C text of expressions: parentheses, floors, halves, wrapping integers, literals."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uol.backends.c_text.index_intervals import Ranges
from uol.backends.c_text.names import Names
from uol.backends.simt.c_text.printer import Printer, literal
from uol.backends.simt.c_text.proofs import Proofs
from uol.backends.simt.kernel.scope import Scope
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.nodes import Holds, Read, Within
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var

AXES = (Axis("i", Const(10)), Axis("j", Const(4)), Axis("k", Const(7)))
I, J, K = (Var(a.name) for a in AXES)  # noqa: E741 - the index i


def printer(index_type: str = "int") -> Printer:
    names = [*(a.name for a in AXES), "u", "v", "h", "n", "m", "b"]
    tensors = {"x": "x", "at": "at"}
    proofs = Proofs(Ranges.over(AXES), conditions=tuple(c for a in AXES for c in in_range(a)))
    return Printer(Names(tensors, {n: n for n in names}), proofs, index_type)


def idx(fn: str, *args: Expr) -> Call:
    return Call(fn, args, "idx")


def f32(fn: str, *args: Expr) -> Call:
    return Call(fn, args, "f32")


def read(dtype: str, offset: Expr = I, guard: tuple[Holds | Within, ...] = (), fill: Expr | None = None) -> Read:
    return Read("x", offset, (), guard, fill, dtype)


U, V = Var("u", "f32"), Var("v", "f32")
H = Var("h", "f16")
N, M = Var("n", "i32"), Var("m", "i32")
B = Var("b", "bool")
ABOVE = Call(">", (U, V), "bool")
FROM_1 = (Within(I, Const(1), None),)

INDEX_TEXT = [
    (idx("+", idx("*", I, Const(4)), J), "i * 4 + j"),
    (idx("*", idx("+", I, Const(1)), Const(4)), "(i + 1) * 4"),
    (idx("+", I, Const(-1)), "i - 1"),
    (idx("-", I, idx("-", J, K)), "i - (j - k)"),
    (idx("-", I, idx("+", J, K)), "i - (j + k)"),
    (idx("+", I, idx("+", J, K)), "i + j + k"),
    (idx("*", I, idx("/", J, Const(2))), "i * (j / 2)"),
    (idx("*", I, idx("*", J, K)), "i * j * k"),
    (idx("*", I, idx("*", idx("/", J, Const(2)), K)), "i * (j / 2 * k)"),
    (idx("*", I, idx("*", idx("+", J, K), Const(2))), "i * (j + k) * 2"),
    (idx("%", idx("/", I, Const(3)), Const(2)), "i / 3 % 2"),
    (idx("/", idx("-", I, Const(1)), Const(2)), "uol::floor_div(i - 1, 2)"),
    (idx("%", idx("-", I, J), Const(4)), "uol::floor_mod(i - j, 4)"),
    (idx("/", idx("-", idx("+", I, Const(3)), J), Const(2)), "(i + 3 - j) / 2"),
    (idx("max", I, Const(3)), "uol::max(i, 3)"),
    (idx("select", Call("<", (I, J), "bool"), I, J), "i < j ? i : j"),
]


@pytest.mark.parametrize(("expr", "text"), INDEX_TEXT, ids=[t for _, t in INDEX_TEXT])
def test_index_arithmetic(expr: Expr, text: str) -> None:
    assert printer().value(expr) == text


INDICES = st.recursive(
    st.sampled_from([I, J, K]),
    lambda inner: st.builds(idx, st.sampled_from(["*", "*", "+", "-", "min"]), inner, inner)
    | st.builds(idx, st.sampled_from(["/", "%"]), inner, st.integers(2, 7).map(Const)),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(INDICES)
def test_the_text_of_an_index_means_what_the_index_does(expr: Expr) -> None:
    """As Python, whose floored quotients are C's where nothing is negative."""
    text = re.sub("uol::", "", printer().value(expr)).replace("/", "//")
    helpers = {"floor_div": lambda a, b: a // b, "floor_mod": lambda a, b: a % b, "min": min, "max": max}
    for places in ({"i": 9, "j": 3, "k": 6}, {"i": 0, "j": 1, "k": 0}, {"i": 7, "j": 2, "k": 5}):
        assert eval(text, helpers | places) == value_at(expr, places), text


def test_a_guard_makes_a_numerator_natural() -> None:
    quotient = idx("/", idx("-", I, J), Const(2))
    guard = (Within(idx("-", I, J), Const(0), Const(5)),)
    expr = read("f32", quotient, guard, Const(0.0, "f32"))
    assert printer().value(expr) == "i - j >= 0 && i - j < 5 ? x[(i - j) / 2] : 0.0f"


def test_a_condition_ties_variables_together() -> None:
    quotient = idx("/", idx("-", I, J), Const(2))
    expr = read("f32", quotient, (Holds(Call(">=", (I, J), "bool")),), Const(0.0, "f32"))
    assert printer().value(expr) == "i >= j ? x[(i - j) / 2] : 0.0f"


def test_64_bit_indices_call_overloads_with_64_bit_constants() -> None:
    assert printer("long long").value(idx("max", I, Const(3))) == "uol::max(i, 3LL)"
    assert printer("long long").value(idx("%", idx("-", I, J), Const(4))) == "uol::floor_mod(i - j, 4LL)"


VALUE_TEXT = [
    (f32("+", U, f32("+", V, U)), "u + (v + u)"),  # floats do not reassociate
    (f32("*", f32("*", U, V), U), "u * v * u"),
    (f32("/", U, f32("*", V, V)), "u / (v * v)"),
    (f32("-", U, f32("neg", V)), "u - -v"),
    (f32("neg", f32("+", U, V)), "-(u + v)"),
    (f32("max", U, Const(0.0, "f32")), "uol::max(u, 0.0f)"),
    (f32("exp", f32("-", U, V)), "uol::exp(u - v)"),
    (
        f32("select", Call("and", (B, Call(">", (U, V), "bool")), "bool"), U, f32("select", B, V, U)),
        "b && u > v ? u : b ? v : u",
    ),
    (Call("or", (Call("and", (B, B), "bool"), B), "bool"), "(b && b) || b"),
    (Call("not", (Call("==", (U, V), "bool"),), "bool"), "!(u == v)"),
    (f32("cast", N), "float(n)"),
    (f32("cast", I), "float(i)"),
    (f32("cast", B), "float(b)"),
    (Call("cast", (U,), "i32"), "uol::cast<int>(u)"),
    (Call("cast", (U,), "i8"), "int(uol::cast<signed char>(u))"),
    (Call("cast", (N,), "i8"), "int((signed char)n)"),
    (Call("cast", (U,), "bool"), "u != 0.0f"),
    (Call("cast", (I,), "i64"), "(long long)i"),
    (Call("cast", (I,), "i32"), "i"),
    (Call("cast", (U,), "f64"), "double(u)"),
    (Call("+", (N, Call("*", (M, M), "i32")), "i32"), "(int)((unsigned)n + (unsigned)m * (unsigned)m)"),
    (Call("-", (N, Const(1, "i32")), "i32"), "(int)((unsigned)n - 1u)"),
    (Call("/", (N, M), "i32"), "uol::floor_div(n, m)"),
]


@pytest.mark.parametrize(("expr", "text"), VALUE_TEXT, ids=[t for _, t in VALUE_TEXT])
def test_values(expr: Expr, text: str) -> None:
    assert printer().value(expr) == text


HALF_TEXT = [
    (Call("+", (H, H), "f16"), "float(uol::f16(h + h))", "uol::f16(h + h)"),
    (Call("max", (H, H), "f16"), "uol::max(h, h)", "uol::f16(uol::max(h, h))"),
    (Call("cast", (U,), "f16"), "float(uol::f16(u))", "uol::f16(u)"),
    (Call("cast", (Var("u", "f64"),), "f16"), "float(uol::cast<uol::f16>(u))", "uol::cast<uol::f16>(u)"),
    (Call("cast", (N,), "f16"), "float(uol::cast<uol::f16>(n))", "uol::cast<uol::f16>(n)"),
    (read("f16"), "float(x[i])", "x[i]"),
    (
        read("f16", guard=(Within(I, Const(1), None),), fill=Const(0.0, "f16")),
        "i >= 1 ? float(x[i]) : 0.0f",
        "i >= 1 ? x[i] : uol::f16(0.0f)",
    ),
    (
        Call("select", (B, read("f16"), Call("*", (H, H), "f16")), "f16"),
        "b ? float(x[i]) : float(uol::f16(h * h))",
        "b ? x[i] : uol::f16(h * h)",
    ),
]


@pytest.mark.parametrize(("expr", "computed", "stored"), HALF_TEXT, ids=[t for _, t, _ in HALF_TEXT])
def test_halves_round_where_the_language_says_so(expr: Expr, computed: str, stored: str) -> None:
    assert printer().value(expr) == computed
    assert printer().stored(expr) == stored


def test_short_integers_wrap_in_values_and_by_assignment() -> None:
    total = Call("+", (read("i8"), read("i8")), "i8")
    assert printer().value(total) == "int((signed char)(int(x[i]) + int(x[i])))"
    assert printer().stored(total) == "int(x[i]) + int(x[i])"


LITERALS = [
    (Const(0.1, "f32"), "0.1f"),
    (Const(1.0, "f32"), "1.0f"),
    (Const(1e-5, "f32"), "1.0e-05f"),
    (Const(-math.inf, "f32"), "-uol::infinity<float>()"),
    (Const(math.nan, "f64"), "uol::nan<double>()"),
    (Const(0.1, "f64"), "0.1"),
    (Const(0.1, "f16"), "0.099975586f"),
    (Const(0.1, "bf16"), "0.100097656f"),
    (Const(65520.0, "f16"), "uol::infinity<float>()"),
    (Const(-(2**31), "i32"), "(-2147483647 - 1)"),
    (Const(-(2**63), "i64"), "(-9223372036854775807LL - 1)"),
    (Const(5, "i64"), "5LL"),
    (Const(True, "bool"), "true"),
]


@pytest.mark.parametrize(("const", "text"), LITERALS, ids=[t for _, t in LITERALS])
def test_literals(const: Const, text: str) -> None:
    assert literal(const) == text


def of_data(dtype: str) -> Call:
    return idx("cast", Read("at", I, (), (), None, dtype))


PLACED = of_data("i64")
SMALL, SHORT = of_data("i32"), of_data("i8")
WIDTHS = [
    (idx("+", idx("*", PLACED, Const(64)), J), "at[i] * 64 + j"),  # 64 bits by its type
    (idx("+", J, SMALL), "(long long)j + at[i]"),
    (idx("*", SMALL, Const(64)), "(long long)at[i] * 64"),
    (idx("+", idx("*", SMALL, Const(64)), J), "(long long)at[i] * 64 + j"),
    (idx("+", idx("*", I, Const(300)), SMALL), "(long long)(i * 300) + at[i]"),
    (idx("*", SHORT, Const(64)), "int(at[i]) * 64"),  # 32 bits hold it
    (idx("*", idx("*", SHORT, Const(1 << 20)), Const(1 << 10)), "(long long)(int(at[i]) * 1048576) * 1024"),
    (idx("%", PLACED, Const(7)), "uol::floor_mod(at[i], (long long)7)"),
    (idx("max", J, PLACED), "uol::max((long long)j, at[i])"),
    (idx("/", SMALL, Const(7)), "uol::floor_div(at[i], 7)"),
    (idx("*", I, Const(64)), "i * 64"),
]


@pytest.mark.parametrize(("expr", "text"), WIDTHS, ids=[t for _, t in WIDTHS])
def test_what_data_puts_into_an_index_widens_it_and_nothing_else(expr: Expr, text: str) -> None:
    assert printer().value(expr) == text


@pytest.mark.parametrize(("dtype", "text"), [("i64", "int(at[i]) * 64 + j"), ("i32", "at[i] * 64 + j")])
def test_a_guard_says_that_data_fits(dtype: str, text: str) -> None:
    place = of_data(dtype)
    expr = read("f32", idx("+", idx("*", place, Const(64)), J), (Within(place, Const(0), Const(300)),), Const(0.0, "f32"))
    assert printer().value(expr) == f"at[i] >= 0 && at[i] < 300 ? x[{text}] : 0.0f"


@pytest.mark.parametrize("expr", [e for e, _ in WIDTHS])
def test_a_variable_is_as_wide_as_its_value(expr: Expr) -> None:
    """And what is computed with it."""
    scope = Scope(printer())
    guarded = read("f32", idx("+", expr, K), (Within(expr, None, Const(1 << 40)),), Const(0.0, "f32"))
    scope._declare("x", expr)
    (line,) = scope.lines
    is_wide = "$x_at0" in scope.printer.wide
    assert line.startswith(f"const {'long long' if is_wide else 'int'} x_at0 = ")
    assert is_wide == printer().is_wide(expr)
    is_known = scope.printer.ranges.of(expr).high is not None and is_wide and not scope.printer.is_wide(Var("$x_at0"))
    assert scope.expression(guarded).startswith(f"{'int(x_at0)' if is_known else 'x_at0'} < 1099511627776")
