"""Operators that several threads name and call for the first time at once."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, sys, threading
import torch, uol
sys.setswitchinterval(1e-6)
names = ("gelu", "mish", "tan", "exp", "softmax", "add", "relu6")
wrong, barrier = [], threading.Barrier(8)

def call(number):
    barrier.wait()
    for name in names:
        try:
            x = torch.full((2, 3), float(number), requires_grad=True)
            getattr(uol.ops.text, name)(*[x] * (2 if name == "add" else 1)).sum().backward()
            assert x.grad is not None
        except Exception as error:
            wrong.append(f"{name}: {error}")
    try:
        with torch.no_grad():
            uol.ops.foreach.sgd_([torch.ones(3)], [torch.ones(3)], lr=0.1)
    except Exception as error:
        wrong.append(f"sgd_: {error}")

threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(json.dumps(wrong))
"""


def test_eight_threads_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
