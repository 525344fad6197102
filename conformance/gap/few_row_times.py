"""What the model says of products of few rows: the time of each beside that of its bytes.

    python -m uol.conformance.gap.few_row_times [--rows 1,2,4,8,16] [--size 4096] [--dtype f16,bf16] [--target TARGETS]

A weight of size x size, whose rows lie along the terms (`linear`, as PyTorch keeps them) or along the columns (`matmul`).
Times are modelled, from the counts of the kernels' texts, launches included; the bytes' time is that of all operands and
results, each once, at the bandwidth that the device streams with. Prints a line for each; exit status 1 where one takes more
than 1.25 of its bytes' time, or gives a core fewer than two blocks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import uol
from uol.backends import registry
from uol.codegen.backend import Device, HasBlocks, Module
from uol.codegen.cost import time_of
from uol.codegen.indexing.arithmetic import value_at
from uol.compilation.request import resolve_target
from uol.conformance.command import run_command
from uol.ir.types import DTYPES

TARGETS = tuple(name for name in registry.names() if isinstance(registry.get(name), HasBlocks))
"""Machines whose threads are in blocks, each with its default device."""
MOST, LEAST_BLOCKS = 1.25, 2.0
"""Of the bytes' time, and blocks a core: while one waits for memory, another is to load."""


@dataclass(frozen=True, slots=True)
class FewRowTime:
    """Of one product: seconds by the model, and of its bytes alone; `blocks` a core, of its largest kernel."""

    op: str
    target: str
    dtype: str
    rows: int
    kernels: int
    seconds: float
    bytes_seconds: float
    blocks: float

    @property
    def ratio(self) -> float:
        return self.seconds / self.bytes_seconds

    @property
    def is_good(self) -> bool:
        return self.ratio <= MOST and self.blocks >= LEAST_BLOCKS

    def __str__(self) -> str:
        times = f"{self.seconds * 1e6:6.1f} us modelled, {self.bytes_seconds * 1e6:6.1f} us its bytes: {self.ratio:.2f}"
        named = f"{self.op:7} {self.target:11} {self.dtype:5} {self.rows:3} rows"
        return f"{named}  {times}; {self.blocks:.1f} blocks a core, {self.kernels} kernel{'s' * (self.kernels > 1)}"


def bytes_seconds(module: Module, device: Device) -> float:
    """The time of inputs and results, each once, at the bandwidth that a device streams with."""
    moved = sum(prod(value_at(extent, {}) for extent in arg.shape) * DTYPES[arg.dtype].bytes for arg in module.graph.args)
    return moved / (device.rates.get("bandwidth-streamed") or device.rates["bandwidth"]).si


def few_row_time(op: str, target: str, dtype: str, rows: int, size: int) -> FewRowTime:
    """Of a product of `rows` rows with a weight of size x size."""
    found = resolve_target(target)
    device = found.device
    dims = {"S": rows, "K": size, "N": size} if op == "linear" else {"S": 1, "M": rows, "K": size, "N": size}
    module = uol.compile(op, target, dtype, dims).module
    issued = [found.backend.issued(kernel.spec, kernel.schedule, device) for kernel in module.kernels]
    seconds = sum(time_of(each, device).seconds for each in issued)
    blocks = max(each.blocks for each in issued) / device.cores
    return FewRowTime(op, target, dtype, rows, len(issued), seconds, bytes_seconds(module, device), blocks)


def few_row_times(targets: Sequence[str], dtypes: Sequence[str], rows: Sequence[int], size: int) -> Iterator[FewRowTime]:
    """Of both weights, all types and numbers of rows."""
    for target in targets:
        for op in ("linear", "matmul"):
            for dtype in dtypes:
                yield from (few_row_time(op, target, dtype, number, size) for number in rows)


def numbers(text: str) -> list[int]:
    """Positive numbers, by commas."""
    found = [int(each) for each in text.split(",")]
    if min(found) < 1:
        raise ValueError(text)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.gap.few_row_times", description=__doc__)
    parser.add_argument("--rows", type=numbers, default=[1, 2, 4, 8, 16], help="numbers of rows, by commas")
    parser.add_argument("--size", type=int, default=4096, help="of the weight, on either side")
    parser.add_argument("--dtype", default="f16,bf16", help="types, by commas")
    parser.add_argument("--target", default=",".join(TARGETS), help="devices, by commas")
    given = parser.parse_args(arguments)
    good = True
    for time in few_row_times(given.target.split(","), given.dtype.split(","), given.rows, given.size):
        print(time if time.is_good else f"{time}  MISSED")
        good &= time.is_good
    return 0 if good else 1


if __name__ == "__main__":
    run_command(main)
