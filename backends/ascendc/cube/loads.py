"""An operand's tile from global memory to L1 and on to L0A or L0B.

A fractal is 512 bytes: 16 rows of c0 elements (16 of f16, 8 of f32). Fractal numbers, with tile sizes M, N, K and the sizes
m1, n1, k1 of the current tile in fractals:

    L1, rows_k   NZ of [rows, k]: k/c0 * (ROWS/16) + row/16
    L1, k_rows   NZ of [k, rows]: row/16 * (K/16) + k/16; of f32, one NZ of 16 rows after the other (squares of 16 x 16)
    L0A          m/16 * k1 + k/c0
    L0B          k/c0 * n1 + n/16

f32 squares hold two fractals of k, so that an A that was turned has k1 rounded up to even (Mmad's kDirectionAlign).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uol.backends.ascendc.cube.product import Operand
from uol.backends.ascendc.helpers import LESSER
from uol.backends.ascendc.instructions import Builder, Place, View
from uol.backends.ascendc.machine import BYTES, FRACTAL

C_OF = {"f32": "float", "f16": "half", "bf16": "bfloat16_t"}
ZERO_OF = {"f32": "0.0f", "f16": "half(0.0f)", "bf16": "ToBfloat16(0.0f)"}


@dataclass(frozen=True, slots=True)
class Side:
    """One operand of a kernel: where it comes from, its buffers, and its tile of `rows` x `k`. `name` is m or n."""

    operand: Operand
    tensor: str
    dtype: str
    l1: View
    l0: View
    rows: int
    k: int
    name: str
    even_k: bool = False

    @property
    def c0(self) -> int:
        return 32 // BYTES[self.dtype]

    @property
    def fractal(self) -> int:
        """Elements of a fractal."""
        return FRACTAL * self.c0

    @property
    def size(self) -> str:
        return f"{self.name}_size"

    @property
    def row_fractals(self) -> str:
        """Fractals along the rows of this tile, as C."""
        return "1" if self.rows == FRACTAL else f"({self.size} + 15) / 16"

    @property
    def k_fractals(self) -> str:
        return "(k_size + 15) / 16 * 2" if self.even_k else f"(k_size + {self.c0 - 1}) / {self.c0}"


def load_left(builder: Builder, side: Side) -> None:
    """A's tile from L1 into L0A: a row of fractals at a time."""
    tile = side.k // FRACTAL

    def row(i: str) -> None:
        dst = side.l0.at(times(i, f"({side.k_fractals}) * {side.fractal}"), per=i)
        if side.operand.form == "rows_k":
            load(dst, side.k_fractals, f"LoadData2DParams({i}, {side.k_fractals}, {side.rows // FRACTAL}, 0, 0, false, 0)")
        elif side.dtype != "f32":
            load(dst, side.k_fractals, f"LoadData2DParams({times(i, tile)}, {side.k_fractals}, 1, 0, 0, true, 0)")
        else:  # squares of one column of the tile
            squares = "(k_size + 15) / 16"
            turn(dst, f"2 * ({squares})", f"LoadData2dTransposeParams({i}, {squares}, {side.rows // FRACTAL}, 1, 0, 0)")

    load, turn = _loads(builder, side)
    _each(builder, side.row_fractals, row)


