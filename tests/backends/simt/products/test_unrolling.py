"""Turns of a loop on matrix units that are written one after another: how many may be, and what they are taken to need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.backends import registry
from uol.backends.simt.products.matrix.candidates import ASYNCHRONOUS, THROUGH_REGISTERS
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.codegen.backend import Footprint, Refusal
from uol.compilation.pipeline import module_of
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.verdict import Case
from uol.ops.workloads import Workload

SQUARE = MatrixTile(128, 128, 32, 2, 2, 4)


def checked(target: str, tile: MatrixTile) -> Footprint | Refusal:
    dims = {"S": (), "M": 512, "N": 512, "K": 512}
    (kernel,) = module_of(request_of(Case("matmul", target, "f16", Workload("matmul", dims)))).kernels
    backend = registry.get(target)
    return backend.check(kernel.spec, tile, backend.devices[backend.default_device])


@pytest.mark.parametrize(
    ("target", "tile", "reason"),
    [
        ("cuda", replace(SQUARE, unroll=2), "2 turns at once are neither 1 nor the 4 stages"),
        ("cuda", replace(SQUARE, k=64, stages=2, unroll=2), "more than 224"),
        ("cuda", replace(SQUARE, stages=8, unroll=8), "bytes of code, more than 12288"),
        ("hip", replace(THROUGH_REGISTERS[2], unroll=2), "come through registers are not unrolled"),
    ],
)
def test_what_is_not_unrolled(target: str, tile: MatrixTile, reason: str) -> None:
    outcome = checked(target, tile)
    assert isinstance(outcome, Refusal) and reason in outcome.reason, outcome
    assert isinstance(checked(target, replace(tile, unroll=1)), Footprint)


@pytest.mark.parametrize("tile", ASYNCHRONOUS, ids=MatrixTile.describe)
def test_every_tile_may_be_unrolled_by_its_stages(tile: MatrixTile) -> None:
    assert isinstance(checked("cuda", replace(tile, unroll=tile.stages)), Footprint)
