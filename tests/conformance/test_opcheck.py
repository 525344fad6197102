"""PyTorch's check of custom operators: some here, the whole library by `python -m uol.conformance.opcheck`."""

from __future__ import annotations

import pytest
import torch

from uol.conformance import opcheck
from uol.conformance.opcheck import case_of, check, smallest
from uol.operators.registry import catalogue


@pytest.mark.parametrize("name", ["softmax", "cast", "argmax"])
def test_an_operator_and_its_gradient_pass(name: str) -> None:
    assert check(name) == ()


def test_inputs_that_may_have_a_gradient_ask_for_one() -> None:
    op = catalogue().get("cross_entropy")
    assert op is not None
    (x, target), options = case_of(op)
    assert x.requires_grad and not target.requires_grad and target.dtype is torch.int64
    assert x.shape == (smallest(op.name).dims["N"], smallest(op.name).dims["C"]) and isinstance(options, dict)


def test_what_fails_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.library, "opcheck", lambda *given, **options: {"test_schema": "SUCCESS", "test_faketensor": "no"})
    assert opcheck.main(["--op", "argmax"]) == 1
    assert "argmax: test_faketensor: no" in capsys.readouterr().out
