"""Checked mode: values that break a rule are errors that name operator, line and index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_ops import Case, typed_ops

from uol.ir import Library, Program, instantiate, interpret, parse
from uol.ir.errors import DataError
from uol.ir.program.checked_mode import needs_checks
from uol.ir.program.nodes import Scatter
from uol.ir.syntax import surface

OPS = parse("""
op quotient(a: i32[N], b: i32[N]) -> (q: i32[N], r: i32[N]) {
  q[n] = a[n] / b[n]
  r[n] = a[n] % b[n]
}
op guarded(a: i32[N], b: i32[N]) -> (q: i32[N]) { q[n] = select(b[n] != 0, a[n] / b[n], -1) }
op nested(a: i32[N], b: i32[M]) -> (q: i32[N]) {
  q[n] = select(a[n] > 0, sum[m](select(b[m] > 0, a[n] / (b[m] - a[n]), 0)), 0)
}
op masked(a: i32[N]) -> (q: i32[N]) { q[n] = sum[m < n](a[n] / a[m]) }
op added(x: f32[N, D], at: i32[N]; S: int) -> (y: f32[S, D]) where S > 0 { y[at[n], d] += x[n, d] }
op grouped(x: f32[N], group: i32[N]) -> (y: f32[N]) where sorted(group) { y[n] = x[n] }
op ordered(x: f32[N]) -> (y: f32[N]) where sorted(x) { y[n] = x[n] }
op tamed(x: f32[N, M]) -> (y: f32[N, M]) where finite(x) { y[n, m] = x[n, m] }
op spread(x: f32[N], at: i32[N]) -> (y: f32[N]) where permutation(at) { y[at[n]] += x[n] }
op gathered(x: f32[N], at: i32[M]) -> (y: f32[M]) { y[m] = x[at[m]] else -1 }
op best(x: f32[N, C]) -> (y: f32[N]) where C > 0 { at[n] = i32(argmax[c](x[n, c]))
  y[n] = x[n, at[n]] }
