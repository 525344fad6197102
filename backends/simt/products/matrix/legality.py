"""Which contractions matrix units take, with which tiles: asked before any text is made."""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.c_text.index_reach import LARGEST
from uol.backends.simt.elements.multiples import is_multiple_of
from uol.backends.simt.machine.fitting import fitting
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.asynchronous import Copies
from uol.backends.simt.products.matrix.candidates import matrix_tiles
from uol.backends.simt.products.matrix.epilogue import room_of_sums, staged_bytes
from uol.backends.simt.products.matrix.moves import Moves
from uol.backends.simt.products.matrix.operand import ACCESS_BYTES, Operand, operands_of, products_of
from uol.backends.simt.products.matrix.place import Owned, grid_of, is_over
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.matrix.unrolling import unroll_defect
from uol.codegen.backend import Footprint, Refusal
from uol.codegen.contractions.segment_bounds import segments_of, with_bounds
from uol.codegen.indexing.arithmetic import mul, size, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Contract, KernelSpec, Read
from uol.codegen.specs.sizes import known_multiples, multiple_of
from uol.codegen.specs.traverse import products_in
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import DTYPES

MOST_ACCUMULATORS = 128
"""Registers of a thread that hold sums: half of the 255 that it has (CUDA C++ Programming Guide, technical specifications;
CDNA2 has 512), the rest is for fragments and addresses."""


FACTORS = frozenset({"f16", "bf16", "i8"})
"""What matrix units of all targets multiply."""
LEAST_TERMS_IN_PARTS = 64
"""Of u = 2^-24 of a product, its factors lose up to 5 in parts, and the sums of 16 products up to 24 where they are cut off, or
some 7 on an average. A sum of n terms in f32 may lose n, or 2 sqrt(n) on an average (conformance/contracts.toml)."""
SUMMED = frozenset({"f16", "bf16"})
"""The types of factors whose rows kernels on matrix units sum beside a product."""
INDEX_BYTES = 8
"""Of what a fold over a block has of each warp, at the most."""
PAIRED_COLUMNS = 16
"""Of two fragments of b, which come from shared memory together."""


def unit_for(spec: Contract, machine: Machine) -> MatrixUnit | None:
    """The matrix unit that multiplies the factors as they lie in memory, and adds in the accumulator's type; None where there
    is none."""
    pairs = {tuple(_as_stored(factor, spec.acc_dtype) for factor in pair) for pair in products_in(spec)}
    left, right = next(iter(pairs))
    if machine.units is None or left is None or right is None or len(pairs) > 1:
        return None
    units = machine.units.for_factors(left, right, tf32=spec.tf32)
    return next((unit for unit in units if unit.accumulator == spec.acc_dtype), None)


def _as_stored(factor: Expr, acc_dtype: str) -> str | None:
    """The type of a factor that is read as it is; None of what is computed."""
    match factor:
        case Read(dtype=dtype):
            return dtype
        case Call(fn="cast", dtype=dtype, args=(Read() as read,)) if dtype == acc_dtype:
            return read.dtype
    return None


def sizes_of_whole_accesses(spec: Contract) -> tuple[Expr, ...] | None:
    """What must hold of open sizes, so that both operands lie as matrix units take them; None where that is not enough."""
    operands = operands_of(spec)
    left, right = (_as_stored(factor, spec.acc_dtype) for factor in (spec.a, spec.b))
    if operands is None or not _are_bounded(spec, operands) or left not in FACTORS or left != right:
        return None
    known = known_multiples(spec.where)
    open_counts = ((each.inner.count, each.each) for each in operands if not is_multiple_of(each.inner.count, each.each, known))
    multiples = (multiple_of(count, each) for count, each in open_counts if static(count) is None)
    conditions = tuple(dict.fromkeys((*multiples, *(c for o in operands if (c := _is_one_range(o)) is not None))))
    narrowed = replace(spec, where=(*spec.where, *conditions))
    return conditions if _operand_defect(narrowed, operands) is None else None


