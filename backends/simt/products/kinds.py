"""Kinds of schedules of products."""

from __future__ import annotations

from uol.backends.simt.elements.wide_axes import prepared
from uol.backends.simt.kernel.nodes import Kernel
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.candidates import TILES
from uol.backends.simt.products.counts import contract_counts, rounds
from uol.backends.simt.products.few_rows.choice import check_few_rows, few_rows_estimate, few_rows_schedules
from uol.backends.simt.products.few_rows.kernel import few_rows_kernel
from uol.backends.simt.products.few_rows.operands import Facts
from uol.backends.simt.products.few_rows.schedule import FewRows, FewRowsByUnits
from uol.backends.simt.products.few_rows.unit_choice import unit_for
from uol.backends.simt.products.few_rows.unit_kernel import unit_kernel
from uol.backends.simt.products.legality import check_tile
from uol.backends.simt.products.parts import parts_of_products
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.products.splitting import split_products
from uol.backends.simt.products.tile_kernel import tile_kernel
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.specs.nodes import Contract


def _tiles(spec: Contract, machine: Machine, device: Device) -> tuple[Tile, ...]:
    return () if spec.sums or spec.more else TILES


def _check(spec: Contract, tile: Tile, machine: Machine) -> Footprint | Refusal:
    if spec.more:
        return Refusal("threads sum one product", "a tile on matrix units")
    if spec.sums:
        return Refusal("sums of rows beside a product go along with it on matrix units alone", "a tile on matrix units")
    return check_tile(prepared(spec), tile, machine)


def _product(spec: Contract, tile: Tile, machine: Machine) -> Kernel:
    return tile_kernel(prepared(spec), tile)


def _few_rows(spec: Contract, machine: Machine, device: Device) -> tuple[FewRows | FewRowsByUnits, ...]:
    return () if spec.sums or spec.more else few_rows_schedules(spec, device, machine)


def _of_few_rows(spec: Contract, schedule: FewRows | FewRowsByUnits, machine: Machine) -> Kernel:
    spec = prepared(spec)
    if isinstance(schedule, FewRows):
        return few_rows_kernel(spec, schedule, machine.lanes)
    unit = unit_for(Facts.of(spec, schedule.of), machine)
    assert unit is not None, "legality has asked"
    return unit_kernel(spec, schedule, unit)


FEW_ROWS = ScheduleKind(
    (Contract,), (FewRows, FewRowsByUnits), _few_rows, check_few_rows, _of_few_rows, estimate=few_rows_estimate
)
"""Without counts that are compared with those of tiles: where rows are few, nothing else is as fast."""
PRODUCTS = ScheduleKind(
    (Contract,), (Tile,), _tiles, _check, _product, contract_counts, rounds, ways=split_products, parts=parts_of_products
)
