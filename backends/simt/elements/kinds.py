"""Kinds of schedules of kernels over elements, and whether a kernel fits the machine with one."""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.simt.elements.histogram_plan import HistogramPlan, bins, bins_bytes, places_of, plan_histogram
from uol.backends.simt.elements.map_plan import MapPlan, grid_of, plan_map
from uol.backends.simt.elements.parts import parts_of_elements
from uol.backends.simt.elements.schedule import Bins, Elements, TransposedTile
from uol.backends.simt.elements.transposed import (
    TransposedPlan,
    blocks_of,
    crossing_of,
    plan_transposed,
    tile_across,
    tiled_bytes,
)
from uol.backends.simt.elements.wide_axes import elements_side_by_side, prepared
from uol.backends.simt.kernel.parts import Part
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.machine.fitting import fitting, parts_by
from uol.backends.simt.machine.limits import THREADS
from uol.backends.simt.machine.target import Machine
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.clear import cleared
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import KernelSpec, Map, Pack, Scatter


def _side_by_side(spec: Map | Pack | Scatter) -> int:
    """Elements that one access may have, along the last axis that has several."""
    return 1 if isinstance(spec, Scatter) else elements_side_by_side(spec)


def _elements(spec: Map | Pack | Scatter, machine: Machine, device: Device) -> tuple[Elements, ...]:
    width = _side_by_side(spec)
    return (Elements(THREADS, width), Elements(THREADS)) if width > 1 else (Elements(THREADS),)


def _check_elements(spec: Map | Pack | Scatter, schedule: Elements, machine: Machine) -> Footprint | Refusal:
    threads, each = schedule.threads, schedule.each
    if each < 1 or (each > 1 and _side_by_side(spec) % each):
        return Refusal(f"{each} elements do not lie side by side", f"{_side_by_side(spec)} elements a thread")
    return fitting(machine, threads, grid_of(parts_by(size(spec.axes), threads * each), machine.max_blocks(threads)), 0)


def _map(spec: Map | Pack | Scatter, schedule: Elements, machine: Machine) -> MapPlan:
    return plan_map(prepared(spec, schedule.each), schedule, machine)


def _tiles(spec: Map | Pack, machine: Machine, device: Device) -> tuple[TransposedTile, ...]:
    crossing = crossing_of(tidy := without_unit_axes(spec))
    return () if crossing is None else (tile_across(tidy, crossing),)


def _check_tile(spec: Map | Pack, tile: TransposedTile, machine: Machine) -> Footprint | Refusal:
    tidy = without_unit_axes(spec)
    crossing = crossing_of(tidy)
    if crossing is None:
        return Refusal("nothing lies across the result", "one element a thread")
    best, rows = tile_across(tidy, crossing), tile.rows_a_turn
    if tile.each < 1 or best.each % tile.each or tile.side % tile.each or not rows or tile.side % rows:
        return Refusal(f"{tile.threads} threads of {tile.each} elements do not go over {tile.side} rows", best.describe())
    return fitting(machine, tile.threads, blocks_of(tidy, crossing, tile), tiled_bytes(crossing, tile))


def _transposed(spec: Map | Pack, tile: TransposedTile, machine: Machine) -> TransposedPlan:
    return plan_transposed(prepared(spec), tile)


def _bins(spec: Scatter, machine: Machine, device: Device) -> Iterable[Bins]:
    return (bins(spec, device),) if places_of(spec) else ()


def _check_bins(spec: Scatter, schedule: Bins, machine: Machine) -> Footprint | Refusal:
    if places_of(spec) is None or schedule.turns < 1:
        return Refusal("too many places for a block, or too few points for its places", "one element a thread")
    blocks = parts_by(size(spec.index), schedule.threads * schedule.turns)
    return fitting(machine, schedule.threads, blocks, bins_bytes(spec))


def _histogram(spec: Scatter, schedule: Bins, machine: Machine) -> HistogramPlan:
    return plan_histogram(prepared(spec), schedule)


def _legalise(spec: Map | Pack | Scatter, machine: Machine, device: Device) -> tuple[KernelSpec, ...]:
    """The spec; before a scatter, to whose elements threads of any block may add, a kernel that makes them all 0."""
    return (cleared(spec), spec) if isinstance(spec, Scatter) else (spec,)


def _parts(spec: Map | Pack | Scatter, machine: Machine) -> Iterable[Part]:
    return () if isinstance(spec, Scatter) else parts_of_elements(spec, machine)


BINS = ScheduleKind((Scatter,), (Bins,), _bins, _check_bins, _histogram)
TRANSPOSED = ScheduleKind((Map, Pack), (TransposedTile,), _tiles, _check_tile, _transposed)
ELEMENTS = ScheduleKind((Map, Pack, Scatter), (Elements,), _elements, _check_elements, _map, legalise=_legalise, parts=_parts)
