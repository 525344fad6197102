"""What has operators in it pickles, and does the same where it is read: in this process, and in another one."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import uol


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.act = nn.Linear(4, 4), uol.ops.text.gelu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.linear(x))


def replaced() -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LayerNorm(4), nn.Softmax(-1))
    uol.replace(module)
    return module


def frozen() -> nn.Module:
    return uol.freeze(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.GELU()))


def frozen_convolution() -> nn.Module:
    return uol.freeze(nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)))


@pytest.mark.parametrize("build", [Gated, replaced, frozen, frozen_convolution], ids=lambda f: f.__name__)
def test_a_module_is_saved_and_loaded(build: Callable[[], nn.Module]) -> None:
    module, file = build(), io.BytesIO()
    x = torch.linspace(-2, 2, 64).reshape(1, 4, 4, 4)
    torch.save(module, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(x), module(x))


@pytest.mark.parametrize("name", ["relu", "mse_loss", "where", "sgd_", "max_pool2d", "softmax_grad"])
def test_an_operator_is_itself(name: str) -> None:
    operator = getattr(uol.ops.text, name)
    assert pickle.loads(pickle.dumps(operator)) is operator


def test_a_registered_operator_is_registered_where_it_is_read(tmp_path: Path) -> None:
    uol.op("op half_of(x: T[*S]) -> (y: T[*S]) for T in (f64, f32) { y[*s] = x[*s] / 2 }")
    own = uol.op(
        "op drifted(x: T[*S], mean: T[*S]) -> (next: T[*S]) for T in (f64, f32) { next[*s] = mean[*s] + half_of(x)[*s] }",
        aliases={"mean": "next"},
    )
    (tmp_path / "own.pkl").write_bytes(pickle.dumps(own))
    program = (
        "import pickle, torch, uol\n"
        f"own = pickle.loads(open({str(tmp_path / 'own.pkl')!r}, 'rb').read())\n"
        "mean = torch.ones(3)\n"
        "own.in_place(torch.full((3,), 4.0), mean)\n"
        "print(mean.tolist(), uol.ops.half_of(mean).tolist())\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "[3.0, 3.0, 3.0] [1.5, 1.5, 1.5]\n", run.stderr
