"""What grouped products make of the machine: of what their tiles multiply the part that is of rows that there are, and their
time beside that of their bytes.

    python -m uol.conformance.products.experts [--tokens 8192,256] [--experts 128] [--top 4] [--width 2048] [--hidden 768]
                                               [--op grouped_matmul,grouped_matmul_grad] [--target TARGETS]

Products in f16 of `tokens` * `top` rows in `experts` segments, as many in each, or as 1, 1/2, 1/3, ... (`gap/routing.py`). For
every product of an operator a line: the useful share of the multiply-adds that its tiles issue, in closed form; its time and
that of the kernel that looks for bounds, *modelled*; and the time of its operands and results, each once, at the bandwidth that
the device streams with. Exit status 1 where the share is less than 0.8 with 8,192 tokens or more, or the time more than 1.3 of
its bytes' time with 256 or fewer; 2 for bad input.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import uol
from uol.backends import registry
from uol.codegen.backend import Backend, CountsData, Device, HasBlocks, Kernel
from uol.codegen.cost import time_of
from uol.codegen.specs.nodes import Contract
from uol.compilation.request import resolve_target
from uol.conformance.command import run_command
from uol.conformance.gap.few_row_times import numbers
from uol.conformance.gap.routing import SAYS, Routing, keys_of
from uol.conformance.products.tiling import issued_share, operand_bytes, runs_of

TARGETS = tuple(name for name in registry.names() if isinstance(registry.get(name), HasBlocks))
LEAST_SHARE, MANY_TOKENS = 0.8, 8192
MOST_TIME, FEW_TOKENS = 1.3, 256


@dataclass(frozen=True, slots=True)
class ExpertTime:
    """Of one grouped product: the useful share of what its tiles multiply; seconds by the model, and of its bytes alone."""

    kernel: str
    target: str
    tokens: int
    routing: Routing
    schedule: str
    share: float
    seconds: float
    bytes_seconds: float

    @property
    def ratio(self) -> float:
        return self.seconds / self.bytes_seconds

    @property
    def is_good(self) -> bool:
        has_share = self.share >= LEAST_SHARE or self.tokens < MANY_TOKENS
        return has_share and (self.ratio <= MOST_TIME or self.tokens > FEW_TOKENS)

    def __str__(self) -> str:
        times = f"{self.seconds * 1e6:7.1f} us modelled, {self.bytes_seconds * 1e6:6.1f} us its bytes: {self.ratio:.2f}"
        named = f"{self.target:11} {self.kernel:27} {self.tokens:5} tokens, {self.routing:8}"
        return f"{named}  useful share {self.share:.3f};  {times};  {self.schedule}"


@dataclass(frozen=True, slots=True)
class Experts:
    """A layer: rows of `width` by `hidden`, `top` of the experts for each token."""

    experts: int = 128
    top: int = 4
    width: int = 2048
    hidden: int = 768


def expert_times(op: str, target: str, tokens: int, layer: Experts) -> Iterator[ExpertTime]:
    """Of the grouped products of an operator, for both routings. The time of what looks for bounds is added to the product's
    behind it."""
    found = resolve_target(target)
    dims = {"M": tokens * layer.top, "D": layer.width, "E": layer.experts, "F": layer.hidden}
    module = uol.compile(op, target, "f16", dims).module
    for routing in SAYS:
        before = 0.0
        for kernel in module.kernels:
            seconds = _seconds(kernel, found.backend, found.device, routing)
            if not isinstance(kernel.spec, Contract):
                before += seconds
                continue
            share = issued_share(kernel, runs_of(kernel.spec, keys_of(kernel.spec, routing)))
            bandwidth = found.device.rates.get("bandwidth-streamed") or found.device.rates["bandwidth"]
            moved = operand_bytes(kernel.spec) / bandwidth.si
            said = kernel.schedule.describe()
            yield ExpertTime(kernel.spec.name, target, tokens, routing, said, share, seconds + before, moved)
            before = 0.0


def _seconds(kernel: Kernel, backend: Backend, device: Device, routing: Routing) -> float:
    keys = keys_of(kernel.spec, routing)
    if keys and isinstance(backend, CountsData):
        return time_of(backend.issued_for(kernel.spec, kernel.schedule, device, keys), device).seconds
    return time_of(backend.issued(kernel.spec, kernel.schedule, device), device).seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.products.experts", description=__doc__)
    parser.add_argument("--tokens", type=numbers, default=[MANY_TOKENS, FEW_TOKENS], help="numbers of tokens, by commas")
    for name in ("experts", "top", "width", "hidden"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Experts(), name), help="of the layer")
    parser.add_argument("--op", default="grouped_matmul,grouped_matmul_grad", help="operators, by commas")
    parser.add_argument("--target", default=",".join(TARGETS), help="devices, by commas")
    given = parser.parse_args(arguments)
    layer = Experts(given.experts, given.top, given.width, given.hidden)
    good = True
    for target in given.target.split(","):
        for tokens in given.tokens:
            for op in given.op.split(","):
                for time in expert_times(op, target, tokens, layer):
                    print(time if time.is_good else f"{time}  MISSED", flush=True)
                    good &= time.is_good
    return 0 if good else 1


if __name__ == "__main__":
    run_command(main)
