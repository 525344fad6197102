"""What `uol.ops` costs in Python on an accelerator's tensors, down to a driver that does nothing, beside PyTorch on the CPU.

    PYTHONPATH=tests python -m testcard.overhead

Tensors and allocator are the test card's, kernels and loader a vendor's, on the stub of its driver. Microseconds of a call on
16 elements, the best of many short runs in turns, so that a busy machine shows what a quiet one would. Exit status 1 where a
call takes more than is admitted.
"""

from __future__ import annotations

import os
import sys
import timeit
from collections.abc import Callable, Mapping
from typing import Any

import torch

import uol
from testcard import device
from uol.backends import registry
from uol.backends.stub_driver.stub import Stub, opened
from uol.codegen.backend import Device

MOST_US = 9.0
ROUNDS, CALLS = 200, 50
Call = Callable[[], object]


def on_stub(name: str, stub: Stub) -> Any:
    """A vendor's backend whose devices are the test cards, and whose driver is the stub's."""
    real: Any = registry.get(name)

    class OnStub(type(real)):  # type: ignore[misc]
        def torch_devices(self) -> frozenset[str]:
            return frozenset({device.NAME})

        def torch_device(self, index: int) -> Device:
            return self.devices[self.default_device]  # type: ignore[no-any-return]

        torch_stream = staticmethod(device.stream_function())

    made = object.__new__(OnStub)
    made.__dict__.update(real.__dict__, driver=stub.source(real.driver))
    return made


def best_us(calls: Mapping[str, Call]) -> dict[str, float]:
    """Of each, in turns."""
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            best[name] = min(best[name], timeit.timeit(call, number=CALLS) / CALLS * 1e6)
    return best


def measure(name: str, architecture: str) -> dict[str, float]:
    """Of the vendor's calls and PyTorch's."""
    x, y = torch.randn(16), torch.randn(16)
    a, b = x.to(device.NAME), y.to(device.NAME)
    with opened(architecture) as stub:
        registry._instances[name] = on_stub(name, stub)
        with stub.silent():
            return best_us(
                {
                    "relu": lambda: uol.ops.relu(a),
                    "add": lambda: uol.ops.add(a, b),
                    "relu on the CPU": lambda: uol.ops.relu(x),
                    "PyTorch's relu on the CPU": lambda: torch.relu(x),
                    "an empty tensor on the card": lambda: torch.empty_like(a),
                }
            )


def main() -> int:
    device.register()
    found = measure("cuda", "sm_80")
    for call, us in found.items():
        print(f"{call:30} {us:6.2f} us")
    return int(found["relu"] > MOST_US)


if __name__ == "__main__":
    os.environ.setdefault("UOL_CACHE_DIR", "build/test-cache")
    sys.exit(main())
