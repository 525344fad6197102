"""What the cube runs: a Contract whose operands it can fetch and whose result Fixpipe can write, in tiles that fit.

ND2NZ reads rows of contiguous elements, a constant pitch apart. An operand over (rows, k) fits in two ways:

    rows_k   contiguous along k, a row of the operand every pitch
    k_rows   contiguous along the rows (m or n), a step of k every pitch; LoadData transposes on the way to L0

Anything else (guards, several k axes that are not one run, a stride along both) is packed by a vector kernel first. Fixpipe
writes rows of contiguous elements, a constant pitch apart, and converts on the way.

A tile of C lives in L0C, two tiles of each operand in L0 and in L1: 4*m*n <= 128 KiB, 2*size*m*k and 2*size*k*n <= 64 KiB.
Candidates are in the order of their time by the cost model's rates, as far as tiles make a difference: waves * k * max(M, MTE2)
in cycles. The first one is the fastest by the modelled time of the whole kernel, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import prod
from typing import Literal

from uol.backends.ascendc.arithmetic.f8 import F8
from uol.backends.ascendc.devices import RATES
from uol.backends.ascendc.machine import (
    BLOCK_BYTES,
    BYTES,
    CAPACITY_BYTES,
    FRACTAL,
    MAX_ND2NZ_PITCH,
    PRODUCT_CYCLES,
    ceil_div,
    round_up,
)
from uol.backends.ascendc.schedules import CubeSchedule
from uol.backends.ascendc.transfers.indices import Indices, extent, stride_of
from uol.backends.ascendc.vector.values import Unsupported
from uol.codegen.specs.nodes import Contract, Let, Pack, Read, Store
from uol.codegen.specs.rewrites import Side, pack_operand
from uol.ir.program.nodes import Axis, Call, Expr, Var
from uol.ir.program.walk import substitute, walk

Form = Literal["rows_k", "k_rows"]
CUBE_TYPES = ("f16", "bf16", "f32")
SHORT_ROWS = 64
"""Rows of an operand that are not one run are worth packing where their innermost axis is shorter than this."""
LONG_RUN = 32
"""Contiguous elements along k that make a copy along k worth while."""
SIDES = (256, 128, 64, 32, 16)
ROW_BYTES = 512
"""Rows of a copy from global memory should be multiples of this (hardware constraints of the NPU architecture 2201)."""


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand as it is fetched: its read, its form, and the pitch in elements."""

    read: Read
    form: Form
    pitch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeProduct(Contract):
    """A Contract with what was decided for the cube.

    dtype        the type in which both operands enter it
    left, right  how a and b are fetched
    """

    dtype: str
    left: Operand
    right: Operand

    @property
    def store(self) -> Store:
        """Where Fixpipe writes the accumulator, and as what type: all that the epilogue does."""
        return next(s for s in self.epilogue if isinstance(s, Store))

    def tiled_sizes(self) -> tuple[int, int, int]:
        """Extents of the tiled axes: the innermost of m, n and k."""
        m, n, k = (extent(axes[-1]) if axes else 1 for axes in (self.m, self.n, self.k))
        return m, n, k


def with_packed_operands(contract: Contract) -> tuple[tuple[Pack, ...], Contract]:
    """The contraction with copies in place of the operands that the cube cannot fetch, and the kernels that make the copies."""
    packs: list[Pack] = []
    dtype = _operand_type(contract)
    sides: tuple[Side, ...] = ("a", "b")
    for side in sides:
        if _operand_of(contract, side) is None:
            pack, contract = pack_operand(contract, side, k_last=_packed_form(contract, side) == "rows_k", dtype=dtype)
            packs.append(pack)
    return tuple(packs), contract


def cube_product(contract: Contract) -> CubeProduct | None:
    """The contraction with its operands' forms; None where the cube cannot fetch one, or not write the result."""
    left, right = _operand_of(contract, "a"), _operand_of(contract, "b")
    if left is None or right is None or not is_conversion(contract):
        return None
    own = {f.name: getattr(contract, f.name) for f in fields(Contract)}
    return CubeProduct(**own, dtype=_operand_type(contract), left=left, right=right)


