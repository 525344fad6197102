"""`python -m uol.conformance.graphs.check` says what is beyond its bound, and which part is taken."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import uol
from uol.conformance.graphs.check import Clock, check, made
from uol.conformance.graphs.models import Subject
from uol.pytorch.eager.faces import faces
from uol.pytorch.eager.mode import watched_by


class Left(nn.Module):
    """Half of its calls have no row."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.inv(self.layer(x).add_(torch.eye(8) * 9))


RIGHT = Subject("right", lambda: (nn.Sequential(nn.Linear(8, 4), nn.ReLU(inplace=True)), (torch.randn(3, 8),)))
LEFT = Subject("left", lambda: (Left(), (torch.randn(8, 8),)))


def test_a_right_model_and_its_shares(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(RIGHT, is_training=True, least=1.0)
    said = capsys.readouterr().out
    assert "right      training right: " in said and "taken 100.0% of 2 calls, 100.0% of eager's time" in said, said
    assert not check(LEFT, is_training=True, least=0.95)
    assert "1 x linalg_inv: no row in ops/signatures" in capsys.readouterr().out


def test_a_fault_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(faces()[functional.linear].__dict__, "function", lambda x, w, b: uol.ops.linear(x, w))
    assert not check(RIGHT, is_training=False, least=0.0)
    assert "EXCEEDED\nlinear: the result at" in capsys.readouterr().out


def test_the_clock_has_the_time_of_calls_that_were_left() -> None:
    clock, run = Clock(), made(LEFT, is_training=True)
    with watched_by(clock):
        report = run()
    assert report.left.total() == 1
    assert clock.taken_s > 0 and clock.left_s.keys() == {"linalg_inv"} and 0 < clock.share < 1
