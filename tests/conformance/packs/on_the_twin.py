"""A card whose kernels run in the twin, in this process: memory of its own, times that a test gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import cast

import numpy as np

from uol.backends.loading.card import Kind
from uol.backends.twin import execute
from uol.backends.twin.arrays import place
from uol.codegen.backend import Kernel, Module
from uol.conformance.accuracy.interval import Array

STRIDE = 2**32
"""Between the addresses of two allocations: an address says whose it is, and how far in."""


@dataclass
class TwinCard:
    """`modules` by their binary: a module runs, all its kernels in order, when its last kernel is launched. `tick_us`: what
    each recorded event is after the one before. `spoil`: what becomes of a result by name, as a defect of the card would
    have it."""

    modules: Mapping[bytes, Module]
    tick_us: float = 10.0
    spoil: Mapping[str, Array] = field(default_factory=dict)
    cache_bytes: int = 0
    torch_device: str = "cpu"
    facts: Mapping[str, object] = field(default_factory=lambda: {"name": "twin", "architecture": "twin"})
    memory: dict[int, Array] = field(default_factory=dict)
    launched: list[str] = field(default_factory=list)
    clock: float = 0.0

    def __post_init__(self) -> None:
        self.addresses = (STRIDE * number for number in count(1))

    def clocks(self) -> Mapping[str, object]:
        return {}

    def kind_for(self, architecture: str) -> Kind:
        return "native"

    def functions(self, binary: bytes, symbols: Sequence[str], shared_bytes: Mapping[str, int]) -> Mapping[str, object]:
        module = self.modules[binary]
        assert set(symbols) == {kernel.name for kernel in module.kernels}
        return {kernel.name: (module, kernel) for kernel in module.kernels}

    def unload(self) -> None:
        pass

    def allocate(self, size_bytes: int) -> int:
        address = next(self.addresses)
        self.memory[address] = np.zeros(size_bytes, np.uint8)
        return address

    def free(self, address: int) -> None:
        del self.memory[address]

    def bytes_at(self, address: int, size_bytes: int) -> Array:
        """A view of memory, which must be one allocation's."""
        start = address % STRIDE
        held = self.memory[address - start]
        assert start + size_bytes <= held.size, "beyond the end of an allocation"
        return held[start : start + size_bytes]

    def fill(self, address: int, byte: int, size_bytes: int) -> None:
        self.bytes_at(address, size_bytes)[...] = byte

    def write(self, address: int, array: Array) -> None:
        self.bytes_at(address, array.nbytes)[...] = array.reshape(-1).view(np.uint8)

    def read(self, address: int, array: Array) -> None:
        array.reshape(-1).view(np.uint8)[...] = self.bytes_at(address, array.nbytes)

    def launch(
        self,
        function: object,
        grid: Sequence[int],
        block: Sequence[int],
        shared_bytes: int,
        values: Sequence[tuple[str, float | int]],
    ) -> None:
        module, kernel = cast(tuple[Module, Kernel], function)
        self.launched.append(kernel.name)
        self.given = {**getattr(self, "given", {}), **{p.name: v for p, (_, v) in zip(kernel.params, values, strict=True)}}
        if kernel.name == module.kernels[-1].name:
            self._run(module, self.given)
            self.given = {}

    def _run(self, module: Module, given: Mapping[str, float | int]) -> None:
        args = {arg.name: place(arg, {}) for arg in module.graph.args}
        scalars = {scalar.name: given[scalar.name] for scalar in module.graph.scalars}
        buffers = {}
        for name, placed in args.items():
            if placed.role == "in":
                held = np.zeros(placed.shape, placed_type(module, name))
                if name in given:  # not one that no kernel reads
                    self.read(int(given[name]), held)
                buffers[name] = held
        run = execute(module, buffers, scalars)
        assert not run.findings, run.findings
        for name, result in run.outputs.items():
            self.write(int(given[name]), np.ascontiguousarray(self.spoil.get(name, result)))

    def event(self) -> object:
        return {}

    def record(self, event: object) -> None:
        self.clock += self.tick_us
        cast(dict[str, float], event)["at"] = self.clock

    def elapsed_us(self, first: object, last: object) -> float:
        begin, end = (cast(dict[str, float], event)["at"] for event in (first, last))
        return end - begin

    def synchronise(self) -> None:
        pass


def placed_type(module: Module, name: str) -> np.dtype[np.generic]:
    from uol.ir.program.dtype_encoding import STORAGE

    return np.dtype(STORAGE[next(arg.dtype for arg in module.graph.args if arg.name == name)])
