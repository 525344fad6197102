"""Which attentions matrix units take, with which tiles: asked before any text is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from uol.backends.simt.attention.matrix.candidates import matrix_rows
from uol.backends.simt.attention.matrix.copies import Fetches
from uol.backends.simt.attention.matrix.end import ending_of
from uol.backends.simt.attention.matrix.form import form_of
from uol.backends.simt.attention.matrix.kernel import shared_bytes
from uol.backends.simt.attention.matrix.place import Place, grid_of, operands_of, rows_apart
from uol.backends.simt.attention.matrix.registers import MOST_OF_TWO_WARPS, Turned
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.elements.multiples import is_multiple_of
from uol.backends.simt.machine.fitting import fitting
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import Owned
from uol.codegen.attention.batch_numbers import with_batch_numbers
from uol.codegen.attention.pages import with_pages
from uol.codegen.backend import Footprint, Refusal
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Attention
from uol.codegen.specs.sizes import known_multiples
from uol.ir.program.nodes import Expr

BY_THREADS = "a tile of threads"
MOST_REGISTERS, MOST_BESIDE_READS = 168, 128
"""Registers of a thread that fragments and sums may take, and where something is read for each score: of 255 the rest is for
addresses, maxima, what is on its way. With more of them nvcc puts some into memory."""
MOST_TURNED = 224
"""The same of gfx90a, whose threads have 512; if two warps of a unit are to be there, half of them (`MOST_OF_TWO_WARPS`)."""
WIDE, COLS_OF_WIDE = 160, 32
"""Values of more elements have addresses for so many pairs of chunks that there is room for scores of few cols alone."""


def unit_for(spec: Attention, machine: Machine) -> MatrixUnit | None:
    """The matrix unit for the products of an attention; None where there is none."""
    form = form_of(rows_apart(spec)) if spec.rows and spec.cols and len(spec.sums) == 1 else None
    if form is None or machine.units is None:
        return None
    return next((unit for unit in machine.units.for_factors(form.dtype, form.dtype) if unit.accumulator == "f32"), None)


def check_matrix_rows(spec: Attention, tile: MatrixRows, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid; or why there is no such kernel."""
    unit = unit_for(spec, machine)
    if unit is None:
        return Refusal("no matrix unit takes this attention", BY_THREADS)
    reason = _operand_defect(spec) or tile_defect(tile, unit)
    if reason is not None:
        return Refusal(reason, BY_THREADS)
    return _footprint(Place.of(spec, tile, unit), machine)


def tiles_for(spec: Attention, machine: Machine) -> tuple[MatrixRows, ...]:
    """The tiles that an attention without axes of one place may take; none where no matrix unit takes it."""
    unit = unit_for(spec, machine)
    if unit is None or _operand_defect(spec) is not None:
        return ()
    tiles = [tile for tile in matrix_rows(machine) if tile_defect(tile, unit) is None]
    if not tiles:
        return ()
    first = Place.of(spec, tiles[0], unit)  # others differ in the type of indices at most, which is not asked for here
    return tuple(tile for tile in tiles if isinstance(_footprint(replace(first, tile=tile), machine), Footprint))


def _footprint(place: Place, machine: Machine) -> Footprint | Refusal:
    """Of a kernel whose operands and tile are such as matrix units take."""
    reason = _place_defect(place)
    if reason is not None:
        return Refusal(reason, BY_THREADS)
    ending = ending_of(place.spec)
    assert machine.units is not None and ending is not None, "legality has asked"
    grid, shared = grid_of(place.spec, place.tile), shared_bytes(place, ending)
    return fitting(machine, place.threads, grid, shared, machine.units.shared_bytes)


def _operand_defect(spec: Attention) -> str | None:
    pages = with_pages(with_batch_numbers(spec)[0])[1]
    spec = rows_apart(spec)
    operands, multiples = operands_of(spec), known_multiples(spec.where)
    if operands is None or ending_of(spec) is None:
        return "queries, keys or values are no matrices, or a row's values are used beside a quotient"
    for operand, along_k in zip(operands, (True, True, False), strict=True):
        if (defect := operand_defect(operand, along_k, multiples)) is not None:
            return defect
    for operand in operands[1:] if pages is not None else ():
        assert pages is not None
        each = operand.bytes_at_once(multiples) // operand.bytes
        if not is_multiple_of(pages.steps[operand.read.tensor], each, multiples):
            return f"pages of {operand.read.tensor} do not begin at multiples of {each} elements"
    return None


def operand_defect(operand: Operand, along_k: bool, multiples: Mapping[Expr, int]) -> str | None:
    """Why rows of an operand cannot be copied side by side; `along_k`: is what is summed along them? None where they can."""
    tensor = operand.read.tensor
    if operand.along_k != along_k or operand.is_in_pieces or operand.lookup is not None or operand.window is not None:
        return f"{tensor} does not lie row by row"
    if not static(operand.inner.count):
        return f"rows of {tensor} have no known length"
    if not operand.bytes_at_once(multiples):
        return f"rows of {tensor} do not begin at multiples of 4 bytes"
    return None


def _turned_defect(place: Place) -> str | None:
    turned = Turned(place)
    most = MOST_TURNED if place.tile.cols <= COLS_OF_WIDE else MOST_OF_TWO_WARPS
    if turned.registers > most:
        return f"{turned.registers} registers a thread for fragments and sums are more than {most}"
    return turned.defect()


def tile_defect(tile: MatrixRows, unit: MatrixUnit, least_stages: int = 2) -> str | None:
    """Why a tile is none of whole fragments."""
    sides = (tile.rows, tile.cols, tile.warps)
    if min(sides) <= 0 or any(side & (side - 1) for side in sides) or tile.stages < least_stages:
        return f"sides of {tile.describe()} are no powers of two, or it has too few stages"
    owned = Owned.of(unit)
    of_cols = unit.m if owned.exchanged else 2 * unit.n
    if tile.rows % tile.warps or tile.warp_rows % owned.rows or tile.cols % of_cols or tile.cols % unit.k:
        return f"{tile.warps} warps do not divide {tile.rows} rows, or fragments not {tile.cols} cols"
    return None


def _place_defect(place: Place) -> str | None:
    if place.is_turned:
        return _turned_defect(place)
    fetches, staged = Fetches(place), place.staged
    for operand, tile in ((place.q, staged.queries), (place.k, staged.keys), (place.v, staged.values)):
        if (defect := fetches.copies(operand, tile).defect()) is not None:
            return defect
    rows = place.row_fragments
    registers = rows * 4 * (place.col_fragments + place.width_fragments)
    registers += rows * 4 * (place.depth // place.unit.k) if place.keeps_queries else 0
    most = MOST_BESIDE_READS if place.reads_by_row else MOST_REGISTERS
    if registers > most:
        return f"{registers} registers a thread for fragments and sums are more than {most}"
    if place.width > WIDE and place.tile.cols > COLS_OF_WIDE:
        return f"{place.width} elements of a value leave no room for tiles of more than {COLS_OF_WIDE} cols"
    return None