def misfit(contract: Contract) -> Unsupported:
    """Why a contraction is no product for the cube."""
    sides: tuple[tuple[Side, Expr], ...] = (("a", contract.a), ("b", contract.b))
    for side, factor in sides:
        if _operand_of(contract, side) is not None:
            continue
        tensor, pitch = _read_of(factor).tensor, _largest_pitch(contract, side)
        if pitch > MAX_ND2NZ_PITCH:
            return Unsupported(
                f"the rows of {tensor} lie {pitch} elements apart: a copy to fractals takes at most {MAX_ND2NZ_PITCH}",
                "split the axis along which the rows are so long, and sum or join the parts",
            )
        return Unsupported(
            f"{tensor} is not rows of contiguous elements, a constant distance apart", "copy it to a dense tensor first"
        )
    return Unsupported(
        "the result is not rows of contiguous elements, a constant distance apart", "give the result a dense layout"
    )


def _read_of(factor: Expr) -> Read:
    return next(n for n in walk(factor) if isinstance(n, Read))


def _is_plain(factor: Expr, acc_dtype: str) -> bool:
    """Is the factor a read that the cube widens by itself?"""
    if isinstance(factor, Call) and factor.fn == "cast" and factor.dtype == acc_dtype:
        factor = factor.args[0]
    return isinstance(factor, Read) and factor.dtype in CUBE_TYPES


def _fed_type(factor: Expr, acc_dtype: str) -> str:
    if _is_plain(factor, acc_dtype):
        return _read_of(factor).dtype
    match factor:
        case Call(fn="cast", args=(Read(dtype=dtype),)) if dtype in F8:
            return "f16"
    return factor.type


def _operand_type(contract: Contract) -> str:
    """The type in which both operands enter the cube: their own where it is the same (f16 holds every f8), else f32."""
    types = {_fed_type(f, contract.acc_dtype) for f in (contract.a, contract.b)}
    return types.pop() if len(types) == 1 and types <= set(CUBE_TYPES) else "f32"


def _operand_of(contract: Contract, side: Side) -> Operand | None:
    """The operand if the cube can fetch it as it is."""
    factor = contract.a if side == "a" else contract.b
    rows = contract.m if side == "a" else contract.n
    read = _read_of(factor)
    if not _is_plain(factor, contract.acc_dtype) or read.dtype != _operand_type(contract) or read.guard:
        return None
    indices = Indices.over(contract.axes, {})
    if not _one_run(read, contract.k, indices):
        return None
    if any(stride_of(read, a.name, indices) is None for a in (*contract.batch, *rows)):
        return None
    if not _one_run(read, rows, indices) and extent(rows[-1]) < SHORT_ROWS:
        return None
    return _formed(read, rows, contract.k, indices)


def _formed(read: Read, rows: Sequence[Axis], ks: Sequence[Axis], indices: Indices) -> Operand | None:
    row, k = (axes[-1].name if axes else "" for axes in (rows, ks))
    row_step = stride_of(read, row, indices) if row else 0
    k_step = stride_of(read, k, indices) if k else 0
    n_rows, n_k = extent(rows[-1]) if rows else 1, _size(ks)
    if row_step is None or k_step is None:
        return None
    if (k_step == 1 or n_k == 1) and (n_rows == 1 or n_k <= row_step <= MAX_ND2NZ_PITCH):
        return Operand(read, "rows_k", row_step if n_rows > 1 else n_k)
    if (row_step == 1 or n_rows == 1) and n_rows <= k_step <= MAX_ND2NZ_PITCH:
        return Operand(read, "k_rows", k_step)
    return None


def _largest_pitch(contract: Contract, side: Side) -> int:
    """The distance of neighbouring rows, in elements, along which an operand has the larger one; 0 where it is not constant."""
    rows = contract.m if side == "a" else contract.n
    read, indices = _read_of(contract.a if side == "a" else contract.b), Indices.over(contract.axes, {})
    ends = [axes[-1] for axes in (rows, contract.k) if axes and extent(axes[-1]) > 1]
    return max((stride_of(read, a.name, indices) or 0 for a in ends), default=0)


def _size(axes: Sequence[Axis]) -> int:
    return prod(extent(a) for a in axes)


def _one_run(read: Read, axes: Sequence[Axis], indices: Indices) -> bool:
    """Does the read walk the axes as if they were one?"""
    for outer, inner in zip(axes, axes[1:], strict=False):
        wide, narrow = stride_of(read, outer.name, indices), stride_of(read, inner.name, indices)
        if wide is None or narrow is None or wide != narrow * extent(inner):
            return False
    return True


