"""What one call costs in Python, on tensors so small that the kernel costs nothing, beside PyTorch's own operator.

    python -m uol.conformance.call_overhead

Microseconds, the best of many short runs, so that a busy machine shows what a quiet one would. Exit status 1 where relu
takes more than is admitted.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from dataclasses import dataclass

import torch

from uol.conformance.command import run_command
from uol.ops import text as ops

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Measured:
    """A call of ours and of PyTorch's. `most_us`: what ours may take, where that is settled."""

    name: str
    ours_us: float
    torch_us: float
    most_us: float | None = None

    @property
    def holds(self) -> bool:
        """Is it within what is admitted?"""
        return self.most_us is None or self.ours_us <= self.most_us

    def __str__(self) -> str:
        bound = "" if self.most_us is None else f"  at most {self.most_us:g}{'' if self.holds else ': EXCEEDED'}"
        return f"{self.name:36} {self.ours_us:6.2f} us   PyTorch {self.torch_us:6.2f} us{bound}"


def best_us(call: Call, calls: int = 100, runs: int = 200) -> float:
    """Microseconds a call in the best of `runs` runs."""
    call()
    return min(timeit.repeat(call, number=calls, repeat=runs)) / calls * 1e6


def measure() -> tuple[Measured, ...]:
    """All calls."""
    x, scale = torch.randn(16), torch.ones(16)
    recorded = torch.randn(16, requires_grad=True)
    rows = torch.randn(4, 16)
    functional = torch.nn.functional
    y, z, dy = ops.relu(recorded), torch.relu(recorded), torch.ones(16)
    cases: list[tuple[str, Call, Call, float | None]] = [
        ("relu", lambda: ops.relu(x), lambda: torch.relu(x), 6),
        ("relu, gradient recorded", lambda: ops.relu(recorded), lambda: torch.relu(recorded), 15),
        ("relu, backward", lambda: y.backward(dy, True), lambda: z.backward(dy, True), None),
        ("softmax", lambda: ops.softmax(rows), lambda: torch.softmax(rows, -1), None),
        (
            "layer_norm(eps=...)",
            lambda: ops.layer_norm(rows, scale, scale, eps=1e-5),
            lambda: torch.layer_norm(rows, (16,), scale, scale, 1e-5),
            None,
        ),
        (
            "leaky_relu(negative_slope=...)",
            lambda: ops.leaky_relu(recorded, negative_slope=0.1),
            lambda: functional.leaky_relu(recorded, 0.1),
            None,
        ),
        ("add, broadcast", lambda: ops.add(rows, x), lambda: torch.add(rows, x), None),
    ]
    return tuple(Measured(name, best_us(ours), best_us(theirs), most) for name, ours, theirs, most in cases)


def main() -> int:
    """The command."""
    found = measure()
    for each in found:
        print(each)
    return 0 if all(each.holds for each in found) else 1


if __name__ == "__main__":
    run_command(main)
