"""The kind of schedules of products on matrix units."""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.simt.elements.wide_axes import prepared
from uol.backends.simt.kernel.nodes import Kernel
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.counts import rounds
from uol.backends.simt.products.matrix.convolutions import products_of_residues, ways_of_convolutions
from uol.backends.simt.products.matrix.counts import matrix_counts
from uol.backends.simt.products.matrix.kernel import matrix_kernel
from uol.backends.simt.products.matrix.legality import check_matrix_tile, in_bounds, most_shared, tiles_for, unit_for
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.matrix.splitting import uneven_products
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.specs.nodes import Contract, KernelSpec


def _tiles(spec: Contract, machine: Machine, device: Device) -> tuple[MatrixTile, ...]:
    return tiles_for(prepared(spec), machine)


def _check(spec: Contract, tile: MatrixTile, machine: Machine) -> Footprint | Refusal:
    return check_matrix_tile(prepared(spec), tile, machine)


def _product(spec: Contract, tile: MatrixTile, machine: Machine) -> Kernel:
    spec = prepared(spec)
    unit = unit_for(spec, machine)
    assert unit is not None, "legality has asked"
    return matrix_kernel(spec, tile, unit, most_shared(tile, machine))


def _legalise(spec: Contract, machine: Machine, device: Device) -> tuple[KernelSpec, ...]:
    if spec.segments is not None:
        return in_bounds(spec, machine)
    return products_of_residues(spec, machine, device) or (spec,)


def _ways(spec: Contract, device: Device) -> Iterator[tuple[KernelSpec, ...]]:
    yield from uneven_products(spec, device)
    yield from ways_of_convolutions(spec, device)


MATRIX_PRODUCTS = ScheduleKind(
    (Contract,),
    (MatrixTile,),
    _tiles,
    _check,
    _product,
    matrix_counts,
    rounds,
    ways=_ways,
    legalise=_legalise,
)
