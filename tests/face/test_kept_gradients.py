"""Derived gradients are kept: the same operators, with their positions, and none that another text would have."""

from __future__ import annotations

from pathlib import Path

import pytest

from uol.ir import parse
from uol.ir.gradients.residuals import saving_operator
from uol.ir.syntax.surface import Op
from uol.operators import gradients
from uol.operators.checked_texts import digest_of
from uol.operators.gradients import GradientOp, backward_of, gradient_op, saving_of
from uol.operators.registry import catalogue, find_operator

KINDS = ("softmax", "conv2d", "gelu", "attention", "max_pool2d", "linear", "layer_norm_grad", "attention_saving", "cumsum")
"""Derived, written, with saved values, of second order."""


def digests(found: GradientOp) -> tuple[str, str, object, object]:
    return digest_of(found.op), digest_of(found.forward), found.wrt, found.sources


@pytest.fixture
def derived(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operators that a gradient is derived for."""
    asked: list[str] = []
    derive = gradients._gradient_op

    def counted(op: Op, written: Op | None, wrt: tuple[str, ...], integers: tuple[str, ...] = ()) -> GradientOp:
        asked.append(op.name)
        return derive(op, written, wrt, integers)

    monkeypatch.setattr(gradients, "_gradient_op", counted)
    return asked


@pytest.mark.parametrize("name", KINDS)
def test_what_is_kept_is_what_is_derived(name: str, derived: list[str]) -> None:
    op = find_operator(name)
    for wrt in dict.fromkeys([op.float_inputs, op.float_inputs[:1]]):
        expected = gradients._gradient_op(op, gradients._written(op), wrt)
        derived.clear()
        assert [digests(gradient_op(op, wrt)) for _ in range(2)] == [digests(expected)] * 2
        assert derived == [name]
    assert saving_of(op) == (saving_operator(op, catalogue()) if catalogue().get(name) == op else None)
    derived.clear()
    for _ in range(2):
        backward_of(op, op.float_inputs)
    assert len(derived) <= 1  # of the plain operator, where this one is an <op>_saving


def test_another_text_of_what_is_called_is_another_gradient(derived: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (caller,) = parse("op kept_caller(x: f32[N]) -> (y: f32[N]) { y[n] = kept_callee(x)[n] * 2 }")
    for factor in (3, 5, 3):
        (callee,) = parse(f"op kept_callee(x: f32[N]) -> (y: f32[N]) {{ y[n] = x[n] * {factor} }}")
        library = catalogue().copy()
        for op in (caller, callee):
            library.add(op)
        for module in ("uol.operators.gradients", "uol.operators.registry"):
            monkeypatch.setattr(f"{module}.catalogue", lambda library=library: library)
        gradient_op(caller, ("x",))
    assert derived == ["kept_caller"] * 2


def test_where_nothing_can_be_kept_it_is_derived(derived: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    op = find_operator("softmax")
    assert digests(gradient_op(op, ("x",))) == digests(gradients._gradient_op(op, None, ("x",)))