def load_right(builder: Builder, side: Side) -> None:
    """B's tile from L1 into L0B: a row of fractals, of one k, at a time; a tile of 16 columns has them all in one."""
    load, turn = _loads(builder, side)
    if side.operand.form == "k_rows" and side.dtype == "f32":

        def squares(i: str) -> None:  # each is turned into two fractals, one row of fractals apart
            dst = side.l0.at(times(i, f"2 * ({side.row_fractals}) * {side.fractal}"), per=i)
            start, apart = times(i, side.rows // FRACTAL), f"{side.row_fractals} - 1" if side.row_fractals != "1" else "0"
            params = f"LoadData2dTransposeParams({start}, {side.row_fractals}, 1, 0, {apart}, 0)"
            turn(dst, f"2 * ({side.row_fractals})", params)

        _each(builder, "(k_size + 15) / 16", squares)
        return
    turned = side.operand.form == "k_rows"
    if side.rows == FRACTAL:
        load(side.l0, side.k_fractals, f"LoadData2DParams(0, {side.k_fractals}, 1, 0, 0, {'true' if turned else 'false'}, 0)")
        return

    def row(i: str) -> None:
        dst = side.l0.at(times(i, f"({side.row_fractals}) * {side.fractal}"), per=i)
        start, stride = (i, side.k // FRACTAL) if turned else (times(i, side.rows // FRACTAL), 1)
        turn_text = "true" if turned else "false"
        params = f"LoadData2DParams({start}, {side.row_fractals}, {stride}, 0, 0, {turn_text}, 0)"
        load(dst, side.row_fractals, params)

    _each(builder, side.k_fractals, row)


Load = Callable[[View, str, str], None]


def _loads(builder: Builder, side: Side) -> tuple[Load, Load]:
    """LoadData and LoadDataWithTranspose from the side's tile in L1."""

    def emit(call: str) -> Load:
        def one(dst: View, fractals: str, params: str) -> None:
            text = f"{call}({dst}, {side.l1}, {params});"
            builder.emit("MTE1", text, reads=(side.l1,), writes=(dst,), amount=(fractals,))

        return one

    return emit("LoadData"), emit("LoadDataWithTranspose")


def _each(builder: Builder, count: str, body: Callable[[str], None]) -> None:
    """The body for i = 0 .. count - 1."""
    if count == "1":
        body("0")
        return
    with builder.loop("i", count, ctype="int", least=1):
        body("i")


def times(i: str, factor: int | str) -> str:
    """i * factor, as C."""
    return "0" if i == "0" else i if factor == 1 else f"{i} * {factor}"


def to_l1(builder: Builder, side: Side, base: str, zeroed: str | None) -> None:
    """A tile into L1. `zeroed`: the condition under which the slot is zeroed first, empty for always; None for never."""
    pitch = side.operand.pitch

    def copy(dst: View, base: str, params: str, rows: str, cols: str) -> None:
        text, size = f"DataCopy({dst}, {side.tensor}[{base}], {params});", BYTES[side.dtype]
        builder.emit("MTE2", text, writes=(dst,), amount=(rows, f"{cols} * {size}"), place=Place(base, pitch, size))

    if zeroed is not None:
        _zero(builder, side, zeroed)
    if side.operand.form == "rows_k":
        params = f"Nd2NzParams(1, {side.size}, k_size, 0, {pitch}, {side.rows}, 1, 0)"
        copy(side.l1, base, params, side.size, "k_size")
        return
    if side.dtype == "f32":
        with builder.loop("i", "(k_size + 15) / 16", least=1):
            dst, rows = side.l1.at(f"i * {FRACTAL * side.rows}", per="i"), f"{LESSER}(16, k_size - i * 16)"
            params = f"Nd2NzParams(1, {rows}, {side.size}, 0, {pitch}, 16, 1, 0)"
            copy(dst, f"{base} + i * {FRACTAL * pitch}", params, rows, side.size)
        return
    copy(side.l1, base, f"Nd2NzParams(1, k_size, {side.size}, 0, {pitch}, {side.k}, 1, 0)", "k_size", side.size)


def _zero(builder: Builder, side: Side, condition: str) -> None:
    """What ND2NZ does not write of the last fractals is multiplied: it must be zero."""
    blocks = side.l1.buffer.slot_bytes // 32
    params = f"InitConstValueParams<{C_OF[side.dtype]}>(1, {blocks}, 0, {ZERO_OF[side.dtype]})"
    with builder.branch(condition):
        builder.emit("MTE2", f"InitConstValue({side.l1}, {params});", writes=(side.l1,), amount=(str(blocks),))
