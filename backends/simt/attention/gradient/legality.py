"""Which gradients of attentions matrix units take, with which tiles: asked before any text is made."""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.attention.gradient.candidates import gradient_rows
from uol.backends.simt.attention.gradient.form import form_of
from uol.backends.simt.attention.gradient.kernel import loop_of, shared_bytes
from uol.backends.simt.attention.gradient.place import Operands, Place, operands_of
from uol.backends.simt.attention.gradient.turned import Turned
from uol.backends.simt.attention.matrix.legality import BY_THREADS, operand_defect, tile_defect
from uol.backends.simt.attention.matrix.place import grid_of, rows_apart
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.machine.fitting import fitting
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import Owned
from uol.codegen.backend import Footprint, Refusal
from uol.codegen.specs.nodes import Attention
from uol.codegen.specs.sizes import known_multiples

MOST_REGISTERS = 200
"""Registers of a thread that dots and sums may take: of 255 the rest is for addresses and what is on its way."""
MOST_TURNED = 400
"""The same of gfx90a, whose threads have 512, with fragments of rows and what is loaded."""
MOST_COL_AXES = 2


def unit_for(spec: Attention, machine: Machine) -> MatrixUnit | None:
    """The matrix unit for the products of a gradient of an attention; None where there is none."""
    if not spec.rows or not spec.cols or len(spec.cols) > MOST_COL_AXES or machine.units is None:
        return None
    form = form_of(rows_apart(spec))
    if form is None:
        return None
    return next((unit for unit in machine.units.for_factors(form.dtype, form.dtype) if unit.accumulator == "f32"), None)


def check_gradient(spec: Attention, tile: MatrixRows, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid; or why there is no such kernel."""
    unit = unit_for(spec, machine)
    if unit is None:
        return Refusal("no matrix unit takes this gradient of an attention", BY_THREADS)
    reason = _operand_defect(spec) or tile_defect(tile, unit, _least_stages(unit))
    if reason is not None:
        return Refusal(reason, BY_THREADS)
    return _footprint(Place.of(spec, tile, unit), machine)


def tiles_for(spec: Attention, machine: Machine) -> tuple[MatrixRows, ...]:
    """The tiles that a gradient of an attention without axes of one place may take; none where no matrix unit takes it."""
    unit = unit_for(spec, machine)
    if unit is None or _operand_defect(spec) is not None:
        return ()
    tiles = [tile for tile in gradient_rows(machine) if tile_defect(tile, unit, _least_stages(unit)) is None]
    if not tiles:
        return ()
    first = Place.of(spec, tiles[0], unit)  # others differ in the type of indices at most, which is not asked for here
    return tuple(tile for tile in tiles if isinstance(_footprint(replace(first, tile=tile), machine), Footprint))


def _least_stages(unit: MatrixUnit) -> int:
    return 1 if Owned.of(unit).exchanged else 2


def _footprint(place: Place, machine: Machine) -> Footprint | Refusal:
    """Of a kernel whose operands and tile are such as matrix units take."""
    reason = _place_defect(place)
    if reason is not None:
        return Refusal(reason, BY_THREADS)
    assert machine.units is not None, "one takes it"
    return fitting(machine, place.threads, grid_of(place.spec, place.tile), shared_bytes(place), machine.units.shared_bytes)


def _operand_defect(spec: Attention) -> str | None:
    operands = operands_of(rows_apart(spec))
    if operands is None:
        return "an operand is no matrix"
    if len({operand.read.tensor for operand in operands.cols}) < len(operands.cols):
        return "a tensor is read as two matrices"
    multiples = known_multiples(spec.where)
    for operand, along_k in _asked(operands):
        if (defect := operand_defect(operand, along_k, multiples)) is not None:
            return defect
        steps = dict(operand.read.strides)
        if any(steps.get(axis.name) is None for axis in spec.cols[:-1]):
            return f"{operand.read.tensor} has no step from head to head"
    return None


def _asked(operands: Operands) -> list[tuple[Operand, bool]]:
    """Each operand, and whether what is summed lies side by side."""
    of_dots = [(each, True) for pair in operands.of_dots for each in (operands.rows[pair[0]], operands.cols[pair[1]])]
    return [*of_dots, *((value, False) for value, _ in operands.of_sums)]


def _place_defect(place: Place) -> str | None:
    loop = loop_of(place)
    if (defect := loop.defect()) is not None:
        return defect
    found, most = (loop.registers, MOST_TURNED) if isinstance(loop, Turned) else (place.sum_registers, MOST_REGISTERS)
    return f"{found} registers a thread for dots and sums are more than {most}" if found > most else None
