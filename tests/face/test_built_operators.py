"""`uol.op` takes functions as it takes texts."""

from __future__ import annotations

import pytest

import uol
from uol import fn
from uol.ir.syntax.builder import Construction
from uol.ir.syntax.printer import print_op


def test_a_function_is_registered_as_its_text_would_be() -> None:
    import torch

    @uol.op
    def built_silu(op: Construction) -> None:
        S, s = op.names("*S *s")
        T = op.type("T", "f64", "f32")
        x, y = op.input("x", T[S]), op.result("y", T[S])
        y[s] = T(fn.acc(x[s]) / (1 + fn.exp(-fn.acc(x[s]))))

    text = "op built_silu(x: T[*S]) -> (y: T[*S]) for T in (f64, f32) { y[*s] = T(acc(x[*s]) / (1 + exp(-acc(x[*s])))) }"
    assert uol.op(text).op == built_silu.op
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(built_silu(x), torch.nn.functional.silu(x))
    assert torch.equal(uol.ops.built_silu(x), torch.ops.uol.built_silu(x))


def test_an_error_of_a_built_operator_points_into_its_printed_text() -> None:
    def reaches_out(op: Construction) -> None:
        N, i = op.names("N i")
        x, y = op.input("x", fn.f32[N]), op.result("y", fn.f32[N])
        y[i] = x[i + 1]

    with pytest.raises(uol.BoundsError, match=r"<reaches_out>:2:12: cannot prove") as caught:
        uol.op(reaches_out)
    assert caught.value.text == print_op(uol.op("op reached(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }").op).replace(
        "reached", "reaches_out"
    ).replace("x[i]", "x[i + 1]")


def test_what_is_neither_text_nor_function_is_refused() -> None:
    with pytest.raises(uol.UolError, match="text is 3, not the text of an operator"):
        uol.op(3)  # type: ignore[arg-type]
