"""PyTorch is told of an operator when it is named: the library's texts are not read for one of them."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import torch, uol
early = uol.op("op demand_early(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] }")
from uol.pytorch import bridge
assert set(bridge.defined()) == {"demand_early"}, set(bridge.defined())
f = torch.compile(lambda x: uol.ops.softmax(uol.ops.relu(x)).sum(), backend="eager", fullgraph=True)
f(torch.ones(2, 3))  # named for the first time in what is traced
assert {"softmax", "relu"} <= set(bridge.defined()) and "conv2d" not in bridge.defined()
assert "conv2d" in uol.catalogue.catalogue().unread
late = uol.op("op demand_late(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] }")
assert torch.equal(torch.ops.uol.demand_late(torch.ones(2)), torch.ones(2))
bridge.define_all()
assert torch.ops.uol.conv2d(torch.ones(1, 1, 2, 2, device="meta"), torch.ones(1, 1, 1, 1, device="meta")).shape == (1, 1, 2, 2)
"""


def test_an_operator_is_defined_when_it_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
