"""What a call of a loaded operator costs in Python, from tensors to launches, on drivers that do nothing.

    python -m uol.conformance.launch_overhead

The drivers are the stub's, which answers and computes nothing (`uol.backends.stub_driver`). Microseconds, the best of many
short runs. Exit status 1 where a call takes more than is admitted. It needs a C++ compiler, and no card.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

import uol
from uol.backends.loading.loaded import DeviceOperator
from uol.backends.stub_driver.loading import DRIVERS, architecture_of, load_module
from uol.backends.stub_driver.stub import opened
from uol.binding.named_binding import Size
from uol.conformance.call_overhead import best_us
from uol.conformance.command import run_command

ONE = "op one_sum(a: T[*S], b: T[*S]) -> (y: T[*S]) for T in (f32) { y[*s] = a[*s] + b[*s] }"
THREE = """
op three_sums(a: T[*S, K], b: T[K, K]) -> (y: T[*S, K]) for T in (f32) {
  h[*s, m] = sum[k](a[*s, k] * b[m, k])
  g[*s, m] = sum[k](h[*s, k] * b[m, k])
  y[*s, m] = sum[k](g[*s, k] * b[m, k])
}"""
"""Three kernels, with two buffers between them in the workspace."""
CASES: tuple[tuple[str, Mapping[str, Size], int, float], ...] = (
    (ONE, {"S": (8, 8)}, 1, 6.0),
    (THREE, {"S": (8,), "K": 8}, 3, 10.0),
)
"""Texts, sizes, the number of kernels that they become, microseconds that are admitted."""
ROUNDS = 10
"""The contenders take turns: a machine that others use is at times half as fast, for seconds."""
OF_THE_CPU = -1
"""PyTorch's index of a tensor that is on none of its devices."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A call of an operator with so many kernels."""

    target: str
    kernels: int
    us: float
    most_us: float

    @property
    def holds(self) -> bool:
        """Is it within what is admitted?"""
        return self.us <= self.most_us

    def __str__(self) -> str:
        excess = "" if self.holds else ": EXCEEDED"
        return f"{self.target:6} kernels: {self.kernels} {self.us:6.2f} us  at most {self.most_us:g}{excess}"


def measure() -> tuple[Measured, ...]:
    """All calls, on every target that the stub stands for."""
    cases = [(target, *case) for target in DRIVERS for case in CASES]
    modules = [uol.compile(uol.op(text), target, "f32", dims).module for target, text, dims, _, _ in cases]
    with opened(*map(architecture_of, modules)) as stub:
        calls = [call_of(load_module(stub, module)) for module in modules]
        with stub.silent():
            best = [min(each) for each in zip(*([best_us(call) for call in calls] for _ in range(ROUNDS)), strict=True)]
    return tuple(Measured(target, kernels, us, most) for (target, _, _, kernels, most), us in zip(cases, best, strict=True))


def call_of(operator: DeviceOperator) -> Callable[[], None]:
    """A call on tensors of PyTorch's, with stream and workspace. Those of the CPU stand for the device's: they are asked the
    same questions."""
    operator.index = OF_THE_CPU
    tensors = [torch.ones(8, 8) for _ in operator.graph.args]
    return lambda: operator(*tensors, stream=0, workspace=1 << 20)


def main() -> int:
    """The command."""
    found = measure()
    for each in found:
        print(each)
    return 0 if all(each.holds for each in found) else 1


if __name__ == "__main__":
    run_command(main)
