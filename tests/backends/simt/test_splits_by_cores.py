"""Few long rows are cut for the cores of the device that a kernel is for, and of no other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

import uol
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import KernelSpec, Reduce, Scan
from uol.compilation.request import resolve_target

DEVICES = ("cuda:l4", "cuda:a100", "cuda:h100", "hip:mi210", "hip:mi250x", "hip:mi300x")
LONG = 1 << 26


def parts(op: str, target: str, dims: Mapping[str, int] | None) -> int:
    """In how many parts an operator's rows are cut on a device; 1 where they are not."""
    return max(map(parts_of, uol.compile(op, target, "f32", dims).module.graph.specs))


def parts_of(spec: KernelSpec) -> int:
    axes = spec.rows if isinstance(spec, Reduce | Scan) else ()
    return max((static(a.extent) or 1 for a in axes if a.name.startswith("part")), default=1)


@pytest.mark.parametrize("target", DEVICES)
def test_a_long_row_has_four_blocks_for_every_core_of_the_device(target: str) -> None:
    wanted = 4 * resolve_target(target).device.cores
    assert wanted * 3 // 4 <= parts("sum", target, {"S": 1, "C": LONG}) <= wanted * 4 // 3
    assert wanted // 2 <= parts("cumsum", target, {"S": 1, "N": LONG}) <= wanted


@pytest.mark.parametrize("target", DEVICES)
def test_a_row_of_any_length_has_blocks_for_every_core_of_the_device(target: str) -> None:
    cores = resolve_target(target).device.cores
    assert parts("mse_loss", target, {}) == 4 * cores
