"""Polynomials, intervals and simplification, by hand and against plain evaluation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_questions import evaluate

from uol.ir.integers.intervals import EVERYTHING, Interval
from uol.ir.integers.polynomials import atom_interval, decide, interval, simplify, to_poly
from uol.ir.integers.terms import compare, idx, negate
from uol.ir.program.nodes import Call, Const, Expr, Load, Var
from uol.ir.program.render import show
from uol.ir.syntax.parser import parse

RANGES = {"i": Interval(0, 5), "j": Interval(-3, 4), "n": Interval(1, None), "m": Interval(2, 2)}


def expr(text: str) -> Expr:
    """A typed index expression from text."""
    from uol.ir.syntax import surface as s

    def typed(node: s.Node) -> Expr:
        match node:
            case s.Number(value=value):
                return Const(value)
            case s.Name(id=name):
                return Var(name)
            case s.Unary(op="neg", arg=arg):
                return idx("neg", typed(arg))
            case s.Binary(op=op, left=left, right=right):
                is_condition = op in ("<", "<=", ">", ">=", "==", "!=", "and", "or")
                return Call(op, (typed(left), typed(right)), "bool" if is_condition else "idx")
            case s.Unary(op="not", arg=arg):
                return Call("not", (typed(arg),), "bool")
            case s.Apply(fn=fn, args=args):
                return idx(fn, *map(typed, args))
        raise AssertionError(node)

    return typed(parse(f"op f() -> (y: f32[]) {{ y[] = {text} }}")[0].body[0].value)


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("i + 0", "i"),
        ("i * 1 + 3 - 3", "i"),
        ("i*2 + i", "i * 3"),
        ("(i + 1) * (i - 1)", "i * i - 1"),
        ("3 - i", "3 - i"),
        ("0 - i - 2", "-i - 2"),
        ("2*3 + 4/3 - 7%4", "4"),
        ("-7 / 2", "-4"),
        ("-7 % 2", "1"),
        ("i / 0", "0"),
        ("i % 0", "0"),
        ("i / 6", "0"),
        ("i % 6", "i"),
        ("(i + 12) / 6", "2"),
        ("(i + 12) % 6", "i"),
        ("(6*j + i) / 6", "j"),
        ("(6*j + i) % 6", "i"),
        ("(4*j + 2*i) / 4", "j + i / 2"),
        ("(4*j + 2*i + 1) % 4", "i % 2 * 2 + 1"),
        ("i / -6", "-i / 6"),
        ("(n*j + n*3) / n", "j + 3"),
        ("(n*j) % n", "0"),
        ("n / n", "1"),
        ("max(i, 9)", "9"),
        ("max(i, -1)", "i"),
        ("min(i, 9) + min(i, 0)", "i"),
        ("max(i, j)", "max(i, j)"),
        ("abs(i)", "i"),
        ("abs(j)", "max(j, -j)"),
        ("i < 6", "true"),
        ("i < 5", "i < 5"),
        ("i + 1 > i", "true"),
        ("i != i", "false"),
        ("i - 9 < j*0", "true"),
        ("i >= 0 and j < 2", "j < 2"),
        ("i < 0 or j < 2", "j < 2"),
        ("not (j < 2)", "j >= 2"),
        ("not (j < 2 or i == j)", "j >= 2 and i != j"),
    ],
)
def test_simplified(text: str, simple: str) -> None:
    assert show(simplify(expr(text), RANGES)) == simple


def _exprs() -> st.SearchStrategy[Expr]:
    leaves = st.one_of(st.sampled_from([Var("i"), Var("j"), Var("m")]), st.integers(-9, 9).map(Const))

    def larger(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        divisor = st.one_of(st.integers(1, 7).map(Const), st.just(Var("m")))
        return st.one_of(
            st.builds(lambda f, a, b: idx(f, a, b), st.sampled_from("+-*"), inner, inner),
            st.builds(lambda f, a, b: idx(f, a, b), st.sampled_from("/%"), inner, divisor),
            st.builds(lambda f, a, b: idx(f, a, b), st.sampled_from(("min", "max")), inner, inner),
            st.builds(lambda f, a: idx(f, a), st.sampled_from(("neg", "abs")), inner),
            st.builds(
                lambda f, a, b, c: Call("select", (compare(f, a, b), b, c), "idx"),
                st.sampled_from(("<", "==")),
                inner,
                inner,
                inner,
            ),
        )

    return st.recursive(leaves, larger, max_leaves=8)


def _points() -> list[dict[str, int]]:
    return [{"i": i, "j": j, "m": 2} for i in range(6) for j in range(-3, 5)]


@given(_exprs())
def test_simplification_keeps_the_value(e: Expr) -> None:
    simple = simplify(e, RANGES)
    assert simplify(simple, RANGES) == simple
    for point in _points():
        assert evaluate(simple, point) == evaluate(e, point)


@given(_exprs())
def test_intervals_hold_every_value(e: Expr) -> None:
    box = interval(to_poly(e, RANGES), RANGES)
    for point in _points():
        value = evaluate(e, point)
        assert box.low is None or box.low <= value
        assert box.high is None or value <= box.high


@given(st.sampled_from(("<", "<=", ">", ">=", "==", "!=")), _exprs(), _exprs())
def test_decisions_are_right(fn: str, a: Expr, b: Expr) -> None:
    condition = compare(fn, a, b)
    known = decide(condition, RANGES)
    values = {bool(evaluate(condition, point)) for point in _points()}
    assert known is None or values == {known}
    assert {not evaluate(negate(condition), point) for point in _points()} == values


ends = st.one_of(st.none(), st.integers(-20, 20))


@given(ends, ends, ends, ends, st.integers(-60, 60), st.integers(-60, 60))
def test_interval_arithmetic(a: int | None, b: int | None, c: int | None, d: int | None, x: int, y: int) -> None:
    left, right = Interval(a, b), Interval(c, d)
    if not (_holds(left, x) and _holds(right, y)):
        return
    assert _holds(left + right, x + y)
    assert _holds(left * right, x * y)
    assert _holds(left.minimum(right), min(x, y))
    assert _holds(left.maximum(right), max(x, y))
    assert _holds(left.union(right), x)
    if y > 0:
        assert _holds(left.floor_divide(right), x // y)
        assert _holds(left.modulo(right), x % y)
    if _holds(right, x):
        assert _holds(left.meet(right), x)


def _holds(box: Interval, value: int) -> bool:
    return (box.low is None or box.low <= value) and (box.high is None or value <= box.high)


def test_what_memory_may_hold() -> None:
    def read(dtype: str) -> Interval:
        return atom_interval(Call("cast", (Load("at", (Var("i"),), (), None, dtype),), "idx"), RANGES)

    assert read("u8") == Interval(0, 255)
    assert read("i8") == Interval(-128, 127)
    assert read("i64") == Interval(-(2**63), 2**63 - 1)
    assert atom_interval(Var("unknown"), RANGES) == EVERYTHING
