"""Written gradients that read what the forward computes on its way: the operator that saves it, calls, and errors."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from uol.ir import Library, Op, TypeCheckError, check, instantiate, interpret, parse, print_op
from uol.ir.gradients import gradient
from uol.ir.gradients.residuals import check_written, plain_operator, saving_operator

FORWARD = """
op total(x: T[*S, C]) -> (y: T[*S]) for T in (f64, f16) {
  e[*s, c] = exp(acc(x[*s, c]))
  z[*s]    = sum[c](e[*s, c])
  y[*s]    = T(log(z[*s]))
}
"""
WRITTEN = """
op total_grad(x: T[*S, C], z: acc(T)[*S], dy: T[*S]) -> (dx: T[*S, C]) for T in (f64, f16) {
  dx[*s, c] = T(acc(dy[*s]) / z[*s] * exp(acc(x[*s, c])))
}
"""
CALLER = """
op outer(x: T[*S, C]) -> (y: T[*S]) for T in (f64, f16) { y[*s] = T(sin(acc(total(x)[*s]))) }
op given(x: T[*S, C]) -> (y: T[*S], u: T[*S]) for T in (f64, f16) { y[*s] = total(x)[*s]; u[*s] = T(2 * acc(y[*s])) }
"""
BAD = tomllib.loads(Path(__file__).with_name("bad_gradients.toml").read_text(encoding="utf-8"))["gradient"]


def library(*texts: str) -> Library:
    return Library([op for text in (FORWARD, *texts) for op in parse(text)])


def op(ops: Library, name: str) -> Op:
    found = ops.get(name)
    assert found is not None
    return found


def test_what_saves_is_the_forward_with_a_further_result() -> None:
    ops = library(WRITTEN)
    saving = op(ops, "total_saving")
    assert print_op(saving).splitlines()[0] == (
        "op total_saving(x: T[*S, C]) -> (y: T[*S], z: acc(T)[*S]) for T in (f64, f16) {"
    )
    assert saving.body == op(ops, "total").body
    check(saving, ops)
    assert plain_operator(saving, ops) == op(ops, "total") and plain_operator(op(ops, "total"), ops) is None


def test_nothing_is_saved_beside_inputs_and_results_where_no_text_asks_for_it() -> None:
    plain = "op total_grad(x: T[*S, C], y: T[*S], dy: T[*S]) -> (dx: T[*S, C]) for T in (f64, f16) {" \
            " dx[*s, c] = T(acc(dy[*s]) * exp(acc(x[*s, c]) - acc(y[*s]))) }"  # fmt: skip
    for ops in (library(), library(plain)):
        assert ops.get("total_saving") is None and saving_operator(op(ops, "total"), ops) is None


def test_a_call_saves_what_its_gradient_reads() -> None:
    ops = library(WRITTEN, CALLER)
    assert print_op(gradient(op(ops, "outer"), ops)).splitlines()[1:-1] == [
        "  (total_y[*s], z[*s]) = total_saving(x)",
        "  dtotal_y[*s] = T(acc(dy[*s]) * cos(acc(total_y[*s])))",
        "  dx_part[*s, c] = total_grad(x, z, dtotal_y)[*s, c]",
        "  dx[*s, c] = dx_part[*s, c]",
    ]
    assert "  (y_2[*s], z[*s]) = total_saving(x)" in print_op(gradient(op(ops, "given"), ops))


@pytest.mark.parametrize("name", ["outer", "given", "total_saving"])
def test_gradients_of_every_order_agree_with_those_without_a_written_one(name: str) -> None:
    libraries = library(WRITTEN, CALLER), library(CALLER)
    if name == "total_saving":
        libraries[1].add(op(libraries[0], name))
    inputs = dict.fromkeys(("x", "dx", "ddx"), np.random.default_rng(3).standard_normal((3, 4)))
    inputs |= {n: np.array([1.0, -2.0, 3.0]) for n in ("y", "z", "u", "dy", "dz", "du")}
    for order in ("_grad", "_grad_grad"):
        found = []
        for ops in libraries:
            text = op(ops, f"{name}{order}")
            check(text, ops)
            program = instantiate(text, ops, types={"T": "f64"}, ranks={"S": 1}, dims={"S": 3, "C": 4})
            found.append(interpret(program, {t.name: inputs[t.name] for t in program.by_role("in")}))
        for result, value in found[0].items():
            np.testing.assert_allclose(value, found[1][result], rtol=1e-12, err_msg=f"{result} of {text.name}")


@pytest.mark.parametrize("case", BAD, ids=[c["message"] for c in BAD])
def test_a_gradient_that_reads_what_there_is_not(case: dict) -> None:
    ops = library()
    (written,) = parse(case["text"])
    ops.add(written)
    with pytest.raises(TypeCheckError) as raised:
        check_written(written, ops)
    error = raised.value
    assert error.span is not None
    assert [error.span.line, error.span.column] == case["at"]
    assert (error.message, error.hint) == (case["message"], case["hint"])


def test_an_operator_that_is_called_like_a_gradient_of_nothing_is_let_pass() -> None:
    (alone,) = parse("op other_grad(x: f32[N], what: f32[N]) -> (y: f32[N]) { y[i] = x[i] + what[i] }")
    check_written(alone, library())
