"""`acc(T)` in a head: the type that sums of T are kept in, for the checker, the interpreter, calls, bindings and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from uol.ir import Library, ShapeError, check, instantiate, interpret, parse, print_op
from uol.ir.checker.argument_binding import bind_shapes
from uol.ir.gradients import gradient
from uol.ir.syntax.builder import Construction, build
from uol.ir.syntax.expression_handles import fn

SUMS = parse(
    """
    op total(x: T[*S, C]) -> (m: acc(T)[*S]) for T in (f64, f32, f16, i8) { m[*s] = sum[c](acc(x[*s, c])) }
    op centred(x: T[*S, C], m: acc(T)[*S]) -> (y: T[*S, C]) for T in (f64, f32, f16) { y[*s, c] = T(acc(x[*s, c]) - m[*s] / C) }
    op centre(x: T[*S, C]) -> (y: T[*S, C]) for T in (f64, f32, f16) { m[*s] = total(x)[*s]; y[*s, c] = centred(x, m)[*s, c] }
    """
)
TOTAL, CENTRED, CENTRE = SUMS
LIBRARY = Library(SUMS)


@pytest.mark.parametrize("op", SUMS, ids=lambda op: op.name)
def test_it_is_a_type_of_the_language(op) -> None:
    assert parse(print_op(op))[0] == op
    check(op, LIBRARY)


@pytest.mark.parametrize(("dtype", "wide"), [("f64", "f64"), ("f32", "f32"), ("f16", "f32"), ("i8", "i32")])
def test_it_follows_its_variable(dtype: str, wide: str) -> None:
    assert instantiate(TOTAL, LIBRARY, types={"T": dtype}, ranks={"S": 1}).tensors["m"].dtype == wide


def test_a_wide_result_is_not_rounded_to_the_narrow_type() -> None:
    program = instantiate(TOTAL, LIBRARY, types={"T": "f16"}, ranks={"S": 0}, dims={"C": 2})
    assert interpret(program, {"x": np.array([2048.0, 1.0])})["m"] == 2049  # which no f16 is


def test_it_does_not_say_what_its_variable_is() -> None:
    assert bind_shapes(CENTRED, [("f16", (2, 3)), ("f32", (2,))]).types == {"T": "f16"}
    with pytest.raises(ShapeError, match="`m` of `centred` is f32, the tensor is f16"):
        bind_shapes(CENTRED, [("f16", (2, 3)), ("f16", (2,))])


def test_a_cotangent_has_its_values_type() -> None:
    assert print_op(gradient(TOTAL, LIBRARY)) == (
        "op total_grad(x: T[*S, C], dm: acc(T)[*S]) -> (dx: T[*S, C]) for T in (f64, f32, f16) {\n  dx[*s, c] = T(dm[*s])\n}"
    )
    text = gradient(CENTRED, LIBRARY)
    assert {p.name: p.type for p in (*text.params, *text.results)} == {"dy": "T", "dx": "T", "dm": "acc(T)"}


@pytest.mark.parametrize("op", SUMS, ids=lambda op: op.name)
def test_gradients_are_texts(op) -> None:
    once = gradient(op, LIBRARY)
    for text in (once, gradient(once, LIBRARY)):
        assert parse(print_op(text))[0] == text
        check(text, LIBRARY)


def test_the_gradient_through_calls() -> None:
    program = instantiate(gradient(CENTRE, LIBRARY), LIBRARY, types={"T": "f64"}, ranks={"S": 1}, dims={"S": 2, "C": 3})
    given = {t.name: np.arange(6.0).reshape(2, 3) ** 2 for t in program.by_role("in")}
    dy = given["dy"]
    np.testing.assert_allclose(interpret(program, given)["dx"], dy - dy.mean(-1, keepdims=True))


def test_where_it_is_its_variable_in_every_case() -> None:
    (op,) = parse("op twice(x: acc(T)[N]) -> (y: T[N]) for T in (f64, f32) { y[i] = T(2 * x[i]) }")
    check(op, Library())
    text = gradient(op, Library())
    check(text, Library())
    assert [p.type for p in text.results] == ["acc(T)"]


def test_a_function_may_declare_it() -> None:
    def total(op: Construction) -> None:
        S, C, s, c = op.names("*S C *s c")
        T = op.type("T", "f64", "f32", "f16", "i8")
        x, m = op.input("x", T[S, C]), op.result("m", T.acc[S])
        m[s] = fn.sum[c](fn.acc(x[s, c]))

    assert build(total) == TOTAL
