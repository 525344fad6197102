"""What kernels were said to move and issue, and what their run in the twin counted.

    differences = compare(compiled.module, run.counts)

A count agrees where it lies in the interval that the backend gave: where the ends are one, it is that number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from uol.backends import registry
from uol.backends.twin import TwinRun, kind_of
from uol.codegen.backend import Module
from uol.codegen.indexing.arithmetic import NO_DIMS
from uol.codegen.work import Issued
from uol.ir.integers.intervals import Interval


@dataclass(frozen=True, slots=True)
class Count:
    """One count of a module: said and seen."""

    name: str
    predicted: Interval
    observed: int

    @property
    def agrees(self) -> bool:
        low, high = self.predicted.low, self.predicted.high
        return (low is None or low <= self.observed) and (high is None or self.observed <= high)

    @property
    def is_exact(self) -> bool:
        return self.predicted.low == self.predicted.high

    def __str__(self) -> str:
        low, high = self.predicted.low, self.predicted.high
        said = str(low) if self.is_exact else f"{low} to {'any' if high is None else high}"
        return f"{self.name}: {said} predicted, {self.observed} observed"


def compare(module: Module, run: TwinRun, dims: Mapping[str, int] = NO_DIMS) -> tuple[Count, ...]:
    """Every count that the twin makes of a counted run, beside what the backend says of the module's kernels together, at these
    sizes of dims that are arguments."""
    observed = kind_of(module.backend).observed(run.counts)
    predicted = total(issued_of(module, dims))
    return tuple(Count(name, predicted.get(name, Interval(0, 0)), number) for name, number in observed.items())


def issued_of(module: Module, dims: Mapping[str, int] = NO_DIMS) -> list[Issued]:
    """Of each kernel of a module."""
    backend = registry.get(module.backend)
    device = backend.devices[module.device_name]
    return [backend.issued(k.spec, k.schedule, device, dims) for k in module.kernels]


def total(kernels: Iterable[Issued]) -> Mapping[str, Interval]:
    """The counts of kernels together, by the names that twins give them."""
    found: dict[str, Interval] = {}
    for each in kernels:
        moved = {"read bytes": each.read_bytes, "written bytes": each.written_bytes, "scratch bytes": each.scratch_bytes}
        whole = {"blocks": Interval(each.blocks, each.blocks), "launches": Interval(each.launches, each.launches)}
        for name, count in {**moved, **whole, **named(each)}.items():
            found[name] = found.get(name, Interval(0, 0)) + count
    return found


def named(kernel: Issued) -> Mapping[str, Interval]:
    """Primitives, statements by unit, and what is done on matrix units."""
    statements = {f"statements {unit}": count for unit, count in kernel.statements.items()}
    products = {f"operations {unit}": count for unit, count in kernel.operations.items() if unit.endswith("-matrix")}
    return {f"primitive {name}": count for name, count in kernel.primitives.items()} | statements | products
