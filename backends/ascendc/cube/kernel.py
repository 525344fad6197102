"""Contract on the cube: C[m, n] = sum over k of A[m, k] * B[k, n], tile by tile of C.

    GM --ND2NZ--> L1 (NZ) --LoadData--> L0A (Zz), L0B (Zn) --Mmad--> L0C (Nz) --Fixpipe--> GM

The k loop alternates between two slots of L1 and L0, so that copies, loads and products of different k tiles overlap. K
padding is zero: ND2NZ fills the last column block, and where k runs down the rows the tile is filled before a short copy.
Layouts and strides: asc-devkit, docs/zh/api/SIMD-API, "matrix computation (ISASI)": the fractal formats, and the pages
of LoadData, Mmad and Fixpipe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.backends.ascendc.cube.loads import C_OF, ZERO_OF, Side, load_left, load_right, to_l1
from uol.backends.ascendc.cube.product import CubeProduct, Operand
from uol.backends.ascendc.helpers import LESSER
from uol.backends.ascendc.instructions import Buffer, Place, View
from uol.backends.ascendc.machine import BYTES, FRACTAL, Memory, ceil_div
from uol.backends.ascendc.schedules import CubeSchedule
from uol.backends.ascendc.transfers.indices import extent
from uol.backends.ascendc.vector.tile import start_of
from uol.backends.ascendc.writer import KernelWriter, TiledAxis, task_count
from uol.codegen.indexing.arithmetic import ZERO, substituted
from uol.codegen.specs.nodes import Store
from uol.ir.program.nodes import Axis, Expr, Var

QUANT = {"f32": "NoQuant", "f16": "F322F16", "bf16": "F322BF16"}
FEW_FRACTALS = 10
"""Below this many fractals of C, Mmads that accumulate into one tile need a barrier between them (Mmad documentation)."""


@dataclass(slots=True)
class CubeKernel(KernelWriter):
    """A matrix kernel that is being written."""

    spec: CubeProduct
    schedule: CubeSchedule

    def write(self) -> None:
        """Emits the whole kernel."""
        axes = self._axes()
        tasks, blocks = task_count(axes), self.schedule.blocks
        slots = self._slots(tasks)
        left, right = self._sides(slots)
        c_l0 = self.builder.buffer(Buffer("c_l0", "f32", self.schedule.m * self.schedule.n, "L0C"))
        self._fill_single_row(left)
        alternates = tasks > blocks and self.k_tiles == 1
        with self.core_loop(axes, double_buffered=slots == 2, slotted=alternates):
            self._sizes()
            self.builder.text(f"// line {self.spec.line}")
            self._over_k(left, right, c_l0)
            self._out(self.spec.store, c_l0)

    def _sides(self, slots: int) -> tuple[Side, Side]:
        """Both operands, with their buffers."""
        a, b, dtype, tensors = self.spec.left, self.spec.right, self.spec.dtype, self.names.tensors
        m, n, depth = self.schedule.m, self.schedule.n, self.schedule.k
        a_l1, b_l1 = self._buffer("a_l1", m, "L1", slots), self._buffer("b_l1", n, "L1", slots)
        a_l0, b_l0 = self._buffer("a_l0", m, "L0A", slots), self._buffer("b_l0", n, "L0B", slots)
        even = a.form == "k_rows" and dtype == "f32"
        left = Side(a, tensors[a.read.tensor], dtype, a_l1, a_l0, m, depth, "m", even)
        return left, Side(b, tensors[b.read.tensor], dtype, b_l1, b_l0, n, depth, "n", even)

    def _axes(self) -> list[TiledAxis]:
        """The task loop: batch, outer m and n, then the tiles."""
        spec, outer = self.spec, [*self.spec.batch, *self.spec.m[:-1], *self.spec.n[:-1]]
        axes = [TiledAxis(self.names.variables[a.name], extent(a)) for a in outer]
        for group, step in ((spec.m, self.schedule.m), (spec.n, self.schedule.n)):
            if group:
                axes.append(TiledAxis(self.start(group[-1].name), extent(group[-1]), step))
        return axes

    def _buffer(self, name: str, rows: int, memory: Memory, slots: int) -> View:
        return self.builder.buffer(Buffer(name, self.spec.dtype, rows * self.schedule.k, memory, slots))

    def _sizes(self) -> None:
        for name, axes, step in (("m_size", self.spec.m, self.schedule.m), ("n_size", self.spec.n, self.schedule.n)):
            self._size(name, axes[-1] if axes else None, step)

    def _size(self, name: str, axis: Axis | None, step: int) -> None:
        """`name` = indices of this tile along an axis."""
        size = 1 if axis is None else extent(axis)
        if axis is None or size <= step or size % step == 0:
            self.builder.declare(name, str(min(size, step)))
        else:
            self.builder.declare(name, f"{LESSER}({step}, {size} - {self.start(axis.name)})")

    @property
    def k_tiles(self) -> int:
        return ceil_div(self.spec.tiled_sizes()[2], self.schedule.k)

    def _slots(self, tasks: int) -> int:
        """Two slots of L1 and L0 where a core has more than one k tile to go through."""
        return 2 if self.k_tiles > 1 or tasks > self.schedule.blocks else 1

    def _over_k(self, left: Side, right: Side, c_l0: View) -> None:
        """One tile of C: all tiles of k, one after the other."""
        if self.k_tiles == 1:
            self._k_tile(left, right, c_l0, "0")
            return
        start, size, step = self.start(self.spec.k[-1].name), extent(self.spec.k[-1]), self.schedule.k
        with self.builder.loop(start, str(size), step=str(step), slotted=True, least=self.k_tiles):
            self._k_tile(left, right, c_l0, start)

    def _k_tile(self, left: Side, right: Side, c_l0: View, start: str) -> None:
        """One tile of k: into L1, into L0, multiplied."""
        self._size("k_size", self.spec.k[-1] if self.spec.k else None, self.schedule.k)
        for side in (left, right):
            to_l1(self.builder, side, self._base(side.operand), self._zeroed(side))
        load_left(self.builder, left)
        load_right(self.builder, right)
        self._multiply(left, right, c_l0, start, many=self.k_tiles > 1)

    def _zeroed(self, side: Side) -> str | None:
        """When a tile's slot must be zero before the copy: where the copy leaves out K padding, and where a last tile of one
        row is multiplied as a whole fractal, whose other rows an earlier tile has left."""
        m, _, k = self.spec.tiled_sizes()
        conditions = []
        if k % self.schedule.k % FRACTAL != 0 and (side.operand.form == "k_rows" or side.even_k):
            conditions.append("k_size % 16 != 0" if self.k_tiles > 1 else "")
        if side.name == "m" and m > 1 and _has_single_row(m, self.schedule.m):
            conditions.append("m_size == 1")
        return None if not conditions else "" if "" in conditions else " || ".join(conditions)

    def _multiply(self, left: Side, right: Side, c_l0: View, start: str, *, many: bool) -> None:
        m, n, _ = self.spec.tiled_sizes()
        fewest = _fractals(m, self.schedule.m) * _fractals(n, self.schedule.n)
        if many and fewest < FEW_FRACTALS:
            self.builder.text("PipeBarrier<PIPE_M>();")
        rows = self._rows(m)
        first = f"{start} == 0" if many else "true"
        self.builder.text(f"MmadParams mmad({rows}, n_size, k_size, 0, false, {first});")
        if left.even_k:
            self.builder.text("mmad.kDirectionAlign = true;")
        call = f"Mmad({c_l0}, {left.l0}, {right.l0}, mmad);"
        amount = (rows, "n_size", "k_size", str(FRACTAL if left.even_k else left.c0))
        self.builder.emit("M", call, reads=(left.l0, right.l0), writes=(c_l0,), amount=amount)

    def _rows(self, m: int) -> str:
        """A tile of one row would be taken for a vector: such a kernel multiplies whole fractals."""
        return self._whole_fractals() if _has_single_row(m, self.schedule.m) else "m_size"

    def _whole_fractals(self) -> str:
        """Rows of C's tile, up to whole fractals."""
        return "16" if self.schedule.m == FRACTAL else "(m_size + 15) / 16 * 16"

    def _fill_single_row(self, left: Side) -> None:
        """Where no tile has more than one row, the other rows of that fractal, which are multiplied too, are zeroed once."""
        if self.spec.tiled_sizes()[0] != 1:
            return
        view = replace(left.l1, whole=True)
        blocks = left.l1.buffer.bytes // 32
        params = f"InitConstValueParams<{C_OF[self.spec.dtype]}>(1, {blocks}, 0, {ZERO_OF[self.spec.dtype]})"
        self.builder.emit("MTE2", f"InitConstValue({view}, {params});", writes=(view,), amount=(str(blocks),))

    def _base(self, operand: Operand) -> str:
        """The element at which the tile of an operand starts."""
        starts = self._origins()
        if self.spec.k:
            k = self.spec.k[-1].name
            starts[k] = Var(start_of(k)) if self.k_tiles > 1 else ZERO
        return self.indices.text(substituted(operand.read.offset, starts))

    def _origins(self) -> dict[str, Expr]:
        """The first index of the tile of C along its axes."""
        starts: dict[str, Expr] = {}
        for axes, step in ((self.spec.m, self.schedule.m), (self.spec.n, self.schedule.n)):
            if axes:
                starts[axes[-1].name] = ZERO if extent(axes[-1]) <= step else Var(start_of(axes[-1].name))
        return starts

    def _out(self, store: Store, c_l0: View) -> None:
        builder = self.builder
        base = self.indices.text(substituted(store.offset, self._origins()))
        pitch = self.indices.slope(store.offset, self.spec.m[-1].name) if self.spec.m else None
        builder.text(f"// line {store.line}")
        builder.text(f"FixpipeParamsV220 fixpipe(n_size, m_size, {self._whole_fractals()}, {pitch or 'n_size'}, false);")
        builder.text(f"fixpipe.quantPre = QuantMode_t::{QUANT[store.dtype]};")
        target = f"{self.names.tensors[store.tensor]}[{base}]"
        call = f"Fixpipe<{C_OF[store.dtype]}, float, CFG_ROW_MAJOR>({target}, {c_l0}, fixpipe);"
        size = BYTES[store.dtype]
        place = Place(base, int(pitch) if pitch else 0, size)
        builder.emit("FIX", call, reads=(c_l0,), amount=("m_size", f"n_size * {size}"), place=place)


def cube_kernel(spec: CubeProduct, schedule: CubeSchedule) -> CubeKernel:
    """The kernel of a product."""
    kernel = CubeKernel(spec, schedule)
    kernel.write()
    return kernel


def _fractals(size: int, tile: int) -> int:
    """Fractals along a side of the smallest tile."""
    smallest = size if size <= tile else size % tile or tile
    return -(-smallest // FRACTAL)


def _has_single_row(size: int, tile: int) -> bool:
    return size == 1 or (size > tile and size % tile == 1)
