"""Further cases of kernels of any size: each of an operator's several kernels, for parts of the sizes, is launched in some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uol.binding.instance import Instance
from uol.binding.sample_sizes import further_sizes
from uol.conformance.cases.twin_check import compiled_of
from uol.conformance.cases.verdict import Case
from uol.conformance.gradients.cases import fitting
from uol.ir.errors import UolError
from uol.operators.registry import find_operator
from uol.ops.workloads import Extent, Workload


def further_cases(cases: Sequence[Case]) -> list[Case]:
    """At sizes at which kernels are launched that none of `cases` launches, on random inputs. The cases are of one operator,
    target and type, and those count whose attributes and ranks are those of the first, the representative one. None where
    there are no kernels, as the cases themselves will find."""
    first = cases[0]
    try:
        compiled, _ = compiled_of(first)
    except UolError:
        return []
    op = find_operator(first.op)
    known = [fitting(op, case) for case in cases if _alike(case.workload, first.workload)]
    return [replace(first, workload=_at(first.workload, sizes), inputs="random") for sizes in further_sizes(compiled, known)]


def _alike(one: Workload, other: Workload) -> bool:
    return one.attrs == other.attrs and one.ranks == other.ranks


def _at(workload: Workload, sizes: Instance) -> Workload:
    """The workload at other sizes; a gradient's has those of its forward, which it may not have itself."""
    closed: dict[str, Extent] = {name: size for name, size in sizes.dims.items() if size is not None}
    packs = {name: tuple(size for size in pack if size is not None) for name, pack in sizes.packs.items() if pack is not None}
    return replace(workload, dims={**workload.dims, **closed, **packs}, note="another kernel")