def check_matrix_tile(spec: Contract, tile: MatrixTile, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid; or why there is no such kernel."""
    found = [_check_product(product, tile, machine) for product in products_of(spec)]
    return next((each for each in found if isinstance(each, Refusal)), None) or max(found, key=_shared)


def _shared(footprint: Footprint | Refusal) -> int:
    return sum(footprint.buffers.values()) if isinstance(footprint, Footprint) else 0


def takes_sum(spec: Contract, machine: Machine) -> bool:
    """Is there a kernel for the sum of several products of known sizes, rows of which are in segments?"""
    if spec.dims or spec.batch or not is_over(spec, "rows") or machine.units is None:
        return False
    unit = unit_for(spec, machine)
    return unit is not None and not unit.is_by_parts and bool(tiles_for(without_unit_axes(spec), machine))


def tiles_for(spec: Contract, machine: Machine) -> tuple[MatrixTile, ...]:
    """The tiles that a contraction without axes of one place may take; none where no matrix unit takes it."""
    unit = unit_for(spec, machine)
    tiles = () if unit is None else matrix_tiles(machine, unit)
    return tuple(tile for tile in tiles if isinstance(check_matrix_tile(spec, tile, machine), Footprint))


def _check_product(spec: Contract, tile: MatrixTile, machine: Machine) -> Footprint | Refusal:
    """Of one of the products that are summed."""
    unit, operands = unit_for(spec, machine), operands_of(spec)
    if unit is None or operands is None or not spec.k or not _are_bounded(spec, operands):
        return Refusal("no matrix unit multiplies these factors as they lie", "a tile of threads")
    if spec.sums and unit.factor not in SUMMED:
        return Refusal(f"sums of rows of {unit.factor} have a kernel of their own", "the product alone")
    reason = _operand_defect(spec, operands) or _range_defect(spec, operands, unit) or _parts_defect(spec, unit)
    reason = reason or _tile_defect(tile, unit) or _staging_defect(spec, operands, tile, unit)
    if reason is not None:
        return Refusal(reason, "a tile of threads")
    assert machine.units is not None
    needed, threads = shared_bytes(spec, operands, tile, unit, most_shared(tile, machine)), tile.warps * unit.lanes
    needed += INDEX_BYTES * tile.warps if is_over(spec, "rows") else 0
    return fitting(machine, threads, grid_of(spec, tile).blocks, needed, machine.units.shared_bytes)


def _are_bounded(spec: Contract, operands: tuple[Operand, Operand]) -> bool:
    """Are segments such that tiles may begin where they do? Rows, where they are rows of memory; terms, where those are."""
    if spec.segments is None:
        return True
    by_rows = operands[0].along_k if spec.segments.over == "rows" else not any(each.along_k for each in operands)
    return bool(spec.segments.bounds) and by_rows


def in_bounds(spec: Contract, machine: Machine) -> tuple[KernelSpec, ...]:
    """The contraction with the bounds of its segments, and what looks for them, where matrix units may take it."""
    count = segments_of(spec)
    if count is None or unit_for(spec, machine) is None:
        return (spec,)
    bounds, bounded = with_bounds(spec, count)
    operands = operands_of(bounded)
    may_be = operands is not None and _are_bounded(bounded, operands) and sizes_of_whole_accesses(bounded) is not None
    return (bounds, bounded) if may_be else (spec,)


def _is_one_range(operand: Operand) -> Expr | None:
    """What must hold of open sizes, so that a lane's offset reaches all rows that data may name; None where rows do not depend
    on data, or their number is known."""
    needed = _bytes_of_rows(operand)
    return None if needed is None or static(needed) is not None else compare("<=", needed, Const(LARGEST))


def _bytes_of_rows(operand: Operand) -> Expr | None:
    """Of all rows that data may name; None where it names none."""
    lookup, pitch = operand.lookup, operand.pitch
    return None if lookup is None or pitch is None else mul(mul(lookup.row.extent, pitch), Const(operand.bytes))


def _range_defect(spec: Contract, operands: tuple[Operand, Operand], unit: MatrixUnit) -> str | None:
    """Where tiles come through registers, loads have an offset of 32 bits."""
    if not Owned.of(unit).exchanged:
        return None
    for operand in operands:
        needed, condition = _bytes_of_rows(operand), _is_one_range(operand)
        if needed is None or condition in spec.where:
            continue
        if condition is not None or (static(needed) or 0) > LARGEST:
            return f"rows of {operand.read.tensor} are named by data, and may lie more than {LARGEST} bytes apart"
    return None


def _operand_defect(spec: Contract, operands: tuple[Operand, Operand]) -> str | None:
    multiples = known_multiples(spec.where)
    for operand in operands:
        if not operand.bytes_at_once(multiples):
            return f"rows of {operand.read.tensor} do not begin at multiples of {ACCESS_BYTES[-1]} bytes"
        if not operand.along_k and operand.bytes == 1:
            return f"{operand.read.tensor} has k from row to row, and elements of {operand.bytes} bytes"
        if spec.segments is not None and operand.is_in_pieces:
            return f"{operand.read.tensor} is in pieces, and the product in segments"
    return None


def _parts_defect(spec: Contract, unit: MatrixUnit) -> str | None:
    """Are there terms enough that what factors lose in parts is less than what sums may?"""
    if not unit.is_by_parts:
        return None
    if spec.segments is not None and spec.segments.over == "terms" or (static(size(spec.k)) or 0) < LEAST_TERMS_IN_PARTS:
        return f"a sum may have fewer than {LEAST_TERMS_IN_PARTS} terms, of factors in parts"
    return None


def _tile_defect(tile: MatrixTile, unit: MatrixUnit) -> str | None:
    owned = Owned.of(unit)
    rows, cols = owned.rows, max(owned.cols, PAIRED_COLUMNS)
    if tile.m % tile.warps_m or tile.n % tile.warps_n or tile.warp_m % rows or tile.warp_n % cols:
        return f"{tile.warps_m} x {tile.warps_n} warps do not divide a tile of {tile.m} x {tile.n} into {rows} x {cols}"
    sides = (tile.m, tile.n, tile.k, tile.warps_m, tile.warps_n)
    if any(side & (side - 1) for side in sides):
        return f"sides of tile {tile.describe()} are no powers of two"
    if (sums := tile.warp_m * tile.warp_n // unit.lanes) > MOST_ACCUMULATORS:
        return f"{sums} accumulators a thread are more than {MOST_ACCUMULATORS}"
    return None


def _staging_defect(spec: Contract, operands: tuple[Operand, Operand], tile: MatrixTile, unit: MatrixUnit) -> str | None:
    stagings_of_both = stagings(spec, operands, tile, unit)
    found = (staging.defect() for staging in stagings_of_both)
    defect = next((defect for defect in found if defect is not None), None)
    if defect is not None or tile.unroll == 1:
        return defect
    copies = tuple(each for each in stagings_of_both if isinstance(each, Copies))
    return unroll_defect(copies, tile, unit) if copies else "turns whose tiles come through registers are not unrolled"


def stagings(
    spec: Contract, operands: tuple[Operand, Operand], tile: MatrixTile, unit: MatrixUnit
) -> tuple[Copies | Moves, ...]:
    """How both operands come to shared memory."""
    threads, known = tile.warps * unit.lanes, known_multiples(spec.where)
    sides = [(o, outer, o.bytes_at_once(known)) for o, outer in zip(operands, (tile.m, tile.n), strict=True)]
    if Owned.of(unit).exchanged:
        return tuple(Moves(o, outer, tile.k, threads, width, DTYPES[unit.factor].bytes) for o, outer, width in sides)
    return tuple(Copies(o, outer, tile.k, threads, width) for o, outer, width in sides)


def shared_bytes(
    spec: Contract, operands: tuple[Operand, Operand], tile: MatrixTile, unit: MatrixUnit, most: int
) -> int:
    """Of all stages, and of the sums in their place then; `most`: what a launch may ask for."""
    staged = tile.stages * sum(staging.tile.bytes for staging in stagings(spec, operands, tile, unit))
    return max(staged, staged_bytes(tile, Owned.of(unit).rows, room_of_sums(tile, unit, staged, most)))


def most_shared(tile: MatrixTile, machine: Machine) -> int:
    """Bytes that a launch may ask for, beside what a fold over the block takes."""
    assert machine.units is not None
    return machine.units.shared_bytes - INDEX_BYTES * tile.warps
