"""Kinds of schedules of products."""

from __future__ import annotations

from uol.backends.simt.elements.wide_axes import prepared
from uol.backends.simt.kernel.nodes import Kernel
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.candidates import TILES
from uol.backends.simt.products.counts import contract_counts, rounds
from uol.backends.simt.products.legality import check_tile
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.products.splitting import split_products
from uol.backends.simt.products.tile_kernel import tile_kernel
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.specs.nodes import Contract


def _tiles(spec: Contract, machine: Machine, device: Device) -> tuple[Tile, ...]:
    return TILES


def _check(spec: Contract, tile: Tile, machine: Machine) -> Footprint | Refusal:
    return check_tile(prepared(spec), tile, machine)


def _product(spec: Contract, tile: Tile, machine: Machine) -> Kernel:
    return tile_kernel(prepared(spec), tile)


PRODUCTS = ScheduleKind((Contract,), (Tile,), _tiles, _check, _product, contract_counts, rounds, ways=split_products)