def _packed_form(contract: Contract, side: Side) -> Form:
    """The layout in which a copy of the operand is easiest to make: along k where the source is contiguous there and long
    enough for a burst, else along the rows (with whatever stride they have), else along k. A pitch beyond what ND2NZ takes is
    avoided where the other layout has a smaller one."""
    rows = contract.m if side == "a" else contract.n
    read = _read_of(contract.a if side == "a" else contract.b)
    indices = Indices.over(contract.axes, {})
    if not contract.k or not rows:
        return "rows_k"
    run = extent(contract.k[-1]) if stride_of(read, contract.k[-1].name, indices) == 1 else 0
    across = extent(rows[-1]) if stride_of(read, rows[-1].name, indices) else 0
    liked: Form = "rows_k" if run >= min(LONG_RUN, across) else "k_rows"
    pitches: dict[Form, int] = {"rows_k": _size(contract.k), "k_rows": _size(rows)}
    other: Form = "k_rows" if liked == "rows_k" else "rows_k"
    return other if pitches[liked] > MAX_ND2NZ_PITCH >= pitches[other] else liked


def is_conversion(contract: Contract) -> bool:
    """Does the epilogue store the accumulator, after at most one conversion, to where Fixpipe can write it?"""
    stores = [s for s in contract.epilogue if isinstance(s, Store)]
    if len(stores) != 1:
        return False
    value: Expr = stores[0].value
    for let in reversed([s for s in contract.epilogue if isinstance(s, Let)]):
        value = substitute(value, {let.name: let.value})
    if isinstance(value, Call) and value.fn == "cast" and value.dtype in CUBE_TYPES:
        value = value.args[0]
    return value == Var(contract.acc, contract.acc_dtype) and _reachable(contract, stores[0])


def _reachable(contract: Contract, store: Store) -> bool:
    """Rows of contiguous elements, a constant pitch apart."""
    indices = Indices.over(contract.axes, {})
    slopes = [indices.slope(store.offset, a.name) for a in (*contract.batch, *contract.m, *contract.n)]
    if any(s is None for s in slopes):
        return False
    if contract.n and indices.slope(store.offset, contract.n[-1].name) != 1:
        return extent(contract.n[-1]) == 1
    if not contract.m or not contract.n:
        return True
    pitch = indices.slope(store.offset, contract.m[-1].name)
    return pitch is not None and pitch >= extent(contract.n[-1])


def cube_candidates(product: CubeProduct, cores: int) -> Iterator[CubeSchedule]:
    """Tiles, fastest by the estimate first."""
    m, n, k = product.tiled_sizes()
    size = BYTES[product.dtype]
    outer = prod(extent(a) for axes in (product.batch, product.m[:-1], product.n[:-1]) for a in axes)
    found: dict[CubeSchedule, float] = {}
    for tile_m in SIDES:
        for tile_n in SIDES:
            if tile_m * tile_n * BYTES["f32"] > CAPACITY_BYTES["L0C"]:
                continue
            rows, cols = (max(min(tile, round_up(asked, FRACTAL)), FRACTAL) for tile, asked in ((tile_m, m), (tile_n, n)))
            depth = min(_depth(max(rows, cols), size), round_up(max(k, 1), FRACTAL))
            tasks = outer * ceil_div(m, rows) * ceil_div(n, cols)
            sides = ((product.left, rows), (product.right, cols))
            fetched = sum(fetch_cycles(operand.form, side, depth, size) for operand, side in sides) / depth
            cycles = max(product_cycles(rows, cols, size), fetched)
            found[CubeSchedule(rows, cols, depth, max(1, min(cores, tasks)))] = ceil_div(tasks, cores) * cycles
    yield from sorted(found, key=lambda s: (found[s], -s.m * s.n))


def product_cycles(rows: int, cols: int, size: int) -> float:
    """Cycles of the cube for one k of a tile of C, by the bytes of an element."""
    return rows * cols / FRACTAL**2 * PRODUCT_CYCLES[size] / (BLOCK_BYTES // size)


def fetch_cycles(form: Form, side: int, depth: int, size: int) -> float:
    """Cycles of the copy of an operand's tile, side x depth, by the bytes of an element."""
    core, (bursts, run) = RATES["core"], (side, depth) if form == "rows_k" else (depth, side)
    return core["copy_head"].value + bursts * max(run * size / core["gm_l1"].value, core["l1_burst"].value)


def _depth(side: int, size: int) -> int:
    """The longest k tile of whole fractals with which two tiles of `side` rows fit L0A and L0B, but no longer than what makes
    a good row of a copy."""
    return min(CAPACITY_BYTES["L0A"] // 2 // (side * size) // FRACTAL * FRACTAL, ROW_BYTES // size)
