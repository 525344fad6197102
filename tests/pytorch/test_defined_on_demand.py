"""PyTorch is told of an operator when it is named: the library's texts are not read for one of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import uol

CODE = """
import pickle, torch, uol
early = uol.op("op demand_early(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] }")
from uol.pytorch import bridge
assert set(bridge.defined()) == {"demand_early"}, set(bridge.defined())
f = torch.compile(lambda x: uol.ops.text.softmax(uol.ops.relu(x)).sum(), backend="eager", fullgraph=True)
f(torch.ones(2, 3))  # named for the first time in what is traced
assert {"softmax", "relu"} <= set(bridge.defined()) and "conv2d" not in bridge.defined()
assert "conv2d" in uol.operators.registry.catalogue().unread
late = uol.op("op demand_late(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] }")
assert torch.equal(torch.ops.uol.demand_late(torch.ones(2)), torch.ones(2))
assert not hasattr(torch.ops.uol, "nonsense") and "layer_norm" not in bridge.defined()
torch.ops.uol.layer_norm, torch.ops.uol.layer_norm_grad, torch.ops.uol.sgd_
assert {"layer_norm", "sgd"} <= set(bridge.defined())
layers = torch.nn.Sequential(torch.nn.Hardtanh(), torch.nn.Linear(2, 2))
uol.replace(layers)
assert "hardtanh" in bridge.defined() and "max_pool2d" not in bridge.defined()
assert type(pickle.loads(pickle.dumps(layers))[0]) is type(layers[0]) is not torch.nn.Hardtanh
from uol.pytorch.layers.replace import restore
restore(layers)
assert type(layers[0]) is torch.nn.Hardtanh
bridge.define_all()
assert torch.ops.uol.conv2d(torch.ones(1, 1, 2, 2, device="meta"), torch.ones(1, 1, 1, 1, device="meta")).shape == (1, 1, 2, 2)
"""


def test_an_operator_is_defined_when_it_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Gated(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return uol.ops.text.gelu(uol.ops.text.softmax(x))


LOAD = """
import torch, uol
x = torch.ones(2, 3)
found = torch.export.load({path!r}).module()(x)
assert torch.allclose(found, torch.nn.functional.gelu(x.softmax(-1)))
"""


@pytest.mark.soak
def test_what_one_process_exports_another_one_loads(tmp_path: Path) -> None:
    path = str(tmp_path / "gated.pt2")
    torch.export.save(torch.export.export(Gated(), (torch.ones(2, 3),)), path)
    done = subprocess.run([sys.executable, "-c", LOAD.format(path=path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
