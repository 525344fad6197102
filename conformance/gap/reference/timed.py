"""T_ref of a path's groups on a device.

    T_ref(group) = max(bytes / bandwidth, operations / rate of products) + one launch

at what the device attains. The groups are those that take the least on the device: mostly, not always, those of least bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from uol.conformance.gap.attained import Attained, best_of
from uol.conformance.gap.reference.graph import Graph, Phase
from uol.conformance.gap.reference.grouping import LEAST_BYTES, Group, Rates, grouped
from uol.conformance.paths.full_size import full_size_of
from uol.ir.types import DTYPES

Dims = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TimedGroup:
    """`name`: of its product, or of what a pass writes first; `row`: of the table that `uol gap` prints. `seconds` is T_ref,
    `launch` how much of it is the launch, `bound` what the rest is bound by: "memory" or "matrix". `operations` are those of
    products, a multiply-add being two."""

    name: str
    row: str
    phase: Phase
    bytes: int
    operations: int
    seconds: float
    launch: float
    bound: str


def reference_of(path: str, case: str, dtype: str, attained: Attained) -> tuple[TimedGroup, ...]:
    """The groups of a path's case on a device, the optimiser last. Raises UolError for a path that there is not."""
    return reference_at(path, full_size_of(path).cases[case], dtype, attained)


def reference_at(path: str, dims: Dims, dtype: str, attained: Attained) -> tuple[TimedGroup, ...]:
    """The same at any sizes."""
    rates = Rates(*(attained.rates[what].si for what in ("memory", "matrix", "launch")))
    groups = _grouped(path, tuple(dims.items()), DTYPES[dtype].bytes, rates)
    of_optimiser = import_module(_mathematics(path)).optimiser_bytes(dims, DTYPES[dtype].bytes)
    optimiser = _timed("optimiser", "optimiser", "optimiser", of_optimiser, 0, attained)
    return (*(_of_group(group, attained) for group in groups), optimiser)


def least_bytes(path: str, dims: Dims, dtype: str) -> tuple[Group, ...]:
    """The groups of least bytes, wherever they run."""
    return _grouped(path, tuple(dims.items()), DTYPES[dtype].bytes, LEAST_BYTES)


def graph_of(path: str, dims: Dims, width: float) -> Graph:
    """The mathematics of a path, with elements of so many bytes."""
    graph: Graph = import_module(_mathematics(path)).mathematics(dims, width)
    return graph


@cache
def _grouped(path: str, dims: Sequence[tuple[str, int]], width: int, rates: Rates) -> tuple[Group, ...]:
    return tuple(grouped(graph_of(path, dict(dims), width), rates))


def _mathematics(path: str) -> str:
    return f"uol.conformance.paths.{path}.mathematics"


def _of_group(group: Group, attained: Attained) -> TimedGroup:
    first = group.leader
    return _timed(first.name, first.row, first.phase, group.bytes, group.operations, attained)


def _timed(name: str, row: str, phase: Phase, moved: float, operations: int, attained: Attained) -> TimedGroup:
    best = best_of(moved, operations, attained)
    return TimedGroup(name, row, phase, round(moved), operations, best.seconds, best.launch, best.bound)
