"""Mean and variance of long rows from one reading: in the twin, within the contract and beside PyTorch's float64."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Read, Reduce
from uol.codegen.specs.traverse import accesses
from uol.conformance.cases.memory_order import Arrangement
from uol.conformance.cases.twin_check import check, compiled_of
from uol.conformance.cases.verdict import Case
from uol.ops.inputs import Kind
from uol.ops.workloads import Workload

Dims = Mapping[str, int | tuple[int, ...]]
ALONE: tuple[tuple[int, ...], ...] = ((2, 71, 73), (3, 61, 67))
"""Pictures of which a thread has a channel of its own, or several: 10366 pixels, which no number of parts near 184 divides, and
12261, which 201 does."""


def readings(graph: KernelGraph) -> int:
    """How many kernels read x with nothing else to do than fold it over its rows."""
    folding = [s for s in graph.specs if isinstance(s, Reduce)]
    return sum(any(isinstance(a, Read) and a.tensor == "x" for a in accesses(s)) for s in folding)


def case(op: str, target: str, dtype: str, dims: Dims, kind: Kind, order: Arrangement = "row-major") -> Case:
    return Case(op, target, dtype, Workload(op, dims), kind, order)


def failed(cases: list[Case]) -> list[tuple[str, str, str]]:
    return [(str(c), v.status, v.detail) for c, v in zip(cases, check(cases), strict=True) if v.status != "pass"]


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize(("channels", "dtype"), [(5, "f32"), (8, "f16")])
def test_pictures_channels_last(target: str, channels: int, dtype: str) -> None:
    n, *lines = ALONE[channels == 8]
    dims: Dims = {"N": n, "C": channels, "S": tuple(lines)}
    kinds: tuple[Kind, ...] = ("random", "constant", "faint", "offset", "infinite")
    cases = [case("batch_norm_mixed", target, dtype, dims, kind, "channels-last") for kind in kinds]
    assert readings(compiled_of(cases[0])[0].module.graph) == 1
    assert failed(cases) == []


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize(
    "workload",
    [
        Workload("batch_norm_mixed", {"N": 5, "C": 3, "S": (89, 83)}),
        Workload("layer_norm", {"S": (2,), "C": 40007}),
        Workload("group_norm", {"N": 1, "C": 4, "S": (173, 97)}, {"groups": 2}),
    ],
    ids=lambda workload: workload.op,
)
def test_rows_that_blocks_keep_parts_of(target: str, workload: Workload) -> None:
    kinds: tuple[Kind, ...] = ("random", "constant", "faint", "offset", "infinite")
    cases = [Case(workload.op, target, "f32", workload, kind) for kind in kinds]
    assert readings(compiled_of(cases[0])[0].module.graph) == 1
    assert failed(cases) == []
