"""PyTorch's own samples: some here, all by `python -m uol.conformance.opinfo`."""

from __future__ import annotations

import pytest
import torch

from uol.conformance import opinfo
from uol.conformance.opinfo import Entry, check, entries
from uol.operators.registry import is_known
from uol.ops.variadic import VARIADIC

SAMPLED = ["add", "sum", "softmax", "nn.functional.layer_norm"]


def entry(name: str) -> Entry:
    return next(e for e in entries() if e.opinfo == name)


@pytest.mark.parametrize("name", SAMPLED)
def test_the_first_samples_pass(name: str) -> None:
    for dtype in (torch.float64, torch.bfloat16):
        tally = check(entry(name), dtype, most=2)
        assert tally.passed and not tally.failed


def test_the_table_names_what_there_is() -> None:
    infos = opinfo.infos()
    assert all(e.opinfo in infos for e in entries())
    assert all(e.form in opinfo.FAMILIES or e.op in VARIADIC or is_known(e.op) for e in entries())
    assert len({e.op for e in entries()}) >= 60


def test_a_wrong_operator_fails() -> None:
    assert check(Entry("exp", "pointwise", "exp2"), torch.float32, most=2).failed


def test_a_wrong_gradient_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from uol.ops import text as ops

    def broken(name: str, x: torch.Tensor) -> torch.Tensor:
        return getattr(ops, name)(x.detach()) + x - x.detach()

    monkeypatch.setattr("uol.conformance.torch_samples.forms.apply", broken)
    assert check(entry("exp"), torch.float64, most=1).failed


def test_what_is_not_expressed_is_counted_with_its_reason() -> None:
    tally = check(entry("nn.functional.kl_div"), torch.float32)
    assert tally.not_expressed["log_target"]
    assert not tally.failed