op halves(x: f32[N]) -> (y: f32[N]) { y[n] = x[n / 2] / 2 }
""")
LIBRARY = Library(OPS)


def run(name: str, *arrays: Any, checked: bool = True, **attrs: int) -> dict[str, np.ndarray]:
    op = LIBRARY.get(name)
    assert op is not None
    inputs = {p.name: np.asarray(a) for p, a in zip(op.params, arrays, strict=True)}
    sizes = {d.id: s for p in op.params for d, s in zip(p.dims, inputs[p.name].shape, strict=True)}  # type: ignore[union-attr]
    return interpret(instantiate(op, LIBRARY, types={}, dims=sizes, attrs=attrs), inputs, checked=checked)


BROKEN = {
    "an integer divided by zero": (
        ("quotient", [4, 5, 6], [1, 2, 0]),
        "`quotient`, line 2: `/` of integers divides by `b[n]`, which is 0 at n = 2",
    ),
    "a zero in the arm that is chosen": (
        ("nested", [-1, 3, 3], [0, 1, 3]),
        "`nested`, line 2: `/` of integers divides by `b[m] - a[n]`, which is 0 at n = 1, m = 2",
    ),
    "a term of a bounded sum": (
        ("masked", [1, 0, 3]),
        "`masked`, line 2: `/` of integers divides by `a[m]`, which is 0 at n = 2, m = 1",
    ),
    "a target beyond": (
        ("added", np.ones((3, 2)), [0, 1, 4]),
        "`added`, line 2: the target `y[at[n], d]` lies outside at n = 2, d = 0, being 4, 0",
    ),
    "a target below zero": (
        ("added", np.ones((3, 2)), [0, -1, 1]),
        "`added`, line 2: the target `y[at[n], d]` lies outside at n = 1, d = 0, being -1, 0",
    ),
    "a promise": (
        ("grouped", [1.0, 2.0, 3.0], [0, 4, 3]),
        "`grouped` needs `sorted(group)`, but group[1] = 4 comes before group[2] = 3",
    ),
    "a promise of ascending floats": (
        ("ordered", [-np.inf, 2.0, 1.5]),
        "`ordered` needs `sorted(x)`, but x[1] = 2.0 comes before x[2] = 1.5",
    ),
    "a promise of ascending floats, NaN not the last": (
        ("ordered", [1.0, np.nan, np.inf]),
        "`ordered` needs `sorted(x)`, but x[1] = nan comes before x[2] = inf",
    ),
    "a promise of numbers, broken by an infinity": (
        ("tamed", [[1.0, 2.0], [3.0, -np.inf]]),
        "`tamed` needs `finite(x)`, but x[1, 1] = -inf",
    ),
    "a promise of numbers, broken by none": (
        ("tamed", [[1.0, np.nan]]),
        "`tamed` needs `finite(x)`, but x[0, 1] = nan",
    ),
    "a promise of a permutation, broken by a number that was there": (
        ("spread", [1.0, 2.0, 3.0], [2, 0, 2]),
        "`spread` needs `permutation(at)`, but at[2] = 2",
    ),
    "a promise of a permutation, broken by a number beyond": (
        ("spread", [1.0, 2.0, 3.0], [0, 3, 1]),
        "`spread` needs `permutation(at)`, but at[1] = 3",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_rule_is_an_error_with_its_place(case: str) -> None:
    (name, *arrays), message = BROKEN[case]
    attrs = {"S": 3} if name == "added" else {}
    run(name, *arrays, checked=False, **attrs)
    with pytest.raises(DataError) as caught:
        run(name, *arrays, **attrs)
    assert caught.value.message == message
    assert str(caught.value).startswith(f"<{name}>:{1 if name in ('grouped', 'ordered', 'tamed', 'spread') else 2}:")
    assert caught.value.hint


SOUND = {
    "the arm that is not chosen divides by zero": ("guarded", [4, 5], [0, 2]),
    "so do terms that are left out, and arms in arms": ("nested", [-1, 3], [0, 1]),
    "what stands beyond the bound of a sum": ("masked", [1, 2, 0]),
    "all targets inside": ("added", np.ones((3, 2)), [0, 1, 2]),
    "a promise that is kept, with equals": ("grouped", [1.0, 2.0, 3.0], [0, 4, 4]),
    "ascending floats, zeros of both signs, NaN at the end": ("ordered", [-np.inf, 0.0, -0.0, np.inf, np.nan, np.nan]),
    "a permutation as promised": ("spread", [1.0, 2.0, 3.0], [2, 0, 1]),
    "a permutation of nothing": ("spread", [], np.zeros(0, int)),
    "numbers as promised, the largest among them": ("tamed", [[1.0, 3.4e38]]),
    "a promise about nothing": ("grouped", [], np.zeros(0, int)),
    "an index outside that an else gives a value": ("gathered", [1.0, 2.0], [0, 7, -1]),
    "the place of an extremum": ("best", [[1.0, 3.0], [np.nan, 2.0]]),
    "an index divided by a constant": ("halves", [1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("case", SOUND)
def test_what_breaks_none_is_as_without_checks(case: str) -> None:
    name, *arrays = SOUND[case]
    attrs = {"S": 3} if name == "added" else {}
    checked, plain = run(name, *arrays, **attrs), run(name, *arrays, checked=False, **attrs)
    assert all(np.array_equal(checked[result], plain[result], equal_nan=True) for result in plain)


def test_an_index_outside_that_nothing_admits_is_an_error() -> None:
    """The checker refuses such a text; a program that a pass has spoiled is caught here."""
    op = LIBRARY.get("gathered")
    assert op is not None
    program = instantiate(op, LIBRARY, types={}, dims={"N": 2, "M": 3})
    spoiled = unguarded(program)
    with pytest.raises(DataError, match=r"`gathered`, line 2: `x\[at\[m\]\]` lies outside: dim 0 is 2 at m = 1, being -1"):
        interpret(spoiled, {"x": np.ones(2), "at": np.asarray([0, -1, 1])}, checked=True)


def unguarded(program: Program) -> Program:
    from dataclasses import replace

    (stage,) = program.stages
    return replace(program, stages=(replace(stage, value=replace(stage.value, guard=(), fill=None)),))  # type: ignore[call-arg]


def test_only_programs_that_values_can_break_need_checks() -> None:
    needed = {
        op.name for op in OPS if needs_checks(instantiate(op, LIBRARY, types={}, attrs={"S": 3} if op.name == "added" else {}))
    }
    assert needed == {op.name for op in OPS} - {"halves"}


@settings(max_examples=60, deadline=None)
@given(typed_ops(smallest=0, largest=5, whole=True))
def test_random_operators_are_as_without_checks_or_drop_what_lies_outside(case: Case) -> None:
    ops = parse(case.text)
    program = instantiate(ops[-1], Library(ops), types={"T": case.dtype}, dims=case.dims)
    plain = interpret(program, case.inputs)
    try:
        checked = interpret(program, case.inputs, checked=True)
    except DataError as error:
        dropped, broken = any(isinstance(s, Scatter) and s.guard for s in program.stages), error.message
    else:
        dropped, broken = True, ""
        for name, value in plain.items():
            np.testing.assert_array_equal(checked[name], value)
    assert dropped and (not broken or "lies outside" in broken)


@st.composite
def quotients(draw: st.DrawFn) -> str:
    """A value of integer quotients in arms of selects and in masked sums, over i and j."""

    def value(depth: int, bound: bool) -> str:
        leaf = draw(st.sampled_from(("a[i]", "b[i]", "2") + (("c[j]",) if bound else ())))
        kind = draw(st.sampled_from(("leaf", "quotient", "select", "sum"))) if depth else "leaf"
        match kind:
            case "quotient":
                return f"({value(depth - 1, bound)} {draw(st.sampled_from('/%'))} {value(depth - 1, bound)})"
            case "select":
                a, b = value(depth - 1, bound), value(depth - 1, bound)
                return f"select({value(0, bound)} {draw(st.sampled_from(('==', '<', '!=')))} {value(0, bound)}, {a}, {b})"
            case "sum" if not bound:
                return f"sum[j < M, j <= i]({value(depth - 1, True)})"
        return leaf

    return value(3, False)


@settings(max_examples=60, deadline=None)
@given(quotients(), st.integers(0, 2**32 - 1))
def test_a_division_by_zero_is_an_error_exactly_where_it_is_evaluated(value: str, seed: int) -> None:
    (op,) = parse(f"op f(a: i32[N], b: i32[N], c: i32[M]) -> (y: i32[N]) where M > 0 {{ y[i] = {value} }}")
    rng = np.random.default_rng(seed)
    inputs = {name: rng.integers(-1, 3, size) for name, size in (("a", 3), ("b", 3), ("c", 4))}
    program = instantiate(op, Library(), types={}, dims={"N": 3, "M": 4})
    try:
        interpret(program, inputs, checked=True)
        found = False
    except DataError:
        found = True
    assert found == any(divides_by_zero(op.body[0].value, inputs, {"i": i}) for i in range(3))


class Zero(Exception):
    """A division by zero was evaluated."""


def divides_by_zero(expr: surface.Expr, inputs: dict[str, np.ndarray], at: dict[str, int]) -> bool:
    """One point, by Python's own lazy evaluation."""
    try:
        scalar(expr, inputs, at)
    except Zero:
        return True
    return False


def scalar(expr: surface.Node, inputs: dict[str, np.ndarray], at: dict[str, int]) -> int:
    match expr:
        case surface.Number(value=number):
            return int(number)
        case surface.Access(tensor=surface.Name(id=name), index=(surface.Name(id=index),)):
            return int(inputs[name][at[index]])
        case surface.Apply(fn="select", args=(c, a, b)):
            return scalar(a if scalar(c, inputs, at) else b, inputs, at)
        case surface.Reduction(args=(body,)):
            return sum(scalar(body, inputs, {**at, "j": j}) for j in range(min(4, at["i"] + 1)))
        case surface.Binary(op=op, left=left, right=right):
            a, b = scalar(left, inputs, at), scalar(right, inputs, at)
            if op in "/%" and b == 0:
                raise Zero
            return {"/": lambda: a // b, "%": lambda: a % b, "==": lambda: a == b, "<": lambda: a < b, "!=": lambda: a != b}[
                op
            ]()
    raise AssertionError(expr)
